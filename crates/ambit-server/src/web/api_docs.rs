//! `GET /api/v1/openapi.json` for programs, `GET /api/v1/docs` for people: both of the same document, and the page is complete
//! without a script.

use std::sync::LazyLock;

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};

use crate::openapi;
use crate::registry::Document;

/// The document itself. It is the same for as long as the program runs.
pub async fn document(headers: HeaderMap) -> Response {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
        // Values are always JSON.
        Document::new(serde_json::to_vec_pretty(&openapi::document()).unwrap_or_default())
    });
    let mut response = if DOCUMENT.is_known(&headers) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.body.clone()).into_response()
    };
    response.headers_mut().insert(header::ETAG, DOCUMENT.etag.clone());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

/// The document for people.
pub async fn page() -> Response {
    static PAGE: LazyLock<Option<String>> = LazyLock::new(|| ApiDocs::new(&openapi::document()).render().ok());
    match &*PAGE {
        Some(html) => super::page(html.clone()),
        // Only a formatter that fails makes a template fail, and ours writes to memory.
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "api_docs.html")]
struct ApiDocs {
    version: String,
    paragraphs: Vec<Vec<Piece>>,
    groups: Vec<Group>,
    schemas: Vec<Shape>,
}

/// The operations about one noun.
#[derive(Debug)]
struct Group {
    name: String,
    operations: Vec<Operation>,
}

#[derive(Debug)]
struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    opened_by: String,
    parameters: Vec<Member>,
    body: Option<Kind>,
    answers: Vec<Answer>,
    problems: Vec<Problem>,
}

#[derive(Debug)]
struct Answer {
    status: String,
    description: String,
    kind: Option<Kind>,
}

#[derive(Debug)]
struct Problem {
    status: String,
    pages: Vec<(String, String)>,
}

/// A named shape: an object with members, or the values of an enumeration.
#[derive(Debug)]
struct Shape {
    name: String,
    description: Vec<Piece>,
    members: Vec<Member>,
    values: Vec<(String, String)>,
    text: String,
}

#[derive(Debug)]
struct Member {
    name: String,
    place: String,
    required: bool,
    kind: Kind,
    description: Vec<Piece>,
}

/// The type of a value: words, and a named shape to look up.
#[derive(Debug, Clone, Default)]
struct Kind {
    before: String,
    link: Option<String>,
    after: String,
}

/// A piece of a text: plain, or code.
#[derive(Debug)]
enum Piece {
    Plain(String),
    Code(String),
}

impl ApiDocs {
    fn new(document: &Value) -> Self {
        let mut groups: Vec<Group> = vec![];
        for (path, item) in members(&document["paths"]) {
            for (method, operation) in members(item) {
                let name = text(&operation["tags"][0]);
                let operation = Operation::new(method, path, operation);
                match groups.iter_mut().find(|group| group.name == name) {
                    Some(group) => group.operations.push(operation),
                    None => groups.push(Group { name, operations: vec![operation] }),
                }
            }
        }
        Self {
            version: text(&document["info"]["version"]),
            paragraphs: text(&document["info"]["description"]).split("\n\n").map(pieces).collect(),
            groups,
            schemas: members(&document["components"]["schemas"])
                .map(|(name, schema)| Shape::new(name, schema))
                .collect(),
        }
    }
}

impl Operation {
    fn new(method: &str, path: &str, operation: &Value) -> Self {
        let (mut answers, mut problems) = (vec![], vec![]);
        for (status, answer) in members(&operation["responses"]) {
            let description = text(&answer["description"]);
            match members(&answer["content"]).next() {
                Some((media_type, _)) if media_type == ambit_protocol::problem::MEDIA_TYPE => {
                    problems.push(Problem { status: status.clone(), pages: links(&description) });
                }
                content => {
                    let kind = content.map(|(_, content)| Kind::of(&content["schema"]));
                    answers.push(Answer { status: status.clone(), description, kind });
                }
            }
        }
        Self {
            id: text(&operation["operationId"]),
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            summary: text(&operation["summary"]),
            opened_by: opened_by(&operation["security"]),
            parameters: list(&operation["parameters"]).map(Member::of_parameter).collect(),
            body: members(&operation["requestBody"]["content"]).next().map(|(_, content)| Kind::of(&content["schema"])),
            answers,
            problems,
        }
    }
}

impl Shape {
    fn new(name: &str, schema: &Value) -> Self {
        let required: Vec<&str> = list(&schema["required"]).filter_map(Value::as_str).collect();
        let members: Vec<Member> = members(&schema["properties"])
            .map(|(name, property)| Member {
                required: required.contains(&name.as_str()),
                kind: Kind::of(property),
                description: pieces(&text(&property["description"])),
                place: String::new(),
                name: name.clone(),
            })
            .collect();
        let values: Vec<(String, String)> = list(&schema["oneOf"])
            .filter_map(|value| {
                let spelt = value.get("const").or_else(|| value.get("enum").and_then(|values| values.get(0)))?;
                Some((text(spelt), text(&value["description"])))
            })
            .chain(list(&schema["enum"]).map(|value| (text(value), String::new())))
            .collect();
        let is_plain = members.is_empty() && values.is_empty();
        let kind = Kind::of(schema);
        Self {
            name: name.to_owned(),
            description: pieces(&text(&schema["description"])),
            members,
            values,
            text: if is_plain { format!("{}{}", kind.before, rule(schema)) } else { String::new() },
        }
    }
}

