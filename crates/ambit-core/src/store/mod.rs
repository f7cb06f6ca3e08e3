//! What the rules ask of storage, in verbs of this field.
//!
//! Everything registered is kept as the document that the admin API shows, beside the columns it is looked up by
//! ([`Row`]). Whoever changes something does so in a [`Transaction`]: all registry changes stand in one line, each takes the
//! next revision, and each is appended to the change log by the store itself. The log is the audit trail, it tells other
//! nodes what to read again, and explain replays it.

pub mod journal;
pub mod noun;
pub mod sign_in;

use std::fmt;

use ambit_protocol::admin::audit::{Action, Change, Resource};
use ambit_protocol::id::{PartnerId, TenantId};
use ambit_protocol::time::Timestamp;
use async_trait::async_trait;

use crate::reach::Reach;
use journal::{JournalBlock, RefusalRecord, SecretUse};
use sign_in::SignIns;

/// A registered thing: the document, and the columns it is looked up by.
#[derive(Clone, PartialEq)]
pub struct Row {
    /// What kind of thing, and so which table.
    pub resource: Resource,
    /// Its identifier, unique in the table and the order of lists.
    pub id: String,
    /// The name it is known by, unique in the table: a `client_id`, a slug, a scope's name.
    pub natural_key: Option<String>,
    /// The identifier of the thing it is a part of.
    pub parent: Option<String>,
    /// The owning tenant.
    pub tenant_id: Option<TenantId>,
    /// The owning partner, or the owning tenant's.
    pub partner_id: Option<PartnerId>,
    /// The revision of its last change.
    pub revision: u64,
    /// The thing itself, as JSON.
    pub document: String,
    /// What must never be shown: a secret's hash, a private key's ciphertext. Not part of the change log.
    pub sealed: Option<Vec<u8>>,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("resource", &self.resource)
            .field("id", &self.id)
            .field("revision", &self.revision)
            .field("document", &self.document)
            .finish_non_exhaustive()
    }
}

/// By what one thing is looked up.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    /// Its identifier.
    Id(&'a str),
    /// The name it is known by.
    NaturalKey(&'a str),
}

/// Which things a list holds. They come ordered by identifier.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// Parts of this thing only.
    pub parent: Option<&'a str>,
    /// What this tenant owns only.
    pub tenant: Option<TenantId>,
    /// What this partner, or a tenant of it, owns only.
    pub partner: Option<PartnerId>,
    /// Whose natural key contains this text, compared by octet.
    pub contains: Option<&'a str>,
    /// Whose document contains this text, compared by octet. Finds who may refer to something; the caller looks closer.
    pub mentions: Option<&'a str>,
    /// Behind this identifier.
    pub after: Option<&'a str>,
    /// At most so many; all where `None`.
    pub limit: Option<u32>,
}

