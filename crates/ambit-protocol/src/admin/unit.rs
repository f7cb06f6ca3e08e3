//! Units.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Name, Slug};
use crate::id::{PartnerId, TenantId, UnitId};
use crate::time::Timestamp;

/// A part of a tenant: a chain's retailer, a region, a department.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unit {
    /// Identifier.
    pub id: UnitId,
    /// The tenant it is a part of.
    pub tenant_id: TenantId,
    /// That tenant's partner.
    pub partner_id: Option<PartnerId>,
    /// Name for people.
    pub name: Name,
    /// Name for URLs and requests, unique in the tenant, fixed.
    pub slug: Slug,
    /// `retailer`, `region`, … in the tenant's own words.
    pub kind: Name,
    /// The unit it is a part of.
    pub parent_id: Option<UnitId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// Creates a unit of a tenant.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUnit {
    /// Name for people.
    pub name: Name,
    /// Name for URLs and requests, unique in the tenant, fixed.
    pub slug: Slug,
    /// `retailer`, `region`, …
    pub kind: Name,
    /// The unit it is a part of.
    #[serde(default)]
    pub parent_id: Option<UnitId>,
}

/// Changes a unit. What is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchUnit {
    /// Name for people.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// `retailer`, `region`, …
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Name>,
    /// The unit it is a part of; `null` makes it a part of the tenant itself.
    #[serde(default, deserialize_with = "super::present")]
    pub parent_id: Option<Option<UnitId>>,
}
