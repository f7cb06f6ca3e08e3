//! The committed corpus of the fuzz targets, and mutations of it, against the same properties.

use crate::mutation::{Property, assert_corpus_keeps, assert_mutations_keep, assert_targets_exist};
use crate::properties;

/// Everything that is fed by strangers, by the name of its fuzz target and of its folder in the corpus.
const TARGETS: &[(&str, Property)] = &[("pasted", properties::pasted), ("entry", properties::entry)];

#[test]
fn every_committed_input_keeps_the_properties() {
    assert_corpus_keeps(TARGETS);
}

#[test]
fn every_target_has_its_file_and_its_entry() {
    assert_targets_exist("knowledge", TARGETS);
}

#[test]
fn what_mutation_makes_of_pasted_texts_keeps_the_properties() {
    with_room(|| assert_mutations_keep(&TARGETS[..1], 500));
}

#[test]
fn what_mutation_makes_of_entries_keeps_the_properties() {
    with_room(|| assert_mutations_keep(&TARGETS[1..], 500));
}

/// Frames of a debug build are many times those of a release build, and a test's thread has a quarter of a program's stack.
fn with_room(test: fn()) {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(test).expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

const STACK: usize = 32 << 20;
