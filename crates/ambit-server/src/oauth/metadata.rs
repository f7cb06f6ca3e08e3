//! `GET {issuer}/.well-known/openid-configuration` and RFC 8414's `/.well-known/oauth-authorization-server[/tenants/{slug}]`.
//!
//! Everything said here is computed from what the server does: paths from the route table's constants, grants and methods from
//! the enums that requests are read into, algorithms from the keys that sign, scopes from the catalogue.

use ambit_core::authentication::Acr;
use ambit_core::reach::Owner;
use ambit_core::tokens::id_token::CLAIMS;
use ambit_protocol::admin::application::SubjectType;
use ambit_protocol::authorization_request::{RESPONSE_TYPE, ResponseMode};
use ambit_protocol::client::TokenEndpointAuthMethod;
use ambit_protocol::jose::Algorithm;
use ambit_protocol::metadata::AuthorizationServerMetadata;
use ambit_protocol::pkce::CODE_CHALLENGE_METHOD;
use ambit_protocol::token::GrantType;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::issuer::Issuer;
use crate::problem::Answer;
use crate::registry::Document;
use crate::state::App;
use ambit_core::store::StoreError;

/// RFC 8414's members, and the addresses of what other servers do not have.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Metadata {
    #[serde(flatten)]
    standard: AuthorizationServerMetadata,
    /// The scope catalogue (scopes.md §7).
    scope_catalogue_endpoint: String,
    /// What a client may ask for.
    scopes_endpoint: String,
    /// Why it gets what it gets.
    explain_endpoint: String,
    /// How strongly people can sign in (OpenID Connect Discovery §3).
    acr_values_supported: Vec<&'static str>,
    /// Whether `claims` is read (OpenID Connect Discovery §3).
    claims_parameter_supported: bool,
    /// Whether request objects are taken by reference: the default would be yes (OpenID Connect Discovery §3).
    request_uri_parameter_supported: bool,
    /// What userinfo answers are signed with (OpenID Connect Discovery §3).
    userinfo_signing_alg_values_supported: Vec<String>,
    /// Whether applications are told of the end of a session (OpenID Connect Back-Channel Logout 1.0 §2.1).
    backchannel_logout_supported: bool,
    /// Whether they are told which.
    backchannel_logout_session_supported: bool,
    /// Whether the browser that signs out opens a page of theirs (OpenID Connect Front-Channel Logout 1.0 §3).
    frontchannel_logout_supported: bool,
    /// Whether that page is told which session.
    frontchannel_logout_session_supported: bool,
}

/// What an issuer says about itself.
pub async fn metadata(State(app): State<App>, issuer: Issuer, parts: Parts) -> Response {
    let owner = match owner(&app, &issuer).await {
        Ok(owner) => owner,
        Err(error) => return Answer::of(&parts, &app).store_failure(&error).into_response(),
    };
    let snapshot = app.registry.snapshot();
    let url = issuer.url(&app.base_url);
    let methods = || {
        use TokenEndpointAuthMethod::{ClientSecretBasic, ClientSecretPost, PrivateKeyJwt};
        [ClientSecretBasic, ClientSecretPost, PrivateKeyJwt].map(|method| method.to_string()).to_vec()
    };
    let with_public = || [methods(), vec![TokenEndpointAuthMethod::None.to_string()]].concat();
    let all_algorithms = || Algorithm::ALL.map(|algorithm| algorithm.to_string()).to_vec();
    let endpoint = |name: &str| Some(format!("{url}/connect/{name}"));
    let document = Metadata {
        standard: AuthorizationServerMetadata {
            authorization_endpoint: endpoint("authorize"),
            token_endpoint: endpoint("token"),
            userinfo_endpoint: endpoint("userinfo"),
            jwks_uri: endpoint("jwks"),
            introspection_endpoint: endpoint("introspect"),
            revocation_endpoint: endpoint("revoke"),
            end_session_endpoint: endpoint("endsession"),
            scopes_supported: snapshot
                .catalogue
                .advertised(owner, app.clock.now())
                .map(|entry| entry.scope.name.to_string())
                .collect(),
            grant_types_supported: GrantType::ALL.map(|grant| grant.to_string()).to_vec(),
            token_endpoint_auth_methods_supported: with_public(),
            token_endpoint_auth_signing_alg_values_supported: all_algorithms(),
            introspection_endpoint_auth_methods_supported: methods(),
            introspection_endpoint_auth_signing_alg_values_supported: all_algorithms(),
            revocation_endpoint_auth_methods_supported: with_public(),
            revocation_endpoint_auth_signing_alg_values_supported: all_algorithms(),
            response_types_supported: vec![RESPONSE_TYPE.to_owned()],
            response_modes_supported: ResponseMode::ALL.map(|mode| mode.to_string()).to_vec(),
            code_challenge_methods_supported: vec![CODE_CHALLENGE_METHOD.to_owned()],
            subject_types_supported: SubjectType::ALL.map(|kind| kind.as_str().to_owned()).to_vec(),
            id_token_signing_alg_values_supported: all_algorithms(),
            claims_supported: CLAIMS.map(str::to_owned).to_vec(),
            ui_locales_supported: vec!["en".to_owned(), "zh".to_owned()],
            authorization_response_iss_parameter_supported: true,
            service_documentation: Some(format!("{}/api/v1/docs", app.base_url)),
            ..AuthorizationServerMetadata::new(url.clone())
        },
        scope_catalogue_endpoint: format!("{url}/.well-known/scope-catalogue"),
        scopes_endpoint: format!("{url}/connect/scopes"),
        explain_endpoint: format!("{url}/connect/explain"),
        acr_values_supported: Acr::ALL.map(Acr::as_str).to_vec(),
        claims_parameter_supported: true,
        request_uri_parameter_supported: false,
        userinfo_signing_alg_values_supported: all_algorithms(),
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
        frontchannel_logout_supported: true,
        frontchannel_logout_session_supported: true,
    };
    public(&document, &parts.headers)
}

/// Who the issuer's catalogue is for.
pub(super) async fn owner(app: &App, issuer: &Issuer) -> Result<Owner, StoreError> {
    let Issuer::Tenant(slug) = issuer else { return Ok(Owner::Platform) };
    let tenant = app.registry.tenant(slug).await?;
    Ok(tenant.map_or(Owner::Platform, |tenant| Owner::Tenant(tenant.tenant.id, tenant.tenant.partner_id)))
}

/// A document that anybody may read and keep for a while.
pub(super) fn public(document: &impl Serialize, request: &HeaderMap) -> Response {
    let Ok(body) = serde_json::to_vec(document) else {
        // Maps with text for keys always serialize.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let document = Document::new(body);
    let mut response = if document.is_known(request) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        document.body.into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ETAG, document.etag);
    response
}
