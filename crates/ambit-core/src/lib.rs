//! Ambit's rules: tenants, clients, grants and scope governance, and what they ask of storage.
//!
//! Nothing here reads the clock, the environment, randomness or the network: all of that is handed in.

pub mod entropy;
pub mod governance;
pub mod reach;
pub mod store;
pub mod time;
