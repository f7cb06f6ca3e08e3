//! `/account/`: what a person sees and does about themselves.
//!
//! 1. Whoever is not signed in is led to sign in, and comes back to the first page.
//! 2. Each page is one tab; each form goes to an address of its own, carries the token of this session, and leads back to its tab.
//! 3. What is somebody else's is not here: 404, as if it did not exist.
//!
//! What takes access away (ending a session, taking consent back) is done at once. What could lock the person out, or let
//! somebody else in, asks them to prove once more who they are (`security`).

mod address;
mod device;
pub mod passkeys;
pub mod profile;
mod proof;
pub mod security;
mod view;
mod wording;

use ambit_core::page;
use ambit_core::reach::Reach;
use ambit_core::registry::RegistryError;
use ambit_core::sign_in::{Destination, Interaction, Progress};
use ambit_core::store::noun;
use ambit_core::store::sign_in::{Grants, Session, Sessions};
use ambit_core::store::{By, StoreError};
use ambit_knowledge::Language;
use ambit_protocol::admin::application::Application;
use ambit_protocol::id::{ApplicationId, SessionId};
use ambit_protocol::time::Timestamp;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

pub use self::address::ask_for_proof;
use self::view::{ApplicationsPage, Frame, HeldBy, OverviewPage, SessionsPage, Tab};
use super::branding::Brand;
use super::consent;
use super::named::Named;
use super::posted::Posted;
use super::sign_out::{Asked, Onward, SignedOutPage};
use super::{for_a_person, language_of, see_other, sign_in};
use crate::logout;
use crate::middleware::{Outcome, RequestContext};
use crate::problem::Answer;
use crate::session::{self, Browser, SignedIn, check_form, form_token, signed_in, tokens_until};
use crate::state::App;

/// The person whose pages these are, in the browser that asks.
struct Me {
    signed_in: SignedIn,
    browser: Browser,
    /// Where the browser had no cookie of its own yet.
    set_cookie: Option<HeaderValue>,
    language: Language,
    /// That of their tenant.
    brand: Option<Brand>,
}

/// The first page.
pub async fn overview(State(app): State<App>, parts: Parts) -> Response {
    let me = match Me::of(&app, &parts).await {
        Ok(me) => me,
        Err(response) => return response,
    };
    let tenant = match me.tenant(&app).await {
        Ok(tenant) => tenant,
        Err(error) => return failed(&app, &parts, &error),
    };
    let page = OverviewPage::new(me.frame(&app, Tab::Overview), &me.signed_in, tenant);
    me.page(&page.with_letters(app.mail.is_on()))
}

/// Where the person is signed in.
pub async fn sessions(State(app): State<App>, parts: Parts) -> Response {
    let me = match Me::of(&app, &parts).await {
        Ok(me) => me,
        Err(response) => return response,
    };
    match me.live_sessions(&app).await {
        Ok(sessions) => {
            let page = SessionsPage::new(me.frame(&app, Tab::Sessions), &sessions, me.signed_in.session.id);
            me.page(&page)
        }
        Err(error) => failed(&app, &parts, &error),
    }
}

