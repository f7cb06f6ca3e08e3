//! Invitations: a letter with a link by which a person chooses their password.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::Email;
use crate::id::UserId;
use crate::time::Timestamp;

/// An invitation that is on its way. Its link is in the letter and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Invitation {
    /// Who is invited.
    pub user_id: UserId,
    /// Where the letter goes.
    pub email: Email,
    /// Until when its link is good, unless another one is sent before.
    pub expires_at: Timestamp,
}
