//! Takes in what other nodes changed and revoked.

use super::JobError;
use crate::state::App;

pub(super) async fn refresh(app: &App) -> Result<(), JobError> {
    app.registry.catch_up().await?;
    app.health.see_public_url(app);
    app.revocations.catch_up(&*app.store).await?;
    Ok(())
}
