//! What people do: [`SignIns`] on the tables of migrations 0008 and 0009.
//!
//! What a sign-in writes is small and comes often: each is a [`Step`] and shares its commit with others (see
//! [`crate::grouped`]). What ends many things at once, and what is rare, has a transaction of its own. All of it takes rows in
//! one order: interactions, sessions, notices of their end, codes, grants, refresh tokens, consents, one-time tokens, the counter of revocations.

mod code;
mod consent;
mod grant;
mod interaction;
mod logout;
mod one_time_token;
mod purge;
mod refresh_token;
mod session;

use ambit_core::secret::SecretHash;
use ambit_core::store::StoreError;
use ambit_core::store::sign_in::{
    AuthorizationGrant, Code, Consent, Grants, Interaction, LogoutNotice, OneTimeToken, Redeemed, RefreshToken,
    Rotation, Session, Sessions, SignIns,
};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::id::{ApplicationId, GrantId, SessionId, UserId};
use ambit_protocol::time::Timestamp;
use async_trait::async_trait;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::SqlStore;
use crate::error::{Result, is_undecodable};
use crate::grouped::{Outcome, Place, Small};
use crate::pool::Engine;
use crate::retry::{retrying, within};
use crate::row::corrupt;
use crate::sql::{Columns, Sql};
use crate::store::ANSWER;
use grant::Ending;
pub(crate) use purge::purge_expired;

/// One write of a sign-in.
#[derive(Debug)]
pub(crate) enum Step {
    BeginInteraction(Interaction),
    AdvanceInteraction(Interaction),
    EndInteraction { id: SecretHash, version: u32 },
    BeginSession(Session),
    ChangeSession(Session),
    TouchSession(Session),
    JoinSession { session: SessionId, application: ApplicationId },
    PutOffNotice { notice: LogoutNotice, until: Timestamp },
    ForgetNotice(LogoutNotice),
    IssueCode(Code),
    SpendCode { token: SecretHash, at: Timestamp, lent: Option<Box<Lent>> },
    Rotate { token: SecretHash, at: Timestamp, successor: RefreshToken },
    KeepConsent { kept: Consent, before: Option<Consent> },
    UseOneTimeToken { token: SecretHash, at: Timestamp },
}

/// What comes of a code.
#[derive(Debug)]
pub(crate) struct Lent {
    grant: AuthorizationGrant,
    refresh_token: Option<RefreshToken>,
    session: Option<SessionId>,
    consent: Option<Consent>,
}

impl Step {
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::BeginInteraction(Interaction { id, .. })
            | Self::AdvanceInteraction(Interaction { id, .. })
            | Self::EndInteraction { id, .. } => Place::Interaction(*id.as_bytes()),
            Self::BeginSession(session) | Self::ChangeSession(session) | Self::TouchSession(session) => {
                Place::Session(session.id)
            }
            Self::JoinSession { session, .. } => Place::Session(*session),
            Self::PutOffNotice { notice, .. } | Self::ForgetNotice(notice) => {
                Place::LogoutNotice(notice.session_id, notice.application_id)
            }
            Self::IssueCode(Code { token, .. }) | Self::SpendCode { token, .. } => Place::Code(*token.as_bytes()),
            Self::Rotate { token, .. } => Place::RefreshToken(*token.as_bytes()),
            Self::KeepConsent { kept, .. } => Place::Consent(kept.user_id, kept.application_id),
            Self::UseOneTimeToken { token, .. } => Place::OneTimeToken(*token.as_bytes()),
        }
    }

    pub(crate) async fn run(&self, connection: &mut AnyConnection, engine: Engine) -> Result<Outcome> {
        match self {
            Self::BeginInteraction(begun) => interaction::begin(connection, begun).await,
            Self::AdvanceInteraction(advanced) => interaction::advance(connection, advanced).await,
            Self::EndInteraction { id, version } => interaction::end(connection, id, *version).await,
            Self::BeginSession(begun) => session::begin(connection, begun).await,
            Self::ChangeSession(changed) => session::change(connection, engine, changed).await,
            Self::TouchSession(touched) => session::touch(connection, touched).await,
            Self::JoinSession { session, application } => {
                logout::join(connection, engine, *session, *application).await
            }
            Self::PutOffNotice { notice, until } => logout::put_off(connection, notice, *until).await,
            Self::ForgetNotice(notice) => logout::forget(connection, notice).await,
            Self::IssueCode(issued) => code::issue(connection, issued).await,
            Self::SpendCode { token, at, lent } => code::spend(connection, engine, token, *at, lent.as_deref()).await,
            Self::Rotate { token, at, successor } => {
                refresh_token::rotate(connection, engine, token, *at, successor).await
            }
            Self::KeepConsent { kept, before } => consent::keep(connection, kept, before.as_ref()).await,
            Self::UseOneTimeToken { token, at } => one_time_token::spend(connection, token, *at).await,
        }
    }
}

