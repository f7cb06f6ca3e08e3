//! Codes and refresh tokens: made, given to a client, kept as a hash.

use std::fmt;

use ambit_protocol::id::{GrantId, Id as _};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::keys::{Vault, VaultError};
use crate::secret::SecretHash;

/// A code or a refresh token, in the clear: 256 bits that nobody can guess, behind a prefix that tells what it is, to people and
/// to scanners of code and logs. Lives from its creation to the answer that carries it.
pub struct OpaqueToken(Zeroizing<String>);

impl OpaqueToken {
    /// A new authorization code.
    #[must_use]
    pub fn code(entropy: &dyn Entropy) -> Self {
        Self::of(CODE, random(entropy).as_ref())
    }

    fn of(prefix: &str, octets: &[u8]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + octets.len().div_ceil(3) * 4));
        text.push_str(prefix);
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

/// Makes refresh tokens, and tells which grant one was made for.
///
/// A refresh token is the identifier of its grant, 256 secret bits, and a tag over both. So one that is kept no longer, since it
/// was used and what followed it as well, is still known to be one of its family: a family of any age takes the room of two.
pub struct RefreshTokens {
    succession: hmac::Key,
    family: hmac::Key,
}

impl RefreshTokens {
    /// Under keys of their own of the master key.
    ///
    /// # Errors
    /// [`VaultError::Crypto`] where the crypto library fails.
    pub fn new(vault: &Vault) -> Result<Self, VaultError> {
        let key = |purpose| Ok(hmac::Key::new(hmac::HMAC_SHA256, &*vault.subkey(purpose)?));
        Ok(Self {
            succession: key("ambit refresh token succession v1")?,
            family: key("ambit refresh token family v1")?,
        })
    }

    /// The first one of a grant.
    #[must_use]
    pub fn first(&self, grant: GrantId, entropy: &dyn Entropy) -> OpaqueToken {
        self.of(grant, random(entropy).as_ref())
    }

    /// The one that follows another. It is computed, so a client that repeats a request whose answer it did not get is given the
    /// very same successor, and nothing that could be stolen has to be kept for that. Without the key, nobody learns the
    /// successor from the token.
    #[must_use]
    pub fn successor(&self, grant: GrantId, of: &str) -> OpaqueToken {
        self.of(grant, hmac::sign(&self.succession, of.as_bytes()).as_ref())
    }

    /// The grant that a token was made for; none where it is not one of ours. That it was made here does not say that it is good.
    #[must_use]
    pub fn grant_of(&self, token: &str) -> Option<GrantId> {
        let octets = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(token.strip_prefix(REFRESH_TOKEN)?).ok()?);
        let (named, tag) = octets.split_at_checked(GRANT_OCTETS + SECRET_OCTETS)?;
        hmac::verify(&self.family, named, tag).ok()?;
        Uuid::from_slice(&named[..GRANT_OCTETS]).ok().map(GrantId::from_uuid)
    }

    fn of(&self, grant: GrantId, secret: &[u8]) -> OpaqueToken {
        let mut octets = Zeroizing::new([&grant.uuid().as_bytes()[..], secret].concat());
        let tag = hmac::sign(&self.family, &octets);
        octets.extend_from_slice(tag.as_ref());
        OpaqueToken::of(REFRESH_TOKEN, &octets)
    }
}

impl fmt::Debug for RefreshTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshTokens([REDACTED])")
    }
}

fn random(entropy: &dyn Entropy) -> Zeroizing<[u8; SECRET_OCTETS]> {
    let mut random = Zeroizing::new([0; SECRET_OCTETS]);
    entropy.fill(random.as_mut());
    random
}

const CODE: &str = "ambit_ac_";
const REFRESH_TOKEN: &str = "ambit_rt_";
const GRANT_OCTETS: usize = 16;
const SECRET_OCTETS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;

    /// The same octet, over and over.
    #[derive(Debug)]
    struct Same(u8);

    impl Entropy for Same {
        fn fill(&self, buf: &mut [u8]) {
            buf.fill(self.0);
        }
    }

    fn tokens(key: u8) -> RefreshTokens {
        let key = |purpose: &str| hmac::Key::new(hmac::HMAC_SHA256, &[&[key], purpose.as_bytes()].concat());
        RefreshTokens { succession: key("succession"), family: key("family") }
    }

    fn grant(n: u128) -> GrantId {
        GrantId::from_uuid(Uuid::from_u128(n))
    }

    #[test]
    fn a_successor_is_the_same_each_time_and_another_under_another_key() {
        let next = |key: u8| tokens(key).successor(grant(1), "ambit_rt_x");
        assert_eq!(next(1).expose_secret(), next(1).expose_secret());
        assert_ne!(next(1).expose_secret(), next(2).expose_secret());
        assert_ne!(next(1).expose_secret(), tokens(1).successor(grant(1), "ambit_rt_y").expose_secret());
        assert_eq!(next(1).expose_secret().len(), "ambit_rt_".len() + 107);
        assert_eq!(format!("{:?} {:?}", next(1), tokens(1)), "OpaqueToken([REDACTED]) RefreshTokens([REDACTED])");
    }

    #[test]
    fn the_secret_and_the_tag_of_a_successor_are_each_under_a_key_that_nobody_has() {
        let successor = |master: u8| {
            let vault = Vault::new(&MasterKey::generate(&Same(master))).unwrap();
            let token = RefreshTokens::new(&vault).unwrap().successor(grant(1), "ambit_rt_x");
            BASE64_URL_SAFE_NO_PAD.decode(&token.expose_secret()[9..]).unwrap()
        };
        let (one, other) = (successor(1), successor(2));
        assert_eq!(one, successor(1));
        assert_eq!(one[..GRANT_OCTETS], other[..GRANT_OCTETS], "the grant is told to anybody");
        let tag = GRANT_OCTETS + SECRET_OCTETS;
        assert_ne!(one[GRANT_OCTETS..tag], other[GRANT_OCTETS..tag]);
        assert_ne!(one[tag..], other[tag..]);
    }

    #[test]
    fn a_token_names_its_grant_to_whoever_made_it_and_no_other_text_does() {
        let token = tokens(1).successor(grant(7), "ambit_rt_x");
        let text = token.expose_secret();
        assert_eq!(tokens(1).grant_of(text), Some(grant(7)));
        assert_eq!(tokens(2).grant_of(text), None, "made under another key");
        let octets = BASE64_URL_SAFE_NO_PAD.decode(&text[9..]).unwrap();
        for place in 0..octets.len() {
            let mut other = octets.clone();
            other[place] ^= 1;
            let other = OpaqueToken::of(REFRESH_TOKEN, &other);
            assert_eq!(tokens(1).grant_of(other.expose_secret()), None, "octet {place}");
        }
        let cut = OpaqueToken::of(REFRESH_TOKEN, &octets[..79]);
        let as_code = text.replace("ambit_rt_", "ambit_ac_");
        let (longer, padded) = (format!("{text}A"), format!("{text}="));
        for text in ["", "ambit_rt_", "ambit_rt_AA", &text[9..], cut.expose_secret(), &as_code, &longer, &padded] {
            assert_eq!(tokens(1).grant_of(text), None, "{text}");
        }
    }
}
