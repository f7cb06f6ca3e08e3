//! `WWW-Authenticate`: what an API answers to a call it does not let in (RFC 6750 §3), written by a resource server as
//! a [`Challenge`] and read by a client as [`ReceivedChallenge`]s.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::error::describe_within;

/// A Bearer challenge (RFC 6750 §3, RFC 9728 §5.1). `Display` writes the header's value.
///
/// Whatever is put in stays inside the character sets of RFC 6750 §3: what is not allowed in a description or a scope
/// is shown as `<U+XXXX>`, what is not allowed in a URI is percent-encoded. Nothing can end a header line or a quoted
/// string.
///
/// ```
/// use ambit_protocol::challenge::{BearerError, Challenge};
///
/// let challenge = Challenge::new()
///     .with_error(BearerError::InsufficientScope)
///     .with_scope("pos:baskets:create")
///     .with_resource_metadata("https://pos.example/.well-known/oauth-protected-resource");
/// assert_eq!(
///     challenge.to_string(),
///     r#"Bearer error="insufficient_scope", scope="pos:baskets:create", resource_metadata="https://pos.example/.well-known/oauth-protected-resource""#,
/// );
/// // RFC 6750 §3.1: a request without any token is told no error.
/// assert_eq!(Challenge::new().with_realm("pos").to_string(), r#"Bearer realm="pos""#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Challenge<'a> {
    realm: Option<Cow<'a, str>>,
    error: Option<BearerError>,
    error_description: Option<Cow<'a, str>>,
    error_uri: Option<Cow<'a, str>>,
    scope: Option<Cow<'a, str>>,
    acr_values: Option<Cow<'a, str>>,
    max_age: Option<u64>,
    resource_metadata: Option<Cow<'a, str>>,
}

/// What was wrong with a call that had a token (RFC 6750 §3.1, RFC 9470 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BearerError {
    /// The request is malformed: two tokens, two ways to present one.
    InvalidRequest,
    /// The token is expired, revoked, malformed or not for this API. Another one may do.
    InvalidToken,
    /// The token is good and does not hold what is needed.
    InsufficientScope,
    /// The token is good, and the person behind it has signed in too weakly or too long ago (RFC 9470 §3).
    InsufficientUserAuthentication,
}

/// One challenge out of a `WWW-Authenticate` header, of whatever scheme (RFC 9110 §11.6.1).
///
/// ```
/// use ambit_protocol::challenge::ReceivedChallenge;
///
/// let header = r#"Negotiate, Bearer error="insufficient_scope", scope="pos.read pos.write""#;
/// let challenges = ReceivedChallenge::parse_all(header)?;
/// let bearer = challenges.iter().find(|challenge| challenge.is_bearer()).expect("there is one");
/// assert_eq!(bearer.param("error"), Some("insufficient_scope"));
/// assert_eq!(bearer.param("Scope"), Some("pos.read pos.write"));
/// # Ok::<(), ambit_protocol::challenge::ChallengeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedChallenge {
    scheme: String,
    token68: Option<String>,
    params: Vec<(String, String)>,
}

/// Why a `WWW-Authenticate` header cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// Longer than [`MAX_HEADER_LEN`].
    #[error("the WWW-Authenticate header is longer than {MAX_HEADER_LEN} octets")]
    TooLong,
    /// More than 16 challenges, or more than 32 parameters in one.
    #[error("the WWW-Authenticate header has too many parts")]
    TooMany,
    /// Not the grammar of RFC 9110 §11.6.1.
    #[error("the WWW-Authenticate header breaks the grammar of RFC 9110 at octet {at}")]
    Malformed {
        /// Where, counted from 0.
        at: usize,
    },
    /// RFC 9110 §11.2: a parameter's name must occur once per challenge.
    #[error("the WWW-Authenticate header repeats a parameter at octet {at}")]
    Repeated {
        /// Where the second one ends, counted from 0.
        at: usize,
    },
}

