//! What operators see: configuration, listening, health, metrics, logs, limits, keys, jobs.

mod bodies;
mod clock;
mod configuration;
mod connections;
mod heads;
mod health;
mod http2;
mod jobs;
mod keys;
pub(crate) mod logs;
mod metrics;
mod metrics_address;
#[cfg(feature = "otel")]
mod otel;
mod running;
mod stopping;
mod tls;
mod traces;
