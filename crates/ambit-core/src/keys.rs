//! Signing keys: kept encrypted, opened once, used for every token.

use std::fmt;
use std::sync::Arc;

use ambit_protocol::admin::key::{Key, KeyState};
use ambit_protocol::jose::jwk_set::JwkSetError;
use ambit_protocol::jose::{Algorithm, JwkSet, JwsHeader, SigningKey, VerifyingKeys};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::entropy::Entropy;

/// The key that encrypts everything secret at rest. It lives outside the database: who has only one of the two has nothing.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// A new key.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut());
        Self(bytes)
    }

    /// From its text: 43 characters of base64url.
    ///
    /// # Errors
    /// [`VaultError::MasterKey`] for any other text.
    pub fn parse(text: &str) -> Result<Self, VaultError> {
        let bytes = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| VaultError::MasterKey)?);
        Ok(Self(Zeroizing::new(bytes.as_slice().try_into().map_err(|_| VaultError::MasterKey)?)))
    }

    /// Its text, for the file that keeps it.
    #[must_use]
    pub fn expose_secret(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*self.0))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey([REDACTED])")
    }
}

/// Encrypts what must not be readable at rest (AES-256-GCM, a random nonce each time, bound to what it is for).
pub struct Vault {
    sealing: LessSafeKey,
    master: Zeroizing<[u8; 32]>,
}

impl Vault {
    /// A vault under a master key.
    ///
    /// # Errors
    /// [`VaultError::Crypto`] where the crypto library fails.
    pub fn new(master: &MasterKey) -> Result<Self, VaultError> {
        let key = derive(&master.0, b"ambit seal v1")?;
        let sealing = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| VaultError::Crypto)?;
        Ok(Self { sealing: LessSafeKey::new(sealing), master: master.0.clone() })
    }

    /// Encrypts `plain`. It opens only with the same `purpose`, so what is sealed for one row cannot be put into another.
    ///
    /// # Errors
    /// [`VaultError::Crypto`] where the crypto library fails.
    pub fn seal(&self, purpose: &str, plain: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; 12];
        entropy.fill(&mut nonce);
        let mut sealed = plain.to_vec();
        self.sealing
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose), &mut sealed)
            .map_err(|_| VaultError::Crypto)?;
        let mut whole = Vec::with_capacity(1 + nonce.len() + sealed.len());
        whole.push(VERSION);
        whole.extend_from_slice(&nonce);
        whole.extend_from_slice(&sealed);
        Ok(whole)
    }

    /// Decrypts what was sealed for `purpose`.
    ///
    /// # Errors
    /// [`VaultError::Sealed`] where it was altered, sealed for something else, or under another master key.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (VERSION, rest) = sealed.split_first().map(|(v, rest)| (*v, rest)).ok_or(VaultError::Sealed)? else {
            return Err(VaultError::Sealed);
        };
        let (nonce, sealed) = rest.split_at_checked(12).ok_or(VaultError::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Sealed)?;
        let mut plain = Zeroizing::new(sealed.to_vec());
        let length =
            self.sealing.open_in_place(nonce, Aad::from(purpose), &mut plain).map_err(|_| VaultError::Sealed)?.len();
        plain.truncate(length);
        Ok(plain)
    }

    /// A key of its own for another purpose, such as authenticating cursors.
    ///
    /// # Errors
    /// [`VaultError::Crypto`] where the crypto library fails.
    pub fn subkey(&self, purpose: &str) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        derive(&self.master, purpose.as_bytes())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault([REDACTED])")
    }
}

/// What goes wrong with encryption at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Not a master key.
    #[error("a master key is 43 characters of base64url (32 octets)")]
    MasterKey,
    /// It does not open.
    #[error("does not open: altered, or sealed under another master key")]
    Sealed,
    /// The crypto library failed.
    #[error("the crypto library failed")]
    Crypto,
}

/// The keys that sign and verify, at one revision of the registry.
#[derive(Debug, Default)]
pub struct KeyRing {
    signers: Vec<Arc<Signer>>,
    published: JwkSet,
    verifying: Arc<VerifyingKeys>,
}

/// An active key, opened, with the header of the tokens it signs.
#[derive(Debug)]
pub struct Signer {
    /// Its `kid`.
    pub kid: String,
    /// The key.
    pub key: SigningKey,
    /// The header of access tokens (RFC 9068 §2.1).
    pub access_token_header: JwsHeader,
}

impl KeyRing {
    /// Opens the active keys and publishes all but the revoked ones.
    ///
    /// # Errors
    /// [`KeyRingError`] names the key that cannot be used.
    pub fn open(keys: Vec<(Key, Option<Vec<u8>>)>, vault: &Vault) -> Result<Self, KeyRingError> {
        let (ring, unusable) = Self::open_after(&Self::default(), keys, &[], vault)?;
        unusable.into_iter().next().map_or(Ok(ring), Err)
    }

