//! Asking for a token, as the client asks.

use reqwest::{RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::again::{Change, quoted};
use super::code::Code;
use super::discovery::{Discovered, Method, TokenEndpoint};
use super::report::Finding;
use super::web::{Said, Seen, Unseen, Web};

/// A client's credentials.
#[derive(Debug)]
pub struct Credentials {
    pub client_id: String,
    pub secret: SecretString,
}

/// What the token endpoint gave.
#[derive(Debug)]
pub enum Given {
    /// A token, with the answer that it came in.
    Token {
        token: SecretString,
        answer: Value,
    },
    /// The client is who it says, and what it asks for is refused.
    Refused(Said),
    Nothing,
}

impl Credentials {
    /// RFC 6749 §2.3.1: form-encoded into the Basic header; or in the body.
    pub fn sign(
        &self,
        method: Method,
        request: RequestBuilder,
        mut fields: Vec<(&'static str, String)>,
    ) -> RequestBuilder {
        match method {
            Method::Basic => {
                request.basic_auth(encoded(&self.client_id), Some(encoded(self.secret.expose_secret()))).form(&fields)
            }
            Method::Post => {
                fields.push(("client_id", self.client_id.clone()));
                fields.push(("client_secret", self.secret.expose_secret().to_owned()));
                request.form(&fields)
            }
        }
    }
}

/// As a form has it (the URL Standard's `application/x-www-form-urlencoded`).
pub fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Asks for a token by each method that the server offers, until it knows the client. The method comes back that worked.
pub async fn ask(
    web: &Web,
    discovered: &Discovered,
    endpoint: &TokenEndpoint,
    credentials: &Credentials,
    fields: &[(&'static str, String)],
) -> (Finding, Given, Option<Method>) {
    let mut first = None;
    for method in &endpoint.methods {
        let request = credentials.sign(*method, web.http().post(endpoint.url.clone()), fields.to_vec());
        let answer = web.send(request).await;
        let is_unknown = |seen: &Seen| seen.says().error.as_deref() == Some("invalid_client");
        match answer {
            Ok(seen) if is_unknown(&seen) => {
                first.get_or_insert(seen);
            }
            Ok(seen) => {
                let (finding, given) = judge(&seen, discovered, &endpoint.url, credentials, *method);
                let finding = match (&first, finding.is_failed()) {
                    // The client library has to do the same as the doctor.
                    (Some(_), false) => Finding::warning(Code::AuthMethod, finding.detail).and(&format!(
                        "{} is refused: the client has to be configured for {}",
                        Method::Basic.name(),
                        method.name()
                    )),
                    _ => finding,
                };
                return (finding, given, Some(*method));
            }
            Err(unseen) => return (unreachable(&endpoint.url, &unseen), Given::Nothing, None),
        }
    }
    let finding = match first {
        Some(seen) => unknown(&seen, discovered, endpoint, credentials),
        None => Finding::not_checked("the token endpoint offers no method with a secret"),
    };
    (finding, Given::Nothing, None)
}

fn unreachable(url: &Url, unseen: &Unseen) -> Finding {
    Finding::unreachable(Code::TokenEndpointUnreachable, format!("{url}: {unseen}"))
}

/// RFC 6749 §5.2, `invalid_client`: "unknown client, no client authentication included, or unsupported authentication method".
fn unknown(seen: &Seen, discovered: &Discovered, endpoint: &TokenEndpoint, credentials: &Credentials) -> Finding {
    let said = seen.says();
    let names: Vec<&str> = endpoint.methods.iter().map(|method| method.name()).collect();
    let client_id = &credentials.client_id;
    let detail = format!("'{client_id}' is refused, by {}: {}", names.join(" and by "), said.words);
    let finding = Finding::failed(Code::InvalidClient, detail).with_answer(&said);
    let finding = match &discovered.ambit {
        Some(ambit) => finding.with_fix(
            format!("see that client_id and secret are right and whole; if the secret is lost, make another for '{client_id}'"),
            "an administrator of the application with admin:write",
            Some(format!("AMBIT_TOKEN=\"$ADMIN_TOKEN\" ambit app secret {} --url {}", quoted(client_id), quoted(&ambit.base))),
        ),
        None => finding.with_fix(
            "see that client_id and secret are right and whole, belong to this issuer, and that the client may use a secret",
            "whoever registered the client",
            None,
        ),
    };
    finding.with_change(Change { new_token: true, ..Change::NONE })
}

fn judge(
    seen: &Seen,
    discovered: &Discovered,
    url: &Url,
    credentials: &Credentials,
    method: Method,
) -> (Finding, Given) {
    let client_id = &credentials.client_id;
    let who = format!("'{client_id}' authenticates by {}", method.name());
    let status = seen.status.as_u16();
    if let Some(moved) = seen.location(url.as_str()) {
        let detail = format!("{url} leads to {moved} (HTTP {status}): the secret is not sent on");
        let text = "let the issuer's document name the address that answers";
        return (
            Finding::failed(Code::TokenEndpointRedirects, detail).with_fix(text, "whoever runs the issuer", None),
            Given::Nothing,
        );
    }
    let said = seen.says();
    if seen.status.is_success() {
        let token = said.body.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
        let Some(token) = token else {
            let detail = format!("{url}: HTTP {status} without an access_token, {}", seen.kind());
            return (Finding::failed(Code::NoAccessToken, detail), Given::Nothing);
        };
        let given = Given::Token { token: token.into(), answer: said.body.clone() };
        let token_type = said.body.get("token_type").and_then(Value::as_str).unwrap_or_default();
        if !token_type.eq_ignore_ascii_case("Bearer") {
            let detail =
                format!("{who} and gets a token of type '{token_type}': the doctor presents it as Bearer all the same");
            return (Finding::warning(Code::TokenType, detail), given);
        }
        return (Finding::ok(format!("{who} and gets a token")), given);
    }
    match said.error.as_deref() {
        // What is wrong is what it asks for, which is another step's matter.
        Some("invalid_scope" | "invalid_target") => (Finding::ok(who), Given::Refused(said)),
        Some("unauthorized_client") => (wrong_place(&said, discovered, client_id), Given::Nothing),
        Some("unsupported_grant_type") => {
            let finding = Finding::failed(Code::UnsupportedGrantType, said.words.clone()).with_answer(&said);
            (finding.with_fix(ANOTHER_GRANT, "whoever registered the client", None), Given::Nothing)
        }
        Some(_) if matches!(seen.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
            (Finding::unreachable(Code::TokenEndpointBusy, said.words.clone()).with_answer(&said), Given::Nothing)
        }
        Some(_) => {
            let finding =
                Finding::failed(Code::TokenRefused, format!("HTTP {status}: {}", said.words)).with_answer(&said);
            let text = "do what the answer says";
            (finding.with_fix(text, "whoever configures the client", None), Given::Nothing)
        }
        None if seen.status.is_server_error() => (
            Finding::unreachable(Code::TokenEndpointFails, format!("{url}: HTTP {status}, {}", said.words)),
            Given::Nothing,
        ),
        None => {
            let detail = format!("{url}: HTTP {status}, {}, where OAuth would answer an error code", said.words);
            let text = "see what stands between: a proxy, a firewall, or an address that is no token endpoint";
            (
                Finding::failed(Code::TokenAnswerNotOauth, detail).with_fix(text, "whoever runs the issuer", None),
                Given::Nothing,
            )
        }
    }
}

/// `unauthorized_client`: the client is known, and not for this; with Ambit that may be the issuer.
fn wrong_place(said: &Said, discovered: &Discovered, client_id: &str) -> Finding {
    let right = said.words.split_once("belongs to issuer '").and_then(|(_, rest)| rest.split('\'').next());
    if let (Some(_), Some(issuer)) = (&discovered.ambit, right) {
        return Finding::failed(Code::WrongIssuer, format!("'{client_id}' belongs to another issuer, {issuer}"))
            .with_answer(said)
            .with_fix(format!("configure '{issuer}' as the client's issuer"), "whoever configures the client", None)
            .with_change(Change { issuer: Some(issuer.to_owned()), ..Change::NONE });
    }
    Finding::failed(Code::UnauthorizedClient, said.words.clone()).with_answer(said).with_fix(
        ANOTHER_GRANT,
        "whoever registered the client",
        None,
    )
}

const ANOTHER_GRANT: &str = "allow the client the grant client_credentials, or use the grant that it has";
