//! Redirect URIs: which ones may be registered, and whether one that is presented is a registered one.
//!
//! Both are decided on the raw text. A parser is asked only whether it understands the text as we do, never for the text
//! to compare: half of what is published against authorization servers lives in the gap between two readings of one URI.
//!
//! 1. *Registration* ([`RedirectUri`] is made only here) lets three kinds pass: `https` with a host name, `http` with a
//!    loopback address (native applications, RFC 8252 §7.3), and private-use schemes that are reversed domain names
//!    (RFC 8252 §7.1). There are no wildcards.
//! 2. *Comparison* ([`RedirectUri::matches`]) is of octets (RFC 9700 §2.1: "exact string matching"), except that the port of a
//!    loopback address may be any.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::uri;

/// A redirect URI that may be registered.
///
/// # Examples
///
/// ```
/// use ambit_protocol::redirect_uri::RedirectUri;
///
/// let registered: RedirectUri = "https://app.example/cb".parse()?;
/// assert!(registered.matches("https://app.example/cb"));
/// assert!(!registered.matches("https://app.example/cb/"));
///
/// let native: RedirectUri = "http://127.0.0.1/cb".parse()?;
/// assert!(native.matches("http://127.0.0.1:49152/cb"));
///
/// assert!("https://*.app.example/cb".parse::<RedirectUri>().is_err());
/// # Ok::<(), ambit_protocol::redirect_uri::RedirectUriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri {
    raw: String,
    kind: RedirectUriKind,
}

/// The kinds of redirect URI there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedirectUriKind {
    /// `https` with a host name.
    Https,
    /// `http` with `127.0.0.1` or `[::1]`: for native applications only.
    Loopback,
    /// A private-use scheme, a reversed domain name: for native applications only.
    PrivateUse,
}

impl RedirectUri {
    /// The URI as it was registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// What kind it is: only [`Https`](RedirectUriKind::Https) is for every type of application.
    #[must_use]
    pub const fn kind(&self) -> RedirectUriKind {
        self.kind
    }

    /// Its origin (RFC 6454 §4); none where the scheme is of private use.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        let url = Url::parse(&self.raw).ok().filter(|_| self.kind != RedirectUriKind::PrivateUse)?;
        Some(url.origin().ascii_serialization())
    }

    /// Its host; none where the scheme is of private use.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        let url = Url::parse(&self.raw).ok().filter(|_| self.kind != RedirectUriKind::PrivateUse)?;
        url.host_str().map(str::to_owned)
    }

    /// Whether a presented URI is this one, octet by octet.
    ///
    /// RFC 8252 §7.3: for a loopback address "the authorization server MUST allow any port to be specified at the time of
    /// the request". Address, path and query are compared as everywhere.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        presented == self.raw
            || self.kind == RedirectUriKind::Loopback
                && Loopback::split(presented).is_some_and(|presented| {
                    Loopback::split(&self.raw)
                        .is_some_and(|own| presented.address == own.address && presented.rest == own.rest)
                })
    }
}

impl TryFrom<String> for RedirectUri {
    type Error = RedirectUriError;

    fn try_from(raw: String) -> Result<Self, RedirectUriError> {
        let kind = check(&raw)?;
        Ok(Self { raw, kind })
    }
}

impl std::str::FromStr for RedirectUri {
    type Err = RedirectUriError;

    fn from_str(raw: &str) -> Result<Self, RedirectUriError> {
        Self::try_from(raw.to_owned())
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.raw
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

impl JsonSchema for RedirectUri {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "RedirectUri".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "uri", "maxLength": MAX_REDIRECT_URI_LEN })
    }
}

/// The rules of registration, in order.
fn check(raw: &str) -> Result<RedirectUriKind, RedirectUriError> {
    if raw.len() > MAX_REDIRECT_URI_LEN {
        return Err(RedirectUriError::TooLong);
    }
    if raw.contains('*') {
        return Err(RedirectUriError::Wildcard);
    }
    if !uri::has_only_uri_characters(raw) {
        return Err(RedirectUriError::Characters);
    }
    // RFC 6749 §3.1.2: "The endpoint URI MUST NOT include a fragment component."
    if raw.contains('#') {
        return Err(RedirectUriError::Fragment);
    }
    let scheme = uri::scheme(raw).ok_or(RedirectUriError::Scheme)?;
    let rest = &raw[scheme.len() + 1..];
    match scheme {
        "https" => {
            let rest = rest.strip_prefix("//").ok_or(RedirectUriError::Host)?;
            let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            check_authority(raw, authority)?;
            check_path(path_and_query)?;
            Ok(RedirectUriKind::Https)
        }
        "http" => {
            let loopback = Loopback::split(raw).ok_or(RedirectUriError::PlainHttp)?;
            check_path(loopback.rest)?;
            Ok(RedirectUriKind::Loopback)
        }
        // RFC 8252 §7.1: "private-use URI schemes SHOULD be based on a domain name under the control of the developer,
        // expressed in reverse order": `com.example.app:/cb`. An allow-list: `javascript`, `data`, `file`, `blob` and
        // their like have no dot.
        _ if is_reversed_domain(scheme) => {
            if !rest.starts_with('/') || rest.contains('@') {
                return Err(RedirectUriError::PrivateUse);
            }
            check_path(rest)?;
            Url::parse(raw).map_err(|_| RedirectUriError::PrivateUse)?;
            Ok(RedirectUriKind::PrivateUse)
        }
        _ => Err(RedirectUriError::Scheme),
    }
}

