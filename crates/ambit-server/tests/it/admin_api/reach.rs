//! Whose things exist for whom (attacks: another tenant's object by identifier, by name, in a body, in a list, in a count, in a
//! cursor, in the history). What is out of reach is answered exactly as what was never there.

use std::collections::BTreeSet;

use ambit_server::admin_api::ROOT;
use ambit_server::routes::{Guard, table};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use crate::samples::Sample;
use crate::support::Answer;
use crate::world::{Caller, OWNERS, Owner, World};

/// Who, beyond having the scope, may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    /// Whoever reaches the thing's owner.
    Reach,
    /// Of those the ones above a tenant.
    AboveTenant,
    /// The platform's administrators.
    Platform,
}

/// Where a request names the thing it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    /// In its path: what is not there is 404, before anything else is said.
    Path,
    /// In its body: what is not there is a fault of the body, looked at after the caller's role.
    Body,
    /// In the body of a question: what is not there is 404.
    Question,
}

/// What the matrix is computed from, and nothing else: a line for each operation that is about somebody's thing.
const POLICY: &[(&str, &str, Named, May)] = {
    use May::{AboveTenant, Platform, Reach};
    use Named::{Body, Path, Question};
    &[
        ("GET", "/partners/{id}", Path, Reach),
        ("PATCH", "/partners/{id}", Path, Reach),
        ("DELETE", "/partners/{id}", Path, Platform),
        ("POST", "/tenants", Body, AboveTenant),
        ("GET", "/tenants/{id}", Path, Reach),
        ("PATCH", "/tenants/{id}", Path, Reach),
        ("DELETE", "/tenants/{id}", Path, AboveTenant),
        ("POST", "/tenants/{id}/status", Path, AboveTenant),
        ("GET", "/tenants/{id}/units", Path, Reach),
        ("POST", "/tenants/{id}/units", Path, Reach),
        ("GET", "/units/{id}", Path, Reach),
        ("PATCH", "/units/{id}", Path, Reach),
        ("DELETE", "/units/{id}", Path, Reach),
        ("GET", "/features/{key}", Path, Reach),
        ("PATCH", "/features/{key}", Path, Platform),
        ("DELETE", "/features/{key}", Path, Platform),
        ("GET", "/tenants/{id}/features", Path, Reach),
        ("PUT", "/tenants/{id}/features/{key}", Path, Platform),
        ("GET", "/units/{id}/features", Path, Reach),
        ("PUT", "/units/{id}/features/{key}", Path, Reach),
        ("POST", "/apis", Body, Reach),
        ("GET", "/apis/{id}", Path, Reach),
        ("PATCH", "/apis/{id}", Path, Reach),
        ("DELETE", "/apis/{id}", Path, Reach),
        ("POST", "/scopes", Body, Reach),
        ("GET", "/scopes/{name}", Path, Reach),
        ("PATCH", "/scopes/{name}", Path, Reach),
        ("DELETE", "/scopes/{name}", Path, Reach),
        ("POST", "/applications", Body, Reach),
        ("GET", "/applications/{id}", Path, Reach),
        ("PATCH", "/applications/{id}", Path, Reach),
        ("DELETE", "/applications/{id}", Path, Reach),
        ("GET", "/applications/{id}/allowed_scopes", Path, Reach),
        ("POST", "/applications/{id}/allowed_scopes", Path, Reach),
        ("DELETE", "/applications/{id}/allowed_scopes/{name}", Path, Reach),
        ("GET", "/applications/{id}/grantable-scopes", Path, Reach),
        ("GET", "/applications/{id}/secrets", Path, Reach),
        ("POST", "/applications/{id}/secrets", Path, Reach),
        ("DELETE", "/applications/{id}/secrets/{secret_id}", Path, Reach),
        ("POST", "/users", Body, Reach),
        ("GET", "/users/{id}", Path, Reach),
        ("PATCH", "/users/{id}", Path, Reach),
        ("DELETE", "/users/{id}", Path, Reach),
        ("GET", "/users/{id}/groups", Path, Reach),
        ("GET", "/users/{id}/credentials", Path, Reach),
        ("DELETE", "/users/{id}/credentials/{credential_id}", Path, Reach),
        ("PUT", "/users/{id}/password", Path, Reach),
        ("POST", "/users/{id}/invitation", Path, Reach),
        ("DELETE", "/users/{id}/invitation", Path, Reach),
        ("POST", "/groups", Body, Reach),
        ("GET", "/groups/{id}", Path, Reach),
        ("PATCH", "/groups/{id}", Path, Reach),
        ("DELETE", "/groups/{id}", Path, Reach),
        ("GET", "/groups/{id}/members", Path, Reach),
        ("PUT", "/groups/{id}/members/{member}", Path, Reach),
        ("DELETE", "/groups/{id}/members/{member}", Path, Reach),
        ("POST", "/explain", Question, Reach),
        ("POST", "/administrators", Body, Reach),
        ("GET", "/administrators/{id}", Path, Reach),
        ("DELETE", "/administrators/{id}", Path, Reach),
        ("GET", "/keys/{id}", Path, Reach),
        ("POST", "/keys/{id}/revoke", Path, Platform),
    ]
};

