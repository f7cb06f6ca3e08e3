//! Codes and refresh tokens: generated, given to a client, kept as a hash.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::secret::SecretHash;

/// A code, a refresh token or what a browser holds, in the clear: 256 random bits behind a prefix that tells what it is, to
/// people and to scanners of code and logs. Lives from its creation to the answer that carries it.
pub struct OpaqueToken(Zeroizing<String>);

/// What an opaque token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An authorization code.
    Code,
    /// A refresh token.
    RefreshToken,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Code => "ambit_ac_",
            Self::RefreshToken => "ambit_rt_",
        }
    }
}

impl OpaqueToken {
    /// A new one.
    #[must_use]
    pub fn generate(kind: Kind, entropy: &dyn Entropy) -> Self {
        let mut random = Zeroizing::new([0; 32]);
        entropy.fill(random.as_mut());
        Self::of(kind, random.as_ref())
    }

    /// The refresh token that follows another one. It is computed, so a client that repeats a request whose answer it did not
    /// get is given the very same successor, and nothing that could be stolen has to be kept for that. Without the key, nobody
    /// learns the successor from the token.
    #[must_use]
    pub fn successor(of: &str, key: &[u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        Self::of(Kind::RefreshToken, hmac::sign(&key, of.as_bytes()).as_ref())
    }

    fn of(kind: Kind, octets: &[u8]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(kind.prefix().len() + 43));
        text.push_str(kind.prefix());
        BASE64_URL_SAFE_NO_PAD.encode_string(octets, &mut text);
        Self(text)
    }

    /// The text, for the one answer that carries it.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpaqueToken([REDACTED])")
    }
}

/// What the key is for under which successors are computed; see [`crate::keys::Vault::subkey`].
pub const SUCCESSION: &str = "ambit refresh token succession v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_is_the_same_each_time_and_another_under_another_key() {
        let next = |key: u8| OpaqueToken::successor("ambit_rt_x", &[key; 32]);
        assert_eq!(next(1).expose_secret(), next(1).expose_secret());
        assert_ne!(next(1).expose_secret(), next(2).expose_secret());
        assert_ne!(next(1).expose_secret(), OpaqueToken::successor("ambit_rt_y", &[1; 32]).expose_secret());
        assert_eq!(next(1).expose_secret().len(), "ambit_rt_".len() + 43);
        assert_eq!(format!("{:?}", next(1)), "OpaqueToken([REDACTED])");
    }
}
