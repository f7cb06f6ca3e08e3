//! `POST {issuer}/connect/introspect`, and the admin API beside it: what is a good token, and for whom. Each attack is a token,
//! put before both.

use ambit_protocol::jose::{Algorithm, SigningKey};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use super::doors::{ACME, Attempt, Door, PATIENT, PLATFORM, World, claims, doors};
use crate::forge::{Forger, encode, hs256, part};
use crate::store::{Faulty, READS};
use crate::support::{Answer, BASE, Fixture, ROOT, ROOT_SECRET, basic};

const ROOT_CLIENT: Option<(&str, &str)> = Some((ROOT, ROOT_SECRET));
const INACTIVE: &str = r#"{"active":false}"#;

/// How a token fares: at introspection, asked by who may ask about all; and at the admin API.
async fn fares(fixture: &Fixture, token: &str) -> (bool, StatusCode) {
    let told = fixture.form("/connect/introspect", ROOT_CLIENT, &[("token", token)]).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.text);
    if told.json["active"] != true {
        assert_eq!(told.text, INACTIVE, "nothing more is said");
    }
    (told.json["active"] == true, fixture.admin(token, Method::GET, "/scopes", None).await.status)
}

const GOOD: (bool, StatusCode) = (true, StatusCode::OK);
const BAD: (bool, StatusCode) = (false, StatusCode::UNAUTHORIZED);

/// The server's own signing key, as whoever had stolen it.
async fn stolen_key(fixture: &Fixture) -> (SigningKey, String) {
    let app = fixture.server.app();
    let rows = fixture
        .store
        .list_rows(
            ambit_protocol::admin::audit::Resource::Key,
            &ambit_core::store::Filter::default(),
            ambit_core::reach::Reach::Platform,
        )
        .await
        .expect("rows");
    for row in rows {
        let key: ambit_protocol::admin::key::Key = ambit_core::store::noun::read(&row).expect("a key");
        if key.state == ambit_protocol::admin::key::KeyState::Active {
            let sealed = row.sealed.as_deref().expect("a private half");
            let der = app.vault.open(&ambit_core::keys::purpose(&key), sealed).expect("the master key");
            return (SigningKey::from_pkcs8(key.algorithm, &der).expect("a key"), key.id.to_string());
        }
    }
    panic!("no active key");
}

