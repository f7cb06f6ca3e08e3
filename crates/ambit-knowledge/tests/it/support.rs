//! Three entries that change only with these tests, so that what is built in may grow.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use ambit_knowledge::{Corpus, Knowledge};

/// One of them, as it is written.
pub(crate) const SEED: &str = include_str!("fixtures/entries/api/oauth2-invalid-scope-requested.toml");

/// The three, and their index.
pub(crate) fn knowledge() -> &'static Knowledge {
    static KNOWLEDGE: LazyLock<Knowledge> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/entries");
        Knowledge::new(Arc::new(Corpus::from_folder(&folder).expect("three entries"))).expect("patterns")
    });
    &KNOWLEDGE
}
