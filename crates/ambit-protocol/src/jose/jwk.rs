//! Public keys: as JSON ([`Jwk`], [`JwkSet`], RFC 7517) and ready to verify with ([`VerifyingKey`]).
//!
//! 1. JSON becomes a [`Jwk`]: members have their types and sizes, nothing private came along.
//! 2. A [`Jwk`] becomes a [`VerifyingKey`]: the crypto library took the key, and it is bound to one algorithm.
//! 3. A [`JwkSet`] becomes [`VerifyingKeys`]: at registration each key must be acceptable ([`VerifyingKeys::new`]); of a
//!    set somebody else publishes, those that are ([`VerifyingKeys::from_published`], RFC 7517 §5).

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::algorithm::Algorithm;
use super::jws::KeySource;
use super::{BASE64URL, encode};
use crate::object::ObjectOnly;

/// A public signature key as JSON (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
///
/// Reading one refuses private and symmetric keys, unknown curves, RSA below 2048 bits and members of the wrong
/// length; unknown members are ignored, as RFC 7517 §4 asks.
///
/// ```
/// use ambit_protocol::jose::{Algorithm, Jwk, SigningKey};
///
/// let jwk = SigningKey::generate(Algorithm::EdDsa)?.public_jwk("2026-11");
/// let json = serde_json::to_string(&jwk)?;
/// assert!(json.starts_with(r#"{"kty":"OKP","use":"sig","alg":"EdDSA","kid":"2026-11","crv":"Ed25519","x":""#));
/// assert_eq!(serde_json::from_str::<Jwk>(&json)?, jwk);
///
/// let secret = r#"{"kty":"oct","k":"AAAA"}"#;
/// assert!(serde_json::from_str::<Jwk>(secret).unwrap_err().to_string().contains("only public keys"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ObjectOnly<RawJwk>")]
pub struct Jwk {
    kid: Option<String>,
    key_use: Option<KeyUse>,
    alg: Option<Algorithm>,
    key: PublicKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyUse {
    Sig,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PublicKey {
    P256 { x: [u8; 32], y: [u8; 32] },
    Ed25519 { x: [u8; 32] },
    Rsa { n: Box<[u8]>, e: Box<[u8]> },
}

/// Why a JWK is not accepted. The texts are for the person who registers the key; they repeat nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Not a JSON object with members of the right types.
    #[error("a JWK must be a JSON object whose members are strings (RFC 7517 section 4)")]
    Malformed,
    /// `kty` is missing.
    #[error("the JWK has no 'kty'")]
    NoKeyType,
    /// `kty` is `oct`: a shared secret.
    #[error("the JWK is a shared secret ('kty':'oct'); only public keys are accepted")]
    Symmetric,
    /// A member of a private key is there. Whoever sees this must consider that key leaked.
    #[error(
        "the JWK contains the private member '{0}'; send the public key only, and replace this key pair: its private half has left your hands"
    )]
    Private(&'static str),
    /// `kty` or `crv` names something else than P-256, Ed25519 or RSA.
    #[error("the JWK's key type or curve is not supported: use EC with P-256, OKP with Ed25519, or RSA")]
    UnsupportedKeyType,
    /// `alg` names something else than [`Algorithm::ALL`].
    #[error("the JWK's 'alg' is not supported: use ES256, RS256, PS256 or EdDSA")]
    UnsupportedAlgorithm,
    /// `alg` does not fit `kty` and `crv`.
    #[error("the JWK's 'alg' does not fit its key type")]
    AlgorithmMismatch,
    /// `use` or `key_ops` exclude verification.
    #[error("the JWK is not for verifying signatures (its 'use' must be 'sig', its 'key_ops' must hold 'verify')")]
    NotForSignatures,
    /// A needed member is missing.
    #[error("the JWK has no '{0}'")]
    Missing(&'static str),
    /// A member is no base64url without padding, or has the wrong length, or leading zeros.
    #[error("the JWK's '{0}' is not base64url of the right length without padding and leading zeros")]
    Encoding(&'static str),
    /// An RSA modulus outside 2048 to 8192 bits.
    #[error("the RSA modulus has {0} bits; 2048 to 8192 are accepted (RFC 7518 section 3.3)")]
    RsaSize(usize),
    /// An RSA exponent below 65537, even, or longer than 33 bits.
    #[error("the RSA exponent must be odd and at least 65537")]
    RsaExponent,
    /// The point is not on the curve, or of small order, or the crypto library has another objection.
    #[error("the JWK is not a valid public key")]
    Invalid,
    /// `kid` is empty, longer than [`MAX_KID_LEN`] octets, or holds control characters.
    #[error("the JWK's 'kid' must have 1 to 256 octets and no control characters")]
    Kid,
}

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

impl Jwk {
    /// The key's name.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithm the key is used with. An RSA key that does not say is an RS256 key: a key has one algorithm
    /// (RFC 8725 §3.1), and PS256 must be said.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.alg.unwrap_or(match self.key {
            PublicKey::P256 { .. } => Algorithm::Es256,
            PublicKey::Ed25519 { .. } => Algorithm::EdDsa,
            PublicKey::Rsa { .. } => Algorithm::Rs256,
        })
    }

    /// The thumbprint with SHA-256, in base64url (RFC 7638 §3): the same key has the same one everywhere.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // RFC 7638 §3.2: the required members only, in lexicographic order, without white space. base64url needs no
        // escaping.
        let canonical = match &self.key {
            PublicKey::P256 { x, y } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, encode(x), encode(y))
            }
            PublicKey::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(x)),
            PublicKey::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n)),
        };
        encode(digest(&SHA256, canonical.as_bytes()))
    }

    /// Names the key and says what it is for. The algorithm must fit the key, which the signer sees to.
    pub(super) fn described(self, algorithm: Algorithm, kid: &str) -> Self {
        Self { kid: Some(kid.to_owned()), key_use: Some(KeyUse::Sig), alg: Some(algorithm), ..self }
    }

    /// From an uncompressed point: `04 ‖ x ‖ y`.
    pub(super) fn from_p256_point(point: &[u8]) -> Option<Self> {
        let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
        Some(Self::bare(PublicKey::P256 { x: x.try_into().ok()?, y: y.try_into().ok()? }))
    }

    pub(super) fn from_ed25519(x: &[u8]) -> Option<Self> {
        Some(Self::bare(PublicKey::Ed25519 { x: x.try_into().ok()? }))
    }

    pub(super) fn from_rsa(n: &[u8], e: &[u8]) -> Self {
        Self::bare(PublicKey::Rsa { n: n.into(), e: e.into() })
    }

    fn bare(key: PublicKey) -> Self {
        Self { kid: None, key_use: None, alg: None, key }
    }
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
            jwk.kid.is_some() && keys[..*index].iter().any(|earlier| earlier.kid == jwk.kid)
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
        Ok(Self { kid: jwk.kid.as_deref().map(Into::into), algorithm, key })
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
        Ok(Self { keys: set.keys.iter().enumerate().map(parse).collect::<Result<_, _>>()? })
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

