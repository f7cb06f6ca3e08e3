//! Sessions of people in browsers, and the forms of their pages.
//!
//! A browser holds two cookies, each of 256 random bits, of which the store keeps the hash:
//!
//! 1. one that only tells it from other browsers ([`Browser`]). What it began before anybody signed in, it alone goes on with, and
//!    each form on a page of ours carries a token that is made of it.
//! 2. one of its session ([`SignedIn`]), new each time that somebody proves who they are: what was known before is good for
//!    nothing after. It ends when it was not used for a while, or after a time at all events; the tenant says how long.

use std::sync::Arc;
use std::time::Duration;

use ambit_core::authentication::{Authentication, Method};
use ambit_core::authorize::Lent;
use ambit_core::entropy::new_id;
use ambit_core::keys::{Vault, VaultError};
use ambit_core::person::Person;
use ambit_core::registry::MAX_TOKEN_LIFETIME_SECS;
use ambit_core::secret::SecretHash;
use ambit_core::store::StoreError;
use ambit_core::store::sign_in::{Grants, Session, Sessions};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::tenant::TenantSettings;
use ambit_protocol::admin::user::UserStatus;
use ambit_protocol::id::{SessionId, UserId};
use ambit_protocol::time::Timestamp;
use aws_lc_rs::hmac;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::logs::with_causes;
use crate::middleware::RequestContext;
use crate::state::App;

/// Somebody who is signed in, in the browser that asks.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Their session.
    pub session: Session,
    /// How and when they proved who they are.
    pub authentication: Authentication,
    /// Who they are.
    pub person: Arc<Person>,
}

/// A browser, as its cookie tells it from others.
pub struct Browser(Zeroizing<String>);

/// Makes and checks the tokens of forms.
pub struct FormKey(hmac::Key);

/// A form that did not come from a page of ours in this browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// A page of somebody else sent it.
    #[error("a page of another site cannot send this form")]
    Elsewhere,
    /// It is not the form that this browser was given.
    #[error("this form is not the one that this browser was given; open its page again")]
    Token,
}

/// The live session of a request, its person active: none otherwise.
///
/// # Errors
/// Those of the store.
pub async fn signed_in(app: &App, headers: &HeaderMap, now: Timestamp) -> Result<Option<SignedIn>, StoreError> {
    let Some(token) = cookie(headers, app.session_cookie()) else { return Ok(None) };
    let Some(mut session) = app.store.sign_ins().find_session(&SecretHash::of(&token)).await? else { return Ok(None) };
    let authentication = read(&session)?;
    let Some(person) = app.registry.person(session.user_id).await? else { return Ok(None) };
    if person.user.status != UserStatus::Active {
        return Ok(None);
    }
    let Some(lifetimes) = Lifetimes::of(app, &person).await? else { return Ok(None) };
    // What was kept at its beginning, and what its tenant says now: whichever is earlier.
    let end = session.expires_at.min(lifetimes.end(session.seen_at, &authentication));
    if end <= now {
        return Ok(None);
    }
    if now.millis() - session.seen_at.millis() >= SEEN_EVERY_MILLIS {
        session.seen_at = now;
        session.expires_at = lifetimes.end(now, &authentication);
        if !app.store.sign_ins().touch_session(&session).await? {
            return Ok(None);
        }
    }
    Ok(Some(SignedIn { session, authentication, person }))
}

/// A session of somebody who has just proven who they are, before it is kept.
#[derive(Debug)]
pub struct Beginning {
    /// What a request with its cookie will find.
    pub signed_in: SignedIn,
    /// The cookie by which it is known.
    pub cookie: HeaderValue,
    /// It is the one that the browser had, under a new cookie.
    goes_on: bool,
}

