//! Somebody's authenticator, in software, and the browser around it, which says of a page what the test wants.
//!
//! What it sends is built by hand, octet by octet as W3C WebAuthn Level 3 §6 has it: crates that do so turn on a feature of
//! `serde_json` for the whole build, and the server under test would not be the one that is shipped.

use ambit_protocol::id::{Id as _, UserId};
use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{Answer, BASE};

/// An authenticator that holds one passkey.
pub(crate) struct Device {
    held: Option<Held>,
    counts: bool,
}

/// A passkey: a private key for one relying party and one person.
#[derive(Clone)]
struct Held {
    id: Vec<u8>,
    pkcs8: Vec<u8>,
    /// The person, as the relying party names them to authenticators.
    user: Vec<u8>,
    /// How often it signed; always 0 where it does not count.
    counter: u32,
}

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
    pub(crate) const fn new() -> Self {
        Self { held: None, counts: false }
    }

    /// One that counts how often it signs.
    pub(crate) const fn counting() -> Self {
        Self { held: None, counts: true }
    }

    /// Another one with the same passkey, as it counts now.
    pub(crate) fn copied(&self) -> Self {
        Self { held: self.held.clone(), counts: self.counts }
    }

    /// Makes a passkey as a page asks for it, and answers what the browser sends.
    pub(crate) fn make(&mut self, options: &Value, says: Says) -> String {
        let algorithms = options["pubKeyCredParams"].as_array().expect("algorithms");
        assert!(algorithms.iter().any(|one| one["alg"] == -7 && one["type"] == "public-key"), "ES256 is asked for");
        assert_eq!(options["authenticatorSelection"]["residentKey"], "required", "{options}");
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).expect("a key");
        // As different from others as the key is.
        let id = hash(pkcs8.as_ref())[..16].to_vec();
        let user = BASE64_URL_SAFE_NO_PAD.decode(options["user"]["id"].as_str().expect("a person")).expect("base64url");
        let held = self.held.insert(Held { id, pkcs8: pkcs8.as_ref().to_vec(), user, counter: 0 });

        // §6.5.1, the attested credential data: an AAGUID, the identifier with its length, the public key as COSE has it.
        let mut data = authenticator_data(&rp_id(options["rp"]["id"].as_str(), says), says, ATTESTED, held.counter);
        data.extend([0; 16]);
        data.extend(u16::try_from(held.id.len()).expect("a short identifier").to_be_bytes());
        data.extend(&held.id);
        data.extend(held.public_key());
        // A map of three in CBOR: no attestation, so no statement, and the data.
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        object.extend(u16::try_from(data.len()).expect("short data").to_be_bytes());
        object.extend(&data);
        json!({
            "id": base64url(&held.id), "rawId": base64url(&held.id), "type": "public-key",
            "response": {
                "clientDataJSON": base64url(&client_data("webauthn.create", options, says)),
                "attestationObject": base64url(&object),
                "transports": ["internal"],
            },
            "clientExtensionResults": {"credProps": {"rk": says.is_discoverable}},
        })
        .to_string()
    }

    /// Uses the passkey as a page asks for one, and answers what the browser sends. It shows the one it has, whoever is asked for.
    pub(crate) fn show(&mut self, options: &Value, says: Says) -> String {
        let held = self.held.as_mut().expect("a passkey");
        held.counter += u32::from(self.counts);
        let client_data = client_data("webauthn.get", options, says);
        let data = authenticator_data(&rp_id(options["rpId"].as_str(), says), says, 0, held.counter);
        // §6.3.3: a signature over both.
        let signature = held.sign(&[data.clone(), hash(&client_data)].concat());
        let handle = match says.whose {
            Whose::Theirs => Some(base64url(&held.user)),
            Whose::Of(user) => Some(base64url(user.uuid().as_bytes())),
            Whose::Unsaid => None,
        };
        let mut response = json!({
            "clientDataJSON": base64url(&client_data), "authenticatorData": base64url(&data),
            "signature": base64url(&signature),
        });
        if let Some(handle) = handle {
            response["userHandle"] = json!(handle);
        }
        json!({
            "id": base64url(&held.id), "rawId": base64url(&held.id), "type": "public-key", "response": response,
            "clientExtensionResults": {},
        })
        .to_string()
    }
}

impl Held {
    fn key(&self) -> EcdsaKeyPair {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.pkcs8).expect("a key of its own")
    }

    fn sign(&self, octets: &[u8]) -> Vec<u8> {
        self.key().sign(&SystemRandom::new(), octets).expect("a signature").as_ref().to_vec()
    }

    /// RFC 9052 §7: a map of five in CBOR: an elliptic curve key for ES256 on P-256, and its point.
    fn public_key(&self) -> Vec<u8> {
        let point = self.key().public_key().as_ref().to_vec();
        let (x, y) = point[1..].split_at(32);
        [b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20".as_slice(), x, b"\x22\x58\x20", y].concat()
    }
}

/// §6.1: the hash of the relying party, what happened, and how often the passkey signed.
fn authenticator_data(rp_id: &str, says: Says, more: u8, counter: u32) -> Vec<u8> {
    let flags = PRESENT | SYNCED | more | if says.is_verified { VERIFIED } else { 0 };
    [hash(rp_id.as_bytes()).as_slice(), &[flags], &counter.to_be_bytes()].concat()
}

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
/// It may be copied to other devices, and is.
const SYNCED: u8 = 0x18;
const ATTESTED: u8 = 0x40;

/// What the button of a page asks an authenticator; none where there is no button.
pub(crate) fn asked(page: &Answer) -> Option<Value> {
    let (_, rest) = page.text.split_once("data-options=\"")?;
    let text = rest.split('"').next().expect("an end");
    let entities = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
    let text = entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character));
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
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
