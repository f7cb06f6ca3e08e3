//! Groups: people, and groups of people, who hold roles together.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::Name;
use super::user::RoleGrant;
use crate::id::{GroupId, IdError, PartnerId, TenantId, UserId};
use crate::time::Timestamp;

/// A group of users and of groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Identifier.
    pub id: GroupId,
    /// The tenant it belongs to; none for groups of people of the platform and of partners.
    pub tenant_id: Option<TenantId>,
    /// That tenant's partner, or the partner it belongs to.
    pub partner_id: Option<PartnerId>,
    /// Name for people, unique among the groups of its owner.
    pub name: Name,
    /// What it is for.
    pub description: Option<Name>,
    /// The roles that all its members hold, through nested groups too; ended ones included.
    pub roles: Vec<RoleGrant>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// That a user, or a group, is in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Membership {
    /// The group.
    pub group_id: GroupId,
    /// Who is in it.
    pub member: Member,
    /// The tenant of both.
    pub tenant_id: Option<TenantId>,
    /// That tenant's partner.
    pub partner_id: Option<PartnerId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// Creates a group without members.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGroup {
    /// The tenant it belongs to; a tenant's administrator need not say it.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// The partner it belongs to, where it is no tenant's; a partner's administrator need not say it.
    #[serde(default)]
    pub partner_id: Option<PartnerId>,
    /// Name for people, unique among the groups of its owner.
    pub name: Name,
    /// What it is for.
    #[serde(default)]
    pub description: Option<Name>,
    /// The roles that all its members hold.
    #[serde(default)]
    pub roles: Vec<RoleGrant>,
}

/// Changes a group. What is left out stays; the list of roles is replaced as a whole.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchGroup {
    /// Name for people, unique among the groups of its owner.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// What it is for.
    #[serde(default, deserialize_with = "super::present")]
    pub description: Option<Option<Name>>,
    /// The roles that all its members hold.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<RoleGrant>>,
}

/// A group that a user is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupOfUser {
    /// The group.
    pub id: GroupId,
    /// Its name.
    pub name: Name,
    /// Whether the user is a member themselves; if not, a group is that they are in.
    pub direct: bool,
    /// The roles that all its members hold; ended ones included.
    pub roles: Vec<RoleGrant>,
}

/// Who is in a group: a user or another group, by identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Member {
    /// A user.
    User(UserId),
    /// A group.
    Group(GroupId),
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::Group(id) => id.fmt(f),
        }
    }
}

impl FromStr for Member {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self::Group).or_else(|_| text.parse().map(Self::User))
    }
}

impl Serialize for Member {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(|_| serde::de::Error::custom("must be the identifier of a user (usr_…) or of a group (grp_…)"))
    }
}

impl JsonSchema for Member {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Member".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(usr|grp)_[0-7][0-9a-hjkmnp-tv-z]{25}$" })
    }
}
