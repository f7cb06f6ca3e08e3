//! Users: the people of a tenant, or of the platform itself.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Email, Name, RoleName};
use crate::id::{PartnerId, TenantId, UserId};
use crate::time::Timestamp;

/// A person who signs in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Identifier, and the `sub` of the person's tokens. Never used again.
    pub id: UserId,
    /// The tenant the person belongs to; none for people of the platform and of partners.
    pub tenant_id: Option<TenantId>,
    /// That tenant's partner, or the partner the person belongs to.
    pub partner_id: Option<PartnerId>,
    /// The address they sign in with, unique in the tenant whatever the case of its letters.
    pub email: Email,
    /// Whether the person has shown that they read what is sent there.
    #[serde(default)]
    pub email_verified: bool,
    /// What people call them.
    pub display_name: Option<Name>,
    /// Given name.
    pub given_name: Option<Name>,
    /// Family name.
    pub family_name: Option<Name>,
    /// The language that pages and letters use: a BCP 47 tag.
    pub locale: Option<String>,
    /// Whether the person may sign in.
    pub status: UserStatus,
    /// The roles held directly, ended ones included.
    pub roles: Vec<RoleGrant>,
    /// Whatever else the tenant keeps, in its own words. Never a secret: administrators read it.
    #[serde(default)]
    pub custom_attributes: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// Whether a person may sign in. What was lent by one who may not is worth nothing at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// Invited, and has not come yet.
    Invited,
    /// They may.
    #[default]
    Active,
    /// They may not.
    Disabled,
}

impl UserStatus {
    /// The status as the wire spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for UserStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Creates a user.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// The tenant the person belongs to; a tenant's administrator need not say it.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// The partner the person belongs to, where it is no tenant's; a partner's administrator need not say it.
    #[serde(default)]
    pub partner_id: Option<PartnerId>,
    /// The address they sign in with, unique in the tenant whatever the case of its letters.
    pub email: Email,
    /// Whether it is known that they read what is sent there.
    #[serde(default)]
    pub email_verified: bool,
    /// What people call them.
    #[serde(default)]
    pub display_name: Option<Name>,
    /// Given name.
    #[serde(default)]
    pub given_name: Option<Name>,
    /// Family name.
    #[serde(default)]
    pub family_name: Option<Name>,
    /// The language that pages and letters use: a BCP 47 tag.
    #[serde(default)]
    pub locale: Option<String>,
    /// Whether the person may sign in.
    #[serde(default)]
    pub status: UserStatus,
    /// The roles held directly.
    #[serde(default)]
    pub roles: Vec<RoleGrant>,
    /// Whatever else the tenant keeps, in its own words. Never a secret: administrators read it.
    #[serde(default)]
    pub custom_attributes: BTreeMap<String, String>,
}

/// Changes a user. What is left out stays; lists and attributes are replaced as a whole.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchUser {
    /// The address they sign in with. Another one is not verified, unless that is said as well.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// Whether it is known that they read what is sent there.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// What people call them.
    #[serde(default, deserialize_with = "super::present")]
    pub display_name: Option<Option<Name>>,
    /// Given name.
    #[serde(default, deserialize_with = "super::present")]
    pub given_name: Option<Option<Name>>,
    /// Family name.
    #[serde(default, deserialize_with = "super::present")]
    pub family_name: Option<Option<Name>>,
    /// The language that pages and letters use: a BCP 47 tag.
    #[serde(default, deserialize_with = "super::present")]
    pub locale: Option<Option<String>>,
    /// Whether the person may sign in. Disabling ends their sessions and all that they lent.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub status: Option<UserStatus>,
    /// The roles held directly.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<RoleGrant>>,
    /// Whatever else the tenant keeps, in its own words. Never a secret: administrators read it.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub custom_attributes: Option<BTreeMap<String, String>>,
}

/// A role that a user or a group holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleGrant {
    /// Which role.
    pub role: RoleName,
    /// From when on it is held no longer; never where `null`.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

impl RoleGrant {
    /// Whether it is held at a moment. What ends at a moment is held no longer at that moment.
    #[must_use]
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }
}
