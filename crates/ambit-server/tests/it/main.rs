//! The server, from outside. Files are named by what they knock at.

mod operations;

mod admin_api;
mod gate;
mod oauth;
mod seeds;
mod support;
