//! A store whose faults the test chooses, and whose calls it counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ambit_core::reach::Reach;
use ambit_core::store::journal::{JournalBlock, RefusalRecord, SecretUse};
use ambit_core::store::{
    By, ChangeContext, ChangeHead, ChangeQuery, Filter, HistorySubject, OutcomeCount, OutcomeReport, Reads,
    RestoreEpoch, Revocation, Row, SavedAnswer, Store, StoreError, Transaction,
};
use ambit_protocol::admin::audit::{Change, Resource};
use ambit_protocol::time::Timestamp;
use async_trait::async_trait;
use tokio::sync::watch;

/// What a store does that is out of order.
#[derive(Debug)]
pub(crate) struct Faults {
    /// Nothing is read.
    pub(crate) reads_fail: AtomicBool,
    /// Nothing is revoked, and no assertion noted.
    pub(crate) writes_fail: AtomicBool,
    /// The journal is not written.
    pub(crate) journal_fails: AtomicBool,
    /// Writing the journal takes as long as this says.
    pub(crate) journal_stalls: watch::Sender<bool>,
    /// How often anything was read.
    pub(crate) reads: AtomicU64,
    /// How often the journal was to be written.
    pub(crate) journal_writes: AtomicU64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            reads_fail: AtomicBool::new(false),
            writes_fail: AtomicBool::new(false),
            journal_fails: AtomicBool::new(false),
            journal_stalls: watch::Sender::new(false),
            reads: AtomicU64::new(0),
            journal_writes: AtomicU64::new(0),
        }
    }
}

impl Faults {
    pub(crate) fn set(fault: &AtomicBool, on: bool) {
        fault.store(on, Ordering::SeqCst);
    }

    fn read(&self) -> Result<(), StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        check(&self.reads_fail)
    }
}

fn check(fault: &AtomicBool) -> Result<(), StoreError> {
    if fault.load(Ordering::SeqCst) { Err(StoreError::Unavailable("the disk is gone".into())) } else { Ok(()) }
}

/// A store with its faults.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) faults: Arc<Faults>,
}

#[async_trait]
impl Reads for FaultyStore {
    async fn find_row(&self, resource: Resource, by: By<'_>, reach: Reach) -> Result<Option<Row>, StoreError> {
        self.faults.read()?;
        self.inner.find_row(resource, by, reach).await
    }

    async fn list_rows(&self, resource: Resource, filter: &Filter<'_>, reach: Reach) -> Result<Vec<Row>, StoreError> {
        self.faults.read()?;
        self.inner.list_rows(resource, filter, reach).await
    }

    async fn count_rows(&self, resource: Resource, filter: &Filter<'_>, reach: Reach) -> Result<u64, StoreError> {
        self.faults.read()?;
        self.inner.count_rows(resource, filter, reach).await
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn begin(&self, context: ChangeContext) -> Result<Box<dyn Transaction>, StoreError> {
        check(&self.faults.writes_fail)?;
        self.inner.begin(context).await
    }

    async fn revision(&self) -> Result<u64, StoreError> {
        self.faults.read()?;
        self.inner.revision().await
    }

    async fn changes_after(&self, revision: u64, limit: u32) -> Result<Vec<ChangeHead>, StoreError> {
        self.inner.changes_after(revision, limit).await
    }

    async fn changes(&self, query: &ChangeQuery<'_>, reach: Reach) -> Result<Vec<Change>, StoreError> {
        self.faults.read()?;
        self.inner.changes(query, reach).await
    }

    async fn first_changes_after(
        &self,
        revision: u64,
        subject: &HistorySubject<'_>,
    ) -> Result<Vec<Change>, StoreError> {
        self.faults.read()?;
        self.inner.first_changes_after(revision, subject).await
    }

    async fn append_journal(
        &self,
        blocks: &[JournalBlock],
        refusals: &[RefusalRecord],
        uses: &[SecretUse],
    ) -> Result<(), StoreError> {
        self.faults.journal_writes.fetch_add(1, Ordering::SeqCst);
        let mut stalls = self.faults.journal_stalls.subscribe();
        // The sender lives as long as this store.
        let _ = stalls.wait_for(|stalls| !stalls).await;
        check(&self.faults.journal_fails)?;
        self.inner.append_journal(blocks, refusals, uses).await
    }

    async fn journal_blocks(
        &self,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
    ) -> Result<Vec<JournalBlock>, StoreError> {
        self.faults.read()?;
        self.inner.journal_blocks(from, to, limit).await
    }

    async fn refusals_of_trace(&self, trace_id: &str) -> Result<Vec<RefusalRecord>, StoreError> {
        self.faults.read()?;
        self.inner.refusals_of_trace(trace_id).await
    }

    async fn purge_journal(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.inner.purge_journal(before, limit).await
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        check(&self.faults.writes_fail)?;
        self.inner.revoke(revocation).await
    }

    async fn revocations_after(&self, sequence: u64, limit: u32) -> Result<Vec<(u64, Revocation)>, StoreError> {
        self.inner.revocations_after(sequence, limit).await
    }

    async fn use_assertion(&self, client_id: &str, jti: &str, expires_at: Timestamp) -> Result<bool, StoreError> {
        check(&self.faults.writes_fail)?;
        self.inner.use_assertion(client_id, jti, expires_at).await
    }

    async fn purge_expired(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.inner.purge_expired(now, limit).await
    }

    async fn find_answer(&self, actor: &str, key: &str) -> Result<Option<SavedAnswer>, StoreError> {
        self.faults.read()?;
        self.inner.find_answer(actor, key).await
    }

    async fn report_outcome(&self, report: &OutcomeReport) -> Result<(), StoreError> {
        check(&self.faults.writes_fail)?;
        self.inner.report_outcome(report).await
    }

    async fn outcomes(&self) -> Result<Vec<OutcomeCount>, StoreError> {
        self.faults.read()?;
        self.inner.outcomes().await
    }

    async fn restore_epoch(&self) -> Result<Option<RestoreEpoch>, StoreError> {
        self.inner.restore_epoch().await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.faults.read()?;
        self.inner.check().await
    }
}
