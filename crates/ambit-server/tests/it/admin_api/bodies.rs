//! What a body may be, for every operation that reads one (attacks: mass assignment, other content types, bombs).

use ambit_server::admin_api::ROOT;
use ambit_server::openapi;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::samples::Sample;
use crate::support::{Fixture, JSON};
use crate::world::{OWNERS, Owner, World, merged};

/// An operation of the document that reads a body.
struct Writing {
    method: Method,
    /// Below the root of the admin API.
    template: String,
    /// The names of the members that the body may have.
    takes: Vec<String>,
    /// Those of what is answered.
    answers: Vec<String>,
}

fn writing() -> Vec<Writing> {
    let document = openapi::document();
    let mut found = vec![];
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let Some(template) = path.strip_prefix(ROOT) else { continue };
        for (method, operation) in operations.as_object().expect("operations") {
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            if !body.is_object() {
                continue;
            }
            let method = method.to_ascii_uppercase().parse().expect("a method");
            let answer = ["200", "201"].iter().find_map(|status| {
                let schema = &operation["responses"][status]["content"]["application/json"]["schema"];
                schema.is_object().then_some(schema)
            });
            let answers = answer.map(|schema| members(&document, schema)).unwrap_or_default();
            found.push(Writing { method, template: template.to_owned(), takes: members(&document, body), answers });
        }
    }
    assert!(found.len() > 20, "{}", found.len());
    found
}

/// The names of a schema's members, its alternatives' and its parts' included.
fn members(document: &Value, schema: &Value) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return members(document, document.pointer(&reference[1..]).expect("what it refers to"));
    }
    let own = schema["properties"].as_object().into_iter().flat_map(|members| members.keys().cloned());
    let parts = ["allOf", "oneOf", "anyOf"].iter().filter_map(|name| schema[name].as_array()).flatten();
    own.chain(parts.flat_map(|part| members(document, part))).collect()
}

async fn sample(world: &World, writing: &Writing) -> Sample {
    for owner in OWNERS {
        if let Some(sample) = world.sample(&writing.method, &writing.template, owner).await {
            return sample;
        }
    }
    panic!("no request to {} {}", writing.method, writing.template)
}

#[tokio::test]
async fn a_member_that_is_not_the_callers_to_set_is_refused_by_name_in_every_body() {
    let world = World::new().await;
    for writing in writing() {
        let sample = sample(&world, &writing).await;
        let body = sample.body.clone().expect("a body");
        let mut foreign: Vec<String> = writing.answers.clone();
        foreign.extend(EVERYWHERE.map(str::to_owned));
        foreign.retain(|name| !writing.takes.contains(name) && !ALIASES.contains(&name.as_str()));
        assert!(!foreign.is_empty());
        for name in foreign {
            let more = merged(body.clone(), json!({ &name: "something" }));
            let at = format!("{} {} with {name}", writing.method, writing.template);
            let answer = world.fixture.admin(&world.root, writing.method.clone(), &sample.path, Some(&more)).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{at}: {}", answer.text);
            let errors = answer.json["errors"].as_array().expect("errors");
            assert_eq!(errors.len(), 1, "{at}: {}", answer.text);
            assert_eq!(errors[0]["pointer"], format!("/{name}"), "{at}");
            let message = errors[0]["message"].as_str().expect("a message");
            assert!(["is unknown here", "is fixed and cannot be changed"].contains(&message), "{at}: {message}");
        }
    }
}

