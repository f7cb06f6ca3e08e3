//! Applications: what is registered. A client is an application's role in the protocol.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::present;
use super::scope::GrantKind;
use super::text::{ClientId, Name};
use crate::client::TokenEndpointAuthMethod;
use crate::id::{ApplicationId, PartnerId, TenantId};
use crate::jose::{Algorithm, JwkSet};
use crate::origin::Origin;
use crate::outbound_uri::OutboundUri;
use crate::redirect_uri::RedirectUri;
use crate::scope::ScopeToken;
use crate::sector::SectorIdentifier;
use crate::time::Timestamp;
use crate::token::GrantType;

/// A registered application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Application {
    /// Identifier in the registry.
    pub id: ApplicationId,
    /// Identifier in the protocol, fixed.
    pub client_id: ClientId,
    /// Name for people.
    pub name: Name,
    /// What kind of program it is; fixed.
    #[serde(rename = "type")]
    pub kind: ApplicationType,
    /// How far it reaches; fixed.
    pub level: Level,
    /// The tenant it belongs to (level `tenant`).
    pub tenant_id: Option<TenantId>,
    /// The partner it belongs to (level `partner`), or its tenant's partner.
    pub partner_id: Option<PartnerId>,
    /// Whether it gets tokens at all.
    pub status: ApplicationStatus,
    /// The ceiling, and what an omitted `scope` stands for.
    pub allowed_scopes: Vec<ScopeToken>,
    /// When that list was last changed: tokens minted before do not know it.
    pub scopes_changed_at: Timestamp,
    /// What happens to a request that asks for too much, or for nothing.
    pub scope_policy: ScopePolicy,
    /// Where a browser may be sent back to.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where a browser may be sent after a logout.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where it is told by the server that a session has ended (OpenID Connect Back-Channel Logout 1.0 §2.2).
    #[serde(default)]
    pub backchannel_logout_uri: Option<OutboundUri>,
    /// What a page of ours opens in the browser that signs out (OpenID Connect Front-Channel Logout 1.0 §2). It gets `iss` and
    /// `sid` in its query.
    #[serde(default)]
    pub frontchannel_logout_uri: Option<RedirectUri>,
    /// Origins whose scripts may call us for it.
    pub allowed_origins: Vec<Origin>,
    /// Which grants it may use.
    pub grant_types: Vec<GrantType>,
    /// Whether it may leave PKCE out where it sends a `nonce` (RFC 9700 §2.1.1). For confidential applications only.
    #[serde(default)]
    pub pkce_optional: bool,
    /// Whether a `code_challenge` is refused that it has sent before: a verifier is to be made for one request (RFC 9700 §2.1.1).
    /// It is remembered for an hour at least. Where it is not refused it is counted.
    #[serde(default)]
    pub code_challenge_once: bool,
    /// Whether people are asked before they lend it anything.
    #[serde(default)]
    pub consent: ConsentPolicy,
    /// Under which names it knows people.
    #[serde(default)]
    pub subject_type: SubjectType,
    /// Whom it shares the names of people with, where they are pairwise: a host. Where left out it is the one host of its redirect
    /// URIs (OpenID Connect Core 1.0 §8.1).
    #[serde(default)]
    pub sector_identifier: Option<SectorIdentifier>,
    /// What its ID tokens are signed with; RS256 where left out (OpenID Connect Dynamic Client Registration 1.0 §2).
    #[serde(default)]
    pub id_token_signed_response_alg: Option<Algorithm>,
    /// How long its tokens live.
    #[schemars(range(min = 60, max = 86_400))]
    pub token_lifetime_secs: u32,
    /// How it authenticates. `client_secret_basic` and `client_secret_post` count as one: the same secret in two places.
    pub token_endpoint_auth_method: TokenEndpointAuthMethod,
    /// The public keys of `private_key_jwt`.
    pub jwks: Option<JwkSet>,
    /// Where it publishes them itself; never beside `jwks` (RFC 7591 §2).
    #[serde(default)]
    pub jwks_uri: Option<OutboundUri>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

