//! The committed corpus of the fuzz targets, and mutations of it, against the same properties: what the fuzzer found once
//! stays found, on a stable compiler and without the fuzzer.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::Index;

use crate::properties;

type Property = fn(&[u8]);

/// Every parser of this crate, by the name of its fuzz target and of its folder in the corpus.
const TARGETS: &[(&str, Property)] = &[
    ("basic_header", properties::basic_header),
    ("form", properties::form),
    ("jwks", properties::jwks),
    ("jwt", properties::jwt),
    ("origin", properties::origin),
    ("redirect_uri", properties::redirect_uri),
    ("resource", properties::resource),
    ("scope", properties::scope),
    ("traceparent", properties::traceparent),
];

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

#[test]
fn every_committed_input_keeps_the_properties() {
    for (target, property) in TARGETS {
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "fuzz/corpus/{target} is empty");
        for (name, input) in corpus {
            let held = std::panic::catch_unwind(|| property(&input)).is_ok();
            assert!(held, "fuzz/corpus/{target}/{name}");
        }
    }
}

#[test]
fn every_target_has_its_file_and_its_entry() {
    let fuzz = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("fuzz/Cargo.toml");
    for (target, _) in TARGETS {
        let source = fs::read_to_string(fuzz.join(format!("fuzz_targets/{target}.rs"))).expect(target);
        assert!(source.contains(&format!("protocol::{target}(")), "fuzz_targets/{target}.rs calls its property");
        assert!(manifest.contains(&format!("name = \"{target}\"")), "fuzz/Cargo.toml names {target}");
    }
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

#[test]
fn what_mutation_makes_of_the_corpus_keeps_the_properties() {
    for (target, property) in TARGETS {
        let corpus = corpus(target);
        let mutated = (any::<Index>(), prop::collection::vec(mutation(), 1..6)).prop_map(|(start, mutations)| {
            let mut input = start.get(&corpus).1.clone();
            for mutation in &mutations {
                mutation.apply(&mut input, &corpus);
            }
            input
        });
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases: 1000,
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