/// Reading what is registered. A row outside the reach does not exist.
///
/// Features, APIs and scopes are shared downwards: a tenant also sees its partner's and the platform's.
#[async_trait]
pub trait Reads: Send + Sync {
    /// The one thing, if it is there and within reach.
    async fn find_row(&self, resource: Resource, by: By<'_>, reach: Reach) -> Result<Option<Row>, StoreError>;

    /// All things that pass the filter, within reach, by identifier.
    async fn list_rows(&self, resource: Resource, filter: &Filter<'_>, reach: Reach) -> Result<Vec<Row>, StoreError>;

    /// The same, but each by itself: what cannot be read takes nothing else with it. For those who may do without it; whoever
    /// counts on seeing everything asks for [`Self::list_rows`].
    async fn list_rows_apart(
        &self,
        resource: Resource,
        filter: &Filter<'_>,
        reach: Reach,
    ) -> Result<Vec<Result<Row, StoreError>>, StoreError>;

    /// How many there are (`after` and `limit` do not count).
    async fn count_rows(&self, resource: Resource, filter: &Filter<'_>, reach: Reach) -> Result<u64, StoreError>;
}

/// Who changes something, when, and under which trace.
#[derive(Debug, Clone)]
pub struct ChangeContext {
    /// `client:<client_id>`, `user:<id>`, `system` or `bootstrap`.
    pub actor: String,
    /// The moment that is recorded.
    pub at: Timestamp,
    /// The trace of the request.
    pub trace_id: Option<String>,
}

/// One change of the registry, all of it or nothing. While it is open nobody else changes anything, so what it reads stays
/// true until it commits. Dropped without a commit, it leaves no trace.
#[async_trait]
pub trait Transaction: Reads {
    /// The revision this change makes.
    fn revision(&self) -> u64;

    /// The context it was begun with.
    fn context(&self) -> &ChangeContext;

    /// Adds a thing. [`StoreError::Conflict`] where the identifier or the natural key is taken.
    async fn insert_row(&self, row: Row) -> Result<(), StoreError>;

    /// Replaces a thing.
    async fn update_row(&self, row: Row) -> Result<(), StoreError>;

    /// Takes a thing away.
    async fn delete_row(&self, resource: Resource, id: &str) -> Result<(), StoreError>;

    /// Adds to the change log what became of something that is kept elsewhere, and changes nothing.
    async fn log_update(&self, before: &Row, after: &str) -> Result<(), StoreError>;

    /// Keeps an answer for its `Idempotency-Key`.
    async fn save_answer(&self, answer: &SavedAnswer) -> Result<(), StoreError>;

    /// The answer kept for a key, seen while nobody else can add one.
    async fn find_answer(&self, actor: &str, key: &str) -> Result<Option<SavedAnswer>, StoreError>;

    /// Makes it durable. When this returns, the change survives any crash. A transaction that changed nothing takes no
    /// revision.
    async fn commit(self: Box<Self>) -> Result<u64, StoreError>;
}

/// Everything that outlives the process.
#[async_trait]
pub trait Store: Reads + fmt::Debug {
    /// What people do: sign in, consent, and what they lent of it.
    fn sign_ins(&self) -> &dyn SignIns;

    /// Begins a change, waiting for the one before it.
    async fn begin(&self, context: ChangeContext) -> Result<Box<dyn Transaction>, StoreError>;

    /// The revision of the last change.
    async fn revision(&self) -> Result<u64, StoreError>;

    /// What changed after a revision, oldest first, for caches to forget. Whole revisions only.
    async fn changes_after(&self, revision: u64, limit: u32) -> Result<Vec<ChangeHead>, StoreError>;

    /// The change log, newest first.
    async fn changes(&self, query: &ChangeQuery<'_>, reach: Reach) -> Result<Vec<Change>, StoreError>;

    /// For each thing that changed after a revision, its first change since: its `before` is the thing at that revision.
    async fn first_changes_after(&self, revision: u64, subject: &HistorySubject<'_>)
    -> Result<Vec<Change>, StoreError>;

    /// Appends issued tokens, refusals and uses of secrets, in one commit.
    async fn append_journal(
        &self,
        blocks: &[JournalBlock],
        refusals: &[RefusalRecord],
        uses: &[SecretUse],
    ) -> Result<(), StoreError>;

    /// The blocks that overlap a span of time, newest first.
    async fn journal_blocks(&self, from: Timestamp, to: Timestamp, limit: u32)
    -> Result<Vec<JournalBlock>, StoreError>;

    /// The refusals under a trace.
    async fn refusals_of_trace(&self, trace_id: &str) -> Result<Vec<RefusalRecord>, StoreError>;

    /// Forgets blocks and refusals that ended before a moment; at most `limit` rows, so that a purge never holds others up.
    /// Answers how many went.
    async fn purge_journal(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Revokes a token, durably. Revoking it again changes nothing.
    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError>;

    /// Revocations in the order they were made, behind a sequence number.
    async fn revocations_after(&self, sequence: u64, limit: u32) -> Result<Vec<(u64, Revocation)>, StoreError>;

    /// Notes that a client's assertion was used; `false` where it had been before (RFC 7523 §3, item 7).
    async fn use_assertion(&self, client_id: &str, jti: &str, expires_at: Timestamp) -> Result<bool, StoreError>;

    /// Forgets revocations and assertions that have expired and answers that were kept long enough. Answers how many went.
    async fn purge_expired(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// The answer kept for an `Idempotency-Key`.
    async fn find_answer(&self, actor: &str, key: &str) -> Result<Option<SavedAnswer>, StoreError>;

    /// Counts a report about an entry of the error knowledge base.
    async fn report_outcome(&self, report: &OutcomeReport) -> Result<(), StoreError>;

    /// What was reported so far, by entry and advice.
    async fn outcomes(&self) -> Result<Vec<OutcomeCount>, StoreError>;

    /// The last restore from a backup, if there was one.
    async fn restore_epoch(&self) -> Result<Option<RestoreEpoch>, StoreError>;

    /// Whether the store answers and its schema is the one this program knows.
    async fn check(&self) -> Result<(), StoreError>;
}

/// Enough of a change to know what to read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeHead {
    /// The revision it made.
    pub revision: u64,
    /// What was done.
    pub action: Action,
    /// To what kind of thing.
    pub resource: Resource,
    /// To which.
    pub resource_id: String,
    /// The name it is known by.
    pub natural_key: Option<String>,
    /// What it is a part of.
    pub parent: Option<String>,
    /// The tenant that owns it.
    pub tenant_id: Option<TenantId>,
}

/// Which changes the audit trail shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChangeQuery<'a> {
    /// By this actor.
    pub actor: Option<&'a str>,
    /// Of this kind of thing.
    pub resource: Option<Resource>,
    /// Of this thing.
    pub resource_id: Option<&'a str>,
    /// Of whatever was known by this name.
    pub natural_key: Option<&'a str>,
    /// Of this sort.
    pub action: Option<Action>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Older than this place (revision, position).
    pub before: Option<(u64, u32)>,
    /// At most so many.
    pub limit: u32,
}

/// Whose history is looked at.
#[derive(Debug, Clone, Copy)]
pub enum HistorySubject<'a> {
    /// All things of a kind.
    All(Resource),
    /// One thing.
    One(Resource, &'a str),
    /// All things of a kind that a tenant owns.
    OfTenant(Resource, TenantId),
}

/// A revoked token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Its `jti`.
    pub jti: String,
    /// The client it was issued to.
    pub client_id: String,
    /// When it was revoked.
    pub revoked_at: Timestamp,
    /// When it expires by itself, and the revocation may be forgotten.
    pub expires_at: Timestamp,
}

/// An answer kept so that a repeated request gets it again.
#[derive(Clone, PartialEq, Eq)]
pub struct SavedAnswer {
    /// Who asked.
    pub actor: String,
    /// The `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of method, path and body: the same key with another request is a mistake.
    pub request_hash: Vec<u8>,
    /// The status that was answered.
    pub status: u16,
    /// Headers and body, encrypted: the first answer to a registration shows a secret.
    pub sealed: Vec<u8>,
    /// Until when it is kept.
    pub expires_at: Timestamp,
}

impl fmt::Debug for SavedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedAnswer").field("actor", &self.actor).field("status", &self.status).finish_non_exhaustive()
    }
}

/// What somebody reported after they had followed an entry of the error knowledge base. Not who.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeReport {
    /// The entry's id.
    pub entry: String,
    /// The advice that was followed, counted from 1; 0 for none in particular.
    pub workaround: u32,
    /// Whether it helped.
    pub helped: bool,
}

/// How often an advice helped, and how often it did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeCount {
    /// The entry's id, as it was when it was reported about.
    pub entry: String,
    /// The advice, counted from 1; 0 for none in particular.
    pub workaround: u32,
    /// So often it helped.
    pub helped: u64,
    /// So often it did not.
    pub failed: u64,
}

/// When a server was restored, and from a backup of when. What was revoked in between is not known any more, so tokens
/// issued in between count for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreEpoch {
    /// When the backup was made.
    pub backup_at: Timestamp,
    /// When it was restored.
    pub restored_at: Timestamp,
}

/// What storage answers when it cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something of that identifier or name is there already.
    #[error("a {resource} named {key:?} exists already")]
    Conflict {
        /// What kind of thing.
        resource: Resource,
        /// The identifier or name.
        key: String,
    },
    /// It was there when the change was planned and is gone.
    #[error("the {resource} {id} does not exist")]
    Missing {
        /// What kind of thing.
        resource: Resource,
        /// Which.
        id: String,
    },
    /// What is kept cannot be read back.
    #[error("the stored {resource} {id} cannot be read")]
    Corrupt {
        /// What kind of thing.
        resource: Resource,
        /// Which.
        id: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was handed in cannot be kept: a text with a NUL octet, a number beyond 2^63 − 1. Nothing was changed.
    #[error("cannot be stored: {0}")]
    Unstorable(&'static str),
    /// The schema is not the one this program knows.
    #[error("{0}")]
    Schema(String),
    /// It does not answer, or not in time, or not now. Nothing was changed, or it is not known whether something was.
    #[error("storage is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
