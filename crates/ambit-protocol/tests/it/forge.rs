//! Tokens as an attacker, or a careless client, would make them: any header, any payload, a real signature.

use std::sync::LazyLock;

use ambit_protocol::jose::{Algorithm, JwkSet, SigningKey, VerifyingKeys};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// An ES256 key whose owner signs whatever is put before it.
pub(crate) struct Forger {
    pair: EcdsaKeyPair,
}

impl Forger {
    pub(crate) fn new() -> Self {
        Self { pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key") }
    }

    /// The key as JSON, with more members.
    pub(crate) fn jwk(&self, more: &str) -> String {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"{more}}}"#)
    }

    /// The key, named `k1`.
    pub(crate) fn keys(&self) -> VerifyingKeys {
        keys(&[self.jwk(r#","kid":"k1""#)])
    }

    pub(crate) fn token(&self, header: &str, payload: impl AsRef<[u8]>) -> String {
        let input = format!("{}.{}", encode(header), encode(payload));
        let signature = self.sign(&input);
        format!("{input}.{signature}")
    }

    pub(crate) fn sign(&self, input: &str) -> String {
        encode(self.pair.sign(&SystemRandom::new(), input.as_bytes()).expect("a signature"))
    }
}

pub(crate) fn keys(jwks: &[String]) -> VerifyingKeys {
    let set: JwkSet = serde_json::from_str(&format!(r#"{{"keys":[{}]}}"#, jwks.join(","))).expect("a key set");
    VerifyingKeys::new(&set).expect("keys")
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key of each algorithm, made once: RSA keys take their time.
pub(crate) fn sample(algorithm: Algorithm) -> &'static SigningKey {
    static SAMPLES: LazyLock<[SigningKey; 4]> =
        LazyLock::new(|| Algorithm::ALL.map(|algorithm| SigningKey::generate(algorithm).expect("a key")));
    SAMPLES.iter().find(|key| key.algorithm() == algorithm).expect("one of each")
}
