//! What we sign another library verifies, and the other way round; what is broken, both refuse.

use std::collections::HashSet;
use std::sync::LazyLock;

use ambit_protocol::claims::{AccessTokenClaims, Audience};
use ambit_protocol::jose::signer::RsaKeySize;
use ambit_protocol::jose::{Algorithm, Jwk, JwkSet, SigningKey, VerifyingKeys};
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{self, Accepted, Validation};
use jsonwebtoken::{DecodingKey, EncodingKey, Header};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::forge::sample;

const NOW: i64 = 1_800_000_000;

fn all_keys() -> [&'static SigningKey; 5] {
    static LONG: LazyLock<SigningKey> =
        LazyLock::new(|| SigningKey::generate_rsa(Algorithm::Ps256, RsaKeySize::Bits3072).expect("a key"));
    let [a, b, c, d] = Algorithm::ALL.map(sample);
    [a, b, c, d, &*LONG]
}

fn claims() -> AccessTokenClaims<&'static str> {
    AccessTokenClaims {
        scope: Some("pos.read pos:receipts:read"),
        tenant_id: Some("tnt_1"),
        rev: Some(7),
        ..AccessTokenClaims::new(
            "https://as",
            "till-7",
            Audience::Many(vec!["https://a", "https://b"]),
            "till-7",
            NOW,
            NOW + 60,
            "t1",
        )
    }
}

fn validation() -> Validation<'static> {
    let now = Timestamp::from_secs(NOW + 1);
    Validation::new(Accepted::OneOf(&["https://as"]), Accepted::OneOf(&["https://b"]), now)
}

fn keys_of(key: &SigningKey) -> VerifyingKeys {
    VerifyingKeys::new(&JwkSet::new(vec![key.public_jwk("k1")]).expect("a set")).expect("keys")
}

fn theirs(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    algorithm.as_str().parse().expect("they know ours")
}

fn they_decode(token: &str, jwk: &Jwk) -> jsonwebtoken::errors::Result<serde_json::Value> {
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(serde_json::to_value(jwk).expect("JSON")).expect("a JWK");
    let algorithm = jwk.common.key_algorithm.expect("we say alg").to_string();
    let mut validation = jsonwebtoken::Validation::new(algorithm.parse().expect("an algorithm"));
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims = HashSet::new();
    let key = DecodingKey::from_jwk(&jwk)?;
    Ok(jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation)?.claims)
}

fn they_encode(key: &SigningKey, header: &Header, payload: &serde_json::Value) -> String {
    let pkcs8 = key.to_pkcs8().expect("PKCS#8");
    let pkcs8 = pkcs8.expose_secret();
    let encoding = match key.algorithm() {
        Algorithm::Es256 => EncodingKey::from_ec_der(pkcs8),
        Algorithm::EdDsa => EncodingKey::from_ed_der(pkcs8),
        // They want the RSAPrivateKey inside (RFC 8017), which is the last octet string of the document.
        Algorithm::Rs256 | Algorithm::Ps256 => EncodingKey::from_rsa_der(&pkcs8[26..]),
    };
    jsonwebtoken::encode(header, payload, &encoding).expect("they sign")
}

#[test]
fn they_verify_what_we_sign() {
    for key in all_keys() {
        let token = key.sign(&key.header("at+jwt", "k1"), &claims().to_json()).expect("signed");
        let header = jsonwebtoken::decode_header(&token).expect("a header");
        assert_eq!(header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(header.kid.as_deref(), Some("k1"));
        assert_eq!(header.alg, theirs(key.algorithm()));
        let read = they_decode(&token, &key.public_jwk("k1")).expect("they verify");
        assert_eq!(read, serde_json::to_value(claims()).expect("JSON"));
    }
}

#[test]
fn we_verify_what_they_sign() {
    for key in all_keys() {
        let mut header = Header::new(theirs(key.algorithm()));
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some("k1".to_owned());
        let token = they_encode(key, &header, &serde_json::to_value(claims()).expect("JSON"));
        let read = verify::access_token(&token, &keys_of(key), &validation()).expect("we verify");
        assert_eq!(read.to_json(), claims().to_json());
        assert_eq!((read.algorithm(), read.kid()), (key.algorithm(), Some("k1")));
    }
}

#[test]
fn a_key_reads_back_from_its_pkcs8_and_signs_as_before() {
    for key in all_keys() {
        let pkcs8 = key.to_pkcs8().expect("PKCS#8");
        let again = SigningKey::from_pkcs8(key.algorithm(), pkcs8.expose_secret()).expect("read back");
        assert_eq!(again.public_jwk("k1"), key.public_jwk("k1"));
        let token = again.sign(&again.header("at+jwt", "k1"), &claims().to_json()).expect("signed");
        assert!(verify::access_token(&token, &keys_of(key), &validation()).is_ok());
    }
}

#[test]
fn a_token_verifies_with_its_own_key_only() {
    let keys = all_keys();
    for signer in keys {
        let token = signer.sign(&signer.header("at+jwt", "k1"), &claims().to_json()).expect("signed");
        for (other, key) in keys.into_iter().enumerate() {
            let accepted = verify::access_token(&token, &keys_of(key), &validation()).is_ok();
            assert_eq!(accepted, std::ptr::eq(signer, key), "{:?} with {other}", signer.algorithm());
        }
    }
}

#[test]
fn a_token_changed_anywhere_is_refused_by_both() {
    for key in all_keys() {
        let keys = keys_of(key);
        let jwk = key.public_jwk("k1");
        let token = key.sign(&key.header("at+jwt", "k1"), &claims().to_json()).expect("signed");
        let run = |place: Index, to: char| {
            let at = place.index(token.len());
            let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
            if changed != token {
                assert!(verify::access_token(&changed, &keys, &validation()).is_err(), "{changed}");
                assert!(they_decode(&changed, &jwk).is_err(), "{changed}");
            }
            let cut = &token[..at];
            assert!(verify::access_token(cut, &keys, &validation()).is_err(), "{cut}");
        };
        let cases = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
        proptest!(cases, |(place in any::<Index>(), to in "[A-Za-z0-9_.=-]")| {
            run(place, to.chars().next().expect("one character"));
        });
    }
}
