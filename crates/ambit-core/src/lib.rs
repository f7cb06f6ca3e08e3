//! Ambit's rules: tenants, clients, grants and scope governance, and what they ask of storage.
//!
//! Nothing here reads the clock, the environment, randomness or the network: all of that is handed in.

pub mod authentication;
pub mod authorize;
pub mod client;
pub mod client_auth;
pub mod consent;
pub mod cursor;
pub mod entropy;
pub mod governance;
pub mod grants;
pub mod idempotency;
pub mod keys;
pub mod limits;
pub mod opaque_token;
pub mod page;
pub mod passkey;
pub mod password;
pub mod person;
pub mod reach;
pub mod refusal;
pub mod registry;
pub mod second_factor;
pub mod secret;
pub mod sign_in;
pub mod store;
pub mod subject;
pub mod time;
pub mod tokens;
