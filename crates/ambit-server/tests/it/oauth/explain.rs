//! `{issuer}/connect/explain` and `/connect/scopes`: a client about itself, and about nobody else.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use super::doors::{ACME, Attempt, PLATFORM, World, claims, doors};
use super::lending::Lending;
use crate::forge::part;
use crate::support::{basic, claims as read};

fn explain_path(issuer: &str) -> &'static str {
    if issuer == ACME { "/tenants/acme/connect/explain" } else { "/connect/explain" }
}

fn token_path(issuer: &str) -> &'static str {
    if issuer == ACME { "/tenants/acme/connect/token" } else { "/connect/token" }
}

#[tokio::test]
async fn a_client_asks_in_json_or_in_a_form_and_is_told_the_same() {
    let world = World::new().await;
    for issuer in [PLATFORM, ACME] {
        let (id, secret) = &world.clients(issuer).secret;
        let question = json!({"question": "request", "scope": "scopes:read keys:read"}).to_string();
        let form = world.fixture.form(explain_path(issuer), Some((id, secret)), &[("question", &question)]).await;
        let request = Request::post(explain_path(issuer))
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header(header::AUTHORIZATION, basic(id, secret))
            .body(Body::from(question));
        let json = world.fixture.send(request.expect("a request")).await;
        assert_eq!(form.status, StatusCode::OK, "{}", form.text);
        assert_eq!(form.json, json.json);
        assert_eq!(form.json["verdict"], "invalid_scope: scope 'keys:read' not allowed for this application");
        assert_eq!(form.header(header::CACHE_CONTROL), "no-store");
    }
}

#[tokio::test]
async fn others_are_as_absent_as_those_who_do_not_exist() {
    let world = World::new().await;
    let fixture = &world.fixture;
    let (id, secret) = &world.clients(ACME).secret;
    let (other, other_secret) = &world.clients(PLATFORM).secret;
    let theirs = fixture.token(token_path(PLATFORM), (other, other_secret), &[]).await.access_token();
    let their_trace =
        fixture.token(token_path(PLATFORM), (other, other_secret), &[("scope", "nope")]).await.json["trace_id"].clone();
    let guess = fixture.token(token_path(PLATFORM), ("nobody", "wrong"), &[]).await.json["trace_id"].clone();
    let ask = async |question: Value| {
        let question = question.to_string();
        fixture.form(explain_path(ACME), Some((id, secret)), &[("question", &question)]).await
    };
    for (theirs, nobodys) in [
        (json!({"question": "request", "application": other}), json!({"question": "request", "application": "nobody"})),
        (
            json!({"question": "token", "jti": part(&theirs, 1)["jti"]}),
            json!({"question": "token", "jti": "01940000-0000-7000-8000-000000000000"}),
        ),
        (
            json!({"question": "token", "trace_id": their_trace}),
            json!({"question": "token", "trace_id": "0".repeat(31) + "1"}),
        ),
        (
            json!({"question": "token", "trace_id": guess}),
            json!({"question": "token", "trace_id": "0".repeat(31) + "1"}),
        ),
    ] {
        let (foreign, absent) = (ask(theirs.clone()).await, ask(nobodys).await);
        assert_eq!(
            (foreign.status, absent.status),
            (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND),
            "{theirs}: {}",
            foreign.text
        );
        assert!(!foreign.text.contains("scopes:read") && !foreign.text.contains("nope"), "{}", foreign.text);
    }
    for question in [
        json!({"question": "token", "token": theirs}),
        json!({"question": "denial", "token": theirs, "scopes": ["keys:read"]}),
    ] {
        let refused = ask(question).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text);
    }
    // About itself it is told all three.
    let own = fixture.token(token_path(ACME), (id, secret), &[]).await.access_token();
    for question in [
        json!({"question": "request"}),
        json!({"question": "request", "application": id}),
        json!({"question": "token", "token": own}),
        json!({"question": "token", "jti": part(&own, 1)["jti"]}),
        json!({"question": "denial", "token": own, "scopes": ["keys:read"]}),
        json!({"question": "denial", "token": own, "endpoint": "GET /api/v1/admin/keys"}),
    ] {
        let told = ask(question.clone()).await;
        assert_eq!(told.status, StatusCode::OK, "{question}: {}", told.text);
    }
}

