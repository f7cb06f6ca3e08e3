//! Finds the entry that an input is about.
//!
//! 1. **Structure**: codes, challenges, problem types and statuses are looked up ([`structure`]).
//! 2. **Patterns**: one scan finds which literals of which patterns occur; the few patterns that can match at all are
//!    then tried ([`patterns`]).
//! 3. **Words**: how much of what an entry says is in the input, how much of the input in the entry, and how often the entry
//!    says it, rare words counting more ([`words`]). This is what finds a message that was reworded, cut off or translated.
//! 4. What was found is worth points, as [`points`] has them; the sum ranks the entries, but for what others have more right
//!    to ([`order`]).
//! 5. The answer is *one* entry only if there is evidence enough and the next one is far enough behind. Otherwise it is
//!    *ambiguous*, or *none* with the nearest entries ([`verdict`]).

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use crate::corpus::Corpus;
use crate::entry::{Entry, Product};
use crate::input::{FactKind, Input, InputKind, is_registered};

mod expression;
mod literals;
mod order;
mod patterns;
mod points;
mod reading;
mod structure;
mod tokens;
mod verdict;
mod words;

pub use patterns::PatternError;
pub use points::{Reason, Rule};

pub(crate) use expression::Expression;
pub(crate) use literals::Needs;
pub(crate) use verdict::Verdict;

use patterns::{Hit, Patterns};
use points::Evidence;
use structure::Structure;
use words::{Alike, Query, Words};

/// The index of a corpus. It refers to entries by their place, and has to be asked with the corpus it was made of.
#[derive(Debug)]
pub(crate) struct Matcher {
    structure: Structure,
    patterns: Patterns,
    words: Words,
}

/// The entries that an input may be about, best first, and what to make of them.
#[derive(Debug, Clone)]
pub(crate) struct Ranking {
    pub(crate) verdict: Verdict,
    /// The best first; with [`Verdict::Ambiguous`] the first so many are tied.
    pub(crate) ranked: Vec<Ranked>,
}

/// An entry with what speaks for it.
#[derive(Debug, Clone)]
pub(crate) struct Ranked {
    /// Its place in the corpus.
    pub(crate) place: usize,
    pub(crate) score: f32,
    pub(crate) evidence: Evidence,
}

impl Ranked {
    fn likeness(&self) -> f32 {
        self.evidence.alike.likeness
    }

    /// The score as it says whether it is this at all, and not only rather this than another.
    fn by_itself(&self) -> f32 {
        self.score - self.evidence.alike.points() + self.evidence.alike.points_by_itself()
    }
}

impl Matcher {
    pub(crate) fn new(corpus: &Corpus) -> Result<Self, PatternError> {
        // The two halves of the work have nothing to do with each other.
        std::thread::scope(|scope| {
            let words = scope.spawn(|| Words::new(corpus));
            let patterns = Patterns::new(corpus)?;
            // A panic of one thread is one of the whole.
            let words = words.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok(Self { structure: Structure::new(corpus), patterns, words })
        })
    }

    /// Whether one pattern of an entry matches an input; the pattern of the description comes after the others.
    pub(crate) fn pattern_matches(&self, corpus: &Corpus, entry: &Entry, which: usize, input: &Input) -> bool {
        let is_description = which == entry.matching.patterns.len();
        let hits = self.patterns.search(input);
        let of_entry = |hit: &Hit| corpus.entries()[hit.entry].id == entry.id;
        if is_description {
            return hits.described.iter().any(of_entry);
        }
        hits.free.iter().any(|hit| of_entry(hit) && hit.place == Some(which))
    }

