//! Who asks: each way to authenticate and each way to abuse it, at every door that authenticates clients.

use std::net::SocketAddr;

use ambit_protocol::client::CLIENT_ASSERTION_TYPE;
use axum::extract::ConnectInfo;
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::doors::{ACME, Attempt, Clients, Door, PATIENT, World, claims, doors};
use crate::forge::{Forger, assertion_fields, encode, hs256};
use crate::support::{Answer, Fixture, ROOT, START};

/// What an attempt at a door must come to.
struct Row {
    name: String,
    attempt: Attempt,
    status: StatusCode,
    error: &'static str,
    reason: &'static str,
}

fn unauthenticated(name: impl Into<String>, attempt: Attempt, reason: &'static str) -> Row {
    Row { name: name.into(), attempt, status: StatusCode::UNAUTHORIZED, error: "invalid_client", reason }
}

fn malformed(name: impl Into<String>, attempt: Attempt) -> Row {
    let (status, error) = (StatusCode::BAD_REQUEST, "invalid_request");
    Row { name: name.into(), attempt, status, error, reason: "invalid_request" }
}

/// Puts every row before every door: the answer is the expected one, all failures of authentication read the same, why is on
/// record, and nothing else happened. Before and after, the honest are served.
async fn refused_at_every_door(world: &World, rows: impl Fn(&Clients, &Door) -> Vec<Row>) {
    honest_at_every_door(world, "before").await;
    let before = world.elsewhere().await;
    let mut told: Option<Value> = None;
    for door in doors() {
        for row in rows(world.clients(door.issuer), &door) {
            if door.method == Method::GET && row.attempt.has_body() {
                continue;
            }
            let what = format!("{} at {} {}", row.name, door.method, door.path);
            let answer = world.send(&door, &row.attempt).await;
            assert_eq!(answer.status, row.status, "{what}: {}", answer.text);
            assert_eq!(answer.json["error"], row.error, "{what}: {}", answer.text);
            assert_eq!(answer.header(header::CACHE_CONTROL), "no-store", "{what}");
            assert_eq!(world.reason(&answer).await, row.reason, "{what}");
            if row.status == StatusCode::UNAUTHORIZED {
                assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Basic realm=\"ambit\"", "{what}");
                let mut body = answer.json.clone();
                body["trace_id"] = Value::Null;
                assert_eq!(*told.get_or_insert_with(|| body.clone()), body, "{what} tells more than the others");
            }
        }
    }
    assert_eq!(world.elsewhere().await, before, "an attack left a trace elsewhere");
    honest_at_every_door(world, "after").await;
}

async fn honest_at_every_door(world: &World, when: &str) {
    for (place, door) in doors().iter().enumerate() {
        let clients = world.clients(door.issuer);
        let (id, secret) = &clients.secret;
        let (signer, forger) = &clients.signer;
        let assertion = forger.sign(&claims(signer, door.issuer, &format!("honest-{when}-{place}")));
        let attempts = [Attempt::basic(id, secret), Attempt::post(id, secret), Attempt::assertion(&assertion)];
        for attempt in attempts.iter().filter(|attempt| door.method == Method::POST || !attempt.has_body()) {
            let answer = world.send(door, attempt).await;
            assert_eq!(answer.status, StatusCode::OK, "{when}, {} {}: {}", door.method, door.path, answer.text);
        }
    }
}

fn changed(secret: &str, place: usize) -> String {
    let mut octets = secret.as_bytes().to_vec();
    octets[place] = if octets[place] == b'x' { b'y' } else { b'x' };
    String::from_utf8(octets).expect("ASCII")
}

#[tokio::test]
async fn a_wrong_secret_is_as_good_as_no_client() {
    let world = World::new().await;
    refused_at_every_door(&world, |clients, _| {
        let (id, secret) = &clients.secret;
        let guesses = [
            ("another", "wrong".to_owned()),
            ("the first character changed", changed(secret, 0)),
            ("the last character changed", changed(secret, secret.len() - 1)),
            ("cut", secret[..secret.len() - 1].to_owned()),
            ("with more", format!("{secret}0")),
            ("with a space", format!("{secret} ")),
            ("upper case", secret.to_uppercase()),
            ("its hash", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned()),
            ("10 kB", "x".repeat(5_000)),
        ];
        let mut rows = vec![];
        for (name, guess) in &guesses {
            rows.push(unauthenticated(*name, Attempt::basic(id, guess), "secret_wrong"));
            rows.push(unauthenticated(*name, Attempt::post(id, guess), "secret_wrong"));
            rows.push(unauthenticated(format!("nobody, {name}"), Attempt::basic("nobody", guess), "client_unknown"));
            rows.push(unauthenticated(format!("nobody, {name}"), Attempt::post("nobody", guess), "client_unknown"));
        }
        rows.push(unauthenticated("empty, by header", Attempt::basic(id, ""), "secret_wrong"));
        rows.push(unauthenticated("empty, in the body", Attempt::post(id, ""), "credentials_missing"));
        rows.push(unauthenticated("no credentials", Attempt::default(), "credentials_missing"));
        rows.push(unauthenticated("a name alone", Attempt::default().field("client_id", id), "credentials_missing"));
        rows
    })
    .await;
}

