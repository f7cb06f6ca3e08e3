//! How things age and end: tenants' statuses, scopes' states, units in their tree, and what stands in the way of a deletion.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Fixture;
use crate::world::{Caller, OWNERS, Owner, World, id, merged};

const PLATFORM: Caller = Caller::Administrator(Owner::Platform);

#[tokio::test]
async fn a_tenant_goes_where_the_table_lets_it_and_nowhere_else() {
    const STATUSES: [&str; 5] = ["trial", "active", "grace_period", "suspended", "churned"];
    // From where, by which way one gets there, and to where one may go.
    let table: [(&str, &[&str], &[&str]); 5] = [
        ("trial", &[], &["active", "suspended", "churned"]),
        ("active", &["active"], &["grace_period", "suspended", "churned"]),
        ("grace_period", &["active", "grace_period"], &["active", "suspended", "churned"]),
        ("suspended", &["suspended"], &["active", "churned"]),
        ("churned", &["churned"], &[]),
    ];
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    for (from, way, allowed) in table {
        for to in STATUSES {
            let slug = format!("{}-{}", from.replace('_', "-"), to.replace('_', "-"));
            let tenant = id(&fixture.made(Method::POST, "/tenants", &json!({"name": "T", "slug": slug})).await);
            let path = format!("/tenants/{tenant}/status");
            for step in way {
                fixture.made(Method::POST, &path, &json!({"status": step})).await;
            }
            let answer = fixture.admin(&root, Method::POST, &path, Some(&json!({"status": to}))).await;
            if to == from {
                // Where it stands already nothing happens, which is no mistake.
                assert_eq!((answer.status, &answer.json["status"]), (StatusCode::OK, &json!(from)));
            } else if allowed.contains(&to) {
                assert_eq!((answer.status, &answer.json["status"]), (StatusCode::OK, &json!(to)), "{from} {to}");
            } else {
                assert_eq!(answer.status, StatusCode::CONFLICT, "{from} {to}: {}", answer.text);
                assert_eq!(answer.json["type"], "https://as.example/errors/api/transition-not-allowed");
                assert_eq!(answer.json["allowed"], json!(allowed));
            }
        }
    }
}

