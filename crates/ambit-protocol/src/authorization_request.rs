//! The authorization endpoint: what a browser brings (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1), and what it takes back
//! (RFC 6749 §4.1.2, RFC 9207).
//!
//! Reading has two steps, because of what a mistake may do. [`AuthorizationRequest::address`] finds client, redirect URI,
//! `state` and how the answer travels: until these are proven, nothing is sent anywhere. [`AuthorizationRequest::parse`] reads
//! the rest, and its mistakes are told to the client.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{ErrorCode, describe_within};
use crate::params::{ParamRules, Params, ParamsError};
use crate::pkce::{CODE_CHALLENGE_METHOD, CodeChallenge, PkceError};
use crate::resource::{ResourceError, ResourceIndicator};

/// Where an answer would go, as the request says: nothing of it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `client_id`.
    pub client_id: String,
    /// `redirect_uri`; may be left out where one is registered.
    pub redirect_uri: Option<String>,
    /// `state`: goes back as it came.
    pub state: Option<String>,
    /// How the answer travels.
    pub response_mode: Result<ResponseMode, AuthorizationRequestError>,
}

/// An authorization request, read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// `scope` as it was sent; none stands for the client's default.
    pub scope: Option<String>,
    /// Every `resource`, in the order sent (RFC 8707 §2).
    pub resources: Vec<ResourceIndicator>,
    /// `nonce`, unchanged.
    pub nonce: Option<String>,
    /// The challenge of PKCE.
    pub code_challenge: Option<CodeChallenge>,
    /// What the person is to be asked.
    pub prompt: Prompt,
    /// `max_age`: how long ago the person may have proved who they are, in seconds.
    pub max_age: Option<u32>,
    /// `acr_values`, the most wanted first.
    pub acr_values: Vec<String>,
    /// `acr` that `claims` calls essential: one of these, or an error (OpenID Connect Core §5.5.1.1).
    pub essential_acr: Vec<String>,
    /// `sub` that `claims` asks for by value: one of these, and nobody else (OpenID Connect Core §3.1.2.2). None asked for is
    /// anybody.
    pub subjects: Vec<String>,
    /// `login_hint`: fills a field in, and nothing else.
    pub login_hint: Option<String>,
    /// `id_token_hint`: whom the client expects.
    pub id_token_hint: Option<String>,
    /// `ui_locales`, the most wanted first.
    pub ui_locales: Vec<String>,
    /// Claims that `claims` asks for in the ID token, by name (OpenID Connect Core §5.5).
    pub id_token_claims: Vec<String>,
    /// Claims that `claims` asks for from the userinfo endpoint, by name.
    pub userinfo_claims: Vec<String>,
    /// `tenant`: the slug of the tenant whose people are meant, at the platform's issuer.
    pub tenant: Option<String>,
    /// `unit`: the slug of the unit of that tenant that is acted for.
    pub unit: Option<String>,
}

/// How an authorization response travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of the redirect URI (OAuth 2.0 Multiple Response Types §2.1).
    Query,
    /// In a form that the browser posts to it (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

/// What the person is to be asked (`prompt`, OpenID Connect Core §3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Prompt {
    /// Nothing at all: an answer at once, or an error.
    pub none: bool,
    /// Who they are, even if they are signed in.
    pub login: bool,
    /// Whether they consent, even if they did.
    pub consent: bool,
    /// Which account they mean.
    pub select_account: bool,
}

impl ResponseMode {
    /// Every mode.
    pub const ALL: [Self; 2] = [Self::Query, Self::FormPost];

    /// The mode as it is written on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }
}

impl fmt::Display for ResponseMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AuthorizationRequest {
    /// What the endpoint expects of its parameters.
    pub const RULES: ParamRules = ParamRules::new(&[
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "response_mode",
        "code_challenge",
        "code_challenge_method",
        "prompt",
        "max_age",
        "display",
        "ui_locales",
        "id_token_hint",
        "login_hint",
        "acr_values",
        "claims",
        "resource",
        "request",
        "request_uri",
        "tenant",
        "unit",
    ])
    .with_repeatable(&["resource"]);

