//! Consent: what a person agreed to for one application, and what they are asked.
//!
//! 1. [`Question::of`]: of the scopes that a request is about, those that would be granted if only the person agreed, as the
//!    choices that a page shows.
//! 2. [`Consented::with`]: what the person ticked and un-ticked becomes part of what they agreed to.
//! 3. [`Consented::effective`]: what of it still counts, in the catalogue of now. The rules look at that.
//!
//! A person agrees to what a scope meant when they read it, so that is kept with its name. Where it has come to mean more
//! since, they have not agreed to the more.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ambit_protocol::admin::scope::{ScopeState, Sensitivity};
use ambit_protocol::id::ApiId;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::governance::catalogue::{Catalogue, Entry, Places};
use crate::governance::rules::{Candidate, Facts, Subject, first_against, is_among};

/// The document of a consent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consented {
    /// What the person agreed to.
    pub scopes: BTreeMap<ScopeToken, Meaning>,
    /// What they were shown and left out, so that the same request does not ask them at every sign-in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub declined: BTreeMap<ScopeToken, Meaning>,
}

/// What a scope meant when a person read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    /// When.
    pub at: Timestamp,
    /// The API it belonged to. Under another one the same name is another scope.
    pub api: Option<ApiId>,
    /// How much harm it could do.
    pub sensitivity: Sensitivity,
    /// Coarse: what it implied, and how much harm each of that could do. Gated members are implied by no bundle
    /// (scopes.md §2), and so are agreed to by their own names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<ScopeToken, Sensitivity>,
}

/// What a person is asked: the choices of one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// API by API, the one with the most dangerous choice first.
    pub groups: Vec<Group>,
}

/// The choices of one API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The place of the API; none for what is about the person.
    pub api: Option<usize>,
    /// The choices, the most dangerous first.
    pub choices: Vec<Choice>,
}

/// A scope to be ticked or left out, with what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The place of the scope.
    pub place: usize,
    /// Coarse: the places of those of its members that would be granted by themselves, for whoever wants to know.
    pub members: Vec<usize>,
    /// The places of all that is agreed to by name with this choice: the scope itself, its gated members whose gate is open,
    /// and its other members that were asked for beside it.
    pub names: Vec<usize>,
    /// The most harm that anything in it can do: a bundle hides nothing.
    pub sensitivity: Sensitivity,
    /// Whether it cannot be left out: without `openid` nobody is signed in (OpenID Connect Core §3.1.2.1).
    pub is_required: bool,
}

/// What a person has said to a choice before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// They agreed, and still do.
    Yes,
    /// They left it out, and it means what it meant then.
    No,
    /// Nothing, or to something else than it means now.
    Nothing,
}

impl Consented {
    /// What still counts, in the catalogue's order.
    ///
    /// A bundle that grew counts for those of its members that it had then. A scope that can do more harm than it could, that
    /// is no longer active, or whose name went to another API does not count; a bundle does not, with all that is in it.
    #[must_use]
    pub fn effective(&self, catalogue: &Catalogue) -> Vec<ScopeToken> {
        let mut counts = Places::none(catalogue);
        for (name, meaning) in &self.scopes {
            let Some(place) = catalogue.place(name.as_str()) else { continue };
            let entry = catalogue.entry(place);
            if !meaning.still_covers(entry) {
                continue;
            }
            let (known, new): (Vec<usize>, Vec<usize>) =
                implied(catalogue, entry).partition(|member| meaning.knows(catalogue.entry(*member)));
            if new.is_empty() {
                counts.insert(place);
                continue;
            }
            for member in known {
                counts.insert(member);
            }
        }
        counts.iter().map(|place| catalogue.entry(place).scope.name.clone()).collect()
    }

