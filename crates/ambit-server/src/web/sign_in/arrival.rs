//! Signing in by a link: what comes after somebody chose their password.

use std::sync::Arc;

use ambit_core::person::Person;
use ambit_core::registry::credential::Credentials;
use ambit_core::secret::SecretHash;
use ambit_core::sign_in::{Destination, Event, Interaction, Needs, Progress};
use ambit_core::store::StoreError;
use ambit_core::store::sign_in as kept;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::Response;

use super::steps::{new_app, settings_of};
use super::{LASTS_SECS, challenged, document, name, noted, to_go_on, to_step};
use crate::session::{self, Browser};
use crate::state::App;
use crate::web::see_other;

/// Goes on for somebody who has just chosen their password by a link that only they were sent: as if they had typed it. What is
/// asked of them beside it, the machine says.
///
/// # Errors
/// Those of the store.
pub(crate) async fn arrive_with_new_password(
    app: &App,
    parts: &Parts,
    person: &Arc<Person>,
) -> Result<Response, StoreError> {
    let (now, id) = (app.clock.now(), name(app));
    let tenant = match person.user.tenant_id {
        Some(id) => app.registry.tenant_by_id(id).await?.map(|facts| facts.tenant.slug.clone()),
        None => None,
    };
    let settings = settings_of(app, person).await?;
    let has_second_factor = Credentials::of(&*app.store, &app.vault, person.id()).await?.has_second_factor();
    let needs = Needs { mfa: settings.mfa, acr: None, has_second_factor, email_code: settings.email_code };
    let asked = Progress::Password { tenant: tenant.clone(), email: None };
    let event = Event::Password { user: person.id(), at: now, new_app: new_app(app, &id)? };
    // A password comes where one is asked for.
    let Ok((progress, proven)) = asked.after(event, &needs) else { return Ok(see_other("/account/")) };
    let (browser, cookie) = Browser::of_or_new(app, &parts.headers);
    let mut response = to_step(&id);
    let mut session = None;
    if let (Progress::SignedIn, Some(proven)) = (&progress, proven) {
        let (begun, set_cookie) = session::begin(app, parts, person, proven.methods, now).await?;
        session = Some(begun.id);
        response = noted(to_go_on(&id), Some(person), "signed_in", None);
        response.headers_mut().append(header::SET_COOKIE, set_cookie);
    }
    let interaction = Interaction {
        destination: Destination::Account,
        begun_at: now,
        tenant,
        login_hint: None,
        ui_locales: None,
        acr: None,
        is_fresh_needed: false,
        progress,
        session,
        denied: false,
        passkey: None,
    };
    let interaction = challenged(app, interaction).await?;
    let row = kept::Interaction {
        id: SecretHash::of(&id),
        browser: browser.hash(),
        version: 0,
        expires_at: now.plus_secs(LASTS_SECS),
        document: document(&interaction)?,
    };
    app.store.sign_ins().begin_interaction(&row).await?;
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
