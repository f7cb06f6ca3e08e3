//! How much alike two texts are, by their words.
//!
//! A word counts by its rarity, `ln(1 + N / n)` for a word that is in `n` of `N` entries; what looks like a code counts
//! half as much again. Two texts share the weight `S` of their common words, out of `A` and `B`. One of them may be a
//! part of the other (a message in a transcript, a message that was cut off), so the likeness begins with
//! `S / min(A, B)`; it is lowered where the longer one says much more, and where what they share is no more than the weight
//! `w` of a word, *invalid token* being less than one and a word that nobody else has being two:
//!
//! `likeness = S / min(A, B) · (0.75 + 0.25 · 2S / (A + B)) · S / (S + w)`, where `w = ln(1 + N) / 2`
//!
//! A word by itself counts half.
//!
//! An entry is as alike as the best of its texts: the title, the signature, each positive sample and each rewording. Words
//! that messages use for one another ([`ALIKE`]) count as one.
//!
//! Who says it in words of his own has some from here and some from there. So it also counts how much of the input all the
//! texts of an entry have together, `T` being the weight of the input's words that one of them has, `A` that of all, and `n`
//! how many they are, since few may all be there by chance:
//!
//! `coverage = T / A · T / (T + 2w) · min(1, n / 6)`

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hasher as _;
use std::ops::Range;

use rustc_hash::{FxHashMap, FxHasher};

use crate::corpus::Corpus;
use crate::entry::Entry;
use crate::input::{FactKind, Input, is_hanzi, is_registered};

/// The words of all entries.
#[derive(Debug)]
pub(super) struct Words {
    ids: FxHashMap<u64, u32>,
    weights: Vec<f32>,
    /// What a word weighs that is neither rare nor frequent.
    word: f32,
    /// The words of all texts, one text after the other, each packed ([`pack`]).
    packed: Vec<u16>,
    /// The words of a text: a range of `packed` for each.
    of_text: Vec<u32>,
    /// The texts of an entry: a range of them for each.
    of_entry: Vec<u32>,
    /// The entries of a word: a range of `entries` for each.
    of_word: Vec<u32>,
    entries: Vec<u32>,
}

/// The words of an input.
#[derive(Debug)]
pub(super) struct Query {
    /// Sorted.
    words: Vec<u32>,
    /// The same: a bit for each word that there is.
    has: Vec<u64>,
    weight: f32,
}

impl Words {
    pub(super) fn new(corpus: &Corpus) -> Self {
        // Words that say the same are one word from the start.
        let mut ids: FxHashMap<u64, u32> = FxHashMap::default();
        for (id, alike) in (0_u32..).zip(ALIKE) {
            ids.extend(alike.iter().map(|word| (stem(word), id)));
        }
        let mut is_code = vec![false; ALIKE.len()];
        let mut id_of = |word: u64, code: bool| {
            *ids.entry(word).or_insert_with(|| {
                is_code.push(code);
                narrow(is_code.len() - 1)
            })
        };
        // Messages have few different words, so each is taken apart once: a range of `parts` for each.
        let (mut known, mut parts): (FxHashMap<&str, Range<u32>>, Vec<u32>) = (FxHashMap::default(), Vec::new());
        // Room for all from the start, of which what is not used costs nothing: growing would copy it, and need both for a while.
        let octets: usize = corpus.entries().iter().flat_map(said).map(str::len).sum();
        let (mut packed, mut of_text, mut of_entry) = (Vec::with_capacity(octets / 3), vec![0], vec![0]);
        let mut words = Vec::new();
        for entry in corpus.entries() {
            for text in said(entry) {
                words.clear();
                each_token(text, |token| match token {
                    Token::Pair(pair) => words.push(id_of(pair, false)),
                    Token::Name(name) => {
                        let range = known.entry(name).or_insert_with(|| {
                            let first = narrow(parts.len());
                            each_part(name, &mut |word, code| parts.push(id_of(word, code)));
                            first..narrow(parts.len())
                        });
                        words.extend_from_slice(&parts[range.start as usize..range.end as usize]);
                    }
                });
                sort(&mut words);
                pack(&words, &mut packed);
                of_text.push(narrow(packed.len()));
            }
            of_entry.push(narrow(of_text.len() - 1));
        }
        drop((known, parts));
        let (of_word, entries) = inverted(&of_entry, &of_text, &packed, is_code.len());
        let all = approximate(corpus.entries().len());
        let weights: Vec<f32> = of_word
            .windows(2)
            .zip(&is_code)
            .map(|(range, code)| {
                let with = (range[1] - range[0]).max(1);
                (all / approximate(with as usize)).ln_1p() * if *code { CODE } else { 1.0 }
            })
            .collect();
        Self { ids, weights, word: all.ln_1p() / 2.0, packed, of_text, of_entry, of_word, entries }
    }

