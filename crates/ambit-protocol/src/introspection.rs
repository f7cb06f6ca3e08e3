//! What is this token still (RFC 7662): the question of a resource server and the answer it gets.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::claims::{AccessTokenClaims, Audience, date};
use crate::jose::strict_json::{Fault, Malformed, Object};
use crate::params::{ParamRules, Params, ParamsError};
use crate::revocation::{TOKEN_RULES, TokenTypeHint};
use crate::token::TokenType;

/// A request to the introspection endpoint (RFC 7662 §2.1).
///
/// Debug does not show the token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IntrospectionRequest<'a> {
    /// The token, of whatever kind.
    pub token: &'a str,
    /// What the caller believes it is; a server may look elsewhere as well.
    pub token_type_hint: Option<TokenTypeHint>,
}

/// The answer (RFC 7662 §2.2). Of a token that is not active, or is none of the caller's business, nothing is said but
/// that: `{"active":false}`.
///
/// ```
/// use ambit_protocol::claims::{AccessTokenClaims, Audience};
/// use ambit_protocol::introspection::IntrospectionResponse;
///
/// assert_eq!(IntrospectionResponse::<String>::Inactive.to_json(), br#"{"active":false}"#);
///
/// let text = str::to_owned;
/// let claims = AccessTokenClaims::new(
///     text("https://as.example"), text("till-7"), Audience::One(text("https://pos.example")), text("till-7"), 1_000, 4_600, text("t1"),
/// );
/// let active = IntrospectionResponse::active(&claims, "pos.read");
/// let json = serde_json::to_string(&active)?;
/// assert!(json.starts_with(r#"{"active":true,"scope":"pos.read","client_id":"till-7","token_type":"Bearer","exp":4600"#));
/// let IntrospectionResponse::Active(read) = IntrospectionResponse::parse(json.as_bytes())? else { unreachable!() };
/// assert_eq!(read.client_id.as_deref(), Some("till-7"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntrospectionResponse<S = String> {
    /// Expired, revoked, unknown, of no concern to the caller, or no token at all.
    Inactive,
    /// A good token.
    Active(Box<ActiveToken<S>>),
}

/// What is said of an active token: RFC 7662 §2.2's members and those of our access tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ActiveToken<S = String> {
    active: AlwaysTrue,
    /// The scopes it holds now, separated by one space. May be less than the token's own text says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<S>,
    /// Who asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<S>,
    /// How it is presented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<TokenType>,
    /// When it expires, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// When it was minted, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Before when it is not accepted, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// The subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<S>,
    /// For which APIs it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<Audience<S>>,
    /// The issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<S>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<S>,
    /// The tenant it acts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<S>,
    /// That tenant's name in URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_slug: Option<S>,
    /// The partner it acts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner_id: Option<S>,
    /// The unit it acts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<S>,
    /// How far the application reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<S>,
    /// The user's roles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<S>,
    /// The user's groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<S>,
    /// Who acts for the subject (RFC 8693 §4.1). An object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Value>,
    /// What it is bound to (RFC 7800 §3.1). An object; whoever accepts the token must check the binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Value>,
    /// The registry revision it was minted under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rev: Option<u64>,
}

/// Why an answer cannot be read. Whoever asked must treat the token as not active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntrospectionError {
    /// Not one strict JSON object.
    #[error("the introspection response is not a JSON object with each member once")]
    Malformed,
    /// No `active` (RFC 7662 §2.2 requires it).
    #[error("the introspection response has no '{0}' member")]
    Missing(&'static str),
    /// A member of another type than it must have.
    #[error("the introspection response's '{0}' is not of the right type")]
    WrongType(&'static str),
}

impl<'a> IntrospectionRequest<'a> {
    /// What the endpoint expects of its parameters, client authentication included.
    pub const RULES: ParamRules = TOKEN_RULES;

    /// Reads the request from its parameters.
    ///
    /// # Errors
    /// [`ParamsError::Missing`] without `token`.
    pub fn parse(params: &'a Params<'_>) -> Result<Self, ParamsError> {
        let token = params.require("token")?;
        Ok(Self { token, token_type_hint: params.get("token_type_hint").and_then(TokenTypeHint::parse) })
    }
}

impl fmt::Debug for IntrospectionRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionRequest").field("token_type_hint", &self.token_type_hint).finish_non_exhaustive()
    }
}

