//! The OAuth endpoints, filed by URL.

mod client_authentication;
mod discovery;
mod doors;
mod explain;
mod introspect;
mod key_sets;
mod model;
mod parameters;
mod revoke;
mod scopes;
mod token;
