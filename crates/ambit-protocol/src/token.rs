//! The token endpoint: what may be asked of it and what it answers (RFC 6749 §4.4, §5.1; RFC 8707).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decision::{DroppedScope, Notice};
use crate::error::{ErrorCode, describe_within};
use crate::params::{ParamRules, Params, ParamsError};
use crate::pkce::{CodeVerifier, PkceError};
use crate::resource::{ResourceError, ResourceIndicator};

/// A grant type this server can serve. Metadata announces them from [`GrantType::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// A client acts on its own behalf (RFC 6749 §4.4).
    ClientCredentials,
    /// A person lends scopes to a client, by a code that their browser brings (RFC 6749 §4.1).
    AuthorizationCode,
    /// What a person lent is renewed (RFC 6749 §6).
    RefreshToken,
}

impl GrantType {
    /// Every grant type there is.
    pub const ALL: [Self; 3] = [Self::ClientCredentials, Self::AuthorizationCode, Self::RefreshToken];

    /// The grant type as it is written on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
        }
    }
}

impl fmt::Display for GrantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A request to the token endpoint, one variant per grant type. Codes and tokens are not shown by `Debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRequest {
    /// `grant_type=authorization_code` (RFC 6749 §4.1.3, RFC 7636 §4.5).
    AuthorizationCode {
        /// The code.
        code: OpaqueToken,
        /// Where the code was sent to; must be the same as in the authorization request.
        redirect_uri: Option<String>,
        /// What the client kept for itself when it began.
        code_verifier: Option<CodeVerifier>,
        /// Every `resource`: some of those that were granted (RFC 8707 §2.2).
        resource: Vec<ResourceIndicator>,
    },
    /// `grant_type=refresh_token` (RFC 6749 §6).
    RefreshToken {
        /// The refresh token.
        refresh_token: OpaqueToken,
        /// `scope` as it was sent: less than was granted, or all of it where it is omitted.
        scope: Option<String>,
        /// Every `resource`: some of those that were granted (RFC 8707 §2.2).
        resource: Vec<ResourceIndicator>,
    },
    /// `grant_type=client_credentials` (RFC 6749 §4.4.2).
    ClientCredentials {
        /// `scope` as it was sent; none stands for the client's default. Its grammar is `scope`'s affair.
        scope: Option<String>,
        /// Every `resource`, in the order sent (RFC 8707 §2).
        resource: Vec<ResourceIndicator>,
        /// `tenant`: the slug of the tenant that a platform or partner client acts for.
        tenant: Option<String>,
        /// `unit`: the slug of the unit of that tenant.
        unit: Option<String>,
    },
}

/// A code or a refresh token, as it was presented. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct OpaqueToken(String);

impl OpaqueToken {
    /// The text itself, for whoever looks it up.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpaqueToken([REDACTED])")
    }
}

impl TokenRequest {
    /// What the token endpoint expects of its parameters, client authentication included.
    pub const RULES: ParamRules = ParamRules::new(&[
        "grant_type",
        "scope",
        "resource",
        "tenant",
        "unit",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "code",
        "redirect_uri",
        "code_verifier",
        "refresh_token",
    ])
    .with_repeatable(&["resource"]);

    /// Reads the request from its parameters.
    ///
    /// A name that is nearly `scope` (`scopes`, `scope[]`, `Scope`) in the place of `scope` is refused, although RFC 6749
    /// §3.2 has unrecognised parameters ignored: without `scope` the client would be given its default, which may be more
    /// than it meant to ask for. Beside a `scope` it is ignored.
    ///
    /// # Errors
    ///
    /// See [`TokenRequestError`].
    ///
    /// # Examples
    ///
    /// ```
    /// use ambit_protocol::params::Params;
    /// use ambit_protocol::token::TokenRequest;
    ///
    /// let params = Params::parse(b"grant_type=client_credentials&scope=pos.read", TokenRequest::RULES)?;
    /// let TokenRequest::ClientCredentials { scope, .. } = TokenRequest::parse(&params)? else { unreachable!() };
    /// assert_eq!(scope.as_deref(), Some("pos.read"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse(params: &Params<'_>) -> Result<Self, TokenRequestError> {
        let grant_type = params.require("grant_type")?;
        let Some(grant_type) = GrantType::ALL.into_iter().find(|known| known.as_str() == grant_type) else {
            return Err(TokenRequestError::UnsupportedGrantType { sent: describe_within(grant_type, MAX_SHOWN_VALUE) });
        };
        if let Some(miss) = params.near_misses().find(|miss| miss.meant == "scope") {
            return Err(TokenRequestError::ScopeMisnamed { sent: describe_within(miss.sent, MAX_SHOWN_VALUE) });
        }
        let owned = |name| params.get(name).map(str::to_owned);
        let resource = params.all("resource").map(resource).collect::<Result<_, _>>()?;
        match grant_type {
            GrantType::AuthorizationCode => Ok(Self::AuthorizationCode {
                code: OpaqueToken(params.require("code")?.to_owned()),
                redirect_uri: owned("redirect_uri"),
                code_verifier: params.get("code_verifier").map(str::parse).transpose()?,
                resource,
            }),
            GrantType::RefreshToken => Ok(Self::RefreshToken {
                refresh_token: OpaqueToken(params.require("refresh_token")?.to_owned()),
                scope: owned("scope"),
                resource,
            }),
            GrantType::ClientCredentials => Ok(Self::ClientCredentials {
                scope: owned("scope"),
                resource,
                tenant: owned("tenant"),
                unit: owned("unit"),
            }),
        }
    }

    /// The grant type of this request.
    #[must_use]
    pub const fn grant_type(&self) -> GrantType {
        match self {
            Self::ClientCredentials { .. } => GrantType::ClientCredentials,
            Self::AuthorizationCode { .. } => GrantType::AuthorizationCode,
            Self::RefreshToken { .. } => GrantType::RefreshToken,
        }
    }
}

