//! Refresh tokens.

use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::{AuthorizationGrant, RefreshToken};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::id::GrantId;
use ambit_protocol::time::Timestamp;
use sqlx::AnyConnection;

use super::{add, grant, read};
use crate::checksum::{Part, REFRESH_TOKENS};
use crate::error::Result;
use crate::grouped::Outcome;
use crate::pool::Engine;
use crate::sql::{Columns, Sql};

pub(super) async fn issue(connection: &mut AnyConnection, token: &RefreshToken) -> Result<Outcome> {
    let grant_id = token.grant_id.to_string();
    let checksum = REFRESH_TOKENS.checksum(parts(&token.token, &grant_id, token.expires_at));
    let sql = Sql::new(
        "INSERT INTO refresh_tokens (token, grant_id, expires_at, used_at, checksum) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT DO NOTHING",
    )
    .with(&token.token)
    .with(grant_id)
    .with(token.expires_at)
    .with(token.used_at)
    .with(checksum);
    add(connection, sql).await
}

pub(super) async fn find(
    connection: &mut AnyConnection,
    token: &SecretHash,
) -> Result<Option<(RefreshToken, AuthorizationGrant)>> {
    let found = Sql::new(format!(
        "SELECT refresh_tokens.expires_at, refresh_tokens.used_at, refresh_tokens.checksum, {} FROM refresh_tokens \
         JOIN grants ON grants.id = refresh_tokens.grant_id WHERE token = $1",
        grant::COLUMNS
    ))
    .with(token)
    .optional(connection)
    .await;
    read(found, "refresh token", |columns| {
        let (expires_at, used_at) = (columns.timestamp()?, columns.optional_timestamp()?);
        let checksum = columns.optional_octets()?;
        let grant = grant::grant(columns)?;
        let kept = RefreshToken { token: *token, grant_id: grant.id, expires_at, used_at };
        check(&kept, checksum.as_deref())?;
        Ok((kept, grant))
    })
}

pub(super) async fn of_grant(connection: &mut AnyConnection, grant: GrantId) -> Result<Vec<RefreshToken>> {
    let rows =
        Sql::new("SELECT token, expires_at, used_at, checksum FROM refresh_tokens WHERE grant_id = $1 ORDER BY token")
            .with(grant.to_string())
            .all(connection)
            .await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            let kept = RefreshToken {
                token: columns.hash()?,
                grant_id: grant,
                expires_at: columns.timestamp()?,
                used_at: columns.optional_timestamp()?,
            };
            check(&kept, columns.optional_octets()?.as_deref())?;
            Ok(kept)
        })
        .collect()
}

/// That a row is as it was written.
fn check(kept: &RefreshToken, checksum: Option<&[u8]>) -> Result<()> {
    let grant_id = kept.grant_id.to_string();
    let name = || format!("refresh token of {grant_id}");
    REFRESH_TOKENS.check(&parts(&kept.token, &grant_id, kept.expires_at), checksum, Resource::User, name)
}

fn parts<'a>(token: &'a SecretHash, grant_id: &'a str, expires_at: Timestamp) -> [Part<'a>; 3] {
    [token.into(), grant_id.into(), expires_at.into()]
}

/// Where another transaction is using the same, it waits for that one's outcome.
pub(super) async fn rotate(
    connection: &mut AnyConnection,
    engine: Engine,
    token: &SecretHash,
    at: Timestamp,
    successor: &RefreshToken,
) -> Result<Outcome> {
    let used = Sql::new(format!(
        "UPDATE refresh_tokens SET used_at = $3 WHERE token = $1 AND grant_id = $2 AND used_at IS NULL \
         AND EXISTS (SELECT 1 FROM grants WHERE grants.id = $2 AND {GOES_ON})"
    ))
    .with(token)
    .with(successor.grant_id.to_string())
    .with(at)
    .run(connection)
    .await?;
    if used == 1 {
        forget_used_before(connection, engine, token, successor.grant_id).await?;
        return issue(connection, successor).await;
    }
    let before = Sql::new(format!(
        "SELECT used_at FROM refresh_tokens JOIN grants ON grants.id = grant_id \
         WHERE token = $1 AND grant_id = $2 AND {GOES_ON}"
    ))
    .with(token)
    .with(successor.grant_id.to_string())
    .with(at)
    .optional(connection)
    .await?;
    let before = before.map(|row| Columns::of(&row).optional_timestamp()).transpose()?.flatten();
    Ok(before.map_or(Outcome::Refused, Outcome::DoneBefore))
}

/// Whatever of a grant was used before the one that is used now. What somebody else holds stays for the next time: this one waits
/// for nobody, in whichever order it takes its rows.
async fn forget_used_before(
    connection: &mut AnyConnection,
    engine: Engine,
    token: &SecretHash,
    grant: GrantId,
) -> Result<()> {
    Sql::new(format!(
        "DELETE FROM refresh_tokens WHERE token IN (SELECT token FROM refresh_tokens \
         WHERE grant_id = $1 AND used_at IS NOT NULL AND token <> $2{})",
        engine.for_update_of_idle()
    ))
    .with(grant.to_string())
    .with(token)
    .run(connection)
    .await
    .map(drop)
}

// `$3` is now. A grant that ends with its session goes on for as long as the session does.
const GOES_ON: &str = "grants.ended_at IS NULL AND grants.expires_at > $3 AND (grants.session_id IS NULL \
     OR EXISTS (SELECT 1 FROM sessions WHERE sessions.id = grants.session_id AND sessions.expires_at > $3))";
