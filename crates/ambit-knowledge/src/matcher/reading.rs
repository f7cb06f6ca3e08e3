//! How a pattern is read.
//!
//! Nearly all patterns are words, gaps, classes and alternatives, and those are read here in one go. What has anything
//! else, and what is no pattern, is for [`regex_syntax`]: it knows everything there is, says what is wrong and where, and
//! makes a node for every letter, which takes several times as long. Both read the same, as a test has it.

use std::sync::Arc;

use regex_syntax::ParserBuilder;
use regex_syntax::ast::parse::ParserBuilder as AstParserBuilder;
use regex_syntax::ast::{AssertionKind, Ast, RepetitionKind, RepetitionRange};
use regex_syntax::hir::{Class as HirClass, HirKind};
use rustc_hash::FxHashMap;

use super::expression::{Class, ExpressionError, Piece, Times};
use crate::input::fold;

/// What a pattern is made of.
pub(super) fn read(pattern: &str, classes: &mut Classes) -> Result<Box<[Piece]>, ExpressionError> {
    let mut plain = Plain { pattern, at: 0, depth: 0, classes };
    if let Some(parts) = plain.whole() {
        return Ok(parts);
    }
    let read = AstParserBuilder::new().nest_limit(MAX_DEPTH).build().parse(pattern).map_err(Box::new)?;
    pieces(&read, pattern, classes)
}

/// The classes that have been read so far, by how they are written: patterns have few different ones.
#[derive(Debug, Default)]
pub(super) struct Classes(FxHashMap<Box<str>, Arc<Class>>);

impl Classes {
    fn read(&mut self, source: &str, is_ascii: bool) -> Result<Arc<Class>, Box<regex_syntax::Error>> {
        if let Some(known) = self.0.get(source) {
            return Ok(Arc::clone(known));
        }
        let class = Arc::new(class(source, is_ascii)?);
        self.0.insert(source.into(), Arc::clone(&class));
        Ok(class)
    }
}

/// Pieces in a row, neighbouring letters as one literal.
#[derive(Debug, Default)]
struct Sequence {
    pieces: Vec<Piece>,
    literal: String,
}

impl Sequence {
    fn push_letter(&mut self, letter: char) {
        self.literal.push(fold(letter));
    }

    fn push(&mut self, piece: Piece) {
        if let Piece::Literal(literal) = piece {
            self.literal.push_str(&literal);
            return;
        }
        self.end_literal();
        self.pieces.push(piece);
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            self.pieces.push(Piece::Literal(self.literal.as_str().into()));
            self.literal.clear();
        }
    }

    fn into_pieces(mut self) -> Box<[Piece]> {
        self.end_literal();
        self.pieces.into()
    }
}

/// A pattern that is read in one go. What has come to `None` is for the other way of reading.
struct Plain<'a> {
    pattern: &'a str,
    at: usize,
    depth: u32,
    classes: &'a mut Classes,
}

