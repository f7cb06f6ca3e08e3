//! Sets of public keys as JSON (RFC 7517 §5).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::jwk::{Jwk, JwkError, RawJwk};
use crate::object::ObjectOnly;

/// A JWK Set (RFC 7517 §5): what `jwks_uri` answers, and what an application registers as `jwks`.
///
/// Reading one through serde wants every key to be acceptable and every `kid` to be there once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "ObjectOnly<RawJwkSet>")]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

/// Why a set of keys is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkSetError {
    /// No JSON object with an array `keys`.
    #[error("a JWK Set must be a JSON object with an array 'keys' (RFC 7517 section 5)")]
    Malformed,
    /// More than [`MAX_KEYS`].
    #[error("the JWK Set has more than {MAX_KEYS} keys")]
    TooMany,
    /// Two keys of one name.
    #[error("keys[{index}] repeats a 'kid'")]
    DuplicateKid {
        /// The second one.
        index: usize,
    },
    /// One of the keys.
    #[error("keys[{index}]: {error}")]
    Key {
        /// Which, counted from 0.
        index: usize,
        /// What is wrong with it.
        error: JwkError,
    },
}

impl JwkSet {
    /// A set of these keys.
    ///
    /// # Errors
    /// [`JwkSetError::DuplicateKid`], [`JwkSetError::TooMany`].
    pub fn new(keys: Vec<Jwk>) -> Result<Self, JwkSetError> {
        if keys.len() > MAX_KEYS {
            return Err(JwkSetError::TooMany);
        }
        let repeated = |(index, jwk): &(usize, &Jwk)| {
            jwk.kid().is_some() && keys[..*index].iter().any(|earlier| earlier.kid() == jwk.kid())
        };
        if let Some((index, _)) = keys.iter().enumerate().find(repeated) {
            return Err(JwkSetError::DuplicateKid { index });
        }
        Ok(Self { keys })
    }

    /// The keys, in their order.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }
}

/// A set as it stands in JSON.
#[derive(Deserialize)]
struct RawJwkSet {
    keys: Vec<ObjectOnly<RawJwk>>,
}

impl TryFrom<ObjectOnly<RawJwkSet>> for JwkSet {
    type Error = JwkSetError;

    fn try_from(ObjectOnly(raw): ObjectOnly<RawJwkSet>) -> Result<Self, JwkSetError> {
        let parse = |(index, ObjectOnly(raw)): (usize, ObjectOnly<RawJwk>)| {
            raw.parse().map_err(|error| JwkSetError::Key { index, error })
        };
        Self::new(raw.keys.into_iter().enumerate().map(parse).collect::<Result<_, _>>()?)
    }
}

impl JsonSchema for JwkSet {
    fn schema_name() -> Cow<'static, str> {
        "JwkSet".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A set of public keys (RFC 7517 section 5); each 'kid' at most once.",
            "properties": {
                "keys": { "type": "array", "maxItems": MAX_KEYS, "items": generator.subschema_for::<Jwk>() },
            },
            "required": ["keys"],
        })
    }
}

/// Keys in one set.
pub const MAX_KEYS: usize = 64;