#[tokio::test]
async fn nothing_but_one_whole_json_document_in_utf_8_is_read_anywhere() {
    let world = World::new().await;
    for writing in writing() {
        let sample = sample(&world, &writing).await;
        let good = sample.body.clone().expect("a body").to_string();
        let send = async |headers: &[(&str, &str)], body: String| {
            world.fixture.admin_with(&world.root, writing.method.clone(), &sample.path, headers, body).await
        };
        let at = format!("{} {}", writing.method, writing.template);
        for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "*/*"]
        {
            let answer = send(&[("content-type", media_type)], good.clone()).await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{at} {media_type}");
        }
        assert_eq!(send(&[], good.clone()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{at}");
        assert_eq!(send(&[JSON, JSON], good.clone()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{at}");
        for malformed in [
            String::new(),
            "{".to_owned(),
            good[..good.len() - 1].to_owned(),
            format!("{good}{good}"),
            format!("\u{feff}{good}"),
            "nul".to_owned(),
            "{\"name\": 'x'}".to_owned(),
            format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000)),
            "{\"a\":".repeat(50_000),
        ] {
            let answer = send(&[JSON], malformed).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{at}: {}", answer.text);
            assert_eq!(answer.json["type"], "https://as.example/errors/api/malformed-json");
            assert!(answer.json["detail"].as_str().is_some_and(|detail| detail.contains("line")), "{}", answer.text);
        }
        for no_object in ["[]", "null", "7", "\"x\"", "true"] {
            let answer = send(&[JSON], no_object.to_owned()).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{at} {no_object}: {}", answer.text);
        }
        // Each member once: two readers could take different ones for true.
        let (first, rest) = good[1..].split_once(':').unwrap_or(("\"a\"", "1}"));
        if good.len() > 2 {
            let twice = format!("{{{first}:1,{first}:{rest}");
            let answer = send(&[JSON], twice).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{at}");
            assert_eq!(answer.json["errors"][0]["message"], "is there twice", "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_body_has_at_most_a_mebibyte_and_is_read_only_for_those_who_may_come_in() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    let body = |size: usize| {
        let rest = r#"{"key":"k","title":""}"#.len();
        format!(r#"{{"key":"k","title":"{}"}}"#, "x".repeat(size - rest))
    };
    for (size, status) in [(1024 * 1024 - 1, 422), (1024 * 1024, 422), (1024 * 1024 + 1, 413)] {
        let answer = fixture.admin_with(&root, Method::POST, "/features", &[JSON], body(size)).await;
        assert_eq!(answer.status, status, "{size}");
    }
    let refused = fixture.admin_with("none", Method::POST, "/features", &[JSON], body(1024 * 1024 + 1)).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn every_fault_of_a_body_is_told_at_once_by_its_place() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    let faults = async |method: Method, path: &str, body: Value| -> Vec<(String, String)> {
        let answer = fixture.admin(&root, method, path, Some(&body)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text);
        let errors = answer.json["errors"].as_array().expect("errors").iter();
        let text = |error: &Value, name: &str| error[name].as_str().expect("a text").to_owned();
        errors.map(|error| (text(error, "pointer"), text(error, "message"))).collect()
    };
    let pointers = async |method: Method, path: &str, body: Value| -> Vec<String> {
        faults(method, path, body).await.into_iter().map(|(pointer, _)| pointer).collect()
    };

    // What cannot be read: types, spelling, unknown members, missing ones.
    let unreadable = json!({
        "name": "", "type": "robot", "level": 3, "client_id": "ü", "tenant_id": "tnt_x", "allowed_scopes": ["a", "\u{430}", "a b"],
        "redirect_uris": ["https://a.example", "nope"], "scope_policy": {"on_refused": "maybe", "report_only": 1},
        "token_lifetime_secs": -1, "colour": "red",
    });
    let mut found = pointers(Method::POST, "/applications", unreadable).await;
    found.sort();
    assert_eq!(
        found,
        [
            "/allowed_scopes/1",
            "/allowed_scopes/2",
            "/client_id",
            "/colour",
            "/level",
            "/name",
            "/redirect_uris/1",
            "/scope_policy/on_refused",
            "/scope_policy/report_only",
            "/tenant_id",
            "/token_lifetime_secs",
            "/type",
        ]
    );
    let missing = faults(Method::POST, "/applications", json!({})).await;
    let mut missing: Vec<(&str, &str)> = missing.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    missing.sort_unstable();
    assert_eq!(missing, [("/level", "is missing"), ("/name", "is missing"), ("/type", "is missing")]);

    // What can be read and breaks a rule.
    let against_the_rules = json!({
        "name": "A", "type": "service", "level": "platform", "allowed_scopes": ["nope", "openid", "openid"],
        "redirect_uris": ["https://a.example/back"], "allowed_origins": ["https://a.example"],
        "token_lifetime_secs": 59, "token_endpoint_auth_method": "none",
        "scope_policy": {"when_omitted": "default_scopes", "default_scopes": []},
    });
    assert_eq!(
        pointers(Method::POST, "/applications", against_the_rules).await,
        [
            "/token_endpoint_auth_method",
            "/token_lifetime_secs",
            "/redirect_uris",
            "/allowed_origins",
            "/allowed_scopes/2",
            "/allowed_scopes/0",
            "/scope_policy/default_scopes",
        ]
    );

    // Fixed, unknown and unreadable ones of a change, together.
    let body = json!({"name": "A", "type": "service", "level": "platform", "client_id": "a"});
    fixture.made(Method::POST, "/applications", &body).await;
    let mut found = pointers(
        Method::PATCH,
        "/applications/a",
        json!({"level": "tenant", "client_id": "b", "colour": 1, "name": 7, "status": null}),
    )
    .await;
    found.sort();
    assert_eq!(found, ["/client_id", "/colour", "/level", "/name", "/status"]);
}

#[tokio::test]
async fn null_never_means_leave_it_as_it_is() {
    let fixture = Fixture::new().await;
    let body = json!({"name": "A", "type": "service", "level": "platform", "client_id": "a",
        "allowed_scopes": ["admin:read"]});
    let made = fixture.made(Method::POST, "/applications", &body).await;
    let root = fixture.root().await;
    for name in
        ["name", "status", "allowed_scopes", "scope_policy", "redirect_uris", "grant_types", "token_lifetime_secs"]
    {
        let answer = fixture.admin(&root, Method::PATCH, "/applications/a", Some(&json!({ name: null }))).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], format!("/{name}"));
    }
    // What may be absent is taken away by it.
    let patched = fixture.made(Method::PATCH, "/applications/a", &json!({"jwks": null})).await;
    assert_eq!(patched["revision"], made["revision"]);
    let tenant = json!({"name": "T", "slug": "t", "plan_tier": "gold"});
    let tenant = fixture.made(Method::POST, "/tenants", &tenant).await;
    let path = format!("/tenants/{}", tenant["id"].as_str().expect("an id"));
    assert_eq!(fixture.made(Method::PATCH, &path, &json!({"plan_tier": null})).await["plan_tier"], Value::Null);
    // A switch that is not set on purpose is not set.
    let switch = format!("{path}/features/x");
    let answer = fixture.admin(&root, Method::PUT, &switch, Some(&json!({}))).await;
    assert_eq!(answer.json["errors"], json!([{"pointer": "/enabled", "message": "is missing"}]));
}

#[tokio::test]
async fn what_is_left_out_of_allowed_scopes_is_not_allowed() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    let create = async |allowed: Option<Value>| {
        let mut body = json!({"name": "A", "type": "service", "level": "platform"});
        if let Some(allowed) = allowed {
            body["allowed_scopes"] = allowed;
        }
        fixture.admin(&root, Method::POST, "/applications", Some(&body)).await
    };
    for nothing in [None, Some(json!([]))] {
        assert_eq!(create(nothing).await.json["allowed_scopes"], json!([]));
    }
    for no_list in
        [json!(null), json!(""), json!("*"), json!("admin:read"), json!({}), json!(["*"]), json!([""]), json!([null])]
    {
        let answer = create(Some(no_list.clone())).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{no_list}: {}", answer.text);
        let pointer = answer.json["errors"][0]["pointer"].as_str().expect("a pointer");
        assert!(pointer.starts_with("/allowed_scopes"), "{pointer}");
    }
}

#[tokio::test]
async fn a_thing_sent_back_as_it_was_read_changes_nothing() {
    let world = World::new().await;
    for template in [
        "/partners/{id}",
        "/tenants/{id}",
        "/units/{id}",
        "/features/{key}",
        "/apis/{id}",
        "/scopes/{name}",
        "/applications/{id}",
    ] {
        for owner in OWNERS {
            let Some(sample) = world.sample(&Method::PATCH, template, owner).await else { continue };
            let before = world.fixture.admin(&world.root, Method::GET, &sample.path, None).await;
            let after = world.fixture.admin(&world.root, Method::PATCH, &sample.path, Some(&before.json)).await;
            assert_eq!(after.status, StatusCode::OK, "{}: {}", sample.path, after.text);
            // Not even a revision: nothing happened.
            assert_eq!(after.json, before.json);
            assert_eq!(after.header("etag"), before.header("etag"));
        }
    }
}

#[tokio::test]
async fn a_scope_is_named_in_ascii_when_it_is_registered() {
    let world = World::new().await;
    let api = &world.things[&Owner::Platform].api;
    let name = |name: &str| json!({"name": name, "api": api, "kind": "granular", "title": "A", "description": "A"});
    for confusing in [
        "p\u{43e}s.read",
        "\u{ff50}os.read",
        "\u{fb01}le.read",
        "caf\u{e9}",
        "cafe\u{301}",
        "stra\u{df}e",
        "po\u{ad}s",
        "\u{202e}daer.sop",
        "po\u{200d}s",
        "po\u{200b}s",
        "a b",
        "a\tb",
        "a\nb",
        "a\"b",
        "a\\b",
        "a\u{7f}b",
        "a\u{0}b",
        "",
    ] {
        let answer = world.fixture.admin(&world.root, Method::POST, "/scopes", Some(&name(confusing))).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{confusing:?}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], "/name");
    }
    // The edges of RFC 6749 §3.3: "scope-token = 1*( %x21 / %x23-5B / %x5D-7E )".
    for edge in ["!", "#", "[", "]", "~", "a/b?c#d%", &"x".repeat(128)] {
        let answer = world.fixture.admin(&world.root, Method::POST, "/scopes", Some(&name(edge))).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{edge:?}: {}", answer.text);
        // Whatever its name, it is where the answer says.
        let location = answer.header("location").strip_prefix(ROOT).expect("below the root").to_owned();
        let found = world.fixture.admin(&world.root, Method::GET, &location, None).await;
        assert_eq!(found.json["name"], edge, "{location}: {}", found.text);
    }
    for too_long in ["x".repeat(129), "recommended-sets".to_owned()] {
        let answer = world.fixture.admin(&world.root, Method::POST, "/scopes", Some(&name(&too_long))).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{too_long}");
    }
}

/// What attackers add everywhere.
const EVERYWHERE: [&str; 13] = [
    "id",
    "role",
    "roles",
    "tenant_id",
    "partner_id",
    "is_superuser",
    "groups",
    "email_verified",
    "password_hash",
    "created_at",
    "client_secret",
    "allowed_scopes",
    "__proto__",
];
/// Other spellings that a body takes.
const ALIASES: [&str; 1] = ["name"];
