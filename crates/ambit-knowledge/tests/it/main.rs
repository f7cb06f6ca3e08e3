//! The knowledge base, entered by its public functions.

mod entries;
mod inputs;
mod matching;
mod redaction;
