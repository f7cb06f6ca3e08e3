//! PKCE (RFC 7636): what binds a code to the client that began. `S256` alone: RFC 9700 §2.1.1 has `plain` expose what it
//! should protect.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// The one method: `code_challenge = BASE64URL(SHA256(code_verifier))` (RFC 7636 §4.2).
pub const CODE_CHALLENGE_METHOD: &str = "S256";

/// A `code_challenge`: 43 characters of base64url, the SHA-256 of a verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CodeChallenge([u8; 32]);

/// A `code_verifier`: 43 to 128 unreserved characters (RFC 7636 §4.1). `Debug` does not show it.
#[derive(Clone)]
pub struct CodeVerifier(SecretString);

/// Why a text is neither. It is never shown: a verifier is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PkceError {
    /// No SHA-256 in base64url.
    #[error("'code_challenge' must be the SHA-256 of the verifier: 43 characters of base64url without padding")]
    Challenge,
    /// No verifier.
    #[error("'code_verifier' must have 43 to 128 letters, digits and the characters - . _ ~ (RFC 7636 section 4.1)")]
    Verifier,
}

impl CodeChallenge {
    /// The challenge of a verifier (RFC 7636 §4.2), for a client that begins.
    ///
    /// ```
    /// use ambit_protocol::pkce::{CodeChallenge, CodeVerifier};
    ///
    /// // RFC 7636 Appendix B.
    /// let verifier: CodeVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".parse()?;
    /// assert_eq!(String::from(CodeChallenge::of(&verifier)), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    /// # Ok::<(), ambit_protocol::pkce::PkceError>(())
    /// ```
    #[must_use]
    pub fn of(verifier: &CodeVerifier) -> Self {
        let mut challenge = [0; 32];
        challenge.copy_from_slice(digest(&SHA256, verifier.0.expose_secret().as_bytes()).as_ref());
        Self(challenge)
    }

    /// Whether this is the challenge of a verifier. Compares in constant time.
    ///
    /// ```
    /// use ambit_protocol::pkce::{CodeChallenge, CodeVerifier};
    ///
    /// // RFC 7636 Appendix B.
    /// let challenge: CodeChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".parse()?;
    /// let verifier: CodeVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".parse()?;
    /// assert!(challenge.matches(&verifier));
    /// # Ok::<(), ambit_protocol::pkce::PkceError>(())
    /// ```
    #[must_use]
    pub fn matches(&self, verifier: &CodeVerifier) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(verifier).0).is_ok()
    }
}

impl CodeVerifier {
    /// The text itself, for the client that redeems a code with it.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl FromStr for CodeChallenge {
    type Err = PkceError;

    fn from_str(text: &str) -> Result<Self, PkceError> {
        let octets = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| PkceError::Challenge)?;
        octets.try_into().map(Self).map_err(|_| PkceError::Challenge)
    }
}

impl TryFrom<String> for CodeChallenge {
    type Error = PkceError;

    fn try_from(text: String) -> Result<Self, PkceError> {
        text.parse()
    }
}

impl From<CodeChallenge> for String {
    fn from(challenge: CodeChallenge) -> Self {
        BASE64_URL_SAFE_NO_PAD.encode(challenge.0)
    }
}

impl FromStr for CodeVerifier {
    type Err = PkceError;

    fn from_str(text: &str) -> Result<Self, PkceError> {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if (43..=128).contains(&text.len()) && text.bytes().all(is_unreserved) {
            Ok(Self(text.into()))
        } else {
            Err(PkceError::Verifier)
        }
    }
}

impl PartialEq for CodeVerifier {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.0.expose_secret().as_bytes(), other.0.expose_secret().as_bytes()).is_ok()
    }
}

impl Eq for CodeVerifier {}

impl fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeVerifier([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_the_base64url_of_32_octets_and_nothing_else() {
        let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(good.parse::<CodeChallenge>().map(String::from), Ok(good.to_owned()));
        let padded = format!("{good}=");
        let standard = good.replace('-', "+");
        for bad in ["", &good[1..], padded.as_str(), standard.as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN"] {
            assert_eq!(bad.parse::<CodeChallenge>(), Err(PkceError::Challenge), "{bad}");
        }
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        for (length, is_good) in [(42, false), (43, true), (128, true), (129, false)] {
            assert_eq!("a".repeat(length).parse::<CodeVerifier>().is_ok(), is_good, "{length}");
        }
        assert!(format!("{}+", "a".repeat(43)).parse::<CodeVerifier>().is_err());
        let verifier: CodeVerifier = "a".repeat(43).parse().expect("a verifier");
        assert!(!format!("{verifier:?}").contains("aaa"));
    }
}
