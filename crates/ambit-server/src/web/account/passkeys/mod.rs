//! `/account/passkeys`: the passkeys by which a person signs in, or proves once more who they are.
//!
//! Whoever finds a browser open must not let themselves in for good, nor lock its owner out. So a passkey is added and taken away
//! with a proof that is recent (`proof`).
//!
//! 1. Without such a proof, the button leads to where it is given, and back.
//! 2. With it, the page carries a challenge. The server keeps what the answer is held against, under a token that is good once, for
//!    a few minutes, and for this session alone.
//! 3. Whoever has no recovery codes yet is shown some with the first passkey, for the day when it is lost.

mod view;
mod wording;

use ambit_core::page;
use ambit_core::passkey::Ceremony;
use ambit_core::registry::RegistryError;
use ambit_core::registry::credential::{self, Credentials};
use ambit_core::secret::SecretHash;
use ambit_core::sign_in::Destination;
use ambit_core::store::StoreError;
use ambit_core::store::sign_in::OneTimeToken;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::credential::CredentialKind;
use ambit_protocol::admin::text::Name;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use self::view::{Adding, Fault, PasskeysPage};
use self::wording::Words;
use super::proof::RECENT_SECS;
use super::view::{CodesPage, Tab};
use super::{Me, failed};
use crate::logs::with_causes;
use crate::middleware::RequestContext;
use crate::problem::Answer;
use crate::state::App;
use crate::web::named::Named;
use crate::web::passkey::{Act, PasskeyButton, PasskeyWords};
use crate::web::posted::Posted;
use crate::web::{own, running_script, sign_in};

/// The person's passkeys.
pub async fn show(State(app): State<App>, parts: Parts) -> Response {
    let me = match Me::of(&app, &parts).await {
        Ok(me) => me,
        Err(response) => return response,
    };
    Keeping { app: &app, parts: &parts, me: &me }.shown(None).await
}

