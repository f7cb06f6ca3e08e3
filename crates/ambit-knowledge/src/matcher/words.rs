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
//!
//! And it counts what an entry uses to say. Of all words of an entry's texts, each once a text, the share `s` is this word; an
//! entry that says *expired* in every second text is more about it than one that says it once in thirty. The *profile* of an
//! entry is the cosine of the angle between the weights of the input's words and the roots of the shares, whose squares make one:
//!
//! `profile = Σ (weight · √s) / max(√(Σ weight²), 4w)`, where few words are taken for more, since few may be all of one entry by
//! chance.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use rustc_hash::FxHashMap;

use super::tokens::{self, ALIKE, Token, each_part, each_token, each_word, stem};
use crate::corpus::Corpus;
use crate::entry::Entry;
use crate::input::{FactKind, Input};

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
    /// In how many texts of the entry the word is, for each of `entries`; more than fit are as many as fit.
    counts: Vec<u8>,
    /// One by the root of how many words an entry has in all its texts.
    by_size: Vec<f32>,
}

/// The words of an input.
#[derive(Debug)]
pub(super) struct Query {
    /// Sorted.
    words: Vec<u32>,
    /// The same: a bit for each word that there is.
    has: Vec<u64>,
    /// Of all words together.
    weight: f32,
    /// The root of the sum of their squares, or what a short one has.
    norm: f32,
}

/// How alike an input and an entry are, each from 0 to 1.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Alike {
    /// To the text of the entry that is most like the input.
    pub(crate) likeness: f32,
    /// How much of the input all texts have together.
    pub(crate) coverage: f32,
    /// How often the entry uses the words of the input.
    pub(crate) profile: f32,
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
        let (mut known, mut parts): (FxHashMap<u64, Range<u32>>, Vec<u32>) = (FxHashMap::default(), Vec::new());
        // Room for all from the start, of which what is not used costs nothing: growing would copy it, and need both for a while.
        let octets: usize = corpus.entries().iter().flat_map(said).map(str::len).sum();
        let (mut packed, mut of_text, mut of_entry) = (Vec::with_capacity(octets / 3), vec![0], vec![0]);
        let mut words = Vec::new();
        let mut spread = Spread::default();
        let mut by_size = Vec::with_capacity(corpus.entries().len());
        for (place, entry) in (0_u32..).zip(corpus.entries()) {
            let mut size = 0;
            for text in said(entry) {
                words.clear();
                each_token(text, |token| match token {
                    Token::Pair(pair) => words.push(id_of(pair, false)),
                    Token::Name(name) => {
                        let range = known.entry(tokens::name(name)).or_insert_with(|| {
                            let first = narrow(parts.len());
                            each_part(name, &mut |word, code| parts.push(id_of(word, code)));
                            first..narrow(parts.len())
                        });
                        words.extend_from_slice(&parts[range.start as usize..range.end as usize]);
                    }
                });
                sort(&mut words);
                size += words.len();
                spread.add(&words, place);
                pack(&words, &mut packed);
                of_text.push(narrow(packed.len()));
            }
            of_entry.push(narrow(of_text.len() - 1));
            by_size.push(1.0 / approximate(size.max(1)).sqrt());
        }
        drop((known, parts));
        let of_word = spread.ends(is_code.len());
        let (entries, counts) = inverted(&of_entry, &of_text, &packed, &of_word);
        let all = approximate(corpus.entries().len());
        let weights: Vec<f32> = of_word
            .windows(2)
            .zip(&is_code)
            .map(|(range, code)| {
                let with = (range[1] - range[0]).max(1);
                (all / approximate(with as usize)).ln_1p() * if *code { CODE } else { 1.0 }
            })
            .collect();
        let word = all.ln_1p() / 2.0;
        Self { ids, weights, word, packed, of_text, of_entry, of_word, entries, counts, by_size }
    }

    /// The entries whose words are most like those of the input.
    pub(super) fn nearest(&self, query: &Query) -> Vec<(usize, Alike)> {
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
            let range = self.of_word[word as usize] as usize..self.of_word[word as usize + 1] as usize;
            if range.len() > budget {
                break;
            }
            budget -= range.len();
            for (entry, times) in self.entries[range.clone()].iter().zip(&self.counts[range]) {
                let shared = &mut shared[*entry as usize];
                touched[count] = *entry;
                count += usize::from(*shared == 0.0);
                *shared += self.weights[word as usize] * root(*times);
            }
        }
        // Those that share most; of equal ones the first. Positive floats are ordered as their bits are.
        let mut most: BinaryHeap<Reverse<(u32, Reverse<u32>)>> = BinaryHeap::with_capacity(MAX_COMPARED + 1);
        for &entry in &touched[..count] {
            let shared = shared[entry as usize] * self.by_size[entry as usize];
            let part = Reverse((shared.to_bits(), Reverse(entry)));
            if most.len() < MAX_COMPARED {
                most.push(part);
            } else if let Some(mut least) = most.peek_mut().filter(|least| part < **least) {
                *least = part;
            }
        }
        let alike = |Reverse((_, Reverse(entry))): Reverse<(u32, Reverse<u32>)>| {
            (entry as usize, self.alike(query, entry as usize))
        };
        let mut found: Vec<_> = most.into_iter().map(alike).filter(|(_, alike)| alike.likeness >= UNLIKE).collect();
        found.sort_by(|(one, its), (other, others)| others.points().total_cmp(&its.points()).then(one.cmp(other)));
        found.truncate(MAX_NEAREST);
        found
    }

    /// The words of a text.
    fn text(&self, text: usize) -> impl Iterator<Item = u32> {
        unpacked(&self.packed[self.of_text[text] as usize..self.of_text[text + 1] as usize])
    }

    /// How alike an entry is.
    pub(super) fn alike(&self, query: &Query, entry: usize) -> Alike {
        let mut times = vec![0_u8; query.words.len()];
        let mut likeness = 0.0_f32;
        for text in self.of_entry[entry] as usize..self.of_entry[entry + 1] as usize {
            // In the order of the words, so that a sum is the same every time.
            let (mut shared, mut text_weight) = (0.0, 0.0);
            for word in self.text(text) {
                let its = self.weights[word as usize];
                text_weight += its;
                if query.has(word)
                    && let Ok(place) = query.words.binary_search(&word)
                {
                    shared += its;
                    times[place] = times[place].saturating_add(1);
                }
            }
            likeness = likeness.max(self.likeness(query, shared, text_weight));
        }
        let (mut covered, mut profile) = (0.0, 0.0);
        for (word, times) in query.words.iter().zip(times).filter(|(_, times)| *times > 0) {
            covered += self.weights[*word as usize];
            profile += self.weights[*word as usize] * root(times);
        }
        if covered == 0.0 {
            return Alike::default();
        }
        let few = (approximate(query.words.len()) / FEW).min(1.0);
        let coverage = covered / query.weight * (covered / (covered + 2.0 * self.word)) * few;
        Alike { likeness, coverage, profile: profile * self.by_size[entry] / query.norm }
    }

    fn likeness(&self, query: &Query, shared: f32, text_weight: f32) -> f32 {
        if shared == 0.0 {
            return 0.0;
        }
        let part = shared / text_weight.min(query.weight);
        let dice = 2.0 * shared / (text_weight + query.weight);
        let alone = if query.words.len() == 1 { 0.5 } else { 1.0 };
        part * (0.75 + 0.25 * dice) * (shared / (shared + self.word)) * alone
    }
}

