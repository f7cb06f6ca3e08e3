//! Whether an entry helped, for the server that counts it.

use ambit_knowledge::EntryId;
use ambit_server::logs::with_causes;
use reqwest::Url;
use serde_json::{Value, json};

use crate::client::http;
use crate::output::Failure;

/// Where outcomes are reported.
#[derive(Debug)]
pub struct Reports {
    server: Url,
    http: reqwest::Client,
}

impl Reports {
    pub fn to(server: Url) -> Result<Self, Failure> {
        if !matches!(server.scheme(), "http" | "https") || server.cannot_be_a_base() {
            return Err(Failure::usage("--server: must begin with http:// or https://"));
        }
        Ok(Self { server, http: http()? })
    }

    /// Reports one outcome; where that fails, says why for whoever reported it.
    pub async fn report(&self, id: &EntryId, helped: bool) -> Result<(), String> {
        let server = self.server.as_str().trim_end_matches('/');
        let request =
            self.http.post(format!("{server}/api/v1/errors/{id}/outcomes")).json(&json!({ "helped": helped }));
        let response =
            request.send().await.map_err(|error| format!("the server was not told: {}", with_causes(&error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let wait = response.headers().get(reqwest::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|secs| secs.parse::<u32>().ok()).map(|secs| format!("; wait {secs} s"));
        // Whatever stands before the server may answer without a problem (RFC 9457): the status alone tells then.
        let problem: Value = response.json().await.unwrap_or_default();
        let detail = problem.get("detail").and_then(Value::as_str).map(|detail| format!(", {detail}"));
        Err(format!(
            "the server did not take the report: HTTP {status}{}{}",
            detail.unwrap_or_default(),
            wait.unwrap_or_default()
        ))
    }
}
