//! Tenants.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Name, Slug};
use crate::id::{PartnerId, TenantId};
use crate::time::Timestamp;

/// A customer with units, users and applications of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tenant {
    /// Identifier.
    pub id: TenantId,
    /// Name for people.
    pub name: Name,
    /// Name in the issuer's URL, fixed.
    pub slug: Slug,
    /// The partner it belongs to; fixed.
    pub partner_id: Option<PartnerId>,
    /// What it pays for, in the operator's own words.
    pub plan_tier: Option<Name>,
    /// Where it stands in its life.
    pub status: TenantStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// Where a tenant stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantStatus {
    /// Trying it out.
    #[default]
    Trial,
    /// In business.
    Active,
    /// Behind with something; everything works and every answer warns.
    GracePeriod,
    /// Shut until it pays: token and API calls answer 402.
    Suspended,
    /// Gone: token and API calls answer 403.
    Churned,
}

impl TenantStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Trial, Self::Active, Self::GracePeriod, Self::Suspended, Self::Churned];

    /// Whether a tenant may go from here to there. A churned tenant stays churned.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use TenantStatus::{Active, Churned, GracePeriod, Suspended, Trial};
        matches!(
            (self, next),
            (Trial, Active | Suspended | Churned)
                | (Active, GracePeriod | Suspended | Churned)
                | (GracePeriod, Active | Suspended | Churned)
                | (Suspended, Active | Churned)
        )
    }

    /// The status as the wire spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Active => "active",
            Self::GracePeriod => "grace_period",
            Self::Suspended => "suspended",
            Self::Churned => "churned",
        }
    }
}

impl fmt::Display for TenantStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Creates a tenant, with status `trial`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    /// Name for people.
    pub name: Name,
    /// Name in the issuer's URL, fixed.
    pub slug: Slug,
    /// The partner it belongs to; a partner's administrator need not say it.
    #[serde(default)]
    pub partner_id: Option<PartnerId>,
    /// What it pays for, in the operator's own words.
    #[serde(default)]
    pub plan_tier: Option<Name>,
}

/// Changes a tenant. What is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchTenant {
    /// Name for people.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// What it pays for.
    #[serde(default, deserialize_with = "super::present")]
    pub plan_tier: Option<Option<Name>>,
}

/// Moves a tenant to another status.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetTenantStatus {
    /// Where it goes.
    pub status: TenantStatus,
}

#[cfg(test)]
mod tests {
    use super::TenantStatus;

    #[test]
    fn a_churned_tenant_stays_churned_and_nobody_goes_back_to_trial() {
        for status in TenantStatus::ALL {
            assert!(!TenantStatus::Churned.may_become(status));
            assert!(!status.may_become(TenantStatus::Trial));
            assert!(!status.may_become(status));
        }
        assert!(TenantStatus::Suspended.may_become(TenantStatus::Active));
    }
}
