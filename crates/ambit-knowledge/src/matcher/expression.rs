//! One pattern, ready to be tried.
//!
//! A pattern of a message is made of fixed words with gaps of limited length between them, a few of the words with
//! alternatives. It is read once, when the index is made, and tried as it has been read: with the *places* of a text that
//! have been reached so far, at first all of them, each part of the pattern in its turn says which places are reached
//! next. That takes time in proportion to the pattern and the text, needs nothing compiled, and most patterns end at their
//! first word.
//!
//! Before that, the places where it may begin are those of its first literal; and nothing is tried in a text that cannot have
//! its literals ([`Pairs`]).
//!
//! What is searched is in small letters and without line breaks ([`crate::input::Flat`]). So case and lines mean nothing
//! here, and neither do the flags about them; letters, digits and word boundaries are ASCII's, as Chinese has no spaces
//! around its words.

use std::ops::Range;
use std::sync::Arc;

use memchr::memchr;
use regex_syntax::ast::AssertionKind;

use super::reading::{self, Classes};

/// A pattern as it is meant: without regard to case, linear in time, limited in size.
#[derive(Debug)]
pub(crate) struct Expression {
    parts: Box<[Piece]>,
}

/// A part of a pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// In small letters.
    Literal(Box<str>),
    /// So many characters, whatever they are.
    Gap(Times),
    /// So many characters of a class.
    Class(Arc<Class>, Times),
    OneOf(Box<[Box<[Self]>]>),
    Repeated(Box<[Self]>, Times),
    Look(AssertionKind),
}

/// How often at least, and at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) least: u32,
    pub(super) most: u32,
}

/// The characters that one place may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// A bit for each of ASCII.
    pub(super) ascii: u128,
    /// The others, sorted.
    pub(super) beyond: Box<[(char, char)]>,
}

/// Why a pattern is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExpressionError {
    #[error(transparent)]
    Form(#[from] Box<regex_syntax::ast::Error>),
    #[error(transparent)]
    Class(#[from] Box<regex_syntax::Error>),
    #[error("its repetitions within repetitions are more than {MAX_WORK} steps")]
    Size,
}

impl Expression {
    pub(crate) fn new(pattern: &str) -> Result<Self, ExpressionError> {
        Self::with_classes(pattern, &mut Classes::default())
    }

    /// The same where other patterns have been read before.
    pub(super) fn with_classes(pattern: &str, classes: &mut Classes) -> Result<Self, ExpressionError> {
        let parts = reading::read(pattern, classes)?;
        if work(&parts) > MAX_WORK {
            return Err(ExpressionError::Size);
        }
        Ok(Self { parts })
    }

    pub(super) fn parts(&self) -> &[Piece] {
        &self.parts
    }

    /// The first place where it matches, in a text in small letters; the longest match that begins there.
    pub(crate) fn find(&self, text: &str, pairs: &Pairs) -> Option<Range<usize>> {
        if !may_match(&self.parts, pairs) {
            return None;
        }
        let reached = |from: &[Span]| reached(&self.parts, text, pairs, from.to_vec());
        let mut from = beginnings(&self.parts, text, pairs);
        if reached(&from).is_empty() {
            return None;
        }
        // Of all beginnings the first one: in the first half of them, or else in the second.
        while let Some((first, second)) = halves(text, &from) {
            from = if reached(&first).is_empty() { second } else { first };
        }
        reached(&from).last().map(|span| from[0].first..span.last)
    }
}

/// Which two octets stand next to each other in a text: a bit for each two that there are. What has others is not in it, and
/// mostly that is all there is to see.
#[derive(Debug)]
pub(crate) struct Pairs(Box<[u64]>);

impl Pairs {
    pub(crate) fn of(text: &str) -> Self {
        let mut pairs = vec![0_u64; 1 << 10].into_boxed_slice();
        for pair in text.as_bytes().windows(2) {
            let (word, bit) = Self::place(pair);
            pairs[word] |= bit;
        }
        Self(pairs)
    }

    fn may_have(&self, literal: &str) -> bool {
        literal.as_bytes().windows(2).all(|pair| {
            let (word, bit) = Self::place(pair);
            self.0[word] & bit != 0
        })
    }

    fn place(pair: &[u8]) -> (usize, u64) {
        let number = usize::from(pair[0]) << 8 | usize::from(pair[1]);
        (number / 64, 1 << (number % 64))
    }
}

/// Places from one to another, all those between two characters among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    first: usize,
    last: usize,
}