impl<'a> Challenge<'a> {
    /// `Bearer` and nothing more: a token is needed.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            realm: None,
            error: None,
            error_description: None,
            error_uri: None,
            scope: None,
            acr_values: None,
            max_age: None,
            resource_metadata: None,
        }
    }

    /// Names the protected space (RFC 9110 §11.5).
    #[must_use]
    pub fn with_realm(self, realm: impl Into<Cow<'a, str>>) -> Self {
        Self { realm: Some(realm.into()), ..self }
    }

    /// Says what was wrong with the token.
    #[must_use]
    pub fn with_error(self, error: BearerError) -> Self {
        Self { error: Some(error), ..self }
    }

    /// Explains, for developers.
    #[must_use]
    pub fn with_error_description(self, description: impl Into<Cow<'a, str>>) -> Self {
        Self { error_description: Some(description.into()), ..self }
    }

    /// Names the page that explains.
    #[must_use]
    pub fn with_error_uri(self, uri: impl Into<Cow<'a, str>>) -> Self {
        Self { error_uri: Some(uri.into()), ..self }
    }

    /// Says which scopes are needed, separated by one space.
    #[must_use]
    pub fn with_scope(self, scope: impl Into<Cow<'a, str>>) -> Self {
        Self { scope: Some(scope.into()), ..self }
    }

    /// Says how the person must have signed in, as `acr_values` (separated by one space), and how many seconds ago at most
    /// (RFC 9470 §3).
    #[must_use]
    pub fn with_authentication(self, acr_values: Option<impl Into<Cow<'a, str>>>, max_age: Option<u64>) -> Self {
        Self { acr_values: acr_values.map(Into::into), max_age, ..self }
    }

    /// Says where the API's metadata is (RFC 9728 §5.1).
    #[must_use]
    pub fn with_resource_metadata(self, url: impl Into<Cow<'a, str>>) -> Self {
        Self { resource_metadata: Some(url.into()), ..self }
    }
}

impl fmt::Display for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer")?;
        let text = |value: &Cow<'_, str>| describe_within(value, MAX_TEXT);
        // A list of scopes that was cut would be another list.
        let scope = |value: &Cow<'_, str>| describe_within(value, usize::MAX);
        let uri = |value: &Cow<'_, str>| encode_uri(value);
        let params = [
            ("realm", self.realm.as_ref().map(text)),
            // First what a program acts on, then what a person reads.
            ("error", self.error.map(|error| error.as_str().to_owned())),
            ("scope", self.scope.as_ref().map(scope)),
            ("acr_values", self.acr_values.as_ref().map(scope)),
            ("max_age", self.max_age.map(|secs| secs.to_string())),
            ("error_description", self.error_description.as_ref().map(text)),
            ("error_uri", self.error_uri.as_ref().map(uri)),
            ("resource_metadata", self.resource_metadata.as_ref().map(uri)),
        ];
        let mut separator = ' ';
        for (name, value) in params {
            let Some(value) = value else { continue };
            f.write_char(separator)?;
            if separator == ',' {
                f.write_char(' ')?;
            }
            write!(f, "{name}=\"{value}\"")?;
            separator = ',';
        }
        Ok(())
    }
}

impl BearerError {
    /// The code as it is written on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InsufficientUserAuthentication => "insufficient_user_authentication",
        }
    }

    /// The HTTP status RFC 6750 §3.1, or RFC 9470 §3, gives it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::InvalidToken | Self::InsufficientUserAuthentication => 401,
            Self::InsufficientScope => 403,
        }
    }
}