impl SqlStore {
    async fn step(&self, step: Step) -> Result<Outcome> {
        within(ANSWER, self.grouped.write(Small::SignIn(Box::new(step)))).await
    }
}

#[async_trait]
impl SignIns for SqlStore {
    async fn begin_interaction(&self, interaction: &Interaction) -> Result<()> {
        self.step(Step::BeginInteraction(interaction.clone())).await.map(drop)
    }

    async fn find_interaction(&self, id: &SecretHash) -> Result<Option<Interaction>> {
        self.read(async |connection| interaction::find(connection, id).await).await
    }

    async fn advance_interaction(&self, interaction: &Interaction) -> Result<bool> {
        self.step(Step::AdvanceInteraction(interaction.clone())).await.map(Outcome::is_done)
    }

    async fn end_interaction(&self, id: &SecretHash, version: u32) -> Result<bool> {
        self.step(Step::EndInteraction { id: *id, version }).await.map(Outcome::is_done)
    }

    async fn begin_session(&self, session: &Session) -> Result<()> {
        self.step(Step::BeginSession(session.clone())).await.map(drop)
    }

    async fn find_session(&self, token: &SecretHash) -> Result<Option<Session>> {
        self.read(async |connection| session::find(connection, token).await).await
    }

    async fn change_session(&self, session: &Session) -> Result<bool> {
        self.step(Step::ChangeSession(session.clone())).await.map(Outcome::is_done)
    }

    async fn touch_session(&self, session: &Session) -> Result<bool> {
        self.step(Step::TouchSession(session.clone())).await.map(Outcome::is_done)
    }

    async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>> {
        self.read(async |connection| session::of_user(connection, user).await).await
    }

    async fn join_session(&self, session: SessionId, application: ApplicationId) -> Result<()> {
        self.step(Step::JoinSession { session, application }).await.map(drop)
    }

    async fn applications_of_session(&self, session: SessionId) -> Result<Vec<ApplicationId>> {
        self.read(async |connection| logout::applications_of(connection, session).await).await
    }

    async fn end_sessions(&self, which: Sessions, at: Timestamp, tokens_until: Timestamp) -> Result<Vec<Session>> {
        let engine = self.pools.engine;
        let end = || async {
            let mut write = self.begin_write().await?;
            let ended = end_sessions(write.enter()?, engine, which, at, tokens_until).await;
            write.finish(ended).await
        };
        within(ANSWER, retrying(end)).await
    }

