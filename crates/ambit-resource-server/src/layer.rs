//! The guard of a route, as a tower layer.
//!
//! 1. The token is taken out of the request ([`presented`](crate::presented)).
//! 2. It is verified ([`TokenVerifier`](crate::TokenVerifier)); it is not bound to a key; it is for this API.
//! 3. Those behind it may come in ([`Standing`](crate::Standing)).
//! 4. It holds what the route requires ([`Requirement`]). Where
//!    [the scopes come first](crate::ResourceServerBuilder::scopes_before_audience), only now it is asked whether it is for
//!    this API.
//! 5. The person behind it has signed in as the route wants it ([`StepUp`]).
//! 6. The handler runs, with an [`Identity`] in the request's extensions.
//!
//! When everything is in memory all of this happens in the call itself: no allocation, no waiting. Otherwise the same steps
//! are taken again by a future that may wait.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::{Context, Poll};

use ambit_protocol::trace::TraceId;
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, MapOk, Ready, TryFutureExt as _, ready};
use http::{HeaderValue, Method, Request, header};
use tower::{Layer, Service};

use crate::denial::{Denial, Holder, Lack, Refused, Shortcomings};
use crate::hooks::{BoxFuture, EXPLAIN_TIME, Good, Shortfall, StandingCheck};
use crate::identity::Identity;
use crate::presented;
use crate::require::{Met, Requirement, RequirementError};
use crate::server::ResourceServer;
use crate::step_up::StepUp;
use crate::verify::{VerifiedToken, VerifyError};

/// The guard of one or more routes: a [`Layer`] made by [`ResourceServer::require`] and its siblings.
///
/// On a single route it belongs into `route_layer`, so that a method that the route does not have is answered 405:
///
/// ```
/// # use ambit_resource_server::{BuildError, ResourceServer};
/// use axum::{Router, routing::{get, post}};
///
/// # fn routes(api: &ResourceServer) -> Router {
/// Router::new()
///     .route("/baskets", post(|| async { "made" }).route_layer(api.require("pos:baskets:create")))
///     .route("/baskets/{id}", get(|| async { "one" }).route_layer(api.require("pos:baskets:read")))
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a guard protects the routes it is layered on"]
pub struct Guard {
    server: ResourceServer,
    requirement: Option<Arc<Requirement>>,
    step_up: Option<Arc<StepUp>>,
    may_be_absent: bool,
}

/// A service behind a [`Guard`].
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    inner: S,
    guard: Guard,
}

impl Guard {
    pub(crate) fn new(server: ResourceServer, requirement: Option<Requirement>) -> Self {
        Self { server, requirement: requirement.map(Arc::new), step_up: None, may_be_absent: false }
    }

    pub(crate) fn optional(server: ResourceServer) -> Self {
        Self { server, requirement: None, step_up: None, may_be_absent: true }
    }

