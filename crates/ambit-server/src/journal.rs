//! The journal of issued tokens and refused requests (product.md, principle 5): noted behind the answer, in batches.
//!
//! 1. A request puts its token into a bounded queue. Where the queue is full it waits, up to `PATIENCE`; then it fails, and no
//!    token leaves that the journal does not know of.
//! 2. One task packs what is queued into blocks: what repeats from token to token is written once per block, a token is 36
//!    octets. A block is written each `Settings::interval`, or when it is full.
//! 3. A write that fails is tried again with the same block. What is lost in a crash is at most the last, unwritten block.

#![expect(
    clippy::disallowed_methods,
    reason = "spans of time are measured by the clock that never jumps; moments come from `Clock`"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ambit_core::store::journal::{Issuance, JournalBlock, RefusalRecord, SecretUse};
use ambit_core::store::{Store, StoreError};
use ambit_protocol::id::SecretId;
use ambit_protocol::time::Timestamp;
use ambit_protocol::trace::TraceId;
use hashbrown::HashMap;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// A token that was just made.
#[derive(Debug)]
pub struct IssuedToken {
    /// Its identifier.
    pub jti: Uuid,
    /// The trace of its request.
    pub trace_id: TraceId,
    /// When.
    pub at: Timestamp,
    /// What it has in common with others.
    pub issuance: Issuance,
    /// The secret that authenticated the client.
    pub secret: Option<SecretId>,
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
        Self { queue: 65_536, interval: Duration::from_millis(50) }
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
    queue: mpsc::Sender<Message>,
    counts: Arc<Counts>,
}

#[derive(Debug)]
enum Message {
    Token(Box<IssuedToken>),
    Refusal(Box<RefusalRecord>),
    Flush(oneshot::Sender<()>),
}

impl Journal {
    /// Opens the journal and starts its writer. Must be called within a runtime.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, settings: Settings) -> Self {
        let (queue, receiver) = mpsc::channel(settings.queue);
        let counts = Arc::new(Counts::default());
        let writer = Writer { store: store.clone(), receiver, interval: settings.interval, counts: counts.clone() };
        tokio::spawn(writer.run());
        Self { store, queue, counts }
    }

    /// Notes a token.
    ///
    /// # Errors
    /// [`JournalError`]: then the token must not leave.
    pub async fn record(&self, token: IssuedToken) -> Result<(), JournalError> {
        let noted = self.send(Message::Token(Box::new(token))).await;
        noted.inspect_err(|_| count(&self.counts.lost_tokens, 1))
    }

    /// Notes a refusal.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn record_refusal(&self, refusal: RefusalRecord) -> Result<(), JournalError> {
        let noted = self.send(Message::Refusal(Box::new(refusal))).await;
        noted.inspect_err(|_| count(&self.counts.lost_refusals, 1))
    }

    /// How many wait to be written.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// How many can wait.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.queue.max_capacity()
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
        self.send(Message::Flush(done)).await?;
        written.await.map_err(|_| JournalError::Closed)
    }

    /// The token of an identifier. Its time is in it, and finds its block.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find_token(&self, jti: &str) -> Result<Option<Entry>, StoreError> {
        let Ok(jti) = Uuid::parse_str(jti) else { return Ok(None) };
        let Some(at) = moment(&jti) else { return Ok(None) };
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

    async fn send(&self, message: Message) -> Result<(), JournalError> {
        match self.queue.try_send(message) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(JournalError::Closed),
            Err(mpsc::error::TrySendError::Full(message)) => {
                count(&self.counts.waits, 1);
                match timeout(PATIENCE, self.queue.send(message)).await {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(_)) => Err(JournalError::Closed),
                    Err(_) => Err(JournalError::Full),
                }
            }
        }
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
            Some(Entry { jti, trace_id, at: moment(&jti)?, issuance: issuances.get(place)?.clone() })
        })
        .collect();
    entries.into_iter()
}