#[tokio::test]
async fn a_scope_in_use_is_not_deleted_and_the_refusal_says_who_uses_it() {
    let world = World::new().await;
    let api = &world.things[&Owner::Platform].api;
    let scope = |name: &str, more: Value| {
        merged(json!({"name": name, "api": api, "kind": "granular", "title": name, "description": name}), more)
    };
    world.made(Method::POST, "/scopes", &scope("a:read", json!({}))).await;
    world.made(Method::POST, "/scopes", &scope("a", json!({"kind": "coarse", "includes": ["a:read"]}))).await;
    world.made(Method::POST, "/scopes", &scope("a:old", json!({}))).await;
    world.made(Method::PATCH, "/scopes/a:old", &json!({"state": "deprecated", "successor": "a:read"})).await;
    let application = id(&world.application(Owner::Lima, "user", &["a:read"]).await);
    let refused = world.call(PLATFORM, Method::DELETE, "/scopes/a:read", None).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert_eq!(refused.json["type"], "https://as.example/errors/api/in-use");
    assert_eq!(refused.json["count"], 3);
    let mut by: Vec<(String, String)> = refused.json["used_by"]
        .as_array()
        .expect("users")
        .iter()
        .map(|it| (it["id"].as_str().expect("an id").to_owned(), it["field"].as_str().expect("a field").to_owned()))
        .collect();
    by.sort();
    let expected = [("a", "includes"), ("a:old", "successor"), (application.as_str(), "allowed_scopes")];
    assert_eq!(by, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    assert!(refused.json["instead"].as_str().is_some_and(|text| text.contains("deprecate or retire")));

    // Nor does it leave its place while another names it as its successor.
    let refused = world.call(PLATFORM, Method::PATCH, "/scopes/a:read", Some(&json!({"state": "retired"}))).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    // Taken out of all of them, it goes.
    world.made(Method::PATCH, "/scopes/a:old", &json!({"successor": null})).await;
    world.made(Method::PATCH, "/scopes/a", &json!({"includes": []})).await;
    world.made(Method::PATCH, "/applications/user", &json!({"allowed_scopes": []})).await;
    assert_eq!(world.call(PLATFORM, Method::DELETE, "/scopes/a:read", None).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_scope_ages_forward_and_its_successor_is_granted_until_the_sunset() {
    let world = World::new().await;
    let api = &world.things[&Owner::Platform].api;
    for name in ["old:read", "new:read"] {
        let body =
            json!({"name": name, "api": api, "kind": "granular", "title": name, "description": name, "state": "draft"});
        world.made(Method::POST, "/scopes", &body).await;
    }
    let patch = async |name: &str, body: Value| {
        world.call(PLATFORM, Method::PATCH, &format!("/scopes/{name}"), Some(&body)).await
    };
    let made = world.application(Owner::Platform, "reader", &["old:read"]).await;
    let secret = made["client_secret"].as_str().expect("shown once").to_owned();
    let ask = async || world.fixture.token("/connect/token", ("reader", &secret), &[("scope", "old:read")]).await;
    assert_eq!(ask().await.json["refused"][0]["reason"], "not_active");
    assert_eq!(patch("old:read", json!({"state": "active"})).await.status, StatusCode::OK);
    assert_eq!(ask().await.json["scope"], "old:read");

    // A successor is another scope of the same API, and active; a sunset is ahead.
    let deprecate =
        |successor: &str| json!({"state": "deprecated", "successor": successor, "sunset": "2027-01-15T09:00:00Z"});
    for (body, pointer) in [
        (deprecate("new:read"), "/successor"),
        (deprecate("old:read"), "/successor"),
        (deprecate("admin:read"), "/successor"),
        (deprecate("none"), "/successor"),
        (json!({"state": "deprecated", "sunset": "2027-01-15T08:00:00Z"}), "/sunset"),
        (json!({"successor": "admin:read"}), "/successor"),
        (json!({"sunset": "2028-01-01T00:00:00Z"}), "/sunset"),
    ] {
        let answer = patch("old:read", body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{body}: {}", answer.text);
    }
    patch("new:read", json!({"state": "active"})).await;
    let deprecated = patch("old:read", deprecate("new:read")).await;
    assert_eq!(deprecated.status, StatusCode::OK, "{}", deprecated.text);
    let granted = ask().await;
    assert_eq!(granted.json["scope"], "new:read", "{}", granted.text);
    assert_eq!(granted.json["notices"][0]["scope"], "old:read", "{}", granted.text);
    world.fixture.clock.advance_secs(3599);
    assert_eq!(ask().await.json["scope"], "new:read");
    world.fixture.clock.advance_secs(1);
    assert_eq!(ask().await.json["refused"][0]["reason"], "not_active");

    // Forward only, but that a deprecation may be taken back; what is retired stays so.
    world.fixture.clock.advance_secs(-3600);
    let back = patch("old:read", json!({"state": "active"})).await;
    assert_eq!(
        (back.status, &back.json["successor"], &back.json["sunset"]),
        (StatusCode::OK, &Value::Null, &Value::Null)
    );
    assert_eq!(patch("old:read", json!({"state": "draft"})).await.status, StatusCode::CONFLICT);
    assert_eq!(patch("old:read", json!({"state": "retired"})).await.status, StatusCode::OK);
    for state in ["draft", "active", "deprecated"] {
        let refused = patch("old:read", json!({"state": state})).await;
        assert_eq!((refused.status, &refused.json["allowed"]), (StatusCode::CONFLICT, &json!([])), "{}", refused.text);
    }
    // Nobody is allowed anew what is retired.
    let path = format!("/applications/{}/allowed_scopes", world.things[&Owner::Oslo].application);
    let refused = world.call(PLATFORM, Method::POST, &path, Some(&json!({"scope": "old:read"}))).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
}

#[tokio::test]
async fn what_the_server_relies_on_stays() {
    let world = World::new().await;
    for (method, path, body) in [
        (Method::DELETE, "/scopes/admin:read", None),
        (Method::DELETE, "/scopes/openid", None),
        (Method::PATCH, "/scopes/admin:write", Some(json!({"state": "retired"}))),
        (Method::PATCH, "/scopes/admin:read", Some(json!({"grants": ["user"]}))),
        (Method::PATCH, "/scopes/openid", Some(json!({"sensitivity": "privileged"}))),
    ] {
        let answer = world.call(PLATFORM, method.clone(), path, body.as_ref()).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{method} {path}: {}", answer.text);
        assert_eq!(answer.json["type"], "https://as.example/errors/api/built-in");
    }
    let title = json!({"title": {"en": "Read all", "zh": "全部读取"}});
    let answer = world.call(PLATFORM, Method::PATCH, "/scopes/admin:read", Some(&title)).await;
    assert_eq!(answer.json["title"], title["title"], "{}", answer.text);
    let apis = world.call(PLATFORM, Method::GET, "/apis?q=/api/v1/admin", None).await;
    let admin_api = apis.json["items"][0]["id"].as_str().expect("the admin API").to_owned();
    let answer = world.call(PLATFORM, Method::DELETE, &format!("/apis/{admin_api}"), None).await;
    assert_eq!(answer.json["type"], "https://as.example/errors/api/built-in", "{}", answer.text);
    // Nor does anybody else speak in its name.
    for identifier in ["https://as.example", "https://as.example/api/v1/admin", "https://as.example/tenants/oslo"] {
        let body = json!({"identifier": identifier, "name": "X"});
        let answer = world.call(PLATFORM, Method::POST, "/apis", Some(&body)).await;
        assert_eq!(answer.json["errors"][0]["pointer"], "/identifier", "{identifier}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_still_has_parts_is_not_deleted() {
    let world = World::new().await;
    for owner in OWNERS {
        let things = &world.things[&owner];
        let mut paths = vec![format!("/apis/{}", things.api)];
        paths.extend(owner.is_tenant().then(|| format!("/tenants/{}", things.own_id)));
        paths.extend(matches!(owner, Owner::North | Owner::South).then(|| format!("/partners/{}", things.own_id)));
        for path in paths {
            let refused = world.call(PLATFORM, Method::DELETE, &path, None).await;
            assert_eq!(refused.status, StatusCode::CONFLICT, "{path}: {}", refused.text);
            assert_eq!(refused.json["type"], "https://as.example/errors/api/in-use");
            assert!(refused.json["count"].as_u64().is_some_and(|count| count > 0), "{}", refused.text);
            assert!(refused.json["instead"].is_string());
        }
    }
    // Empty, they go.
    let partner = id(&world.made(Method::POST, "/partners", &json!({"name": "P", "slug": "p"})).await);
    let body = json!({"name": "T", "slug": "t", "partner_id": partner});
    let tenant = id(&world.made(Method::POST, "/tenants", &body).await);
    for path in [format!("/tenants/{tenant}"), format!("/partners/{partner}")] {
        assert_eq!(world.call(PLATFORM, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(world.call(PLATFORM, Method::GET, &path, None).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn units_stand_in_a_tree_of_their_tenant() {
    let world = World::new().await;
    let (oslo, lima) = (&world.things[&Owner::Oslo], &world.things[&Owner::Lima]);
    let units = format!("/tenants/{}/units", oslo.own_id);
    let unit =
        |slug: &str, parent: Option<&str>| json!({"name": slug, "slug": slug, "kind": "region", "parent_id": parent});
    let mut above = oslo.unit.clone();
    // Fifteen more below the one that is there: sixteen above the last one, which is the limit.
    let mut chain = vec![above.clone()];
    for n in 0..16 {
        above = id(&world.made(Method::POST, &units, &unit(&format!("u{n}"), Some(&above))).await);
        chain.push(above.clone());
    }
    let too_deep = world.call(PLATFORM, Method::POST, &units, Some(&unit("deep", Some(&above)))).await;
    assert_eq!(too_deep.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", too_deep.text);
    assert!(too_deep.text.contains("unit_depth"), "{}", too_deep.text);

    let change = async |unit: &str, parent: Value| {
        let path = format!("/units/{unit}");
        world.call(PLATFORM, Method::PATCH, &path, Some(&json!({"parent_id": parent}))).await
    };
    // Not below itself, in one step or in many; not below another tenant's.
    for parent in [&chain[1], &chain[9], &chain[16], &lima.unit] {
        let answer = change(&chain[1], json!(parent)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], "/parent_id");
    }
    let refused = world.call(PLATFORM, Method::DELETE, &format!("/units/{}", chain[3]), None).await;
    assert_eq!(refused.json["used_by"][0]["id"], json!(chain[4]), "{}", refused.text);
    assert_eq!(change(&chain[4], Value::Null).await.json["parent_id"], Value::Null);
    let gone = world.call(PLATFORM, Method::DELETE, &format!("/units/{}", chain[3]), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
}
