//! What the server does by the clock. Each job is a function that does its work once, so that a test can do it with a moved clock.

#![expect(
    clippy::disallowed_methods,
    reason = "spans of time are measured by the clock that never jumps; moments come from `Clock`"
)]

use std::time::Duration;

use ambit_core::reach::Reach;
use ambit_core::registry::key::{self, NewKey, NewKeyError};
use ambit_core::registry::{Edit, Power, RegistryError};
use ambit_core::store::{ChangeContext, Filter, StoreError, noun};
use ambit_protocol::admin::key::{Key, KeyState};
use ambit_protocol::time::Timestamp;

use crate::state::App;

/// Runs all jobs until it is stopped.
pub async fn run(app: App) {
    let mut chores_due = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(REFRESH_EVERY).await;
        if let Err(error) = refresh(&app).await {
            tracing::error!(%error, "what changed elsewhere could not be read");
        }
        if tokio::time::Instant::now() < chores_due {
            continue;
        }
        chores_due += CHORES_EVERY;
        let now = app.clock.now();
        if let Err(error) = purge(&app, now).await {
            tracing::error!(%error, "what has expired could not be forgotten");
        }
        if let Err(error) = rotate_keys(&app, now).await {
            tracing::error!(%error, "the signing keys could not be looked after");
        }
    }
}

/// Takes in what other nodes changed and revoked.
///
/// # Errors
/// Those of the store.
pub async fn refresh(app: &App) -> Result<(), StoreError> {
    app.registry.catch_up().await?;
    app.revocations.catch_up(&*app.store).await
}

/// Forgets what has expired, a bounded number of rows at a time, so that nobody waits for it.
///
/// # Errors
/// Those of the store.
pub async fn purge(app: &App, now: Timestamp) -> Result<(), StoreError> {
    app.revocations.forget_expired(now);
    app.failures.forget_forgiven(now);
    app.store.purge_expired(now, ROWS_AT_ONCE).await?;
    app.store.purge_journal(now - app.config.journal.retention, ROWS_AT_ONCE).await?;
    Ok(())
}

/// Why the keys could not be looked after.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry refuses.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] NewKeyError),
}

/// Rotates keys that are old enough, and takes away those whose last tokens have expired. Several nodes may do this at once: who
/// comes second finds a young key, looking again within the transaction.
///
/// # Errors
/// [`RotateError`].
pub async fn rotate_keys(app: &App, now: Timestamp) -> Result<(), RotateError> {
    let due = |keys: &[Key]| -> Vec<Key> {
        let is_old = |key: &&Key| {
            key.state == KeyState::Active && key.activated_at.is_some_and(|since| since + app.config.keys.rotate <= now)
        };
        keys.iter().filter(is_old).cloned().collect()
    };
    let is_over = |key: &Key| key.state == KeyState::Retiring && key.remove_at.is_some_and(|end| end <= now);
    let keys: Vec<Key> = noun::list(&*app.store, &Filter::default(), Reach::Platform).await?;
    let old = due(&keys);
    if old.is_empty() && !keys.iter().any(is_over) {
        return Ok(());
    }
    let mut made = vec![];
    for key in &old {
        made.push(NewKey::make(key.algorithm, now, &app.vault, &*app.entropy)?);
    }
    let power = Power::system("system");
    let settings = app.settings();
    let context = ChangeContext { actor: "system".to_owned(), at: now, trace_id: None };
    let transaction = app.store.begin(context).await?;
    let edit = Edit { tx: &*transaction, power: &power, settings: &settings, entropy: &*app.entropy };
    let still_due = due(&noun::list(&*transaction, &Filter::default(), Reach::Platform).await?);
    let verify_secs = u32::try_from(app.config.keys.overlap.as_secs()).unwrap_or(u32::MAX);
    for new in made {
        if still_due.iter().any(|key| key.algorithm == new.algorithm()) {
            key::rotate(&edit, new, verify_secs).await?;
        }
    }
    key::remove_retired(&edit).await?;
    transaction.commit().await?;
    app.registry.catch_up().await?;
    Ok(())
}

/// A change on one node decides tokens on the others within a quarter of a second.
const REFRESH_EVERY: Duration = Duration::from_millis(250);
const CHORES_EVERY: Duration = Duration::from_mins(1);
const ROWS_AT_ONCE: u32 = 5_000;
