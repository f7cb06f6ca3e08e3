//! People who administer: by their roles alone, their own and their groups', within what their application reaches.

use ambit_core::entropy::new_id;
use ambit_core::store::{ChangeContext, noun};
use ambit_core::time::Clock as _;
use ambit_protocol::admin::credential::{Credential, CredentialKind};
use ambit_protocol::id::CredentialId;
use ambit_protocol::time::Timestamp;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::ROOT;
use crate::world::{Caller, Owner, World, id, merged};

const OSLO: Caller = Caller::Administrator(Owner::Oslo);
const NORTH: Caller = Caller::Administrator(Owner::North);
const BOTH: &str = "admin:read admin:write";

impl World {
    /// An application by which people administer.
    async fn console(&self, owner: Owner) -> String {
        let client_id = format!("console-{}", owner.slug());
        let body = json!({"name": client_id, "client_id": client_id, "type": "spa", "level": owner.level(),
            "allowed_scopes": ["admin:read", "admin:write"], "redirect_uris": ["https://console.example/callback"]});
        self.made(Method::POST, "/applications", &merged(body, self.owned_by(owner))).await;
        client_id
    }

    /// Assigns a role to a user or a group.
    async fn appoint(&self, holder: &str, who: &str, role: &str, more: Value) -> Value {
        self.made(Method::POST, "/administrators", &merged(json!({holder: who, "role": role}), more)).await
    }

    async fn status(&self, token: &str, method: Method, path: &str) -> u16 {
        self.fixture.admin(token, method, path, None).await.status.as_u16()
    }
}

