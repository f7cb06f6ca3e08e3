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
        if toml.len() > MAX_LEN || longest_path(toml) > MAX_PATH {
            let rule = format!("an entry has at most {MAX_LEN} octets, and a key at most {MAX_PATH} parts");
            return Err(failed(".", rule));
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

/// How many names are joined by dots at most, wherever that is. A dotted key is a table in a table in a table, and each is a
/// step down for whoever reads, compares or drops it; the parser bounds brackets and braces by itself, and dots not.
fn longest_path(toml: &str) -> usize {
    let (mut longest, mut parts, mut is_joined) = (0, 0, true);
    for c in toml.chars() {
        match c {
            '.' => is_joined = true,
            ' ' | '\t' | '"' | '\'' => {}
            c if c.is_alphanumeric() || c == '_' || c == '-' => {
                parts += usize::from(is_joined);
                is_joined = false;
                longest = longest.max(parts);
            }
            _ => (parts, is_joined) = (0, true),
        }
    }
    longest
}

/// The entries that there are have less than a tenth of it.
const MAX_LEN: usize = 128 * 1024;
/// A stack trace names a dozen packages, and a sentence ends in a dot.
const MAX_PATH: usize = 64;
