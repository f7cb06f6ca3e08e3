//! Sessions.

use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::{Session, Sessions};
use ambit_protocol::id::{SessionId, UserId};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::add;
use crate::error::Result;
use crate::grouped::Outcome;
use crate::pool::Engine;
use crate::sql::{Columns, Sql};

pub(super) async fn begin(connection: &mut AnyConnection, session: &Session) -> Result<Outcome> {
    let sql = Sql::new(
        "INSERT INTO sessions (id, token, user_id, created_at, seen_at, expires_at, document) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .with(session.id.to_string())
    .with(&session.token)
    .with(session.user_id.to_string())
    .with(session.created_at)
    .with(session.seen_at)
    .with(session.expires_at)
    .with(session.document.as_str());
    add(connection, sql).await
}

pub(super) async fn find(connection: &mut AnyConnection, token: &SecretHash) -> Result<Option<Session>> {
    let found =
        Sql::new(format!("SELECT {COLUMNS} FROM sessions WHERE token = $1")).with(token).optional(connection).await?;
    found.map(|row| session(&row)).transpose()
}

pub(super) async fn change(connection: &mut AnyConnection, session: &Session) -> Result<Outcome> {
    let changed =
        Sql::new("UPDATE sessions SET token = $2, seen_at = $3, expires_at = $4, document = $5 WHERE id = $1")
            .with(session.id.to_string())
            .with(&session.token)
            .with(session.seen_at)
            .with(session.expires_at)
            .with(session.document.as_str())
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
    newest_first(&rows)
}

/// Takes them away. What ends with them is for the caller to end.
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
    newest_first(&sql.all(connection).await?)
}

fn newest_first(rows: &[AnyRow]) -> Result<Vec<Session>> {
    let mut sessions = rows.iter().map(session).collect::<Result<Vec<_>>>()?;
    sessions.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
    Ok(sessions)
}

fn session(row: &AnyRow) -> Result<Session> {
    let mut columns = Columns::of(row);
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

const COLUMNS: &str = "id, token, user_id, created_at, seen_at, expires_at, document";
