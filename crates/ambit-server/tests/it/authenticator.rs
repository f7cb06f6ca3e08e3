//! Somebody's authenticator, in software (1Password's `passkey`), and the browser around it, which says of a page what the test wants.

use ambit_protocol::id::{Id as _, UserId};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use passkey_authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey_crypto::AvailableBackend;
use passkey_types::Passkey;
use passkey_types::ctap2::make_credential::{Options as MakeOptions, PublicKeyCredentialRpEntity};
use passkey_types::ctap2::{Aaguid, Ctap2Error, get_assertion, make_credential};
use passkey_types::webauthn::{PublicKeyCredentialCreationOptions, PublicKeyCredentialRequestOptions};
use serde_json::{Value, json};

use crate::support::{Answer, BASE};

/// An authenticator that holds one passkey.
pub(crate) struct Device(Authenticator<Option<Passkey>, Hand, AvailableBackend>);

/// What a browser says of the page, and what its person does. By default all of it is as it should be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Says {
    pub(crate) origin: &'static str,
    /// Another relying party than the page's.
    pub(crate) rp_id: Option<&'static str>,
    /// Another kind of ceremony.
    pub(crate) act: Option<&'static str>,
    pub(crate) challenge: Option<&'static str>,
    pub(crate) cross_origin: bool,
    /// Whether the person shows the authenticator that it is they.
    pub(crate) is_verified: bool,
    pub(crate) whose: Whose,
    /// What `credProps` says.
    pub(crate) is_discoverable: bool,
}

/// Whose the answer says that the passkey is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose {
    /// The person's it was made for.
    Theirs,
    Of(UserId),
    Unsaid,
}

impl Default for Says {
    fn default() -> Self {
        Self {
            origin: BASE,
            rp_id: None,
            act: None,
            challenge: None,
            cross_origin: false,
            is_verified: true,
            whose: Whose::Theirs,
            is_discoverable: true,
        }
    }
}

impl Device {
    pub(crate) fn new() -> Self {
        Self::holding(None)
    }

    /// One that counts how often it signs.
    pub(crate) fn counting() -> Self {
        let mut device = Self::new();
        device.0.set_make_credentials_with_signature_counter(true);
        device
    }

    /// Another one with the same passkey, as it counts now.
    pub(crate) fn copied(&self) -> Self {
        Self::holding(self.0.store().clone())
    }

    fn holding(passkey: Option<Passkey>) -> Self {
        Self(Authenticator::new(Aaguid::new_empty(), passkey, Hand, AvailableBackend))
    }

    /// Makes a passkey as a page asks for it, and answers what the browser sends.
    pub(crate) async fn make(&mut self, options: &Value, says: Says) -> String {
        let asked: PublicKeyCredentialCreationOptions = serde_json::from_value(options.clone()).expect("options");
        let client_data = client_data("webauthn.create", options, says);
        let request = make_credential::Request {
            client_data_hash: hash(&client_data).into(),
            rp: PublicKeyCredentialRpEntity { id: rp_id(options["rp"]["id"].as_str(), says), name: None },
            user: asked.user,
            pub_key_cred_params: asked.pub_key_cred_params,
            exclude_list: asked.exclude_credentials,
            extensions: None,
            options: MakeOptions { rk: true, up: true, uv: says.is_verified },
            pin_auth: None,
            pin_protocol: None,
        };
        let made = self.0.make_credential(request).await.expect("a passkey");
        let id = self.0.store().as_ref().expect("a passkey").credential_id.to_vec();
        json!({
            "id": base64url(&id), "rawId": base64url(&id), "type": "public-key",
            "response": {
                "clientDataJSON": base64url(&client_data), "attestationObject": base64url(&made.as_webauthn_bytes()),
                "transports": ["internal"],
            },
            "clientExtensionResults": {"credProps": {"rk": says.is_discoverable}},
        })
        .to_string()
    }

    /// Uses the passkey as a page asks for one, and answers what the browser sends.
    pub(crate) async fn show(&mut self, options: &Value, says: Says) -> String {
        let _: PublicKeyCredentialRequestOptions = serde_json::from_value(options.clone()).expect("options");
        let client_data = client_data("webauthn.get", options, says);
        let request = get_assertion::Request {
            rp_id: rp_id(options["rpId"].as_str(), says),
            client_data_hash: hash(&client_data).into(),
            // It has one, and shows that one whoever is asked for.
            allow_list: None,
            extensions: None,
            options: get_assertion::Options { up: true, uv: says.is_verified },
            pin_auth: None,
            pin_protocol: None,
        };
        let shown = self.0.get_assertion(request).await.expect("an assertion");
        let id = shown.credential.expect("a passkey").id.to_vec();
        let handle = match says.whose {
            Whose::Theirs => shown.user.map(|user| base64url(&user.id)),
            Whose::Of(user) => Some(base64url(user.uuid().as_bytes())),
            Whose::Unsaid => None,
        };
        let mut response = json!({
            "clientDataJSON": base64url(&client_data), "authenticatorData": base64url(&shown.auth_data.to_vec()),
            "signature": base64url(&shown.signature),
        });
        if let Some(handle) = handle {
            response["userHandle"] = json!(handle);
        }
        json!({
            "id": base64url(&id), "rawId": base64url(&id), "type": "public-key", "response": response,
            "clientExtensionResults": {},
        })
        .to_string()
    }
}

/// What the button of a page asks an authenticator; none where there is no button.
pub(crate) fn asked(page: &Answer) -> Option<Value> {
    let (_, rest) = page.text.split_once("data-options=\"")?;
    let text = rest.split('"').next().expect("an end");
    let entities = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
    let text = entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character));
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// Whose hand is on the authenticator: it does what it is asked to.
struct Hand;

#[async_trait::async_trait]
impl UserValidationMethod for Hand {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(
        &self,
        _: UiHint<'a, Passkey>,
        presence: bool,
        verification: bool,
    ) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence, verification })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

fn client_data(act: &str, options: &Value, says: Says) -> Vec<u8> {
    let challenge = says.challenge.or(options["challenge"].as_str()).expect("a challenge");
    json!({
        "type": says.act.unwrap_or(act), "challenge": challenge, "origin": says.origin, "crossOrigin": says.cross_origin,
    })
    .to_string()
    .into_bytes()
}

fn rp_id(asked: Option<&str>, says: Says) -> String {
    says.rp_id.or(asked).expect("a relying party").to_owned()
}

fn hash(octets: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, octets).as_ref().to_vec()
}

fn base64url(octets: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(octets)
}
