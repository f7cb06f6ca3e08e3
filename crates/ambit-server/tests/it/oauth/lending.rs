//! A person, a browser and an application of a tenant with retail scopes: what the tests of the code flow begin with. The person
//! is signed in by a session that is put into the store; how they come to one is another test's business.

use ambit_core::authentication::{Authentication, Method as Proof};
use ambit_core::consent::Consented;
use ambit_core::entropy::new_id;
use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::{Consent, Session};
use ambit_protocol::id::{SessionId, UserId};
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::store::Faulty;
use crate::support::{Answer, Fixture};

pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CALLBACK: &str = "https://shop.example/cb";
pub(super) const AUTHORIZE: &str = "/tenants/acme/connect/authorize";
pub(super) const TOKEN: &str = "/tenants/acme/connect/token";
pub(super) const ISSUER: &str = "https://as.example/tenants/acme";
const SCOPES: &str = "openid profile email offline_access shopper.read shopper.write pos.read";

/// What there is.
pub(super) struct Lending {
    pub(super) fixture: Fixture,
    pub(super) tenant_id: String,
    pub(super) application: Value,
    pub(super) secret: String,
    pub(super) user: Value,
    pub(super) cookie: String,
}

impl Lending {
    /// An application that asks, whose person has consented to everything.
    pub(super) async fn new() -> Self {
        Self::with("").await
    }

    /// The same, with a configuration file.
    pub(super) async fn with(file: &str) -> Self {
        let lending = Self::unasked_with(file).await;
        lending.consent(SCOPES).await;
        lending
    }

    /// The same on a store that holds up what a test says.
    pub(super) async fn held_up() -> (Self, Faulty) {
        Self::held_up_with("").await
    }

    pub(super) async fn held_up_with(file: &str) -> (Self, Faulty) {
        let (fixture, store) = Faulty::fixture(file).await;
        let lending = Self::unasked_on(fixture).await;
        lending.consent(SCOPES).await;
        (lending, store)
    }

    /// The same before the person was asked.
    pub(super) async fn unasked() -> Self {
        Self::unasked_with("").await
    }

    async fn unasked_with(file: &str) -> Self {
        Self::unasked_on(Fixture::with(file).await).await
    }

    async fn unasked_on(fixture: Fixture) -> Self {
        fixture.retail().await;
        let tenant = fixture.made(Method::POST, "/tenants", &json!({ "name": "Acme", "slug": "acme" })).await;
        let tenant_id = tenant["id"].as_str().expect("an identifier").to_owned();
        let application = fixture
            .made(
                Method::POST,
                "/applications",
                &json!({
                    "name": "Shop", "type": "web", "level": "tenant", "tenant_id": tenant_id, "client_id": "shop",
                    "allowed_scopes": SCOPES.split(' ').collect::<Vec<_>>(), "redirect_uris": [CALLBACK],
                }),
            )
            .await;
        let user = fixture
            .made(
                Method::POST,
                "/users",
                &json!({
                    "tenant_id": tenant_id, "email": "Ada@acme.example", "email_verified": true,
                    "given_name": "Ada", "family_name": "Lovelace", "locale": "en",
                }),
            )
            .await;
        let secret = application["client_secret"].as_str().expect("a secret").to_owned();
        let mut lending = Self { fixture, tenant_id, application, secret, user, cookie: String::new() };
        lending.cookie = lending.sign_in(&[Proof::Password]).await;
        lending
    }

    pub(super) fn user_id(&self) -> UserId {
        self.user["id"].as_str().expect("an identifier").parse().expect("a user's")
    }

    pub(super) fn now(&self) -> Timestamp {
        self.fixture.server.app().clock.now()
    }

    /// A session of the person, proven now by some methods: the header that has it.
    pub(super) async fn sign_in(&self, methods: &[Proof]) -> String {
        let now = self.now();
        let app = self.fixture.server.app();
        let mut random = [0; 32];
        app.entropy.fill(&mut random);
        let token = BASE64_URL_SAFE_NO_PAD.encode(random);
        let authentication = Authentication { at: now, methods: methods.to_vec(), address: None, user_agent: None };
        let session = Session {
            id: new_id::<SessionId>(now, &*app.entropy),
            token: SecretHash::of(&token),
            user_id: self.user_id(),
            created_at: now,
            seen_at: now,
            expires_at: now.plus_secs(3600),
            document: serde_json::to_string(&authentication).expect("JSON"),
        };
        self.fixture.store.sign_ins().begin_session(&session).await.expect("a session");
        format!("__Host-ambit-session={token}")
    }

    pub(super) async fn consent(&self, scopes: &str) {
        self.consent_to(&self.application, scopes).await;
    }