impl Plain<'_> {
    fn whole(&mut self) -> Option<Box<[Piece]>> {
        let parts = self.alternatives()?;
        (self.at == self.pattern.len()).then_some(parts)
    }

    /// Sequences with bars between them, up to the end or a parenthesis.
    fn alternatives(&mut self) -> Option<Box<[Piece]>> {
        let first = self.sequence()?;
        if !self.takes(b'|') {
            return Some(first);
        }
        let mut branches = vec![first, self.sequence()?];
        while self.takes(b'|') {
            branches.push(self.sequence()?);
        }
        Some(Box::new([Piece::OneOf(branches.into())]))
    }

    fn sequence(&mut self) -> Option<Box<[Piece]>> {
        let mut found = Sequence::default();
        while let Some(c) = self.pattern[self.at..].chars().next().filter(|c| !matches!(c, '|' | ')')) {
            let from = self.at;
            self.at += c.len_utf8();
            let atom = match c {
                '.' => Atom::Dot,
                '^' => Atom::Pieces(Box::new([Piece::Look(AssertionKind::StartLine)])),
                '$' => Atom::Pieces(Box::new([Piece::Look(AssertionKind::EndLine)])),
                '(' => Atom::Pieces(self.group()?),
                '[' => self.bracketed(from)?,
                '\\' => self.escaped(from)?,
                '*' | '+' | '?' | '{' => return None,
                c => Atom::Letter(c),
            };
            let times = self.times()?;
            match atom {
                Atom::Letter(c) if times == ONCE => found.push_letter(c),
                Atom::Letter(c) => {
                    let letter = Piece::Literal(fold(c).to_string().into());
                    found.push(Piece::Repeated(Box::new([letter]), times));
                }
                Atom::Pieces(pieces) if times == ONCE => pieces.into_iter().for_each(|piece| found.push(piece)),
                Atom::Pieces(pieces) => found.push(Piece::Repeated(pieces, times)),
                Atom::Dot => found.push(Piece::Gap(times)),
                Atom::Class(class) => found.push(Piece::Class(class, times)),
            }
        }
        Some(found.into_pieces())
    }

    /// What is in parentheses, without names and flags.
    fn group(&mut self) -> Option<Box<[Piece]>> {
        self.depth += 1;
        if self.takes(b'?') && !self.takes(b':') || self.depth > MAX_DEPTH / 2 {
            return None;
        }
        let inner = self.alternatives()?;
        self.depth -= 1;
        self.takes(b')').then_some(inner)
    }

    /// A class in brackets that has no brackets within.
    fn bracketed(&mut self, from: usize) -> Option<Atom> {
        self.takes(b'^');
        let first = self.at;
        loop {
            match self.pattern.as_bytes().get(self.at)? {
                b']' if self.at == first => return None,
                b']' => break,
                b'[' => return None,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let source = self.pattern.get(from..self.at)?;
        self.classes.read(source, source.is_ascii()).ok().map(Atom::Class)
    }

    fn escaped(&mut self, from: usize) -> Option<Atom> {
        let c = *self.pattern.as_bytes().get(self.at)?;
        self.at += 1;
        match c {
            b'<' | b'>' => None,
            c if c.is_ascii_punctuation() => Some(Atom::Letter(char::from(c))),
            b'd' | b'w' | b's' | b'D' | b'W' | b'S' => {
                self.classes.read(&self.pattern[from..self.at], true).ok().map(Atom::Class)
            }
            b'b' if self.next() != Some(b'{') => {
                Some(Atom::Pieces(Box::new([Piece::Look(AssertionKind::WordBoundary)])))
            }
            b'B' => Some(Atom::Pieces(Box::new([Piece::Look(AssertionKind::NotWordBoundary)]))),
            _ => None,
        }
    }

    /// How often what stands before is there: once, if nothing is said. A pattern that would rather have fewer reaches the
    /// same places.
    fn times(&mut self) -> Option<Times> {
        let times = match self.next() {
            Some(b'?') => Times { least: 0, most: 1 },
            Some(b'*') => Times { least: 0, most: u32::MAX },
            Some(b'+') => Times { least: 1, most: u32::MAX },
            Some(b'{') => {
                let length = self.pattern[self.at..].find('}')?;
                let within = &self.pattern[self.at + 1..self.at + length];
                self.at += length;
                let number =
                    |digits: &str| digits.bytes().all(|c| c.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
                match within.split_once(',') {
                    None => Times { least: number(within)?, most: number(within)? },
                    Some((least, "")) => Times { least: number(least)?, most: u32::MAX },
                    Some((least, most)) => Times { least: number(least)?, most: number(most)? },
                }
            }
            _ => return Some(ONCE),
        };
        self.at += 1;
        self.takes(b'?');
        let is_repeated_again = matches!(self.next(), Some(b'?' | b'*' | b'+' | b'{'));
        (times.least <= times.most && times != ONCE && !is_repeated_again).then_some(times)
    }

    fn next(&self) -> Option<u8> {
        self.pattern.as_bytes().get(self.at).copied()
    }

    /// Whether this comes next, which it then no longer does.
    fn takes(&mut self, wanted: u8) -> bool {
        let is_next = self.next() == Some(wanted);
        self.at += usize::from(is_next);
        is_next
    }
}

/// What may be repeated.
enum Atom {
    Letter(char),
    Dot,
    Class(Arc<Class>),
    Pieces(Box<[Piece]>),
}

/// A class as it is written. One that is written in ASCII knows ASCII's letters, and what it excludes are those alone.
fn class(source: &str, is_ascii: bool) -> Result<Class, Box<regex_syntax::Error>> {
    let mut parser = ParserBuilder::new().case_insensitive(true).unicode(!is_ascii).utf8(!is_ascii).build();
    let mut class = Class { ascii: 0, beyond: Box::default() };
    match parser.parse(source).map_err(Box::new)?.kind() {
        HirKind::Class(HirClass::Bytes(bytes)) => {
            for range in bytes.ranges() {
                (range.start()..=range.end().min(127)).for_each(|c| class.ascii |= 1 << c);
                if range.end() > 127 {
                    class.beyond = Box::new([('\u{80}', char::MAX)]);
                }
            }
        }
        HirKind::Class(HirClass::Unicode(characters)) => {
            let mut beyond = Vec::new();
            for range in characters.ranges() {
                (range.start()..=range.end().min('\u{7f}')).for_each(|c| class.ascii |= 1 << u32::from(c));
                if range.end() > '\u{7f}' {
                    beyond.push((range.start().max('\u{80}'), range.end()));
                }
            }
            class.beyond = beyond.into();
        }
        // A class of one character.
        HirKind::Literal(literal) => {
            for c in String::from_utf8_lossy(&literal.0).chars() {
                if c.is_ascii() { class.ascii |= 1 << u32::from(c) } else { class.beyond = Box::new([(c, c)]) }
            }
        }
        // One that has no character.
        _ => {}
    }
    Ok(class)
}

/// What a pattern is made of, neighbouring letters as one literal.
fn pieces(read: &Ast, pattern: &str, classes: &mut Classes) -> Result<Box<[Piece]>, ExpressionError> {
    let mut tree = Tree { pattern, classes, found: Sequence::default() };
    tree.add(read)?;
    Ok(tree.found.into_pieces())
}

struct Tree<'a> {
    pattern: &'a str,
    classes: &'a mut Classes,
    found: Sequence,
}

impl Tree<'_> {
    fn add(&mut self, read: &Ast) -> Result<(), ExpressionError> {
        let piece = match read {
            Ast::Empty(_) | Ast::Flags(_) => return Ok(()),
            Ast::Literal(literal) => {
                self.found.push_letter(literal.c);
                return Ok(());
            }
            Ast::Concat(parts) => return parts.asts.iter().try_for_each(|part| self.add(part)),
            Ast::Group(group) => return self.add(&group.ast),
            Ast::Dot(_) | Ast::ClassUnicode(_) | Ast::ClassPerl(_) | Ast::ClassBracketed(_) => {
                self.characters(read, Times { least: 1, most: 1 })?
            }
            Ast::Assertion(assertion) => Piece::Look(assertion.kind.clone()),
            Ast::Alternation(branches) => {
                let branches = branches.asts.iter().map(|branch| pieces(branch, self.pattern, self.classes));
                Piece::OneOf(branches.collect::<Result<_, _>>()?)
            }
            Ast::Repetition(repetition) => {
                let times = match repetition.op.kind {
                    RepetitionKind::ZeroOrOne => Times { least: 0, most: 1 },
                    RepetitionKind::ZeroOrMore => Times { least: 0, most: u32::MAX },
                    RepetitionKind::OneOrMore => Times { least: 1, most: u32::MAX },
                    RepetitionKind::Range(RepetitionRange::Exactly(times)) => Times { least: times, most: times },
                    RepetitionKind::Range(RepetitionRange::AtLeast(least)) => Times { least, most: u32::MAX },
                    RepetitionKind::Range(RepetitionRange::Bounded(least, most)) => Times { least, most },
                };
                match &*repetition.ast {
                    repeated @ (Ast::Dot(_) | Ast::ClassUnicode(_) | Ast::ClassPerl(_) | Ast::ClassBracketed(_)) => {
                        self.characters(repeated, times)?
                    }
                    repeated => Piece::Repeated(pieces(repeated, self.pattern, self.classes)?, times),
                }
            }
        };
        self.found.push(piece);
        Ok(())
    }

    /// What stands for characters that differ.
    fn characters(&mut self, read: &Ast, times: Times) -> Result<Piece, ExpressionError> {
        if matches!(read, Ast::Dot(_)) {
            return Ok(Piece::Gap(times));
        }
        let span = read.span();
        let source = &self.pattern[span.start.offset..span.end.offset];
        let is_ascii = source.is_ascii() && !matches!(read, Ast::ClassUnicode(_));
        Ok(Piece::Class(self.classes.read(source, is_ascii)?, times))
    }
}

