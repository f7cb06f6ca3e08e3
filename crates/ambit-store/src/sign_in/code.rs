//! Authorization codes.

use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::Code;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::time::Timestamp;
use sqlx::AnyConnection;

use super::{Lent, add, consent, grant, read, refresh_token};
use crate::checksum::{CODES, Part};
use crate::error::Result;
use crate::grouped::Outcome;
use crate::pool::Engine;
use crate::sql::Sql;

pub(super) async fn issue(connection: &mut AnyConnection, code: &Code) -> Result<Outcome> {
    let grant_id = code.grant_id.to_string();
    let checksum = CODES.checksum(parts(code, &grant_id));
    let sql = Sql::new(
        "INSERT INTO codes (token, grant_id, expires_at, spent_at, document, checksum) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .with(&code.token)
    .with(grant_id)
    .with(code.expires_at)
    .with(code.spent_at)
    .with(code.document.as_str())
    .with(checksum);
    add(connection, sql).await
}

pub(super) async fn find(connection: &mut AnyConnection, token: &SecretHash) -> Result<Option<Code>> {
    let found = Sql::new("SELECT grant_id, expires_at, spent_at, document, checksum FROM codes WHERE token = $1")
        .with(token)
        .optional(connection)
        .await;
    read(found, "code", |columns| {
        let code = Code {
            token: *token,
            grant_id: columns.id()?,
            expires_at: columns.timestamp()?,
            spent_at: columns.optional_timestamp()?,
            document: columns.text()?,
        };
        let (checksum, grant_id) = (columns.optional_octets()?, code.grant_id.to_string());
        let name = || format!("code of {grant_id}");
        CODES.check(&parts(&code, &grant_id), checksum.as_deref(), Resource::User, name)?;
        Ok(code)
    })
}

fn parts<'a>(code: &'a Code, grant_id: &'a str) -> [Part<'a>; 4] {
    [(&code.token).into(), grant_id.into(), code.expires_at.into(), code.document.as_str().into()]
}

/// Where another transaction is spending the same, ending the session or withdrawing the consent, it waits for that one's outcome.
pub(super) async fn spend(
    connection: &mut AnyConnection,
    engine: Engine,
    token: &SecretHash,
    at: Timestamp,
    lent: Option<&Lent>,
) -> Result<Outcome> {
    let mut sql = Sql::new("UPDATE codes SET spent_at = $1 WHERE token = $2 AND spent_at IS NULL").with(at).with(token);
    if let Some(lent) = lent {
        sql.push(" AND grant_id = ").bind(lent.grant.id.to_string());
        if let Some(session) = lent.session {
            sql.push(" AND EXISTS (SELECT 1 FROM sessions WHERE id = ").bind(session.to_string());
            sql.push(" AND expires_at > ").bind(at).push(engine.for_key_share()).push(")");
        }
        if let Some(rested_on) = &lent.consent {
            sql.push(" AND EXISTS (SELECT 1 FROM consents WHERE user_id = ").bind(rested_on.user_id.to_string());
            sql.push(" AND application_id = ").bind(rested_on.application_id.to_string());
            consent::push_is(&mut sql, rested_on);
            sql.push(engine.for_key_share()).push(")");
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
