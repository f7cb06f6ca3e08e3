//! A public key as JSON (RFC 7517).
//!
//! 1. JSON becomes a [`Jwk`]: members have their types and sizes, nothing private came along.
//! 2. A [`Jwk`] becomes a [`VerifyingKey`](super::VerifyingKey): the crypto library took the key, and it is bound to one
//!    algorithm.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::algorithm::Algorithm;
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
    pub(super) key: PublicKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyUse {
    Sig,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PublicKey {
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

/// A JWK as it stands in JSON.
#[derive(Deserialize)]
pub(super) struct RawJwk {
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

/// For a member that may be absent: present, it must be of its type. `null` is not absence.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl RawJwk {
    pub(super) fn parse(self) -> Result<Jwk, JwkError> {
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

pub(super) fn is_kid(kid: &str) -> bool {
    (1..=MAX_KID_LEN).contains(&kid.len()) && !kid.chars().any(char::is_control)
}

fn decode(name: &'static str, member: Option<&str>) -> Result<Vec<u8>, JwkError> {
    let text = member.ok_or(JwkError::Missing(name))?;
    // The longest modulus accepted has 1366 characters; a little more may still learn that it is too long.
    if text.len() > 4096 {
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

/// Octets in a `kid`.
pub const MAX_KID_LEN: usize = 256;