    /// The entries whose words are most like those of the input, with their likeness.
    pub(super) fn nearest(&self, query: &Query) -> Vec<(usize, f32)> {
        // Rare words first: they decide, and have few places. Words that everybody uses are left to the comparison.
        let mut rare = query.words.clone();
        rare.sort_by(|one, other| {
            self.weights[*other as usize].total_cmp(&self.weights[*one as usize]).then(one.cmp(other))
        });
        let mut shared = vec![0.0_f32; self.of_entry.len() - 1];
        // Whether an entry comes for the first time is another question every time, so it is answered by counting and not by
        // branching; what is not counted is written over.
        let mut touched = vec![0_u32; MAX_VISITS];
        let mut count = 0;
        let mut budget = MAX_VISITS;
        for word in rare {
            let entries = &self.entries[self.of_word[word as usize] as usize..self.of_word[word as usize + 1] as usize];
            if entries.len() > budget {
                break;
            }
            budget -= entries.len();
            for entry in entries {
                let shared = &mut shared[*entry as usize];
                touched[count] = *entry;
                count += usize::from(*shared == 0.0);
                *shared += self.weights[word as usize];
            }
        }
        // Those that share most; of equal ones the first. Positive floats are ordered as their bits are.
        let mut most: BinaryHeap<Reverse<(u32, Reverse<u32>)>> = BinaryHeap::with_capacity(MAX_COMPARED + 1);
        for &entry in &touched[..count] {
            let part = Reverse((shared[entry as usize].to_bits(), Reverse(entry)));
            if most.len() < MAX_COMPARED {
                most.push(part);
            } else if let Some(mut least) = most.peek_mut().filter(|least| part < **least) {
                *least = part;
            }
        }
        let likeness = |Reverse((_, Reverse(entry))): Reverse<(u32, Reverse<u32>)>| {
            (entry as usize, self.likeness(query, entry as usize))
        };
        let mut found: Vec<_> = most.into_iter().map(likeness).filter(|found| found.1 >= UNLIKE).collect();
        found.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        found.truncate(MAX_NEAREST);
        found
    }

    /// The words of a text.
    fn text(&self, text: usize) -> impl Iterator<Item = u32> {
        unpacked(&self.packed[self.of_text[text] as usize..self.of_text[text + 1] as usize])
    }

    /// How alike an entry is.
    pub(super) fn likeness(&self, query: &Query, entry: usize) -> f32 {
        let texts = self.of_entry[entry] as usize..self.of_entry[entry + 1] as usize;
        texts.map(|text| self.compare(query, text)).fold(0.0, f32::max)
    }

    /// How much of the input's words the texts of an entry have together.
    pub(super) fn coverage(&self, query: &Query, entry: usize) -> f32 {
        let mut is_seen = vec![false; query.words.len()];
        let texts = self.of_entry[entry] as usize..self.of_entry[entry + 1] as usize;
        for word in texts.flat_map(|text| self.text(text)).filter(|word| query.has(*word)) {
            if let Ok(place) = query.words.binary_search(&word) {
                is_seen[place] = true;
            }
        }
        let seen = query.words.iter().zip(is_seen).filter(|(_, is_seen)| *is_seen);
        let weight = seen.map(|(word, _)| self.weights[*word as usize]).sum::<f32>();
        if weight == 0.0 {
            return 0.0;
        }
        let few = (approximate(query.words.len()) / FEW).min(1.0);
        weight / query.weight * (weight / (weight + 2.0 * self.word)) * few
    }