    /// Where the answer would go. A mistake here is shown to the person, and sent nowhere.
    ///
    /// # Errors
    /// [`ParamsError`] without `client_id`.
    pub fn address(params: &Params<'_>) -> Result<Address, ParamsError> {
        let owned = |name| params.get(name).map(str::to_owned);
        Ok(Address {
            client_id: params.require("client_id")?.to_owned(),
            redirect_uri: owned("redirect_uri"),
            state: owned("state"),
            response_mode: params.get("response_mode").map_or(Ok(ResponseMode::Query), |sent| {
                let known = ResponseMode::ALL.into_iter().find(|mode| mode.as_str() == sent);
                known.ok_or_else(|| AuthorizationRequestError::ResponseMode { sent: shown(sent) })
            }),
        })
    }

    /// Reads the rest.
    ///
    /// # Errors
    /// [`AuthorizationRequestError`], which the client is told.
    pub fn parse(params: &Params<'_>) -> Result<Self, AuthorizationRequestError> {
        use AuthorizationRequestError as Error;
        let response_type = params.require("response_type")?;
        if response_type != RESPONSE_TYPE {
            return Err(Error::ResponseType { sent: shown(response_type) });
        }
        // OpenID Connect Core §6: a server that takes no request objects says so, rather than ignore what they bind.
        if params.get("request").is_some() {
            return Err(Error::RequestObject);
        }
        if params.get("request_uri").is_some() {
            return Err(Error::RequestUri);
        }
        if let Some(state) = params.get("state")
            && state.len() > MAX_STATE_LEN
        {
            return Err(Error::TooLong { name: "state", max: MAX_STATE_LEN });
        }
        if let Some(miss) = params.near_misses().find(|miss| miss.meant == "scope") {
            return Err(Error::ScopeMisnamed { sent: shown(miss.sent) });
        }
        let nonce = params.get("nonce").map(str::to_owned);
        if nonce.as_ref().is_some_and(|nonce| nonce.len() > MAX_NONCE_LEN) {
            return Err(Error::TooLong { name: "nonce", max: MAX_NONCE_LEN });
        }
        let claims = params.get("claims").map(RequestedClaims::parse).transpose()?.unwrap_or_default();
        let words = |name| params.get(name).unwrap_or_default().split(' ').filter(|word| !word.is_empty());
        let words = |name| words(name).take(MAX_WORDS).map(str::to_owned).collect::<Vec<_>>();
        Ok(Self {
            scope: params.get("scope").map(str::to_owned),
            resources: params
                .all("resource")
                .map(|text| text.parse().map_err(|why| Error::Resource { sent: shown(text), why }))
                .collect::<Result<_, _>>()?,
            nonce,
            code_challenge: challenge(params)?,
            prompt: Prompt::parse(params.get("prompt").unwrap_or_default())?,
            max_age: params
                .get("max_age")
                .map(|sent| sent.parse().map_err(|_| Error::MaxAge { sent: shown(sent) }))
                .transpose()?,
            acr_values: words("acr_values"),
            essential_acr: claims.essential_acr,
            subjects: claims.subjects,
            login_hint: params.get("login_hint").filter(|hint| hint.len() <= MAX_HINT_LEN).map(str::to_owned),
            id_token_hint: params.get("id_token_hint").map(str::to_owned),
            ui_locales: words("ui_locales"),
            id_token_claims: claims.id_token,
            userinfo_claims: claims.userinfo,
            tenant: params.get("tenant").map(str::to_owned),
            unit: params.get("unit").map(str::to_owned),
        })
    }
}

