//! A store that fails where a test says so, and counts what it is asked.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ambit_core::reach::Reach;
use ambit_core::secret::SecretHash;
use ambit_core::store::journal::{JournalBlock, RefusalRecord, SecretUse};
use ambit_core::store::sign_in::{
    AuthorizationGrant, Code, Consent, Grants, Interaction, LogoutNotice, OneTimeToken, Redeemed, RefreshToken,
    Rotation, Session, Sessions, SignIns,
};
use ambit_core::store::{
    By, ChangeContext, ChangeHead, ChangeQuery, Filter, HistorySubject, OutcomeCount, OutcomeReport, Reads,
    RestoreEpoch, Revocation, Row, SavedAnswer, Store, StoreError, Transaction,
};
use ambit_protocol::admin::audit::{Change, Resource};
use ambit_protocol::id::{ApplicationId, GrantId, SessionId, UserId};
use ambit_protocol::time::Timestamp;
use async_trait::async_trait;
use tokio::sync::watch;

use crate::support::Fixture;

/// Another store, and the verbs of it that fail. Clones fail together.
#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    store: Arc<dyn Store>,
    failing: Arc<Mutex<HashSet<&'static str>>>,
    called: Arc<Mutex<HashMap<&'static str, u64>>>,
    /// While this says so, writing the journal takes its time.
    pub(crate) journal_stalls: watch::Sender<bool>,
    /// The verb that takes its time, while there is one.
    stalling: watch::Sender<Option<&'static str>>,
    /// How many calls of `purge_expired` and `purge_journal` still answer that there is more.
    pub(crate) more: Arc<AtomicU64>,
}

/// What an answer may need to read. What other nodes did is read by a job.
pub(crate) const READS: [&str; 11] = [
    "find_row",
    "list_rows",
    "count_rows",
    "revision",
    "changes",
    "first_changes_after",
    "journal_blocks",
    "refusals_of_trace",
    "find_answer",
    "outcomes",
    "check",
];
/// What must be durable before it is acknowledged.
pub(crate) const WRITES: [&str; 4] = ["begin", "revoke", "use_assertion", "report_outcome"];

