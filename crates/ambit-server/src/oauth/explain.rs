//! `POST {issuer}/connect/explain`: a client asks about itself, with its own credentials (scopes.md §6).
//!
//! The credentials go into the Basic header and the question into a JSON body; or both into a form, where `question` holds
//! the JSON.

use ambit_core::page;
use ambit_protocol::client::CLIENT_PARAMS;
use ambit_protocol::explain::Question;
use ambit_protocol::params::{ParamRules, Params};
use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use super::{Call, Refused};
use crate::explain::{Asker, Unexplained, explain};
use crate::problem::Answer;
use ambit_core::refusal::Refusal;

/// Answers a client's question about itself.
pub async fn ask(call: Call) -> Response {
    let app = &call.app;
    let answer = Answer::new(app, call.context.trace_id, call.uri.path());
    match asked(&call).await {
        Err(refused) => Box::pin(refused.answer(&call)).await,
        Ok((client_id, question)) => match explain(app, &Asker::Client(client_id), &question).await {
            Ok(explanation) => ([(header::CACHE_CONTROL, "no-store")], Json(explanation)).into_response(),
            Err(Unexplained::NotFound(detail)) => answer.problem(&page::NOT_FOUND, &detail).into_response(),
            Err(Unexplained::Invalid { pointer, message }) => answer
                .problem(&page::VALIDATION_FAILED, "the question cannot be answered")
                .with_error(pointer, message)
                .into_response(),
            Err(Unexplained::Store(error)) => answer.store_failure(&error).into_response(),
        },
    }
}

async fn asked(call: &Call) -> Result<(String, Question), Refused> {
    let media_type = call.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_json = media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json");
    let unreadable =
        |error: serde_json::Error| Refusal::InvalidRequest(format!("the question cannot be read: {error}"));
    let (client, question) = if is_json {
        call.refuse_in_query(RULES)?;
        let none = Params::parse(b"", ParamRules::new(CLIENT_PARAMS)).map_err(super::malformed)?;
        (call.confidential_client(&none).await?, serde_json::from_slice(call.body()?).map_err(unreadable)?)
    } else {
        let params = call.form(RULES)?;
        let client = call.confidential_client(&params).await?;
        let question = params.require("question").map_err(super::malformed)?;
        (client, serde_json::from_str(question).map_err(unreadable)?)
    };
    Ok((client.application.client_id.to_string(), question))
}

pub(super) const RULES: ParamRules =
    ParamRules::new(&["question", "client_id", "client_secret", "client_assertion", "client_assertion_type"]);
