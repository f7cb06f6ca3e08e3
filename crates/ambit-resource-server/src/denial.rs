//! Every way a request is refused, and its one translation: status, challenge (RFC 6750 §3, RFC 9728 §5.1), problem
//! (RFC 9457).

use std::borrow::Cow;
use std::sync::Arc;

use ambit_protocol::authorization::AuthorizationError;
use ambit_protocol::challenge::{BearerError, Challenge};
use ambit_protocol::explain::Explanation;
use ambit_protocol::problem::{MEDIA_TYPE, Problem};
use ambit_protocol::trace::TraceId;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use crate::hooks::NotGood;
use crate::pages::{self, ErrorPage};
use crate::require::Requirement;
use crate::step_up::StepUp;
use crate::verify::{VerifiedToken, VerifyError};

/// Why a request is refused.
#[derive(Debug)]
pub(crate) enum Denial {
    /// No token in the header; in the URL, which is not looked at, perhaps.
    Missing { is_in_url: bool },
    /// Credentials that cannot be read.
    Malformed(Cow<'static, str>),
    /// A token that is not good.
    Token(Cow<'static, str>),
    /// A good token that holds too little.
    Scope(Box<Lack>),
    /// A good token of somebody who has signed in too weakly, or too long ago.
    SignIn { detail: Cow<'static, str>, wanted: Arc<StepUp> },
    /// Those behind a good token may not come in.
    NotGood(NotGood),
    /// Nobody can tell now.
    Unavailable(Cow<'static, str>),
}

/// What a good token lacks.
#[derive(Debug)]
pub(crate) struct Lack {
    pub(crate) token: Arc<VerifiedToken>,
    pub(crate) requirement: Arc<Requirement>,
    pub(crate) shortcomings: Shortcomings,
}

/// What else there is to say about it.
#[derive(Debug, Default)]
pub(crate) struct Shortcomings {
    /// Bundles could not be expanded.
    pub(crate) without_catalogue: bool,
    /// In place of what the requirement says.
    pub(crate) detail: Option<Cow<'static, str>>,
    pub(crate) why: Option<Explanation>,
}

/// What every refusal of one API has in common.
#[derive(Debug)]
pub(crate) struct Manners {
    /// Below which the error pages are.
    pub(crate) error_pages: Option<String>,
    /// RFC 9728 §3: where the API's metadata is.
    pub(crate) metadata_url: Option<String>,
    pub(crate) identifier: String,
}

/// The request that is refused.
#[derive(Debug)]
pub(crate) struct Refused<'a> {
    pub(crate) path: &'a str,
    pub(crate) trace_id: Option<TraceId>,
    /// What the endpoint requires, so that a client without a token knows what to ask for.
    pub(crate) requirement: Option<&'a Requirement>,
    /// Whose token it is.
    pub(crate) holder: Option<Holder>,
}

/// Put into the extensions of every response that refuses a request: what metrics and logs count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The kind of refusal.
    pub page: ErrorPage,
    /// The trace that the body names.
    pub trace_id: Option<TraceId>,
    /// Whose token was refused, where its signature and times were good.
    pub holder: Option<Holder>,
}

/// Whose token was refused: for the log. It opens nothing, and is no [`VerifiedToken`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The client.
    pub client_id: String,
    /// The tenant that it acts for.
    pub tenant_slug: Option<String>,
}

impl Holder {
    pub(crate) fn of(token: &VerifiedToken) -> Self {
        Self { client_id: token.client_id().to_owned(), tenant_slug: token.claims().tenant_slug.clone() }
    }
}

impl Denial {
    pub(crate) fn malformed(error: AuthorizationError) -> Self {
        Self::Malformed(error.to_string().into())
    }

    /// The kind.
    pub(crate) const fn page(&self) -> ErrorPage {
        match self {
            Self::Missing { .. } => pages::MISSING_TOKEN,
            Self::Malformed(_) => pages::INVALID_AUTHORIZATION,
            Self::Token(_) | Self::NotGood(NotGood::Token(_)) => pages::INVALID_TOKEN,
            Self::Scope(_) => pages::INSUFFICIENT_SCOPE,
            Self::SignIn { .. } => pages::INSUFFICIENT_USER_AUTHENTICATION,
            Self::NotGood(NotGood::TenantSuspended(_)) => pages::TENANT_SUSPENDED,
            Self::NotGood(NotGood::TenantChurned(_)) => pages::TENANT_CHURNED,
            Self::NotGood(NotGood::PartnerSuspended(_)) => pages::PARTNER_SUSPENDED,
            Self::NotGood(NotGood::Unavailable(_)) | Self::Unavailable(_) => pages::UNAVAILABLE,
        }
    }

    /// The code of RFC 6750 §3.1; none where it has none, and where the client did not even try.
    const fn code(&self) -> Option<BearerError> {
        match self {
            Self::Malformed(_) => Some(BearerError::InvalidRequest),
            Self::Token(_) | Self::NotGood(NotGood::Token(_)) => Some(BearerError::InvalidToken),
            Self::Scope(_) => Some(BearerError::InsufficientScope),
            Self::SignIn { .. } => Some(BearerError::InsufficientUserAuthentication),
            Self::Missing { .. } | Self::NotGood(_) | Self::Unavailable(_) => None,
        }
    }

