//! Secrets of applications: two at most, shown once, replaced without a gap.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::support::{Fixture, JSON};
use crate::world::{Caller, Owner, World};

async fn till(fixture: &Fixture) -> String {
    let body = json!({"name": "Till", "client_id": "till", "type": "service", "level": "platform",
        "allowed_scopes": ["scopes:read"]});
    let made = fixture.made(Method::POST, "/applications", &body).await;
    made["client_secret"].as_str().expect("shown once").to_owned()
}

async fn works(fixture: &Fixture, secret: &str) -> bool {
    fixture.token("/connect/token", ("till", secret), &[]).await.status == StatusCode::OK
}

async fn make(fixture: &Fixture, body: Value) -> (String, String) {
    let made = fixture.made(Method::POST, "/applications/till/secrets", &body).await;
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    (text("id"), text("client_secret"))
}

#[tokio::test]
async fn a_secret_is_replaced_with_an_overlap_and_without_a_gap() {
    let fixture = Fixture::new().await;
    let first = till(&fixture).await;
    let (_, second) = make(&fixture, json!({"overlap_secs": 60})).await;
    assert_ne!(first, second);
    fixture.clock.advance_secs(59);
    assert!(works(&fixture, &first).await && works(&fixture, &second).await);
    fixture.clock.advance_secs(1);
    assert!(!works(&fixture, &first).await && works(&fixture, &second).await);
    // What has ended takes no place: there is room for the next one.
    let (_, third) = make(&fixture, json!({})).await;
    assert!(works(&fixture, &second).await && works(&fixture, &third).await);
}

#[tokio::test]
async fn a_third_live_secret_is_refused_unless_it_replaces_the_others() {
    let fixture = Fixture::new().await;
    let first = till(&fixture).await;
    let (second_id, second) = make(&fixture, json!({})).await;
    let root = fixture.root().await;
    for body in [json!({}), json!({"overlap_secs": 60})] {
        let refused = fixture.admin(&root, Method::POST, "/applications/till/secrets", Some(&body)).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
        assert_eq!(refused.json["type"], "https://as.example/errors/api/secrets");
        assert!(refused.json.get("client_secret").is_none());
    }
    // A refused rotation has not shortened anybody's life either.
    fixture.clock.advance_secs(120);
    assert!(works(&fixture, &first).await && works(&fixture, &second).await);

    let (third_id, third) = make(&fixture, json!({"overlap_secs": 0})).await;
    assert!(!works(&fixture, &first).await && !works(&fixture, &second).await && works(&fixture, &third).await);
    let listed = fixture.admin(&root, Method::GET, "/applications/till/secrets", None).await;
    assert_eq!(listed.json["total"], 1);
    let gone = format!("/applications/till/secrets/{second_id}");
    assert_eq!(fixture.admin(&root, Method::DELETE, &gone, None).await.status, StatusCode::NOT_FOUND);

    // The last one goes only if that is said.
    let last = format!("/applications/till/secrets/{third_id}");
    assert_eq!(fixture.admin(&root, Method::DELETE, &last, None).await.status, StatusCode::CONFLICT);
    let no = fixture.admin(&root, Method::DELETE, &format!("{last}?last=false"), None).await;
    assert_eq!(no.status, StatusCode::CONFLICT);
    let unclear = fixture.admin(&root, Method::DELETE, &format!("{last}?last=yes"), None).await;
    assert_eq!(unclear.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(works(&fixture, &third).await);
    let yes = fixture.admin(&root, Method::DELETE, &format!("{last}?last=true"), None).await;
    assert_eq!(yes.status, StatusCode::NO_CONTENT);
    assert!(!works(&fixture, &third).await);
}

#[tokio::test]
async fn a_secret_lives_until_the_moment_it_was_given() {
    let fixture = Fixture::new().await;
    till(&fixture).await;
    let (_, short) = make(&fixture, json!({"expires_at": "2027-01-15T08:01:00Z"})).await;
    fixture.clock.advance_secs(59);
    assert!(works(&fixture, &short).await);
    fixture.clock.advance_secs(1);
    assert!(!works(&fixture, &short).await);
    let root = fixture.root().await;
    let past = json!({"expires_at": "2027-01-15T08:01:00Z"});
    let refused = fixture.admin(&root, Method::POST, "/applications/till/secrets", Some(&past)).await;
    assert_eq!(refused.json["errors"], json!([{"pointer": "/expires_at", "message": "must be in the future"}]));
}

#[tokio::test]
async fn a_type_that_keeps_no_secret_gets_none() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    for kind in ["spa", "native"] {
        let body = json!({"name": kind, "client_id": kind, "type": kind, "level": "platform"});
        let made = fixture.made(Method::POST, "/applications", &body).await;
        assert!(made.get("client_secret").is_none(), "{made}");
        let path = format!("/applications/{kind}/secrets");
        let refused = fixture.admin(&root, Method::POST, &path, Some(&json!({}))).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    }
}

