//! Groups: who is in which, and what membership gives.

use ambit_core::reach::Reach;
use ambit_core::store::{Filter, noun};
use ambit_protocol::admin::group::Membership;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Answer;
use crate::world::{Caller, Owner, World, id, merged};

const OSLO: Caller = Caller::Administrator(Owner::Oslo);
const PLATFORM: Caller = Caller::Administrator(Owner::Platform);

async fn put(world: &World, caller: Caller, group: &str, member: &str) -> Answer {
    world.call(caller, Method::PUT, &format!("/groups/{group}/members/{member}"), None).await
}

/// Groups of Oslo, each in the one before it.
async fn chain(world: &World, name: &str, length: usize) -> Vec<String> {
    let mut groups: Vec<String> = vec![];
    for n in 0..length {
        let group = id(&world.group(Owner::Oslo, &format!("{name} {n}")).await);
        if let Some(above) = groups.last() {
            world.join(above, &group).await;
        }
        groups.push(group);
    }
    groups
}

#[tokio::test]
async fn membership_is_effective_through_nested_groups_and_says_which_is_direct() {
    let world = World::new().await;
    let user = id(&world.user(Owner::Oslo, "kari@shop.example").await);
    let body = json!({"name": "Staff", "description": "Everybody", "roles": [{"role": "staff"}]});
    let staff = world.call(OSLO, Method::POST, "/groups", Some(&body)).await;
    assert_eq!(staff.status, StatusCode::CREATED, "{}", staff.text);
    assert_eq!(staff.json["tenant_id"], world.things[&Owner::Oslo].own_id.as_str());
    let (staff, tills) = (id(&staff.json), id(&world.group(Owner::Oslo, "Tills").await));
    let made = put(&world, OSLO, &tills, &user).await;
    assert_eq!((made.status, &made.json["member"]), (StatusCode::CREATED, &json!(user)), "{}", made.text);
    assert_eq!(put(&world, OSLO, &tills, &user).await.status, StatusCode::OK);
    assert_eq!(put(&world, OSLO, &staff, &tills).await.status, StatusCode::CREATED);

    let groups =
        async || world.call(OSLO, Method::GET, &format!("/users/{user}/groups"), None).await.json["items"].clone();
    let expected = json!([
        {"id": tills, "name": "Tills", "direct": true, "roles": []},
        {"id": staff, "name": "Staff", "direct": false, "roles": [{"role": "staff", "expires_at": null}]},
    ]);
    assert_eq!(groups().await, expected);
    // A group is met once, on the shortest way.
    put(&world, OSLO, &staff, &user).await;
    let direct: Vec<Value> = groups().await.as_array().unwrap().iter().map(|it| it["direct"].clone()).collect();
    assert_eq!(direct, [json!(true), json!(true)]);

    let path = format!("/groups/{tills}/members/{user}");
    assert_eq!(world.call(OSLO, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.call(OSLO, Method::DELETE, &path, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(groups().await.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn no_group_is_in_itself_by_any_way() {
    let world = World::new().await;
    let groups = chain(&world, "G", 3).await;
    for nested in &groups {
        let refused = put(&world, OSLO, &groups[2], nested).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
        assert_eq!(refused.json["errors"][0]["pointer"], "{member}");
    }
    // The other way round it is no circle: the last one is in the first one already, and may be so directly.
    assert_eq!(put(&world, OSLO, &groups[0], &groups[2]).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn groups_stand_below_16_others_and_not_below_17_wherever_the_link_is_made() {
    let world = World::new().await;
    // Nine and eight are seventeen groups, the last of them below sixteen.
    let (upper, lower) = (chain(&world, "U", 9).await, chain(&world, "L", 9).await);
    assert_eq!(put(&world, OSLO, &upper[8], &lower[1]).await.status, StatusCode::CREATED);
    let refused = put(&world, OSLO, &upper[8], &lower[0]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert!(refused.text.contains("group_depth"), "{}", refused.text);
    let extra = id(&world.group(Owner::Oslo, "X").await);
    for (group, member) in [(&lower[8], &extra), (&extra, &upper[0])] {
        assert_eq!(put(&world, OSLO, group, member).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    // The longest way counts, not the shortest one.
    world.join(&upper[0], &lower[8]).await;
    assert_eq!(put(&world, OSLO, &lower[8], &extra).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(put(&world, OSLO, &lower[7], &extra).await.status, StatusCode::CREATED);
    // People stand below as many as they like.
    let user = id(&world.user(Owner::Oslo, "kari@shop.example").await);
    assert_eq!(put(&world, OSLO, &lower[8], &user).await.status, StatusCode::CREATED);
    let groups = world.call(OSLO, Method::GET, &format!("/users/{user}/groups"), None).await;
    // The nine upper ones and the nine lower ones.
    assert_eq!(groups.json["total"], 18);
}

#[tokio::test]
async fn a_member_is_directly_in_100_groups_at_most() {
    let world = World::new().await;
    let user = id(&world.user(Owner::Oslo, "kari@shop.example").await);
    for n in 0..100 {
        let group = id(&world.group(Owner::Oslo, &format!("G{n}")).await);
        world.join(&group, &user).await;
    }
    let one_more = id(&world.group(Owner::Oslo, "One more").await);
    let refused = put(&world, OSLO, &one_more, &user).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert_eq!((&refused.json["limit"], &refused.json["max"]), (&json!("groups_per_member"), &json!(100)));
}

#[tokio::test]
async fn a_group_and_its_members_have_one_owner() {
    let world = World::new().await;
    let group = |owner: Owner| world.things[&owner].group.clone();
    for owner in [Owner::Platform, Owner::North, Owner::Bergen, Owner::Lima] {
        for member in [&world.things[&owner].user, &world.things[&owner].group] {
            // Who reaches both is told; to who does not, the other is not there.
            let refused = put(&world, PLATFORM, &group(Owner::Oslo), member).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{owner:?}: {}", refused.text);
            let refused = put(&world, OSLO, &group(Owner::Oslo), member).await;
            assert_eq!(refused.status, StatusCode::NOT_FOUND, "{owner:?}: {}", refused.text);
        }
    }
    for nobody in ["usr_01h455vb4pex5vsknk084sn02q", "grp_01h455vb4pex5vsknk084sn02q", "kari", "app-of-oslo-only"] {
        assert_eq!(put(&world, OSLO, &group(Owner::Oslo), nobody).await.status, StatusCode::NOT_FOUND, "{nobody}");
    }
}

#[tokio::test]
async fn the_name_of_a_group_is_unique_for_its_owner() {
    let world = World::new().await;
    for owner in [Owner::Oslo, Owner::Bergen, Owner::North, Owner::South, Owner::Platform] {
        world.group(owner, "Staff").await;
        let body = merged(json!({"name": "Staff"}), world.owned_by(owner));
        let taken = world.call(PLATFORM, Method::POST, "/groups", Some(&body)).await;
        assert_eq!(taken.status, StatusCode::CONFLICT, "{owner:?}: {}", taken.text);
    }
}

#[tokio::test]
async fn a_deleted_group_leaves_its_members_and_nothing_of_itself() {
    let world = World::new().await;
    let groups = chain(&world, "G", 3).await;
    let user = id(&world.user(Owner::Oslo, "kari@shop.example").await);
    world.join(&groups[1], &user).await;
    let path = format!("/groups/{}", groups[1]);
    assert_eq!(world.call(OSLO, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.call(OSLO, Method::GET, &format!("/users/{user}"), None).await.status, StatusCode::OK);
    let left = world.call(OSLO, Method::GET, &format!("/users/{user}/groups"), None).await;
    assert_eq!(left.json["items"], json!([]));
    let members = world.call(OSLO, Method::GET, &format!("/groups/{}/members", groups[0]), None).await;
    assert_eq!(members.json["items"], json!([]));
    // Neither does a membership stay behind that only the store would know of.
    let left = noun::count::<Membership>(&*world.fixture.store, &Filter::default(), Reach::Platform).await;
    assert_eq!(left.expect("a count"), 0);
    // And the place above the third one is free again: what was in the second is in nothing now.
    assert_eq!(put(&world, OSLO, &groups[2], &groups[0]).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn members_are_listed_page_by_page_and_none_of_the_next_group() {
    let world = World::new().await;
    let (one, other) = (id(&world.group(Owner::Oslo, "One").await), id(&world.group(Owner::Oslo, "Other").await));
    let mut expected = vec![];
    for n in 0..5 {
        let user = id(&world.user(Owner::Oslo, &format!("u{n}@shop.example")).await);
        world.join(&one, &user).await;
        world.join(&other, &user).await;
        expected.push(user);
    }
    expected.sort();
    for group in [&one, &other] {
        let (mut cursor, mut listed) = (String::new(), vec![]);
        loop {
            let path = format!("/groups/{group}/members?limit=2&cursor={cursor}");
            let page = world.call(OSLO, Method::GET, &path, None).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.text);
            let items = page.json["items"].as_array().expect("members");
            assert!(items.iter().all(|it| it["group_id"] == json!(group)));
            listed.extend(items.iter().map(|it| it["member"].as_str().expect("a member").to_owned()));
            match page.json["cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(listed, expected);
    }
}

/// Attack: whoever may only change members puts themselves where the power is.
#[tokio::test]
async fn what_a_role_opens_is_passed_on_only_by_those_who_hold_it_through_every_door() {
    let world = World::new().await;
    let made = world.application(Owner::Oslo, "writer", &["admin:write"]).await;
    let secret = made["client_secret"].as_str().expect("shown once");
    let token = world.token_of(Owner::Oslo, "writer", secret, &[]).await;
    let scope = json!({"name": "money:move", "api": world.things[&Owner::Platform].api, "kind": "granular",
        "title": "M", "description": "M", "sensitivity": "privileged", "roles": ["treasurer"]});
    world.made(Method::POST, "/scopes", &scope).await;
    let plain = json!({"name": "weather:read", "api": world.things[&Owner::Platform].api, "kind": "granular",
        "title": "W", "description": "W", "roles": ["reader"]});
    world.made(Method::POST, "/scopes", &plain).await;
    // A privileged scope of another tenant has nothing to do with the same role's name here.
    let foreign = json!({"name": "lima:move", "api": world.things[&Owner::Lima].api, "kind": "granular",
        "title": "L", "description": "L", "sensitivity": "privileged", "roles": ["reader"]});
    world.made(Method::POST, "/scopes", &foreign).await;
    let treasury = merged(json!({"name": "Treasury", "roles": [{"role": "treasurer"}]}), world.owned_by(Owner::Oslo));
    let treasury = id(&world.made(Method::POST, "/groups", &treasury).await);
    let (below, user) = (id(&world.group(Owner::Oslo, "Below").await), world.things[&Owner::Oslo].user.clone());
    world.join(&treasury, &below).await;
    let lone = id(&world.group(Owner::Oslo, "Lone").await);

    let give = |role: &str| json!({"roles": [{"role": role}]});
    let attempts = [
        (Method::PATCH, format!("/users/{user}"), Some(give("treasurer"))),
        (Method::POST, "/users".to_owned(), Some(merged(json!({"email": "x@shop.example"}), give("treasurer")))),
        (Method::PATCH, format!("/groups/{lone}"), Some(give("treasurer"))),
        (Method::POST, "/groups".to_owned(), Some(merged(json!({"name": "X"}), give("treasurer")))),
        (Method::PUT, format!("/groups/{treasury}/members/{user}"), None),
        (Method::PUT, format!("/groups/{below}/members/{user}"), None),
        (Method::PUT, format!("/groups/{below}/members/{lone}"), None),
    ];
    for (method, path, body) in &attempts {
        let refused = world.fixture.admin(&token, method.clone(), path, body.as_ref()).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}: {}", refused.text);
        assert_eq!(refused.json["type"], "https://as.example/errors/api/not-held");
        assert!(
            refused.json["detail"].as_str().is_some_and(|it| it.contains("role 'treasurer' opens scope 'money:move'"))
        );
    }
    // What gives no power, anybody gives who reaches so far; and what is there already may stay while something else changes.
    let given = world.fixture.admin(&token, Method::PATCH, &format!("/users/{user}"), Some(&give("reader"))).await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.text);
    let renamed = merged(json!({"name": "The treasury"}), give("treasurer"));
    let renamed = world.fixture.admin(&token, Method::PATCH, &format!("/groups/{treasury}"), Some(&renamed)).await;
    assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.text);
    // Whoever owns the scope's API passes it on.
    for (method, path, body) in attempts {
        let answer = world.call(PLATFORM, method.clone(), &path, body.as_ref()).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text);
    }
}
