//! One file per noun, named as in the URL of the admin API.

pub mod app;
pub mod doctor;
pub mod explain;
pub mod feature;
pub mod group;
pub mod kb;
pub mod keys;
pub mod login;
pub mod mcp;
pub mod scope;
pub mod store;
pub mod user;

use serde_json::{Value, json};

use crate::client::segment;
use crate::output::Failure;

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

/// A body with the members that were given, and the roles.
fn with_given(mut body: Value, roles: &[String], members: [(&str, Option<String>); 3]) -> Value {
    body["roles"] = roles.iter().map(|role| json!({ "role": role })).collect();
    for (name, value) in members {
        if let Some(value) = value {
            body[name] = value.into();
        }
    }
    body
}

/// The list of a path, of one tenant where one is named.
fn of_tenant(path: &str, tenant_id: Option<&str>) -> String {
    tenant_id.map_or_else(|| path.to_owned(), |id| format!("{path}?tenant_id={}", segment(id)))
}

/// The one thing that was meant: `none` says that there is none, `several` that there are, before their identifiers.
fn only_one(found: Vec<Value>, none: String, several: &str) -> Result<Value, Failure> {
    match <[Value; 1]>::try_from(found) {
        Ok([only]) => Ok(only),
        Err(found) if found.is_empty() => Err(Failure::refused(none, None)),
        Err(found) => {
            let ids: Vec<String> = found.iter().map(|it| text(it, "id")).collect();
            Err(Failure::usage(format!("{several}: say which of {}", ids.join(", "))))
        }
    }
}

/// Members of a thing and what follows them, a line each, blank ones left out.
fn lines(item: &Value, names: &[&'static str], more: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let named = names.iter().map(|name| (*name, text(item, name)));
    let told = named.chain(more).filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| format!("{name:<15} {value}")).collect::<Vec<_>>().join("\n")
}
