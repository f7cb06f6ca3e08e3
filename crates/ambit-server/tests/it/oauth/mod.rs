//! The OAuth endpoints, filed by URL.

mod token;
