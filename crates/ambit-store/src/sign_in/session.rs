//! Sessions.

use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::{Session, Sessions};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::id::{SessionId, UserId};
use sqlx::AnyConnection;

use super::{add, read};
use crate::checksum::{Part, SESSIONS};
use crate::error::Result;
use crate::grouped::Outcome;
use crate::pool::Engine;
use crate::sql::{Columns, Sql};

pub(super) async fn begin(connection: &mut AnyConnection, session: &Session) -> Result<Outcome> {
    let (id, user) = (session.id.to_string(), session.user_id.to_string());
    let checksum = SESSIONS.checksum(parts(session, &id, &user));
    let sql = Sql::new(
        "INSERT INTO sessions (id, token, user_id, created_at, seen_at, expires_at, document, checksum) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .with(id)
    .with(&session.token)
    .with(user)
    .with(session.created_at)
    .with(session.seen_at)
    .with(session.expires_at)
    .with(session.document.as_str())
    .with(checksum);
    add(connection, sql).await
}

pub(super) async fn find(connection: &mut AnyConnection, token: &SecretHash) -> Result<Option<Session>> {
    let found =
        Sql::new(format!("SELECT {COLUMNS} FROM sessions WHERE token = $1")).with(token).optional(connection).await;
    read(found, "session", whole)
}

/// Since when it is and whose it is stays, and is in its checksum.
pub(super) async fn change(connection: &mut AnyConnection, engine: Engine, session: &Session) -> Result<Outcome> {
    let (id, for_update) = (session.id.to_string(), engine.for_update());
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE id = $1{for_update}");
    let found = Sql::new(sql).with(id.as_str()).optional(connection).await;
    let Some(before) = read(found, "session", whole)? else { return Ok(Outcome::Refused) };
    let session = Session { user_id: before.user_id, created_at: before.created_at, ..session.clone() };
    let checksum = SESSIONS.checksum(parts(&session, &id, &session.user_id.to_string()));
    let changed = Sql::new(
        "UPDATE sessions SET token = $2, seen_at = $3, expires_at = $4, document = $5, checksum = $6 WHERE id = $1",
    )
    .with(id)
    .with(&session.token)
    .with(session.seen_at)
    .with(session.expires_at)
    .with(session.document.as_str())
    .with(checksum)
    .run(connection)
    .await?;
    Ok(Outcome::of_rows(changed))
}

pub(super) async fn touch(connection: &mut AnyConnection, session: &Session) -> Result<Outcome> {
    let touched = Sql::new("UPDATE sessions SET seen_at = $3, expires_at = $4 WHERE id = $1 AND token = $2")
        .with(session.id.to_string())
        .with(&session.token)
        .with(session.seen_at)
        .with(session.expires_at)
        .run(connection)
        .await?;
    Ok(Outcome::of_rows(touched))
}

pub(super) async fn of_user(connection: &mut AnyConnection, user: UserId) -> Result<Vec<Session>> {
    let rows = Sql::new(format!("SELECT {COLUMNS} FROM sessions WHERE user_id = $1"))
        .with(user.to_string())
        .all(connection)
        .await?;
    newest_first(rows.iter().map(|row| whole(&mut Columns::of(row))))
}

/// Takes them away, as they were written or not. What ends with them is for the caller to end.
pub(super) async fn end(connection: &mut AnyConnection, engine: Engine, which: Sessions) -> Result<Vec<Session>> {
    let mut sql = Sql::new("DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ");
    match which {
        Sessions::One(id) => sql.push("id = ").bind(id.to_string()),
        Sessions::OfUser(user) => sql.push("user_id = ").bind(user.to_string()),
        Sessions::OfUserExcept(user, but) => {
            sql.push("user_id = ").bind(user.to_string()).push(" AND id <> ").bind(but.to_string())
        }
    };
    sql.push(" ORDER BY id").push(engine.for_update()).push(") RETURNING ").push(COLUMNS);
    let rows = sql.all(connection).await?;
    newest_first(rows.iter().map(|row| session(&mut Columns::of(row))))
}

fn newest_first(sessions: impl Iterator<Item = Result<Session>>) -> Result<Vec<Session>> {
    let mut sessions = sessions.collect::<Result<Vec<_>>>()?;
    sessions.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
    Ok(sessions)
}

/// The session, if it is as it was written.
fn whole(columns: &mut Columns<'_>) -> Result<Session> {
    let session = session(columns)?;
    let checksum = columns.optional_octets()?;
    let (id, user) = (session.id.to_string(), session.user_id.to_string());
    SESSIONS.check(&parts(&session, &id, &user), checksum.as_deref(), Resource::User, || format!("session {id}"))?;
    Ok(session)
}

fn parts<'a>(session: &'a Session, id: &'a str, user: &'a str) -> [Part<'a>; 5] {
    [id.into(), (&session.token).into(), user.into(), session.created_at.into(), session.document.as_str().into()]
}

/// Reads the columns of [`COLUMNS`] but for the last.
fn session(columns: &mut Columns<'_>) -> Result<Session> {
    Ok(Session {
        id: columns.id::<SessionId>()?,
        token: columns.hash()?,
        user_id: columns.id()?,
        created_at: columns.timestamp()?,
        seen_at: columns.timestamp()?,
        expires_at: columns.timestamp()?,
        document: columns.text()?,
    })
}

const COLUMNS: &str = "id, token, user_id, created_at, seen_at, expires_at, document, checksum";
