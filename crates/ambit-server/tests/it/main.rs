//! The server, from outside. Files are named by what they knock at.

mod operations;

mod admin_api;
mod corpus;
#[path = "../../../ambit-protocol/tests/it/mutation.rs"]
mod mutation;
mod oauth;
pub mod properties;
mod seeds;
mod support;
