//! [`SqlStore`]: everything the rules ask of storage, on one database.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ambit_core::reach::Reach;
use ambit_core::store::journal::{JournalBlock, RefusalRecord, SecretUse};
use ambit_core::store::sign_in::SignIns;
use ambit_core::store::{
    By, ChangeContext, ChangeHead, ChangeQuery, Filter, HistorySubject, OutcomeCount, OutcomeReport, Reads,
    RestoreEpoch, Revocation, Row, SavedAnswer, Store, StoreError, Transaction,
};
use ambit_protocol::admin::audit::{Change, Resource};
use ambit_protocol::time::Timestamp;
use async_trait::async_trait;
use sqlx::AnyConnection;
use tokio::sync::Mutex;

use crate::config::StoreConfig;
use crate::error::{Result, unsigned};
use crate::grouped::{Grouped, Outcome, Small};
use crate::migrate::{self, MigrationReport, known_version};
use crate::pool::{Engine, Pools};
use crate::retry::{retrying, within};
use crate::sql::{Columns, Sql};
use crate::transaction::SqlTransaction;
use crate::write::Write;
use crate::{answer, change, journal, once, outcome, reads, sign_in};

/// The store on SQLite or PostgreSQL.
pub struct SqlStore {
    pub(crate) pools: Pools,
    pub(crate) grouped: Grouped,
    /// Whose turn it is to change the registry, in this process.
    turn: Arc<Mutex<()>>,
    wait: Duration,
}

impl SqlStore {
    /// Opens the database, and makes an SQLite file that is not there. The schema is left as it is: see [`Self::migrate`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where it cannot be reached, [`StoreError::Schema`] where the URL names no database.
    pub async fn open(config: &StoreConfig) -> Result<Self> {
        let pools = within(config.wait + CONNECTING, retrying(|| Pools::open(config))).await?;
        let grouped = Grouped::start(&pools);
        Ok(Self { pools, grouped, turn: Arc::new(Mutex::new(())), wait: config.wait })
    }

    /// Brings the schema up to date. Where it is, this only reads; two nodes may do it at once.
    ///
    /// # Errors
    /// [`StoreError::Schema`] where the schema is newer than this program or another one.
    pub async fn migrate(&self) -> Result<MigrationReport> {
        retrying(|| migrate::migrate(&self.pools)).await
    }

    /// The schema's version; 0 in an empty database.
    ///
    /// # Errors
    /// [`StoreError::Schema`] where the schema is newer than this program or another one.
    pub async fn schema_version(&self) -> Result<u32> {
        self.read(async |connection| migrate::version(connection, self.pools.engine).await).await
    }

    /// Finishes what is on its way and closes all connections.
    pub async fn close(&self) {
        self.pools.readers.close().await;
        self.pools.writer.close().await;
    }

    /// Which engine: `sqlite` or `postgres`.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        match self.pools.engine {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
        }
    }

    pub(crate) async fn begin_write(&self) -> Result<Write> {
        Write::begin(&self.pools.writer, self.pools.engine.begin_write()).await
    }

    /// Reads, on a connection of those that read.
    pub(crate) async fn read<T>(&self, read: impl AsyncFnOnce(&mut AnyConnection) -> Result<T>) -> Result<T> {
        within(ANSWER, self.pools.readers.lend(read)).await
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").field("engine", &self.engine()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Reads for SqlStore {
    async fn find_row(&self, resource: Resource, by: By<'_>, reach: Reach) -> Result<Option<Row>> {
        self.read(async |connection| reads::find(connection, resource, by, reach).await).await
    }

    async fn list_rows(&self, resource: Resource, filter: &Filter<'_>, reach: Reach) -> Result<Vec<Row>> {
        self.read(async |connection| reads::list(connection, resource, filter, reach).await).await
    }

    async fn list_rows_apart(&self, resource: Resource, filter: &Filter<'_>, reach: Reach) -> Result<Vec<Result<Row>>> {
        self.read(async |connection| reads::list_apart(connection, resource, filter, reach).await).await
    }

    async fn count_rows(&self, resource: Resource, filter: &Filter<'_>, reach: Reach) -> Result<u64> {
        self.read(async |connection| reads::count(connection, resource, filter, reach).await).await
    }
}

#[async_trait]
impl Store for SqlStore {
    fn sign_ins(&self) -> &dyn SignIns {
        self
    }

    async fn begin(&self, context: ChangeContext) -> Result<Box<dyn Transaction>> {
        within(self.wait, async {
            let turn = Arc::clone(&self.turn).lock_owned().await;
            let (write, revision) = retrying(|| SqlTransaction::take_registry(&self.pools)).await?;
            Ok(Box::new(SqlTransaction::new(write, revision, context, turn)) as Box<dyn Transaction>)
        })
        .await
    }

