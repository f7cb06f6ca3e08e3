//! Bad input at the token endpoint and its siblings: oversized, misencoded, conflicting, missing; and each limit at its edge.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use super::doors::{ACME, Attempt, PATIENT, World, doors};
use crate::support::{Answer, Fixture, ROOT, ROOT_SECRET, basic};

const ROOT_CLIENT: (&str, &str) = (ROOT, ROOT_SECRET);

#[tokio::test]
async fn a_body_is_as_long_as_its_limit_and_no_longer() {
    let world = World::new().await;
    for door in doors().iter().filter(|door| door.method == Method::POST) {
        let (id, secret) = &world.clients(door.issuer).secret;
        let own = Attempt::basic(id, secret).at(door);
        let own = axum::body::to_bytes(own.into_body(), usize::MAX).await.expect("a body").len();
        let padded = |length: usize| Attempt::basic(id, secret).raw(format!("pad={}", "x".repeat(length - own - 5)));
        for (length, expected) in [(65_535, 200), (65_536, 200), (65_537, 413)] {
            let answer = world.send(door, &padded(length)).await;
            assert_eq!(answer.status, expected, "{length} at {}: {}", door.path, answer.text);
            if expected == 413 {
                assert_eq!(answer.json["error"], "invalid_request", "{}: {}", door.path, answer.text);
                assert_eq!(
                    answer.json["error_description"],
                    "the body is larger than the 65536 bytes that this endpoint takes"
                );
            }
        }
        for attempt in [padded(4_000_000), Attempt::basic(id, secret).raw(vec![b'&'; 4_000_000])] {
            assert_eq!(world.send(door, &attempt).await.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", door.path);
        }
    }
}

#[tokio::test]
async fn so_many_parameters_and_not_one_more() {
    let world = World::new().await;
    for door in doors().iter().filter(|door| door.method == Method::POST) {
        let (id, secret) = &world.clients(door.issuer).secret;
        let own = usize::from(!door.path.ends_with("scopes"));
        let many = |count: usize| {
            let raw: Vec<String> = (0..count - own).map(|n| format!("p{n}=x")).collect();
            Attempt::basic(id, secret).raw(raw.join("&"))
        };
        for (count, expected) in [(63, 200), (64, 200), (65, 400)] {
            let answer = world.send(door, &many(count)).await;
            assert_eq!(answer.status, expected, "{count} at {}: {}", door.path, answer.text);
        }
        let refused = world.send(door, &many(5_000)).await;
        assert_eq!(refused.json["error_description"], "more than 64 parameters");
    }
}

#[tokio::test]
async fn the_limits_on_scope_are_exact_and_named() {
    let fixture = Fixture::with(PATIENT).await;
    let ask = async |scope: &str| fixture.token("/connect/token", ROOT_CLIENT, &[("scope", scope)]).await;
    let explained = async |scope: &str| {
        let question = json!({"question": "request", "scope": scope}).to_string();
        fixture.form("/connect/explain", Some(ROOT_CLIENT), &[("question", &question)]).await
    };
    let names = |count: usize| vec!["admin:read"; count].join(" ");
    for count in [511, 512] {
        assert_eq!(ask(&names(count)).await.json["scope"], "admin:read", "{count}");
        assert_eq!(explained(&names(count)).await.status, StatusCode::OK);
    }
    for count in [513, 1_000] {
        assert_names_the_limit(&ask(&names(count)).await, "parameter 'scope' names more than 512 scopes");
        assert_eq!(explained(&names(count)).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    // Different names, and none of them ours: the answer stays within bounds too.
    let strangers: Vec<String> = (0..512).map(|n| format!("stranger:{n}")).collect();
    let refused = ask(&strangers.join(" ")).await;
    assert_eq!(refused.json["refused"].as_array().map(Vec::len), Some(512));

    let of_length = |length: usize| format!("admin:read {}", "x".repeat(length - 11));
    for length in [16 * 1024 - 1, 16 * 1024] {
        let refused = ask(&of_length(length)).await;
        assert_eq!(refused.json["refused"][0]["reason"], "malformed", "{length}: {}", &refused.text[..200]);
    }
    assert_names_the_limit(&ask(&of_length(16 * 1024 + 1)).await, "parameter 'scope' is longer than 16384 bytes");
    assert_names_the_limit(&ask(&" ".repeat(20_000)).await, "parameter 'scope' is longer than 16384 bytes");

    for (length, reason) in [(127, "unknown"), (128, "unknown"), (129, "malformed")] {
        let refused = ask(&"n".repeat(length)).await;
        assert_eq!(refused.json["refused"][0]["reason"], reason, "{length}: {}", refused.text);
    }
}

fn assert_names_the_limit(answer: &Answer, text: &str) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    assert_eq!((&answer.json["error"], &answer.json["error_description"]), (&json!("invalid_scope"), &json!(text)));
}

#[tokio::test]
async fn the_limits_of_the_registry_are_exact_and_named() {
    let limits = "[limits]\nscope_name_chars = 20\ncatalogue_scopes = 100\nbundle_members = 16\nallowed_scopes = 17\n";
    let fixture = Fixture::with(limits).await;
    let root = fixture.root().await;
    let post = async |path: &str, body: &Value| fixture.admin(&root, Method::POST, path, Some(body)).await;
    fixture.made(Method::POST, "/apis", &json!({"name": "Own", "identifier": "https://own.example"})).await;
    let scope = |name: &str, kind: &str, includes: &[String]| json!({"name": name, "api": "https://own.example", "kind": kind, "includes": includes, "title": "X", "description": "X"});
    let mut names: Vec<String> = (0..17).map(|n| format!("m{n}")).collect();
    for name in &names {
        assert_eq!(post("/scopes", &scope(name, "granular", &[])).await.status, StatusCode::CREATED);
    }
    for (length, expected) in [(19, 201), (20, 201), (21, 422)] {
        let made = post("/scopes", &scope(&"n".repeat(length), "granular", &[])).await;
        assert_eq!(made.status, expected, "{length}: {}", made.text);
        assert!(expected == 201 || made.text.contains("scope_name_chars"), "{}", made.text);
    }
    for count in [15, 16] {
        let made = post("/scopes", &scope(&format!("bundle{count}"), "coarse", &names[..count])).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    }
    assert_limit(&post("/scopes", &scope("bundle17", "coarse", &names)).await, "bundle_members", 16);
    let wider = fixture.admin(&root, Method::PATCH, "/scopes/bundle16", Some(&json!({"includes": names}))).await;
    assert_limit(&wider, "bundle_members", 16);

    names.push("bundle16".to_owned());
    let application = |id: &str, scopes: &[String]| json!({"name": id, "client_id": id, "type": "service", "level": "platform", "allowed_scopes": scopes});
    for count in [16, 17] {
        let made = post("/applications", &application(&format!("app{count}"), &names[..count])).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    }
    assert_limit(&post("/applications", &application("app18", &names)).await, "allowed_scopes", 17);
    assert_limit(
        &post("/applications/app17/allowed_scopes", &json!({"scope": "bundle16"})).await,
        "allowed_scopes",
        17,
    );
    let patched =
        fixture.admin(&root, Method::PATCH, "/applications/app17", Some(&json!({"allowed_scopes": names}))).await;
    assert_limit(&patched, "allowed_scopes", 17);

    let count = async || {
        let listed = fixture.admin(&root, Method::GET, "/scopes?limit=200", None).await;
        listed.json["items"].as_array().expect("scopes").len()
    };
    for n in count().await..100 {
        let made = post("/scopes", &scope(&format!("filler{n}"), "granular", &[])).await;
        assert_eq!(made.status, StatusCode::CREATED, "{n}: {}", made.text);
    }
    assert_eq!(count().await, 100);
    let full = post("/scopes", &scope("one-more", "granular", &[])).await;
    assert_eq!(full.status, StatusCode::CONFLICT, "{}", full.text);
    assert!(full.text.contains("catalogue_scopes") && full.text.contains("100"), "{}", full.text);
}

fn assert_limit(answer: &Answer, limit: &str, max: u32) {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
    let message = answer.json["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains(limit) && message.contains(&max.to_string()), "{message}");
}

#[tokio::test]
async fn a_request_in_another_form_is_told_which_form() {
    let world = World::new().await;
    for door in doors().iter().filter(|door| door.method == Method::POST && !door.path.ends_with("explain")) {
        let (id, secret) = &world.clients(door.issuer).secret;
        for content_type in [
            None,
            Some("application/json"),
            Some("text/plain"),
            Some("multipart/form-data; boundary=x"),
            Some("application/xml"),
            Some("application/x-www-form-urlencoded2"),
            Some(""),
        ] {
            let mut request = Attempt::basic(id, secret).at(door);
            request.headers_mut().remove(header::CONTENT_TYPE);
            if let Some(content_type) = content_type {
                request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().expect("a value"));
            }
            let refused = world.fixture.send(request).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{content_type:?} at {}", door.path);
            assert_eq!(refused.json["error"], "invalid_request");
            let description = refused.json["error_description"].as_str().expect("a description");
            assert!(description.contains("application/x-www-form-urlencoded"), "{description}");
        }
        for content_type in ["application/x-www-form-urlencoded; charset=UTF-8", "Application/X-WWW-Form-Urlencoded"] {
            let mut request = Attempt::basic(id, secret).at(door);
            request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().expect("a value"));
            assert_eq!(world.fixture.send(request).await.status, StatusCode::OK, "{content_type} at {}", door.path);
        }
    }
}

#[tokio::test]
async fn near_misses_get_a_hint_and_never_a_token() {
    let fixture = Fixture::with(PATIENT).await;
    for (name, hint) in [
        ("scopes", "did you mean 'scope'?"),
        ("scope[]", "did you mean 'scope'?"),
        ("Scope", "did you mean 'scope'?"),
        ("SCOPE", "did you mean 'scope'?"),
    ] {
        let refused = fixture.token("/connect/token", ROOT_CLIENT, &[(name, "admin:read")]).await;
        assert_eq!(refused.json["error"], "invalid_request", "{name}: {}", refused.text);
        assert!(refused.json["error_description"].as_str().expect("a description").contains(hint), "{}", refused.text);
    }
    let twice =
        fixture.token("/connect/token", ROOT_CLIENT, &[("scope", "admin:read"), ("scope", "admin:write")]).await;
    let description = twice.json["error_description"].as_str().expect("a description");
    assert!(description.contains("put several scopes into one 'scope' parameter"), "{description}");
    for (scope, hint) in [
        ("admin:read,admin:write", "single spaces"),
        ("'admin:read'", "without quotes"),
        ("\"admin:read\"", "without quotes"),
    ] {
        let refused = fixture.token("/connect/token", ROOT_CLIENT, &[("scope", scope)]).await;
        let told = refused.json["refused"][0]["hint"].as_str().expect("a hint");
        assert!(told.contains(hint), "{scope}: {told}");
    }
    let case = fixture.token("/connect/token", ROOT_CLIENT, &[("scope", "ADMIN:READ")]).await;
    assert_eq!(case.json["refused"][0]["did_you_mean"][0], "admin:read", "{}", case.text);
    for (fields, hint) in [
        (&[("grantType", "client_credentials")][..], "'grantType' was sent instead"),
        (&[("grant-type", "client_credentials")], "'grant-type' was sent instead"),
        (&[], "parameter 'grant_type' is missing"),
    ] {
        let refused = fixture.form("/connect/token", Some(ROOT_CLIENT), fields).await;
        assert_eq!(refused.json["error"], "invalid_request", "{}", refused.text);
        assert!(refused.json["error_description"].as_str().expect("a description").contains(hint), "{}", refused.text);
    }
    // What nobody knows is ignored (RFC 6749 §3.2), beside a scope even what looks like one.
    let fields =
        [("scope", "admin:read"), ("scopes", "admin:write"), ("foo", "bar"), ("__proto__", "x"), ("audience", "y")];
    let answer = fixture.token("/connect/token", ROOT_CLIENT, &fields).await;
    assert_eq!(answer.json["scope"], "admin:read", "{}", answer.text);
}

#[tokio::test]
async fn octets_that_are_no_text_are_refused_by_the_name_of_their_parameter() {
    let world = World::new().await;
    for door in doors().iter().filter(|door| door.method == Method::POST) {
        let (id, secret) = &world.clients(door.issuer).secret;
        for (raw, text) in [
            (&b"tenant=%00"[..], "parameter 'tenant' contains a NUL character"),
            (b"tenant=\x00", "parameter 'tenant' contains a NUL character"),
            (b"tenant=%ff", "parameter 'tenant' is not valid UTF-8"),
            (b"tenant=\xff", "parameter 'tenant' is not valid UTF-8"),
            (b"tenant=%c0%80", "parameter 'tenant' is not valid UTF-8"),
            (b"tenant=%zz", "parameter 'tenant' has a '%'"),
            (b"tenant=%", "parameter 'tenant' has a '%'"),
            (b"%00=x", "contains a NUL character"),
            (b"%ff=x", "is not valid UTF-8"),
        ] {
            let refused = world.send(door, &Attempt::basic(id, secret).raw(raw)).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{raw:?} at {}: {}", door.path, refused.text);
            let description = refused.json["error_description"].as_str().expect("a description");
            assert!(description.contains(text), "{raw:?}: {description}");
        }
    }
}

#[tokio::test]
async fn a_tenant_out_of_reach_is_as_unknown_as_one_that_does_not_exist() {
    let world = World::new().await;
    let fixture = &world.fixture;
    let (id, secret) = &world.clients(ACME).secret;
    let own = fixture.token("/tenants/acme/connect/token", (id, secret), &[("tenant", "acme")]).await;
    assert_eq!(own.status, StatusCode::OK, "naming one's own is no mistake: {}", own.text);
    let named =
        async |tenant: &str| fixture.token("/tenants/acme/connect/token", (id, secret), &[("tenant", tenant)]).await;
    let (foreign, absent) = (named("globex").await, named("nobody").await);
    assert_eq!((foreign.status, absent.status), (StatusCode::BAD_REQUEST, StatusCode::BAD_REQUEST));
    assert_eq!(foreign.json["error_description"], absent.json["error_description"]);

    // A partner's application reaches its partner's tenants and no others.
    let partner = json!({"name": "Partner", "slug": "partner", "contact_email": "ops@partner.example"});
    let partner = fixture.made(Method::POST, "/partners", &partner).await;
    fixture
        .made(Method::POST, "/tenants", &json!({"name": "Theirs", "slug": "theirs", "partner_id": partner["id"]}))
        .await;
    let body = json!({"name": "P", "client_id": "partners", "type": "service", "level": "partner", "partner_id": partner["id"],
        "allowed_scopes": ["scopes:read"]});
    let made = fixture.made(Method::POST, "/applications", &body).await;
    let client = ("partners", made["client_secret"].as_str().expect("shown once"));
    let acting = async |tenant: &str| fixture.token("/connect/token", client, &[("tenant", tenant)]).await;
    assert_eq!(acting("theirs").await.status, StatusCode::OK);
    let shape =
        |answer: &Answer, name: &str| answer.json["error_description"].as_str().expect("a text").replace(name, "X");
    let (foreign, absent) = (acting("acme").await, acting("nobody").await);
    assert_eq!(foreign.status, StatusCode::BAD_REQUEST, "{}", foreign.text);
    assert_eq!(shape(&foreign, "acme"), shape(&absent, "nobody"));

    for (fields, text) in [
        (&[("unit", "north")][..], "the parameter 'unit' needs the parameter 'tenant'"),
        (&[("tenant", "acme"), ("unit", "nope")], "the tenant has no unit 'nope'"),
    ] {
        let refused = fixture.token("/connect/token", ROOT_CLIENT, fields).await;
        assert_eq!(refused.json["error_description"], text);
    }
    for tenant in ["Acme", "acme ", "acme/", "../acme", "acme\u{200b}", "%", &"a".repeat(10_000)] {
        let refused = fixture.token("/connect/token", ROOT_CLIENT, &[("tenant", tenant)]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{tenant:.20}: {}", refused.text);
    }
    let nowhere = fixture.token("/tenants/nobody/connect/token", ROOT_CLIENT, &[]).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_resource_is_a_uri_that_is_registered() {
    let fixture = Fixture::with(PATIENT).await;
    let admin = "https://as.example/api/v1/admin";
    for resource in [
        "",
        " ",
        "admin",
        "/api",
        "https://as.example/api/v1/admin#x",
        "https://as.example/api/v1/admin/",
        "HTTPS://as.example/api/v1/admin",
        "https://as.example/api/v1/adm\u{131}n",
        "javascript:alert(1)",
        &format!("{admin}?{}", "x".repeat(3_000)),
    ] {
        let answer =
            fixture.token("/connect/token", ROOT_CLIENT, &[("resource", resource), ("scope", "admin:read")]).await;
        if resource.is_empty() {
            // RFC 6749 §3.1: without a value it was not sent.
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
            continue;
        }
        assert_eq!(answer.json["error"], "invalid_target", "{resource:.40}: {}", answer.text);
    }
    let several = [("resource", admin), ("resource", admin), ("scope", "admin:read")];
    let answer = fixture.token("/connect/token", ROOT_CLIENT, &several).await;
    assert_eq!(crate::support::claims(&answer.access_token())["aud"], admin);
}

#[tokio::test]
async fn a_head_and_a_method_that_nobody_expects() {
    let fixture = Fixture::with(PATIENT).await;
    for method in ["HEAD", "TRACE", "CONNECT", "PATCH", "PROPFIND", "X"] {
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).expect("a method"))
            .uri("/connect/token")
            .header(header::AUTHORIZATION, basic(ROOT, ROOT_SECRET))
            .body(Body::from("grant_type=client_credentials"));
        let refused = fixture.send(request.expect("a request")).await;
        assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(refused.header(header::ALLOW), "POST,OPTIONS", "{method}");
    }
}
