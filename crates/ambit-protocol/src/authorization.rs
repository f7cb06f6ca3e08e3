//! The `Authorization` header, as far as we read it: `Basic` client credentials and `Bearer` tokens.
//!
//! **One reading of a secret.** RFC 6749 §2.3.1 has client id and secret form-urlencoded before they go into Basic, and
//! many clients forget to. We decode always and never try the raw reading as well, so no two spellings of a secret match
//! by accident. For the secrets we generate (letters, digits, `-` `_` `.`) decoding changes nothing, and both kinds of
//! client are served; a secret handed in by an operator that contains `%` or `+` has to be encoded by the client
//! ([`needs_form_encoding`] tells).

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::error::ErrorCode;
use crate::params::{FormFault, form_decode};

/// What an `Authorization` header carries. Shown by `Debug` without the secret parts.
#[derive(Debug)]
pub enum Authorization<'a> {
    /// `Basic`: client id and secret (RFC 6749 §2.3.1, RFC 7617).
    Basic(BasicCredentials),
    /// `Bearer`: a token (RFC 6750 §2.1).
    Bearer(BearerToken<'a>),
}

/// Client id and secret from a `Basic` header, both decoded.
#[derive(Debug)]
pub struct BasicCredentials {
    /// The client id, never empty.
    pub client_id: String,
    /// The secret, which may be empty: RFC 6749 §2.3.1 allows that, and no client of ours has such a one.
    pub secret: SecretString,
}

/// A token from a `Bearer` header: RFC 6750's `b64token`, not looked into.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BearerToken<'a>(&'a str);

impl<'a> BearerToken<'a> {
    /// The token itself, for whoever verifies it.
    #[must_use]
    pub const fn expose_token(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for BearerToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken([REDACTED])")
    }
}

impl<'a> Authorization<'a> {
    /// Reads the header, given all its values; none when the request has no such header.
    ///
    /// # Errors
    ///
    /// See [`AuthorizationError`].
    ///
    /// # Examples
    ///
    /// ```
    /// use ambit_protocol::authorization::Authorization;
    ///
    /// let values: [&[u8]; 1] = [b"basic dGlsbC03OnMzY3JldA=="];
    /// let Some(Authorization::Basic(basic)) = Authorization::parse(values)? else { unreachable!() };
    /// assert_eq!(basic.client_id, "till-7");
    /// assert!(!format!("{basic:?}").contains("s3cret"));
    /// # Ok::<(), ambit_protocol::authorization::AuthorizationError>(())
    /// ```
    pub fn parse(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Self>, AuthorizationError> {
        let mut values = values.into_iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(AuthorizationError::Repeated);
        }
        Self::parse_one(value).map(Some)
    }

    fn parse_one(value: &'a [u8]) -> Result<Self, AuthorizationError> {
        if value.len() > MAX_AUTHORIZATION_LEN {
            return Err(AuthorizationError::TooLong);
        }
        if !value.is_ascii() {
            return Err(AuthorizationError::NotAscii);
        }
        // ASCII is UTF-8.
        let value = str::from_utf8(value).expect("ASCII");
        let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
        // RFC 9110 §11.4: credentials = auth-scheme [ 1*SP token68 ]
        let credentials = credentials.trim_start_matches(' ');
        // RFC 9110 §11.1: the scheme is "a case-insensitive token".
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        if !is("Basic") && !is("Bearer") {
            return Err(AuthorizationError::UnsupportedScheme);
        }
        if credentials.is_empty() {
            return Err(AuthorizationError::NoCredentials);
        }
        if is("Basic") {
            BasicCredentials::parse(credentials).map(Self::Basic)
        } else {
            BearerToken::parse(credentials).map(Self::Bearer)
        }
    }
}

impl BasicCredentials {
    fn parse(credentials: &str) -> Result<Self, AuthorizationError> {
        let decoded = STANDARD.decode(credentials).map(Zeroizing::new).map_err(|_| AuthorizationError::BadBase64)?;
        if !decoded.is_ascii() {
            return Err(AuthorizationError::NotFormEncoded { fault: EncodingFault::NotAscii });
        }
        // RFC 6749 App. A.1 and A.2 have only VSCHAR; form-urlencoded text has none of these either.
        if decoded.iter().fold(false, |any, byte| any | byte.is_ascii_control()) {
            return Err(AuthorizationError::ControlCharacter);
        }
        // ASCII is UTF-8.
        let decoded = str::from_utf8(&decoded).expect("ASCII");
        // RFC 7617 §2: "the user-id ... cannot contain a colon": the first one is the separator.
        let colon = memchr(b':', decoded.as_bytes()).ok_or(AuthorizationError::NoColon)?;
        let (client_id, secret) = (&decoded[..colon], &decoded[colon + 1..]);
        let client_id = half(client_id)?.into_owned();
        if client_id.is_empty() {
            return Err(AuthorizationError::NoClientId);
        }
        Ok(Self { client_id, secret: SecretString::from(half(secret)?.into_owned()) })
    }
}