impl Application {
    /// What its ID tokens are signed with. OpenID Connect Dynamic Client Registration 1.0 §2: "The default, if omitted, is RS256."
    #[must_use]
    pub fn id_token_algorithm(&self) -> Algorithm {
        self.id_token_signed_response_alg.unwrap_or(Algorithm::Rs256)
    }
}

/// What kind of program an application is (identity.md §2). Input also takes the spelling in capitals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// Has a server side that can keep a secret, and users in browsers.
    #[serde(alias = "WEB")]
    Web,
    /// A program without users.
    #[serde(alias = "SERVICE")]
    Service,
    /// Runs in a browser; cannot keep a secret.
    #[serde(alias = "SPA")]
    Spa,
    /// Runs on a person's device; cannot keep a secret.
    #[serde(alias = "NATIVE")]
    Native,
    /// A till, a display.
    #[serde(alias = "DEVICE")]
    Device,
}

impl ApplicationType {
    /// Every type.
    pub const ALL: [Self; 5] = [Self::Web, Self::Service, Self::Spa, Self::Native, Self::Device];

    /// Whether it can keep a secret (RFC 6749 §2.1, "confidential").
    #[must_use]
    pub const fn is_confidential(self) -> bool {
        matches!(self, Self::Web | Self::Service | Self::Device)
    }

    /// The grants of its row in identity.md §2, as far as the server implements them.
    #[must_use]
    pub fn grant_types(self) -> Vec<GrantType> {
        match self {
            Self::Web => vec![GrantType::ClientCredentials, GrantType::AuthorizationCode, GrantType::RefreshToken],
            Self::Service | Self::Device => vec![GrantType::ClientCredentials],
            Self::Spa | Self::Native => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        }
    }
}

/// How far an application reaches. Never changes after creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Every tenant.
    #[serde(alias = "GLOBAL", alias = "PLATFORM", alias = "global")]
    Platform,
    /// A partner's tenants.
    #[serde(alias = "PARTNER")]
    Partner,
    /// One tenant.
    #[serde(alias = "TENANT")]
    Tenant,
}

impl Level {
    /// The level as the wire spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Partner => "partner",
            Self::Tenant => "tenant",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether an application gets tokens. A disabled one's earlier tokens are inactive at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationStatus {
    /// It does.
    #[default]
    Active,
    /// It does not.
    Disabled,
}

/// Whether people are asked before they lend an application anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentPolicy {
    /// They are asked, once for each scope.
    #[default]
    Ask,
    /// They are not: a first-party application, which nobody could tell from ourselves.
    Trusted,
}

/// Under which names an application knows people: the claim `sub` (OpenID Connect Core 1.0 §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// Under the same as everybody else: their identifier in the registry.
    #[default]
    Public,
    /// Under one that only applications of its sector share, so that others cannot compare notes.
    Pairwise,
}

impl SubjectType {
    /// Every type.
    pub const ALL: [Self; 2] = [Self::Public, Self::Pairwise];

    /// The type as the wire spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Pairwise => "pairwise",
        }
    }
}

/// What happens to a request that asks for too much, or for nothing (scopes.md §1).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScopePolicy {
    /// What a refused scope does to the request.
    pub on_refused: OnRefused,
    /// Decide as `reject`, answer as `narrow`, and count who would break.
    pub report_only: bool,
    /// What an omitted `scope` stands for.
    pub when_omitted: WhenOmitted,
    /// What it stands for under `default_scopes`.
    pub default_scopes: Vec<ScopeToken>,
}

/// What a refused scope does to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnRefused {
    /// It fails.
    #[default]
    Reject,
    /// It goes on without the scope.
    Narrow,
}

/// What an omitted `scope` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenOmitted {
    /// All allowed scopes.
    #[default]
    AllAllowed,
    /// The policy's `default_scopes`.
    DefaultScopes,
    /// No scope: the token carries none.
    None,
    /// The request fails.
    Reject,
}