/// Operations that name nobody's thing: lists, which have tests of their own here, and what only the platform makes.
const UNNAMED: &[(&str, &str)] = &[
    ("GET", "/partners"),
    ("POST", "/partners"),
    ("GET", "/tenants"),
    ("GET", "/features"),
    ("POST", "/features"),
    ("GET", "/apis"),
    ("GET", "/scopes"),
    ("GET", "/scopes/recommended-sets"),
    ("GET", "/applications"),
    ("GET", "/users"),
    ("GET", "/groups"),
    ("GET", "/administrators"),
    ("GET", "/keys"),
    ("POST", "/keys/rotate"),
    ("GET", "/audit"),
];

const CALLERS: [Caller; 11] = [
    Caller::Administrator(Owner::Platform),
    Caller::Administrator(Owner::North),
    Caller::Administrator(Owner::South),
    Caller::Administrator(Owner::Oslo),
    Caller::Administrator(Owner::Bergen),
    Caller::Administrator(Owner::Lima),
    Caller::Administrator(Owner::Lone),
    Caller::ActingFor(Owner::Oslo),
    Caller::Auditor(Owner::Platform),
    Caller::Auditor(Owner::North),
    Caller::Auditor(Owner::Oslo),
];

#[test]
fn every_operation_stands_in_the_policy() {
    let lines = POLICY.iter().map(|(method, path, ..)| (*method, *path)).chain(UNNAMED.iter().copied());
    let known: BTreeSet<(String, String)> = lines.map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    let routes: BTreeSet<(String, String)> = table()
        .into_iter()
        .filter(|route| matches!(route.guard, Guard::Admin(_)))
        .map(|route| (route.method.to_string(), route.path.strip_prefix(ROOT).expect("below its root").to_owned()))
        .collect();
    assert_eq!(known, routes);
}

#[tokio::test]
async fn every_caller_reads_of_everybodys_things_what_the_policy_says_and_no_more() {
    assert!(hold_to_the_policy(|method| method == "GET").await > 500);
}

#[tokio::test]
async fn every_caller_adds_to_everybodys_things_what_the_policy_says_and_no_more() {
    assert!(hold_to_the_policy(|method| method == "POST").await > 500);
}

#[tokio::test]
async fn every_caller_changes_of_everybodys_things_what_the_policy_says_and_no_more() {
    assert!(hold_to_the_policy(|method| matches!(method, "PATCH" | "PUT" | "DELETE")).await > 500);
}

