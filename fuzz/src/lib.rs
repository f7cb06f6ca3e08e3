//! The properties that the fuzz targets check: the very files that the crates' own tests use.

#[path = "../../crates/ambit-protocol/tests/it/properties.rs"]
pub mod protocol;

#[path = "../../crates/ambit-core/tests/it/properties.rs"]
pub mod rules;

#[path = "../../crates/ambit-server/tests/it/properties.rs"]
pub mod server;

#[path = "../../crates/ambit-knowledge/tests/it/properties.rs"]
pub mod knowledge;