#[tokio::test]
async fn only_the_servers_own_signature_makes_a_token() {
    let fixture = Fixture::with(PATIENT).await;
    let good = fixture.root().await;
    assert_eq!(fares(&fixture, &good).await, GOOD);
    let (header, payload) = (part(&good, 0), part(&good, 1));
    let jwks = fixture.get("/connect/jwks").await;
    let public: &Value = jwks.json["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .find(|key| key["kid"] == header["kid"])
        .expect("the key that signed");
    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        header
    };
    let hmac = with("alg", json!("HS256"));
    let attacker = Forger::new(header["kid"].as_str().expect("a kid"));
    let (input, signature) = good.rsplit_once('.').expect("three parts");
    let octets = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, signature).expect("base64url");
    let unsigned = |algorithm: &str| {
        format!("{}.{}.", encode(with("alg", json!(algorithm)).to_string()), encode(payload.to_string()))
    };
    let forged = [
        ("HS256 with the JWK", hs256(&hmac, &payload, public.to_string().as_bytes())),
        ("HS256 with the key set", hs256(&hmac, &payload, jwks.text.as_bytes())),
        ("HS256 with x", hs256(&hmac, &payload, public["x"].as_str().expect("x").as_bytes())),
        ("HS256 with nothing", hs256(&hmac, &payload, b"")),
        ("none", unsigned("none")),
        ("nOnE", unsigned("nOnE")),
        ("an attacker's key", attacker.token(&header.to_string(), payload.to_string())),
        ("a key it brings along", attacker.token(&with("jwk", attacker.jwk()).to_string(), payload.to_string())),
        (
            "a key it points to",
            attacker.token(&with("jku", json!("https://evil.example/jwks")).to_string(), payload.to_string()),
        ),
        ("r = s = 0", format!("{input}.{}", encode([0; 64]))),
        ("r = s = n", {
            let n = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
            let n: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&n[at * 2..at * 2 + 2], 16).expect("hex")).collect();
            format!("{input}.{}", encode([n.clone(), n].concat()))
        }),
        ("in DER", {
            let integer = |octets: &[u8]| [&[2, 33, 0], octets].concat();
            let inner = [integer(&octets[..32]), integer(&octets[32..])].concat();
            format!("{input}.{}", encode([&[0x30, 70][..], &inner].concat()))
        }),
        ("a signature cut", format!("{input}.{}", encode(&octets[..63]))),
        ("a signature with more", format!("{input}.{}", encode([&octets[..], &[0]].concat()))),
        ("one bit of it", {
            let mut other = octets.clone();
            other[63] ^= 1;
            format!("{input}.{}", encode(other))
        }),
        ("another payload", {
            let mut other = payload.clone();
            other["scope"] = json!("admin:read admin:write keys:read");
            format!("{}.{}.{signature}", encode(header.to_string()), encode(other.to_string()))
        }),
        ("no signature", format!("{input}.")),
        ("two parts", input.to_owned()),
        ("five parts", format!("{good}.a.b")),
        ("garbage", "garbage".to_owned()),
        ("10,000 dots", ".".repeat(10_000)),
        ("20 kB", format!("{input}{}.{signature}", "A".repeat(20_000))),
        ("deep", attacker.token(&header.to_string(), "[".repeat(9_000))),
    ];
    for (name, token) in &forged {
        assert_eq!(fares(&fixture, token).await, BAD, "{name}");
    }
    assert_eq!(fares(&fixture, &good).await, GOOD);
    // Far more than a token ever is: refused by its size.
    let huge = fixture.form("/connect/introspect", ROOT_CLIENT, &[("token", &"x".repeat(1_000_000))]).await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", huge.text);
    for octets in [&b"token=%ff%fe"[..], b"token=\xef\xbb\xbfx\xff", b"token=%00"] {
        let request = Request::post("/connect/introspect")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, basic(ROOT, ROOT_SECRET))
            .body(Body::from(octets.to_vec()));
        let refused = fixture.send(request.expect("a request")).await;
        assert_eq!(refused.json["error"], "invalid_request", "{}", refused.text);
    }
}

#[tokio::test]
async fn a_signature_alone_makes_no_access_token() {
    // Whoever had the signing key could make anything; the point is that each rule about claims stands by itself.
    let fixture = Fixture::with(PATIENT).await;
    let good = fixture.root().await;
    let (header, payload) = (part(&good, 0), part(&good, 1));
    let (key, kid) = stolen_key(&fixture).await;
    let typed =
        |typ: &str, payload: &Value| key.sign(&key.header(typ, &kid), payload.to_string().as_bytes()).expect("a token");
    let renewed = typed("at+jwt", &payload);
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(fares(&fixture, &renewed).await, GOOD, "the control");

    for typ in [
        "JWT",
        "",
        "logout+jwt",
        "dpop+jwt",
        "token-introspection+jwt",
        "secevent+jwt",
        "client-authentication+jwt",
        "id_token",
    ] {
        assert_eq!(fares(&fixture, &typed(typ, &payload)).await, BAD, "typ {typ}");
    }
    let with = |claim: &str, value: Value| {
        let mut payload = payload.clone();
        payload[claim] = value;
        payload
    };
    let now = crate::support::START;
    for changed in [
        with("iss", json!("https://evil.example")),
        with("iss", json!(format!("{BASE}/"))),
        with("iss", json!(format!("{BASE}2"))),
        with("iss", json!(format!("{BASE}.evil.example"))),
        with("iss", json!(format!("{BASE}/tenants/"))),
        with("iss", json!(format!("{BASE}/tenants/a/b"))),
        with("iss", json!([BASE])),
        with("exp", json!(now - 6)),
        with("exp", json!("2000000000")),
        with("exp", json!(2e9)),
        with("exp", json!(null)),
        with("iat", json!(now + 61)),
        with("iat", json!("now")),
        with("nbf", json!(now + 6)),
        with("nbf", json!([])),
        with("sub", json!(7)),
        with("client_id", json!("nobody")),
        with("client_id", json!(null)),
        with("jti", json!(7)),
        with("scope", json!(["admin:read"])),
        with("tenant_slug", json!("nobody")),
        with("tenant_id", json!("tnt_01arz3ndektsv4rrffq69g5fav")),
    ] {
        assert_eq!(fares(&fixture, &typed("at+jwt", &changed)).await, BAD, "{changed}");
    }
    for claim in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti"] {
        let mut payload = payload.clone();
        payload.as_object_mut().expect("an object").remove(claim);
        assert_eq!(fares(&fixture, &typed("at+jwt", &payload)).await, BAD, "no {claim}");
    }
    let text = payload.to_string();
    let twice = text.replacen('{', r#"{"scope":"admin:read","#, 1);
    for octets in
        [twice.clone().into_bytes(), format!("{text} x").into_bytes(), format!("\u{feff}{text}").into_bytes(), {
            let mut octets = text.clone().into_bytes();
            octets[3] = 0xff;
            octets
        }]
    {
        let token = key.sign(&key.header("at+jwt", &kid), &octets).expect("a token");
        assert_eq!(fares(&fixture, &token).await, BAD, "{}", String::from_utf8_lossy(&octets));
    }
    // More scopes than the application has: what it holds is what would be granted now.
    let wide = typed("at+jwt", &with("scope", json!("admin:read openid xyzzy")));
    let told = fixture.form("/connect/introspect", ROOT_CLIENT, &[("token", &wide)]).await;
    assert_eq!(told.json["scope"], "admin:read", "{}", told.text);
    // A client's assertion is no access token.
    let assertion = typed("JWT", &claims(ROOT, BASE, "a1"));
    assert_eq!(fares(&fixture, &assertion).await, BAD);
    assert_eq!(key.algorithm(), Algorithm::Es256);
}

