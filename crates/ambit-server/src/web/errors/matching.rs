//! What an input is about: `POST /api/v1/errors/match`, and the box on the page. Secrets are taken out of it before anything
//! looks at it, and nothing of it is kept or logged.

use ambit_core::page;
use ambit_knowledge::input::MAX_INPUT;
use ambit_knowledge::{Answer as Explained, Input, Knowledge, Language};
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;

use super::{Asked, unreadable};
use crate::admin_api::describe::Operation;
use crate::body;
use crate::limits::TooManyFailures;
use crate::middleware::RequestContext;
use crate::problem::Answer;
use crate::state::App;

/// Something to be found out about.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MatchRequest {
    /// A message, a response with its headers, a body, a log line, a stack trace, a token: whatever there is.
    text: String,
}

/// What a text is about, for programs: the text itself as `text/plain`, or in JSON.
pub async fn ask(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answer = Answer::of(&parts, &app);
    let asked = match Asked::of(&parts) {
        Ok(asked) => asked,
        Err(unknown) => return unreadable(&app, &parts, unknown),
    };
    if let Err(refused) = admitted(&app, &parts) {
        return refused;
    }
    let media_type = media_type(&parts.headers);
    if !(media_type.is_empty() || media_type.starts_with("text/") || media_type == "application/json") {
        let detail = "the text is text/plain, or the member text of application/json";
        return answer.problem(&page::UNSUPPORTED_MEDIA_TYPE, detail).into_response();
    }
    let body = match read(&app, &parts, body, MAX_INPUT).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let text = if media_type == "application/json" {
        match read_json::<MatchRequest>(&answer, &body, "the text is the member text, and the only one") {
            Ok(request) => request.text.into_bytes().into(),
            Err(refused) => return refused,
        }
    } else {
        body
    };
    match explain(text, asked.language).await {
        Ok(explained) => json_answer(&explained),
        Err(failed) => failed,
    }
}

/// What the operation takes and answers.
pub fn describe(operation: &mut Operation, generator: &mut SchemaGenerator) {
    let request = generator.subschema_for::<MatchRequest>();
    let explained = generator.subschema_for::<Explained>();
    operation.parameters.push(json!({
        "name": "lang", "in": "query",
        "description": "The language of what entries say, en or zh. Without it Accept-Language counts.",
        "schema": { "type": "string", "enum": ["en", "zh"] },
    }));
    // Without a body the text is an empty one, as it may be in either form.
    operation.request_body = Some(json!({
        "required": false,
        "content": {
            "text/plain": { "schema": { "type": "string" } },
            "application/json": { "schema": request },
        },
    }));
    operation.answers.insert(
        200,
        json!({
            "description": "What it is about, if that is clear; several, or what is nearest, if not.",
            "content": { "application/json": { "schema": explained } },
        }),
    );
    operation.problems.extend([
        &page::INVALID_REQUEST,
        &page::MALFORMED_JSON,
        &page::REQUEST_TOO_SLOW,
        &page::PAYLOAD_TOO_LARGE,
        &page::UNSUPPORTED_MEDIA_TYPE,
        &page::VALIDATION_FAILED,
        &page::TOO_MANY_REQUESTS,
        &page::SERVER_ERROR,
        &page::UNAVAILABLE,
    ]);
}

/// What the field `text` of a form is about.
pub(super) async fn of_form(app: &App, parts: &Parts, body: Body, language: Language) -> Result<Explained, Response> {
    if media_type(&parts.headers) != "application/x-www-form-urlencoded" {
        let detail = "the form is application/x-www-form-urlencoded; POST /api/v1/errors/match takes text and JSON";
        return Err(Answer::of(parts, app).problem(&page::UNSUPPORTED_MEDIA_TYPE, detail).into_response());
    }
    admitted(app, parts)?;
    let body = read(app, parts, body, MAX_FORM).await?;
    let mut fields = url::form_urlencoded::parse(&body);
    let text = fields.find(|(name, _)| name == "text").map(|(_, text)| text.into_owned()).unwrap_or_default();
    explain(text.into_bytes().into(), language).await
}

/// What a text is about. It is worked on beside the threads that serve everybody, and no more than a few at once: a flood of
/// large texts takes as many processors as that, and tokens are issued on the others.
async fn explain(text: Bytes, language: Language) -> Result<Explained, Response> {
    static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);
    // It is never closed.
    let _place = PLACES.acquire().await;
    let work = move || Knowledge::embedded().explain(&Input::take_apart(&text), language);
    let explained = tokio::task::spawn_blocking(work).await;
    // The panic has its own line in the log, by the hook.
    explained.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// An address asks so often and not more: an answer costs more than the question.
fn admitted(app: &App, parts: &Parts) -> Result<(), Response> {
    let address = RequestContext::of(parts, app).client_address;
    app.visits
        .matches
        .take("", address, app.steady_moment())
        .map_err(|wait| too_many(&Answer::of(parts, app), wait, "this address has asked often enough for now"))
}

/// The refusal of what comes too often.
pub(super) fn too_many(answer: &Answer, wait: TooManyFailures, detail: &str) -> Response {
    let mut response = answer.problem(&page::TOO_MANY_REQUESTS, detail).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.retry_after_secs));
    response
}

/// A body as JSON. What is wrong with it is told in our words: a parser's would quote what was sent.
pub(super) fn read_json<T: DeserializeOwned>(answer: &Answer, body: &[u8], form: &str) -> Result<T, Response> {
    let misshaped = || answer.problem(&page::VALIDATION_FAILED, form).with_error("", form).into_response();
    let read = serde_json::from_slice(body);
    // A list of the members in their order would do for the library, and is not what the document says.
    if read.is_ok() && body.trim_ascii_start().first() == Some(&b'[') {
        return Err(misshaped());
    }
    read.map_err(|error: serde_json::Error| {
        if error.is_data() {
            return misshaped();
        }
        let detail = format!("the body is no JSON from line {}, column {} on", error.line(), error.column());
        answer.problem(&page::MALFORMED_JSON, &detail).into_response()
    })
}

/// JSON that is about this request alone.
pub(super) fn json_answer(value: &impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(value)).into_response()
}

pub(super) async fn read(app: &App, parts: &Parts, body: Body, most: usize) -> Result<Bytes, Response> {
    body::read(app, &parts.extensions, body, most)
        .await
        .map_err(|error| Answer::of(parts, app).problem(error.page(), &error.to_string()).into_response())
}

/// The media type of a body, without parameters, in small letters.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A form spells an octet in up to three.
const MAX_FORM: usize = 3 * MAX_INPUT;
const AT_ONCE: usize = 2;
