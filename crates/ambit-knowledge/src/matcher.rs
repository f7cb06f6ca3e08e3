//! Finds the entry that an input is about.
//!
//! 1. **Structure**: codes, challenges, problem types and statuses are looked up ([`structure`]).
//! 2. **Patterns**: one scan finds which literals of which patterns occur; the few patterns that can match at all are
//!    then tried ([`patterns`]).
//! 3. **Words**: how much of what an entry says is in the input, rare words counting more ([`words`]). This is what
//!    finds a message that was reworded, cut off or translated by another release.
//! 4. What was found is worth points, as [`points`] has them; the sum ranks the entries.
//! 5. The answer is *one* entry only if there is evidence enough and the next one is far enough behind. Otherwise it is
//!    *ambiguous*, or *none* with the nearest entries: a wrong answer that sounds sure costs more than none.

use std::cmp::Reverse;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::corpus::Corpus;
use crate::entry::{Entry, Product};
use crate::input::{FactKind, Input, InputKind, is_registered};

mod expression;
mod literals;
mod patterns;
mod points;
mod reading;
mod structure;
mod words;

pub use patterns::PatternError;
pub use points::{Reason, Rule};

pub(crate) use expression::Expression;
pub(crate) use literals::Needs;

use patterns::{Hit, Patterns};
use points::Evidence;
use structure::Structure;
use words::{Query, Words};

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

/// What the ranking amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The first.
    One,
    /// One of the first so many.
    Ambiguous(usize),
    /// None of them for sure.
    None,
}

/// An entry with what speaks for it.
#[derive(Debug, Clone)]
pub(crate) struct Ranked {
    /// Its place in the corpus.
    pub(crate) place: usize,
    pub(crate) score: f32,
    /// How much of its words is in the input, from 0 to 1.
    pub(crate) likeness: f32,
    pub(crate) evidence: Evidence,
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
            let evidence = found.entry(place).or_default();
            if is_main || evidence.complaint.is_none() {
                evidence.complaint = Some(complaint.clone());
                evidence.comes_down_to_it |= is_main;
            }
        }

        let query = Query::new(&self.words, input);
        for (place, likeness) in self.words.nearest(&query) {
            found.entry(place).or_default().likeness = Some(likeness);
        }
        let mut ranked: Vec<Ranked> = found
            .into_iter()
            .map(|(place, mut evidence)| {
                let entry = &corpus.entries()[place];
                let likeness = evidence.likeness.unwrap_or_else(|| self.words.likeness(&query, place));
                evidence.likeness = Some(likeness);
                evidence.status = status(entry, input);
                evidence.product = product(entry, input);
                evidence.code = code(entry, input);
                Ranked { place, score: evidence.score(), likeness, evidence }
            })
            .collect();
        by_whose_wording(corpus, &mut ranked, input);
        behind_what_they_stand_around(corpus, &mut ranked);
        behind_what_is_said(corpus, &mut ranked);
        behind_what_it_comes_down_to(&mut ranked);
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
                let sounds_like_it = evidence.code == Some(true) || evidence.code.is_none() && it.likeness >= LIKE_MUCH;
                evidence.is_hard() || has_words && sounds_like_it
            });
        }
        // Equal scores keep the order of the ids, so that an answer is the same every time.
        ranked.sort_by(|one, other| other.score.total_cmp(&one.score).then_with(|| one.place.cmp(&other.place)));
        let verdict = verdict(corpus, &ranked, input);
        let tied = if let Verdict::Ambiguous(tied) = verdict { tied } else { 0 };
        ranked.truncate(limit.max(tied));
        Ranking { verdict, ranked }
    }
}

/// Where two entries are about the same code, one of them everybody's and one a product's, the wording decides. A rule that
/// holds of the product's own wording is the more specific one. Where nothing shows the product, and what holds is
/// everybody's wording, an entry that merely sounds like it comes after it.
fn by_whose_wording(corpus: &Corpus, ranked: &mut [Ranked], input: &Input) {
    let is_anybodys = |it: &Ranked| matches!(corpus.entries()[it.place].product, Product::Standard | Product::Ambit);
    let about = |it: &Ranked| {
        let entry = &corpus.entries()[it.place];
        (entry.category, entry.error_code.as_deref())
    };
    let worded = |it: &&Ranked| it.evidence.has_wording(corpus.entries()[it.place].error_code.as_deref());
    let category = |it: &Ranked| corpus.entries()[it.place].category;
    let is_read = ranked.iter().any(|it| is_anybodys(it) && it.evidence.comes_down_to_it);
    // The number that a product gave the error is nobody else's, however much others have of the words behind it.
    let is_numbered = |it: &Ranked| {
        let slug = corpus.entries()[it.place].id.slug();
        let mut numbers =
            input.values(FactKind::VendorCode).filter(|fact| fact.value.bytes().any(|c| c.is_ascii_digit()));
        it.evidence.is_hard() && numbers.any(|number| slug.contains(&number.value.to_ascii_lowercase()))
    };
    let has_number = ranked.iter().any(|it| !is_anybodys(it) && is_numbered(it));
    let (general, own): (Vec<_>, Vec<_>) = ranked.iter().filter(worded).partition(|it| is_anybodys(it));
    let general: FxHashSet<_> = general.into_iter().map(about).collect();
    let own: Vec<_> = own.into_iter().filter(|it| !it.evidence.is_general()).collect();
    let of_own: FxHashSet<_> = own.iter().map(|it| category(it)).collect();
    let own: FxHashSet<_> = own.into_iter().map(about).collect();
    for it in ranked {
        let is_behind = if is_anybodys(it) {
            has_number || own.contains(&about(it)) || it.evidence.comes_down_to_it && of_own.contains(&category(it))
        } else {
            input.products().is_empty() && !it.evidence.is_hard() && (is_read || general.contains(&about(it)))
        };
        if is_behind {
            it.score -= OTHER_WORDING;
        }
    }
}

