//! `ambit migrate`, `backup`, `restore`: the store itself, without a server.

use std::path::PathBuf;

use ambit_server::config::Sources;
use clap::Args;

use crate::output::{Failure, Output};
use crate::serve::{Place, open_store};

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
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Fill an empty store from a backup.
#[derive(Debug, Args)]
pub struct Restore {
    /// The file that `ambit backup` wrote.
    #[arg(long)]
    from: PathBuf,
    #[command(flatten)]
    place: Place,
}
