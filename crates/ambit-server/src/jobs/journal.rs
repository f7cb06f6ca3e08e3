//! Takes away what the journal has kept long enough (`journal.retention`).

use ambit_protocol::time::Timestamp;

use super::JobError;
use crate::state::App;

pub(super) async fn purge(app: &App, now: Timestamp) -> Result<(), JobError> {
    let before = now - app.config.journal.retention;
    // A bounded number of rows at a time, so that nobody waits for it; and as often as it takes, so that it keeps up.
    while app.store.purge_journal(before, ROWS_AT_ONCE).await? >= ROWS_AT_ONCE.into() {}
    Ok(())
}

const ROWS_AT_ONCE: u32 = 5_000;