/// A JWK as it stands in JSON.
#[derive(Deserialize)]
struct RawJwk {
    #[serde(default, deserialize_with = "present")]
    kty: Option<String>,
    #[serde(default, rename = "use", deserialize_with = "present")]
    key_use: Option<String>,
    #[serde(default, deserialize_with = "present")]
    key_ops: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    alg: Option<String>,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crv: Option<String>,
    #[serde(default, deserialize_with = "present")]
    x: Option<String>,
    #[serde(default, deserialize_with = "present")]
    y: Option<String>,
    #[serde(default, deserialize_with = "present")]
    n: Option<String>,
    #[serde(default, deserialize_with = "present")]
    e: Option<String>,
    #[serde(default, deserialize_with = "present")]
    d: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    p: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    q: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    dp: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    dq: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    qi: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    oth: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    k: Option<IgnoredAny>,
}

/// A set as it stands in JSON.
#[derive(Deserialize)]
struct RawJwkSet {
    keys: Vec<ObjectOnly<RawJwk>>,
}

/// For a member that may be absent: present, it must be of its type. `null` is not absence.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl RawJwk {
    fn parse(self) -> Result<Jwk, JwkError> {
        let kty = self.kty.as_deref().ok_or(JwkError::NoKeyType)?;
        if kty == "oct" {
            return Err(JwkError::Symmetric);
        }
        let private = [
            ("d", &self.d),
            ("p", &self.p),
            ("q", &self.q),
            ("dp", &self.dp),
            ("dq", &self.dq),
            ("qi", &self.qi),
            ("oth", &self.oth),
            ("k", &self.k),
        ];
        if let Some((name, _)) = private.iter().find(|(_, member)| member.is_some()) {
            return Err(JwkError::Private(name));
        }
        let verifies = self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        if !verifies || self.key_use.as_deref().is_some_and(|key_use| key_use != "sig") {
            return Err(JwkError::NotForSignatures);
        }
        let (key, family) = match (kty, self.crv.as_deref()) {
            ("EC", Some("P-256")) => {
                let (x, y) = (octets("x", self.x.as_deref())?, octets("y", self.y.as_deref())?);
                (PublicKey::P256 { x, y }, &[Algorithm::Es256][..])
            }
            ("OKP", Some("Ed25519")) => {
                (PublicKey::Ed25519 { x: octets("x", self.x.as_deref())? }, &[Algorithm::EdDsa][..])
            }
            ("RSA", _) => {
                let (n, e) = (number("n", self.n.as_deref())?, number("e", self.e.as_deref())?);
                check_rsa(&n, &e)?;
                (PublicKey::Rsa { n, e }, &[Algorithm::Rs256, Algorithm::Ps256][..])
            }
            ("EC" | "OKP", None) => return Err(JwkError::Missing("crv")),
            _ => return Err(JwkError::UnsupportedKeyType),
        };
        let alg = self.alg.map(|alg| alg.parse().map_err(|_| JwkError::UnsupportedAlgorithm)).transpose()?;
        if alg.is_some_and(|alg| !family.contains(&alg)) {
            return Err(JwkError::AlgorithmMismatch);
        }
        if self.kid.as_deref().is_some_and(|kid| !is_kid(kid)) {
            return Err(JwkError::Kid);
        }
        Ok(Jwk { kid: self.kid, key_use: self.key_use.map(|_| KeyUse::Sig), alg, key })
    }
}

