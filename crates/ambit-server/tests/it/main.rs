//! The server, from outside. Files are named by what they knock at.

mod operations;

mod admin_api;
mod forge;
mod journal;
mod oauth;
mod seeds;
mod store;
mod support;