/// What only sounds like the message is no better than what the message complains of.
fn behind_what_it_comes_down_to(ranked: &mut [Ranked]) {
    let complained = ranked.iter().filter(|it| it.evidence.comes_down_to_it).map(|it| it.score);
    let Some(best) = complained.reduce(f32::max).filter(|best| *best >= ENOUGH) else { return };
    let sounds = |it: &&mut Ranked| !it.evidence.is_hard() && it.likeness < LIKE_MUCH;
    ranked.iter_mut().filter(sounds).for_each(|it| it.score = it.score.min(best - BESIDE));
}

/// What libraries say around another error is no answer where the other one is there.
fn behind_what_they_stand_around(corpus: &Corpus, ranked: &mut [Ranked]) {
    let is_around = |it: &Ranked| corpus.entries()[it.place].matching.around;
    if ranked.iter().any(|it| !is_around(it) && it.evidence.is_hard() && it.score >= ENOUGH) {
        ranked.iter_mut().filter(|it| is_around(it)).for_each(|it| it.score -= AROUND);
    }
}

/// A code says less than what the message comes down to: `invalid_client`, *redirect URI does not match*, is about the URI.
fn behind_what_is_said(corpus: &Corpus, ranked: &mut [Ranked]) {
    // What is missing from a request is what that request is invalid for.
    let counts = |it: &Ranked| {
        it.evidence.is_particular_complaint()
            && (it.evidence.code != Some(false) || !it.evidence.is_something_missing())
    };
    if ranked.iter().any(counts) {
        let has_registered = |it: &Ranked| corpus.entries()[it.place].error_code.as_deref().is_some_and(is_registered);
        let is_code = |it: &&mut Ranked| it.evidence.is_hard() && it.evidence.is_general() && has_registered(it);
        ranked.iter_mut().filter(is_code).for_each(|it| it.score -= SAID);
    }
}

