//! Bare signatures: what the crypto library does on one core, with nothing around it.

use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// What tokens are signed with here; the product's own key sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    #[value(name = "ES256")]
    #[serde(rename = "ES256")]
    Es256,
    #[value(name = "EdDSA")]
    #[serde(rename = "EdDSA")]
    EdDsa,
    #[value(name = "RS256")]
    #[serde(rename = "RS256")]
    Rs256,
}

impl Algorithm {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }
}

/// A fresh private key.
pub(crate) enum Key {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl Key {
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, Failure> {
        let failed = |_| format!("no key for {}", algorithm.as_str());
        Ok(match algorithm {
            Algorithm::Es256 => Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?),
            Algorithm::EdDsa => Self::EdDsa(Ed25519KeyPair::generate().map_err(failed)?),
            Algorithm::Rs256 => Self::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?),
        })
    }

    /// Appends the signature of `message` to `signature`.
    pub(crate) fn sign(&self, message: &[u8], signature: &mut Vec<u8>) -> Result<(), Failure> {
        let failed = |_| "a signature failed";
        match self {
            Self::Es256(key) => signature.extend(key.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref()),
            Self::EdDsa(key) => signature.extend(key.try_sign(message).map_err(failed)?.as_ref()),
            Self::Rs256(key) => {
                let start = signature.len();
                signature.resize(start + key.public_modulus_len(), 0);
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature[start..]).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// Signs for so long, and prints how many a second.
pub(crate) fn run(algorithm: Algorithm, seconds: f64) -> Result<(), Failure> {
    let key = Key::generate(algorithm)?;
    let duration = Duration::from_secs_f64(seconds);
    let mut signature = Vec::new();
    let start = Instant::now();
    let mut count = 0_u64;
    let elapsed = loop {
        for _ in 0..BETWEEN_LOOKS {
            signature.clear();
            key.sign(&MESSAGE, &mut signature)?;
        }
        count += BETWEEN_LOOKS;
        let elapsed = start.elapsed();
        if elapsed >= duration {
            break elapsed;
        }
    };
    println!("{}", count as f64 / elapsed.as_secs_f64());
    Ok(())
}

/// As long as the head and the claims of a token.
const MESSAGE: [u8; 500] = [b'x'; 500];
const BETWEEN_LOOKS: u64 = 16;
