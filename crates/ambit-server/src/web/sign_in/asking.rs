//! `/sign-in/{id}/forgotten` and `/sign-in/{id}/register`: somebody asks for a letter, since they do not know their password or have
//! no account.
//!
//! What is answered is the same whoever is asked about, and takes as long: nobody is looked up before the answer is on its way.
//! How often a letter is sent is counted for what was typed, and for the address that it was typed at.

use std::sync::Arc;

use ambit_core::client::TenantFacts;
use ambit_core::sign_in::Progress;
use ambit_protocol::admin::text::{Email, Slug};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use super::{MOST_TYPED, Underway, account, noted, open_tenant, to_step, told, told_to_wait};
use crate::middleware::RequestContext;
use crate::problem::Answer;
use crate::session::{check_form, form_token};
use crate::state::App;
use crate::web::for_a_person;
use crate::web::letters;
use crate::web::letters::view::AskingPage;
use crate::web::letters::wording::Words;
use crate::web::named::Named;
use crate::web::negotiate::wished_language;
use crate::web::posted::Posted;
use crate::web::shown::plain;

/// For what a letter is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    NewPassword,
    Registration,
}

/// The page of somebody who does not know their password.
pub async fn show_forgotten(State(app): State<App>, Named(id): Named, request: Request) -> Response {
    Asking::NewPassword.show(&app, &id, &request.into_parts().0).await
}

/// The page of somebody who has no account.
pub async fn show_register(State(app): State<App>, Named(id): Named, request: Request) -> Response {
    Asking::Registration.show(&app, &id, &request.into_parts().0).await
}

/// Sends a link to a new password, if there is somebody to send it to.
pub async fn take_forgotten(State(app): State<App>, Named(id): Named, request: Request) -> Response {
    Asking::NewPassword.take(&app, &id, request).await
}

/// Sends a link to an account of one's own; or a letter that says that there is one.
pub async fn take_register(State(app): State<App>, Named(id): Named, request: Request) -> Response {
    Asking::Registration.take(&app, &id, request).await
}

/// A letter being asked for.
struct Asked {
    underway: Underway,
    slug: Option<Slug>,
    tenant: Option<Arc<TenantFacts>>,
    words: &'static Words,
}

impl Asking {
    const fn step(self) -> &'static str {
        match self {
            Self::NewPassword => "forgotten",
            Self::Registration => "register",
        }
    }

    async fn show(self, app: &App, id: &str, parts: &Parts) -> Response {
        match self.find(app, id, parts).await {
            Ok(asked) => {
                let typed = match &asked.underway.interaction.progress {
                    Progress::Password { email: Some(email), .. } => email.as_str(),
                    _ => asked.underway.interaction.login_hint.as_deref().unwrap_or_default(),
                };
                self.page(app, &asked, typed, None)
            }
            Err(response) => response,
        }
    }

    /// Where a letter can be asked for: at the password, where letters are sent, and (an account) where the tenant says so.
    async fn find(self, app: &App, id: &str, parts: &Parts) -> Result<Asked, Response> {
        let underway = Underway::find(app, parts, id).await?;
        let words = Words::of(wished_language([underway.interaction.ui_locales.as_deref()], &parts.headers));
        let Progress::Password { tenant: slug, .. } = &underway.interaction.progress else {
            return Err(to_step(id));
        };
        let slug = slug.clone();
        let tenant = match &slug {
            None => None,
            Some(slug) => open_tenant(app, slug)
                .await
                .map_err(|error| Answer::of(parts, app).store_failure(&error).into_response())?,
        };
        if !app.mail.is_on() {
            return Err(told(parts, words.no_mail, StatusCode::NOT_FOUND));
        }
        if self == Self::Registration && !tenant.as_ref().is_some_and(|it| it.tenant.settings.self_registration) {
            return Err(to_step(id));
        }
        Ok(Asked { underway, slug, tenant, words })
    }

    async fn take(self, app: &App, id: &str, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let asked = match self.find(app, id, &parts).await {
            Ok(asked) => asked,
            Err(response) => return response,
        };
        let form = match Posted::read(app, &parts, body).await {
            Ok(form) => form,
            Err(response) => return response,
        };
        let (underway, words) = (&asked.underway, asked.words);
        let sent = form.one("form").unwrap_or_default();
        if check_form(app, &parts, &underway.browser, &underway.purpose(), sent).is_err() {
            let response = told(&parts, underway.words(&parts).forged, StatusCode::FORBIDDEN);
            return noted(response, None, "refused", Some("forged_form"));
        }
        let typed = form.one("email").unwrap_or_default().trim().to_owned();
        let new: Option<Email> = typed.parse().ok();
        // What an address looks like, and which ones a tenant takes, says nothing about who is there.
        let wrong = match (self, &new, &asked.tenant) {
            (Self::NewPassword, ..) => None,
            (Self::Registration, None, _) => Some(words.bad_email),
            (Self::Registration, Some(email), Some(tenant)) if letters::is_taken_from(tenant, email) => None,
            (Self::Registration, Some(_), _) => Some(words.other_domain),
        };
        if wrong.is_some() {
            let mut response = self.page(app, &asked, &typed, wrong);
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            return response;
        }
        let context = RequestContext::of(&parts, app);
        let account = account(asked.slug.as_ref(), &typed);
        if let Err(wait) = app.visits.take_letter(&account, context.client_address, app.steady_moment()) {
            let response = told_to_wait(&parts, underway.words(&parts), wait);
            return noted(response, None, "refused", Some("too_many_letters"));
        }
        let language = wished_language([underway.interaction.ui_locales.as_deref()], &parts.headers);
        let text = match (self, new, asked.tenant) {
            (Self::Registration, Some(email), Some(tenant)) => {
                letters::post_registration(app, context.trace_id, tenant, email, language);
                words.registration_sent
            }
            _ => {
                letters::post_password_reset(app, context.trace_id, asked.slug, typed, language);
                words.letter_sent
            }
        };
        noted(told(&parts, text, StatusCode::OK), None, "letter_asked_for", None)
    }

    fn page(self, app: &App, asked: &Asked, typed: &str, wrong: Option<&'static str>) -> Response {
        let Asked { underway, words, .. } = asked;
        let (title, text) = match self {
            Self::NewPassword => (words.forgotten, words.forgotten_text),
            Self::Registration => (words.register, words.register_text),
        };
        for_a_person(&AskingPage {
            words,
            title,
            text,
            action: format!("/sign-in/{}/{}", underway.id, self.step()),
            back: format!("/sign-in/{}", underway.id),
            form_token: form_token(app, &underway.browser, &underway.purpose()),
            email: plain(typed, MOST_TYPED),
            wrong,
        })
    }
}