#[tokio::test]
async fn a_key_that_is_withdrawn_takes_its_tokens_with_it_and_one_that_retires_does_not() {
    let fixture = Fixture::with(PATIENT).await;
    let first = fixture.root().await;
    fixture.made(Method::POST, "/keys/rotate", &json!({"force": true})).await;
    let second = fixture.root().await;
    assert_ne!(part(&first, 0)["kid"], part(&second, 0)["kid"]);
    assert_eq!((fares(&fixture, &first).await, fares(&fixture, &second).await), (GOOD, GOOD));
    let published = fixture.get("/connect/jwks").await;
    assert!(published.text.contains(part(&first, 0)["kid"].as_str().expect("a kid")), "still published");
    assert!(published.header(header::CACHE_CONTROL).contains("max-age=300"), "how long others may not know");

    let id_of = |token: &str| part(token, 0)["kid"].as_str().expect("a kid").to_owned();
    fixture.made(Method::POST, &format!("/keys/{}/revoke", id_of(&first)), &json!({})).await;
    assert_eq!((fares(&fixture, &first).await, fares(&fixture, &second).await), (BAD, GOOD));
    fixture.made(Method::POST, &format!("/keys/{}/revoke", id_of(&second)), &json!({})).await;
    assert_eq!((fares(&fixture, &first).await, fares(&fixture, &second).await), (BAD, BAD));
    let third = fixture.root().await;
    assert_eq!(fares(&fixture, &third).await, GOOD, "the next key signs");
    let published = fixture.get("/connect/jwks").await;
    for withdrawn in [&first, &second] {
        assert!(!published.text.contains(part(withdrawn, 0)["kid"].as_str().expect("a kid")));
    }
}

#[tokio::test]
async fn who_does_not_authenticate_learns_nothing() {
    let world = World::new().await;
    let token = world.fixture.root().await;
    for door in doors().iter().filter(|door| door.path.ends_with("introspect")) {
        let public = &world.clients(door.issuer).public;
        let about = |attempt: Attempt| attempt.field("token_type_hint", "access_token");
        for attempt in [
            Attempt::default(),
            Attempt::default().field("client_id", public),
            Attempt::basic(public, ""),
            Attempt::authorization(format!("Bearer {token}")),
            Attempt::authorization(format!("Bearer {token}")).field("client_id", ROOT),
        ] {
            let refused = world.send(door, &about(attempt)).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}: {}", door.path, refused.text);
            assert!(refused.json.get("active").is_none());
        }
    }
}