/// RFC 7636 §4.3. A method without a challenge, or none with one, is a mistake: the default would be `plain`.
fn challenge(params: &Params<'_>) -> Result<Option<CodeChallenge>, AuthorizationRequestError> {
    match (params.get("code_challenge"), params.get("code_challenge_method")) {
        (None, None) => Ok(None),
        (Some(challenge), Some(CODE_CHALLENGE_METHOD)) => Ok(Some(challenge.parse()?)),
        (Some(_), method) => Err(AuthorizationRequestError::ChallengeMethod { sent: method.map(shown) }),
        (None, Some(_)) => Err(AuthorizationRequestError::ChallengeMissing),
    }
}

impl Prompt {
    fn parse(text: &str) -> Result<Self, AuthorizationRequestError> {
        let mut prompt = Self::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            match word {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                // Initiating User Registration via OpenID Connect 1.0 and others add values: an unknown one is a mistake here,
                // because the person would not be asked what the client relies on.
                _ => return Err(AuthorizationRequestError::Prompt { sent: shown(word) }),
            }
        }
        // "If this parameter contains none with any other value, an error is returned."
        if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
            return Err(AuthorizationRequestError::PromptNoneAndMore);
        }
        Ok(prompt)
    }
}

/// The `claims` parameter (OpenID Connect Core §5.5), as far as it is honoured: names, an essential `acr`, and whose `sub`.
#[derive(Debug, Default)]
struct RequestedClaims {
    id_token: Vec<String>,
    userinfo: Vec<String>,
    essential_acr: Vec<String>,
    subjects: Vec<String>,
}

impl RequestedClaims {
    fn parse(text: &str) -> Result<Self, AuthorizationRequestError> {
        #[derive(Deserialize, Default)]
        struct Wanted {
            #[serde(default)]
            essential: bool,
            value: Option<String>,
            #[serde(default)]
            values: Vec<String>,
        }
        type Wished = std::collections::BTreeMap<String, Option<serde_json::Value>>;
        // By members, and never by place: a derived type would take an array as well.
        let mut sent: std::collections::BTreeMap<String, Wished> =
            serde_json::from_str(text).map_err(|_| AuthorizationRequestError::Claims)?;
        let mut take = |place: &str| sent.remove(place).unwrap_or_default();
        let (id_token, userinfo) = (take("id_token"), take("userinfo"));
        if id_token.len() + userinfo.len() > MAX_WORDS {
            return Err(AuthorizationRequestError::Claims);
        }
        let wanted = |name: &str| match id_token.get(name) {
            Some(Some(wanted)) => serde_json::from_value(wanted.clone()).map_err(|_| AuthorizationRequestError::Claims),
            _ => Ok(Wanted::default()),
        };
        let (acr, subject) = (wanted("acr")?, wanted("sub")?);
        let values = |wanted: Wanted| wanted.value.into_iter().chain(wanted.values).collect();
        Ok(Self {
            essential_acr: if acr.essential { values(acr) } else { vec![] },
            subjects: values(subject),
            id_token: id_token.into_keys().collect(),
            userinfo: userinfo.into_keys().collect(),
        })
    }
}

