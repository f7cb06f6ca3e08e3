//! The journal of issued tokens and refused requests (product.md, principle 5): noted behind the answer, in batches.
//!
//! 1. A request notes its token in the batch that is being collected, under a lock that is held for less than a microsecond.
//!    Where the batch is full it waits, up to `PATIENCE`; then it fails, and no token leaves that the journal does not know of.
//! 2. One task takes the batch away each `Settings::interval`, or at once when it is full or somebody waits for it. What repeats
//!    from token to token is written once per block, a token is 36 octets.
//! 3. A write that fails is tried again with the same blocks. What is lost in a crash is at most the last, unwritten batch.

#![expect(
    clippy::disallowed_methods,
    reason = "spans of time are measured by the clock that never jumps; moments come from `Clock`"
)]

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ambit_core::entropy::moment_of;
use ambit_core::store::journal::{Behalf, Issuance, JournalBlock, RefusalRecord, SecretUse};
use ambit_core::store::{Store, StoreError};
use ambit_protocol::id::{ApplicationId, SecretId};
use ambit_protocol::resource::ResourceIndicator;
use ambit_protocol::time::Timestamp;
use ambit_protocol::trace::TraceId;
use hashbrown::{Equivalent, HashMap};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

/// A token that was just made.
#[derive(Debug, Clone, Copy)]
pub struct IssuedToken<'a> {
    /// Its identifier.
    pub jti: Uuid,
    /// The trace of its request.
    pub trace_id: TraceId,
    /// When.
    pub at: Timestamp,
    /// What it has in common with others.
    pub issued: Issued<'a>,
    /// The secret that authenticated the client.
    pub secret: Option<SecretId>,
}

/// An [`Issuance`] by reference: most tokens of a batch are like one before them, and nothing is copied for those.
///
/// The fields, and so the hash, are those of [`Issuance`], in its order.
#[derive(Debug, Clone, Copy, Hash)]
pub struct Issued<'a> {
    /// The client.
    pub client_id: &'a str,
    /// The application.
    pub application_id: ApplicationId,
    /// The `scope` parameter; none where it was omitted.
    pub requested: Option<&'a str>,
    /// The resources asked for.
    pub resources: &'a [ResourceIndicator],
    /// The slug of the tenant acted for.
    pub tenant: Option<&'a str>,
    /// The slug of the unit acted for.
    pub unit: Option<&'a str>,
    /// What was granted, as the token carries it; empty where the request was refused.
    pub granted: &'a str,
    /// The registry revision it was decided under.
    pub revision: u64,
    /// For whom, where the client acts for a person.
    pub behalf: Option<&'a Behalf>,
}

impl Equivalent<Issuance> for Issued<'_> {
    fn equivalent(&self, other: &Issuance) -> bool {
        self.revision == other.revision
            && self.application_id == other.application_id
            && self.client_id == other.client_id
            && self.requested == other.requested.as_deref()
            && self.resources.iter().map(ResourceIndicator::as_str).eq(other.resources.iter().map(String::as_str))
            && self.tenant == other.tenant.as_deref()
            && self.unit == other.unit.as_deref()
            && self.granted == other.granted
            && self.behalf == other.behalf.as_ref()
    }
}

impl From<&Issued<'_>> for Issuance {
    fn from(issued: &Issued<'_>) -> Self {
        Self {
            client_id: issued.client_id.to_owned(),
            application_id: issued.application_id,
            requested: issued.requested.map(str::to_owned),
            resources: issued.resources.iter().map(ToString::to_string).collect(),
            tenant: issued.tenant.map(str::to_owned),
            unit: issued.unit.map(str::to_owned),
            granted: issued.granted.to_owned(),
            revision: issued.revision,
            behalf: issued.behalf.cloned(),
        }
    }
}

/// A token as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its identifier.
    pub jti: Uuid,
    /// The trace of its request.
    pub trace_id: TraceId,
    /// When, as its identifier tells.
    pub at: Timestamp,
    /// Who asked for what, and what was decided.
    pub issuance: Issuance,
}

/// What is recorded under a trace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// Issued tokens.
    pub tokens: Vec<Entry>,
    /// Refused requests.
    pub refusals: Vec<RefusalRecord>,
    /// How far back tokens were searched, where that was not to the beginning.
    pub searched_back_to: Option<Timestamp>,
}

/// Why something could not be noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The queue stayed full: the store does not keep up.
    #[error("the journal's queue stayed full")]
    Full,
    /// The writer is gone: the server is stopping.
    #[error("the journal is closed")]
    Closed,
    /// The store did not take what was noted before the time for it was over.
    #[error("the last tokens could not be written into the journal: the store does not answer")]
    Unwritten,
}

