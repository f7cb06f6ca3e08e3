//! Abuse of client assertions (RFC 7523): for somebody else, of somebody else, for ever, mistyped.

use ambit_protocol::claims::{AssertionClaims, MAX_JTI_LEN};
use ambit_protocol::jose::VerifyingKeys;
use ambit_protocol::jose::jws::JwsError;
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{self, AssertionValidation, TokenError, Verified};
use serde_json::{Value, json};

use crate::forge::Forger;

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://as.example/tenants/acme";
const TOKEN_ENDPOINT: &str = "https://as.example/tenants/acme/connect/token";
const HEADER: &str = r#"{"alg":"ES256","kid":"k1"}"#;

fn payload() -> Value {
    json!({ "iss": "etl", "sub": "etl", "aud": ISSUER, "jti": "a1", "exp": NOW + 60, "iat": NOW })
}

fn with(claim: &str, value: &str) -> String {
    let mut payload = payload();
    payload[claim] = json!("PLACEHOLDER");
    payload.to_string().replace("\"PLACEHOLDER\"", value)
}

fn validation() -> AssertionValidation<'static> {
    AssertionValidation { client_id: "etl", issuer: ISSUER, also_accepted: &[], now: Timestamp::from_secs(NOW) }
}

struct Client {
    forger: Forger,
    keys: VerifyingKeys,
}

impl Client {
    fn new() -> Self {
        let forger = Forger::new();
        let keys = forger.keys();
        Self { forger, keys }
    }

    fn check(&self, assertion: &str) -> Result<Verified<AssertionClaims>, TokenError> {
        verify::client_assertion(assertion, &self.keys, &validation())
    }

    fn says(&self, payload: &str) -> Result<(), TokenError> {
        self.check(&self.forger.token(HEADER, payload)).map(drop)
    }
}

#[test]
fn an_honest_assertion_passes_and_says_how_long_to_remember_it() {
    let client = Client::new();
    let assertion = client.forger.token(HEADER, payload().to_string());
    assert_eq!(verify::claimed_client_id(&assertion), Ok("etl".to_owned()));
    let claims = client.check(&assertion).expect("honest");
    assert_eq!(claims.jti, "a1");
    assert_eq!(claims.remember_until(), Timestamp::from_secs(NOW + 60 + verify::LEEWAY_SECS));
    let at = |now| AssertionValidation { now, ..validation() };
    let last = claims.remember_until().plus_secs(-1);
    assert!(verify::client_assertion(&assertion, &client.keys, &at(last)).is_ok());
    let refused = verify::client_assertion(&assertion, &client.keys, &at(claims.remember_until()));
    assert_eq!(refused.map(drop), Err(TokenError::Expired { at: Timestamp::from_secs(NOW + 60) }));
}

