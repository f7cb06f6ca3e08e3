//! What somebody shows by a passkey: who they are, that it is they, or that they have one now.
//!
//! Each answers the challenge that the interaction holds, and each failure sets another one. A passkey that does not count is
//! refused in one way, whatever was wrong with it: the page tells of nobody whether they have one.

use std::error::Error;
use std::sync::Arc;

use ambit_core::passkey::{Ceremony, Passkey};
use ambit_core::person::Person;
use ambit_core::registry::credential::{self, Credentials, PasskeyUse};
use ambit_core::sign_in::{Event, Proven};
use ambit_core::store::StoreError;
use ambit_protocol::admin::credential::Credential;
use axum::http::StatusCode;
use axum::response::Response;
use webauthn_rs::prelude::AuthenticationResult;

use super::{NewFactor, Outcome, Taking, Underway, Wrong, failed, noted, open_tenant, told};
use crate::logs::with_causes;
use crate::middleware::RequestContext;
use crate::passkeys::{PasskeyError, Passkeys, Shown};

impl Taking<'_> {
    /// Who somebody is, by a passkey that says it. Nobody has said it before, so nobody was looked up.
    pub(super) async fn passkey(&self) -> Result<Response, StoreError> {
        let app = self.app;
        let Some((passkeys, ceremony)) = self.challenge() else { return Ok(self.back()) };
        let shown = match Shown::read(self.form.one("credential").unwrap_or_default()) {
            Ok(shown) => shown,
            Err(error) => return self.wrong_passkey(None, &error).await,
        };
        let Some(user) = shown.user() else { return self.wrong_passkey(None, &PasskeyError::Nobody).await };
        let account = format!("passkey/{user}");
        let address = RequestContext::of(self.parts, app).client_address;
        if let Err(wait) = app.sign_in_failures.check_password(&account, address, self.now) {
            return Ok(self.told_to_wait(wait));
        }
        let person = app.registry.person(user).await?.filter(|person| person.is_active());
        // Somebody who may not sign in has no passkey, as far as anybody can tell. Where there is nobody, as much is looked up.
        let credentials = Credentials::of(&*app.store, &app.vault, user).await?;
        let verified = match (&person, credentials.passkey(shown.passkey())) {
            (Some(person), Some(kept)) => {
                passkeys.verify(ceremony, &shown, &kept.1).map(|result| (person, kept, result))
            }
            _ => Err(PasskeyError::Nobody),
        };
        let outcome = if verified.is_ok() { Outcome::Right } else { Outcome::Wrong };
        if let Err(wait) = app.sign_in_failures.settle_password(&account, address, outcome, self.now) {
            return Ok(self.told_to_wait(wait));
        }
        match verified {
            Ok((person, kept, result)) => self.by_passkey(person, kept, &result).await,
            // The signature is right: it is theirs, or a copy of it.
            Err(error @ PasskeyError::CounterBack) => self.wrong_passkey(person.as_deref(), &error).await,
            Err(error) => self.wrong_passkey(None, &error).await,
        }
    }

    /// A passkey beside the password, of the person whose password it was.
    pub(super) async fn passkey_beside(&self, proven: &Proven) -> Result<Response, StoreError> {
        let Some(person) = self.still_there(proven).await? else { return self.move_on(Event::Restart).await };
        let Some((passkeys, ceremony)) = self.challenge() else { return Ok(self.back()) };
        let (app, account) = (self.app, person.id().to_string());
        if let Err(wait) = app.sign_in_failures.check_code(&account, self.now) {
            return Ok(self.told_to_wait(wait));
        }
        let credentials = Credentials::of(&*app.store, &app.vault, person.id()).await?;
        let verified = Shown::read(self.form.one("credential").unwrap_or_default()).and_then(|shown| {
            // WebAuthn Level 3 §7.2: if there is a `userHandle`, "verify that it equals the user handle of the user account".
            let is_theirs = shown.user().is_none_or(|user| user == person.id());
            let kept = credentials.passkey(shown.passkey()).filter(|_| is_theirs).ok_or(PasskeyError::Nobody)?;
            Ok((kept, passkeys.verify(ceremony, &shown, &kept.1)?))
        });
        let outcome = if verified.is_ok() { Outcome::Right } else { Outcome::Wrong };
        if let Err(wait) = app.sign_in_failures.settle_code(&account, outcome, self.now) {
            return Ok(self.told_to_wait(wait));
        }
        match verified {
            Ok((kept, result)) => self.by_passkey(&person, kept, &result).await,
            Err(error) => self.wrong_passkey(Some(&person), &error).await,
        }
    }

    /// A passkey that was made instead of an app.
    pub(super) async fn new_passkey(&self, proven: &Proven) -> Result<Response, StoreError> {
        let Some(person) = self.still_there(proven).await? else { return self.move_on(Event::Restart).await };
        let Some((passkeys, ceremony)) = self.challenge() else { return Ok(self.back()) };
        match passkeys.verify_new(ceremony, self.form.one("credential").unwrap_or_default()) {
            Ok(passkey) => self.set_up(&person, proven, NewFactor::Passkey(&passkey)).await,
            Err(error) => self.wrong_passkey(Some(&person), &error).await,
        }
    }

    /// What comes after a passkey that is right.
    async fn by_passkey(
        &self,
        person: &Arc<Person>,
        (credential, passkey): &(Credential, Passkey),
        result: &AuthenticationResult,
    ) -> Result<Response, StoreError> {
        let tenant = match person.user.tenant_id {
            None => None,
            Some(id) => {
                let slug = self.app.registry.tenant_by_id(id).await?.map(|facts| facts.tenant.slug.clone());
                let open = match &slug {
                    Some(slug) => open_tenant(self.app, slug).await?,
                    None => None,
                };
                if open.is_none() {
                    let words = self.underway.words(self.parts);
                    return Ok(told(self.parts, words.closed, StatusCode::FORBIDDEN));
                }
                slug
            }
        };
        if passkey.is_changed_by(result, credential.last_used_at, self.now) {
            let mut used = PasskeyUse::Gone;
            let noted = self
                .change(person, async |edit| {
                    used = credential::use_passkey(edit, &self.app.vault, &person.user, credential.id, result).await?;
                    Ok(())
                })
                .await;
            noted.map_err(failed)?;
            match used {
                PasskeyUse::Counted => {}
                PasskeyUse::Gone => return self.wrong_passkey(Some(person), &PasskeyError::Nobody).await,
                PasskeyUse::CounterBack(_) => {
                    return self.wrong_passkey(Some(person), &PasskeyError::CounterBack).await;
                }
            }
        }
        self.arrive(person, Event::Passkey { user: person.id(), tenant, at: self.now }, true, None).await
    }

    /// The challenge that is set, and who verifies what answers it.
    fn challenge(&self) -> Option<(&Passkeys, &Ceremony)> {
        Some((self.app.passkeys.as_ref()?, self.underway.interaction.passkey.as_ref()?))
    }

    /// Says that a passkey does not count, and sets another challenge. Why it does not, the log says, and the page does not.
    pub(super) async fn wrong_passkey(
        &self,
        person: Option<&Person>,
        error: &(dyn Error + Send + Sync + 'static),
    ) -> Result<Response, StoreError> {
        let app = self.app;
        let trace_id = RequestContext::of(self.parts, app).trace_id;
        let reason = match error.downcast_ref() {
            Some(PasskeyError::CounterBack) => {
                // A copy of it may be in somebody's hands, and which of the two this is cannot be told.
                let user = person.map(|person| person.id().to_string());
                tracing::warn!(%trace_id, user = user.as_deref(), "a passkey is refused: there may be two of it");
                "passkey_counter_back"
            }
            _ => {
                tracing::debug!(%trace_id, error = with_causes(error), "a passkey is refused");
                "wrong_passkey"
            }
        };
        self.underway.advance(app, &self.underway.interaction).await?;
        let response = match Underway::find(app, self.parts, &self.underway.id).await {
            Ok(underway) => underway.page(app, self.parts, Some(Wrong::Passkey)).await,
            Err(response) => response,
        };
        Ok(noted(response, person, "refused", Some(reason)))
    }
}