/// Whether a text with these pairs may have the literals of a sequence.
fn may_match(parts: &[Piece], pairs: &Pairs) -> bool {
    parts.iter().all(|part| match part {
        Piece::Literal(literal) => pairs.may_have(literal),
        Piece::OneOf(branches) => branches.iter().any(|branch| may_match(branch, pairs)),
        Piece::Repeated(parts, times) => times.least == 0 || may_match(parts, pairs),
        Piece::Gap(_) | Piece::Class(..) | Piece::Look(_) => true,
    })
}

/// Where a sequence may begin: where its first literal does, and everywhere if it begins with none.
fn beginnings(parts: &[Piece], text: &str, pairs: &Pairs) -> Vec<Span> {
    let everywhere = || vec![Span { first: 0, last: text.len() }];
    match parts {
        [Piece::Literal(literal), ..] => {
            let ends = after_literal(literal, text, &everywhere());
            let begins = |end: Span| Span { first: end.first - literal.len(), last: end.last - literal.len() };
            ends.into_iter().map(begins).collect()
        }
        [Piece::Look(kind), rest @ ..] => after_look(kind, text, &beginnings(rest, text, pairs)),
        [Piece::OneOf(branches), ..] => {
            let branches = branches.iter().filter(|branch| may_match(branch, pairs));
            joined(branches.flat_map(|branch| beginnings(branch, text, pairs)).collect())
        }
        _ => everywhere(),
    }
}

/// The first half of some places, and the second; `None` where there is but one.
fn halves(text: &str, places: &[Span]) -> Option<(Vec<Span>, Vec<Span>)> {
    if let [only] = places {
        let middle = floor(text, only.first.midpoint(only.last));
        let halves = (Span { last: middle, ..*only }, Span { first: next(text, middle), ..*only });
        return (only.first < only.last).then(|| (vec![halves.0], vec![halves.1]));
    }
    let (first, second) = places.split_at(places.len() / 2);
    Some((first.to_vec(), second.to_vec()))
}

/// Where a sequence ends that begins at any of some places. Spans are sorted, and no two of them touch.
fn reached(parts: &[Piece], text: &str, pairs: &Pairs, from: Vec<Span>) -> Vec<Span> {
    let mut places = from;
    for part in parts {
        if places.is_empty() {
            break;
        }
        places = match part {
            Piece::Literal(literal) => after_literal(literal, text, &places),
            Piece::Gap(times) => after_gap(*times, text, &places),
            Piece::Class(class, times) => after_class(class, *times, text, &places),
            Piece::OneOf(branches) => {
                let branches = branches.iter().filter(|branch| may_match(branch, pairs));
                joined(branches.flat_map(|branch| reached(branch, text, pairs, places.clone())).collect())
            }
            Piece::Repeated(parts, times) => after_repeated(parts, *times, text, pairs, places),
            Piece::Look(kind) => after_look(kind, text, &places),
        };
    }
    places
}

fn after_literal(literal: &str, text: &str, places: &[Span]) -> Vec<Span> {
    let (text, literal) = (text.as_bytes(), literal.as_bytes());
    let mut found = Vec::new();
    let Some((&initial, rest)) = literal.split_first() else { return places.to_vec() };
    for span in places {
        let (mut at, end) = (span.first, text.len().min(span.last + 1));
        while at < end
            && let Some(skipped) = memchr(initial, &text[at..end])
        {
            at += skipped + 1;
            if text[at..].starts_with(rest) {
                let to = at + rest.len();
                push(&mut found, Span { first: to, last: to });
            }
        }
    }
    found
}

fn after_gap(times: Times, text: &str, places: &[Span]) -> Vec<Span> {
    let mut found = Vec::new();
    for span in places {
        if let Some(first) = further(text, span.first, times.least) {
            let last = further(text, span.last, times.most).unwrap_or(text.len());
            push(&mut found, Span { first, last });
        }
    }
    found
}

