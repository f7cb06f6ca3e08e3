//! Authorization codes.

use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::Code;
use ambit_protocol::time::Timestamp;
use sqlx::AnyConnection;

use super::{Lent, add, grant, refresh_token};
use crate::error::Result;
use crate::grouped::Outcome;
use crate::sql::{Columns, Sql};

pub(super) async fn issue(connection: &mut AnyConnection, code: &Code) -> Result<Outcome> {
    let sql = Sql::new(
        "INSERT INTO codes (token, grant_id, expires_at, spent_at, document) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT DO NOTHING",
    )
    .with(&code.token)
    .with(code.grant_id.to_string())
    .with(code.expires_at)
    .with(code.spent_at)
    .with(code.document.as_str());
    add(connection, sql).await
}

pub(super) async fn find(connection: &mut AnyConnection, token: &SecretHash) -> Result<Option<Code>> {
    let found = Sql::new("SELECT grant_id, expires_at, spent_at, document FROM codes WHERE token = $1")
        .with(token)
        .optional(connection)
        .await?;
    let Some(row) = found else { return Ok(None) };
    let mut columns = Columns::of(&row);
    Ok(Some(Code {
        token: *token,
        grant_id: columns.id()?,
        expires_at: columns.timestamp()?,
        spent_at: columns.optional_timestamp()?,
        document: columns.text()?,
    }))
}

/// Where another transaction is spending the same, it waits for that one's outcome. A grant that would end with its session
/// is not begun once the session has ended.
pub(super) async fn spend(
    connection: &mut AnyConnection,
    token: &SecretHash,
    at: Timestamp,
    lent: Option<&Lent>,
) -> Result<Outcome> {
    let mut sql = Sql::new("UPDATE codes SET spent_at = $1 WHERE token = $2 AND spent_at IS NULL").with(at).with(token);
    if let Some(lent) = lent {
        sql.push(" AND grant_id = ").bind(lent.grant.id.to_string());
        if let Some(session) = lent.grant.session_id {
            sql.push(" AND EXISTS (SELECT 1 FROM sessions WHERE id = ").bind(session.to_string()).push(")");
        }
    }
    if sql.run(connection).await? == 0 {
        return Ok(Outcome::Refused);
    }
    if let Some(lent) = lent {
        grant::begin(connection, &lent.grant).await?;
        if let Some(token) = &lent.refresh_token {
            refresh_token::issue(connection, token).await?;
        }
    }
    Ok(Outcome::Done)
}