    /// The same after an answer: what was ticked is added, what was shown and not ticked is taken away, and what was not
    /// shown stays. What is said to be ticked and was not shown is not looked at.
    #[must_use]
    pub fn with(mut self, granted: &[ScopeToken], asked: &[ScopeToken], catalogue: &Catalogue, now: Timestamp) -> Self {
        let left = |name: &ScopeToken| catalogue.place(name.as_str()).is_some();
        self.scopes.retain(|name, _| left(name));
        self.declined.retain(|name, _| left(name));
        let (ticked, left_out): (Vec<&ScopeToken>, Vec<&ScopeToken>) =
            asked.iter().partition(|name| granted.contains(name));
        // Whoever ticks a bundle ticks what is in it.
        let is_in_a_bundle = |name: &ScopeToken| {
            catalogue.find(name.as_str()).is_some_and(|entry| {
                let is_ticked = |bundle: &usize| ticked.contains(&&catalogue.entry(*bundle).scope.name);
                !entry.is_gated() && entry.bundles.iter().any(is_ticked)
            })
        };
        for name in left_out.into_iter().filter(|name| !is_in_a_bundle(name)) {
            self.take_away(name);
            if let Some(entry) = catalogue.find(name.as_str()) {
                self.declined.insert(name.clone(), Meaning::of(catalogue, entry, now));
            }
        }
        for name in ticked {
            if let Some(entry) = catalogue.find(name.as_str()) {
                self.declined.remove(name);
                self.scopes.insert(name.clone(), Meaning::of(catalogue, entry, now));
            }
        }
        self
    }

    /// What was said before to a choice of a question.
    #[must_use]
    pub fn said(&self, choice: &Choice, catalogue: &Catalogue) -> Said {
        let effective = self.effective(catalogue);
        if choice.names.iter().all(|place| is_among(catalogue.entry(*place), &effective, catalogue)) {
            return Said::Yes;
        }
        let is_declined = |place: &usize| {
            let entry = catalogue.entry(*place);
            let declined = self.declined.get(&entry.scope.name);
            declined.is_some_and(|meaning| *meaning == Meaning::of(catalogue, entry, meaning.at))
        };
        if choice.names.iter().all(is_declined) { Said::No } else { Said::Nothing }
    }

    /// A scope that is taken away is not left in a bundle either: of a bundle that implied it, the other members stay.
    fn take_away(&mut self, name: &ScopeToken) {
        self.scopes.remove(name);
        let bundles: Vec<ScopeToken> = self
            .scopes
            .iter()
            .filter(|(_, meaning)| meaning.members.contains_key(name))
            .map(|(bundle, _)| bundle.clone())
            .collect();
        for bundle in bundles {
            let Some(Meaning { at, api, members, .. }) = self.scopes.remove(&bundle) else { continue };
            for (member, sensitivity) in members.into_iter().filter(|(member, _)| member != name) {
                let meaning = Meaning { at, api, sensitivity, members: BTreeMap::new() };
                let kept = self.scopes.entry(member).or_insert_with(|| meaning.clone());
                // What was agreed to by its own name when it could do less harm was agreed to again with the bundle.
                if rank(kept.sensitivity) < rank(sensitivity) {
                    *kept = meaning;
                }
            }
        }
    }
}

impl Meaning {
    fn of(catalogue: &Catalogue, entry: &Entry, at: Timestamp) -> Self {
        let members = implied(catalogue, entry).map(|member| {
            let scope = &catalogue.entry(member).scope;
            (scope.name.clone(), scope.sensitivity)
        });
        Self { at, api: entry.scope.api, sensitivity: entry.scope.sensitivity, members: members.collect() }
    }

    fn still_covers(&self, entry: &Entry) -> bool {
        is_itself(entry) && entry.scope.api == self.api && rank(entry.scope.sensitivity) <= rank(self.sensitivity)
    }

    fn knows(&self, member: &Entry) -> bool {
        let then = self.members.get(&member.scope.name);
        then.is_some_and(|then| rank(member.scope.sensitivity) <= rank(*then))
    }
}

impl Question {
    /// The choices that some scopes come to. A scope that a rule speaks against (a closed gate, a missing role, a ceiling) is
    /// none of them, whether or not the person would agree: it could not be granted. A deprecated one is shown as what would be
    /// granted in its place.
    #[must_use]
    pub fn of(scopes: &[ScopeToken], facts: &Facts<'_>) -> Self {
        let Subject::User { roles, .. } = facts.subject else { return Self { groups: vec![] } };
        let facts = Facts { subject: Subject::User { roles, consented: None }, ..*facts };
        let catalogue = facts.catalogue;
        let mut asked = Places::none(catalogue);
        for name in scopes {
            let candidate = Candidate::named(name.as_str(), &facts);
            if let (Some(place), None) = (candidate.place, first_against(&candidate, &facts)) {
                asked.insert(place);
            }
        }
        let mut groups: Vec<Group> = vec![];
        for place in asked.iter() {
            let entry = catalogue.entry(place);
            // What a bundle on the same page has is part of that choice: to leave it out alone would leave nothing out.
            if entry.bundles.iter().any(|bundle| asked.contains(*bundle)) {
                continue;
            }
            let choice = Choice::of(place, &asked, &facts);
            // The catalogue is ordered by API, so an API's scopes follow each other.
            match groups.last_mut().filter(|group| group.api == entry.api) {
                Some(group) => group.choices.push(choice),
                None => groups.push(Group { api: entry.api, choices: vec![choice] }),
            }
        }
        // These sorts are stable: among equals the catalogue's order stays.
        for group in &mut groups {
            group.choices.sort_by_key(|choice| (Reverse(rank(choice.sensitivity)), !choice.is_required));
        }
        groups.sort_by_key(|group| Reverse(group.choices.first().map(|choice| rank(choice.sensitivity))));
        Self { groups }
    }

