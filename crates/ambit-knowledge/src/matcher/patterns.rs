//! Which patterns match an input.
//!
//! A set of ten thousand regular expressions costs gigabytes when compiled and a third of a second when tried one by one.
//! Nearly all of them cannot match a given text, because a word of theirs is not in it. So:
//!
//! 1. One Aho–Corasick scan finds the patterns of which the longest literal occurs.
//! 2. Of those, the ones stay of which all literals occur, one after the other.
//! 3. Those are compiled when they are first needed. The compiled ones are kept, up to [`MAX_COMPILED`] octets.

use std::num::NonZero;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, panic, thread};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use rustc_hash::{FxHashMap, FxHashSet};

use super::expression::Expression;
use super::literals::{Needs, needs};
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
    /// Finds the literals.
    literals: AhoCorasick,
    /// The patterns of each literal: a range of `owners` for each.
    owned: Vec<u32>,
    owners: Vec<u32>,
    /// Patterns without a literal, tried on every text. The lint asks for none.
    always: Vec<u32>,
    compiled: Mutex<Compiled>,
}

/// The expressions that were needed so far.
#[derive(Debug, Default)]
struct Compiled {
    of: FxHashMap<u32, Arc<Expression>>,
    size: usize,
}

/// One pattern of an entry.
#[derive(Debug)]
struct Pattern {
    entry: u32,
    /// Its place in the entry's `patterns`; the pattern of the description comes after the last.
    place: u16,
    weight: u16,
    all: Box<[Box<str>]>,
    is_ascii: bool,
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
        let mut patterns = Vec::new();
        let mut triggers: FxHashMap<String, Vec<u32>> = FxHashMap::default();
        let mut always = Vec::new();
        let read = read(corpus)?;
        for (entry, place, needs, is_ascii) in read {
            let number = narrow(patterns.len());
            if needs.triggers().is_empty() {
                always.push(number);
            }
            for literal in needs.triggers() {
                triggers.entry(literal.clone()).or_default().push(number);
            }
            patterns.push(Pattern {
                entry: narrow(entry),
                place: u16::try_from(place).unwrap_or(u16::MAX),
                weight: u16::try_from(needs.weight).unwrap_or(u16::MAX),
                all: needs.all.into_iter().map(Into::into).collect(),
                is_ascii,
            });
        }
        let (mut owned, mut owners) = (vec![0], Vec::new());
        let mut literals: Vec<(String, Vec<u32>)> = triggers.into_iter().collect();
        literals.sort_unstable();
        for (_, numbers) in &literals {
            owners.extend_from_slice(numbers);
            owned.push(narrow(owners.len()));
        }
        let literals = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(literals.iter().map(|(literal, _)| literal))
            // The builder's limit is 2³¹ states.
            .expect("the literals of the patterns fit into an automaton");
        Ok(Self { patterns, literals, owned, owners, always, compiled: Mutex::default() })
    }

    /// The patterns that match, each once.
    pub(super) fn search(&self, corpus: &Corpus, input: &Input) -> Hits {
        let mut hits = Hits::default();
        let mut done: FxHashSet<u32> = FxHashSet::default();
        // A description pasted without what was around it is all there is.
        let is_bare = input.values(FactKind::Description).next().is_none();
        self.search_in(corpus, input.flat(), Part::Text, is_bare, &mut done, &mut hits);
        // Descriptions are taken out of JSON and URLs, so their quotes are no longer escaped.
        for fact in input.values(FactKind::Description) {
            self.search_in(corpus, &Flat::new(&fact.value), fact.part, true, &mut done, &mut hits);
        }
        super::by_weight(&mut hits.free);
        super::by_weight(&mut hits.described);
        hits
    }

    fn search_in(
        &self,
        corpus: &Corpus,
        text: &Flat,
        part: Part,
        is_described: bool,
        done: &mut FxHashSet<u32>,
        hits: &mut Hits,
    ) {
        for (number, at) in self.candidates(text.folded()) {
            let pattern = &self.patterns[number as usize];
            let entry = &corpus.entries()[pattern.entry as usize];
            let is_description = usize::from(pattern.place) == entry.matching.patterns.len();
            if is_description && !is_described || done.contains(&number) {
                continue;
            }
            let window = window(text.text(), at);
            if !contains_all(&text.folded()[window.clone()], &pattern.all) {
                continue;
            }
            let Some(place) = self.find(number, pattern, entry, &text.folded()[window.clone()]) else { continue };
            done.insert(number);
            let hit = Hit {
                entry: pattern.entry as usize,
                place: (!is_description).then_some(usize::from(pattern.place)),
                weight: usize::from(pattern.weight),
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
        let mut found = Vec::new();
        for literal in self.literals.find_overlapping_iter(folded) {
            // A literal once reached its number of places in all of its patterns: nothing is to be learned from more.
            let known = seen.entry(literal.pattern().as_u32()).or_default();
            if known.count >= places || known.count > 0 && literal.start() < known.last + WINDOW / 4 {
                continue;
            }
            *known = Places { count: known.count + 1, last: literal.start() };
            let of = literal.pattern().as_usize();
            let owners = &self.owners[self.owned[of] as usize..self.owned[of + 1] as usize];
            found.extend(owners.iter().map(|number| (*number, literal.start())));
        }
        found.extend(self.always.iter().map(|number| (*number, 0)));
        found
    }

    /// Where a pattern matches. On ASCII an expression is a tenth of the size, so one of ASCII is tried on a text whose
    /// other characters are masked: a gap steps over them, and nothing else was going to match them.
    fn find(&self, number: u32, pattern: &Pattern, entry: &Entry, text: &str) -> Option<Range<usize>> {
        let expression = self.compiled(number, pattern, entry)?;
        if !pattern.is_ascii || text.is_ascii() {
            return expression.find(text.as_bytes());
        }
        let masked: Vec<u8> = text.chars().map(|c| u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(MASK)).collect();
        let found = expression.find(&masked)?;
        // Each octet of the masked text is a character of the text.
        let place = |character: usize| text.char_indices().nth(character).map_or(text.len(), |(at, _)| at);
        Some(place(found.start)..place(found.end))
    }

    fn compiled(&self, number: u32, pattern: &Pattern, entry: &Entry) -> Option<Arc<Expression>> {
        if let Some(known) = self.lock().of.get(&number) {
            return Some(Arc::clone(known));
        }
        let free = entry.matching.patterns.get(usize::from(pattern.place));
        let source = free.or(entry.matching.description_pattern.as_ref())?;
        // `new` has parsed it. What exceeds the limit of size matches nothing, and the lint says so.
        let expression = Arc::new(Expression::new(source).ok()?);
        let mut compiled = self.lock();
        if compiled.size >= MAX_COMPILED {
            *compiled = Compiled::default();
        }
        compiled.size += expression.size();
        compiled.of.insert(number, Arc::clone(&expression));
        Some(expression)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Compiled> {
        // Whoever panicked while holding it has not left half an entry in it.
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Every pattern with its entry, its place, what it needs, and whether it is all ASCII. Reading them is half the work of
/// making an index, so all processors take part.
fn read(corpus: &Corpus) -> Result<Vec<(usize, usize, Needs, bool)>, PatternError> {
    let entries = corpus.entries();
    let share = entries.len().div_ceil(thread::available_parallelism().map_or(1, NonZero::get)).max(MIN_SHARE);
    let read_some = |first: usize, entries: &[Entry]| {
        let all = (first..).zip(entries).flat_map(|(entry, it)| sources(it).map(move |source| (entry, it, source)));
        all.map(|(entry, it, (place, source))| match needs(source) {
            Ok(needs) => Ok((entry, place, needs, source.is_ascii())),
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

/// The patterns of an entry with their places; the one of the description last.
fn sources(entry: &Entry) -> impl Iterator<Item = (usize, &str)> {
    let patterns = entry.matching.patterns.iter().chain(&entry.matching.description_pattern);
    let described = entry.matching.description_pattern.is_some();
    let free = entry.matching.patterns.len();
    patterns.map(String::as_str).enumerate().filter(move |(place, _)| *place < free || described)
}

/// Whether a text has all the literals, one after the other.
fn contains_all(folded: &str, literals: &[Box<str>]) -> bool {
    let mut rest = folded.as_bytes();
    literals.iter().all(|literal| {
        let Some(at) = memchr::memmem::find(rest, literal.as_bytes()) else { return false };
        rest = &rest[at + literal.len()..];
        true
    })
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
/// How much the compiled patterns that are kept take, in octets.
const MAX_COMPILED: usize = 16 << 20;
/// Stands for a character that is not ASCII: none that a class of letters, digits or spaces has.
const MASK: u8 = 1;