    fn compare(&self, query: &Query, text: usize) -> f32 {
        // In the order of the words, so that a sum is the same every time.
        let (mut weight, mut text_weight) = (0.0, 0.0);
        for word in self.text(text) {
            let its = self.weights[word as usize];
            text_weight += its;
            weight += if query.has(word) { its } else { 0.0 };
        }
        if weight == 0.0 {
            return 0.0;
        }
        let part = weight / text_weight.min(query.weight);
        let dice = 2.0 * weight / (text_weight + query.weight);
        let alone = if query.words.len() == 1 { 0.5 } else { 1.0 };
        part * (0.75 + 0.25 * dice) * (weight / (weight + self.word)) * alone
    }
}

impl Query {
    pub(super) fn new(index: &Words, input: &Input) -> Self {
        let mut words = Vec::new();
        let mut add = |text: &str| {
            each_word(text, |word, _| {
                if let Some(id) = index.ids.get(&word)
                    && words.len() < MAX_WORDS
                {
                    words.push(*id);
                }
            });
        };
        let text = input.flat().text();
        if text.len() <= SHORT {
            add(text);
            // The halves of a broken word are known to nobody, and neither are two words that were none.
            input.unbroken().into_iter().for_each(|unbroken| add(unbroken.text()));
        } else {
            // What a long text says is wrong, and not everything around it.
            let says = |kind: FactKind| {
                matches!(
                    kind,
                    FactKind::Description
                        | FactKind::OauthError
                        | FactKind::MentionedError
                        | FactKind::VendorCode
                        | FactKind::Exception
                )
            };
            let mut said = input.facts().iter().filter(|fact| says(fact.kind)).peekable();
            if said.peek().is_none() {
                add(head(text, LONG));
                add(tail(text, LONG));
            }
            said.for_each(|fact| add(&fact.value));
        }
        sort(&mut words);
        let weight = words.iter().map(|id| index.weights[*id as usize]).sum();
        let mut has = vec![0; index.weights.len().div_ceil(64)];
        for word in &words {
            has[*word as usize / 64] |= 1 << (word % 64);
        }
        Self { words, has, weight }
    }

    fn has(&self, word: u32) -> bool {
        self.has[word as usize / 64] >> (word % 64) & 1 == 1
    }
}

/// The texts by which an entry is known.
fn said(entry: &Entry) -> impl Iterator<Item = &str> {
    let fixed = entry.title.all().chain(entry.signature.all()).map(|said| said.text);
    let samples = entry.samples.positive.iter().chain(&entry.samples.reworded);
    fixed.chain(samples.map(|sample| head(sample, MAX_SAMPLE)))
}

/// Calls back with the hash of each word, and whether it looks like a code.
///
/// Words are in small letters and without the endings that vary; names are taken whole and in their parts
/// (`invalid_scope` is also *invalid* and *scope*); Chinese is taken in pairs of characters; numbers and what was drawn by
/// chance are left out, since they are another one every time.
pub(crate) fn each_word(text: &str, mut found: impl FnMut(u64, bool)) {
    each_token(text, |token| match token {
        Token::Name(name) => each_part(name, &mut found),
        Token::Pair(pair) => found(pair, false),
    });
}

/// What a text is made of.
enum Token<'a> {
    /// A word or a name as it stands.
    Name(&'a str),
    /// The hash of two Chinese characters.
    Pair(u64),
}

fn each_token<'a>(text: &'a str, mut found: impl FnMut(Token<'a>)) {
    let mut hanzi: Option<char> = None;
    let mut start = None;
    let mut after_host = 0;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        // Hosts are another one every time, and the address of a page about an error is no word of it.
        if at < after_host {
            start = None;
            continue;
        }
        if c == ':' && text[at..].starts_with("://") {
            after_host = at + host(&text[at..]);
            start = None;
            continue;
        }
        let is_part =
            if c.is_ascii() { c.is_ascii_alphanumeric() || c == '_' } else { !is_hanzi(c) && c.is_alphanumeric() };
        match (is_part, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found(Token::Name(&text[from..at]));
                start = None;
            }
            _ => {}
        }
        let next = is_hanzi(c).then_some(c);
        if let (Some(one), Some(two)) = (hanzi, next) {
            found(Token::Pair(hash([one, two].into_iter())));
        }
        hanzi = next;
    }
}

