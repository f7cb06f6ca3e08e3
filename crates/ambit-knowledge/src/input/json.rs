//! JSON, whole or within a text: OAuth errors, problems, the shapes of vendors, HTTP archives.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::fact::{FactKind, Facts, Part};
use super::http;

/// The JSON objects and arrays of objects that a text holds, also those that were quoted once more by whoever logged them.
pub(super) fn values(text: &str) -> Vec<Value> {
    let found = scan(text);
    if found.is_empty() && text.contains("\\\"") {
        return scan(&text.replace("\\\"", "\""));
    }
    found
}

/// Tries every brace. What was tried and is no JSON is paid for from a budget, so that a text of nothing but braces
/// costs no more than another one.
fn scan(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut budget = text.len().saturating_mul(2) + 64 * 1024;
    while let Some(offset) = memchr::memchr2(b'{', b'[', &text.as_bytes()[at..]) {
        let from = at + offset;
        let mut values = serde_json::Deserializer::from_str(&text[from..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                at = from + values.byte_offset();
                if has_object(&value) {
                    found.push(value);
                }
            }
            Some(Err(error)) => {
                // What was read before the fault is at most the line and column of the fault.
                let read = read_up_to(&text[from..], error.line(), error.column());
                if read >= budget {
                    break;
                }
                budget -= read;
                at = from + 1;
            }
            None => at = from + 1,
        }
        if found.len() >= MAX_VALUES {
            break;
        }
    }
    found
}

/// Puts what an answer says among the facts.
pub(super) fn read(value: &Value, facts: &mut Facts) {
    walk(value, facts, 0);
}

fn walk(value: &Value, facts: &mut Facts, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Object(object) => {
            said(object, facts);
            for (name, member) in object {
                // What was asked is no part of what went wrong.
                if name == "request" && object.contains_key("response") {
                    continue;
                }
                walk(member, facts, depth + 1);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| walk(value, facts, depth + 1)),
        // What a log or a library says around an answer, and the answer in it.
        Value::String(text) if text.contains('{') => {
            for inner in scan(text) {
                walk(&inner, facts, depth + 1);
            }
        }
        _ => {}
    }
}

/// What the members of one object say, whichever vendor named them.
fn said(object: &Map<String, Value>, facts: &mut Facts) {
    // A header of an HTTP archive.
    if let (Some(Value::String(name)), Some(Value::String(value))) = (object.get("name"), object.get("value"))
        && name.eq_ignore_ascii_case("www-authenticate")
    {
        http::challenge(value, facts);
    }
    // The body of an answer in an HTTP archive.
    if let (Some("base64"), Some(Value::String(text))) =
        (object.get("encoding").and_then(Value::as_str), object.get("text"))
        && let Ok(decoded) = STANDARD.decode(text)
        && let Ok(inner) = serde_json::from_slice::<Value>(&decoded)
    {
        // Nobody has looked for secrets in there.
        let shown = crate::redact::redact(&inner.to_string());
        if let Ok(inner) = serde_json::from_str(&shown) {
            walk(&inner, facts, MAX_DEPTH);
        }
    }
    for (name, member) in object {
        match (name.as_str(), member) {
            ("error", Value::String(error)) if http::is_error_code(error) => {
                facts.push(FactKind::OauthError, error, Part::Body);
            }
            ("error", Value::String(error)) if error.contains([' ', '-']) => {
                facts.push(FactKind::Description, error, Part::Body);
            }
            (
                "error_description" | "errorDescription" | "message" | "Message" | "errorMessage" | "error_message"
                | "detail" | "description" | "errorSummary" | "error_hint" | "error_debug" | "errorDetail" | "msg"
                | "details" | "hint",
                Value::String(text),
            ) => facts.push(FactKind::Description, text, Part::Body),
            ("title", Value::String(text)) if object.contains_key("status") || object.contains_key("type") => {
                facts.push(FactKind::Description, text, Part::Body);
            }
            ("error_uri", Value::String(uri)) => facts.push(FactKind::ProblemType, uri, Part::Body),
            ("type" | "error_type", Value::String(uri))
                if uri.contains("://") || uri.starts_with('/') || uri.starts_with("urn:") =>
            {
                facts.push(FactKind::ProblemType, uri, Part::Body);
            }
            ("status" | "statusCode" | "status_code" | "httpStatus", Value::Number(status)) => {
                http::push_status(&status.to_string(), Part::Body, facts);
            }
            ("code", Value::Number(code)) => {
                if code.as_u64().is_some_and(|code| (400..600).contains(&code)) {
                    http::push_status(&code.to_string(), Part::Body, facts);
                } else {
                    facts.push(FactKind::VendorCode, &code.to_string(), Part::Body);
                }
            }
            (
                "errorCode" | "error_code" | "code" | "error_subcode" | "suberror" | "reason" | "status" | "errorId",
                Value::String(code),
            ) if is_vendor_code(code) => {
                facts.push(FactKind::VendorCode, code, Part::Body);
            }
            // Amazon: `com.amazonaws.cognito#NotAuthorizedException`, or the name alone.
            ("__type", Value::String(name)) => {
                let name = name.rsplit('#').next().unwrap_or(name);
                facts.push(FactKind::VendorCode, name, Part::Body);
            }
            ("error_codes", Value::Array(codes)) => {
                for code in codes.iter().filter_map(Value::as_u64).take(4) {
                    facts.push(FactKind::VendorCode, &format!("AADSTS{code}"), Part::Body);
                }
            }
            _ => {}
        }
    }
}

fn is_vendor_code(code: &str) -> bool {
    code.len() >= 3
        && code.len() <= 80
        && code.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.".contains(&c))
        && code.bytes().any(|c| c.is_ascii_alphabetic())
}

fn has_object(value: &Value) -> bool {
    match value {
        Value::Object(object) => !object.is_empty(),
        Value::Array(values) => values.iter().take(16).any(Value::is_object),
        _ => false,
    }
}

/// How many octets lie before a place that is given as line and column, both from 1.
fn read_up_to(text: &str, line: usize, column: usize) -> usize {
    if line <= 1 {
        return column;
    }
    let before = memchr::memchr_iter(b'\n', text.as_bytes()).nth(line - 2).map_or(text.len(), |at| at + 1);
    before + column
}

const MAX_DEPTH: usize = 12;
const MAX_VALUES: usize = 64;