/// Every caller does every operation of some methods to every owner's thing. Answers how many that were.
async fn hold_to_the_policy(is_asked: impl Fn(&str) -> bool) -> u32 {
    let world = World::new().await;
    let writes = |method: &str, path: &str| {
        let is_it =
            |route: &&ambit_server::routes::Route| route.method == *method && route.path == format!("{ROOT}{path}");
        table().iter().find(is_it).is_some_and(|route| matches!(route.guard, Guard::Admin(needs) if needs.is_write()))
    };
    let mut cells = 0;
    for &(method, template, named, may) in POLICY.iter().filter(|(method, ..)| is_asked(method)) {
        let is_write = writes(method, template);
        let method: Method = method.parse().expect("a method");
        for owner in OWNERS {
            let Some(mut sample) = world.sample(&method, template, owner).await else { continue };
            for caller in CALLERS {
                let expected = expected(template, named, may, is_write, caller, owner);
                let answer = world.call(caller, method.clone(), &sample.path, sample.body.as_ref()).await;
                let at = format!("{method} {} of {owner:?} by {caller:?}: {}", sample.path, answer.text);
                cells += 1;
                match expected {
                    // 409: the thing itself stands against it, which only those are told who reach it.
                    Expected::LetIn => {
                        assert!(answer.status.is_success() || answer.status == 409, "{at}");
                        // What was made or taken away cannot be so twice.
                        if matches!(method, Method::POST | Method::DELETE) && is_write {
                            sample = world.sample(&method, template, owner).await.expect("another one");
                        }
                    }
                    Expected::Status(status) => assert_eq!(answer.status, status, "{at}"),
                }
                if expected == Expected::Status(404) && named == Named::Path {
                    same_as_nowhere(&world, caller, &method, &sample, &answer).await;
                }
                tells_of_nobody_else(&answer, caller, owner, &at);
            }
        }
    }
    cells
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    LetIn,
    Status(u16),
}

/// The whole policy, in the order in which it is asked.
fn expected(template: &str, named: Named, may: May, is_write: bool, caller: Caller, owner: Owner) -> Expected {
    let seat = caller.seat();
    let reaches = seat.is_above(owner);
    let sees = reaches || (is_shared(template) && owner.is_above(seat));
    let has_the_role = !is_write || caller.may_write();
    let stands_high_enough = match may {
        May::Reach => true,
        May::AboveTenant => !seat.is_tenant(),
        May::Platform => seat == Owner::Platform,
    };
    // An application's level is looked at before its owner is.
    let reaches_the_level = template != "/applications" || rank(seat) <= rank(owner);
    match named {
        Named::Path if !sees => Expected::Status(404),
        Named::Question if !reaches => Expected::Status(404),
        _ if !has_the_role => Expected::Status(403),
        _ if !stands_high_enough => Expected::Status(403),
        Named::Body if !reaches_the_level => Expected::Status(403),
        Named::Body if !sees => Expected::Status(422),
        _ if !reaches && is_write => Expected::Status(403),
        _ => Expected::LetIn,
    }
}

/// Features, APIs and scopes are seen from below as well.
fn is_shared(template: &str) -> bool {
    ["/features/", "/apis/", "/scopes"].iter().any(|noun| template.starts_with(noun))
}

fn rank(owner: Owner) -> u8 {
    match owner.level() {
        "platform" => 0,
        "partner" => 1,
        _ => 2,
    }
}

/// The answer is, octet for octet, the one for a thing that does not exist, but for the name of the thing and the trace.
async fn same_as_nowhere(world: &World, caller: Caller, method: &Method, sample: &Sample, answer: &Answer) {
    for (place, name) in sample.names.iter().enumerate() {
        // The last character of an identifier or name is changed: as long, as well-formed, and nobody's.
        let mut nobodys = name.clone();
        let last = nobodys.pop().expect("a name has characters");
        nobodys.push(if last == '0' { '1' } else { '0' });
        let mut names = sample.names.clone();
        names[place].clone_from(&nobodys);
        let path = sample.path.replacen(name, &nobodys, 1);
        let nowhere = world.call(caller, method.clone(), &path, sample.body.as_ref()).await;
        assert_eq!(nowhere.status, StatusCode::NOT_FOUND, "{path}");
        if place == 0 {
            assert_eq!(masked(answer, name), masked(&nowhere, &nobodys), "{method} {path} by {caller:?}");
        }
    }
}

fn masked(answer: &Answer, name: &str) -> (StatusCode, Vec<String>, String) {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "trace-id");
    let headers = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    let trace = answer.json["trace_id"].as_str().expect("a trace").to_owned();
    (answer.status, headers, answer.text.replace(name, "NAME").replace(&trace, "TRACE"))
}

