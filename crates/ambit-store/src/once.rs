//! What happens once: a token is revoked, an assertion is used.

use ambit_core::store::{Revocation, StoreError};
use ambit_protocol::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::error::{Result, number, unsigned};
use crate::sql::{Columns, Sql};

/// Takes the counter of revocations until the end of the transaction: a reader that sees a number has seen all before it.
pub(crate) async fn revoke(connection: &mut AnyConnection, revocation: &Revocation) -> Result<()> {
    let row = Sql::new("UPDATE revocation_counter SET sequence = sequence + 1 RETURNING sequence")
        .returning(connection)
        .await?;
    let sequence = Columns::of(&row).number()?;
    Sql::new(
        "INSERT INTO revocations (sequence, jti, client_id, revoked_at, expires_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (jti) DO NOTHING",
    )
    .with(sequence)
    .with(revocation.jti.as_str())
    .with(revocation.client_id.as_str())
    .with(revocation.revoked_at)
    .with(revocation.expires_at)
    .run(connection)
    .await
    .map(drop)
}

/// Revokes all of them, each a `jti` and the `client_id` it was issued to, and takes the counter once for it.
pub(crate) async fn revoke_all(
    connection: &mut AnyConnection,
    tokens: &[(&str, &str)],
    revoked_at: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    if tokens.is_empty() {
        return Ok(());
    }
    let row = Sql::new("UPDATE revocation_counter SET sequence = sequence + $1 RETURNING sequence")
        .with(number(tokens.len() as u64)?)
        .returning(connection)
        .await?;
    let mut sequence = Columns::of(&row).number()? - number(tokens.len() as u64)?;
    for tokens in tokens.chunks(ROWS_PER_STATEMENT) {
        let mut sql = Sql::new("INSERT INTO revocations (sequence, jti, client_id, revoked_at, expires_at) VALUES ");
        for (place, (jti, client_id)) in tokens.iter().enumerate() {
            sequence += 1;
            sql.push(if place == 0 { "(" } else { ", (" }).bind(sequence).push(", ").bind(*jti).push(", ");
            sql.bind(*client_id).push(", ").bind(revoked_at).push(", ").bind(expires_at).push(")");
        }
        sql.push(" ON CONFLICT (jti) DO NOTHING");
        let sql = if tokens.len() == 1 || tokens.len() == ROWS_PER_STATEMENT { sql } else { sql.once() };
        sql.run(connection).await?;
    }
    Ok(())
}

/// Found out before it joins others in one transaction.
pub(crate) fn revocable(revocation: &Revocation) -> Result<()> {
    if revocation.jti.contains('\0') || revocation.client_id.contains('\0') {
        return Err(StoreError::Unstorable("a text holds a NUL octet"));
    }
    Ok(())
}

pub(crate) async fn revocations_after(
    connection: &mut AnyConnection,
    sequence: u64,
    limit: u32,
) -> Result<Vec<(u64, Revocation)>> {
    let Ok(seen) = i64::try_from(sequence) else { return Ok(Vec::new()) };
    Sql::new(
        "SELECT sequence, jti, client_id, revoked_at, expires_at FROM revocations WHERE sequence > $1 \
         ORDER BY sequence LIMIT $2",
    )
    .with(seen)
    .with(limit)
    .all(connection)
    .await?
    .iter()
    .map(revocation)
    .collect()
}

fn revocation(row: &AnyRow) -> Result<(u64, Revocation)> {
    let mut columns = Columns::of(row);
    let sequence = unsigned(columns.number()?)?;
    Ok((
        sequence,
        Revocation {
            jti: columns.text()?,
            client_id: columns.text()?,
            revoked_at: columns.timestamp()?,
            expires_at: columns.timestamp()?,
        },
    ))
}

/// An assertion's mark. A `jti` is whatever the client sent: of any length, of any octets.
pub(crate) fn assertion_digest(client_id: &str, jti: &str) -> Vec<u8> {
    let mut text = (client_id.len() as u64).to_be_bytes().to_vec();
    text.extend_from_slice(client_id.as_bytes());
    text.extend_from_slice(jti.as_bytes());
    digest(&SHA256, &text).as_ref().to_vec()
}

/// Whether this is the first use. Where another transaction is noting the same, it waits for that one's outcome.
pub(crate) async fn use_assertion(
    connection: &mut AnyConnection,
    digest: &[u8],
    expires_at: Timestamp,
) -> Result<bool> {
    let added = Sql::new("INSERT INTO assertions (digest, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .with(digest)
        .with(expires_at)
        .run(connection)
        .await?;
    Ok(added == 1)
}

/// Forgets what expired before `now`; what expires at `now` may still count somewhere.
pub(crate) async fn purge_expired(connection: &mut AnyConnection, now: Timestamp, limit: u64) -> Result<u64> {
    let mut gone = 0;
    for statement in PURGES {
        gone += Sql::new(statement).with(now).with(number(limit.saturating_sub(gone))?).run(connection).await?;
    }
    Ok(gone)
}

const ROWS_PER_STATEMENT: usize = 64;

const PURGES: [&str; 3] = [
    "DELETE FROM assertions WHERE digest IN \
     (SELECT digest FROM assertions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
    "DELETE FROM revocations WHERE sequence IN \
     (SELECT sequence FROM revocations WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
    "DELETE FROM saved_answers WHERE (actor, answer_key) IN \
     (SELECT actor, answer_key FROM saved_answers WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_client_id_ends_counts() {
        assert_ne!(assertion_digest("till", "7x"), assertion_digest("till7", "x"));
        assert_eq!(assertion_digest("till", "7"), assertion_digest("till", "7"));
    }
}
