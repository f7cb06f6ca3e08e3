//! Tells applications that sessions have ended.

use super::JobError;
use crate::logout::tell_applications;
use crate::state::App;

pub(super) async fn tell(app: &App) -> Result<(), JobError> {
    Ok(tell_applications(app).await?)
}