impl Beginning {
    /// Keeps it. `false` where it was to go on, and was ended meanwhile.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn keep(&self, app: &App) -> Result<bool, StoreError> {
        let sign_ins = app.store.sign_ins();
        if self.goes_on {
            sign_ins.change_session(&self.signed_in.session).await
        } else {
            sign_ins.begin_session(&self.signed_in.session).await.map(|()| true)
        }
    }

    /// Keeps it in the commit of what it comes of, and ends it where that is not done: its cookie reaches nobody. One that goes on
    /// is left as it is then: whoever sends a form twice stays signed in. `false` where one of the two came to nothing.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn keep_with(
        &self,
        app: &App,
        cause: impl Future<Output = Result<bool, StoreError>>,
    ) -> Result<bool, StoreError> {
        if self.goes_on {
            return Ok(cause.await? && self.keep(app).await?);
        }
        // What is sent together shares a commit.
        let (is_caused, is_kept) = tokio::try_join!(cause, self.keep(app))?;
        if is_kept && !is_caused {
            end(app, Sessions::One(self.signed_in.session.id), self.signed_in.session.seen_at).await?;
        }
        Ok(is_caused && is_kept)
    }
}

/// Begins the session of somebody who has just proven who they are, and answers it with its cookie.
///
/// # Errors
/// Those of the store.
pub async fn begin(
    app: &App,
    parts: &Parts,
    person: &Arc<Person>,
    methods: Vec<Method>,
    now: Timestamp,
) -> Result<(Session, HeaderValue), StoreError> {
    let beginning = prepare(app, parts, person, methods, now).await?;
    let is_kept = beginning.keep(app).await?;
    let (mut session, cookie) = (beginning.signed_in.session, beginning.cookie);
    if !is_kept {
        (session.id, session.created_at) = (new_id(now, &*app.entropy), now);
        app.store.sign_ins().begin_session(&session).await?;
    }
    Ok((session, cookie))
}

/// Prepares the session of somebody who has just proven who they are. The session that the browser had goes on under a new cookie
/// where it is theirs; where it is somebody else's it ends.
///
/// # Errors
/// Those of the store.
pub async fn prepare(
    app: &App,
    parts: &Parts,
    person: &Arc<Person>,
    methods: Vec<Method>,
    now: Timestamp,
) -> Result<Beginning, StoreError> {
    let authentication = Authentication {
        at: now,
        methods,
        address: Some(RequestContext::of(parts, app).client_address.to_string()),
        user_agent: parts.headers.get(header::USER_AGENT).map(|agent| {
            // Whatever a browser calls itself, so much is enough to recognise it.
            String::from_utf8_lossy(agent.as_bytes())
                .chars()
                .filter(|c| !c.is_control())
                .take(USER_AGENT_CHARS)
                .collect()
        }),
    };
    let before = signed_in(app, &parts.headers, now).await?;
    let (token, cookie) = new_cookie(app, app.session_cookie());
    // Without a tenant to ask, the session of somebody whose tenant went just now ends as others do.
    let lifetimes = Lifetimes::of(app, person).await?.unwrap_or_else(|| Lifetimes::new(&TenantSettings::default()));
    let mut session = Session {
        id: new_id(now, &*app.entropy),
        token: SecretHash::of(&token),
        user_id: person.user.id,
        created_at: now,
        seen_at: now,
        expires_at: lifetimes.end(now, &authentication),
        document: document(&authentication)?,
    };
    let mut goes_on = false;
    if let Some(SignedIn { session: before, .. }) = before {
        goes_on = before.user_id == session.user_id;
        if goes_on {
            (session.id, session.created_at) = (before.id, before.created_at);
        } else {
            end(app, Sessions::One(before.id), now).await?;
        }
    }
    let signed_in = SignedIn { session, authentication, person: Arc::clone(person) };
    Ok(Beginning { signed_in, cookie, goes_on })
}

/// Ends sessions, and what was lent for as long as they last. Answers those that were there.
///
/// # Errors
/// Those of the store.
pub async fn end(app: &App, which: Sessions, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    let ended = app.store.sign_ins().end_sessions(which, now, tokens_until(now)).await?;
    see_what_ended(app).await;
    Ok(ended)
}

