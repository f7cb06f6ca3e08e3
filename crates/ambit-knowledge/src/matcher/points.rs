//! What evidence is worth, and how it is told.
//!
//! | evidence | points |
//! | --- | --- |
//! | `problem_type` | 60 |
//! | `description_pattern` | 14, and one for each fixed character up to 40 |
//! | one of `patterns` | 12, and one for each fixed character up to 40 |
//! | `www_authenticate` | 14 |
//! | `oauth_error` in its place | 12 |
//! | `oauth_error` mentioned in a text | 7 |
//! | `about` what the message comes down to | 26 |
//! | the same, where nothing says that it is OAuth's | 22 |
//! | `about` something else that it complains of | 9 |
//! | `status`, where the entry asks for nothing else | 5 |
//! | both structure and a pattern | 4 |
//! | the status agrees | 3; it does not: −8 |
//! | the product agrees | 8; the input shows another one: −8 |
//! | the input names the code | 5; it names another of the registries: −12, or −6 against what the message comes down to |
//! | the words | up to 110 for the cube of their likeness, up to 30 for the square of their coverage, and 300 for the profile |
//! | a code, where the message comes down to something particular | −16 |
//! | everybody's, where a rule of a product's own wording of the same holds | −20 |
//! | no rule of a product that nothing shows, where a rule of everybody's holds | −12 |
//!
//! A code by itself is worth little and words are worth much: the description says which of the many things it was that
//! a code like `invalid_grant` stands for, even where it is worded otherwise than an entry expects.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::patterns::Hit;
use super::structure::Held;
use super::words::Alike;
use crate::entry::{Entry, Fault};
use crate::input::{Complaint, FactKind, Input, Part};

/// Everything that speaks for an entry, or against it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    pub(crate) structure: Option<Held>,
    pub(crate) pattern: Option<Hit>,
    pub(crate) complaint: Option<Complaint>,
    /// Whether it is about what the message comes down to: that is the complaint.
    pub(crate) comes_down_to_it: bool,
    pub(crate) status: Option<bool>,
    pub(crate) product: Option<bool>,
    pub(crate) code: Option<bool>,
    /// What the words say.
    pub(crate) alike: Alike,
}

/// One thing that speaks for an entry, or against it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// Which rule of the entry.
    pub rule: Rule,
    /// What the entry asks for: a code, a pattern, a status.
    pub wanted: String,
    /// What the input has there, without secrets.
    pub seen: String,
    /// Where in the input.
    pub part: Part,
    /// What it is worth.
    pub points: f32,
}

/// A rule by which an entry is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// `match.problem_type`.
    ProblemType,
    /// `match.description_pattern`.
    DescriptionPattern,
    /// One of `match.patterns`.
    Pattern,
    /// `match.www_authenticate`.
    WwwAuthenticate,
    /// `match.oauth_error`.
    OauthError,
    /// `match.about`.
    About,
    /// `match.status`.
    Status,
    /// The entry's product.
    Product,
    /// `error_code`.
    ErrorCode,
    /// The words of the title, the signature, the samples and the rewordings.
    Words,
}

impl Evidence {
    /// Whether a rule of the entry holds, and not only its words.
    pub(crate) fn is_hard(&self) -> bool {
        self.structure.is_some() || self.pattern.is_some() || self.comes_down_to_it
    }

    /// Whether what speaks for it is common to many errors: a code, a status, the page of a code, a pattern of one word.
    pub(crate) fn is_general(&self) -> bool {
        self.structure.as_ref().is_none_or(|held| held.description.is_none())
            && self.pattern.as_ref().is_none_or(|hit| hit.weight < PARTICULAR)
            && !self.comes_down_to_it
    }

    /// Whether nothing but a description speaks for it, found in a text without any sign of where it comes from.
    pub(crate) fn is_bare_description(&self) -> bool {
        let is_bare = |held: &Held| {
            held.error.is_none()
                && held.challenge.is_none()
                && held.problem_type.is_none()
                && held.description.as_ref().is_some_and(|hit| hit.part == Part::Text)
        };
        self.pattern.is_none() && self.code != Some(true) && self.structure.as_ref().is_some_and(is_bare)
    }

