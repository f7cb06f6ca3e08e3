//! The steps of a sign-in, each by a form.

mod email_code;
mod passkey;

use std::sync::Arc;

use ambit_core::authentication::Method;
use ambit_core::entropy::new_id;
use ambit_core::passkey::Passkey;
use ambit_core::password::{Password, Verdict};
use ambit_core::person::Person;
use ambit_core::reach::Reach;
use ambit_core::registry::credential::{self, Credentials};
use ambit_core::registry::{Edit, RegistryError};
use ambit_core::second_factor::{ShownCodes, TotpSecret};
use ambit_core::sign_in::{Event, Interaction, Needs, OutOfOrder, Progress, Proven};
use ambit_core::store::noun::{self, Noun as _};
use ambit_core::store::{Filter, StoreError};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::credential::Credential;
use ambit_protocol::admin::tenant::{Tenant, TenantSettings};
use ambit_protocol::admin::text::{Domain, Slug};
use ambit_protocol::id::CredentialId;
use ambit_protocol::time::Timestamp;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::view::{CodesPage, Frame};
use super::{AtOnce, Underway, Wrong, busy, is_stale, noted, open_tenant, to_go_on, to_step, told, told_to_wait};
use crate::limits::{Outcome, TooManyFailures};
use crate::middleware::{self, RequestContext};
use crate::passwords::Unanswered;
use crate::problem::Answer;
use crate::session::{self, Beginning, check_form, form_token};
use crate::state::App;
use crate::web::branding::Brand;
use crate::web::named::Named;
use crate::web::posted::Posted;
use crate::web::{for_a_person, own};

/// Takes the step that a form is about, if it is the one that comes now.
pub async fn take(State(app): State<App>, Named((id, step)): Named<(String, String)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let underway = match Underway::find(&app, &parts, &id).await {
        Ok(underway) => underway,
        Err(response) => return response,
    };
    let form = match Posted::read(&app, &parts, body).await {
        Ok(form) => form,
        Err(response) => return response,
    };
    let token = form.one("form").unwrap_or_default();
    if check_form(&app, &parts, &underway.browser, &underway.purpose(), token).is_err() {
        let response = told(&parts, underway.words(&parts).forged, StatusCode::FORBIDDEN);
        return noted(response, None, "refused", Some("forged_form"));
    }
    let taking = Taking { app: &app, parts: &parts, underway: &underway, form: &form, now: app.clock.now() };
    let taken = match (step.as_str(), &underway.interaction.progress) {
        // Back to the beginning, from wherever they are but the end.
        ("restart", progress) if *progress != Progress::SignedIn => taking.move_on(Event::Restart).await,
        ("organisation", Progress::Organisation) => taking.organisation().await,
        ("password", Progress::Password { tenant, .. }) => taking.password(tenant.as_ref()).await,
        ("email-code", Progress::Password { tenant, .. }) => taking.send_code(tenant.as_ref()).await,
        ("code", Progress::EmailCode { tenant, email, code, sent_at, .. }) => {
            taking.email_code(tenant.as_ref(), email, code, *sent_at).await
        }
        ("second-factor", Progress::SecondFactor(proven)) => taking.second_factor(proven).await,
        ("enrolment", Progress::Enrolment { proven, secret }) => taking.enrolment(proven, secret).await,
        ("passkey", Progress::Organisation | Progress::Password { .. }) => taking.passkey().await,
        ("passkey", Progress::SecondFactor(proven)) => taking.passkey_beside(proven).await,
        ("passkey", Progress::Enrolment { proven, .. }) => taking.new_passkey(proven).await,
        // An old form, or one that was sent twice: the page of the step that comes now.
        _ => Ok(taking.back()),
    };
    taken.unwrap_or_else(|error| Answer::of(&parts, &app).store_failure(&error).into_response())
}