/// Ends all sessions of a person but the one in which they ask, if they ask in one, and all that was lent in them, even for when
/// nobody is there: whoever knew what has just been changed may have been in one of them.
///
/// # Errors
/// Those of the store.
pub async fn end_all(app: &App, person: UserId, here: Option<SessionId>, now: Timestamp) -> Result<(), StoreError> {
    let (sign_ins, until) = (app.store.sign_ins(), tokens_until(now));
    // The sessions first. From then on no code of theirs becomes a grant, so the grants that there are now are all.
    match here {
        None => {
            sign_ins.end_sessions(Sessions::OfUser(person), now, until).await?;
            sign_ins.end_grants(Grants::OfUser(person), now, until).await?;
        }
        Some(here) => {
            sign_ins.end_sessions(Sessions::OfUserExcept(person, here), now, until).await?;
            for grant in sign_ins.grants_of(person).await? {
                // Where it cannot be told in which session it was lent, it was not in this one.
                let lent = serde_json::from_str::<Lent>(&grant.document);
                if !lent.is_ok_and(|lent| lent.session_id == here) {
                    sign_ins.end_grants(Grants::One(grant.id), now, until).await?;
                }
            }
        }
    }
    see_what_ended(app).await;
    Ok(())
}

/// What ended is durable, and other nodes learn of it within a quarter of a second. This one knows at once.
pub async fn see_what_ended(app: &App) {
    if let Err(error) = app.revocations.catch_up(&*app.store).await {
        tracing::warn!(error = with_causes(&error), "this node will see what ended when the store answers again");
    }
}

/// Until when an access token that was issued before now may live: so long the end of what it is part of is remembered.
#[must_use]
pub fn tokens_until(now: Timestamp) -> Timestamp {
    now.plus_secs(MAX_TOKEN_LIFETIME_SECS.into())
}

/// The header by which a browser forgets its session's cookie.
#[must_use]
pub fn forgotten(app: &App) -> HeaderValue {
    set_cookie(app, app.session_cookie(), "", "; Max-Age=0")
}

/// What a form of this browser carries, for one purpose: an HMAC of both.
#[must_use]
pub fn form_token(app: &App, browser: &Browser, purpose: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&app.form_key.0, &signed(browser, purpose)))
}

/// Whether a form came from a page of ours in this browser, made for this purpose: by what the browser says of the page, and by
/// the token.
///
/// # Errors
/// [`Forged`].
pub fn check_form(app: &App, parts: &Parts, browser: &Browser, purpose: &str, token: &str) -> Result<(), Forged> {
    if is_from_elsewhere(app, &parts.headers) {
        return Err(Forged::Elsewhere);
    }
    let tag = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| Forged::Token)?;
    hmac::verify(&app.form_key.0, &signed(browser, purpose), &tag).map_err(|_| Forged::Token)
}

/// Whether a browser says that the request comes from a page of somebody else. What is no browser says nothing, and is nobody's
/// tool: it has no user whose hand could be used.
pub(crate) fn is_from_elsewhere(app: &App, headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter().peekable();
    if sites.peek().is_some() {
        return sites.any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    }
    let Ok(base) = url::Url::parse(&app.base_url) else { return true };
    let own = base.origin().ascii_serialization();
    headers.get_all(header::ORIGIN).iter().any(|origin| origin.as_bytes() != own.as_bytes())
}

impl Browser {
    /// The browser that a request comes from, if it has been here before.
    #[must_use]
    pub fn of(app: &App, headers: &HeaderMap) -> Option<Self> {
        cookie(headers, app.browser_cookie()).map(Self)
    }

    /// The browser that a request comes from, with the header that sets its cookie where it has not been here before.
    #[must_use]
    pub fn of_or_new(app: &App, headers: &HeaderMap) -> (Self, Option<HeaderValue>) {
        if let Some(browser) = Self::of(app, headers) {
            return (browser, None);
        }
        let (browser, set_cookie) = Self::new(app);
        (browser, Some(set_cookie))
    }

    fn new(app: &App) -> (Self, HeaderValue) {
        let (token, set_cookie) = new_cookie(app, app.browser_cookie());
        (Self(token), set_cookie)
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Browser([REDACTED])")
    }
}

impl FormKey {
    /// A key of its own under the master key, so that a form made by one node is taken by all.
    ///
    /// # Errors
    /// [`VaultError::Crypto`] where the crypto library fails.
    pub fn new(vault: &Vault) -> Result<Self, VaultError> {
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &*vault.subkey("ambit form v1")?)))
    }
}