    /// Whether what the message comes down to has a name that others use as well, and nothing says that it is OAuth's.
    pub(crate) fn may_be_of_others(&self) -> bool {
        self.comes_down_to_it && self.complaint.as_ref().is_some_and(|complaint| !complaint.is_of_oauth())
    }

    /// Whether it is about what the message comes down to, and that is something particular.
    pub(crate) fn is_particular_complaint(&self) -> bool {
        self.comes_down_to_it && self.complaint.as_ref().is_some_and(Complaint::is_particular)
    }

    /// Whether nothing but a complaint that was read speaks for it.
    pub(crate) fn is_bare_complaint(&self) -> bool {
        self.complaint.as_ref().is_some_and(|complaint| complaint.is_read)
            && self.structure.is_none()
            && self.pattern.is_none()
            && self.code != Some(true)
    }

    /// Whether what it complains of is that something is missing.
    pub(crate) fn is_something_missing(&self) -> bool {
        self.complaint.as_ref().is_some_and(|complaint| complaint.fault == Fault::Missing)
    }

    /// A code says less than what the message complains of.
    fn code_points(&self, agrees: bool) -> f32 {
        if agrees {
            CODE
        } else if self.is_particular_complaint() {
            OTHER_CODE / 2.0
        } else {
            OTHER_CODE
        }
    }

    fn about(&self) -> f32 {
        if !self.comes_down_to_it {
            ABOUT_BESIDES
        } else if self.may_be_of_others() {
            ABOUT_OF_OTHERS
        } else {
            ABOUT
        }
    }

    /// What ranks the entries.
    pub(crate) fn score(&self) -> f32 {
        self.rules() + self.alike.points()
    }

    fn rules(&self) -> f32 {
        let structure = self.structure.as_ref().map(structure_points);
        let pattern = self.pattern.as_ref().map(|hit| PATTERN + specificity(hit));
        let rules = match (structure, pattern) {
            (Some(structure), Some(pattern)) => structure.max(pattern) + BOTH,
            (one, other) => one.or(other).unwrap_or(0.0),
        };
        let rules = match self.complaint.as_ref().map(|_| self.about()) {
            Some(about) if rules > about => rules + BOTH,
            Some(about) => about + if rules > 0.0 { BOTH } else { 0.0 },
            None => rules,
        };
        let status = self.status.map_or(0.0, |agrees| if agrees { STATUS } else { OTHER_STATUS });
        let product = self.product.map_or(0.0, |agrees| if agrees { PRODUCT } else { OTHER_PRODUCT });
        let code = self.code.map_or(0.0, |agrees| self.code_points(agrees));
        rules + status + product + code
    }