    /// What the refusal says, in place of the usual sentence: see [`Requirement::with_detail`].
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.requirement = self.requirement.map(|requirement| Arc::new((*requirement).clone().with_detail(detail)));
        self
    }

    /// What the challenge tells a client to ask for: see [`Requirement::asking_for`].
    ///
    /// # Errors
    /// [`RequirementError`].
    pub fn asking_for<N: AsRef<str>>(mut self, scopes: impl IntoIterator<Item = N>) -> Result<Self, RequirementError> {
        if let Some(requirement) = self.requirement {
            self.requirement = Some(Arc::new((*requirement).clone().asking_for(scopes)?));
        }
        Ok(self)
    }

    /// How and when the person behind the token must have signed in, beside what it holds (RFC 9470).
    pub fn with_step_up(self, step_up: StepUp) -> Self {
        Self { step_up: Some(Arc::new(step_up)), ..self }
    }

    /// What the guarded routes require.
    #[must_use]
    pub fn requirement(&self) -> Option<&Requirement> {
        self.requirement.as_deref()
    }

    /// Steps 1 to 5 with what is in memory.
    fn look<B>(&self, request: &Request<B>) -> Look {
        if let Some(identity) = self.known(request) {
            return self.look_at_scopes(identity.clone(), None);
        }
        let token = match presented::token(request.headers(), request.uri()) {
            Ok(Some(token)) => token,
            Ok(None) => return self.without_token(presented::is_in_query(request.uri())),
            Err(denial) => return Look::Refused(denial.into()),
        };
        let token = match self.server.verifier().verify_now(token) {
            Some(Ok(token)) => token,
            Some(Err(error)) => return Look::Refused(error.into()),
            None => return Look::Wait,
        };
        if let Err(refusal) = self.check_purpose(&token) {
            return Look::Refused(refusal);
        }
        let good = match self.server.standing().map(|standing| standing.check(&token, self.server.verifier().now())) {
            None => Good::default(),
            Some(StandingCheck::Now(Ok(good))) => good,
            Some(StandingCheck::Now(Err(not_good))) => {
                return Look::Refused(Refusal::of(&token, Denial::NotGood(not_good)));
            }
            Some(StandingCheck::Later(_)) => return Look::Wait,
        };
        let warning = warning(&good);
        self.look_at_scopes(Identity::new(token, good, self.server.clone()), warning)
    }

    fn look_at_scopes(&self, identity: Identity, warning: Option<HeaderValue>) -> Look {
        if let Some(requirement) = &self.requirement {
            match requirement.is_met_by(identity.carried(), self.server.verifier()) {
                Met::Yes => {}
                Met::No if self.server.explain().is_none() => {
                    return Look::Refused(Self::lacking(&identity, requirement, Shortcomings::default()));
                }
                Met::No | Met::NotWithoutCatalogue => return Look::Wait,
            }
        }
        match self.check_audience(identity.token()).and_then(|()| self.check_sign_in(&identity)) {
            Ok(()) => Look::Admitted(Admitted { identity: Some(identity), warning }),
            Err(refusal) => Look::Refused(refusal),
        }
    }

    /// Steps 2 to 5, waiting where that helps.
    async fn wait(&self, head: &Head) -> Result<Admitted, Refusal> {
        let (identity, warning) = match &head.bearer {
            Bearer::Verified(identity) => (identity.clone(), None),
            Bearer::Presented(text) => self.identify(text).await?,
        };
        if let Some(requirement) = &self.requirement {
            self.check_scopes(&identity, requirement, head).await?;
        }
        self.check_audience(identity.token())?;
        self.check_sign_in(&identity)?;
        Ok(Admitted { identity: Some(identity), warning })
    }

    /// Steps 2 and 3.
    async fn identify(&self, token: &str) -> Result<(Identity, Option<HeaderValue>), Refusal> {
        let token = self.server.verifier().verify(token).await?;
        self.check_purpose(&token)?;
        let standing = match self.server.standing() {
            None => Ok(Good::default()),
            Some(standing) => match standing.check(&token, self.server.verifier().now()) {
                StandingCheck::Now(answer) => answer,
                StandingCheck::Later(answer) => answer.await,
            },
        };
        let good = standing.map_err(|not_good| Refusal::of(&token, Denial::NotGood(not_good)))?;
        let warning = warning(&good);
        Ok((Identity::new(token, good, self.server.clone()), warning))
    }

    /// Step 4.
    async fn check_scopes(
        &self,
        identity: &Identity,
        requirement: &Arc<Requirement>,
        head: &Head,
    ) -> Result<(), Refusal> {
        let verifier = self.server.verifier();
        let mut met = requirement.is_met_by(identity.carried(), verifier);
        if met == Met::NotWithoutCatalogue {
            verifier.refresh_bundles(identity.token()).await;
            met = requirement.is_met_by(identity.carried(), verifier);
        }
        if met == Met::Yes {
            return Ok(());
        }
        let mut shortcomings =
            Shortcomings { without_catalogue: met == Met::NotWithoutCatalogue, ..Default::default() };
        if let Some(explain) = self.server.explain() {
            let shortfall = Shortfall {
                identity: identity.clone(),
                requirement: Arc::clone(requirement),
                method: head.method.clone(),
                path: head.path.clone(),
            };
            shortcomings.detail = explain.detail(&shortfall);
            if let Ok(why) = tokio::time::timeout(EXPLAIN_TIME, explain.explain(&shortfall)).await {
                shortcomings.why = why;
            } else {
                tracing::warn!(path = head.path, "explaining a refusal took too long");
            }
        }
        Err(Self::lacking(identity, requirement, shortcomings))
    }

    fn lacking(identity: &Identity, requirement: &Arc<Requirement>, shortcomings: Shortcomings) -> Refusal {
        let lack = Lack { token: Arc::clone(identity.token()), requirement: Arc::clone(requirement), shortcomings };
        Refusal::of(identity.token(), Denial::Scope(Box::new(lack)))
    }

    fn without_token(&self, is_in_url: bool) -> Look {
        if self.may_be_absent && !is_in_url {
            return Look::Admitted(Admitted { identity: None, warning: None });
        }
        Look::Refused(Denial::Missing { is_in_url }.into())
    }

    /// Whether the token is meant to be used here, and so.
    fn check_purpose(&self, token: &VerifiedToken) -> Result<(), Refusal> {
        // RFC 9449 §7.2: a bound token used as a bearer token "MUST" be rejected.
        if token.claims().cnf.is_some() {
            let text = "the token is bound to a key (its 'cnf' claim) and cannot be used as a Bearer token here";
            return Err(Refusal::of(token, Denial::Token(text.into())));
        }
        // Behind the scopes it is looked at for everybody.
        if self.server.scopes_before_audience() { Ok(()) } else { self.check_audience(token) }
    }

    fn check_audience(&self, token: &VerifiedToken) -> Result<(), Refusal> {
        // RFC 9068 §4: `aud` "MUST contain a resource indicator value" of this API.
        if token.claims().aud.contains(self.server.identifier()) {
            return Ok(());
        }
        let text = format!(
            "the token is for another audience; this API is '{}': ask for a token with that resource, or with its scopes",
            self.server.identifier()
        );
        Err(Refusal::of(token, Denial::Token(text.into())))
    }

    /// Step 5.
    fn check_sign_in(&self, identity: &Identity) -> Result<(), Refusal> {
        let Some(wanted) = &self.step_up else { return Ok(()) };
        let token = identity.token();
        match wanted.shortfall(token.claims(), self.server.verifier().now()) {
            None => Ok(()),
            Some(detail) => Err(Refusal::of(token, Denial::SignIn { detail, wanted: Arc::clone(wanted) })),
        }
    }

    fn refuse(&self, refusal: Refusal, path: &str, trace_id: Option<TraceId>) -> Response {
        let Refusal { denial, holder } = refusal;
        let requirement = self.requirement.as_deref();
        denial.response(self.server.manners(), Refused { path, trace_id, requirement, holder })
    }

    /// Who another guard of the same API, further out, has let in.
    fn known<'a, B>(&self, request: &'a Request<B>) -> Option<&'a Identity> {
        request.extensions().get::<Identity>().filter(|identity| identity.is_of(&self.server))
    }

    fn head<B>(&self, request: &Request<B>) -> Head {
        let bearer = match self.known(request) {
            Some(identity) => Bearer::Verified(identity.clone()),
            // It was there a moment ago: nobody waits for a token that is not.
            None => Bearer::Presented(
                presented::token(request.headers(), request.uri()).ok().flatten().unwrap_or_default().to_owned(),
            ),
        };
        Head {
            bearer,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            trace_id: self.server.trace_id(request.headers(), request.extensions()),
        }
    }
}

