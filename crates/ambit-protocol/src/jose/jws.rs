//! Signed objects in compact form (RFC 7515 §7.1): taken apart under hard limits, and not believed before their
//! signature is.
//!
//! 1. Length, then exactly three segments. Five would be encryption, which is refused before anything is decoded.
//! 2. The header: strict JSON, no `crit`, no `b64`, no `zip`; `alg` one of ours; the `typ` that is expected here.
//! 3. Keys: those the [`KeySource`] has for this `kid`, as far as their own algorithm is the header's.
//! 4. The signature. Only then is the payload decoded.

use base64::Engine as _;

use super::BASE64URL;
use super::algorithm::Algorithm;
use super::jwk::is_kid;
use super::strict_json::{Malformed, Object};
use super::verifying::VerifyingKey;

/// Where keys come from.
///
/// A source answers for *one* issuer or client; which one, the caller decided without believing the token. Whether a
/// key may verify the token's `alg` is not its business: the verifier compares them.
pub trait KeySource {
    /// The keys that may have signed a token whose header names this key, or none.
    fn find(&self, kid: Option<&str>) -> impl Iterator<Item = &VerifyingKey>;
}

/// What a verifier demands before it looks at a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JwsRules<'a> {
    /// The longest token looked at, in octets. [`MAX_TOKEN_LEN`] is usual.
    pub max_len: usize,
    /// The kinds of token that are accepted here: values of `typ` without `application/` (RFC 8725 §3.11).
    pub typ: &'a [&'a str],
    /// Whether a token without `typ` passes.
    pub typ_may_be_absent: bool,
}

/// A payload whose signature was verified, and nothing else: its claims have not been looked at.
///
/// Only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPayload {
    bytes: Vec<u8>,
    algorithm: Algorithm,
    kid: Option<String>,
}

/// Why a token's outside is not accepted. The texts repeat nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Longer than the limit.
    #[error("the token is too long")]
    TooLong,
    /// Not three segments of base64url without padding around a header in JSON.
    #[error("the token is not a JSON Web Token: three parts in base64url, separated by dots")]
    Malformed,
    /// Five segments, or a header that speaks of encryption or compression.
    #[error("the token is encrypted or compressed; only signed tokens are accepted")]
    Encrypted,
    /// `crit` is there, or `b64`: RFC 7515 §4.1.11 wants refusal of what is not understood, and no extension is.
    #[error("the token's header demands extensions that are not supported ('crit', 'b64')")]
    Critical,
    /// No `alg`, or none of [`Algorithm::ALL`].
    #[error("the token's signature algorithm is not accepted; use ES256, RS256, PS256 or EdDSA")]
    Algorithm,
    /// Another kind of token than is expected here.
    #[error("this is another kind of token than is accepted here (its header's 'typ')")]
    Typ,
    /// The key source has no such key.
    #[error("the token was signed with a key that is not known here")]
    UnknownKey,
    /// There is such a key, for another algorithm.
    #[error("the token's algorithm is not the one its key is for")]
    KeyAlgorithm,
    /// The signature is not that key's.
    #[error("the token's signature is not valid")]
    Signature,
}

/// Takes a token apart and verifies its signature; steps 1 to 4 of the module's page.
///
/// ```
/// use ambit_protocol::jose::jws::{self, JwsError, JwsRules, MAX_TOKEN_LEN};
/// use ambit_protocol::jose::{Algorithm, JwkSet, SigningKey, VerifyingKeys};
///
/// let signer = SigningKey::generate(Algorithm::Es256)?;
/// let token = signer.sign(&signer.header("at+jwt", "k1"), b"{}")?;
/// let keys = VerifyingKeys::new(&JwkSet::new(vec![signer.public_jwk("k1")])?)?;
///
/// let rules = JwsRules { max_len: MAX_TOKEN_LEN, typ: &["at+jwt"], typ_may_be_absent: false };
/// assert_eq!(jws::verify(&token, rules, &keys)?.bytes(), b"{}");
/// let rules = JwsRules { typ: &["logout+jwt"], ..rules };
/// assert_eq!(jws::verify(&token, rules, &keys), Err(JwsError::Typ));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The first [`JwsError`] met.
pub fn verify<K: KeySource + ?Sized>(token: &str, rules: JwsRules<'_>, keys: &K) -> Result<SignedPayload, JwsError> {
    if token.len() > rules.max_len {
        return Err(JwsError::TooLong);
    }
    let Segments { signing_input, header, payload, signature } = Segments::split(token)?;
    let Header { algorithm, typ, kid } = Header::parse(header)?;
    if !rules.accept(typ.as_deref()) {
        return Err(JwsError::Typ);
    }
    let signature = BASE64URL.decode(signature).map_err(|_| JwsError::Malformed)?;

    let mut found = Err(JwsError::UnknownKey);
    let mut tried = 0;
    for key in keys.find(kid.as_deref()) {
        if key.algorithm() != algorithm {
            if found == Err(JwsError::UnknownKey) {
                found = Err(JwsError::KeyAlgorithm);
            }
            continue;
        }
        if tried == MAX_CANDIDATES {
            break;
        }
        tried += 1;
        found = Err(JwsError::Signature);
        if key.verifies(signing_input.as_bytes(), &signature) {
            found = Ok(());
            break;
        }
    }
    found?;
    let bytes = BASE64URL.decode(payload).map_err(|_| JwsError::Malformed)?;
    Ok(SignedPayload { bytes, algorithm, kid })
}

