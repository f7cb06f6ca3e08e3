//! An address that the server calls because a client is registered with it: where it publishes its keys (RFC 7591 §2,
//! `jwks_uri`), where it wants to be told that a session has ended (OpenID Connect Back-Channel Logout 1.0 §2.2).
//!
//! It must not lead into the server's own network: `https`, to a name or to an address of the public internet. What a name
//! resolves to shows only when it is called, and is looked at then.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::address::is_public;
use crate::uri;

/// An `https` URL that the server calls.
///
/// An address on the machine itself can be written too, with `http` as well; whether it may be registered is a switch of
/// the server's, for tests and development: [`OutboundUri::is_local`].
///
/// # Examples
///
/// ```
/// use ambit_protocol::outbound_uri::OutboundUri;
///
/// let uri: OutboundUri = "https://etl.example/jwks.json".parse()?;
/// assert_eq!(uri.as_str(), "https://etl.example/jwks.json");
/// assert!("http://etl.example/jwks.json".parse::<OutboundUri>().is_err());
/// assert!("https://169.254.169.254/".parse::<OutboundUri>().is_err());
/// # Ok::<(), ambit_protocol::outbound_uri::OutboundUriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OutboundUri {
    text: String,
    url: Url,
}

impl OutboundUri {
    /// The address as it was registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same, taken apart.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it leads to the machine itself: a literal loopback address, or `localhost` (RFC 6761 §6.3).
    #[must_use]
    pub fn is_local(&self) -> bool {
        is_local(&self.url)
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl TryFrom<String> for OutboundUri {
    type Error = OutboundUriError;

    fn try_from(text: String) -> Result<Self, OutboundUriError> {
        if text.len() > MAX_OUTBOUND_URI_LEN {
            return Err(OutboundUriError::TooLong);
        }
        if text.contains('#') {
            return Err(OutboundUriError::Fragment);
        }
        if !uri::has_only_uri_characters(&text) {
            return Err(OutboundUriError::Form);
        }
        // The parser would forgive `https:host` and `https:/host`.
        if !text.contains("://") {
            return Err(OutboundUriError::Form);
        }
        let url = Url::parse(&text).map_err(|_| OutboundUriError::Form)?;
        let local = is_local(&url);
        match url.scheme() {
            "https" => {}
            "http" if local => {}
            _ => return Err(OutboundUriError::Scheme),
        }
        // Credentials in an address end in logs, and a user part makes one host look like another.
        if !url.username().is_empty() || url.password().is_some() || authority(&text).contains('@') {
            return Err(OutboundUriError::Credentials);
        }
        let public = match url.host() {
            // Numbers in other clothes (`2130706433`, `0x7f.1`) are addresses to the parser too.
            Some(Host::Ipv4(address)) => is_public(address.into()),
            Some(Host::Ipv6(address)) => is_public(address.into()),
            Some(Host::Domain(_)) => true,
            None => return Err(OutboundUriError::Form),
        };
        if !local && !public {
            return Err(OutboundUriError::Address);
        }
        // The other ports below 1024 belong to other protocols, some of which make something of a TLS greeting.
        if !local && url.port().is_some_and(|port| port < 1024) {
            return Err(OutboundUriError::Port);
        }
        Ok(Self { text, url })
    }
}

/// What stands between `://` and the path.
fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

impl From<OutboundUri> for String {
    fn from(uri: OutboundUri) -> Self {
        uri.text
    }
}

impl std::str::FromStr for OutboundUri {
    type Err = OutboundUriError;

    fn from_str(text: &str) -> Result<Self, OutboundUriError> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Display for OutboundUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonSchema for OutboundUri {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OutboundUri".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "format": "uri", "maxLength": MAX_OUTBOUND_URI_LEN,
            "examples": ["https://etl.example/jwks.json"],
        })
    }
}

