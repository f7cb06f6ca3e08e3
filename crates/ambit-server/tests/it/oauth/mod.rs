//! The OAuth endpoints, filed by URL.

mod authorize;
mod changes;
mod client_authentication;
mod codes;
mod cors;
mod discovery;
mod doors;
mod endsession;
mod explain;
mod families;
mod introspect;
mod key_sets;
mod lending;
mod logout;
mod model;
mod parameters;
mod redemptions;
mod renewals;
mod revoke;
mod scopes;
mod subjects;
mod token;
mod userinfo;
mod withdrawn;
