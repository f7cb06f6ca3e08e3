//! Signing: the one thing this product does more often than anything else.
//!
//! A key is parsed when it is loaded. A header is encoded when the key is loaded. What remains for each token is to
//! encode the claims and to sign.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding,
};
use base64::Engine as _;
use serde::Serialize;
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::der;
use super::jwk::Jwk;
use super::{BASE64URL, encode};

/// A private key together with the one algorithm it signs with.
///
/// ```
/// use ambit_protocol::jose::{Algorithm, SigningKey};
///
/// let key = SigningKey::generate(Algorithm::Es256)?;
/// let header = key.header("at+jwt", "2026-11");
/// let token = key.sign(&header, br#"{"iss":"https://as.example"}"#)?;
/// assert_eq!(token.split('.').count(), 3);
/// # Ok::<(), ambit_protocol::jose::signer::SigningError>(())
/// ```
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa { pair: rsa::KeyPair, padding: &'static dyn RsaEncoding, signature_len: usize },
}

/// How long the modulus of a new RSA key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RsaKeySize {
    /// 2048 bits, the least RFC 7518 §3.3 allows.
    #[default]
    Bits2048,
    /// 3072 bits: about 128 bits of strength, and a third of the speed.
    Bits3072,
}

/// Why a key could not be made, read or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The crypto library could not make a key: its source of randomness failed.
    #[error("a signing key could not be generated")]
    Generate,
    /// The bytes are no PKCS#8 private key of this algorithm, or a weak one.
    #[error("not an acceptable PKCS#8 private key for {0}")]
    KeyRejected(Algorithm),
    /// The key could not be written as PKCS#8.
    #[error("the signing key could not be serialized")]
    Serialize,
    /// A key size was given for an algorithm that is not RSA.
    #[error("{0} keys have no choice of size")]
    NoChoiceOfSize(Algorithm),
    /// The header was prepared for another algorithm.
    #[error("the header says {header} and the key signs {key}")]
    HeaderMismatch {
        /// What the header announces.
        header: Algorithm,
        /// What the key does.
        key: Algorithm,
    },
    /// The crypto library refused to sign.
    #[error("signing failed")]
    Sign,
}

/// A JOSE header, encoded: `{"alg":…,"typ":…,"kid":…}` in base64url. Made by [`SigningKey::header`], once per key and
/// kind of token.
#[derive(Clone, PartialEq, Eq)]
pub struct JwsHeader {
    algorithm: Algorithm,
    encoded: Box<str>,
}

/// The bytes of a private key (PKCS#8, DER). Wiped from memory when dropped, and silent in Debug.
pub struct Pkcs8(Zeroizing<Vec<u8>>);