    fn detail(&self) -> Cow<'_, str> {
        match self {
            Self::Missing { is_in_url: false } => "send an access token: 'Authorization: Bearer TOKEN'".into(),
            Self::Missing { is_in_url: true } => {
                "send the access token in the header, 'Authorization: Bearer TOKEN'; the one in the URL is not looked at, \
                 and URLs end in logs: have it revoked"
                    .into()
            }
            Self::Malformed(text)
            | Self::Token(text)
            | Self::Unavailable(text)
            | Self::SignIn { detail: text, .. } => text.as_ref().into(),
            Self::Scope(lack) if lack.shortcomings.without_catalogue => format!(
                "{}; the issuer's scope catalogue cannot be read now, so what bundles include is not known",
                lack.detail()
            )
            .into(),
            Self::Scope(lack) => lack.detail(),
            Self::NotGood(not_good) => match not_good {
                NotGood::TenantSuspended(text) | NotGood::TenantChurned(text) | NotGood::PartnerSuspended(text) => {
                    text.as_ref().into()
                }
                NotGood::Token(withdrawn) => withdrawn.to_string().into(),
                // The reason is for the log.
                NotGood::Unavailable(_) => "it cannot be told now whether the token may be used; try again later".into(),
            },
        }
    }

    /// The answer.
    pub(crate) fn response(&self, manners: &Manners, refused: Refused<'_>) -> Response {
        let page = self.page();
        let detail = self.detail();
        self.log(&detail, &refused);

        let uri = manners.error_pages.as_ref().map(|base| format!("{base}/{}", page.slug));
        let mut problem = Problem::new(uri.as_deref().unwrap_or("about:blank"), page.title, page.status)
            .with_detail(detail.as_ref())
            .with_instance(refused.path);
        problem.trace_id = refused.trace_id;
        if let Self::Scope(lack) = self {
            problem = lack.describe(problem);
        }

        // A problem is strings and lists of strings: it is always JSON.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        // The statuses in `pages` are statuses.
        *response.status_mut() = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if page.status == 401 || self.code().is_some() {
            let challenge = self.challenge(&detail, uri.as_deref(), manners, &refused).to_string();
            // Whatever is put into a challenge, what comes out is fit for a header.
            let value = HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static("Bearer"));
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        if page.status == 503 {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECS));
        }
        response.extensions_mut().insert(Denied { page, trace_id: refused.trace_id, holder: refused.holder });
        response
    }

    /// RFC 6750 §3 and RFC 9728 §5.1.
    fn challenge<'a>(
        &self,
        detail: &'a str,
        uri: Option<&'a str>,
        manners: &'a Manners,
        refused: &Refused<'a>,
    ) -> Challenge<'a> {
        let mut challenge = match &manners.metadata_url {
            Some(url) => Challenge::new().with_resource_metadata(url),
            None => Challenge::new().with_realm(&manners.identifier),
        };
        if let Some(requirement) = refused.requirement {
            challenge = challenge.with_scope(requirement.ask_for());
        }
        // RFC 6750 §3.1: without any authentication information "the resource server SHOULD NOT include an error code".
        let Some(code) = self.code() else { return challenge };
        challenge = challenge.with_error(code).with_error_description(detail);
        if let Self::SignIn { wanted, .. } = self {
            challenge = challenge.with_authentication(wanted.acr_values(), wanted.max_age());
        }
        match uri {
            Some(uri) => challenge.with_error_uri(uri),
            None => challenge,
        }
    }

    fn log(&self, detail: &str, refused: &Refused<'_>) {
        let page = self.page();
        let trace_id = refused.trace_id.map(tracing::field::display);
        if let Self::NotGood(NotGood::Unavailable(reason)) = self {
            tracing::error!(trace_id, path = refused.path, reason, "the standing of a token cannot be told");
        }
        let client_id = refused.holder.as_ref().map(|holder| holder.client_id.as_str());
        tracing::debug!(
            status = page.status,
            denial = page.slug,
            trace_id,
            path = refused.path,
            client_id,
            detail,
            "denied"
        );
    }
}

impl Lack {
    fn detail(&self) -> Cow<'static, str> {
        self.shortcomings.detail.clone().unwrap_or_else(|| self.requirement.detail())
    }

    fn describe(&self, problem: Problem) -> Problem {
        let required = self.requirement.scopes().iter().map(ToString::to_string).collect::<Vec<_>>();
        // As the token has them: a client compares the two texts.
        let presented = self.token.scopes().collect::<Vec<_>>().join(" ");
        let problem = problem
            .with_extension("required", required)
            .with_extension("required_match", if self.requirement.is_any() { "any" } else { "all" })
            .with_extension("presented", presented);
        match self.shortcomings.why.as_ref().map(serde_json::to_value) {
            Some(Ok(why)) => problem.with_extension("why", why),
            Some(Err(error)) => {
                tracing::error!(%error, "an explanation is no JSON");
                problem
            }
            None => problem,
        }
    }
}

impl From<&VerifyError> for Denial {
    fn from(error: &VerifyError) -> Self {
        match error {
            VerifyError::KeysUnavailable => Self::Unavailable(error.to_string().into()),
            VerifyError::Token(_) | VerifyError::Withdrawn { .. } => Self::Token(error.to_string().into()),
        }
    }
}

const RETRY_AFTER_SECS: &str = "5";
