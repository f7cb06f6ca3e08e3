//! Tokens as an attacker, or a careless client, would make them: any header, any payload, a real signature.

use ambit_protocol::client::CLIENT_ASSERTION_TYPE;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// An ES256 key whose owner signs whatever is put before it.
#[derive(Debug)]
pub(crate) struct Forger {
    pair: EcdsaKeyPair,
    kid: String,
}

impl Forger {
    pub(crate) fn new(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { pair, kid: kid.to_owned() }
    }

    pub(crate) fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "x": encode(&point[1..33]), "y": encode(&point[33..])})
    }

    /// The key set with this one key.
    pub(crate) fn jwks(&self) -> Value {
        json!({"keys": [self.jwk()]})
    }

    pub(crate) fn token(&self, header: &str, payload: impl AsRef<[u8]>) -> String {
        let input = format!("{}.{}", encode(header), encode(payload));
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).expect("a signature");
        format!("{input}.{}", encode(signature))
    }

    /// Signed as an honest client would.
    pub(crate) fn sign(&self, payload: &Value) -> String {
        self.token(&json!({"alg": "ES256", "kid": self.kid}).to_string(), payload.to_string())
    }
}

/// A token whose "signature" is an HMAC with something public for a secret.
pub(crate) fn hs256(header: &Value, payload: &Value, secret: &[u8]) -> String {
    let input = format!("{}.{}", encode(header.to_string()), encode(payload.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    format!("{input}.{}", encode(tag))
}

/// The fields of a form that present an assertion.
pub(crate) fn assertion_fields(assertion: &str) -> Vec<(String, String)> {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![field("client_assertion_type", CLIENT_ASSERTION_TYPE), field("client_assertion", assertion)]
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The JSON in a part of a token.
pub(crate) fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).expect("three parts");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}