    /// The same where some keys are not as they were written: `damaged` names those that cannot be read. Whatever the earlier ring
    /// has of them in memory goes on. Answers the active keys that do not open as well; those sign nothing at the next start.
    ///
    /// # Errors
    /// [`KeyRingError`] where there are active keys and none opens: that is another master key.
    pub fn open_after(
        earlier: &Self,
        keys: Vec<(Key, Option<Vec<u8>>)>,
        damaged: &[String],
        vault: &Vault,
    ) -> Result<(Self, Vec<KeyRingError>), KeyRingError> {
        let (mut ring, mut unusable, mut published) = (Self::default(), vec![], vec![]);
        let in_memory = |kid: &str| earlier.signers.iter().find(|signer| signer.kid == kid).cloned();
        for (key, sealed) in keys.into_iter().filter(|(key, _)| key.state != KeyState::Revoked) {
            if key.state == KeyState::Active {
                match Signer::open(&key, sealed.as_deref(), vault) {
                    Ok(signer) => ring.signers.push(Arc::new(signer)),
                    Err(reason) => {
                        let kid = key.id.to_string();
                        ring.signers.extend(in_memory(&kid));
                        unusable.push(KeyRingError { kid, reason });
                    }
                }
            }
            published.push(key.jwk);
        }
        for kid in damaged {
            published.extend(earlier.published.keys().iter().find(|jwk| jwk.kid() == Some(kid)).cloned());
            let signer = in_memory(kid).filter(|signer| ring.signer(signer.key.algorithm()).is_none());
            ring.signers.extend(signer);
        }
        if ring.signers.is_empty()
            && let Some(first) = unusable.first()
        {
            return Err(first.clone());
        }
        let whole_set = |error: JwkSetError| KeyRingError { kid: "set".to_owned(), reason: error.to_string() };
        ring.published = JwkSet::new(published).map_err(whole_set)?;
        // With the very keys of the earlier ring, if they are the same: what was verified with those stays verified.
        ring.verifying = if ring.published == earlier.published {
            Arc::clone(&earlier.verifying)
        } else {
            Arc::new(VerifyingKeys::new(&ring.published).map_err(whole_set)?)
        };
        Ok((ring, unusable))
    }

    /// The key that signs with an algorithm.
    #[must_use]
    pub fn signer(&self, algorithm: Algorithm) -> Option<&Arc<Signer>> {
        self.signers.iter().find(|signer| signer.key.algorithm() == algorithm)
    }

    /// The algorithms that tokens may be signed with.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(|algorithm| self.signer(*algorithm).is_some())
    }

    /// The public halves: next, active and retiring.
    #[must_use]
    pub const fn published(&self) -> &JwkSet {
        &self.published
    }

    /// The same, ready to verify.
    #[must_use]
    pub const fn verifying(&self) -> &Arc<VerifyingKeys> {
        &self.verifying
    }
}

impl Signer {
    fn open(key: &Key, sealed: Option<&[u8]>, vault: &Vault) -> Result<Self, String> {
        let sealed = sealed.ok_or("its private half is missing")?;
        let pkcs8 = vault.open(&purpose(key), sealed).map_err(|error| error.to_string())?;
        let signing = SigningKey::from_pkcs8(key.algorithm, &pkcs8).map_err(|error| error.to_string())?;
        let kid = key.id.to_string();
        let access_token_header = signing.header(ACCESS_TOKEN_TYPE, &kid);
        Ok(Self { kid, key: signing, access_token_header })
    }
}

/// A key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signing key {kid} cannot be used: {reason}")]
pub struct KeyRingError {
    /// Its `kid`.
    pub kid: String,
    /// Why.
    pub reason: String,
}

/// What a key's private half is sealed for.
#[must_use]
pub fn purpose(key: &Key) -> String {
    format!("signing key {} {}", key.id, key.algorithm)
}

fn derive(master: &[u8; 32], purpose: &[u8]) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let mut derived = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, &[])
        .extract(master)
        .expand(&[purpose], Length)
        .and_then(|okm| okm.fill(derived.as_mut()))
        .map_err(|_| VaultError::Crypto)?;
    Ok(derived)
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

/// RFC 9068 §2.1: "JWT access tokens MUST include this media type in the `typ` header parameter".
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Counting(std::sync::atomic::AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let entropy = Counting(1.into());
        let vault = Vault::new(&MasterKey::generate(&entropy)).unwrap();
        let sealed = vault.seal("row 1", b"secret", &entropy).unwrap();
        assert_eq!(vault.open("row 1", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(vault.open("row 2", &sealed), Err(VaultError::Sealed));
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert_eq!(vault.open("row 1", &altered), Err(VaultError::Sealed), "octet {place}");
        }
        for length in 0..sealed.len() {
            assert_eq!(vault.open("row 1", &sealed[..length]), Err(VaultError::Sealed));
        }
        let other = Vault::new(&MasterKey::generate(&entropy)).unwrap();
        assert_eq!(other.open("row 1", &sealed), Err(VaultError::Sealed));
    }

    #[test]
    fn a_master_key_reads_back_from_its_text() {
        let key = MasterKey::generate(&Counting(9.into()));
        assert_eq!(*MasterKey::parse(&key.expose_secret()).unwrap().0, *key.0);
        assert!(MasterKey::parse("short").is_err());
        assert!(!format!("{key:?}").contains(&key.expose_secret()[..8]));
    }
}
