//! Pages for people and what programs read beside them, filed by URL.

mod api;
mod docs;
mod errors;