/// Why an authorization request is refused before it is decided. What it quotes is fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationRequestError {
    /// A parameter is missing, or the parameters cannot be read.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// Another response type than the one there is.
    #[error("response_type '{sent}' is not supported; supported: '{RESPONSE_TYPE}'")]
    ResponseType {
        /// The value.
        sent: String,
    },
    /// Another response mode than those there are.
    #[error("response_mode '{sent}' is not supported; supported: 'query', 'form_post'")]
    ResponseMode {
        /// The value.
        sent: String,
    },
    /// A request object by value.
    #[error("request objects are not supported: send the parameters themselves")]
    RequestObject,
    /// A request object by reference.
    #[error("'request_uri' is not supported: send the parameters themselves")]
    RequestUri,
    /// A parameter that is nearly `scope`, and no `scope`.
    #[error("parameter '{sent}' is not known; did you mean 'scope'?")]
    ScopeMisnamed {
        /// The name that was sent.
        sent: String,
    },
    /// Longer than anybody needs.
    #[error("'{name}' is longer than {max} bytes")]
    TooLong {
        /// The parameter.
        name: &'static str,
        /// The limit.
        max: usize,
    },
    /// A challenge that is none.
    #[error(transparent)]
    Challenge(#[from] PkceError),
    /// A challenge under another method than `S256`, or under none, which would be `plain`.
    #[error("{}", method_text(.sent.as_deref()))]
    ChallengeMethod {
        /// The method.
        sent: Option<String>,
    },
    /// A method and no challenge.
    #[error("'code_challenge_method' was sent without 'code_challenge'")]
    ChallengeMissing,
    /// A value of `prompt` that is not known.
    #[error("prompt '{sent}' is not supported; supported: 'none', 'login', 'consent', 'select_account'")]
    Prompt {
        /// The value.
        sent: String,
    },
    /// `none` beside something else.
    #[error("prompt 'none' cannot be combined with other values (OpenID Connect Core section 3.1.2.1)")]
    PromptNoneAndMore,
    /// No number of seconds.
    #[error("max_age '{sent}' is not a number of seconds")]
    MaxAge {
        /// The value.
        sent: String,
    },
    /// No JSON of the shape of OpenID Connect Core §5.5.
    #[error("'claims' is not a JSON object of 'id_token' and 'userinfo' (OpenID Connect Core section 5.5)")]
    Claims,
    /// A `resource` that is not a resource indicator.
    #[error("resource '{sent}' is not valid: {why}")]
    Resource {
        /// The value.
        sent: String,
        /// What is wrong with it.
        why: ResourceError,
    },
}

impl AuthorizationRequestError {
    /// The code of RFC 6749 §4.1.2.1, of OpenID Connect Core §3.1.2.6, or RFC 8707's.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::ResponseType { .. } => ErrorCode::UnsupportedResponseType,
            Self::RequestObject => ErrorCode::RequestNotSupported,
            Self::RequestUri => ErrorCode::RequestUriNotSupported,
            Self::Resource { .. } => ErrorCode::InvalidTarget,
            _ => ErrorCode::InvalidRequest,
        }
    }
}

fn method_text(sent: Option<&str>) -> Cow<'static, str> {
    match sent {
        None => "'code_challenge_method' must be 'S256' (left out it would mean 'plain')".into(),
        Some(sent) => format!("code_challenge_method '{sent}' is not supported; supported: 'S256'").into(),
    }
}

fn shown(text: &str) -> String {
    describe_within(text, MAX_SHOWN)
}

