//! What an OAuth endpoint says when it refuses: the code, the body and the characters both may use.
//!
//! Everything a client reads on a failed call to an OAuth endpoint is an [`ErrorBody`]. Its description goes through
//! [`describe`], so that whatever a client sent and we quote back stays inside the set that RFC 6749 §5.2 allows.

use std::fmt::{self, Write as _};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::decision::{DroppedScope, RefusedScope};
use crate::trace::TraceId;

/// An OAuth error code: the `error` member of an error response.
///
/// # Examples
///
/// ```
/// use ambit_protocol::error::ErrorCode;
///
/// assert_eq!(ErrorCode::InvalidScope.as_str(), "invalid_scope");
/// assert_eq!(ErrorCode::InvalidClient.status(), 401);
/// assert_eq!("invalid_target".parse(), Ok(ErrorCode::InvalidTarget));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request is malformed: a parameter is missing, repeated, badly encoded or in conflict (RFC 6749 §5.2).
    InvalidRequest,
    /// Client authentication failed, or its method is not supported (RFC 6749 §5.2).
    InvalidClient,
    /// The grant or refresh token is not valid for this client (RFC 6749 §5.2).
    InvalidGrant,
    /// This client may not use this grant type (RFC 6749 §5.2).
    UnauthorizedClient,
    /// The server does not know this grant type (RFC 6749 §5.2).
    UnsupportedGrantType,
    /// A requested scope is malformed, unknown or more than the client may have (RFC 6749 §5.2).
    InvalidScope,
    /// A requested `resource` is malformed, unknown or not for this client (RFC 8707 §2).
    InvalidTarget,
    /// Revocation of this kind of token is not supported (RFC 7009 §2.2.1).
    UnsupportedTokenType,
    /// The person or the server refuses the request as such, e.g. for a tenant it does not serve (RFC 6749 §4.1.2.1).
    AccessDenied,
    /// The server has no such response type (RFC 6749 §4.1.2.1).
    UnsupportedResponseType,
    /// Nobody is signed in, and nobody may be asked (OpenID Connect Core §3.1.2.6).
    LoginRequired,
    /// Consent is missing, and nobody may be asked (OpenID Connect Core §3.1.2.6).
    ConsentRequired,
    /// The person has to do something else, and nobody may be asked (OpenID Connect Core §3.1.2.6).
    InteractionRequired,
    /// The person cannot prove who they are in the way that was asked for (OpenID Connect Core Error Code
    /// `unmet_authentication_requirements` 1.0).
    UnmetAuthenticationRequirements,
    /// Request objects are not taken by value (OpenID Connect Core §3.1.2.6).
    RequestNotSupported,
    /// Request objects are not taken by reference (OpenID Connect Core §3.1.2.6).
    RequestUriNotSupported,
    /// Overload or maintenance: the same request may pass later (RFC 6749 §4.1.2.1).
    TemporarilyUnavailable,
    /// A fault of ours (RFC 6749 §4.1.2.1).
    ServerError,
}

impl ErrorCode {
    /// Every code there is.
    pub const ALL: [Self; 18] = [
        Self::InvalidRequest,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::UnauthorizedClient,
        Self::UnsupportedGrantType,
        Self::InvalidScope,
        Self::InvalidTarget,
        Self::UnsupportedTokenType,
        Self::AccessDenied,
        Self::UnsupportedResponseType,
        Self::LoginRequired,
        Self::ConsentRequired,
        Self::InteractionRequired,
        Self::UnmetAuthenticationRequirements,
        Self::RequestNotSupported,
        Self::RequestUriNotSupported,
        Self::TemporarilyUnavailable,
        Self::ServerError,
    ];

    /// The code as it is written on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    /// The HTTP status this code has where nothing more precise is known.
    ///
    /// RFC 6749 §5.2: 400, except that a client "attempting" the `Authorization` header is answered 401; we answer
    /// `invalid_client` with 401 always, which §5.2 permits.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidClient => 401,
            Self::AccessDenied => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::UnsupportedTokenType
            | Self::UnsupportedResponseType
            | Self::LoginRequired
            | Self::ConsentRequired
            | Self::InteractionRequired
            | Self::UnmetAuthenticationRequirements
            | Self::RequestNotSupported
            | Self::RequestUriNotSupported => 400,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for ErrorCode {
    type Err = UnknownErrorCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|code| code.as_str() == text).ok_or(UnknownErrorCode)
    }
}

