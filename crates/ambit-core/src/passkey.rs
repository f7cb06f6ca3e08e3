//! Passkeys (W3C Web Authentication Level 3): a key pair in somebody's device or password manager that is good for this server
//! alone, and signs once it has seen who uses it.
//!
//! 1. A [`Ceremony`] is a challenge that was set. What answers it is verified by webauthn-rs, where the challenge was set.
//! 2. A [`Passkey`] is what is kept of a key pair: its public half, and how often it signed. [`Passkey::after`] says what one
//!    answer more makes of it.

use ambit_protocol::time::Timestamp;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::{AuthenticationResult, Credential};

/// A challenge that was set and is answered once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceremony {
    /// What the browser is asked: `PublicKeyCredentialRequestOptionsJSON`, or `PublicKeyCredentialCreationOptionsJSON`.
    pub options: String,
    /// What an answer is held against, as JSON. It never leaves the server.
    pub state: String,
}

/// A passkey, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Passkey(Credential);

/// A passkey that says it signed no more often than it had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its signature counter is {shown}, and was {kept} before")]
pub struct CounterBack {
    /// What it was before.
    pub kept: u32,
    /// What it is now.
    pub shown: u32,
}

impl Passkey {
    /// From what the library made of an enrolment.
    #[must_use]
    pub fn new(key: webauthn_rs::prelude::Passkey) -> Self {
        Self(key.into())
    }

    /// What the library verifies with.
    #[must_use]
    pub const fn key(&self) -> &Credential {
        &self.0
    }

    /// What its authenticator calls it.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        self.0.cred_id.as_slice()
    }

    /// The same, as it is spelt.
    #[must_use]
    pub fn spelt_id(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.id())
    }

    /// Whether it is kept in more places than one.
    #[must_use]
    pub const fn is_backed_up(&self) -> bool {
        self.0.backup_state
    }

    /// The passkey once it has signed once more.
    ///
    /// # Errors
    /// [`CounterBack`]. WebAuthn Level 3 §7.2: a counter that does not grow "is a signal, but not proof, that the authenticator may
    /// be cloned". Passkeys that are synchronised count nothing, and stay at zero.
    pub fn after(&self, shown: &AuthenticationResult) -> Result<Self, CounterBack> {
        let (kept, shown_counter) = (self.0.counter, shown.counter());
        if (kept > 0 || shown_counter > 0) && shown_counter <= kept {
            return Err(CounterBack { kept, shown: shown_counter });
        }
        let backup_eligible = self.0.backup_eligible || shown.backup_eligible();
        let after = Credential {
            counter: shown_counter,
            backup_state: shown.backup_state(),
            backup_eligible,
            ..self.0.clone()
        };
        Ok(Self(after))
    }

    /// Whether a use changes anything of what is kept: the counter, where it is backed up, or the day of its last use. Most
    /// passkeys count nothing, so most sign-ins write nothing.
    #[must_use]
    pub fn is_changed_by(&self, shown: &AuthenticationResult, last: Option<Timestamp>, now: Timestamp) -> bool {
        let day = |at: Timestamp| at.secs().div_euclid(DAY_SECS);
        shown.counter() != self.0.counter
            || shown.backup_state() != self.0.backup_state
            || last.is_none_or(|last| day(last) < day(now))
    }
}

const DAY_SECS: i64 = 86_400;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(counter: u32) -> Passkey {
        let octets = BASE64_URL_SAFE_NO_PAD.encode([7; 32]);
        let key = json!({
            "cred_id": "AQID",
            "cred": {"type_": "ES256", "key": {"EC_EC2": {"curve": "SECP256R1", "x": octets, "y": octets}}},
            "counter": counter, "transports": null, "user_verified": true, "backup_eligible": false, "backup_state": false,
            "registration_policy": "required",
            "extensions": {"cred_protect": "NotRequested", "hmac_create_secret": "NotRequested", "appid": "NotRequested",
                "cred_props": "Ignored"},
            "attestation": {"data": "None", "metadata": "None"}, "attestation_format": "none",
        });
        serde_json::from_value(key).expect("a passkey")
    }

    fn shown(counter: u32, backed_up: bool) -> AuthenticationResult {
        let result = json!({
            "cred_id": "AQID", "needs_update": true, "user_verified": true, "backup_state": backed_up,
            "backup_eligible": backed_up, "counter": counter, "extensions": {},
        });
        serde_json::from_value(result).expect("a result")
    }

    #[test]
    fn a_counter_grows_or_is_not_there_at_all() {
        for (before, now, is_good) in [
            (0, 0, true),
            (0, 1, true),
            (1, 2, true),
            (1, 1_000_000, true),
            (1, 1, false),
            (2, 1, false),
            (1, 0, false),
            (u32::MAX, u32::MAX, false),
        ] {
            let after = kept(before).after(&shown(now, false));
            assert_eq!(after.is_ok(), is_good, "{before} {now}");
            match after {
                Ok(after) => assert_eq!(after.key().counter, now),
                Err(back) => assert_eq!(back, CounterBack { kept: before, shown: now }),
            }
        }
    }

    #[test]
    fn a_use_is_written_where_it_changes_something_and_once_a_day() {
        let noon = Timestamp::from_secs(1_800_014_400);
        let passkey = kept(0);
        let is_changed = |shown: &AuthenticationResult, last| passkey.is_changed_by(shown, last, noon);
        assert!(is_changed(&shown(0, false), None));
        assert!(is_changed(&shown(0, false), Some(noon.plus_secs(-DAY_SECS))));
        assert!(!is_changed(&shown(0, false), Some(noon.plus_secs(-3600))));
        assert!(is_changed(&shown(1, false), Some(noon)));
        assert!(is_changed(&shown(0, true), Some(noon)));
        assert!(passkey.after(&shown(0, true)).expect("a use").is_backed_up());
    }
}