    /// The entries that the input may be about, at most so many.
    pub(crate) fn rank(&self, corpus: &Corpus, input: &Input, limit: usize) -> Ranking {
        let hits = self.patterns.search(input);
        let mut found: FxHashMap<usize, Evidence> = FxHashMap::default();
        for hit in hits.free {
            let evidence = found.entry(hit.entry).or_default();
            if evidence.pattern.as_ref().is_none_or(|known| known.weight < hit.weight) {
                evidence.pattern = Some(hit);
            }
        }
        let described: FxHashMap<usize, Hit> = hits.described.into_iter().map(|hit| (hit.entry, hit)).collect();
        for place in self.structure.candidates(input).into_iter().chain(described.keys().copied()) {
            let entry = &corpus.entries()[place];
            if let Some(structure) = structure::holds(entry, input, described.get(&place)) {
                found.entry(place).or_default().structure = Some(structure);
            }
        }

        for (place, complaint, is_main) in self.structure.complained(input) {
            // Another product's entry about the same is no answer: everybody's is.
            let product = corpus.entries()[place].product;
            if !product.is_anybodys() && !input.products().contains(&product) {
                continue;
            }
            let evidence = found.entry(place).or_default();
            if is_main || evidence.complaint.is_none() {
                evidence.complaint = Some(complaint.clone());
                evidence.comes_down_to_it |= is_main;
            }
        }

        let query = Query::new(&self.words, input);
        let nearest: FxHashMap<usize, Alike> = self.words.nearest(&query).into_iter().collect();
        for place in nearest.keys() {
            found.entry(*place).or_default();
        }
        let mut ranked: Vec<Ranked> = found
            .into_iter()
            .map(|(place, mut evidence)| {
                let entry = &corpus.entries()[place];
                evidence.alike = nearest.get(&place).copied().unwrap_or_else(|| self.words.alike(&query, place));
                evidence.status = status(entry, input);
                evidence.product = product(entry, input);
                evidence.code = code(entry, input);
                Ranked { place, score: evidence.score(), evidence }
            })
            .collect();
        order::put_behind(corpus, &mut ranked, input);
        // Where the code itself stands in its place, what merely sounds alike and is not about that code is out.
        let is_mentioned = |it: &Ranked| it.evidence.structure.as_ref().is_some_and(|held| held.error.is_some());
        if ranked.iter().any(is_mentioned) {
            // An answer that says its code and nothing else has no words of its own: what is around them is in every answer.
            let has_form = matches!(
                input.kind(),
                InputKind::Har | InputKind::Http | InputKind::Json | InputKind::Header | InputKind::Url
            );
            let has_words = !has_form || input.values(FactKind::Description).next().is_some();
            ranked.retain(|it| {
                let evidence = &it.evidence;
                let sounds_like_it =
                    evidence.code == Some(true) || evidence.code.is_none() && it.likeness() >= LIKE_MUCH;
                evidence.is_hard() || has_words && sounds_like_it
            });
        }
        // Equal scores keep the order of the ids, so that an answer is the same every time.
        ranked.sort_by(|one, other| other.score.total_cmp(&one.score).then_with(|| one.place.cmp(&other.place)));
        let verdict = verdict::of(corpus, &ranked, input);
        let tied = if let Verdict::Ambiguous(tied) = verdict { tied } else { 0 };
        ranked.truncate(limit.max(tied));
        Ranking { verdict, ranked }
    }
}

/// Whether the status agrees; `None` where one of the two says nothing.
fn status(entry: &Entry, input: &Input) -> Option<bool> {
    if entry.matching.status.is_empty() {
        return None;
    }
    let mut shown = input.values(FactKind::Status).filter_map(|fact| fact.value.parse::<u16>().ok()).peekable();
    shown.peek()?;
    Some(shown.any(|status| entry.matching.status.contains(&status)))
}

/// Whether the product agrees; `None` where the input shows none, or the entry is anybody's.
fn product(entry: &Entry, input: &Input) -> Option<bool> {
    if entry.product == Product::Standard || input.products().is_empty() {
        return None;
    }
    Some(input.products().contains(&entry.product))
}

/// Whether the input names the code of the entry, in whatever place; `Some(false)` where both have a code of the registries
/// and not the same one.
fn code(entry: &Entry, input: &Input) -> Option<bool> {
    let code = entry.error_code.as_deref().or(entry.matching.oauth_error.as_deref())?;
    let mut named = input.facts().iter().filter(|fact| fact.kind.is_code());
    if named.any(|fact| fact.value.eq_ignore_ascii_case(code)) {
        return Some(true);
    }
    let asked = entry.matching.oauth_error.as_deref().unwrap_or(code);
    if !is_registered(asked) {
        return None;
    }
    let mut others = input.facts().iter().filter(|fact| fact.kind.is_code() && is_registered(&fact.value)).peekable();
    others.peek()?;
    (!others.any(|fact| fact.value == asked)).then_some(false)
}

/// The heaviest first.
fn by_weight(hits: &mut [Hit]) {
    hits.sort_by_key(|hit| (Reverse(hit.weight), hit.entry));
}

/// The score below which nothing is said to be the answer: a registered code that is merely mentioned has it.
const ENOUGH: f32 = 10.0;
/// How far the next one has to be behind.
const MARGIN: f32 = 14.0;
/// How alike words are, in words.
const LIKE_MUCH: f32 = 0.6;
const LIKE_SOMEWHAT: f32 = 0.4;
