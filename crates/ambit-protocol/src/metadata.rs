//! What servers say about themselves: the authorization server (RFC 8414, OpenID Connect Discovery) and the protected
//! resource (RFC 9728).
//!
//! A member that is absent means "not supported", and a list that is empty means "none": what these types can say must
//! be true. Lists hold text rather than our enums, because a reader must survive a newer server that can more.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::object::ObjectOnly;

/// The metadata of an issuer (RFC 8414 §2, OpenID Connect Discovery §3). One document serves both well-known places.
///
/// URLs are absolute, lists are in the order of preference.
///
/// ```
/// use ambit_protocol::metadata::AuthorizationServerMetadata;
///
/// let metadata = AuthorizationServerMetadata {
///     token_endpoint: Some("https://as.example/connect/token".to_owned()),
///     grant_types_supported: vec!["client_credentials".to_owned()],
///     ..AuthorizationServerMetadata::new("https://as.example")
/// };
/// let json = serde_json::to_string(&metadata)?;
/// // RFC 8414 §2: no grant here uses an authorization endpoint, so there is none, and no response type.
/// assert_eq!(
///     json,
///     r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/connect/token","response_types_supported":[],"grant_types_supported":["client_credentials"]}"#,
/// );
/// assert_eq!(AuthorizationServerMetadata::parse(json.as_bytes(), "https://as.example")?, metadata);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuthorizationServerMetadata {
    /// Who issues: compared octet by octet with `iss`.
    pub issuer: String,
    /// Where a browser is sent. Absent when no grant uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// Where tokens are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// Where the public keys are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Where clients register themselves (RFC 7591).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<String>,
    /// Where a token's state is asked for (RFC 7662).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_endpoint: Option<String>,
    /// Where a token is taken back (RFC 7009).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// Where an authorization request is pushed (RFC 9126).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_authorization_request_endpoint: Option<String>,
    /// Where a device begins (RFC 8628).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_authorization_endpoint: Option<String>,
    /// Where claims about the user are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_endpoint: Option<String>,
    /// Where a session ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_session_endpoint: Option<String>,
    /// The advertised scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// What an authorization request may ask for. Always written, as RFC 8414 requires it: empty when there is no
    /// authorization endpoint.
    #[serde(default)]
    pub response_types_supported: Vec<String>,
    /// How an authorization response travels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_modes_supported: Vec<String>,
    /// The grants. Always written: where it is absent, a reader must assume `authorization_code` and `implicit`.
    #[serde(default = "grants_by_default")]
    pub grant_types_supported: Vec<String>,
    /// How clients authenticate at the token endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// With what they sign their assertions there. Never `none`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// How clients authenticate at the introspection endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// With what they sign their assertions there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub introspection_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// How clients authenticate at the revocation endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// With what they sign their assertions there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocation_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// The PKCE methods (RFC 7636).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub code_challenge_methods_supported: Vec<String>,
    /// OpenID Connect: `public`, `pairwise`. Absent without ID tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subject_types_supported: Vec<String>,
    /// OpenID Connect: what ID tokens are signed with. Absent without ID tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// OpenID Connect: claims about users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims_supported: Vec<String>,
    /// The languages of the pages (RFC 5646).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ui_locales_supported: Vec<String>,
    /// For developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_documentation: Option<String>,
    /// Whether authorization responses name the issuer (RFC 9207).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub authorization_response_iss_parameter_supported: bool,
    /// The APIs this issuer serves (RFC 9728 §4).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protected_resources: Vec<String>,
}