    async fn take_logout_notices(&self, now: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<LogoutNotice>> {
        // Each node asks every second, and nearly always there is nothing: who only looks keeps no writer waiting.
        if !self.read(async |connection| logout::is_any_due(connection, now).await).await? {
            return Ok(Vec::new());
        }
        let engine = self.pools.engine;
        let take = || async {
            let mut write = self.begin_write().await?;
            let taken = logout::take(write.enter()?, engine, now, until, limit).await;
            write.finish(taken).await
        };
        within(ANSWER, retrying(take)).await
    }

    async fn put_off_logout_notice(&self, notice: &LogoutNotice, until: Timestamp) -> Result<bool> {
        self.step(Step::PutOffNotice { notice: notice.clone(), until }).await.map(Outcome::is_done)
    }

    async fn forget_logout_notice(&self, notice: &LogoutNotice) -> Result<bool> {
        self.step(Step::ForgetNotice(notice.clone())).await.map(Outcome::is_done)
    }

    async fn issue_code(&self, code: &Code) -> Result<()> {
        self.step(Step::IssueCode(code.clone())).await.map(drop)
    }

    async fn find_code(&self, token: &SecretHash) -> Result<Option<Code>> {
        self.read(async |connection| code::find(connection, token).await).await
    }

    async fn spend_code(&self, token: &SecretHash, at: Timestamp, redeemed: Option<Redeemed<'_>>) -> Result<bool> {
        let lent = redeemed.map(|Redeemed { grant, refresh_token, session, consent }| {
            Box::new(Lent {
                grant: grant.clone(),
                refresh_token: refresh_token.cloned(),
                session,
                consent: consent.cloned(),
            })
        });
        self.step(Step::SpendCode { token: *token, at, lent }).await.map(Outcome::is_done)
    }

    async fn find_grant(&self, id: GrantId) -> Result<Option<AuthorizationGrant>> {
        self.read(async |connection| grant::find(connection, id).await).await
    }

    async fn grants_of(&self, user: UserId) -> Result<Vec<AuthorizationGrant>> {
        self.read(async |connection| grant::of_user(connection, user).await).await
    }

    async fn find_refresh_token(&self, token: &SecretHash) -> Result<Option<(RefreshToken, AuthorizationGrant)>> {
        self.read(async |connection| refresh_token::find(connection, token).await).await
    }

    async fn refresh_tokens_of(&self, grant: GrantId) -> Result<Vec<RefreshToken>> {
        self.read(async |connection| refresh_token::of_grant(connection, grant).await).await
    }

    async fn rotate_refresh_token(
        &self,
        token: &SecretHash,
        at: Timestamp,
        successor: &RefreshToken,
    ) -> Result<Rotation> {
        let outcome = self.step(Step::Rotate { token: *token, at, successor: successor.clone() }).await?;
        Ok(match outcome {
            Outcome::Done => Rotation::Rotated,
            Outcome::DoneBefore(used_at) => Rotation::UsedBefore(used_at),
            Outcome::Refused => Rotation::Ended,
        })
    }

    async fn end_grants(&self, which: Grants, at: Timestamp, tokens_until: Timestamp) -> Result<u64> {
        let engine = self.pools.engine;
        let end = || async {
            let mut write = self.begin_write().await?;
            let ended = end_some_grants(write.enter()?, engine, which, at, tokens_until).await;
            write.finish(ended).await
        };
        let mut ended = 0;
        // A bounded number at a time, so that nobody waits for it however many an application was lent.
        loop {
            let now = within(ANSWER, retrying(end)).await?;
            ended += now;
            if now < GRANTS_AT_ONCE.into() {
                return Ok(ended);
            }
        }
    }

    async fn find_consent(&self, user: UserId, application: ApplicationId) -> Result<Option<Consent>> {
        self.read(async |connection| consent::find(connection, user, application).await).await
    }

    async fn keep_consent(&self, consent: &Consent, before: Option<&Consent>) -> Result<bool> {
        let step = Step::KeepConsent { kept: consent.clone(), before: before.cloned() };
        self.step(step).await.map(Outcome::is_done)
    }

    async fn consents_of(&self, user: UserId) -> Result<Vec<Consent>> {
        self.read(async |connection| consent::of_user(connection, user).await).await
    }

    // Apart from what is grouped: who spends a code holds the consent it rests on, and waits for nobody who withdraws one.
    async fn withdraw_consent(&self, user: UserId, application: ApplicationId) -> Result<bool> {
        let withdraw = || async {
            let mut write = self.begin_write().await?;
            let withdrawn = consent::withdraw(write.enter()?, user, application).await;
            write.finish(withdrawn).await
        };
        within(ANSWER, retrying(withdraw)).await
    }

    async fn issue_one_time_token(&self, token: &OneTimeToken) -> Result<()> {
        let issue = || async {
            let mut write = self.begin_write().await?;
            let issued = one_time_token::issue(write.enter()?, token).await;
            write.finish(issued).await
        };
        within(ANSWER, retrying(issue)).await
    }

    async fn find_one_time_token(&self, token: &SecretHash) -> Result<Option<OneTimeToken>> {
        self.read(async |connection| one_time_token::find(connection, token).await).await
    }

    async fn use_one_time_token(&self, token: &SecretHash, at: Timestamp) -> Result<bool> {
        self.step(Step::UseOneTimeToken { token: *token, at }).await.map(Outcome::is_done)
    }

    async fn forget_user(&self, user: UserId, at: Timestamp, tokens_until: Timestamp) -> Result<()> {
        let engine = self.pools.engine;
        let forget = || async {
            let mut write = self.begin_write().await?;
            let forgotten = forget_user(write.enter()?, engine, user, at, tokens_until).await;
            write.finish(forgotten).await
        };
        within(ANSWER, retrying(forget)).await
    }
}

async fn end_sessions(
    connection: &mut AnyConnection,
    engine: Engine,
    which: Sessions,
    at: Timestamp,
    until: Timestamp,
) -> Result<Vec<Session>> {
    let ended = end_and_notify(connection, engine, which, at).await?;
    let ids: Vec<SessionId> = ended.iter().map(|session| session.id).collect();
    let mut grants = Vec::new();
    for ids in ids.chunks(SESSIONS_AT_ONCE) {
        grants.extend(grant::end(connection, engine, &Ending::With(ids), at, until).await?);
    }
    grant::revoke(connection, &grants, at, until).await?;
    Ok(ended)
}

async fn end_and_notify(
    connection: &mut AnyConnection,
    engine: Engine,
    which: Sessions,
    at: Timestamp,
) -> Result<Vec<Session>> {
    let ended = session::end(connection, engine, which).await?;
    for session in &ended {
        logout::notify(connection, session, at).await?;
    }
    Ok(ended)
}

async fn end_some_grants(
    connection: &mut AnyConnection,
    engine: Engine,
    which: Grants,
    at: Timestamp,
    until: Timestamp,
) -> Result<u64> {
    let ended = grant::end(connection, engine, &Ending::Of(which, GRANTS_AT_ONCE), at, until).await?;
    grant::revoke(connection, &ended, at, until).await?;
    Ok(ended.len() as u64)
}

async fn forget_user(
    connection: &mut AnyConnection,
    engine: Engine,
    user: UserId,
    at: Timestamp,
    until: Timestamp,
) -> Result<()> {
    end_and_notify(connection, engine, Sessions::OfUser(user), at).await?;
    let ended = grant::end(connection, engine, &Ending::Of(Grants::OfUser(user), u32::MAX), at, until).await?;
    for statement in FORGETS {
        let statement = statement.replace("{for_update}", engine.for_update());
        Sql::new(statement).with(user.to_string()).run(connection).await?;
    }
    grant::revoke(connection, &ended, at, until).await
}

/// What is read of a row. Where that fails, its columns hold something else than what was written: the database answered.
fn read<T>(
    found: Result<Option<AnyRow>>,
    what: &str,
    decode: impl FnOnce(&mut Columns<'_>) -> Result<T>,
) -> Result<Option<T>> {
    match found {
        Err(error) if is_undecodable(&error) => Err(corrupt(Resource::User, what, error)),
        Err(error) => Err(error),
        Ok(None) => Ok(None),
        Ok(Some(row)) => decode(&mut Columns::of(&row)).map(Some).map_err(|error| match error {
            StoreError::Unavailable(source) => corrupt(Resource::User, what, source),
            error => error,
        }),
    }
}

/// Adds a row under an identifier that nobody else has. Where somebody has it, it was made twice.
async fn add(connection: &mut AnyConnection, sql: Sql) -> Result<Outcome> {
    match sql.run(connection).await? {
        0 => Err(StoreError::Unstorable("its identifier is taken")),
        _ => Ok(Outcome::Done),
    }
}

// Whatever is about a person but for their sessions, which have been ended.
const FORGETS: [&str; 4] = [
    "DELETE FROM refresh_tokens WHERE token IN (SELECT token FROM refresh_tokens WHERE grant_id IN \
     (SELECT id FROM grants WHERE user_id = $1) ORDER BY token{for_update})",
    "DELETE FROM grants WHERE user_id = $1",
    "DELETE FROM consents WHERE user_id = $1 AND application_id IN \
     (SELECT application_id FROM consents WHERE user_id = $1 ORDER BY application_id{for_update})",
    "DELETE FROM one_time_tokens WHERE token IN \
     (SELECT token FROM one_time_tokens WHERE subject = $1 ORDER BY token{for_update})",
];
// Names in one statement.
const SESSIONS_AT_ONCE: usize = 256;
const GRANTS_AT_ONCE: u32 = 4096;
