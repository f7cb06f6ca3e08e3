//! Partners.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::present;
use super::text::{Email, Name, Slug};
use crate::id::PartnerId;
use crate::time::Timestamp;

/// An organisation that resells or operates tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Partner {
    /// Identifier.
    pub id: PartnerId,
    /// Name for people.
    pub name: Name,
    /// Name for URLs, fixed.
    pub slug: Slug,
    /// Whether it is in business with us.
    pub status: PartnerStatus,
    /// Whom to write to.
    pub contact_email: Option<Email>,
    /// How many tenants it may have; unlimited when `null`.
    pub max_tenants: Option<u32>,
    /// How many users each of its tenants may have; unlimited when `null`.
    pub max_users_per_tenant: Option<u32>,
    /// How many applications each of its tenants may have; unlimited when `null`.
    pub max_applications_per_tenant: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// Whether a partner is in business with us. A suspended partner's applications, and its tenants', get no tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartnerStatus {
    /// In business.
    #[default]
    Active,
    /// Not at the moment.
    Suspended,
}

/// Creates a partner.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePartner {
    /// Name for people.
    pub name: Name,
    /// Name for URLs, fixed.
    pub slug: Slug,
    /// Whom to write to.
    #[serde(default)]
    pub contact_email: Option<Email>,
    /// How many tenants it may have.
    #[serde(default)]
    pub max_tenants: Option<u32>,
    /// How many users each of its tenants may have.
    #[serde(default)]
    pub max_users_per_tenant: Option<u32>,
    /// How many applications each of its tenants may have.
    #[serde(default)]
    pub max_applications_per_tenant: Option<u32>,
}

/// Changes a partner. What is left out stays; `null` takes a limit or the address away.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchPartner {
    /// Name for people.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Whether it is in business with us.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub status: Option<PartnerStatus>,
    /// Whom to write to.
    #[serde(default, deserialize_with = "present")]
    pub contact_email: Option<Option<Email>>,
    /// How many tenants it may have.
    #[serde(default, deserialize_with = "present")]
    pub max_tenants: Option<Option<u32>>,
    /// How many users each of its tenants may have.
    #[serde(default, deserialize_with = "present")]
    pub max_users_per_tenant: Option<Option<u32>>,
    /// How many applications each of its tenants may have.
    #[serde(default, deserialize_with = "present")]
    pub max_applications_per_tenant: Option<Option<u32>>,
}