#[tokio::test]
async fn a_person_administers_by_their_roles_and_their_groups_and_by_nothing_else() {
    let world = World::new().await;
    let console = world.console(Owner::Platform).await;
    let user = id(&world.user(Owner::Oslo, "kari@shop.example").await);
    let token = world.persons_token(&console, &user, Some(Owner::Oslo), BOTH);
    let tenant = format!("/tenants/{}", world.things[&Owner::Oslo].own_id);
    let refused = world.fixture.admin(&token, Method::GET, &tenant, None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    assert_eq!(refused.json["type"], "https://as.example/errors/api/forbidden");
    let said = format!(
        "user '{user}' has no administrator's role that reaches here: it takes tenant_admin of tenant 'oslo', \
        or auditor to read"
    );
    assert_eq!(refused.json["detail"], said);

    // By a group in a group; the same token, from this moment on.
    let (inner, outer) = (id(&world.group(Owner::Oslo, "In").await), id(&world.group(Owner::Oslo, "Out").await));
    world.join(&outer, &inner).await;
    let oslo = json!({"tenant_id": world.things[&Owner::Oslo].own_id});
    let auditor = id(&world.appoint("group", &outer, "auditor", oslo.clone()).await);
    assert_eq!(world.status(&token, Method::GET, &tenant).await, 403);
    world.join(&inner, &user).await;
    assert_eq!(world.status(&token, Method::GET, &tenant).await, 200);
    let member = format!("/users/{}", world.things[&Owner::Oslo].user);
    assert_eq!(world.status(&token, Method::DELETE, &member).await, 403);
    assert_eq!(
        world.status(&token, Method::GET, &format!("/tenants/{}", world.things[&Owner::Bergen].own_id)).await,
        404
    );

    // By a role of their own that ends.
    let ending = merged(oslo, json!({"expires_at": "2027-01-15T08:10:00Z"}));
    let own = world.appoint("user", &user, "tenant_admin", ending).await;
    assert_eq!((&own["user_id"], own.get("application_id")), (&json!(user), None));
    let change = json!({"display_name": "Changed"});
    let changed = world.fixture.admin(&token, Method::PATCH, &member, Some(&change)).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let audit = world.call(OSLO, Method::GET, &format!("/audit?actor=user:{user}"), None).await;
    assert_eq!(audit.json["items"][0]["resource_id"], json!(world.things[&Owner::Oslo].user), "{}", audit.text);
    world.fixture.clock.advance_secs(599);
    assert_eq!(world.fixture.admin(&token, Method::PATCH, &member, Some(&json!({}))).await.status, StatusCode::OK);
    world.fixture.clock.advance_secs(1);
    assert_eq!(
        world.fixture.admin(&token, Method::PATCH, &member, Some(&json!({}))).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(world.status(&token, Method::GET, &tenant).await, 200);
    assert_eq!(world.call(OSLO, Method::DELETE, &format!("/administrators/{auditor}"), None).await.status, 204);
    assert_eq!(world.status(&token, Method::GET, &tenant).await, 403);
}

#[tokio::test]
async fn what_a_person_reaches_is_bounded_by_the_application_the_token_and_its_scopes() {
    let world = World::new().await;
    let (wide, narrow) = (world.console(Owner::Platform).await, world.console(Owner::Oslo).await);
    let user = id(&world.user(Owner::Platform, "root@platform.example").await);
    world.appoint("user", &user, "super_admin", json!({})).await;
    let tenant = |owner: Owner| format!("/tenants/{}", world.things[&owner].own_id);
    let reached = async |token: &str| {
        let mut statuses = vec![];
        for owner in [Owner::Oslo, Owner::Bergen] {
            statuses.push(world.status(token, Method::GET, &tenant(owner)).await);
        }
        statuses
    };
    assert_eq!(reached(&world.persons_token(&wide, &user, None, BOTH)).await, [200, 200]);
    // The tenant's application reaches its tenant, whoever uses it; and a token that names a tenant, that tenant.
    assert_eq!(reached(&world.persons_token(&narrow, &user, Some(Owner::Oslo), BOTH)).await, [200, 404]);
    assert_eq!(reached(&world.persons_token(&wide, &user, Some(Owner::Oslo), BOTH)).await, [200, 404]);
    // A partner's application reaches its partner's tenants, though the token names none.
    let partners = world.persons_token(&world.console(Owner::North).await, &user, None, BOTH);
    assert_eq!(reached(&partners).await, [200, 200]);
    assert_eq!(world.status(&partners, Method::GET, &tenant(Owner::Lima)).await, 404);
    assert_eq!(
        world.status(&world.persons_token(&wide, &user, None, BOTH), Method::GET, &tenant(Owner::Lima)).await,
        200
    );
    // A token without the scope opens nothing, whatever its person may.
    let reading = world.persons_token(&wide, &user, None, "users:read");
    assert_eq!(world.status(&reading, Method::GET, "/users").await, 200);
    assert_eq!(world.status(&reading, Method::GET, "/groups").await, 403);
    let reading = world.persons_token(&wide, &user, None, "admin:read");
    let refused = world.fixture.admin(&reading, Method::POST, "/users", Some(&json!({"email": "a@b.example"}))).await;
    assert_eq!(refused.json["type"], "https://as.example/errors/api/insufficient-scope", "{}", refused.text);
}

#[tokio::test]
async fn a_token_of_somebody_disabled_or_gone_is_worth_nothing_at_once() {
    let world = World::new().await;
    let console = world.console(Owner::Platform).await;
    let user = id(&world.user(Owner::Oslo, "kari@shop.example").await);
    world.appoint("user", &user, "tenant_admin", json!({"tenant_id": world.things[&Owner::Oslo].own_id})).await;
    let token = world.persons_token(&console, &user, Some(Owner::Oslo), BOTH);
    let (path, tenant) = (format!("/users/{user}"), format!("/tenants/{}", world.things[&Owner::Oslo].own_id));
    for (status, answered) in [("active", 200), ("disabled", 401), ("active", 200), ("invited", 401), ("active", 200)] {
        world.made(Method::PATCH, &path, &json!({"status": status})).await;
        assert_eq!(world.status(&token, Method::GET, &tenant).await, answered, "{status}");
    }
    assert_eq!(world.call(OSLO, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.status(&token, Method::GET, &tenant).await, 401);
    // Neither is one whose subject is nobody of ours.
    for nobody in ["usr_01h455vb4pex5vsknk084sn02q", "kari", ROOT] {
        let token = world.persons_token(&console, nobody, Some(Owner::Oslo), BOTH);
        assert_eq!(world.status(&token, Method::GET, &tenant).await, 401, "{nobody}");
    }
}

#[tokio::test]
async fn a_persons_token_opens_no_more_than_its_application_may_have_now() {
    let world = World::new().await;
    let console = world.console(Owner::Platform).await;
    let user = id(&world.user(Owner::Platform, "kari@platform.example").await);
    world.appoint("user", &user, "super_admin", json!({})).await;
    let token = world.persons_token(&console, &user, None, "users:read");
    assert_eq!(world.status(&token, Method::GET, "/users").await, 200);
    // The console loses what the token carries: the token opens it no more, though nobody changed the token.
    let scopes = json!({"allowed_scopes": ["groups:read"]});
    world.made(Method::PATCH, &format!("/applications/{console}"), &scopes).await;
    assert_eq!(world.status(&token, Method::GET, "/users").await, 403);
}

#[tokio::test]
async fn a_client_cannot_be_called_like_a_person() {
    let world = World::new().await;
    let body =
        json!({"name": "X", "client_id": world.things[&Owner::Platform].user, "type": "service", "level": "platform"});
    let refused = world.call(Caller::Administrator(Owner::Platform), Method::POST, "/applications", Some(&body)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert_eq!(refused.json["errors"][0]["pointer"], "/client_id");
}

#[tokio::test]
async fn nobody_holds_a_role_beyond_where_they_belong_or_beyond_who_assigns_it() {
    let world = World::new().await;
    let (oslo, north) = (world.things[&Owner::Oslo].clone(), world.things[&Owner::North].clone());
    let platform = &world.things[&Owner::Platform];
    let in_oslo = json!({"tenant_id": oslo.own_id});
    let in_north = json!({"partner_id": north.own_id});
    let root = Caller::Administrator(Owner::Platform);
    for (caller, holder, who, role, place, status) in [
        (root, "user", &oslo.user, "super_admin", json!({}), 422),
        (root, "group", &oslo.group, "auditor", json!({}), 422),
        (root, "user", &oslo.user, "partner_admin", in_north.clone(), 422),
        (root, "user", &oslo.user, "tenant_admin", json!({"tenant_id": world.things[&Owner::Bergen].own_id}), 422),
        (root, "user", &north.user, "super_admin", json!({}), 422),
        (OSLO, "user", &oslo.user, "super_admin", json!({}), 403),
        (OSLO, "user", &world.things[&Owner::Lima].user, "tenant_admin", in_oslo.clone(), 422),
        (OSLO, "group", &world.things[&Owner::Bergen].group, "tenant_admin", in_oslo.clone(), 422),
        (NORTH, "user", &platform.user, "partner_admin", in_north.clone(), 422),
        (OSLO, "user", &oslo.user, "tenant_admin", in_oslo.clone(), 201),
        (OSLO, "user", &oslo.user, "tenant_admin", in_oslo.clone(), 409),
        (OSLO, "group", &oslo.group, "auditor", in_oslo.clone(), 201),
        (NORTH, "user", &north.user, "partner_admin", in_north.clone(), 201),
        (NORTH, "group", &north.group, "tenant_admin", in_oslo.clone(), 201),
        (root, "user", &platform.user, "tenant_admin", in_oslo.clone(), 201),
    ] {
        let body = merged(json!({holder: who, "role": role}), place);
        let answer = world.call(caller, Method::POST, "/administrators", Some(&body)).await;
        assert_eq!(answer.status, status, "{caller:?} {body}: {}", answer.text);
    }
    // Exactly one holds it.
    for body in [json!({"role": "auditor"}), json!({"role": "auditor", "user": platform.user, "application": ROOT})] {
        let answer = world.call(root, Method::POST, "/administrators", Some(&body)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
    }
    // With the holder the role goes.
    assert_eq!(world.call(OSLO, Method::DELETE, &format!("/users/{}", oslo.user), None).await.status, 204);
    let left = world.call(OSLO, Method::GET, "/administrators", None).await;
    assert!(!left.text.contains(&oslo.user), "{}", left.text);
}

#[tokio::test]
async fn the_last_super_administrator_may_be_a_person_and_then_cannot_be_removed_by_any_way() {
    let world = World::new().await;
    let root = Caller::Administrator(Owner::Platform);
    // The auditor of the platform is bounded by its role, and no super administrator.
    let remove_root = async || world.call(root, Method::DELETE, &format!("/applications/{ROOT}"), None).await.status;
    let user = id(&world.user(Owner::Platform, "kari@platform.example").await);
    let group = id(&world.group(Owner::Platform, "Owners").await);
    let nested = id(&world.group(Owner::Platform, "Founders").await);
    world.join(&group, &nested).await;
    // No application lets people in but the one that comes last.
    assert_eq!(world.call(root, Method::DELETE, "/applications/ambit-cli", None).await.status, 204);
    // One step after the other; only with all of them is there somebody else.
    assert_eq!(remove_root().await, 409);
    let appointed = id(&world.appoint("group", &group, "super_admin", json!({})).await);
    assert_eq!(remove_root().await, 409);
    world.join(&nested, &user).await;
    assert_eq!(remove_root().await, 409);
    credential(&world, &user, CredentialKind::RecoveryCodes).await;
    assert_eq!(remove_root().await, 409);
    let passkey = credential(&world, &user, CredentialKind::Passkey).await;
    assert_eq!(remove_root().await, 409);
    let console = world.console(Owner::Platform).await;
    let token = world.persons_token(&console, &user, None, BOTH);
    assert_eq!(remove_root().await, 204);

    let ways = [
        (Method::PATCH, format!("/users/{user}"), Some(json!({"status": "disabled"}))),
        (Method::PATCH, format!("/users/{user}"), Some(json!({"status": "invited"}))),
        (Method::DELETE, format!("/users/{user}"), None),
        (Method::DELETE, format!("/users/{user}/credentials/{passkey}"), None),
        (Method::DELETE, format!("/groups/{nested}/members/{user}"), None),
        (Method::DELETE, format!("/groups/{group}/members/{nested}"), None),
        (Method::DELETE, format!("/groups/{group}"), None),
        (Method::DELETE, format!("/groups/{nested}"), None),
        (Method::DELETE, format!("/administrators/{appointed}"), None),
        (Method::DELETE, format!("/applications/{console}"), None),
        (Method::PATCH, format!("/applications/{console}"), Some(json!({"allowed_scopes": ["admin:read"]}))),
    ];
    for (method, path, body) in ways {
        let refused = world.fixture.admin(&token, method.clone(), &path, body.as_ref()).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{method} {path}: {}", refused.text);
        assert_eq!(refused.json["type"], "https://as.example/errors/api/last-super-admin");
    }
    // Another one for a while is none for good; another one for good is.
    let second = id(&world
        .fixture
        .admin(&token, Method::POST, "/users", Some(&json!({"email": "ola@platform.example"})))
        .await
        .json);
    credential(&world, &second, CredentialKind::Password).await;
    let assign = async |more: Value| {
        let body = merged(json!({"user": second, "role": "super_admin"}), more);
        assert_eq!(world.fixture.admin(&token, Method::POST, "/administrators", Some(&body)).await.status, 201);
    };
    assign(json!({"expires_at": "2030-01-01T00:00:00Z"})).await;
    assert_eq!(world.status(&token, Method::DELETE, &format!("/users/{user}")).await, 409);
    assign(json!({})).await;
    assert_eq!(world.status(&token, Method::DELETE, &format!("/users/{user}")).await, 204);
}

#[tokio::test]
async fn where_people_alone_administer_the_command_line_is_the_door_that_stays() {
    let world = World::new().await;
    let root = Caller::Administrator(Owner::Platform);
    let user = id(&world.user(Owner::Platform, "kari@platform.example").await);
    credential(&world, &user, CredentialKind::Passkey).await;
    world.appoint("user", &user, "super_admin", json!({})).await;
    let token = world.persons_token("ambit-cli", &user, None, BOTH);
    assert_eq!(world.call(root, Method::DELETE, &format!("/applications/{ROOT}"), None).await.status, 204);
    for body in [json!({"status": "disabled"}), json!({"allowed_scopes": ["admin:read"]}), json!({"redirect_uris": []})]
    {
        let refused = world.fixture.admin(&token, Method::PATCH, "/applications/ambit-cli", Some(&body)).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{body}: {}", refused.text);
        assert_eq!(refused.json["type"], "https://as.example/errors/api/last-super-admin");
    }
    assert_eq!(world.status(&token, Method::DELETE, "/applications/ambit-cli").await, 409);
}

/// Something that a user can sign in with.
async fn credential(world: &World, user: &str, kind: CredentialKind) -> CredentialId {
    let context = ChangeContext { actor: "system".to_owned(), at: world.fixture.clock.now(), trace_id: None };
    let transaction = world.fixture.store.begin(context).await.expect("a transaction");
    let user_id = user.parse().expect("an identifier");
    let credential = Credential {
        id: new_id(world.fixture.clock.now(), &*world.fixture.server.app().entropy),
        user_id,
        tenant_id: None,
        partner_id: None,
        kind,
        name: None,
        remaining: None,
        webauthn_id: None,
        backed_up: None,
        last_used_at: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    let made = noun::insert(&*transaction, credential, Some(vec![1])).await.expect("a credential");
    transaction.commit().await.expect("a commit");
    made.id
}
