//! The server: carries things between types, rules and store, and does nothing else.

pub mod admin_api;
pub mod body;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod explain;
pub mod first_start;
pub mod health;
pub mod issuer;
pub mod jobs;
pub mod journal;
pub mod limits;
pub mod listener;
mod logout;
pub mod logs;
pub mod mail;
pub mod metrics;
pub mod middleware;
pub mod oauth;
pub mod openapi;
#[cfg(feature = "otel")]
pub mod otel;
pub mod outbound;
pub mod passkeys;
pub mod passwords;
pub mod problem;
pub mod registry;
pub mod revocations;
pub mod routes;
pub mod server;
pub mod session;
pub mod state;
pub mod trace;
pub mod verifier;
pub mod web;
