//! Tests of the crate from outside, in one binary.

mod corpus;
pub mod properties;