/// A text that is none of the [`ErrorCode`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an error code of this server")]
pub struct UnknownErrorCode;

/// The JSON body of an error response of an OAuth endpoint: RFC 6749 §5.2, with what Ambit adds.
///
/// # Examples
///
/// ```
/// use ambit_protocol::error::{ErrorBody, ErrorCode};
/// use ambit_protocol::trace::TraceId;
///
/// let trace_id: TraceId = "0af7651916cd43dd8448eb211c80319c".parse()?;
/// let body = ErrorBody::new(
///     ErrorCode::InvalidRequest,
///     "parameter 'grant_type' is missing",
///     "https://host/errors/api/oauth2-invalid-request",
///     trace_id,
/// );
/// let json = serde_json::to_value(&body)?;
/// assert_eq!(json["error"], "invalid_request");
/// assert_eq!(json["trace_id"], "0af7651916cd43dd8448eb211c80319c");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// The code programs act on.
    pub error: ErrorCode,
    /// The sentence people read. Whatever is put here is written through [`describe`].
    #[serde(serialize_with = "serialize_described", default)]
    pub error_description: String,
    /// The page that says cause and fix.
    #[serde(default)]
    pub error_uri: String,
    /// The scopes at fault, space-separated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Every scope that fails the request, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedScope>,
    /// Every scope that was left out, where nothing was left to grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped_scopes: Vec<DroppedScope>,
    /// The issuer to ask instead, where a client knocked at the wrong door with the right credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The W3C trace id of the request; the same is in the logs.
    pub trace_id: TraceId,
}

impl ErrorBody {
    /// A body with the members every error has.
    #[must_use]
    pub fn new(error: ErrorCode, description: &str, error_uri: impl Into<String>, trace_id: TraceId) -> Self {
        Self {
            error,
            error_description: describe(description),
            error_uri: error_uri.into(),
            scope: None,
            refused: Vec::new(),
            dropped_scopes: Vec::new(),
            issuer: None,
            trace_id,
        }
    }
}

/// Brings `text` inside the characters an `error_description` may have, at most [`MAX_DESCRIPTION`] of them.
///
/// RFC 6749 §5.2: "Values for the `error_description` parameter MUST NOT include characters outside the set
/// %x20-21 / %x23-5B / %x5D-7E": printable ASCII without `"` and `\`. A double quote becomes a single one; every
/// other character outside the set is written as its code point, `<U+00E9>`, because that also shows the characters
/// that cannot be seen (a no-break space, a byte order mark, a line feed). What is too long ends in `...`.
///
/// Describing a described text changes nothing.
///
/// # Examples
///
/// ```
/// use ambit_protocol::error::describe;
///
/// assert_eq!(describe("scope 'admin' not registered"), "scope 'admin' not registered");
/// assert_eq!(describe("scope 'caf\u{e9}\n' \"x\""), "scope 'caf<U+00E9><U+000A>' 'x'");
/// ```
#[must_use]
pub fn describe(text: &str) -> String {
    describe_within(text, MAX_DESCRIPTION)
}

/// As [`describe`], with a length of the caller's choice: for a name or value quoted inside a longer text.
///
/// `max` is in characters and at least 3, the length of the mark that something was left out.
#[must_use]
pub fn describe_within(text: &str, max: usize) -> String {
    let mut described = String::with_capacity(text.len().min(max));
    let mut fits_with_mark = 0;
    for c in text.chars() {
        match c {
            '"' => described.push('\''),
            ' '..='[' | ']'..='~' => described.push(c),
            // Writing to a String cannot fail.
            _ => drop(write!(described, "<U+{:04X}>", u32::from(c))),
        }
        if described.len() > max {
            described.truncate(fits_with_mark);
            described.push_str(CUT_MARK);
            break;
        }
        if described.len() + CUT_MARK.len() <= max {
            fits_with_mark = described.len();
        }
    }
    described
}

fn serialize_described<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&describe(text))
}

/// The longest `error_description` there is, in characters (which are octets: it is ASCII).
pub const MAX_DESCRIPTION: usize = 1024;