#[tokio::test]
async fn a_token_concerns_its_client_its_api_and_its_administrators() {
    let world = World::new().await;
    let fixture = &world.fixture;
    let globex = fixture.made(Method::GET, "/tenants?limit=200", &json!({})).await["items"]
        .as_array()
        .expect("tenants")
        .iter()
        .find(|tenant| tenant["slug"] == "globex")
        .expect("globex")["id"]
        .clone();
    let mut made = vec![];
    for (id, tenant, scopes) in [
        ("rs-pos", Value::Null, json!([])),
        ("rs-other", Value::Null, json!([])),
        ("rs-acme", json!(world.acme_id), json!([])),
        ("rs-globex", globex.clone(), json!([])),
        ("till", json!(world.acme_id), json!(["pos:read"])),
        ("acme-admin", json!(world.acme_id), json!(["admin:read"])),
        ("globex-admin", globex.clone(), json!(["admin:read"])),
    ] {
        if id == "till" {
            for (identifier, servers) in [
                ("https://pos.example", json!(["rs-pos", "rs-acme", "rs-globex"])),
                ("https://other.example", json!(["rs-other"])),
            ] {
                let api = json!({"name": "Api", "identifier": identifier, "resource_servers": servers});
                fixture.made(Method::POST, "/apis", &api).await;
            }
            let scope = json!({"name": "pos:read", "api": "https://pos.example", "kind": "granular", "title": {"en": "X"}, "description": {"en": "X"}});
            fixture.made(Method::POST, "/scopes", &scope).await;
        }
        let level = if tenant.is_null() { "platform" } else { "tenant" };
        let body = json!({"name": id, "client_id": id, "type": "service", "level": level, "tenant_id": tenant, "allowed_scopes": scopes});
        let application = fixture.made(Method::POST, "/applications", &body).await;
        made.push((id, application["client_secret"].as_str().expect("shown once").to_owned()));
    }
    let secret = |id: &str| made.iter().find(|(name, _)| *name == id).expect("a client").1.clone();
    let door = |id: &str| match id {
        "rs-acme" | "till" | "acme-admin" => "/tenants/acme/connect/introspect",
        "rs-globex" | "globex-admin" => "/tenants/globex/connect/introspect",
        _ => "/connect/introspect",
    };
    let till_secret = secret("till");
    let token = fixture.token("/tenants/acme/connect/token", ("till", &till_secret), &[]).await.access_token();
    assert_eq!(part(&token, 1)["aud"], "https://pos.example");
    for (who, learns) in [
        ("till", true),
        ("rs-pos", true),
        ("rs-acme", true),
        ("acme-admin", true),
        ("rs-other", false),
        ("rs-globex", false),
        ("globex-admin", false),
    ] {
        let secret = secret(who);
        let told = fixture.form(door(who), Some((who, &secret)), &[("token", &token)]).await;
        assert_eq!(told.status, StatusCode::OK, "{who}: {}", told.text);
        assert_eq!(told.json["active"], learns, "{who}: {}", told.text);
        assert!(learns || told.text == INACTIVE, "{who}: {}", told.text);
    }
    // The answer has no other form in which it says more.
    let request = Request::post("/connect/introspect")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/token-introspection+jwt")
        .header(header::AUTHORIZATION, basic("rs-other", &secret("rs-other")))
        .body(Body::from(format!("token={token}")));
    assert_eq!(fixture.send(request.expect("a request")).await.text, INACTIVE);
}

#[tokio::test]
async fn what_is_not_active_is_not_active_and_that_is_all() {
    let world = World::new().await;
    let fixture = &world.fixture;
    let (id, secret) = &world.clients(ACME).secret;
    let own = fixture.token("/tenants/acme/connect/token", (id, secret), &[]).await.access_token();
    let me = |token: &str| vec![("token".to_owned(), token.to_owned())];
    let ask = async |token: &str| {
        let fields = me(token);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fixture.form("/tenants/acme/connect/introspect", Some((id, secret)), &fields).await
    };
    let active = ask(&own).await;
    assert_eq!(active.json["active"], true, "{}", active.text);
    assert_eq!(active.json["iss"], ACME);
    let foreign = fixture.root().await;
    for token in [&foreign, "garbage", &own[..own.len() - 1], "a.b.c", &own.replace('.', "")] {
        let told = ask(token).await;
        assert_eq!((told.status, told.text.as_str()), (StatusCode::OK, INACTIVE), "{token}");
        assert_eq!(told.header(header::CACHE_CONTROL), "no-store");
    }
    // To the edge of its life and no further.
    fixture.clock.advance_secs(3600 + 4);
    assert_eq!(ask(&own).await.json["active"], true);
    fixture.clock.advance_secs(1);
    assert_eq!(ask(&own).await.text, INACTIVE);
}

