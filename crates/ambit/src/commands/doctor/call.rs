//! The call itself, and what the API says of it.

use ambit_protocol::challenge::ReceivedChallenge;
use ambit_protocol::explain::Explanation;
use ambit_protocol::metadata::{ProtectedResourceMetadata, protected_resource_url};
use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::again::Change;
use super::code::Code;
use super::discovery::{CLOCKS_BEARABLE_SECS, apart};
use super::report::Finding;
use super::web::{Said, Seen, Web, is_in_the_clear};

/// What is called.
#[derive(Debug)]
pub struct Call {
    pub method: Method,
    pub url: Url,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    pub finding: Finding,
    pub challenge: Finding,
    /// The scopes that the API asks for.
    pub required: Vec<String>,
    /// The explanation that the API gives by itself, as Ambit's own does.
    pub why: Option<Explanation>,
    /// Where the API says more about itself (RFC 9728 §5.1).
    metadata_url: Option<Url>,
}

impl Call {
    /// What the API says about itself (RFC 9728), at the call's own address or above it. RFC 9728 §3.3: the document has to be
    /// that of the address that it was looked for at.
    pub async fn resource(&self, web: &Web) -> Option<ProtectedResourceMetadata> {
        let origin = self.url.origin().ascii_serialization();
        let mut path = self.url.path().trim_end_matches('/');
        for _ in 0..MAX_PLACES {
            let identifier = format!("{origin}{path}");
            let seen = web.get(&protected_resource_url(&identifier)).await.ok()?;
            if let Ok(metadata) = ProtectedResourceMetadata::parse(&seen.body, &identifier) {
                return Some(metadata);
            }
            path = path.rsplit_once('/')?.0;
        }
        None
    }

    /// The same, at the address that the API named when it was called. RFC 9728 §3.3 has the document compared with the call:
    /// it has to be of the API's own origin.
    pub async fn resource_named(&self, web: &Web, outcome: &Outcome) -> Option<ProtectedResourceMetadata> {
        let url = outcome.metadata_url.as_ref().filter(|url| url.origin() == self.url.origin())?;
        let seen = web.get(url.as_str()).await.ok()?;
        let named = seen.json()?.get("resource")?.as_str()?.to_owned();
        let is_of_here = Url::parse(&named).is_ok_and(|named| named.origin() == self.url.origin());
        ProtectedResourceMetadata::parse(&seen.body, &named).ok().filter(|_| is_of_here)
    }

    /// Calls with the token, as the client would.
    pub async fn make(&self, web: &Web, token: &SecretString) -> Outcome {
        let request = web.http().request(self.method.clone(), self.url.clone()).bearer_auth(token.expose_secret());
        match web.send(request).await {
            Ok(seen) => self.judge(&seen),
            Err(unseen) => Outcome {
                finding: Finding::unreachable(Code::ApiUnreachable, format!("{} {}: {unseen}", self.method, self.url)),
                challenge: Finding::not_checked("the API did not answer"),
                required: vec![],
                why: None,
                metadata_url: None,
            },
        }
    }

