//! How a client authenticates itself: the methods there are, and what one request presents.
//!
//! [`PresentedCredentials`] is what was *sent*. Whether it is right, and whether it is the one method the client is
//! registered for, is decided by whoever knows the client.

use std::fmt;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::authorization::{Authorization, AuthorizationError};
use crate::error::ErrorCode;
use crate::params::Params;

/// The way a client authenticates at the token endpoint (RFC 7591 §2, `token_endpoint_auth_method`).
///
/// # Examples
///
/// ```
/// use ambit_protocol::client::TokenEndpointAuthMethod;
///
/// let method: TokenEndpointAuthMethod = serde_json::from_str("\"private_key_jwt\"")?;
/// assert_eq!(method, TokenEndpointAuthMethod::PrivateKeyJwt);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenEndpointAuthMethod {
    /// Client id and secret in the `Authorization` header (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// Client id and secret in the body (RFC 6749 §2.3.1).
    ClientSecretPost,
    /// A JWT signed with the client's private key (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// No authentication: a public client, which names itself by `client_id` (RFC 7591 §2).
    None,
}

impl TokenEndpointAuthMethod {
    /// Every method there is, in the order metadata announces them.
    pub const ALL: [Self; 4] = [Self::ClientSecretBasic, Self::ClientSecretPost, Self::PrivateKeyJwt, Self::None];

    /// The method as it is written on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::None => "none",
        }
    }
}

impl fmt::Display for TokenEndpointAuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for TokenEndpointAuthMethod {
    type Err = UnknownAuthMethod;

    fn from_str(text: &str) -> Result<Self, UnknownAuthMethod> {
        Self::ALL.into_iter().find(|method| method.as_str() == text).ok_or(UnknownAuthMethod)
    }
}

/// A text that is none of the [`TokenEndpointAuthMethod`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a client authentication method of this server")]
pub struct UnknownAuthMethod;

/// What a request presents to authenticate its client: exactly one method (RFC 6749 §2.3).
///
/// Secrets and assertions are not shown by `Debug`.
#[derive(Debug)]
pub enum PresentedCredentials {
    /// Nothing, but perhaps a name: how a public client identifies itself (RFC 6749 §3.2.1).
    None {
        /// `client_id` of the body.
        client_id: Option<String>,
    },
    /// `client_secret_basic`.
    Basic {
        /// The client id, never empty.
        client_id: String,
        /// The secret, perhaps empty, which matches no client.
        secret: SecretString,
    },
    /// `client_secret_post`.
    Post {
        /// `client_id` of the body.
        client_id: String,
        /// `client_secret` of the body, not empty.
        secret: SecretString,
    },
    /// An assertion of the one type we know, [`CLIENT_ASSERTION_TYPE`].
    Assertion {
        /// `client_id` of the body, which RFC 7521 §4.2 makes optional; if present it must be the assertion's subject.
        client_id: Option<String>,
        /// The JWT, not looked into.
        assertion: SecretString,
    },
}

impl PresentedCredentials {
    /// Takes the credentials out of a request, given all values of its `Authorization` header and its body's parameters.
    ///
    /// # Errors
    ///
    /// See [`CredentialsError`]. Nothing in it depends on whether the client exists or the secret is right.
    ///
    /// # Examples
    ///
    /// ```
    /// use ambit_protocol::client::{CLIENT_PARAMS, PresentedCredentials};
    /// use ambit_protocol::params::{ParamRules, Params};
    ///
    /// let params = Params::parse(b"client_id=till-7&client_secret=s3cret", ParamRules::new(CLIENT_PARAMS))?;
    /// let presented = PresentedCredentials::from_request([], &params)?;
    /// assert_eq!(presented.client_id(), Some("till-7"));
    ///
    /// let both = PresentedCredentials::from_request([&b"Basic dGlsbC03OnMzY3JldA=="[..]], &params).unwrap_err();
    /// assert!(both.to_string().contains("more than one way"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_request<'h>(
        authorization: impl IntoIterator<Item = &'h [u8]>,
        params: &Params<'_>,
    ) -> Result<Self, CredentialsError> {
        let header = match Authorization::parse(authorization)? {
            Some(Authorization::Basic(basic)) => Some(basic),
            Some(Authorization::Bearer(_)) => return Err(CredentialsError::BearerIsNoClient),
            None => None,
        };
        let client_id = params.get("client_id");
        let secret = params.get("client_secret");
        let assertion = params.get("client_assertion");
        let assertion_type = params.get("client_assertion_type");

        match (header, secret, assertion.or(assertion_type)) {
            // RFC 6749 §2.3: "The client MUST NOT use more than one authentication method in each request."
            (Some(_), Some(_), _) => {
                Err(CredentialsError::SeveralMethods { ways: "the Authorization header and 'client_secret'" })
            }
            (Some(_), _, Some(_)) => {
                Err(CredentialsError::SeveralMethods { ways: "the Authorization header and 'client_assertion'" })
            }
            (_, Some(_), Some(_)) => {
                Err(CredentialsError::SeveralMethods { ways: "'client_secret' and 'client_assertion'" })
            }
            (Some(basic), None, None) => match client_id {
                Some(named) if named != basic.client_id => Err(CredentialsError::ClientIdsDiffer),
                _ => Ok(Self::Basic { client_id: basic.client_id, secret: basic.secret }),
            },
            (None, Some(secret), None) => Ok(Self::Post {
                client_id: client_id.ok_or(CredentialsError::SecretWithoutClientId)?.to_owned(),
                secret: SecretString::from(secret),
            }),
            (None, None, Some(_)) => Ok(Self::Assertion {
                client_id: client_id.map(str::to_owned),
                assertion: checked_assertion(assertion, assertion_type)?,
            }),
            (None, None, None) => Ok(Self::None { client_id: client_id.map(str::to_owned) }),
        }
    }

    /// The client that the request claims to come from, where it says so outside an assertion.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        match self {
            Self::Basic { client_id, .. } | Self::Post { client_id, .. } => Some(client_id),
            Self::None { client_id } | Self::Assertion { client_id, .. } => client_id.as_deref(),
        }
    }

    /// The method that was used.
    #[must_use]
    pub const fn method(&self) -> TokenEndpointAuthMethod {
        match self {
            Self::None { .. } => TokenEndpointAuthMethod::None,
            Self::Basic { .. } => TokenEndpointAuthMethod::ClientSecretBasic,
            Self::Post { .. } => TokenEndpointAuthMethod::ClientSecretPost,
            Self::Assertion { .. } => TokenEndpointAuthMethod::PrivateKeyJwt,
        }
    }
}

