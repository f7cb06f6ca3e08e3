//! The knowledge base, entered by its public functions.

mod chain;
mod checks;
mod corpus;
mod embedded;
mod entries;
mod estimates;
mod exchanges;
mod held_out;
mod inputs;
mod matching;
#[path = "../../../ambit-protocol/tests/it/mutation.rs"]
mod mutation;
pub mod properties;
mod redaction;
mod searches;
mod shown;
mod support;
mod variations;
