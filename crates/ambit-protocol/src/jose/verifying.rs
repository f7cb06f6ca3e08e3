//! Public keys that the crypto library has taken, each bound to one algorithm.
//!
//! At registration each key of a set must be acceptable ([`VerifyingKeys::new`]); of a set that somebody else publishes,
//! those that are, are taken ([`VerifyingKeys::from_published`], RFC 7517 §5).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::algorithm::Algorithm;
use super::jwk::{Jwk, JwkError, PublicKey, RawJwk};
use super::jwk_set::{JwkSet, JwkSetError, MAX_KEYS};
use super::jws::KeySource;
use crate::object::ObjectOnly;

/// A public key, parsed and bound to one algorithm: it verifies signatures of that algorithm and no other.
#[derive(Debug)]
pub struct VerifyingKey {
    kid: Option<Box<str>>,
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

/// A handful of keys to verify with, looked up by `kid`.
#[derive(Debug, Default)]
pub struct VerifyingKeys {
    keys: Vec<VerifyingKey>,
}

impl VerifyingKey {
    /// Gives the key to the crypto library.
    ///
    /// # Errors
    /// [`JwkError::Invalid`]: a point that is not on its curve, or of small order; a modulus the library refuses.
    pub fn new(jwk: &Jwk) -> Result<Self, JwkError> {
        let algorithm = jwk.algorithm();
        let parsed = match &jwk.key {
            PublicKey::P256 { x, y } => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [&[4][..], x, y].concat()),
            PublicKey::Ed25519 { x } if is_small_order(x) => return Err(JwkError::Invalid),
            PublicKey::Ed25519 { x } => ParsedPublicKey::new(&ED25519, x),
            PublicKey::Rsa { n, e } => RsaPublicKeyComponents { n, e }.to_parsed_public_key(match algorithm {
                Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                _ => &RSA_PKCS1_2048_8192_SHA256,
            }),
        };
        let key = parsed.map_err(|_| JwkError::Invalid)?;
        Ok(Self { kid: jwk.kid().map(Into::into), algorithm, key })
    }

    /// The key's name.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The only algorithm this key verifies.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

impl VerifyingKeys {
    /// All keys of a set; each must be acceptable. This is the check at registration.
    ///
    /// # Errors
    /// [`JwkSetError::Key`] for the first the crypto library refuses.
    pub fn new(set: &JwkSet) -> Result<Self, JwkSetError> {
        let parse = |(index, jwk)| VerifyingKey::new(jwk).map_err(|error| JwkSetError::Key { index, error });
        Ok(Self { keys: set.keys().iter().enumerate().map(parse).collect::<Result<_, _>>()? })
    }

    /// The usable keys of a set that somebody else publishes, and why the others are not.
    ///
    /// RFC 7517 §5: keys of an unknown type, without a needed member or outside the supported range are passed over.
    ///
    /// # Errors
    /// [`JwkSetError::Malformed`], [`JwkSetError::TooMany`], and [`JwkSetError::DuplicateKid`] among the usable ones.
    pub fn from_published(json: &[u8]) -> Result<(Self, Vec<JwkSetError>), JwkSetError> {
        #[derive(Deserialize)]
        struct Published<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        let ObjectOnly(published): ObjectOnly<Published<'_>> =
            serde_json::from_slice(json).map_err(|_| JwkSetError::Malformed)?;
        if published.keys.len() > MAX_KEYS {
            return Err(JwkSetError::TooMany);
        }
        let mut usable = Vec::with_capacity(published.keys.len());
        let mut keys = Vec::with_capacity(published.keys.len());
        let mut passed_over = Vec::new();
        for (index, json) in published.keys.into_iter().enumerate() {
            let jwk = serde_json::from_str(json.get())
                .map_err(|_| JwkError::Malformed)
                .and_then(|ObjectOnly(raw): ObjectOnly<RawJwk>| raw.parse());
            match jwk.and_then(|jwk| Ok((VerifyingKey::new(&jwk)?, jwk))) {
                Ok((key, jwk)) => {
                    usable.push(jwk);
                    keys.push(key);
                }
                Err(error) => passed_over.push(JwkSetError::Key { index, error }),
            }
        }
        JwkSet::new(usable)?;
        Ok((Self { keys }, passed_over))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.iter()
    }
}

impl FromIterator<VerifyingKey> for VerifyingKeys {
    fn from_iter<I: IntoIterator<Item = VerifyingKey>>(keys: I) -> Self {
        Self { keys: keys.into_iter().collect() }
    }
}

impl KeySource for VerifyingKeys {
    /// A token that names a key gets that key, or else the keys without a name; a token that names none gets all.
    fn find(&self, kid: Option<&str>) -> impl Iterator<Item = &VerifyingKey> {
        let named = kid.is_some_and(|kid| self.keys.iter().any(|key| key.kid() == Some(kid)));
        self.keys.iter().filter(move |key| match (kid, key.kid()) {
            (None, _) => true,
            (Some(kid), Some(name)) => kid == name,
            (Some(_), None) => !named,
        })
    }
}

/// Ed25519 points of order 1, 2, 4 and 8, and their other spellings: with such a "key" a signature says nothing about
/// the message (RFC 8032 §5.1.7 leaves the check to us). The sign bit does not matter.
fn is_small_order(x: &[u8; 32]) -> bool {
    let mut point = *x;
    point[31] &= 0x7f;
    SMALL_ORDER.contains(&point)
}

/// y of each such point, little-endian: 0, 1, −1 and the two of order 8; then 0 and 1 written as p and p + 1.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    small(1, 0, 0),
    small(0xec, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    small(0xed, 0xff, 0x7f),
    small(0xee, 0xff, 0x7f),
];

const fn small(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut y = [middle; 32];
    y[0] = first;
    y[31] = last;
    y
}
