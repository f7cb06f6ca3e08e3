//! Presents the certificate that is in the files now. While it cannot be used the one before goes on, and this is reported once
//! for each change of the files.

use super::JobError;
use crate::listener::tls::Tls;
use crate::state::App;

pub(super) async fn refresh(app: &App) -> Result<(), JobError> {
    let app = app.clone();
    // Reading files may take its time.
    let changed = tokio::task::spawn_blocking(move || app.tls.as_ref().map_or(Ok(false), Tls::refresh)).await??;
    if changed {
        tracing::info!("the certificate and its key changed, and are in use");
    }
    Ok(())
}