/// How the journal is kept.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many tokens may wait.
    pub queue: usize,
    /// How long a block is collected.
    pub interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { queue: 65_536, interval: Duration::from_millis(200) }
    }
}

/// What became of the records since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests that found the queue full and waited.
    pub waits: AtomicU64,
    /// Writes that failed, each of which is tried again.
    pub failures: AtomicU64,
    /// Blocks written.
    pub blocks: AtomicU64,
    /// Tokens written.
    pub tokens: AtomicU64,
    /// Refusals written.
    pub refusals: AtomicU64,
    /// Tokens that found no room in time, and so were not handed out.
    pub lost_tokens: AtomicU64,
    /// Refusals that found no room in time, and are not recorded.
    pub lost_refusals: AtomicU64,
}

/// The journal.
#[derive(Debug, Clone)]
pub struct Journal {
    store: Arc<dyn Store>,
    desk: Arc<Desk>,
    counts: Arc<Counts>,
}

/// Where requests leave their notes and the writer fetches them.
#[derive(Debug)]
struct Desk {
    batch: Mutex<Batch>,
    most: usize,
    /// Something lies there.
    filled: Notify,
    /// It is wanted now: the batch is full, somebody waits, or the journal is closed.
    urgent: Notify,
    /// The batch was taken away.
    emptied: Notify,
}

impl Journal {
    /// Opens the journal and starts its writer. Must be called within a runtime.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, settings: Settings) -> Self {
        let desk = Arc::new(Desk {
            batch: Mutex::default(),
            most: settings.queue,
            filled: Notify::new(),
            urgent: Notify::new(),
            emptied: Notify::new(),
        });
        let counts = Arc::new(Counts::default());
        let writer =
            Writer { store: store.clone(), desk: desk.clone(), interval: settings.interval, counts: counts.clone() };
        tokio::spawn(writer.run());
        Self { store, desk, counts }
    }

    /// Notes a token.
    ///
    /// # Errors
    /// [`JournalError`]: then the token must not leave.
    pub async fn record(&self, token: &IssuedToken<'_>) -> Result<(), JournalError> {
        let noted = self.note(|batch| batch.take_token(token)).await;
        noted.inspect_err(|_| count(&self.counts.lost_tokens, 1))
    }

    /// Keeps a place for a token that is noted once something else is durable, and is not noted where that fails.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn hold(&self) -> Result<Place<'_>, JournalError> {
        let held = self.once_there_is_room(|| self.desk.try_hold()).await;
        held.inspect_err(|_| count(&self.counts.lost_tokens, 1))?;
        Ok(Place(&self.desk))
    }

    /// Notes a refusal.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn record_refusal(&self, refusal: RefusalRecord) -> Result<(), JournalError> {
        let noted = self.note(|batch| batch.refusals.push(refusal)).await;
        noted.inspect_err(|_| count(&self.counts.lost_refusals, 1))
    }

    /// How many wait to be written.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.desk.lock().depth()
    }

    /// How many can wait.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.desk.most
    }

    /// What became of the records since the start.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Waits until everything noted so far is durable.
    ///
    /// # Errors
    /// [`JournalError::Closed`].
    pub async fn flush(&self) -> Result<(), JournalError> {
        let (done, written) = oneshot::channel();
        {
            let mut batch = self.desk.lock();
            if batch.closed {
                return Err(JournalError::Closed);
            }
            batch.waiting.push(done);
        }
        self.desk.wake_now();
        written.await.map_err(|_| JournalError::Closed)
    }

    /// Writes what was noted, and ends the journal: the server stops.
    ///
    /// # Errors
    /// [`JournalError::Closed`] where it is closed already.
    pub async fn close(&self) -> Result<(), JournalError> {
        let (done, written) = oneshot::channel();
        {
            let mut batch = self.desk.lock();
            if batch.closed {
                return Err(JournalError::Closed);
            }
            batch.closed = true;
            batch.waiting.push(done);
        }
        self.desk.wake_now();
        written.await.map_err(|_| JournalError::Closed)
    }

    /// The token of an identifier. Its time is in it, and finds its block.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find_token(&self, jti: &str) -> Result<Option<Entry>, StoreError> {
        let Ok(jti) = Uuid::parse_str(jti) else { return Ok(None) };
        let Some(at) = moment_of(&jti) else { return Ok(None) };
        self.settle().await;
        let blocks = self.store.journal_blocks(at, at, BLOCKS_AT_ONCE).await?;
        Ok(blocks.iter().find_map(|block| entries(block).find(|entry| entry.jti == jti)))
    }

    /// What is recorded under a trace. A trace of our own making tells its moment; for one that came from outside, the newest
    /// blocks are searched.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find_trace(&self, trace_id: &str) -> Result<Trace, StoreError> {
        self.settle().await;
        let mut found = Trace { refusals: self.store.refusals_of_trace(trace_id).await?, ..Trace::default() };
        let Ok(trace_id) = trace_id.parse::<TraceId>() else { return Ok(found) };
        let made_at = crate::trace::moment(&trace_id);
        // A request may take as long as its time-out allows.
        let near = self.store.journal_blocks(made_at, made_at + SLOWEST_REQUEST, BLOCKS_AT_ONCE).await?;
        found.tokens = near.iter().flat_map(entries).filter(|entry| entry.trace_id == trace_id).collect();
        if !found.tokens.is_empty() || !found.refusals.is_empty() {
            return Ok(found);
        }
        let mut to = Timestamp::from_millis(i64::MAX);
        for _ in 0..PAGES_SEARCHED {
            let page = self.store.journal_blocks(Timestamp::default(), to, BLOCKS_AT_ONCE).await?;
            found.tokens = page.iter().flat_map(entries).filter(|entry| entry.trace_id == trace_id).collect();
            let Some(oldest) = page.last().filter(|_| found.tokens.is_empty()) else { return Ok(found) };
            to = Timestamp::from_millis(oldest.first_at.millis() - 1);
        }
        found.searched_back_to = Some(to);
        Ok(found)
    }

    async fn settle(&self) {
        // While the server stops there is nothing left to wait for.
        let _ = self.flush().await;
    }

    /// Puts a note into the batch; where that is full, once it was taken away.
    async fn note(&self, put: impl FnOnce(&mut Batch)) -> Result<(), JournalError> {
        let mut put = Some(put);
        self.once_there_is_room(|| self.desk.try_put(&mut put)).await
    }

    async fn once_there_is_room(
        &self,
        mut attempt: impl FnMut() -> Result<bool, JournalError>,
    ) -> Result<(), JournalError> {
        if attempt()? { Ok(()) } else { Box::pin(self.wait_for_room(attempt)).await }
    }

    async fn wait_for_room(&self, mut attempt: impl FnMut() -> Result<bool, JournalError>) -> Result<(), JournalError> {
        count(&self.counts.waits, 1);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut emptied = pin!(self.desk.emptied.notified());
            // From here on no notice is missed, so the batch is looked at once more before waiting.
            emptied.as_mut().enable();
            if attempt()? {
                return Ok(());
            }
            timeout_at(deadline, emptied).await.map_err(|_| JournalError::Full)?;
        }
    }
}

