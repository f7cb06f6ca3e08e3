//! `/audit`: who changed what, and when.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Fixture;

async fn trail(fixture: &Fixture, query: &str) -> Vec<Value> {
    let root = fixture.root().await;
    let answer = fixture.admin(&root, Method::GET, &format!("/audit?{query}"), None).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
    answer.json["items"].as_array().expect("changes").clone()
}

#[tokio::test]
async fn a_change_is_in_the_trail_with_what_was_and_what_is_and_a_refused_one_is_not() {
    let fixture = Fixture::new().await;
    let body = json!({"name": "Acme", "slug": "acme"});
    let made = fixture.made(Method::POST, "/tenants", &body).await;
    let id = made["id"].as_str().expect("an id");
    let path = format!("/tenants/{id}");
    let root = fixture.root().await;
    let renamed = fixture.admin(&root, Method::PATCH, &path, Some(&json!({"name": "Acme 2"}))).await;
    let refused = fixture.admin(&root, Method::POST, "/tenants", Some(&body)).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(fixture.admin(&root, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);

    let changes = trail(&fixture, "resource=tenant").await;
    let actions: Vec<&Value> = changes.iter().map(|change| &change["action"]).collect();
    assert_eq!(actions, ["delete", "update", "create"]);
    let [deleted, updated, created] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((&created["before"], &created["after"]), (&Value::Null, &made));
    assert_eq!((&updated["before"], &updated["after"]), (&made, &renamed.json));
    assert_eq!((&deleted["before"], &deleted["after"]), (&renamed.json, &Value::Null));
    for change in &changes {
        assert_eq!(change["actor"], "client:root");
        assert_eq!(change["resource_id"], id);
        assert_eq!(change["at"], "2027-01-15T08:00:00Z");
    }
    // The answer, the log and the trail have the trace in common.
    assert_eq!(updated["trace_id"], renamed.header("trace-id"));
}

#[tokio::test]
async fn each_filter_keeps_what_it_names_and_nothing_else() {
    let fixture = Fixture::new().await;
    fixture.clock.advance_secs(60);
    let body = json!({"name": "N", "client_id": "nightly", "type": "service", "level": "platform",
        "allowed_scopes": ["admin:write"]});
    let made = fixture.made(Method::POST, "/applications", &body).await;
    let secret = made["client_secret"].as_str().expect("shown once");
    let nightly = fixture.token("/connect/token", ("nightly", secret), &[]).await.access_token();
    fixture.clock.advance_secs(60);
    let body = json!({"key": "k", "title": "K"});
    assert_eq!(fixture.admin(&nightly, Method::POST, "/features", Some(&body)).await.status, StatusCode::CREATED);
    fixture.clock.advance_secs(60);
    fixture.made(Method::PATCH, "/features/k", &json!({"title": "K 2"})).await;

    let all = trail(&fixture, "limit=200").await;
    let revisions: Vec<u64> = all.iter().map(|change| change["revision"].as_u64().expect("a number")).collect();
    assert!(revisions.is_sorted_by(|newer, older| newer >= older), "newest first: {revisions:?}");
    let id = made["id"].as_str().expect("an id");
    for (query, keeps) in [
        ("actor=client:nightly".to_owned(), (|it: &Value| it["actor"] == "client:nightly") as fn(&Value) -> bool),
        ("actor=system".to_owned(), |it| it["actor"] == "system"),
        ("resource=feature".to_owned(), |it| it["resource"] == "feature"),
        ("action=update".to_owned(), |it| it["action"] == "update"),
        (format!("resource_id={id}"), |it| it["after"]["client_id"] == "nightly"),
        ("resource=feature&action=create".to_owned(), |it| it["resource"] == "feature" && it["action"] == "create"),
        // At this moment or later, and before that one.
        ("since=2027-01-15T08:02:00Z".to_owned(), |it| it["at"].as_str() >= Some("2027-01-15T08:02:00Z")),
        ("until=2027-01-15T08:02:00Z".to_owned(), |it| it["at"].as_str() < Some("2027-01-15T08:02:00Z")),
        ("since=2027-01-15T08:01:00Z&until=2027-01-15T08:02:00Z".to_owned(), |it| it["at"] == "2027-01-15T08:01:00Z"),
    ] {
        let found = trail(&fixture, &format!("limit=200&{query}")).await;
        let expected: Vec<Value> = all.iter().filter(|change| keeps(change)).cloned().collect();
        assert!(!expected.is_empty(), "{query}");
        assert_eq!(found, expected, "{query}");
    }
    assert_eq!(trail(&fixture, "actor=client:nobody").await, Vec::<Value>::new());

    // Page by page: the same, each once, and what happens meanwhile does not come in between.
    let root = fixture.root().await;
    let mut paged: Vec<Value> = vec![];
    let mut cursor = String::new();
    loop {
        let path = format!("/audit?limit=7&cursor={cursor}");
        let page = fixture.admin(&root, Method::GET, &path, None).await;
        paged.extend(page.json["items"].as_array().expect("changes").clone());
        fixture.made(Method::PATCH, "/features/k", &json!({"title": format!("K {}", paged.len())})).await;
        match page.json["cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(paged, all);

    for (query, pointer) in [
        ("since=yesterday", "?since"),
        ("action=drop", "?action"),
        ("resource=table", "?resource"),
        ("until=2027-13-01T00:00:00Z", "?until"),
    ] {
        let answer = fixture.admin(&root, Method::GET, &format!("/audit?{query}"), None).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn both_of_two_who_change_the_same_thing_are_in_the_trail() {
    let fixture = Fixture::new().await;
    fixture.made(Method::POST, "/features", &json!({"key": "k", "title": "0"})).await;
    for n in ["1", "2"] {
        fixture.made(Method::PATCH, "/features/k", &json!({"title": n})).await;
    }
    let changes = trail(&fixture, "resource=feature&action=update").await;
    let titles: Vec<(&Value, &Value)> =
        changes.iter().map(|it| (&it["before"]["title"]["en"], &it["after"]["title"]["en"])).collect();
    assert_eq!(titles, [(&json!("1"), &json!("2")), (&json!("0"), &json!("1"))]);
}
