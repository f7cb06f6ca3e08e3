//! Passkeys: the challenges that are set, and what answers them, verified by webauthn-rs (W3C Web Authentication Level 3).
//!
//! The platform and all its tenants are one relying party: its identifier is the host of the public URL, and its one origin that
//! URL's. Which people may sign in where, the machine says (`core/sign_in.rs`).
//!
//! 1. A challenge is made, by the library and the randomness of the system, and kept on the server ([`Ceremony`]).
//! 2. The answer is read: whose it says it is, and by which passkey. That is a claim, by which the passkey is looked up.
//! 3. It is verified: challenge, origin, relying party, that the passkey saw who uses it, signature, counter.

use ambit_core::passkey::{Ceremony, Passkey};
use ambit_protocol::admin::user::User;
use ambit_protocol::id::{Id as _, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use webauthn_rs::prelude::{
    AuthenticationResult, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Uuid, WebauthnError,
};
use webauthn_rs::prelude::{DiscoverableAuthentication, Webauthn, WebauthnBuilder};

/// The relying party.
#[derive(Debug)]
pub struct Passkeys(Webauthn);

/// What a browser sent in answer to a challenge, not yet verified.
#[derive(Debug)]
pub struct Shown {
    credential: PublicKeyCredential,
    user: Option<UserId>,
}

/// Why an answer does not count, or no challenge can be set.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// It is not what browsers send.
    #[error("it is no answer of a browser to this challenge")]
    Malformed(#[from] serde_json::Error),
    /// It names somebody in another way than this server does.
    #[error("it names nobody")]
    Nobody,
    /// The page was shown within somebody else's.
    #[error("it was given on a page within another site's")]
    CrossOrigin,
    /// It can only be used by somebody who has said before who they are.
    #[error("the authenticator does not find it again by itself")]
    NotDiscoverable,
    /// It signed no more often than it had before.
    #[error("its signature counter has not grown")]
    CounterBack,
    /// Anything else that the standard has verified.
    #[error("the verification failed")]
    Unverified(#[source] WebauthnError),
}

impl Passkeys {
    /// The relying party of a public URL. None where browsers offer passkeys to no page of it: they do in secure contexts, and for
    /// names, not for addresses (WebAuthn Level 3 §5.1.3: "If effectiveDomain is not a valid domain, then throw").
    #[must_use]
    pub fn new(base_url: &str) -> Option<Self> {
        let origin = Url::parse(base_url).ok()?;
        let domain = origin.domain()?;
        let is_local = domain == "localhost" || domain.ends_with(".localhost");
        if origin.scheme() != "https" && !is_local {
            return None;
        }
        Some(Self(WebauthnBuilder::new(domain, &origin).ok()?.build().ok()?))
    }

    /// Asks for a passkey. Without any named, the browser offers those it has, and the answer says whose it is. So the question
    /// is the same for everybody, and tells of nobody whether they have one.
    ///
    /// # Errors
    /// Those of the library.
    pub fn ask<'p>(&self, of: impl IntoIterator<Item = &'p Passkey>) -> Result<Ceremony, PasskeyError> {
        let (asked, state) = self.0.start_discoverable_authentication().map_err(PasskeyError::Unverified)?;
        let mut options = serde_json::to_value(&asked.public_key)?;
        let named = |passkey: &Passkey| json!({ "type": "public-key", "id": passkey.spelt_id() });
        options["allowCredentials"] = of.into_iter().map(named).collect::<Value>();
        Ok(Ceremony { options: options.to_string(), state: serde_json::to_string(&state)? })
    }

    /// Asks somebody's authenticator to make a passkey, unless it holds one of theirs.
    ///
    /// # Errors
    /// Those of the library.
    pub fn ask_for_new<'p>(
        &self,
        user: &User,
        there: impl IntoIterator<Item = &'p Passkey>,
    ) -> Result<Ceremony, PasskeyError> {
        let email = user.email.to_string();
        let name = user.display_name.as_ref().map_or(email.as_str(), |name| name.as_str());
        let there = there.into_iter().map(|passkey| passkey.key().cred_id.clone()).collect();
        let started = self.0.start_passkey_registration(user.id.uuid(), &email, name, Some(there));
        let (asked, state) = started.map_err(PasskeyError::Unverified)?;
        let mut options = serde_json::to_value(&asked.public_key)?;
        // Whoever signs in with one has not said who they are, so it has to be found without.
        options["authenticatorSelection"]["residentKey"] = json!("required");
        options["authenticatorSelection"]["requireResidentKey"] = json!(true);
        Ok(Ceremony { options: options.to_string(), state: serde_json::to_string(&state)? })
    }

    /// Step 3, for a passkey that somebody has.
    ///
    /// # Errors
    /// [`PasskeyError`].
    pub fn verify(
        &self,
        ceremony: &Ceremony,
        shown: &Shown,
        passkey: &Passkey,
    ) -> Result<AuthenticationResult, PasskeyError> {
        // WebAuthn Level 3 §7.2: "If C.crossOrigin is present and set to true, verify that the Relying Party expects that this
        // credential would have been used within an iframe". Our pages are in nobody's frame.
        let client_data: ClientData = serde_json::from_slice(&shown.credential.response.client_data_json)?;
        if client_data.cross_origin == Some(true) {
            return Err(PasskeyError::CrossOrigin);
        }
        let state: DiscoverableAuthentication = serde_json::from_str(&ceremony.state)?;
        let verified = self.0.finish_discoverable_authentication_v2(&shown.credential, state, passkey.key());
        verified.map_err(|error| match error {
            WebauthnError::CredentialPossibleCompromise => PasskeyError::CounterBack,
            other => PasskeyError::Unverified(other),
        })
    }

    /// Step 3, for a passkey that is new.
    ///
    /// # Errors
    /// [`PasskeyError`].
    pub fn verify_new(&self, ceremony: &Ceremony, answer: &str) -> Result<Passkey, PasskeyError> {
        let answer: RegisterPublicKeyCredential = serde_json::from_str(answer)?;
        let state: PasskeyRegistration = serde_json::from_str(&ceremony.state)?;
        let made = self.0.finish_passkey_registration(&answer, &state).map_err(PasskeyError::Unverified)?;
        // WebAuthn Level 3 §10.1.3, `rk`: where it is not said, it is not known.
        if answer.extensions.cred_props.is_some_and(|props| props.rk == Some(false)) {
            return Err(PasskeyError::NotDiscoverable);
        }
        Ok(Passkey::new(made))
    }
}

