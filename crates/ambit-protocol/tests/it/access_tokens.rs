//! Abuse of access tokens: forged, mistyped, out of place, out of time, oversize. Every test has the honest control
//! that passes.

use std::time::{Duration, Instant};

use ambit_protocol::jose::jws::{JwsError, MAX_TOKEN_LEN};
use ambit_protocol::jose::{Algorithm, SigningKey, VerifyingKeys};
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{self, Accepted, MAX_FUTURE_SECS, TokenError, Validation};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::forge::{Forger, encode, keys, sample};

const NOW: i64 = 1_800_000_000;
const HEADER: &str = r#"{"alg":"ES256","typ":"at+jwt","kid":"k1"}"#;
const ISSUER: &str = "https://as.example/tenants/acme";
const API: &str = "https://pos.example";

fn at(now: i64) -> Validation<'static> {
    Validation::new(Accepted::OneOf(&[ISSUER]), Accepted::OneOf(&[API]), Timestamp::from_secs(now))
}

fn payload() -> Value {
    json!({
        "iss": ISSUER, "sub": "till-7", "aud": API, "client_id": "till-7", "scope": "pos.read",
        "iat": NOW, "exp": NOW + 3600, "jti": "t1",
    })
}

/// The payload with one claim replaced by a JSON text.
fn with(claim: &str, value: &str) -> String {
    let mut payload = payload();
    payload[claim] = json!("PLACEHOLDER");
    payload.to_string().replace("\"PLACEHOLDER\"", value)
}

fn without(claim: &str) -> String {
    let mut payload = payload();
    payload.as_object_mut().expect("an object").remove(claim);
    payload.to_string()
}

struct World {
    forger: Forger,
    keys: VerifyingKeys,
}

impl World {
    fn new() -> Self {
        let forger = Forger::new();
        let keys = forger.keys();
        Self { forger, keys }
    }

    fn check(&self, token: &str) -> Result<String, TokenError> {
        verify::access_token(token, &self.keys, &at(NOW)).map(|claims| claims.client_id.clone())
    }

    fn header(&self, header: &str) -> Result<String, TokenError> {
        self.check(&self.forger.token(header, payload().to_string()))
    }

    fn payload(&self, payload: impl AsRef<[u8]>) -> Result<String, TokenError> {
        self.check(&self.forger.token(HEADER, payload))
    }

    fn payload_at(&self, now: i64, payload: &str) -> Result<(), TokenError> {
        let token = self.forger.token(HEADER, payload);
        verify::access_token(&token, &self.keys, &at(now)).map(drop)
    }
}

fn jws<T>(error: JwsError) -> Result<T, TokenError> {
    Err(TokenError::Jws(error))
}

#[test]
fn an_honest_token_passes() {
    let world = World::new();
    assert_eq!(world.header(HEADER), Ok("till-7".to_owned()));
}

