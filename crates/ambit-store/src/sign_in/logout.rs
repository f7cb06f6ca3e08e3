//! Who is told that a session has ended.

use ambit_core::store::sign_in::{LogoutNotice, Session};
use ambit_protocol::id::{ApplicationId, SessionId};
use ambit_protocol::time::Timestamp;
use sqlx::AnyConnection;

use crate::error::{Result, unsigned};
use crate::grouped::Outcome;
use crate::pool::Engine;
use crate::sql::{Columns, Sql};

/// Notes that a session signs its person in to an application. Where somebody is ending the session it waits for that one's
/// outcome: whoever is noted is told.
pub(super) async fn join(
    connection: &mut AnyConnection,
    engine: Engine,
    session: SessionId,
    application: ApplicationId,
) -> Result<Outcome> {
    let lock = engine.for_key_share();
    Sql::new(format!(
        "INSERT INTO session_applications (session_id, application_id) \
         SELECT id, $2 FROM (SELECT id FROM sessions WHERE id = $1{lock}) AS there WHERE true ON CONFLICT DO NOTHING"
    ))
    .with(session.to_string())
    .with(application.to_string())
    .run(connection)
    .await
    .map(|_| Outcome::Done)
}

pub(super) async fn applications_of(connection: &mut AnyConnection, session: SessionId) -> Result<Vec<ApplicationId>> {
    let rows =
        Sql::new("SELECT application_id FROM session_applications WHERE session_id = $1 ORDER BY application_id")
            .with(session.to_string())
            .all(connection)
            .await?;
    rows.iter().map(|row| Columns::of(row).id()).collect()
}

/// A session has ended: everybody whom it signed in to is to be told.
pub(super) async fn notify(connection: &mut AnyConnection, ended: &Session, at: Timestamp) -> Result<()> {
    Sql::new(
        "INSERT INTO logout_notices (session_id, application_id, user_id, ended_at, due_at, attempts) \
         SELECT session_id, application_id, $2, $3, $3, 0 FROM session_applications WHERE session_id = $1 \
         ON CONFLICT DO NOTHING",
    )
    .with(ended.id.to_string())
    .with(ended.user_id.to_string())
    .with(at)
    .run(connection)
    .await?;
    Sql::new("DELETE FROM session_applications WHERE session_id = $1")
        .with(ended.id.to_string())
        .run(connection)
        .await
        .map(drop)
}

pub(super) async fn is_any_due(connection: &mut AnyConnection, now: Timestamp) -> Result<bool> {
    let due =
        Sql::new("SELECT 1 FROM logout_notices WHERE due_at <= $1 LIMIT 1").with(now).optional(connection).await?;
    Ok(due.is_some())
}

/// Takes those that are due, the longest overdue first, and puts each off, so that no other node takes it meanwhile.
pub(super) async fn take(
    connection: &mut AnyConnection,
    engine: Engine,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<LogoutNotice>> {
    let idle = engine.for_update_of_idle();
    let rows = Sql::new(format!(
        "UPDATE logout_notices SET due_at = $2, attempts = attempts + 1 WHERE (session_id, application_id) IN \
         (SELECT session_id, application_id FROM logout_notices WHERE due_at <= $1 ORDER BY due_at LIMIT $3{idle}) \
         RETURNING session_id, application_id, user_id, ended_at, due_at, attempts"
    ))
    .with(now)
    .with(until)
    .with(limit)
    .all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(LogoutNotice {
                session_id: columns.id()?,
                application_id: columns.id()?,
                user_id: columns.id()?,
                ended_at: columns.timestamp()?,
                due_at: columns.timestamp()?,
                attempts: unsigned(columns.number()?)?,
            })
        })
        .collect()
}

/// Puts one off. One that was taken again since then is somebody else's to put off.
pub(super) async fn put_off(
    connection: &mut AnyConnection,
    notice: &LogoutNotice,
    until: Timestamp,
) -> Result<Outcome> {
    Sql::new("UPDATE logout_notices SET due_at = $4 WHERE session_id = $1 AND application_id = $2 AND attempts = $3")
        .with(notice.session_id.to_string())
        .with(notice.application_id.to_string())
        .with(notice.attempts)
        .with(until)
        .run(connection)
        .await
        .map(Outcome::of_rows)
}

pub(super) async fn forget(connection: &mut AnyConnection, notice: &LogoutNotice) -> Result<Outcome> {
    Sql::new("DELETE FROM logout_notices WHERE session_id = $1 AND application_id = $2")
        .with(notice.session_id.to_string())
        .with(notice.application_id.to_string())
        .run(connection)
        .await
        .map(Outcome::of_rows)
}
