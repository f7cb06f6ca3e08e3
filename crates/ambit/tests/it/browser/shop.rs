//! What administrators prepared: a tenant whose people use an application, and an API of which they lend something.

use std::time::{SystemTime, UNIX_EPOCH};

use fantoccini::Locator;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use totp_rs::{Builder, Secret, Totp};

use super::application::Application;
use super::chromium::Page;
use crate::support::{Node, Setup, folder};

pub(super) const PASSWORD: &str = "correct horse battery staple";
pub(super) const ADA: &str = "ada@acme.example";
/// Where the tenant's people sign in.
pub(super) const ISSUER: &str = "/tenants/acme";
pub(super) const EVERYTHING: &str = "openid email profile offline_access shop shop:close";

/// A server with a tenant.
pub(super) struct Shop {
    pub(super) node: Node,
    /// How browsers reach it.
    base: String,
    pub(super) tenant: Value,
    pub(super) folder: TempDir,
}

impl Shop {
    /// A tenant with Ada in it.
    pub(super) async fn open(names: Names, settings: Value) -> Self {
        Self::open_with(names, settings, |setup| setup).await
    }

    /// The same, on a server that is started in another way.
    pub(super) async fn open_with(names: Names, settings: Value, how: impl FnOnce(Setup) -> Setup) -> Self {
        let folder = folder();
        let node = how(Setup::new(folder.path())).start().await;
        let base = node.issuer();
        let made = async |path: &str, body: Value| node.made(Method::POST, path, &body).await;
        let tenant = made("/tenants", json!({"name": names.tenant, "slug": "acme"})).await;
        let shop = Self { node, base, tenant, folder };
        shop.settle(settings).await;
        let made = async |path: &str, body: Value| shop.node.made(Method::POST, path, &body).await;
        let api = made("/apis", json!({"identifier": "https://shop.example", "name": names.api})).await;
        for (name, special) in [
            (
                "shop:orders",
                json!({"title": {"en": "See what you ordered", "zh": "查看您的订单"}, "description": {
                "en": "What you bought, when, and where it was delivered to.", "zh": "您购买的商品、时间以及送货地址。"}}),
            ),
            (
                "shop:address",
                json!({"sensitivity": "sensitive", "title": {"en": "See your address", "zh": "查看您的地址"},
                "description": {"en": "Where you live and where you have things sent.", "zh": "您的住址和收货地址。"}}),
            ),
            (
                "shop:close",
                json!({"sensitivity": "privileged", "title": {"en": "Close your account", "zh": "关闭您的账户"},
                "description": {"en": "For good, with all that is in it.", "zh": "永久关闭，包括其中的所有内容。"}}),
            ),
            (
                "shop",
                json!({"kind": "coarse", "includes": ["shop:orders", "shop:address"],
                "title": {"en": "Look around in the shop", "zh": "浏览商店"},
                "description": {"en": "Everything that you see there yourself.", "zh": "您自己在商店中可以看到的一切。"}}),
            ),
        ] {
            let mut body = json!({"name": name, "api": api["id"], "kind": "granular"});
            body.as_object_mut().expect("an object").extend(special.as_object().expect("an object").clone());
            made("/scopes", body).await;
        }
        shop.person(names.person).await;
        shop
    }

    /// Changes how the people of the tenant sign in.
    pub(super) async fn settle(&self, settings: Value) {
        self.change(json!({"settings": settings})).await;
    }

    /// Gives the pages of the tenant a colour.
    pub(super) async fn is_branded(&self, color: &str) {
        self.change(json!({"branding": {"accent_color": color}})).await;
    }

    async fn change(&self, body: Value) {
        let path = format!("/tenants/{}", self.tenant["id"].as_str().expect("an id"));
        self.node.made(Method::PATCH, &path, &body).await;
    }

    /// Somebody of the tenant, with a password.
    pub(super) async fn person(&self, email: &str) {
        let body = json!({
            "email": email, "email_verified": true, "tenant_id": self.tenant["id"], "display_name": "Ada Lovelace",
        });
        let person = self.node.made(Method::POST, "/users", &body).await;
        let path = format!("/users/{}/password", person["id"].as_str().expect("an id"));
        self.node.made(Method::PUT, &path, &json!({"password": PASSWORD})).await;
    }

    /// An application of the tenant, registered and listening.
    pub(super) async fn application(&self, client_id: &str, name: &str) -> Application<'_> {
        let application = Application::start(&self.node, ISSUER, client_id).await;
        let body = json!({
            "name": name, "type": "native", "level": "tenant", "tenant_id": self.tenant["id"], "client_id": client_id,
            "allowed_scopes": EVERYTHING.split(' ').collect::<Vec<_>>(),
            // RFC 8252 §7.3: its port is any.
            "redirect_uris": ["http://127.0.0.1/callback"],
            "post_logout_redirect_uris": [format!("{}/bye", application.url)],
        });
        self.node.made(Method::POST, "/applications", &body).await;
        application
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// How everything is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) tenant: &'static str,
    pub(super) api: &'static str,
    pub(super) person: &'static str,
}

impl Names {
    pub(super) const SHORT: Self = Self { tenant: "Acme", api: "Shop", person: ADA };
}

/// An app on somebody's phone that shows codes.
#[derive(Debug)]
pub(super) struct Authenticator(Totp);

impl Authenticator {
    /// One that was told the key on the page.
    pub(super) async fn told(page: &Page) -> Self {
        let key = page.find(Locator::Css("code")).await.text().await.expect("a key");
        let secret = Secret::try_from_base32(key.replace(' ', "")).expect("base32");
        Self(Builder::new().with_secret(secret).build().expect("what every app takes"))
    }

    /// The code that it shows so many steps from now. The server takes that of the next one too, and each once.
    #[expect(clippy::disallowed_methods, reason = "an app and a server share nothing but the key and the time")]
    pub(super) fn code(&self, steps: u64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs();
        self.0.generate(now + 30 * steps).to_string()
    }
}

/// Signs in on the page that asks for the tenant's people's password.
pub(super) async fn gives_the_password(page: &Page, email: &str) {
    page.fill("E-mail address", email).await;
    page.fill("Password", PASSWORD).await;
    page.press("Sign in").await;
}