#[test]
fn a_token_without_a_signature_algorithm_of_ours_is_refused() {
    let world = World::new();
    for algorithm in ["none", "None", "nONE", "", "HS256", "HS512", "ES384", "ES256K", "es256", "ES256 ", "RSA1_5"] {
        let header = format!(r#"{{"alg":"{algorithm}","typ":"at+jwt","kid":"k1"}}"#);
        assert_eq!(world.header(&header), jws(JwsError::Algorithm), "{algorithm}");
        let unsigned = format!("{}.{}.", encode(&header), encode(payload().to_string()));
        assert_eq!(world.check(&unsigned), jws(JwsError::Malformed), "{algorithm}");
    }
    for header in [r#"{"typ":"at+jwt"}"#, r#"{"alg":null,"typ":"at+jwt"}"#, r#"{"alg":["ES256"],"typ":"at+jwt"}"#] {
        assert_eq!(world.header(header), jws(JwsError::Algorithm), "{header}");
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    // CVE-2022-29217 and kin: the attacker signs with HMAC and the bytes everybody can fetch.
    let world = World::new();
    let public = world.forger.jwk("");
    let input = format!("{}.{}", encode(r#"{"alg":"HS256","typ":"at+jwt","kid":"k1"}"#), encode(payload().to_string()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public.as_bytes());
    let token = format!("{input}.{}", encode(aws_lc_rs::hmac::sign(&key, input.as_bytes())));
    assert_eq!(world.check(&token), jws(JwsError::Algorithm));
}

#[test]
fn the_header_does_not_choose_how_a_key_is_used() {
    let rs256 = sample(Algorithm::Rs256);
    let pkcs8 = rs256.to_pkcs8().expect("PKCS#8");
    let ps256 = SigningKey::from_pkcs8(Algorithm::Ps256, pkcs8.expose_secret()).expect("the same key");
    let published = keys(&[serde_json::to_string(&rs256.public_jwk("k1")).expect("JSON")]);
    let body = payload().to_string();
    let honest = rs256.sign(&rs256.header("at+jwt", "k1"), body.as_bytes()).expect("signed");
    assert!(verify::access_token(&honest, &published, &at(NOW)).is_ok());
    let other = ps256.sign(&ps256.header("at+jwt", "k1"), body.as_bytes()).expect("signed");
    let refused = verify::access_token(&other, &published, &at(NOW));
    assert_eq!(refused.map(drop), jws(JwsError::KeyAlgorithm));
}

#[test]
fn an_ecdsa_signature_out_of_range_or_in_another_form_is_refused() {
    // CVE-2022-21449: r = s = 0 verified everything.
    let n = ORDER;
    let world = World::new();
    let honest = world.forger.token(HEADER, payload().to_string());
    let (input, signature) = honest.rsplit_once('.').expect("three parts");
    assert!(world.check(&format!("{input}.{signature}")).is_ok());
    let one = {
        let mut one = [0; 32];
        one[31] = 1;
        one
    };
    for (r, s) in
        [([0; 32], [0; 32]), ([0; 32], one), (one, [0; 32]), (n, n), (n, one), (one, n), ([0xff; 32], [0xff; 32])]
    {
        let signature = encode([r, s].concat());
        assert_eq!(world.check(&format!("{input}.{signature}")), jws(JwsError::Signature));
    }
    for len in [0, 1, 63, 65, 72, 128] {
        let refused = world.check(&format!("{input}.{}", encode(vec![1; len])));
        assert!(matches!(refused, Err(TokenError::Jws(JwsError::Signature | JwsError::Malformed))), "{len}");
    }
}

#[test]
fn the_other_half_of_the_s_values_is_valid_and_buys_nothing() {
    // RFC 7518 §3.4 has no rule of the low s, and half of all honest signatures have a high one. So a token has two
    // spellings: whatever must be unique is keyed by `jti`, never by the token's text.
    let world = World::new();
    let honest = world.forger.token(HEADER, payload().to_string());
    let (input, signature) = honest.rsplit_once('.').expect("three parts");
    let mut signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let mut borrow = 0;
    for (s, n) in signature[32..].iter_mut().zip(ORDER).rev() {
        let difference = 256 + i16::from(n) - i16::from(*s) - borrow;
        borrow = i16::from(difference < 256);
        *s = u8::try_from(difference % 256).expect("an octet");
    }
    let twin = format!("{input}.{}", encode(signature));
    assert_ne!(twin, honest);
    assert_eq!(world.check(&twin), world.check(&honest));
}

#[test]
fn another_kind_of_token_is_no_access_token() {
    let world = World::new();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
        assert!(world.header(&format!(r#"{{"alg":"ES256","typ":"{typ}","kid":"k1"}}"#)).is_ok(), "{typ}");
    }
    for typ in [
        "JWT",
        "jwt",
        "",
        "logout+jwt",
        "secevent+jwt",
        "client-authentication+jwt",
        "token-introspection+jwt",
        "dpop+jwt",
        "oauth-authz-req+jwt",
        "at+jwt ",
        "xat+jwt",
        "at+jwtx",
        "text/at+jwt",
        "application/application/at+jwt",
        "application/",
        "application/x/at+jwt",
    ] {
        let header = format!(r#"{{"alg":"ES256","typ":"{typ}","kid":"k1"}}"#);
        assert_eq!(world.header(&header), jws(JwsError::Typ), "{typ}");
    }
    for header in [
        r#"{"alg":"ES256","kid":"k1"}"#,
        r#"{"alg":"ES256","typ":null,"kid":"k1"}"#,
        r#"{"alg":"ES256","typ":["at+jwt"],"kid":"k1"}"#,
    ] {
        assert_eq!(world.header(header), jws(JwsError::Typ), "{header}");
    }
}

#[test]
fn a_header_that_demands_what_we_do_not_know_is_refused() {
    let world = World::new();
    for more in [
        r#""crit":[]"#,
        r#""crit":["exp"],"exp":1"#,
        r#""crit":["x"]"#,
        r#""crit":["b64"],"b64":false"#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""crit":null"#,
    ] {
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"k1",{more}}}"#);
        assert_eq!(world.header(&header), jws(JwsError::Critical), "{more}");
    }
    for more in [r#""zip":"DEF""#, r#""enc":"A256GCM""#] {
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"k1",{more}}}"#);
        assert_eq!(world.header(&header), jws(JwsError::Encrypted), "{more}");
    }
}

#[test]
fn what_the_header_offers_as_a_key_is_not_looked_at() {
    let world = World::new();
    let attacker = Forger::new();
    for more in [
        format!(r#""jwk":{}"#, attacker.jwk("")),
        r#""jku":"https://evil.example/jwks""#.to_owned(),
        r#""x5u":"https://evil.example/cert""#.to_owned(),
        r#""x5c":["AAAA"]"#.to_owned(),
    ] {
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"k1",{more}}}"#);
        let forged = attacker.token(&header, payload().to_string());
        assert_eq!(world.check(&forged), jws(JwsError::Signature), "{more}");
        assert!(world.header(&header).is_ok(), "and it does no harm: {more}");
    }
}

#[test]
fn an_encrypted_token_is_refused_before_anything_is_decoded() {
    let world = World::new();
    for token in ["a.b.c.d.e", "....", "!.!.!.!.!"] {
        assert_eq!(world.check(token), jws(JwsError::Encrypted), "{token}");
    }
    let bomb = format!("{}.a.b.c.d", encode(r#"{"alg":"PBES2-HS512+A256KW","p2c":2147483647,"zip":"DEF"}"#));
    assert_eq!(world.check(&bomb), jws(JwsError::Encrypted));
}

#[test]
fn a_key_name_is_a_name_and_never_a_path_or_a_query() {
    let world = World::new();
    for kid in ["../../etc/passwd", "' OR 1=1--", "k2", "K1", "k1 ", "k", "https://evil.example/jwks"] {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid }).to_string();
        assert_eq!(world.header(&header), jws(JwsError::UnknownKey), "{kid}");
    }
    for kid in [
        json!("k1\0"),
        json!(""),
        json!("k".repeat(257)),
        json!("k".repeat(8_000)),
        json!(null),
        json!(1),
        json!(["k1"]),
    ] {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid }).to_string();
        assert_eq!(world.header(&header), jws(JwsError::Malformed));
    }
}

