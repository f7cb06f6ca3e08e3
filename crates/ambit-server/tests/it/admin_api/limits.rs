//! Limits of the registry, exact: one less, the limit, one more; each refusal names its limit (scopes.md §11).

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Fixture};
use crate::world::id;

// The least that the two may be set to: the server's own bundles and applications must fit.
const FILE: &str = "[limits]\ncatalogue_scopes = 100\nbundle_members = 16\nallowed_scopes = 16\n";

async fn api(fixture: &Fixture) -> String {
    let body = json!({"identifier": "https://pos.example", "name": "POS"});
    id(&fixture.made(Method::POST, "/apis", &body).await)
}

async fn scope(fixture: &Fixture, api: &str, name: &str, includes: &[String]) -> Answer {
    let kind = if includes.is_empty() { "granular" } else { "coarse" };
    let body =
        json!({"name": name, "api": api, "kind": kind, "title": name, "description": name, "includes": includes});
    fixture.admin(&fixture.root().await, Method::POST, "/scopes", Some(&body)).await
}

fn names(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("s{n}")).collect()
}

#[tokio::test]
async fn a_bundle_an_application_and_the_catalogue_hold_so_many_scopes() {
    let fixture = Fixture::with(FILE).await;
    let root = fixture.root().await;
    let api = api(&fixture).await;
    for name in names(17) {
        assert_eq!(scope(&fixture, &api, &name, &[]).await.status, StatusCode::CREATED);
    }
    for (n, status) in [(15, 201), (16, 201), (17, 422)] {
        let answer = scope(&fixture, &api, &format!("bundle{n}"), &names(n)).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(status == 201 || answer.text.contains("bundle_members allows 16"), "{}", answer.text);
    }
    let body = json!({"name": "A", "client_id": "a", "type": "service", "level": "platform"});
    fixture.made(Method::POST, "/applications", &body).await;
    for (n, status) in [(15, 200), (16, 200), (17, 422)] {
        let body = json!({"allowed_scopes": names(n)});
        let answer = fixture.admin(&root, Method::PATCH, "/applications/a", Some(&body)).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(status == 200 || answer.text.contains("allowed_scopes allows 16"), "{}", answer.text);
    }
    // One by one is no way around it.
    let one_more = json!({"scope": "s16"});
    let answer = fixture.admin(&root, Method::POST, "/applications/a/allowed_scopes", Some(&one_more)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);

    let there = fixture.admin(&root, Method::GET, "/scopes?limit=200", None).await.json["total"].as_u64();
    for n in there.expect("a number")..100 {
        let answer = scope(&fixture, &api, &format!("more{n}"), &[]).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{n}: {}", answer.text);
    }
    let full = scope(&fixture, &api, "one-more", &[]).await;
    assert_eq!(full.status, StatusCode::CONFLICT, "{}", full.text);
    assert_eq!(full.json["detail"], "catalogue_scopes is 100, and there are 100 already");
}

#[tokio::test]
async fn a_list_of_uris_has_at_most_a_hundred_entries() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    for (n, status) in [(99, 201), (100, 201), (101, 422)] {
        let uris: Vec<String> = (0..n).map(|n| format!("https://{n}.example/back")).collect();
        let body = json!({"name": "A", "type": "web", "level": "platform", "redirect_uris": uris});
        let answer = fixture.admin(&root, Method::POST, "/applications", Some(&body)).await;
        assert_eq!(answer.status, status, "{n}: {}", answer.text);
        assert!(status == 201 || answer.text.contains("list_entries allows 100"), "{}", answer.text);
    }
}

#[tokio::test]
async fn texts_and_numbers_end_where_the_document_says() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    let service =
        |more: Value| crate::world::merged(json!({"name": "A", "type": "service", "level": "platform"}), more);
    let tenant = |name: &str, slug: &str| json!({"name": name, "slug": slug});
    let x = |n: usize| "x".repeat(n);
    // Counted in characters, not in octets.
    let wide = |n: usize| "\u{1F600}".repeat(n);
    for (path, body, status) in [
        ("/tenants", tenant(&x(200), "a1"), 201),
        ("/tenants", tenant(&wide(200), "a2"), 201),
        ("/tenants", tenant(&x(201), "a3"), 422),
        ("/tenants", tenant("", "a4"), 422),
        ("/tenants", tenant("  ", "a5"), 422),
        ("/tenants", tenant("a\u{0}b", "a6"), 422),
        ("/tenants", tenant("a\nb", "a7"), 422),
        ("/tenants", tenant("A", &x(63)), 201),
        ("/tenants", tenant("A", &x(64)), 422),
        ("/tenants", tenant("A", "-a"), 422),
        ("/tenants", tenant("A", "a-"), 422),
        ("/tenants", tenant("A", "A"), 422),
        ("/tenants", tenant("A", "../a"), 422),
        ("/features", json!({"key": x(64), "title": "K"}), 201),
        ("/features", json!({"key": x(65), "title": "K"}), 422),
        ("/features", json!({"key": "k", "title": x(2000)}), 201),
        ("/features", json!({"key": "l", "title": x(2001)}), 422),
        ("/features", json!({"key": "m", "title": {"zh": "没有英文"}}), 422),
        ("/applications", service(json!({"client_id": x(128)})), 201),
        ("/applications", service(json!({"client_id": x(129)})), 422),
        ("/applications", service(json!({"client_id": "app_01h455vb4pex5vsknk084sn02q"})), 422),
        ("/applications", service(json!({"token_lifetime_secs": 59})), 422),
        ("/applications", service(json!({"token_lifetime_secs": 60})), 201),
        ("/applications", service(json!({"token_lifetime_secs": 86_400})), 201),
        ("/applications", service(json!({"token_lifetime_secs": 86_401})), 422),
        ("/applications", service(json!({"token_lifetime_secs": 4_294_967_296_u64})), 422),
        ("/applications", service(json!({"token_lifetime_secs": 3600.5})), 422),
    ] {
        let answer = fixture.admin(&root, Method::POST, path, Some(&body)).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text);
    }
}