/// No mark of anybody whose things do not exist for the caller, except the one that the request itself is about.
fn tells_of_nobody_else(answer: &Answer, caller: Caller, asked_about: Owner, at: &str) {
    let seat = caller.seat();
    for other in OWNERS {
        let is_known = seat.is_above(other) || other.is_above(seat) || other == asked_about;
        assert!(is_known || !answer.text.contains(&other.mark()), "of {other:?}: {at}");
    }
}

#[tokio::test]
async fn a_list_holds_what_is_within_reach_and_counts_nothing_else() {
    let world = World::new().await;
    for caller in CALLERS {
        let seat = caller.seat();
        for (path, is_shared, of) in [
            ("/partners", false, (|it| &it.own_id) as fn(&crate::world::Things) -> &String),
            ("/tenants", false, |it| &it.own_id),
            ("/apis", true, |it| &it.api),
            ("/scopes", true, |it| &it.scope),
            ("/applications", false, |it| &it.application),
            ("/users", false, |it| &it.user),
            ("/groups", false, |it| &it.group),
            ("/administrators", false, |it| &it.administrator),
        ] {
            let standing = |owner: Owner| {
                let is_there = match path {
                    "/partners" => matches!(owner, Owner::North | Owner::South),
                    "/tenants" => owner.is_tenant(),
                    _ => true,
                };
                is_there.then(|| of(&world.things[&owner]).clone())
            };
            let sees = |owner: Owner| seat.is_above(owner) || (is_shared && owner.is_above(seat));
            let visible: BTreeSet<String> = OWNERS.into_iter().filter(|it| sees(*it)).filter_map(standing).collect();
            let all: BTreeSet<String> = OWNERS.into_iter().filter_map(standing).collect();
            let at = format!("{path} by {caller:?}");

            let whole = world.call(caller, Method::GET, &format!("{path}?limit=200"), None).await;
            assert_eq!(whole.status, StatusCode::OK, "{at}: {}", whole.text);
            tells_of_nobody_else(&whole, caller, seat, &at);
            let listed = ids(&whole.json);
            let known: BTreeSet<String> = listed.iter().filter(|id| all.contains(*id)).cloned().collect();
            assert_eq!(known, visible, "{at}");
            assert_eq!(whole.json["total"], listed.len(), "{at}");
            assert_eq!(whole.json["cursor"], Value::Null);

            // Page by page the same, each thing once.
            let mut paged = vec![];
            let mut cursor = String::new();
            loop {
                let page = world.call(caller, Method::GET, &format!("{path}?limit=3&cursor={cursor}"), None).await;
                assert_eq!(page.status, StatusCode::OK, "{at}: {}", page.text);
                tells_of_nobody_else(&page, caller, seat, &at);
                paged.extend(ids(&page.json));
                match page.json["cursor"].as_str() {
                    Some(next) => next.clone_into(&mut cursor),
                    None => break,
                }
            }
            assert_eq!(paged, listed, "{at}");
        }
    }
}

#[tokio::test]
async fn a_filter_finds_nothing_of_others_whatever_it_names() {
    let world = World::new().await;
    let caller = Caller::Administrator(Owner::Oslo);
    let (lima, south) = (&world.things[&Owner::Lima].own_id, &world.things[&Owner::South].own_id);
    let nobody = "tnt_01h455vb4pex5vsknk084sn02q";
    for path in ["/tenants", "/applications", "/users", "/groups", "/administrators"] {
        for filter in [format!("tenant_id={lima}"), format!("tenant_id={nobody}"), format!("partner_id={south}")] {
            let found = world.call(caller, Method::GET, &format!("{path}?{filter}"), None).await;
            assert_eq!(found.json, json!({"items": [], "cursor": null, "total": 0}), "{path}?{filter}");
        }
        for text in [Owner::Lima.mark(), Owner::Bergen.mark(), "%".to_owned(), "_".to_owned()] {
            let found = world.call(caller, Method::GET, &format!("{path}?q={text}"), None).await;
            assert_eq!(found.json["items"], json!([]), "{path}?q={text}: {}", found.text);
        }
    }
    // The API of another is as unknown as one that does not exist.
    let api = |name: &str| format!("/scopes?api={name}");
    let foreign = world.call(caller, Method::GET, &api(&world.things[&Owner::Lima].api), None).await;
    let absent = world.call(caller, Method::GET, &api("api_01h455vb4pex5vsknk084sn02q"), None).await;
    assert_eq!((foreign.status, absent.status), (StatusCode::UNPROCESSABLE_ENTITY, StatusCode::UNPROCESSABLE_ENTITY));
    assert_eq!(foreign.json["errors"][0]["pointer"], "?api");
}