/// A denial, and whose token it was.
struct Refusal {
    denial: Denial,
    holder: Option<Holder>,
}

impl Refusal {
    /// Of a token that was verified.
    fn of(token: &VerifiedToken, denial: Denial) -> Self {
        Self { denial, holder: Some(Holder::of(token)) }
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self { denial, holder: None }
    }
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        let denial = Denial::from(&error);
        match error {
            VerifyError::Withdrawn { holder, .. } => Self { denial, holder: Some(holder) },
            VerifyError::Token(_) | VerifyError::KeysUnavailable => denial.into(),
        }
    }
}

enum Look {
    Admitted(Admitted),
    Refused(Refusal),
    /// Something has to be fetched, looked up or explained.
    Wait,
}

struct Admitted {
    identity: Option<Identity>,
    warning: Option<HeaderValue>,
}

/// As much of a request as waiting needs: its body stays with it.
struct Head {
    bearer: Bearer,
    method: Method,
    path: String,
    trace_id: Option<TraceId>,
}

enum Bearer {
    /// By another guard of the same API, further out.
    Verified(Identity),
    Presented(String),
}

/// `Warning: 299 - "…"`: obsolete as a header of caches, and what clients look for.
fn warning(good: &Good) -> Option<HeaderValue> {
    let text = ambit_protocol::error::describe(good.warning.as_ref()?);
    HeaderValue::from_str(&format!("299 - \"{text}\"")).ok()
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, guard: self.clone() }
    }
}

/// What a guarded service answers with.
pub type GuardFuture<F, R, E> =
    Either<MapOk<F, fn(R) -> Response>, Either<Ready<Result<Response, E>>, BoxFuture<'static, Result<Response, E>>>>;

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Response: IntoResponse + 'static,
    S::Error: Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = GuardFuture<S::Future, S::Response, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.guard.look(&request) {
            Look::Admitted(Admitted { identity, warning: None }) => {
                admit(&mut request, identity);
                Either::Left(self.inner.call(request).map_ok(S::Response::into_response))
            }
            Look::Admitted(Admitted { identity, warning: Some(warning) }) => {
                admit(&mut request, identity);
                let response = self.inner.call(request);
                Either::Right(Either::Right(Box::pin(
                    async move { Ok(warn(response.await?.into_response(), warning)) },
                )))
            }
            Look::Refused(refusal) => {
                let trace_id = self.guard.server.trace_id(request.headers(), request.extensions());
                let response = self.guard.refuse(refusal, request.uri().path(), trace_id);
                Either::Right(Either::Left(ready(Ok(response))))
            }
            Look::Wait => {
                let head = self.guard.head(&request);
                let guard = self.guard.clone();
                // The one that was polled ready is the one that is called (tower's rule for clones).
                let clone = self.inner.clone();
                let mut inner = std::mem::replace(&mut self.inner, clone);
                Either::Right(Either::Right(Box::pin(async move {
                    let Admitted { identity, warning } = match guard.wait(&head).await {
                        Ok(admitted) => admitted,
                        Err(refusal) => return Ok(guard.refuse(refusal, &head.path, head.trace_id)),
                    };
                    admit(&mut request, identity);
                    let response = inner.call(request).await?.into_response();
                    Ok(match warning {
                        Some(warning) => warn(response, warning),
                        None => response,
                    })
                })))
            }
        }
    }
}

fn admit<B>(request: &mut Request<B>, identity: Option<Identity>) {
    match identity {
        Some(identity) => drop(request.extensions_mut().insert(identity)),
        // Nobody is somebody because of what an outer layer left behind.
        None => drop(request.extensions_mut().remove::<Identity>()),
    }
}

fn warn(mut response: Response, warning: HeaderValue) -> Response {
    response.headers_mut().append(header::WARNING, warning);
    response
}
