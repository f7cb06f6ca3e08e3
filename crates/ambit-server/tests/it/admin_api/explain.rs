//! `POST /explain`, as administrators ask it: about any application within reach, never about another.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::claims;
use crate::world::{Caller, Owner, World};

const OSLO: Caller = Caller::Administrator(Owner::Oslo);

async fn ask(world: &World, question: &Value) -> Value {
    let answer = world.call(OSLO, Method::POST, "/explain", Some(question)).await;
    assert_eq!(answer.status, StatusCode::OK, "{question}: {}", answer.text);
    answer.json
}

/// The links that are broken, in the order of the chain.
fn broken(explanation: &Value) -> Vec<&str> {
    let links = explanation["because"].as_array().expect("a chain").iter();
    links.filter(|link| link["ok"] == false).map(|link| link["link"].as_str().expect("a link")).collect()
}

#[tokio::test]
async fn what_a_request_would_get_is_told_without_minting_anything() {
    let world = World::new().await;
    let things = &world.things[&Owner::Oslo];
    let own = json!({"question": "request", "application": things.client_id});
    let told = ask(&world, &own).await;
    assert_eq!(told["decision"]["granted"], json!([things.scope]), "{told}");
    let mut asked = own.clone();
    asked["scope"] = json!(format!("{} admin:write nope", things.scope));
    let told = ask(&world, &asked).await;
    assert_eq!(
        told["verdict"],
        "invalid_scope: scope 'admin:write' not allowed for this application; scope 'nope' not registered"
    );
    // The fix that it names is one that works, by whom it names.
    let fix = told["fix"].to_string();
    assert!(fix.contains("allowed_scopes") || fix.contains("app"), "{fix}");
}

#[tokio::test]
async fn why_a_token_carries_what_it_carries_is_told_by_the_token_its_jti_and_its_trace() {
    let world = World::new().await;
    let things = &world.things[&Owner::Oslo];
    let secret = world.secret_of(Owner::Oslo).await;
    let issuer = "/tenants/oslo/connect/token";
    let answer = world.fixture.token(issuer, (&things.client_id, &secret), &[]).await;
    let token = answer.access_token();
    let trace = answer.header("trace-id").to_owned();
    let jti = claims(&token)["jti"].clone();
    // The world moves on; the token's decision stays what it was.
    world.made(Method::PATCH, &format!("/applications/{}", things.application), &json!({"allowed_scopes": []})).await;
    for question in [
        json!({"question": "token", "token": token}),
        json!({"question": "token", "jti": jti}),
        json!({"question": "token", "trace_id": trace}),
    ] {
        let told = ask(&world, &question).await;
        assert_eq!(told["decision"]["granted"], json!([things.scope]), "{question}: {told}");
    }
}

#[tokio::test]
async fn why_a_call_was_turned_away_is_told_by_the_broken_link() {
    let world = World::new().await;
    let things = &world.things[&Owner::Oslo];
    let secret = world.secret_of(Owner::Oslo).await;
    let token = world.token_of(Owner::Oslo, &things.client_id, &secret, &[]).await;
    let question = json!({"question": "denial", "token": token, "endpoint": "GET /api/v1/admin/applications"});
    assert_eq!(broken(&ask(&world, &question).await).first(), Some(&"allowed"));
    world.fixture.clock.advance_secs(5);
    let path = format!("/applications/{}/allowed_scopes", things.application);
    world.made(Method::POST, &path, &json!({"scope": "admin:read"})).await;
    assert!(broken(&ask(&world, &question).await).contains(&"token_fresh"));
    let fresh = world.token_of(Owner::Oslo, &things.client_id, &secret, &[]).await;
    let question = json!({"question": "denial", "token": fresh, "endpoint": "GET /api/v1/admin/applications"});
    assert_eq!(broken(&ask(&world, &question).await), Vec::<&str>::new());
}

#[tokio::test]
async fn a_question_that_cannot_be_understood_is_told_by_its_place() {
    let world = World::new().await;
    let application = &world.things[&Owner::Oslo].client_id;
    for (question, pointer) in [
        (json!({}), "/question"),
        (json!({"question": "why"}), "/question"),
        (json!({"question": "request"}), "/application"),
        (json!({"question": "request", "application": application, "resource": ["https://none.example"]}), "/resource"),
        (json!({"question": "request", "application": application, "tenant": "lima"}), "/tenant"),
        (json!({"question": "request", "application": application, "unit": "none"}), "/unit"),
        (json!({"question": "request", "application": application, "colour": 1}), "/colour"),
        (json!({"question": "token"}), ""),
        (json!({"question": "token", "jti": "a", "trace_id": "b"}), ""),
        (json!({"question": "token", "token": "a.b.c"}), "/token"),
        (json!({"question": "denial", "token": "a.b.c", "scopes": ["a"]}), "/token"),
    ] {
        let answer = world.call(OSLO, Method::POST, "/explain", Some(&question)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{question}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{question}: {}", answer.text);
    }
}
