//! Answers kept for their `Idempotency-Key`.

use ambit_core::store::SavedAnswer;
use sqlx::AnyConnection;

use crate::error::{Result, unsigned};
use crate::sql::{Columns, Sql};

/// An answer under the same key (one that has expired, for the caller looked) gives way to this.
pub(crate) async fn save(connection: &mut AnyConnection, answer: &SavedAnswer) -> Result<()> {
    Sql::new(
        "INSERT INTO saved_answers (actor, answer_key, request_hash, status, sealed, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (actor, answer_key) DO UPDATE SET \
         request_hash = excluded.request_hash, status = excluded.status, sealed = excluded.sealed, \
         expires_at = excluded.expires_at",
    )
    .with(answer.actor.as_str())
    .with(answer.key.as_str())
    .with(answer.request_hash.as_slice())
    .with(i64::from(answer.status))
    .with(answer.sealed.as_slice())
    .with(answer.expires_at)
    .run(connection)
    .await
    .map(drop)
}

pub(crate) async fn find(connection: &mut AnyConnection, actor: &str, key: &str) -> Result<Option<SavedAnswer>> {
    let found = Sql::new(
        "SELECT request_hash, status, sealed, expires_at FROM saved_answers WHERE actor = $1 AND answer_key = $2",
    )
    .with(actor)
    .with(key)
    .optional(connection)
    .await?;
    let Some(row) = found else { return Ok(None) };
    let mut columns = Columns::of(&row);
    Ok(Some(SavedAnswer {
        actor: actor.to_owned(),
        key: key.to_owned(),
        request_hash: columns.octets()?,
        status: unsigned(columns.number()?)?,
        sealed: columns.octets()?,
        expires_at: columns.timestamp()?,
    }))
}
