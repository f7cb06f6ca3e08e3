//! Web origins: from where a browser may call us (CORS), compared as a whole.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use url::Url;

/// An origin, scheme, host and port, written as a browser's `Origin` header writes it (RFC 6454 §6.2).
///
/// `https`, or `http` with a loopback address for development. `null` stands for every sandboxed page there is, so it is
/// nobody's origin. There is no comparison but that of all octets.
///
/// # Examples
///
/// ```
/// use ambit_protocol::origin::Origin;
///
/// let origin: Origin = "https://app.example:8443".parse()?;
/// assert!(origin.matches(b"https://app.example:8443"));
/// assert!(!origin.matches(b"https://app.example"));
/// assert!("null".parse::<Origin>().is_err());
/// # Ok::<(), ambit_protocol::origin::OriginError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Origin(String);

impl Origin {
    /// The origin as a browser writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the value of an `Origin` header is this origin, octet by octet.
    #[must_use]
    pub fn matches(&self, header: &[u8]) -> bool {
        self.0.as_bytes() == header
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        if text == "null" {
            return Err(OriginError::Null);
        }
        let url = Url::parse(&text).map_err(|_| OriginError::Form)?;
        match url.scheme() {
            "https" => {}
            "http" if matches!(url.host_str(), Some("127.0.0.1" | "[::1]")) => {}
            _ => return Err(OriginError::Scheme),
        }
        // A browser sends the one canonical form: lower case, no default port, no path. Another form would never match.
        // A `*` is a legal character to the parser, and not the wildcard that its writer had in mind.
        if text.contains('*') || url.origin().ascii_serialization() != text {
            return Err(OriginError::Form);
        }
        Ok(Self(text))
    }
}

impl std::str::FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for Origin {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Origin".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "uri", "examples": ["https://app.example"] })
    }
}

/// Why a text is not an origin that may be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// `null`.
    #[error("'null' is the origin of every sandboxed page and cannot be allowed")]
    Null,
    /// Neither `https` nor loopback `http`.
    #[error("an origin starts with 'https://', or for development with 'http://127.0.0.1' or 'http://[::1]'")]
    Scheme,
    /// Not as a browser writes it.
    #[error(
        "an origin is scheme, host and port as a browser sends them, such as 'https://app.example': lower case, no path, no final slash, no default port, no wildcard"
    )]
    Form,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Origin, OriginError> {
        text.parse()
    }

    #[test]
    fn an_origin_as_browsers_send_it_is_taken() {
        for good in [
            "https://app.example",
            "https://app.example:8443",
            "https://xn--bcher-kva.example",
            "http://127.0.0.1:3000",
            "http://[::1]",
        ] {
            let origin = parse(good).expect(good);
            assert!(origin.matches(good.as_bytes()));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(parse("null"), Err(OriginError::Null));
        for bad in [
            "",
            "*",
            "app.example",
            "https://",
            "https://*.app.example",
            "https://app.example/",
            "https://app.example/x",
            "https://app.example:443",
            "https://APP.example",
            "HTTPS://app.example",
            "https://app.example?x",
            "https://app.example#",
            "https://user@app.example",
            "https://b\u{fc}cher.example",
            " https://app.example",
            "https://app.example\n",
            "NULL",
        ] {
            assert_eq!(parse(bad), Err(OriginError::Form), "{bad:?}");
        }
        for bad in
            ["http://app.example", "http://localhost:3000", "http://127.0.0.2", "file:///", "chrome-extension://abc"]
        {
            assert_eq!(parse(bad), Err(OriginError::Scheme), "{bad}");
        }
    }

    #[test]
    fn row_61_and_254_nothing_matches_by_part_of_it() {
        let origin = parse("https://app.example").expect("valid");
        for other in [
            "https://app.example.evil",
            "https://evil.app.example",
            "https://app.exampl",
            "https://app.example:444",
            "http://app.example",
            "null",
            "",
            "https://app.example/",
        ] {
            assert!(!origin.matches(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn it_is_a_string_in_json_and_checked_when_read() {
        let origin: Origin = serde_json::from_str("\"https://app.example\"").expect("valid");
        assert_eq!(serde_json::to_string(&origin).expect("json"), "\"https://app.example\"");
        assert!(serde_json::from_str::<Origin>("\"null\"").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_an_origin_or_refused(text in "\\PC*|https?://[a-z.:@/0-9]{0,20}") {
            if let Ok(origin) = parse(&text) {
                prop_assert!(origin.matches(text.as_bytes()));
                prop_assert_eq!(text.matches('/').count(), 2);
            }
        }
    }
}
