//! The address of an entry.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Domain;

/// `<domain>/<slug>`: the path of an entry's file below `kb/entries/`, and of its page below `/errors/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    domain: Domain,
    text: Box<str>,
}

/// Why a text is not an [`EntryId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// There is no slash, or more than one.
    #[error("{0:?} is not of the form <domain>/<slug>")]
    Shape(String),
    /// The domain is not on the list.
    #[error("{0:?} begins with none of the domains api, tenant, client, jwt, browser")]
    Domain(String),
    /// The slug is not made of lower-case words.
    #[error(
        "the slug of {0:?} is not lower-case words and digits joined by single hyphens, {MAX_SLUG} characters at most"
    )]
    Slug(String),
}

impl EntryId {
    /// The address as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the slash.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        self.domain
    }

    /// The part after the slash.
    #[must_use]
    pub fn slug(&self) -> &str {
        &self.text[self.domain.as_str().len() + 1..]
    }
}

impl FromStr for EntryId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let Some((domain, slug)) = text.split_once('/') else { return Err(InvalidId::Shape(text.to_owned())) };
        if slug.contains('/') {
            return Err(InvalidId::Shape(text.to_owned()));
        }
        let domain = Domain::ALL.iter().find(|known| known.as_str() == domain);
        let Some(domain) = domain.copied() else { return Err(InvalidId::Domain(text.to_owned())) };
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if slug.len() > MAX_SLUG || !slug.split('-').all(is_word) {
            return Err(InvalidId::Slug(text.to_owned()));
        }
        Ok(Self { domain, text: text.into() })
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for EntryId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for EntryId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for EntryId {
    fn schema_name() -> Cow<'static, str> {
        "EntryId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let domains = Domain::ALL.iter().map(|domain| domain.as_str()).collect::<Vec<_>>().join("|");
        json_schema!({
            "type": "string",
            "description": "`<domain>/<slug>`: the address of an entry.",
            "pattern": format!("^({domains})/[a-z0-9]+(-[a-z0-9]+)*$"),
        })
    }
}

const MAX_SLUG: usize = 100;
