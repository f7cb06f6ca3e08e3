//! Protects an HTTP API with the access tokens of an authorization server: a tower layer and an axum extractor.
#![warn(missing_docs)]

mod bundles;
mod cache;
mod carried;
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
mod refresh;
mod require;
mod server;
mod verify;

pub use carried::Carried;
pub use denial::{Denied, Holder};
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