impl Alike {
    /// What it is worth in points. Some likeness is chance, much is none.
    pub(crate) fn points(self) -> f32 {
        self.of_texts() + self.profile * PROFILE
    }

    /// What it is worth for the question whether the input is about any entry at all. There is always one that uses its words
    /// more than the others do, so that counts less here.
    pub(crate) fn points_by_itself(self) -> f32 {
        self.of_texts() + self.profile * PROFILE_BY_ITSELF
    }

    fn of_texts(self) -> f32 {
        self.likeness.powi(3) * LIKENESS + self.coverage * self.coverage * COVERAGE
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
        let squares: f32 = words.iter().map(|id| index.weights[*id as usize].powi(2)).sum();
        Self { words, has, weight, norm: squares.sqrt().max(SHORTEST * index.word) }
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

/// In how many entries each word is, which come one after the other.
#[derive(Default)]
struct Spread {
    entries: Vec<u32>,
    last: Vec<u32>,
}

impl Spread {
    /// Sorted words of a text of an entry. An entry that has a word in several of its texts has it once.
    fn add(&mut self, words: &[u32], entry: u32) {
        let count = words.last().map_or(0, |last| *last as usize + 1).max(self.entries.len());
        self.entries.resize(count, 0);
        self.last.resize(count, u32::MAX);
        for word in words {
            let last = &mut self.last[*word as usize];
            self.entries[*word as usize] += u32::from(*last != entry);
            *last = entry;
        }
    }

    /// Where the places of each of so many words end, and the next one's begin, if all were put one after the other.
    fn ends(mut self, count: usize) -> Vec<u32> {
        self.entries.resize(count, 0);
        let mut end = 0;
        let ends = self.entries.into_iter().map(|entries| {
            end += entries;
            end
        });
        [0].into_iter().chain(ends).collect()
    }
}

/// The entries of each word, and in how many of their texts it is, given the texts of each entry, the words of each text, and
/// the range of each word.
fn inverted(of_entry: &[u32], of_text: &[u32], packed: &[u16], of_word: &[u32]) -> (Vec<u32>, Vec<u8>) {
    let mut next = of_word.to_vec();
    let mut entries = vec![0_u32; of_word[of_word.len() - 1] as usize];
    let mut counts = vec![0_u8; entries.len()];
    let (mut times, mut words) = (vec![0_u8; of_word.len()], Vec::new());
    for (entry, texts) in (0_u32..).zip(of_entry.windows(2)) {
        for text in of_text[texts[0] as usize..=texts[1] as usize].windows(2) {
            for word in unpacked(&packed[text[0] as usize..text[1] as usize]) {
                let times = &mut times[word as usize];
                if *times == 0 {
                    words.push(word);
                }
                *times = times.saturating_add(1);
            }
        }
        for word in words.drain(..) {
            let word = word as usize;
            let place = next[word] as usize;
            next[word] += 1;
            entries[place] = entry;
            counts[place] = std::mem::take(&mut times[word]);
        }
    }
    (entries, counts)
}

fn root(times: u8) -> f32 {
    f32::from(times).sqrt()
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

const CODE: f32 = 1.5;
/// A step from one word to the next that is longer than a step can be.
const FAR: u16 = u16::MAX;
/// What each is worth at the most.
const LIKENESS: f32 = 110.0;
const COVERAGE: f32 = 30.0;
const PROFILE: f32 = 300.0;
const PROFILE_BY_ITSELF: f32 = 90.0;
/// The length of the shortest input, in words.
const SHORTEST: f32 = 4.0;
/// So many words are more than chance.
const FEW: f32 = 6.0;
/// A text up to this long is a message as a whole.
const SHORT: usize = 800;
const LONG: usize = 4096;
const MAX_SAMPLE: usize = 2000;
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
