//! `/account/security`: by what a person proves who they are.
//!
//! Each change here asks for a recent proof (`proof`). A password that changed, and an app that was taken away, end all other
//! sessions: whoever had it may be in one of them.

use ambit_core::page;
use ambit_core::password::{Password, Unfit, Verdict};
use ambit_core::registry::credential::{self, Credentials};
use ambit_core::registry::{Power, RegistryError};
use ambit_core::sign_in::{Destination, Interaction, Proven};
use ambit_core::store::StoreError;
use ambit_protocol::admin::credential::CredentialKind;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::view::{CodesPage, SecurityPage, Tab, Wrong};
use super::{Me, failed, refused, to_the_account};
use crate::limits::Outcome;
use crate::middleware::RequestContext;
use crate::passwords::Unanswered;
use crate::problem::Answer;
use crate::state::App;
use crate::web::named::Named;
use crate::web::posted::Posted;
use crate::web::{own, sign_in};

/// Shows it.
pub async fn show(State(app): State<App>, parts: Parts) -> Response {
    match Me::of(&app, &parts).await {
        Ok(me) => me.security(&app, &parts, None).await,
        Err(response) => response,
    }
}

/// Has the person prove once more who they are.
pub async fn prove(State(app): State<App>, request: Request) -> Response {
    let (me, parts, _) = match Me::posting(&app, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    match me.credentials(&app).await {
        Ok(credentials) => me.prove(&app, &parts, &credentials, Destination::AccountSecurity).await,
        Err(error) => failed(&app, &parts, &error),
    }
}

/// Sets up an authenticator app, or a second one that is to take the place of the first. It stands beside something: whoever signs
/// in by letters alone has a password first.
pub async fn set_up_app(State(app): State<App>, request: Request) -> Response {
    let Changing { me, parts, credentials, .. } = match Changing::of(&app, request).await {
        Ok(changing) => changing,
        Err(response) => return response,
    };
    if credentials.totp.len() >= sign_in::MOST_APPS || credentials.is_empty() {
        return me.security(&app, &parts, None).await;
    }
    let now = app.clock.now();
    let proven = Proven {
        user: me.signed_in.person.id(),
        methods: me.signed_in.authentication.methods.clone(),
        since: now,
        session: Some(me.signed_in.session.id),
    };
    let asked = Interaction { destination: Destination::AccountSecurity, ..to_the_account(now) };
    let mut response = Box::pin(sign_in::begin_enrolment(&app, &parts, proven, asked)).await;
    me.note(&mut response, "enrolment_begun");
    response
}

/// Takes an authenticator app away.
pub async fn remove_app(State(app): State<App>, Named(id): Named, request: Request) -> Response {
    let changing = match Changing::of(&app, request).await {
        Ok(changing) => changing,
        Err(response) => return response,
    };
    match changing.remove_app(&app, &id).await {
        Ok(response) => response,
        Err(error) => refused(&app, &changing.parts, &error),
    }
}

/// Makes new recovery codes and shows them, this once.
pub async fn make_codes(State(app): State<App>, request: Request) -> Response {
    let Changing { me, parts, credentials, .. } = match Changing::of(&app, request).await {
        Ok(changing) => changing,
        Err(response) => return response,
    };
    if !credentials.has_second_factor() {
        let detail = "recovery codes stand in for an authenticator app, and you have none";
        return Answer::of(&parts, &app).problem(&page::NOT_FOUND, detail).into_response();
    }
    let user = &me.signed_in.person.user;
    let mut shown = None;
    let changed = own::change(&app, &parts, user, async |edit| {
        shown = Some(credential::make_recovery_codes(edit, &app.vault, user).await?.1);
        Ok(())
    })
    .await;
    match (changed, shown) {
        (Ok(()), Some(codes)) => {
            let mut response = me.page(&CodesPage::new(me.frame(&app, Tab::Security), Tab::Security, codes));
            me.note(&mut response, "recovery_codes_made");
            response
        }
        // A change that is made has made them.
        (Ok(()), None) => me.done("recovery_codes_made", "/account/security"),
        (Err(error), _) => refused(&app, &parts, &error),
    }
}

/// Changes the password, or sets the first one.
pub async fn change_password(State(app): State<App>, request: Request) -> Response {
    let mut changing = match Changing::of(&app, request).await {
        Ok(changing) => changing,
        Err(response) => return response,
    };
    match changing.change_password(&app).await {
        Ok(response) => response,
        Err(error) => refused(&app, &changing.parts, &error),
    }
}

/// A form that changes by what its person proves who they are, sent with a proof that is recent and strong enough.
struct Changing {
    me: Me,
    parts: Parts,
    form: Posted,
    credentials: Credentials,
}

impl Changing {
    /// # Errors
    /// The answer: the way to prove it, where that is missing.
    async fn of(app: &App, request: Request) -> Result<Self, Response> {
        let (me, parts, form) = Me::posting(app, request).await?;
        let credentials = me.credentials(app).await.map_err(|error| failed(app, &parts, &error))?;
        if me.is_proven(app, &credentials) {
            return Ok(Self { me, parts, form, credentials });
        }
        Err(me.prove(app, &parts, &credentials, Destination::AccountSecurity).await)
    }

    async fn remove_app(&self, app: &App, id: &str) -> Result<Response, RegistryError> {
        let (me, person) = (&self.me, &self.me.signed_in.person);
        let mfa = sign_in::settings_of(app, person).await?.mfa;
        let mut is_removed = false;
        own::change(app, &self.parts, &person.user, async |edit| {
            is_removed = credential::remove_own_factor(edit, &person.user, CredentialKind::Totp, id, mfa).await?;
            Ok(())
        })
        .await?;
        if !is_removed {
            return Ok(me.security(app, &self.parts, Some(Wrong::LastFactor)).await);
        }
        self.me.end_other_sessions(app).await?;
        Ok(me.done("second_factor_removed", "/account/security"))
    }

    async fn change_password(&mut self, app: &App) -> Result<Response, RegistryError> {
        let kept = self.credentials.password.take();
        let (me, person) = (&self.me, &self.me.signed_in.person);
        let wrong = async |wrong| Ok(me.security(app, &self.parts, Some(wrong)).await);
        let least = sign_in::settings_of(app, person).await?.password_min_length;
        let Some(Ok(new)) = self.form.one("new_password").map(Password::new) else {
            return wrong(Wrong::Short(least)).await;
        };
        match new.check(least, person.user.email.as_str()) {
            Ok(()) => {}
            Err(Unfit::Short { least }) => return wrong(Wrong::Short(least)).await,
            Err(Unfit::IsTheAddress) => return wrong(Wrong::Address).await,
        }
        if let Some(kept) = kept {
            let now = app.clock.now();
            // A guess here and a guess at the door are one and the same.
            let account = sign_in::account(me.slug(app).await?.as_ref(), person.user.email.as_str());
            let address = RequestContext::of(&self.parts, app).client_address;
            if let Err(wait) = app.sign_in_failures.check_password(&account, address, now) {
                return wrong(Wrong::TooOften(wait)).await;
            }
            let verdict = match self.form.one("password").map(Password::new) {
                Some(Ok(password)) => app.passwords.verify(password, Some(kept)).await,
                // Nothing, or more than anybody types, is nobody's password.
                _ => Ok(Verdict::Wrong),
            };
            let outcome = match verdict {
                Ok(Verdict::Wrong) => Outcome::Wrong,
                Ok(Verdict::Right | Verdict::RightAndOutdated) => Outcome::Right,
                Err(Unanswered::Busy) => return wrong(Wrong::Busy).await,
                Err(Unanswered::Failed(error)) => return Err(StoreError::Unavailable(error.into()).into()),
            };
            if let Err(wait) = app.sign_in_failures.settle_password(&account, address, outcome, now) {
                return wrong(Wrong::TooOften(wait)).await;
            }
            if outcome == Outcome::Wrong {
                return wrong(Wrong::Current).await;
            }
        }
        let kept = match app.passwords.hash(new).await {
            Ok(kept) => kept,
            Err(Unanswered::Busy) => return wrong(Wrong::Busy).await,
            Err(Unanswered::Failed(error)) => return Err(StoreError::Unavailable(error.into()).into()),
        };
        own::change(app, &self.parts, &person.user, async |edit| {
            credential::set_password(edit, &app.vault, &person.user, &kept).await.map(drop)
        })
        .await?;
        self.me.end_other_sessions(app).await?;
        Ok(me.done("password_changed", "/account/security"))
    }
}

impl Me {
    async fn security(&self, app: &App, parts: &Parts, wrong: Option<Wrong>) -> Response {
        let looked_up = async {
            let person = &self.signed_in.person;
            let settings = sign_in::settings_of(app, person).await?;
            let reach = Power::of_oneself(&person.user).reach;
            let listed = credential::list(&*app.store, &person.id().to_string(), reach).await?;
            Ok::<_, RegistryError>((self.credentials(app).await?, settings, listed))
        };
        let (credentials, settings, listed) = match looked_up.await {
            Ok(found) => found,
            Err(error) => return refused(app, parts, &error),
        };
        let is_proven = self.is_proven(app, &credentials);
        let frame = self.frame(app, Tab::Security);
        let page = SecurityPage::new(frame, &self.signed_in, &listed, &settings, is_proven, wrong);
        let mut response = self.page(&page);
        if let Some(wrong) = wrong {
            *response.status_mut() = wrong.status();
            if let Some(secs) = wrong.retry_after_secs() {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
            }
            self.note(&mut response, "refused");
        }
        response
    }
}

impl Wrong {
    const fn status(self) -> StatusCode {
        match self {
            Self::Current | Self::Short(_) | Self::Address => StatusCode::UNPROCESSABLE_ENTITY,
            Self::LastFactor => StatusCode::FORBIDDEN,
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn retry_after_secs(self) -> Option<u64> {
        match self {
            Self::TooOften(wait) => Some(wait.retry_after_secs),
            Self::Busy => Some(sign_in::BUSY_SECS),
            Self::Current | Self::Short(_) | Self::Address | Self::LastFactor => None,
        }
    }
}
