//! Ambit's rules: tenants, clients, grants and scope governance, and what they ask of storage.
//!
//! Nothing here reads the clock, the environment, randomness or the network: all of that is handed in.

pub mod client;
pub mod client_auth;
pub mod cursor;
pub mod entropy;
pub mod governance;
pub mod grants;
pub mod idempotency;
pub mod keys;
pub mod limits;
pub mod page;
pub mod reach;
pub mod refusal;
pub mod registry;
pub mod secret;
pub mod store;
pub mod time;
pub mod tokens;