/// The secret that an app is to keep, as an interaction has it.
pub(super) fn open_app(app: &App, id: &str, sealed: &str) -> Result<TotpSecret, StoreError> {
    let corrupt = |source| StoreError::Corrupt { resource: Resource::Credential, id: "enrolment".to_owned(), source };
    let sealed = BASE64_URL_SAFE_NO_PAD.decode(sealed).map_err(|error| corrupt(error.into()))?;
    let plain = app.vault.open(&app_purpose(id), &sealed).map_err(|error| corrupt(error.into()))?;
    TotpSecret::from_bytes(&plain).ok_or_else(|| corrupt("is of another length".into()))
}

/// What a new app is to keep, sealed for one interaction.
pub(super) fn new_app(app: &App, id: &str) -> Result<String, StoreError> {
    let secret = TotpSecret::generate(&*app.entropy);
    let sealed = app.vault.seal(&app_purpose(id), secret.expose_bytes(), &*app.entropy);
    Ok(BASE64_URL_SAFE_NO_PAD.encode(sealed.map_err(|error| StoreError::Unavailable(error.into()))?))
}

fn app_purpose(id: &str) -> String {
    format!("enrolment {id}")
}

/// A step being taken.
struct Taking<'a> {
    app: &'a App,
    parts: &'a Parts,
    underway: &'a Underway,
    form: &'a Posted,
    now: Timestamp,
}