/// Why a text is not an address that the server calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutboundUriError {
    /// Longer than [`MAX_OUTBOUND_URI_LEN`].
    #[error("it is at most {MAX_OUTBOUND_URI_LEN} characters long")]
    TooLong,
    /// It has a fragment.
    #[error("it must not have a fragment, '#'")]
    Fragment,
    /// Not a URL.
    #[error("it must be an absolute URL, such as 'https://etl.example/jwks.json'")]
    Form,
    /// Another scheme than `https`.
    #[error("it must begin with 'https://': whoever sits between could read and change what is said")]
    Scheme,
    /// A user name or a password.
    #[error("it must not hold a user name or a password")]
    Credentials,
    /// A literal address that is not of the public internet.
    #[error("it must not lead to a private, local or reserved address")]
    Address,
    /// A port of another protocol.
    #[error("its port must be 443, or 1024 and above")]
    Port,
}

/// The longest one, in characters.
pub const MAX_OUTBOUND_URI_LEN: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> OutboundUriError {
        text.parse::<OutboundUri>().expect_err(text)
    }

    #[test]
    fn an_https_url_to_a_public_host_is_good_and_stays_as_it_was_written() {
        for good in [
            "https://etl.example/jwks.json",
            "https://etl.example",
            "https://ETL.example:443/a?b=c",
            "https://etl.example:8443/",
            "https://8.8.8.8/keys",
            "https://[2606:4700::1111]/keys",
        ] {
            let uri: OutboundUri = good.parse().expect(good);
            assert_eq!((uri.as_str(), uri.is_local()), (good, false));
            assert_eq!(serde_json::to_value(&uri).expect("JSON"), good);
        }
    }

    #[test]
    fn the_machine_itself_is_named_as_what_it_is() {
        for local in
            ["http://127.0.0.1:7001/", "http://[::1]/", "http://localhost:1/x", "https://127.1/", "https://0x7f.1/"]
        {
            assert!(local.parse::<OutboundUri>().expect(local).is_local(), "{local}");
        }
    }

    #[test]
    fn no_address_leads_inside() {
        for inside in [
            "https://10.0.0.1/",
            "https://192.168.1.1/",
            "https://172.16.0.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://100.100.100.200/",
            "https://0.0.0.0/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:8.8.8.8]/",
            "https://[fe80::1]/",
            "https://[fd00:ec2::254]/",
            "https://[ff02::1]/",
            "https://[2002:7f00:1::]/",
            // 10.0.0.1 in decimal, in hexadecimal, in octal, in fewer parts.
            "https://167772161/",
            "https://0x0a000001/",
            "https://012.0.0.1/",
            "https://10.1/",
        ] {
            assert_eq!(refused(inside), OutboundUriError::Address, "{inside}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        for (bad, why) in [
            ("http://etl.example/", OutboundUriError::Scheme),
            ("http://169.254.169.254/", OutboundUriError::Scheme),
            ("http://localhost.evil.example/", OutboundUriError::Scheme),
            ("file:///etc/passwd", OutboundUriError::Scheme),
            ("ftp://etl.example/", OutboundUriError::Scheme),
            ("data://application/json,{}", OutboundUriError::Form),
            ("gopher://etl.example/", OutboundUriError::Scheme),
            ("https://user@etl.example/", OutboundUriError::Credentials),
            ("https://user:secret@etl.example/", OutboundUriError::Credentials),
            ("https://@etl.example/", OutboundUriError::Credentials),
            ("https://etl.example/#keys", OutboundUriError::Fragment),
            ("https://etl.example/ ", OutboundUriError::Form),
            ("https://etl.example\\@evil.example/", OutboundUriError::Form),
            ("https:etl.example", OutboundUriError::Form),
            ("https:/etl.example", OutboundUriError::Form),
            ("https://", OutboundUriError::Form),
            ("/jwks.json", OutboundUriError::Form),
            ("", OutboundUriError::Form),
            ("https://etl.example:22/", OutboundUriError::Port),
            ("https://etl.example:25/", OutboundUriError::Port),
            ("https://etl.example:1023/", OutboundUriError::Port),
            ("https://etl.example:0/", OutboundUriError::Port),
        ] {
            assert_eq!(refused(bad), why, "{bad}");
        }
        assert!("https://etl.example:1024/".parse::<OutboundUri>().is_ok());
        let of_length = |length: usize| format!("https://etl.example/{}", "x".repeat(length - 20));
        assert!(of_length(MAX_OUTBOUND_URI_LEN).parse::<OutboundUri>().is_ok());
        assert_eq!(refused(&of_length(MAX_OUTBOUND_URI_LEN + 1)), OutboundUriError::TooLong);
    }
}
