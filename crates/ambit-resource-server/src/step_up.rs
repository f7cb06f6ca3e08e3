//! How and when the person behind a token must have signed in (RFC 9470): what an endpoint asks for beside scopes.

use std::borrow::Cow;
use std::time::Duration;

use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::time::Timestamp;

/// How strongly and how lately a person must have proven who they are, for an endpoint that does something grave.
///
/// A token that is good in every other way and rests on less is answered 401 with `insufficient_user_authentication`, and what
/// to ask for: the client sends the person to the authorization endpoint with the `acr_values` and `max_age` of the challenge, and
/// comes back with the token of that sign-in. A token of a service has nobody behind it, and never does.
///
/// ```
/// # use ambit_resource_server::{ResourceServer, StepUp};
/// use std::time::Duration;
///
/// use axum::{Router, routing::post};
///
/// # fn routes(api: &ResourceServer) -> Router {
/// let two_factors_just_now = StepUp::acr(["urn:ambit:aal2"]).within(Duration::from_secs(300));
/// let guard = api.require("pos:registers:close").with_step_up(two_factors_just_now);
/// Router::new().route("/registers/close", post(|| async { "closed" }).route_layer(guard))
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepUp {
    acr_values: Vec<String>,
    within: Option<Duration>,
}

impl StepUp {
    /// A sign-in of one of these classes (the claim `acr`), the preferred one first. They are compared whole: where a higher class
    /// does as well, it is named too.
    #[must_use]
    pub fn acr<S: Into<String>>(values: impl IntoIterator<Item = S>) -> Self {
        Self { acr_values: values.into_iter().map(Into::into).collect(), within: None }
    }

    /// A sign-in of whatever class that is no older than this, in whole seconds (the claim `auth_time`).
    #[must_use]
    pub const fn fresh(within: Duration) -> Self {
        Self { acr_values: Vec::new(), within: Some(within) }
    }

    /// One that is also no older than this.
    #[must_use]
    pub fn within(self, age: Duration) -> Self {
        Self { within: Some(age), ..self }
    }

    /// What the challenge has as `acr_values` (RFC 9470 §3): "a space-separated list … in order of preference".
    pub(crate) fn acr_values(&self) -> Option<String> {
        (!self.acr_values.is_empty()).then(|| self.acr_values.join(" "))
    }

    /// What the challenge has as `max_age` (§3), in seconds.
    pub(crate) fn max_age(&self) -> Option<u64> {
        self.within.map(|age| age.as_secs())
    }

    /// Why the sign-in behind a token does not do; none where it does.
    pub(crate) fn shortfall(&self, claims: &AccessTokenClaims, now: Timestamp) -> Option<Cow<'static, str>> {
        let acr = claims.acr.as_deref();
        if let (None, None) = (acr, claims.auth_time) {
            return Some("nobody has signed in for this token, and this endpoint wants a person who has".into());
        }
        if !self.acr_values.is_empty() && !self.acr_values.iter().any(|wanted| Some(wanted.as_str()) == acr) {
            let wanted = self.acr_values.join("' or '");
            let shown = acr.map_or_else(|| "no class".to_owned(), |acr| format!("class '{acr}'"));
            return Some(format!("the sign-in behind the token is of {shown}; this endpoint wants '{wanted}'").into());
        }
        let within = self.max_age()?;
        let age = claims.auth_time.and_then(|at| u64::try_from(now.secs() - at).ok());
        match age {
            Some(age) if age <= within => None,
            // A sign-in of the future is one by another clock.
            None if claims.auth_time.is_some_and(|at| at - now.secs() <= CLOCKS_DIFFER_SECS) => None,
            Some(age) => Some(
                format!("the sign-in behind the token is {age} s old; this endpoint wants one of at most {within} s")
                    .into(),
            ),
            None => Some("the token does not tell when somebody signed in, and this endpoint wants to know".into()),
        }
    }
}

/// As for `iat`.
const CLOCKS_DIFFER_SECS: i64 = 60;
