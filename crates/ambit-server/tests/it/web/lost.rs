//! The page of an authorization request that leads nowhere: what was sent and, for those who administer the application, what is
//! registered beside it.

use ambit_core::time::Clock as _;
use ambit_protocol::admin::user::User;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::shop::{CALLBACK, Shop};
use super::visitor::{Visitor, user};
use crate::support::{Answer, Fixture};

const REGISTERED: &str = "What is registered";

fn request(client_id: &str, redirect_uri: &str) -> String {
    let fields = [("response_type", "code"), ("client_id", client_id), ("redirect_uri", redirect_uri)];
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    format!("/tenants/acme/connect/authorize?{query}")
}

async fn appoint(fixture: &Fixture, user: &User, role: &str, more: Value) {
    let mut body = json!({"user": user.id, "role": role});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    fixture.made(Method::POST, "/administrators", &body).await;
}

/// A person of the platform who administers everything.
async fn root(shop: &Shop) -> User {
    let root = user(&shop.fixture, None, "root@as.example", json!({})).await;
    appoint(&shop.fixture, &root, "super_admin", json!({})).await;
    root
}

/// Somebody of the tenant with a role over it.
async fn of_acme(shop: &Shop, email: &str, role: &str, more: Value) -> User {
    let somebody = user(&shop.fixture, Some(&shop.tenant), email, json!({})).await;
    let mut here = json!({"tenant_id": shop.tenant["id"]});
    here.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    appoint(&shop.fixture, &somebody, role, here).await;
    somebody
}

async fn change(shop: &Shop, body: Value) {
    let path = format!("/applications/{}", shop.application_id());
    shop.fixture.made(Method::PATCH, &path, &body).await;
}

/// What somebody sees, but for the trace, which is another one each time.
async fn seen(shop: &Shop, somebody: Option<&User>, path: &str) -> String {
    let answer: Answer = match somebody {
        Some(somebody) => Visitor::of(&shop.fixture, somebody).await.0.get(path).await,
        None => shop.fixture.get(path).await,
    };
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {}", answer.text);
    let (before, trace) = answer.text.split_once("Trace <code>").expect("a trace");
    let (_, after) = trace.split_once("</code>").expect("its end");
    format!("{before}{after}")
}

#[tokio::test]
async fn whoever_administers_an_application_sees_what_is_registered_and_nobody_else_does() {
    let shop = Shop::new().await;
    let fixture = &shop.fixture;
    change(&shop, json!({"redirect_uris": ["https://elsewhere.example/x", CALLBACK]})).await;
    let globex = fixture.made(Method::POST, "/tenants", &json!({"name": "Globex", "slug": "globex"})).await;
    let eve = user(fixture, Some(&globex), "eve@globex.example", json!({})).await;
    appoint(fixture, &eve, "tenant_admin", json!({"tenant_id": globex["id"]})).await;
    let ending = json!({"expires_at": fixture.clock.now().plus_secs(60)});
    let ended = of_acme(&shop, "ended@acme.example", "tenant_admin", ending).await;
    let path = request("till", "http://app.example/cb/");
    let admins = [
        root(&shop).await,
        of_acme(&shop, "admin@acme.example", "tenant_admin", json!({})).await,
        of_acme(&shop, "auditor@acme.example", "auditor", json!({})).await,
    ];
    assert!(seen(&shop, Some(&ended), &path).await.contains(REGISTERED), "their role lasts a minute");
    fixture.clock.advance_secs(60);
    let anybody = seen(&shop, None, &path).await;
    assert!(!anybody.contains(REGISTERED) && !anybody.contains(CALLBACK), "{anybody}");
    for admin in &admins {
        let page = seen(&shop, Some(admin), &path).await;
        let (before, after) = page.split_once(REGISTERED).unwrap_or_else(|| panic!("{}: {page}", admin.email));
        assert!(before.contains("<code>http://app.example/cb<mark>/</mark></code>"), "{before}");
        let near = after.find("http<mark>s</mark>://app.example/cb</code>").expect("the nearest");
        assert!(near < after.find("else").expect("the other one"), "{after}");
        assert!(after.contains("Differs from what was sent in: scheme, slash at the end</span>"), "{after}");
        assert!(after.contains("<bdi>Till</bdi> <code>till</code>"), "{after}");
    }
    for other in [&eve, &shop.ada, &ended] {
        assert_eq!(seen(&shop, Some(other), &path).await, anybody, "{}", other.email);
    }
}