/// The one response type (RFC 9700 §2.1.2: no implicit grant).
pub const RESPONSE_TYPE: &str = "code";
/// The longest `state`, in octets.
pub const MAX_STATE_LEN: usize = 4 * 1024;
/// The longest `nonce`, in octets.
pub const MAX_NONCE_LEN: usize = 1024;
const MAX_HINT_LEN: usize = 320;
const MAX_WORDS: usize = 50;
const MAX_SHOWN: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

    fn parse(query: &str) -> Result<AuthorizationRequest, AuthorizationRequestError> {
        AuthorizationRequest::parse(&Params::parse(query.as_bytes(), AuthorizationRequest::RULES)?)
    }

    fn refused(query: &str) -> (ErrorCode, String) {
        let error = parse(query).expect_err("refused");
        (error.code(), error.to_string())
    }

    #[test]
    fn a_request_is_read() {
        let request = parse(&format!(
            "response_type=code&client_id=x&scope=openid+pos.read&nonce=n&prompt=login+consent&max_age=60&acr_values=a+b&\
             ui_locales=zh+en&resource=https%3A%2F%2Fpos.example&{CHALLENGE}&foo=bar"
        ))
        .expect("a request");
        assert_eq!(request.scope.as_deref(), Some("openid pos.read"));
        assert!(request.prompt.login && request.prompt.consent && !request.prompt.none);
        assert_eq!((request.max_age, request.resources.len()), (Some(60), 1));
        assert_eq!(request.acr_values, ["a", "b"]);
        assert!(request.code_challenge.is_some());
    }

    #[test]
    fn a_hint_that_is_longer_than_an_address_fills_nothing_in() {
        let hint = |length: usize| {
            let query = format!("response_type=code&login_hint={}&{CHALLENGE}", "a".repeat(length));
            parse(&query).expect("a request").login_hint.map(|hint| hint.len())
        };
        assert_eq!((hint(MAX_HINT_LEN), hint(MAX_HINT_LEN + 1)), (Some(MAX_HINT_LEN), None));
    }

    #[test]
    fn only_a_code_is_given() {
        for other in ["token", "id_token%20token", "none", "code%20code", "CODE"] {
            let (code, text) = refused(&format!("response_type={other}"));
            assert_eq!(code, ErrorCode::UnsupportedResponseType, "{text}");
        }
        assert_eq!(refused("client_id=x").0, ErrorCode::InvalidRequest);
    }

    #[test]
    fn a_challenge_is_s256_or_a_mistake() {
        let challenge = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        for method in ["", "&code_challenge_method=plain", "&code_challenge_method=s256", "&code_challenge_method=S512"]
        {
            let (code, text) = refused(&format!("response_type=code&{challenge}{method}"));
            assert_eq!(code, ErrorCode::InvalidRequest);
            assert!(text.contains("S256"), "{text}");
        }
        assert!(refused("response_type=code&code_challenge_method=S256").1.contains("without"));
        assert!(refused("response_type=code&code_challenge=short&code_challenge_method=S256").1.contains("43"));
    }

    #[test]
    fn prompt_none_stands_alone() {
        assert!(parse("response_type=code&prompt=none").expect("a request").prompt.none);
        assert!(refused("response_type=code&prompt=none+login").1.contains("combined"));
        assert!(refused("response_type=code&prompt=create").1.contains("'create'"));
    }

    #[test]
    fn request_objects_are_refused_rather_than_ignored() {
        assert_eq!(refused("response_type=code&request=e30").0, ErrorCode::RequestNotSupported);
        assert_eq!(refused("response_type=code&request_uri=urn:x").0, ErrorCode::RequestUriNotSupported);
    }

    #[test]
    fn claims_are_names_an_essential_acr_and_whose_sub() {
        let claims = "%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22essential%22%3Atrue%2C%22values%22%3A%5B%22a%22%5D%7D%2C%22email%22%3Anull%7D%7D";
        let request = parse(&format!("response_type=code&claims={claims}")).expect("a request");
        assert_eq!(request.essential_acr, ["a"]);
        assert_eq!(request.id_token_claims, ["acr", "email"]);
        assert!(request.subjects.is_empty());
        let claims = |sub: &str| {
            let text = format!("{{\"id_token\":{{\"sub\":{sub}}}}}");
            let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            parse(&format!("response_type=code&claims={encoded}")).map(|request| request.subjects)
        };
        assert_eq!(claims("{\"value\":\"a\"}").expect("a request"), ["a"]);
        assert_eq!(claims("{\"values\":[\"a\",\"b\"],\"essential\":true}").expect("a request"), ["a", "b"]);
        for anybody in ["null", "{}", "{\"essential\":true}"] {
            assert!(claims(anybody).expect("a request").is_empty(), "{anybody}");
        }
        for bad in ["7", "\"a\"", "{\"value\":7}", "{\"values\":\"a\"}"] {
            assert!(claims(bad).is_err(), "{bad}");
        }
        for bad in ["x", "%5B%5D", "%7B%22id_token%22%3A1%7D", "%7B%22id_token%22%3A%7B%22acr%22%3A7%7D%7D"] {
            assert!(parse(&format!("response_type=code&claims={bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn lengths_are_limited_exactly() {
        for (name, max) in [("state", MAX_STATE_LEN), ("nonce", MAX_NONCE_LEN)] {
            assert!(parse(&format!("response_type=code&{name}={}", "x".repeat(max))).is_ok());
            assert!(refused(&format!("response_type=code&{name}={}", "x".repeat(max + 1))).1.contains(name));
        }
    }
}
