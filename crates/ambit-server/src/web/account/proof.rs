//! Proving once more who one is, before anything is changed that could lock somebody out or let somebody else in.
//!
//! Whoever finds a browser open must not do either. So such a change asks for a proof that is a few minutes old at the most, and as
//! strong as the person has one (OWASP ASVS 5.0, 7.5.1): who came in by another way, or without the second factor they have,
//! shows it now, and comes back. A code that was sent to their address is such a proof for those alone who have no other.

use ambit_core::authentication::Acr;
use ambit_core::registry::credential::Credentials;
use ambit_core::sign_in::{Destination, Interaction, Needs, Progress};
use ambit_core::store::StoreError;
use ambit_protocol::admin::tenant::MfaPolicy;
use ambit_protocol::admin::text::Slug;
use axum::http::request::Parts;
use axum::response::Response;

use super::{Me, failed, to_the_account};
use crate::session::{self};
use crate::state::App;
use crate::web::sign_in;

impl Me {
    /// Whether they proved who they are a few minutes ago at the most, as strongly as they can.
    pub(super) fn is_proven(&self, app: &App, credentials: &Credentials) -> bool {
        self.is_proven_as(least(credentials), app, credentials)
    }

    fn is_proven_as(&self, least: Acr, app: &App, credentials: &Credentials) -> bool {
        let authentication = &self.signed_in.authentication;
        let email_code = credentials.is_empty();
        let needs = Needs { mfa: MfaPolicy::Off, acr: Some(least), has_second_factor: false, email_code };
        app.clock.now() < authentication.at.plus_secs(RECENT_SECS) && needs.is_met_by(&authentication.methods)
    }

    /// Sends them to prove it, and back.
    pub(super) async fn prove(
        &self,
        app: &App,
        parts: &Parts,
        credentials: &Credentials,
        back_to: Destination,
    ) -> Response {
        let least = least(credentials);
        let tenant = match self.slug(app).await {
            Ok(tenant) => tenant,
            Err(error) => return failed(app, parts, &error),
        };
        let email = Some(self.signed_in.person.user.email.to_string());
        let asked = Interaction {
            destination: back_to,
            acr: Some(least),
            // Whoever showed the first thing just now shows the second one only.
            is_fresh_needed: !self.is_proven_as(Acr::Aal1, app, credentials) || self.is_proven(app, credentials),
            progress: Progress::Password { tenant: tenant.clone(), email: email.clone() },
            tenant,
            login_hint: email,
            ..to_the_account(app.clock.now())
        };
        let mut response = Box::pin(sign_in::begin(app, parts, asked)).await;
        self.note(&mut response, "proof_asked");
        response
    }

    /// The slug of their tenant.
    pub(super) async fn slug(&self, app: &App) -> Result<Option<Slug>, StoreError> {
        let Some(id) = self.signed_in.person.user.tenant_id else { return Ok(None) };
        Ok(app.registry.tenant_by_id(id).await?.map(|tenant| tenant.tenant.slug.clone()))
    }

    /// By what they prove who they are.
    pub(super) async fn credentials(&self, app: &App) -> Result<Credentials, StoreError> {
        Credentials::of(&*app.store, &app.vault, self.signed_in.person.id()).await
    }

    /// Ends all sessions but this one, and what was lent in them.
    pub(super) async fn end_other_sessions(&self, app: &App) -> Result<(), StoreError> {
        session::end_all(app, self.signed_in.person.id(), Some(self.signed_in.session.id), app.clock.now()).await
    }
}

/// How strong a proof a change asks for: as strong as the person has one.
fn least(credentials: &Credentials) -> Acr {
    if credentials.has_second_factor() { Acr::Aal2 } else { Acr::Aal1 }
}

/// How old the proof may be on which a change rests.
pub(super) const RECENT_SECS: i64 = 300;