/// A place in the journal. What is dropped is free for another token.
#[derive(Debug)]
pub struct Place<'j>(&'j Desk);

impl Place<'_> {
    /// Notes the token that it was kept for.
    ///
    /// # Errors
    /// [`JournalError::Closed`]: then the token must not leave.
    pub fn record(self, token: &IssuedToken<'_>) -> Result<(), JournalError> {
        let batch = self.0.open_batch()?;
        self.0.put(batch, |batch| batch.take_token(token));
        Ok(())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().held -= 1;
    }
}

impl Desk {
    /// Puts a note into the batch and takes it from its place, or leaves it there where the batch is full.
    fn try_put<P: FnOnce(&mut Batch)>(&self, put: &mut Option<P>) -> Result<bool, JournalError> {
        let batch = self.open_batch()?;
        if batch.taken() >= self.most {
            return Ok(false);
        }
        if let Some(put) = put.take() {
            self.put(batch, put);
        }
        Ok(true)
    }

    /// Keeps a place in the batch, if there is one.
    fn try_hold(&self) -> Result<bool, JournalError> {
        let mut batch = self.open_batch()?;
        if batch.taken() >= self.most {
            return Ok(false);
        }
        batch.held += 1;
        Ok(true)
    }

    fn open_batch(&self) -> Result<MutexGuard<'_, Batch>, JournalError> {
        let batch = self.lock();
        if batch.closed { Err(JournalError::Closed) } else { Ok(batch) }
    }

    fn put(&self, mut batch: MutexGuard<'_, Batch>, put: impl FnOnce(&mut Batch)) {
        let is_first = batch.depth() == 0;
        put(&mut batch);
        let is_full = batch.taken() >= self.most;
        drop(batch);
        if is_first {
            self.filled.notify_one();
        }
        if is_full {
            self.urgent.notify_one();
        }
    }

    fn wake_now(&self) {
        self.filled.notify_one();
        self.urgent.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Batch> {
        // A note is put in whole, or the process has no memory left.
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tokens of a block.
fn entries(block: &JournalBlock) -> impl Iterator<Item = Entry> + use<> {
    let issuances: Vec<Issuance> = serde_json::from_str(&block.issuances).unwrap_or_else(|error| {
        tracing::error!(%error, first_at = %block.first_at, "a block of the journal cannot be read");
        vec![]
    });
    let entries: Vec<Entry> = block
        .entries
        .chunks_exact(ENTRY)
        .filter_map(|octets| {
            let jti = Uuid::from_slice(&octets[..16]).ok()?;
            let trace_id = TraceId::new(octets[16..32].try_into().ok()?)?;
            let place = u32::from_be_bytes(octets[32..].try_into().ok()?) as usize;
            Some(Entry { jti, trace_id, at: moment_of(&jti)?, issuance: issuances.get(place)?.clone() })
        })
        .collect();
    entries.into_iter()
}

struct Writer {
    store: Arc<dyn Store>,
    desk: Arc<Desk>,
    interval: Duration,
    counts: Arc<Counts>,
}

/// What was noted since the writer was last here.
#[derive(Debug, Default)]
struct Batch {
    /// All but the last are full.
    blocks: Vec<Block>,
    tokens: usize,
    refusals: Vec<RefusalRecord>,
    uses: HashMap<SecretId, Timestamp>,
    /// Places that are kept for tokens that may come, in this batch or a later one.
    held: usize,
    waiting: Vec<oneshot::Sender<()>>,
    closed: bool,
}

/// A [`JournalBlock`] being collected.
#[derive(Debug, Default)]
struct Block {
    /// With the place of each in the block.
    issuances: HashMap<Issuance, u32>,
    entries: Vec<u8>,
    first_at: Timestamp,
    last_at: Timestamp,
    count: u32,
}

impl Writer {
    async fn run(self) {
        let mut uses_due = Instant::now() + SECRET_USES_EVERY;
        let mut uses: HashMap<SecretId, Timestamp> = HashMap::new();
        loop {
            self.desk.filled.notified().await;
            tokio::select! {
                () = sleep(self.interval) => {}
                () = self.desk.urgent.notified() => {}
            }
            let mut batch = self.take();
            for (secret, at) in batch.uses.drain() {
                uses.entry(secret).and_modify(|last| *last = at.max(*last)).or_insert(at);
            }
            if batch.closed || Instant::now() >= uses_due {
                batch.uses = std::mem::take(&mut uses);
                uses_due = Instant::now() + SECRET_USES_EVERY;
            }
            let closed = batch.closed;
            self.write(batch).await;
            if closed {
                return;
            }
        }
    }

    fn take(&self) -> Batch {
        let mut batch = self.desk.lock();
        let next = Batch { held: batch.held, closed: batch.closed, ..Batch::default() };
        let taken = std::mem::replace(&mut *batch, next);
        drop(batch);
        self.desk.emptied.notify_waiters();
        taken
    }

    /// Writes until it is written: a batch that fills meanwhile slows the requests, which is the point.
    async fn write(&self, mut batch: Batch) {
        let blocks: Vec<JournalBlock> = batch.blocks.drain(..).map(Block::finish).collect();
        let uses: Vec<SecretUse> =
            batch.uses.iter().map(|(id, at)| SecretUse { secret_id: id.to_string(), at: *at }).collect();
        let mut pause = Duration::from_millis(10);
        while !(blocks.is_empty() && batch.refusals.is_empty() && uses.is_empty()) {
            match self.store.append_journal(&blocks, &batch.refusals, &uses).await {
                Ok(()) => {
                    count(&self.counts.blocks, blocks.len() as u64);
                    count(&self.counts.tokens, batch.tokens as u64);
                    count(&self.counts.refusals, batch.refusals.len() as u64);
                    break;
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, cause, tokens = batch.tokens, "the journal could not be written; trying again");
                    count(&self.counts.failures, 1);
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
        for waiting in batch.waiting {
            // Whoever stopped waiting does not want to know.
            let _ = waiting.send(());
        }
    }
}

/// However the writer ends, nobody waits for it in vain and nothing more is noted.
impl Drop for Writer {
    fn drop(&mut self) {
        let mut batch = self.desk.lock();
        batch.closed = true;
        batch.waiting.clear();
        drop(batch);
        self.desk.emptied.notify_waiters();
    }
}

impl Batch {
    /// How many tokens and refusals are in it.
    const fn depth(&self) -> usize {
        self.tokens + self.refusals.len()
    }

    /// How many places are taken.
    const fn taken(&self) -> usize {
        self.depth() + self.held
    }

    fn take_token(&mut self, token: &IssuedToken<'_>) {
        match self.blocks.last_mut() {
            Some(block) if block.count < BLOCK => block.take(token),
            _ => {
                let mut block = Block { first_at: token.at, last_at: token.at, ..Block::default() };
                block.take(token);
                self.blocks.push(block);
            }
        }
        self.tokens += 1;
        if let Some(secret) = token.secret {
            self.uses.entry(secret).and_modify(|at| *at = token.at.max(*at)).or_insert(token.at);
        }
    }
}

impl Block {
    fn take(&mut self, token: &IssuedToken<'_>) {
        // A block has fewer tokens than a u32 counts.
        let next = u32::try_from(self.issuances.len()).unwrap_or(u32::MAX);
        let place = *self.issuances.entry_ref(&token.issued).or_insert(next);
        self.entries.extend_from_slice(token.jti.as_bytes());
        self.entries.extend_from_slice(&token.trace_id.octets());
        self.entries.extend_from_slice(&place.to_be_bytes());
        self.first_at = self.first_at.min(token.at);
        self.last_at = self.last_at.max(token.at);
        self.count += 1;
    }

    fn finish(self) -> JournalBlock {
        let mut issuances: Vec<(Issuance, u32)> = self.issuances.into_iter().collect();
        issuances.sort_unstable_by_key(|(_, place)| *place);
        let issuances: Vec<&Issuance> = issuances.iter().map(|(issuance, _)| issuance).collect();
        let issuances = serde_json::to_string(&issuances).unwrap_or_else(|error| {
            // Strings and numbers always serialize.
            tracing::error!(%error, "a block of the journal could not be serialized");
            String::from("[]")
        });
        JournalBlock {
            first_at: self.first_at,
            last_at: self.last_at,
            count: self.count,
            issuances,
            entries: self.entries,
        }
    }
}

fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

const ENTRY: usize = 36;
const BLOCK: u32 = 4_096;
const BLOCKS_AT_ONCE: u32 = 50;
const PAGES_SEARCHED: usize = 40;
const PATIENCE: Duration = Duration::from_secs(2);
const SLOWEST_REQUEST: Duration = Duration::from_mins(1);
const SECRET_USES_EVERY: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher as _;

    use ambit_protocol::id::{GrantId, Id as _, UserId};

    use super::*;

    #[test]
    fn what_is_noted_by_reference_is_found_as_what_is_kept() {
        let resources = ["https://a.example".parse().unwrap(), "https://b.example".parse().unwrap()];
        let behalf = Behalf {
            user_id: UserId::from_uuid(Uuid::from_u128(1)),
            grant_id: GrantId::from_uuid(Uuid::from_u128(2)),
            roles: vec![],
            consented: Some(vec![]),
            original: vec![],
        };
        let issued = Issued {
            client_id: "till",
            application_id: ApplicationId::from_uuid(Uuid::from_u128(7)),
            requested: Some("a b"),
            resources: &resources,
            tenant: Some("acme"),
            unit: None,
            granted: "a",
            revision: 4,
            behalf: None,
        };
        let kept = Issuance::from(&issued);
        let others = [
            Issued { client_id: "til", requested: Some("la b"), ..issued },
            Issued { application_id: ApplicationId::from_uuid(Uuid::from_u128(8)), ..issued },
            Issued { requested: None, ..issued },
            Issued { resources: &resources[..1], ..issued },
            Issued { tenant: None, unit: Some("acme"), ..issued },
            Issued { granted: "b", ..issued },
            Issued { revision: 5, ..issued },
            Issued { behalf: Some(&behalf), ..issued },
        ];
        let mut places: HashMap<Issuance, u32> = HashMap::new();
        places.insert(kept.clone(), 0);
        assert_eq!(places.hasher().hash_one(issued), places.hasher().hash_one(&kept));
        assert!(issued.equivalent(&kept));
        for other in others {
            assert!(!other.equivalent(&kept), "{other:?}");
        }
        assert_eq!(*places.entry_ref(&issued).or_insert(1), 0);
    }
}