/// RFC 7521 §4.2: both `client_assertion_type` and `client_assertion` are required for an assertion.
fn checked_assertion(assertion: Option<&str>, assertion_type: Option<&str>) -> Result<SecretString, CredentialsError> {
    let assertion_type = assertion_type.ok_or(CredentialsError::AssertionWithoutType)?;
    if assertion_type != CLIENT_ASSERTION_TYPE {
        return Err(CredentialsError::UnknownAssertionType);
    }
    assertion.map(SecretString::from).ok_or(CredentialsError::TypeWithoutAssertion)
}

/// Why the way a client authenticates itself was refused, before anything was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The `Authorization` header is malformed.
    #[error(transparent)]
    Authorization(#[from] AuthorizationError),
    /// A bearer token where client credentials belong.
    #[error("a Bearer token does not authenticate a client here; use Basic, 'client_secret' or 'client_assertion'")]
    BearerIsNoClient,
    /// Two methods at once.
    #[error("client credentials are sent in more than one way ({ways}); use one of them (RFC 6749 section 2.3)")]
    SeveralMethods {
        /// Which two.
        ways: &'static str,
    },
    /// Header and body name different clients.
    #[error("'client_id' in the body is not the client_id in the Authorization header")]
    ClientIdsDiffer,
    /// `client_secret` without `client_id`.
    #[error("parameter 'client_secret' is sent without 'client_id'")]
    SecretWithoutClientId,
    /// `client_assertion` without `client_assertion_type`.
    #[error("parameter 'client_assertion' is sent without 'client_assertion_type' (RFC 7521 section 4.2)")]
    AssertionWithoutType,
    /// `client_assertion_type` without `client_assertion`.
    #[error("parameter 'client_assertion_type' is sent without 'client_assertion' (RFC 7521 section 4.2)")]
    TypeWithoutAssertion,
    /// A type of assertion other than JWT.
    #[error("'client_assertion_type' must be '{CLIENT_ASSERTION_TYPE}' (RFC 7523 section 2.2)")]
    UnknownAssertionType,
}

impl CredentialsError {
    /// `invalid_client` where the method is not supported, `invalid_request` where the request is malformed (RFC 6749 §5.2).
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Authorization(error) => error.code(),
            Self::BearerIsNoClient => ErrorCode::InvalidClient,
            _ => ErrorCode::InvalidRequest,
        }
    }
}