#[tokio::test]
async fn what_is_not_there_is_the_same_for_all_and_what_is_elsewhere_is_for_those_who_may_see_it() {
    let shop = Shop::new().await;
    let root = root(&shop).await;
    let nobody = request("nobody", CALLBACK);
    let anybody = seen(&shop, None, &nobody).await;
    for somebody in [&root, &shop.ada] {
        assert_eq!(seen(&shop, Some(somebody), &nobody).await, anybody);
    }
    // At another issuer's door.
    let elsewhere = request("till", CALLBACK).replace("/tenants/acme", "");
    let page = seen(&shop, Some(&root), &elsewhere).await;
    assert!(page.contains("<code>https://as.example/tenants/acme</code>") && page.contains(CALLBACK), "{page}");
    let unknown = anybody.replace("<code>nobody</code>", "<code>till</code>");
    for other in [None, Some(&shop.ada)] {
        assert_eq!(seen(&shop, other, &elsewhere).await, unknown, "as one that does not exist");
    }
    change(&shop, json!({"status": "disabled"})).await;
    let path = request("till", CALLBACK);
    assert!(seen(&shop, Some(&root), &path).await.contains("It is disabled, and signs nobody in."));
    assert_eq!(seen(&shop, Some(&shop.ada), &path).await, unknown);
}

#[tokio::test]
async fn of_several_that_could_be_meant_the_first_ten_are_shown() {
    let shop = Shop::new().await;
    let root = root(&shop).await;
    let many: Vec<String> = (0..12).map(|n| format!("https://app.example/{n}")).collect();
    change(&shop, json!({"redirect_uris": many})).await;
    let page = seen(&shop, Some(&root), &request("till", "")).await;
    assert!(page.contains("<code>https://app.example/9</code>") && !page.contains("example/10<"), "{page}");
    assert!(page.contains("Not shown: 2") && !page.contains("<mark>") && !page.contains("Differs"), "{page}");
    change(&shop, json!({"redirect_uris": [], "grant_types": ["refresh_token"]})).await;
    let page = seen(&shop, Some(&root), &request("till", "")).await;
    assert!(page.contains("<dt>Redirect URIs</dt>\n<dd>None</dd>"), "{page}");
}

/// attacks.md C10 239: whatever was sent or registered is text, and long text is cut.
#[tokio::test]
async fn what_was_sent_is_text_beside_what_is_registered() {
    let shop = Shop::new().await;
    let root = root(&shop).await;
    change(&shop, json!({"name": "</dl><script>x</script>"})).await;
    let page = seen(&shop, Some(&root), &request("till", "https://app.example/cb<script>\u{202e}\"&")).await;
    assert!(!page.contains("<script") && page.contains("&#60;/dl&#62;&#60;script&#62;"), "{page}");
    assert!(page.contains("https://app.example/cb<mark>&#60;script&#62;&#60;U+202E&#62;&#39;&#38;</mark>"), "{page}");
    let page = seen(&shop, Some(&root), &request("till", &format!("{CALLBACK}{}", "x".repeat(2000)))).await;
    assert!(page.contains("xxx...</code>") && !page.contains(&"x".repeat(501)), "{page}");
    let (mut browser, _) = Visitor::of(&shop.fixture, &root).await;
    let chinese = [("accept-language", "zh-CN")];
    let page = browser.send(Method::GET, &request("till", "https://APP.example/cb"), &chinese, "").await;
    assert!(page.text.contains("已注册的内容") && page.text.contains("与收到的内容不同之处：大小写"), "{}", page.text);
}