/// The metadata of an API (RFC 9728 §2).
///
/// ```
/// use ambit_protocol::metadata::ProtectedResourceMetadata;
///
/// let metadata = ProtectedResourceMetadata {
///     authorization_servers: vec!["https://as.example".to_owned()],
///     scopes_supported: vec!["pos.read".to_owned()],
///     bearer_methods_supported: vec!["header".to_owned()],
///     ..ProtectedResourceMetadata::new("https://pos.example")
/// };
/// let json = serde_json::to_string(&metadata)?;
/// assert_eq!(ProtectedResourceMetadata::parse(json.as_bytes(), "https://pos.example")?, metadata);
/// assert!(ProtectedResourceMetadata::parse(json.as_bytes(), "https://pos.example/").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ProtectedResourceMetadata {
    /// The API's identifier: what its tokens have as `aud`.
    pub resource: String,
    /// The issuers whose tokens it takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_servers: Vec<String>,
    /// Where its own public keys are, if it signs anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The scopes it asks for, computed from its routes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// How a token is presented: `header`, and nothing else with us.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bearer_methods_supported: Vec<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    /// For developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_documentation: Option<String>,
    /// What may be done with the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_policy_uri: Option<String>,
    /// The terms of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_tos_uri: Option<String>,
}

/// Why metadata is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not a JSON object of that kind.
    #[error("the metadata document is not a JSON object with the members its RFC requires")]
    Malformed,
    /// `issuer` is not the one whose document was asked for, octet by octet.
    #[error("the metadata document is another issuer's (RFC 8414 section 3.3)")]
    Issuer,
    /// `resource` is not the one whose document was asked for, octet by octet.
    #[error("the metadata document is another resource's (RFC 9728 section 3.3)")]
    Resource,
}

impl AuthorizationServerMetadata {
    /// The metadata of an issuer that can do nothing yet.
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), ..Self::default() }
    }

    /// Reads a document that was fetched for `issuer`.
    ///
    /// # Errors
    /// [`MetadataError::Issuer`]: RFC 8414 §3.3 forbids to use the document of somebody else.
    pub fn parse(json: &[u8], issuer: &str) -> Result<Self, MetadataError> {
        let ObjectOnly(metadata): ObjectOnly<Self> =
            serde_json::from_slice(json).map_err(|_| MetadataError::Malformed)?;
        if metadata.issuer == issuer { Ok(metadata) } else { Err(MetadataError::Issuer) }
    }
}

impl ProtectedResourceMetadata {
    /// The metadata of an API that says nothing but its name.
    #[must_use]
    pub fn new(resource: impl Into<String>) -> Self {
        Self { resource: resource.into(), ..Self::default() }
    }

    /// Reads a document that was fetched for `resource`.
    ///
    /// # Errors
    /// [`MetadataError::Resource`]: RFC 9728 §3.3 forbids to use the document of somebody else.
    pub fn parse(json: &[u8], resource: &str) -> Result<Self, MetadataError> {
        let ObjectOnly(metadata): ObjectOnly<Self> =
            serde_json::from_slice(json).map_err(|_| MetadataError::Malformed)?;
        if metadata.resource == resource { Ok(metadata) } else { Err(MetadataError::Resource) }
    }
}

/// Where OpenID Connect looks: the well-known name comes *after* the issuer's path (Discovery §4).
///
/// ```
/// # use ambit_protocol::metadata::openid_configuration_url;
/// assert_eq!(
///     openid_configuration_url("https://as.example/tenants/acme"),
///     "https://as.example/tenants/acme/.well-known/openid-configuration",
/// );
/// ```
#[must_use]
pub fn openid_configuration_url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer))
}

/// Where OAuth looks: the well-known name comes *before* the issuer's path (RFC 8414 §3.1).
///
/// ```
/// # use ambit_protocol::metadata::authorization_server_url;
/// assert_eq!(
///     authorization_server_url("https://as.example/tenants/acme"),
///     "https://as.example/.well-known/oauth-authorization-server/tenants/acme",
/// );
/// ```
#[must_use]
pub fn authorization_server_url(issuer: &str) -> String {
    // "Any terminating `/` MUST be removed before inserting."
    insert_well_known(issuer.strip_suffix('/').unwrap_or(issuer), "oauth-authorization-server")
}

/// Where an API's metadata is (RFC 9728 §3.1); a query stays behind the path.
///
/// ```
/// # use ambit_protocol::metadata::protected_resource_url;
/// assert_eq!(
///     protected_resource_url("https://api.example/pos?v=1"),
///     "https://api.example/.well-known/oauth-protected-resource/pos?v=1",
/// );
/// ```
#[must_use]
pub fn protected_resource_url(resource: &str) -> String {
    insert_well_known(resource, "oauth-protected-resource")
}