/// Registers an application.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApplication {
    /// Name for people.
    pub name: Name,
    /// What kind of program it is; fixed.
    #[serde(rename = "type")]
    pub kind: ApplicationType,
    /// How far it reaches; fixed.
    pub level: Level,
    /// Identifier in the protocol; generated where left out.
    #[serde(default)]
    pub client_id: Option<ClientId>,
    /// The tenant it belongs to: required with level `tenant`, unless the caller reaches one tenant only.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// The partner it belongs to: required with level `partner`, unless the caller reaches one partner only.
    #[serde(default)]
    pub partner_id: Option<PartnerId>,
    /// The ceiling; nothing where left out.
    #[serde(default)]
    pub allowed_scopes: Vec<ScopeToken>,
    /// What happens to a request that asks for too much, or for nothing.
    #[serde(default)]
    pub scope_policy: ScopePolicy,
    /// Where a browser may be sent back to.
    #[serde(default)]
    pub redirect_uris: Vec<RedirectUri>,
    /// Where a browser may be sent after a logout.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where it is told by the server that a session has ended: an https URL (OpenID Connect Back-Channel Logout 1.0 §2.2).
    #[serde(default)]
    pub backchannel_logout_uri: Option<OutboundUri>,
    /// What a page of ours opens in the browser that signs out, at the host of one of its redirect URIs (OpenID Connect
    /// Front-Channel Logout 1.0 §2). It gets `iss` and `sid` in its query.
    #[serde(default)]
    pub frontchannel_logout_uri: Option<RedirectUri>,
    /// Origins whose scripts may call us for it.
    #[serde(default)]
    pub allowed_origins: Vec<Origin>,
    /// Which grants it may use: those of its type where left out.
    #[serde(default)]
    pub grant_types: Option<Vec<GrantType>>,
    /// Whether it may leave PKCE out where it sends a `nonce` (RFC 9700 §2.1.1). For confidential applications only.
    #[serde(default)]
    pub pkce_optional: bool,
    /// Whether a `code_challenge` is refused that it has sent before: a verifier is to be made for one request (RFC 9700 §2.1.1).
    /// It is remembered for an hour at least. Where it is not refused it is counted.
    #[serde(default)]
    pub code_challenge_once: bool,
    /// Whether people are asked before they lend it anything.
    #[serde(default)]
    pub consent: ConsentPolicy,
    /// Under which names it knows people.
    #[serde(default)]
    pub subject_type: SubjectType,
    /// Whom it shares the names of people with, where they are pairwise: a host. Where left out it is the one host of its redirect
    /// URIs (OpenID Connect Core 1.0 §8.1).
    #[serde(default)]
    pub sector_identifier: Option<SectorIdentifier>,
    /// What its ID tokens are signed with; RS256 where left out (OpenID Connect Dynamic Client Registration 1.0 §2).
    #[serde(default)]
    pub id_token_signed_response_alg: Option<Algorithm>,
    /// How long its tokens live, 60 to 86400 seconds; 3600 where left out.
    #[serde(default)]
    #[schemars(range(min = 60, max = 86_400))]
    pub token_lifetime_secs: Option<u32>,
    /// How it authenticates; `client_secret_basic` (confidential types) or `none` where left out.
    #[serde(default)]
    pub token_endpoint_auth_method: Option<TokenEndpointAuthMethod>,
    /// The public keys of `private_key_jwt`.
    #[serde(default)]
    pub jwks: Option<JwkSet>,
    /// Where it publishes them itself, in place of `jwks`: an https URL (RFC 7591 §2).
    #[serde(default)]
    pub jwks_uri: Option<OutboundUri>,
}

impl CreateApplication {
    /// One that says no more than it has to: everything else is as where it is left out.
    #[must_use]
    pub fn new(name: Name, kind: ApplicationType, level: Level) -> Self {
        Self {
            name,
            kind,
            level,
            client_id: None,
            tenant_id: None,
            partner_id: None,
            allowed_scopes: vec![],
            scope_policy: ScopePolicy::default(),
            redirect_uris: vec![],
            post_logout_redirect_uris: vec![],
            backchannel_logout_uri: None,
            frontchannel_logout_uri: None,
            allowed_origins: vec![],
            grant_types: None,
            pkce_optional: false,
            code_challenge_once: false,
            consent: ConsentPolicy::default(),
            subject_type: SubjectType::default(),
            sector_identifier: None,
            id_token_signed_response_alg: None,
            token_lifetime_secs: None,
            token_endpoint_auth_method: None,
            jwks: None,
            jwks_uri: None,
        }
    }
}

