//! Abuse of tokens, at the door of an API (what a verifier alone makes of them: `ambit-protocol`'s own tests). Each attack
//! has the honest control that is let in.

use std::time::{Duration, Instant};

use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::jose::{Algorithm, SigningKey};
use ambit_protocol::time::Timestamp;
use ambit_resource_server::{Issuer, ResourceServer, TokenStatus, Withdrawn};
use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Request, header};
use serde_json::{Value, json};

use crate::support::{
    API, ISSUER, JWKS, Key, METADATA, NOW, Reply, World, behind, call, claims, claims_with, encode, key_set, request,
    send,
};

const HEADER: &str = r#"{"alg":"ES256","typ":"at+jwt","kid":"k1"}"#;
const NOT_A_JWT: &str = "the token is not a JSON Web Token: three parts in base64url, separated by dots";
const OTHER_KIND: &str = "this is another kind of token than is accepted here (its header's 'typ')";
const ALGORITHM: &str = "the token's signature algorithm is not accepted; use ES256, RS256, PS256 or EdDSA";
const ISSUED_BY: &str = "the token was issued by somebody who is not trusted here (its 'iss' claim)";

/// An API behind `authenticated`, and the issuer's key.
fn door() -> (Router, Key, World) {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    (behind(world.api().authenticated()), key, world)
}

/// A token that is refused with 401 `invalid_token` and this sentence, while the honest one is let in.
async fn refused(router: &Router, honest: &str, token: &str, detail: &str) {
    let answer = call(router, token).await;
    let shown: String = token.chars().take(80).collect();
    assert_eq!(answer.status, 401, "{shown}: {}", answer.text);
    assert_eq!(answer.detail(), detail, "{shown}");
    assert!(answer.challenge().contains("error=\"invalid_token\""), "{shown}: {}", answer.challenge());
    assert_eq!(call(router, honest).await.status, 200);
}

#[tokio::test]
async fn no_algorithm_of_the_attackers_choice_is_taken() {
    let (router, key, _) = door();
    let honest = key.token("a");
    let payload = claims("a").to_string();

    // CVE-2022-29217 and kin: HMAC with what everybody can fetch, in each spelling of it.
    let jwk = key.key.public_jwk("k1");
    let public = serde_json::to_value(&jwk).expect("JSON");
    let coordinate = |name: &str| public[name].as_str().expect("a coordinate").to_owned();
    for secret in [public.to_string(), coordinate("x"), format!("{}{}", coordinate("x"), coordinate("y"))] {
        let input = format!("{}.{}", encode(HEADER.replace("ES256", "HS256")), encode(&payload));
        let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
        let signature = encode(aws_lc_rs::hmac::sign(&hmac, input.as_bytes()));
        refused(&router, &honest, &format!("{input}.{signature}"), ALGORITHM).await;
    }
    for algorithm in ["none", "None", "nONE", "", "HS256", "ES384", "es256", "RSA1_5", "dir"] {
        let header = HEADER.replace("ES256", algorithm);
        refused(&router, &honest, &key.sign_anything(&header, &payload), ALGORITHM).await;
        refused(&router, &honest, &format!("{}.{}.", encode(&header), encode(&payload)), NOT_A_JWT).await;
        refused(&router, &honest, &format!("{}.{}", encode(&header), encode(&payload)), NOT_A_JWT).await;
    }
}

