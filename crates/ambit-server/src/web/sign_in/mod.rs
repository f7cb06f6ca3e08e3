//! `/sign-in/{id}`: a person shows who they are.
//!
//! 1. [`begin`] keeps what waits for them under a name, and sends the browser there. The name is good for this browser alone.
//! 2. `GET /sign-in/{id}` shows the step that comes now; `POST /sign-in/{id}/{step}` takes it. The browser says which step it means
//!    only so that an old form is not taken for a new one: which comes next, the machine says (`core/sign_in.rs`).
//! 3. The last step goes on with what waited at once, where nothing else is to be asked: the session begins in the commit in which
//!    the wait ends. [`go_on`] is where all other ways meet: it finds the request and the session together.
//!
//! Whether an account exists cannot be told by what is answered, nor by how long it takes: where there is none, a password is
//! hashed all the same, and failures are counted for the address that was typed.

mod arrival;
pub mod asking;
pub mod set_up;
mod steps;
mod view;
mod wording;

use std::borrow::Cow;
use std::sync::Arc;

use ambit_core::authentication::Acr;
use ambit_core::client::TenantFacts;
use ambit_core::person::Person;
use ambit_core::registry::credential::Credentials;
use ambit_core::secret::SecretHash;
use ambit_core::sign_in::{Destination, Interaction, Needs, Progress, Proven};
use ambit_core::store::StoreError;
use ambit_core::store::sign_in as kept;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::partner::PartnerStatus;
use ambit_protocol::admin::tenant::{MfaPolicy, TenantStatus};
use ambit_protocol::admin::text::Slug;
use ambit_protocol::time::Timestamp;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use self::view::{
    ByMail, EmailCodePage, EnrolmentPage, Frame, OrganisationPage, PasswordPage, Picture, SecondFactorPage, Told,
};
use self::wording::Words;
use super::branding::Brand;
use super::named::Named;
use super::negotiate::wished_language;
use super::passkey::{Act, PasskeyButton};
use super::shown::plain;
use super::{for_a_person, leading_to, running_script, see_other};
use crate::limits::TooManyFailures;
use crate::middleware::{Outcome, RequestContext};
use crate::oauth::authorize::{AtOnce, leads_to, resume, resume_at_once};
use crate::problem::Answer;
use crate::session::{Beginning, Browser, SignedIn, form_token, signed_in};
use crate::state::App;

pub(crate) use self::arrival::arrive_with_new_password;
pub use self::steps::take;
pub(super) use self::steps::{MOST_APPS, settings_of};

/// Keeps what waits for its person, and sends the browser to where they show who they are.
pub async fn begin(app: &App, parts: &Parts, asked: Interaction) -> Response {
    let begun = match asked.progress {
        // Signed in well enough: they have something else to do.
        Progress::SignedIn => Ok(asked),
        _ => proven_before(app, parts, &asked).await.map(|proven| {
            // Where they belong may be known.
            let first = asked.progress.clone();
            asked.at(proven.map_or(first, Progress::SecondFactor))
        }),
    };
    match begun {
        Ok(interaction) => wait(app, parts, &name(app), interaction).await,
        Err(error) => Answer::of(parts, app).store_failure(&error).into_response(),
    }
}

/// Has somebody who has just proven who they are set up an authenticator app, beside those they have.
pub(crate) async fn begin_enrolment(app: &App, parts: &Parts, proven: Proven, asked: Interaction) -> Response {
    let id = name(app);
    match steps::new_app(app, &id) {
        Ok(secret) => wait(app, parts, &id, asked.at(Progress::Enrolment { proven, secret })).await,
        Err(error) => Answer::of(parts, app).store_failure(&error).into_response(),
    }
}

