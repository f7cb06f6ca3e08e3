//! Writing a backup while the server serves: one consistent state, streamed, in the form of [`crate::dump`].

use std::io;
use std::path::{Path, PathBuf};

use ambit_core::store::StoreError;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::time::Timestamp;
use futures_util::TryStreamExt as _;
use sqlx::AnyConnection;
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncWrite, AsyncWriteExt as _, BufWriter};

use crate::SqlStore;
use crate::dump::{FORMAT, Header, TABLES, Table, Tally};
use crate::error::{Result as StoreResult, is_undecodable, unsigned};
use crate::migrate;
use crate::sql::{Columns, Sql};

/// What was backed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupReport {
    /// The registry's revision in it.
    pub revision: u64,
    /// How many rows it has.
    pub rows: u64,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database could not be read.
    #[error("the database could not be read")]
    Store(#[from] StoreError),
    /// The backup could not be written.
    #[error("the backup could not be written")]
    Io(#[from] io::Error),
    /// There is a file of that name. Backups are never overwritten.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
}

impl SqlStore {
    /// Writes everything that is kept, as it is at one moment, and flushes it. Others read and write meanwhile.
    ///
    /// `now` must have been read before the call: tokens issued after it count for nothing once this is restored.
    /// Whoever holds the backup holds what the database holds: secrets' hashes and private keys as they are encrypted.
    ///
    /// # Errors
    /// [`BackupError`]; what was written until then lacks its footer, and [`SqlStore::restore`] refuses it.
    pub async fn backup(
        &self,
        writer: &mut (impl AsyncWrite + Unpin + Send),
        now: Timestamp,
    ) -> Result<BackupReport, BackupError> {
        let engine = self.pools.engine;
        let backup = async |connection: &mut AnyConnection| {
            let header = Header {
                ambit_backup: FORMAT,
                schema: migrate::version(connection, engine).await?,
                revision: counter(connection, "SELECT revision FROM registry").await?,
                revocations: counter(connection, "SELECT sequence FROM revocation_counter").await?,
                at: now,
            };
            let rows = dump(connection, &header, writer).await?;
            Ok(BackupReport { revision: header.revision, rows })
        };
        self.pools.readers.snapshot(backup).await
    }

    /// Writes a backup to a new file that only its owner can read. The file has its name once it is whole and durable.
    ///
    /// # Errors
    /// [`BackupError`].
    pub async fn backup_file(&self, path: &Path, now: Timestamp) -> Result<BackupReport, BackupError> {
        if fs::try_exists(path).await? {
            return Err(BackupError::Exists(path.to_owned()));
        }
        let partial = partial_name(path);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        options.mode(0o600);
        let mut file = options.open(&partial).await?;
        only_for_owner(&file).await?;
        let report = match self.backup(&mut file, now).await {
            Ok(report) => report,
            Err(error) => {
                drop(file);
                // The first error is the one to tell.
                let _ = fs::remove_file(&partial).await;
                return Err(error);
            }
        };
        file.sync_all().await?;
        fs::rename(&partial, path).await?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).await?.sync_all().await?;
        Ok(report)
    }
}

async fn dump(
    connection: &mut AnyConnection,
    header: &Header,
    writer: &mut (impl AsyncWrite + Unpin + Send),
) -> Result<u64, BackupError> {
    let mut writer = BufWriter::with_capacity(BUFFER, writer);
    let mut tally = Tally::new();
    let mut line = serde_json::to_string(header).map_err(io::Error::other)?;
    line.push('\n');
    tally.line(line.as_bytes());
    writer.write_all(line.as_bytes()).await?;
    for table in TABLES {
        let mut rows = Sql::new(table.select()).stream(&mut *connection);
        while let Some(row) = rows.try_next().await.map_err(|error| readable(table, error))? {
            let line = table.line(&row)?;
            tally.row(table.name);
            tally.line(line.as_bytes());
            writer.write_all(line.as_bytes()).await?;
        }
    }
    writer.write_all(tally.footer().map_err(io::Error::other)?.as_bytes()).await?;
    writer.flush().await?;
    Ok(tally.rows.values().sum())
}

/// A text that is none cannot stand in a backup. Whatever else was damaged does, and is as damaged where it is restored.
fn readable(table: &Table, error: StoreError) -> StoreError {
    if !is_undecodable(&error) {
        return error;
    }
    let id = format!("row of {}, which `ambit doctor` names", table.name);
    StoreError::Corrupt { resource: Resource::Registry, id, source: error.into() }
}

async fn counter(connection: &mut AnyConnection, select: &'static str) -> StoreResult<u64> {
    let row = Sql::new(select).returning(connection).await?;
    unsigned(Columns::of(&row).number()?)
}

fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// What an earlier attempt left behind may have another mode.
#[cfg(unix)]
async fn only_for_owner(file: &File) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600)).await
}

#[cfg(not(unix))]
async fn only_for_owner(_: &File) -> io::Result<()> {
    Ok(())
}

const BUFFER: usize = 64 * 1024;
