//! One file per noun, named as in the URL of the admin API.

pub mod app;
pub mod doctor;
pub mod explain;
pub mod feature;
pub mod group;
pub mod kb;
pub mod keys;
pub mod mcp;
pub mod scope;
pub mod store;
pub mod user;

use serde_json::Value;

/// A member of an answer as text, empty where it is absent or null.
fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(" "),
        Some(other) => other.to_string(),
    }
}