impl<'a> IntrospectionResponse<&'a str> {
    /// A good token, with the scopes it holds now.
    #[must_use]
    pub fn active(claims: &'a AccessTokenClaims, scope: &'a str) -> Self {
        let texts = |texts: &'a [String]| texts.iter().map(String::as_str).collect();
        Self::Active(Box::new(ActiveToken {
            active: AlwaysTrue,
            // RFC 6749 §3.3 has no empty scope.
            scope: Some(scope).filter(|scope| !scope.is_empty()),
            client_id: Some(&claims.client_id),
            token_type: Some(TokenType::Bearer),
            exp: Some(claims.exp),
            iat: Some(claims.iat),
            nbf: claims.nbf,
            sub: Some(&claims.sub),
            aud: Some(claims.aud.borrowed()),
            iss: Some(&claims.iss),
            jti: Some(&claims.jti),
            tenant_id: claims.tenant_id.as_deref(),
            tenant_slug: claims.tenant_slug.as_deref(),
            partner_id: claims.partner_id.as_deref(),
            unit_id: claims.unit_id.as_deref(),
            level: claims.level.as_deref(),
            roles: texts(&claims.roles),
            groups: texts(&claims.groups),
            act: claims.act.clone(),
            cnf: claims.cnf.clone(),
            rev: claims.rev,
        }))
    }
}

impl<S: Serialize> IntrospectionResponse<S> {
    /// The answer's body, usually in one allocation.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(USUAL_LEN);
        // A Vec takes every octet, and the answer has no map whose keys are not strings.
        serde_json::to_writer(&mut json, self).expect("the answer is JSON");
        json
    }
}

impl IntrospectionResponse {
    /// Reads an answer as strictly as a token: a resource server acts on it.
    ///
    /// Members of an inactive token are not looked at.
    ///
    /// # Errors
    /// See [`IntrospectionError`].
    pub fn parse(json: &[u8]) -> Result<Self, IntrospectionError> {
        let object = Object::parse(json)?;
        if !object.require::<bool>("active")? {
            return Ok(Self::Inactive);
        }
        Ok(Self::Active(Box::new(ActiveToken {
            active: AlwaysTrue,
            scope: object.find("scope")?,
            client_id: object.find("client_id")?,
            token_type: object.find("token_type")?,
            exp: date(&object, "exp")?,
            iat: date(&object, "iat")?,
            nbf: date(&object, "nbf")?,
            sub: object.find("sub")?,
            aud: object.find("aud")?,
            iss: object.find("iss")?,
            jti: object.find("jti")?,
            tenant_id: object.find("tenant_id")?,
            tenant_slug: object.find("tenant_slug")?,
            partner_id: object.find("partner_id")?,
            unit_id: object.find("unit_id")?,
            level: object.find("level")?,
            roles: object.find("roles")?.unwrap_or_default(),
            groups: object.find("groups")?.unwrap_or_default(),
            act: object.find_object("act")?,
            cnf: object.find_object("cnf")?,
            rev: object.find("rev")?,
        })))
    }
}

impl<T: Serialize> Serialize for IntrospectionResponse<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Inactive {
            active: bool,
        }
        match self {
            Self::Inactive => Inactive { active: false }.serialize(serializer),
            Self::Active(token) => token.serialize(serializer),
        }
    }
}

impl From<Malformed> for IntrospectionError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<Fault> for IntrospectionError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Missing(member) => Self::Missing(member),
            Fault::WrongType(member) => Self::WrongType(member),
        }
    }
}

