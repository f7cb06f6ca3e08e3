//! Users: their rules, and what ends with them.

use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::{AuthorizationGrant, Code, Redeemed, Session};
use ambit_core::time::Clock as _;
use ambit_protocol::id::{ApplicationId, GrantId, Id, SessionId, UserId};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::JSON;
use crate::world::{Caller, Owner, World, id, merged};

const OSLO: Caller = Caller::Administrator(Owner::Oslo);
const NORTH: Caller = Caller::Administrator(Owner::North);
const PLATFORM: Caller = Caller::Administrator(Owner::Platform);

#[tokio::test]
async fn a_user_is_made_read_changed_and_deleted_for_good() {
    let world = World::new().await;
    let body = json!({"email": "Kari@shop.example", "display_name": "Kari", "locale": "nb", "roles": [{"role": "manager"}],
        "custom_attributes": {"till": "7"}});
    let made = world.call(OSLO, Method::POST, "/users", Some(&body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let path = format!("/users/{}", id(&made.json));
    assert_eq!(made.header("location"), format!("/api/v1/admin{path}"));
    // The tenant is the caller's own, the address as it was written, and nobody has said that it is theirs.
    let oslo = &world.things[&Owner::Oslo];
    assert_eq!(made.json["tenant_id"], oslo.own_id.as_str());
    assert_eq!(made.json["partner_id"], world.things[&Owner::North].own_id.as_str());
    assert_eq!((&made.json["email"], &made.json["email_verified"]), (&json!("Kari@shop.example"), &json!(false)));
    assert_eq!((&made.json["status"], &made.json["given_name"]), (&json!("active"), &Value::Null));

    let seen = world.call(OSLO, Method::GET, &path, None).await;
    assert_eq!(seen.json, made.json);
    // Sent back as it was read, it changes nothing; and a change that rests on another revision is none.
    let same = world.call(OSLO, Method::PATCH, &path, Some(&seen.json)).await;
    assert_eq!((same.status, &same.json), (StatusCode::OK, &seen.json), "{}", same.text);
    let changed = world.call(OSLO, Method::PATCH, &path, Some(&json!({"given_name": "Kari", "roles": []}))).await;
    assert_eq!((&changed.json["given_name"], &changed.json["roles"]), (&json!("Kari"), &json!([])), "{}", changed.text);
    let stale = [JSON, ("if-match", seen.header("etag"))];
    let answer = world.fixture.admin_with(world.token(OSLO), Method::PATCH, &path, &stale, "{}").await;
    assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED, "{}", answer.text);

    assert_eq!(world.call(OSLO, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.call(OSLO, Method::GET, &path, None).await.status, StatusCode::NOT_FOUND);
    let again = world.call(OSLO, Method::POST, "/users", Some(&body)).await;
    assert_ne!(again.json["id"], made.json["id"]);
}

#[tokio::test]
async fn an_address_is_one_persons_in_a_tenant_whatever_its_case_and_anothers_elsewhere() {
    let world = World::new().await;
    let user = |email: &str, owner: Owner| merged(json!({"email": email}), world.owned_by(owner));
    world.made(Method::POST, "/users", &user("kari@shop.example", Owner::Oslo)).await;
    for email in ["kari@shop.example", "KARI@Shop.Example"] {
        let taken = world.call(PLATFORM, Method::POST, "/users", Some(&user(email, Owner::Oslo))).await;
        assert_eq!(taken.status, StatusCode::CONFLICT, "{email}: {}", taken.text);
        assert_eq!(taken.json["type"], "https://as.example/errors/api/name-taken");
    }
    for owner in [Owner::Bergen, Owner::Lima, Owner::Lone, Owner::Platform] {
        world.made(Method::POST, "/users", &user("Kari@shop.example", owner)).await;
    }
    // People of partners sign in where the platform's do, so they have the addresses there in common.
    let taken = world.call(NORTH, Method::POST, "/users", Some(&json!({"email": "kari@shop.example"}))).await;
    assert_eq!(taken.status, StatusCode::CONFLICT, "{}", taken.text);
    // Nor by a change.
    let other = id(&world.user(Owner::Oslo, "other@shop.example").await);
    let body = json!({"email": "Kari@SHOP.example"});
    let taken = world.call(OSLO, Method::PATCH, &format!("/users/{other}"), Some(&body)).await;
    assert_eq!(taken.status, StatusCode::CONFLICT, "{}", taken.text);
}

#[tokio::test]
async fn another_address_is_not_verified_unless_that_is_said() {
    let world = World::new().await;
    let body = json!({"email": "kari@shop.example", "email_verified": true});
    let made = world.call(OSLO, Method::POST, "/users", Some(&body)).await;
    assert_eq!(made.json["email_verified"], true, "{}", made.text);
    let path = format!("/users/{}", id(&made.json));
    let patched = async |body: Value| world.call(OSLO, Method::PATCH, &path, Some(&body)).await.json;
    assert_eq!(patched(json!({"display_name": "K"})).await["email_verified"], true);
    assert_eq!(patched(json!({"email": "kari@new.example"})).await["email_verified"], false);
    let said = patched(json!({"email": "kari@newer.example", "email_verified": true})).await;
    assert_eq!((&said["email"], &said["email_verified"]), (&json!("kari@newer.example"), &json!(true)));
}

#[tokio::test]
async fn what_breaks_a_rule_is_named_by_its_place() {
    let world = World::new().await;
    let many: Vec<Value> = (0..101).map(|n| json!({"role": format!("r{n}")})).collect();
    let attributes = |name: &str, value: &str| json!({"custom_attributes": {name: value}});
    for (more, pointers) in [
        (json!({"email": "nobody"}), vec!["/email"]),
        (json!({"locale": "english, please"}), vec!["/locale"]),
        (
            json!({"roles": [{"role": "a"}, {"role": "b"}, {"role": "a", "expires_at": "2030-01-01T00:00:00Z"}]}),
            vec!["/roles/2/role"],
        ),
        (json!({"roles": [{"role": "a", "expires_at": "2027-01-15T08:00:00Z"}]}), vec!["/roles/0/expires_at"]),
        (json!({"roles": many}), vec!["/roles"]),
        (attributes("", "x"), vec!["/custom_attributes/"]),
        (attributes("a/b~c", &"x".repeat(1001)), vec!["/custom_attributes/a~1b~0c"]),
        (json!({"tenant_id": world.things[&Owner::Lima].own_id}), vec!["/tenant_id"]),
        (json!({"status": "gone"}), vec!["/status"]),
        (json!({"password": "hunter2"}), vec!["/password"]),
    ] {
        let body = merged(json!({"email": "kari@shop.example"}), more);
        let answer = world.call(OSLO, Method::POST, "/users", Some(&body)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text);
        let named: Vec<&str> =
            answer.json["errors"].as_array().unwrap().iter().filter_map(|it| it["pointer"].as_str()).collect();
        assert_eq!(named, pointers, "{body}");
    }
    // At the edges: a role that ends in a second, a value of a thousand characters, a hundred roles.
    let hundred: Vec<Value> = (0..99).map(|n| json!({"role": format!("r{n}")})).collect();
    let ending = json!({"role": "ending", "expires_at": "2027-01-15T08:00:01Z"});
    let roles = [hundred, vec![ending]].concat();
    let body = json!({"email": "kari@shop.example", "roles": roles, "custom_attributes": {"note": "x".repeat(1000)}});
    let made = world.call(OSLO, Method::POST, "/users", Some(&body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    // What was held may stay in the list, though it has ended since.
    world.fixture.clock.advance_secs(10);
    let body = json!({"roles": made.json["roles"], "display_name": "K"});
    let changed = world.call(OSLO, Method::PATCH, &format!("/users/{}", id(&made.json)), Some(&body)).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
}

#[tokio::test]
async fn a_tenant_has_as_many_users_as_its_partner_allows() {
    let world = World::new().await;
    let partner = format!("/partners/{}", world.things[&Owner::North].own_id);
    // One is there from the beginning.
    world.made(Method::PATCH, &partner, &json!({"max_users_per_tenant": 2})).await;
    world.user(Owner::Oslo, "second@shop.example").await;
    for caller in [OSLO, NORTH, PLATFORM] {
        let body = merged(json!({"email": "third@shop.example"}), world.owned_by(Owner::Oslo));
        let refused = world.call(caller, Method::POST, "/users", Some(&body)).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{caller:?}: {}", refused.text);
        assert_eq!(refused.json["type"], "https://as.example/errors/api/limit-reached");
        let members = ["limit", "max", "count"].map(|name| &refused.json[name]);
        assert_eq!(members, [&json!("max_users_per_tenant"), &json!(2), &json!(2)]);
    }
    // It is each tenant's own limit.
    world.user(Owner::Bergen, "second@shop.example").await;
}

#[tokio::test]
async fn a_list_finds_by_a_part_of_the_address() {
    let world = World::new().await;
    world.user(Owner::Oslo, "Kari.Nordmann@shop.example").await;
    for (query, count) in [("kari", 1), ("KARI.nord", 1), ("shop.example", 1), ("ola", 0), ("tnt", 0), ("%25", 0)] {
        let list = world.call(OSLO, Method::GET, &format!("/users?q={query}"), None).await;
        assert_eq!(list.json["total"], count, "{query}: {}", list.text);
    }
}

#[tokio::test]
async fn a_tenant_and_a_partner_with_people_are_not_deleted() {
    let world = World::new().await;
    let tenant = world.made(Method::POST, "/tenants", &json!({"name": "Empty", "slug": "empty"})).await;
    let partner = world.made(Method::POST, "/partners", &json!({"name": "Empty", "slug": "none"})).await;
    for (path, member, owner) in [("/tenants", "tenant_id", &tenant), ("/partners", "partner_id", &partner)] {
        let body = json!({"email": "kari@shop.example", member: owner["id"]});
        let user = id(&world.made(Method::POST, "/users", &body).await);
        let group = id(&world.made(Method::POST, "/groups", &json!({"name": "Staff", member: owner["id"]})).await);
        let path = format!("{path}/{}", id(owner));
        let delete = async |path: &str| world.call(PLATFORM, Method::DELETE, path, None).await;
        let refused = delete(&path).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
        let by: Vec<&Value> = refused.json["used_by"].as_array().unwrap().iter().map(|it| &it["resource"]).collect();
        assert_eq!(by, ["user", "group"], "{}", refused.text);
        assert_eq!(delete(&format!("/users/{user}")).await.status, StatusCode::NO_CONTENT);
        assert_eq!(delete(&path).await.status, StatusCode::CONFLICT);
        assert_eq!(delete(&format!("/groups/{group}")).await.status, StatusCode::NO_CONTENT);
        assert_eq!(delete(&path).await.status, StatusCode::NO_CONTENT);
    }
}

#[tokio::test]
async fn whoever_is_disabled_or_deleted_or_gets_another_address_is_signed_out_and_what_they_lent_ends() {
    let world = World::new().await;
    let cases = [
        (Method::PATCH, Some(json!({"status": "disabled"})), true),
        (Method::PATCH, Some(json!({"email": "new@shop.example"})), true),
        (Method::DELETE, None, true),
        // What has nothing to do with who may sign in leaves them alone.
        (Method::PATCH, Some(json!({"display_name": "Kari", "roles": [{"role": "manager"}]})), false),
    ];
    for (n, (method, body, is_over)) in (0_u8..).zip(cases) {
        let user = id(&world.user(Owner::Oslo, &format!("kari{n}@shop.example")).await);
        let (user_id, grant) = lent(&world, &user, n).await;
        let sign_ins = world.fixture.store.sign_ins();
        assert_eq!((sign_ins.sessions_of(user_id).await.unwrap().len(), lives(&world, user_id).await), (1, 1));
        let answer = world.call(OSLO, method.clone(), &format!("/users/{user}"), body.as_ref()).await;
        assert!(answer.status.is_success(), "{}", answer.text);
        let there = usize::from(!is_over);
        assert_eq!(sign_ins.sessions_of(user_id).await.unwrap().len(), there, "{method} {body:?}");
        assert_eq!(lives(&world, user_id).await, there, "{method} {body:?}");
        // The access tokens that came of the grant are revoked by its identifier, on every node.
        let revoked = world.fixture.store.revocations_after(0, 100).await.unwrap();
        let is_revoked = revoked.iter().any(|(_, revocation)| revocation.jti == grant.to_string());
        assert_eq!(is_revoked, is_over, "{method} {body:?}: {revoked:?}");
    }
}

/// A session of a user, and a grant beside it that outlives it.
async fn lent(world: &World, user: &str, n: u8) -> (UserId, GrantId) {
    let user_id: UserId = user.parse().expect("an identifier");
    let now = world.fixture.clock.now();
    let uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(n));
    let sign_ins = world.fixture.store.sign_ins();
    let session = Session {
        id: SessionId::from_uuid(uuid),
        token: SecretHash::of(&format!("session {n}")),
        user_id,
        created_at: now,
        seen_at: now,
        expires_at: now.plus_secs(3600),
        document: "{}".to_owned(),
    };
    sign_ins.begin_session(&session).await.expect("a session");
    let grant = AuthorizationGrant {
        id: GrantId::from_uuid(uuid),
        application_id: ApplicationId::from_uuid(uuid),
        client_id: "phone".to_owned(),
        user_id,
        session_id: None,
        created_at: now,
        expires_at: now.plus_secs(86_400),
        ended_at: None,
        document: "{}".to_owned(),
    };
    let token = SecretHash::of(&format!("code {n}"));
    let code =
        Code { token, grant_id: grant.id, expires_at: now.plus_secs(60), spent_at: None, document: "{}".to_owned() };
    sign_ins.issue_code(&code).await.expect("a code");
    let redeemed = Redeemed { grant: &grant, refresh_token: None, session: Some(session.id), consent: None };
    assert!(sign_ins.spend_code(&token, now, Some(redeemed)).await.expect("a grant"));
    (user_id, grant.id)
}

/// How many grants of a user go on.
async fn lives(world: &World, user: UserId) -> usize {
    world.fixture.store.sign_ins().grants_of(user).await.expect("grants").len()
}

#[tokio::test]
async fn what_is_known_of_a_person_follows_every_change_on_this_node_and_on_another() {
    let world = World::new().await;
    let other = world.fixture.another_node().await;
    let user = id(&world.user(Owner::Oslo, "kari@shop.example").await);
    let (inner, outer) = (id(&world.group(Owner::Oslo, "Inner").await), id(&world.group(Owner::Oslo, "Outer").await));
    let user_id: UserId = user.parse().expect("an identifier");
    let now = world.fixture.clock.now();
    let known = async || {
        other.server.app().registry.catch_up().await.expect("the new facts");
        let mut seen = vec![];
        for registry in [&world.fixture.server.app().registry, &other.server.app().registry] {
            let person = registry.person(user_id).await.expect("an answer");
            seen.push(person.map(|it| {
                let roles = it.roles_at(now).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                (it.groups.len(), roles)
            }));
        }
        assert_eq!(seen[0], seen[1]);
        seen.pop().expect("two")
    };
    let roles = |roles: &[&str]| json!({"roles": roles.iter().map(|role| json!({"role": role})).collect::<Vec<_>>()});
    assert_eq!(known().await, Some((0, String::new())));
    world.made(Method::PATCH, &format!("/users/{user}"), &roles(&["own"])).await;
    assert_eq!(known().await, Some((0, "own".to_owned())));
    world.join(&inner, &user).await;
    assert_eq!(known().await, Some((1, "own".to_owned())));
    world.join(&outer, &inner).await;
    assert_eq!(known().await, Some((2, "own".to_owned())));
    world.made(Method::PATCH, &format!("/groups/{outer}"), &roles(&["outer", "own"])).await;
    assert_eq!(known().await, Some((2, "outer own".to_owned())));
    let delete = async |path: String| world.call(OSLO, Method::DELETE, &path, None).await.status;
    assert_eq!(delete(format!("/groups/{outer}/members/{inner}")).await, StatusCode::NO_CONTENT);
    assert_eq!(known().await, Some((1, "own".to_owned())));
    assert_eq!(delete(format!("/groups/{inner}/members/{user}")).await, StatusCode::NO_CONTENT);
    assert_eq!(known().await, Some((0, "own".to_owned())));
    assert_eq!(delete(format!("/users/{user}")).await, StatusCode::NO_CONTENT);
    assert_eq!(known().await, None);
    // By address, too.
    let registry = &world.fixture.server.app().registry;
    let tenant = world.things[&Owner::Oslo].own_id.parse().ok();
    assert_eq!(registry.find_user(tenant, "kari@shop.example").await.expect("an answer"), None);
    let again = id(&world.user(Owner::Oslo, "kari@shop.example").await);
    let found = registry.find_user(tenant, "KARI@shop.example").await.expect("an answer");
    assert_eq!(found.map(|id| id.to_string()), Some(again));
    assert_eq!(registry.find_user(None, "kari@shop.example").await.expect("an answer"), None);
}

#[tokio::test]
async fn a_change_of_people_does_not_make_the_catalogue_anew() {
    let world = World::new().await;
    let registry = &world.fixture.server.app().registry;
    let before = registry.snapshot().catalogue.clone();
    let user = id(&world.user(Owner::Oslo, "kari@shop.example").await);
    let group = id(&world.group(Owner::Oslo, "Staff").await);
    world.join(&group, &user).await;
    assert!(std::sync::Arc::ptr_eq(&before, &registry.snapshot().catalogue));
}

#[tokio::test]
async fn settings_and_branding_of_a_tenant_are_its_own_within_bounds() {
    let world = World::new().await;
    let path = format!("/tenants/{}", world.things[&Owner::Oslo].own_id);
    let seen = world.call(OSLO, Method::GET, &path, None).await.json;
    assert_eq!((&seen["settings"]["mfa"], &seen["settings"]["password_min_length"]), (&json!("optional"), &json!(12)));
    let body = json!({"settings": {"mfa": "required", "email_domains": ["shop.example"]},
        "branding": {"accent_color": "#1a5fb4"}});
    let after = world.call(OSLO, Method::PATCH, &path, Some(&body)).await;
    assert_eq!(after.status, StatusCode::OK, "{}", after.text);
    // What was left out stays.
    assert_eq!(
        (&after.json["settings"]["mfa"], &after.json["settings"]["password_min_length"]),
        (&json!("required"), &json!(12))
    );
    let again = world.call(OSLO, Method::PATCH, &path, Some(&after.json)).await;
    assert_eq!(again.json, after.json);
    for (settings, pointer) in [
        (json!({"password_min_length": 7}), "/settings/password_min_length"),
        (json!({"password_min_length": 65}), "/settings/password_min_length"),
        (json!({"session_max_secs": 2_592_001}), "/settings/session_max_secs"),
        (json!({"session_idle_secs": 59}), "/settings/session_idle_secs"),
        (json!({"session_max_secs": 600, "session_idle_secs": 601}), "/settings/session_idle_secs"),
        (json!({"email_domains": ["a.example", "a.example"]}), "/settings/email_domains/1"),
        (json!({"email_domains": ["Example.com"]}), "/settings/email_domains/0"),
        (json!({"mfa": "perhaps"}), "/settings/mfa"),
    ] {
        let refused = world.call(OSLO, Method::PATCH, &path, Some(&json!({"settings": settings}))).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{settings}: {}", refused.text);
        assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{settings}");
    }
    for settings in [
        json!({"password_min_length": 8}),
        json!({"password_min_length": 64}),
        json!({"session_max_secs": 2_592_000, "session_idle_secs": 2_592_000}),
        json!({"session_max_secs": 60, "session_idle_secs": 60}),
    ] {
        let kept = world.call(OSLO, Method::PATCH, &path, Some(&json!({"settings": settings}))).await;
        assert_eq!(kept.status, StatusCode::OK, "{settings}: {}", kept.text);
    }
}
