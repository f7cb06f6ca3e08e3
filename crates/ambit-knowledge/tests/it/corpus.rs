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
    assert_mutations_keep(&TARGETS[..1], 500);
}

#[test]
fn what_mutation_makes_of_entries_keeps_the_properties() {
    assert_mutations_keep(&TARGETS[1..], 500);
}
