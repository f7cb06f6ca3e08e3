//! An application's secrets: up to two live ones, so that one can be replaced without a gap.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{ApplicationId, PartnerId, SecretId, TenantId};
use crate::time::Timestamp;

/// A secret, without the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Secret {
    /// Identifier.
    pub id: SecretId,
    /// The application it authenticates.
    pub application_id: ApplicationId,
    /// The last four characters, to tell two apart.
    pub hint: String,
    /// The tenant that owns the application.
    pub tenant_id: Option<TenantId>,
    /// The partner that owns it, or that tenant's.
    pub partner_id: Option<PartnerId>,
    /// When it stops working; never where `null`.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// Makes a new secret.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSecret {
    /// When the new one stops working.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// How long the others keep working; they are left as they are where this is left out.
    #[serde(default)]
    pub overlap_secs: Option<u32>,
}

/// The answer: the secret, shown in this one answer.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct CreatedSecret {
    /// What is kept of it.
    #[serde(flatten)]
    pub secret: Secret,
    /// The secret.
    pub client_secret: String,
}

impl fmt::Debug for CreatedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedSecret").field("secret", &self.secret).finish_non_exhaustive()
    }
}