fn after_class(class: &Class, times: Times, text: &str, places: &[Span]) -> Vec<Span> {
    let mut found = Vec::new();
    // The end of the last run of such characters, so that each of them is looked at once.
    let mut run_end = 0;
    for span in places {
        let mut at = span.first;
        while at <= span.last {
            if at >= run_end {
                run_end = at + text[at..].find(|c| !class.has(c)).unwrap_or(text.len() - at);
            }
            let enough = nearer(text, run_end, at, times.least);
            if let Some(enough) = enough
                && let Some(first) = further(text, at, times.least)
            {
                let last = further(text, span.last.min(enough), times.most).map_or(run_end, |last| last.min(run_end));
                push(&mut found, Span { first, last });
            }
            if run_end >= text.len() {
                break;
            }
            at = next(text, run_end);
        }
    }
    found
}

fn after_repeated(parts: &[Piece], times: Times, text: &str, pairs: &Pairs, places: Vec<Span>) -> Vec<Span> {
    let mut places = places;
    for _ in 0..times.least {
        places = reached(parts, text, pairs, places);
    }
    for _ in times.least..times.most {
        let more = reached(parts, text, pairs, places.clone());
        let all = joined(places.iter().copied().chain(more).collect());
        if all == places {
            break;
        }
        places = all;
    }
    places
}

fn after_look(kind: &AssertionKind, text: &str, places: &[Span]) -> Vec<Span> {
    let is_word = |c: Option<&u8>| c.is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'_');
    let holds = |at: usize| {
        let (before, after) = (is_word(text.as_bytes()[..at].last()), is_word(text.as_bytes().get(at)));
        match kind {
            AssertionKind::StartLine | AssertionKind::StartText => at == 0,
            AssertionKind::EndLine | AssertionKind::EndText => at == text.len(),
            AssertionKind::WordBoundary => before != after,
            AssertionKind::NotWordBoundary => before == after,
            AssertionKind::WordBoundaryStart | AssertionKind::WordBoundaryStartAngle => !before && after,
            AssertionKind::WordBoundaryEnd | AssertionKind::WordBoundaryEndAngle => before && !after,
            AssertionKind::WordBoundaryStartHalf => !before,
            AssertionKind::WordBoundaryEndHalf => !after,
        }
    };
    let mut found = Vec::new();
    for span in places {
        let held = (span.first..=span.last).filter(|at| text.is_char_boundary(*at) && holds(*at));
        held.for_each(|at| push(&mut found, Span { first: at, last: at }));
    }
    found
}

/// Adds a span that begins no earlier than those before it.
fn push(found: &mut Vec<Span>, span: Span) {
    match found.last_mut() {
        Some(known) if span.first <= known.last + 1 => known.last = known.last.max(span.last),
        _ => found.push(span),
    }
}

fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable_by_key(|span| span.first);
    let mut all = Vec::with_capacity(spans.len());
    for span in spans {
        push(&mut all, span);
    }
    all
}

/// The place so many characters after another one; `None` where the text ends before.
fn further(text: &str, at: usize, characters: u32) -> Option<usize> {
    let octets = usize::try_from(characters).unwrap_or(usize::MAX);
    let end = at.saturating_add(octets);
    if end <= text.len() && text.as_bytes()[at..end].is_ascii() {
        return Some(end);
    }
    let mut places = text[at..].char_indices().map(|(place, _)| at + place).chain([text.len()]);
    places.nth(octets)
}

/// The place so many characters before another one; `None` where that is before a limit.
fn nearer(text: &str, at: usize, limit: usize, characters: u32) -> Option<usize> {
    let octets = usize::try_from(characters).unwrap_or(usize::MAX);
    let mut places = [at].into_iter().chain(text[limit..at].char_indices().rev().map(|(place, _)| limit + place));
    places.nth(octets)
}