impl fmt::Display for BearerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ReceivedChallenge {
    /// Reads one header value, which may hold several challenges. Time and memory grow with its length, which is
    /// limited.
    ///
    /// # Errors
    /// See [`ChallengeError`].
    pub fn parse_all(header: &str) -> Result<Vec<Self>, ChallengeError> {
        if header.len() > MAX_HEADER_LEN {
            return Err(ChallengeError::TooLong);
        }
        let mut cursor = Cursor { text: header, at: 0 };
        let mut challenges: Vec<Self> = Vec::new();
        // A comma separates parameters and challenges alike: a name with `=` after it belongs to the last challenge,
        // any other name begins one.
        let mut separated = true;
        loop {
            cursor.skip_spaces();
            if cursor.skip(',') {
                separated = true;
                continue;
            }
            if cursor.is_at_end() {
                return Ok(challenges);
            }
            if !separated {
                return Err(cursor.malformed());
            }
            separated = false;
            let name = cursor.token()?;
            match challenges.last_mut() {
                // What was announced by `token68` has no parameters.
                Some(challenge) if challenge.token68.is_none() && cursor.skip_equals() => {
                    challenge.push(name, cursor.value()?, cursor.at)?;
                }
                _ => {
                    if challenges.len() == MAX_CHALLENGES {
                        return Err(ChallengeError::TooMany);
                    }
                    let mut challenge = Self { scheme: name.to_owned(), token68: None, params: Vec::new() };
                    cursor.after_scheme(&mut challenge)?;
                    challenges.push(challenge);
                }
            }
        }
    }

    /// The scheme as it was sent; schemes compare without regard to case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether the scheme is Bearer.
    #[must_use]
    pub fn is_bearer(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Bearer")
    }

    /// What stands in the place of parameters with schemes like Negotiate.
    #[must_use]
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// A parameter's value, quotes taken off; names compare without regard to case.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn push(&mut self, name: &str, value: String, at: usize) -> Result<(), ChallengeError> {
        if self.param(name).is_some() {
            return Err(ChallengeError::Repeated { at });
        }
        if self.params.len() == MAX_PARAMS {
            return Err(ChallengeError::TooMany);
        }
        self.params.push((name.to_owned(), value));
        Ok(())
    }
}

