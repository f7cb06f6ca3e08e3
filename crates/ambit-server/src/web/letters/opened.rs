//! A link that somebody follows: what it is good for now.

use std::sync::Arc;

use ambit_core::client::TenantFacts;
use ambit_core::password::{KeptPassword, Password};
use ambit_core::person::Person;
use ambit_core::secret::SecretHash;
use ambit_core::store::StoreError;
use ambit_knowledge::Language;
use ambit_protocol::admin::tenant::TenantSettings;
use ambit_protocol::admin::text::Email;
use ambit_protocol::admin::user::{User, UserStatus};
use ambit_protocol::id::UserId;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::view::ToldPage;
use super::wording::Words;
use super::{Purpose, Sent, unreadable};
use crate::passwords::Unanswered;
use crate::problem::Answer;
use crate::session::{Browser, check_form, form_token};
use crate::state::App;
use crate::web::for_a_person;
use crate::web::negotiate::wished_language;
use crate::web::posted::Posted;
use crate::web::sign_in::{open_tenant, settings_of};

/// A link that is good now, and whom it is about.
pub(super) struct Opened {
    pub(super) purpose: Purpose,
    pub(super) token: String,
    pub(super) to: Email,
    pub(super) person: Arc<Person>,
    pub(super) tenant: Option<Arc<TenantFacts>>,
    pub(super) settings: TenantSettings,
    pub(super) words: &'static Words,
}

impl Opened {
    /// The link of a token. The page says the same of all that are good no more.
    pub(super) async fn find(app: &App, parts: &Parts, purpose: Purpose, token: &str) -> Result<Self, Response> {
        let found = Self::look(app, parts, purpose, token).await;
        match found {
            Ok(Some(opened)) => Ok(opened),
            Ok(None) => Err(over(parts)),
            Err(error) => Err(failed(app, parts, &error)),
        }
    }

    async fn look(app: &App, parts: &Parts, purpose: Purpose, token: &str) -> Result<Option<Self>, StoreError> {
        let Some((subject, sent)) = kept(app, purpose, token).await? else { return Ok(None) };
        let Ok(id) = subject.parse::<UserId>() else { return Ok(None) };
        let Some(person) = app.registry.person(id).await? else { return Ok(None) };
        if !is_good(purpose, &person.user, &sent.to) {
            return Ok(None);
        }
        let tenant = match person.user.tenant_id {
            None => None,
            Some(id) => {
                let Some(facts) = app.registry.tenant_by_id(id).await? else { return Ok(None) };
                let Some(open) = open_tenant(app, &facts.tenant.slug).await? else { return Ok(None) };
                Some(open)
            }
        };
        let settings = settings_of(app, &person).await?;
        let wishes = [person.user.locale.as_deref()];
        let words = Words::of(wished_language(wishes, &parts.headers));
        Ok(Some(Self { purpose, token: token.to_owned(), to: sent.to, person, tenant, settings, words }))
    }

    /// Whether a form on the page of this link is this browser's own.
    pub(super) fn check(&self, app: &App, parts: &Parts, form: &Posted) -> Result<(), Response> {
        check(app, parts, form, &form_purpose(self.purpose, &self.token), self.words)
    }

    /// The token of the forms on its page, with the cookie of a browser that has none yet.
    pub(super) fn form_token(&self, app: &App, parts: &Parts) -> (String, Option<HeaderValue>) {
        new_form(app, parts, &form_purpose(self.purpose, &self.token))
    }

    /// Uses the link. `false` where somebody was quicker.
    pub(super) async fn spend(&self, app: &App) -> Result<bool, StoreError> {
        app.store.sign_ins().use_one_time_token(&SecretHash::of(&self.token), app.clock.now()).await
    }
}

/// Whether a form is this browser's own, for this purpose.
pub(super) fn check(
    app: &App,
    parts: &Parts,
    form: &Posted,
    purpose: &str,
    words: &'static Words,
) -> Result<(), Response> {
    let sent = form.one("form").unwrap_or_default();
    match Browser::of(app, &parts.headers) {
        Some(browser) if check_form(app, parts, &browser, purpose, sent).is_ok() => Ok(()),
        _ => Err(told(words, words.forged, StatusCode::FORBIDDEN)),
    }
}

/// The token of a form, with the cookie of a browser that has none yet.
pub(super) fn new_form(app: &App, parts: &Parts, purpose: &str) -> (String, Option<HeaderValue>) {
    let (browser, cookie) = Browser::of_or_new(app, &parts.headers);
    (form_token(app, &browser, purpose), cookie)
}

/// What the form on the page of a link is good for.
pub(super) fn form_purpose(purpose: Purpose, token: &str) -> String {
    format!("{} {token}", purpose.path())
}

/// What is kept of a link that is good now, and whom it is about.
pub(super) async fn kept(app: &App, purpose: Purpose, token: &str) -> Result<Option<(String, Sent)>, StoreError> {
    let Some(kept) = app.store.sign_ins().find_one_time_token(&SecretHash::of(token)).await? else { return Ok(None) };
    if kept.purpose != purpose.path() || kept.used_at.is_some() || kept.expires_at <= app.clock.now() {
        return Ok(None);
    }
    let sent = serde_json::from_str(&kept.document).map_err(unreadable)?;
    Ok(Some((kept.subject, sent)))
}

/// Whether a link to this end that was sent to an address is good for somebody.
pub(super) fn is_good(purpose: Purpose, user: &User, to: &Email) -> bool {
    let may_come = match purpose {
        Purpose::Invitation => user.status != UserStatus::Disabled,
        Purpose::PasswordReset | Purpose::Verification => user.status == UserStatus::Active,
        // Whoever is there makes no account.
        Purpose::Registration => false,
    };
    may_come && user.email == *to
}

/// The page of a link that is good no more.
pub(super) fn over(parts: &Parts) -> Response {
    let words = Words::of(language(parts));
    told(words, words.over, StatusCode::NOT_FOUND)
}

/// A page that says one thing.
pub(super) fn told(words: &'static Words, text: (&'static str, &'static str), status: StatusCode) -> Response {
    let mut response =
        for_a_person(&ToldPage { words, title: text.0, text: text.1, is_way_on: status == StatusCode::OK });
    *response.status_mut() = status;
    response
}

/// A new password as it is kept; or the page that says that too many wait, and when to come again.
pub(super) async fn hashed(
    app: &App,
    words: &'static Words,
    password: Password,
) -> Result<Result<KeptPassword, Response>, StoreError> {
    match app.passwords.hash(password).await {
        Ok(kept) => Ok(Ok(kept)),
        Err(Unanswered::Busy) => {
            let mut response = told(words, words.busy, StatusCode::SERVICE_UNAVAILABLE);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("3"));
            Ok(Err(response))
        }
        Err(Unanswered::Failed(error)) => Err(StoreError::Unavailable(error.into())),
    }
}

pub(super) fn failed(app: &App, parts: &Parts, error: &StoreError) -> Response {
    Answer::of(parts, app).store_failure(error).into_response()
}

fn language(parts: &Parts) -> Language {
    wished_language([None], &parts.headers)
}
