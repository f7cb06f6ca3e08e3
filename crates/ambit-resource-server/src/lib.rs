//! Protects an HTTP API with the access tokens of an authorization server: a tower layer and an axum extractor.
#![warn(missing_docs)]

mod bundles;
mod cache;
mod denial;
pub mod fetch;
mod hooks;
mod identity;
mod issuer;
mod keys;
mod layer;
mod metadata;
pub mod pages;
mod presented;
// Not for others: the authorization server keeps its clients' keys with it.
#[doc(hidden)]
pub mod refresh;
mod require;
mod server;
mod verify;

pub use denial::Denied;
#[doc(hidden)]
pub use hooks::Clock;
pub use hooks::{
    BoxFuture, Bundles, EXPLAIN_TIME, Explain, Good, Implied, Keys, NotGood, Shortfall, Standing, StandingCheck,
    TokenStatus, Withdrawn,
};
pub use identity::{Identity, NotGuarded};
pub use issuer::Issuer;
pub use layer::{Guard, GuardFuture, Guarded};
pub use metadata::WELL_KNOWN_PATH;
pub use require::{Requirement, RequirementError};
pub use server::{ResourceServer, ResourceServerBuilder};
pub use verify::{BuildError, MAX_ISSUERS, TokenVerifier, TokenVerifierBuilder, VerifiedToken, VerifyError};
