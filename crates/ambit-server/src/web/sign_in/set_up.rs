//! `/set-up/{token}`: the first administrator of a server that has none.
//!
//! Whoever starts the server reads the link ([`link`]); it is good once, for a day, and for nothing as soon as there is a super
//! administrator, however they came about. Everything is made in one transaction that looks for one again.

use ambit_core::password::{LEAST_CHARACTERS, Password, Unfit};
use ambit_core::registry::{Edit, Power, RegistryError, administrator, credential, user};
use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::OneTimeToken;
use ambit_core::store::{ChangeContext, StoreError, Transaction};
use ambit_protocol::admin::administrator::{AdministratorRole, CreateAdministrator};
use ambit_protocol::admin::tenant::TenantSettings;
use ambit_protocol::admin::text::{Email, Name};
use ambit_protocol::admin::user::{CreateUser, UserStatus};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::view::{SetUpFaults, SetUpPage};
use super::wording::Words;
use super::{busy, name, noted, told};
use crate::middleware::RequestContext;
use crate::passwords::Unanswered;
use crate::problem::Answer;
use crate::session::{Browser, check_form, form_token};
use crate::state::App;
use crate::web::for_a_person;
use crate::web::named::Named;
use crate::web::negotiate::wished_language;
use crate::web::posted::Posted;

/// The path of the page, where there is no super administrator yet; the link of before is good no more.
///
/// # Errors
/// Those of the store.
pub async fn link(app: &App) -> Result<Option<String>, StoreError> {
    let tx = begin(app, None).await?;
    if is_set_up(app, &*tx).await? {
        return Ok(None);
    }
    drop(tx);
    let token = name(app);
    let row = OneTimeToken {
        token: SecretHash::of(&token),
        purpose: PURPOSE.to_owned(),
        subject: "platform".to_owned(),
        expires_at: app.clock.now().plus_secs(LASTS_SECS),
        used_at: None,
        document: "{}".to_owned(),
    };
    app.store.sign_ins().issue_one_time_token(&row).await?;
    Ok(Some(format!("/set-up/{token}")))
}

