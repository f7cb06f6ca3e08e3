//! Forgetting what is over.

use ambit_protocol::time::Timestamp;
use sqlx::AnyConnection;

use crate::error::{Result, number};
use crate::pool::Engine;
use crate::sql::Sql;

/// Forgets what expired before `now`, the oldest first, in at most `limit` rows. What was spent or used stays until it would
/// have expired, so that a second use is recognised. Where somebody is changing a row it stays for the next time.
pub(crate) async fn purge_expired(
    connection: &mut AnyConnection,
    engine: Engine,
    now: Timestamp,
    limit: u32,
) -> Result<u64> {
    let mut gone = 0;
    for statement in PURGES {
        let left = number(u64::from(limit).saturating_sub(gone))?;
        let statement = statement.replace("{for_update}", engine.for_update_of_idle());
        gone += Sql::new(statement).with(now).with(left).run(connection).await?;
    }
    Ok(gone)
}

// Whatever hangs on something goes before it: grants end with their sessions before these go, and refresh tokens go before
// their grants. Nobody is told of a session that has expired: whoever wants to know asks with `prompt=none`. So it comes out right wherever the limit cuts it off.
const PURGES: [&str; 9] = [
    "DELETE FROM interactions WHERE id IN \
     (SELECT id FROM interactions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2{for_update})",
    "UPDATE grants SET ended_at = $1, expires_at = CASE WHEN expires_at < $1 THEN expires_at ELSE $1 END WHERE id IN \
     (SELECT id FROM grants WHERE ended_at IS NULL AND session_id IN \
     (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) LIMIT $2{for_update})",
    "DELETE FROM session_applications WHERE session_id IN \
     (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2{for_update})",
    "DELETE FROM sessions WHERE id IN \
     (SELECT id FROM sessions WHERE expires_at < $1 AND NOT EXISTS \
     (SELECT 1 FROM grants WHERE grants.session_id = sessions.id AND grants.ended_at IS NULL) AND NOT EXISTS \
     (SELECT 1 FROM session_applications WHERE session_applications.session_id = sessions.id) \
     ORDER BY expires_at LIMIT $2{for_update})",
    "DELETE FROM codes WHERE token IN \
     (SELECT token FROM codes WHERE expires_at < $1 ORDER BY expires_at LIMIT $2{for_update})",
    "DELETE FROM refresh_tokens WHERE token IN \
     (SELECT token FROM refresh_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2{for_update})",
    "DELETE FROM refresh_tokens WHERE token IN \
     (SELECT token FROM refresh_tokens WHERE grant_id IN \
     (SELECT id FROM grants WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) LIMIT $2{for_update})",
    "DELETE FROM grants WHERE id IN \
     (SELECT id FROM grants WHERE expires_at < $1 AND NOT EXISTS \
     (SELECT 1 FROM refresh_tokens WHERE refresh_tokens.grant_id = grants.id) \
     ORDER BY expires_at LIMIT $2{for_update})",
    "DELETE FROM one_time_tokens WHERE token IN \
     (SELECT token FROM one_time_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2{for_update})",
];