/// What the scores amount to.
fn verdict(corpus: &Corpus, ranked: &[Ranked], input: &Input) -> Verdict {
    let Some(first) = ranked.first() else { return Verdict::None };
    // Another protocol's words for the same thing: what sounds like it is not it.
    if input.is_of_another_protocol() {
        return Verdict::None;
    }
    // An entry about another code of the registries than the one that is there may sound alike; it is not the other one.
    let contends = |other: &&Ranked| other.evidence.is_hard() || other.evidence.code != Some(false);
    let second = ranked.iter().skip(1).find(contends);
    let tied = || {
        let is_near = |other: &&Ranked| first.score - other.score < MARGIN && other.score >= ENOUGH;
        unsure(ranked, ranked.iter().take_while(is_near).count().min(MAX_TIED))
    };
    if !first.evidence.is_hard() {
        // Words alone: nearly all of them, and nobody else has them.
        let lead = first.likeness - second.map_or(0.0, |second| second.likeness);
        // An entry about a code that the input does not have may be near, and is not it.
        let lacks_code = first.evidence.code != Some(true) && corpus.entries()[first.place].error_code.is_some();
        if first.likeness >= LIKE_ENOUGH && lead >= 1.5 * LIKE_MARGIN && !lacks_code {
            return Verdict::One;
        }
        let has_hard = ranked.iter().take(MAX_TIED).any(|other| other.evidence.is_hard() && other.score >= ENOUGH);
        // Where nothing says that it is about OAuth, common words are alike by chance.
        let enough = if input.is_about_oauth() { LIKE_A_LITTLE } else { LIKE_MUCH };
        return if has_hard || first.likeness >= enough && first.score >= ENOUGH { tied() } else { Verdict::None };
    }
    if first.score < ENOUGH {
        return Verdict::None;
    }
    let is_vague = first.evidence.is_bare_description() && first.likeness < LIKE_MUCH
        // Where nothing else comes near, a particular complaint of OAuth's stands by itself.
        || first.evidence.is_bare_complaint()
            && first.likeness < LIKE_BARELY
            && !(ranked.len() == 1 && first.evidence.is_particular_complaint() && input.is_about_oauth());
    // A number that nobody here knows: what merely sounds like it is not it.
    let is_read = first.evidence.comes_down_to_it;
    if first.evidence.is_bare_description() && !is_read && has_unknown_code(input, first, corpus) {
        return Verdict::None;
    }
    if second.is_some_and(|second| first.score - second.score < MARGIN) {
        return tied();
    }
    // Another entry resembles the input much more: a product's own wording of what the first one says in general.
    let is_general = first.evidence.is_general() || corpus.entries()[first.place].product == Product::Standard;
    let lead = if is_general { LIKE_MARGIN } else { 2.0 * LIKE_MARGIN };
    let resembles = |other: &Ranked| other.likeness >= LIKE_SOMEWHAT && other.likeness > first.likeness + lead;
    if let Some(place) = ranked.iter().take(MAX_TIED).position(|other| contends(&other) && resembles(other)) {
        return unsure(ranked, place + 1);
    }
    // A product's short rule, of a message that is little like its samples and shows no product: it may be anybody's.
    let is_its_own = first.evidence.product == Some(true)
        || first.likeness >= LIKE_SOMEWHAT
        || first.evidence.has_a_number(input)
        || first.evidence.is_distinctive();
    let is_anybodys = |it: &Ranked| matches!(corpus.entries()[it.place].product, Product::Standard | Product::Ambit);
    if !is_anybodys(first)
        && !is_its_own
        && let Some(place) = ranked.iter().take(MAX_TIED).position(|it| is_anybodys(it) && it.evidence.comes_down_to_it)
    {
        return unsure(ranked, place + 1);
    }
    // It complains of something else than its code.
    let complains = |other: &Ranked| other.evidence.is_particular_complaint() && other.score >= ENOUGH;
    if first.evidence.is_general()
        && first.likeness < LIKE_MUCH
        && let Some(place) = ranked.iter().take(MAX_TIED).position(complains)
    {
        return unsure(ranked, place + 1);
    }
    // The input describes something that the entry of its code does not, and others do a little.
    let says_more = input.values(FactKind::Description).next().is_some();
    let unexplained = first.evidence.is_general() && says_more && first.likeness < LIKE_LITTLE;
    if unexplained && ranked.len() >= 2 {
        return unsure(ranked, 2);
    }
    // A description that was pasted alone, of which the entry says little else; or a numbered code that the entry does not
    // know, where others come near: it may be this, and nobody can be sure.
    let is_vague = is_vague
        || first.evidence.may_be_of_others() && first.evidence.is_bare_complaint()
        // It complains of something else than its code is for.
        || first.likeness < LIKE_MUCH && first.evidence.comes_down_to_it && first.evidence.code == Some(false);
    if is_vague || second.is_some() && has_unknown_code(input, first, corpus) {
        return unsure(ranked, 2);
    }
    Verdict::One
}

/// Whether the input has a product's numbered code (`AADSTS90023`) that is not the entry's.
fn has_unknown_code(input: &Input, first: &Ranked, corpus: &Corpus) -> bool {
    let is_numbered = |code: &str| {
        code.starts_with(|c: char| c.is_ascii_uppercase()) && code.bytes().filter(u8::is_ascii_digit).count() >= 4
    };
    let entry = &corpus.entries()[first.place];
    let described = first.evidence.structure.as_ref().and_then(|held| held.description.as_ref());
    let hits = || described.into_iter().chain(&first.evidence.pattern);
    let mut numbered = input.values(FactKind::VendorCode).filter(|fact| is_numbered(&fact.value)).peekable();
    numbered.peek().is_some()
        && !numbered.any(|fact| {
            let code = fact.value.to_ascii_lowercase();
            entry.id.slug().contains(&code)
                || entry.error_code.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(&code))
                || entry.matching.patterns.iter().any(|pattern| pattern.to_ascii_lowercase().contains(&code))
                // A pattern for several numbers has found this one.
                || hits().any(|hit| hit.seen.to_ascii_lowercase().contains(&code))
        })
}

/// The first so many, two at least. What may be it, and has nothing beside it, is only the nearest.
fn unsure(ranked: &[Ranked], so_many: usize) -> Verdict {
    if ranked.len() < 2 { Verdict::None } else { Verdict::Ambiguous(so_many.clamp(2, ranked.len())) }
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
const MARGIN: f32 = 6.0;
/// How far an entry falls behind one of the same code of which the wording holds.
const OTHER_WORDING: f32 = 12.0;
/// How far an entry falls behind the error that it stands around: behind any.
const AROUND: f32 = 200.0;
/// How far behind something comes that is named beside it.
const BESIDE: f32 = 1.0;
/// How far a code falls behind what the message comes down to.
const SAID: f32 = 16.0;
/// How alike words have to be to be an answer by themselves.
const LIKE_ENOUGH: f32 = 0.9;
const LIKE_MUCH: f32 = 0.6;
const LIKE_SOMEWHAT: f32 = 0.4;
const LIKE_A_LITTLE: f32 = 0.36;
const LIKE_BARELY: f32 = 0.3;
const LIKE_LITTLE: f32 = 0.25;
const LIKE_MARGIN: f32 = 0.1;
const MAX_TIED: usize = 5;
