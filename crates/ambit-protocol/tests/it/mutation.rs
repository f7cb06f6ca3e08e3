//! The committed corpus of the fuzz targets, and what mutation makes of it: shared by the crates whose parsers are fuzzed.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::Index;

/// What holds whatever it is fed; it panics when it does not.
pub(crate) type Property = fn(&[u8]);

/// Every committed input of every target keeps its property.
pub(crate) fn assert_corpus_keeps(targets: &[(&'static str, Property)]) {
    for (target, property) in targets {
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "fuzz/corpus/{target} is empty");
        for (name, input) in corpus {
            let held = std::panic::catch_unwind(|| property(&input)).is_ok();
            assert!(held, "fuzz/corpus/{target}/{name}");
        }
    }
}

/// Every target is a file in `fuzz/` that calls its property, and an entry in the manifest there.
pub(crate) fn assert_targets_exist(module: &str, targets: &[(&'static str, Property)]) {
    let fuzz = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("fuzz/Cargo.toml");
    for (target, _) in targets {
        let source = fs::read_to_string(fuzz.join(format!("fuzz_targets/{target}.rs"))).expect(target);
        assert!(source.contains(&format!("{module}::{target}(")), "fuzz_targets/{target}.rs calls its property");
        assert!(manifest.contains(&format!("name = \"{target}\"")), "fuzz/Cargo.toml names {target}");
    }
}

/// So many mutations of the corpus of every target keep its property.
pub(crate) fn assert_mutations_keep(targets: &[(&'static str, Property)], cases: u32) {
    for (target, property) in targets {
        let corpus = corpus(target);
        let mutated = (any::<Index>(), prop::collection::vec(mutation(), 1..6)).prop_map(|(start, mutations)| {
            let mut input = start.get(&corpus).1.clone();
            for mutation in &mutations {
                mutation.apply(&mut input, &corpus);
            }
            input
        });
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases,
            failure_persistence: None,
            test_name: Some(target),
            ..ProptestConfig::default()
        });
        runner
            .run(&mutated, |input| {
                property(&input);
                Ok(())
            })
            .unwrap_or_else(|failure| panic!("{target}: {failure}"));
    }
}

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut corpus: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.expect("a readable folder"))
        .map(|entry| {
            (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a readable file"))
        })
        .collect();
    corpus.sort();
    corpus
}

/// One change to an input, as fuzzers make them.
#[derive(Debug, Clone)]
enum Mutation {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Delete(Index, Index),
    Repeat(Index, Index, usize),
    Splice(Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    // Octets that mean something to one of the grammars come up more often than the rest.
    let octet = prop_oneof![
        any::<u8>(),
        prop::sample::select(b"%&=+:./?#@\\\"'[]{},-_ ~*;\0\t\r\n\x7f\x80\xff0aAzZ".to_vec()),
    ];
    prop_oneof![
        (any::<Index>(), octet.clone()).prop_map(|(at, to)| Mutation::Flip(at, to)),
        (any::<Index>(), prop::collection::vec(octet, 1..5)).prop_map(|(at, what)| Mutation::Insert(at, what)),
        any::<(Index, Index)>().prop_map(|(from, to)| Mutation::Delete(from, to)),
        (any::<Index>(), any::<Index>(), 1..50usize).prop_map(|(from, to, times)| Mutation::Repeat(from, to, times)),
        any::<(Index, Index)>().prop_map(|(other, at)| Mutation::Splice(other, at)),
    ]
}

impl Mutation {
    fn apply(&self, input: &mut Vec<u8>, corpus: &[(String, Vec<u8>)]) {
        let end = input.len() + 1;
        let span = |from: &Index, to: &Index| {
            let (from, to) = (from.index(end), to.index(end));
            from.min(to)..from.max(to)
        };
        match self {
            Self::Flip(_, _) if input.is_empty() => {}
            Self::Flip(at, to) => {
                let at = at.index(input.len());
                input[at] = *to;
            }
            Self::Insert(at, what) => {
                let at = at.index(end);
                input.splice(at..at, what.iter().copied());
            }
            Self::Delete(from, to) => drop(input.drain(span(from, to))),
            Self::Repeat(from, to, times) => {
                let span = span(from, to);
                let repeated = input[span.clone()].repeat(*times);
                input.splice(span.end..span.end, repeated);
            }
            Self::Splice(other, at) => {
                let (_, other) = other.get(corpus);
                input.truncate(at.index(end));
                input.extend_from_slice(other);
            }
        }
    }
}