fn resource(text: &str) -> Result<ResourceIndicator, TokenRequestError> {
    text.parse().map_err(|why| TokenRequestError::BadResource { sent: describe_within(text, MAX_SHOWN_VALUE), why })
}

/// Why a token request was refused before it was understood. What it quotes is fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRequestError {
    /// A parameter is missing.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// A grant type that is not ours.
    #[error("grant_type '{sent}' is not supported; supported: {}", supported())]
    UnsupportedGrantType {
        /// The value.
        sent: String,
    },
    /// A parameter that is nearly `scope`, and no `scope`.
    #[error(
        "parameter '{sent}' is not known; did you mean 'scope'? Scopes go into one parameter of that name, separated by spaces"
    )]
    ScopeMisnamed {
        /// The name that was sent.
        sent: String,
    },
    /// A `code_verifier` that is none.
    #[error(transparent)]
    Verifier(#[from] PkceError),
    /// A `resource` that is not a resource indicator.
    #[error("resource '{sent}' is not valid: {why}")]
    BadResource {
        /// The value.
        sent: String,
        /// What is wrong with it.
        why: ResourceError,
    },
}

impl TokenRequestError {
    /// The code of RFC 6749 §5.2, or RFC 8707's `invalid_target`.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Params(error) => error.code(),
            Self::ScopeMisnamed { .. } => ErrorCode::InvalidRequest,
            // RFC 7636 §4.6: "If the values are not equal, an error response indicating `invalid_grant`".
            Self::Verifier(_) => ErrorCode::InvalidGrant,
            Self::UnsupportedGrantType { .. } => ErrorCode::UnsupportedGrantType,
            Self::BadResource { .. } => ErrorCode::InvalidTarget,
        }
    }
}

fn supported() -> String {
    GrantType::ALL.map(|grant| format!("'{grant}'")).join(", ")
}