/// The next place between two characters.
fn next(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(1, char::len_utf8)
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl Class {
    fn has(&self, c: char) -> bool {
        if c.is_ascii() {
            return self.ascii >> u32::from(c) & 1 == 1;
        }
        let after = self.beyond.partition_point(|(first, _)| *first <= c);
        after > 0 && c <= self.beyond[after - 1].1
    }
}

/// How many steps a sequence takes at most, each of which may go through the whole text.
fn work(parts: &[Piece]) -> u32 {
    let of = |part: &Piece| match part {
        Piece::Literal(_) | Piece::Gap(_) | Piece::Class(..) | Piece::Look(_) => 1,
        Piece::OneOf(branches) => branches.iter().fold(1, |sum: u32, branch| sum.saturating_add(work(branch))),
        Piece::Repeated(parts, times) => work(parts).max(1).saturating_mul(times.most.min(UNBOUNDED)),
    };
    parts.iter().map(of).fold(0, u32::saturating_add)
}

const MAX_WORK: u32 = 20_000;
/// What a repetition without an end counts for: more than most texts have of anything, and two of them, one in the other,
/// are too many.
const UNBOUNDED: u32 = 4_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_what_a_regular_expression_finds() {
        const PATTERNS: [&str; 16] = [
            "scope .{1,8} not (?:registered|allowed)",
            r"\bstate(?: parameter| value)?[^.{}]{0,30}(?:mismatch|n.t match)",
            r#"["'\\]{1,2}\w{2,20}["'\\]{1,2} claim\b"#,
            "/[a-z_]{2,40}(/[a-z_0-9]{1,40}){0,4} is",
            "(?:ab|a)*c",
            "a{2,3}b?",
            "授权码.{0,6}(?:已经|已)?(?:过期|失效)",
            "[：:] ?令牌",
            r"\S{1,5} is \d{3}$",
            "^x|y$",
            r"\Bb",
            "[^a-z]{2}z",
            ".{3}é",
            "(?:a?){3}b",
            r"(?i)(?:it.{0,4}){2,3}",
            "(?:)x{0}y",
        ];
        const TEXTS: [&str; 16] = [
            "the scope 'pos' not registered, scope 'a' not allowed",
            "scope 管理员管理 not registered",
            "state value isn't match, restate mismatch state: mismatch",
            r#"missing required "sub" claim or \'aud\' claims"#,
            "/pos/a/b/c/d is, /pos is",
            "aabababc abac c",
            "aaaab aab ab",
            "错误：授权码 已经过期了，授权码已失效",
            "无效: 令牌 ：令牌",
            "这 is 404",
            "x and y",
            "b bb abb",
            "管理z  z",
            "cafés éééé",
            "aaab b",
            "it is it, it was it",
        ];
        for pattern in PATTERNS {
            // As it is meant: ASCII's words and classes, and yet whole characters.
            let meant = pattern.replace(r"\b", r"(?-u:\b)").replace(r"\B", r"(?-u:\B)").replace(r"\w", "[0-9A-Za-z_]");
            let oracle = regex::RegexBuilder::new(&meant).case_insensitive(true).build().expect(pattern);
            let expression = Expression::new(pattern).expect(pattern);
            for text in TEXTS {
                let (found, expected) = (expression.find(text, &Pairs::of(text)), oracle.find(text));
                assert_eq!(found.map(|it| it.start), expected.map(|it| it.start()), "{pattern} in {text}");
            }
        }
    }

    #[test]
    fn what_a_text_cannot_have_is_seen_by_its_pairs() {
        let pairs = Pairs::of("the 授权码 has expired");
        let may_match = |pattern: &str| may_match(Expression::new(pattern).expect(pattern).parts(), &pairs);
        assert!(may_match("授权码.{0,9}(?:failed|expired)"));
        assert!(may_match("(?:not )?expired.{0,9}"));
        assert!(may_match("a"), "a letter is no pair");
        assert!(!may_match("授权码.{0,9}(?:failed|rejected)"));
        assert!(!may_match("(?:not )+expired"));
    }

    #[test]
    fn the_longest_match_of_the_first_place_is_what_is_found() {
        let found = |pattern: &str, text: &str| Expression::new(pattern).expect(pattern).find(text, &Pairs::of(text));
        assert_eq!(found("a.{0,4}c", "xabcbcbcbc"), Some(1..6));
        assert_eq!(found("(?:a|ab)", "ab"), Some(0..2));
        assert_eq!(found("码.?过", "授权码已过期"), Some(6..15));
        assert_eq!(found("", ""), Some(0..0));
        assert_eq!(found("[^a]", "a"), None);
    }

    #[test]
    fn repetitions_within_repetitions_are_refused_and_so_is_what_nobody_can_read() {
        assert!(matches!(Expression::new("(?:(?:ab){1,200}){1,200}"), Err(ExpressionError::Size)));
        assert!(matches!(Expression::new("(?:(?:ab)+)+"), Err(ExpressionError::Size)));
        assert!(Expression::new("(?:ab){1,200}").is_ok());
        assert!(matches!(Expression::new("scope ("), Err(ExpressionError::Form(_))));
        assert!(matches!(Expression::new("[z-a]"), Err(ExpressionError::Form(_) | ExpressionError::Class(_))));
        assert!(Expression::new(&"(".repeat(1000)).is_err());
    }
}
