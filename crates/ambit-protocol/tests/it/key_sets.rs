//! Keys people register or publish: which are taken, and what is said about the others.

use ambit_protocol::jose::jwk::{JwkError, MAX_KID_LEN};
use ambit_protocol::jose::jwk_set::{JwkSetError, MAX_KEYS};
use ambit_protocol::jose::signer::{RsaKeySize, SigningError};
use ambit_protocol::jose::{Algorithm, Jwk, JwkSet, KeySource as _, SigningKey, VerifyingKey, VerifyingKeys};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::forge::{Forger, encode, sample};

fn public(algorithm: Algorithm) -> Value {
    serde_json::to_value(sample(algorithm).public_jwk("k1")).expect("JSON")
}

fn with(mut jwk: Value, member: &str, value: Value) -> Value {
    jwk[member] = value;
    jwk
}

fn without(mut jwk: Value, member: &str) -> Value {
    jwk.as_object_mut().expect("an object").remove(member);
    jwk
}

/// The text of the refusal, at whichever step it comes.
fn refused(jwk: &Value) -> String {
    match serde_json::from_value::<Jwk>(jwk.clone()) {
        Err(error) => error.to_string(),
        Ok(jwk) => VerifyingKey::new(&jwk).expect_err("refused").to_string(),
    }
}

fn taken(jwk: &Value) -> VerifyingKey {
    VerifyingKey::new(&serde_json::from_value(jwk.clone()).expect("a JWK")).expect("a key")
}

#[test]
fn a_public_key_of_each_kind_is_taken_and_written_as_it_came() {
    for algorithm in Algorithm::ALL {
        let jwk = public(algorithm);
        assert_eq!(taken(&jwk).algorithm(), algorithm);
        let read: Jwk = serde_json::from_value(jwk.clone()).expect("a JWK");
        assert_eq!(serde_json::to_value(&read).expect("JSON"), jwk);
        // What is not known is ignored (RFC 7517 §4).
        assert_eq!(taken(&with(jwk, "x5t", json!([1]))).algorithm(), algorithm);
    }
}

#[test]
fn private_and_symmetric_keys_are_refused_in_words() {
    let secret = json!({ "kty": "oct", "k": "AAAA", "kid": "k1" });
    assert_eq!(refused(&secret), JwkError::Symmetric.to_string());
    for algorithm in Algorithm::ALL {
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            for value in [json!("AAAA"), json!(null), json!([])] {
                let text = refused(&with(public(algorithm), member, value));
                assert!(text.contains(&format!("private member '{member}'")), "{text}");
            }
        }
    }
}

#[test]
fn weak_keys_and_other_curves_are_refused() {
    let modulus = |bits: usize| {
        let mut octets = vec![0xff; bits.div_ceil(8)];
        octets[0] >>= octets.len() * 8 - bits;
        json!({ "kty": "RSA", "n": encode(octets), "e": "AQAB" })
    };
    for bits in [512, 1024, 2047, 8193, 16384] {
        let text = refused(&modulus(bits));
        assert!(text.contains(&format!("{bits} bits")), "{text}");
    }
    let parse = |jwk: &Value| serde_json::from_value::<Jwk>(jwk.clone());
    assert!(parse(&modulus(2048)).is_ok() && parse(&modulus(8192)).is_ok());
    let rsa = public(Algorithm::Rs256);
    for exponent in [&[1][..], &[3], &[17], &[0xff, 0xff], &[1, 0, 0], &[1, 0, 0, 0, 0, 1]] {
        let text = refused(&with(rsa.clone(), "e", json!(encode(exponent))));
        assert_eq!(text, JwkError::RsaExponent.to_string(), "{exponent:?}");
    }
    let ec = public(Algorithm::Es256);
    for curve in ["P-192", "P-224", "P-384", "P-521", "secp256k1", "Ed25519", "p-256", ""] {
        let text = refused(&with(ec.clone(), "crv", json!(curve)));
        assert_eq!(text, JwkError::UnsupportedKeyType.to_string(), "{curve}");
    }
    for curve in ["X25519", "Ed448", "P-256"] {
        let text = refused(&with(public(Algorithm::EdDsa), "crv", json!(curve)));
        assert_eq!(text, JwkError::UnsupportedKeyType.to_string(), "{curve}");
    }
    for kty in ["ec", "AKP", "", "rsa"] {
        assert_eq!(refused(&with(ec.clone(), "kty", json!(kty))), JwkError::UnsupportedKeyType.to_string(), "{kty}");
    }
    assert_eq!(refused(&without(ec.clone(), "kty")), JwkError::NoKeyType.to_string());
    assert_eq!(refused(&without(ec, "crv")), JwkError::Missing("crv").to_string());
}