/// The length of `://host:port`, and of the path behind it where that leads to a page about an error.
fn host(url: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ',' | ')');
    let whole = url.find(ends).unwrap_or(url.len());
    let path = url[3..whole].find('/').map_or(whole, |at| at + 3);
    if url[path..whole].starts_with("/errors/") { whole } else { path }
}

fn each_part(word: &str, found: &mut impl FnMut(u64, bool)) {
    if word.len() > MAX_WORD && word.contains('_') {
        // A sentence that was made one name.
        word.split('_').filter(|part| part.len() <= MAX_WORD).for_each(|part| each_part(part, found));
        return;
    }
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if digits == word.len() && digits != 3 || word.len() > MAX_WORD || digits > 8 {
        return;
    }
    let is_joined = word.contains('_') || has_hump(word);
    let is_code = is_joined || digits > 0;
    if !is_joined {
        if !is_stop(word) {
            found(stem(word), is_code);
        }
        return;
    }
    // What the registries name is for the structure to tell, and would make every use of a code look like every other.
    if is_registered(word) {
        return;
    }
    found(hash(word.chars().filter(|c| *c != '_')), true);
    let mut from = 0;
    let bytes = word.as_bytes();
    for at in 1..=word.len() {
        let ends = at == word.len()
            || bytes[at] == b'_'
            || bytes[at].is_ascii_uppercase() && bytes[at - 1].is_ascii_lowercase()
            || bytes[at].is_ascii_uppercase() && bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        if !ends || !word.is_char_boundary(at) {
            continue;
        }
        let part = word[from..at].trim_matches('_');
        from = at;
        if part.len() > 1 && !is_stop(part) && !part.bytes().all(|c| c.is_ascii_digit()) {
            found(stem(part), false);
        }
    }
}

fn is_stop(word: &str) -> bool {
    STOP.get(word.len()).is_some_and(|stops| stops.iter().any(|stop| stop.eq_ignore_ascii_case(word)))
}

