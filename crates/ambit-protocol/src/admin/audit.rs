//! The change log as the audit trail shows it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{PartnerId, TenantId};
use crate::time::Timestamp;

/// One change of one thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The registry revision this change made. Changes made together share it.
    pub revision: u64,
    /// Its place among those.
    pub position: u32,
    /// When.
    pub at: Timestamp,
    /// Who: `client:<client_id>`, `user:<id>`, `system` or `bootstrap`.
    pub actor: String,
    /// What was done.
    pub action: Action,
    /// To what kind of thing.
    pub resource: Resource,
    /// To which.
    pub resource_id: String,
    /// The tenant it belongs to.
    pub tenant_id: Option<TenantId>,
    /// The partner it belongs to.
    pub partner_id: Option<PartnerId>,
    /// The trace of the request.
    pub trace_id: Option<String>,
    /// As it was; `null` where it was made.
    pub before: Option<Value>,
    /// As it is; `null` where it was deleted.
    pub after: Option<Value>,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Made.
    Create,
    /// Changed.
    Update,
    /// Taken away.
    Delete,
}

/// The kinds of things that are registered. One noun, one spelling: in tables, URLs and here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// [`super::partner::Partner`]
    Partner,
    /// [`super::tenant::Tenant`]
    Tenant,
    /// [`super::unit::Unit`]
    Unit,
    /// [`super::feature::Feature`]
    Feature,
    /// [`super::feature::TenantFeature`]
    TenantFeature,
    /// [`super::feature::UnitFeature`]
    UnitFeature,
    /// [`super::api::Api`]
    Api,
    /// [`super::scope::Scope`]
    Scope,
    /// [`super::application::Application`]
    Application,
    /// [`super::secret::Secret`]
    Secret,
    /// [`super::administrator::Administrator`]
    Administrator,
    /// [`super::key::Key`]
    Key,
    /// [`super::user::User`]
    User,
    /// [`super::group::Group`]
    Group,
    /// [`super::group::Membership`]
    Membership,
    /// [`super::credential::Credential`]
    Credential,
    /// What a person lent an application. Here is only its end where somebody may have stolen a code or a refresh token of it: one
    /// was used twice, or by another client. `before` and `after` say whose it was and what was lent, and `ended_because` why.
    Grant,
    /// All of it at once: a restore from a backup, or a load in bulk. Whoever caches anything forgets everything.
    Registry,
}

impl Resource {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::Partner,
        Self::Tenant,
        Self::Unit,
        Self::Feature,
        Self::TenantFeature,
        Self::UnitFeature,
        Self::Api,
        Self::Scope,
        Self::Application,
        Self::Secret,
        Self::Administrator,
        Self::Key,
        Self::User,
        Self::Group,
        Self::Membership,
        Self::Credential,
        Self::Grant,
        Self::Registry,
    ];

    /// The kind as the wire and the tables spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Tenant => "tenant",
            Self::Unit => "unit",
            Self::Feature => "feature",
            Self::TenantFeature => "tenant_feature",
            Self::UnitFeature => "unit_feature",
            Self::Api => "api",
            Self::Scope => "scope",
            Self::Application => "application",
            Self::Secret => "secret",
            Self::Administrator => "administrator",
            Self::Key => "key",
            Self::User => "user",
            Self::Group => "group",
            Self::Membership => "membership",
            Self::Credential => "credential",
            Self::Grant => "grant",
            Self::Registry => "registry",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Resource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("no kind of thing is called {text:?}"))
    }
}
