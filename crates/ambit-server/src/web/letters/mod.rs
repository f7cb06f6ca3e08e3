//! What letters lead to: `/invitation/{token}`, `/new-password/{token}`, `/confirm-address/{token}`, `/registration/{token}`.
//!
//! 1. [`Purpose`] says what a link is for, and a link is for nothing else. The store keeps the hash of its token, whom it is about,
//!    the address it was sent to, and whether it was used; the one that is sent next to the same end takes its place.
//! 2. A page is shown as often as somebody looks: mail programs look too. Only its form uses the link, once, whoever sends it first.
//! 3. The form says what the person chose, and nothing about who they are: that is in the store. A link is good no more once the
//!    person has another address, may not sign in, or (an invitation) has come.

mod confirm;
mod opened;
mod password;
mod registration;
pub(crate) mod view;
pub(crate) mod wording;

use ambit_core::person::Person;
use ambit_core::secret::SecretHash;
use ambit_core::store::StoreError;
use ambit_core::store::sign_in::OneTimeToken;
use ambit_knowledge::Language;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::text::{Email, Slug};
use ambit_protocol::admin::user::User;
use ambit_protocol::id::TenantId;
use ambit_protocol::time::Timestamp;
use ambit_protocol::trace::TraceId;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::negotiate::wished_language;
use super::sign_in::{name, open_tenant};
use crate::mail::{Letter, Link, Says, brand};
use crate::state::App;

pub use confirm::{show as show_confirmation, take as confirm_address};
pub use password::{accept_invitation, set_new_password, show_invitation, show_new_password};
pub(super) use registration::{is_taken_from, post_registration};
pub use registration::{register, show as show_registration};

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody who was made by an administrator chooses their password.
    Invitation,
    /// Somebody chooses a new one.
    PasswordReset,
    /// Somebody shows that an address is theirs.
    Verification,
    /// Somebody makes an account of their own.
    Registration,
}

/// What is kept beside a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    /// Where it was sent.
    to: Email,
    /// The tenant, where there is nobody yet whose tenant it could be.
    #[serde(default)]
    tenant: Option<TenantId>,
}

impl Sent {
    fn to(user: &User) -> Self {
        Self { to: user.email.clone(), tenant: None }
    }
}

impl Purpose {
    /// Each with pages of its own.
    pub const ALL: [Self; 4] = [Self::Invitation, Self::PasswordReset, Self::Verification, Self::Registration];

    /// The path of its pages, without the token.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::PasswordReset => "new-password",
            Self::Verification => "confirm-address",
            Self::Registration => "registration",
        }
    }

    /// How long a link is good, in seconds. A letter says so.
    const fn lasts_secs(self) -> i64 {
        match self {
            Self::Invitation => 7 * 24 * 60 * 60,
            Self::PasswordReset => 30 * 60,
            Self::Verification | Self::Registration => 24 * 60 * 60,
        }
    }
}

/// Invites somebody: sends the link by which they choose their password. Answers until when it is good.
///
/// # Errors
/// Those of the store.
pub async fn invite(app: &App, user: &User, trace_id: TraceId) -> Result<Timestamp, StoreError> {
    let (link, expires_at) = issue(app, Purpose::Invitation, &user.id.to_string(), &Sent::to(user)).await?;
    let letter = letter_to(app, user, None, Says::Invitation(link)).await?;
    app.mail.post_letter(trace_id, letter);
    Ok(expires_at)
}

/// Sends a link by which somebody shows that their address is theirs.
///
/// # Errors
/// Those of the store.
pub(super) async fn ask_for_proof(
    app: &App,
    person: &Person,
    headers: &HeaderMap,
    trace_id: TraceId,
) -> Result<(), StoreError> {
    let user = &person.user;
    let (link, _) = issue(app, Purpose::Verification, &user.id.to_string(), &Sent::to(user)).await?;
    let letter = letter_to(app, user, Some(wished_language([None], headers)), Says::Verification(link)).await?;
    app.mail.post_letter(trace_id, letter);
    Ok(())
}

