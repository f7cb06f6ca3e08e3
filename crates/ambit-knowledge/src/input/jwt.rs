//! Tokens in a text: what their header and claims say. Nothing is verified, and the signature is not kept.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fact::{FactKind, Facts, Part};
use crate::redact::redact;

/// A token's header and claims, as far as they decide anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Jwt {
    /// Of the header: `alg`, `kid`, `typ`, `crit`, `jku`.
    pub header: Map<String, Value>,
    /// Of the claims those that a server or an API decides by; not who the person is. Empty where they are encrypted or
    /// cannot be read.
    pub claims: Map<String, Value>,
    /// Whether there was a signature at all.
    pub is_signed: bool,
}

/// The tokens of a text, of which nobody has yet taken out the secrets.
pub(super) fn find(text: &str) -> Vec<Jwt> {
    TOKEN
        .captures_iter(text)
        .filter_map(|found| Jwt::decode(&found[1], &found[2], &found[3]))
        .take(MAX_TOKENS)
        .collect()
}

impl Jwt {
    fn decode(header: &str, claims: &str, signature: &str) -> Option<Self> {
        let header = object(header)?;
        if !header.contains_key("alg") {
            return None;
        }
        let claims = object(claims).unwrap_or_default();
        Some(Self { header: kept(header, HEADER), claims: kept(claims, CLAIMS), is_signed: !signature.is_empty() })
    }

    /// Puts what a token shows by itself among the facts.
    pub(super) fn read(&self, facts: &mut Facts) {
        let alg = self.header.get("alg").and_then(Value::as_str).unwrap_or_default();
        if alg.eq_ignore_ascii_case("none") {
            facts.push(FactKind::VendorCode, "alg:none", Part::Token);
        }
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// The members that are on the list, themselves free of secrets and not longer than people read.
fn kept(from: Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let short = |value: Value| match value {
        Value::String(text) => Value::String(redact(&text).chars().take(MAX_TEXT).collect()),
        Value::Array(values) => {
            let texts = values.into_iter().take(MAX_LIST).filter_map(|value| match value {
                Value::String(text) => Some(Value::String(redact(&text).chars().take(MAX_TEXT).collect())),
                Value::Number(_) | Value::Bool(_) => Some(value),
                _ => None,
            });
            Value::Array(texts.collect())
        }
        Value::Object(_) => Value::String("{…}".to_owned()),
        other => other,
    };
    from.into_iter()
        .filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(name, value)| (name, short(value)))
        .collect()
}

static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(e[A-Za-z0-9_-]{10,2048})\.([A-Za-z0-9_-]{2,16384})\.([A-Za-z0-9_-]*)")
        .expect("a constant that a test compiles")
});

const HEADER: &[&str] = &["alg", "kid", "typ", "crit", "jku", "enc", "cty"];
const CLAIMS: &[&str] = &[
    "iss",
    "aud",
    "exp",
    "nbf",
    "iat",
    "azp",
    "client_id",
    "appid",
    "scope",
    "scp",
    "roles",
    "permissions",
    "tid",
    "ver",
    "token_use",
    "typ",
    "cnf",
    "tenant",
    "unit",
    "auth_time",
    "acr",
    "amr",
];
const MAX_TOKENS: usize = 8;
const MAX_TEXT: usize = 200;
const MAX_LIST: usize = 32;
