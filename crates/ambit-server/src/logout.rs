//! Tells applications that a session of theirs has ended: behind the answer, from server to server (OpenID Connect Back-Channel
//! Logout 1.0), and in the browser that signs out (OpenID Connect Front-Channel Logout 1.0).
//!
//! 1. The end of a session leaves a notice for each application that it signed its person in to, in the same transaction. So
//!    whatever ended it, a sign-out, an administrator, a new password, everybody is told, however often a node dies meanwhile.
//! 2. Whichever node takes a notice calls the application, with a logout token made for this one call. It is called again,
//!    less and less often, until it answers or [`AGAIN`] is through; others are not held up by it.
//! 3. What the browser opens is only what was known when it signed out. It is the weaker way: a browser that keeps cookies of
//!    other sites to itself tells the application nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ambit_core::entropy::new_uuid;
use ambit_core::reach::Reach;
use ambit_core::refusal::Refusal;
use ambit_core::store::sign_in::LogoutNotice;
use ambit_core::store::{By, StoreError, noun};
use ambit_core::tokens::logout_token::{self, Ended};
use ambit_protocol::admin::application::{Application, ApplicationStatus};
use ambit_protocol::id::{ApplicationId, SessionId};
use ambit_protocol::outbound_uri::OutboundUri;
use ambit_protocol::time::Timestamp;
use futures_util::future::join_all;

use crate::issuer::Issuer;
use crate::logs::with_causes;
use crate::oauth::lent::{id_token_signer, subject_for};
use crate::state::App;
use crate::web;

/// Calls every application that is to be told of something now, those that were called in vain included, when their time has come.
///
/// # Errors
/// Those of the store. What was not settled is due again.
pub(crate) async fn tell_applications(app: &App) -> Result<(), StoreError> {
    loop {
        let now = app.clock.now();
        let due = app.store.sign_ins().take_logout_notices(now, now + TAKEN_FOR, AT_ONCE).await?;
        let told = join_all(due.iter().map(|notice| tell(app, notice, now))).await;
        told.into_iter().collect::<Result<(), _>>()?;
        if due.len() < AT_ONCE as usize {
            return Ok(());
        }
    }
}

/// What the browser that signs out of these sessions is to open, before they are ended.
///
/// # Errors
/// Those of the store.
pub(crate) async fn frames(app: &App, sessions: &[SessionId]) -> Result<Vec<String>, StoreError> {
    let mut frames = vec![];
    for session in sessions {
        for id in app.store.sign_ins().applications_of_session(*session).await? {
            let Some(application) = active(app, id).await? else { continue };
            let Some(uri) = &application.frontchannel_logout_uri else { continue };
            let Some(issuer) = Issuer::of(&application, &app.registry).await? else { continue };
            let (issuer, sid) = (issuer.url(&app.base_url), session.to_string());
            frames.push(web::with_query(uri.as_str(), [("iss", &*issuer), ("sid", sid.as_str())]));
            if frames.len() == MOST_FRAMES {
                return Ok(frames);
            }
        }
    }
    Ok(frames)
}

/// Calls one, and settles its notice.
async fn tell(app: &App, notice: &LogoutNotice, now: Timestamp) -> Result<(), StoreError> {
    let sign_ins = app.store.sign_ins();
    let Some(call) = Call::of(app, notice).await? else { return sign_ins.forget_logout_notice(notice).await.map(drop) };
    let failure = match call.make(app, notice, now).await {
        Ok(()) => return sign_ins.forget_logout_notice(notice).await.map(drop),
        Err(failure) => failure,
    };
    let client_id = call.application.client_id.as_str();
    let again = usize::try_from(notice.attempts).ok().and_then(|attempts| AGAIN.get(attempts.saturating_sub(1)));
    match again {
        Some(after) => {
            tracing::info!(client_id, failure, again_secs = after.as_secs(), "an application was not told of a logout");
            sign_ins.put_off_logout_notice(notice, now + *after).await.map(drop)
        }
        None => {
            app.logout_calls.told().given_up.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(client_id, failure, "an application was not told of a logout, and is not called again");
            sign_ins.forget_logout_notice(notice).await.map(drop)
        }
    }
}

/// Who is called, and where.
struct Call {
    application: Application,
    issuer: Issuer,
    uri: OutboundUri,
}

impl Call {
    /// None where the application is gone, or wants nothing.
    async fn of(app: &App, notice: &LogoutNotice) -> Result<Option<Self>, StoreError> {
        let Some(application) = active(app, notice.application_id).await? else { return Ok(None) };
        let Some(uri) = application.backchannel_logout_uri.clone() else { return Ok(None) };
        let issuer = Issuer::of(&application, &app.registry).await?;
        Ok(issuer.map(|issuer| Self { application, issuer, uri }))
    }

    async fn make(&self, app: &App, notice: &LogoutNotice, now: Timestamp) -> Result<(), String> {
        let reason = |refusal: Refusal| match refusal {
            Refusal::Internal { reason } => reason,
            other => other.code().to_owned(),
        };
        let signer = id_token_signer(app, &self.application).await?;
        let subject = subject_for(app, &self.application, notice.user_id).map_err(reason)?;
        let session = notice.session_id.to_string();
        let client_id = self.application.client_id.as_str();
        let ended = Ended { subject: &subject, session: &session, client_id };
        let (issuer, jti) = (self.issuer.url(&app.base_url), new_uuid(now, &*app.entropy));
        let token = logout_token::sign(&ended, &issuer, &signer, jti, now).map_err(reason)?;
        app.logout_calls.tell(&self.uri, &token).await.map_err(|untold| with_causes(&untold))
    }
}

async fn active(app: &App, id: ApplicationId) -> Result<Option<Application>, StoreError> {
    let found: Option<Application> = noun::find(&*app.store, By::Id(&id.to_string()), Reach::Platform).await?;
    Ok(found.filter(|application| application.status == ApplicationStatus::Active))
}

/// When a call that failed is made again, each after the one before. Then the application is left to find out by itself: an access
/// token of the session is good for a day at most, and a refresh token for nothing.
const AGAIN: [Duration; 4] =
    [Duration::from_secs(10), Duration::from_mins(1), Duration::from_mins(10), Duration::from_hours(1)];
/// Longer than any call takes (`outbound.timeout`).
const TAKEN_FOR: Duration = Duration::from_mins(1);
/// Calls at once.
const AT_ONCE: u32 = 64;
/// More than a person has open, and less than a browser chokes on.
const MOST_FRAMES: usize = 20;