struct Writer {
    store: Arc<dyn Store>,
    receiver: mpsc::Receiver<Message>,
    interval: Duration,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Batch {
    issuances: HashMap<Issuance, u32>,
    order: Vec<Issuance>,
    entries: Vec<u8>,
    first_at: Option<Timestamp>,
    last_at: Timestamp,
    count: u32,
    refusals: Vec<RefusalRecord>,
    uses: HashMap<SecretId, Timestamp>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Writer {
    async fn run(mut self) {
        let mut uses_due = Instant::now() + SECRET_USES_EVERY;
        let mut uses = HashMap::new();
        while let Some(first) = self.receiver.recv().await {
            let mut batch = Batch { uses: std::mem::take(&mut uses), ..Batch::default() };
            batch.take(first);
            let deadline = Instant::now() + self.interval;
            while batch.waiting.is_empty() && batch.count < BLOCK {
                match tokio::time::timeout_at(deadline, self.receiver.recv()).await {
                    Ok(Some(message)) => batch.take(message),
                    Ok(None) | Err(_) => break,
                }
            }
            let closing = self.receiver.is_closed();
            if !closing && Instant::now() < uses_due {
                uses = std::mem::take(&mut batch.uses);
            } else {
                uses_due = Instant::now() + SECRET_USES_EVERY;
            }
            self.write(batch).await;
        }
        if !uses.is_empty() {
            self.write(Batch { uses, ..Batch::default() }).await;
        }
    }

    /// Writes until it is written: a queue that fills meanwhile slows the requests, which is the point.
    async fn write(&self, mut batch: Batch) {
        let blocks: Vec<JournalBlock> = batch.block().into_iter().collect();
        let uses: Vec<SecretUse> =
            batch.uses.iter().map(|(id, at)| SecretUse { secret_id: id.to_string(), at: *at }).collect();
        let mut pause = Duration::from_millis(10);
        while !(blocks.is_empty() && batch.refusals.is_empty() && uses.is_empty()) {
            match self.store.append_journal(&blocks, &batch.refusals, &uses).await {
                Ok(()) => {
                    count(&self.counts.blocks, blocks.len() as u64);
                    count(&self.counts.tokens, batch.count.into());
                    count(&self.counts.refusals, batch.refusals.len() as u64);
                    break;
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, cause, tokens = batch.count, "the journal could not be written; trying again");
                    count(&self.counts.failures, 1);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
        for waiting in batch.waiting.drain(..) {
            // Whoever stopped waiting does not want to know.
            let _ = waiting.send(());
        }
    }
}

impl Batch {
    fn take(&mut self, message: Message) {
        match message {
            Message::Token(token) => self.take_token(*token),
            Message::Refusal(refusal) => self.refusals.push(*refusal),
            Message::Flush(done) => self.waiting.push(done),
        }
    }

    fn take_token(&mut self, token: IssuedToken) {
        let place = if let Some(place) = self.issuances.get(&token.issuance) {
            *place
        } else {
            let place = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
            self.order.push(token.issuance.clone());
            self.issuances.insert(token.issuance, place);
            place
        };
        self.entries.extend_from_slice(token.jti.as_bytes());
        self.entries.extend_from_slice(&token.trace_id.octets());
        self.entries.extend_from_slice(&place.to_be_bytes());
        self.first_at = Some(self.first_at.map_or(token.at, |first| first.min(token.at)));
        self.last_at = self.last_at.max(token.at);
        self.count += 1;
        if let Some(secret) = token.secret {
            self.uses.entry(secret).and_modify(|at| *at = token.at.max(*at)).or_insert(token.at);
        }
    }

    fn block(&mut self) -> Option<JournalBlock> {
        let first_at = self.first_at?;
        let issuances = serde_json::to_string(&self.order).unwrap_or_else(|error| {
            // Strings and numbers always serialize.
            tracing::error!(%error, "a block of the journal could not be serialized");
            String::from("[]")
        });
        Some(JournalBlock {
            first_at,
            last_at: self.last_at,
            count: self.count,
            issuances,
            entries: std::mem::take(&mut self.entries),
        })
    }
}

fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// The moment in a UUIDv7 (RFC 9562 §5.7).
fn moment(jti: &Uuid) -> Option<Timestamp> {
    let (secs, nanos) = jti.get_timestamp()?.to_unix();
    Some(Timestamp::from_millis(i64::try_from(secs).ok()? * 1000 + i64::from(nanos) / 1_000_000))
}

const ENTRY: usize = 36;
const BLOCK: u32 = 4_096;
const BLOCKS_AT_ONCE: u32 = 50;
const PAGES_SEARCHED: usize = 40;
const PATIENCE: Duration = Duration::from_secs(2);
const SLOWEST_REQUEST: Duration = Duration::from_mins(1);
const SECRET_USES_EVERY: Duration = Duration::from_mins(1);