/// A successful answer of the token endpoint (RFC 6749 §5.1). `Debug` does not show the token.
///
/// # Examples
///
/// ```
/// use ambit_protocol::token::TokenResponse;
///
/// let answer = TokenResponse::new("eyJ…", 3600, "pos.read");
/// let json = serde_json::to_value(&answer)?;
/// assert_eq!(json["token_type"], "Bearer");
/// assert_eq!(json["scope"], "pos.read");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Serialize, JsonSchema)]
pub struct TokenResponse<'a> {
    /// The token.
    pub access_token: &'a str,
    /// How to present the token.
    pub token_type: TokenType,
    /// The lifetime of the token, in seconds.
    pub expires_in: u64,
    /// What the token carries, space-separated. RFC 6749 §5.1 asks for it when it differs from what was requested; we
    /// always say it.
    pub scope: &'a str,
    /// What renews it (RFC 6749 §1.5). It is used once: the answer to that has the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<&'a str>,
    /// Who the person is (OpenID Connect Core §3.1.3.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<&'a str>,
    /// What was asked for, or stood in the default, and is not carried. Absent when there is nothing to say.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schemars(default)]
    pub dropped_scopes: &'a [DroppedScope],
    /// What the client should know although it got what it asked for. Absent when there is nothing to say.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schemars(default)]
    pub notices: &'a [Notice],
}

impl<'a> TokenResponse<'a> {
    /// An answer in which everything asked for was granted.
    #[must_use]
    pub const fn new(access_token: &'a str, expires_in: u64, scope: &'a str) -> Self {
        Self {
            access_token,
            token_type: TokenType::Bearer,
            expires_in,
            scope,
            refresh_token: None,
            id_token: None,
            dropped_scopes: &[],
            notices: &[],
        }
    }

    /// The answer's body, in one allocation where nothing was dropped.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(self.access_token.len() + self.scope.len() + USUAL_REST);
        // A Vec takes every octet, and the answer has no map whose keys are not strings.
        serde_json::to_writer(&mut json, self).expect("the answer is JSON");
        json
    }
}

impl fmt::Debug for TokenResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("access_token", &"[REDACTED]")
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .field("dropped_scopes", &self.dropped_scopes)
            .field("notices", &self.notices)
            .finish_non_exhaustive()
    }
}

/// How an access token is presented (RFC 6749 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TokenType {
    /// RFC 6750.
    Bearer,
}

