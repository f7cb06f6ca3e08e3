//! `If-Match`, `If-None-Match` and `Idempotency-Key`: nobody overwrites what they have not seen, and nothing happens twice.

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{Answer, Fixture, JSON};
use crate::world::{Caller, Owner, World};

async fn patch(fixture: &Fixture, token: &str, path: &str, if_match: &str, body: &Value) -> Answer {
    let headers = [JSON, ("if-match", if_match)];
    fixture.admin_with(token, Method::PATCH, path, &headers, body.to_string()).await
}

#[tokio::test]
async fn of_two_who_change_what_they_read_the_second_is_told_so() {
    let world = World::new().await;
    let (fixture, root) = (&world.fixture, &world.root);
    for template in [
        "/partners/{id}",
        "/tenants/{id}",
        "/units/{id}",
        "/features/{key}",
        "/apis/{id}",
        "/scopes/{name}",
        "/applications/{id}",
    ] {
        for owner in [Owner::Oslo, Owner::North, Owner::Platform] {
            let Some(sample) = world.sample(&Method::PATCH, template, owner).await else { continue };
            let path = &sample.path;
            let read = fixture.admin(root, Method::GET, path, None).await.header(header::ETAG).to_owned();
            let body = |n: u32| match template {
                "/features/{key}" | "/scopes/{name}" => json!({"title": format!("{n}")}),
                _ => json!({"name": format!("{n}")}),
            };
            let first = patch(fixture, root, path, &read, &body(1)).await;
            assert_eq!(first.status, StatusCode::OK, "{path}: {}", first.text);
            assert_ne!(first.header(header::ETAG), read);
            let second = patch(fixture, root, path, &read, &body(2)).await;
            assert_eq!(second.status, StatusCode::PRECONDITION_FAILED, "{path}: {}", second.text);
            assert!(second.text.contains(&first.header(header::ETAG).replace('"', "\\\"")), "{}", second.text);
            let now = fixture.admin(root, Method::GET, path, None).await;
            assert_eq!(now.json, first.json, "the second change changed nothing");

            let current = now.header(header::ETAG).to_owned();
            // RFC 9110 §13.1.1: "a recipient MUST use the strong comparison function"; a weak tag never matches.
            for other in [format!("W/{current}"), "\"0\"".to_owned(), "nonsense".to_owned(), String::new()] {
                let answer = patch(fixture, root, path, &other, &body(3)).await;
                assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED, "{path} {other}: {}", answer.text);
                let headers = [("if-match", other.as_str())];
                let answer = fixture.admin_with(root, Method::DELETE, path, &headers, "").await;
                assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED, "{path} {other}: {}", answer.text);
            }
            for good in ["*".to_owned(), format!("\"0\", {current}")] {
                let answer = patch(fixture, root, path, &good, &json!({})).await;
                assert_eq!(answer.status, StatusCode::OK, "{path} {good}: {}", answer.text);
            }
        }
    }
    // `*` asks for anything that is there; what is not there is not there.
    let absent = patch(fixture, root, "/units/unt_01h455vb4pex5vsknk084sn02q", "*", &json!({})).await;
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
    // Another's thing is not there either, whatever its tag.
    let foreign = format!("/units/{}", world.things[&Owner::Lima].unit);
    let oslo = world.token(Caller::Administrator(Owner::Oslo));
    assert_eq!(patch(fixture, oslo, &foreign, "\"0\"", &json!({})).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_protection_that_cannot_be_given_is_refused_and_not_ignored() {
    let world = World::new().await;
    for (method, path, body) in [
        (Method::POST, "/features".to_owned(), json!({"key": "k", "title": "K"})),
        (Method::POST, "/keys/rotate".to_owned(), json!({"force": true})),
    ] {
        let headers = [JSON, ("if-match", "*")];
        let answer = world.fixture.admin_with(&world.root, method, &path, &headers, body.to_string()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], "If-Match");
    }
    assert_eq!(world.fixture.admin(&world.root, Method::GET, "/features/k", None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_allowed_scopes_of_an_application_are_guarded_like_the_application() {
    let world = World::new().await;
    let (fixture, root) = (&world.fixture, &world.root);
    let application = format!("/applications/{}", world.things[&Owner::Oslo].application);
    let read = fixture.admin(root, Method::GET, &application, None).await.header(header::ETAG).to_owned();
    let list = format!("{application}/allowed_scopes");
    let name = &world.things[&Owner::Oslo].scope;
    let headers = [JSON, ("if-match", read.as_str())];
    let body = json!({"scope": "admin:read"}).to_string();
    let added = fixture.admin_with(root, Method::POST, &list, &headers, body.clone()).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    let late = fixture.admin_with(root, Method::POST, &list, &headers, body.clone()).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    let late = fixture.admin_with(root, Method::DELETE, &format!("{list}/{name}"), &headers, "").await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    // Adding what is there adds nothing, and says so.
    let again = fixture.admin_with(root, Method::POST, &list, &[JSON], body).await;
    assert_eq!((again.status, again.header(header::ETAG)), (StatusCode::OK, added.header(header::ETAG)));
}

#[tokio::test]
async fn who_has_a_thing_already_is_not_sent_it_again() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    let get = async |tag: &str| {
        fixture.admin_with(&root, Method::GET, "/applications/root", &[("if-none-match", tag)], "").await
    };
    let tag = get("\"0\"").await.header(header::ETAG).to_owned();
    // RFC 9110 §13.1.2: "a recipient MUST use the weak comparison function".
    for known in [tag.clone(), format!("W/{tag}"), format!("\"0\", {tag}"), "*".to_owned()] {
        let answer = get(&known).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NOT_MODIFIED, ""), "{known}");
        assert_eq!(answer.header(header::ETAG), tag);
    }
    assert_eq!(get("\"0\"").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_request_with_a_key_takes_effect_once_and_is_answered_alike() {
    let world = World::new().await;
    let (fixture, root) = (&world.fixture, &world.root);
    let till = json!({"name": "Till", "type": "device", "level": "platform"}).to_string();
    let send = async |token: &str, key: &str, body: &str| {
        let headers = [JSON, ("idempotency-key", key)];
        fixture.admin_with(token, Method::POST, "/applications", &headers, body.to_owned()).await
    };
    let first = send(root, "one", &till).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    assert!(first.headers.get("idempotent-replayed").is_none());
    let secret = first.json["client_secret"].as_str().expect("shown in this answer").to_owned();
    let again = send(root, "one", &till).await;
    assert_eq!((again.status, &again.text), (StatusCode::CREATED, &first.text));
    assert_eq!(again.header("idempotent-replayed"), "true");
    for name in [header::ETAG, header::LOCATION, header::CONTENT_TYPE, header::CACHE_CONTROL] {
        assert_eq!(again.header(&name), first.header(&name), "{name}");
    }
    let listed = fixture.admin(root, Method::GET, "/applications?q=client_", None).await;
    assert_eq!(listed.json["items"].as_array().map(Vec::len), Some(1), "{}", listed.text);

    // The same key with anything else is a mistake.
    let other = json!({"name": "Other", "type": "device", "level": "platform"}).to_string();
    let headers = [JSON, ("idempotency-key", "one")];
    for refused in [
        send(root, "one", &other).await,
        fixture.admin_with(root, Method::POST, "/features", &headers, till.clone()).await,
        fixture
            .admin_with(root, Method::POST, "/features", &headers, json!({"key": "k", "title": "K"}).to_string())
            .await,
        fixture.admin_with(root, Method::POST, "/applications?x=1", &headers, till.clone()).await,
        // The same application, with a token that reaches less far.
        send(world.token(Caller::ActingFor(Owner::Oslo)), "one", &till).await,
    ] {
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
        assert!(!refused.text.contains(&secret));
    }
    // Another caller's key is another key.
    let north = world.token(Caller::Administrator(Owner::North));
    let theirs = json!({"name": "Till", "type": "device", "level": "partner"}).to_string();
    let theirs = send(north, "one", &theirs).await;
    assert_eq!(theirs.status, StatusCode::CREATED, "{}", theirs.text);
    assert!(theirs.headers.get("idempotent-replayed").is_none());
    assert_ne!(theirs.json["client_secret"], first.json["client_secret"]);

    // What is kept for a replay is not kept in the clear.
    let actor = format!("client:{}", crate::support::ROOT);
    let saved = world.fixture.store.find_answer(&actor, "one").await.expect("the store").expect("an answer");
    assert!(!saved.sealed.windows(secret.len()).any(|window| window == secret.as_bytes()));

    // After a day the key is forgotten.
    fixture.clock.advance_secs(86_400);
    let fresh = fixture.root().await;
    let later = send(&fresh, "one", &till).await;
    assert_eq!(later.status, StatusCode::CREATED, "{}", later.text);
    assert_ne!(later.json["id"], first.json["id"]);
}

#[tokio::test]
async fn what_was_refused_may_be_sent_again_with_the_same_key() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    let headers = [JSON, ("idempotency-key", "k")];
    let tenant = async |slug: &str| {
        let body = json!({"name": "A", "slug": slug}).to_string();
        fixture.admin_with(&root, Method::POST, "/tenants", &headers, body).await
    };
    fixture.made(Method::POST, "/tenants", &json!({"name": "A", "slug": "a"})).await;
    assert_eq!(tenant("a").await.status, StatusCode::CONFLICT);
    assert_eq!(tenant("b").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    let body = json!({"key": "k", "title": "K"}).to_string();
    let long = "x".repeat(256);
    for headers in [
        vec![JSON, ("idempotency-key", "")],
        vec![JSON, ("idempotency-key", "a b")],
        vec![JSON, ("idempotency-key", &long)],
        vec![JSON, ("idempotency-key", "a"), ("idempotency-key", "a")],
    ] {
        let answer = fixture.admin_with(&root, Method::POST, "/features", &headers, body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], "idempotency-key");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_are_sent_at_once_with_one_key_one_takes_effect() {
    let fixture = std::sync::Arc::new(Fixture::new().await);
    let root = fixture.root().await;
    let mut sent = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (fixture, root) = (fixture.clone(), root.clone());
        sent.spawn(async move {
            let headers = [JSON, ("idempotency-key", "k")];
            let body = json!({"name": "Till", "type": "device", "level": "platform"}).to_string();
            fixture.admin_with(&root, Method::POST, "/applications", &headers, body).await
        });
    }
    let answers = sent.join_all().await;
    let fresh = answers.iter().filter(|answer| answer.headers.get("idempotent-replayed").is_none()).count();
    assert_eq!(fresh, 1);
    assert!(answers.iter().all(|answer| answer.status == StatusCode::CREATED && answer.text == answers[0].text));
    let listed = fixture.admin(&root, Method::GET, "/applications", None).await;
    assert_eq!(listed.json["total"], 3, "the administrator's, the command line and one more: {}", listed.text);
}
