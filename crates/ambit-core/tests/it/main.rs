//! The rules, entered by their public functions.

mod consents;
mod corpus;
mod decisions;
mod explanations;
mod grants;
mod invariant;
#[path = "../../../ambit-protocol/tests/it/mutation.rs"]
mod mutation;
pub mod properties;
mod refusals;
mod support;
