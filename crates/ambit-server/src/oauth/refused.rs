//! A refused request of a client: the answer it gets, and what is counted and recorded of it.

use ambit_core::governance::decision::Decision;
use ambit_core::refusal::{GrantFault, Refusal};
use ambit_core::store::journal::{Issuance, RefusalRecord};
use ambit_protocol::error::ErrorBody;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Call;
use crate::journal::Issued;
use crate::middleware::Outcome;

/// A refusal, and whose request it was as far as that is known.
#[derive(Debug)]
pub struct Refused {
    refusal: Box<Refusal>,
    client_id: Option<String>,
    request: Option<Issuance>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal)
    }
}

impl Refused {
    /// A refusal of a request that nothing else is known of.
    #[must_use]
    pub fn new(refusal: Refusal) -> Self {
        Self { refusal: Box::new(refusal), client_id: None, request: None }
    }

    /// Names the client.
    #[must_use]
    pub fn by(mut self, client_id: Option<String>) -> Self {
        self.client_id = self.client_id.or(client_id);
        self
    }

    /// Keeps what was asked, for explain.
    #[must_use]
    pub fn of(mut self, request: &Issued<'_>) -> Self {
        self.request = Some(request.into());
        self
    }

    /// Whether it takes a code with it: what is wrong is wrong with the request, and the next guess must not be had with the same
    /// code. Another client's guess, and a store that is away, leave it to whom it belongs.
    pub(super) fn burns_a_code(&self) -> bool {
        !matches!(
            *self.refusal,
            Refusal::Grant(GrantFault::OtherClient) | Refusal::Unavailable { .. } | Refusal::Internal { .. }
        )
    }

    /// Counts, records and answers.
    pub(super) async fn answer(self, call: &Call) -> Response {
        let Self { refusal, client_id, request } = self;
        let app = &call.app;
        let told = refusal.told();
        if let Refusal::Internal { reason } | Refusal::Unavailable { reason } = &*refusal {
            tracing::error!(trace_id = %call.context.trace_id, reason, "a request of a client failed");
        }
        if refusal.is_recorded() {
            let record = RefusalRecord {
                at: call.now,
                trace_id: call.context.trace_id.to_string(),
                client_id: client_id.clone(),
                reason: refusal.code().to_owned(),
                detail: detail(&refusal, request.as_ref()),
                revision: app.registry.snapshot().revision,
            };
            if let Err(error) = app.journal.record_refusal(record).await {
                tracing::warn!(trace_id = %call.context.trace_id, %error, "a refusal could not be recorded");
            }
        }
        app.metrics.refused(client_id.as_deref(), &refusal, &app.registry.snapshot().catalogue);

        let mut body = ErrorBody::new(
            told.error,
            &told.description,
            format!("{}/errors/{}", app.base_url, told.page.slug),
            call.context.trace_id,
        );
        if let Refusal::Scope(decision) = &*refusal {
            let offenders = decision.offenders();
            let names: Vec<&str> = offenders.iter().map(|offender| offender.scope.as_str()).collect();
            body.scope = (!names.is_empty()).then(|| names.join(" "));
            body.refused = offenders;
            body.dropped_scopes.clone_from(&decision.dropped);
        }
        if let Refusal::WrongIssuer { issuer } = &*refusal {
            body.issuer = Some(issuer.clone());
        }

        // Whether a client exists must not show in the time an answer takes: looking one up may go to the store.
        if matches!(*refusal, Refusal::Unauthenticated(_)) {
            tokio::time::sleep_until(call.context.arrived + FAILURE_TIME).await;
        }
        let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        // RFC 6749 §5.2: a client that used the Authorization header is answered 401 and the scheme it used.
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"ambit\""));
        }
        if let Some(secs) = refusal.retry_after_secs() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        // Whom it acted for, where the client reaches them; what it merely named is in no line of the log.
        let (tenant, unit) = request.map_or((None, None), |request| (request.tenant, request.unit));
        response.extensions_mut().insert(Outcome {
            actor: client_id,
            tenant: tenant.or_else(|| call.issuer.tenant().map(str::to_owned)),
            unit,
            outcome: "refused",
            reason: Some(refusal.code()),
        });
        response
    }
}

/// What is recorded of a refusal: the request, its page and, per scope, what spoke against it.
fn detail(refusal: &Refusal, request: Option<&Issuance>) -> String {
    let decision: Option<&Decision> = match refusal {
        Refusal::Scope(decision) => Some(decision),
        _ => None,
    };
    let told = refusal.told();
    serde_json::json!({
        "request": request,
        "description": told.description,
        "page": told.page.slug,
        "refused": decision.map(|decision| &decision.refused),
        "against": decision.map(|decision| &decision.against),
    })
    .to_string()
}

/// What every failed authentication takes at least.
const FAILURE_TIME: std::time::Duration = std::time::Duration::from_millis(5);