    /// All choices, in the order they are shown.
    pub fn choices(&self) -> impl Iterator<Item = &Choice> {
        self.groups.iter().flat_map(|group| &group.choices)
    }

    /// Whether there is a choice to which the person has said nothing yet.
    #[must_use]
    pub fn is_open(&self, consented: &Consented, catalogue: &Catalogue) -> bool {
        self.choices().any(|choice| consented.said(choice, catalogue) == Said::Nothing)
    }

    /// All that is shown, by name: what [`Consented::with`] takes as asked.
    #[must_use]
    pub fn asked(&self, catalogue: &Catalogue) -> Vec<ScopeToken> {
        names(self.choices(), catalogue)
    }

    /// What is agreed to where `is_ticked` says which choices were, by the names of their scopes. Whatever else was ticked is
    /// no choice of this question, and is never asked about.
    #[must_use]
    pub fn granted(&self, is_ticked: impl Fn(&str) -> bool, catalogue: &Catalogue) -> Vec<ScopeToken> {
        let ticked = self
            .choices()
            .filter(|choice| choice.is_required || is_ticked(catalogue.entry(choice.place).scope.name.as_str()));
        names(ticked, catalogue)
    }
}

impl Choice {
    fn of(place: usize, asked: &Places, facts: &Facts<'_>) -> Self {
        let catalogue = facts.catalogue;
        let entry = catalogue.entry(place);
        let would_be_granted = |member: &usize| first_against(&Candidate::registered(*member, facts), facts).is_none();
        let members: Vec<usize> = entry.members.iter().copied().filter(would_be_granted).collect();
        let by_name =
            members.iter().copied().filter(|member| catalogue.entry(*member).is_gated() || asked.contains(*member));
        let names: Vec<usize> = std::iter::once(place).chain(by_name).collect();
        // What is implied counts as well, shown or not.
        let parts = names.iter().copied().chain(implied(catalogue, entry));
        let sensitivities = parts.map(|part| catalogue.entry(part).scope.sensitivity);
        Self {
            sensitivity: sensitivities.max_by_key(|sensitivity| rank(*sensitivity)).unwrap_or_default(),
            is_required: entry.scope.name.as_str() == OPENID,
            place,
            members,
            names,
        }
    }
}

/// What a bundle brings without a name of its own in the token: its members that are in use and that no feature gates.
fn implied<'a>(catalogue: &'a Catalogue, bundle: &'a Entry) -> impl Iterator<Item = usize> + 'a {
    bundle.members.iter().copied().filter(|member| {
        let member = catalogue.entry(*member);
        !member.is_gated() && matches!(member.scope.state, ScopeState::Active | ScopeState::Deprecated)
    })
}

/// Whether a scope is granted as itself. A deprecated one that has a successor is granted as that, which may mean something
/// else.
fn is_itself(entry: &Entry) -> bool {
    match entry.scope.state {
        ScopeState::Active => true,
        ScopeState::Deprecated => entry.successor.is_none(),
        ScopeState::Draft | ScopeState::Retired => false,
    }
}

fn names<'c>(choices: impl Iterator<Item = &'c Choice>, catalogue: &Catalogue) -> Vec<ScopeToken> {
    choices.flat_map(|choice| &choice.names).map(|place| catalogue.entry(*place).scope.name.clone()).collect()
}

const fn rank(sensitivity: Sensitivity) -> u8 {
    match sensitivity {
        Sensitivity::Normal => 0,
        Sensitivity::Sensitive => 1,
        Sensitivity::Privileged => 2,
    }
}

/// The scope that makes a request one of OpenID Connect.
const OPENID: &str = "openid";
