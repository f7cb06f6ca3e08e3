//! From TOML to an [`Entry`], strictly; and the JSON Schema of the form.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::{Entry, EntryId};

/// Why a file is not an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {member}: {rule}")]
pub struct ParseError {
    /// The file.
    pub file: String,
    /// The member, as a path: `workarounds[0].how`. A dot for the document as a whole.
    pub member: String,
    /// The rule that it breaks.
    pub rule: String,
}

impl Entry {
    /// Reads the entry that a file holds. `file` is its path below `kb/entries/`, such as `api/invalid-token.toml`.
    pub fn parse(file: &str, toml: &str) -> Result<Self, ParseError> {
        let failed = |member: &str, rule: String| ParseError { file: file.to_owned(), member: member.to_owned(), rule };
        let Some(id) = file.strip_suffix(".toml") else {
            return Err(failed(".", "an entry's file ends in .toml".to_owned()));
        };
        let id: EntryId = id.parse().map_err(|error| failed(".", format!("its path is its id: {error}")))?;
        if depth(toml) > MAX_DEPTH {
            return Err(failed(".", format!("tables and lists are at most {MAX_DEPTH} deep")));
        }
        let table: toml::Table = toml.parse().map_err(|error: toml::de::Error| failed(".", error.to_string()))?;
        let mut document = object(table);
        if document.contains_key("id") {
            return Err(failed("id", "the id is not written down: it is the path of the file".to_owned()));
        }
        document.insert("id".to_owned(), Value::from(id.as_str()));
        serde_path_to_error::deserialize(Value::Object(document))
            .map_err(|error| failed(&error.path().to_string(), error.inner().to_string()))
    }
}

/// The JSON Schema of an entry's file, as it reads once TOML has become JSON: what is published as `kb/schema.json`.
#[must_use]
pub fn schema() -> Schema {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Entry>();
    // The id is the path of the file and is not written into it.
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.remove("id");
    }
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| name != "id");
    }
    schema.insert("title".to_owned(), Value::from("An entry of Ambit's error knowledge base"));
    schema
}

/// TOML's values are JSON's, apart from days, which become texts.
fn object(table: toml::Table) -> Map<String, Value> {
    table.into_iter().map(|(name, value)| (name, json(value))).collect()
}

fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(it) => Value::Bool(it),
        toml::Value::Datetime(moment) => Value::String(moment.to_string()),
        toml::Value::Array(values) => Value::Array(values.into_iter().map(json).collect()),
        toml::Value::Table(table) => Value::Object(object(table)),
    }
}

/// How deep brackets, braces and dotted keys are nested, each of them a step down for whoever reads or drops the document.
/// The parser bounds each kind by itself, and not so low that every stack has room for it.
///
/// It also goes on behind an error: what is closed by the wrong bracket stays open for it, and so it does here.
fn depth(toml: &str) -> usize {
    let (mut deepest, mut open, mut path) = (0, vec![], 0);
    let mut rest = toml;
    while let Some(c) = rest.chars().next() {
        let string = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote));
        if let Some(quote) = string {
            rest = after_string(&rest[quote.len()..], quote);
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '#' => rest = rest.find('\n').map_or("", |end| &rest[end..]),
            '[' | '{' => {
                open.push(if c == '[' { ']' } else { '}' });
                path = 0;
            }
            ']' | '}' if open.last() == Some(&c) => drop(open.pop()),
            '.' => path += 1,
            '\n' | '=' | ',' => path = 0,
            _ => {}
        }
        deepest = deepest.max(open.len() + path);
    }
    deepest
}

/// What comes after a string that a quote has opened. One that is never closed is for the parser to refuse.
fn after_string<'a>(text: &'a str, quote: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find([quote.as_bytes()[0].into(), '\\', '\n']) {
        let is_escape = rest[at..].starts_with('\\') && quote.starts_with('"');
        if rest[at..].starts_with(quote) {
            return &rest[at + quote.len()..];
        }
        if rest[at..].starts_with('\n') && quote.len() == 1 {
            return &rest[at..];
        }
        let step = if is_escape { rest[at + 1..].chars().next().map_or(0, char::len_utf8) } else { 0 };
        rest = &rest[at + 1 + step..];
    }
    ""
}

/// The form needs four.
const MAX_DEPTH: usize = 12;
