//! Forgets what has expired: revocations of tokens that are over, used assertions, kept answers, failures that are
//! forgiven, visits that are long past.

use std::time::Duration;

use ambit_protocol::time::Timestamp;

use super::JobError;
use crate::state::App;

pub(super) async fn forget(app: &App, now: Timestamp) -> Result<(), JobError> {
    app.revocations.forget_expired(now);
    app.failures.forget_forgiven(app.steady_moment());
    app.sign_in_failures.forget_forgiven(app.steady_moment());
    app.visits.forget_forgiven(app.steady_moment());
    // A bounded number of rows at a time, so that nobody waits for it; and as often as it takes, so that it keeps up.
    // It is forgotten for all nodes, and for some of them it may still be earlier.
    loop {
        let began = app.clock.steady();
        if app.store.purge_expired(now - CLOCKS_DIFFER, ROWS_AT_ONCE).await? < ROWS_AT_ONCE.into() {
            return Ok(());
        }
        // Half of the time the writer, the log and the disk are for those alone who wait for an answer.
        tokio::time::sleep(app.clock.steady().saturating_sub(began)).await;
    }
}

// SQLite's one writer is held for as long as a batch takes: some thousandths of a second per hundred rows.
const ROWS_AT_ONCE: u32 = 100;
const CLOCKS_DIFFER: Duration = Duration::from_hours(1);