#[test]
fn without_a_key_name_the_keys_are_tried_and_not_too_many() {
    let (first, second) = (Forger::new(), Forger::new());
    let header = r#"{"alg":"ES256","typ":"at+jwt"}"#;
    let token = second.token(header, payload().to_string());
    let named = |forger: &Forger, kid: usize| forger.jwk(&format!(r#","kid":"k{kid}""#));
    let both = keys(&[named(&first, 1), named(&second, 2)]);
    assert!(verify::access_token(&token, &both, &at(NOW)).is_ok());
    // The ninth key is not reached.
    let many: Vec<String> = (0..9).map(|kid| named(if kid == 8 { &second } else { &first }, kid)).collect();
    assert_eq!(verify::access_token(&token, &keys(&many), &at(NOW)).map(drop), jws(JwsError::Signature));
    assert!(verify::access_token(&token, &keys(&many[1..]), &at(NOW)).is_ok());
}

#[test]
fn a_key_without_a_name_serves_tokens_with_one() {
    let world = World::new();
    let unnamed = keys(&[world.forger.jwk("")]);
    let token = world.forger.token(HEADER, payload().to_string());
    assert!(verify::access_token(&token, &unnamed, &at(NOW)).is_ok());
    let empty = keys(&[]);
    assert_eq!(verify::access_token(&token, &empty, &at(NOW)).map(drop), jws(JwsError::UnknownKey));
    assert!(verify::access_token(&token, &empty, &at(NOW)).expect_err("refused").is_unknown_key());
}

#[test]
fn a_token_of_another_tenant_is_refused_whatever_else_fits() {
    let world = World::new();
    assert!(world.payload(with("iss", &json!(ISSUER).to_string())).is_ok());
    for issuer in [
        "https://as.example/tenants/globex",
        "https://as.example",
        "https://as.example/tenants/acme/",
        "https://as.example/tenants/acm",
        "https://as.example/tenants/acme2",
        "https://as.example/tenants/acme/x",
        "https://AS.example/tenants/acme",
        "https://as.example/tenants/Acme",
        "",
    ] {
        assert_eq!(world.payload(with("iss", &json!(issuer).to_string())), Err(TokenError::Issuer), "{issuer}");
    }
}

#[test]
fn a_token_for_another_api_is_refused() {
    let world = World::new();
    for audience in [json!(API), json!([API]), json!(["https://other", API])] {
        assert!(world.payload(with("aud", &audience.to_string())).is_ok(), "{audience}");
    }
    for audience in [
        json!("https://other"),
        json!(["https://other"]),
        json!("https://pos.example/"),
        json!("https://pos.exampl"),
        json!(""),
    ] {
        assert_eq!(world.payload(with("aud", &audience.to_string())), Err(TokenError::Audience), "{audience}");
    }
    for audience in ["[]", "null", "1", "{}", "[1]", "[null]", "[[\"https://pos.example\"]]", "true"] {
        assert_eq!(world.payload(with("aud", audience)), Err(TokenError::MalformedClaim("aud")), "{audience}");
    }
    let nobody = Validation { audiences: Accepted::OneOf(&[]), ..at(NOW) };
    let token = world.forger.token(HEADER, payload().to_string());
    assert_eq!(verify::access_token(&token, &world.keys, &nobody).map(drop), Err(TokenError::Audience));
    let known = |audience: &str| audience.starts_with("https://pos.");
    let somebody = Validation { audiences: Accepted::Where(&known), ..at(NOW) };
    assert!(verify::access_token(&token, &world.keys, &somebody).is_ok());
}

#[test]
fn every_required_claim_must_be_there_and_of_its_type() {
    let world = World::new();
    for claim in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti"] {
        assert_eq!(world.payload(without(claim)), Err(TokenError::MissingClaim(claim)));
        for value in ["null", "true", "{}", "[[]]"] {
            assert_eq!(world.payload(with(claim, value)), Err(TokenError::MalformedClaim(claim)), "{claim} {value}");
        }
    }
    for claim in [
        "scope",
        "tenant_id",
        "tenant_slug",
        "partner_id",
        "unit_id",
        "level",
        "roles",
        "groups",
        "act",
        "cnf",
        "rev",
        "nbf",
    ] {
        for value in ["null", "true", "[1]", "1.5", "-1"] {
            assert_eq!(world.payload(with(claim, value)), Err(TokenError::MalformedClaim(claim)), "{claim} {value}");
        }
    }
    assert!(
        world.payload(with("unknown", "[null,{\"a\":1e3}]")).is_ok(),
        "RFC 7519 §4: what is not understood is ignored"
    );
}

#[test]
fn a_time_is_a_whole_number_or_the_token_is_refused() {
    // CVE-2026-25537: a claim of the wrong type was taken for an absent one, and its check left out.
    let world = World::new();
    for claim in ["exp", "iat", "nbf"] {
        for value in [
            "\"1800000000\"",
            "1800000000.0",
            "1800000000.5",
            "1.8e9",
            "1e400",
            "-1",
            "-1800000000",
            "null",
            "[1800000000]",
            "true",
            "99999999999999999999",
            "253402300800",
            "{}",
            "\"\"",
            "0x10",
            "01",
        ] {
            let refused = world.payload(with(claim, value));
            assert!(matches!(refused, Err(TokenError::MalformedClaim(_) | TokenError::Payload)), "{claim} {value}");
        }
    }
    assert!(world.payload(with("exp", "253402300799")).is_ok());
}

#[test]
fn a_token_lives_from_its_nbf_to_its_exp_give_or_take_the_leeway() {
    let world = World::new();
    let exp = NOW + 3600;
    let expired = Err(TokenError::Expired { at: Timestamp::from_secs(exp) });
    let body = payload().to_string();
    assert_eq!(world.payload_at(exp - 1, &body), Ok(()));
    assert_eq!(world.payload_at(exp + 4, &body), Ok(()));
    assert_eq!(world.payload_at(exp + 5, &body), expired);
    let token = world.forger.token(HEADER, &body);
    let exact = |now| Validation { leeway_secs: 0, ..at(now) };
    assert!(verify::access_token(&token, &world.keys, &exact(exp - 1)).is_ok());
    assert_eq!(verify::access_token(&token, &world.keys, &exact(exp)).map(drop), expired, "on or after exp");

    let later = with("nbf", &(NOW + 100).to_string());
    let early = Err(TokenError::NotYetValid { at: Timestamp::from_secs(NOW + 100) });
    assert_eq!(world.payload_at(NOW + 95, &later), Ok(()));
    assert_eq!(world.payload_at(NOW + 94, &later), early);

    let future = Err(TokenError::IssuedInFuture { at: Timestamp::from_secs(NOW) });
    assert_eq!(world.payload_at(NOW - MAX_FUTURE_SECS, &body), Ok(()));
    assert_eq!(world.payload_at(NOW - MAX_FUTURE_SECS - 1, &body), future);
    assert_eq!(world.payload_at(i64::MIN / 1000, &body), future);
    assert_eq!(world.payload_at(i64::MAX / 1000, &body), expired);
}

#[test]
fn json_that_two_readers_could_read_differently_is_refused() {
    let world = World::new();
    let body = payload().to_string();
    let twice = |claim: &str| format!("{},\"{claim}\":\"x\"}}", body.strip_suffix('}').expect("an object"));
    assert!(world.payload(&body).is_ok());
    assert!(world.payload(twice("other")).is_ok());
    assert_eq!(world.payload(twice("sub")), Err(TokenError::Payload));
    assert_eq!(world.payload(twice("\\u0073ub")), Err(TokenError::Payload));
    assert_eq!(world.payload(with("cnf", r#"{"jkt":"a","jkt":"b"}"#)), Err(TokenError::Payload));
    assert_eq!(world.payload(format!("\u{feff}{body}")), Err(TokenError::Payload), "a BOM");
    assert_eq!(world.payload(format!("{body}{body}")), Err(TokenError::Payload));
    assert_eq!(world.payload(format!("{body} x")), Err(TokenError::Payload));
    assert_eq!(world.payload(format!("[{body}]")), Err(TokenError::Payload));
    assert_eq!(world.payload([body.as_bytes(), b"\0"].concat()), Err(TokenError::Payload));
    assert_eq!(world.payload(body.replace("t1", "t\u{1}").as_bytes()), Err(TokenError::Payload), "a raw control");
    assert_eq!(
        world.payload([b"{\"x\":\"\xff\",", &body.as_bytes()[1..]].concat()),
        Err(TokenError::Payload),
        "not UTF-8"
    );
    assert_eq!(world.payload(""), Err(TokenError::Payload));
    assert_eq!(world.payload(with("sub", "\"\\ud800\"")), Err(TokenError::MalformedClaim("sub")), "a lone surrogate");

    assert_eq!(world.header(r#"{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"k1"}"#), jws(JwsError::Malformed));
    assert_eq!(world.header(r#"["ES256","at+jwt","k1"]"#), jws(JwsError::Malformed));
    assert_eq!(world.header(&format!("{HEADER}{HEADER}")), jws(JwsError::Malformed));
}

#[test]
fn base64url_has_one_spelling() {
    let world = World::new();
    let honest = world.forger.token(HEADER, payload().to_string());
    let parts: Vec<&str> = honest.split('.').collect();
    for (place, bad) in
        [(0, "="), (1, "="), (2, "="), (2, "=="), (0, " "), (1, "\n"), (2, "\n"), (1, "+"), (1, "/"), (1, "é")]
    {
        let mut changed: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        changed[place].push_str(bad);
        if place < 2 {
            // Signed as it stands, so that only the encoding can be what is wrong.
            changed[2] = world.forger.sign(&format!("{}.{}", changed[0], changed[1]));
        }
        assert_eq!(world.check(&changed.join(".")), jws(JwsError::Malformed), "{place} {bad:?}");
    }
    // 64 octets end in four bits that must be zero.
    let (kept, last) = honest.split_at(honest.len() - 1);
    let value = ALPHABET.find(last).expect("base64url");
    let twin = &ALPHABET[value + 1..value + 2];
    assert_eq!(world.check(&format!("{kept}{twin}")), jws(JwsError::Malformed), "stray bits");
}

#[test]
fn a_token_has_three_parts() {
    let world = World::new();
    let honest = world.forger.token(HEADER, payload().to_string());
    let (input, signature) = honest.rsplit_once('.').expect("three parts");
    let (header, body) = input.split_once('.').expect("three parts");
    for token in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        header.to_owned(),
        input.to_owned(),
        format!("{input}."),
        format!(".{body}.{signature}"),
        format!("{honest}."),
        format!(".{honest}"),
        format!("{honest}.x"),
        format!("Bearer {honest}"),
        format!("{honest}\n"),
        "é.é.é".to_owned(),
    ] {
        assert!(matches!(world.check(&token), Err(TokenError::Jws(JwsError::Malformed))), "{token}");
    }
    assert!(world.check(&format!("{header}..{signature}")).is_err(), "no payload");
}

#[test]
fn a_token_of_the_longest_length_passes_and_one_octet_more_does_not() {
    let world = World::new();
    let honest = world.payload(with("pad", &format!("\"{}\"", "x".repeat(100))));
    assert!(honest.is_ok());
    let token = |pad: usize| world.forger.token(HEADER, with("pad", &format!("\"{}\"", "x".repeat(pad))));
    let mut pad = 10_000;
    while token(pad + 1).len() <= MAX_TOKEN_LEN {
        pad += 1;
    }
    assert!(world.check(&token(pad)).is_ok());
    assert_eq!(world.check(&token(pad + 3)), jws(JwsError::TooLong));
    let short = Validation { max_len: 100, ..at(NOW) };
    assert_eq!(verify::access_token(&token(1), &world.keys, &short).map(drop), jws(JwsError::TooLong));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "measures how long a refusal takes")]
fn what_is_oversize_is_refused_at_once() {
    let world = World::new();
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let wide: Vec<String> = (0..1_000).map(|i| format!("\"c{i}\":{i}")).collect();
    let wide = format!("{},{}}}", payload().to_string().trim_end_matches('}'), wide.join(","));
    let attacks = [
        "x".repeat(10 << 20),
        ".".repeat(10_000),
        ".".repeat(10 << 20),
        world.forger.token(&deep, payload().to_string()),
        world.forger.token(HEADER, deep),
        world.forger.token(HEADER, wide),
        world.forger.token(HEADER, format!("{{\"x\":{}", "[".repeat(100_000))),
        world.forger.token(HEADER, format!("{{{}\"x\":0}}", "\"x\":0,".repeat(1_000_000))),
    ];
    for attack in attacks {
        let start = Instant::now();
        assert!(world.check(&attack).is_err());
        assert!(start.elapsed() < Duration::from_millis(100), "{} octets", attack.len());
    }
}

#[test]
fn an_error_says_which_check_failed_and_nothing_of_the_token() {
    let world = World::new();
    let canary = "CANARY";
    let tokens = [
        world.forger.token(HEADER, with("sub", "\"CANARY\"").replace(API, "https://CANARY")),
        world.forger.token(HEADER, with("iss", "\"https://CANARY\"")),
        world.forger.token(HEADER, with("exp", "\"CANARY\"")),
        world.forger.token(r#"{"alg":"CANARY","typ":"at+jwt"}"#, "{}"),
        world.forger.token(r#"{"alg":"ES256","typ":"CANARY"}"#, "{}"),
        world.forger.token(r#"{"alg":"ES256","typ":"at+jwt","kid":"CANARY"}"#, "{}"),
        world.forger.token(HEADER, "CANARY"),
        "CANARY".to_owned(),
        "CANARY.CANARY.CANARY".to_owned(),
    ];
    for token in tokens {
        let error = world.check(&token).expect_err("refused");
        let shown = format!("{error} {error:?} {}", error.code());
        assert!(!shown.contains(canary), "{shown}");
        assert!(error.to_string().len() > 20, "{error}");
    }
}

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// How many points P-256 has.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
