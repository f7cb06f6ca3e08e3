//! What the admin API answers, and why it does not.

use std::marker::PhantomData;
use std::sync::Arc;

use ambit_core::idempotency::Answer as Kept;
use ambit_core::page::{self, Page};
use ambit_core::registry::error::FAULT_OF_OURS;
use ambit_core::registry::{Conflict, Forbidden, RegistryError};
use ambit_core::store::StoreError;
use ambit_protocol::admin::administrator::Administrator;
use ambit_protocol::admin::api::Api;
use ambit_protocol::admin::application::{Application, CreatedApplication};
use ambit_protocol::admin::feature::Feature;
use ambit_protocol::admin::group::{Group, Membership};
use ambit_protocol::admin::key::Key;
use ambit_protocol::admin::partner::Partner;
use ambit_protocol::admin::scope::Scope;
use ambit_protocol::admin::secret::{CreatedSecret, Secret};
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::unit::Unit;
use ambit_protocol::admin::user::User;
use ambit_protocol::problem::{self, Problem};
use ambit_protocol::trace::TraceId;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::ROOT;

/// An answer of one kind, ready to go out.
#[derive(Debug)]
pub struct Done<A> {
    kept: Kept,
    kind: PhantomData<fn() -> A>,
}

/// What can be answered.
pub trait Answer {
    /// Its status, headers and body.
    ///
    /// # Errors
    /// Where it cannot be written as JSON, which no answer of ours is.
    fn render(self) -> Result<Kept, serde_json::Error>;
}

/// `201`: it was made, and here it is.
#[derive(Debug)]
pub struct Created<T>(pub T);

/// `201`: it was added to this thing. Adding what is there already adds nothing, and is answered with `200`.
#[derive(Debug)]
pub struct Added<T> {
    /// What it was added to.
    pub to: T,
    /// Where it is, below the admin API.
    pub location: String,
    /// Whether it is new there.
    pub is_new: bool,
}

/// `200`: here it is, with its `ETag`.
#[derive(Debug)]
pub struct Shown<T>(pub T);

/// `200`: here it is. It has no revision of its own.
#[derive(Debug)]
pub struct Plain<T>(pub T);

/// `204`: it is gone.
#[derive(Debug)]
pub struct Gone;

/// A thing with a revision.
pub trait Revised {
    /// The registry revision of its last change.
    fn revision(&self) -> u64;
}

/// A thing with a place of its own.
pub trait Located {
    /// Its path below the admin API.
    fn location(&self) -> String;
}

impl<A: Answer> Done<A> {
    /// Writes the answer.
    ///
    /// # Errors
    /// See [`Answer::render`].
    pub fn new(answer: A) -> Result<Self, Stop> {
        let kept = answer.render().map_err(|error| Stop::Internal(Box::new(error)))?;
        Ok(Self { kept, kind: PhantomData })
    }
}

impl<A> Done<A> {
    pub(super) const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The same thing, unless the caller has it already (RFC 9110 §13.1.2).
    pub(super) fn unless_known(mut self, is_known: impl Fn(&str) -> bool) -> Self {
        let etag = self.kept.headers.iter().find(|(name, _)| name == ETAG.as_str());
        if etag.is_some_and(|(_, etag)| is_known(etag)) {
            self.kept.status = 304;
            self.kept.body.clear();
            self.kept.headers.retain(|(name, _)| name != CONTENT_TYPE.as_str());
        }
        self
    }
}

impl<T: Serialize + Revised + Located> Answer for Created<T> {
    fn render(self) -> Result<Kept, serde_json::Error> {
        let location = self.0.location();
        Added { to: self.0, location, is_new: true }.render()
    }
}

impl<T: Serialize + Revised> Answer for Added<T> {
    fn render(self) -> Result<Kept, serde_json::Error> {
        let mut kept = json(if self.is_new { 201 } else { 200 }, &self.to)?;
        kept.headers.push((ETAG.to_string(), etag(self.to.revision())));
        if self.is_new {
            kept.headers.push((LOCATION.to_string(), format!("{ROOT}{}", self.location)));
        }
        Ok(kept)
    }
}

impl<T: Serialize + Revised> Answer for Shown<T> {
    fn render(self) -> Result<Kept, serde_json::Error> {
        let mut kept = json(200, &self.0)?;
        kept.headers.push((ETAG.to_string(), etag(self.0.revision())));
        Ok(kept)
    }
}

impl<T: Serialize> Answer for Plain<T> {
    fn render(self) -> Result<Kept, serde_json::Error> {
        json(200, &self.0)
    }
}

impl Answer for Gone {
    fn render(self) -> Result<Kept, serde_json::Error> {
        Ok(Kept { status: 204, headers: vec![], body: vec![] })
    }
}

impl<A> IntoResponse for Done<A> {
    fn into_response(self) -> Response {
        response(self.kept)
    }
}

/// Why a request is not answered as asked.
#[derive(Debug)]
pub enum Stop {
    /// The rules of the registry.
    Registry(RegistryError),
    /// The request itself.
    Request(Box<BadRequest>),
    /// It was answered before: here is that answer again.
    Replay(Kept),
    /// A fault of ours.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

/// What is wrong with a request.
#[derive(Debug)]
pub struct BadRequest {
    /// The page that explains it.
    pub page: &'static Page,
    /// What happened this time.
    pub detail: String,
    /// Further members of the problem.
    pub members: Vec<(&'static str, Value)>,
}

impl Stop {
    /// A request of which one place is wrong. A query parameter's place is its name after a question mark, a header's its name.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        RegistryError::invalid(pointer, message).into()
    }

