//! The catalogue document, `GET {issuer}/.well-known/scope-catalogue`: every advertised scope, what bundles include, what
//! gates there are, and which endpoints a scope opens.
//!
//! Resource servers expand bundles with it, people and documentation read it. Whoever reads one written by a later
//! version ignores the members it does not know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::scope::{GrantKind, ScopeKind, ScopeState, Sensitivity};
use crate::admin::text::{ApiIdentifier, FeatureKey, Name, Texts};
use crate::scope::ScopeToken;
use crate::time::Timestamp;

/// The scopes that one issuer advertises, at one revision of its registry.
///
/// Scopes stand in the catalogue's order: identity scopes, then API by API, bundles before granular scopes.
///
/// ```
/// use ambit_protocol::catalogue::CatalogueDocument;
///
/// let document: CatalogueDocument = serde_json::from_str(
///     r#"{
///         "issuer": "https://as.example",
///         "revision": 42,
///         "apis": [{"identifier": "https://pos.example", "name": "POS API"}],
///         "features": [{"key": "digital-receipts", "title": {"en": "Digital receipts"}}],
///         "scopes": [
///             {"name": "pos.read", "api": "https://pos.example", "kind": "coarse",
///              "title": {"en": "Read"}, "description": {"en": "Everything a till reads"},
///              "includes": ["pos:baskets:read", "pos:receipts:read"]},
///             {"name": "pos:baskets:read", "api": "https://pos.example", "kind": "granular",
///              "title": {"en": "Read baskets"}, "description": {"en": "Read baskets"},
///              "endpoints": [{"method": "GET", "path": "/baskets/{id}"}]},
///             {"name": "pos:receipts:read", "api": "https://pos.example", "kind": "granular",
///              "title": {"en": "Read receipts"}, "description": {"en": "Read receipts"},
///              "feature": "digital-receipts"}
///         ]
///     }"#,
/// )?;
/// assert!(document.holds(&["pos.read"], "pos:baskets:read"));
/// // A gated scope is carried or it is not held: no bundle implies it.
/// assert!(!document.holds(&["pos.read"], "pos:receipts:read"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CatalogueDocument {
    /// The issuer whose catalogue it is, exactly as tokens have it in `iss`.
    pub issuer: String,
    /// The registry revision that the document shows.
    pub revision: u64,
    /// The APIs that the scopes belong to.
    #[serde(default)]
    pub apis: Vec<CatalogueApi>,
    /// The features that gate some of them.
    #[serde(default)]
    pub features: Vec<CatalogueFeature>,
    /// The scopes.
    pub scopes: Vec<CatalogueScope>,
}

/// An API in the catalogue document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CatalogueApi {
    /// Its identifier: `aud` of tokens for it, and RFC 8707's `resource`.
    pub identifier: ApiIdentifier,
    /// Its name for people.
    pub name: Name,
}

/// A feature in the catalogue document. Whether it is on is each tenant's and unit's own affair and not in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CatalogueFeature {
    /// Its key.
    pub key: FeatureKey,
    /// Its title.
    pub title: Texts,
}

/// A scope in the catalogue document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CatalogueScope {
    /// Its name.
    pub name: ScopeToken,
    /// The identifier of its API; none for identity scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiIdentifier>,
    /// Coarse, granular or identity.
    pub kind: ScopeKind,
    /// What people read.
    pub title: Texts,
    /// What it allows.
    pub description: Texts,
    /// Coarse only: the granular scopes that it includes. One that has no entry of its own in the document is not implied
    /// by the bundle: whether it is gated cannot be known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub includes: Vec<ScopeToken>,
    /// Granular only: the feature that gates it. Such a scope is in a token or it is not held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<FeatureKey>,
    /// Which grants may carry it. Empty where the document does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantKind>,
    /// How much harm it can do.
    #[serde(default)]
    pub sensitivity: Sensitivity,
    /// Where it stands in its life.
    #[serde(default)]
    pub state: ScopeState,
    /// Deprecated only: what is granted in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<ScopeToken>,
    /// Deprecated only: when it stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sunset: Option<Timestamp>,
    /// The endpoints that it opens, where the issuer knows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<CatalogueEndpoint>,
}