/// Ends one of the person's sessions.
pub async fn end_session(State(app): State<App>, Named(id): Named, request: Request) -> Response {
    let (me, parts, _) = match Me::posting(&app, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let sessions = match me.live_sessions(&app).await {
        Ok(sessions) => sessions,
        Err(error) => return failed(&app, &parts, &error),
    };
    let named: Option<SessionId> = id.parse().ok();
    let Some(session) = sessions.iter().find(|session| Some(session.id) == named) else {
        return Answer::of(&parts, &app).problem(&page::NOT_FOUND, "you have no such session").into_response();
    };
    if session.id == me.signed_in.session.id {
        return me.sign_out(&app, &parts).await;
    }
    match session::end(&app, Sessions::One(session.id), app.clock.now()).await {
        Ok(_) => me.done("session_ended", "/account/sessions"),
        Err(error) => failed(&app, &parts, &error),
    }
}

/// Ends all of the person's sessions but this one.
pub async fn end_other_sessions(State(app): State<App>, request: Request) -> Response {
    let (me, parts, _) = match Me::posting(&app, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let others = Sessions::OfUserExcept(me.signed_in.person.id(), me.signed_in.session.id);
    match session::end(&app, others, app.clock.now()).await {
        Ok(_) => me.done("other_sessions_ended", "/account/sessions"),
        Err(error) => failed(&app, &parts, &error),
    }
}

/// Signs the person out of this browser.
pub async fn sign_out(State(app): State<App>, request: Request) -> Response {
    match Me::posting(&app, request).await {
        Ok((me, parts, _)) => me.sign_out(&app, &parts).await,
        Err(response) => response,
    }
}

/// What applications may do for the person.
pub async fn applications(State(app): State<App>, parts: Parts) -> Response {
    let me = match Me::of(&app, &parts).await {
        Ok(me) => me,
        Err(response) => return response,
    };
    match me.applications(&app).await {
        Ok(held) => {
            let catalogue = &app.registry.snapshot().catalogue;
            me.page(&ApplicationsPage::new(me.frame(&app, Tab::Applications), &held, catalogue))
        }
        Err(error) => failed(&app, &parts, &error),
    }
}

/// Takes back what an application may do: the consent, and what was lent with it.
pub async fn withdraw(State(app): State<App>, Named(id): Named, request: Request) -> Response {
    let (me, parts, _) = match Me::posting(&app, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let answer = Answer::of(&parts, &app);
    let Ok(application) = id.parse::<ApplicationId>() else {
        return answer.problem(&page::NOT_FOUND, "no such application holds anything of yours").into_response();
    };
    match me.withdraw(&app, application).await {
        Ok(true) => me.done("consent_withdrawn", "/account/applications"),
        Ok(false) => answer.problem(&page::NOT_FOUND, "no such application holds anything of yours").into_response(),
        Err(error) => failed(&app, &parts, &error),
    }
}

impl Me {
    async fn of(app: &App, parts: &Parts) -> Result<Self, Response> {
        let now = app.clock.now();
        let person = signed_in(app, &parts.headers, now).await.map_err(|error| failed(app, parts, &error))?;
        let Some(signed_in) = person else {
            return Err(Box::pin(sign_in::begin(app, parts, to_the_account(now))).await);
        };
        let (browser, set_cookie) = Browser::of_or_new(app, &parts.headers);
        let language = language_of([signed_in.person.user.locale.as_deref()], &parts.headers);
        let brand = Brand::of_user(app, &signed_in.person.user).await.map_err(|error| failed(app, parts, &error))?;
        Ok(Self { signed_in, browser, set_cookie, language, brand })
    }

    /// The person who sends a form from one of these pages.
    async fn posting(app: &App, request: Request) -> Result<(Self, Parts, Posted), Response> {
        let (parts, body) = request.into_parts();
        let me = Self::of(app, &parts).await?;
        let form = Posted::read(app, &parts, body).await?;
        let token = form.one("form").unwrap_or_default();
        check_form(app, &parts, &me.browser, &me.purpose(), token)
            .map_err(|forged| Answer::of(&parts, app).problem(&page::FORBIDDEN, &forged.to_string()).into_response())?;
        Ok((me, parts, form))
    }

    /// What the forms of these pages are good for: this session's, and no other's.
    fn purpose(&self) -> String {
        format!("account {}", self.signed_in.session.id)
    }

    fn frame(&self, app: &App, tab: Tab) -> Frame {
        Frame::new(tab, self.language, form_token(app, &self.browser, &self.purpose()), self.brand.clone())
    }

    fn page(&self, page: &impl askama::Template) -> Response {
        let mut response = for_a_person(page);
        if let Some(set_cookie) = &self.set_cookie {
            response.headers_mut().append(header::SET_COOKIE, set_cookie.clone());
        }
        response
    }

    /// Back to a page, once something is done.
    fn done(&self, outcome: &'static str, address: &str) -> Response {
        let mut response = see_other(address);
        self.note(&mut response, outcome);
        response
    }

    fn note(&self, response: &mut Response, outcome: &'static str) {
        let actor = Some(self.signed_in.person.id().to_string());
        response.extensions_mut().insert(Outcome { actor, outcome, ..Outcome::default() });
    }

    async fn tenant(&self, app: &App) -> Result<Option<String>, StoreError> {
        let Some(id) = self.signed_in.person.user.tenant_id else { return Ok(None) };
        Ok(app.registry.tenant_by_id(id).await?.map(|tenant| tenant.tenant.name.to_string()))
    }

    async fn live_sessions(&self, app: &App) -> Result<Vec<Session>, StoreError> {
        let now = app.clock.now();
        let mut sessions = app.store.sign_ins().sessions_of(self.signed_in.person.id()).await?;
        sessions.retain(|session| now < session.expires_at);
        Ok(sessions)
    }

    async fn sign_out(&self, app: &App, parts: &Parts) -> Response {
        let session = self.signed_in.session.id;
        let frames = match logout::frames(app, &[session]).await {
            Ok(frames) => frames,
            Err(error) => return failed(app, parts, &error),
        };
        if let Err(error) = session::end(app, Sessions::One(session), app.clock.now()).await {
            return failed(app, parts, &error);
        }
        let brand = self.brand.clone();
        let page = SignedOutPage::new(self.language, brand, None, &frames, Onward::ByHand, &Asked::default());
        let mut response = page.into_response();
        response.headers_mut().append(header::SET_COOKIE, session::forgotten(app));
        self.note(&mut response, "signed_out");
        response
    }

    /// Every application that the person consented to, or that holds something they lent; by name.
    async fn applications(&self, app: &App) -> Result<Vec<HeldBy>, StoreError> {
        let catalogue = app.registry.snapshot().catalogue.clone();
        let (sign_ins, person) = (app.store.sign_ins(), self.signed_in.person.id());
        let mut held: Vec<HeldBy> = vec![];
        for kept in sign_ins.consents_of(person).await? {
            let scopes = consent::read(Some(&kept))?.effective(&catalogue);
            HeldBy::entry(&mut held, kept.application_id).add(scopes, kept.updated_at);
        }
        for grant in sign_ins.grants_of(person).await? {
            HeldBy::entry(&mut held, grant.application_id).add_grant(grant.created_at);
        }
        for it in &mut held {
            let id = it.id.to_string();
            // Whatever its owner: the person lent it something, so its name is no secret to them.
            let application: Option<Application> = noun::find(&*app.store, By::Id(&id), Reach::Platform).await?;
            it.name = application.map(|application| application.name.to_string());
        }
        held.sort_by_key(|it| (it.name.is_none(), it.name.as_ref().map(|name| name.to_lowercase())));
        Ok(held)
    }

    async fn withdraw(&self, app: &App, application: ApplicationId) -> Result<bool, StoreError> {
        let (sign_ins, person, now) = (app.store.sign_ins(), self.signed_in.person.id(), app.clock.now());
        // The consent first: what is renewed between the two finds none.
        let had_consent = sign_ins.withdraw_consent(person, application).await?;
        let ended = sign_ins.end_grants(Grants::OfUserTo(person, application), now, tokens_until(now)).await?;
        session::see_what_ended(app).await;
        Ok(had_consent || ended > 0)
    }
}

/// A sign-in that leads to these pages.
const fn to_the_account(now: Timestamp) -> Interaction {
    Interaction {
        destination: Destination::Account,
        begun_at: now,
        tenant: None,
        login_hint: None,
        ui_locales: None,
        acr: None,
        is_fresh_needed: false,
        progress: Progress::Organisation,
        session: None,
        denied: false,
        passkey: None,
    }
}

/// What the registry does not let a person do.
fn refused(app: &App, parts: &Parts, error: &RegistryError) -> Response {
    let answer = Answer::of(parts, app);
    match error {
        RegistryError::Store(error) => failed(app, parts, error),
        RegistryError::NotFound { .. } => answer.problem(&page::NOT_FOUND, "you have no such thing").into_response(),
        other => answer.problem(&page::FORBIDDEN, &other.to_string()).into_response(),
    }
}

fn failed(app: &App, parts: &Parts, error: &StoreError) -> Response {
    tracing::debug!(trace_id = %RequestContext::of(parts, app).trace_id, "a page of an account failed");
    Answer::of(parts, app).store_failure(error).into_response()
}
