//! Whether the advice of an entry helped: `POST /api/v1/errors/{domain}/{slug}/outcomes`, and two buttons on the page.
//!
//! Anybody may say so, without a session, so three things stand between a report and the count: a browser's report comes from a
//! page of this server (`Sec-Fetch-Site`, else `Origin`); an address reports so often and not more; and about one entry once a
//! day. What is kept is a count. Who reported is remembered by a hash in memory, for as long as the limits need it.

use ambit_core::page;
use ambit_core::store::{OutcomeReport as Stored, StoreError};
use ambit_knowledge::confidence::{Estimate, Outcomes, confidence, fix_success_rate};
use ambit_knowledge::{Corpus, Entry, EntryId};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::matching::{json_answer, media_type, read, read_json, too_many};
use super::view::{EntryPage, Notice};
use super::{Asked, unreadable};
use crate::admin_api::describe::Operation;
use crate::limits::TooManyFailures;
use crate::middleware::RequestContext;
use crate::problem::Answer;
use crate::session::is_from_elsewhere;
use crate::state::App;
use crate::web::named::Named;
use crate::web::rendered;

/// Whether an advice helped.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OutcomeReport {
    /// Whether it did.
    helped: bool,
    /// Which advice was followed, as the page counts them, from 1; left out where it was none in particular.
    #[serde(default)]
    #[schemars(range(min = 1))]
    workaround: Option<u32>,
}

/// What is known of an entry once a report is counted.
#[derive(Debug, Serialize, JsonSchema)]
struct Reported {
    id: EntryId,
    /// All reports so far.
    outcomes: Outcomes,
    /// How likely the entry is to be true.
    confidence: Estimate,
    /// How often its advice helps.
    fix_success_rate: Estimate,
}

/// Why a report is not counted.
enum Uncounted {
    TooMany(TooManyFailures),
    NoSuchAdvice,
    Store(StoreError),
}

/// A report of a program.
pub async fn report(
    State(app): State<App>,
    Named((domain, slug)): Named<(String, String)>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let answer = Answer::of(&parts, &app);
    let sent_as = ("application/json", "a report is application/json: {\"helped\": true}");
    let entry = match reported_on(&app, &parts, &answer, (&domain, &slug), sent_as) {
        Ok(entry) => entry,
        Err(refused) => return refused,
    };
    let report: OutcomeReport = match read(&app, &parts, body, MAX_REPORT).await {
        Ok(body) => match read_json(&answer, &body, "a report is an object: {\"helped\": true, \"workaround\": 1}") {
            Ok(report) => report,
            Err(refused) => return refused,
        },
        Err(refused) => return refused,
    };
    match count(&app, &parts, entry, &report).await {
        Ok(outcomes) => json_answer(&Reported {
            id: entry.id.clone(),
            outcomes,
            confidence: confidence(entry, outcomes),
            fix_success_rate: fix_success_rate(outcomes),
        }),
        Err(Uncounted::TooMany(wait)) => too_many(&answer, wait, "this address has reported often enough for now"),
        Err(Uncounted::NoSuchAdvice) => answer
            .problem(&page::VALIDATION_FAILED, "the report names an advice that the entry does not have")
            .with_error("/workaround", format!("is from 1 to {}", entry.workarounds.len()))
            .into_response(),
        Err(Uncounted::Store(error)) => answer.store_failure(&error).into_response(),
    }
}

/// A report by one of the buttons, answered by the page again.
pub async fn report_by_form(
    State(app): State<App>,
    Named((domain, slug)): Named<(String, String)>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let answer = Answer::of(&parts, &app);
    let asked = match Asked::of(&parts) {
        Ok(asked) => asked,
        Err(unknown) => return unreadable(&app, &parts, unknown),
    };
    let sent_as = ("application/x-www-form-urlencoded", "the form is application/x-www-form-urlencoded");
    let entry = match reported_on(&app, &parts, &answer, (&domain, &slug), sent_as) {
        Ok(entry) => entry,
        Err(refused) => return refused,
    };
    let body = match read(&app, &parts, body, MAX_REPORT).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let Some(report) = of_form(&body) else {
        let detail = "the form has helped=true or helped=false, and workaround as a number or blank";
        return answer.problem(&page::INVALID_REQUEST, detail).into_response();
    };
    match count(&app, &parts, entry, &report).await {
        Ok(_) => seen(entry, &asked),
        Err(Uncounted::TooMany(wait)) => told_to_wait(&app, entry, &asked, wait).await,
        Err(Uncounted::NoSuchAdvice) => {
            answer.problem(&page::INVALID_REQUEST, "the entry has no such advice").into_response()
        }
        Err(Uncounted::Store(error)) => answer.store_failure(&error).into_response(),
    }
}

