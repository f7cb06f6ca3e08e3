//! The API itself: its identifier, whom it trusts, what its routes require, how it refuses.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ambit_protocol::metadata::ProtectedResourceMetadata;
use ambit_protocol::resource::ResourceIndicator;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::trace::{TraceId, TraceParent};
use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{Extensions, HeaderMap, HeaderValue, header};
use url::Url;

use crate::denial::Manners;
use crate::hooks::{Explain, Standing};
use crate::issuer::{Issuer, base_of};
use crate::layer::Guard;
use crate::metadata::{metadata_path, metadata_url};
use crate::require::Requirement;
use crate::verify::{BuildError, TokenVerifier};

/// A protected API (RFC 6749 §1.1: a *resource server*). Cloning shares it.
///
/// It makes the guards of routes, and remembers what they require: its metadata (RFC 9728) lists exactly that.
#[derive(Debug, Clone)]
pub struct ResourceServer(Arc<Inner>);

struct Inner {
    verifier: TokenVerifier,
    identifier: String,
    manners: Manners,
    standing: Option<Box<dyn Standing>>,
    explain: Option<Box<dyn Explain>>,
    trace_ids: Option<TraceIds>,
    scopes_before_audience: bool,
    name: Option<String>,
    documentation: Option<String>,
    required: Mutex<BTreeSet<ScopeToken>>,
}

type TraceIds = Box<dyn Fn(&Extensions) -> Option<TraceId> + Send + Sync>;

/// Sets up a [`ResourceServer`].
#[must_use = "a builder does nothing until `build`"]
pub struct ResourceServerBuilder {
    verifier: Result<TokenVerifier, BuildError>,
    identifier: String,
    error_pages: ErrorPages,
    metadata_url: Option<String>,
    standing: Option<Box<dyn Standing>>,
    explain: Option<Box<dyn Explain>>,
    trace_ids: Option<TraceIds>,
    scopes_before_audience: bool,
    name: Option<String>,
    documentation: Option<String>,
}

enum ErrorPages {
    OfIssuer,
    At(String),
    Nowhere,
}

impl ResourceServer {
    /// Begins to set up an API that accepts tokens of one issuer. `identifier` is the API's own: an absolute URI without a
    /// fragment, which tokens for it have in `aud` to the octet.
    pub fn builder(issuer: impl Into<Issuer>, identifier: impl Into<String>) -> ResourceServerBuilder {
        ResourceServerBuilder::new(TokenVerifier::builder().issuer(issuer).build(), identifier.into())
    }

    /// Begins to set up an API over a verifier that was set up by itself: for several issuers, another clock, revocations,
    /// or to share it.
    pub fn over(verifier: TokenVerifier, identifier: impl Into<String>) -> ResourceServerBuilder {
        ResourceServerBuilder::new(Ok(verifier), identifier.into())
    }

    /// A guard that requires one scope.
    ///
    /// # Panics
    /// If `scope` is no scope-token (RFC 6749 §3.3). Names that are not written in the program go through
    /// [`Requirement::one`] and [`ResourceServer::guard`].
    pub fn require(&self, scope: &str) -> Guard {
        self.guard(written(Requirement::one(scope)))
    }

    /// A guard that requires any one of these scopes. The first is the one a client is told to ask for.
    ///
    /// # Panics
    /// If there is no scope, or one is no scope-token.
    pub fn require_any<S: AsRef<str>>(&self, scopes: impl IntoIterator<Item = S>) -> Guard {
        self.guard(written(Requirement::any(scopes)))
    }

    /// A guard that requires all of these scopes.
    ///
    /// # Panics
    /// If there is no scope, or one is no scope-token.
    pub fn require_all<S: AsRef<str>>(&self, scopes: impl IntoIterator<Item = S>) -> Guard {
        self.guard(written(Requirement::all(scopes)))
    }

    /// A guard with a requirement that was made elsewhere: a table of routes, a configuration.
    pub fn guard(&self, requirement: Requirement) -> Guard {
        self.required().extend(requirement.scopes().iter().cloned());
        Guard::new(self.clone(), Some(requirement))
    }