impl<'a> BearerToken<'a> {
    /// Takes a `b64token`: RFC 6750 §2.1, `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
    ///
    /// # Errors
    ///
    /// [`AuthorizationError::BadToken`] for anything else.
    pub fn parse(token: &'a str) -> Result<Self, AuthorizationError> {
        let body = token.trim_end_matches('=');
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
        // Each octet is looked at, so that many are at once: a token has hundreds.
        if body.is_empty() || !body.bytes().fold(true, |all, byte| all & legal(byte)) {
            return Err(AuthorizationError::BadToken);
        }
        Ok(Self(token))
    }
}

/// Whether a client id or secret must be form-urlencoded by the client before it goes into a `Basic` header, because it
/// would be read as something else otherwise.
///
/// # Examples
///
/// ```
/// use ambit_protocol::authorization::needs_form_encoding;
///
/// assert!(!needs_form_encoding("ambit_secret-0a.1B"));
/// assert!(needs_form_encoding("100%sure"));
/// ```
#[must_use]
pub fn needs_form_encoding(text: &str) -> bool {
    !text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'%' | b'+'))
}

fn half(raw: &str) -> Result<Cow<'_, str>, AuthorizationError> {
    form_decode(raw).map_err(|fault| AuthorizationError::NotFormEncoded {
        fault: match fault {
            FormFault::BadEscape => EncodingFault::BadEscape,
            FormFault::NotUtf8 => EncodingFault::NotUtf8,
            FormFault::Nul => EncodingFault::Nul,
        },
    })
}

/// What a header that was refused is to an API that takes bearer tokens (RFC 6750 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BearerFault {
    /// `invalid_request`: the header "is otherwise malformed".
    Malformed,
    /// `invalid_token`: "expired, revoked, malformed, or invalid for other reasons".
    Token,
    /// As good as no attempt, and no error to name: the client "attempted using an unsupported authentication method".
    NoAttempt,
}

/// Why an `Authorization` header was refused. No part of the header is ever in the text: even the scheme may be a
/// secret that was put in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationError {
    /// The header was sent more than once.
    #[error("the Authorization header is sent more than once")]
    Repeated,
    /// The header is longer than [`MAX_AUTHORIZATION_LEN`].
    #[error("the Authorization header is longer than {MAX_AUTHORIZATION_LEN} bytes")]
    TooLong,
    /// The header has octets beyond ASCII.
    #[error("the Authorization header contains characters that are not ASCII")]
    NotAscii,
    /// Neither `Basic` nor `Bearer`.
    #[error(
        "the scheme of the Authorization header is not supported; use 'Basic' or 'Bearer', a space and the credentials"
    )]
    UnsupportedScheme,
    /// A scheme and nothing behind it.
    #[error("the Authorization header has a scheme and no credentials")]
    NoCredentials,
    /// Not base64 as RFC 4648 §4 has it, padding included.
    #[error("the Basic credentials are not base64 (RFC 7617: the standard alphabet, with padding)")]
    BadBase64,
    /// No `:` between client id and secret.
    #[error("the Basic credentials have no ':' between client_id and client_secret (RFC 7617)")]
    NoColon,
    /// Nothing before the `:`.
    #[error("the Basic credentials have no client_id")]
    NoClientId,
    /// A control character inside the credentials, usually the line feed of a shell's `echo`.
    #[error("the Basic credentials contain a control character; was a line feed encoded with them?")]
    ControlCharacter,
    /// One of the halves is not form-urlencoded.
    #[error(
        "client_id and client_secret in Basic credentials must be form-urlencoded (RFC 6749 section 2.3.1): {fault}"
    )]
    NotFormEncoded {
        /// What is wrong with it.
        fault: EncodingFault,
    },
    /// The token has characters that a `b64token` cannot have.
    #[error("the Bearer token has characters that a token cannot have (RFC 6750 section 2.1)")]
    BadToken,
}

