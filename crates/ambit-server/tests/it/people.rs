//! People, and the browsers they use.

use std::collections::BTreeMap;
use std::sync::Mutex;

use ambit_core::entropy::new_id;
use ambit_core::password::{KeptPassword, Password, hash};
use ambit_core::registry::credential::{self, Credentials};
use ambit_core::registry::{Edit, Power, RegistryError, Settings};
use ambit_core::second_factor::{ShownCodes, TotpSecret};
use ambit_core::store::{ChangeContext, Store, noun};
use ambit_core::time::Clock as _;
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::user::{User, UserStatus};
use ambit_protocol::time::Timestamp;
use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};

use crate::support::{Answer, BASE, Fixture};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A browser: it keeps cookies, and says where a form comes from.
pub(crate) struct Browser<'f> {
    fixture: &'f Fixture,
    cookies: Mutex<BTreeMap<String, String>>,
    address: Option<&'static str>,
}

impl<'f> Browser<'f> {
    pub(crate) fn new(fixture: &'f Fixture) -> Self {
        Self { fixture, cookies: Mutex::default(), address: None }
    }

    /// One behind the proxy that the fixture trusts.
    pub(crate) fn at(fixture: &'f Fixture, address: &'static str) -> Self {
        Self { address: Some(address), ..Self::new(fixture) }
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().expect("nobody panics here").get(name).cloned()
    }

    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().expect("nobody panics here").insert(name.to_owned(), value.to_owned());
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    /// A form of a page of this server.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header(header::ORIGIN, BASE)
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(body)).await
    }

    pub(crate) async fn send(&self, mut request: http::request::Builder, body: Body) -> Answer {
        let cookies: Vec<String> = {
            let cookies = self.cookies.lock().expect("nobody panics here");
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect()
        };
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if let Some(address) = self.address {
            request = request.header("x-forwarded-for", address);
        }
        let answer = self.fixture.send(request.body(body).expect("a request")).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let set = set.to_str().expect("visible ASCII");
            let (name, rest) = set.split_once('=').expect("a cookie");
            self.set_cookie(name, rest.split(';').next().expect("a value"));
        }
        answer
    }

    /// Begins to sign in, and answers the path of the interaction.
    pub(crate) async fn begin(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        answer.header(header::LOCATION).to_owned()
    }

    /// Takes a step as the page offers it.
    pub(crate) async fn step(&self, at: &str, step: &str, fields: &[(&str, &str)]) -> Answer {
        let token = form_token(&self.get(at).await);
        self.post(&format!("{at}/{step}"), &[&[("form", token.as_str())], fields].concat()).await
    }

    /// Says who one is and the password, and answers what comes of it.
    pub(crate) async fn password(&self, at: &str, email: &str, password: &str) -> Answer {
        self.step(at, "password", &[("email", email), ("password", password)]).await
    }
}

/// The token of the form on a page.
pub(crate) fn form_token(page: &Answer) -> String {
    let (_, rest) = page.text.split_once(r#"name="form" value=""#).unwrap_or_else(|| panic!("no form: {}", page.text));
    rest.split('"').next().expect("a value").to_owned()
}

/// What an authenticator app is to keep, as the page of its set-up says.
pub(crate) fn shown_secret(page: &Answer) -> TotpSecret {
    let (_, rest) = page.text.split_once("<code class=\"key\">").unwrap_or_else(|| panic!("no key: {}", page.text));
    let key = rest.split('<').next().expect("its end").replace(' ', "");
    let secret = totp_rs::Secret::try_from_base32(key).expect("base32");
    TotpSecret::from_bytes(secret.as_ref()).expect("a secret")
}

impl Fixture {
    /// A tenant, with settings.
    pub(crate) async fn tenant(&self, slug: &str, settings: Value) -> Tenant {
        let made = self.made(Method::POST, "/tenants", &json!({"name": slug.to_uppercase(), "slug": slug})).await;
        let path = format!("/tenants/{}", made["id"].as_str().expect("an id"));
        let tenant = self.made(Method::PATCH, &path, &json!({"settings": settings})).await;
        serde_json::from_value(tenant).expect("a tenant")
    }

    /// Somebody with a password.
    pub(crate) async fn person(&self, tenant: Option<&Tenant>, email: &str) -> User {
        let password = Password::new(PASSWORD).expect("a password");
        let kept = hash(&password, &*self.server.app().entropy).expect("a hash");
        self.person_with(tenant, email, UserStatus::Active, Some(&kept)).await
    }

    pub(crate) async fn person_with(
        &self,
        tenant: Option<&Tenant>,
        email: &str,
        status: UserStatus,
        password: Option<&KeptPassword>,
    ) -> User {
        let user = User {
            id: new_id(self.clock.now(), &*self.server.app().entropy),
            tenant_id: tenant.map(|tenant| tenant.id),
            partner_id: None,
            email: email.parse().expect("an address"),
            email_verified: true,
            display_name: None,
            given_name: None,
            family_name: None,
            locale: None,
            status,
            roles: vec![],
            custom_attributes: BTreeMap::new(),
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            revision: 0,
        };
        let vault = &self.server.app().vault;
        self.change(async |edit| {
            let user = noun::insert(edit.tx, user.clone(), None).await?;
            if let Some(kept) = password {
                credential::set_password(edit, vault, &user, kept).await?;
            }
            Ok(user)
        })
        .await
    }

    /// Gives somebody a password.
    pub(crate) async fn with_password(&self, user: &User) {
        let app = self.server.app();
        let kept = hash(&Password::new(PASSWORD).expect("a password"), &*app.entropy).expect("a hash");
        self.change(async |edit| credential::set_password(edit, &app.vault, user, &kept).await).await;
    }

    /// Sets up an app for somebody.
    pub(crate) async fn app_of(&self, user: &User) -> TotpSecret {
        let secret = TotpSecret::generate(&*self.server.app().entropy);
        let vault = &self.server.app().vault;
        self.change(async |edit| credential::enrol_totp(edit, vault, user, &secret).await).await;
        secret
    }

    /// Makes recovery codes for somebody.
    pub(crate) async fn codes_of(&self, user: &User) -> ShownCodes {
        let vault = &self.server.app().vault;
        self.change(async |edit| credential::make_recovery_codes(edit, vault, user).await).await.1
    }

    pub(crate) async fn credentials_of(&self, user: &User) -> Credentials {
        Credentials::of(&*self.store, &self.server.app().vault, user.id).await.expect("credentials")
    }

    pub(crate) async fn change<T>(&self, make: impl AsyncFnOnce(&Edit<'_>) -> Result<T, RegistryError>) -> T {
        self.change_in(&*self.store, make).await
    }

    /// The same, in the database itself where the store of this server is held up.
    pub(crate) async fn change_in<T>(
        &self,
        store: &dyn Store,
        make: impl AsyncFnOnce(&Edit<'_>) -> Result<T, RegistryError>,
    ) -> T {
        let power = Power::system("test");
        let settings = Settings { base_url: BASE.to_owned(), ..Settings::default() };
        let context = ChangeContext { actor: "system".to_owned(), at: self.clock.now(), trace_id: None };
        let tx = store.begin(context).await.expect("a transaction");
        let edit = Edit { tx: &*tx, power: &power, settings: &settings, entropy: &*self.server.app().entropy };
        let made = make(&edit).await.expect("a change");
        tx.commit().await.expect("a commit");
        self.server.app().registry.catch_up().await.expect("the new facts");
        made
    }

    /// The code that somebody's app shows now.
    pub(crate) fn code(&self, app: &TotpSecret) -> String {
        app.code_at(self.clock.now()).expect("a code")
    }
}