impl std::fmt::Debug for FormKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FormKey([REDACTED])")
    }
}

impl App {
    /// The name of the cookie of a session. RFC 6265bis §4.1.3.2: with `__Host-` no other host, a sub-domain's included, can have
    /// set it; a browser takes it by https only, so a server for development has it without.
    #[must_use]
    pub fn session_cookie(&self) -> &'static str {
        if self.is_https() { "__Host-ambit-session" } else { "ambit-session" }
    }

    /// The name of the cookie that tells a browser from others.
    #[must_use]
    pub fn browser_cookie(&self) -> &'static str {
        if self.is_https() { "__Host-ambit-browser" } else { "ambit-browser" }
    }

    fn is_https(&self) -> bool {
        self.base_url.starts_with("https://")
    }
}

/// How long a session lasts, as its person's tenant says.
#[derive(Debug, Clone, Copy)]
struct Lifetimes {
    idle: Duration,
    most: Duration,
}

impl Lifetimes {
    /// Those of a person's tenant; none where it is gone, or its partner out of business.
    async fn of(app: &App, person: &Person) -> Result<Option<Self>, StoreError> {
        let Some(id) = person.user.tenant_id else { return Ok(Some(Self::new(&TenantSettings::default()))) };
        let facts = app.registry.tenant_by_id(id).await?;
        Ok(facts.map(|facts| Self::new(&facts.tenant.settings)))
    }

    fn new(settings: &TenantSettings) -> Self {
        Self {
            idle: Duration::from_secs(settings.session_idle_secs.into()),
            most: Duration::from_secs(settings.session_max_secs.into()),
        }
    }

    fn end(self, seen_at: Timestamp, authentication: &Authentication) -> Timestamp {
        (seen_at + self.idle).min(authentication.at + self.most)
    }
}

fn read(session: &Session) -> Result<Authentication, StoreError> {
    serde_json::from_str(&session.document).map_err(|error| StoreError::Corrupt {
        resource: Resource::User,
        id: session.id.to_string(),
        source: error.into(),
    })
}

fn document(authentication: &Authentication) -> Result<String, StoreError> {
    serde_json::to_string(authentication).map_err(|error| StoreError::Unavailable(error.into()))
}

/// The one cookie of a name. Two of a name have come from two places, and it cannot be told which of them is ours.
fn cookie(headers: &HeaderMap, name: &str) -> Option<Zeroizing<String>> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut found = lines.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name).then_some(value)
    });
    let value = found.next()?;
    // What we never set need not be hashed.
    (found.next().is_none() && value.len() == COOKIE_CHARS).then(|| Zeroizing::new(value.to_owned()))
}

fn new_cookie(app: &App, name: &str) -> (Zeroizing<String>, HeaderValue) {
    let mut random = Zeroizing::new([0; COOKIE_OCTETS]);
    app.entropy.fill(random.as_mut());
    let token = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*random));
    let set_cookie = set_cookie(app, name, &token, "");
    (token, set_cookie)
}

/// Without `Max-Age` it goes when the browser is closed: the next one at a shared computer finds nothing.
fn set_cookie(app: &App, name: &str, value: &str, more: &str) -> HeaderValue {
    let secure = if app.is_https() { "; Secure" } else { "" };
    let text = Zeroizing::new(format!("{name}={value}; Path=/{secure}; HttpOnly; SameSite=Lax{more}"));
    // Names, base64url and attributes are visible ASCII.
    let mut header = HeaderValue::from_str(&text).expect("a cookie is visible ASCII");
    header.set_sensitive(true);
    header
}

/// What a form's token is made of. Both parts have an end that the other cannot take: the first is of one length.
fn signed(browser: &Browser, purpose: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([browser.0.as_bytes(), purpose.as_bytes()].concat())
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const COOKIE_OCTETS: usize = 32;
/// As many in base64url.
const COOKIE_CHARS: usize = 43;
const USER_AGENT_CHARS: usize = 256;
/// A session that is used all the time is written once in so long.
const SEEN_EVERY_MILLIS: i64 = 60_000;
