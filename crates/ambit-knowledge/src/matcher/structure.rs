//! Which entries an input's codes, challenges, problem types and statuses lead to.

use rustc_hash::FxHashMap;

use super::patterns::Hit;
use crate::corpus::Corpus;
use crate::entry::{Entry, Fault, Subject};
use crate::input::{Complaint, Fact, FactKind, Input};

/// The entries by what their structured members ask for.
#[derive(Debug, Default)]
pub(super) struct Structure {
    by_error: FxHashMap<Box<str>, Vec<u32>>,
    by_challenge: FxHashMap<Box<str>, Vec<u32>>,
    /// By the last segment of the path.
    by_problem: FxHashMap<Box<str>, Vec<u32>>,
    /// Those that ask for a status and for nothing else.
    by_status: FxHashMap<u16, Vec<u32>>,
    /// By what a message about it complains of.
    by_complaint: FxHashMap<(Subject, Fault), Vec<u32>>,
}

/// The structured members of an entry that hold, all of those that it names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    pub(crate) problem_type: Option<Fact>,
    pub(crate) challenge: Option<Fact>,
    pub(crate) error: Option<Fact>,
    pub(crate) description: Option<Hit>,
    /// The entry asks for nothing but a status, and the input has it.
    pub(crate) is_status_alone: bool,
}

impl Structure {
    pub(super) fn new(corpus: &Corpus) -> Self {
        let mut structure = Self::default();
        for (place, entry) in corpus.entries().iter().enumerate() {
            let place = u32::try_from(place).expect("a corpus has fewer than 2³² entries");
            let asked = &entry.matching;
            if let Some(problem) = &asked.problem_type {
                structure.by_problem.entry(last_segment(problem).into()).or_default().push(place);
            }
            if let Some(error) = &asked.www_authenticate {
                structure.by_challenge.entry(error.as_str().into()).or_default().push(place);
            }
            if let Some(error) = &asked.oauth_error {
                structure.by_error.entry(error.as_str().into()).or_default().push(place);
            }
            for (subject, faults) in &asked.about {
                for fault in faults {
                    structure.by_complaint.entry((*subject, *fault)).or_default().push(place);
                }
            }
            let asks_for_more = asked.problem_type.is_some()
                || asked.www_authenticate.is_some()
                || asked.oauth_error.is_some()
                || asked.description_pattern.is_some()
                || !asked.patterns.is_empty()
                || !asked.about.is_empty();
            if !asks_for_more {
                for status in &asked.status {
                    structure.by_status.entry(*status).or_default().push(place);
                }
            }
        }
        structure
    }

    /// The entries of which one member holds; whether all of them do is for [`holds`] to say.
    pub(super) fn candidates(&self, input: &Input) -> Vec<usize> {
        let mut found = Vec::new();
        for fact in input.facts() {
            let places = match fact.kind {
                FactKind::OauthError | FactKind::MentionedError => self.by_error.get(fact.value.as_str()),
                FactKind::ChallengeError => self.by_challenge.get(fact.value.as_str()),
                FactKind::ProblemType => self.by_problem.get(last_segment(&fact.value)),
                FactKind::Status => fact.value.parse().ok().and_then(|status: u16| self.by_status.get(&status)),
                _ => None,
            };
            found.extend(places.into_iter().flatten().map(|place| *place as usize));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The entries about what the input complains of, each with the complaint, and whether that is what the message comes
    /// down to: the last of those that say most, among what entries are about.
    pub(super) fn complained<'a>(&'a self, input: &'a Input) -> impl Iterator<Item = (usize, &'a Complaint, bool)> {
        let about = |complaint: &Complaint| self.by_complaint.get(&(complaint.subject, complaint.fault));
        let known = input.complaints().iter().filter(move |complaint| about(complaint).is_some());
        let main = known
            .clone()
            .filter(|complaint| complaint.may_be_main())
            .reduce(|main, next| if next.outranks(main) { next } else { main });
        known.flat_map(move |complaint| {
            let places = about(complaint).into_iter().flatten().map(|place| *place as usize).take(MAX_OF_COMPLAINT);
            let is_main = main.is_some_and(|main| std::ptr::eq(main, complaint));
            places.map(move |place| (place, complaint, is_main))
        })
    }
}

/// What holds of an entry's structured members. What the input does not have at all speaks neither for nor against; what it
/// has otherwise excludes the entry, and so does a description that it does not fit.
pub(super) fn holds(entry: &Entry, input: &Input, described: Option<&Hit>) -> Option<Held> {
    let asked = &entry.matching;
    if asked.product.is_some_and(|product| !input.products().contains(&product)) {
        return None;
    }
    if super::status(entry, input) == Some(false) {
        return None;
    }
    let mut held = Held::default();
    if asked.description_pattern.is_some() {
        held.description = Some(described?.clone());
    }
    if let Some(wanted) = &asked.problem_type {
        // Addresses of other products say nothing about ours.
        let fits = |fact: &&Fact| fact.value.trim_end_matches('/').ends_with(wanted.as_str());
        let is_ours = |fact: &Fact| fact.value.contains(PAGES);
        held.problem_type = input.values(FactKind::ProblemType).find(fits).cloned();
        if held.problem_type.is_none() && input.values(FactKind::ProblemType).any(is_ours) {
            return None;
        }
    }
    if let Some(wanted) = &asked.www_authenticate {
        held.challenge = input.values(FactKind::ChallengeError).find(|fact| fact.value == *wanted).cloned();
        if held.challenge.is_none() && input.values(FactKind::ChallengeError).next().is_some() {
            return None;
        }
    }
    if let Some(wanted) = &asked.oauth_error {
        let is_it = |fact: &&Fact| fact.value == *wanted;
        held.error = input
            .values(FactKind::OauthError)
            .find(is_it)
            .or_else(|| input.values(FactKind::MentionedError).find(is_it))
            .cloned();
        if held.error.is_none() && input.values(FactKind::OauthError).next().is_some() {
            return None;
        }
    }
    let holds_something =
        held.description.is_some() || held.problem_type.is_some() || held.challenge.is_some() || held.error.is_some();
    held.is_status_alone = !holds_something && asked.patterns.is_empty() && super::status(entry, input) == Some(true);
    (holds_something || held.is_status_alone).then_some(held)
}

fn last_segment(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// Where the pages of entries are.
const PAGES: &str = "/errors/";
/// More entries than this are not about one thing.
const MAX_OF_COMPLAINT: usize = 64;
