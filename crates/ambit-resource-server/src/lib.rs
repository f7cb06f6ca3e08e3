//! Protects an HTTP API with the access tokens (RFC 9068) of an authorization server: a tower layer and an axum extractor.
//!
//! ```
//! use ambit_resource_server::{Identity, ResourceServer};
//! use axum::Router;
//! use axum::routing::{get, post};
//!
//! # fn main() -> Result<(), ambit_resource_server::BuildError> {
//! // Whose tokens are accepted, and what this API is called in their `aud`.
//! let api = ResourceServer::builder("https://as.example", "https://api.example/pos").build()?;
//!
//! let routes: Router = Router::new()
//!     .route("/baskets", post(create).route_layer(api.require("pos:baskets:create")))
//!     .route("/baskets/{id}", get(show).route_layer(api.require("pos:baskets:read")))
//!     .merge(api.metadata_route());
//!
//! async fn create(identity: Identity) -> String {
//!     format!("made by {} of {:?}", identity.client_id(), identity.tenant_slug())
//! }
//!
//! async fn show() -> &'static str {
//!     "one basket"
//! }
//! # drop(routes);
//! # Ok(())
//! # }
//! ```
//!
//! `examples/pos_api.rs` is a whole API. What a request meets, step by step, is on the page of [`Guard`].
//!
//! # What a client reads
//!
//! Each refusal is a problem (RFC 9457) with a `trace_id`, and a challenge (RFC 6750 §3) where another token would help:
//!
//! | status | `error` | when | page |
//! | --- | --- | --- | --- |
//! | 401 | none | no token, or another scheme than `Bearer` | [`MISSING_TOKEN`](pages::MISSING_TOKEN) |
//! | 400 | `invalid_request` | two headers, or a token in header and URL | [`INVALID_AUTHORIZATION`](pages::INVALID_AUTHORIZATION) |
//! | 401 | `invalid_token` | malformed, forged, expired, revoked, bound to a key, of another issuer, for another API | [`INVALID_TOKEN`](pages::INVALID_TOKEN) |
//! | 403 | `insufficient_scope` | good, and holds too little: `required`, `presented`, and `why` where an [`Explain`] says so | [`INSUFFICIENT_SCOPE`](pages::INSUFFICIENT_SCOPE) |
//! | 401 | `insufficient_user_authentication` | good, and the person behind it has signed in too weakly or too long ago: see [`StepUp`] | [`INSUFFICIENT_USER_AUTHENTICATION`](pages::INSUFFICIENT_USER_AUTHENTICATION) |
//! | 402, 403 | none | those behind the token may not come in: see [`Standing`] | [`TENANT_SUSPENDED`](pages::TENANT_SUSPENDED) and its siblings |
//! | 503 | none | the issuer's keys cannot be had, so nobody can tell | [`UNAVAILABLE`](pages::UNAVAILABLE) |
//!
//! A challenge names the scope to ask for (`scope`), a page that explains (`error_uri`), and where the API's metadata is
//! (`resource_metadata`, RFC 9728 §5.1); the metadata lists the scopes that the guards require.
//!
//! # What is fetched, and how long it is believed
//!
//! The issuer's metadata, its keys and its scope catalogue; over HTTPS, or over HTTP from a loopback address; no redirect is
//! followed, and no address out of a token is ever fetched. What is fetched is fresh as long as the issuer says, within 10 s
//! and 1 h (5 minutes where it says nothing). For a minute after that it is used while a new one is on its way; then requests
//! wait for that. So a key that the issuer withdraws is out of use within its `max-age` and a minute, and one that it
//! adds is found when the first token names it.
//!
//! | limit | value | setting |
//! | --- | --- | --- |
//! | between two fetches of one document, whatever arrives | 5 s | [`min_fetch_interval`](TokenVerifierBuilder::min_fetch_interval) |
//! | a fetch; a request that waits for one | 5 s each | [`FETCH_TIME`](fetch::FETCH_TIME) |
//! | requests that wait at once, for one document | 256 | |
//! | used while the issuer cannot be reached | 2 h | [`max_stale`](TokenVerifierBuilder::max_stale) |
//! | metadata, key set | 1 MiB each | [`MAX_DOCUMENT_LEN`](fetch::MAX_DOCUMENT_LEN) |
//! | catalogue | 8 MiB | [`MAX_CATALOGUE_LEN`](fetch::MAX_CATALOGUE_LEN) |
//! | a token | 16 KiB | [`max_token_len`](TokenVerifierBuilder::max_token_len) |
//! | verified tokens remembered | 10,000, for 10 minutes | [`cache_capacity`](TokenVerifierBuilder::cache_capacity), [`cache_time`](TokenVerifierBuilder::cache_time) |
//! | clocks may differ | 5 s for `exp` and `nbf`, 60 s for `iat` | |
//!
//! # Errors
//!
//! [`BuildError`] when an API is set up, for its operator; [`RequirementError`] for names that are no scopes;
//! [`VerifyError`] for the holder of a token; [`FetchError`](fetch::FetchError) for the log alone. A handler on a route
//! without a guard that asks for an [`Identity`] is [`NotGuarded`]: the caller gets a 500 and the handler does not run.
//!
//! # An API that knows more
//!
//! Keys, bundles, revocations and the standing of clients can come from the embedding program: see [`Keys`], [`Bundles`],
//! [`TokenStatus`], [`Standing`], [`Explain`]. An Ambit server protects its own admin API that way, and fetches nothing.
//!
//! # Features
//!
//! `http-client` (on by default) fetches with [`fetch::HttpClient`]. Without it an API hands in its own
//! [`Fetch`](fetch::Fetch), or keys and bundles ([`Issuer::jwks`], [`Issuer::catalogue`]).
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
// Not for others: the authorization server keeps its clients' keys with it.
#[doc(hidden)]
pub mod refresh;
mod require;
mod server;
mod step_up;
mod verify;

pub use carried::Carried;
pub use denial::{Denied, Holder};
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
pub use step_up::StepUp;
pub use verify::{BuildError, Lookups, MAX_ISSUERS, TokenVerifier, TokenVerifierBuilder, VerifiedToken, VerifyError};
