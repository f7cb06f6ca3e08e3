//! Answers kept for an `Idempotency-Key`, so that a request that is sent again takes effect once and is answered alike.
//!
//! The answer is kept in the transaction that makes the change: both are there, or neither. It is encrypted, since the answer to
//! a registration shows a secret.

use ambit_protocol::time::Timestamp;
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::entropy::Entropy;
use crate::keys::{Vault, VaultError};
use crate::store::SavedAnswer;

/// An answer, as it went out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, by lower-case name.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Who sent which key with which request.
#[derive(Debug, Clone)]
pub struct KeyedRequest {
    /// Who.
    pub actor: String,
    /// The key.
    pub key: String,
    /// Of the whole request.
    pub hash: [u8; 32],
}

/// What is wrong with an `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Empty, too long, or not made of visible ASCII characters.
    #[error("Idempotency-Key must be 1 to 255 visible ASCII characters")]
    Malformed,
    /// Sent with another request before.
    #[error("this Idempotency-Key was sent with another request before; a new request needs a new key")]
    OtherRequest,
}

impl KeyedRequest {
    /// Of a key as it was sent and the parts of the request that make it the same request: reach, method, path, query, body.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn new(actor: &str, key: &[u8], parts: &[&[u8]]) -> Result<Self, KeyError> {
        let is_visible = key.iter().all(|byte| (0x21..=0x7e).contains(byte));
        if key.is_empty() || key.len() > 255 || !is_visible {
            return Err(KeyError::Malformed);
        }
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        // All visible, so ASCII.
        let key = String::from_utf8_lossy(key).into_owned();
        Ok(Self { actor: actor.to_owned(), key, hash })
    }

    /// Encrypts an answer to this request, for a day.
    ///
    /// # Errors
    /// Those of the vault.
    pub fn keep(
        &self,
        answer: &Answer,
        now: Timestamp,
        vault: &Vault,
        entropy: &dyn Entropy,
    ) -> Result<SavedAnswer, VaultError> {
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(answer).map_err(|_| VaultError::Crypto)?);
        Ok(SavedAnswer {
            actor: self.actor.clone(),
            key: self.key.clone(),
            request_hash: self.hash.to_vec(),
            status: answer.status,
            sealed: vault.seal(&self.purpose(), &plain, entropy)?,
            expires_at: now.plus_secs(KEPT_SECS),
        })
    }

    /// The answer that was kept, if this is the request it was kept for and the time has not run out. `Ok(None)` where it has.
    ///
    /// # Errors
    /// [`KeyError::OtherRequest`].
    pub fn open(
        &self,
        saved: &SavedAnswer,
        now: Timestamp,
        vault: &Vault,
    ) -> Result<Option<Result<Answer, VaultError>>, KeyError> {
        if saved.expires_at <= now {
            return Ok(None);
        }
        if saved.request_hash != self.hash {
            return Err(KeyError::OtherRequest);
        }
        let opened = vault
            .open(&self.purpose(), &saved.sealed)
            .and_then(|plain| serde_json::from_slice(&plain).map_err(|_| VaultError::Sealed));
        Ok(Some(opened))
    }

    fn purpose(&self) -> String {
        format!("answer {} {}", self.actor, self.key)
    }
}

/// A day: who has not heard by then asks what is there.
pub const KEPT_SECS: i64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;

    #[derive(Debug)]
    struct Fives;

    impl Entropy for Fives {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(5);
        }
    }

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn request(key: &str, body: &[u8]) -> KeyedRequest {
        KeyedRequest::new("client:a", key.as_bytes(), &[b"POST", b"/tenants", body]).unwrap()
    }

    #[test]
    fn an_answer_is_kept_for_its_request_and_for_a_day() {
        let vault = Vault::new(&MasterKey::generate(&Fives)).unwrap();
        let answer = Answer { status: 201, headers: vec![("etag".into(), "\"1\"".into())], body: b"secret".to_vec() };
        let saved = request("k", b"x").keep(&answer, NOW, &vault, &Fives).unwrap();
        assert!(!saved.sealed.windows(6).any(|window| window == b"secret"));
        let last = NOW.plus_secs(KEPT_SECS - 1);
        assert_eq!(request("k", b"x").open(&saved, last, &vault), Ok(Some(Ok(answer))));
        assert_eq!(request("k", b"x").open(&saved, NOW.plus_secs(KEPT_SECS), &vault), Ok(None));
        assert_eq!(request("k", b"y").open(&saved, NOW, &vault), Err(KeyError::OtherRequest));
    }

    #[test]
    fn a_key_is_1_to_255_visible_characters() {
        let is_good = |key: &[u8]| KeyedRequest::new("a", key, &[]).is_ok();
        assert!(is_good(&[b'x'; 255]) && is_good(b"~") && is_good(b"!"));
        for bad in [&[b'x'; 256][..], b"", b" ", b"a b", b"a\n", b"\x7f", "é".as_bytes()] {
            assert!(!is_good(bad), "{bad:?}");
        }
    }

    #[test]
    fn parts_cannot_flow_into_each_other() {
        let hash = |parts: &[&[u8]]| KeyedRequest::new("a", b"k", parts).unwrap().hash;
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(hash(&[b"ab"]), hash(&[b"ab", b""]));
    }
}