#[tokio::test]
async fn a_question_that_cannot_be_read_says_why() {
    let world = World::new().await;
    let (id, secret) = &world.clients(ACME).secret;
    let nested = "[".repeat(20_000);
    for question in [
        "",
        "{",
        "null",
        "[]",
        "7",
        "\"request\"",
        "{}",
        r#"{"question":"nope"}"#,
        r#"{"question":"request","question":"token"}"#,
        r#"{"question":"request","scope":7}"#,
        r#"{"question":"request","application":null,"x":1}"#,
        "\u{0}",
        &nested,
    ] {
        for json in [true, false] {
            let body = if json { question.to_owned() } else { format!("question={}", encoded(question)) };
            let content_type = if json { "application/json" } else { "application/x-www-form-urlencoded" };
            let request = Request::post(explain_path(ACME))
                .header(header::CONTENT_TYPE, content_type)
                .header(header::AUTHORIZATION, basic(id, secret))
                .body(Body::from(body));
            let refused = world.fixture.send(request.expect("a request")).await;
            let shown = &question[..question.len().min(60)];
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{shown:?}: {}", refused.text);
            assert_eq!(refused.json["error"], "invalid_request", "{shown:?}: {}", refused.text);
            assert!(refused.text.len() < 2_000, "{shown:?}");
        }
    }
    for (question, pointer) in [
        (json!({"question": "request", "resource": ["https://nobody.example"]}), "/resource"),
        (json!({"question": "request", "tenant": "globex"}), "/tenant"),
        (json!({"question": "request", "unit": "nope"}), "/unit"),
        (json!({"question": "request", "scope": "a ".repeat(600)}), "/scope"),
        (json!({"question": "token"}), ""),
        (json!({"question": "token", "jti": "x", "trace_id": "y"}), ""),
        (json!({"question": "token", "token": "garbage"}), "/token"),
        (json!({"question": "denial", "token": "garbage", "scopes": ["x"]}), "/token"),
    ] {
        let text = question.to_string();
        let refused = world.fixture.form(explain_path(ACME), Some((id, secret)), &[("question", &text)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{question}: {}", refused.text);
        assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{question}: {}", refused.text);
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn what_a_client_is_told_it_may_have_is_what_it_gets() {
    let world = World::new().await;
    let fixture = &world.fixture;
    fixture.retail().await;
    for issuer in [PLATFORM, ACME] {
        let clients = world.clients(issuer);
        let allowed = json!({"allowed_scopes": ["scopes:read", "pos.read", "openid"]});
        for id in [&clients.secret.0, &clients.signer.0] {
            fixture.made(Method::PATCH, &format!("/applications/{id}"), &allowed).await;
        }
        let mut lists = vec![];
        for door in doors().iter().filter(|door| door.issuer == issuer && door.path.ends_with("scopes")) {
            let (id, secret) = &clients.secret;
            lists.push(world.send(door, &Attempt::basic(id, secret)).await.json["scopes"].clone());
            if door.method == Method::POST {
                // A client without a secret asks as well: by its key.
                let (id, forger) = &clients.signer;
                let assertion = forger.sign(&claims(id, issuer, "list"));
                let answer = world.send(door, &Attempt::assertion(&assertion)).await;
                assert_eq!(answer.json["client_id"], *id);
                lists.push(answer.json["scopes"].clone());
            }
        }
        assert_eq!(lists.len(), 3);
        assert!(lists.iter().all(|list| *list == lists[0]), "{lists:?}");
        let (id, secret) = &clients.secret;
        for scope in lists[0].as_array().expect("a list") {
            let name = scope["scope"].as_str().expect("a name");
            let answer = fixture.token(token_path(issuer), (id, secret), &[("scope", name)]).await;
            let gets = answer.status == StatusCode::OK;
            let told = scope["needs_user"] == false && scope["closed"] == false;
            assert_eq!(gets, told, "{name}: {scope} {}", answer.text);
            if gets {
                assert_eq!(read(&answer.access_token())["scope"], name);
            }
        }
        let names: Vec<&str> =
            lists[0].as_array().expect("a list").iter().map(|it| it["scope"].as_str().expect("a name")).collect();
        assert!(names.contains(&"pos:receipts:read") && !names.contains(&"pos.write"), "{names:?}");
    }
    // Tenant and unit may be named, at GET in the query and at POST in the body; a repeated one is refused.
    let (id, secret) = &world.clients(PLATFORM).secret;
    let get = async |query: &str| {
        let request = Request::get(format!("/connect/scopes?{query}")).header(header::AUTHORIZATION, basic(id, secret));
        world.fixture.send(request.body(Body::empty()).expect("a request")).await
    };
    assert_eq!(get("tenant=acme").await.status, StatusCode::OK);
    assert_eq!(get("tenant=acme&tenant=acme").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(get("tenant=nobody").await.status, StatusCode::BAD_REQUEST);
    let post = world.fixture.form("/connect/scopes", Some((id, secret)), &[("tenant", "acme")]).await;
    assert_eq!(post.json, get("tenant=acme").await.json);
}

/// What a person lacks is said of the person, to the client whose token it is as to whoever administers it.
#[tokio::test]
async fn a_persons_token_is_explained_by_what_the_person_lacks() {
    let lending = Lending::unasked().await;
    let fixture = &lending.fixture;
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    let managers = json!({
        "name": "pos:managers", "api": "https://pos.example", "kind": "granular", "grants": ["user"], "roles": ["manager"],
        "title": {"en": "Manage"}, "description": {"en": "Manage"},
    });
    fixture.made(Method::POST, "/apis", &json!({"identifier": "https://pos.example", "name": "POS"})).await;
    fixture.made(Method::POST, "/scopes", &managers).await;
    fixture.made(Method::POST, &format!("{path}/allowed_scopes"), &json!({"scope": "pos:managers"})).await;
    lending.consent("openid profile shopper.read").await;
    let token = lending.redeem(&lending.code(&[]).await).await.access_token();
    let told = async |scope: &str| {
        let question = json!({"question": "denial", "token": token, "scopes": [scope]});
        let text = question.to_string();
        let path = "/tenants/acme/connect/explain";
        let own = fixture.form(path, Some(("shop", &lending.secret)), &[("question", &text)]).await;
        assert_eq!(own.status, StatusCode::OK, "{}", own.text);
        let admins = fixture.made(Method::POST, "/explain", &question).await;
        assert_eq!(own.json["verdict"], admins["verdict"]);
        own.json["verdict"].as_str().expect("a verdict").replace("the token does not open this: ", "")
    };
    let missing = "scope 'pos:managers' asks for role 'manager', which the person does not hold";
    let not_agreed = |scope: &str| format!("the person has not agreed to '{scope}' for this application");
    assert_eq!(told("pos:managers").await, missing);
    assert_eq!(told("pos.read").await, not_agreed("pos.read"));
    let roles = json!({"roles": [{"role": "manager"}]});
    fixture.made(Method::PATCH, &format!("/users/{}", lending.user_id()), &roles).await;
    assert_eq!(told("pos:managers").await, not_agreed("pos:managers"));
    lending.consent("openid profile shopper.read pos:managers").await;
    let lent =
        "the person lent 'openid profile shopper.read' when they signed in, and 'pos:managers' is not part of it";
    assert_eq!(told("pos:managers").await, lent);
    let token = lending.redeem(&lending.code(&[("scope", "openid pos:managers")]).await).await.access_token();
    assert!(read(&token)["scope"].as_str().expect("scopes").contains("pos:managers"));
}
