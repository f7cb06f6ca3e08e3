//! The committed corpus of the fuzz targets, and mutations of it, against the same properties: what the fuzzer found once
//! stays found, on a stable compiler and without the fuzzer.

use crate::mutation::{Property, assert_corpus_keeps, assert_mutations_keep, assert_targets_exist};
use crate::properties;

/// Every parser of this crate, by the name of its fuzz target and of its folder in the corpus.
const TARGETS: &[(&str, Property)] = &[
    ("admin_bodies", properties::admin_bodies),
    ("basic_header", properties::basic_header),
    ("explain_question", properties::explain_question),
    ("form", properties::form),
    ("jwks", properties::jwks),
    ("jwt", properties::jwt),
    ("origin", properties::origin),
    ("redirect_uri", properties::redirect_uri),
    ("resource", properties::resource),
    ("scope", properties::scope),
    ("traceparent", properties::traceparent),
];

#[test]
fn every_committed_input_keeps_the_properties() {
    assert_corpus_keeps(TARGETS);
}

#[test]
fn every_target_has_its_file_and_its_entry() {
    assert_targets_exist("protocol", TARGETS);
}

#[test]
fn what_mutation_makes_of_the_corpus_keeps_the_properties() {
    assert_mutations_keep(TARGETS, 1000);
}