/// A small letter before a capital: `NotAuthorizedException`.
fn has_hump(word: &str) -> bool {
    word.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

/// The hash of a word without its ending: *scopes*, *scope*; *registered*, *register*; *expired*, *expires*.
fn stem(word: &str) -> u64 {
    let lower = |c: char| c.to_ascii_lowercase();
    let ends = |ending: &str| {
        word.len() >= ending.len() + 3
            && word.is_char_boundary(word.len() - ending.len())
            && word[word.len() - ending.len()..].eq_ignore_ascii_case(ending)
    };
    let cut =
        if word.is_ascii() { ENDINGS.iter().find(|ending| ends(ending)).map_or(0, |ending| ending.len()) } else { 0 };
    hash(word[..word.len() - cut].chars().map(lower))
}

fn hash(chars: impl Iterator<Item = char>) -> u64 {
    let mut hasher = FxHasher::default();
    for c in chars {
        hasher.write_u32(if c.is_ascii() { u32::from(c.to_ascii_lowercase()) } else { u32::from(c) });
    }
    hasher.finish()
}

/// Sorts words, each once.
fn sort(words: &mut Vec<u32>) {
    words.sort_unstable();
    words.dedup();
}

/// Sorted words by how far one is from the one before, in two octets where most need no more: [`FAR`] is a step without a word.
fn pack(words: &[u32], packed: &mut Vec<u16>) {
    let mut at = 0;
    for word in words {
        while *word - at >= u32::from(FAR) {
            packed.push(FAR);
            at += u32::from(FAR);
        }
        // It is less than `FAR`.
        packed.push(u16::try_from(*word - at).unwrap_or(FAR));
        at = *word;
    }
}

fn unpacked(packed: &[u16]) -> impl Iterator<Item = u32> {
    let mut at = 0;
    packed.iter().filter_map(move |step| {
        at += u32::from(*step);
        (*step != FAR).then_some(at)
    })
}

/// The entries of each word, given the texts of each entry and the words of each text.
fn inverted(of_entry: &[u32], of_text: &[u32], packed: &[u16], count: usize) -> (Vec<u32>, Vec<u32>) {
    // An entry that has a word in several of its texts has it once.
    let each_once = |found: &mut dyn FnMut(usize, u32)| {
        let mut last = vec![u32::MAX; count];
        for (entry, texts) in (0_u32..).zip(of_entry.windows(2)) {
            for text in of_text[texts[0] as usize..=texts[1] as usize].windows(2) {
                for word in unpacked(&packed[text[0] as usize..text[1] as usize]) {
                    let word = word as usize;
                    if last[word] != entry {
                        last[word] = entry;
                        found(word, entry);
                    }
                }
            }
        }
    };
    let mut of_word = vec![0_u32; count + 1];
    each_once(&mut |word, _| of_word[word + 1] += 1);
    for at in 1..of_word.len() {
        of_word[at] += of_word[at - 1];
    }
    let mut next = of_word.clone();
    let mut entries = vec![0_u32; of_word[count] as usize];
    each_once(&mut |word, entry| {
        entries[next[word] as usize] = entry;
        next[word] += 1;
    });
    (of_word, entries)
}

fn head(text: &str, limit: usize) -> &str {
    let mut to = text.len().min(limit);
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    &text[..to]
}

fn tail(text: &str, limit: usize) -> &str {
    let mut from = text.len().saturating_sub(limit);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

fn narrow(place: usize) -> u32 {
    u32::try_from(place).expect("a corpus has fewer than 2³² words")
}

/// Counts of this size are exact in a float, and an inexact one would do.
#[expect(clippy::cast_precision_loss, reason = "weights are estimates")]
const fn approximate(count: usize) -> f32 {
    count as f32
}

/// Endings that vary where the meaning does not; longer ones first.
const ENDINGS: &[&str] = &["ations", "ation", "ing", "ies", "ed", "es", "er", "e", "s", "y"];
/// Words that every message has, and those of the forms around it, by their length.
const STOP: [&[&str]; 14] = [
    &[],
    &["a"],
    &["an", "as", "at", "be", "by", "if", "in", "is", "it", "of", "on", "or", "to"],
    &["and", "are", "can", "did", "for", "has", "its", "the", "was", "you", "com", "org", "www", "get"],
    &["does", "from", "have", "that", "this", "were", "with", "your", "http", "host", "type", "json", "code", "post"],
    &["https", "realm", "error"],
    &["bearer", "status"],
    &["example", "content", "message"],
    &[],
    &["forbidden"],
    &[],
    &["application", "description"],
    &["authenticate", "unauthorized"],
    &["authorization"],
];
/// Words that messages use for one another. Those of a line mean the same thing wherever an error says them; words that
/// tell two entries apart (`unknown` and `invalid`, `missing` and `expired`) are never in one line.
const ALIKE: &[&[&str]] = &[
    &["invalid", "incorrect", "wrong", "bad"],
    &["mismatch", "mismatching", "match", "differ", "different", "correspond", "equal", "same"],
    &["missing", "absent", "omitted", "lacks"],
    &["unknown", "unrecognized", "unrecognised"],
    &["fetch", "retrieve", "download", "obtain", "load"],
    &["failed", "failure", "cannot", "unable", "couldn", "could"],
    &["verify", "verification", "validate", "validation", "check"],
    &["uri", "url"],
    &["redirect", "redirection"],
    &["disallowed", "permitted", "allowed"],
    &["refused", "rejected", "denied"],
    &["expired", "expiry", "expiration"],
    &["keys", "keyset"],
];
const CODE: f32 = 1.5;
/// A step from one word to the next that is longer than a step can be.
const FAR: u16 = u16::MAX;
/// So many words are more than chance.
const FEW: f32 = 6.0;
/// A text up to this long is a message as a whole.
const SHORT: usize = 800;
const LONG: usize = 4096;
const MAX_SAMPLE: usize = 2000;
const MAX_WORD: usize = 64;
const MAX_WORDS: usize = 512;
/// Entries of words that are visited, for an input.
const MAX_VISITS: usize = 24_000;
/// Entries that are compared in full.
const MAX_COMPARED: usize = 64;
const MAX_NEAREST: usize = 16;
/// Below this, two texts have nothing to do with one another.
const UNLIKE: f32 = 0.12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_however_far_apart() {
        let far = u32::from(FAR);
        for words in [vec![], vec![0], vec![far], vec![0, 1, far - 1, far, 2 * far - 1, 2 * far, 10 * far + 7]] {
            let mut packed = Vec::new();
            pack(&words, &mut packed);
            assert_eq!(unpacked(&packed).collect::<Vec<_>>(), words);
        }
    }
}
