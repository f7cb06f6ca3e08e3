//! One call of the admin API: who calls, what was sent, and what the handlers ask the server for.

use std::sync::Arc;

use ambit_core::cursor::Cursors;
use ambit_core::page;
use ambit_core::reach::Reach;
use ambit_core::registry::{Power, Settings};
use ambit_core::store::Store;
use ambit_protocol::admin::Page;
use ambit_protocol::trace::TraceId;
use axum::extract::{FromRequestParts, Path};
use bytes::Bytes;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer::{Done, Plain, Revised, Shown, Stop};
use crate::state::App;

/// The caller, in this request. The gate makes it, and nobody else.
#[derive(Debug, Clone)]
pub struct Admin(Arc<Call>);

#[derive(Debug)]
pub(super) struct Call {
    pub(super) app: App,
    pub(super) power: Power,
    /// The reach, as cursors and kept answers are bound to it.
    pub(super) reach_text: String,
    pub(super) settings: Settings,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trace_id: TraceId,
}

impl Admin {
    pub(super) fn new(call: Call) -> Self {
        Self(Arc::new(call))
    }

    /// The server's state.
    pub fn app(&self) -> &App {
        &self.0.app
    }

    /// Everything that is registered, to read.
    pub fn store(&self) -> &dyn Store {
        &*self.0.app.store
    }

    /// How far the caller reaches.
    pub fn reach(&self) -> Reach {
        self.0.power.reach
    }

    /// What the caller may do.
    pub fn power(&self) -> &Power {
        &self.0.power
    }

    /// Answers with one thing, or with `304` where the caller has it already.
    ///
    /// # Errors
    /// None that a thing of ours has.
    pub fn show<T: Serialize + Revised>(&self, thing: T) -> Result<Done<Shown<T>>, Stop> {
        Ok(Done::new(Shown(thing))?.unless_known(|etag| self.has_tag(&IF_NONE_MATCH, etag, Comparison::Weak)))
    }

    /// Answers with all there is of something small.
    ///
    /// # Errors
    /// None that a thing of ours has.
    pub fn whole_list<T: Serialize>(&self, items: Vec<T>) -> Result<Done<Plain<Page<T>>>, Stop> {
        let total = Some(items.len() as u64);
        Done::new(Plain(Page { items, cursor: None, total }))
    }

    pub(super) fn cursors(&self) -> Result<Cursors, Stop> {
        Cursors::new(&self.0.app.vault).map_err(|error| Stop::Internal(Box::new(error)))
    }

    pub(super) fn call(&self) -> &Call {
        &self.0
    }

    pub(super) fn actor(&self) -> &str {
        &self.0.power.actor
    }

    pub(super) fn path(&self) -> &str {
        &self.0.path
    }

    pub(super) fn reach_text(&self) -> &str {
        &self.0.reach_text
    }

    pub(super) fn body(&self) -> &Bytes {
        &self.0.body
    }

    /// Whether `If-Match` allows changing what has this revision (RFC 9110 §13.1.1). None where it was not sent.
    pub(super) fn if_match(&self, etag: &str) -> Option<bool> {
        self.0.headers.contains_key(IF_MATCH).then(|| self.has_tag(&IF_MATCH, etag, Comparison::Strong))
    }

    fn has_tag(&self, header: &http::HeaderName, etag: &str, comparison: Comparison) -> bool {
        self.0
            .headers
            .get_all(header)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|sent| match comparison {
                Comparison::Strong => sent == "*" || sent == etag,
                // RFC 9110 §8.8.3.2: a weak comparison looks at the opaque tags alone.
                Comparison::Weak => sent == "*" || sent.strip_prefix("W/").unwrap_or(sent) == etag,
            })
    }
}

#[derive(Clone, Copy)]
enum Comparison {
    Strong,
    Weak,
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Stop> {
        // A route that no gate stands before has no caller, and answers nobody.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Stop::Internal("a route of the admin API without a gate".into()))
    }
}

/// The parts of the path that vary, in their order.
#[derive(Debug)]
pub struct At<T = String>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Stop> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(path)) => Ok(Self(path)),
            // Escapes that are no UTF-8 name nothing that we have.
            Err(_) => Err(Stop::bad(&page::NOT_FOUND, "the path is not UTF-8")),
        }
    }
}

/// The request is about something that its body names, and that may not be there.
#[derive(Debug)]
pub struct NamesInBody;

impl<S: Sync> FromRequestParts<S> for NamesInBody {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, std::convert::Infallible> {
        // The handler finds out; the document says so.
        Ok(Self)
    }
}

/// The request may name, in `If-Match`, the revision that it changes.
#[derive(Debug)]
pub struct IfMatch;

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, std::convert::Infallible> {
        // The change itself looks at the header, once it knows the thing.
        Ok(Self)
    }
}
