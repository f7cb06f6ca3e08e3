//! Forgets what has expired: revocations of tokens that are over, used assertions, kept answers, failures that are
//! forgiven, visits that are long past.

use ambit_protocol::time::Timestamp;

use super::JobError;
use crate::state::App;

pub(super) async fn forget(app: &App, now: Timestamp) -> Result<(), JobError> {
    app.revocations.forget_expired(now);
    app.failures.forget_forgiven(now);
    app.visits.forget_forgiven(now);
    // A bounded number of rows at a time, so that nobody waits for it; and as often as it takes, so that it keeps up.
    while app.store.purge_expired(now, ROWS_AT_ONCE).await? >= ROWS_AT_ONCE.into() {}
    Ok(())
}

const ROWS_AT_ONCE: u32 = 5_000;