impl Faulty {
    fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            failing: Arc::default(),
            called: Arc::default(),
            journal_stalls: watch::Sender::new(false),
            stalling: watch::Sender::new(None),
            more: Arc::default(),
        }
    }

    /// A server on such a store, nothing of it failing yet.
    pub(crate) async fn fixture(file: &str) -> (Fixture, Self) {
        let mut faulty = None;
        let fixture = Fixture::altered(file, |mut parts| {
            let store = faulty.insert(Self::new(parts.store));
            parts.store = Arc::new(store.clone());
            parts
        })
        .await;
        (fixture, faulty.expect("a store"))
    }

    /// From now on these verbs fail, and no others.
    pub(crate) fn fail(&self, verbs: &[&'static str]) {
        *self.failing.lock().expect("not poisoned") = verbs.iter().copied().collect();
    }

    /// How often these verbs were called.
    pub(crate) fn calls(&self, verbs: &[&'static str]) -> u64 {
        let called = self.called.lock().expect("not poisoned");
        verbs.iter().filter_map(|verb| called.get(verb)).sum()
    }

    fn check_verb(&self, verb: &'static str) -> Result<(), StoreError> {
        *self.called.lock().expect("not poisoned").entry(verb).or_default() += 1;
        if self.failing.lock().expect("not poisoned").contains(verb) {
            return Err(StoreError::Unavailable("the disk is gone".into()));
        }
        Ok(())
    }

    /// Does something that calls a verb, and holds that call up until something else has been done.
    pub(crate) async fn meanwhile<T>(
        &self,
        verb: &'static str,
        calling: impl Future<Output = T>,
        doing: impl AsyncFnOnce(),
    ) -> T {
        let called = self.calls(&[verb]);
        self.stalling.send_replace(Some(verb));
        let doing = async {
            while self.calls(&[verb]) == called {
                tokio::task::yield_now().await;
            }
            doing().await;
            self.stalling.send_replace(None);
        };
        tokio::join!(calling, doing).0
    }

    /// The same by two who call it at once: each has seen what was there before the other changes it.
    pub(crate) async fn both_before_one<T>(&self, verb: &'static str, both: impl Future<Output = T>) -> T {
        let called = self.calls(&[verb]);
        let both_have_called = async || {
            while self.calls(&[verb]) < called + 2 {
                tokio::task::yield_now().await;
            }
        };
        self.meanwhile(verb, both, both_have_called).await
    }

    async fn stall(&self, verb: &str) {
        // The sender lives as long as this store.
        let _ = self.stalling.subscribe().wait_for(|stalling| *stalling != Some(verb)).await;
    }

    fn is_there_more(&self) -> bool {
        self.more.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

#[async_trait]
impl Reads for Faulty {
    async fn find_row(&self, resource: Resource, by: By<'_>, reach: Reach) -> Result<Option<Row>, StoreError> {
        self.check_verb("find_row")?;
        self.store.find_row(resource, by, reach).await
    }

    async fn list_rows(&self, resource: Resource, filter: &Filter<'_>, reach: Reach) -> Result<Vec<Row>, StoreError> {
        self.check_verb("list_rows")?;
        self.store.list_rows(resource, filter, reach).await
    }

    async fn list_rows_apart(
        &self,
        resource: Resource,
        filter: &Filter<'_>,
        reach: Reach,
    ) -> Result<Vec<Result<Row, StoreError>>, StoreError> {
        self.check_verb("list_rows")?;
        self.store.list_rows_apart(resource, filter, reach).await
    }

    async fn count_rows(&self, resource: Resource, filter: &Filter<'_>, reach: Reach) -> Result<u64, StoreError> {
        self.check_verb("count_rows")?;
        self.store.count_rows(resource, filter, reach).await
    }
}

#[async_trait]
impl Store for Faulty {
    fn sign_ins(&self) -> &dyn SignIns {
        self
    }

    async fn begin(&self, context: ChangeContext) -> Result<Box<dyn Transaction>, StoreError> {
        self.check_verb("begin")?;
        self.stall("begin").await;
        self.store.begin(context).await
    }

    async fn revision(&self) -> Result<u64, StoreError> {
        self.check_verb("revision")?;
        self.store.revision().await
    }

    async fn changes_after(&self, revision: u64, limit: u32) -> Result<Vec<ChangeHead>, StoreError> {
        self.check_verb("changes_after")?;
        self.store.changes_after(revision, limit).await
    }

    async fn changes(&self, query: &ChangeQuery<'_>, reach: Reach) -> Result<Vec<Change>, StoreError> {
        self.check_verb("changes")?;
        self.store.changes(query, reach).await
    }

    async fn first_changes_after(
        &self,
        revision: u64,
        subject: &HistorySubject<'_>,
    ) -> Result<Vec<Change>, StoreError> {
        self.check_verb("first_changes_after")?;
        self.store.first_changes_after(revision, subject).await
    }

    async fn append_journal(
        &self,
        blocks: &[JournalBlock],
        refusals: &[RefusalRecord],
        uses: &[SecretUse],
    ) -> Result<(), StoreError> {
        let failing = self.check_verb("append_journal");
        // The sender lives as long as this store.
        let _ = self.journal_stalls.subscribe().wait_for(|stalls| !stalls).await;
        failing?;
        self.store.append_journal(blocks, refusals, uses).await
    }

    async fn journal_blocks(
        &self,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
    ) -> Result<Vec<JournalBlock>, StoreError> {
        self.check_verb("journal_blocks")?;
        self.store.journal_blocks(from, to, limit).await
    }

    async fn refusals_of_trace(&self, trace_id: &str) -> Result<Vec<RefusalRecord>, StoreError> {
        self.check_verb("refusals_of_trace")?;
        self.store.refusals_of_trace(trace_id).await
    }

    async fn purge_journal(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.check_verb("purge_journal")?;
        if self.is_there_more() { Ok(limit.into()) } else { self.store.purge_journal(before, limit).await }
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        self.check_verb("revoke")?;
        self.store.revoke(revocation).await
    }

    async fn revocations_after(&self, sequence: u64, limit: u32) -> Result<Vec<(u64, Revocation)>, StoreError> {
        self.check_verb("revocations_after")?;
        self.store.revocations_after(sequence, limit).await
    }

    async fn use_assertion(&self, client_id: &str, jti: &str, expires_at: Timestamp) -> Result<bool, StoreError> {
        self.check_verb("use_assertion")?;
        self.store.use_assertion(client_id, jti, expires_at).await
    }

    async fn purge_expired(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.check_verb("purge_expired")?;
        if self.is_there_more() { Ok(limit.into()) } else { self.store.purge_expired(now, limit).await }
    }

    async fn find_answer(&self, actor: &str, key: &str) -> Result<Option<SavedAnswer>, StoreError> {
        self.check_verb("find_answer")?;
        self.store.find_answer(actor, key).await
    }

    async fn report_outcome(&self, report: &OutcomeReport) -> Result<(), StoreError> {
        self.check_verb("report_outcome")?;
        self.store.report_outcome(report).await
    }

    async fn outcomes(&self) -> Result<Vec<OutcomeCount>, StoreError> {
        self.check_verb("outcomes")?;
        self.store.outcomes().await
    }

    async fn restore_epoch(&self) -> Result<Option<RestoreEpoch>, StoreError> {
        self.check_verb("restore_epoch")?;
        self.store.restore_epoch().await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.check_verb("check")?;
        self.store.check().await
    }
}

#[async_trait]
impl SignIns for Faulty {
    async fn begin_interaction(&self, interaction: &Interaction) -> Result<(), StoreError> {
        self.check_verb("begin_interaction")?;
        self.store.sign_ins().begin_interaction(interaction).await
    }

    async fn find_interaction(&self, id: &SecretHash) -> Result<Option<Interaction>, StoreError> {
        self.check_verb("find_interaction")?;
        self.store.sign_ins().find_interaction(id).await
    }

    async fn advance_interaction(&self, interaction: &Interaction) -> Result<bool, StoreError> {
        self.check_verb("advance_interaction")?;
        self.stall("advance_interaction").await;
        self.store.sign_ins().advance_interaction(interaction).await
    }

    async fn end_interaction(&self, id: &SecretHash, version: u32) -> Result<bool, StoreError> {
        self.check_verb("end_interaction")?;
        self.stall("end_interaction").await;
        self.store.sign_ins().end_interaction(id, version).await
    }

    async fn begin_session(&self, session: &Session) -> Result<(), StoreError> {
        self.check_verb("begin_session")?;
        self.store.sign_ins().begin_session(session).await
    }

    async fn find_session(&self, token: &SecretHash) -> Result<Option<Session>, StoreError> {
        self.check_verb("find_session")?;
        self.stall("find_session").await;
        self.store.sign_ins().find_session(token).await
    }

    async fn change_session(&self, session: &Session) -> Result<bool, StoreError> {
        self.check_verb("change_session")?;
        self.stall("change_session").await;
        self.store.sign_ins().change_session(session).await
    }

    async fn touch_session(&self, session: &Session) -> Result<bool, StoreError> {
        self.check_verb("touch_session")?;
        self.stall("touch_session").await;
        self.store.sign_ins().touch_session(session).await
    }

    async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        self.check_verb("sessions_of")?;
        self.store.sign_ins().sessions_of(user).await
    }

    async fn end_sessions(
        &self,
        which: Sessions,
        at: Timestamp,
        tokens_until: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        self.check_verb("end_sessions")?;
        self.stall("end_sessions").await;
        self.store.sign_ins().end_sessions(which, at, tokens_until).await
    }

    async fn join_session(&self, session: SessionId, application: ApplicationId) -> Result<(), StoreError> {
        self.check_verb("join_session")?;
        self.store.sign_ins().join_session(session, application).await
    }

    async fn applications_of_session(&self, session: SessionId) -> Result<Vec<ApplicationId>, StoreError> {
        self.check_verb("applications_of_session")?;
        self.store.sign_ins().applications_of_session(session).await
    }

    async fn take_logout_notices(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<LogoutNotice>, StoreError> {
        self.check_verb("take_logout_notices")?;
        self.store.sign_ins().take_logout_notices(now, until, limit).await
    }

    async fn put_off_logout_notice(&self, notice: &LogoutNotice, until: Timestamp) -> Result<bool, StoreError> {
        self.check_verb("put_off_logout_notice")?;
        self.store.sign_ins().put_off_logout_notice(notice, until).await
    }

    async fn forget_logout_notice(&self, notice: &LogoutNotice) -> Result<bool, StoreError> {
        self.check_verb("forget_logout_notice")?;
        self.store.sign_ins().forget_logout_notice(notice).await
    }

    async fn issue_code(&self, code: &Code) -> Result<(), StoreError> {
        self.check_verb("issue_code")?;
        self.store.sign_ins().issue_code(code).await
    }

    async fn find_code(&self, token: &SecretHash) -> Result<Option<Code>, StoreError> {
        self.check_verb("find_code")?;
        self.store.sign_ins().find_code(token).await
    }

    async fn spend_code(
        &self,
        token: &SecretHash,
        at: Timestamp,
        redeemed: Option<Redeemed<'_>>,
    ) -> Result<bool, StoreError> {
        self.check_verb("spend_code")?;
        // A wrong guess waits by one name and whoever redeems by another, so that a test can hold one of them up.
        if redeemed.is_none() {
            self.stall("spend_code").await;
        } else {
            self.check_verb("redeem_code")?;
            self.stall("redeem_code").await;
        }
        self.store.sign_ins().spend_code(token, at, redeemed).await
    }

    async fn find_grant(&self, id: GrantId) -> Result<Option<AuthorizationGrant>, StoreError> {
        self.check_verb("find_grant")?;
        self.store.sign_ins().find_grant(id).await
    }

    async fn grants_of(&self, user: UserId) -> Result<Vec<AuthorizationGrant>, StoreError> {
        self.check_verb("grants_of")?;
        self.store.sign_ins().grants_of(user).await
    }

    async fn find_refresh_token(
        &self,
        token: &SecretHash,
    ) -> Result<Option<(RefreshToken, AuthorizationGrant)>, StoreError> {
        self.check_verb("find_refresh_token")?;
        self.store.sign_ins().find_refresh_token(token).await
    }

    async fn refresh_tokens_of(&self, grant: GrantId) -> Result<Vec<RefreshToken>, StoreError> {
        self.check_verb("refresh_tokens_of")?;
        self.store.sign_ins().refresh_tokens_of(grant).await
    }

    async fn rotate_refresh_token(
        &self,
        token: &SecretHash,
        at: Timestamp,
        successor: &RefreshToken,
    ) -> Result<Rotation, StoreError> {
        self.check_verb("rotate_refresh_token")?;
        self.stall("rotate_refresh_token").await;
        self.store.sign_ins().rotate_refresh_token(token, at, successor).await
    }

    async fn end_grants(&self, which: Grants, at: Timestamp, tokens_until: Timestamp) -> Result<u64, StoreError> {
        self.check_verb("end_grants")?;
        self.stall("end_grants").await;
        self.store.sign_ins().end_grants(which, at, tokens_until).await
    }

    async fn find_consent(&self, user: UserId, application: ApplicationId) -> Result<Option<Consent>, StoreError> {
        self.check_verb("find_consent")?;
        self.store.sign_ins().find_consent(user, application).await
    }

    async fn keep_consent(&self, consent: &Consent, before: Option<&Consent>) -> Result<bool, StoreError> {
        self.check_verb("keep_consent")?;
        self.stall("keep_consent").await;
        self.store.sign_ins().keep_consent(consent, before).await
    }

    async fn consents_of(&self, user: UserId) -> Result<Vec<Consent>, StoreError> {
        self.check_verb("consents_of")?;
        self.store.sign_ins().consents_of(user).await
    }

    async fn withdraw_consent(&self, user: UserId, application: ApplicationId) -> Result<bool, StoreError> {
        self.check_verb("withdraw_consent")?;
        self.stall("withdraw_consent").await;
        self.store.sign_ins().withdraw_consent(user, application).await
    }

    async fn issue_one_time_token(&self, token: &OneTimeToken) -> Result<(), StoreError> {
        self.check_verb("issue_one_time_token")?;
        self.store.sign_ins().issue_one_time_token(token).await
    }

    async fn find_one_time_token(&self, token: &SecretHash) -> Result<Option<OneTimeToken>, StoreError> {
        self.check_verb("find_one_time_token")?;
        self.store.sign_ins().find_one_time_token(token).await
    }

    async fn use_one_time_token(&self, token: &SecretHash, at: Timestamp) -> Result<bool, StoreError> {
        self.check_verb("use_one_time_token")?;
        self.stall("use_one_time_token").await;
        self.store.sign_ins().use_one_time_token(token, at).await
    }

    async fn forget_user(&self, user: UserId, at: Timestamp, tokens_until: Timestamp) -> Result<(), StoreError> {
        self.check_verb("forget_user")?;
        self.store.sign_ins().forget_user(user, at, tokens_until).await
    }
}
