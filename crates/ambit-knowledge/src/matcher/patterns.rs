//! Which patterns match an input.
//!
//! Ten thousand regular expressions take a third of a second when tried one by one. Nearly all of them cannot match a given
//! text, because a word of theirs is not in it. So one scan finds the patterns of which the longest literal occurs
//! ([`super::literals`]), and of those the ones are tried ([`super::expression`]) of which another literal does as well.

use std::num::NonZero;
use std::ops::Range;
use std::{fmt, panic, thread};

use rustc_hash::{FxHashMap, FxHashSet};

use super::expression::{Expression, Pairs};
use super::literals::{KEY, Literals, Needs};
use super::reading::Classes;
use crate::corpus::Corpus;
use crate::entry::{Entry, EntryId};
use crate::input::{FactKind, Flat, Input, Part};

/// A pattern of an entry that is no regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{entry}: {pattern:?} is no pattern: {fault}")]
pub struct PatternError {
    /// Whose.
    pub entry: EntryId,
    /// Which.
    pub pattern: String,
    /// What is wrong with it.
    pub fault: String,
}

/// The patterns of all entries.
pub(super) struct Patterns {
    patterns: Vec<Pattern>,
    /// How specific each is.
    weights: Vec<u32>,
    /// Finds the literals.
    literals: Literals,
    /// The patterns of each literal: a range of `owners` for each.
    owned: Vec<u32>,
    owners: Vec<Owner>,
    /// What owners need besides, one after the other.
    besides: Vec<u32>,
    /// Patterns without a literal that is long enough, tried on every text. The lint asks for none.
    always: Vec<u32>,
}

/// A pattern that a literal belongs to.
#[derive(Debug, Clone, Copy)]
struct Owner {
    pattern: u32,
    /// Other literals, of which the text has to have one, unless there are none: a range of `besides`. They are kept apart
    /// since looking at the pattern itself takes longer.
    besides: (u32, u32),
}

/// One pattern of an entry.
#[derive(Debug)]
struct Pattern {
    entry: u32,
    /// Its place in the entry's `patterns`; `None` for the pattern of the description.
    place: Option<u32>,
    expression: Expression,
}

/// A pattern that matched.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) entry: usize,
    /// Its place in the entry's `patterns`; `None` for the pattern of the description.
    pub(crate) place: Option<usize>,
    /// How specific it is.
    pub(crate) weight: usize,
    /// Where it matched.
    pub(crate) part: Part,
    /// What it matched.
    pub(crate) seen: String,
}

/// The patterns that matched, in the whole text and in descriptions.
#[derive(Debug, Default)]
pub(super) struct Hits {
    pub(super) free: Vec<Hit>,
    pub(super) described: Vec<Hit>,
}

impl Patterns {
    pub(super) fn new(corpus: &Corpus) -> Result<Self, PatternError> {
        let patterns = read(corpus)?;
        let needs: Vec<Needs<'_>> = patterns.iter().map(|pattern| Needs::of(&pattern.expression)).collect();
        // Each literal once, and how many patterns need it.
        let mut numbers: FxHashMap<&str, u32> = FxHashMap::default();
        let (mut literals, mut needed): (Vec<&str>, Vec<u32>) = (Vec::new(), Vec::new());
        let is_known = |literal: &&&str| literal.len() >= KEY;
        for literal in needs.iter().flat_map(|needs| needs.all.iter().chain(&needs.any)).filter(is_known) {
            let number = *numbers.entry(literal).or_insert_with(|| {
                literals.push(literal);
                needed.push(0);
                narrow(literals.len() - 1)
            });
            needed[number as usize] += 1;
        }
        let (mut owned_by, mut besides, mut always) = (Vec::new(), Vec::new(), Vec::new());
        for (pattern, needs) in (0_u32..).zip(&needs) {
            let triggers = needs.triggers();
            if triggers.is_empty() || triggers.iter().any(|literal| literal.len() < KEY) {
                always.push(pattern);
                continue;
            }
            let first = besides.len();
            let others = needs.rarest_besides(|literal| Some(needed[*numbers.get(literal)? as usize]));
            besides.extend(others.iter().map(|literal| numbers[literal]));
            let owner = Owner { pattern, besides: (narrow(first), narrow(besides.len())) };
            owned_by.extend(triggers.iter().map(|literal| (numbers[literal], owner)));
        }
        owned_by.sort_unstable_by_key(|(literal, owner)| (*literal, owner.pattern));
        owned_by.dedup_by_key(|(literal, owner)| (*literal, owner.pattern));
        let mut owned = vec![0; literals.len() + 1];
        for (literal, _) in &owned_by {
            owned[*literal as usize + 1] += 1;
        }
        for at in 1..owned.len() {
            owned[at] += owned[at - 1];
        }
        let owners = owned_by.into_iter().map(|(_, owner)| owner).collect();
        let literals = Literals::new(literals.into_iter());
        let weights = needs.iter().map(|needs| narrow(needs.weight)).collect();
        Ok(Self { patterns, weights, literals, owned, owners, besides, always })
    }

    /// The patterns that match, each once.
    pub(super) fn search(&self, input: &Input) -> Hits {
        let mut hits = Hits::default();
        let mut done: FxHashSet<u32> = FxHashSet::default();
        // A description pasted without what was around it is all there is.
        let is_bare = input.values(FactKind::Description).next().is_none();
        self.search_in(input.flat(), Part::Text, is_bare, &mut done, &mut hits);
        if let Some(unbroken) = input.unbroken() {
            self.search_in(unbroken, Part::Text, is_bare, &mut done, &mut hits);
        }
        // Descriptions are taken out of JSON and URLs, so their quotes are no longer escaped.
        for fact in input.values(FactKind::Description) {
            self.search_in(&Flat::new(&fact.value), fact.part, true, &mut done, &mut hits);
        }
        super::by_weight(&mut hits.free);
        super::by_weight(&mut hits.described);
        hits
    }

