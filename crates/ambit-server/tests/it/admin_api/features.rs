//! Features and their two levels: what is on for a tenant, what a unit makes of it, and what comes of both.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Answer;
use crate::world::{Caller, FEATURE, Owner, World};

const OSLO: Caller = Caller::Administrator(Owner::Oslo);
const PLATFORM: Caller = Caller::Administrator(Owner::Platform);

fn levels(answer: &Answer) -> (bool, Option<bool>, bool) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let json = &answer.json;
    let bool = |name: &str| json[name].as_bool();
    (bool("tenant_enabled").expect("level 1"), bool("unit_enabled"), bool("open").expect("the outcome"))
}

#[tokio::test]
async fn both_levels_and_the_outcome_are_shown_for_every_way_they_can_stand() {
    let world = World::new().await;
    let things = &world.things[&Owner::Oslo];
    let (tenant, unit) = (format!("/tenants/{}/features", things.own_id), format!("/units/{}/features", things.unit));
    let set = async |caller: Caller, path: &str, enabled: Option<bool>| {
        let body = json!({"enabled": enabled});
        world.call(caller, Method::PUT, &format!("{path}/{FEATURE}"), Some(&body)).await
    };
    let listed = async |path: &str| {
        let list = world.call(OSLO, Method::GET, path, None).await;
        let items = list.json["items"].as_array().expect("features");
        items.iter().find(|item| item["key"] == FEATURE).expect("the feature").clone()
    };
    // Level 2 unset, on and off, while level 1 is on: unset follows.
    for (level_2, open) in [(None, true), (Some(true), true), (Some(false), false), (None, true)] {
        let answer = set(OSLO, &unit, level_2).await;
        assert_eq!(levels(&answer), (true, level_2, open));
        assert_eq!(listed(&unit).await, answer.json);
    }
    // Level 1 off closes it, whatever level 2 says, and level 2 is remembered.
    set(OSLO, &unit, Some(true)).await;
    let off = set(PLATFORM, &tenant, Some(false)).await;
    assert_eq!(levels(&off), (false, None, false));
    assert_eq!(listed(&unit).await["open"], false);
    assert_eq!(listed(&unit).await["unit_enabled"], true);
    // Now level 2 is not there to be set, on or off; to unset it needs no grant.
    for level_2 in [true, false] {
        let refused = set(OSLO, &unit, Some(level_2)).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert_eq!(refused.json["type"], "https://as.example/errors/api/feature-off-for-tenant");
    }
    assert_eq!(levels(&set(OSLO, &unit, None).await), (false, None, false));
    // Unset on level 1 is off.
    set(PLATFORM, &tenant, Some(true)).await;
    assert_eq!(levels(&set(PLATFORM, &tenant, None).await), (false, None, false));
    // A tenant does not open what it has not been given.
    let refused = set(OSLO, &tenant, Some(true)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
}

#[tokio::test]
async fn a_feature_that_is_not_there_is_on_nowhere() {
    let world = World::new().await;
    let things = &world.things[&Owner::Oslo];
    for path in [format!("/tenants/{}/features/none", things.own_id), format!("/units/{}/features/none", things.unit)] {
        let answer = world.call(PLATFORM, Method::PUT, &path, Some(&json!({"enabled": true}))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_feature_that_is_used_is_not_deleted_and_the_refusal_says_by_whom() {
    let world = World::new().await;
    let platform = &world.things[&Owner::Platform];
    world.made(Method::POST, "/features", &json!({"key": "gate", "title": {"en": "Gate", "zh": "闸"}})).await;
    let scope = json!({"name": "gated:read", "api": platform.api, "kind": "granular", "title": "G", "description": "G",
        "feature": "gate"});
    world.made(Method::POST, "/scopes", &scope).await;
    let tenant = &world.things[&Owner::Oslo].own_id;
    let switch = format!("/tenants/{tenant}/features/gate");
    world.made(Method::PUT, &switch, &json!({"enabled": true})).await;
    let refused = world.call(PLATFORM, Method::DELETE, "/features/gate", None).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let by: Vec<&Value> = refused.json["used_by"].as_array().expect("users").iter().map(|it| &it["id"]).collect();
    assert_eq!(by, [&json!("gated:read"), &json!(tenant)], "{}", refused.text);
    // As the refusal says, and as it does not: what is switched off still says so, what is unset says nothing.
    world.made(Method::PATCH, "/scopes/gated:read", &json!({"feature": null})).await;
    world.made(Method::PUT, &switch, &json!({"enabled": null})).await;
    assert_eq!(world.call(PLATFORM, Method::DELETE, "/features/gate", None).await.status, StatusCode::NO_CONTENT);
}
