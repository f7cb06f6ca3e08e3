//! Scope tokens (RFC 6749 §3.3) and how a `scope` parameter is taken apart.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most characters a scope's name may have, unless configured otherwise.
pub const MAX_SCOPE_LENGTH: usize = 128;

/// One scope-token: `1*( %x21 / %x23-5B / %x5D-7E )` (RFC 6749 §3.3), at most [`MAX_SCOPE_LENGTH`] characters.
///
/// Comparison is by octet: no case folding, no normalization. Cloning shares the text.
///
/// ```
/// use ambit_protocol::scope::ScopeToken;
/// assert!("loyalty:points:redeem".parse::<ScopeToken>().is_ok());
/// assert!("~[".parse::<ScopeToken>().is_ok());
/// assert!("two words".parse::<ScopeToken>().is_err());
/// assert!("say\"cheese\"".parse::<ScopeToken>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeToken(Arc<str>);

impl ScopeToken {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no scope-token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Nothing between two spaces, or nothing at all.
    #[error("a scope's name must not be empty")]
    Empty,
    /// More than [`MAX_SCOPE_LENGTH`] characters.
    #[error("a scope's name has at most {MAX_SCOPE_LENGTH} characters")]
    TooLong,
    /// A character outside the grammar.
    #[error("a scope's name is made of printable ASCII without space, quote and backslash (RFC 6749 §3.3)")]
    Character,
}

impl FromStr for ScopeToken {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        check(text).map(|()| Self(text.into()))
    }
}

/// Whether a text is a scope-token, without making one.
///
/// # Errors
/// [`ScopeError`] names the rule that is broken.
pub fn check(text: &str) -> Result<(), ScopeError> {
    if text.is_empty() {
        return Err(ScopeError::Empty);
    }
    // The grammar first: outside it, a length in bytes says nothing.
    if !text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)) {
        return Err(ScopeError::Character);
    }
    if text.len() > MAX_SCOPE_LENGTH {
        return Err(ScopeError::TooLong);
    }
    Ok(())
}

/// The names in a `scope` parameter, in the order sent, repeated ones left out.
///
/// RFC 6749 §3.3 separates by exactly one space. Where two spaces meet, or one stands at an end, an empty name is
/// yielded, which no grammar accepts: it is refused by name like any other malformed scope, never repaired.
///
/// ```
/// use ambit_protocol::scope::names;
/// assert_eq!(names("a b a"), ["a", "b"]);
/// assert_eq!(names("a  b"), ["a", "", "b"]);
/// ```
#[must_use]
pub fn names(parameter: &str) -> Vec<&str> {
    let mut names = Vec::with_capacity(4);
    let mut seen = std::collections::HashSet::new();
    for name in parameter.split(' ') {
        // A short list is searched faster than it is hashed; a long one must not cost its square.
        let repeated = if names.len() < 16 {
            names.contains(&name)
        } else {
            if seen.is_empty() {
                seen.extend(names.iter().copied());
            }
            !seen.insert(name)
        };
        if !repeated {
            names.push(name);
        }
    }
    names
}

/// Scopes as the one string that tokens and answers carry (RFC 6749 §3.3: separated by single spaces).
#[must_use]
pub fn join<'a>(scopes: impl IntoIterator<Item = &'a ScopeToken>) -> String {
    let mut text = String::new();
    for scope in scopes {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(scope.as_str());
    }
    text
}

impl Borrow<str> for ScopeToken {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ScopeToken {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScopeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ScopeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ScopeToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ScopeToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ScopeToken {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ScopeToken".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_SCOPE_LENGTH,
            "pattern": r"^[\x21\x23-\x5B\x5D-\x7E]+$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_ends_where_rfc_6749_ends_it() {
        for legal in ["!", "#", "[", "]", "~", "a", "pos:baskets:create", "admin.read", &"x".repeat(128)] {
            assert_eq!(check(legal), Ok(()), "{legal}");
        }
        for (illegal, error) in [
            ("", ScopeError::Empty),
            (" ", ScopeError::Character),
            ("\"", ScopeError::Character),
            ("\\", ScopeError::Character),
            ("\x7f", ScopeError::Character),
            ("\0", ScopeError::Character),
            ("\u{a0}", ScopeError::Character),
            ("аdmin", ScopeError::Character),
            (&"x".repeat(129), ScopeError::TooLong),
        ] {
            assert_eq!(check(illegal), Err(error), "{illegal:?}");
        }
    }

    #[test]
    fn a_thousand_names_are_kept_once_each() {
        let text = (0..1000).map(|n| format!("s{} s{}", n, n / 2)).collect::<Vec<_>>().join(" ");
        assert_eq!(names(&text).len(), 1000);
    }
}