    /// What the person says to some application.
    pub(super) async fn consent_to(&self, application: &Value, scopes: &str) {
        let scopes: Vec<ScopeToken> = scopes.split(' ').map(|scope| scope.parse().expect("a scope")).collect();
        let catalogue = &self.fixture.server.app().registry.snapshot().catalogue;
        let gated = ["pos:receipts:read".parse().expect("a scope")];
        let granted: Vec<ScopeToken> = scopes.iter().chain(&gated).cloned().collect();
        let consented = Consented::default().with(&granted, &granted, catalogue, self.now());
        let consent = Consent {
            user_id: self.user_id(),
            application_id: application["id"].as_str().expect("an id").parse().expect("an application's"),
            updated_at: self.now(),
            document: serde_json::to_string(&consented).expect("JSON"),
        };
        let sign_ins = self.fixture.store.sign_ins();
        let before = sign_ins.find_consent(consent.user_id, consent.application_id).await.expect("an answer");
        assert!(sign_ins.keep_consent(&consent, before.as_ref()).await.expect("an answer"));
    }

    /// What a browser brings, signed in. A parameter of the test's own takes the place of the usual one; an empty one takes it
    /// away.
    pub(super) async fn authorize(&self, own: &[(&str, &str)]) -> Answer {
        self.authorize_with(&self.cookie, own).await
    }

    pub(super) async fn authorize_with(&self, cookie: &str, own: &[(&str, &str)]) -> Answer {
        let query = query(own);
        let request = Request::get(format!("{AUTHORIZE}?{query}")).header(header::COOKIE, cookie);
        self.fixture.send(request.body(Body::empty()).expect("a request")).await
    }

    /// A code for some scopes.
    pub(super) async fn code(&self, own: &[(&str, &str)]) -> String {
        let answer = self.authorize(own).await;
        let back = Back::of(&answer);
        back.get("code").unwrap_or_else(|| panic!("no code: {} {}", answer.status, answer.text)).to_owned()
    }

    /// A request at the token endpoint, as the application.
    pub(super) async fn ask(&self, fields: &[(&str, &str)]) -> Answer {
        self.fixture.form(TOKEN, Some(("shop", &self.secret)), fields).await
    }

    pub(super) async fn redeem(&self, code: &str) -> Answer {
        self.ask(&redemption(code)).await
    }

    /// The secret of another application of the tenant: its `client_id` is `other`.
    pub(super) async fn another(&self) -> String {
        let other = json!({
            "name": "Other", "type": "web", "level": "tenant", "tenant_id": self.tenant_id, "client_id": "other",
            "allowed_scopes": ["openid", "shopper.read"], "redirect_uris": [CALLBACK],
        });
        let other = self.fixture.made(Method::POST, "/applications", &other).await;
        other["client_secret"].as_str().expect("a secret").to_owned()
    }

    pub(super) async fn refresh(&self, token: &str, own: &[(&str, &str)]) -> Answer {
        self.ask(&[&[("grant_type", "refresh_token"), ("refresh_token", token)], own].concat()).await
    }

    pub(super) async fn is_active(&self, token: &str) -> bool {
        let path = "/tenants/acme/connect/introspect";
        let told = self.fixture.form(path, Some(("shop", &self.secret)), &[("token", token)]).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.text);
        told.json["active"] == true
    }
}

/// The refresh token of an answer.
pub(super) fn refresh_token(answer: &Answer) -> String {
    let token = answer.json["refresh_token"].as_str();
    token.unwrap_or_else(|| panic!("no refresh token: {} {}", answer.status, answer.text)).to_owned()
}

/// What was brought to the token endpoint is good for nothing, as a page of ours explains.
pub(super) fn is_refused(answer: &Answer, page: &str) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    assert_eq!(answer.json["error"], "invalid_grant", "{}", answer.text);
    assert!(answer.json["error_uri"].as_str().is_some_and(|uri| uri.ends_with(page)), "{}", answer.text);
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
}

/// What a client brings to redeem a code.
pub(super) fn redemption(code: &str) -> [(&str, &str); 4] {
    [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)]
}

/// The usual request, with parameters of the test's own.
pub(super) fn query(own: &[(&str, &str)]) -> String {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
    let usual = [
        ("response_type", "code"),
        ("client_id", "shop"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid profile shopper.read"),
        ("state", "a state & more"),
        ("nonce", "n-0S6"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let kept = usual.iter().filter(|(name, _)| own.iter().all(|(other, _)| other != name));
    let all = kept.chain(own).filter(|(_, value)| !value.is_empty());
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish()
}

/// What a browser takes back to the application.
#[derive(Debug)]
pub(super) struct Back(pub(super) Vec<(String, String)>);

impl Back {
    pub(super) fn of(answer: &Answer) -> Self {
        let location = answer.header(header::LOCATION);
        assert!(location.starts_with(CALLBACK), "{} {location} {}", answer.status, answer.text);
        let (_, query) = location.split_once('?').expect("a query");
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(other, _)| other == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }
}
