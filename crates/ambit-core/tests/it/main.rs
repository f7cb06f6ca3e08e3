//! The rules, entered by their public functions.

mod decisions;
mod explanations;
mod invariant;
mod refusals;
mod support;