#[test]
fn a_point_that_is_not_on_its_curve_or_of_small_order_is_refused() {
    let ec = public(Algorithm::Es256);
    assert_eq!(refused(&with(ec, "y", json!(encode([7; 32])))), JwkError::Invalid.to_string());
    let okp = public(Algorithm::EdDsa);
    let mut order_two = [0xff; 32];
    (order_two[0], order_two[31]) = (0xec, 0x7f);
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut negative_zero = [0; 32];
    negative_zero[31] = 0x80;
    for point in [[0; 32], identity, order_two, negative_zero] {
        assert_eq!(refused(&with(okp.clone(), "x", json!(encode(point)))), JwkError::Invalid.to_string(), "{point:?}");
    }
}

#[test]
fn members_of_the_wrong_length_or_spelling_are_refused() {
    let ec = public(Algorithm::Es256);
    for x in [
        encode([1; 31]),
        encode([1; 33]),
        String::new(),
        "=".to_owned(),
        "AA==".to_owned(),
        "*".repeat(43),
        encode([1; 32]) + "=",
    ] {
        assert_eq!(refused(&with(ec.clone(), "x", json!(x))), JwkError::Encoding("x").to_string(), "{x}");
    }
    assert_eq!(refused(&without(ec.clone(), "y")), JwkError::Missing("y").to_string());
    assert!(refused(&with(ec, "x", json!(1))).contains("invalid type"));
    let rsa = public(Algorithm::Rs256);
    assert_eq!(
        refused(&with(rsa.clone(), "e", json!("AAEAAQ"))),
        JwkError::Encoding("e").to_string(),
        "a leading zero"
    );
    assert_eq!(refused(&with(rsa.clone(), "n", json!(""))), JwkError::Encoding("n").to_string());
    assert_eq!(refused(&with(rsa, "n", json!("A".repeat(2_000_000)))), JwkError::Encoding("n").to_string());
}

#[test]
fn what_a_key_says_of_itself_is_honoured() {
    let ec = public(Algorithm::Es256);
    for (member, value, error) in [
        ("use", json!("enc"), JwkError::NotForSignatures),
        ("use", json!("SIG"), JwkError::NotForSignatures),
        ("key_ops", json!(["sign"]), JwkError::NotForSignatures),
        ("key_ops", json!([]), JwkError::NotForSignatures),
        ("alg", json!("ES384"), JwkError::UnsupportedAlgorithm),
        ("alg", json!("none"), JwkError::UnsupportedAlgorithm),
        ("alg", json!("HS256"), JwkError::UnsupportedAlgorithm),
        ("alg", json!("RS256"), JwkError::AlgorithmMismatch),
        ("alg", json!("EdDSA"), JwkError::AlgorithmMismatch),
        ("kid", json!(""), JwkError::Kid),
        ("kid", json!("a\0"), JwkError::Kid),
        ("kid", json!("k".repeat(MAX_KID_LEN + 1)), JwkError::Kid),
    ] {
        assert_eq!(refused(&with(ec.clone(), member, value.clone())), error.to_string(), "{member} {value}");
    }
    for member in ["use", "key_ops", "alg", "kid", "x", "kty"] {
        assert!(refused(&with(ec.clone(), member, json!(null))).contains("null"), "{member}: null is not absence");
    }
    assert_eq!(taken(&with(ec.clone(), "kid", json!("k".repeat(MAX_KID_LEN)))).kid().map(str::len), Some(MAX_KID_LEN));
    assert_eq!(taken(&with(ec, "key_ops", json!(["verify"]))).algorithm(), Algorithm::Es256);
    // A key has one algorithm: an RSA key that says none is for RS256.
    let rsa = without(public(Algorithm::Ps256), "alg");
    assert_eq!(taken(&rsa).algorithm(), Algorithm::Rs256);
    assert_eq!(taken(&with(rsa, "alg", json!("PS256"))).algorithm(), Algorithm::Ps256);
}