impl Taking<'_> {
    /// Where somebody belongs: by the name of their organisation, or by the domain of their address. Nobody is looked up.
    async fn organisation(&self) -> Result<Response, StoreError> {
        let typed = self.form.one("organisation").unwrap_or_default().trim().to_owned();
        let is_address = typed.contains('@');
        let tenant = match (is_address, typed.is_empty()) {
            (true, _) => self.tenant_of_domain(&typed).await?,
            // People of the platform itself belong to no organisation.
            (false, true) => None,
            (false, false) => {
                let slug: Option<Slug> = typed.to_ascii_lowercase().parse().ok();
                let found = match &slug {
                    Some(slug) => open_tenant(self.app, slug).await?,
                    None => None,
                };
                let Some(found) = found else {
                    let wrong = Wrong::Field { text: |words| words.no_organisation, typed };
                    return Ok(self.underway.page(self.app, self.parts, Some(wrong)).await);
                };
                Some(found.tenant.slug.clone())
            }
        };
        self.move_on(Event::Belongs { tenant, email: is_address.then_some(typed) }).await
    }

    /// The one tenant that takes addresses of a domain as its people's. Where there are several, it cannot be told which.
    async fn tenant_of_domain(&self, address: &str) -> Result<Option<Slug>, StoreError> {
        let domain = address.rsplit_once('@').and_then(|(_, domain)| domain.to_lowercase().parse::<Domain>().ok());
        let Some(domain) = domain else { return Ok(None) };
        let mention = format!("\"{domain}\"");
        let filter = Filter { mentions: Some(&mention), limit: Some(MOST_MENTIONING), ..Filter::default() };
        // Whoever signs in has no reach yet, and learns no more than which page asks for their password.
        let found: Vec<Tenant> = noun::list(&*self.app.store, &filter, Reach::Platform).await?;
        let mut theirs = found.into_iter().filter(|tenant| tenant.settings.email_domains.contains(&domain));
        Ok(match (theirs.next(), theirs.next()) {
            (Some(tenant), None) => Some(tenant.slug),
            _ => None,
        })
    }

    /// Who somebody is, by address and password.
    async fn password(&self, slug: Option<&Slug>) -> Result<Response, StoreError> {
        let (app, words) = (self.app, self.underway.words(self.parts));
        let tenant = match slug {
            None => None,
            Some(slug) => match open_tenant(app, slug).await? {
                Some(tenant) => Some(tenant),
                None => return Ok(told(self.parts, words.closed, StatusCode::FORBIDDEN)),
            },
        };
        let email = self.form.one("email").unwrap_or_default().trim().to_owned();
        let account = super::account(slug, &email);
        let address = RequestContext::of(self.parts, app).client_address;
        if let Err(wait) = app.sign_in_failures.check_password(&account, address, self.now) {
            return Ok(self.told_to_wait(wait));
        }
        let found = app.registry.find_user(tenant.as_ref().map(|tenant| tenant.tenant.id), &email).await?;
        // Where there is nobody, as much is looked up, and more of somebody only once the password has proved right.
        let asked = found.unwrap_or_else(|| new_id(self.now, &*app.entropy));
        let credentials = Credentials::of(&*app.store, &app.vault, asked).await?;
        let verdict = match self.form.one("password").map(Password::new) {
            Some(Ok(password)) => app.passwords.verify(password, credentials.password.clone()).await,
            // Nothing, or more than anybody types, is nobody's password.
            _ => Ok(Verdict::Wrong),
        };
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(Unanswered::Busy) => return Ok(noted(busy(self.parts, words), None, "refused", Some("busy"))),
            Err(Unanswered::Failed(error)) => return Err(StoreError::Unavailable(error.into())),
        };
        // Somebody who may not sign in has no password, as far as anybody can tell.
        let active = match found.filter(|_| verdict != Verdict::Wrong) {
            Some(id) => app.registry.person(id).await?.filter(|person| person.is_active()),
            None => None,
        };
        let outcome = if active.is_some() { Outcome::Right } else { Outcome::Wrong };
        if let Err(wait) = app.sign_in_failures.settle_password(&account, address, outcome, self.now) {
            return Ok(self.told_to_wait(wait));
        }
        let Some(person) = active else {
            let wrong = Wrong::Field { text: |words| words.wrong_password, typed: email };
            let response = self.underway.page(app, self.parts, Some(wrong)).await;
            return Ok(noted(response, None, "refused", Some("wrong_password")));
        };
        if verdict == Verdict::RightAndOutdated {
            self.renew_password(&person).await;
        }
        let new_app = new_app(app, &self.underway.id)?;
        let event = Event::Password { user: person.id(), at: self.now, new_app };
        self.arrive(&person, event, credentials.has_second_factor(), None).await
    }

    /// Keeps a password that was just shown the way passwords are kept now. Where that fails, the next sign-in does it.
    async fn renew_password(&self, person: &Person) {
        let renewed = async {
            let Some(Ok(password)) = self.form.one("password").map(Password::new) else { return Ok(()) };
            let kept = match self.app.passwords.hash(password).await {
                Ok(kept) => kept,
                Err(error) => return Err(RegistryError::Store(StoreError::Unavailable(error.into()))),
            };
            self.change(person, async |edit| {
                credential::set_password(edit, &self.app.vault, &person.user, &kept).await.map(drop)
            })
            .await
        };
        if let Err(error) = renewed.await {
            tracing::warn!(%error, user = %person.id(), "an outdated hash of a password stays as it is for now");
        }
    }

    /// A code of an app, or a recovery code.
    async fn second_factor(&self, proven: &Proven) -> Result<Response, StoreError> {
        let Some(person) = self.still_there(proven).await? else { return self.move_on(Event::Restart).await };
        let app = self.app;
        let account = person.id().to_string();
        if let Err(wait) = app.sign_in_failures.check_code(&account, self.now) {
            return Ok(self.told_to_wait(wait));
        }
        let code = self.form.one("code").unwrap_or_default();
        let credentials = Credentials::of(&*app.store, &app.vault, person.id()).await?;
        let shown = if self.is_fresh_code(&credentials.totp, code).await? {
            Some(Method::Otp)
        } else if credentials.recovery.as_ref().is_some_and(|codes| codes.without(code).is_some()) {
            self.use_recovery_code(&person, code).await?.then_some(Method::RecoveryCode)
        } else {
            None
        };
        let outcome = if shown.is_some() { Outcome::Right } else { Outcome::Wrong };
        if let Err(wait) = app.sign_in_failures.settle_code(&account, outcome, self.now) {
            return Ok(self.told_to_wait(wait));
        }
        let Some(method) = shown else { return Ok(self.wrong_code(&person).await) };
        self.arrive(&person, Event::SecondFactor(method), credentials.has_second_factor(), None).await
    }

    /// The first code of an app that is being set up.
    async fn enrolment(&self, proven: &Proven, sealed: &str) -> Result<Response, StoreError> {
        let Some(person) = self.still_there(proven).await? else { return self.move_on(Event::Restart).await };
        let app = self.app;
        let account = person.id().to_string();
        if let Err(wait) = app.sign_in_failures.check_code(&account, self.now) {
            return Ok(self.told_to_wait(wait));
        }
        let secret = open_app(app, &self.underway.id, sealed)?;
        let step = secret.step_of(self.form.one("code").unwrap_or_default(), self.now);
        let outcome = if step.is_some() { Outcome::Right } else { Outcome::Wrong };
        if let Err(wait) = app.sign_in_failures.settle_code(&account, outcome, self.now) {
            return Ok(self.told_to_wait(wait));
        }
        let Some(step) = step else { return Ok(self.wrong_code(&person).await) };
        self.set_up(&person, proven, NewFactor::App { secret: &secret, step }).await
    }

    /// Keeps a second factor, and the recovery codes for the day when it is lost.
    async fn set_up(
        &self,
        person: &Arc<Person>,
        proven: &Proven,
        factor: NewFactor<'_>,
    ) -> Result<Response, StoreError> {
        let vault = &self.app.vault;
        let (mut added, mut codes) = (None, None);
        let enrolled = self
            .change(person, async |edit| {
                let there = Credentials::of(edit.tx, vault, person.id()).await?;
                // Somebody who set one up meanwhile, in another tab or another place, has it: who only knows the password adds none.
                if there.has_second_factor() && !proven.is_strong() {
                    return Ok(());
                }
                let credential = match factor {
                    // Each of them is one more code that would do for whoever guesses.
                    NewFactor::App { .. } if there.totp.len() >= MOST_APPS => return Ok(()),
                    NewFactor::App { secret, .. } => credential::enrol_totp(edit, vault, &person.user, secret).await?,
                    NewFactor::Passkey(passkey) => {
                        credential::enrol_passkey(edit, vault, &person.user, passkey, None).await?
                    }
                };
                added = Some(credential.id);
                // Those that somebody wrote down for the factor before are good for this one too.
                if there.recovery.is_none() {
                    codes = Some(credential::make_recovery_codes(edit, vault, &person.user).await?.1);
                }
                Ok(())
            })
            .await;
        match enrolled {
            // It is somebody's already. Whose, nobody learns.
            Err(RegistryError::Conflict(taken)) => return self.wrong_passkey(Some(person), &taken).await,
            other => other.map_err(failed)?,
        }
        let Some(added) = added else { return self.move_on(Event::Restart).await };
        let method = match factor {
            NewFactor::App { step, .. } => {
                // Whoever saw the first code on its way does not sign in with it.
                self.spend(added, step).await?;
                Method::Otp
            }
            NewFactor::Passkey(_) => Method::Passkey,
        };
        self.arrive(person, Event::Enrolled(method), true, codes).await
    }

    /// Whether this is a code of one of these apps that was never used.
    async fn is_fresh_code(&self, apps: &[(CredentialId, TotpSecret)], code: &str) -> Result<bool, StoreError> {
        for (id, secret) in apps {
            let Some(step) = secret.step_of(code, self.now) else { continue };
            return self.spend(*id, step).await;
        }
        Ok(false)
    }

    /// Spends a code of an app. `false` where it was spent before. RFC 6238 §5.2: "The verifier MUST NOT accept the second
    /// attempt of the OTP after the successful validation has been issued for the first OTP", on whichever node.
    async fn spend(&self, app: CredentialId, step: u64) -> Result<bool, StoreError> {
        let expires_at = self.now.plus_secs(CODE_REMEMBERED_SECS);
        self.app.store.use_assertion(&format!("totp {app}"), &step.to_string(), expires_at).await
    }

    async fn use_recovery_code(&self, person: &Person, code: &str) -> Result<bool, StoreError> {
        let mut is_used = false;
        let used = self
            .change(person, async |edit| {
                is_used = credential::use_recovery_code(edit, &self.app.vault, &person.user, code).await?;
                Ok(())
            })
            .await;
        used.map_err(failed)?;
        Ok(is_used)
    }

    /// Whoever proved the password a while ago, if they may still sign in, and if nobody ended the session they did it in.
    async fn still_there(&self, proven: &Proven) -> Result<Option<Arc<Person>>, StoreError> {
        if is_stale(proven, self.now) {
            return Ok(None);
        }
        if let Some(session) = proven.session {
            let found = session::signed_in(self.app, &self.parts.headers, self.now).await?;
            if found.is_none_or(|found| found.session.id != session) {
                return Ok(None);
            }
        }
        Ok(self.app.registry.person(proven.user).await?.filter(|person| person.is_active()))
    }

    async fn wrong_code(&self, person: &Person) -> Response {
        let wrong = Wrong::Field { text: |words| words.wrong_code, typed: String::new() };
        let response = self.underway.page(self.app, self.parts, Some(wrong)).await;
        noted(response, Some(person), "refused", Some("wrong_code"))
    }

    /// What comes after something that was proven of a person: one step more, or they are signed in.
    async fn arrive(
        &self,
        person: &Arc<Person>,
        event: Event,
        has_second_factor: bool,
        codes: Option<ShownCodes>,
    ) -> Result<Response, StoreError> {
        let interaction = &self.underway.interaction;
        let settings = settings_of(self.app, person).await?;
        let email_code = settings.email_code;
        let needs = Needs { mfa: settings.mfa, acr: interaction.acr, has_second_factor, email_code };
        let is_by_passkey = matches!(event, Event::Passkey { .. });
        let Ok((progress, proven)) = interaction.progress.clone().after(event, &needs) else {
            // Other people sign in here.
            return if is_by_passkey { self.wrong_passkey(Some(person), &OutOfOrder).await } else { Ok(self.back()) };
        };
        let (Progress::SignedIn, Some(proven)) = (&progress, proven) else {
            let next = interaction.clone().at(progress);
            // Where another form was quicker, the page shows what came of that one.
            self.underway.advance(self.app, &next).await?;
            return Ok(noted(self.back(), Some(person), "one_step_further", None));
        };
        let beginning = session::prepare(self.app, self.parts, person, proven.methods, self.now).await?;
        let next = Interaction { session: Some(beginning.signed_in.session.id), ..interaction.clone() }.at(progress);
        let mut response = match codes {
            // What is shown once is shown before they go on.
            Some(codes) if self.keep(&beginning, &next).await? => self.codes_page(person, codes).await?,
            Some(_) => return Ok(self.back()),
            None => match self.underway.lead_on_at_once(self.app, self.parts, &beginning).await? {
                AtOnce::Gone(response) => response,
                AtOnce::NotYet if self.keep(&beginning, &next).await? => self.on(),
                AtOnce::NotYet | AtOnce::Never => return Ok(self.back()),
            },
        };
        response.headers_mut().append(header::SET_COOKIE, beginning.cookie);
        let after = response.extensions().get::<middleware::Outcome>().cloned().unwrap_or_default();
        let actor = Some(person.id().to_string());
        response.extensions_mut().insert(middleware::Outcome { actor, outcome: "signed_in", ..after });
        Ok(response)
    }

    /// Keeps a session that begins, and that the interaction has come so far. `false` where the same form was sent twice and the
    /// other one counts, or where the session was ended from elsewhere: they show who they are once more.
    async fn keep(&self, beginning: &Beginning, next: &Interaction) -> Result<bool, StoreError> {
        beginning.keep_with(self.app, self.underway.advance(self.app, next)).await
    }

    async fn codes_page(&self, person: &Person, codes: ShownCodes) -> Result<Response, StoreError> {
        let frame = Frame {
            words: self.underway.words(self.parts),
            id: self.underway.id.clone(),
            form_token: form_token(self.app, &self.underway.browser, &self.underway.purpose()),
            brand: Brand::of_user(self.app, &person.user).await?,
            wrong: None,
            passkey: None,
        };
        let mut response = for_a_person(&CodesPage { frame, codes });
        self.underway.lead(self.app, &mut response, false).await;
        Ok(response)
    }

    /// A step about nobody in particular.
    async fn move_on(&self, event: Event) -> Result<Response, StoreError> {
        let interaction = &self.underway.interaction;
        if let Ok((progress, _)) = interaction.progress.clone().after(event, &self.needs_of_nobody()) {
            self.underway.advance(self.app, &interaction.clone().at(progress)).await?;
        }
        Ok(self.back())
    }

    /// What is asked where it is not known of whom.
    fn needs_of_nobody(&self) -> Needs {
        let (mfa, acr) = (TenantSettings::default().mfa, self.underway.interaction.acr);
        Needs { mfa, acr, has_second_factor: false, email_code: false }
    }

    /// A change of a person's own credentials, by themselves.
    async fn change(
        &self,
        person: &Person,
        make: impl AsyncFnOnce(&Edit<'_>) -> Result<(), RegistryError>,
    ) -> Result<(), RegistryError> {
        own::change(self.app, self.parts, &person.user, make).await
    }

    fn told_to_wait(&self, wait: TooManyFailures) -> Response {
        let response = told_to_wait(self.parts, self.underway.words(self.parts), wait);
        noted(response, None, "refused", Some("too_many_failures"))
    }

    /// To where somebody who is signed in goes on.
    fn on(&self) -> Response {
        to_go_on(&self.underway.id)
    }

    /// To the page of the step that comes now.
    fn back(&self) -> Response {
        to_step(&self.underway.id)
    }
}

