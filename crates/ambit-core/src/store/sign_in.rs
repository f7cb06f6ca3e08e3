//! What people do, as storage keeps it: requests that wait for them, their sessions, what they consented to, and what they lent.
//!
//! None of it is a change of the registry. All of it is durable when a method returns, is read from the store each time it is
//! needed, and so is the same on every node at once. Whatever is shown once to somebody (a cookie, a code, a refresh token) is
//! kept as its [`SecretHash`].
//!
//! What happens once happens once however many try: a code is spent, a refresh token is used, a link is followed, a step of an
//! interaction is taken. Each of these methods says whether it was the first.
//!
//! Where a grant ends, the access tokens that came of it end as well: the store notes a revocation of the grant's identifier
//! (see [`super::Revocation`]) in the same transaction, and every node learns of it as of any other.

use std::fmt;

use ambit_protocol::id::{ApplicationId, GrantId, SessionId, UserId};
use ambit_protocol::time::Timestamp;
use async_trait::async_trait;

use super::StoreError;
use crate::secret::SecretHash;

/// A request of a browser that waits for its person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interaction {
    /// The hash of its identifier, which is in the address of its pages.
    pub id: SecretHash,
    /// The hash of what the browser holds in a cookie: nobody else goes on with it.
    pub browser: SecretHash,
    /// Grows with each step.
    pub version: u32,
    /// When it is forgotten.
    pub expires_at: Timestamp,
    /// Where it is, as JSON.
    pub document: String,
}

/// Somebody who is signed in, in one browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Identifier: the claim `sid`.
    pub id: SessionId,
    /// The hash of what the browser holds in a cookie.
    pub token: SecretHash,
    /// Who.
    pub user_id: UserId,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was last used.
    pub seen_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// How and when the person proved who they are, and from where, as JSON.
    pub document: String,
}

/// An authorization code (RFC 6749 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The hash of the code.
    pub token: SecretHash,
    /// The grant that comes of it.
    pub grant_id: GrantId,
    /// When it is too old.
    pub expires_at: Timestamp,
    /// When it was spent.
    pub spent_at: Option<Timestamp>,
    /// What was asked and granted, as JSON.
    pub document: String,
}

/// What a person lent an application at one sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationGrant {
    /// Identifier: the claim `grant_id` of its access tokens.
    pub id: GrantId,
    /// To which application.
    pub application_id: ApplicationId,
    /// Under which `client_id`.
    pub client_id: String,
    /// By whom.
    pub user_id: UserId,
    /// The session it ends with; none where it outlives it (`offline_access`).
    pub session_id: Option<SessionId>,
    /// Since when.
    pub created_at: Timestamp,
    /// When it ends by itself, however often it is renewed.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
    /// What was lent, as JSON.
    pub document: String,
}

/// A refresh token (RFC 6749 §1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The hash of the token.
    pub token: SecretHash,
    /// The grant it renews.
    pub grant_id: GrantId,
    /// When it is too old.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
}

/// What comes of a code.
#[derive(Debug, Clone, Copy)]
pub struct Redeemed<'a> {
    /// What was lent.
    pub grant: &'a AuthorizationGrant,
    /// What renews it.
    pub refresh_token: Option<&'a RefreshToken>,
    /// The session that the code was given in. Once it is over nothing comes of the code, not even what would have outlived it.
    pub session: Option<SessionId>,
    /// The consent that the grant rests on, as it was read. Once it is gone or another one nothing comes of the code; none where
    /// the person is not asked.
    pub consent: Option<&'a Consent>,
}

/// What a person consented to, for one application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Who.
    pub user_id: UserId,
    /// For which application.
    pub application_id: ApplicationId,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// To what, as JSON.
    pub document: String,
}

/// Something sent to somebody to be used once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeToken {
    /// The hash of it.
    pub token: SecretHash,
    /// What it is good for, and for nothing else.
    pub purpose: String,
    /// Whom or what it is about: an identifier.
    pub subject: String,
    /// When it is too old.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
    /// What goes with it, as JSON.
    pub document: String,
}

