//! `/account/profile`: what a person says of themselves. Their address and what they may do, others say.

use ambit_core::registry::RegistryError;
use ambit_core::registry::user::{OwnProfile, patch_own};
use ambit_protocol::admin::text::Name;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use super::view::{ProfilePage, Tab, Typed};
use super::{Me, refused};
use crate::state::App;
use crate::web::own;
use crate::web::posted::Posted;

/// Shows it.
pub async fn show(State(app): State<App>, parts: Parts) -> Response {
    let me = match Me::of(&app, &parts).await {
        Ok(me) => me,
        Err(response) => return response,
    };
    let typed = Typed::of(&me.signed_in.person.user);
    me.page(&ProfilePage::new(me.frame(&app, Tab::Profile), &me.signed_in, typed))
}

/// Changes it.
pub async fn change(State(app): State<App>, request: Request) -> Response {
    let (me, parts, form) = match Me::posting(&app, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let typed = Typed::sent(&form);
    let profile = match read(&form) {
        Ok(profile) => profile,
        Err(field) => return wrong(&me, &app, typed, field),
    };
    let user = &me.signed_in.person.user;
    let changed = own::change(&app, &parts, user, async |edit| patch_own(edit, user.id, profile).await.map(drop)).await;
    match changed {
        Ok(()) => me.done("profile_changed", "/account/profile"),
        // The names were read above; what a rule is left to say something about is the language.
        Err(RegistryError::Invalid(_)) => wrong(&me, &app, typed, "locale"),
        Err(error) => refused(&app, &parts, &error),
    }
}

fn wrong(me: &Me, app: &App, typed: Typed, field: &'static str) -> Response {
    let page = ProfilePage::new(me.frame(app, Tab::Profile), &me.signed_in, typed.with_fault(field));
    let mut response = me.page(&page);
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    response
}

/// The fields of the form; or the one that cannot be a name.
fn read(form: &Posted) -> Result<OwnProfile, &'static str> {
    let name = |field: &'static str| match form.one(field).map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => text.parse::<Name>().map(Some).map_err(|_| field),
    };
    Ok(OwnProfile {
        display_name: name("display_name")?,
        given_name: name("given_name")?,
        family_name: name("family_name")?,
        locale: form.one("locale").map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned),
    })
}
