//! `/errors/`: the error knowledge base. Every `error_uri` and problem `type` of ours leads here.
//!
//! 1. `/errors/` lists the entries, searches them (`?q=`) and says what something pasted is about.
//! 2. `/errors/{domain}/{slug}` is one entry: HTML for people, JSON (`.json`) for programs, Markdown (`.md`) for readers of text;
//!    without a suffix by `Accept`. The language is the one that `?lang=` names, else by `Accept-Language`.
//! 3. `/errors/index.json`, `/errors/schema.json` and `/errors/llms.txt` are about all of them.
//!
//! Programs ask `POST /api/v1/errors/match` what something is about, and everybody says whether an advice helped.
//! The entries are read when they are first asked for, so a server that nobody asks starts and idles without them.

mod chain;
mod document;
mod markdown;
mod matching;
mod prose;
mod reporting;
mod reports;
mod view;
mod wording;

use ambit_core::page;
use ambit_knowledge::{Corpus, Entry, Knowledge, Language};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

pub(super) use self::document::{EntryDocument, Index};
pub use self::matching::{ask, describe as describe_match};
pub use self::reporting::{describe as describe_report, report, report_by_form};
pub use self::reports::Reports;
use self::view::{EntryPage, IndexPage, Notice};
use super::cacheable::Cacheable;
use super::named::Named;
use super::negotiate::{Form, UnknownLanguage, language};
use super::{guard, rendered};
use crate::problem::Answer;
use crate::state::App;

/// What the address of a page asks for.
#[derive(Debug)]
struct Asked {
    language: Language,
    /// Whether the address itself names the language; links then go on naming it.
    is_named: bool,
    /// The words searched for.
    words: Option<String>,
    /// Whether a report was counted just now.
    is_reported: bool,
}

/// All entries, or those with some words.
pub async fn index(State(app): State<App>, parts: Parts) -> Response {
    let asked = match Asked::of(&parts) {
        Ok(asked) => asked,
        Err(unknown) => return unreadable(&app, &parts, unknown),
    };
    let form = Form::preferred(&parts.headers, &[Form::Html, Form::Json]);
    let found = match &asked.words {
        None => None,
        Some(words) => match search(words.clone()).await {
            Ok(found) => Some(found),
            Err(failed) => return failed,
        },
    };
    let body = match form {
        Form::Html | Form::Markdown => match rendered(&IndexPage::new(&asked, found)) {
            Ok(html) => html,
            Err(failed) => return failed,
        },
        Form::Json => match found {
            Some(found) => document::json(&Index::new(&app, found)),
            None => document::json(&Index::new(&app, Corpus::embedded().entries())),
        },
    };
    let language = (form == Form::Html).then_some(asked.language);
    answer(&parts, body, form, language, vary(true, asked.is_named))
}

/// One entry.
pub async fn show(State(app): State<App>, Named((domain, name)): Named<(String, String)>, parts: Parts) -> Response {
    let asked = match Asked::of(&parts) {
        Ok(asked) => asked,
        Err(unknown) => return unreadable(&app, &parts, unknown),
    };
    let (slug, named_form) = match name.rsplit_once('.') {
        Some((slug, "json")) => (slug, Some(Form::Json)),
        Some((slug, "md")) => (slug, Some(Form::Markdown)),
        _ => (name.as_str(), None),
    };
    let id = format!("{domain}/{slug}");
    let Some(entry) = Corpus::embedded().find(&id) else {
        let detail = "there is no such error; /errors/ lists all of them";
        return Answer::of(&parts, &app).problem(&page::NOT_FOUND, detail).into_response();
    };
    if entry.id.as_str() != id {
        return moved(entry, named_form, &asked);
    }
    let offered = [Form::Html, Form::Json, Form::Markdown];
    let form = named_form.unwrap_or_else(|| Form::preferred(&parts.headers, &offered));
    let outcomes = app.reports.of(&*app.store, entry, app.clock.now()).await;
    let body = match form {
        Form::Html => match rendered(&EntryPage::new(&asked, entry, outcomes).with(asked.notice())) {
            Ok(html) => html,
            Err(failed) => return failed,
        },
        Form::Json => document::json(&EntryDocument::new(&app, entry, outcomes)),
        Form::Markdown => markdown::entry(&app, entry, outcomes, asked.language),
    };
    // JSON has both languages.
    let language = (form != Form::Json).then_some(asked.language);
    let is_settled = asked.is_named || named_form == Some(Form::Json);
    answer(&parts, body, form, language, vary(named_form.is_none(), is_settled))
}