/// Somebody is to be told that a session has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutNotice {
    /// The session: the claim `sid`.
    pub session_id: SessionId,
    /// Who is to be told.
    pub application_id: ApplicationId,
    /// Whose session it was.
    pub user_id: UserId,
    /// When it ended.
    pub ended_at: Timestamp,
    /// When it is to be told next.
    pub due_at: Timestamp,
    /// How often that was begun.
    pub attempts: u32,
}

/// Which sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// One.
    One(SessionId),
    /// All of a person.
    OfUser(UserId),
    /// All of a person but the one in which they ask.
    OfUserExcept(UserId, SessionId),
}

/// Which grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grants {
    /// One.
    One(GrantId),
    /// All that a person lent.
    OfUser(UserId),
    /// All that a person lent one application.
    OfUserTo(UserId, ApplicationId),
    /// All that was lent to an application.
    To(ApplicationId),
}

/// What became of a refresh token that was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It was used now, for the first time, and its successor is kept.
    Rotated,
    /// It had been used before.
    UsedBefore(Timestamp),
    /// It is not there or not its successor's grant's, or its grant has ended: by itself, by somebody, or with its session.
    Ended,
}

/// Storage of what people do.
#[async_trait]
pub trait SignIns: Send + Sync {
    /// Keeps a request that waits for its person.
    async fn begin_interaction(&self, interaction: &Interaction) -> Result<(), StoreError>;

    /// The request, if it has not been forgotten.
    async fn find_interaction(&self, id: &SecretHash) -> Result<Option<Interaction>, StoreError>;

    /// Takes a step: keeps it with `version` one higher, if it still has `version`. `false` where somebody was quicker.
    async fn advance_interaction(&self, interaction: &Interaction) -> Result<bool, StoreError>;

    /// Ends it, if it still has this version. `false` where somebody was quicker, or it is gone.
    async fn end_interaction(&self, id: &SecretHash, version: u32) -> Result<bool, StoreError>;

    /// Begins a session.
    async fn begin_session(&self, session: &Session) -> Result<(), StoreError>;

    /// The session of a cookie. Whether it has expired is for the caller to see.
    async fn find_session(&self, token: &SecretHash) -> Result<Option<Session>, StoreError>;

    /// Replaces a session's cookie, times and document, after a further proof. `false` where it ended meanwhile.
    async fn change_session(&self, session: &Session) -> Result<bool, StoreError>;

    /// Notes that a session was used: keeps its `seen_at` and `expires_at` and nothing else, and only if its cookie is still
    /// this one. `false` where it ended or got another cookie meanwhile, so a use never takes back a further proof.
    async fn touch_session(&self, session: &Session) -> Result<bool, StoreError>;

    /// A person's sessions, newest first.
    async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, StoreError>;

    /// Notes that a session signs its person in to an application, which is to be told when it ends. Nothing is noted where it
    /// has ended.
    async fn join_session(&self, session: SessionId, application: ApplicationId) -> Result<(), StoreError>;

    /// The applications that a session signed its person in to.
    async fn applications_of_session(&self, session: SessionId) -> Result<Vec<ApplicationId>, StoreError>;

    /// Ends sessions, and with them the grants that end with them and, until `tokens_until`, the access tokens of those. Leaves a
    /// notice for each application that one of them signed its person in to. Answers the sessions that were there.
    async fn end_sessions(
        &self,
        which: Sessions,
        at: Timestamp,
        tokens_until: Timestamp,
    ) -> Result<Vec<Session>, StoreError>;