    fn judge(&self, seen: &Seen) -> Outcome {
        let said = seen.says();
        let status = seen.status;
        let answers = format!("{} {}: {status}", self.method, self.url);
        let is_refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let why: Option<Explanation> = said.body.get("why").and_then(|why| serde_json::from_value(why.clone()).ok());
        let finding = match status {
            _ if status.is_success() && is_in_the_clear(&self.url) => Finding::warning(
                Code::ApiNotHttps,
                format!("{answers}; not https: whoever is in between reads the token"),
            ),
            _ if status.is_success() => Finding::ok(answers),
            _ if is_refused => {
                let words = if seen.body.is_empty() { described(seen) } else { said.words.clone() };
                let mut detail = format!("{answers}: {words}");
                if let Some(ahead) = seen.ahead_secs().filter(|ahead| ahead.abs() > CLOCKS_BEARABLE_SECS) {
                    detail.push_str(&format!("; {}", apart("the API's", ahead)));
                }
                refused(detail, status, &said)
            }
            _ if status.is_redirection() => {
                let to = seen.location(self.url.as_str()).map_or_else(|| "nowhere".to_owned(), |to| to.to_string());
                Finding::failed(
                    Code::CallRedirects,
                    format!("{answers}, which leads to {to}: the token is not sent on"),
                )
                .with_fix("call the address that it leads to", "whoever configures the client", None)
                .with_change(Change { none_helps: true, ..Change::NONE })
            }
            StatusCode::TOO_MANY_REQUESTS => {
                Finding::unreachable(Code::ApiBusy, format!("{answers}: {}", said.words)).with_answer(&said)
            }
            _ if status.is_server_error() => {
                Finding::unreachable(Code::ApiFails, format!("{answers}: {}", said.words)).with_answer(&said)
            }
            _ => Finding::warning(
                Code::CallNotDone,
                format!("{answers}: {}; the token is not what it minds", said.words),
            )
            .with_answer(&said),
        };
        let Challenged { finding: challenge, asked_for, metadata_url } = if is_refused {
            challenge(seen)
        } else {
            Challenged::only(Finding::not_checked("the API asks for nothing more"))
        };
        let listed = || {
            let required = said.body.get("required").and_then(Value::as_array).into_iter().flatten();
            required.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let required = if asked_for.is_empty() { listed() } else { asked_for };
        Outcome { finding, challenge, required, why, metadata_url }
    }
}

/// The description of the challenge, where the body says nothing.
fn described(seen: &Seen) -> String {
    let headers = seen.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let mut challenges = headers.filter_map(|header| ReceivedChallenge::parse_all(header).ok()).flatten();
    let described = challenges.find_map(|challenge| challenge.param("error_description").map(str::to_owned));
    described.unwrap_or_else(|| "without a word".to_owned())
}

fn refused(detail: String, status: StatusCode, said: &Said) -> Finding {
    let code = if status == StatusCode::UNAUTHORIZED { Code::ApiUnauthorized } else { Code::ApiForbidden };
    Finding::failed(code, detail).with_answer(said).with_change(Change { new_token: true, ..Change::NONE })
}

/// A challenge, read.
struct Challenged {
    finding: Finding,
    asked_for: Vec<String>,
    metadata_url: Option<Url>,
}

impl Challenged {
    const fn only(finding: Finding) -> Self {
        Self { finding, asked_for: vec![], metadata_url: None }
    }
}

/// RFC 6750 §3: what the API says is missing, and where it says more about itself.
fn challenge(seen: &Seen) -> Challenged {
    let headers: Vec<&str> =
        seen.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).collect();
    if headers.is_empty() {
        let detail = "the answer has no WWW-Authenticate, which would say what is missing (RFC 6750 section 3)";
        return Challenged::only(Finding::warning(Code::NoChallenge, detail));
    }
    let mut challenges = vec![];
    for header in headers {
        match ReceivedChallenge::parse_all(header) {
            Ok(more) => challenges.extend(more),
            Err(error) => return Challenged::only(Finding::warning(Code::ChallengeMalformed, error.to_string())),
        }
    }
    let Some(bearer) = challenges.iter().find(|challenge| challenge.is_bearer()) else {
        let schemes: Vec<&str> = challenges.iter().map(ReceivedChallenge::scheme).collect();
        let detail = format!("the API takes {}, and not Bearer", schemes.join(", "));
        return Challenged::only(Finding::warning(Code::ChallengeOfAnotherScheme, detail));
    };
    // The description is that of the body, in the line before, as a rule.
    let told: Vec<String> = ["error", "scope", "error_uri", "resource_metadata"]
        .into_iter()
        .filter_map(|name| Some(format!("{name} {}", bearer.param(name)?)))
        .collect();
    let required = bearer.param("scope").unwrap_or_default().split(' ').filter(|name| !name.is_empty());
    let mut finding = if told.is_empty() {
        Finding::warning(Code::ChallengeEmpty, "Bearer, and no word of what is missing")
    } else {
        Finding::ok(told.join(", "))
    };
    finding.page = bearer.param("error_uri").map(str::to_owned);
    let metadata_url = bearer.param("resource_metadata").and_then(|url| Url::parse(url).ok());
    Challenged { finding, asked_for: required.map(str::to_owned).collect(), metadata_url }
}

/// A call that is refused though everything was there: the API has a reason of its own.
pub fn of_its_own(finding: Finding) -> Finding {
    if finding.link.is_some() || !finding.is_failed() || finding.is_unreachable || !finding.fix.is_empty() {
        return finding;
    }
    let text = if finding.code == Some(Code::ApiUnauthorized) {
        "see which issuer, audience and keys the API is set up with, and its clock: by all that shows the token is good"
    } else {
        "read what the API says: nothing that the token shows is missing, so it has a reason of its own, such as a role"
    };
    finding.with_fix(text, "whoever runs the API", None)
}

/// Addresses at which an API's metadata is looked for: its call's, and those above.
const MAX_PLACES: usize = 8;
