//! What operators see: configuration, listening, health, metrics, logs, limits.

mod bodies;
mod configuration;
mod connections;
mod heads;
mod http2;
mod metrics;
mod running;
mod stopping;
mod tls;