/// Keeps what waits, for this browser alone, and sends it there. Anybody may have it kept, so it is counted for their address.
async fn wait(app: &App, parts: &Parts, id: &str, interaction: Interaction) -> Response {
    let address = RequestContext::of(parts, app).client_address;
    if let Err(wait) = app.visits.sign_ins.take("", address, app.steady_moment()) {
        let words = Words::of(wished_language([interaction.ui_locales.as_deref()], &parts.headers));
        return noted(told_to_wait(parts, words, wait), None, "refused", Some("too_many_sign_ins"));
    }
    let (browser, cookie) = Browser::of_or_new(app, &parts.headers);
    let is_signed_in = interaction.progress == Progress::SignedIn;
    let kept = async {
        let interaction = challenged(app, interaction).await?;
        let row = kept::Interaction {
            id: SecretHash::of(id),
            browser: browser.hash(),
            version: 0,
            expires_at: app.clock.now().plus_secs(LASTS_SECS),
            document: document(&interaction)?,
        };
        app.store.sign_ins().begin_interaction(&row).await
    };
    let mut response = match kept.await {
        Ok(()) if is_signed_in => to_go_on(id),
        Ok(()) => to_step(id),
        Err(error) => return Answer::of(parts, app).store_failure(&error).into_response(),
    };
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The step that comes now.
pub async fn show(State(app): State<App>, Named(id): Named, request: Request) -> Response {
    let parts = request.into_parts().0;
    match Underway::find(&app, &parts, &id).await {
        Ok(underway) => underway.page(&app, &parts, None).await,
        Err(response) => response,
    }
}

/// Goes on with what waited for somebody who is signed in now.
pub async fn go_on(State(app): State<App>, Named(id): Named, request: Request) -> Response {
    let parts = request.into_parts().0;
    let underway = match Underway::find(&app, &parts, &id).await {
        Ok(underway) => underway,
        Err(response) => return response,
    };
    let answer = Answer::of(&parts, &app);
    let failed = |error: StoreError| answer.store_failure(&error).into_response();
    let Some(session) = underway.interaction.session else { return to_step(&id) };
    let person = match signed_in(&app, &parts.headers, app.clock.now()).await {
        Ok(found) => found.filter(|found| found.session.id == session),
        Err(error) => return failed(error),
    };
    let Some(person) = person else {
        // They signed out meanwhile, or as somebody else: they show who they are once more.
        let again = Interaction { session: None, ..underway.interaction.clone() }.at(Progress::Organisation);
        return match underway.advance(&app, &again).await {
            Ok(_) => to_step(&id),
            Err(error) => failed(error),
        };
    };
    underway.lead_on(&app, &parts, &person).await.unwrap_or_else(failed)
}

/// An interaction that this browser is in.
#[derive(Debug)]
pub(super) struct Underway {
    /// Its name in the address.
    pub(super) id: String,
    pub(super) browser: Browser,
    kept: kept::Interaction,
    pub(super) interaction: Interaction,
}

/// Why a browser is in no interaction of a name.
#[derive(Debug)]
pub(super) enum Outside {
    /// There is none, or it is over.
    Over,
    /// Another browser began it.
    OtherBrowser,
    /// It cannot be told.
    Failed(StoreError),
}

impl From<StoreError> for Outside {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl Underway {
    /// The interaction of this name, if this browser began it; or the page for whoever is in none.
    async fn find(app: &App, parts: &Parts, id: &str) -> Result<Self, Response> {
        Self::look_up(app, parts, id).await.map_err(|outside| match outside {
            // Nothing tells the two cases apart.
            Outside::Over | Outside::OtherBrowser => over(parts),
            Outside::Failed(error) => Answer::of(parts, app).store_failure(&error).into_response(),
        })
    }

    /// The interaction of this name, if this browser began it.
    pub(super) async fn look_up(app: &App, parts: &Parts, id: &str) -> Result<Self, Outside> {
        let found = app.store.sign_ins().find_interaction(&SecretHash::of(id)).await?;
        let kept = found.filter(|kept| app.clock.now() < kept.expires_at).ok_or(Outside::Over)?;
        // RFC 9700 §4.7: what one browser began, no other goes on with, whoever learned the address.
        let browser = Browser::of(app, &parts.headers).filter(|browser| browser.hash().matches(&kept.browser));
        let browser = browser.ok_or(Outside::OtherBrowser)?;
        let interaction = serde_json::from_str(&kept.document).map_err(unreadable)?;
        Ok(Self { id: id.to_owned(), browser, kept, interaction })
    }

    /// Takes a step, and sets another challenge: what was answered is not answered again. `false` where another form of this
    /// interaction was quicker.
    pub(super) async fn advance(&self, app: &App, next: &Interaction) -> Result<bool, StoreError> {
        let next = challenged(app, next.clone()).await?;
        let row = kept::Interaction { document: document(&next)?, ..self.kept.clone() };
        app.store.sign_ins().advance_interaction(&row).await
    }

    /// Goes on with what waited for somebody who has just shown who they are, where no more is to be asked: in one commit, and
    /// with no further request of the browser's.
    async fn lead_on_at_once(&self, app: &App, parts: &Parts, beginning: &Beginning) -> Result<AtOnce, StoreError> {
        let (kept, interaction) = (&self.kept, &self.interaction);
        let Some(page) = own_page(&interaction.destination) else {
            return resume_at_once(app, parts, &self.id, interaction, kept.version, beginning).await;
        };
        let ended = app.store.sign_ins().end_interaction(&kept.id, kept.version);
        Ok(if beginning.keep_with(app, ended).await? { AtOnce::Gone(see_other(page)) } else { AtOnce::Never })
    }

    /// Goes on with what waited for somebody who is signed in now.
    async fn lead_on(self, app: &App, parts: &Parts, person: &SignedIn) -> Result<Response, StoreError> {
        let Some(page) = own_page(&self.interaction.destination) else {
            return Ok(resume(app, parts, &self.id, self.interaction, self.kept.version, person).await);
        };
        app.store.sign_ins().end_interaction(&self.kept.id, self.kept.version).await?;
        Ok(see_other(page))
    }

    /// What its forms are good for, and no others.
    fn purpose(&self) -> String {
        format!("sign-in {}", self.id)
    }

    fn words(&self, parts: &Parts) -> &'static Words {
        Words::of(wished_language([self.interaction.ui_locales.as_deref()], &parts.headers))
    }

    /// The page of the step that comes now, with what was wrong with what was sent before.
    async fn page(&self, app: &App, parts: &Parts, wrong: Option<Wrong>) -> Response {
        match self.made(app, parts, wrong).await {
            Ok(response) => response,
            Err(error) => Answer::of(parts, app).store_failure(&error).into_response(),
        }
    }

    async fn made(&self, app: &App, parts: &Parts, wrong: Option<Wrong>) -> Result<Response, StoreError> {
        let words = self.words(parts);
        let (text, typed) = match &wrong {
            Some(Wrong::Field { text, typed }) => (Some(text(words)), typed.as_str()),
            None | Some(Wrong::Passkey) => (None, ""),
        };
        let tenant = match &self.interaction.progress {
            Progress::Password { tenant: Some(slug), .. } | Progress::EmailCode { tenant: Some(slug), .. } => {
                match open_tenant(app, slug).await? {
                    Some(tenant) => Some(tenant),
                    None => return Ok(told(parts, words.closed, StatusCode::FORBIDDEN)),
                }
            }
            Progress::SecondFactor(proven) | Progress::Enrolment { proven, .. } => {
                let person = app.registry.person(proven.user).await?;
                match person.and_then(|person| person.user.tenant_id) {
                    Some(id) => app.registry.tenant_by_id(id).await?,
                    None => None,
                }
            }
            _ => None,
        };
        let frame = Frame {
            words,
            id: self.id.clone(),
            form_token: form_token(app, &self.browser, &self.purpose()),
            brand: tenant.as_ref().map(|tenant| Brand::of(tenant)),
            wrong: text,
            passkey: self.passkey_button(words, matches!(wrong, Some(Wrong::Passkey))),
        };
        let runs_script = frame.passkey.is_some();
        let mut response = match &self.interaction.progress {
            Progress::Organisation => {
                let hint = self.interaction.login_hint.as_deref().unwrap_or_default();
                let value = if text.is_some() { typed } else { hint };
                for_a_person(&OrganisationPage { frame, value: plain(value, MOST_TYPED) })
            }
            Progress::Password { email, .. } => {
                let given = email.as_deref().or(self.interaction.login_hint.as_deref()).unwrap_or_default();
                let email = plain(if text.is_some() { typed } else { given }, MOST_TYPED);
                let can_restart = self.interaction.tenant.is_none();
                let by_mail = ByMail::offered(app, tenant.as_ref().map(|tenant| &tenant.tenant.settings));
                for_a_person(&PasswordPage { frame, email, can_restart, by_mail })
            }
            Progress::EmailCode { .. } => for_a_person(&EmailCodePage { frame }),
            Progress::SecondFactor(proven) => {
                let credentials = Credentials::of(&*app.store, &app.vault, proven.user).await?;
                for_a_person(&SecondFactorPage { frame, has_app: !credentials.totp.is_empty() })
            }
            Progress::Enrolment { proven, secret } => {
                let secret = steps::open_app(app, &self.id, secret)?;
                let issuer = frame.brand.as_ref().map_or_else(|| "Ambit".to_owned(), |brand| brand.name.clone());
                let person = app.registry.person(proven.user).await?;
                let account = person.map(|person| person.user.email.to_string()).unwrap_or_default();
                let picture = secret.expose_address(&issuer, &account).and_then(|address| Picture::of(&address));
                for_a_person(&EnrolmentPage { frame, picture, secret: secret.expose_text() })
            }
            Progress::SignedIn => return Ok(to_go_on(&self.id)),
        };
        if wrong.is_some() {
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        self.lead(app, &mut response, runs_script).await;
        Ok(response)
    }

    /// The button for the challenge that is set.
    fn passkey_button(&self, words: &'static Words, is_wrong: bool) -> Option<PasskeyButton> {
        let ceremony = self.interaction.passkey.as_ref()?;
        let (label, act) = match &self.interaction.progress {
            Progress::Organisation | Progress::Password { .. } => (words.by_passkey, Act::Get),
            Progress::SecondFactor(_) => (words.confirm_by_passkey, Act::Get),
            Progress::Enrolment { .. } => (words.set_up_passkey, Act::Create),
            Progress::EmailCode { .. } | Progress::SignedIn => return None,
        };
        let button = PasskeyButton::new("passkey", label, act, ceremony, words.passkey);
        Some(if is_wrong { button.refused() } else { button })
    }

    /// The form on a page may lead on to where all this ends, and a page with a button for passkeys runs its script.
    async fn lead(&self, app: &App, response: &mut Response, runs_script: bool) {
        let headers = response.headers_mut();
        match leads_to(app, &self.interaction.destination).await {
            Some(address) => leading_to(headers, &address, runs_script.then_some("self")),
            None if runs_script => running_script(headers),
            None => {}
        }
    }
}

/// What was wrong with a form.
enum Wrong {
    /// What had been typed, which may be shown again.
    Field { text: fn(&'static Words) -> &'static str, typed: String },
    /// The passkey, whatever it was: it tells of nobody whether they have one.
    Passkey,
}

/// The same, with the challenge that a passkey may answer there: anybody's at first, then one of the person's, or a new one.
async fn challenged(app: &App, interaction: Interaction) -> Result<Interaction, StoreError> {
    let Some(passkeys) = &app.passkeys else { return Ok(interaction) };
    let asked = match &interaction.progress {
        Progress::Organisation | Progress::Password { .. } => Some(passkeys.ask([])),
        Progress::SecondFactor(proven) => {
            let theirs = Credentials::of(&*app.store, &app.vault, proven.user).await?.passkeys;
            (!theirs.is_empty()).then(|| passkeys.ask(theirs.iter().map(|(_, passkey)| passkey)))
        }
        Progress::Enrolment { proven, .. } => {
            let person = app.registry.person(proven.user).await?;
            person.map(|person| passkeys.ask_for_new(&person.user, []))
        }
        Progress::EmailCode { .. } | Progress::SignedIn => None,
    };
    let passkey = asked.transpose().map_err(|error| StoreError::Unavailable(error.into()))?;
    Ok(Interaction { passkey, ..interaction })
}

/// What somebody proved before in this browser, where a second factor is all that is missing: they are signed in with their
/// password, and set up an app for codes. Whoever has none sets one up only with their password at hand.
async fn proven_before(app: &App, parts: &Parts, asked: &Interaction) -> Result<Option<Proven>, StoreError> {
    if asked.acr != Some(Acr::Aal2) || asked.is_fresh_needed {
        return Ok(None);
    }
    let now = app.clock.now();
    let Some(found) = signed_in(app, &parts.headers, now).await? else { return Ok(None) };
    if let Some(slug) = &asked.tenant {
        let tenant = app.registry.tenant(slug.as_str()).await?;
        if tenant.map(|tenant| tenant.tenant.id) != found.person.user.tenant_id {
            return Ok(None);
        }
    }
    let credentials = Credentials::of(&*app.store, &app.vault, found.person.id()).await?;
    let methods = found.authentication.methods;
    // Whoever came in by another way than these two has the first thing still to show.
    let has_first =
        Needs { mfa: MfaPolicy::Off, acr: None, has_second_factor: false, email_code: false }.is_met_by(&methods);
    let proven = Proven { user: found.session.user_id, methods, since: now, session: Some(found.session.id) };
    Ok((has_first && credentials.has_second_factor()).then_some(proven))
}

/// One of the person's own pages, where that is what waits.
const fn own_page(destination: &Destination) -> Option<&'static str> {
    match destination {
        Destination::Authorize { .. } => None,
        Destination::Account => Some("/account/"),
        Destination::AccountSecurity => Some("/account/security"),
        Destination::AccountPasskeys => Some("/account/passkeys"),
    }
}

/// A tenant that is in business, as its partner is: nobody signs in to another.
pub(crate) async fn open_tenant(app: &App, slug: &Slug) -> Result<Option<Arc<TenantFacts>>, StoreError> {
    let found = app.registry.tenant(slug.as_str()).await?;
    Ok(found.filter(|facts| {
        let is_open = !matches!(facts.tenant.status, TenantStatus::Suspended | TenantStatus::Churned);
        is_open && facts.partner_status == PartnerStatus::Active
    }))
}

/// A page that says one thing.
/// To where somebody who is signed in goes on.
pub(super) fn to_go_on(id: &str) -> Response {
    see_other(&format!("/sign-in/{id}/continue"))
}

/// To the page of the step that comes now.
pub(super) fn to_step(id: &str) -> Response {
    see_other(&format!("/sign-in/{id}"))
}

fn told(parts: &Parts, (title, text): (&'static str, impl Into<Cow<'static, str>>), status: StatusCode) -> Response {
    let words = Words::of(wished_language([None], &parts.headers));
    let mut response = for_a_person(&Told { lang: words.lang, title, text: text.into(), link: None });
    *response.status_mut() = status;
    response
}

fn over(parts: &Parts) -> Response {
    let words = Words::of(wished_language([None], &parts.headers));
    told(parts, words.over, StatusCode::NOT_FOUND)
}

fn told_to_wait(parts: &Parts, words: &'static Words, wait: TooManyFailures) -> Response {
    let mut response = told(parts, words.wait, StatusCode::TOO_MANY_REQUESTS);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.retry_after_secs));
    response
}