    fn search_in(&self, text: &Flat, part: Part, is_described: bool, done: &mut FxHashSet<u32>, hits: &mut Hits) {
        let pairs = Pairs::of(text.folded());
        for (number, at) in self.candidates(text.folded()) {
            let pattern = &self.patterns[number as usize];
            let is_description = pattern.place.is_none();
            if is_description && !is_described || done.contains(&number) {
                continue;
            }
            let window = window(text.text(), at);
            let Some(place) = pattern.expression.find(&text.folded()[window.clone()], &pairs) else { continue };
            done.insert(number);
            let hit = Hit {
                entry: pattern.entry as usize,
                place: pattern.place.map(|place| place as usize),
                weight: self.weights[number as usize] as usize,
                part,
                seen: text.around(window.start + place.start..window.start + place.end).to_owned(),
            };
            if is_description { hits.described.push(hit) } else { hits.free.push(hit) }
        }
    }

    /// The patterns that a text may match, each with a place where one of its literals stands. A pattern comes once, or
    /// a few times where the text is so long that only the surroundings of a place are looked at.
    fn candidates(&self, folded: &str) -> Vec<(u32, usize)> {
        let places = if folded.len() <= WINDOW { 1 } else { MAX_PLACES };
        let mut seen: FxHashMap<u32, Places> = FxHashMap::default();
        let mut stand = Vec::new();
        for (literal, at) in self.literals.find(folded) {
            // A literal once reached its number of places in all of its patterns: nothing is to be learned from more.
            let known = seen.entry(literal).or_default();
            if known.count >= places || known.count > 0 && at < known.last + WINDOW / 4 {
                continue;
            }
            *known = Places { count: known.count + 1, last: at };
            stand.push((literal as usize, at));
        }
        let mut found = Vec::new();
        for (literal, at) in stand {
            let owners = &self.owners[self.owned[literal] as usize..self.owned[literal + 1] as usize];
            let may_match = owners.iter().filter(|owner| {
                let besides = &self.besides[owner.besides.0 as usize..owner.besides.1 as usize];
                besides.is_empty() || besides.iter().any(|other| seen.contains_key(other))
            });
            found.extend(may_match.map(|owner| (owner.pattern, at)));
        }
        found.extend(self.always.iter().map(|number| (*number, 0)));
        found
    }
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patterns")
            .field("patterns", &self.patterns.len())
            .field("owners", &self.owners.len())
            .finish_non_exhaustive()
    }
}

/// Where a literal has been seen.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    count: usize,
    last: usize,
}

/// Every pattern of every entry. Reading them is most of the work of making an index, so all processors take part.
fn read(corpus: &Corpus) -> Result<Vec<Pattern>, PatternError> {
    let entries = corpus.entries();
    let share = entries.len().div_ceil(thread::available_parallelism().map_or(1, NonZero::get)).max(MIN_SHARE);
    let read_some = |first: usize, entries: &[Entry]| {
        let mut classes = Classes::default();
        let all = (first..).zip(entries).flat_map(|(entry, it)| sources(it).map(move |source| (entry, it, source)));
        all.map(|(entry, it, (place, source))| match Expression::with_classes(source, &mut classes) {
            Ok(expression) => Ok(Pattern { entry: narrow(entry), place, expression }),
            Err(fault) => {
                Err(PatternError { entry: it.id.clone(), pattern: source.to_owned(), fault: fault.to_string() })
            }
        })
        .collect::<Result<Vec<_>, _>>()
    };
    if share >= entries.len() {
        return read_some(0, entries);
    }
    thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(entries.chunks(share))
            .map(|(number, entries)| scope.spawn(move || read_some(number * share, entries)))
            .collect();
        let mut read = Vec::new();
        for thread in threads {
            // A panic of one thread is one of the whole.
            read.append(&mut thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))?);
        }
        Ok(read)
    })
}

/// The patterns of an entry with their places; the one of the description, which has none, last.
fn sources(entry: &Entry) -> impl Iterator<Item = (Option<u32>, &str)> {
    let free = (0..).map(Some).zip(&entry.matching.patterns);
    free.chain(entry.matching.description_pattern.iter().map(|it| (None, it))).map(|(place, it)| (place, it.as_str()))
}

/// What of a text is looked at: all of it, or so much around a place.
fn window(text: &str, at: usize) -> Range<usize> {
    if text.len() <= WINDOW {
        return 0..text.len();
    }
    let (mut from, mut to) = (at.saturating_sub(WINDOW / 2), text.len().min(at + WINDOW / 2));
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    while !text.is_char_boundary(to) {
        to += 1;
    }
    from..to
}

/// Places of entries and patterns: there are far fewer than 2³².
fn narrow(place: usize) -> u32 {
    u32::try_from(place).expect("a corpus has fewer than 2³² patterns")
}

/// Fewer entries than this are not worth a thread.
const MIN_SHARE: usize = 1000;
/// Of a longer text only the surroundings of the places where a literal was found are searched. A message is shorter.
const WINDOW: usize = 8 * 1024;
/// At how many places of a long text a pattern is tried.
const MAX_PLACES: usize = 8;
