//! Choosing a password by a link: the first one of somebody who was invited, a new one of somebody who forgot theirs.
//!
//! A new password proves no second factor: whoever has one is asked for it when they sign in, as before. It ends every session and
//! all that was lent, since whoever had the old one may be somebody else.

use ambit_core::password::{LEAST_CHARACTERS, Password, Unfit};
use ambit_core::registry::{RegistryError, credential, see, user};
use ambit_core::store::StoreError;
use ambit_protocol::admin::user::User;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::opened::{Opened, failed, hashed, is_good, over, told};
use super::view::ChoicePage;
use super::{Purpose, tell_of_new_password};
use crate::middleware::{Outcome, RequestContext};
use crate::session;
use crate::state::App;
use crate::web::branding::Brand;
use crate::web::named::Named;
use crate::web::posted::Posted;
use crate::web::sign_in::arrive_with_new_password;
use crate::web::{for_a_person, own};

/// The page of somebody who was invited.
pub async fn show_invitation(State(app): State<App>, Named(token): Named, request: Request) -> Response {
    show(&app, &request.into_parts().0, Purpose::Invitation, &token).await
}

/// The page of somebody who forgot their password.
pub async fn show_new_password(State(app): State<App>, Named(token): Named, request: Request) -> Response {
    show(&app, &request.into_parts().0, Purpose::PasswordReset, &token).await
}

/// Sets the first password of somebody who was invited, and goes on as if they had typed it.
pub async fn accept_invitation(State(app): State<App>, Named(token): Named, request: Request) -> Response {
    choose(&app, Purpose::Invitation, &token, request).await
}

/// Sets a new password.
pub async fn set_new_password(State(app): State<App>, Named(token): Named, request: Request) -> Response {
    choose(&app, Purpose::PasswordReset, &token, request).await
}

async fn show(app: &App, parts: &Parts, purpose: Purpose, token: &str) -> Response {
    match Opened::find(app, parts, purpose, token).await {
        Ok(opened) => page(app, parts, &opened, None),
        Err(response) => response,
    }
}

async fn choose(app: &App, purpose: Purpose, token: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let form = match Posted::read(app, &parts, body).await {
        Ok(form) => form,
        Err(response) => return response,
    };
    let opened = match Opened::find(app, &parts, purpose, token).await {
        Ok(opened) => opened,
        Err(response) => return response,
    };
    if let Err(response) = opened.check(app, &parts, &form) {
        return noted(response, None, "refused", Some("forged_form"));
    }
    match set(app, &parts, &opened, &form).await {
        Ok(response) => response,
        Err(error) => failed(app, &parts, &error),
    }
}

async fn set(app: &App, parts: &Parts, opened: &Opened, form: &Posted) -> Result<Response, StoreError> {
    let words = opened.words;
    let password = Password::new(form.one("password").unwrap_or_default());
    let unfit = match &password {
        Ok(password) => password.check(least(opened), opened.to.as_str()).err(),
        Err(_) => Some(Unfit::Short { least: least(opened) }),
    };
    let (Ok(password), None) = (password, unfit) else {
        let wrong = match unfit {
            Some(Unfit::IsTheAddress) => words.address_password,
            _ => words.short_password,
        };
        return Ok(page(app, parts, opened, Some(wrong)));
    };
    let kept = match hashed(app, words, password).await? {
        Ok(kept) => kept,
        Err(busy) => return Ok(busy),
    };
    // Once, however many send the form.
    if !opened.spend(app).await? {
        return Ok(over(parts));
    }
    let id = opened.person.id();
    let set = own::change(app, parts, &opened.person.user, async |edit| {
        let user: User = see(edit.tx, &id.to_string(), edit.power.reach).await?;
        // As of this very change: they may have been disabled, or given another address, since the page was made.
        if !is_good(opened.purpose, &user, &opened.to) {
            return Ok(None);
        }
        if opened.purpose == Purpose::Invitation {
            user::invitable(edit, &id.to_string()).await?;
        }
        credential::set_password(edit, &app.vault, &user, &kept).await?;
        Ok(Some(user::prove_address(edit, &user).await?))
    })
    .await;
    let user = match set {
        Ok(Some(user)) => user,
        // They have come meanwhile, or are gone.
        Ok(None) | Err(RegistryError::Conflict(_) | RegistryError::NotFound { .. }) => return Ok(over(parts)),
        Err(RegistryError::Store(error)) => return Err(error),
        Err(error) => return Err(StoreError::Unavailable(error.into())),
    };
    let actor = Some(id.to_string());
    if opened.purpose == Purpose::Invitation {
        let Some(person) = app.registry.person(id).await? else { return Ok(over(parts)) };
        return arrive_with_new_password(app, parts, &person).await;
    }
    let now = app.clock.now();
    session::end_all(app, id, None, now).await?;
    tell_of_new_password(app, &user, &parts.headers, RequestContext::of(parts, app).trace_id).await?;
    Ok(noted(told(words, words.password_set, StatusCode::OK), actor, "password_reset", None))
}

fn page(app: &App, parts: &Parts, opened: &Opened, wrong: Option<&'static str>) -> Response {
    let (form_token, cookie) = opened.form_token(app, parts);
    let words = opened.words;
    let (title, text) = match opened.purpose {
        Purpose::Invitation => (words.invitation, words.invitation_text),
        _ => (words.new_password, words.new_password_text),
    };
    let mut response = for_a_person(&ChoicePage {
        words,
        title,
        text,
        brand: opened.tenant.as_ref().map(|tenant| Brand::of(tenant)),
        action: format!("/{}/{}", opened.purpose.path(), opened.token),
        form_token,
        email: opened.to.to_string(),
        name: None,
        least: least(opened),
        wrong_name: None,
        wrong,
    });
    if wrong.is_some() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn least(opened: &Opened) -> u32 {
    opened.settings.password_min_length.max(LEAST_CHARACTERS)
}

/// What the log says of it.
pub(super) fn noted(
    mut response: Response,
    actor: Option<String>,
    outcome: &'static str,
    reason: Option<&'static str>,
) -> Response {
    response.extensions_mut().insert(Outcome { actor, outcome, reason, ..Outcome::default() });
    response
}
