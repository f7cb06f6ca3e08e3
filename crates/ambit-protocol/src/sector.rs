//! Sectors: which applications know a person under the same pairwise name (OpenID Connect Core 1.0 §8.1).

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use url::Host;

/// The identifier of a sector: a host name, in the one form that a browser gives it.
///
/// # Examples
///
/// ```
/// use ambit_protocol::sector::SectorIdentifier;
///
/// let sector: SectorIdentifier = "shops.example".parse()?;
/// assert_eq!(sector.as_str(), "shops.example");
/// assert!("https://shops.example".parse::<SectorIdentifier>().is_err());
/// assert!("Shops.example".parse::<SectorIdentifier>().is_err());
/// # Ok::<(), ambit_protocol::sector::SectorIdentifierError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SectorIdentifier(String);

/// Why a text is not a sector's identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a host name in lower case, such as 'shops.example', without scheme, port and path")]
pub struct SectorIdentifierError;

impl SectorIdentifier {
    /// The host.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SectorIdentifier {
    type Error = SectorIdentifierError;

    fn try_from(text: String) -> Result<Self, SectorIdentifierError> {
        match Host::parse(&text) {
            // Another spelling of the same host would be another sector, and everybody would have another name in it.
            Ok(Host::Domain(host)) if host == text && host.len() <= MAX_HOST_LEN => Ok(Self(text)),
            _ => Err(SectorIdentifierError),
        }
    }
}

impl std::str::FromStr for SectorIdentifier {
    type Err = SectorIdentifierError;

    fn from_str(text: &str) -> Result<Self, SectorIdentifierError> {
        Self::try_from(text.to_owned())
    }
}

impl From<SectorIdentifier> for String {
    fn from(sector: SectorIdentifier) -> Self {
        sector.0
    }
}

impl fmt::Display for SectorIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for SectorIdentifier {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SectorIdentifier".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "hostname", "maxLength": MAX_HOST_LEN, "examples": ["shops.example"] })
    }
}

/// RFC 1035 §2.3.4, without the length octets.
const MAX_HOST_LEN: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sector_has_one_spelling() {
        for bad in ["", "Shops.example", "shops.example:443", "shops.example/", "127.0.0.1", "[::1]", "a b", "0x7f.1"] {
            assert!(bad.parse::<SectorIdentifier>().is_err(), "{bad}");
        }
        assert!(format!("{}.example", "a.".repeat(130)).parse::<SectorIdentifier>().is_err());
        assert!("xn--bcher-kva.example".parse::<SectorIdentifier>().is_ok());
        assert!("bücher.example".parse::<SectorIdentifier>().is_err());
    }
}
