//! `ambit migrate`, `backup`, `restore`: the store itself, without a server.

use std::path::PathBuf;
use std::time::Duration;

use ambit_core::time::Clock as _;
use ambit_protocol::time::Timestamp;
use ambit_server::clock::SystemClock;
use ambit_server::logs::with_causes;
use ambit_store::{BackupError, RestoreError};
use clap::Args;
use serde_json::json;

use crate::output::{Failure, Output};
use crate::serve::{Place, open_existing_store, open_store, store_failure};

/// Bring the schema up to date.
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(flatten)]
    place: Place,
}

/// Write a consistent copy, also while a server runs on the store.
#[derive(Debug, Args)]
pub struct Backup {
    /// The file to write. It must not exist yet; only its owner may read it.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Fill an empty store from a backup. The master key is not in it: keep that file as well, and apart.
#[derive(Debug, Args)]
pub struct Restore {
    /// The file that `ambit backup` wrote.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Migrate {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        let store = open_store(&self.place.load()?).await?;
        let report = store.migrate().await.map_err(|error| store_failure(&error))?;
        let text = if report.steps.is_empty() {
            format!("the schema is up to date (version {})", report.to)
        } else {
            format!("applied {}; the schema is at version {}", report.steps.join(", "), report.to)
        };
        output.say(&text, &json!({ "from": report.from, "to": report.to, "steps": report.steps }))
    }
}

impl Backup {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        let store = open_existing_store(&self.place.load()?).await?;
        let report = store.backup_file(&self.out, SystemClock.now()).await.map_err(|error| match &error {
            BackupError::Store(store) => store_failure(store),
            BackupError::Io(_) | BackupError::Exists(_) => Failure::usage(format!("--out: {}", with_causes(&error))),
        })?;
        let text = format!(
            "wrote {} rows at revision {} to {}\nThe master key is not in it: keep that file too, and apart from this one.",
            report.rows,
            report.revision,
            self.out.display()
        );
        output.say(&text, &json!({ "rows": report.rows, "revision": report.revision, "file": self.out }))
    }
}

impl Restore {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        let store = open_store(&self.place.load()?).await?;
        // Tokens tell their moment in whole seconds, and so must the moment before which they count for nothing: it is the
        // next one, and nobody issues a token on the restored store before it has come.
        let from = Timestamp::from_secs(SystemClock.now().secs() + 1);
        let report = store.restore_file(&self.from, from).await.map_err(|error| match &error {
            RestoreError::Store(store) => store_failure(store),
            RestoreError::NotEmpty(_) => Failure::refused(with_causes(&error), None),
            RestoreError::Io(_) | RestoreError::Damaged { .. } => {
                Failure::usage(format!("--from {}: {}", self.from.display(), with_causes(&error)))
            }
        })?;
        let left = u64::try_from(from.millis() - SystemClock.now().millis()).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(left)).await;
        let text = format!(
            "restored {} rows of {}; the revision is {}\nTokens issued before now count as inactive: what was revoked since \
             the backup was made is not known.",
            report.rows, report.backup_at, report.revision
        );
        output.say(&text, &json!({ "rows": report.rows, "backup_at": report.backup_at, "revision": report.revision }))
    }
}