impl AuthorizationError {
    /// What it is to an API that takes bearer tokens.
    #[must_use]
    pub const fn as_bearer(self) -> BearerFault {
        match self {
            Self::Repeated | Self::NotAscii | Self::NoCredentials => BearerFault::Malformed,
            Self::BadToken | Self::TooLong => BearerFault::Token,
            Self::UnsupportedScheme
            | Self::BadBase64
            | Self::NoColon
            | Self::NoClientId
            | Self::ControlCharacter
            | Self::NotFormEncoded { .. } => BearerFault::NoAttempt,
        }
    }

    /// RFC 6749 §5.2: an "unsupported authentication method" is `invalid_client`; everything else is a malformed request.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::UnsupportedScheme => ErrorCode::InvalidClient,
            _ => ErrorCode::InvalidRequest,
        }
    }
}

/// What keeps a text from being form-urlencoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodingFault {
    /// A `%` without two hexadecimal digits.
    #[error("a '%' is not followed by two hexadecimal digits")]
    BadEscape,
    /// Decodes to octets that are not UTF-8.
    #[error("they do not decode to UTF-8")]
    NotUtf8,
    /// Decodes to a NUL.
    #[error("they contain a NUL character")]
    Nul,
    /// A character beyond ASCII that should have been encoded.
    #[error("a character beyond ASCII is not encoded")]
    NotAscii,
}

