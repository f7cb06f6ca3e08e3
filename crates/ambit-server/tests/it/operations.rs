//! What operators see: configuration, listening, health, metrics, logs, limits, keys, jobs.

mod configuration;
mod faults;
mod health;
mod jobs;
mod keys;
mod logs;
mod metrics;
#[cfg(feature = "otel")]
mod otel;
mod traces;