    /// A guard that requires a good token for this API, whatever it carries.
    pub fn authenticated(&self) -> Guard {
        Guard::new(self.clone(), None)
    }

    /// A guard that lets requests without a token pass, without an [`Identity`](crate::Identity). A token that is sent must
    /// be good.
    pub fn optional(&self) -> Guard {
        Guard::optional(self.clone())
    }

    /// What verifies its tokens.
    #[must_use]
    pub fn verifier(&self) -> &TokenVerifier {
        &self.0.verifier
    }

    /// Its identifier.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.0.identifier
    }

    /// Its metadata (RFC 9728), computed from the guards that were made so far.
    #[must_use]
    pub fn metadata(&self) -> ProtectedResourceMetadata {
        ProtectedResourceMetadata {
            authorization_servers: self.0.verifier.issuer_names().map(str::to_owned).collect(),
            scopes_supported: self.required().iter().map(ToString::to_string).collect(),
            bearer_methods_supported: vec!["header".to_owned()],
            resource_name: self.0.name.clone(),
            resource_documentation: self.0.documentation.clone(),
            ..ProtectedResourceMetadata::new(self.identifier())
        }
    }

    /// The path at which its metadata belongs on its host: `/.well-known/oauth-protected-resource` and the path of its
    /// identifier.
    #[must_use]
    pub fn metadata_path(&self) -> String {
        metadata_path(&self.0.identifier)
    }

    /// The route that serves its metadata, to everybody and every origin.
    pub fn metadata_route<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let server = self.clone();
        let handler = move || async move { server.metadata_response() };
        // Identifiers may have segments that axum would take for parameters of an older syntax.
        Router::new().without_v07_checks().route(&self.metadata_path(), get(handler))
    }

    /// The answer of [`ResourceServer::metadata_route`], for a table of routes of one's own.
    #[must_use]
    pub fn metadata_response(&self) -> Response {
        let mut response = axum::Json(self.metadata()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        // Public by design: a client in a browser finds its issuer here.
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        response
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn manners(&self) -> &Manners {
        &self.0.manners
    }

    pub(crate) fn standing(&self) -> Option<&dyn Standing> {
        self.0.standing.as_deref()
    }

    pub(crate) fn explain(&self) -> Option<&dyn Explain> {
        self.0.explain.as_deref()
    }

    pub(crate) fn scopes_before_audience(&self) -> bool {
        self.0.scopes_before_audience
    }

    /// The trace of a request: as the embedding program says, or as the caller says (W3C Trace Context), or a new one.
    pub(crate) fn trace_id(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<TraceId> {
        let told = self.0.trace_ids.as_ref().and_then(|trace_ids| trace_ids(extensions));
        told.or_else(|| extensions.get::<TraceId>().copied())
            .or_else(|| {
                let values = headers.get_all("traceparent").iter().map(HeaderValue::as_bytes);
                TraceParent::from_headers(values).map(|parent| parent.trace_id)
            })
            .or_else(new_trace_id)
    }

    fn required(&self) -> std::sync::MutexGuard<'_, BTreeSet<ScopeToken>> {
        // Adding to a set leaves nothing half done.
        self.0.required.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name that stands in the program text.
fn written(requirement: Result<Requirement, crate::require::RequirementError>) -> Requirement {
    match requirement {
        Ok(requirement) => requirement,
        Err(error) => panic!("{error}"),
    }
}

fn new_trace_id() -> Option<TraceId> {
    let mut octets = [0; 16];
    #[expect(
        clippy::disallowed_methods,
        reason = "names a refusal in answer and log where nobody gave the request a trace"
    )]
    getrandom::fill(&mut octets).ok()?;
    TraceId::new(octets)
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServer").field("identifier", &self.identifier).finish_non_exhaustive()
    }
}

impl fmt::Debug for ResourceServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServerBuilder").field("identifier", &self.identifier).finish_non_exhaustive()
    }
}

impl ResourceServerBuilder {
    fn new(verifier: Result<TokenVerifier, BuildError>, identifier: String) -> Self {
        Self {
            verifier,
            identifier,
            error_pages: ErrorPages::OfIssuer,
            metadata_url: None,
            standing: None,
            explain: None,
            trace_ids: None,
            scopes_before_audience: false,
            name: None,
            documentation: None,
        }
    }

