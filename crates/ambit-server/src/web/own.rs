//! What people change of what the registry keeps of themselves, by its pages.

use ambit_core::registry::{Edit, Power, RegistryError};
use ambit_core::store::ChangeContext;
use ambit_protocol::admin::user::User;
use axum::http::request::Parts;

use crate::logs::with_causes;
use crate::middleware::RequestContext;
use crate::state::App;

/// A change of a person's own, by themselves: as far as they are registered, and in the audit trail under their name.
///
/// # Errors
/// Those of what is made; those of the store.
pub(crate) async fn change<T>(
    app: &App,
    parts: &Parts,
    user: &User,
    make: impl AsyncFnOnce(&Edit<'_>) -> Result<T, RegistryError>,
) -> Result<T, RegistryError> {
    change_by(app, parts, &Power::of_oneself(user), make).await
}

/// A change by somebody who is not registered yet.
///
/// # Errors
/// Those of what is made; those of the store.
pub(crate) async fn change_by<T>(
    app: &App,
    parts: &Parts,
    power: &Power,
    make: impl AsyncFnOnce(&Edit<'_>) -> Result<T, RegistryError>,
) -> Result<T, RegistryError> {
    let trace_id = RequestContext::of(parts, app).trace_id.to_string();
    let context = ChangeContext { actor: power.actor.clone(), at: app.clock.now(), trace_id: Some(trace_id) };
    let tx = app.store.begin(context).await?;
    let settings = app.settings();
    let made = make(&Edit { tx: &*tx, power, settings: &settings, entropy: &*app.entropy }).await?;
    tx.commit().await?;
    // The next page shows it. It is made, whatever comes of this.
    if let Err(error) = app.registry.catch_up().await {
        tracing::warn!(error = with_causes(&error), "this node will see the change when the store answers again");
    }
    Ok(made)
}
