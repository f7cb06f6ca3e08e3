//! A tenant with people, an API of which every scope is special, and an application that asks for them.

use ambit_core::consent::Consented;
use ambit_protocol::admin::user::User;
use ambit_protocol::id::ApplicationId;
use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::visitor::{Visitor, user};
use crate::people::form_token;
use crate::support::{Answer, BASE, Fixture};

pub(crate) const CALLBACK: &str = "https://app.example/cb";
/// Appendix B of RFC 7636.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) struct Shop {
    pub(crate) fixture: Fixture,
    pub(crate) tenant: Value,
    pub(crate) application: Value,
    pub(crate) ada: User,
}

impl Shop {
    pub(crate) async fn new() -> Self {
        Self::on(Fixture::new().await).await
    }

    pub(crate) async fn on(fixture: Fixture) -> Self {
        let made = async |path: &str, body: Value| fixture.made(Method::POST, path, &body).await;
        let tenant = made("/tenants", json!({"name": "Acme", "slug": "acme"})).await;
        made("/features", json!({"key": "digital-receipts", "title": "Digital receipts"})).await;
        let api = made("/apis", json!({"identifier": "https://shop.example", "name": "Shop"})).await;
        let granular = |name: &str, special: Value| {
            let mut body = json!({
                "name": name, "api": api["id"], "kind": "granular",
                "title": {"en": format!("Title of {name}"), "zh": format!("{name} 的标题")},
                "description": {"en": format!("What {name} does")},
            });
            body.as_object_mut().expect("an object").extend(special.as_object().expect("an object").clone());
            body
        };
        for (name, special) in [
            ("shop:list", json!({})),
            ("shop:receipts", json!({"feature": "digital-receipts"})),
            ("shop:close", json!({"sensitivity": "privileged"})),
            ("shop:managers", json!({"roles": ["manager"], "grants": ["user"]})),
        ] {
            made("/scopes", granular(name, special)).await;
        }
        let bundle = json!({"kind": "coarse", "includes": ["shop:list", "shop:receipts"]});
        made("/scopes", granular("shop", bundle)).await;
        let application = Self::registered(&fixture, &tenant, "till", "Till").await;
        let ada = user(&fixture, Some(&tenant), "ada@acme.example", json!({"given_name": "Ada"})).await;
        Self { fixture, tenant, application, ada }
    }

    pub(crate) async fn registered(fixture: &Fixture, tenant: &Value, client_id: &str, name: &str) -> Value {
        let body = json!({
            "name": name, "type": "spa", "level": "tenant", "tenant_id": tenant["id"], "client_id": client_id,
            "allowed_scopes": ["openid", "offline_access", "shop", "shop:close", "shop:managers"],
            "redirect_uris": [CALLBACK],
            "post_logout_redirect_uris": ["https://app.example/bye", "https://app.example/bye?kept=1"],
        });
        fixture.made(Method::POST, "/applications", &body).await
    }

    pub(crate) fn application_id(&self) -> ApplicationId {
        self.application["id"].as_str().expect("an id").parse().expect("an id")
    }

    pub(crate) async fn receipts(&self, enabled: bool) {
        let path = format!("/tenants/{}/features/digital-receipts", self.tenant["id"].as_str().expect("an id"));
        self.fixture.made(Method::PUT, &path, &json!({"enabled": enabled})).await;
    }

    /// Brings the application's request, and follows it to a page of ours or back to the application.
    pub(crate) async fn asks(&self, browser: &mut Visitor<'_>, scope: &str, more: &[(&str, &str)]) -> Asked {
        Asked::by(browser, ("/tenants/acme", "till"), scope, more).await
    }

    /// The scope of the token that a code becomes.
    pub(crate) async fn redeemed(&self, back: &Answer) -> Value {
        let answer = self.redeem(back).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json
    }

    /// What comes of a code.
    pub(crate) async fn redeem(&self, back: &Answer) -> Answer {
        let code = parameter(back, "code").unwrap_or_else(|| panic!("no code: {} {:?}", back.text, back.headers));
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", "till"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.fixture.form("/tenants/acme/connect/token", None, &fields).await
    }

    /// What comes of the refresh token beside a token.
    pub(crate) async fn renew(&self, tokens: &Value) -> Answer {
        let token = tokens["refresh_token"].as_str().expect("a refresh token");
        let fields = [("grant_type", "refresh_token"), ("client_id", "till"), ("refresh_token", token)];
        self.fixture.form("/tenants/acme/connect/token", None, &fields).await
    }

    /// What is kept of Ada's consent, as it counts now.
    pub(crate) async fn consented(&self) -> Option<String> {
        let kept =
            self.fixture.store.sign_ins().find_consent(self.ada.id, self.application_id()).await.expect("an answer")?;
        let consented: Consented = serde_json::from_str(&kept.document).expect("a document");
        let scopes = consented.effective(&self.fixture.server.app().registry.snapshot().catalogue);
        Some(ambit_protocol::scope::join(&scopes))
    }
}

/// Where a request led.
pub(crate) struct Asked {
    /// The last address within this server.
    pub(crate) path: String,
    pub(crate) answer: Answer,
}

impl Asked {
    /// The same by an application, by its `client_id` at its issuer.
    pub(crate) async fn by(
        browser: &mut Visitor<'_>,
        (issuer, client_id): (&str, &str),
        scope: &str,
        more: &[(&str, &str)],
    ) -> Self {
        let fields = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", CALLBACK),
            ("state", "s"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("scope", scope),
        ];
        let query: String =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields.iter().chain(more)).finish();
        let mut answer = browser.get(&format!("{issuer}/connect/authorize?{query}")).await;
        let mut path = String::new();
        while answer.status.is_redirection() && !answer.header(header::LOCATION).starts_with("https://app.example/") {
            path = answer.header(header::LOCATION).to_owned();
            answer = browser.get(&path).await;
        }
        Self { path, answer }
    }

    /// The page that asks for consent.
    pub(crate) fn page(&self) -> &Answer {
        assert!(self.path.starts_with("/consent/"), "{}: {} {}", self.path, self.answer.status, self.answer.text);
        assert_eq!(self.answer.status, StatusCode::OK, "{}", self.answer.text);
        &self.answer
    }

    /// Ticks and allows, and goes on as far as it leads.
    pub(crate) async fn allow(&self, browser: &mut Visitor<'_>, ticked: &[&str]) -> Answer {
        let token = form_token(self.page());
        let scopes = ticked.iter().map(|scope| ("scope", *scope));
        let fields: Vec<(&str, &str)> =
            [("form", token.as_str()), ("answer", "allow")].into_iter().chain(scopes).collect();
        let answer = browser.post(&self.path, &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        browser.follow(answer).await
    }
}

/// A parameter of where an answer leads.
pub(crate) fn parameter(answer: &Answer, wanted: &str) -> Option<String> {
    let location = answer.header(header::LOCATION);
    let url = url::Url::parse(BASE).expect("a URL").join(location).ok()?;
    url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
}

/// The values of the boxes of a page, ticked or not.
pub(crate) fn boxes(page: &Answer) -> Vec<(String, bool)> {
    page.text
        .split("<input type=\"checkbox\"")
        .skip(1)
        .map(|rest| {
            let tag = rest.split('>').next().expect("a tag");
            let value = tag.split("value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a value");
            (value.to_owned(), tag.contains(" checked"))
        })
        .collect()
}