#[tokio::test]
async fn what_a_token_holds_is_what_would_be_granted_now() {
    let world = World::new().await;
    let fixture = &world.fixture;
    let (id, secret) = &world.clients(ACME).secret;
    let path = format!("/applications/{id}");
    fixture.made(Method::PATCH, &path, &json!({"allowed_scopes": ["scopes:read", "apis:read"]})).await;
    let token = fixture.token("/tenants/acme/connect/token", (id, secret), &[]).await.access_token();
    let scope =
        async || fixture.form("/connect/introspect", ROOT_CLIENT, &[("token", &token)]).await.json["scope"].clone();
    let opens = async |path: &str| fixture.admin(&token, Method::GET, path, None).await.status;
    let both = scope().await;
    assert_eq!(both.as_str().expect("a scope").split(' ').count(), 2, "{both}");
    assert_eq!((opens("/scopes").await, opens("/apis").await), (StatusCode::OK, StatusCode::OK));
    fixture.made(Method::PATCH, &path, &json!({"allowed_scopes": ["apis:read"]})).await;
    assert_eq!(scope().await, "apis:read");
    assert_eq!((opens("/scopes").await, opens("/apis").await), (StatusCode::FORBIDDEN, StatusCode::OK));
    // Given back, it holds it again; a scope that came later it never held.
    fixture.made(Method::PATCH, &path, &json!({"allowed_scopes": ["scopes:read", "apis:read", "keys:read"]})).await;
    assert_eq!(scope().await, both);
    assert_eq!(opens("/keys").await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_name_that_is_given_again_inherits_no_token() {
    let fixture = Fixture::with(PATIENT).await;
    let acme = json!({"name": "Acme", "slug": "acme"});
    let first = fixture.made(Method::POST, "/tenants", &acme).await;
    // A platform application acts for the tenant of that name.
    let fields = [("scope", "admin:read"), ("tenant", "acme")];
    let token = fixture.token("/connect/token", (ROOT, ROOT_SECRET), &fields).await.access_token();
    assert_eq!(fares(&fixture, &token).await, GOOD);
    let root = fixture.root().await;
    let path = format!("/tenants/{}", first["id"].as_str().expect("an id"));
    assert_eq!(fixture.admin(&root, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(fares(&fixture, &token).await, BAD);
    let second = fixture.made(Method::POST, "/tenants", &acme).await;
    assert_ne!(first["id"], second["id"]);
    assert_eq!(fares(&fixture, &token).await, BAD, "the next tenant of this name is another one");
    let token = fixture.token("/connect/token", (ROOT, ROOT_SECRET), &fields).await.access_token();
    assert_eq!(fares(&fixture, &token).await, GOOD);
}

/// attacks.md C1 30: what is over for a client stays over, whoever is registered by its name next.
#[tokio::test]
async fn a_client_id_that_is_given_again_inherits_no_token() {
    let fixture = Fixture::with(PATIENT).await;
    let till = json!({
        "name": "Till", "client_id": "till", "type": "service", "level": "platform", "allowed_scopes": ["admin:read"],
    });
    let token = async |made: &Value| {
        let secret = made["client_secret"].as_str().expect("a secret");
        fixture.token("/connect/token", ("till", secret), &[("scope", "admin:read")]).await.access_token()
    };
    let first = token(&fixture.made(Method::POST, "/applications", &till).await).await;
    assert_eq!(fares(&fixture, &first).await, GOOD);
    let root = fixture.root().await;
    let gone = fixture.admin(&root, Method::DELETE, "/applications/till", None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
    assert_eq!(fares(&fixture, &first).await, BAD);
    fixture.clock.advance_secs(1);
    let made = fixture.made(Method::POST, "/applications", &till).await;
    assert_eq!(fares(&fixture, &first).await, BAD, "the next client of this name is another one");
    assert_eq!(fares(&fixture, &token(&made).await).await, GOOD);
}

#[tokio::test]
async fn both_endpoints_speak_post_and_forms_and_to_no_script() {
    let world = World::new().await;
    for door in doors().iter().filter(|door| door.path.ends_with("introspect") || door.path.ends_with("revoke")) {
        let (id, secret) = &world.clients(door.issuer).secret;
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let request = Request::builder()
                .method(method.clone())
                .uri(format!("{}?token=x", door.path))
                .header(header::ORIGIN, "https://evil.example")
                .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
                .header(header::AUTHORIZATION, basic(id, secret))
                .body(Body::empty());
            let refused = world.fixture.send(request.expect("a request")).await;
            assert_no_cors(&refused);
            // What a script may revoke, a browser asks about first; this origin is nobody's.
            if method == Method::OPTIONS && door.path.ends_with("revoke") {
                assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", door.path);
                continue;
            }
            assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {}", door.path);
            let mut allowed: Vec<&str> = refused.header(header::ALLOW).split(',').collect();
            allowed.sort_unstable();
            let expected = if door.path.ends_with("revoke") { &["OPTIONS", "POST"][..] } else { &["POST"] };
            assert_eq!(allowed, expected, "{method} {}", door.path);
        }
        for (content_type, body) in [
            (Some("application/json"), r#"{"token":"x"}"#),
            (Some("text/plain"), "token=x"),
            (Some("multipart/form-data; boundary=x"), "token=x"),
            (None, "token=x"),
        ] {
            let mut request = Request::post(door.path)
                .header(header::ORIGIN, "https://evil.example")
                .header(header::AUTHORIZATION, basic(id, secret));
            if let Some(content_type) = content_type {
                request = request.header(header::CONTENT_TYPE, content_type);
            }
            let refused = world.fixture.send(request.body(Body::from(body)).expect("a request")).await;
            // RFC 6749 §5.2 gives `invalid_request`, and so 400, to a request that is "otherwise malformed".
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{content_type:?} {}", door.path);
            assert_eq!(refused.json["error"], "invalid_request");
            assert_no_cors(&refused);
        }
        let good = Attempt::basic(id, secret).header(header::ORIGIN, "https://evil.example");
        let answer = world.send(door, &good).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_no_cors(&answer);
    }
}

fn assert_no_cors(answer: &Answer) {
    let cors = answer.headers.keys().find(|name| name.as_str().starts_with("access-control"));
    assert_eq!(cors, None);
}

#[tokio::test]
async fn floods_of_dead_and_of_invented_tokens_do_not_reach_the_store() {
    let (fixture, store) = Faulty::fixture(PATIENT).await;
    let token = fixture.root().await;
    let revoked = fixture.form("/connect/revoke", ROOT_CLIENT, &[("token", &token)]).await;
    assert_eq!(revoked.status, StatusCode::OK);
    assert_eq!(fares(&fixture, &token).await, BAD);
    let before = store.calls(&READS);
    for n in 0..500 {
        let invented = format!("{token}{n}");
        for token in [&token, &invented, &n.to_string()] {
            let told = fixture.form("/connect/introspect", ROOT_CLIENT, &[("token", token)]).await;
            assert_eq!(told.text, INACTIVE);
        }
    }
    assert_eq!(store.calls(&READS), before);
}

#[tokio::test]
async fn a_token_is_seen_the_same_by_every_path_of_its_issuer() {
    let world = World::new().await;
    let of = |issuer: &'static str| {
        doors().into_iter().filter(move |door| door.issuer == issuer && door.path.ends_with("introspect"))
    };
    for issuer in [PLATFORM, ACME] {
        let (id, secret) = &world.clients(issuer).secret;
        let path = if issuer == ACME { "/tenants/acme/connect/token" } else { "/connect/token" };
        let token = world.fixture.token(path, (id, secret), &[]).await.access_token();
        let mut told = vec![];
        for Door { path, .. } in of(issuer) {
            told.push(world.fixture.form(path, Some((id, secret)), &[("token", &token)]).await.text);
        }
        assert!(told[0].contains("\"active\":true"), "{}", told[0]);
        told.dedup();
        assert_eq!(told.len(), 1);
    }
}
