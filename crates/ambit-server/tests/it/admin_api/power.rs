//! Nobody climbs: what an administrator holds is the most that they can pass on, whichever door they try (attacks: a delegated
//! administrator who escalates, the last administrator, the first start again).

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Fixture, ROOT, ROOT_SECRET};
use crate::world::{Caller, Owner, World, id, merged};

const OSLO: Caller = Caller::Administrator(Owner::Oslo);
const NORTH: Caller = Caller::Administrator(Owner::North);

/// A caller of tenant Oslo that may write by its one scope and holds nothing else.
async fn writer_of_oslo(world: &World) -> String {
    let made = world.application(Owner::Oslo, "writer", &["admin:write"]).await;
    let secret = made["client_secret"].as_str().expect("shown once");
    world.token_of(Owner::Oslo, "writer", secret, &[]).await
}

#[tokio::test]
async fn a_scope_that_gives_power_is_passed_on_only_by_those_who_hold_it_through_every_door() {
    let world = World::new().await;
    let token = writer_of_oslo(&world).await;
    let api = &world.things[&Owner::Platform].api;
    let body =
        |name: &str, more: Value| merged(json!({"name": name, "api": api, "title": name, "description": name}), more);
    let privileged = json!({"kind": "granular", "sensitivity": "privileged"});
    world.made(Method::POST, "/scopes", &body("money:move", privileged)).await;
    world.made(Method::POST, "/scopes", &body("money", json!({"kind": "coarse", "includes": ["money:move"]}))).await;
    world.made(Method::POST, "/scopes", &body("weather:read", json!({"kind": "granular"}))).await;
    let application = format!("/applications/{}", world.things[&Owner::Oslo].application);
    let own = &world.things[&Owner::Oslo].scope;

    for scope in ["money:move", "money"] {
        let attempts = [
            (Method::PATCH, application.clone(), json!({"allowed_scopes": [own, scope]})),
            (Method::POST, format!("{application}/allowed_scopes"), json!({"scope": scope})),
            (
                Method::POST,
                "/applications".to_owned(),
                json!({"name": "X", "type": "service", "level": "tenant", "allowed_scopes": [scope]}),
            ),
        ];
        for (method, path, body) in attempts {
            let answer = world.fixture.admin(&token, method.clone(), &path, Some(&body)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path} {scope}: {}", answer.text);
            assert_eq!(answer.json["type"], "https://as.example/errors/api/not-held");
            assert!(answer.json["errors"][0]["message"].as_str().is_some_and(|text| text.contains(scope)));
        }
    }
    // Neither do they get there in two steps: by defaults, or by a bundle of their own.
    let policy = json!({"scope_policy": {"when_omitted": "default_scopes", "default_scopes": ["money:move"]}});
    let answer = world.fixture.admin(&token, Method::PATCH, &application, Some(&policy)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
    let bundle = json!({"name": "mine", "api": world.things[&Owner::Oslo].api, "kind": "coarse", "title": "M",
        "description": "M", "includes": ["money:move"]});
    let answer = world.fixture.admin(&token, Method::POST, "/scopes", Some(&bundle)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
    let after = world.fixture.admin(&token, Method::GET, &application, None).await;
    assert_eq!(after.json["allowed_scopes"], json!([own]));

    // What gives no power, what they hold and what is their own to give goes through.
    for scope in ["weather:read", "admin:write", "admin:read", own] {
        let body = json!({"scope": scope});
        let path = format!("{application}/allowed_scopes");
        let answer = world.fixture.admin(&token, Method::POST, &path, Some(&body)).await;
        assert!(answer.status.is_success(), "{scope}: {}", answer.text);
    }
    // And whoever holds it, or owns its API, passes it on.
    let answer = world
        .call(
            Caller::Administrator(Owner::Platform),
            Method::POST,
            &format!("{application}/allowed_scopes"),
            Some(&json!({"scope": "money:move"})),
        )
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    // Once it is there, an administrator below may let it stand while changing something else.
    let answer = world.fixture.admin(&token, Method::PATCH, &application, Some(&json!({"name": "Renamed"}))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[tokio::test]
async fn a_scope_of_another_owner_is_allowed_to_nobody_by_nobody() {
    let world = World::new().await;
    let scope_of = |owner: Owner| world.things[&owner].scope.clone();
    let path_of = |owner: Owner| format!("/applications/{}/allowed_scopes", world.things[&owner].application);
    // Even the platform does not allow one tenant's scope to another: it would be a token for the wrong house.
    for (caller, target, scope) in [
        (Caller::Administrator(Owner::Platform), Owner::Oslo, Owner::Lima),
        (Caller::Administrator(Owner::Platform), Owner::Oslo, Owner::Bergen),
        (Caller::Administrator(Owner::Platform), Owner::North, Owner::Oslo),
        (Caller::Administrator(Owner::Platform), Owner::Platform, Owner::Oslo),
        (NORTH, Owner::Oslo, Owner::Bergen),
        (NORTH, Owner::Oslo, Owner::Lima),
        (OSLO, Owner::Oslo, Owner::Lima),
    ] {
        let body = json!({"scope": scope_of(scope)});
        let answer = world.call(caller, Method::POST, &path_of(target), Some(&body)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{caller:?} {target:?} {scope:?}: {}", answer.text);
    }
    // What a partner or the platform shares may be allowed below.
    for scope in [Owner::North, Owner::Platform] {
        let body = json!({"scope": scope_of(scope)});
        let answer = world.call(OSLO, Method::POST, &path_of(Owner::Oslo), Some(&body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{scope:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn nobody_registers_above_themselves_or_assigns_beyond_their_own_reach() {
    let world = World::new().await;
    let (north, oslo) = (&world.things[&Owner::North], &world.things[&Owner::Oslo]);
    let application = |level: &str| json!({"name": "X", "type": "service", "level": level});
    let role = |role: &str, more: Value| merged(json!({"application": oslo.application, "role": role}), more);
    for (caller, path, body, status) in [
        (OSLO, "/applications", application("platform"), 403),
        (OSLO, "/applications", application("partner"), 403),
        (NORTH, "/applications", application("platform"), 403),
        (OSLO, "/applications", merged(application("partner"), json!({"partner_id": north.own_id})), 403),
        (OSLO, "/administrators", role("super_admin", json!({})), 403),
        (OSLO, "/administrators", role("auditor", json!({})), 403),
        (OSLO, "/administrators", role("partner_admin", json!({"partner_id": north.own_id})), 422),
        (NORTH, "/administrators", role("super_admin", json!({})), 403),
        (OSLO, "/administrators", role("tenant_admin", json!({"tenant_id": world.things[&Owner::Bergen].own_id})), 422),
        // Within reach of the caller, and beyond the level of the application that was to hold it.
        (NORTH, "/administrators", role("partner_admin", json!({"partner_id": north.own_id})), 422),
        (OSLO, "/administrators", role("tenant_admin", json!({"tenant_id": oslo.own_id})), 201),
    ] {
        let answer = world.call(caller, Method::POST, path, Some(&body)).await;
        assert_eq!(answer.status, status, "{caller:?} {path} {body}: {}", answer.text);
    }
    // What the platform bounds, those who are bounded do not change.
    let partner = format!("/partners/{}", north.own_id);
    for body in [json!({"max_tenants": 1000}), json!({"max_tenants": null}), json!({"status": "suspended"})] {
        let expected = if body["max_tenants"].is_null() && body.get("status").is_none() { 200 } else { 403 };
        let answer = world.call(NORTH, Method::PATCH, &partner, Some(&body)).await;
        assert_eq!(answer.status, expected, "{body}: {}", answer.text);
    }
    let tenant = format!("/tenants/{}", oslo.own_id);
    let answer = world.call(OSLO, Method::PATCH, &tenant, Some(&json!({"plan_tier": "gold"}))).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
}

#[tokio::test]
async fn a_role_narrows_at_once_and_when_it_ends_leaves_nothing() {
    let world = World::new().await;
    let made = world.application(Owner::North, "regional", &["admin:write"]).await;
    let secret = made["client_secret"].as_str().expect("shown once");
    let token = world.token_of(Owner::North, "regional", secret, &[]).await;
    let status = async |path: String| world.fixture.admin(&token, Method::GET, &path, None).await.status;
    let tenant = |owner: Owner| format!("/tenants/{}", world.things[&owner].own_id);
    assert_eq!(status(tenant(Owner::Bergen)).await, StatusCode::OK);
    let body = json!({"application": "regional", "role": "tenant_admin", "tenant_id": world.things[&Owner::Oslo].own_id,
        "expires_at": "2027-01-15T08:10:00Z"});
    world.made(Method::POST, "/administrators", &body).await;
    // The same token, from this moment on.
    assert_eq!(status(tenant(Owner::Bergen)).await, StatusCode::NOT_FOUND);
    assert_eq!(status(tenant(Owner::Oslo)).await, StatusCode::OK);
    world.fixture.clock.advance_secs(599);
    assert_eq!(status(tenant(Owner::Oslo)).await, StatusCode::OK);
    world.fixture.clock.advance_secs(1);
    assert_eq!(status(tenant(Owner::Oslo)).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn taking_a_bounding_role_away_takes_as_much_reach_as_it_would_give_back() {
    let world = World::new().await;
    // The partner's application is bounded to Oslo; Oslo's own administrator must not set it free.
    let body = json!({"application": world.things[&Owner::North].application, "role": "tenant_admin",
        "tenant_id": world.things[&Owner::Oslo].own_id});
    let assignment = id(&world.made(Method::POST, "/administrators", &body).await);
    let path = format!("/administrators/{assignment}");
    assert_eq!(world.call(OSLO, Method::GET, &path, None).await.status, StatusCode::OK);
    let refused = world.call(OSLO, Method::DELETE, &path, None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    assert_eq!(world.call(NORTH, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn the_last_super_administrator_cannot_be_removed_by_any_way() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    let secrets = fixture.admin(&root, Method::GET, "/applications/root/secrets", None).await;
    let secret = secrets.json["items"][0]["id"].as_str().expect("a secret").to_owned();
    let auditor = json!({"application": "root", "role": "auditor"});
    let ending = json!({"application": "root", "role": "super_admin", "expires_at": "2030-01-01T00:00:00Z"});
    let ways: Vec<(Method, String, Option<Value>)> = vec![
        (Method::DELETE, "/applications/root".into(), None),
        (Method::PATCH, "/applications/root".into(), Some(json!({"status": "disabled"}))),
        (Method::PATCH, "/applications/root".into(), Some(json!({"allowed_scopes": ["admin:read"]}))),
        (Method::PATCH, "/applications/root".into(), Some(json!({"grant_types": []}))),
        (Method::DELETE, "/applications/root/allowed_scopes/admin:write".into(), None),
        (Method::DELETE, format!("/applications/root/secrets/{secret}?last=true"), None),
        (
            Method::POST,
            "/applications/root/secrets".into(),
            Some(json!({"overlap_secs": 60, "expires_at": "2028-01-01T00:00:00Z"})),
        ),
        (Method::POST, "/administrators".into(), Some(auditor)),
        (Method::POST, "/administrators".into(), Some(ending)),
    ];
    for (method, path, body) in &ways {
        let answer = fixture.admin(&root, method.clone(), path, body.as_ref()).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{method} {path} {body:?}: {}", answer.text);
        assert_eq!(answer.json["type"], "https://as.example/errors/api/last-super-admin");
    }
    // One that could not get a token for good is no other one.
    for lesser in [
        json!({"name": "A", "type": "service", "level": "platform", "allowed_scopes": ["admin:read"]}),
        json!({"name": "B", "type": "spa", "level": "platform", "allowed_scopes": ["admin:write"]}),
    ] {
        fixture.made(Method::POST, "/applications", &lesser).await;
        let answer = fixture.admin(&root, Method::DELETE, "/applications/root", None).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{lesser}: {}", answer.text);
    }
    let second = json!({"name": "C", "type": "service", "level": "platform", "allowed_scopes": ["admin:write"]});
    fixture.made(Method::POST, "/applications", &second).await;
    let answer = fixture.admin(&root, Method::DELETE, "/applications/root", None).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_super_administrators_who_remove_each_other_at_once_one_remains() {
    let fixture = std::sync::Arc::new(Fixture::new().await);
    let root = fixture.root().await;
    let body = json!({"name": "B", "client_id": "second", "type": "service", "level": "platform",
        "allowed_scopes": ["admin:read", "admin:write"]});
    let made = fixture.made(Method::POST, "/applications", &body).await;
    let secret = made["client_secret"].as_str().expect("shown once");
    let second = fixture.token("/connect/token", ("second", secret), &[]).await.access_token();
    for _ in 0..50 {
        let remove = |token: String, victim: &'static str| {
            let fixture = fixture.clone();
            tokio::spawn(async move {
                let path = format!("/applications/{victim}/allowed_scopes/admin:write");
                fixture.admin(&token, Method::DELETE, &path, None).await.status.as_u16()
            })
        };
        let (one, other) = tokio::join!(remove(root.clone(), "second"), remove(second.clone(), "root"));
        let (one, other) = (one.expect("no panic"), other.expect("no panic"));
        // The one that comes second has either lost the right to, or is told that it would be the last.
        let survivor = match (one, other) {
            (204, 403 | 409) => &root,
            (403 | 409, 204) => &second,
            both => panic!("{both:?}"),
        };
        for client_id in ["second", "root"] {
            let path = format!("/applications/{client_id}");
            let body = json!({"allowed_scopes": ["admin:read", "admin:write"]});
            let answer = fixture.admin(survivor, Method::PATCH, &path, Some(&body)).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn the_bootstrap_administrator_is_made_at_the_first_start_and_never_again() {
    let fixture = Fixture::new().await;
    let second = json!({"name": "C", "client_id": "c", "type": "service", "level": "platform",
        "allowed_scopes": ["admin:write"]});
    fixture.made(Method::POST, "/applications", &second).await;
    let root = fixture.root().await;
    assert_eq!(fixture.admin(&root, Method::DELETE, "/applications/root", None).await.status, StatusCode::NO_CONTENT);
    // The environment still says who was to be the first one; another start with it makes nobody.
    fixture.start_again().await;
    let answer = fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
}

#[tokio::test]
async fn a_quota_of_the_partner_is_kept_and_named() {
    let world = World::new().await;
    let partner = format!("/partners/{}", world.things[&Owner::North].own_id);
    world.made(Method::PATCH, &partner, &json!({"max_tenants": 3, "max_applications_per_tenant": 5})).await;
    let tenant = |slug: &str| json!({"name": slug, "slug": slug});
    let made = world.call(NORTH, Method::POST, "/tenants", Some(&tenant("third"))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let refused = world.call(NORTH, Method::POST, "/tenants", Some(&tenant("fourth"))).await;
    assert_limit(&refused, "max_tenants", 3, 3);
    // The platform makes no exception by the way: whoever sets the limit raises it.
    let body = merged(tenant("fourth"), json!({"partner_id": world.things[&Owner::North].own_id}));
    let refused = world.call(Caller::Administrator(Owner::Platform), Method::POST, "/tenants", Some(&body)).await;
    assert_limit(&refused, "max_tenants", 3, 3);

    // Oslo has four from the beginning.
    let application = |name: &str| json!({"name": name, "type": "service", "level": "tenant"});
    let made = world.call(OSLO, Method::POST, "/applications", Some(&application("fifth"))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let refused = world.call(OSLO, Method::POST, "/applications", Some(&application("sixth"))).await;
    assert_limit(&refused, "max_applications_per_tenant", 5, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_quota_is_not_exceeded_by_many_at_once() {
    let world = std::sync::Arc::new(World::new().await);
    let partner = format!("/partners/{}", world.things[&Owner::North].own_id);
    world.made(Method::PATCH, &partner, &json!({"max_tenants": 5})).await;
    let mut sent = tokio::task::JoinSet::new();
    for n in 0..12 {
        let world = world.clone();
        sent.spawn(async move {
            let body = json!({"name": "T", "slug": format!("t{n}")});
            world.call(NORTH, Method::POST, "/tenants", Some(&body)).await.status
        });
    }
    let answers = sent.join_all().await;
    let made = answers.iter().filter(|status| **status == StatusCode::CREATED).count();
    assert_eq!(made, 3, "{answers:?}");
    assert!(answers.iter().all(|status| matches!(status.as_u16(), 201 | 409)));
}

fn assert_limit(answer: &Answer, limit: &str, max: u64, count: u64) {
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert_eq!(answer.json["type"], "https://as.example/errors/api/limit-reached");
    assert_eq!(answer.json["detail"], format!("{limit} is {max}, and there are {count} already"));
    assert_eq!(
        (&answer.json["limit"], &answer.json["max"], &answer.json["count"]),
        (&json!(limit), &json!(max), &json!(count))
    );
}
