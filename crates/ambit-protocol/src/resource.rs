//! Resource indicators (RFC 8707): the identifier of an API, as a token request names it and as `aud` carries it.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::uri;

/// An absolute URI without a fragment (RFC 8707 §2). Two are equal when their octets are.
///
/// # Examples
///
/// ```
/// use ambit_protocol::resource::ResourceIndicator;
///
/// let pos: ResourceIndicator = "https://pos.example/api".parse()?;
/// assert_eq!(pos.as_str(), "https://pos.example/api");
/// assert!("https://pos.example/api#x".parse::<ResourceIndicator>().is_err());
/// assert!("/api".parse::<ResourceIndicator>().is_err());
/// # Ok::<(), ambit_protocol::resource::ResourceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ResourceIndicator(String);

impl ResourceIndicator {
    /// The URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ResourceIndicator {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceIndicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ResourceIndicator {
    type Error = ResourceError;

    fn try_from(text: String) -> Result<Self, ResourceError> {
        if text.len() > MAX_RESOURCE_LEN {
            return Err(ResourceError::TooLong);
        }
        if text.contains('#') {
            return Err(ResourceError::Fragment);
        }
        if !uri::has_only_uri_characters(&text) {
            return Err(ResourceError::Characters);
        }
        if uri::scheme(&text).is_none() || Url::parse(&text).is_err() {
            return Err(ResourceError::NotAbsolute);
        }
        Ok(Self(text))
    }
}

impl std::str::FromStr for ResourceIndicator {
    type Err = ResourceError;

    fn from_str(text: &str) -> Result<Self, ResourceError> {
        Self::try_from(text.to_owned())
    }
}

impl JsonSchema for ResourceIndicator {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ResourceIndicator".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "uri", "maxLength": MAX_RESOURCE_LEN })
    }
}

/// Why a text is not a resource indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// Longer than [`MAX_RESOURCE_LEN`].
    #[error("a resource is at most {MAX_RESOURCE_LEN} characters long")]
    TooLong,
    /// It has a fragment.
    #[error("a resource must not have a fragment, '#' (RFC 8707 section 2)")]
    Fragment,
    /// It has characters that no URI has.
    #[error("a resource must be a URI: ASCII without spaces, other characters percent-encoded (RFC 3986)")]
    Characters,
    /// It does not start with a scheme, or the rest does not make a URI.
    #[error("a resource must be an absolute URI, such as 'https://pos.example/api' (RFC 8707 section 2)")]
    NotAbsolute,
}

/// The longest resource indicator, in characters.
pub const MAX_RESOURCE_LEN: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ResourceIndicator, ResourceError> {
        text.parse()
    }

    #[test]
    fn an_absolute_uri_is_kept_to_the_octet() {
        for good in [
            "https://pos.example",
            "https://pos.example/",
            "HTTPS://POS.example:443/a/../b",
            "urn:example:pos",
            "https://pos.example/api?v=1",
            "api://pos",
            "https://pos.example/%7Ea",
        ] {
            assert_eq!(parse(good).expect(good).as_str(), good);
        }
        assert_ne!(parse("https://pos.example"), parse("https://pos.example/"));
    }

    #[test]
    fn what_is_not_an_absolute_uri_is_refused() {
        for bad in ["", "/api", "pos", "//pos.example/api", "https:", "https://", ":x", "1a:b", "https://[::1"] {
            assert_eq!(parse(bad), Err(ResourceError::NotAbsolute), "{bad}");
        }
        for bad in [
            "https://pos.example/a b",
            "https://p\u{f6}s.example",
            "https://pos.example/%zz",
            "https://pos\\a",
            "urn:a\n",
        ] {
            assert_eq!(parse(bad), Err(ResourceError::Characters), "{bad}");
        }
        for bad in ["https://pos.example#", "https://pos.example/a#b", "#"] {
            assert_eq!(parse(bad), Err(ResourceError::Fragment), "{bad}");
        }
    }

    #[test]
    fn the_length_is_limited_exactly() {
        let of_len = |len: usize| format!("urn:{}", "a".repeat(len - 4));
        assert!(parse(&of_len(MAX_RESOURCE_LEN - 1)).is_ok());
        assert!(parse(&of_len(MAX_RESOURCE_LEN)).is_ok());
        assert_eq!(parse(&of_len(MAX_RESOURCE_LEN + 1)), Err(ResourceError::TooLong));
    }

    #[test]
    fn it_is_a_string_in_json_and_checked_when_read() {
        let resource: ResourceIndicator = serde_json::from_str("\"urn:a\"").expect("valid");
        assert_eq!(serde_json::to_string(&resource).expect("json"), "\"urn:a\"");
        assert!(serde_json::from_str::<ResourceIndicator>("\"a\"").is_err());
    }
}