fn busy(parts: &Parts, words: &'static Words) -> Response {
    let mut response = told(parts, words.busy, StatusCode::SERVICE_UNAVAILABLE);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(BUSY_SECS));
    response
}

/// What the log says of a step.
fn noted(
    mut response: Response,
    person: Option<&Person>,
    outcome: &'static str,
    reason: Option<&'static str>,
) -> Response {
    let actor = person.map(|person| person.id().to_string());
    response.extensions_mut().insert(Outcome { actor, outcome, reason, ..Outcome::default() });
    response
}

/// An account as failures are counted for it, whether it exists or not.
pub(super) fn account(tenant: Option<&Slug>, email: &str) -> String {
    format!("{}/{}", tenant.map(Slug::as_str).unwrap_or_default(), email.to_lowercase())
}

/// A name of an interaction: 256 random bits.
pub(crate) fn name(app: &App) -> String {
    let mut random = [0; 32];
    app.entropy.fill(&mut random);
    BASE64_URL_SAFE_NO_PAD.encode(random)
}

fn document(interaction: &Interaction) -> Result<String, StoreError> {
    serde_json::to_string(interaction).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Corrupt { resource: Resource::User, id: "interaction".to_owned(), source: error.into() }
}

/// Whether what was proven at a moment is too long ago to go on from.
fn is_stale(proven: &Proven, now: Timestamp) -> bool {
    proven.since.plus_secs(PROVEN_SECS) <= now
}

/// How long a request waits for its person.
const LASTS_SECS: i64 = 30 * 60;
/// How long a right password waits for the second factor.
const PROVEN_SECS: i64 = 10 * 60;
/// After so many seconds those who wait for a password to be hashed have had their answer, or have gone.
pub(super) const BUSY_SECS: u64 = 3;
/// The longest address.
const MOST_TYPED: usize = 254;