/// A place in a header. `at` is always on a character's boundary: only whole characters are stepped over.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    const fn malformed(&self) -> ChallengeError {
        ChallengeError::Malformed { at: self.at }
    }

    fn skip_spaces(&mut self) -> bool {
        !self.take_while(|c| matches!(c, ' ' | '\t')).is_empty()
    }

    fn skip(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    /// `BWS "=" BWS`, or nothing is skipped.
    fn skip_equals(&mut self) -> bool {
        let before = self.at;
        self.skip_spaces();
        if self.skip('=') {
            self.skip_spaces();
            return true;
        }
        self.at = before;
        false
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(|c| !accept(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    fn token(&mut self) -> Result<&'a str, ChallengeError> {
        let token = self.take_while(is_token_char);
        if token.is_empty() { Err(self.malformed()) } else { Ok(token) }
    }

    /// `token / quoted-string`
    fn value(&mut self) -> Result<String, ChallengeError> {
        if !self.skip('"') {
            return self.token().map(str::to_owned);
        }
        let mut value = String::new();
        let mut escaped = false;
        for (offset, c) in self.rest().char_indices() {
            match c {
                // RFC 9110 §5.6.4: HTAB, and everything visible, and obs-text.
                _ if c.is_control() && c != '\t' => {
                    self.at += offset;
                    return Err(self.malformed());
                }
                _ if escaped => {
                    value.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    self.at += offset + 1;
                    return Ok(value);
                }
                _ => value.push(c),
            }
        }
        self.at = self.text.len();
        Err(self.malformed())
    }

    /// `[ 1*SP ( token68 / #auth-param ) ]`: the token68, or the first parameter.
    fn after_scheme(&mut self, challenge: &mut ReceivedChallenge) -> Result<(), ChallengeError> {
        if !self.skip_spaces() || self.is_at_end() || self.rest().starts_with(',') {
            return if self.is_at_end() || self.rest().starts_with(',') { Ok(()) } else { Err(self.malformed()) };
        }
        let before = self.at;
        let body = self.take_while(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c)).len();
        let token68 = &self.text[before..self.at + self.take_while(|c| c == '=').len()];
        self.at = before + token68.len();
        self.skip_spaces();
        if body > 0 && (self.is_at_end() || self.rest().starts_with(',')) {
            challenge.token68 = Some(token68.to_owned());
            return Ok(());
        }
        self.at = before;
        let name = self.token()?;
        if !self.skip_equals() {
            return Err(self.malformed());
        }
        let value = self.value()?;
        challenge.push(name, value, self.at)
    }
}

/// RFC 9110 §5.6.2, `tchar`.
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

/// RFC 6750 §3 leaves a URI `%x21 / %x23-5B / %x5D-7E`; the rest is percent-encoded.
fn encode_uri(uri: &str) -> String {
    let mut encoded = String::with_capacity(uri.len());
    for octet in uri.bytes() {
        match octet {
            0x21 | 0x23..=0x5b | 0x5d..=0x7e => encoded.push(char::from(octet)),
            // Writing to a String cannot fail.
            _ => drop(write!(encoded, "%{octet:02X}")),
        }
    }
    encoded
}

/// The longest header read, in octets.
pub const MAX_HEADER_LEN: usize = 8 * 1024;
const MAX_CHALLENGES: usize = 16;
const MAX_PARAMS: usize = 32;
/// Characters of a realm or a description.
const MAX_TEXT: usize = 512;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(header: &str) -> ReceivedChallenge {
        let mut challenges = ReceivedChallenge::parse_all(header).expect("well formed");
        assert_eq!(challenges.len(), 1, "{header}");
        challenges.remove(0)
    }

    fn refused(header: &str) -> ChallengeError {
        ReceivedChallenge::parse_all(header).expect_err(header)
    }

    #[test]
    fn nothing_put_in_gets_out_of_its_quotes() {
        let evil = "x\", error=\"y\\\r\nSet-Cookie: a=b\u{e9}\u{0}";
        let challenge = Challenge::new()
            .with_realm(evil)
            .with_error(BearerError::InvalidToken)
            .with_error_description(evil)
            .with_error_uri(evil)
            .with_scope(evil)
            .with_resource_metadata(evil);
        let header = challenge.to_string();
        assert!(header.bytes().all(|octet| (0x20..0x7f).contains(&octet)), "{header}");
        let read = one(&header);
        assert_eq!(read.params.len(), 6);
        assert_eq!(read.param("error"), Some("invalid_token"));
        assert_eq!(read.param("error_uri"), Some("x%22,%20error=%22y%5C%0D%0ASet-Cookie:%20a=b%C3%A9%00"));
        assert_eq!(read.param("scope"), Some("x', error='y<U+005C><U+000D><U+000A>Set-Cookie: a=b<U+00E9><U+0000>"));
    }

    #[test]
    fn what_is_allowed_passes_unchanged_and_a_list_of_scopes_is_never_cut() {
        let legal: String = (0x20_u8..0x7f).filter(|octet| !b"\"\\".contains(octet)).map(char::from).collect();
        let read = one(&Challenge::new().with_error_description(&*legal).to_string());
        assert_eq!(read.param("error_description"), Some(&*legal));
        let scopes = vec!["pos:baskets:create"; 300].join(" ");
        assert_eq!(one(&Challenge::new().with_scope(&*scopes).to_string()).param("scope"), Some(&*scopes));
    }

    #[test]
    fn each_error_has_its_status() {
        let statuses = [BearerError::InvalidRequest, BearerError::InvalidToken, BearerError::InsufficientScope]
            .map(|error| (error.to_string(), error.status()));
        let expected = [("invalid_request", 400), ("invalid_token", 401), ("insufficient_scope", 403)];
        assert_eq!(statuses, expected.map(|(name, status)| (name.to_owned(), status)));
    }

    #[test]
    fn several_challenges_in_one_header_are_told_apart() {
        // RFC 9110 §11.6.1's own example.
        let header = r#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#;
        let challenges = ReceivedChallenge::parse_all(header).expect("well formed");
        assert_eq!(challenges.len(), 2);
        assert_eq!(challenges[0].param("realm"), Some("simple"));
        assert_eq!(challenges[1].scheme(), "Newauth");
        assert_eq!(challenges[1].param("type"), Some("1"));
        assert_eq!(challenges[1].param("title"), Some("Login to \"apps\""));

        let schemes = |header| -> Vec<String> {
            ReceivedChallenge::parse_all(header).expect("well formed").into_iter().map(|c| c.scheme).collect()
        };
        assert_eq!(schemes("Negotiate, , Bearer ,Basic realm=x"), ["Negotiate", "Bearer", "Basic"]);
        assert_eq!(schemes(""), Vec::<String>::new());
        assert_eq!(schemes(" , ,\t"), Vec::<String>::new());
    }

    #[test]
    fn a_token68_is_not_taken_for_a_parameter_nor_the_other_way_round() {
        assert_eq!(one("Negotiate YWJj+/==").token68(), Some("YWJj+/=="));
        assert_eq!(one("Negotiate abc").token68(), Some("abc"));
        assert_eq!(one("Negotiate realm=,").token68(), Some("realm="), "the grammar allows no other reading");
        assert_eq!(one("Bearer realm=abc").param("realm"), Some("abc"));
        assert_eq!(one("Bearer realm = \"a\" , error\t=\tb").param("error"), Some("b"));
        assert_eq!(one("bearer ERROR=x").param("error"), Some("x"));
        assert!(one("bearer").is_bearer());
    }

    #[test]
    fn what_breaks_the_grammar_is_refused_with_its_place() {
        for header in [
            "=",
            "\"",
            "Bearer realm=\"a",
            "Bearer realm=\"a\\",
            "Bearer realm=\"a\" error=\"b\"",
            "Bearer realm=a b",
            "Bearer\u{0}",
            "Bearer realm=\"\r\n\"",
            "B\u{e4}rer",
            "Bearer re alm=a",
            "Negotiate abc, x=",
            "Bearer \u{1f600}=1",
            "Bearer realm=\u{1f600}",
        ] {
            assert!(matches!(refused(header), ChallengeError::Malformed { at } if at <= header.len()), "{header}");
        }
        assert!(matches!(refused("Bearer a=1, A=2"), ChallengeError::Repeated { .. }));
    }

    #[test]
    fn the_parts_are_limited_exactly() {
        let challenges = |count: usize| vec!["Basic"; count].join(",");
        assert!(ReceivedChallenge::parse_all(&challenges(MAX_CHALLENGES)).is_ok());
        assert_eq!(refused(&challenges(MAX_CHALLENGES + 1)), ChallengeError::TooMany);
        let params = |count: usize| {
            let params: Vec<String> = (0..count).map(|i| format!("p{i}=1")).collect();
            format!("Bearer {}", params.join(","))
        };
        assert!(ReceivedChallenge::parse_all(&params(MAX_PARAMS)).is_ok());
        assert_eq!(refused(&params(MAX_PARAMS + 1)), ChallengeError::TooMany);
        let long = |len: usize| format!("Bearer a=\"{}\"", "x".repeat(len - 11));
        assert!(ReceivedChallenge::parse_all(&long(MAX_HEADER_LEN)).is_ok());
        assert_eq!(refused(&long(MAX_HEADER_LEN + 1)), ChallengeError::TooLong);
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parser(header in "\\PC{0,200}") {
            drop(ReceivedChallenge::parse_all(&header));
        }

        #[test]
        fn nothing_that_looks_like_a_challenge_panics_the_parser(header in r#"[Ba=," \\\t~/é"]{0,40}"#) {
            drop(ReceivedChallenge::parse_all(&header));
        }

        #[test]
        fn whatever_is_written_reads_back(realm in "\\PC{0,50}", description in "\\PC{0,50}", uri in "\\PC{0,50}") {
            let header = Challenge::new().with_realm(realm).with_error_description(description).with_error_uri(uri);
            let read = one(&header.to_string());
            prop_assert!(read.is_bearer());
            prop_assert_eq!(read.params.len(), 3);
        }
    }
}