const MAX_SHOWN_VALUE: usize = 100;
/// The names of the members, and what is of fixed length.
const USUAL_REST: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{NoticeCode, Reason};

    fn parse(body: &str) -> Result<TokenRequest, TokenRequestError> {
        TokenRequest::parse(&Params::parse(body.as_bytes(), TokenRequest::RULES).expect("well-formed parameters"))
    }

    fn refused(body: &str) -> (ErrorCode, String) {
        let error = parse(body).expect_err("refused");
        (error.code(), error.to_string())
    }

    #[test]
    fn a_client_credentials_request_is_read() {
        let body = "grant_type=client_credentials&scope=a+b&resource=urn:x&resource=https://y/&tenant=acme&unit=north";
        let request = parse(body).expect("valid");
        assert_eq!(request.grant_type(), GrantType::ClientCredentials);
        assert_eq!(
            request,
            TokenRequest::ClientCredentials {
                scope: Some("a b".to_owned()),
                resource: vec!["urn:x".parse().expect("a URI"), "https://y/".parse().expect("a URI")],
                tenant: Some("acme".to_owned()),
                unit: Some("north".to_owned()),
            }
        );
    }

    #[test]
    fn everything_but_the_grant_type_may_be_omitted_or_empty() {
        let empty = TokenRequest::ClientCredentials { scope: None, resource: vec![], tenant: None, unit: None };
        assert_eq!(parse("grant_type=client_credentials"), Ok(empty.clone()));
        assert_eq!(parse("grant_type=client_credentials&scope=&resource=&tenant=&unit=&foo=bar"), Ok(empty));
    }

    #[test]
    fn nearly_scope_gets_a_hint_and_never_a_token() {
        for name in ["scopes", "scope[]", "Scope"] {
            let (code, text) = refused(&format!("grant_type=client_credentials&{name}=a"));
            assert_eq!(code, ErrorCode::InvalidRequest);
            assert!(text.starts_with(&format!("parameter '{name}' is not known; did you mean 'scope'?")), "{text}");
            assert!(parse(&format!("grant_type=client_credentials&scope=a&{name}=b")).is_ok(), "{name}");
        }
        assert!(parse("grant_type=client_credentials&Tenant=a&resources=b").is_ok());
    }

    #[test]
    fn a_missing_grant_type_is_an_invalid_request() {
        assert_eq!(refused("scope=a"), (ErrorCode::InvalidRequest, "parameter 'grant_type' is missing".to_owned()));
        assert_eq!(refused("grant_type=").0, ErrorCode::InvalidRequest);
        assert!(refused("grantType=client_credentials").1.ends_with("'grantType' was sent instead"));
    }

    #[test]
    fn another_grant_type_is_unsupported_and_told_what_is() {
        let (code, text) = refused("grant_type=password");
        assert_eq!(code, ErrorCode::UnsupportedGrantType);
        assert_eq!(
            text,
            "grant_type 'password' is not supported; supported: 'client_credentials', 'authorization_code', 'refresh_token'"
        );
        for other in ["Client_Credentials", "client_credentials%20", "implicit", "%22%0A"] {
            assert_eq!(refused(&format!("grant_type={other}")).0, ErrorCode::UnsupportedGrantType, "{other}");
        }
        assert!(refused(&format!("grant_type={}", "x".repeat(10_000))).1.len() < 250);
    }

    #[test]
    fn a_resource_that_is_not_an_absolute_uri_is_an_invalid_target() {
        for bad in ["/api", "pos", "https://x/%23y", "https://x/#y", "https://x/+y"] {
            let (code, text) = refused(&format!("grant_type=client_credentials&resource=urn:ok&resource={bad}"));
            assert_eq!(code, ErrorCode::InvalidTarget, "{bad}");
            assert!(text.starts_with("resource '"), "{text}");
        }
    }

    #[test]
    fn the_answer_has_the_members_of_the_rfc_and_keeps_the_token_out_of_debug() {
        let answer = TokenResponse::new("tell-nobody", 3600, "a b");
        assert_eq!(
            serde_json::to_string(&answer).expect("json"),
            r#"{"access_token":"tell-nobody","token_type":"Bearer","expires_in":3600,"scope":"a b"}"#
        );
        assert!(!format!("{answer:?}").contains("tell-nobody"));
    }

    #[test]
    fn what_was_left_out_and_what_is_deprecated_is_said() {
        let dropped = [DroppedScope {
            scope: "pos:receipts:read".to_owned(),
            reason: Reason::FeatureOffForTenant,
            hint: "turn the feature on".to_owned(),
        }];
        let notices = [Notice {
            scope: "old".parse().expect("a scope"),
            code: NoticeCode::Deprecated,
            text: "use new".to_owned(),
            successor: Some("new".parse().expect("a scope")),
            sunset: None,
        }];
        let answer = TokenResponse { dropped_scopes: &dropped, notices: &notices, ..TokenResponse::new("t", 1, "new") };
        assert_eq!(
            serde_json::to_value(&answer).expect("json"),
            serde_json::json!({
                "access_token": "t", "token_type": "Bearer", "expires_in": 1, "scope": "new",
                "dropped_scopes": [
                    {"scope": "pos:receipts:read", "reason": "feature_off_for_tenant", "hint": "turn the feature on"}
                ],
                "notices": [{"scope": "old", "code": "deprecated", "text": "use new", "successor": "new"}],
            })
        );
    }
}
