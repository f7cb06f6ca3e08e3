//! The admin API, filed by URL.

mod applications;
