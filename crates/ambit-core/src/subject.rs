//! Under which name an application knows a person: the claim `sub` (OpenID Connect Core 1.0 §8).
//!
//! 1. A *public* name is the user's identifier.
//! 2. A *pairwise* one is that identifier encrypted under a key of the application's sector: the same for all applications of
//!    one sector, another in each other sector, and for us the way back to the user (§8.1: it "MUST NOT be reversible by any party
//!    other than the OpenID Provider", and "encrypted" is one of the ways that it names).
//!
//! Everything that is told to an application, in ID tokens, access tokens, userinfo and logout tokens, uses this one name.

use std::fmt;

use ambit_protocol::admin::application::{Application, SubjectType};
use ambit_protocol::id::{Id as _, UserId};
use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::keys::{Vault, VaultError};

/// Names people, and recognises them by their names.
pub struct Subjects(hmac::Key);

impl Subjects {
    /// Under a key of its own of the master key: the names outlive every other key.
    ///
    /// # Errors
    /// [`VaultError::Crypto`] where the crypto library fails.
    pub fn new(vault: &Vault) -> Result<Self, VaultError> {
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &*vault.subkey("ambit pairwise v1")?)))
    }

    /// The name of a person for an application.
    ///
    /// # Errors
    /// [`VaultError::Crypto`] where the crypto library fails.
    pub fn name(&self, application: &Application, user: UserId) -> Result<String, VaultError> {
        if application.subject_type == SubjectType::Public {
            return Ok(user.to_string());
        }
        let mut block = *user.uuid().as_bytes();
        // One block under a key for this alone: a permutation of all users of the sector. There is no second block to compare.
        EncryptingKey::ecb(self.key_of(application)?)
            .and_then(|key| key.encrypt(&mut block))
            .map_err(|_| VaultError::Crypto)?;
        Ok(format!("{PAIRWISE}{}", BASE64_URL_SAFE_NO_PAD.encode(block)))
    }

    /// The person of a name that was given to this application; none where it is nobody's.
    #[must_use]
    pub fn user(&self, application: &Application, name: &str) -> Option<UserId> {
        if application.subject_type == SubjectType::Public {
            return name.parse().ok();
        }
        let mut block: [u8; 16] = pairwise_block(name)?;
        let key = DecryptingKey::ecb(self.key_of(application).ok()?).ok()?;
        key.decrypt(&mut block, DecryptionContext::None).ok()?;
        Some(UserId::from_uuid(Uuid::from_bytes(block)))
    }

    fn key_of(&self, application: &Application) -> Result<UnboundCipherKey, VaultError> {
        let sector = sector_of(application).ok_or(VaultError::Crypto)?;
        let key = Zeroizing::new(hmac::sign(&self.0, sector.as_bytes()).as_ref().to_vec());
        UnboundCipherKey::new(&AES_256, &key).map_err(|_| VaultError::Crypto)
    }
}

impl fmt::Debug for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subjects([REDACTED])")
    }
}

/// The sector of an application: the one that is registered, or the one host of its redirect URIs (§8.1). Registration sees to it
/// that a pairwise application has one.
#[must_use]
pub fn sector_of(application: &Application) -> Option<String> {
    if let Some(sector) = &application.sector_identifier {
        return Some(sector.to_string());
    }
    let mut hosts = application.redirect_uris.iter().map(ambit_protocol::redirect_uri::RedirectUri::host);
    let first = hosts.next()??;
    hosts.all(|host| host.as_ref() == Some(&first)).then_some(first)
}

/// Whether a text reads as a pairwise name.
#[must_use]
pub fn reads_as_pairwise(text: &str) -> bool {
    pairwise_block(text).is_some()
}

fn pairwise_block(name: &str) -> Option<[u8; 16]> {
    BASE64_URL_SAFE_NO_PAD.decode(name.strip_prefix(PAIRWISE)?).ok()?.try_into().ok()
}

/// A pairwise pseudonymous identifier, as OpenID Connect Core §1.2 calls it: what it begins with tells it from every other.
const PAIRWISE: &str = "ppid_";