/// The payload of a token *nobody has verified*, for one purpose: to learn whose keys to verify it with.
pub(crate) fn unverified_payload(token: &str, max_len: usize) -> Result<Vec<u8>, JwsError> {
    if token.len() > max_len {
        return Err(JwsError::TooLong);
    }
    BASE64URL.decode(Segments::split(token)?.payload).map_err(|_| JwsError::Malformed)
}

impl JwsRules<'_> {
    /// RFC 7515 §4.1.9: media types compare without regard to case, and `application/` may be left out.
    fn accept(&self, typ: Option<&str>) -> bool {
        const PREFIX: &str = "application/";
        let Some(typ) = typ else { return self.typ_may_be_absent };
        let bare = match typ.split_at_checked(PREFIX.len()) {
            Some((prefix, bare)) if prefix.eq_ignore_ascii_case(PREFIX) && !bare.contains('/') => bare,
            _ => typ,
        };
        self.typ.iter().any(|accepted| accepted.eq_ignore_ascii_case(bare))
    }
}

impl SignedPayload {
    /// What was signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The algorithm of the key that verified it.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key the header names.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(crate) fn into_kid(self) -> Option<String> {
        self.kid
    }
}

/// The three parts, still encoded.
struct Segments<'a> {
    signing_input: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Segments<'a> {
    fn split(token: &'a str) -> Result<Self, JwsError> {
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsError::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsError::Malformed)?;
        // RFC 7516 §7.1: five parts are a JWE.
        match payload.bytes().filter(|octet| *octet == b'.').count() {
            0 if header.is_empty() || signature.is_empty() => Err(JwsError::Malformed),
            0 => Ok(Self { signing_input, header, payload, signature }),
            2 => Err(JwsError::Encrypted),
            _ => Err(JwsError::Malformed),
        }
    }
}

/// The members of a header that mean something here.
struct Header {
    algorithm: Algorithm,
    typ: Option<String>,
    kid: Option<String>,
}

impl Header {
    fn parse(segment: &str) -> Result<Self, JwsError> {
        let json = BASE64URL.decode(segment).map_err(|_| JwsError::Malformed)?;
        let object = Object::parse(&json).map_err(|Malformed| JwsError::Malformed)?;
        if ["enc", "zip"].iter().any(|name| object.contains(name)) {
            return Err(JwsError::Encrypted);
        }
        // RFC 7515 §4.1.11: an empty `crit`, or one that names what the header does not hold, is no better.
        if ["crit", "b64"].iter().any(|name| object.contains(name)) {
            return Err(JwsError::Critical);
        }
        let algorithm = object.require::<Algorithm>("alg").map_err(|_| JwsError::Algorithm)?;
        let typ = object.find("typ").map_err(|_| JwsError::Typ)?;
        let kid: Option<String> = object.find("kid").map_err(|_| JwsError::Malformed)?;
        // Not an unknown key, for which somebody would go and fetch fresher ones.
        if kid.as_deref().is_some_and(|kid| !is_kid(kid)) {
            return Err(JwsError::Malformed);
        }
        Ok(Self { algorithm, typ, kid })
    }
}

/// The longest token usually looked at, in octets: what fits in a header line of common servers.
pub const MAX_TOKEN_LEN: usize = 16 * 1024;
/// Keys tried on one token that names none.
const MAX_CANDIDATES: usize = 8;
