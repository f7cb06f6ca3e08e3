//! Client secrets: generated, never chosen; shown once; kept as a hash.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::entropy::Entropy;

/// A client secret in the clear. Lives from its creation to the answer that shows it.
///
/// `ambit_cs_`, 43 characters that carry 256 random bits, and 6 characters of checksum: scanners of code and logs recognise it
/// without asking us.
pub struct ClientSecret(Zeroizing<String>);

impl ClientSecret {
    /// A new secret.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut random = Zeroizing::new([0; 32]);
        entropy.fill(random.as_mut());
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 43 + CHECKSUM));
        text.push_str(PREFIX);
        BASE64_URL_SAFE_NO_PAD.encode_string(*random, &mut text);
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self(text)
    }

    /// A secret that the operator hands in at the first start, for automation.
    ///
    /// # Errors
    /// [`WeakSecret`] below 32 characters.
    pub fn handed_in(text: &str) -> Result<Self, WeakSecret> {
        if text.chars().count() < 32 {
            return Err(WeakSecret);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The text, for the one answer that shows it.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }

    /// The last four characters, to tell two secrets apart.
    #[must_use]
    pub fn hint(&self) -> String {
        let tail: Vec<char> = self.0.chars().rev().take(4).collect();
        tail.into_iter().rev().collect()
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret([REDACTED])")
    }
}

/// A handed-in secret that is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret that is handed in must have at least 32 characters")]
pub struct WeakSecret;

/// The SHA-256 of a secret. A secret carries 256 random bits, so one round is enough: there is nothing to guess.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of a presented secret.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        Self(hash)
    }

    /// A hash to compare with where there is no secret: nobody knows an octet string that has it.
    #[must_use]
    pub const fn nobodys() -> Self {
        Self([0; 32])
    }

    /// From the octets that are kept.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The octets to keep.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash([REDACTED])")
    }
}

/// Whether a text is a secret of ours that was copied whole: what a scanner checks.
#[must_use]
pub fn is_well_formed(text: &str) -> bool {
    text.is_ascii()
        && text.len() == PREFIX.len() + 43 + CHECKSUM
        && text.starts_with(PREFIX)
        && checksum(&text[..text.len() - CHECKSUM]) == text[text.len() - CHECKSUM..]
}

/// The first 36 bits of the SHA-256, in base64url.
fn checksum(text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    let mut encoded = BASE64_URL_SAFE_NO_PAD.encode(&hash.as_ref()[..5]);
    encoded.truncate(CHECKSUM);
    encoded
}

const PREFIX: &str = "ambit_cs_";
const CHECKSUM: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Sevens;

    impl Entropy for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[test]
    fn a_secret_is_recognised_whole_and_only_whole() {
        let secret = ClientSecret::generate(&Sevens);
        let text = secret.expose_secret();
        assert!(is_well_formed(text));
        assert!(!is_well_formed(&text[1..]));
        assert!(!is_well_formed(&text.replace("Bw", "Bx")));
        assert_eq!(secret.hint(), text[text.len() - 4..]);
        assert!(!format!("{secret:?} {:?}", secret.hash()).contains(&text[9..20]));
    }

    #[test]
    fn only_the_same_secret_matches() {
        let secret = ClientSecret::generate(&Sevens);
        assert!(secret.hash().matches(&SecretHash::of(secret.expose_secret())));
        let mut wrong = secret.expose_secret().to_owned();
        wrong.pop();
        assert!(!secret.hash().matches(&SecretHash::of(&wrong)));
        assert!(!secret.hash().matches(&SecretHash::of("")));
    }

    #[test]
    fn a_handed_in_secret_has_32_characters() {
        assert!(ClientSecret::handed_in(&"x".repeat(31)).is_err());
        assert!(ClientSecret::handed_in(&"x".repeat(32)).is_ok());
    }
}
