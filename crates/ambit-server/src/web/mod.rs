//! Pages for people. A page is a struct beside its handler and a template of the same name.

pub mod account;
pub mod api_docs;
pub(crate) mod authorize;
pub mod branding;
mod cacheable;
pub mod consent;
pub(crate) mod describe;
pub mod docs;
pub mod errors;
pub mod letters;
mod named;
mod negotiate;
mod own;
pub mod passkey;
mod policy;
pub(crate) mod posted;
pub(crate) mod shown;
pub mod sign_in;
pub(crate) mod sign_out;

use ambit_core::page;
use ambit_knowledge::Language;
use askama::Template;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use url::form_urlencoded;

use self::policy::Beside;
use crate::problem::Answer;
use crate::state::App;

/// A page as an answer.
pub(crate) fn page(html: String) -> Response {
    let mut response = Html(html).into_response();
    guard(response.headers_mut());
    response
}

/// The headers of a page: no script, no frame, nothing from elsewhere, and forms that lead nowhere else.
fn guard(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, policy::of_a_page());
    // Where nothing refers, a form says that it comes from nowhere (`Origin: null`), and could not be told from a stranger's.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// A page that is about one person: nobody keeps it, and `Back` after a sign-out does not show it (OWASP ASVS 8.2.1).
pub(crate) fn for_a_person(template: &impl Template) -> Response {
    let mut response = match rendered(template) {
        Ok(html) => page(html),
        Err(failed) => return failed,
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Lets the forms of a page lead on to one more site, and the page run a script: one by its hash, or our own by `self`. Browsers hold
/// `form-action` against where an answer redirects to as well.
pub(crate) fn leading_to(headers: &mut HeaderMap, address: &str, script: Option<&str>) {
    let Some(source) = source_of(address) else { return };
    let script = script.map(|source| format!("'{source}'")).unwrap_or_default();
    allow(headers, Beside { form_action: &source, script: &script, ..Beside::default() });
}

/// Lets a page open pages of other sites within itself: those that end an application's own session.
pub(crate) fn framing(headers: &mut HeaderMap, addresses: &[String]) {
    let mut sources: Vec<String> = addresses.iter().filter_map(|address| source_of(address)).collect();
    sources.sort();
    sources.dedup();
    allow(headers, Beside { frames: &sources.join(" "), ..Beside::default() });
}

fn allow(headers: &mut HeaderMap, beside: Beside<'_>) {
    if let Some(policy) = policy::with(beside) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}

/// The site of an address, as a policy names it.
fn source_of(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    let source = match (url.scheme(), url.host_str(), url.port()) {
        // CSP has no port of a loopback address that is chosen at run time (RFC 8252 §7.3) but the one of this request.
        ("http" | "https", Some(host), Some(port)) => format!("{}://{host}:{port}", url.scheme()),
        ("http" | "https", Some(host), None) => format!("{}://{host}", url.scheme()),
        (scheme, ..) => format!("{scheme}:"),
    };
    // A host may have characters that separate directives, as the parser sees it. None that anybody could own has.
    source.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+:/[]".contains(&b)).then_some(source)
}

/// Lets a page run the one script that there is (`passkey`), which is a file of this server.
pub(crate) fn running_script(headers: &mut HeaderMap) {
    allow(headers, Beside { script: "'self'", ..Beside::default() });
}

/// The language of a page for somebody: what they or the application wish for, else what the browser prefers.
pub fn language_of<'w>(wishes: impl IntoIterator<Item = Option<&'w str>>, headers: &HeaderMap) -> Language {
    negotiate::wished_language(wishes, headers)
}

/// Whether a request likes one media type better than another.
pub(crate) fn prefers(headers: &HeaderMap, media_type: &str, other: &str) -> bool {
    negotiate::prefers(headers, media_type, other)
}

/// The answer to a form: go there, with GET.
pub(crate) fn see_other(address: &str) -> Response {
    let mut response = Redirect::to(address).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An address with members of its query added. What it has of its own stays.
pub(crate) fn with_query<'m>(address: &str, members: impl IntoIterator<Item = (&'m str, &'m str)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish();
    let join = if address.contains('?') { '&' } else { '?' };
    format!("{address}{join}{query}")
}

/// On to a registered address of an application. 303: what was posted here is not posted there (RFC 9700 §4.12). It may carry a
/// code, so it is in no log, in nobody's cache, and no `Referer` names it.
pub(crate) fn leave_for(address: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    // A registered URI and what is form-urlencoded are visible ASCII.
    let Ok(mut location) = HeaderValue::try_from(address) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    location.set_sensitive(true);
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// What a template makes; or the answer that says that it made nothing.
fn rendered(template: &impl Template) -> Result<String, Response> {
    template.render().map_err(|error| {
        // Only a formatter that fails makes a template fail, and ours write to memory.
        tracing::error!(%error, "a page could not be rendered");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

/// A list is at the path that ends with a slash; whoever leaves it out is shown the way.
pub async fn with_slash(uri: Uri) -> Redirect {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Redirect::permanent(&format!("{}/{query}", uri.path()))
}

/// A path that the table of routes does not have.
pub async fn not_found(State(app): State<App>, parts: Parts) -> Response {
    Answer::of(&parts, &app).problem(&page::NOT_FOUND, "there is nothing at this path").into_response()
}

/// A method that the path does not have. Those it has are in `Allow`.
pub async fn method_not_allowed(State(app): State<App>, parts: Parts) -> Response {
    let detail = format!("this path does not take {}", parts.method);
    Answer::of(&parts, &app).problem(&page::METHOD_NOT_ALLOWED, &detail).into_response()
}