#[test]
fn a_thumbprint_is_that_of_the_rfc() {
    // RFC 7638 §3.1.
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs\
             tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbI\
             SD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let jwk = json!({ "kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29" });
    let jwk: Jwk = serde_json::from_value(jwk).expect("a JWK");
    assert_eq!(jwk.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    // RFC 8037 §A.3.
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let jwk: Jwk = serde_json::from_value(jwk).expect("a JWK");
    assert_eq!(jwk.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    for algorithm in Algorithm::ALL {
        let key = sample(algorithm);
        assert_eq!(key.public_jwk("a").thumbprint(), key.public_jwk("b").thumbprint());
    }
}

#[test]
fn at_registration_every_key_of_a_set_must_be_acceptable() {
    let register = |keys: Value| -> Result<VerifyingKeys, String> {
        let set: JwkSet = serde_json::from_value(json!({ "keys": keys })).map_err(|error| error.to_string())?;
        VerifyingKeys::new(&set).map_err(|error| error.to_string())
    };
    let (one, two) = (public(Algorithm::Es256), with(public(Algorithm::EdDsa), "kid", json!("k2")));
    assert_eq!(register(json!([one, two])).expect("a set").len(), 2);
    assert!(register(json!([])).expect("an empty set").is_empty());
    let weak = json!({ "kty": "oct", "k": "AAAA" });
    assert!(register(json!([one, weak])).expect_err("refused").starts_with("keys[1]: the JWK is a shared secret"));
    let stray = with(two.clone(), "x", json!(encode([0; 32])));
    assert!(register(json!([one, stray])).expect_err("refused").starts_with("keys[1]: "));
    assert_eq!(register(json!([one, with(two, "kid", json!("k1"))])).expect_err("refused"), "keys[1] repeats a 'kid'");
    let named = |index: usize| with(one.clone(), "kid", json!(format!("k{index}")));
    assert!(register((0..MAX_KEYS).map(named).collect()).is_ok());
    assert_eq!(register((0..=MAX_KEYS).map(named).collect()).expect_err("refused"), JwkSetError::TooMany.to_string());
    for text in
        ["[]", "{}", "null", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"keys":[[]]}"#, r#"{"keys":[],"keys":[]}"#]
    {
        assert!(serde_json::from_str::<JwkSet>(text).is_err(), "{text}");
    }
}

#[test]
fn of_a_published_set_what_is_usable_is_used_and_the_rest_is_named() {
    let good = public(Algorithm::Es256);
    let set = json!({ "keys": [
        { "kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "n": "AQ", "e": "AQAB", "kid": "k1" },
        good, { "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA" }, { "kty": 1 }, 7, [],
    ]});
    let (keys, passed_over) = VerifyingKeys::from_published(set.to_string().as_bytes()).expect("readable");
    assert_eq!(keys.iter().map(VerifyingKey::kid).collect::<Vec<_>>(), [Some("k1")]);
    let errors = [
        (0, JwkError::NotForSignatures),
        (2, JwkError::UnsupportedKeyType),
        (3, JwkError::Malformed),
        (4, JwkError::Malformed),
        (5, JwkError::Malformed),
    ];
    assert_eq!(passed_over, errors.map(|(index, error)| JwkSetError::Key { index, error }));

    let twice = json!({ "keys": [good, public(Algorithm::EdDsa)] }).to_string();
    assert_eq!(VerifyingKeys::from_published(twice.as_bytes()).map(drop), Err(JwkSetError::DuplicateKid { index: 1 }));
    let many = json!({ "keys": vec![json!({}); 10_000] }).to_string();
    assert_eq!(VerifyingKeys::from_published(many.as_bytes()).map(drop), Err(JwkSetError::TooMany));
    for json in ["", "[]", "<html>", "{\"keys\":1}", "{\"keys\":[", "\u{feff}{\"keys\":[]}"] {
        assert_eq!(VerifyingKeys::from_published(json.as_bytes()).map(drop), Err(JwkSetError::Malformed), "{json}");
    }
}

#[test]
fn a_key_is_found_by_its_name_and_a_nameless_one_only_when_no_name_fits() {
    let (a, b, c) = (Forger::new(), Forger::new(), Forger::new());
    let keys = crate::forge::keys(&[a.jwk(r#","kid":"a""#), b.jwk(""), c.jwk(r#","kid":"c""#)]);
    let found = |kid: Option<&str>| keys.find(kid).map(VerifyingKey::kid).collect::<Vec<_>>();
    assert_eq!(found(Some("a")), [Some("a")]);
    assert_eq!(found(Some("x")), [None]);
    assert_eq!(found(None), [Some("a"), None, Some("c")]);
}

#[test]
fn a_signing_key_shows_nothing_and_is_read_only_as_what_it_is() {
    let keys = Algorithm::ALL.map(sample);
    for key in keys {
        assert_eq!(format!("{key:?}"), format!("SigningKey {{ algorithm: {:?}, .. }}", key.algorithm()));
        let pkcs8 = key.to_pkcs8().expect("PKCS#8");
        assert_eq!(format!("{pkcs8:?}"), "Pkcs8([REDACTED])");
        for algorithm in Algorithm::ALL {
            let fits = algorithm == key.algorithm() || (algorithm.is_rsa() && key.algorithm().is_rsa());
            let read = SigningKey::from_pkcs8(algorithm, pkcs8.expose_secret());
            assert_eq!(read.is_ok(), fits, "{:?} as {algorithm}", key.algorithm());
        }
        let der = pkcs8.expose_secret();
        for cut in [&der[..der.len() - 1], &der[1..], &[]] {
            let read = SigningKey::from_pkcs8(key.algorithm(), cut).map(drop);
            assert_eq!(read, Err(SigningError::KeyRejected(key.algorithm())));
        }
    }
    let mismatch = keys[0].sign(&keys[1].header("at+jwt", "k"), b"{}");
    let expected = SigningError::HeaderMismatch { header: keys[1].algorithm(), key: keys[0].algorithm() };
    assert_eq!(mismatch, Err(expected));
}

#[test]
fn an_rsa_key_has_the_size_that_was_chosen() {
    for (size, octets) in [(RsaKeySize::Bits2048, 256), (RsaKeySize::Bits3072, 384)] {
        let key = SigningKey::generate_rsa(Algorithm::Rs256, size).expect("a key");
        let jwk = serde_json::to_value(key.public_jwk("k")).expect("JSON");
        assert_eq!(jwk["n"].as_str().map(str::len), Some((octets * 4_usize).div_ceil(3)));
        assert_eq!(jwk["e"], "AQAB");
    }
    let refused = SigningKey::generate_rsa(Algorithm::Es256, RsaKeySize::Bits2048).map(drop);
    assert_eq!(refused, Err(SigningError::NoChoiceOfSize(Algorithm::Es256)));
}

proptest! {
    #[test]
    fn a_token_is_exactly_as_long_as_was_reserved(claims in proptest::collection::vec(any::<u8>(), 0..600), kid in "[a-z]{1,20}") {
        let key = sample(Algorithm::EdDsa);
        let token = key.sign(&key.header("at+jwt", &kid), &claims).expect("signed");
        prop_assert_eq!(token.capacity(), token.len(), "one allocation, no more and no less");
    }

    #[test]
    fn no_bytes_panic_the_reader_of_published_keys(json in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(VerifyingKeys::from_published(&json));
    }
}
