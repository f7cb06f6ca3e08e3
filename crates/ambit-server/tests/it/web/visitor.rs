//! A browser of somebody, with its cookies, and the people who use one.

use std::collections::BTreeMap;

use ambit_core::authentication::{Authentication, Method as Proof};
use ambit_core::entropy::new_id;
use ambit_core::secret::SecretHash;
use ambit_core::store::ChangeContext;
use ambit_core::store::noun;
use ambit_core::store::sign_in::Session;
use ambit_protocol::admin::user::User;
use ambit_protocol::id::{SessionId, UserId};
use axum::body::Body;
use axum::http::{Method, Request, header};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{Answer, BASE, Fixture};

pub(crate) const SESSION: &str = "__Host-ambit-session";
pub(crate) const BROWSER: &str = "__Host-ambit-browser";

/// A browser.
pub(crate) struct Visitor<'f> {
    fixture: &'f Fixture,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl<'f> Visitor<'f> {
    /// One that was never here.
    pub(crate) fn new(fixture: &'f Fixture) -> Self {
        Self { fixture, cookies: BTreeMap::new() }
    }

    /// One in which somebody is signed in, by their password, just now.
    pub(crate) async fn of(fixture: &'f Fixture, user: &User) -> (Self, SessionId) {
        Self::of_proven(fixture, user, &[Proof::Password]).await
    }

    /// One in which somebody is signed in by these proofs, just now.
    pub(crate) async fn of_proven(fixture: &'f Fixture, user: &User, methods: &[Proof]) -> (Self, SessionId) {
        let app = fixture.server.app();
        let now = app.clock.now();
        let mut visitor = Self::new(fixture);
        let (token, browser) = (visitor.secret(), visitor.secret());
        let authentication = Authentication {
            at: now,
            methods: methods.to_vec(),
            address: Some("192.0.2.7".to_owned()),
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0".to_owned()),
        };
        let session = Session {
            id: new_id(now, &*app.entropy),
            token: SecretHash::of(&token),
            user_id: user.id,
            created_at: now,
            seen_at: now,
            expires_at: now.plus_secs(3600),
            document: serde_json::to_string(&authentication).expect("a document"),
        };
        fixture.store.sign_ins().begin_session(&session).await.expect("a session");
        visitor.cookies.insert(SESSION.to_owned(), token);
        visitor.cookies.insert(BROWSER.to_owned(), browser);
        (visitor, session.id)
    }

    fn secret(&self) -> String {
        let mut random = [0; 32];
        self.fixture.server.app().entropy.fill(&mut random);
        BASE64_URL_SAFE_NO_PAD.encode(random)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// A form of one of our own pages.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, &[("sec-fetch-site", "same-origin"), ("origin", BASE)], fields).await
    }

    /// A form with headers of the test's own.
    pub(crate) async fn post_with(&mut self, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [&[("content-type", "application/x-www-form-urlencoded")], headers].concat();
        self.send(Method::POST, path, &headers, &body).await
    }

    /// Sends anything, with the cookies, and keeps those that come.
    pub(crate) async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let path = path.strip_prefix(BASE).unwrap_or(path);
        let mut request = Request::builder().method(method).uri(path);
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.fixture.send(request.body(Body::from(body.to_owned())).expect("a request")).await;
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("ASCII");
            let (name, rest) = cookie.split_once('=').expect("a name");
            let value = rest.split(';').next().unwrap_or_default();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Follows redirections within this server, to the first answer that is none or leads elsewhere.
    pub(crate) async fn follow(&mut self, mut answer: Answer) -> Answer {
        while answer.status.is_redirection() {
            let location = answer.header(header::LOCATION).to_owned();
            let is_own = location.starts_with('/') || location.starts_with(&format!("{BASE}/"));
            if !is_own {
                break;
            }
            answer = self.get(&location).await;
        }
        answer
    }
}

/// Somebody of a tenant, or of the platform, who may sign in.
pub(crate) async fn user(fixture: &Fixture, tenant: Option<&Value>, email: &str, special: Value) -> User {
    let app = fixture.server.app();
    let now = app.clock.now();
    let id: UserId = new_id(now, &*app.entropy);
    let mut document = json!({
        "id": id, "tenant_id": tenant.map(|it| it["id"].clone()), "partner_id": tenant.map(|it| it["partner_id"].clone()),
        "email": email, "email_verified": true, "display_name": null, "given_name": null, "family_name": null,
        "locale": null, "status": "active", "roles": [], "created_at": now, "updated_at": now, "revision": 0,
    });
    document.as_object_mut().expect("an object").extend(special.as_object().expect("an object").clone());
    let user: User = serde_json::from_value(document).expect("a user");
    let context = ChangeContext { actor: "test".to_owned(), at: now, trace_id: None };
    let transaction = fixture.store.begin(context).await.expect("a transaction");
    let user = noun::insert(&*transaction, user, None).await.expect("a user");
    transaction.commit().await.expect("a commit");
    app.registry.catch_up().await.expect("the new facts");
    user
}
