//! `/docs/`: the project's own documentation, as it stood when this program was built. Each page is HTML for people and its own
//! Markdown (`.md`, or by `Accept`) for readers of text.
//!
//! The library that renders Markdown passes HTML on as it is; here it becomes text, so a page can hold nothing but what Markdown
//! can say. Links between files become links between pages; what leads out of the folder is no link.

use std::sync::LazyLock;

use ambit_core::page;
use ambit_knowledge::Language;
use askama::Template;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use super::cacheable::Cacheable;
use super::named::Named;
use super::negotiate::Form;
use super::{guard, rendered};
use crate::problem::Answer;
use crate::state::App;

/// A page, rendered.
#[derive(Debug)]
struct Document {
    /// Where it is below `/docs/`, without `.md`.
    path: &'static str,
    title: String,
    html: String,
    source: &'static str,
}

/// One page.
#[derive(Debug, Template)]
#[template(path = "docs/page.html")]
struct DocsPage {
    document: &'static Document,
}

/// All pages.
#[derive(Debug, Template)]
#[template(path = "docs/index.html")]
struct DocsIndex {
    folders: Vec<(&'static str, Vec<&'static Document>)>,
}

/// The list of pages.
pub async fn index(parts: Parts) -> Response {
    let mut folders: Vec<(&'static str, Vec<&'static Document>)> = Vec::new();
    for document in DOCUMENTS.iter() {
        let folder = document.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match folders.iter_mut().find(|(known, _)| *known == folder) {
            Some((_, documents)) => documents.push(document),
            None => folders.push((folder, vec![document])),
        }
    }
    match rendered(&DocsIndex { folders }) {
        Ok(body) => answer(&parts, body, Form::Html.media_type(), ""),
        Err(failed) => failed,
    }
}

/// A page that stands in no folder.
pub async fn top(State(app): State<App>, Named(name): Named, parts: Parts) -> Response {
    show(&app, &name, &parts)
}

/// A page of a folder.
pub async fn nested(State(app): State<App>, Named((folder, name)): Named<(String, String)>, parts: Parts) -> Response {
    show(&app, &format!("{folder}/{name}"), &parts)
}

fn show(app: &App, path: &str, parts: &Parts) -> Response {
    if let Some((_, text)) = FILES.iter().find(|(name, _)| *name == path && name.strip_suffix(".md").is_none()) {
        return answer(parts, (*text).to_owned(), "text/plain; charset=utf-8", "");
    }
    let (path, form, vary) = match path.strip_suffix(".md") {
        Some(path) => (path, Form::Markdown, ""),
        None => (path, Form::preferred(&parts.headers, &[Form::Html, Form::Markdown]), "accept"),
    };
    let Some(document) = DOCUMENTS.iter().find(|document| document.path == path) else {
        let detail = "there is no such page; /docs/ lists all of them";
        return Answer::of(parts, app).problem(&page::NOT_FOUND, detail).into_response();
    };
    if form == Form::Markdown {
        return answer(parts, document.source.to_owned(), form.media_type(), vary);
    }
    match rendered(&DocsPage { document }) {
        Ok(body) => answer(parts, body, form.media_type(), vary),
        Err(failed) => failed,
    }
}

fn answer(parts: &Parts, body: String, media_type: &'static str, vary: &'static str) -> Response {
    let mut response = Cacheable { body, media_type, language: Some(Language::En), vary }.answer(&parts.headers);
    guard(response.headers_mut());
    response
}

impl Document {
    fn new(path: &'static str, source: &'static str) -> Self {
        let mut events = events(path, source);
        let title = name_headings(&mut events).unwrap_or_else(|| path.to_owned());
        let mut rendered = String::with_capacity(source.len() * 2);
        html::push_html(&mut rendered, events.into_iter());
        Self { path, title, html: rendered, source }
    }
}

/// What a page says, without HTML and pictures, and with links that lead somewhere.
fn events<'a>(path: &str, source: &'a str) -> Vec<Event<'a>> {
    let mut is_dropped = false;
    let mut events = Vec::new();
    for event in Parser::new_ext(source, Options::ENABLE_TABLES) {
        events.push(match event {
            // What editors of the file are told.
            Event::Html(text) if is_comment(&text) => continue,
            Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => continue,
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => match resolved(path, &dest_url) {
                Some(url) => Event::Start(Tag::Link { link_type, dest_url: url.into(), title, id }),
                None => {
                    is_dropped = true;
                    continue;
                }
            },
            // Links do not nest.
            Event::End(TagEnd::Link) if is_dropped => {
                is_dropped = false;
                continue;
            }
            other => other,
        });
    }
    events
}

