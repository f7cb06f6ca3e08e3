//! What is sent to somebody to be used once.

use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::OneTimeToken;
use ambit_protocol::time::Timestamp;
use sqlx::AnyConnection;

use crate::error::Result;
use crate::grouped::Outcome;
use crate::sql::{Columns, Sql};

/// In place of what was sent before to the same end about the same subject, unless that was used.
pub(super) async fn issue(connection: &mut AnyConnection, token: &OneTimeToken) -> Result<()> {
    Sql::new(
        "INSERT INTO one_time_tokens (token, purpose, subject, expires_at, used_at, document) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (subject, purpose) WHERE used_at IS NULL DO UPDATE SET \
         token = excluded.token, expires_at = excluded.expires_at, document = excluded.document",
    )
    .with(&token.token)
    .with(token.purpose.as_str())
    .with(token.subject.as_str())
    .with(token.expires_at)
    .with(token.used_at)
    .with(token.document.as_str())
    .run(connection)
    .await
    .map(drop)
}

pub(super) async fn find(connection: &mut AnyConnection, token: &SecretHash) -> Result<Option<OneTimeToken>> {
    let found =
        Sql::new("SELECT purpose, subject, expires_at, used_at, document FROM one_time_tokens WHERE token = $1")
            .with(token)
            .optional(connection)
            .await?;
    let Some(row) = found else { return Ok(None) };
    let mut columns = Columns::of(&row);
    Ok(Some(OneTimeToken {
        token: *token,
        purpose: columns.text()?,
        subject: columns.text()?,
        expires_at: columns.timestamp()?,
        used_at: columns.optional_timestamp()?,
        document: columns.text()?,
    }))
}

/// Where another transaction is using the same, it waits for that one's outcome.
pub(super) async fn spend(connection: &mut AnyConnection, token: &SecretHash, at: Timestamp) -> Result<Outcome> {
    let used = Sql::new("UPDATE one_time_tokens SET used_at = $1 WHERE token = $2 AND used_at IS NULL")
        .with(at)
        .with(token)
        .run(connection)
        .await?;
    Ok(Outcome::of_rows(used))
}