/// The entry that a report is about, where it may be reported on: it is there, no other site's page reports, and the report is
/// of the media type that is read.
fn reported_on(
    app: &App,
    parts: &Parts,
    answer: &Answer,
    (domain, slug): (&str, &str),
    (expected, otherwise): (&str, &str),
) -> Result<&'static Entry, Response> {
    let Some(entry) = Corpus::embedded().find(&format!("{domain}/{slug}")) else {
        return Err(answer.problem(&page::NOT_FOUND, NO_ENTRY).into_response());
    };
    if is_from_elsewhere(app, &parts.headers) {
        return Err(answer.problem(&page::FORBIDDEN, ELSEWHERE).into_response());
    }
    if media_type(&parts.headers) != expected {
        return Err(answer.problem(&page::UNSUPPORTED_MEDIA_TYPE, otherwise).into_response());
    }
    Ok(entry)
}

/// What the report's operation takes and answers.
pub fn describe(operation: &mut Operation, generator: &mut SchemaGenerator) {
    let report = generator.subschema_for::<OutcomeReport>();
    let reported = generator.subschema_for::<Reported>();
    operation.request_body = Some(json!({ "required": true, "content": { "application/json": { "schema": report } } }));
    operation.answers.insert(
        200,
        json!({ "description": "It is counted.", "content": { "application/json": { "schema": reported } } }),
    );
    operation.problems.extend([
        &page::MALFORMED_JSON,
        &page::FORBIDDEN,
        &page::NOT_FOUND,
        &page::REQUEST_TOO_SLOW,
        &page::PAYLOAD_TOO_LARGE,
        &page::UNSUPPORTED_MEDIA_TYPE,
        &page::VALIDATION_FAILED,
        &page::TOO_MANY_REQUESTS,
        &page::SERVER_ERROR,
        &page::UNAVAILABLE,
    ]);
}

async fn count(app: &App, parts: &Parts, entry: &Entry, report: &OutcomeReport) -> Result<Outcomes, Uncounted> {
    let most = u32::try_from(entry.workarounds.len()).unwrap_or(u32::MAX);
    let workaround = match report.workaround {
        None => 0,
        Some(number) if (1..=most).contains(&number) => number,
        Some(_) => return Err(Uncounted::NoSuchAdvice),
    };
    let (address, now) = (RequestContext::of(parts, app).client_address, app.steady_moment());
    app.visits.reports.take("", address, now).map_err(Uncounted::TooMany)?;
    app.visits.reports_of_an_entry.take(entry.id.as_str(), address, now).map_err(Uncounted::TooMany)?;
    let stored = Stored { entry: entry.id.to_string(), workaround, helped: report.helped };
    app.reports.add(&*app.store, &stored).await.map_err(Uncounted::Store)?;
    Ok(app.reports.of(&*app.store, entry, app.clock.now()).await)
}

fn of_form(body: &[u8]) -> Option<OutcomeReport> {
    let field = |wanted: &str| {
        let mut fields = url::form_urlencoded::parse(body).filter(|(name, _)| name == wanted);
        let first = fields.next().map(|(_, value)| value.into_owned());
        // Twice is not once.
        if fields.next().is_some() { None } else { Some(first) }
    };
    let helped = match field("helped")?.as_deref() {
        Some("true") => true,
        Some("false") => false,
        _ => return None,
    };
    let workaround = match field("workaround")?.as_deref() {
        None | Some("") => None,
        Some(number) => Some(number.parse().ok()?),
    };
    Some(OutcomeReport { helped, workaround })
}

/// Back to the page by GET, so that loading it again reports nothing again.
fn seen(entry: &Entry, asked: &Asked) -> Response {
    let and = if asked.suffix().is_empty() { '?' } else { '&' };
    let location = format!("/errors/{}{}{and}reported=yes#helped", entry.id, asked.suffix());
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    // Ids and languages are ASCII.
    if let Ok(location) = HeaderValue::try_from(location) {
        headers.insert(header::LOCATION, location);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn told_to_wait(app: &App, entry: &'static Entry, asked: &Asked, wait: TooManyFailures) -> Response {
    let outcomes = app.reports.of(&*app.store, entry, app.clock.now()).await;
    match rendered(&EntryPage::new(asked, entry, outcomes).with(Notice::Wait)) {
        Ok(html) => {
            let mut response = super::super::page(html);
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.retry_after_secs));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(failed) => failed,
    }
}

const NO_ENTRY: &str = "there is no such error; /errors/ lists all of them";
const ELSEWHERE: &str = "a page of another site cannot report here in the name of whoever looks at it";
/// A report is a few words.
const MAX_REPORT: usize = 4096;
