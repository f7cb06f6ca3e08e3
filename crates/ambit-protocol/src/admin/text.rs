//! Small checked texts: names, slugs, keys, identifiers, and texts per language.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// Why a text is not what it should be. The message names the rule; the caller adds the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TextError(&'static str);

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident, $check:ident, $rule:literal, $schema:tt;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, TextError> {
                if $check(text) { Ok(Self(text.into())) } else { Err(TextError($rule)) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

texts! {
    /// A name for people: 1 to 200 characters, no control characters.
    Name, is_name, "must be 1 to 200 characters without control characters",
        { "type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*$" };
    /// A name for URLs, fixed once set.
    Slug, is_slug, "must be 1 to 63 lower-case letters, digits and inner hyphens",
        { "type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" };
    /// A client identifier (RFC 6749 §2.2), compared by octet. Ours keep to characters that no encoding changes.
    ClientId, is_client_id, "must be 1 to 128 letters, digits and the characters . _ ~ -",
        { "type": "string", "pattern": "^[A-Za-z0-9._~-]{1,128}$" };
    /// The key of a feature.
    FeatureKey, is_feature_key, "must be 1 to 64 lower-case letters, digits and the characters . _ - (first a letter or digit)",
        { "type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$" };
    /// The identifier of an API: an absolute URI without fragment (RFC 8707 §2), compared by octet.
    ApiIdentifier, is_identifier, "must be an absolute URI without fragment, such as https://api.example.com/pos",
        { "type": "string", "format": "uri", "maxLength": 500 };
    /// The name of a role.
    RoleName, is_feature_key, "must be 1 to 64 lower-case letters, digits and the characters . _ - (first a letter or digit)",
        { "type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$" };
    /// An e-mail address, as far as a form can tell.
    Email, is_email, "must be an e-mail address",
        { "type": "string", "format": "email", "maxLength": 254 };
    /// What stands behind the @ of an address.
    Domain, is_domain, "must be a domain in lower case, such as example.com",
        { "type": "string", "maxLength": 253, "pattern": "^[a-z0-9.-]+$" };
    /// A colour, as HTML has it.
    Color, is_color, "must be a colour such as #1a5fb4",
        { "type": "string", "pattern": "^#[0-9a-fA-F]{6}$" };
}

/// A text per language (BCP 47 tag → text). English is required; a bare string in JSON is the English text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Texts(BTreeMap<String, String>);

impl Texts {
    /// The same text in English alone.
    #[must_use]
    pub fn english(text: &str) -> Self {
        Self(BTreeMap::from([("en".to_owned(), text.to_owned())]))
    }

    /// English and Chinese.
    #[must_use]
    pub fn both(en: &str, zh: &str) -> Self {
        Self(BTreeMap::from([("en".to_owned(), en.to_owned()), ("zh".to_owned(), zh.to_owned())]))
    }

    /// The text in a language, if there is one.
    #[must_use]
    pub fn get(&self, language: &str) -> Option<&str> {
        self.0.get(language).map(String::as_str)
    }

    /// The English text, which is always there.
    #[must_use]
    pub fn en(&self) -> &str {
        self.get("en").unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        // The text of what is neither; what is missing says so itself.
        #[serde(untagged, expecting = "must be a text, or an object of language → text")]
        enum Sent {
            English(String),
            Languages(BTreeMap<String, String>),
        }
        let texts = match Sent::deserialize(deserializer)? {
            Sent::English(text) => BTreeMap::from([("en".to_owned(), text)]),
            Sent::Languages(texts) => texts,
        };
        if texts.get("en").is_none_or(|text| text.trim().is_empty()) {
            return Err(serde::de::Error::custom("must have a text in English (\"en\")"));
        }
        for (language, text) in &texts {
            if !is_language(language) {
                return Err(serde::de::Error::custom("a language is a BCP 47 tag such as en or zh-Hans"));
            }
            if text.chars().count() > 2000 || text.chars().any(|c| c.is_control() && c != '\n') {
                return Err(serde::de::Error::custom("a text has at most 2000 characters and no control characters"));
            }
        }
        Ok(Self(texts))
    }
}

impl JsonSchema for Texts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Texts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // No control characters but the end of a line; of what is blank, the blanks of Latin-1 are told.
        let english = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x09\x0b-\x1f\x7f-\x9f]*$";
        let other = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$";
        json_schema!({
            "oneOf": [
                {
                    "type": "string", "description": "The English text",
                    "minLength": 1, "maxLength": 2000, "pattern": english,
                },
                {
                    "type": "object",
                    "required": ["en"],
                    "properties": { "en": { "type": "string", "minLength": 1, "maxLength": 2000, "pattern": english } },
                    "propertyNames": {
                        "minLength": 2, "maxLength": 35, "pattern": "^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*$",
                    },
                    "additionalProperties": { "type": "string", "maxLength": 2000, "pattern": other },
                },
            ],
        })
    }
}

fn is_name(text: &str) -> bool {
    let length = text.chars().count();
    !text.trim().is_empty() && length <= 200 && !text.chars().any(char::is_control)
}

fn is_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        && bytes.first() != Some(&b'-')
        && bytes.last() != Some(&b'-')
}

fn is_client_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-'))
}

fn is_feature_key(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
        && text.as_bytes()[0].is_ascii_alphanumeric()
}

fn is_identifier(text: &str) -> bool {
    text.len() <= 500
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'<' | b'>' | b'#'))
        && url::Url::parse(text).is_ok()
}

fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    text.len() <= 254
        && !local.is_empty()
        && host.contains('.')
        && !host.starts_with('.')
        && !host.ends_with('.')
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_slug)
}

fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether a text has the form of a language's tag (BCP 47): `en`, `zh-Hans`.
#[must_use]
pub fn is_language(tag: &str) -> bool {
    (2..=35).contains(&tag.len())
        && tag.split('-').all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}
