//! What operators see: configuration, listening, health, metrics, logs, limits.

mod configuration;