    /// The evidence for people: rules that hold, what counts most first, and then the words.
    pub(crate) fn reasons(&self, entry: &Entry, input: &Input) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let mut push = |rule, wanted: &str, seen: &str, part, points| {
            reasons.push(Reason { rule, wanted: wanted.to_owned(), seen: seen.to_owned(), part, points });
        };
        let asked = &entry.matching;
        if let Some(held) = &self.structure {
            if let (Some(fact), Some(wanted)) = (&held.problem_type, &asked.problem_type) {
                push(Rule::ProblemType, wanted, &fact.value, fact.part, PROBLEM);
            }
            if let (Some(hit), Some(wanted)) = (&held.description, &asked.description_pattern) {
                push(Rule::DescriptionPattern, wanted, &hit.seen, hit.part, DESCRIPTION + specificity(hit));
            }
            if let (Some(fact), Some(wanted)) = (&held.challenge, &asked.www_authenticate) {
                push(Rule::WwwAuthenticate, wanted, &fact.value, fact.part, CHALLENGE);
            }
            if let (Some(fact), Some(wanted)) = (&held.error, &asked.oauth_error) {
                push(Rule::OauthError, wanted, &fact.value, fact.part, error_points(fact.kind));
            }
        }
        if let Some(hit) = &self.pattern
            && let Some(wanted) = hit.place.and_then(|place| asked.patterns.get(place))
        {
            push(Rule::Pattern, wanted, &hit.seen, hit.part, PATTERN + specificity(hit));
        }
        if let Some(complaint) = &self.complaint {
            let wanted = format!("{} {}", complaint.subject, complaint.fault);
            push(Rule::About, &wanted, &complaint.seen, Part::Text, self.about());
        }
        if let Some(agrees) = self.status
            && let Some(fact) = input.values(FactKind::Status).last()
        {
            let wanted = asked.status.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
            push(Rule::Status, &wanted, &fact.value, fact.part, if agrees { STATUS } else { OTHER_STATUS });
        }
        if let Some(agrees) = self.product {
            let seen = input.products().iter().map(|product| product.title()).collect::<Vec<_>>().join(", ");
            push(Rule::Product, entry.product.title(), &seen, Part::Text, if agrees { PRODUCT } else { OTHER_PRODUCT });
        }
        if let (Some(agrees), Some(code)) = (self.code, entry.error_code.as_deref().or(asked.oauth_error.as_deref())) {
            let seen = input
                .facts()
                .iter()
                .find(|fact| fact.kind.is_code() && (!agrees || fact.value.eq_ignore_ascii_case(code)));
            if let Some(fact) = seen {
                push(Rule::ErrorCode, code, &fact.value, fact.part, self.code_points(agrees));
            }
        }
        let share = self.alike.likeness.max(self.alike.coverage);
        if share >= 0.05 {
            let seen = format!("{:.0} %", share * 100.0);
            push(Rule::Words, entry.id.as_str(), &seen, Part::Text, self.alike.points());
        }
        // A rule that holds says more to people than a likeness does, whatever it is worth.
        reasons.sort_by(|one, other| {
            let is_words = |reason: &Reason| reason.rule == Rule::Words;
            is_words(one).cmp(&is_words(other)).then(other.points.total_cmp(&one.points))
        });
        reasons
    }
}

fn structure_points(held: &Held) -> f32 {
    let problem = if held.problem_type.is_some() { PROBLEM } else { 0.0 };
    let challenge = if held.challenge.is_some() { CHALLENGE } else { 0.0 };
    let error = held.error.as_ref().map_or(0.0, |fact| error_points(fact.kind));
    let description = held.description.as_ref().map_or(0.0, |hit| DESCRIPTION + specificity(hit));
    let status = if held.is_status_alone { STATUS_ALONE } else { 0.0 };
    problem + challenge.max(error) + description + status
}

const fn error_points(kind: FactKind) -> f32 {
    if matches!(kind, FactKind::MentionedError) { MENTIONED } else { ERROR }
}

fn specificity(hit: &Hit) -> f32 {
    f32::from(u8::try_from(hit.weight.min(MAX_SPECIFICITY)).unwrap_or(u8::MAX))
}

const PROBLEM: f32 = 60.0;
const DESCRIPTION: f32 = 14.0;
const PATTERN: f32 = 12.0;
const ABOUT: f32 = 26.0;
const ABOUT_OF_OTHERS: f32 = 22.0;
const ABOUT_BESIDES: f32 = 9.0;
const CHALLENGE: f32 = 14.0;
const ERROR: f32 = 12.0;
const MENTIONED: f32 = 7.0;
const STATUS_ALONE: f32 = 5.0;
const BOTH: f32 = 4.0;
const STATUS: f32 = 3.0;
const OTHER_STATUS: f32 = -8.0;
const PRODUCT: f32 = 8.0;
const OTHER_PRODUCT: f32 = -8.0;
const CODE: f32 = 5.0;
const OTHER_CODE: f32 = -12.0;
const MAX_SPECIFICITY: usize = 40;
/// A pattern with fewer fixed letters is the name of a code.
const PARTICULAR: usize = 20;