const ONCE: Times = Times { least: 1, most: 1 };
const MAX_DEPTH: u32 = 50;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::corpus::Corpus;

    /// As the other way of reading has it; `None` where it has it that there is nothing to read.
    fn by_tree(pattern: &str) -> Option<Box<[Piece]>> {
        let read = AstParserBuilder::new().nest_limit(MAX_DEPTH).build().parse(pattern).ok()?;
        pieces(&read, pattern, &mut Classes::default()).ok()
    }

    fn in_one_go(pattern: &str) -> Option<Box<[Piece]>> {
        Plain { pattern, at: 0, depth: 0, classes: &mut Classes::default() }.whole()
    }

    #[test]
    fn the_patterns_of_the_entries_are_read_in_one_go_and_as_they_are_meant() {
        let entries = Corpus::embedded().entries();
        let patterns: Vec<_> =
            entries.iter().flat_map(|it| it.matching.patterns.iter().chain(&it.matching.description_pattern)).collect();
        let read = patterns.iter().filter(|pattern| {
            let read = in_one_go(pattern);
            assert!(read.is_none() || read == by_tree(pattern), "{pattern}");
            read.is_some()
        });
        let all = patterns.len();
        assert!(read.count() * 20 >= all * 19, "the other way of reading is for the few");
    }

    #[test]
    fn what_is_no_pattern_is_not_read_in_one_go_either() {
        for pattern in [
            "(", ")", "a)", "(?a", "*", "a|+", "a{", "a{2", "a{3,2}", "[", "[]", "[b-a]", "a**{", r"\", r"\b{x}",
            "(?:a",
        ] {
            assert_eq!(by_tree(pattern), None, "{pattern}");
            assert_eq!(in_one_go(pattern), None, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn both_ways_of_reading_read_the_same(
            pattern in r"(?:[ab.^$|é授 ]|\\[bBdwSA.<{\\]|\(|\(\?:|\(\?i\)|\)|\[\^?[ab\]-]{1,3}\]|[?*+]|\{[0-3]?,?[0-3]?\}){0,12}"
        ) {
            if let Some(read) = in_one_go(&pattern) {
                prop_assert_eq!(Some(read), by_tree(&pattern));
            }
        }
    }
}