    /// Asks this whether those behind a good token may come in: tenant, partner, client.
    pub fn standing(mut self, standing: impl Standing + 'static) -> Self {
        self.standing = Some(Box::new(standing));
        self
    }

    /// Has this say why a scope is missing.
    pub fn explain(mut self, explain: impl Explain + 'static) -> Self {
        self.explain = Some(Box::new(explain));
        self
    }

    /// Where the error pages are, without a slash at the end: `type` and `error_uri` begin with it. Where left out:
    /// `{issuer}/errors` of the first issuer, where an Ambit server has them (the platform's, if the issuer is a tenant's).
    pub fn error_pages(mut self, base: impl Into<String>) -> Self {
        self.error_pages = ErrorPages::At(base.into());
        self
    }

    /// There are no error pages, as with an authorization server that is none of ours: `type` is `about:blank`, and there is
    /// no `error_uri`.
    pub fn without_error_pages(mut self) -> Self {
        self.error_pages = ErrorPages::Nowhere;
        self
    }

    /// How the embedding program marks a request with its trace. Where left out, or where it says nothing: a [`TraceId`]
    /// among the extensions, the `traceparent` header, or a new one for the refusal.
    pub fn trace_ids(mut self, trace_ids: impl Fn(&Extensions) -> Option<TraceId> + Send + Sync + 'static) -> Self {
        self.trace_ids = Some(Box::new(trace_ids));
        self
    }

    /// Looks at the scopes of a token before its audience. One that is for another API *and* holds nothing of what the
    /// endpoint requires is answered with the 403 that says which scope to ask for, in place of a 401: where the issuer
    /// derives `aud` from the scopes that it grants, as an Ambit server does, the missing scope is the cause of both, and
    /// the one thing to mend. To be let in a token needs both, as ever.
    ///
    /// [`Standing`] and [`Explain`] are asked about tokens for other APIs then, too.
    pub fn scopes_before_audience(mut self) -> Self {
        self.scopes_before_audience = true;
        self
    }

    /// Its name for people, in its metadata.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where developers read about it, in its metadata.
    pub fn documentation(mut self, url: impl Into<String>) -> Self {
        self.documentation = Some(url.into());
        self
    }

    /// Where its metadata is, if not where RFC 9728 §3 puts it: for an identifier that is no address.
    pub fn metadata_url(mut self, url: impl Into<String>) -> Self {
        self.metadata_url = Some(url.into());
        self
    }

    /// Sets it up. Nothing is fetched yet: see [`TokenVerifier::warm_up`].
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build(self) -> Result<ResourceServer, BuildError> {
        let verifier = self.verifier?;
        if let Err(error) = self.identifier.parse::<ResourceIndicator>() {
            return Err(BuildError::Identifier { identifier: self.identifier, reason: error.to_string() });
        }
        let error_pages = match self.error_pages {
            ErrorPages::Nowhere => None,
            ErrorPages::At(base) => Some(address(base)?),
            ErrorPages::OfIssuer => verifier.issuer_names().next().map(|issuer| format!("{}/errors", base_of(issuer))),
        };
        let metadata_url = match self.metadata_url {
            Some(url) => Some(address(url)?),
            None => metadata_url(&self.identifier),
        };
        let manners = Manners { error_pages, metadata_url, identifier: self.identifier.clone() };
        Ok(ResourceServer(Arc::new(Inner {
            verifier,
            identifier: self.identifier,
            manners,
            standing: self.standing,
            explain: self.explain,
            trace_ids: self.trace_ids,
            scopes_before_audience: self.scopes_before_audience,
            name: self.name,
            documentation: self.documentation,
            required: Mutex::default(),
        })))
    }
}

/// An address that goes into a header as it is.
fn address(text: String) -> Result<String, BuildError> {
    let reason = match text.parse::<ResourceIndicator>() {
        Err(error) => error.to_string(),
        Ok(_) => match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "https" | "http") => return Ok(text),
            _ => "must be an https address".to_owned(),
        },
    };
    Err(BuildError::Address { address: text, reason })
}
