//! The Wycheproof vectors against [`VerifyingKey`]: what broke other people's verifiers.
//!
//! A key the vectors consider too weak for us (an exponent of 3, fewer bits) must be refused as a key; then its
//! signatures cannot be tried.

use wycheproof::TestResult;
use wycheproof::{ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use super::der;
use super::verifying::VerifyingKey;
use super::{Algorithm, Jwk};

/// Verified as often as each answer was given, for a look at whether the vectors were there at all.
#[derive(Default)]
struct Seen {
    accepted: usize,
    refused: usize,
}

impl Seen {
    fn check(&mut self, key: &VerifyingKey, message: &[u8], signature: &[u8], expected: TestResult, comment: &str) {
        let accepted = key.verifies(message, signature);
        match expected {
            TestResult::Valid => assert!(accepted, "{comment}"),
            TestResult::Invalid => assert!(!accepted, "{comment}"),
            TestResult::Acceptable => {}
        }
        *if accepted { &mut self.accepted } else { &mut self.refused } += 1;
    }
}

#[test]
fn es256_signatures_are_judged_as_by_wycheproof() {
    let mut seen = Seen::default();
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).expect("vectors");
    for group in set.test_groups {
        let jwk = Jwk::from_p256_point(&group.key.key).expect("a point");
        let key = VerifyingKey::new(&jwk).expect("on the curve");
        for test in group.tests {
            seen.check(&key, &test.msg, &test.sig, test.result, &test.comment);
        }
    }
    assert!(seen.accepted > 100 && seen.refused > 50, "{} and {}", seen.accepted, seen.refused);
}

#[test]
fn a_der_signature_is_no_es256_signature_even_where_it_is_valid() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).expect("vectors");
    for group in set.test_groups {
        let key = VerifyingKey::new(&Jwk::from_p256_point(&group.key.key).expect("a point")).expect("on the curve");
        for test in group.tests {
            assert!(!key.verifies(&test.msg, &test.sig), "{}", test.comment);
        }
    }
}

#[test]
fn eddsa_signatures_are_judged_as_by_wycheproof() {
    let mut seen = Seen::default();
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("vectors");
    for group in set.test_groups {
        let key = VerifyingKey::new(&Jwk::from_ed25519(&group.key.pk).expect("32 octets")).expect("a key");
        for test in group.tests {
            seen.check(&key, &test.msg, &test.sig, test.result, &test.comment);
        }
    }
    assert!(seen.accepted > 50 && seen.refused > 50, "{} and {}", seen.accepted, seen.refused);
}

#[test]
fn rs256_signatures_are_judged_as_by_wycheproof() {
    use rsa_pkcs1_verify::TestName;
    let mut seen = Seen::default();
    for name in [TestName::Rsa2048Sha256, TestName::Rsa3072Sha256, TestName::Rsa4096Sha256, TestName::Rsa8192Sha256] {
        for group in rsa_pkcs1_verify::TestSet::load(name).expect("vectors").test_groups {
            let Some(key) = rsa_key(&group.asn_key, Algorithm::Rs256) else { continue };
            for test in group.tests {
                seen.check(&key, &test.msg, &test.sig, test.result, &test.comment);
            }
        }
    }
    assert!(seen.accepted > 10 && seen.refused > 500, "{} and {}", seen.accepted, seen.refused);
}

#[test]
fn ps256_signatures_are_judged_as_by_wycheproof() {
    use rsa_pss_verify::TestName;
    let mut seen = Seen::default();
    for name in [
        TestName::RsaPss2048Sha256Mgf1SaltLen32,
        TestName::RsaPss3072Sha256Mgf1SaltLen32,
        TestName::RsaPss4096Sha256Mgf1SaltLen32,
    ] {
        for group in rsa_pss_verify::TestSet::load(name).expect("vectors").test_groups {
            let Some(key) = rsa_key(&group.asn_key, Algorithm::Ps256) else { continue };
            for test in group.tests {
                seen.check(&key, &test.msg, &test.sig, test.result, &test.comment);
            }
        }
    }
    assert!(seen.accepted > 50 && seen.refused > 50, "{} and {}", seen.accepted, seen.refused);
}

#[test]
fn ps256_wants_a_salt_as_long_as_the_hash() {
    // RFC 7518 §3.5. The same hash and mask with another salt, or another mask: never PS256.
    use rsa_pss_verify::TestName;
    let mut refused = 0;
    for name in [TestName::RsaPss2048Sha256Mgf1SaltLen0, TestName::RsaPss2048Sha256Mgf1Sha1_20] {
        for group in rsa_pss_verify::TestSet::load(name).expect("vectors").test_groups {
            let Some(key) = rsa_key(&group.asn_key, Algorithm::Ps256) else { continue };
            for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
                assert!(!key.verifies(&test.msg, &test.sig), "{}", test.comment);
                refused += 1;
            }
        }
    }
    assert!(refused > 20, "{refused}");
}

fn rsa_key(asn1: &[u8], algorithm: Algorithm) -> Option<VerifyingKey> {
    let (n, e) = der::rsa_public_key(asn1).expect("an RSAPublicKey");
    let json = serde_json::to_value(Jwk::from_rsa(n, e).described(algorithm, "k")).expect("JSON");
    let strong = e.len() >= 3 && n.len() >= 256;
    let jwk = serde_json::from_value::<Jwk>(json);
    assert_eq!(jwk.is_ok(), strong, "{jwk:?}");
    jwk.ok().map(|jwk| VerifyingKey::new(&jwk).expect("a key"))
}
