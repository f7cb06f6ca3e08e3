//! The words of the protocol: types, grammar, errors. No I/O, no clock.
//!
//! Bytes become types here, once, at the door; everyone who speaks to the server from outside shares these types and
//! nothing else of ours.

pub mod address;
pub mod admin;
pub mod authorization;
pub mod authorization_request;
pub mod catalogue;
pub mod challenge;
pub mod claims;
pub mod client;
pub mod decision;
pub mod error;
pub mod explain;
pub mod id;
pub mod introspection;
pub mod jose;
pub mod metadata;
pub mod object;
pub mod origin;
pub mod outbound_uri;
pub mod params;
pub mod pkce;
pub mod problem;
pub mod redirect_uri;
pub mod resource;
pub mod revocation;
pub mod scope;
pub mod sector;
pub mod time;
pub mod token;
pub mod trace;
mod uri;
pub mod verify;