    async fn revision(&self) -> Result<u64> {
        self.read(async |connection| {
            let row = Sql::new("SELECT revision FROM registry").returning(connection).await?;
            unsigned(Columns::of(&row).number()?)
        })
        .await
    }

    async fn changes_after(&self, revision: u64, limit: u32) -> Result<Vec<ChangeHead>> {
        self.read(async |connection| change::after(connection, revision, limit).await).await
    }

    async fn changes(&self, query: &ChangeQuery<'_>, reach: Reach) -> Result<Vec<Change>> {
        self.read(async |connection| change::query(connection, query, reach).await).await
    }

    async fn first_changes_after(&self, revision: u64, subject: &HistorySubject<'_>) -> Result<Vec<Change>> {
        self.read(async |connection| change::first_after(connection, revision, subject).await).await
    }

    async fn append_journal(
        &self,
        blocks: &[JournalBlock],
        refusals: &[RefusalRecord],
        uses: &[SecretUse],
    ) -> Result<()> {
        let append = || async {
            let mut write = self.begin_write().await?;
            let appended = journal::append(write.enter()?, blocks, refusals, uses).await;
            write.finish(appended).await
        };
        within(ANSWER, retrying(append)).await
    }

    async fn journal_blocks(&self, from: Timestamp, to: Timestamp, limit: u32) -> Result<Vec<JournalBlock>> {
        self.read(async |connection| journal::blocks(connection, from, to, limit).await).await
    }

    async fn refusals_of_trace(&self, trace_id: &str) -> Result<Vec<RefusalRecord>> {
        self.read(async |connection| journal::refusals_of_trace(connection, trace_id).await).await
    }

    async fn purge_journal(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let purge = || async {
            let mut write = self.begin_write().await?;
            let purged = journal::purge(write.enter()?, before, limit).await;
            write.finish(purged).await
        };
        within(ANSWER, retrying(purge)).await
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<()> {
        once::revocable(revocation)?;
        within(ANSWER, self.grouped.write(Small::Revocation(revocation.clone()))).await.map(drop)
    }

    async fn revocations_after(&self, sequence: u64, limit: u32) -> Result<Vec<(u64, Revocation)>> {
        self.read(async |connection| once::revocations_after(connection, sequence, limit).await).await
    }

    async fn use_assertion(&self, client_id: &str, jti: &str, expires_at: Timestamp) -> Result<bool> {
        let digest = once::assertion_digest(client_id, jti);
        within(ANSWER, self.grouped.write(Small::Assertion { digest, expires_at })).await.map(Outcome::is_done)
    }

    async fn purge_expired(&self, now: Timestamp, limit: u32) -> Result<u64> {
        let purge = || async {
            let mut write = self.begin_write().await?;
            let purged = purge_expired(write.enter()?, self.pools.engine, now, limit).await;
            write.finish(purged).await
        };
        within(ANSWER, retrying(purge)).await
    }

    async fn find_answer(&self, actor: &str, key: &str) -> Result<Option<SavedAnswer>> {
        self.read(async |connection| answer::find(connection, actor, key).await).await
    }

    async fn report_outcome(&self, report: &OutcomeReport) -> Result<()> {
        outcome::storable(report)?;
        let count = || async {
            let mut write = self.begin_write().await?;
            let counted = outcome::report(write.enter()?, report).await;
            write.finish(counted).await
        };
        within(ANSWER, retrying(count)).await
    }

    async fn outcomes(&self) -> Result<Vec<OutcomeCount>> {
        self.read(async |connection| outcome::all(connection).await).await
    }

    async fn restore_epoch(&self) -> Result<Option<RestoreEpoch>> {
        self.read(async |connection| {
            let last = "SELECT backup_at, restored_at FROM restores ORDER BY revision DESC LIMIT 1";
            let found = Sql::new(last).optional(connection).await?;
            let Some(row) = found else { return Ok(None) };
            let mut columns = Columns::of(&row);
            Ok(Some(RestoreEpoch { backup_at: columns.timestamp()?, restored_at: columns.timestamp()? }))
        })
        .await
    }

    async fn check(&self) -> Result<()> {
        let version = self.schema_version().await?;
        if version < known_version() {
            return Err(StoreError::Schema(format!(
                "the database's schema has version {version}, this program needs {}: migrate it",
                known_version()
            )));
        }
        Ok(())
    }
}

async fn purge_expired(connection: &mut AnyConnection, engine: Engine, now: Timestamp, limit: u32) -> Result<u64> {
    let gone = sign_in::purge_expired(connection, engine, now, limit).await?;
    Ok(gone + once::purge_expired(connection, now, u64::from(limit).saturating_sub(gone)).await?)
}

// A connection over a network takes its time beside the wait for a free one.
const CONNECTING: Duration = Duration::from_secs(5);
// Nobody waits longer for an answer: the database hangs, or the network swallows.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);