impl SigningKey {
    /// A new key; an RSA key gets 2048 bits.
    ///
    /// The randomness is the crypto library's own.
    ///
    /// # Errors
    /// [`SigningError::Generate`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, SigningError> {
        let pair = match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Ecdsa),
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Pair::Ed25519),
            Algorithm::Rs256 | Algorithm::Ps256 => return Self::generate_rsa(algorithm, RsaKeySize::default()),
        };
        Ok(Self { algorithm, pair: pair.map_err(|_| SigningError::Generate)? })
    }

    /// A new RSA key of a chosen size.
    ///
    /// # Errors
    /// [`SigningError::NoChoiceOfSize`] when the algorithm is not RSA; [`SigningError::Generate`].
    pub fn generate_rsa(algorithm: Algorithm, size: RsaKeySize) -> Result<Self, SigningError> {
        let padding = padding(algorithm).ok_or(SigningError::NoChoiceOfSize(algorithm))?;
        let size = match size {
            RsaKeySize::Bits2048 => rsa::KeySize::Rsa2048,
            RsaKeySize::Bits3072 => rsa::KeySize::Rsa3072,
        };
        let pair = rsa::KeyPair::generate(size).map_err(|_| SigningError::Generate)?;
        Ok(Self { algorithm, pair: Pair::rsa(pair, padding) })
    }

    /// Reads a key that [`SigningKey::to_pkcs8`], or any other tool, wrote (PKCS#8 in DER, not encrypted).
    ///
    /// # Errors
    /// [`SigningError::KeyRejected`]: not PKCS#8, another kind of key, an inconsistent one, RSA below 2048 bits.
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, SigningError> {
        let rejected = |_| SigningError::KeyRejected(algorithm);
        let pair = match (algorithm, padding(algorithm)) {
            (Algorithm::Es256, _) => {
                Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(rejected)?)
            }
            (_, Some(padding)) => Pair::rsa(rsa::KeyPair::from_pkcs8(der).map_err(rejected)?, padding),
            (_, None) => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(der).map_err(rejected)?),
        };
        Ok(Self { algorithm, pair })
    }

    /// The private key, to be encrypted and stored.
    ///
    /// # Errors
    /// [`SigningError::Serialize`].
    pub fn to_pkcs8(&self) -> Result<Pkcs8, SigningError> {
        // The crypto library's own documents wipe themselves; this is the one copy that outlives them.
        let copy = |der: &[u8]| Pkcs8(Zeroizing::new(der.to_vec()));
        match &self.pair {
            Pair::Ecdsa(pair) => pair.to_pkcs8v1().map(|document| copy(document.as_ref())),
            // Version 1, the form other tools read.
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map(|document| copy(document.as_ref())),
            Pair::Rsa { pair, .. } => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map(|document| copy(document.as_ref())),
        }
        .map_err(|_| SigningError::Serialize)
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half, as published in the JWK Set, with `use` and `alg` said.
    #[must_use]
    pub fn public_jwk(&self, kid: &str) -> Jwk {
        let jwk = match &self.pair {
            Pair::Ecdsa(pair) => Jwk::from_p256_point(pair.public_key().as_ref()),
            Pair::Ed25519(pair) => Jwk::from_ed25519(pair.public_key().as_ref()),
            Pair::Rsa { pair, .. } => der::rsa_public_key(pair.public_key().as_ref()).map(|(n, e)| Jwk::from_rsa(n, e)),
        };
        // The crypto library wrote these octets, in the fixed encodings it documents.
        jwk.expect("the library's own public keys are well formed").described(self.algorithm, kid)
    }

    /// Prepares the header of all tokens of one kind (`typ`, as `at+jwt`) that this key will sign.
    #[must_use]
    pub fn header(&self, typ: &str, kid: &str) -> JwsHeader {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: Algorithm,
            typ: &'a str,
            kid: &'a str,
        }
        let json = serde_json::to_vec(&Header { alg: self.algorithm, typ, kid });
        // Three strings always serialize.
        let encoded = encode(json.expect("strings are JSON")).into_boxed_str();
        JwsHeader { algorithm: self.algorithm, encoded }
    }

    /// Signs a payload: header, claims and signature in compact form (RFC 7515 §7.1).
    ///
    /// One allocation for the answer; the claims are encoded straight into it.
    ///
    /// # Errors
    /// [`SigningError::HeaderMismatch`] for a header of another algorithm; [`SigningError::Sign`].
    pub fn sign(&self, header: &JwsHeader, claims_json: &[u8]) -> Result<String, SigningError> {
        if header.algorithm != self.algorithm {
            return Err(SigningError::HeaderMismatch { header: header.algorithm, key: self.algorithm });
        }
        let capacity = header.encoded.len() + encoded_len(claims_json.len()) + encoded_len(self.signature_len()) + 2;
        let mut token = String::with_capacity(capacity);
        token.push_str(&header.encoded);
        token.push('.');
        BASE64URL.encode_string(claims_json, &mut token);
        match &self.pair {
            Pair::Ecdsa(pair) => {
                // RFC 7518 §3.4: r and s, 32 octets each; not DER.
                let signature = pair.sign(&SystemRandom::new(), token.as_bytes()).map_err(|_| SigningError::Sign)?;
                append(&mut token, signature.as_ref());
            }
            Pair::Ed25519(pair) => {
                let signature = pair.try_sign(token.as_bytes()).map_err(|_| SigningError::Sign)?;
                append(&mut token, signature.as_ref());
            }
            Pair::Rsa { pair, padding, signature_len } => {
                let mut signature = vec![0; *signature_len];
                pair.sign(*padding, &SystemRandom::new(), token.as_bytes(), &mut signature)
                    .map_err(|_| SigningError::Sign)?;
                append(&mut token, &signature);
            }
        }
        Ok(token)
    }

    const fn signature_len(&self) -> usize {
        match &self.pair {
            Pair::Ecdsa(_) | Pair::Ed25519(_) => 64,
            Pair::Rsa { signature_len, .. } => *signature_len,
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Pair {
    fn rsa(pair: rsa::KeyPair, padding: &'static dyn RsaEncoding) -> Self {
        let signature_len = pair.public_modulus_len();
        Self::Rsa { pair, padding, signature_len }
    }
}

impl JwsHeader {
    /// The algorithm it announces.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl fmt::Debug for JwsHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwsHeader({})", self.encoded)
    }
}

impl Pkcs8 {
    /// The bytes. Encrypt them before they go anywhere.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Pkcs8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkcs8([REDACTED])")
    }
}

fn padding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    match algorithm {
        Algorithm::Rs256 => Some(&RSA_PKCS1_SHA256),
        // RFC 7518 §3.5: the salt is as long as the hash, which is the library's setting.
        Algorithm::Ps256 => Some(&RSA_PSS_SHA256),
        Algorithm::Es256 | Algorithm::EdDsa => None,
    }
}

fn append(token: &mut String, signature: &[u8]) {
    token.push('.');
    BASE64URL.encode_string(signature, token);
}

/// Characters of base64url without padding.
const fn encoded_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}