fn is_comment(html: &str) -> bool {
    let html = html.trim();
    html.starts_with("<!--") && html.find("-->").is_some_and(|end| end + 3 == html.len())
}

/// Gives each heading a name to link to, made of its words. Answers the first heading of the first level.
fn name_headings(events: &mut [Event<'_>]) -> Option<String> {
    let mut title = None;
    let mut open: Option<(usize, HeadingLevel)> = None;
    let mut words = String::new();
    for place in 0..events.len() {
        match &events[place] {
            Event::Start(Tag::Heading { level, .. }) => {
                open = Some((place, *level));
                words.clear();
            }
            Event::Text(text) | Event::Code(text) if open.is_some() => words.push_str(text),
            Event::End(TagEnd::Heading(_)) => {
                let Some((start, level)) = open.take() else { continue };
                if let Event::Start(Tag::Heading { id, .. }) = &mut events[start] {
                    *id = Some(CowStr::from(name(&words)));
                }
                if level == HeadingLevel::H1 && title.is_none() {
                    title = Some(words.clone());
                }
            }
            _ => {}
        }
    }
    title
}

/// `Mend it by hand` is `mend-it-by-hand`, as hosts of repositories have it.
fn name(heading: &str) -> String {
    heading
        .chars()
        .filter_map(|c| match c {
            ' ' | '-' => Some('-'),
            c if c.is_alphanumeric() || c == '_' => Some(c.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

/// Where a link of a page leads, if it leads anywhere: to another page, to a place on this server, or away by HTTP.
fn resolved(path: &str, link: &str) -> Option<String> {
    if ["https://", "http://", "#", "/"].iter().any(|begin| link.starts_with(begin)) {
        return Some(link.to_owned());
    }
    let (target, place) = link.split_once('#').map_or((link, None), |(target, place)| (target, Some(place)));
    let mut segments: Vec<&str> = path.split('/').collect();
    segments.pop();
    for segment in target.split('/') {
        match segment {
            "." => {}
            ".." => drop(segments.pop()?),
            other => segments.push(other),
        }
    }
    let file = segments.join("/");
    FILES.iter().find(|(name, _)| *name == file)?;
    let page = file.strip_suffix(".md").unwrap_or(&file);
    Some(format!("/docs/{page}{}", place.map(|place| format!("#{place}")).unwrap_or_default()))
}

/// Every file, by its path below `docs/`.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/docs.rs"));
static DOCUMENTS: LazyLock<Vec<Document>> = LazyLock::new(|| {
    let pages = FILES.iter().filter_map(|(name, source)| Some((name.strip_suffix(".md")?, *source)));
    pages.map(|(path, source)| Document::new(path, source)).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_or_away_and_never_out_of_the_folder() {
        for (link, leads) in [
            ("../guides/protect-an-api.md", Some("/docs/guides/protect-an-api")),
            ("../reference/cli.md#explain", Some("/docs/reference/cli#explain")),
            ("why-403.md", Some("/docs/troubleshooting/why-403")),
            ("./why-403.md", Some("/docs/troubleshooting/why-403")),
            ("../standards.md", Some("/docs/standards")),
            ("../reference/ambit.toml", Some("/docs/reference/ambit.toml")),
            ("/errors/api/not-found", Some("/errors/api/not-found")),
            ("https://www.rfc-editor.org/rfc/rfc6749", Some("https://www.rfc-editor.org/rfc/rfc6749")),
            ("#ask", Some("#ask")),
            ("../../examples/pos_api.rs", None),
            ("../../../../etc/passwd", None),
            ("no-such-page.md", None),
            ("javascript:alert(1)", None),
            ("data:text/html,x", None),
            ("", None),
        ] {
            assert_eq!(resolved("troubleshooting/why-403", link).as_deref(), leads, "{link}");
        }
    }

    #[test]
    fn html_becomes_text_and_pictures_their_words() {
        let page = Document::new(
            "concepts/x",
            "<!-- Made by x. -->\n# A `b` <i>c</i>\n\n<!-- a --> <b>b</b> -->\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) ![words](https://else.example/a.png) <img src=x onerror=alert(1)>\n\n## Ask it, twice\n",
        );
        assert_eq!(page.title, "A b <i>c</i>");
        for forbidden in ["<script", "<img", "<i>", "<b>", "javascript:", "else.example", "Made by x"] {
            assert!(!page.html.contains(forbidden), "{forbidden}: {}", page.html);
        }
        assert!(page.html.contains("words") && page.html.contains("<h2 id=\"ask-it-twice\">"), "{}", page.html);
    }
}