/// What somebody sets up beside their password.
#[derive(Clone, Copy)]
enum NewFactor<'a> {
    /// An app, and the step of its first code.
    App {
        secret: &'a TotpSecret,
        step: u64,
    },
    Passkey(&'a Passkey),
}

/// How the people of somebody's tenant sign in.
///
/// # Errors
/// Those of the store.
pub(crate) async fn settings_of(app: &App, person: &Person) -> Result<TenantSettings, StoreError> {
    let Some(id) = person.user.tenant_id else { return Ok(TenantSettings::default()) };
    let tenant = app.registry.tenant_by_id(id).await?;
    // A tenant that is gone asks for all it could have asked for.
    let strictest =
        || TenantSettings { mfa: ambit_protocol::admin::tenant::MfaPolicy::Required, ..TenantSettings::default() };
    Ok(tenant.map_or_else(strictest, |tenant| tenant.tenant.settings.clone()))
}

/// Nothing that a person does to their own credentials is refused; what fails is the store.
fn failed(error: RegistryError) -> StoreError {
    match error {
        RegistryError::Store(error) => error,
        other => StoreError::Corrupt {
            resource: Credential::RESOURCE,
            id: "of a person who signs in".to_owned(),
            source: other.into(),
        },
    }
}

/// Authenticator apps of one person: one, and the one that takes its place.
pub(crate) const MOST_APPS: usize = 2;
/// More tenants than that do not share a domain.
const MOST_MENTIONING: u32 = 50;
/// A code counts for ninety seconds; after that it needs no remembering.
const CODE_REMEMBERED_SECS: i64 = 120;
