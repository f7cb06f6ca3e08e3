//! What is sent to somebody to be used once.

use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::OneTimeToken;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::time::Timestamp;
use sqlx::AnyConnection;

use super::read;
use crate::checksum::{ONE_TIME_TOKENS, Part};
use crate::error::Result;
use crate::grouped::Outcome;
use crate::sql::Sql;

/// In place of what was sent before to the same end about the same subject, unless that was used.
pub(super) async fn issue(connection: &mut AnyConnection, token: &OneTimeToken) -> Result<()> {
    Sql::new(
        "INSERT INTO one_time_tokens (token, purpose, subject, expires_at, used_at, document, checksum) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (subject, purpose) WHERE used_at IS NULL DO UPDATE SET \
         token = excluded.token, expires_at = excluded.expires_at, document = excluded.document, \
         checksum = excluded.checksum",
    )
    .with(&token.token)
    .with(token.purpose.as_str())
    .with(token.subject.as_str())
    .with(token.expires_at)
    .with(token.used_at)
    .with(token.document.as_str())
    .with(ONE_TIME_TOKENS.checksum(parts(token)))
    .run(connection)
    .await
    .map(drop)
}

pub(super) async fn find(connection: &mut AnyConnection, token: &SecretHash) -> Result<Option<OneTimeToken>> {
    let columns = "purpose, subject, expires_at, used_at, document, checksum";
    let found = Sql::new(format!("SELECT {columns} FROM one_time_tokens WHERE token = $1"))
        .with(token)
        .optional(connection)
        .await;
    read(found, "link", |columns| {
        let token = OneTimeToken {
            token: *token,
            purpose: columns.text()?,
            subject: columns.text()?,
            expires_at: columns.timestamp()?,
            used_at: columns.optional_timestamp()?,
            document: columns.text()?,
        };
        let checksum = columns.optional_octets()?;
        let name = || format!("link for {}", token.subject);
        ONE_TIME_TOKENS.check(&parts(&token), checksum.as_deref(), Resource::User, name)?;
        Ok(token)
    })
}

fn parts(token: &OneTimeToken) -> [Part<'_>; 5] {
    [
        (&token.token).into(),
        token.purpose.as_str().into(),
        token.subject.as_str().into(),
        token.expires_at.into(),
        token.document.as_str().into(),
    ]
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