#[tokio::test]
async fn two_methods_at_once_are_none() {
    let world = World::new().await;
    refused_at_every_door(&world, |clients, door| {
        let (id, secret) = &clients.secret;
        let (signer, forger) = &clients.signer;
        let assertion = forger.sign(&claims(signer, door.issuer, "twice"));
        let with_assertion = |mut attempt: Attempt| {
            for (name, value) in assertion_fields(&assertion) {
                attempt = attempt.field(&name, &value);
            }
            attempt
        };
        let again = Attempt::basic(id, secret).field("client_secret", secret);
        vec![
            malformed("the right secret twice", again.clone()),
            malformed("the right one and a wrong one", Attempt::basic(id, secret).field("client_secret", "wrong")),
            malformed("both whole", again.field("client_id", id)),
            malformed("header and assertion", with_assertion(Attempt::basic(id, secret))),
            malformed("body and assertion", with_assertion(Attempt::post(id, secret))),
            malformed("two names", Attempt::basic(id, secret).field("client_id", signer)),
        ]
    })
    .await;
}

#[tokio::test]
async fn a_secret_has_one_spelling() {
    // A secret that an operator hands in may hold every printable character; ours hold none that encoding changes.
    let fixture = Fixture::with(PATIENT).await;
    let made = handed_in(&fixture, "a:b+c%20d e~'\"&=/\\ 0123456789 ABCDEF").await;
    let secret = made.as_str();
    let honest = fixture.token("/connect/token", ("odd", secret), &[]).await;
    assert_eq!(honest.status, StatusCode::OK, "{}", honest.text);
    let raw = |credentials: &str| format!("Basic {}", BASE64_STANDARD.encode(credentials));
    let token = doors().into_iter().next().expect("a door");
    for (name, authorization) in [
        ("not encoded", raw(&format!("odd:{secret}"))),
        ("encoded twice", {
            let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            raw(&format!("odd:{}", encode(&encode(secret))))
        }),
        ("decoded once more", raw(&format!("odd:{}", secret.replace("%20", " ").replace('+', " ")))),
    ] {
        let answer = fixture.send(Attempt::authorization(authorization).at(&token)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}: {}", answer.text);
    }
    for secret in ["ä", "🔑", "\u{a0}"] {
        let answer = fixture.send(Attempt::authorization(raw(&format!("odd:{secret}"))).at(&token)).await;
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{secret}: {}", answer.text);
        let answer = fixture.send(Attempt::basic("odd", secret).at(&token)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{secret}: {}", answer.text);
    }
}

#[tokio::test]
async fn credentials_in_the_uri_are_refused_and_not_used() {
    let world = World::new().await;
    refused_at_every_door(&world, |clients, _| {
        let (id, secret) = &clients.secret;
        vec![
            malformed("all in the query", Attempt::default().query(format!("client_id={id}&client_secret={secret}"))),
            malformed("the secret again", Attempt::basic(id, secret).query(format!("client_secret={secret}"))),
            malformed("an assertion", Attempt::basic(id, secret).query("client_assertion=a.b.c")),
            malformed(
                "half and half",
                Attempt::default().field("client_id", id).query(format!("client_secret={secret}")),
            ),
            malformed("the same name in both", Attempt::post(id, secret).query(format!("client_id={id}"))),
        ]
    })
    .await;
}

#[tokio::test]
async fn a_question_in_json_takes_no_credentials_from_the_uri_either() {
    let world = World::new().await;
    let (id, secret) = &world.clients(ACME).secret;
    let ask = async |query: &str| {
        let request = Request::post(format!("/tenants/acme/connect/explain{query}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, crate::support::basic(id, secret))
            .body(axum::body::Body::from(r#"{"question":"request"}"#));
        world.fixture.send(request.expect("a request")).await
    };
    assert_eq!(ask("").await.status, StatusCode::OK);
    let refused = ask(&format!("?client_secret={secret}")).await;
    assert_eq!((refused.status, refused.json["error"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_request")));
}

#[tokio::test]
async fn the_method_of_a_client_is_pinned() {
    let world = World::new().await;
    // A client that once had a secret and moved to a key: its secret is still kept, and is no use.
    let mut moved = vec![];
    for (id, place) in
        [("p-moved", json!({"level": "platform"})), ("a-moved", json!({"level": "tenant", "tenant_id": world.acme_id}))]
    {
        let mut body = json!({"name": id, "client_id": id, "type": "service", "allowed_scopes": ["scopes:read"]});
        body.as_object_mut().expect("an object").extend(place.as_object().expect("an object").clone());
        let made = world.fixture.made(Method::POST, "/applications", &body).await;
        let change = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": Forger::new("k1").jwks()});
        world.fixture.made(Method::PATCH, &format!("/applications/{id}"), &change).await;
        moved.push((id, made["client_secret"].as_str().expect("shown once").to_owned()));
    }
    // And one that was given a key beside its secret.
    let other_key = Forger::new("k1");
    for issuer in [super::doors::PLATFORM, ACME] {
        let path = format!("/applications/{}", world.clients(issuer).secret.0);
        world.fixture.made(Method::PATCH, &path, &json!({"jwks": other_key.jwks()})).await;
    }
    refused_at_every_door(&world, |clients, door| {
        let (id, _) = &clients.secret;
        let (old, secret) = moved.iter().find(|(id, _)| id.starts_with('a') == (door.issuer == ACME)).expect("one");
        let assertion = other_key.sign(&claims(id, door.issuer, &format!("pinned-{}", door.path)));
        vec![
            unauthenticated("its old secret, by header", Attempt::basic(old, secret), "method_not_registered"),
            unauthenticated("its old secret, in the body", Attempt::post(old, secret), "method_not_registered"),
            unauthenticated("a good assertion", Attempt::assertion(&assertion), "method_not_registered"),
            unauthenticated("a secret for a key", Attempt::basic(&clients.signer.0, "wrong"), "secret_wrong"),
        ]
    })
    .await;
}

#[tokio::test]
async fn a_public_client_proves_nothing_by_its_name() {
    let world = World::new().await;
    refused_at_every_door(&world, |clients, door| {
        let public = &clients.public;
        let named = Attempt::default().field("client_id", public);
        // Its name is enough for what it may do: this grant is not among it (RFC 6749 §4.4).
        let by_name = match door.path.rsplit('/').next() {
            Some("token") => {
                let (status, error) = (StatusCode::BAD_REQUEST, "unauthorized_client");
                Some(Row { name: "its name".to_owned(), attempt: named, status, error, reason: "grant_not_allowed" })
            }
            // It takes back what is its own, of which there is nothing here.
            Some("revoke") => None,
            _ => Some(unauthenticated("its name", named, "credentials_missing")),
        };
        let secrets = vec![
            unauthenticated("its name and nothing", Attempt::basic(public, ""), "secret_wrong"),
            unauthenticated("a secret", Attempt::basic(public, "secret"), "secret_wrong"),
            unauthenticated("a secret in the body", Attempt::post(public, "secret"), "secret_wrong"),
        ];
        by_name.into_iter().chain(secrets).collect()
    })
    .await;
}

#[tokio::test]
async fn a_confidential_client_without_a_credential_cannot_be() {
    let world = World::new().await;
    let fixture = &world.fixture;
    let root = fixture.root().await;
    let (id, secret) = &world.clients(ACME).secret;
    // The last secret does not go by the way; where it is said, nothing opens the client any more, the empty secret least.
    let secrets = fixture.admin(&root, Method::GET, &format!("/applications/{id}/secrets"), None).await;
    let secret_id = secrets.json["items"][0]["id"].as_str().expect("one secret");
    let path = format!("/applications/{id}/secrets/{secret_id}");
    assert_eq!(fixture.admin(&root, Method::DELETE, &path, None).await.status, StatusCode::CONFLICT);
    let gone = fixture.admin(&root, Method::DELETE, &format!("{path}?last=true"), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
    for door in doors().iter().filter(|door| door.issuer == ACME) {
        for attempt in [Attempt::basic(id, ""), Attempt::basic(id, secret), Attempt::post(id, "\u{0}")] {
            if door.method == Method::GET && attempt.has_body() {
                continue;
            }
            let answer = world.send(door, &attempt).await;
            assert!(matches!(answer.status.as_u16(), 400 | 401), "{}: {}", door.path, answer.text);
        }
    }
    // A client by key turns to secrets only once it has one; a public one never does.
    let to_secret = json!({"token_endpoint_auth_method": "client_secret_basic"});
    let (signer, public) = (&world.clients(ACME).signer.0, &world.clients(ACME).public);
    for id in [signer, public] {
        let refused = fixture.admin(&root, Method::PATCH, &format!("/applications/{id}"), Some(&to_secret)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    }
    let made = fixture.made(Method::POST, &format!("/applications/{signer}/secrets"), &json!({})).await;
    let turned = fixture.admin(&root, Method::PATCH, &format!("/applications/{signer}"), Some(&to_secret)).await;
    assert_eq!(turned.status, StatusCode::OK, "{}", turned.text);
    let secret = made["client_secret"].as_str().expect("shown once");
    let token = fixture.token("/tenants/acme/connect/token", (signer, secret), &[]).await;
    assert_eq!(token.status, StatusCode::OK, "{}", token.text);
}

#[tokio::test]
async fn an_assertion_is_signed_by_the_clients_own_key_with_its_own_algorithm() {
    let world = World::new().await;
    let attacker = Forger::new("k1");
    refused_at_every_door(&world, |clients, door| {
        let (id, forger) = &clients.signer;
        let payload = claims(id, door.issuer, "unsigned");
        let good = forger.sign(&payload);
        let (input, signature) = good.rsplit_once('.').expect("three parts");
        let headed = |header: &str| forger.token(header, payload.to_string());
        let public_key = serde_json::to_string(&forger.jwk()).expect("JSON");
        let mut assertions = vec![
            ("somebody else's key", attacker.sign(&payload)),
            ("no signature", format!("{input}.")),
            ("no third part", input.to_owned()),
            ("a signature cut", format!("{input}.{}", &signature[..signature.len() - 2])),
            ("r = s = 0", format!("{input}.{}", encode([0; 64]))),
            ("another payload", {
                let (header, _) = input.split_once('.').expect("two parts");
                format!("{header}.{}.{signature}", encode(claims(id, door.issuer, "other").to_string()))
            }),
            (
                "hs256 with the public key",
                hs256(&json!({"alg": "HS256", "kid": "k1"}), &payload, public_key.as_bytes()),
            ),
            ("five parts", format!("{good}.a.b")),
            ("not even a token", "garbage".to_owned()),
            ("10,000 dots", ".".repeat(10_000)),
            ("20 kB", format!("{good}{}", "A".repeat(20_000))),
        ];
        for algorithm in ["none", "None", "nONE", "", "HS256", "RS256", "PBES2-HS256+A128KW", "RSA1_5"] {
            assertions.push(("algorithm", headed(&json!({"alg": algorithm, "kid": "k1"}).to_string())));
        }
        for header in [
            r#"{"alg":"ES256","kid":"k1","crit":["exp"],"exp":1}"#,
            r#"{"alg":"ES256","kid":"k1","crit":[]}"#,
            r#"{"alg":"ES256","kid":"k1","crit":["nope"]}"#,
            r#"{"alg":"ES256","kid":"k1","b64":false}"#,
            r#"{"alg":"ES256","kid":"k1","b64":false,"crit":["b64"]}"#,
            r#"{"alg":"ES256","kid":"k1","zip":"DEF"}"#,
            r#"{"alg":"ES256","kid":"k1","enc":"A128GCM","p2c":2147483648}"#,
            r#"{"alg":"ES256","kid":"../../etc/passwd"}"#,
            r#"{"alg":"ES256","kid":"' OR 1=1--"}"#,
            r#"{"alg":"ES256","kid":"k1\u0000"}"#,
            r#"{"alg":"ES256","kid":["k1"]}"#,
            r#"{"alg":"ES256","kid":"k1","kid":"k1"}"#,
            r#"{"alg":"ES256","alg":"none","kid":"k1"}"#,
            r#"{"alg":"ES256","kid":"k1","typ":"at+jwt"}"#,
            r#"{"kid":"k1"}"#,
            "[]",
            "{",
        ] {
            assertions.push(("header", headed(header)));
        }
        // The key that the token brings along counts for nothing.
        let brought = json!({"alg": "ES256", "kid": "k1", "jwk": attacker.jwk(), "jku": "https://evil.example/jwks"});
        assertions.push(("a key of its own", attacker.token(&brought.to_string(), payload.to_string())));
        let named = |assertion: &str| Attempt::assertion(assertion).field("client_id", id);
        assertions
            .into_iter()
            .map(|(name, assertion)| unauthenticated(name, named(&assertion), "assertion_invalid"))
            .collect()
    })
    .await;
}

#[tokio::test]
async fn an_assertion_is_for_this_issuer_from_this_client_and_for_a_short_time() {
    let world = World::new().await;
    refused_at_every_door(&world, |clients, door| {
        let (id, forger) = &clients.signer;
        let with = |claim: &str, value: &str| {
            let mut payload = claims(id, door.issuer, "claims");
            payload[claim] = json!("PLACEHOLDER");
            forger.token(r#"{"alg":"ES256","kid":"k1"}"#, payload.to_string().replace("\"PLACEHOLDER\"", value))
        };
        let quoted = |value: &str| Value::from(value).to_string();
        let elsewhere = if door.issuer == ACME { super::doors::PLATFORM } else { ACME };
        let globex = "https://as.example/tenants/globex";
        let mut assertions = vec![];
        for audience in [
            "https://other.example",
            elsewhere,
            globex,
            "https://as.example/tenants",
            "https://AS.example",
            "",
            &format!("{}/", door.issuer),
            &format!("{}2", door.issuer),
            &format!("{}/x", door.issuer),
            &format!("{}/connect/token", door.issuer),
            &format!("https://as.example{}", door.path),
        ] {
            assertions.push((format!("aud {audience}"), with("aud", &quoted(audience))));
        }
        for audience in [json!([door.issuer]), json!([door.issuer, "https://other.example"]), json!([]), json!(null)] {
            assertions.push((format!("aud {audience}"), with("aud", &audience.to_string())));
        }
        for claim in ["exp", "iat", "nbf"] {
            for value in ["\"1800000060\"", "1800000060.5", "-1", "1e400", "null", "[1800000060]", "true", "{}"] {
                assertions.push((format!("{claim} {value}"), with(claim, value)));
            }
        }
        for (claim, seconds) in [
            ("exp", START + 301),
            ("exp", START + 315_360_000),
            ("exp", i64::MAX),
            ("exp", START - 5),
            ("iat", START + 11),
            ("iat", START + 61),
            ("nbf", START + 11),
            ("nbf", START + 61),
        ] {
            assertions.push((format!("{claim} {seconds}"), with(claim, &seconds.to_string())));
        }
        for claim in ["iss", "sub", "aud", "jti", "exp"] {
            let mut payload = claims(id, door.issuer, "missing");
            payload.as_object_mut().expect("an object").remove(claim);
            assertions.push((format!("no {claim}"), forger.sign(&payload)));
        }
        for (iss, sub) in [(id.as_str(), &*clients.sharer), (&*clients.sharer, id), ("", id), (id, "")] {
            let mut payload = claims(id, door.issuer, "subject");
            (payload["iss"], payload["sub"]) = (json!(iss), json!(sub));
            assertions.push((format!("iss {iss}, sub {sub}"), forger.sign(&payload)));
        }
        assertions.push(("jti of 1 kB".to_owned(), with("jti", &quoted(&"j".repeat(1000)))));
        assertions.push(("an empty jti".to_owned(), with("jti", "\"\"")));
        let mut rows: Vec<Row> = assertions
            .into_iter()
            .map(|(name, assertion)| {
                unauthenticated(name, Attempt::assertion(&assertion).field("client_id", id), "assertion_invalid")
            })
            .collect();
        // The other client has the same key: what one signed is not the other's.
        let good = forger.sign(&claims(id, door.issuer, "shared"));
        let as_sharer = Attempt::assertion(&good).field("client_id", &clients.sharer);
        rows.push(unauthenticated("another client_id", as_sharer, "assertion_invalid"));
        rows
    })
    .await;
}

#[tokio::test]
async fn clocks_may_differ_by_seconds() {
    let world = World::new().await;
    for (place, door) in doors().iter().filter(|door| door.method == Method::POST).enumerate() {
        let (id, forger) = &world.clients(door.issuer).signer;
        for (claim, seconds) in
            [("exp", START), ("exp", START - 4), ("exp", START + 300), ("iat", START + 10), ("nbf", START + 10)]
        {
            let mut payload = claims(id, door.issuer, &format!("skew-{place}-{claim}-{seconds}"));
            payload[claim] = json!(seconds);
            let answer = world.send(door, &Attempt::assertion(&forger.sign(&payload))).await;
            assert_eq!(answer.status, StatusCode::OK, "{claim} {seconds} at {}: {}", door.path, answer.text);
        }
    }
}

#[tokio::test]
async fn an_assertion_counts_once_at_whichever_door() {
    let world = World::new().await;
    for issuer in [super::doors::PLATFORM, ACME] {
        let (id, forger) = &world.clients(issuer).signer;
        let assertion = Attempt::assertion(&forger.sign(&claims(id, issuer, "once")));
        let doors: Vec<Door> =
            doors().into_iter().filter(|door| door.issuer == issuer && door.method == Method::POST).collect();
        let first = world.send(&doors[0], &assertion).await;
        assert_eq!(first.status, StatusCode::OK, "{}", first.text);
        for door in &doors {
            let again = world.send(door, &assertion).await;
            assert_eq!(again.status, StatusCode::UNAUTHORIZED, "{}: {}", door.path, again.text);
            assert_eq!(world.reason(&again).await, "assertion_replayed");
        }
        // Another one of the same client passes; the same name from another client is another.
        let (sharer, same_name) =
            (&world.clients(issuer).sharer, claims(&world.clients(issuer).sharer, issuer, "once"));
        let fresh = Attempt::assertion(&forger.sign(&same_name));
        assert_eq!(world.send(&doors[1], &fresh).await.status, StatusCode::OK, "{sharer}");
    }
    // However many come at once, one is first.
    let (id, forger) = &world.clients(ACME).signer;
    let assertion = Attempt::assertion(&forger.sign(&claims(id, ACME, "race")));
    let door = doors().into_iter().find(|door| door.issuer == ACME).expect("a door");
    let answers = futures_util::future::join_all((0..20).map(|_| world.send(&door, &assertion))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1);
}

#[tokio::test]
async fn an_assertion_has_its_type_and_the_type_its_assertion() {
    let world = World::new().await;
    refused_at_every_door(&world, |clients, door| {
        let (id, forger) = &clients.signer;
        let assertion = forger.sign(&claims(id, door.issuer, "typed"));
        let typed = |assertion_type: &str| {
            Attempt::default().field("client_assertion", &assertion).field("client_assertion_type", assertion_type)
        };
        vec![
            malformed("no type", Attempt::default().field("client_assertion", &assertion)),
            malformed("no assertion", Attempt::default().field("client_assertion_type", CLIENT_ASSERTION_TYPE)),
            malformed("an empty type", typed("")),
            malformed("another type", typed("urn:ietf:params:oauth:client-assertion-type:saml2-bearer")),
            malformed("another case", typed(&CLIENT_ASSERTION_TYPE.to_uppercase())),
        ]
    })
    .await;
}

#[tokio::test]
async fn what_proxies_say_of_a_client_proves_nothing() {
    let world = World::new().await;
    refused_at_every_door(&world, |clients, _| {
        let (id, _) = &clients.secret;
        ["x-ssl-cert", "x-client-cert", "x-forwarded-client-cert", "client-cert", "x-forwarded-user", "forwarded"]
            .map(|name| {
                let attempt = Attempt::default().field("client_id", id);
                unauthenticated(name, attempt.header(HeaderName::from_static(name), id.clone()), "credentials_missing")
            })
            .into()
    })
    .await;
    // Nor does it give a guesser another address.
    let world = World::of(Fixture::with("[rate_limits]\nclient_failures = 3\n").await).await;
    let (id, secret) = &world.clients(ACME).secret;
    let door = doors().into_iter().find(|door| door.issuer == ACME).expect("a door");
    for n in 0..5 {
        let from = format!("198.51.100.{n}");
        let attempt = Attempt::basic(id, "wrong")
            .header(HeaderName::from_static("x-forwarded-for"), from.clone())
            .header(HeaderName::from_static("forwarded"), format!("for={from}"))
            .header(HeaderName::from_static("x-real-ip"), from);
        let expected = if n < 3 { StatusCode::UNAUTHORIZED } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(world.send(&door, &attempt).await.status, expected, "{n}");
    }
    // From where it really is, the client is served.
    let mut elsewhere = Attempt::basic(id, secret).at(&door);
    elsewhere.headers_mut().insert(header::HOST, HeaderValue::from_static("as.example"));
    elsewhere.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 4711))));
    assert_eq!(world.fixture.send(elsewhere).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_disabled_client_and_a_deleted_one_are_refused_at_once_and_their_tokens_with_them() {
    let world = World::new().await;
    let fixture = &world.fixture;
    for (issuer, door) in [(super::doors::PLATFORM, "/connect/token"), (ACME, "/tenants/acme/connect/token")] {
        let (id, secret) = &world.clients(issuer).secret;
        let client = (id.as_str(), secret.as_str());
        let token = fixture.token(door, client, &[]).await.access_token();
        let works = async || {
            let introspected = fixture.form("/connect/introspect", Some(ROOT_CLIENT), &[("token", &token)]).await;
            (introspected.json["active"] == true, fixture.admin(&token, Method::GET, "/scopes", None).await.status)
        };
        assert_eq!(works().await, (true, StatusCode::OK));

        let path = format!("/applications/{id}");
        fixture.made(Method::PATCH, &path, &json!({"status": "disabled"})).await;
        assert_refused_everywhere(&world, issuer, client, "client_disabled").await;
        assert_eq!(works().await, (false, StatusCode::UNAUTHORIZED));

        fixture.made(Method::PATCH, &path, &json!({"status": "active"})).await;
        assert_eq!(works().await, (true, StatusCode::OK));
        let root = fixture.root().await;
        assert_eq!(fixture.admin(&root, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
        assert_refused_everywhere(&world, issuer, client, "client_unknown").await;
        assert_eq!(works().await, (false, StatusCode::UNAUTHORIZED));

        // Whoever takes the name next, in the same second even, inherits neither tokens nor secrets.
        let tenant = (issuer == ACME).then(|| world.acme_id.clone());
        let level = if issuer == ACME { "tenant" } else { "platform" };
        fixture.clock.advance_millis(5);
        let again = json!({"name": "Next", "client_id": id, "type": "service", "level": level, "tenant_id": tenant,
            "allowed_scopes": ["scopes:read"]});
        let made = fixture.made(Method::POST, "/applications", &again).await;
        assert_refused_everywhere(&world, issuer, client, "secret_wrong").await;
        assert_eq!(works().await, (false, StatusCode::UNAUTHORIZED));
        let own = (id.as_str(), made["client_secret"].as_str().expect("shown once"));
        assert_eq!(fixture.token(door, own, &[]).await.status, StatusCode::OK);
    }
}

async fn assert_refused_everywhere(world: &World, issuer: &str, (id, secret): (&str, &str), reason: &str) {
    for door in doors().iter().filter(|door| door.issuer == issuer) {
        let answer = world.send(door, &Attempt::basic(id, secret)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}: {}", door.path, answer.text);
        assert_eq!(answer.json["error_description"], "client authentication failed");
        assert_eq!(world.reason(&answer).await, reason, "{}", door.path);
    }
}

#[tokio::test]
async fn however_many_guess_at_once_so_many_learn_the_outcome() {
    let world = World::of(Fixture::with("[rate_limits]\nclient_failures = 20\n").await).await;
    let doors: Vec<Door> = doors().into_iter().filter(|door| door.issuer == ACME).collect();
    let (id, secret) = &world.clients(ACME).secret;
    let wrong = Attempt::basic(id, "wrong");
    let guess = async |place: usize| world.send(&doors[place % doors.len()], &wrong).await;
    let answers: Vec<Answer> = futures_util::future::join_all((0..500).map(guess)).await;
    let count = |status: StatusCode| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(StatusCode::UNAUTHORIZED), count(StatusCode::TOO_MANY_REQUESTS)), (20, 480));
    let told_to_wait = answers.iter().find(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS).expect("one");
    assert!(told_to_wait.header(header::RETRY_AFTER).parse::<u64>().expect("seconds") >= 1);
    // The right secret is not told apart from here meanwhile; from elsewhere, and later, it is.
    assert_eq!(world.send(&doors[0], &Attempt::basic(id, secret)).await.status, StatusCode::TOO_MANY_REQUESTS);
    let mut elsewhere = Attempt::basic(id, secret).at(&doors[0]);
    elsewhere.headers_mut().insert(header::HOST, HeaderValue::from_static("as.example"));
    elsewhere.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 4711))));
    assert_eq!(world.fixture.send(elsewhere).await.status, StatusCode::OK);
    world.fixture.clock.advance_secs(3);
    assert_eq!(world.send(&doors[0], &Attempt::basic(id, secret)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_parameter_is_sent_once() {
    let world = World::new().await;
    refused_at_every_door(&world, |clients, _| {
        let (id, secret) = &clients.secret;
        let twice = |name: &str, value: &str| Attempt::basic(id, secret).field(name, value).field(name, value);
        let mut rows: Vec<Row> = ["client_id", "client_assertion", "client_assertion_type", "unknown", "tenant"]
            .map(|name| malformed(format!("{name} twice"), twice(name, "x")))
            .into();
        rows.push(malformed("the secret twice", Attempt::post(id, secret).field("client_secret", secret)));
        rows.push(malformed("once empty", Attempt::post(id, secret).field("client_secret", "")));
        rows.push(malformed("once encoded", Attempt::post(id, secret).raw(format!("client%5Fsecret={secret}"))));
        rows
    })
    .await;
    for door in doors().iter().filter(|door| door.method == Method::POST) {
        let (id, secret) = &world.clients(door.issuer).secret;
        for name in ["grant_type", "scope", "token", "question", "unit"] {
            let attempt = Attempt::basic(id, secret).field(name, "x").field(name, "x");
            let answer = world.send(door, &attempt).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name} at {}: {}", door.path, answer.text);
            assert_eq!(answer.json["error"], "invalid_request", "{name} at {}", door.path);
        }
    }
}

#[tokio::test]
async fn a_client_id_is_compared_octet_by_octet() {
    let world = World::new().await;
    refused_at_every_door(&world, |clients, _| {
        let (id, secret) = &clients.secret;
        let mut rows = vec![];
        for other in [
            id.to_uppercase(),
            format!("{id} "),
            format!(" {id}"),
            format!("{id}\u{200b}"),
            id.replace('s', "\u{17f}"),
            id.replace('e', "\u{435}"),
            id.replace('s', "\u{ff53}"),
            format!("{id}%00"),
            format!("{id}."),
            id[..id.len() - 1].to_owned(),
            "%".to_owned(),
            "_".repeat(id.len()),
        ] {
            rows.push(unauthenticated(other.clone(), Attempt::basic(&other, secret), "client_unknown"));
            rows.push(unauthenticated(other.clone(), Attempt::post(&other, secret), "client_unknown"));
        }
        rows.push(malformed("NUL in the body", Attempt::post(&format!("{id}\0"), secret)));
        rows
    })
    .await;
}

#[tokio::test]
async fn a_malformed_header_is_refused_and_nothing_breaks() {
    let world = World::new().await;
    refused_at_every_door(&world, |clients, _| {
        let (id, secret) = &clients.secret;
        let basic = crate::support::basic(id, secret);
        let encoded = |octets: &[u8]| format!("Basic {}", BASE64_STANDARD.encode(octets));
        let mut rows: Vec<Row> = [
            ("no base64", "Basic !!!".to_owned()),
            ("no padding", basic.trim_end_matches('=').to_owned() + "A"),
            ("no colon", encoded(b"no-colon")),
            ("no client_id", encoded(b":secret")),
            ("nothing", "Basic".to_owned()),
            ("nothing but a space", "Basic ".to_owned()),
            ("a NUL", encoded(format!("{id}\0:{secret}").as_bytes())),
            ("a line break", encoded(format!("{id}:{secret}\n").as_bytes())),
            ("octets beyond ASCII", encoded(&[b"x:".as_slice(), &[0xff, 0xfe]].concat())),
            ("a percent sign alone", encoded(format!("{id}:%").as_bytes())),
            ("1 MB", encoded(&vec![b'x'; 1_000_000])),
        ]
        .into_iter()
        .map(|(name, value)| malformed(name, Attempt::authorization(value)))
        .collect();
        let twice = Attempt::authorization(basic.clone()).header(header::AUTHORIZATION, basic.clone());
        rows.push(malformed("two headers", twice));
        rows.push(malformed("octets", Attempt::authorization(b"Basic \xff\xfe".to_vec())));
        for other in ["Negotiate abc", "Digest username=\"x\"", "Basic-ish abc", "bearer abc"] {
            rows.push(unauthenticated(other, Attempt::authorization(other), "method_unsupported"));
        }
        rows
    })
    .await;
    // The scheme has no case, and more than one space is one.
    let (id, secret) = &world.clients(ACME).secret;
    for door in doors().iter().filter(|door| door.issuer == ACME) {
        let basic = crate::support::basic(id, secret);
        for spelled in [basic.replace("Basic", "basic"), basic.replace("Basic ", "BASIC  ")] {
            let answer = world.send(door, &Attempt::authorization(spelled)).await;
            assert_eq!(answer.status, StatusCode::OK, "{}: {}", door.path, answer.text);
        }
    }
}

#[tokio::test]
async fn secrets_overlap_as_long_as_was_said_and_one_that_is_withdrawn_ends_at_once() {
    let world = World::new().await;
    let fixture = &world.fixture;
    let (id, first) = &world.clients(ACME).secret;
    let path = format!("/applications/{id}/secrets");
    let made = fixture.made(Method::POST, &path, &json!({"overlap_secs": 600})).await;
    let second = made["client_secret"].as_str().expect("shown once").to_owned();
    let all_doors: Vec<Door> = doors().into_iter().filter(|door| door.issuer == ACME).collect();
    let accepted = async |secret: &str| {
        let mut statuses = vec![];
        for door in &all_doors {
            statuses.push(world.send(door, &Attempt::basic(id, secret)).await.status);
        }
        statuses.dedup();
        assert_eq!(statuses.len(), 1, "the doors disagree: {statuses:?}");
        statuses[0] == StatusCode::OK
    };
    assert_eq!((accepted(first).await, accepted(&second).await), (true, true));
    fixture.clock.advance_secs(599);
    assert_eq!((accepted(first).await, accepted(&second).await), (true, true));
    fixture.clock.advance_secs(1);
    assert_eq!((accepted(first).await, accepted(&second).await), (false, true));
    let late = world.send(&all_doors[0], &Attempt::basic(id, first)).await;
    assert_eq!(world.reason(&late).await, "secret_expired");

    let third = fixture.made(Method::POST, &path, &json!({})).await;
    let third = third["client_secret"].as_str().expect("shown once").to_owned();
    assert_eq!((accepted(&second).await, accepted(&third).await), (true, true));
    let second_id = made["id"].as_str().expect("an id");
    let root = fixture.root().await;
    let gone = fixture.admin(&root, Method::DELETE, &format!("{path}/{second_id}"), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
    assert_eq!((accepted(&second).await, accepted(&third).await), (false, true));
    // Shown once, each of them.
    let listed = fixture.admin(&root, Method::GET, &path, None).await.text
        + &fixture.admin(&root, Method::GET, "/audit?limit=200", None).await.text;
    assert!([first, &second, &third].iter().all(|secret| !listed.contains(secret.as_str())));
}

#[tokio::test]
async fn a_client_that_becomes_another_kind_by_a_change_passes_what_a_new_one_must() {
    let world = World::new().await;
    let root = world.fixture.root().await;
    let clients = world.clients(ACME);
    for (id, change, pointer) in [
        (&clients.public, json!({"token_endpoint_auth_method": "client_secret_post"}), "/token_endpoint_auth_method"),
        (&clients.public, json!({"grant_types": ["client_credentials"]}), "/grant_types/0"),
        (&clients.secret.0, json!({"token_endpoint_auth_method": "none"}), "/token_endpoint_auth_method"),
        (&clients.secret.0, json!({"token_endpoint_auth_method": "private_key_jwt"}), "/jwks"),
        (&clients.signer.0, json!({"jwks": null}), "/jwks"),
        (&clients.signer.0, json!({"jwks": {"keys": []}}), "/jwks"),
    ] {
        let path = format!("/applications/{id}");
        let before = world.fixture.admin(&root, Method::GET, &path, None).await.json;
        let refused = world.fixture.admin(&root, Method::PATCH, &path, Some(&change)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{change}: {}", refused.text);
        assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{change}: {}", refused.text);
        assert_eq!(world.fixture.admin(&root, Method::GET, &path, None).await.json, before);
    }
    // `type` and `level` are no members of a change at all.
    for change in [json!({"type": "service"}), json!({"level": "platform"}), json!({"client_id": "other"})] {
        let path = format!("/applications/{}", clients.public);
        let refused = world.fixture.admin(&root, Method::PATCH, &path, Some(&change)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{change}: {}", refused.text);
    }
}

#[tokio::test]
async fn weak_and_private_keys_cannot_be_registered() {
    let world = World::new().await;
    let root = world.fixture.root().await;
    let mut private = Forger::new("k1").jwk();
    private["d"] = json!(encode([7; 32]));
    let rsa = |octets: usize, e: &[u8]| {
        let mut n = vec![0xff; octets];
        n[octets - 1] = 0xf1;
        json!({"kty": "RSA", "kid": "k1", "n": encode(n), "e": encode(e)})
    };
    for (name, key) in [
        ("RSA of 1024 bits", rsa(128, &[1, 0, 1])),
        ("RSA with exponent 1", rsa(256, &[1])),
        ("RSA with exponent 3", rsa(256, &[3])),
        ("P-192", json!({"kty": "EC", "crv": "P-192", "x": encode([1; 24]), "y": encode([1; 24])})),
        ("no point of the curve", json!({"kty": "EC", "crv": "P-256", "x": encode([1; 32]), "y": encode([1; 32])})),
        ("a shared secret", json!({"kty": "oct", "k": encode([1; 64])})),
        ("a private key", private),
        ("small order", json!({"kty": "OKP", "crv": "Ed25519", "x": encode([0; 32])})),
        ("for encryption", {
            let mut key = Forger::new("k1").jwk();
            key["use"] = json!("enc");
            key
        }),
    ] {
        let change = json!({"jwks": {"keys": [key]}});
        let path = format!("/applications/{}", world.clients(ACME).signer.0);
        let refused = world.fixture.admin(&root, Method::PATCH, &path, Some(&change)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {}", refused.text);
        assert!(refused.json["errors"][0]["pointer"].as_str().expect("a pointer").starts_with("/jwks"), "{name}");
    }
    let twice = Forger::new("k1");
    let change = json!({"jwks": {"keys": [twice.jwk(), Forger::new("k1").jwk()]}});
    let path = format!("/applications/{}", world.clients(ACME).signer.0);
    let refused = world.fixture.admin(&root, Method::PATCH, &path, Some(&change)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
}

#[tokio::test]
async fn a_key_without_a_name_is_found_among_a_few() {
    let world = World::new().await;
    let forgers = [Forger::new("k1"), Forger::new("k2"), Forger::new("k3")];
    let keys: Vec<Value> = forgers.iter().map(Forger::jwk).collect();
    let (id, _) = &world.clients(ACME).signer;
    world.fixture.made(Method::PATCH, &format!("/applications/{id}"), &json!({"jwks": {"keys": keys}})).await;
    let door = doors().into_iter().find(|door| door.issuer == ACME).expect("a door");
    for (place, forger) in forgers.iter().enumerate() {
        let payload = claims(id, ACME, &format!("nameless-{place}")).to_string();
        let nameless = forger.token(r#"{"alg":"ES256"}"#, &payload);
        assert_eq!(world.send(&door, &Attempt::assertion(&nameless)).await.status, StatusCode::OK);
        let misnamed = forger.token(r#"{"alg":"ES256","kid":"k9"}"#, &payload);
        assert_eq!(world.send(&door, &Attempt::assertion(&misnamed)).await.status, StatusCode::UNAUTHORIZED);
    }
}

/// A client whose secret an operator handed in.
async fn handed_in(fixture: &Fixture, secret: &str) -> String {
    use ambit_core::registry::{Edit, Power, Settings, application};
    use ambit_core::secret::ClientSecret;
    use ambit_core::store::ChangeContext;
    let app = fixture.server.app();
    let context = ChangeContext {
        actor: "system".to_owned(),
        at: ambit_protocol::time::Timestamp::from_secs(START),
        trace_id: None,
    };
    let transaction = fixture.store.begin(context).await.expect("a transaction");
    let (power, settings) = (Power::system("test"), Settings::default());
    let edit = Edit { tx: &*transaction, power: &power, settings: &settings, entropy: &*app.entropy };
    let body = json!({"name": "Odd", "client_id": "odd", "type": "service", "level": "platform", "allowed_scopes": ["scopes:read"]});
    let body = serde_json::from_value(body).expect("an application");
    let handed_in = ClientSecret::handed_in(secret).expect("a secret");
    application::create_with(&edit, body, Some(handed_in)).await.expect("an application");
    transaction.commit().await.expect("a commit");
    app.registry.catch_up().await.expect("the new facts");
    secret.to_owned()
}

const ROOT_CLIENT: (&str, &str) = (ROOT, crate::support::ROOT_SECRET);