/// What something pasted is about, on the page it was pasted into.
pub async fn paste(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let asked = match Asked::of(&parts) {
        Ok(asked) => asked,
        Err(unknown) => return unreadable(&app, &parts, unknown),
    };
    let explained = match matching::of_form(&app, &parts, body, asked.language).await {
        Ok(explained) => explained,
        Err(refused) => return refused,
    };
    match rendered(&IndexPage::new(&asked, None).explaining(&explained)) {
        Ok(html) => {
            let mut response = super::page(html);
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(asked.language.as_str()));
            response
        }
        Err(failed) => failed,
    }
}

/// All entries in short, for programs.
pub async fn list(State(app): State<App>, parts: Parts) -> Response {
    let body = document::json(&Index::new(&app, Corpus::embedded().entries()));
    answer(&parts, body, Form::Json, None, "")
}

/// The JSON Schema of an entry.
pub async fn schema(parts: Parts) -> Response {
    let body = document::json(&document::schema());
    Cacheable { body, media_type: "application/schema+json", language: None, vary: "" }.answer(&parts.headers)
}

/// All entries, for language models.
pub async fn llms(State(app): State<App>, parts: Parts) -> Response {
    text(&parts, markdown::llms(&app))
}

/// What there is on this server, for language models.
pub async fn llms_of_the_server(State(app): State<App>, parts: Parts) -> Response {
    text(&parts, markdown::llms_of_the_server(&app))
}

impl Asked {
    fn of(parts: &Parts) -> Result<Self, UnknownLanguage> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let parameter = |wanted: &str| {
            let mut pairs = url::form_urlencoded::parse(query);
            pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
        };
        let named = parameter("lang");
        let words = parameter("q").map(|words| words.chars().take(MOST_SEARCHED).collect::<String>());
        Ok(Self {
            language: language(named.as_deref(), &parts.headers)?,
            is_named: named.is_some(),
            is_reported: parameter("reported").is_some(),
            words: words.filter(|words| !words.trim().is_empty()),
        })
    }

    fn notice(&self) -> Notice {
        if self.is_reported { Notice::Thanks } else { Notice::None }
    }

    /// What links within these pages end with.
    fn suffix(&self) -> &'static str {
        match (self.is_named, self.language) {
            (false, _) => "",
            (true, Language::En) => "?lang=en",
            (true, Language::Zh) => "?lang=zh",
        }
    }
}

/// The entries with these words. The index for it is made at the first search, which takes longer than others may wait.
async fn search(words: String) -> Result<Vec<&'static Entry>, Response> {
    let found = tokio::task::spawn_blocking(move || Knowledge::embedded().search(&words, MOST_FOUND)).await;
    // The panic has its own line in the log, by the hook.
    found.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// RFC 9110 §15.4.9: an alias stays one.
fn moved(entry: &Entry, form: Option<Form>, asked: &Asked) -> Response {
    let location = format!("/errors/{}{}{}", entry.id, form.map_or("", Form::suffix), asked.suffix());
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    // Ids, suffixes and languages are ASCII.
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

fn answer(parts: &Parts, body: String, form: Form, language: Option<Language>, vary: &'static str) -> Response {
    let mut response = Cacheable { body, media_type: form.media_type(), language, vary }.answer(&parts.headers);
    guard(response.headers_mut());
    response
}

fn text(parts: &Parts, body: String) -> Response {
    Cacheable { body, media_type: "text/plain; charset=utf-8", language: None, vary: "" }.answer(&parts.headers)
}

/// What an answer depends on beside its address.
const fn vary(on_form: bool, is_language_settled: bool) -> &'static str {
    match (on_form, is_language_settled) {
        (true, false) => "accept, accept-language",
        (true, true) => "accept",
        (false, false) => "accept-language",
        (false, true) => "",
    }
}

fn unreadable(app: &App, parts: &Parts, unknown: UnknownLanguage) -> Response {
    Answer::of(parts, app).problem(&page::INVALID_REQUEST, &unknown.to_string()).into_response()
}

/// Characters of a search; the rest is not looked at.
const MOST_SEARCHED: usize = 200;
/// Entries that a search shows.
const MOST_FOUND: usize = 50;
