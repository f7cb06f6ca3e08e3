//! The server, from outside. Files are named by what they knock at.

mod operations;

mod oauth;
mod support;