/// The answer to a registration: the application and, once, its secret.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct CreatedApplication {
    /// The application.
    #[serde(flatten)]
    pub application: Application,
    /// Its secret, shown in this one answer; none for types that cannot keep one and for `private_key_jwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
}

impl fmt::Debug for CreatedApplication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedApplication").field("application", &self.application).finish_non_exhaustive()
    }
}

/// Changes an application. What is left out stays; lists are replaced, never merged.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchApplication {
    /// Name for people.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Whether it gets tokens at all.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub status: Option<ApplicationStatus>,
    /// The ceiling, as a whole.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub allowed_scopes: Option<Vec<ScopeToken>>,
    /// What happens to a request that asks for too much, or for nothing.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub scope_policy: Option<ScopePolicy>,
    /// Where a browser may be sent back to.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub redirect_uris: Option<Vec<RedirectUri>>,
    /// Where a browser may be sent after a logout.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub post_logout_redirect_uris: Option<Vec<RedirectUri>>,
    /// Where it is told by the server that a session has ended; `null` where it is not.
    #[serde(default, deserialize_with = "present")]
    pub backchannel_logout_uri: Option<Option<OutboundUri>>,
    /// What a page of ours opens in the browser that signs out; `null` where it opens nothing.
    #[serde(default, deserialize_with = "present")]
    pub frontchannel_logout_uri: Option<Option<RedirectUri>>,
    /// Origins whose scripts may call us for it.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub allowed_origins: Option<Vec<Origin>>,
    /// Which grants it may use.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub grant_types: Option<Vec<GrantType>>,
    /// Whether it may leave PKCE out where it sends a `nonce`.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub pkce_optional: Option<bool>,
    /// Whether a `code_challenge` is refused that it has sent before.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub code_challenge_once: Option<bool>,
    /// Whether people are asked before they lend it anything.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentPolicy>,
    /// Under which names it knows people. Whoever changes it gives everybody another name.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub subject_type: Option<SubjectType>,
    /// Whom it shares the names of people with; `null` for the one host of its redirect URIs.
    #[serde(default, deserialize_with = "present")]
    pub sector_identifier: Option<Option<SectorIdentifier>>,
    /// What its ID tokens are signed with; `null` for RS256.
    #[serde(default, deserialize_with = "present")]
    pub id_token_signed_response_alg: Option<Option<Algorithm>>,
    /// How long its tokens live.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 86_400))]
    pub token_lifetime_secs: Option<u32>,
    /// How it authenticates.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<TokenEndpointAuthMethod>,
    /// The public keys of `private_key_jwt`.
    #[serde(default, deserialize_with = "present")]
    pub jwks: Option<Option<JwkSet>>,
    /// Where it publishes them itself. To move from one to the other, send both and one of them as `null`.
    #[serde(default, deserialize_with = "present")]
    pub jwks_uri: Option<Option<OutboundUri>>,
}

/// Adds one scope to the allowed ones.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddAllowedScope {
    /// Its name.
    #[serde(alias = "name")]
    pub scope: ScopeToken,
}

/// A scope that a client could be granted here and now (scopes.md §6, "What may I ask for?").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GrantableScope {
    /// Its name.
    pub scope: ScopeToken,
    /// What people read, in English.
    pub title: String,
    /// Part of what an omitted `scope` stands for.
    pub default: bool,
    /// Tied to a feature.
    pub gated: bool,
    /// Tied to a feature that is off here and now.
    pub closed: bool,
    /// Only carried by grants in which a user takes part.
    pub needs_user: bool,
    /// To be replaced by its successor.
    pub deprecated: bool,
    /// Which grants may carry it.
    pub grants: Vec<GrantKind>,
}

/// A set of scopes that fits an integration (scopes.md §8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecommendedSet {
    /// What `--integration` takes.
    pub integration: String,
    /// What people read.
    pub title: String,
    /// The scopes.
    pub scopes: Vec<ScopeToken>,
    /// Another set that does as well, with less.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub or: Vec<ScopeToken>,
}