fn check_authority(raw: &str, authority: &str) -> Result<(), RedirectUriError> {
    if authority.contains('@') {
        return Err(RedirectUriError::UserInfo);
    }
    if authority.starts_with('[') {
        return Err(RedirectUriError::IpAddress);
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    port_number(port).ok_or(RedirectUriError::Port)?;
    let legal = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    if host.split('.').any(str::is_empty) || !host.bytes().all(legal) {
        return Err(RedirectUriError::Host);
    }
    // The parser's turn: it knows the forms of an IPv4 address (decimal, octal, hexadecimal) and of Punycode.
    let url = Url::parse(raw).map_err(|_| RedirectUriError::Host)?;
    match url.host() {
        Some(Host::Domain(domain)) if domain == host => Ok(()),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => Err(RedirectUriError::IpAddress),
        _ => Err(RedirectUriError::Host),
    }
}

/// Refuses what a server behind the URI might read as another path.
fn check_path(path_and_query: &str) -> Result<(), RedirectUriError> {
    // RFC 3986 §3.2.2: square brackets enclose an IP address; that is the only place where they are allowed.
    if path_and_query.contains(['[', ']']) {
        return Err(RedirectUriError::Characters);
    }
    let path = path_and_query.split('?').next().unwrap_or_default();
    // Some servers take `;x` off a segment before they look at it.
    if path.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | ".."))) {
        return Err(RedirectUriError::DotSegment);
    }
    if escapes(path).any(|octet| matches!(octet, b'.' | b'/' | b'\\' | b'%')) {
        return Err(RedirectUriError::EscapedSeparator);
    }
    let not_text = percent_decode_str(path_and_query).decode_utf8().is_err();
    if not_text || escapes(path_and_query).any(|octet| octet.is_ascii_control()) {
        return Err(RedirectUriError::EscapedControl);
    }
    Ok(())
}

/// The octets that are written as escapes. Every `%` must start one.
fn escapes(text: &str) -> impl Iterator<Item = u8> {
    text.split('%').skip(1).filter_map(|after| match *after.as_bytes() {
        [high, low, ..] => Some(uri::hex_digit(high)? << 4 | uri::hex_digit(low)?),
        _ => None,
    })
}

fn is_reversed_domain(scheme: &str) -> bool {
    let labels = scheme.split('.');
    labels.clone().count() >= 2
        && labels.into_iter().all(|label| !label.is_empty())
        && !scheme.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'+')
}

/// The parts of an `http` URI with a loopback address; the port is looked at and left out.
struct Loopback<'a> {
    address: &'a str,
    rest: &'a str,
}

impl<'a> Loopback<'a> {
    fn split(raw: &'a str) -> Option<Self> {
        let after_scheme = raw.strip_prefix("http://")?;
        // RFC 8252 §8.3: "the use of localhost is NOT RECOMMENDED".
        let address = ["127.0.0.1", "[::1]"].into_iter().find(|address| after_scheme.starts_with(address))?;
        let after_address = &after_scheme[address.len()..];
        let (port, rest) = after_address.split_at(after_address.find(['/', '?']).unwrap_or(after_address.len()));
        if !port.is_empty() {
            port_number(port.strip_prefix(':')?)?;
        }
        Some(Self { address, rest })
    }
}

/// A port as digits: 1 to 65535, without leading zeros.
fn port_number(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit()) && !digits.starts_with('0');
    if plain { digits.parse().ok() } else { None }
}

/// Why a URI may not be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// Longer than [`MAX_REDIRECT_URI_LEN`].
    #[error("a redirect URI is at most {MAX_REDIRECT_URI_LEN} characters long")]
    TooLong,
    /// It has a `*`.
    #[error("a redirect URI is registered in full; wildcards ('*') do not exist")]
    Wildcard,
    /// It has characters that no URI has.
    #[error(
        "a redirect URI is ASCII, without spaces, backslashes or control characters, and a '%' is followed by two hexadecimal digits (RFC 3986)"
    )]
    Characters,
    /// It has a fragment.
    #[error("a redirect URI has no fragment, '#' (RFC 6749 section 3.1.2)")]
    Fragment,
    /// Its scheme is not one of the three kinds, or it has none.
    #[error(
        "a redirect URI starts with 'https://', for native applications also with 'http://127.0.0.1', 'http://[::1]' or a private-use scheme such as 'com.example.app:/', all in lower case (RFC 8252 section 7)"
    )]
    Scheme,
    /// `http` with something other than a loopback address.
    #[error(
        "'http' is only for the loopback addresses, 'http://127.0.0.1' and 'http://[::1]' with an optional port; 'localhost' is not one of them (RFC 8252 section 8.3)"
    )]
    PlainHttp,
    /// User name or password before the host.
    #[error("a redirect URI has no user name or password ('@')")]
    UserInfo,
    /// An IP address for a host.
    #[error("an 'https' redirect URI names a host, not an IP address")]
    IpAddress,
    /// No host, or not a host name in lower case.
    #[error("an 'https' redirect URI has '//' and a host name in lower-case ASCII (other names in their 'xn--' form)")]
    Host,
    /// A port that is none.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// `.` or `..` as a segment of the path.
    #[error("the path of a redirect URI has no '.' and '..' segments")]
    DotSegment,
    /// An escaped dot, slash, backslash or percent sign in the path.
    #[error("the path of a redirect URI has no percent-encoded '.', '/', '%' or backslash")]
    EscapedSeparator,
    /// An escaped control character, or escapes that are not UTF-8.
    #[error("a redirect URI has no percent-encoded control characters, and its escapes are UTF-8")]
    EscapedControl,
    /// A private-use scheme not followed by a path, or by a host that is none.
    #[error(
        "a private-use scheme is followed by ':/' and a path, or by '://', a host and a path, without '@' (RFC 8252 section 7.1)"
    )]
    PrivateUse,
}

/// The longest redirect URI, in characters.
pub const MAX_REDIRECT_URI_LEN: usize = 2000;

#[cfg(test)]
mod tests;