impl TryFrom<ObjectOnly<RawJwk>> for Jwk {
    type Error = JwkError;

    fn try_from(ObjectOnly(raw): ObjectOnly<RawJwk>) -> Result<Self, JwkError> {
        raw.parse()
    }
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

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Members<'a> {
            kty: &'static str,
            #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
            key_use: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            alg: Option<Algorithm>,
            #[serde(skip_serializing_if = "Option::is_none")]
            kid: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            crv: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            x: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            y: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            n: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            e: Option<String>,
        }
        let (kty, crv, [x, y, n, e]) = match &self.key {
            PublicKey::P256 { x, y } => ("EC", Some("P-256"), [Some(encode(x)), Some(encode(y)), None, None]),
            PublicKey::Ed25519 { x } => ("OKP", Some("Ed25519"), [Some(encode(x)), None, None, None]),
            PublicKey::Rsa { n, e } => ("RSA", None, [None, None, Some(encode(n)), Some(encode(e))]),
        };
        let key_use = self.key_use.map(|KeyUse::Sig| "sig");
        Members { kty, key_use, alg: self.alg, kid: self.kid.as_deref(), crv, x, y, n, e }.serialize(serializer)
    }
}

impl JsonSchema for Jwk {
    fn schema_name() -> Cow<'static, str> {
        "Jwk".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let base64url = json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" });
        json_schema!({
            "type": "object",
            "description": "A public key (RFC 7517): EC with P-256, OKP with Ed25519, or RSA of 2048 to 8192 bits.",
            "properties": {
                "kty": { "enum": ["EC", "OKP", "RSA"] },
                "use": { "const": "sig" },
                "alg": generator.subschema_for::<Algorithm>(),
                "kid": { "type": "string", "minLength": 1, "maxLength": MAX_KID_LEN },
                "crv": { "enum": ["P-256", "Ed25519"] },
                "x": base64url, "y": base64url, "n": base64url, "e": base64url,
            },
            "required": ["kty"],
        })
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

pub(super) fn is_kid(kid: &str) -> bool {
    (1..=MAX_KID_LEN).contains(&kid.len()) && !kid.chars().any(char::is_control)
}

fn decode(name: &'static str, member: Option<&str>) -> Result<Vec<u8>, JwkError> {
    let text = member.ok_or(JwkError::Missing(name))?;
    // An 8192 bit modulus has 1366 characters.
    if text.len() > 1366 {
        return Err(JwkError::Encoding(name));
    }
    BASE64URL.decode(text).map_err(|_| JwkError::Encoding(name))
}

/// RFC 7518 §6.2.1.2: the full length of a coordinate, leading zeros included.
fn octets(name: &'static str, member: Option<&str>) -> Result<[u8; 32], JwkError> {
    decode(name, member)?.try_into().map_err(|_| JwkError::Encoding(name))
}

/// RFC 7518 §2, `Base64urlUInt`: the fewest octets.
fn number(name: &'static str, member: Option<&str>) -> Result<Box<[u8]>, JwkError> {
    let octets = decode(name, member)?;
    if octets.first().is_none_or(|first| *first == 0) {
        return Err(JwkError::Encoding(name));
    }
    Ok(octets.into())
}

fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), JwkError> {
    // `number` left no leading zero octet.
    let bits = n.len() * 8 - n[0].leading_zeros() as usize;
    if !(2048..=8192).contains(&bits) {
        return Err(JwkError::RsaSize(bits));
    }
    // FIPS 186-5 §A.1.1: odd, above 2^16. With 1 anybody can sign, with 3 careless padding checks were fooled.
    let exponent = e.iter().fold(0_u64, |value, octet| value << 8 | u64::from(*octet));
    if e.len() > 5 || exponent < 65_537 || exponent % 2 == 0 {
        return Err(JwkError::RsaExponent);
    }
    Ok(())
}

/// Ed25519 points of order 1, 2, 4 and 8, and their other spellings: with such a "key" a signature says nothing about
/// the message (RFC 8032 §5.1.7 leaves the check to us). The sign bit does not matter.
fn is_small_order(x: &[u8; 32]) -> bool {
    let mut point = *x;
    point[31] &= 0x7f;
    SMALL_ORDER.contains(&point)
}

/// Octets in a `kid`.
pub const MAX_KID_LEN: usize = 256;
/// Keys in one set.
pub const MAX_KEYS: usize = 64;
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
