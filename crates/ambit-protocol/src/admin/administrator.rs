//! Administrators: who may administer what, by role.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{AdministratorId, ApplicationId, PartnerId, TenantId};
use crate::time::Timestamp;

/// The assignment of an administrator's role to an application.
///
/// An application without any assignment administers by its level. One with assignments administers by those that are
/// live and no further: an `auditor` only reads whatever its scopes say, and an expired assignment leaves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Administrator {
    /// Identifier.
    pub id: AdministratorId,
    /// Who holds the role.
    pub application_id: ApplicationId,
    /// The role.
    pub role: AdministratorRole,
    /// The tenant it is held in (`tenant_admin`, and `auditor` of a tenant).
    pub tenant_id: Option<TenantId>,
    /// The partner it is held in (`partner_admin`, `auditor` of a partner), or that tenant's partner.
    pub partner_id: Option<PartnerId>,
    /// When it ends; never where `null`.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// What an administrator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdministratorRole {
    /// Everything.
    SuperAdmin,
    /// A partner and its tenants.
    PartnerAdmin,
    /// A tenant.
    TenantAdmin,
    /// Reads, and changes nothing.
    Auditor,
}

impl AdministratorRole {
    /// The role as the wire spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SuperAdmin => "super_admin",
            Self::PartnerAdmin => "partner_admin",
            Self::TenantAdmin => "tenant_admin",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for AdministratorRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Assigns a role.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAdministrator {
    /// Who is to hold it, by identifier or `client_id`.
    pub application: String,
    /// The role.
    pub role: AdministratorRole,
    /// The tenant it is held in.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// The partner it is held in.
    #[serde(default)]
    pub partner_id: Option<PartnerId>,
    /// When it ends.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}