#[tokio::test]
async fn a_secret_is_in_the_answer_that_made_it_and_in_no_other() {
    let world = World::new().await;
    let (fixture, root) = (&world.fixture, &world.root);
    let keyed = [JSON, ("idempotency-key", "k")];
    let body = json!({"name": "Till", "client_id": "till", "type": "service", "level": "platform",
        "allowed_scopes": ["scopes:read"]});
    let made = fixture.admin_with(root, Method::POST, "/applications", &keyed, body.to_string()).await;
    let first = made.json["client_secret"].as_str().expect("shown once").to_owned();
    let (secret_id, second) = make(fixture, json!({})).await;
    fixture.made(Method::PATCH, "/applications/till", &json!({"name": "Till 2"})).await;
    let token = fixture.token("/connect/token", ("till", &first), &[]).await.access_token();

    let mut paths: Vec<String> = ambit_server::routes::table()
        .iter()
        .filter(|route| route.method == Method::GET)
        .map(|route| route.path.replace("{id}", "till").replace("{slug}", "oslo").replace("{name}", "scopes:read"))
        .collect();
    paths.extend([
        "/api/v1/admin/audit?limit=200".to_owned(),
        "/api/v1/admin/audit?resource=secret&limit=200".to_owned(),
        format!("/api/v1/admin/audit?resource_id={secret_id}"),
        "/api/v1/admin/applications?q=till".to_owned(),
    ]);
    let mut answers = vec![];
    for path in &paths {
        let request = Request::get(path).header("authorization", format!("Bearer {root}")).body(Body::empty());
        answers.push((path.clone(), fixture.send(request.expect("a request")).await));
    }
    let keys = fixture.admin(root, Method::GET, "/keys", None).await;
    let whole = keys.text.clone();
    for member in ["\"d\":", "\"p\":", "\"q\":", "\"dp\":", "\"dq\":", "\"qi\":", "\"k\":"] {
        assert!(!whole.contains(member), "the private half of a key: {member}");
    }
    for question in [
        json!({"question": "request", "application": "till"}),
        json!({"question": "token", "token": token}),
        json!({"question": "denial", "token": token, "endpoint": "GET /api/v1/admin/keys"}),
    ] {
        answers.push((question.to_string(), fixture.admin(root, Method::POST, "/explain", Some(&question)).await));
    }
    // Refusals, and a replay that is another caller's to ask for.
    for headers in [&keyed[..], &[JSON]] {
        let other = world.token(Caller::Administrator(Owner::North));
        let answer = fixture.admin_with(other, Method::POST, "/applications", headers, body.to_string()).await;
        answers.push(("another caller's replay".to_owned(), answer));
    }
    let again = fixture.admin(root, Method::POST, "/applications", Some(&body)).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    answers.push(("taken".to_owned(), again));
    assert!(answers.iter().filter(|(_, answer)| answer.status == StatusCode::OK).count() > 40);
    for (path, answer) in answers {
        for secret in [&first, &second] {
            assert!(!answer.text.contains(secret.as_str()), "{path}: {}", answer.text);
            assert!(!format!("{:?}", answer.headers).contains(secret.as_str()), "{path}");
        }
    }
}
