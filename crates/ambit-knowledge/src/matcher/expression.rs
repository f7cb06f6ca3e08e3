//! One pattern, ready to be tried.
//!
//! Most patterns are tried on a handful of texts in the life of a process, and on each of them only because all of their
//! literals are there. So what counts is how fast an expression is made, not how fast it is: it is an NFA and nothing
//! else, which takes a fiftieth of the time that all of `regex`'s engines together take.

use std::ops::Range;

use memchr::memmem;
use regex_automata::nfa::thompson::backtrack::{self, BoundedBacktracker};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_automata::{Anchored, Input};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::{Extractor, Literal};

/// A pattern as it is meant: without regard to case, linear in time, limited in size. One that is all ASCII knows ASCII's
/// classes alone.
#[derive(Debug)]
pub(crate) struct Expression {
    /// Fast, for texts that are not long.
    engine: BoundedBacktracker,
    /// What a match may begin with, in small letters; none where that may be anything.
    prefixes: Box<[Vec<u8>]>,
    /// The most octets that a match has.
    longest: usize,
}

/// Why a pattern is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExpressionError {
    #[error(transparent)]
    Syntax(#[from] Box<regex_syntax::Error>),
    #[error(transparent)]
    Size(#[from] Box<regex_automata::nfa::thompson::BuildError>),
}

impl Expression {
    pub(crate) fn new(pattern: &str) -> Result<Self, ExpressionError> {
        let is_ascii = pattern.is_ascii();
        let hir = ParserBuilder::new()
            .case_insensitive(true)
            .unicode(!is_ascii)
            .utf8(!is_ascii)
            .build()
            .parse(pattern)
            .map_err(Box::new)?;
        let limit = if is_ascii { MAX_SIZE } else { 4 * MAX_SIZE };
        // Whether there is a match and where it is: what groups hold is of no interest.
        let config = Config::new().utf8(!is_ascii).nfa_size_limit(Some(limit)).which_captures(WhichCaptures::Implicit);
        let nfa: NFA = Compiler::new().configure(config).build_from_hir(&hir).map_err(Box::new)?;
        let engine = BoundedBacktracker::builder()
            .configure(backtrack::Config::new().visited_capacity(VISITED))
            .build_from_nfa(nfa)
            .map_err(Box::new)?;
        let prefixes = prefixes(pattern, is_ascii)?.into_boxed_slice();
        Ok(Self { engine, prefixes, longest: hir.properties().maximum_len().unwrap_or(usize::MAX) })
    }

    /// The first place where it matches, in a text in small letters.
    pub(crate) fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        let mut cache = self.engine.create_cache();
        if self.prefixes.is_empty() {
            return self.find_in(&mut cache, Input::new(text));
        }
        // Where it may begin is soon found, and beginning there it has not far to go.
        let mut starts: Vec<usize> = self.prefixes.iter().flat_map(|prefix| memmem::find_iter(text, prefix)).collect();
        starts.sort_unstable();
        starts.dedup();
        if starts.len() > MAX_STARTS {
            return self.find_in(&mut cache, Input::new(text));
        }
        starts.into_iter().find_map(|at| {
            let end = at.saturating_add(self.longest).min(text.len());
            self.find_in(&mut cache, Input::new(text).range(at..end).anchored(Anchored::Yes))
        })
    }

    fn find_in(&self, cache: &mut backtrack::Cache, input: Input<'_>) -> Option<Range<usize>> {
        let found = self.engine.try_find(cache, input.clone()).or_else(|_| {
            // The text is long and the expression large. This engine is slower, and as linear.
            let engine = PikeVM::new_from_nfa(self.engine.get_nfa().clone()).map_err(drop)?;
            Ok::<_, ()>(engine.find(&mut engine.create_cache(), input))
        });
        // An NFA that one engine takes is taken by the other.
        found.ok().flatten().map(|found| found.range())
    }

    /// In octets.
    pub(crate) fn size(&self) -> usize {
        self.engine.get_nfa().memory_usage()
    }
}

/// What a match of a pattern may begin with; nothing where that may be anything.
fn prefixes(pattern: &str, is_ascii: bool) -> Result<Vec<Vec<u8>>, Box<regex_syntax::Error>> {
    let hir = ParserBuilder::new().unicode(!is_ascii).utf8(!is_ascii).build().parse(pattern).map_err(Box::new)?;
    let literals = Extractor::new().extract(&hir);
    // A long one is cut, and not always between two characters.
    let whole = |octets: &'_ [u8]| octets.utf8_chunks().next().map_or_else(String::new, |it| it.valid().to_lowercase());
    let small = |literal: &Literal| whole(literal.as_bytes()).into_bytes();
    let prefixes: Vec<Vec<u8>> = literals.literals().unwrap_or_default().iter().map(small).collect();
    Ok(if prefixes.iter().all(|prefix| prefix.len() >= MIN_PREFIX) { prefixes } else { vec![] })
}

/// A shorter one stands nearly everywhere.
const MIN_PREFIX: usize = 2;
/// Each start may lead as far as the longest match. Where there are more of them, one search for all, which looks at no place twice.
const MAX_STARTS: usize = 16;
/// The size of one, in octets; of those that are not ASCII, a quarter.
const MAX_SIZE: usize = 256 * 1024;
/// What the engine remembers of a text, in octets.
const VISITED: usize = 128 * 1024;