fn insert_well_known(url: &str, name: &str) -> String {
    let authority = url.find("://").map_or(0, |scheme| scheme + 3);
    let path = url[authority..].find(['/', '?']).map_or(url.len(), |path| authority + path);
    let (host, rest) = url.split_at(path);
    let (path, query) = rest.find('?').map_or((rest, ""), |query| rest.split_at(query));
    // RFC 9728 §3.1: "any terminating slash following the host component MUST be removed". Others are part of the name.
    let path = if path == "/" { "" } else { path };
    format!("{host}/.well-known/{name}{path}{query}")
}

fn grants_by_default() -> Vec<String> {
    // RFC 8414 §2, of an absent `grant_types_supported`.
    vec!["authorization_code".to_owned(), "implicit".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_supported_is_absent_and_what_has_a_default_is_written() {
        let json = serde_json::to_value(AuthorizationServerMetadata::new("https://as")).expect("JSON");
        let expected = serde_json::json!({
            "issuer": "https://as", "response_types_supported": [], "grant_types_supported": [],
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn a_document_of_somebody_else_is_not_used() {
        let json = br#"{"issuer":"https://as.example/t"}"#;
        assert!(AuthorizationServerMetadata::parse(json, "https://as.example/t").is_ok());
        for other in [
            "https://as.example/t2",
            "https://as.example/t/x",
            "https://as.example/t/",
            "https://AS.example/t",
            "https://as.example",
            "",
        ] {
            assert_eq!(AuthorizationServerMetadata::parse(json, other), Err(MetadataError::Issuer), "{other}");
        }
        for json in ["{}", "[]", r#"["https://as"]"#, "", r#"{"issuer":1}"#, r#"{"issuer":"https://as","jwks_uri":[]}"#]
        {
            let read = AuthorizationServerMetadata::parse(json.as_bytes(), "https://as");
            assert_eq!(read, Err(MetadataError::Malformed), "{json}");
        }
    }

    #[test]
    fn a_newer_server_that_can_more_is_still_read() {
        let json = br#"{"issuer":"https://as","grant_types_supported":["urn:x:new"],"some_member":{"a":1}}"#;
        let metadata = AuthorizationServerMetadata::parse(json, "https://as").expect("readable");
        assert_eq!(metadata.grant_types_supported, ["urn:x:new"]);
        let silent = AuthorizationServerMetadata::parse(br#"{"issuer":"https://as"}"#, "https://as").expect("readable");
        assert_eq!(silent.grant_types_supported, ["authorization_code", "implicit"]);
    }

    #[test]
    fn the_well_known_name_goes_where_each_standard_wants_it() {
        for (issuer, oauth, openid) in [
            (
                "https://as",
                "https://as/.well-known/oauth-authorization-server",
                "https://as/.well-known/openid-configuration",
            ),
            (
                "https://as/",
                "https://as/.well-known/oauth-authorization-server",
                "https://as/.well-known/openid-configuration",
            ),
            (
                "http://127.0.0.1:5000/tenants/acme",
                "http://127.0.0.1:5000/.well-known/oauth-authorization-server/tenants/acme",
                "http://127.0.0.1:5000/tenants/acme/.well-known/openid-configuration",
            ),
        ] {
            assert_eq!(authorization_server_url(issuer), oauth);
            assert_eq!(openid_configuration_url(issuer), openid);
        }
        assert!(authorization_server_url("https://as/t/").ends_with("server/t"));
        assert!(protected_resource_url("https://a/t/").ends_with("resource/t/"));
        assert_eq!(protected_resource_url("https://a?x=1"), "https://a/.well-known/oauth-protected-resource?x=1");
        assert_eq!(protected_resource_url("https://a/?x=/1"), "https://a/.well-known/oauth-protected-resource?x=/1");
    }
}