impl Shown {
    /// Step 2.
    ///
    /// # Errors
    /// [`PasskeyError::Malformed`], [`PasskeyError::Nobody`].
    pub fn read(answer: &str) -> Result<Self, PasskeyError> {
        let credential: PublicKeyCredential = serde_json::from_str(answer)?;
        let user = match credential.get_user_unique_id() {
            None => None,
            Some(handle) => Some(UserId::from_uuid(Uuid::from_slice(handle).map_err(|_| PasskeyError::Nobody)?)),
        };
        Ok(Self { credential, user })
    }

    /// Whose it says it is. An authenticator that was asked for a passkey by name need not say it.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        self.user
    }

    /// By which passkey.
    #[must_use]
    pub fn passkey(&self) -> &[u8] {
        self.credential.get_credential_id()
    }
}

/// What the library does not look at.
#[derive(Debug, Deserialize)]
struct ClientData {
    #[serde(rename = "crossOrigin")]
    cross_origin: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_for_names_that_browsers_reach_securely() {
        for (base_url, has) in [
            ("https://as.example", true),
            ("https://as.example:8443", true),
            ("http://localhost:5000", true),
            ("http://as.localhost:5000", true),
            ("http://as.example", false),
            ("http://localhost.evil.example", false),
            ("http://127.0.0.1:5000", false),
            ("https://192.0.2.7", false),
            ("https://[2001:db8::1]", false),
            ("as.example", false),
        ] {
            assert_eq!(Passkeys::new(base_url).is_some(), has, "{base_url}");
        }
    }

    #[test]
    fn the_question_names_no_passkey_and_is_another_each_time() {
        let passkeys = Passkeys::new("https://as.example").expect("a relying party");
        let ask = || passkeys.ask([]).expect("a challenge");
        let options: [Value; 2] = [ask(), ask()].map(|asked| serde_json::from_str(&asked.options).expect("JSON"));
        for options in &options {
            assert_eq!(options["rpId"], "as.example");
            assert_eq!(options["userVerification"], "required");
            assert_eq!(options["allowCredentials"], json!([]));
        }
        assert_ne!(options[0]["challenge"], options[1]["challenge"]);
    }
}
