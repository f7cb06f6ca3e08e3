//! The configuration's documents are made from its table of keys.

use std::path::Path;

/// Compares a document with what the code would write; writes it where golden tables are being accepted.
#[expect(clippy::disallowed_methods, reason = "the variable with which golden tables are accepted")]
pub(super) fn is_fresh(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(file);
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, made).expect("docs/reference can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == made, "docs/reference/{file} is not what the code makes: cargo xtask golden --accept");
}

#[test]
fn golden_reference_of_the_configuration_is_fresh() {
    is_fresh("configuration.md", &ambit_server::config::reference());
}

#[test]
fn golden_sample_of_the_configuration_is_fresh() {
    is_fresh("ambit.toml", &ambit_server::config::sample());
}
