//! APIs: protected resource servers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::present;
use super::text::{ApiIdentifier, ClientId, Name};
use crate::id::{ApiId, PartnerId, TenantId};
use crate::jose::Algorithm;
use crate::time::Timestamp;

/// A protected resource server. Its identifier is the `aud` of tokens for it and RFC 8707's `resource`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Api {
    /// Identifier in the registry.
    pub id: ApiId,
    /// Identifier in tokens, fixed.
    pub identifier: ApiIdentifier,
    /// Name for people.
    pub name: Name,
    /// The tenant that owns it; none for a partner's or the platform's.
    pub tenant_id: Option<TenantId>,
    /// The partner that owns it, or the owning tenant's partner.
    pub partner_id: Option<PartnerId>,
    /// How long tokens for it live; the application's own value where `null`. The shortest one counts.
    #[schemars(range(min = 60, max = 86_400))]
    pub token_lifetime_secs: Option<u32>,
    /// What tokens for it are signed with; the server's default where `null`.
    pub signing_algorithm: Option<Algorithm>,
    /// The applications that serve it, by `client_id`: they may introspect tokens for it (RFC 7662).
    #[serde(default)]
    pub resource_servers: Vec<ClientId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// Creates an API.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApi {
    /// Identifier in tokens, fixed.
    pub identifier: ApiIdentifier,
    /// Name for people.
    pub name: Name,
    /// The tenant that owns it.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// The partner that owns it.
    #[serde(default)]
    pub partner_id: Option<PartnerId>,
    /// How long tokens for it live, 60 to 86400 seconds.
    #[serde(default)]
    #[schemars(range(min = 60, max = 86_400))]
    pub token_lifetime_secs: Option<u32>,
    /// What tokens for it are signed with.
    #[serde(default)]
    pub signing_algorithm: Option<Algorithm>,
    /// The applications that serve it, by `client_id`.
    #[serde(default)]
    pub resource_servers: Vec<ClientId>,
}

/// Changes an API. What is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchApi {
    /// Name for people.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// How long tokens for it live.
    #[serde(default, deserialize_with = "present")]
    #[schemars(range(min = 60, max = 86_400))]
    pub token_lifetime_secs: Option<Option<u32>>,
    /// What tokens for it are signed with.
    #[serde(default, deserialize_with = "present")]
    pub signing_algorithm: Option<Option<Algorithm>>,
    /// The applications that serve it, by `client_id`.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub resource_servers: Option<Vec<ClientId>>,
}