/// The longest `Authorization` header we read, in octets: 16 KiB.
pub const MAX_AUTHORIZATION_LEN: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn parse(value: &[u8]) -> Result<Authorization<'_>, AuthorizationError> {
        Authorization::parse([value]).map(|authorization| authorization.expect("one header"))
    }

    fn basic(user_pass: &[u8]) -> Result<(String, String), AuthorizationError> {
        let header = format!("Basic {}", STANDARD.encode(user_pass));
        match parse(header.as_bytes())? {
            Authorization::Basic(basic) => Ok((basic.client_id, basic.secret.expose_secret().to_owned())),
            Authorization::Bearer(_) => unreachable!("a Basic header"),
        }
    }

    fn assert_pair(user_pass: &[u8], id: &str, secret: &str) {
        assert_eq!(basic(user_pass), Ok((id.to_owned(), secret.to_owned())));
    }

    #[test]
    fn basic_credentials_are_split_at_the_first_colon() {
        assert_pair(b"till-7:s3cret", "till-7", "s3cret");
        assert_pair(b"till-7:a:b", "till-7", "a:b");
        assert_pair(b"till-7:", "till-7", "");
    }

    #[test]
    fn both_halves_are_form_decoded_once() {
        assert_pair(b"a%3Ab:c+d%2B%25", "a:b", "c d+%");
        assert_pair("x:%C3%A4%F0%9F%98%80".as_bytes(), "x", "\u{e4}\u{1f600}");
        assert_pair(b"x:%2541", "x", "%41");
    }

    #[test]
    fn a_raw_secret_has_one_reading() {
        // The one who forgot to encode `+` or `%` is refused or does not match; no second reading is tried.
        assert_pair(b"x:a+b", "x", "a b");
        assert_eq!(basic(b"x:100%sure"), Err(AuthorizationError::NotFormEncoded { fault: EncodingFault::BadEscape }));
        assert_eq!(
            basic("x:\u{e4}".as_bytes()),
            Err(AuthorizationError::NotFormEncoded { fault: EncodingFault::NotAscii })
        );
        assert_eq!(basic(b"x:%ff"), Err(AuthorizationError::NotFormEncoded { fault: EncodingFault::NotUtf8 }));
        assert_eq!(basic(b"x:%00"), Err(AuthorizationError::NotFormEncoded { fault: EncodingFault::Nul }));
        for text in ["a+b", "a%b", "a b", "\u{e4}", "a\n"] {
            assert!(needs_form_encoding(text), "{text}");
        }
        for text in ["a:b", "~!*'()", ""] {
            assert!(!needs_form_encoding(text), "{text}");
        }
    }

    #[test]
    fn broken_basic_credentials_are_told_apart() {
        assert_eq!(basic(b"no-colon"), Err(AuthorizationError::NoColon));
        assert_eq!(basic(b":secret"), Err(AuthorizationError::NoClientId));
        assert_eq!(basic(b"x:secret\n"), Err(AuthorizationError::ControlCharacter));
        assert_eq!(basic(b"x\0:secret"), Err(AuthorizationError::ControlCharacter));
        // Without padding, with the URL alphabet, with stray bits, with a space inside, with something behind.
        for bad in ["eDp5eg", "eDp5eg=", "eDr_-g==", "eDp5eh==", "eDp5 eg==", "eDp5eg== ", "eDp5eg==,", "%"] {
            let header = format!("Basic {bad}");
            assert_eq!(parse(header.as_bytes()).expect_err("refused"), AuthorizationError::BadBase64, "{bad}");
        }
    }

    #[test]
    fn the_scheme_has_any_case_and_any_number_of_spaces_behind_it() {
        for header in ["Basic eDp5", "basic eDp5", "BASIC   eDp5"] {
            assert!(matches!(parse(header.as_bytes()), Ok(Authorization::Basic(_))), "{header}");
        }
        for header in ["Bearer abc", "bearer abc", "bEaReR  abc"] {
            assert!(matches!(parse(header.as_bytes()), Ok(Authorization::Bearer(BearerToken("abc")))), "{header}");
        }
    }

    #[test]
    fn what_is_no_credentials_header_is_refused() {
        for header in ["", " ", "Digest x=1", "Basic\teDp5", "BasiceDp5", "Bearer,abc", " Basic eDp5", "my-secret"] {
            assert_eq!(
                parse(header.as_bytes()).expect_err("refused"),
                AuthorizationError::UnsupportedScheme,
                "{header}"
            );
        }
        for header in ["Basic", "Basic ", "Bearer", "bearer   "] {
            assert_eq!(parse(header.as_bytes()).expect_err("refused"), AuthorizationError::NoCredentials, "{header}");
        }
        assert_eq!(parse(b"Basic \xc3\xa4").expect_err("refused"), AuthorizationError::NotAscii);
        assert_eq!(parse(b"B\xffsic eDp5").expect_err("refused"), AuthorizationError::NotAscii);
        assert_eq!(AuthorizationError::UnsupportedScheme.code(), ErrorCode::InvalidClient);
        assert_eq!(AuthorizationError::NoColon.code(), ErrorCode::InvalidRequest);
    }

    #[test]
    fn two_headers_are_refused_and_none_is_none() {
        let one: &[u8] = b"Basic eDp5";
        assert_eq!(Authorization::parse([one, one]).expect_err("refused"), AuthorizationError::Repeated);
        assert!(Authorization::parse([]).expect("no header").is_none());
    }

    #[test]
    fn the_length_is_limited_exactly() {
        let of_len = |len: usize| format!("Bearer {}", "a".repeat(len - 7));
        assert!(parse(of_len(MAX_AUTHORIZATION_LEN - 1).as_bytes()).is_ok());
        assert!(parse(of_len(MAX_AUTHORIZATION_LEN).as_bytes()).is_ok());
        assert_eq!(
            parse(of_len(MAX_AUTHORIZATION_LEN + 1).as_bytes()).expect_err("refused"),
            AuthorizationError::TooLong
        );
        assert_eq!(parse(&vec![b'a'; 1 << 20]).expect_err("refused"), AuthorizationError::TooLong);
    }

    #[test]
    fn a_bearer_token_keeps_to_its_grammar() {
        for good in ["a", "aZ09-._~+/", "abc==", "eyJh.eyJp.c2ln"] {
            assert_eq!(BearerToken::parse(good).map(BearerToken::expose_token), Ok(good));
        }
        for bad in ["", "=", "==", "a=b", "a b", "a,b", "a\"", "a\u{e9}", "a\t"] {
            assert_eq!(BearerToken::parse(bad), Err(AuthorizationError::BadToken), "{bad}");
        }
    }

    #[test]
    fn nothing_of_a_credential_is_printed() {
        let header = format!("Basic {}", STANDARD.encode("me:tell-nobody"));
        let shown = format!("{:?}", parse(header.as_bytes()).expect("valid"));
        assert!(shown.contains("me") && !shown.contains("tell-nobody"), "{shown}");
        let shown = format!("{:?}", parse(b"Bearer tell-nobody").expect("valid"));
        assert!(!shown.contains("tell-nobody"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(value in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(&value);
            let _ = basic(&value);
        }

        #[test]
        fn encoded_credentials_are_read_back(id in "[^\\x00-\\x1f\\x7f]{1,20}", secret in "[^\\x00-\\x1f\\x7f]{0,40}") {
            let encode = |text: &str| text.bytes().map(|b| format!("%{b:02x}")).collect::<Vec<_>>().concat();
            assert_pair(format!("{}:{}", encode(&id), encode(&secret)).as_bytes(), &id, &secret);
        }

        #[test]
        fn what_needs_no_encoding_is_read_as_it_is(secret in "[!-~]{0,40}") {
            prop_assume!(!needs_form_encoding(&secret));
            assert_pair(format!("x:{secret}").as_bytes(), "x", &secret);
        }
    }
}
