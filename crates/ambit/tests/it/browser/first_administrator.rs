//! From an empty folder: the link that the server prints, the first administrator, and the first thing they administer.

use std::path::Path;

use ambit_core::reach::Reach;
use ambit_core::registry::{Edit, Power, Settings, application};
use ambit_core::store::{ChangeContext, Filter, Store as _, noun};
use ambit_core::time::Clock as _;
use ambit_protocol::admin::user::User;
use ambit_server::clock::SystemClock;
use ambit_server::entropy::SystemEntropy;
use ambit_store::{SqlStore, StoreConfig};
use reqwest::Method;
use serde_json::json;

use super::application::Application;
use super::chromium::{Browsers, Manner, with_browsers};
use super::shop::{Authenticator, PASSWORD};
use crate::support::{Node, Setup, folder};

const ROOT: &str = "root@as.example";
const SCOPES: &str = "openid email offline_access admin:read admin:write";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_administrator_comes_by_the_link_and_administers() {
    with_browsers(async |browsers| comes_by_the_link(browsers, Manner::DESKTOP).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_administrator_needs_no_javascript() {
    with_browsers(async |browsers| comes_by_the_link(browsers, Manner::PHONE_WITHOUT_SCRIPTS).await).await;
}

async fn comes_by_the_link(browsers: &Browsers, manner: Manner) {
    let folder = folder();
    let node = Setup::bare(folder.path()).arguments(&["--data-dir", "data"]).start().await;
    let page = browsers.open(manner).await;

    // The link, and a form that is not right at once.
    let link = node.set_up_link();
    page.open(&link).await;
    assert_eq!(page.heading().await, "Set up the first administrator");
    page.fill("E-mail address", ROOT).await;
    page.fill("Name", "Root").await;
    page.fill("New password", "too short").await;
    page.press("Next").await;
    page.refused(422).await;
    assert!(page.described("New password").await.starts_with("The password is too short."));
    // What is no secret is still there.
    page.fill("New password", PASSWORD).await;
    page.press("Next").await;
    assert_eq!(page.heading().await, "The administrator is set up");
    page.open(&link).await;
    page.refused(404).await;
    assert_eq!(page.heading().await, "This link is of no use any more");

    // An application that lets people administer. They bring its request, and sign in by what they have chosen.
    let console = Application::start(&node, "", "console").await;
    register(&folder.path().join("data"), &node, &console).await;
    console.sends(&page, SCOPES, &[]).await;
    page.fill("Your organisation or e-mail address", ROOT).await;
    page.press("Next").await;
    page.fill("Password", PASSWORD).await;
    page.press("Sign in").await;

    // What is dangerous is not ticked by itself; they tick what lets them read, and decline the rest.
    assert_eq!(page.heading().await, "Console asks for access");
    page.sees("Some of this changes who may do what.").await;
    assert!(!page.is_ticked("Administer the registry").await);
    if !page.is_ticked("Read the registry").await {
        page.toggle("Read the registry").await;
    }
    page.press("Allow").await;
    let lent = console.redeems(&page).await;
    assert_eq!(page.title().await, if manner.is_scripted { "scripted" } else { "plain" });
    assert!(lent.scopes().contains(&"admin:read") && !lent.scopes().contains(&"admin:write"), "{lent:?}");
    assert_eq!((&lent.id_claims()["acr"], &lent.id_claims()["amr"]), (&json!("urn:ambit:aal1"), &json!(["pwd"])));
    assert_eq!(console.asks_who_it_is(&lent).await.json["email"], ROOT);
    let tenant = json!({"name": "Acme", "slug": "acme"});
    let reads = node.admin(lent.member("access_token"), Method::GET, "/users", None).await;
    assert_eq!((reads.status, &reads.json["items"][0]["email"]), (200, &json!(ROOT)), "{}", reads.text);
    let writes = node.admin(lent.member("access_token"), Method::POST, "/tenants", Some(&tenant)).await;
    assert_eq!(writes.status, 403, "{}", writes.text);

    // To write takes more proof. They have no app for codes, so they set one up on the way, their password at hand.
    console.sends(&page, SCOPES, &[("acr_values", "urn:ambit:aal2"), ("prompt", "consent")]).await;
    page.fill("Your organisation or e-mail address", ROOT).await;
    page.press("Next").await;
    page.fill("Password", PASSWORD).await;
    page.press("Sign in").await;
    assert_eq!(page.heading().await, "Set up an authenticator app");
    let app = Authenticator::told(&page).await;
    page.fill("Code from the app", "000").await;
    page.press("Next").await;
    page.refused(422).await;
    assert!(page.described("Code from the app").await.starts_with("This code is not right"));
    page.fill("Code from the app", &app.code(0)).await;
    page.press("Next").await;
    assert_eq!(page.heading().await, "Keep these recovery codes");
    assert_eq!(page.texts(".codes li").await.len(), 10);
    page.press("I have kept them").await;
    // What they said before is what stands there.
    assert!(page.is_ticked("Read the registry").await && !page.is_ticked("Administer the registry").await);
    page.toggle("Administer the registry").await;
    page.press("Allow").await;
    let lent = console.redeems(&page).await;
    assert_eq!(lent.id_claims()["acr"], "urn:ambit:aal2");
    assert_eq!(lent.id_claims()["amr"], json!(["pwd", "otp", "mfa"]));
    let writes = node.admin(lent.member("access_token"), Method::POST, "/tenants", Some(&tenant)).await;
    assert_eq!(writes.status, 201, "{}", writes.text);

    // They sign out by the application, and in again for their own pages: the app is asked for now.
    console.signs_out(&page, &lent).await;
    page.open(&format!("{}/account/", node.url)).await;
    page.fill("Your organisation or e-mail address", ROOT).await;
    page.press("Next").await;
    page.fill("Password", PASSWORD).await;
    page.press("Sign in").await;
    page.fill("Code", &app.code(1)).await;
    page.press("Sign in").await;
    page.sees(ROOT).await;
    page.sees("The operator of this service").await;
}

/// Registers the application beside the running server, which learns of it as of what another node does: the administrator has
/// no token yet to register it with.
async fn register(data: &Path, node: &Node, console: &Application<'_>) {
    let store = SqlStore::open(&StoreConfig::data_dir(data)).await.expect("a store");
    let users: Vec<User> = noun::list(&store, &Filter::default(), Reach::Platform).await.expect("users");
    assert_eq!(users.iter().map(|user| user.email.as_str()).collect::<Vec<_>>(), [ROOT]);
    let body = json!({
        "name": "Console", "type": "native", "level": "platform", "client_id": "console",
        "allowed_scopes": SCOPES.split(' ').collect::<Vec<_>>(),
        "redirect_uris": ["http://127.0.0.1/callback"],
        "post_logout_redirect_uris": [format!("{}/bye", console.url)],
    });
    let context = ChangeContext { actor: "test".to_owned(), at: SystemClock.now(), trace_id: None };
    let tx = store.begin(context).await.expect("a transaction");
    let power = Power::system("test");
    let settings = Settings { base_url: node.url.clone(), ..Settings::default() };
    let edit = Edit { tx: &*tx, power: &power, settings: &settings, entropy: &SystemEntropy };
    application::create(&edit, serde_json::from_value(body).expect("a body")).await.expect("an application");
    tx.commit().await.expect("a commit");
}
