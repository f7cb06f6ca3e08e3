//! `/confirm-address/{token}`: somebody shows that they read what is sent to their address.

use ambit_core::registry::{RegistryError, see, user};
use ambit_core::store::StoreError;
use ambit_protocol::admin::user::User;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::Purpose;
use super::opened::{Opened, failed, is_good, over, told};
use super::password::noted;
use super::view::ConfirmationPage;
use crate::state::App;
use crate::web::branding::Brand;
use crate::web::named::Named;
use crate::web::posted::Posted;
use crate::web::{for_a_person, own};

/// The page.
pub async fn show(State(app): State<App>, Named(token): Named, request: Request) -> Response {
    let parts = request.into_parts().0;
    let opened = match Opened::find(&app, &parts, Purpose::Verification, &token).await {
        Ok(opened) => opened,
        Err(response) => return response,
    };
    let (form_token, cookie) = opened.form_token(&app, &parts);
    let mut response = for_a_person(&ConfirmationPage {
        words: opened.words,
        brand: opened.tenant.as_ref().map(|tenant| Brand::of(tenant)),
        action: format!("/{}/{token}", Purpose::Verification.path()),
        form_token,
        email: opened.to.to_string(),
    });
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Takes note of it.
pub async fn take(State(app): State<App>, Named(token): Named, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let form = match Posted::read(&app, &parts, body).await {
        Ok(form) => form,
        Err(response) => return response,
    };
    let opened = match Opened::find(&app, &parts, Purpose::Verification, &token).await {
        Ok(opened) => opened,
        Err(response) => return response,
    };
    if let Err(response) = opened.check(&app, &parts, &form) {
        return noted(response, None, "refused", Some("forged_form"));
    }
    match confirm(&app, &parts, &opened).await {
        Ok(response) => response,
        Err(error) => failed(&app, &parts, &error),
    }
}

async fn confirm(app: &App, parts: &Parts, opened: &Opened) -> Result<Response, StoreError> {
    if !opened.spend(app).await? {
        return Ok(over(parts));
    }
    let id = opened.person.id();
    let confirmed = own::change(app, parts, &opened.person.user, async |edit| {
        let user: User = see(edit.tx, &id.to_string(), edit.power.reach).await?;
        if !is_good(opened.purpose, &user, &opened.to) {
            return Ok(None);
        }
        user::prove_address(edit, &user).await.map(Some)
    })
    .await;
    match confirmed {
        Ok(Some(_)) => {}
        Ok(None) | Err(RegistryError::NotFound { .. }) => return Ok(over(parts)),
        Err(RegistryError::Store(error)) => return Err(error),
        Err(error) => return Err(StoreError::Unavailable(error.into())),
    }
    let response = told(opened.words, opened.words.confirmed, StatusCode::OK);
    Ok(noted(response, Some(id.to_string()), "address_confirmed", None))
}
