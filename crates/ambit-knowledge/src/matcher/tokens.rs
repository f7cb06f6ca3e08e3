//! What a text is made of: words, names and their parts, pairs of Chinese characters.
//!
//! A word is in small letters and without the endings that vary. A name is taken whole and in its parts (`invalid_scope` is
//! also *invalid* and *scope*). Chinese is taken in pairs of characters. Numbers and what was drawn by chance are left out,
//! since they are another one every time, and so are hosts.

use std::hash::Hasher as _;

use rustc_hash::FxHasher;

use crate::input::{is_hanzi, is_registered};

/// Calls back with the hash of each word, and whether it looks like a code.
pub(super) fn each_word(text: &str, mut found: impl FnMut(u64, bool)) {
    each_token(text, |token| match token {
        Token::Name(name) => each_part(name, &mut found),
        Token::Pair(pair) => found(pair, false),
    });
}

/// A part of a text.
pub(super) enum Token<'a> {
    /// A word or a name as it stands.
    Name(&'a str),
    /// The hash of two Chinese characters.
    Pair(u64),
}

/// Calls back with each part of a text as it stands.
pub(super) fn each_token<'a>(text: &'a str, mut found: impl FnMut(Token<'a>)) {
    let mut hanzi: Option<char> = None;
    let mut start = None;
    let mut at = 0;
    while let Some(octet) = text.as_bytes().get(at) {
        // Nearly all texts are nearly all ASCII.
        let (c, length) = if octet.is_ascii() {
            (char::from(*octet), 1)
        } else {
            text[at..].chars().next().map_or(('\u{fffd}', 1), |c| (c, c.len_utf8()))
        };
        if is_part(c) {
            start.get_or_insert(at);
            hanzi = None;
            at += length;
            continue;
        }
        // Hosts are another one every time, and the address of a page about an error is no word of it.
        if c == ':' && text[at..].starts_with("://") {
            at += host(&text[at..]);
            start = None;
            continue;
        }
        if let Some(from) = start.take() {
            found(Token::Name(&text[from..at]));
        }
        let next = (!c.is_ascii() && is_hanzi(c)).then_some(c);
        if let (Some(one), Some(two)) = (hanzi, next) {
            found(Token::Pair(hash([one, two].into_iter())));
        }
        hanzi = next;
        at += length;
    }
    if let Some(from) = start {
        found(Token::Name(&text[from..]));
    }
}

/// Whether a character is one of a name.
fn is_part(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() || c == '_' } else { !is_hanzi(c) && c.is_alphanumeric() }
}

/// The length of `://host:port`, and of the path behind it where that leads to a page about an error.
fn host(url: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ',' | ')');
    let whole = url.find(ends).unwrap_or(url.len());
    let path = url[3..whole].find('/').map_or(whole, |at| at + 3);
    if url[path..whole].starts_with("/errors/") { whole } else { path }
}

/// Calls back with what a word or a name counts as.
pub(super) fn each_part(word: &str, found: &mut impl FnMut(u64, bool)) {
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

/// The hash of a name as it stands.
pub(super) fn name(name: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// The hash of a word without its ending: *scopes*, *scope*; *registered*, *register*; *expired*, *expires*.
pub(super) fn stem(word: &str) -> u64 {
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
pub(super) const ALIKE: &[&[&str]] = &[
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
/// What is longer was drawn by chance, or is a sentence that was made one name.
const MAX_WORD: usize = 64;