    pub(super) fn bad(page: &'static Page, detail: impl Into<String>) -> Self {
        Self::bad_with(page, detail, vec![])
    }

    pub(super) fn bad_with(
        page: &'static Page,
        detail: impl Into<String>,
        members: Vec<(&'static str, Value)>,
    ) -> Self {
        Self::Request(Box::new(BadRequest { page, detail: detail.into(), members }))
    }

    /// What the caller reads. `errors_url` is where the pages are, with a slash at the end.
    pub(super) fn finish(self, errors_url: &str, instance: &str, trace_id: TraceId) -> Response {
        let mut problem = match self {
            Self::Replay(kept) => {
                let mut response = response(kept);
                response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
                return response;
            }
            Self::Registry(error) => {
                log_if_ours(&error, trace_id);
                error.problem(errors_url)
            }
            Self::Request(bad) => {
                let BadRequest { page, detail, members } = *bad;
                let problem =
                    Problem::new(format!("{errors_url}{}", page.slug), page.title, page.status).with_detail(detail);
                members.into_iter().fold(problem, |problem, (name, value)| problem.with_extension(name, value))
            }
            Self::Internal(error) => {
                tracing::error!(%trace_id, error = &*error, "the admin API failed");
                let page = &page::SERVER_ERROR;
                Problem::new(format!("{errors_url}{}", page.slug), page.title, page.status).with_detail(FAULT_OF_OURS)
            }
        };
        problem.instance = Some(instance.to_owned());
        problem.trace_id = Some(trace_id);
        problem_response(&problem)
    }
}

fn log_if_ours(error: &RegistryError, trace_id: TraceId) {
    if let RegistryError::Store(error) = error {
        // The whole chain is in the log, and only there.
        tracing::error!(%trace_id, error = error as &dyn std::error::Error, "storage failed");
    }
}

/// A problem as a response.
pub(super) fn problem_response(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // A problem is made of texts and numbers: it is always JSON.
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let mut response = (status, Body::from(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

impl From<RegistryError> for Stop {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Registry(error.into())
    }
}

impl From<Conflict> for Stop {
    fn from(error: Conflict) -> Self {
        Self::Registry(error.into())
    }
}

impl From<Forbidden> for Stop {
    fn from(error: Forbidden) -> Self {
        Self::Registry(error.into())
    }
}

/// A stop on its way to the gate, which knows the request it belongs to and finishes it.
#[derive(Clone)]
pub(super) struct Unfinished(pub(super) Arc<std::sync::Mutex<Option<Stop>>>);

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        // Should it ever get out unfinished, it says nothing but that we failed.
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Unfinished(Arc::new(std::sync::Mutex::new(Some(self)))));
        response
    }
}

fn json(status: u16, body: &impl Serialize) -> Result<Kept, serde_json::Error> {
    let headers = vec![(CONTENT_TYPE.to_string(), "application/json".to_owned())];
    Ok(Kept { status, headers, body: serde_json::to_vec(body)? })
}

fn response(kept: Kept) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Body::from(kept.body)).into_response();
    for (name, value) in kept.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    // What is here for one caller now is nobody else's, and may be otherwise in a moment.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The strong entity tag of a revision.
pub(super) fn etag(revision: u64) -> String {
    format!("\"{revision}\"")
}

macro_rules! things {
    ($($type:ty, $($revised:ident).+, |$it:ident| $location:expr;)*) => {$(
        impl Revised for $type {
            fn revision(&self) -> u64 {
                self.$($revised).+
            }
        }

        impl Located for $type {
            fn location(&self) -> String {
                let $it = self;
                $location
            }
        }
    )*};
}

things! {
    Partner, revision, |it| format!("/partners/{}", it.id);
    Tenant, revision, |it| format!("/tenants/{}", it.id);
    Unit, revision, |it| format!("/units/{}", it.id);
    Feature, revision, |it| format!("/features/{}", it.key);
    Api, revision, |it| format!("/apis/{}", it.id);
    Scope, revision, |it| format!("/scopes/{}", path_segment(it.name.as_str()));
    Application, revision, |it| format!("/applications/{}", it.id);
    CreatedApplication, application.revision, |it| it.application.location();
    Secret, revision, |it| format!("/applications/{}/secrets/{}", it.application_id, it.id);
    CreatedSecret, secret.revision, |it| it.secret.location();
    User, revision, |it| format!("/users/{}", it.id);
    Group, revision, |it| format!("/groups/{}", it.id);
    Membership, revision, |it| format!("/groups/{}/members/{}", it.group_id, it.member);
    Administrator, revision, |it| format!("/administrators/{}", it.id);
    Key, revision, |it| format!("/keys/{}", it.id);
}

/// A name as one segment of a path (RFC 3986 §3.3): everything but unreserved characters and `:` is escaped.
pub(super) fn path_segment(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            segment.push(char::from(byte));
        } else {
            use std::fmt::Write as _;
            // Writing to a String cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}