#[tokio::test]
async fn the_history_is_of_what_the_caller_reaches_and_of_nothing_that_is_only_shared_with_it() {
    let world = World::new().await;
    for caller in CALLERS {
        let trail = world.call(caller, Method::GET, "/audit?limit=200", None).await;
        assert_eq!(trail.status, StatusCode::OK, "{}", trail.text);
        let changes = trail.json["items"].as_array().expect("changes");
        assert!(!changes.is_empty());
        let seat = caller.seat();
        for change in changes {
            let owner = OWNERS.into_iter().rev().find(|owner| {
                let own = &world.things[owner].own_id;
                !own.is_empty()
                    && (change["tenant_id"] == **own
                        || (change["tenant_id"].is_null() && change["partner_id"] == **own))
            });
            assert!(seat.is_above(owner.unwrap_or(Owner::Platform)), "{caller:?}: {change}");
        }
        tells_of_nobody_else(&trail, caller, seat, "/audit");
        // Nor by asking for one thing outright.
        for owner in OWNERS.into_iter().filter(|owner| !seat.is_above(*owner)) {
            let path = format!("/audit?resource_id={}", world.things[&owner].application);
            let found = world.call(caller, Method::GET, &path, None).await;
            assert_eq!(found.json, json!({"items": [], "cursor": null, "total": 0}), "{caller:?} {owner:?}");
        }
    }
}

#[tokio::test]
async fn an_application_is_decided_about_alike_by_its_identifier_and_by_its_client_id() {
    let world = World::new().await;
    for caller in CALLERS {
        for owner in OWNERS {
            let things = &world.things[&owner];
            for rest in ["", "/allowed_scopes", "/grantable-scopes", "/secrets"] {
                let by_id = format!("/applications/{}{rest}", things.application);
                let by_name = format!("/applications/{}{rest}", things.client_id);
                let by_id = world.call(caller, Method::GET, &by_id, None).await;
                let by_name = world.call(caller, Method::GET, &by_name, None).await;
                assert_eq!(by_id.status, by_name.status, "{caller:?} {owner:?} {rest}");
                if by_id.status == StatusCode::OK {
                    assert_eq!(by_id.json, by_name.json);
                }
            }
        }
    }
}