/// An endpoint that a scope opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CatalogueEndpoint {
    /// The method, in capitals.
    pub method: String,
    /// The path below the API, parameters in braces: `/baskets/{id}`.
    pub path: String,
}

impl CatalogueDocument {
    /// The scope of a name, compared by octet.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&CatalogueScope> {
        self.scopes.iter().find(|scope| scope.name.as_str() == name)
    }

    /// Whether a token that carries `carried` holds `name`: it carries it, or carries a coarse scope that includes it while
    /// no feature gates it.
    ///
    /// It walks the whole document. A resource server that asks at each request has an index of its own.
    #[must_use]
    pub fn holds(&self, carried: &[&str], name: &str) -> bool {
        carried.contains(&name)
            || self.find(name).is_some_and(|scope| scope.feature.is_none())
                && self.scopes.iter().any(|bundle| {
                    carried.contains(&bundle.name.as_str())
                        && bundle.includes.iter().any(|member| member.as_str() == name)
                })
    }
}

/// Where the document is, below an issuer.
pub const WELL_KNOWN_PATH: &str = "/.well-known/scope-catalogue";

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> CatalogueDocument {
        serde_json::from_value(serde_json::json!({
            "issuer": "https://as.example",
            "revision": 7,
            "apis": [{"identifier": "https://pos.example", "name": "POS API"}],
            "features": [{"key": "digital-receipts", "title": {"en": "Digital receipts", "zh": "电子小票"}}],
            "scopes": [
                {"name": "pos.read", "api": "https://pos.example", "kind": "coarse", "title": {"en": "Read"},
                 "description": {"en": "Read"}, "includes": ["pos:baskets:read", "pos:receipts:read", "pos:unlisted"]},
                {"name": "pos:baskets:read", "api": "https://pos.example", "kind": "granular", "title": {"en": "B"},
                 "description": {"en": "B"}, "endpoints": [{"method": "GET", "path": "/baskets/{id}"}]},
                {"name": "pos:receipts:read", "api": "https://pos.example", "kind": "granular", "title": {"en": "R"},
                 "description": {"en": "R"}, "feature": "digital-receipts"},
            ],
            "a member of the future": {"is": "ignored"},
        }))
        .expect("a document")
    }

    #[test]
    fn a_token_holds_what_it_carries_and_the_ungated_members_of_its_bundles() {
        let document = document();
        assert!(document.holds(&["pos.read"], "pos.read"));
        assert!(document.holds(&["openid", "pos.read"], "pos:baskets:read"));
        assert!(document.holds(&["unknown"], "unknown"), "what is carried is held, listed or not");
        assert!(!document.holds(&["pos:baskets:read"], "pos.read"), "a member does not imply its bundle");
        assert!(!document.holds(&["pos.Read"], "pos:baskets:read"), "names compare by octet");
        assert!(!document.holds(&[], "pos:baskets:read"));
    }

    #[test]
    fn a_gated_or_unlisted_member_is_never_implied() {
        let document = document();
        assert!(!document.holds(&["pos.read"], "pos:receipts:read"));
        assert!(document.holds(&["pos.read", "pos:receipts:read"], "pos:receipts:read"));
        assert!(!document.holds(&["pos.read"], "pos:unlisted"));
    }

    #[test]
    fn it_reads_back_as_it_was_written_and_says_nothing_of_what_it_does_not_have() {
        let document = document();
        let json = serde_json::to_value(&document).expect("json");
        assert_eq!(json["scopes"][1].get("feature"), None);
        assert_eq!(json["scopes"][1].get("includes"), None);
        assert_eq!(json["scopes"][2]["feature"], "digital-receipts");
        assert_eq!(serde_json::from_value::<CatalogueDocument>(json).expect("reads back"), document);
    }
}