impl Member {
    fn of_parameter(parameter: &Value) -> Self {
        Self {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            required: parameter["required"] == true,
            kind: Kind::of(&parameter["schema"]),
            description: pieces(&text(&parameter["description"])),
        }
    }
}

impl Kind {
    fn of(schema: &Value) -> Self {
        if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
            return Self { link: Some(name.to_owned()), ..Self::default() };
        }
        let any: Vec<Self> = list(&schema["anyOf"]).chain(list(&schema["oneOf"])).map(Self::of).collect();
        if !any.is_empty() {
            // One named shape or null is what is common; of anything else the words are enough.
            let words: Vec<&str> =
                any.iter().filter(|kind| kind.link.is_none()).map(|kind| kind.before.as_str()).collect();
            let link = any.iter().find_map(|kind| kind.link.clone());
            let or = if link.is_some() && !words.is_empty() { " or " } else { "" };
            return Self { before: String::new(), after: format!("{or}{}", words.join(" or ")), link }
                .with_words_first();
        }
        if schema["type"] == "array" {
            let items = Self::of(&schema["items"]);
            return Self { before: format!("list of {}", items.before), ..items };
        }
        let mut words = match &schema["type"] {
            Value::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
            Value::String(one) => one.clone(),
            _ => "any".to_owned(),
        };
        if let Some(format) = schema["format"].as_str().filter(|format| !format.starts_with("uint")) {
            words = format!("{words} ({format})");
        }
        Self { before: words, ..Self::default() }
    }

    fn with_words_first(mut self) -> Self {
        if self.link.is_none() {
            self.before = std::mem::take(&mut self.after);
        }
        self
    }
}

/// The rule of a plain value, such as the pattern of an identifier.
fn rule(schema: &Value) -> String {
    match schema["pattern"].as_str() {
        Some(pattern) => format!(", as {pattern}"),
        None => String::new(),
    }
}

fn opened_by(security: &Value) -> String {
    let mut names: Vec<String> = list(security)
        .flat_map(|alternative| {
            members(alternative).map(|(scheme, scopes)| (scheme.clone(), text(&scopes[0]))).collect::<Vec<_>>()
        })
        .map(|(scheme, scope)| if scope.is_empty() { format!("{scheme} credentials") } else { scope })
        .collect();
    names.dedup();
    if names.is_empty() { "anybody".to_owned() } else { names.join(" or ") }
}

/// The links of a problem's description: `[title](address)`.
fn links(description: &str) -> Vec<(String, String)> {
    description
        .split(" · ")
        .filter_map(|link| link.strip_prefix('[')?.strip_suffix(')')?.split_once("]("))
        .map(|(title, address)| (title.to_owned(), address.to_owned()))
        .collect()
}

/// A text, with what stands between backticks as code.
fn pieces(text: &str) -> Vec<Piece> {
    // Links to types, as the source has them, are code to the reader.
    let text = text.replace("[`", "`").replace("`]", "`");
    text.split('`')
        .enumerate()
        .filter(|(_, piece)| !piece.is_empty())
        .map(
            |(place, piece)| {
                if place % 2 == 0 { Piece::Plain(piece.to_owned()) } else { Piece::Code(piece.to_owned()) }
            },
        )
        .collect()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_every_operation_and_every_shape_and_needs_no_script() {
        let document = openapi::document();
        let html = ApiDocs::new(&document).render().expect("renders");
        assert!(!html.contains("<script") && !html.contains("http://") && !html.contains("//cdn"));
        for (_, item) in members(&document["paths"]) {
            for (_, operation) in members(item) {
                assert!(html.contains(&format!("id=\"{}\"", text(&operation["operationId"]))), "{operation}");
            }
        }
        for (name, _) in members(&document["components"]["schemas"]) {
            assert!(html.contains(&format!("id=\"shape-{name}\"")), "{name}");
        }
        // Every link within the page has its place.
        for link in html.split("href=\"#").skip(1) {
            let id = link.split('"').next().expect("a name");
            assert!(html.contains(&format!("id=\"{id}\"")), "{id}");
        }
    }

    #[test]
    fn code_is_told_from_text() {
        assert!(matches!(&pieces("a `b` c")[..], [Piece::Plain(_), Piece::Code(b), Piece::Plain(_)] if b == "b"));
        assert!(matches!(&pieces("[`b`]")[..], [Piece::Code(b)] if b == "b"));
    }
}
