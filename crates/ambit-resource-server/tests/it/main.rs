//! The crate from outside: an authorization server in process, an API behind its guards, requests through `oneshot`.

mod bundles;
mod example;
mod guards;
#[cfg(feature = "http-client")]
mod http_client;
mod keys;
mod refusals;
mod requirements;
mod standing;
mod step_up;
mod support;
mod tokens;