    /// Takes notices that are due, so many at most, the longest overdue first, and puts each off until `until`: no other node takes
    /// it meanwhile, and should this one not come to the end of it, it is due again.
    async fn take_logout_notices(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<LogoutNotice>, StoreError>;

    /// Puts a notice that was taken off once more. `false` where another node has taken it since.
    async fn put_off_logout_notice(&self, notice: &LogoutNotice, until: Timestamp) -> Result<bool, StoreError>;

    /// Forgets a notice. `false` where it is not there.
    async fn forget_logout_notice(&self, notice: &LogoutNotice) -> Result<bool, StoreError>;

    /// Keeps a code.
    async fn issue_code(&self, code: &Code) -> Result<(), StoreError>;

    /// The code, spent or not.
    async fn find_code(&self, token: &SecretHash) -> Result<Option<Code>, StoreError>;

    /// Spends a code and, in the same transaction, keeps what comes of it. Where nothing does, the code is burnt. `false` where it
    /// had been spent before, is not there or is another grant's, or where the session that it was given in is over or the
    /// consent it rests on another: then nothing is kept.
    async fn spend_code(
        &self,
        token: &SecretHash,
        at: Timestamp,
        redeemed: Option<Redeemed<'_>>,
    ) -> Result<bool, StoreError>;

    /// A grant, ended or not.
    async fn find_grant(&self, id: GrantId) -> Result<Option<AuthorizationGrant>, StoreError>;

    /// What a person lent and has not ended, newest first.
    async fn grants_of(&self, user: UserId) -> Result<Vec<AuthorizationGrant>, StoreError>;

    /// A refresh token and its grant.
    async fn find_refresh_token(
        &self,
        token: &SecretHash,
    ) -> Result<Option<(RefreshToken, AuthorizationGrant)>, StoreError>;

    /// The refresh tokens of a grant that are kept.
    async fn refresh_tokens_of(&self, grant: GrantId) -> Result<Vec<RefreshToken>, StoreError>;

    /// Uses a refresh token and keeps its successor, in one transaction, if it was not used before and its grant goes on. What was
    /// used before it is kept no longer: however often a grant is renewed, it has the one that is good and the one before.
    async fn rotate_refresh_token(
        &self,
        token: &SecretHash,
        at: Timestamp,
        successor: &RefreshToken,
    ) -> Result<Rotation, StoreError>;

    /// Ends grants: their refresh tokens and, until `tokens_until`, their access tokens. Answers how many went on until now. An
    /// ended grant is kept until `tokens_until` or until it would have ended by itself, whichever is sooner.
    async fn end_grants(&self, which: Grants, at: Timestamp, tokens_until: Timestamp) -> Result<u64, StoreError>;

    /// What a person consented to for an application.
    async fn find_consent(&self, user: UserId, application: ApplicationId) -> Result<Option<Consent>, StoreError>;

    /// Keeps a consent in place of the one that it was made of, as that was read. `false` where another one is kept by now, or
    /// none where there was one: then that is as it is.
    async fn keep_consent(&self, consent: &Consent, before: Option<&Consent>) -> Result<bool, StoreError>;

    /// All that a person consented to.
    async fn consents_of(&self, user: UserId) -> Result<Vec<Consent>, StoreError>;

    /// Takes a consent back. `false` where there was none.
    async fn withdraw_consent(&self, user: UserId, application: ApplicationId) -> Result<bool, StoreError>;

    /// Keeps something that is to be used once. What was sent before to the same end about the same subject is good no more.
    async fn issue_one_time_token(&self, token: &OneTimeToken) -> Result<(), StoreError>;

    /// What was sent, used or not.
    async fn find_one_time_token(&self, token: &SecretHash) -> Result<Option<OneTimeToken>, StoreError>;

    /// Uses it. `false` where it had been used before, or is not there.
    async fn use_one_time_token(&self, token: &SecretHash, at: Timestamp) -> Result<bool, StoreError>;

    /// Forgets everything about a person but what the registry has: sessions, grants, consents, links. Their access tokens end
    /// until `tokens_until`.
    async fn forget_user(&self, user: UserId, at: Timestamp, tokens_until: Timestamp) -> Result<(), StoreError>;
}

impl fmt::Debug for dyn SignIns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignIns")
    }
}