const CUT_MARK: &str = "...";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decision::Reason;

    fn allowed(c: char) -> bool {
        matches!(u32::from(c), 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E)
    }

    fn trace_id() -> TraceId {
        "0af7651916cd43dd8448eb211c80319c".parse().expect("a trace id")
    }

    #[test]
    fn every_character_of_the_set_passes_and_its_neighbours_do_not() {
        let set: String = (0u8..=0x7f).map(char::from).filter(|&c| allowed(c)).collect();
        assert_eq!(describe(&set), set);
        assert_eq!(describe("\u{1f}"), "<U+001F>");
        assert_eq!(describe("\u{7f}"), "<U+007F>");
        assert_eq!(describe("\\"), "<U+005C>");
        assert_eq!(describe("\""), "'");
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(describe("a\u{a0}b\u{feff}\r\n"), "a<U+00A0>b<U+FEFF><U+000D><U+000A>");
        assert_eq!(describe("\u{1f600}"), "<U+1F600>");
    }

    #[test]
    fn a_text_of_exactly_the_limit_is_whole_and_one_more_is_cut() {
        let whole = "a".repeat(MAX_DESCRIPTION);
        assert_eq!(describe(&whole), whole);
        let cut = describe(&"a".repeat(MAX_DESCRIPTION + 1));
        assert_eq!(cut.len(), MAX_DESCRIPTION);
        assert!(cut.ends_with("aaa..."));
    }

    #[test]
    fn a_code_point_is_never_cut_in_two() {
        let described = describe_within(&"\u{e9}".repeat(10), 20);
        assert_eq!(described, "<U+00E9><U+00E9>...");
    }

    #[test]
    fn every_code_reads_back_and_has_an_error_status() {
        for code in ErrorCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(code));
            assert_eq!(serde_json::to_value(code).expect("json"), code.as_str());
            assert!((400..600).contains(&code.status()));
        }
        assert_eq!("Invalid_Request".parse::<ErrorCode>(), Err(UnknownErrorCode));
    }

    #[test]
    fn a_body_keeps_the_character_set_even_when_the_field_was_set_by_hand() {
        let mut body = ErrorBody::new(ErrorCode::InvalidScope, "scope '\u{430}dmin'", "https://h/errors/x", trace_id());
        assert_eq!(body.error_description, "scope '<U+0430>dmin'");
        body.error_description = "line\nbreak".to_owned();
        let json = serde_json::to_value(&body).expect("json");
        assert_eq!(json["error_description"], "line<U+000A>break");
    }

    #[test]
    fn a_refused_scope_is_told_as_the_specification_shows() {
        let mut body = ErrorBody::new(
            ErrorCode::InvalidScope,
            "scope 'admin' not registered; did you mean 'admin:read'?",
            "https://host/errors/api/oauth2-invalid-scope-requested",
            trace_id(),
        );
        body.scope = Some("admin".to_owned());
        body.refused = vec![RefusedScope {
            scope: "admin".to_owned(),
            reason: Reason::Unknown,
            did_you_mean: vec!["admin:read".parse().expect("a scope"), "admin.read".parse().expect("a scope")],
            hint: None,
        }];
        let json = serde_json::to_value(&body).expect("json");
        assert_eq!(
            json,
            serde_json::json!({
                "error": "invalid_scope",
                "error_description": "scope 'admin' not registered; did you mean 'admin:read'?",
                "error_uri": "https://host/errors/api/oauth2-invalid-scope-requested",
                "scope": "admin",
                "refused": [{"scope": "admin", "reason": "unknown", "did_you_mean": ["admin:read", "admin.read"]}],
                "trace_id": "0af7651916cd43dd8448eb211c80319c",
            })
        );
        assert_eq!(serde_json::from_value::<ErrorBody>(json).expect("reads back"), body);
    }

    #[test]
    fn a_body_says_nothing_of_what_it_does_not_have() {
        let body = ErrorBody::new(ErrorCode::InvalidClient, "x", "https://h/errors/x", trace_id());
        let json = serde_json::to_value(&body).expect("json");
        let members: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(members, ["error", "error_description", "error_uri", "trace_id"]);
        assert_eq!(serde_json::from_value::<ErrorBody>(json).expect("reads back"), body);
    }

    proptest! {
        #[test]
        fn describing_stays_in_the_set_is_bounded_and_settles(text in "\\PC*|[\\x00-\\x{ff}]*", max in 3usize..200) {
            let once = describe_within(&text, max);
            prop_assert!(once.chars().all(allowed));
            prop_assert!(once.len() <= max);
            prop_assert_eq!(describe_within(&once, max), once);
        }
    }
}