/// Adds a passkey that an authenticator has just made; without a recent proof, asks for one.
pub async fn add(State(app): State<App>, request: Request) -> Response {
    let (me, parts, form) = match Me::posting(&app, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let keeping = Keeping { app: &app, parts: &parts, me: &me };
    keeping.proven(async |_| keeping.add(&form).await).await
}

/// Calls one of the person's passkeys something else.
pub async fn name(State(app): State<App>, Named(id): Named, request: Request) -> Response {
    let (me, parts, form) = match Me::posting(&app, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let keeping = Keeping { app: &app, parts: &parts, me: &me };
    let Ok(name) = form.one("name").unwrap_or_default().trim().parse::<Name>() else {
        return keeping.shown(Some(Fault::Name { id })).await;
    };
    let user = &me.signed_in.person.user;
    let named =
        own::change(&app, &parts, user, async |edit| credential::name_passkey(edit, user, &id, name).await.map(drop));
    match named.await {
        Ok(()) => me.done("passkey_named", ADDRESS),
        Err(error) => keeping.refused(&error),
    }
}

/// Takes one of the person's passkeys away.
pub async fn remove(State(app): State<App>, Named(id): Named, request: Request) -> Response {
    let (me, parts, _) = match Me::posting(&app, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let keeping = Keeping { app: &app, parts: &parts, me: &me };
    keeping.proven(async |_| keeping.remove(&id).await).await
}

/// A person who looks after their passkeys.
struct Keeping<'a> {
    app: &'a App,
    parts: &'a Parts,
    me: &'a Me,
}

impl Keeping<'_> {
    /// Does something that asks for a recent proof, or asks for that.
    async fn proven(&self, act: impl AsyncFnOnce(&Credentials) -> Result<Response, StoreError>) -> Response {
        let done = async {
            let credentials = self.me.credentials(self.app).await?;
            if !self.me.is_proven(self.app, &credentials) {
                return Ok(self.me.prove(self.app, self.parts, &credentials, Destination::AccountPasskeys).await);
            }
            act(&credentials).await
        };
        done.await.unwrap_or_else(|error| failed(self.app, self.parts, &error))
    }

    async fn add(&self, form: &Posted) -> Result<Response, StoreError> {
        let (app, user) = (self.app, &self.me.signed_in.person.user);
        let Some(passkeys) = &app.passkeys else { return self.page(None).await };
        let answer = form.one("credential").unwrap_or_default();
        if answer.is_empty() {
            // The button of a page from before the proof.
            return self.page(None).await;
        }
        let Some(ceremony) = self.take_challenge(form.one("challenge").unwrap_or_default()).await? else {
            return self.not_added("its challenge was answered before, or is too old").await;
        };
        let passkey = match passkeys.verify_new(&ceremony, answer) {
            Ok(passkey) => passkey,
            Err(error) => return self.not_added(&with_causes(&error)).await,
        };
        // What an authenticator made is not thrown away for its name: it can be given another.
        let name: Option<Name> = form.one("name").and_then(|name| name.trim().parse().ok());
        let mut codes = None;
        let added = own::change(app, self.parts, user, async |edit| {
            credential::enrol_passkey(edit, &app.vault, user, &passkey, name).await?;
            if Credentials::of(edit.tx, &app.vault, user.id).await?.recovery.is_none() {
                codes = Some(credential::make_recovery_codes(edit, &app.vault, user).await?.1);
            }
            Ok(())
        });
        match added.await {
            Ok(()) => {}
            // It is somebody's already, whosever; or there are too many.
            Err(RegistryError::Conflict(conflict)) => return self.not_added(&conflict.to_string()).await,
            Err(error) => return Ok(self.refused(&error)),
        }
        let Some(codes) = codes else { return Ok(self.me.done("passkey_added", ADDRESS)) };
        let frame = self.me.frame(app, Tab::Passkeys);
        let mut response = self.me.page(&CodesPage::new(frame, Tab::Passkeys, codes));
        self.me.note(&mut response, "passkey_added");
        Ok(response)
    }

    async fn remove(&self, id: &str) -> Result<Response, StoreError> {
        let person = &self.me.signed_in.person;
        let mfa = sign_in::settings_of(self.app, person).await?.mfa;
        let mut is_removed = false;
        let removed = own::change(self.app, self.parts, &person.user, async |edit| {
            is_removed = credential::remove_own_factor(edit, &person.user, CredentialKind::Passkey, id, mfa).await?;
            Ok(())
        });
        match removed.await {
            Ok(()) if is_removed => {
                self.me.end_other_sessions(self.app).await?;
                Ok(self.me.done("passkey_removed", ADDRESS))
            }
            Ok(()) => self.page(Some(Fault::LastFactor { id: id.to_owned() })).await,
            Err(error) => Ok(self.refused(&error)),
        }
    }

    /// The page, or that it failed.
    async fn shown(&self, fault: Option<Fault>) -> Response {
        self.page(fault).await.unwrap_or_else(|error| failed(self.app, self.parts, &error))
    }

    async fn page(&self, fault: Option<Fault>) -> Result<Response, StoreError> {
        let (app, me) = (self.app, self.me);
        let credentials = me.credentials(app).await?;
        let words = Words::of(me.language);
        let adding = match &app.passkeys {
            None => Adding::Impossible,
            Some(_) if !me.is_proven(app, &credentials) => Adding::AfterProof,
            Some(passkeys) => {
                let there = credentials.passkeys.iter().map(|(_, passkey)| passkey);
                let ceremony = passkeys
                    .ask_for_new(&me.signed_in.person.user, there)
                    .map_err(|error| StoreError::Unavailable(error.into()))?;
                let texts = PasskeyWords::of(me.language);
                let button = PasskeyButton::new(BUTTON, words.add, Act::Create, &ceremony, texts);
                let button = if fault == Some(Fault::NotAdded) { button.refused() } else { button };
                Adding::Now { button, challenge: self.keep_challenge(&ceremony).await? }
            }
        };
        let runs_script = matches!(adding, Adding::Now { .. });
        let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        let listed = credentials.passkeys.into_iter().map(|(credential, _)| credential).collect();
        let mut response = me.page(&PasskeysPage::new(me.frame(app, Tab::Passkeys), words, listed, adding, fault));
        *response.status_mut() = status;
        if runs_script {
            running_script(response.headers_mut());
        }
        Ok(response)
    }

    async fn not_added(&self, reason: &str) -> Result<Response, StoreError> {
        let trace_id = RequestContext::of(self.parts, self.app).trace_id;
        tracing::debug!(%trace_id, reason, "a passkey is not added");
        let mut response = self.page(Some(Fault::NotAdded)).await?;
        self.me.note(&mut response, "passkey_not_added");
        Ok(response)
    }

    /// Keeps a challenge in place of the one before, and answers the token by which it is found.
    async fn keep_challenge(&self, ceremony: &Ceremony) -> Result<String, StoreError> {
        let mut random = [0; 32];
        self.app.entropy.fill(&mut random);
        let token = BASE64_URL_SAFE_NO_PAD.encode(random);
        let kept = OneTimeToken {
            token: SecretHash::of(&token),
            purpose: PURPOSE.to_owned(),
            subject: self.me.signed_in.session.id.to_string(),
            expires_at: self.app.clock.now().plus_secs(RECENT_SECS),
            used_at: None,
            document: serde_json::to_string(ceremony).map_err(|error| StoreError::Unavailable(error.into()))?,
        };
        self.app.store.sign_ins().issue_one_time_token(&kept).await?;
        Ok(token)
    }

    /// The challenge of a token, this once, in the session that it was set in.
    async fn take_challenge(&self, token: &str) -> Result<Option<Ceremony>, StoreError> {
        let (sign_ins, now) = (self.app.store.sign_ins(), self.app.clock.now());
        let session = self.me.signed_in.session.id.to_string();
        let found = sign_ins.find_one_time_token(&SecretHash::of(token)).await?;
        let is_ours = |kept: &OneTimeToken| kept.purpose == PURPOSE && kept.subject == session && now < kept.expires_at;
        let Some(kept) = found.filter(is_ours) else { return Ok(None) };
        if !sign_ins.use_one_time_token(&kept.token, now).await? {
            return Ok(None);
        }
        let corrupt = |error: serde_json::Error| StoreError::Corrupt {
            resource: Resource::User,
            id: "challenge".to_owned(),
            source: error.into(),
        };
        serde_json::from_str(&kept.document).map(Some).map_err(corrupt)
    }

    /// What the registry does not let a person do.
    fn refused(&self, error: &RegistryError) -> Response {
        let answer = Answer::of(self.parts, self.app);
        match error {
            RegistryError::Store(error) => failed(self.app, self.parts, error),
            RegistryError::NotFound { .. } => {
                answer.problem(&page::NOT_FOUND, "you have no such passkey").into_response()
            }
            other => answer.problem(&page::FORBIDDEN, &other.to_string()).into_response(),
        }
    }
}

const ADDRESS: &str = "/account/passkeys";
const BUTTON: &str = "add-passkey";
/// What the token of a challenge is good for.
const PURPOSE: &str = "new passkey";