/// The page.
pub async fn show(State(app): State<App>, Named(token): Named, request: Request) -> Response {
    let parts = request.into_parts().0;
    let words = words(&parts);
    match is_good(&app, &token).await {
        Ok(true) => {}
        Ok(false) => return told(&parts, words.set_up_over, StatusCode::NOT_FOUND),
        Err(error) => return Answer::of(&parts, &app).store_failure(&error).into_response(),
    }
    let (browser, cookie) = Browser::of_or_new(&app, &parts.headers);
    let mut response = page(&app, words, &browser, &token, ("", ""), SetUpFaults::default());
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Makes the administrator.
pub async fn take(State(app): State<App>, Named(token): Named, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let words = words(&parts);
    let form = match Posted::read(&app, &parts, body).await {
        Ok(form) => form,
        Err(response) => return response,
    };
    let browser = Browser::of(&app, &parts.headers);
    let sent = form.one("form").unwrap_or_default();
    let Some(browser) = browser.filter(|browser| check_form(&app, &parts, browser, &purpose(&token), sent).is_ok())
    else {
        return noted(told(&parts, words.forged, StatusCode::FORBIDDEN), None, "refused", Some("forged_form"));
    };
    match set_up(&app, &parts, &browser, &token, &form).await {
        Ok(response) => response,
        Err(error) => Answer::of(&parts, &app).store_failure(&error).into_response(),
    }
}

async fn set_up(
    app: &App,
    parts: &Parts,
    browser: &Browser,
    token: &str,
    form: &Posted,
) -> Result<Response, StoreError> {
    let words = words(parts);
    if !is_good(app, token).await? {
        return Ok(told(parts, words.set_up_over, StatusCode::NOT_FOUND));
    }
    let typed = (form.one("email").unwrap_or_default().trim(), form.one("name").unwrap_or_default().trim());
    let email: Result<Email, _> = typed.0.parse();
    let person: Result<Name, _> = typed.1.parse();
    let password = Password::new(form.one("password").unwrap_or_default());
    let unfit = match &password {
        Ok(password) => password.check(least(), typed.0).err(),
        Err(_) => Some(Unfit::Short { least: least() }),
    };
    let wrong = SetUpFaults {
        email: email.is_err().then_some(words.bad_email),
        name: person.is_err().then_some(words.bad_name),
        password: unfit.map(|unfit| match unfit {
            Unfit::Short { .. } => words.short_password,
            Unfit::IsTheAddress => words.address_password,
        }),
    };
    let (Ok(email), Ok(person), Ok(password), true) = (email, person, password, wrong.is_none()) else {
        let mut response = page(app, words, browser, token, typed, wrong);
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(response);
    };
    let kept = match app.passwords.hash(password).await {
        Ok(kept) => kept,
        Err(Unanswered::Busy) => return Ok(busy(parts, words)),
        Err(Unanswered::Failed(error)) => return Err(StoreError::Unavailable(error.into())),
    };
    // Once, however many send the form.
    if !app.store.sign_ins().use_one_time_token(&SecretHash::of(token), app.clock.now()).await? {
        return Ok(told(parts, words.set_up_over, StatusCode::NOT_FOUND));
    }
    let tx = begin(app, Some(parts)).await?;
    if is_set_up(app, &*tx).await? {
        return Ok(told(parts, words.set_up_over, StatusCode::NOT_FOUND));
    }
    let power = Power::system("set-up");
    let settings = app.settings();
    let edit = Edit { tx: &*tx, power: &power, settings: &settings, entropy: &*app.entropy };
    let made = async {
        let body = CreateUser {
            email,
            email_verified: false,
            tenant_id: None,
            partner_id: None,
            display_name: Some(person),
            given_name: None,
            family_name: None,
            locale: None,
            status: UserStatus::Active,
            roles: vec![],
            custom_attributes: std::collections::BTreeMap::new(),
        };
        let user = user::create(&edit, body).await?;
        credential::set_password(&edit, &app.vault, &user, &kept).await?;
        let body = CreateAdministrator {
            application: None,
            user: Some(user.id),
            group: None,
            role: AdministratorRole::SuperAdmin,
            tenant_id: None,
            partner_id: None,
            expires_at: None,
        };
        administrator::create(&edit, body).await?;
        Ok(user)
    };
    match made.await {
        Ok(_) => {}
        Err(RegistryError::Store(error)) => return Err(error),
        // Somebody has this address already, and is no administrator: the next start prints another link.
        Err(error) => return Err(StoreError::Unavailable(error.into())),
    }
    tx.commit().await?;
    app.registry.catch_up().await?;
    let (title, text) = words.set_up_done;
    // Named, since the command line asks this machine where nothing is said.
    let done = (title, format!("{text}{}", app.base_url));
    Ok(noted(told(parts, done, StatusCode::OK), None, "set_up", None))
}

/// Whether a link is good now. The page says the same of all that are not.
async fn is_good(app: &App, token: &str) -> Result<bool, StoreError> {
    let found = app.store.sign_ins().find_one_time_token(&SecretHash::of(token)).await?;
    let now = app.clock.now();
    let is_one = found.is_some_and(|it| it.purpose == PURPOSE && it.used_at.is_none() && now < it.expires_at);
    Ok(is_one && !is_set_up(app, &*begin(app, None).await?).await?)
}

async fn is_set_up(app: &App, tx: &dyn Transaction) -> Result<bool, StoreError> {
    let power = Power::system("set-up");
    let settings = app.settings();
    let edit = Edit { tx, power: &power, settings: &settings, entropy: &*app.entropy };
    administrator::is_there_a_super_admin(&edit).await.map_err(|error| match error {
        RegistryError::Store(error) => error,
        other => StoreError::Unavailable(other.into()),
    })
}

async fn begin(app: &App, parts: Option<&Parts>) -> Result<Box<dyn Transaction>, StoreError> {
    let trace_id = parts.map(|parts| RequestContext::of(parts, app).trace_id.to_string());
    app.store.begin(ChangeContext { actor: "set-up".to_owned(), at: app.clock.now(), trace_id }).await
}

fn page(
    app: &App,
    words: &'static Words,
    browser: &Browser,
    token: &str,
    (email, name): (&str, &str),
    wrong: SetUpFaults,
) -> Response {
    for_a_person(&SetUpPage {
        words,
        token: token.to_owned(),
        form_token: form_token(app, browser, &purpose(token)),
        email: email.to_owned(),
        name: name.to_owned(),
        least: least(),
        wrong,
    })
}

fn words(parts: &Parts) -> &'static Words {
    Words::of(wished_language([None], &parts.headers))
}

fn least() -> u32 {
    TenantSettings::default().password_min_length.max(LEAST_CHARACTERS)
}

fn purpose(token: &str) -> String {
    format!("set-up {token}")
}

const PURPOSE: &str = "set-up";
/// Whoever does not come within a day starts the server again.
const LASTS_SECS: i64 = 24 * 60 * 60;
