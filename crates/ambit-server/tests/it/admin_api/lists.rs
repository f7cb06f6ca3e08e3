//! Lists: pages, cursors, filters (attacks: forged, borrowed and stale cursors, limits out of range).

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Fixture;
use crate::world::{Caller, Owner, World};

const OSLO: Caller = Caller::Administrator(Owner::Oslo);
const PLATFORM: Caller = Caller::Administrator(Owner::Platform);

const LISTS: [&str; 10] = [
    "/partners",
    "/tenants",
    "/features",
    "/apis",
    "/scopes",
    "/applications",
    "/users",
    "/groups",
    "/administrators",
    "/audit",
];

#[tokio::test]
async fn a_page_has_1_to_200_things_and_50_where_nothing_is_said() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    for n in 0..51 {
        fixture.made(Method::POST, "/features", &json!({"key": format!("f{n}"), "title": "F"})).await;
    }
    let list = async |query: &str| fixture.admin(&root, Method::GET, &format!("/features?{query}"), None).await;
    let length = |json: &Value| json["items"].as_array().map(Vec::len);
    for (query, expected) in
        [("", 50), ("limit=", 50), ("limit=1", 1), ("limit=50", 50), ("limit=51", 51), ("limit=200", 51)]
    {
        let page = list(query).await;
        assert_eq!(length(&page.json), Some(expected), "{query}");
        assert_eq!(page.json["cursor"].is_null(), expected == 51, "{query}");
    }
    for bad in ["0", "-1", "201", "1000000000", "NaN", "1e2", "+5", "0x10", "5%00", "99999999999999999999999"] {
        let answer = list(&format!("limit={bad}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}: {}", answer.text);
        assert_eq!(answer.json["errors"], json!([{"pointer": "?limit", "message": "must be 1 to 200"}]));
    }
}

#[tokio::test]
async fn a_list_takes_its_own_filters_once_and_no_others() {
    let world = World::new().await;
    for path in LISTS {
        for (query, pointer) in [
            ("sort=name", "?sort"),
            ("order_by=id;DROP TABLE applications", "?order_by"),
            ("limit=5&limit=5", "?limit"),
            ("cursor=a&cursor=b", "?cursor"),
            ("fields=secret", "?fields"),
        ] {
            let path = format!("{path}?{}", query.replace(' ', "%20"));
            let answer = world.call(PLATFORM, Method::GET, &path, None).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {}", answer.text);
            assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{path}");
        }
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_its_caller_its_list_and_its_filters_alone() {
    let world = World::new().await;
    for n in 0..2 {
        world.application(Owner::Oslo, &format!("more-{n}"), &[]).await;
    }
    let list = async |caller: Caller, path: &str| world.call(caller, Method::GET, path, None).await;
    let cursor_of = async |caller: Caller, path: &str| {
        let page = list(caller, path).await;
        page.json["cursor"].as_str().unwrap_or_else(|| panic!("no cursor: {}", page.text)).to_owned()
    };
    let cursor = cursor_of(OSLO, "/applications?limit=2").await;
    // Another length of page is the same list.
    for path in ["/applications?limit=2", "/applications?limit=200"] {
        assert_eq!(list(OSLO, &format!("{path}&cursor={cursor}")).await.status, StatusCode::OK);
    }
    let platforms = cursor_of(PLATFORM, "/applications?limit=2").await;
    let oslo = &world.things[&Owner::Oslo].own_id;
    let secrets = format!("/applications/{}/allowed_scopes", world.things[&Owner::Oslo].application);
    for (caller, path, cursor) in [
        (Caller::Administrator(Owner::Lima), "/applications?limit=2", &cursor),
        (PLATFORM, "/applications?limit=2", &cursor),
        (OSLO, "/applications?limit=2", &platforms),
        // The same application, with a token that reaches less far.
        (Caller::ActingFor(Owner::Oslo), "/applications?limit=2", &platforms),
        (OSLO, "/apis?limit=2", &cursor),
        (OSLO, &format!("{secrets}?limit=2"), &cursor),
        (OSLO, &format!("/applications?limit=2&tenant_id={oslo}"), &cursor),
        (OSLO, "/applications?limit=2&q=more", &cursor),
    ] {
        let answer = list(caller, &format!("{path}&cursor={cursor}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{caller:?} {path}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], "?cursor");
    }
}

#[tokio::test]
async fn an_edited_or_made_up_cursor_is_refused_by_every_list() {
    let world = World::new().await;
    let cursor = world.call(PLATFORM, Method::GET, "/applications?limit=1", None).await.json["cursor"].clone();
    let cursor = cursor.as_str().expect("a cursor").to_owned();
    let mut edited: Vec<String> = (0..cursor.len())
        .map(|place| {
            let mut bytes = cursor.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).expect("base64url")
        })
        .collect();
    edited.extend([format!("{cursor}A"), cursor[1..].to_owned(), format!("{cursor}%3D"), cursor.to_lowercase()]);
    for cursor in edited {
        let path = format!("/applications?limit=1&cursor={cursor}");
        let answer = world.call(PLATFORM, Method::GET, &path, None).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{cursor}: {}", answer.text);
    }
    let made_up = [
        "0",
        "-1",
        "null",
        "app_01h455vb4pex5vsknk084sn02q",
        "'%20OR%201=1--",
        "%00",
        "%FF",
        "12.3",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ];
    for path in LISTS {
        for cursor in made_up {
            let answer = world.call(PLATFORM, Method::GET, &format!("{path}?cursor={cursor}"), None).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {cursor}: {}", answer.text);
            assert_eq!(answer.json["errors"][0]["pointer"], "?cursor");
        }
    }
}

#[tokio::test]
async fn what_comes_and_goes_between_two_pages_disturbs_neither() {
    let world = World::new().await;
    // Made in one millisecond, they stand in any order. The caller's own is not the one to go.
    let all = world.call(OSLO, Method::GET, "/applications?limit=200", None).await.json;
    let is_another = |it: &Value| it["client_id"].as_str().is_some_and(|id| !id.starts_with("administrator-"));
    let all = all["items"].as_array().expect("items").clone();
    let length = all.iter().position(is_another).expect("another one") + 1;
    let first = world.call(OSLO, Method::GET, &format!("/applications?limit={length}"), None).await.json;
    let ids = |page: &Value| -> Vec<String> {
        page["items"].as_array().expect("items").iter().map(|it| it["id"].as_str().expect("an id").to_owned()).collect()
    };
    // The one that the page ended with goes, and another one comes.
    let gone = ids(&first).pop().expect("one of them");
    world.call(PLATFORM, Method::DELETE, &format!("/applications/{gone}"), None).await;
    let new = world.application(Owner::Oslo, "new", &[]).await["id"].as_str().expect("an id").to_owned();
    let path = format!("/applications?limit=200&cursor={}", first["cursor"].as_str().expect("a cursor"));
    let rest = world.call(OSLO, Method::GET, &path, None).await.json;
    assert_eq!(ids(&rest).len(), all.len() - length + 1, "those that were there and the new one: {rest}");
    assert!(ids(&rest).contains(&new) && !ids(&rest).iter().any(|id| ids(&first).contains(id)));
    // Only a whole list says how many there are.
    assert!(first.get("total").is_none() && rest.get("total").is_none());
}
