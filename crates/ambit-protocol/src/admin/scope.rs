//! Scopes of the catalogue (scopes.md §1).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::present;
use super::text::{FeatureKey, RoleName, Texts};
use crate::id::{ApiId, PartnerId, TenantId};
use crate::scope::ScopeToken;
use crate::time::Timestamp;

/// A scope of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// Its name, fixed.
    pub name: ScopeToken,
    /// The API it belongs to; none for identity scopes.
    pub api: Option<ApiId>,
    /// The tenant that owns its API, if one does.
    pub tenant_id: Option<TenantId>,
    /// The partner that owns its API, or that tenant's partner.
    pub partner_id: Option<PartnerId>,
    /// Coarse, granular or identity.
    pub kind: ScopeKind,
    /// What people read.
    pub title: Texts,
    /// What it allows.
    pub description: Texts,
    /// Coarse only: the granular scopes of the same API that it includes.
    pub includes: Vec<ScopeToken>,
    /// Granular only: the feature that gates it.
    pub feature: Option<FeatureKey>,
    /// Which grants may carry it.
    pub grants: Vec<GrantKind>,
    /// Roles of which a user needs one; none means no role is needed.
    pub roles: Vec<RoleName>,
    /// How much harm it can do.
    pub sensitivity: Sensitivity,
    /// Where it stands in its life.
    pub state: ScopeState,
    /// Deprecated only: what is granted in its place.
    pub successor: Option<ScopeToken>,
    /// Deprecated only: when it stops working.
    pub sunset: Option<Timestamp>,
    /// Whether discovery and the catalogue document list it.
    pub advertised: bool,
    /// Its place in the catalogue's order, assigned at creation.
    pub ordinal: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// What a scope is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeKind {
    /// A bundle that includes granular scopes.
    Coarse,
    /// One operation.
    Granular,
    /// About the person who signs in; belongs to no API.
    Identity,
}

/// Who may carry a scope: a service on its own behalf, or an application on a user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// Client credentials and the like.
    Service,
    /// A grant in which a user takes part.
    User,
}

/// How much harm a scope can do. Privileged ones come first where people are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// Little.
    #[default]
    Normal,
    /// Touches personal or financial data.
    Sensitive,
    /// Changes who may do what.
    Privileged,
}

/// Where a scope stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeState {
    /// Not yet granted to anyone.
    Draft,
    /// Granted.
    #[default]
    Active,
    /// Granted as its successor, with a notice; until the sunset.
    Deprecated,
    /// Granted no longer.
    Retired,
}

impl ScopeState {
    /// Whether a scope may go from here to there: `draft → active → deprecated → retired`, never back, except that a
    /// deprecation may be taken back.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use ScopeState::{Active, Deprecated, Draft, Retired};
        matches!(
            (self, next),
            (Draft, Active | Retired) | (Active, Deprecated | Retired) | (Deprecated, Active | Retired)
        )
    }
}

/// Creates a scope.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateScope {
    /// Its name, fixed.
    pub name: ScopeToken,
    /// The API it belongs to, by registry identifier or by `aud` identifier; none for identity scopes.
    #[serde(default)]
    pub api: Option<String>,
    /// Coarse, granular or identity.
    pub kind: ScopeKind,
    /// What people read.
    pub title: Texts,
    /// What it allows.
    pub description: Texts,
    /// Coarse only: the granular scopes of the same API that it includes.
    #[serde(default)]
    pub includes: Vec<ScopeToken>,
    /// Granular only: the feature that gates it.
    #[serde(default)]
    pub feature: Option<FeatureKey>,
    /// Which grants may carry it; both where left out (identity scopes: `user`).
    #[serde(default)]
    pub grants: Option<Vec<GrantKind>>,
    /// Roles of which a user needs one.
    #[serde(default)]
    pub roles: Vec<RoleName>,
    /// How much harm it can do.
    #[serde(default)]
    pub sensitivity: Sensitivity,
    /// `draft` or `active`.
    #[serde(default)]
    pub state: ScopeState,
    /// Whether discovery and the catalogue document list it; yes where left out.
    #[serde(default)]
    pub advertised: Option<bool>,
}

/// Changes a scope. What is left out stays; lists are replaced.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchScope {
    /// What people read.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub title: Option<Texts>,
    /// What it allows.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub description: Option<Texts>,
    /// Coarse only: the granular scopes of the same API that it includes.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub includes: Option<Vec<ScopeToken>>,
    /// Granular only: the feature that gates it.
    #[serde(default, deserialize_with = "present")]
    pub feature: Option<Option<FeatureKey>>,
    /// Which grants may carry it.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<GrantKind>>,
    /// Roles of which a user needs one.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<RoleName>>,
    /// How much harm it can do.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<Sensitivity>,
    /// Where it stands in its life.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub state: Option<ScopeState>,
    /// With `deprecated`: what is granted in its place.
    #[serde(default, deserialize_with = "present")]
    pub successor: Option<Option<ScopeToken>>,
    /// With `deprecated`: when it stops working.
    #[serde(default, deserialize_with = "present")]
    pub sunset: Option<Option<Timestamp>>,
    /// Whether discovery and the catalogue document list it.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub advertised: Option<bool>,
}
