//! Who calls: what a handler learns about a verified token.

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;

use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::problem::{MEDIA_TYPE, Problem};
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use crate::carried::Carried;
use crate::hooks::{Good, LookedUp};
use crate::server::ResourceServer;
use crate::verify::VerifiedToken;

/// The verified token of a request, as an extractor. Behind every guard of a [`ResourceServer`] there is one.
///
/// ```
/// use ambit_resource_server::Identity;
///
/// async fn baskets(identity: Identity) -> String {
///     format!("{} of {:?}", identity.client_id(), identity.tenant_slug())
/// }
/// ```
///
/// `Option<Identity>` is for routes behind [`ResourceServer::optional`].
#[derive(Debug, Clone)]
pub struct Identity {
    token: Arc<VerifiedToken>,
    only: Option<Arc<[ScopeToken]>>,
    facts: Option<LookedUp>,
    server: ResourceServer,
}

impl Identity {
    pub(crate) fn new(token: Arc<VerifiedToken>, good: Good, server: ResourceServer) -> Self {
        Self { token, only: good.only, facts: good.facts, server }
    }

    pub(crate) fn is_of(&self, server: &ResourceServer) -> bool {
        self.server.is(server)
    }

    /// The token behind it.
    #[must_use]
    pub const fn token(&self) -> &Arc<VerifiedToken> {
        &self.token
    }

    /// All verified claims.
    #[must_use]
    pub fn claims(&self) -> &AccessTokenClaims {
        self.token.claims()
    }

    /// Who issued the token: the platform, or a tenant's issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.claims().iss
    }

    /// The client that calls.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.token.client_id()
    }

    /// On whose behalf: a user, or the client itself.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.claims().sub
    }

    /// Whether the client calls on its own behalf (RFC 9068 §2.2: `sub` is the client).
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.subject() == self.client_id()
    }

    /// The tenant it acts in.
    #[must_use]
    pub fn tenant_id(&self) -> Option<&str> {
        self.claims().tenant_id.as_deref()
    }

    /// That tenant's name in URLs.
    #[must_use]
    pub fn tenant_slug(&self) -> Option<&str> {
        self.claims().tenant_slug.as_deref()
    }

    /// The partner it acts in.
    #[must_use]
    pub fn partner_id(&self) -> Option<&str> {
        self.claims().partner_id.as_deref()
    }

    /// The unit it acts in.
    #[must_use]
    pub fn unit_id(&self) -> Option<&str> {
        self.claims().unit_id.as_deref()
    }

    /// How far the application reaches: `platform`, `partner` or `tenant`.
    #[must_use]
    pub fn level(&self) -> Option<&str> {
        self.claims().level.as_deref()
    }

    /// The user's roles.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.claims().roles
    }

    /// The scopes that count: those that the token carries, or fewer, where a [`Standing`](crate::Standing) said so.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.carried().names()
    }

    /// Whether the token holds a scope: one that counts, or one that a coarse scope that counts includes while no feature
    /// gates it (scopes.md §2). Without a catalogue at hand nothing is implied.
    #[must_use]
    pub fn holds(&self, scope: &str) -> bool {
        self.server.verifier().holds_of(self.carried(), scope)
    }

    /// What the [`Standing`](crate::Standing) looked up, if it handed over a `T`
    /// ([`Good::with_facts`](crate::Good::with_facts)).
    #[must_use]
    pub fn facts<T: Any>(&self) -> Option<&T> {
        self.facts.as_ref().and_then(|facts| facts.0.downcast_ref())
    }

    pub(crate) fn carried(&self) -> Carried<'_> {
        Carried::new(&self.token, self.only.as_deref())
    }

    /// From when on the token is no longer accepted.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.claims().expires_at()
    }
}

impl<S: Sync> FromRequestParts<S> for Identity {
    type Rejection = NotGuarded;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotGuarded> {
        parts.extensions.get::<Self>().cloned().ok_or(NotGuarded)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Identity {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// A handler asked for an [`Identity`] on a route that no guard protects. The caller gets a 500, never the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the route is not guarded: put a guard of the ResourceServer on it")]
pub struct NotGuarded;

impl IntoResponse for NotGuarded {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        let problem = Problem::new("about:blank", "The server failed", 500);
        let mut response = (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(problem)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}
