//! Tests of the crate from outside, in one binary.

mod access_tokens;
mod assertions;
mod corpus;
mod forge;
mod key_sets;
mod mutation;
mod oracle;
pub mod properties;