/// The member `active` of an [`ActiveToken`]: it has one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct AlwaysTrue;

impl Serialize for AlwaysTrue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

/// Longer than most answers.
const USUAL_LEN: usize = 1024;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(json: &str) -> Result<IntrospectionResponse, IntrospectionError> {
        IntrospectionResponse::parse(json.as_bytes())
    }

    #[test]
    fn nothing_is_said_of_an_inactive_token_and_nothing_about_one_is_believed() {
        assert_eq!(
            serde_json::to_value(IntrospectionResponse::<String>::Inactive).expect("JSON"),
            json!({ "active": false })
        );
        assert_eq!(parse(r#"{"active":false,"scope":7,"sub":"x"}"#), Ok(IntrospectionResponse::Inactive));
    }

    #[test]
    fn everything_a_token_says_is_in_the_answer() {
        let text = str::to_owned;
        let claims = AccessTokenClaims {
            nbf: Some(1_000),
            tenant_id: Some(text("tnt_1")),
            tenant_slug: Some(text("acme")),
            partner_id: Some(text("prt_1")),
            unit_id: Some(text("unt_1")),
            level: Some(text("tenant")),
            roles: vec![text("cashier")],
            groups: vec![text("grp_1")],
            act: Some(json!({ "sub": "agent" })),
            cnf: Some(json!({ "jkt": "x" })),
            rev: Some(9),
            ..AccessTokenClaims::new(
                text("https://as"),
                text("u"),
                Audience::Many(vec![text("https://a"), text("https://b")]),
                text("c"),
                1_000,
                2_000,
                text("t"),
            )
        };
        let answer = serde_json::to_value(IntrospectionResponse::active(&claims, "a b")).expect("JSON");
        let mut expected: Value = serde_json::from_slice(&claims.to_json()).expect("JSON");
        let members = expected.as_object_mut().expect("an object");
        members.insert(text("active"), json!(true));
        members.insert(text("token_type"), json!("Bearer"));
        members.insert(text("scope"), json!("a b"));
        assert_eq!(answer, expected);
        let read = IntrospectionResponse::parse(answer.to_string().as_bytes()).expect("an answer");
        assert_eq!(serde_json::to_value(read).expect("JSON"), answer);
    }

    #[test]
    fn a_token_without_scopes_has_no_scope_member() {
        let text = str::to_owned;
        let claims = AccessTokenClaims::new(text("i"), text("s"), Audience::One(text("a")), text("c"), 1, 2, text("j"));
        let answer = serde_json::to_value(IntrospectionResponse::active(&claims, "")).expect("JSON");
        assert!(answer.get("scope").is_none());
    }

    #[test]
    fn an_answer_that_is_not_clear_is_an_error_and_never_active() {
        assert_eq!(parse(r#"{"active":true}"#), Ok(IntrospectionResponse::Active(Box::default())));
        assert_eq!(parse("{}"), Err(IntrospectionError::Missing("active")));
        for active in ["\"true\"", "1", "null", "[true]"] {
            assert_eq!(parse(&format!("{{\"active\":{active}}}")), Err(IntrospectionError::WrongType("active")));
        }
        assert_eq!(parse(r#"{"active":false,"active":true}"#), Err(IntrospectionError::Malformed));
        assert_eq!(parse(r#"{"active":true,"exp":"9"}"#), Err(IntrospectionError::WrongType("exp")));
        assert_eq!(parse(r#"{"active":true,"scope":["a"]}"#), Err(IntrospectionError::WrongType("scope")));
        assert_eq!(parse(r#"{"active":true,"cnf":null}"#), Err(IntrospectionError::WrongType("cnf")));
        assert_eq!(parse("[true]"), Err(IntrospectionError::Malformed));
    }

    #[test]
    fn the_token_does_not_show_in_debug() {
        let request = IntrospectionRequest { token: "s3cret", token_type_hint: None };
        assert!(!format!("{request:?}").contains("s3cret"));
    }
}