#[test]
fn an_unsigned_assertion_is_refused() {
    let client = Client::new();
    for algorithm in ["none", "None", "nONE", "HS256"] {
        let header = format!(r#"{{"alg":"{algorithm}","kid":"k1"}}"#);
        let refused = client.check(&client.forger.token(&header, payload().to_string()));
        assert_eq!(refused.map(drop), Err(TokenError::Jws(JwsError::Algorithm)), "{algorithm}");
    }
    let assertion = client.forger.token(HEADER, payload().to_string());
    let (unsigned, _) = assertion.rsplit_once('.').expect("three parts");
    for assertion in [unsigned.to_owned(), format!("{unsigned}.")] {
        assert_eq!(client.check(&assertion).map(drop), Err(TokenError::Jws(JwsError::Malformed)));
    }
}

#[test]
fn only_the_issuer_as_one_string_is_the_audience() {
    // CVE-2025-27370, CVE-2025-27371: an assertion meant for two servers lets one of them be the client at the other.
    let client = Client::new();
    assert_eq!(client.says(&with("aud", &json!(ISSUER).to_string())), Ok(()));
    for audience in [
        "https://other.example",
        "https://as.example/tenants/globex",
        "https://as.example",
        "https://as.example/tenants/acme/",
        "https://AS.example/tenants/acme",
        TOKEN_ENDPOINT,
        "",
    ] {
        assert_eq!(client.says(&with("aud", &json!(audience).to_string())), Err(TokenError::Audience), "{audience}");
    }
    for audience in [json!([ISSUER]), json!([ISSUER, "https://other.example"]), json!([]), json!(null), json!(1)] {
        let refused = client.says(&with("aud", &audience.to_string()));
        assert_eq!(refused, Err(TokenError::MalformedClaim("aud")), "{audience}");
    }
}

#[test]
fn the_token_endpoint_is_the_audience_only_where_the_switch_is_on() {
    let client = Client::new();
    let assertion = client.forger.token(HEADER, with("aud", &json!(TOKEN_ENDPOINT).to_string()));
    assert_eq!(client.check(&assertion).map(drop), Err(TokenError::Audience));
    let legacy = AssertionValidation { also_accepted: &[TOKEN_ENDPOINT], ..validation() };
    assert!(verify::client_assertion(&assertion, &client.keys, &legacy).is_ok());
}

#[test]
fn issuer_and_subject_are_the_client_and_nobody_else() {
    let client = Client::new();
    for (iss, sub) in
        [("etl", "other"), ("other", "etl"), ("other", "other"), ("ETL", "ETL"), ("etl ", "etl "), ("", "")]
    {
        let mut payload = payload();
        payload["iss"] = json!(iss);
        payload["sub"] = json!(sub);
        assert_eq!(client.says(&payload.to_string()), Err(TokenError::Subject), "{iss} {sub}");
    }
    // Two clients that share a key: the assertion of one is not the other's.
    let assertion = client.forger.token(HEADER, payload().to_string());
    let other = AssertionValidation { client_id: "other", ..validation() };
    let refused = verify::client_assertion(&assertion, &client.keys, &other);
    assert_eq!(refused.map(drop), Err(TokenError::Subject));
}

#[test]
fn an_assertion_lives_five_minutes_at_most() {
    let client = Client::new();
    assert_eq!(client.says(&with("exp", &(NOW + 300).to_string())), Ok(()));
    assert_eq!(client.says(&with("exp", &(NOW + 301).to_string())), Err(TokenError::LifetimeTooLong));
    assert_eq!(client.says(&with("exp", &(NOW + 315_360_000).to_string())), Err(TokenError::LifetimeTooLong));
}

#[test]
fn clocks_may_differ_a_little() {
    let client = Client::new();
    let expired = |at| Err(TokenError::Expired { at: Timestamp::from_secs(at) });
    assert_eq!(client.says(&with("exp", &NOW.to_string())), Ok(()), "exactly now is within the leeway");
    assert_eq!(client.says(&with("exp", &(NOW - 4).to_string())), Ok(()));
    assert_eq!(client.says(&with("exp", &(NOW - 5).to_string())), expired(NOW - 5));
    for claim in ["iat", "nbf"] {
        assert_eq!(client.says(&with(claim, &(NOW + 10).to_string())), Ok(()), "{claim}");
        for ahead in [11, 61] {
            let refused = client.says(&with(claim, &(NOW + ahead).to_string()));
            let expected = matches!(refused, Err(TokenError::IssuedInFuture { .. } | TokenError::NotYetValid { .. }));
            assert!(expected, "{claim} {ahead}");
        }
    }
}

#[test]
fn a_time_of_the_wrong_type_is_refused_and_never_absent() {
    let client = Client::new();
    for claim in ["exp", "iat", "nbf"] {
        for value in
            ["\"1800000060\"", "1800000060.5", "1800000060.0", "-1", "1e400", "1.8e9", "null", "[]", "true", "{}"]
        {
            let refused = client.says(&with(claim, value));
            assert_eq!(refused, Err(TokenError::MalformedClaim(claim)), "{claim} {value}");
        }
    }
    for claim in ["iss", "sub", "aud", "jti", "exp"] {
        let mut payload = payload();
        payload.as_object_mut().expect("an object").remove(claim);
        assert_eq!(client.says(&payload.to_string()), Err(TokenError::MissingClaim(claim)));
    }
    let mut bare = payload();
    bare.as_object_mut().expect("an object").remove("iat");
    assert_eq!(client.says(&bare.to_string()), Ok(()), "RFC 7523 §3: iat and nbf are optional");
}

#[test]
fn an_assertion_has_a_name_of_a_sane_length() {
    let client = Client::new();
    let named = |len: usize| client.says(&with("jti", &json!("j".repeat(len)).to_string()));
    assert_eq!(named(MAX_JTI_LEN), Ok(()));
    assert_eq!(named(MAX_JTI_LEN + 1), Err(TokenError::TokenId));
    assert_eq!(named(0), Err(TokenError::TokenId));
    assert_eq!(client.says(&with("jti", "7")), Err(TokenError::MalformedClaim("jti")));
}

#[test]
fn another_kind_of_token_is_no_assertion() {
    let client = Client::new();
    for typ in ["JWT", "jwt", "client-authentication+jwt", "application/client-authentication+jwt"] {
        let header = format!(r#"{{"alg":"ES256","kid":"k1","typ":"{typ}"}}"#);
        assert!(client.check(&client.forger.token(&header, payload().to_string())).is_ok(), "{typ}");
    }
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", ""] {
        let header = format!(r#"{{"alg":"ES256","kid":"k1","typ":"{typ}"}}"#);
        let refused = client.check(&client.forger.token(&header, payload().to_string()));
        assert_eq!(refused.map(drop), Err(TokenError::Jws(JwsError::Typ)), "{typ}");
    }
}

#[test]
fn the_claimed_client_is_a_hint_that_proves_nothing() {
    let client = Client::new();
    let attacker = Forger::new();
    let assertion = attacker.token(HEADER, payload().to_string());
    assert_eq!(verify::claimed_client_id(&assertion), Ok("etl".to_owned()));
    assert_eq!(client.check(&assertion).map(drop), Err(TokenError::Jws(JwsError::Signature)));
    for assertion in ["", "x", "a.b.c", "a.b.c.d.e", "e30.e30.e30"] {
        assert!(verify::claimed_client_id(assertion).is_err(), "{assertion}");
    }
    let long = format!("e30.{}.e30", "x".repeat(20_000));
    assert_eq!(verify::claimed_client_id(&long), Err(TokenError::Jws(JwsError::TooLong)));
}
