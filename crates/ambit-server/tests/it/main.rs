//! The server, from outside. Files are named by what they knock at.

mod operations;

mod access;
mod admin_api;
mod authenticator;
mod contract;
mod corpus;
mod forge;
mod gate;
mod journal;
#[path = "../../../ambit-protocol/tests/it/mutation.rs"]
mod mutation;
mod oauth;
mod people;
pub mod properties;
mod samples;
mod seeds;
mod store;
mod support;
mod web;
mod world;