/// The `client_assertion_type` of a JWT (RFC 7523 §2.2), the only one there is.
pub const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The parameters of a body that authenticate or name a client, for the [`ParamRules`](crate::params::ParamRules) of
/// every endpoint that authenticates clients.
pub const CLIENT_PARAMS: &[&str] = &["client_id", "client_secret", "client_assertion", "client_assertion_type"];

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::params::ParamRules;

    const RULES: ParamRules = ParamRules::new(CLIENT_PARAMS);
    /// `till-7:s3cret`
    const BASIC: &[u8] = b"Basic dGlsbC03OnMzY3JldA==";
    const JWT_TYPE: &str = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";

    fn present(headers: &[&[u8]], body: &str) -> Result<PresentedCredentials, CredentialsError> {
        let params = Params::parse(body.as_bytes(), RULES).expect("well-formed parameters");
        PresentedCredentials::from_request(headers.iter().copied(), &params)
    }

    fn refused(headers: &[&[u8]], body: &str) -> CredentialsError {
        present(headers, body).expect_err("refused")
    }

    #[test]
    fn each_method_is_recognised() {
        let basic = present(&[BASIC], "").expect("valid");
        assert!(matches!(&basic, PresentedCredentials::Basic { client_id, secret }
            if client_id == "till-7" && secret.expose_secret() == "s3cret"));
        assert_eq!(basic.method(), TokenEndpointAuthMethod::ClientSecretBasic);

        let post = present(&[], "client_id=till-7&client_secret=s%2Bc").expect("valid");
        assert!(matches!(&post, PresentedCredentials::Post { client_id, secret }
            if client_id == "till-7" && secret.expose_secret() == "s+c"));
        assert_eq!(post.method(), TokenEndpointAuthMethod::ClientSecretPost);

        let assertion = present(&[], &format!("{JWT_TYPE}&client_assertion=a.b.c")).expect("valid");
        assert!(matches!(&assertion, PresentedCredentials::Assertion { client_id: None, assertion }
            if assertion.expose_secret() == "a.b.c"));
        assert_eq!(assertion.method(), TokenEndpointAuthMethod::PrivateKeyJwt);

        let public = present(&[], "client_id=app").expect("valid");
        assert_eq!((public.client_id(), public.method()), (Some("app"), TokenEndpointAuthMethod::None));
        assert_eq!(present(&[], "").expect("valid").client_id(), None);
    }

    #[test]
    fn more_than_one_method_is_refused_whichever_two() {
        let assertion = format!("{JWT_TYPE}&client_assertion=a.b.c");
        for (headers, body) in [
            (&[BASIC][..], "client_id=till-7&client_secret=s3cret".to_owned()),
            (&[BASIC], "client_secret=s3cret".to_owned()),
            (&[BASIC], assertion.clone()),
            (&[BASIC], "client_assertion=a.b.c".to_owned()),
            (&[BASIC], JWT_TYPE.to_owned()),
            (&[], format!("client_id=till-7&client_secret=x&{assertion}")),
            (&[BASIC], format!("client_id=till-7&client_secret=x&{assertion}")),
        ] {
            let error = refused(headers, &body);
            assert!(matches!(error, CredentialsError::SeveralMethods { .. }), "{body}");
            assert_eq!(error.code(), ErrorCode::InvalidRequest);
        }
    }

    #[test]
    fn header_and_body_must_name_the_same_client_to_the_octet() {
        assert!(present(&[BASIC], "client_id=till-7").is_ok());
        assert!(present(&[BASIC], "client_id=").is_ok());
        for other in ["till-8", "Till-7", "till-7%20", "till-7%E2%80%8B"] {
            assert_eq!(refused(&[BASIC], &format!("client_id={other}")), CredentialsError::ClientIdsDiffer);
        }
    }

    #[test]
    fn an_assertion_needs_its_type_and_the_type_its_assertion() {
        assert_eq!(refused(&[], "client_assertion=a.b.c"), CredentialsError::AssertionWithoutType);
        assert_eq!(refused(&[], JWT_TYPE), CredentialsError::TypeWithoutAssertion);
        assert_eq!(refused(&[], &format!("{JWT_TYPE}&client_assertion=")), CredentialsError::TypeWithoutAssertion);
        let saml = "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:saml2-bearer&client_assertion=x";
        assert_eq!(refused(&[], saml), CredentialsError::UnknownAssertionType);
    }

    #[test]
    fn a_secret_without_client_id_is_refused_and_an_empty_secret_is_none() {
        assert_eq!(refused(&[], "client_secret=x"), CredentialsError::SecretWithoutClientId);
        let public = present(&[], "client_id=app&client_secret=").expect("valid");
        assert_eq!(public.method(), TokenEndpointAuthMethod::None);
    }

    #[test]
    fn a_header_that_is_not_basic_does_not_fall_back_to_the_body() {
        let body = "client_id=till-7&client_secret=s3cret";
        assert_eq!(refused(&[b"Bearer abc"], body).code(), ErrorCode::InvalidClient);
        assert_eq!(refused(&[b"Negotiate abc"], body), AuthorizationError::UnsupportedScheme.into());
        assert_eq!(refused(&[b"Basic !"], body), AuthorizationError::BadBase64.into());
        assert_eq!(refused(&[BASIC, BASIC], ""), AuthorizationError::Repeated.into());
    }

    #[test]
    fn no_secret_is_printed() {
        let assertion = format!("{JWT_TYPE}&client_assertion=tell-nobody");
        for body in ["client_id=a&client_secret=tell-nobody", &assertion] {
            assert!(!format!("{:?}", present(&[], body).expect("valid")).contains("tell-nobody"));
        }
        assert!(!format!("{:?}", present(&[BASIC], "").expect("valid")).contains("s3cret"));
    }

    #[test]
    fn every_method_reads_back() {
        for method in TokenEndpointAuthMethod::ALL {
            assert_eq!(method.as_str().parse(), Ok(method));
            assert_eq!(serde_json::to_value(method).expect("json"), method.as_str());
        }
        assert!("client_secret_jwt".parse::<TokenEndpointAuthMethod>().is_err());
    }
}
