//! Features: what a gate is tied to, on or off per tenant (level 1) and per unit (level 2).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{FeatureKey, Texts};
use crate::id::{PartnerId, TenantId, UnitId};
use crate::time::Timestamp;

/// A feature that tenants and units can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Feature {
    /// Its key, fixed.
    pub key: FeatureKey,
    /// Its title.
    pub title: Texts,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// Creates a feature.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateFeature {
    /// Its key, fixed.
    pub key: FeatureKey,
    /// Its title.
    pub title: Texts,
}

/// Changes a feature. What is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchFeature {
    /// Its title.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub title: Option<Texts>,
}

/// Level 1: whether a feature is on for a tenant. Unset means off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantFeature {
    /// The tenant.
    pub tenant_id: TenantId,
    /// That tenant's partner.
    pub partner_id: Option<PartnerId>,
    /// The feature.
    pub key: FeatureKey,
    /// On or off.
    pub enabled: bool,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it was last set.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// Level 2: whether a feature is on for a unit. Unset follows level 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnitFeature {
    /// The unit.
    pub unit_id: UnitId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// That tenant's partner.
    pub partner_id: Option<PartnerId>,
    /// The feature.
    pub key: FeatureKey,
    /// On or off.
    pub enabled: bool,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it was last set.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// Sets a feature for a tenant or a unit. For a unit, `null` unsets it, so that it follows the tenant again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetFeature {
    /// On or off.
    // Required: a body without it is a mistake, and no wish to unset.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schemars(required)]
    pub enabled: Option<bool>,
}

/// Both levels of a feature and what comes of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeatureStatus {
    /// The feature.
    pub key: FeatureKey,
    /// Its title.
    pub title: Texts,
    /// Level 1: on or off for the tenant.
    pub tenant_enabled: bool,
    /// Level 2: on, off or unset (`null`) for the unit; `null` too where no unit was asked about.
    pub unit_enabled: Option<bool>,
    /// Whether the gate is open: both levels on, level 2 following level 1 where it is unset.
    pub open: bool,
}
