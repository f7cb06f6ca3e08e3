//! The keys that verify what an issuer signs.

use ambit_protocol::jose::VerifyingKeys;
use serde_json::Value;

use super::code::Code;
use super::discovery::Discovered;
use super::report::Finding;
use super::web::Web;

/// Published keys: those that can be used here, and the names of all.
#[derive(Debug)]
pub struct KeySet {
    pub keys: VerifyingKeys,
    /// The `kid` of each that has one.
    pub names: Vec<String>,
}

/// Fetches the set that the document names.
pub async fn fetch(web: &Web, discovered: &Discovered) -> (Finding, Option<KeySet>) {
    let Some(url) = discovered.text("jwks_uri") else {
        return (
            Finding::warning(
                Code::NoJwksUri,
                "the document names no jwks_uri: nobody can verify its tokens by themselves",
            ),
            None,
        );
    };
    let seen = match web.get(url).await {
        Ok(seen) => seen,
        Err(unseen) => return (Finding::unreachable(Code::JwksUnreachable, format!("{url}: {unseen}")), None),
    };
    if let Some(moved) = seen.location(url) {
        return (
            Finding::failed(Code::JwksRedirects, format!("{url} leads to {moved}: many verifiers do not follow")),
            None,
        );
    }
    if !seen.status.is_success() {
        let finding = Finding::failed(Code::JwksStatus, format!("{url}: HTTP {}", seen.status.as_u16()));
        return (finding.with_answer(&seen.says()), None);
    }
    let Some(document) = seen.json() else {
        return (Finding::failed(Code::JwksNotJson, format!("{url}: {}", seen.kind())), None);
    };
    match VerifyingKeys::from_published(&seen.body) {
        Ok((keys, passed_over)) => {
            let passed_over: Vec<String> = passed_over.iter().map(ToString::to_string).collect();
            (judge(url, &document, &keys, &passed_over), Some(KeySet { keys, names: names(&document) }))
        }
        Err(error) => (Finding::failed(Code::JwksMalformed, format!("{url}: {error}")), None),
    }
}

fn judge(url: &str, document: &Value, keys: &VerifyingKeys, passed_over: &[String]) -> Finding {
    let all = document.get("keys").and_then(Value::as_array).map_or(0, Vec::len);
    if all == 0 {
        return Finding::warning(Code::JwksEmpty, format!("{url}: no key is published, so no token can be verified"));
    }
    let described: Vec<String> =
        keys.iter().map(|key| format!("{} '{}'", key.algorithm(), key.kid().unwrap_or("without a kid"))).collect();
    let mut detail = match described.as_slice() {
        [one] => format!("1 key: {one}"),
        several => format!("{} keys: {}", several.len(), several.join(", ")),
    };
    if !passed_over.is_empty() {
        detail.push_str(&format!("; passed over: {}", passed_over.join(", ")));
    }
    if keys.is_empty() {
        return Finding::warning(Code::JwksNoUsableKey, format!("{detail}: signatures cannot be verified here"));
    }
    // RFC 7517 §4.5: `kid` is what a token's key is found by.
    if keys.len() > 1 && keys.iter().any(|key| key.kid().is_none()) {
        return Finding::warning(
            Code::JwksWithoutKid,
            format!("{detail}: with several keys, each needs a kid to be found by"),
        );
    }
    Finding::ok(detail)
}

fn names(document: &Value) -> Vec<String> {
    let keys = document.get("keys").and_then(Value::as_array).into_iter().flatten();
    keys.filter_map(|key| key.get("kid")?.as_str().map(str::to_owned)).collect()
}