/// The page that says that a letter with such a link is on its way.
pub(super) fn told_of_proof(language: Language) -> Response {
    let words = wording::Words::of(language);
    opened::told(words, words.proof_sent, StatusCode::OK)
}

/// Sends a link to a new password to whoever has this address, if anybody does. Nothing of it happens before the answer.
pub(super) fn post_password_reset(
    app: &App,
    trace_id: TraceId,
    tenant: Option<Slug>,
    email: String,
    language: Language,
) {
    let (mail, app) = (app.mail.clone(), app.clone());
    mail.post(trace_id, async move {
        let Some(person) = active_person(&app, tenant.as_ref(), &email).await? else { return Ok(None) };
        let user = &person.user;
        let (link, _) = issue(&app, Purpose::PasswordReset, &user.id.to_string(), &Sent::to(user)).await?;
        Ok(Some(letter_to(&app, user, Some(language), Says::PasswordReset(link)).await?))
    });
}

/// Tells somebody that their password was changed.
///
/// # Errors
/// Those of the store.
pub(super) async fn tell_of_new_password(
    app: &App,
    user: &User,
    headers: &HeaderMap,
    trace_id: TraceId,
) -> Result<(), StoreError> {
    if app.mail.is_on() {
        let letter = letter_to(app, user, Some(wished_language([None], headers)), Says::PasswordChanged).await?;
        app.mail.post_letter(trace_id, letter);
    }
    Ok(())
}

/// Makes a link good no more: in its place comes one that is over, and that nobody was sent.
///
/// # Errors
/// Those of the store.
pub async fn withdraw(app: &App, purpose: Purpose, subject: &str) -> Result<(), StoreError> {
    let row = OneTimeToken {
        token: SecretHash::of(&name(app)),
        purpose: purpose.path().to_owned(),
        subject: subject.to_owned(),
        expires_at: app.clock.now(),
        used_at: None,
        document: "{}".to_owned(),
    };
    app.store.sign_ins().issue_one_time_token(&row).await
}

/// Whoever signs in with an address, if they may.
pub(super) async fn active_person(
    app: &App,
    tenant: Option<&Slug>,
    email: &str,
) -> Result<Option<std::sync::Arc<Person>>, StoreError> {
    let tenant = match tenant {
        None => None,
        Some(slug) => match open_tenant(app, slug).await? {
            Some(tenant) => Some(tenant.tenant.id),
            None => return Ok(None),
        },
    };
    let Some(id) = app.registry.find_user(tenant, email).await? else { return Ok(None) };
    Ok(app.registry.person(id).await?.filter(|person| person.is_active()))
}

/// A letter to somebody, in their language: what they have said it is, else the one of the browser that asked.
pub(super) async fn letter_to(
    app: &App,
    user: &User,
    browsers: Option<Language>,
    says: Says,
) -> Result<Letter, StoreError> {
    let tenant = match user.tenant_id {
        Some(id) => app.registry.tenant_by_id(id).await?,
        None => None,
    };
    let theirs = user.locale.as_deref().map(|locale| wished_language([Some(locale)], &HeaderMap::new()));
    Ok(Letter {
        to: user.email.clone(),
        language: theirs.or(browsers).unwrap_or(Language::En),
        brand: brand(tenant.as_deref()),
        says,
    })
}

/// Keeps a link. The one that was sent before to the same end about the same subject is good no more.
async fn issue(app: &App, purpose: Purpose, subject: &str, sent: &Sent) -> Result<(Link, Timestamp), StoreError> {
    let token = zeroize::Zeroizing::new(name(app));
    let expires_at = app.clock.now().plus_secs(purpose.lasts_secs());
    let row = OneTimeToken {
        token: SecretHash::of(&token),
        purpose: purpose.path().to_owned(),
        subject: subject.to_owned(),
        expires_at,
        used_at: None,
        document: serde_json::to_string(sent).map_err(unreadable)?,
    };
    app.store.sign_ins().issue_one_time_token(&row).await?;
    Ok((Link::new(&app.base_url, purpose.path(), &token), expires_at))
}

fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Corrupt { resource: Resource::User, id: "link".to_owned(), source: error.into() }
}
