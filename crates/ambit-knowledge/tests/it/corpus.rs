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

/// What alone is near, and not sure, is no answer of several.
#[test]
fn what_nothing_else_is_near_to_is_an_answer_or_none() {
    for parts in 0..64 {
        let text = format!(r#"{{"error":{}"iption":"Code not valid"}}"#, r#""iption":"ror":"#.repeat(parts));
        properties::pasted(text.as_bytes());
    }
}