#[tokio::test]
async fn an_identifier_in_the_path_and_another_in_the_body_do_not_make_one_request_about_both() {
    let world = World::new().await;
    let caller = Caller::Administrator(Owner::Oslo);
    let (oslo, lima) = (&world.things[&Owner::Oslo], &world.things[&Owner::Lima]);
    let unit = format!("/units/{}", oslo.unit);
    let application = format!("/applications/{}", oslo.application);
    for (method, path, body, pointer) in [
        (Method::PATCH, &unit, json!({"tenant_id": lima.own_id}), "/tenant_id"),
        (Method::PATCH, &unit, json!({"id": lima.unit}), "/id"),
        (Method::PATCH, &unit, json!({"parent_id": lima.unit}), "/parent_id"),
        (Method::PATCH, &application, json!({"tenant_id": lima.own_id}), "/tenant_id"),
        (Method::PATCH, &application, json!({"client_id": lima.client_id}), "/client_id"),
        (Method::PATCH, &application, json!({"allowed_scopes": [lima.scope]}), "/allowed_scopes/0"),
    ] {
        let answer = world.call(caller, method, path, Some(&body)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{}", answer.text);
    }
    // A secret of one application at the path of another, both within reach.
    let other = world.application(Owner::Oslo, "other-of-oslo", &[]).await;
    let path = format!("/applications/{}/secrets/{}", other["id"].as_str().expect("an id"), oslo.secret);
    assert_eq!(world.call(caller, Method::DELETE, &path, None).await.status, StatusCode::NOT_FOUND);
    // A header that names another tenant names nothing.
    for (name, value) in [("x-tenant-id", &lima.own_id), ("tenant", &lima.own_id)] {
        let request = Request::get(format!("{ROOT}/tenants/{}", lima.own_id))
            .header(header::AUTHORIZATION, format!("Bearer {}", world.token(caller)))
            .header(name, value)
            .body(Body::empty());
        assert_eq!(world.fixture.send(request.expect("a request")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_shared_api_does_not_tell_whose_applications_serve_it() {
    let world = World::new().await;
    let things = &world.things[&Owner::Platform];
    let servers = json!({"resource_servers": [things.client_id, world.things[&Owner::Lima].client_id]});
    let path = format!("/apis/{}", things.api);
    world.made(Method::PATCH, &path, &servers).await;
    let whole = world.call(Caller::Auditor(Owner::Platform), Method::GET, &path, None).await;
    assert_eq!(whole.json["resource_servers"], servers["resource_servers"]);
    for caller in [Caller::Administrator(Owner::Oslo), Caller::Administrator(Owner::North)] {
        for path in [path.as_str(), "/apis?limit=200"] {
            let seen = world.call(caller, Method::GET, path, None).await;
            assert_eq!(seen.status, StatusCode::OK);
            assert!(!seen.text.contains(&world.things[&Owner::Lima].client_id), "{caller:?} {path}: {}", seen.text);
            assert!(!seen.text.contains(&things.client_id), "{caller:?} {path}: {}", seen.text);
        }
    }
}

#[tokio::test]
async fn what_was_issued_to_others_cannot_be_told_from_what_was_not_issued() {
    let world = World::new().await;
    let client = ("app-of-lima-only", world.secret_of(Owner::Lima).await);
    let token = world.token_of(Owner::Lima, client.0, &client.1, &[]).await;
    let jti = crate::support::claims(&token)["jti"].as_str().expect("a jti").to_owned();
    let issuer = "/tenants/lima/connect/token";
    let refused = world.fixture.token(issuer, (client.0, &client.1), &[("scope", "none")]).await;
    let trace = refused.json["trace_id"].as_str().expect("a trace").to_owned();
    let ask = async |caller: Caller, name: &str, value: &str| {
        let question = json!({"question": "token", name: value});
        world.call(caller, Method::POST, "/explain", Some(&question)).await
    };
    let other = |value: &str| {
        let mut other = value.to_owned();
        let last = other.pop();
        other.push(if last == Some('0') { '1' } else { '0' });
        other
    };
    for (name, value) in [("jti", &jti), ("trace_id", &trace)] {
        assert_eq!(ask(Caller::Administrator(Owner::South), name, value).await.status, StatusCode::OK);
        for caller in [Caller::Administrator(Owner::Oslo), Caller::Administrator(Owner::North)] {
            let foreign = ask(caller, name, value).await;
            let absent = ask(caller, name, &other(value)).await;
            assert_eq!(foreign.status, StatusCode::NOT_FOUND);
            assert_eq!(masked(&foreign, value), masked(&absent, value), "{name} by {caller:?}");
        }
    }
    // A tenant out of reach, named in a question, reads as one that does not exist.
    let north = Caller::Administrator(Owner::North);
    let about = |tenant: &str| json!({"question": "request", "application": world.things[&Owner::North].application, "tenant": tenant});
    let foreign = world.call(north, Method::POST, "/explain", Some(&about("lima"))).await;
    let absent = world.call(north, Method::POST, "/explain", Some(&about("limb"))).await;
    assert_eq!(foreign.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", foreign.text);
    assert_eq!(masked(&foreign, "lima"), masked(&absent, "limb"));
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("no list: {page}"));
    items.iter().map(|item| item["id"].as_str().or(item["name"].as_str()).expect("a name").to_owned()).collect()
}