#[tokio::test]
async fn the_key_is_the_issuers_whatever_the_header_brings_along() {
    let (router, key, world) = door();
    let honest = key.token("a");
    let attacker = Key::new("k1");
    let unsigned = "the token's signature is not valid";
    refused(&router, &honest, &attacker.token("a"), unsigned).await;
    let jwk = serde_json::to_string(&attacker.key.public_jwk("k1")).expect("JSON");
    for more in [
        format!(r#""jwk":{jwk}"#),
        r#""jku":"https://evil.example/jwks""#.to_owned(),
        r#""x5u":"https://evil.example/x5u""#.to_owned(),
    ] {
        let header = HEADER.replace('}', &format!(",{more}}}"));
        refused(&router, &honest, &attacker.sign_anything(&header, claims("a").to_string()), unsigned).await;
    }
    // A key for another algorithm under the same name.
    let rsa = SigningKey::generate(Algorithm::Rs256).expect("a key");
    let token = rsa.sign(&rsa.header("at+jwt", "k1"), claims("a").to_string().as_bytes()).expect("signed");
    refused(&router, &honest, &token, "the token's algorithm is not the one its key is for").await;
    // One letter of the signature, of the payload.
    let (input, signature) = honest.rsplit_once('.').expect("a signature");
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    refused(&router, &honest, &format!("{input}.{flipped}{}", &signature[1..]), unsigned).await;
    assert!(world.addresses().iter().all(|url| url.starts_with("https://as.example/")), "{:?}", world.addresses());
}

#[tokio::test]
async fn another_kind_of_token_is_no_access_token() {
    let (router, key, _) = door();
    let honest = key.token("a");
    for typ in
        ["JWT", "jwt", "logout+jwt", "token-introspection+jwt", "client-authentication+jwt", "dpop+jwt", "at", ""]
    {
        let token = key.key.sign(&key.key.header(typ, "k1"), claims("a").to_string().as_bytes()).expect("signed");
        refused(&router, &honest, &token, OTHER_KIND).await;
    }
    for header in [
        r#"{"alg":"ES256","kid":"k1"}"#,
        r#"{"alg":"ES256","typ":null,"kid":"k1"}"#,
        r#"{"alg":"ES256","typ":["at+jwt"],"kid":"k1"}"#,
    ] {
        let answer = call(&router, &key.sign_anything(header, claims("a").to_string())).await;
        assert_eq!(answer.status, 401, "{header}");
    }
    // An ID token of the same issuer: it has no `client_id`, and a `nonce`.
    let id_token = json!({"iss": ISSUER, "sub": "alice", "aud": API, "iat": NOW, "exp": NOW + 60, "nonce": "n"});
    refused(&router, &honest, &key.sign(&id_token), "the token has no 'client_id' claim").await;
    // RFC 9068 §4 has both spellings.
    let full = key.sign_anything(&HEADER.replace("at+jwt", "application/at+jwt"), claims("a").to_string());
    assert_eq!(call(&router, &full).await.status, 200);
}

#[tokio::test]
async fn an_issuer_is_compared_to_its_last_octet() {
    let (router, key, _) = door();
    let honest = key.token("a");
    for iss in [
        "https://as.example/",
        "https://as.example/t",
        "https://as.example.evil.example",
        "https://AS.example",
        "http://as.example",
        "https://as.exampl",
        "https://as.example ",
        "https://as.example#",
        "",
    ] {
        refused(&router, &honest, &key.sign(&claims_with("iss", json!(iss))), ISSUED_BY).await;
    }
}

#[tokio::test]
async fn issuers_that_begin_alike_are_strangers() {
    // Three tenants of one server that signs for all of them with one key.
    let key = Key::new("k1");
    let of = |issuer: &str| format!("https://as.example{issuer}");
    let api = |issuer: &str| {
        let world = World::new();
        let url = format!("https://as.example/.well-known/oauth-authorization-server{issuer}");
        world.publish(&url, Reply::Fresh(crate::support::metadata(&of(issuer), JWKS), 300));
        world.publish(JWKS, Reply::Fresh(key_set(&[&key]), 300));
        behind(world.api_of(Issuer::new(of(issuer)).without_catalogue()).authenticated())
    };
    let issuers = ["/t", "/t2", "/t/x", "/tenants/a", "/tenants/ab"];
    for at in issuers {
        let router = api(at);
        for by in issuers {
            let answer = call(&router, &key.sign(&claims_with("iss", json!(of(by))))).await;
            assert_eq!(answer.status, if at == by { 200 } else { 401 }, "{by} at {at}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn the_platform_with_its_tenants_is_those_and_nobody_else() {
    let key = Key::new("k1");
    let router = behind(World::with(&[&key]).api_of(Issuer::new(ISSUER).with_tenants()).authenticated());
    for (iss, status) in [
        ("https://as.example", 200),
        ("https://as.example/tenants/acme", 200),
        ("https://as.example/tenants/acme/", 401),
        ("https://as.example/tenants/acme/x", 401),
        ("https://as.example/tenants/", 401),
        ("https://as.example/tenants/ACME", 401),
        ("https://as.example/tenants/a%63me", 401),
        ("https://as.example/tenants/../admin", 401),
        ("https://as.example.evil.example/tenants/acme", 401),
    ] {
        assert_eq!(call(&router, &key.sign(&claims_with("iss", json!(iss)))).await.status, status, "{iss}");
    }
    // An API of one tenant takes that tenant's tokens; the platform's and another tenant's are none of its own.
    let world = World::with(&[&key]);
    let acme = "https://as.example/tenants/acme";
    world.publish(&format!("{METADATA}/tenants/acme"), Reply::Fresh(crate::support::metadata(acme, JWKS), 300));
    let router = behind(world.api_of(Issuer::new(acme).without_catalogue()).authenticated());
    for (iss, status) in [(acme, 200), (ISSUER, 401), ("https://as.example/tenants/acme2", 401)] {
        assert_eq!(call(&router, &key.sign(&claims_with("iss", json!(iss)))).await.status, status, "{iss}");
    }
}

#[tokio::test]
async fn a_token_for_another_api_is_refused_here() {
    let (router, key, _) = door();
    for aud in [
        json!("https://pos.example/"),
        json!("https://pos.example/v1"),
        json!("https://pos.exampl"),
        json!("HTTPS://pos.example"),
        json!("https://other.example"),
        json!(["https://other.example", "https://pos.example/"]),
        json!(ISSUER),
    ] {
        let answer = call(&router, &key.sign(&claims_with("aud", aud.clone()))).await;
        assert_eq!(answer.status, 401, "{aud}");
        assert!(answer.detail().starts_with("the token is for another audience"), "{}", answer.text);
    }
    for aud in [json!(API), json!([API]), json!(["https://other.example", API])] {
        assert_eq!(call(&router, &key.sign(&claims_with("aud", aud))).await.status, 200);
    }
    for aud in [json!([]), json!(7), json!({"api": API}), json!([API, 7]), json!(null)] {
        assert_eq!(call(&router, &key.sign(&claims_with("aud", aud.clone()))).await.status, 401, "{aud}");
    }
}

#[tokio::test]
async fn a_token_is_good_from_its_first_to_its_last_second_by_clocks_that_differ_a_little() {
    let (router, key, world) = door();
    for (claim, at, status) in [
        // Five seconds of grace for `exp` and `nbf`, a minute for `iat`.
        ("exp", NOW - 4, 200),
        ("exp", NOW - 5, 401),
        ("nbf", NOW + 5, 200),
        ("nbf", NOW + 6, 401),
        ("iat", NOW + 60, 200),
        ("iat", NOW + 61, 401),
    ] {
        let answer = call(&router, &key.sign(&claims_with(claim, json!(at)))).await;
        assert_eq!(answer.status, status, "{claim} {}: {}", at - NOW, answer.text);
    }
    // A token that was verified before expires all the same.
    let token = key.token("a");
    assert_eq!(call(&router, &token).await.status, 200);
    world.advance(Duration::from_secs(3604));
    assert_eq!(call(&router, &token).await.status, 200);
    world.advance(Duration::from_secs(1));
    let answer = call(&router, &token).await;
    assert_eq!((answer.status.as_u16(), answer.detail()), (401, "the token expired at 2027-01-15T09:00:00Z"));
}

#[tokio::test]
async fn a_claim_of_the_wrong_type_is_an_error_and_never_an_absent_claim() {
    let (router, key, _) = door();
    let honest = key.token("a");
    for claim in ["exp", "iat", "nbf"] {
        for value in [json!("1800000000"), json!(true), json!([NOW]), json!({}), json!(1e300), json!(1_800_000_000.5)] {
            let answer = call(&router, &key.sign(&claims_with(claim, value.clone()))).await;
            assert_eq!(answer.status, 401, "{claim} {value}: {}", answer.text);
        }
    }
    for claim in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti"] {
        let missing = format!("the token has no '{claim}' claim");
        refused(&router, &honest, &key.sign(&claims_with(claim, Value::Null)), &missing).await;
        assert_eq!(call(&router, &key.sign(&claims_with(claim, json!([1])))).await.status, 401, "{claim}");
    }
    for claim in ["scope", "tenant_id", "level", "roles", "cnf"] {
        assert_eq!(call(&router, &key.sign(&claims_with(claim, json!(7)))).await.status, 401, "{claim}");
    }
}

#[tokio::test]
async fn what_a_token_says_twice_it_does_not_say() {
    let (router, key, _) = door();
    let honest = key.token("a");
    let payload = claims("a").to_string();
    let twice = "the token's payload is not a JSON object with each claim once";
    for more in [r#","scope":"admin""#, r#","iss":"https://as.example""#, r#","\u0073cope":"admin""#, r#","x":1,"x":1"#]
    {
        let payload = payload.replace(r#""jti":"t1""#, &format!(r#""jti":"t1"{more}"#));
        refused(&router, &honest, &key.sign_anything(HEADER, payload), twice).await;
    }
    let header = HEADER.replace('}', r#","alg":"none"}"#);
    assert_eq!(call(&router, &key.sign_anything(&header, &payload)).await.status, 401);
    for trailing in ["{}", "x", "\0"] {
        refused(&router, &honest, &key.sign_anything(HEADER, format!("{payload}{trailing}")), twice).await;
    }
    refused(&router, &honest, &key.sign_anything(HEADER, format!("\u{feff}{payload}")), twice).await;
    refused(&router, &honest, &key.sign_anything(HEADER, b"{\"a\":\"\xff\"}"), twice).await;
}

#[tokio::test]
async fn a_header_that_demands_what_nobody_understands_is_refused() {
    let (router, key, _) = door();
    let honest = key.token("a");
    let critical = "the token's header demands extensions that are not supported ('crit', 'b64')";
    for more in [r#""crit":["exp"],"exp":1"#, r#""crit":[]"#, r#""b64":false,"crit":["b64"]"#, r#""b64":false"#] {
        let header = HEADER.replace('}', &format!(",{more}}}"));
        refused(&router, &honest, &key.sign_anything(&header, claims("a").to_string()), critical).await;
    }
}

#[tokio::test]
async fn a_monstrous_token_is_refused_quickly() {
    let (router, key, _) = door();
    let honest = key.token("a");
    assert_eq!(call(&router, &honest).await.status, 200);
    let deep = |depth: usize| {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        key.sign_anything(HEADER, claims("a").to_string().replace("\"t1\"", &format!("\"t1\",\"x\":{nested}")))
    };
    let many = (0..1_000_000).map(|number| format!(",\"c{number}\":0")).collect::<Vec<_>>().concat();
    let monsters = [
        "a".repeat(10 * 1024 * 1024),
        format!("{honest}{}", "A".repeat(10 * 1024 * 1024)),
        ".".repeat(10_000),
        "a.".repeat(8_000),
        deep(5_000),
        deep(100_000),
        key.sign_anything(HEADER, claims("a").to_string().replace('}', &format!("{many}}}"))),
    ];
    for monster in &monsters {
        let request = request(monster);
        #[expect(clippy::disallowed_methods, reason = "measures how long the refusal takes")]
        let begun = Instant::now();
        let answer = send(&router, request).await;
        assert_eq!(answer.status, 401, "{} octets", monster.len());
        assert!(begun.elapsed() < Duration::from_secs(1), "{} octets: {:?}", monster.len(), begun.elapsed());
        assert!(answer.text.len() < 1_000 && answer.challenge().len() < 1_000, "nothing of it is repeated");
    }
    assert_eq!(call(&router, &honest).await.status, 200);
}

#[tokio::test]
async fn the_longest_token_is_sixteen_kibibytes_or_what_the_api_says() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let of_length = |length: usize| {
        let token = |filler: usize| key.sign(&claims_with("x", json!("x".repeat(filler))));
        // Three octets are four characters: the length is hit by one of them.
        let filler = (length - token(0).len()) * 3 / 4 - 3;
        (filler..filler + 12).map(token).find(|token| token.len() == length)
    };
    for (set, limit) in [(None, 16 * 1024), (Some(800), 800), (Some(40_000), 40_000)] {
        let builder = world.verifier().issuer(ISSUER);
        let builder = if let Some(limit) = set { builder.max_token_len(limit) } else { builder };
        let verifier = builder.build().expect("a verifier");
        let mut seen = (false, false);
        // Not every length is one of a token's.
        for token in (limit - 3..=limit + 3).filter_map(&of_length) {
            let is_good = verifier.verify(&token).await.is_ok();
            assert_eq!(is_good, token.len() <= limit, "{} of {limit}", token.len());
            seen = (seen.0 || is_good, seen.1 || !is_good);
        }
        assert_eq!(seen, (true, true), "both sides of {limit}");
    }
}

#[tokio::test]
async fn a_token_in_the_url_opens_nothing() {
    let (router, key, _) = door();
    let token = key.token("a");
    let query = Request::get(format!("/?access_token={token}")).body(Body::empty()).expect("a request");
    let answer = send(&router, query).await;
    assert_eq!(answer.status, 401);
    assert!(answer.detail().contains("the one in the URL is not looked at"), "{}", answer.text);
    assert!(!answer.text.contains(&token) && !answer.challenge().contains("error="), "{}", answer.challenge());

    let mut both = request(&token);
    *both.uri_mut() = format!("/?access_token={token}").parse().expect("a URL");
    let answer = send(&router, both).await;
    assert_eq!(answer.status, 400);
    assert!(answer.challenge().contains("error=\"invalid_request\""), "{}", answer.challenge());
    // Nor does one in a form.
    let form = Request::post("/")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("access_token={token}")))
        .expect("a request");
    assert_eq!(send(&router, form).await.status, 405);
}

#[tokio::test]
async fn two_authorization_headers_are_one_too_many() {
    let (router, key, _) = door();
    let token = key.token("a");
    let honest = format!("Bearer {token}");
    for second in [honest.as_str(), "Bearer other", "Basic dGlsbDpzZWNyZXQ="] {
        let mut request = request(&token);
        request.headers_mut().append(header::AUTHORIZATION, HeaderValue::from_str(second).expect("a header"));
        let answer = send(&router, request).await;
        assert_eq!(answer.status, 400, "{second}");
        assert_eq!(answer.json["type"], "https://as.example/errors/api/invalid-authorization");
        assert!(answer.challenge().contains("error=\"invalid_request\""), "{}", answer.challenge());
    }
    assert_eq!(call(&router, &token).await.status, 200);
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    let (router, key, _) = door();
    for cnf in [json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}), json!({"x5t#S256": "abc"}), json!({})] {
        let answer = call(&router, &key.sign(&claims_with("cnf", cnf.clone()))).await;
        assert_eq!(answer.status, 401, "{cnf}");
        assert!(answer.detail().contains("bound to a key"), "{}", answer.text);
    }
}

#[tokio::test]
async fn nothing_is_done_because_an_unverified_token_says_so() {
    let (router, key, world) = door();
    let attacker = Key::new("evil");
    let claims = json!({
        "iss": "https://evil.example", "sub": "x", "aud": API, "client_id": "x", "azp": "x", "scope": "a",
        "iat": NOW, "exp": NOW + 60, "jti": "x", "tenant_slug": "acme",
    });
    let answer = call(&router, &attacker.sign(&claims)).await;
    assert_eq!(answer.status, 401);
    assert!(!answer.text.contains("evil") && !answer.text.contains("acme"), "{}", answer.text);
    assert_eq!(call(&router, &key.token("a")).await.status, 200);
    assert_eq!(
        world.addresses(),
        [METADATA.to_owned(), JWKS.to_owned()].map(String::from),
        "only the operator's issuer"
    );
}

#[tokio::test]
async fn a_token_that_was_revoked_is_refused_at_its_next_use() {
    /// Tokens are revoked by name.
    #[derive(Debug, Clone, Default)]
    struct Revoked(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

    impl TokenStatus for Revoked {
        fn check(&self, claims: &AccessTokenClaims, _: Timestamp) -> Result<(), Withdrawn> {
            let revoked = self.0.lock().expect("a lock").contains(&claims.jti);
            if revoked { Err(Withdrawn::Revoked) } else { Ok(()) }
        }
    }

    let key = Key::new("k1");
    let revoked = Revoked::default();
    let verifier = World::with(&[&key]).verifier().issuer(ISSUER).status(revoked.clone()).build().expect("a verifier");
    let router = behind(ResourceServer::over(verifier.clone(), API).build().expect("an API").authenticated());
    let (token, other) = (key.token("a"), key.sign(&claims_with("jti", json!("t2"))));
    assert_eq!(call(&router, &token).await.status, 200);
    assert_eq!(call(&router, &other).await.status, 200);
    revoked.0.lock().expect("a lock").push("t1".to_owned());
    refused(&router, &other, &token, "the token was revoked; get a new one").await;
    assert_eq!(verifier.remembered(), 1, "it is forgotten");
}
