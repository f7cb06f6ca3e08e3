//! The server, from outside. Files are named by what they knock at.

mod operations;

mod access;
mod admin_api;
mod contract;
mod oauth;
mod samples;
mod seeds;
mod support;
mod world;
