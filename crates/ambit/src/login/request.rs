//! The authorization request of a login, and what its answer has to be like.

use std::collections::BTreeMap;

use ambit_core::entropy::Entropy;
use ambit_core::registry::builtin::COMMAND_LINE;
use ambit_protocol::pkce::{CODE_CHALLENGE_METHOD, CodeChallenge, CodeVerifier};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::{StatusCode, Url};
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::Wish;
use super::server::AuthorizationServer;
use crate::client::refused;
use crate::output::Failure;

/// A request that a browser takes to the server.
#[derive(Debug)]
pub struct Request {
    url: Url,
    redirect_uri: String,
    state: String,
    verifier: CodeVerifier,
    issuer: String,
    names_itself: bool,
}

impl Request {
    pub fn new(
        server: &AuthorizationServer,
        redirect_uri: &str,
        wish: &Wish,
        entropy: &dyn Entropy,
    ) -> Result<Self, Failure> {
        // RFC 7636 §4.1: 32 octets "base64url-encoded to produce a 43-octet URL-safe string".
        let verifier: CodeVerifier =
            random(entropy).parse().map_err(|_| Failure::internal("a verifier that was made is none"))?;
        let state = random(entropy);
        let mut url = server.authorization_endpoint().clone();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", COMMAND_LINE),
            ("redirect_uri", redirect_uri),
            ("scope", &wish.scope),
            ("state", &state),
            ("code_challenge", &String::from(CodeChallenge::of(&verifier))),
            ("code_challenge_method", CODE_CHALLENGE_METHOD),
        ]);
        if let Some(tenant) = &wish.tenant {
            url.query_pairs_mut().append_pair("tenant", tenant);
        }
        Ok(Self {
            url,
            redirect_uri: redirect_uri.to_owned(),
            state,
            verifier,
            issuer: server.issuer().to_owned(),
            names_itself: server.names_itself(),
        })
    }

    /// Where the browser goes.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where it comes back to.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    pub fn verifier(&self) -> &CodeVerifier {
        &self.verifier
    }

    /// The code in an answer. Nothing else in it counts before it is known that this server gave it to this request.
    pub fn code(&self, query: &str) -> Result<SecretString, Failure> {
        let mut members = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            // RFC 6749 §3.1: parameters "MUST NOT be included more than once".
            if members.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(Failure::finding(format!("the answer has '{}' twice: {NOBODY}", printable(&name))));
            }
        }
        // RFC 6749 §10.12: whoever sends somebody's browser here with a code of their own does not know it.
        if members.get("state") != Some(&self.state) {
            return Err(Failure::finding(format!(
                "the browser brought the answer to another request, its state is not the one that was sent: {NOBODY}"
            )));
        }
        match members.get("iss") {
            Some(iss) if *iss == self.issuer => {}
            None if !self.names_itself => {}
            // RFC 9207 §2.4: "If the value does not match the expected issuer identifier, clients MUST reject the authorization
            // response and MUST NOT proceed with the authorization grant."
            Some(iss) => {
                return Err(Failure::finding(format!(
                    "the answer is from another server, '{}', and the request went to {}: {NOBODY}",
                    printable(iss),
                    self.issuer
                )));
            }
            None => {
                return Err(Failure::finding(format!("the answer does not say which server it is from: {NOBODY}")));
            }
        }
        if members.contains_key("error") {
            return Err(told(&members));
        }
        match members.remove("code") {
            Some(code) if !code.is_empty() => Ok(code.into()),
            _ => Err(Failure::finding(format!("the answer has neither a code nor an error: {NOBODY}"))),
        }
    }
}

/// What the server says (RFC 6749 §4.1.2.1), with where to read on.
fn told(members: &BTreeMap<String, String>) -> Failure {
    let body: Map<String, Value> = ["error", "error_description", "error_uri", "trace_id"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), printable(members.get(name)?).into())))
        .collect();
    refused(StatusCode::BAD_REQUEST, body.into())
}

fn random(entropy: &dyn Entropy) -> String {
    let mut octets = [0; 32];
    entropy.fill(&mut octets);
    BASE64_URL_SAFE_NO_PAD.encode(octets)
}

/// What came by a browser, for a terminal: RFC 6749 §4.1.2.1 has no characters in these that a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().take(MOST_SHOWN).map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect()
}

const NOBODY: &str = "nobody is signed in; begin again with `ambit login`";
const MOST_SHOWN: usize = 600;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    /// Another octet each time.
    #[derive(Debug, Default)]
    struct Counted(AtomicU8);

    impl Entropy for Counted {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    const ISSUER: &str = "https://as.example";

    fn request(names_itself: bool) -> Request {
        let server = AuthorizationServer::for_tests(ISSUER, names_itself);
        let wish = Wish {
            base: Url::parse(ISSUER).unwrap(),
            scope: "openid admin:read".to_owned(),
            tenant: None,
            is_browser_elsewhere: true,
            patience: std::time::Duration::ZERO,
        };
        Request::new(&server, "http://127.0.0.1:1/callback", &wish, &Counted::default()).unwrap()
    }

    fn outcome(request: &Request, query: &str) -> Result<String, String> {
        let query = query.replace("STATE", &request.state);
        request
            .code(&query)
            .map(|code| secrecy::ExposeSecret::expose_secret(&code).to_owned())
            .map_err(|it| it.to_string())
    }

    #[test]
    fn a_request_has_what_binds_its_answer_to_it() {
        let request = request(true);
        let sent: BTreeMap<_, _> = request.url().query_pairs().into_owned().collect();
        assert_eq!((sent["code_challenge_method"].as_str(), sent["client_id"].as_str()), ("S256", "ambit-cli"));
        let challenge: CodeChallenge = sent["code_challenge"].parse().unwrap();
        assert!(challenge.matches(request.verifier()));
        assert_eq!(sent["state"].len(), 43);
        assert_ne!(sent["code_challenge"], request.verifier().expose_secret());
        assert!(!request.url().as_str().contains(request.verifier().expose_secret()));
    }

    #[test]
    fn a_code_counts_from_this_server_to_this_request_alone() {
        let asked = request(true);
        assert_eq!(outcome(&asked, "code=c&state=STATE&iss=https://as.example"), Ok("c".to_owned()));
        for (query, why) in [
            ("code=c&state=other&iss=https://as.example", "answer to another request"),
            ("code=c&iss=https://as.example", "answer to another request"),
            ("code=c&state=STATE&iss=https://evil.example", "another server, 'https://evil.example'"),
            // Compared octet by octet (RFC 9207 §2.4).
            ("code=c&state=STATE&iss=https://as.example/", "another server"),
            ("code=c&state=STATE", "does not say which server"),
            ("code=c&code=d&state=STATE&iss=https://as.example", "'code' twice"),
            ("state=STATE&iss=https://as.example", "neither a code nor an error"),
            ("code=&state=STATE&iss=https://as.example", "neither a code nor an error"),
            // An error of somebody else is not even shown.
            ("error=gotcha&state=other&iss=https://as.example", "answer to another request"),
            ("error=gotcha&state=STATE&iss=https://evil.example", "another server"),
        ] {
            let error = outcome(&asked, query).expect_err(query);
            assert!(error.contains(why) && !error.contains("gotcha"), "{query}: {error}");
        }
        // A server that does not announce `iss` need not send it; one that does so all the same must be the right one.
        let asked = request(false);
        assert_eq!(outcome(&asked, "code=c&state=STATE"), Ok("c".to_owned()));
        assert!(outcome(&asked, "code=c&state=STATE&iss=https://evil.example").is_err());
    }

    #[test]
    fn an_error_is_shown_with_its_page_and_without_what_a_terminal_would_obey() {
        let query = "error=access_denied&error_description=no%1b%5B2J%0Aambit:%20signed%20in&state=STATE\
                     &iss=https://as.example&error_uri=https://as.example/errors/x&trace_id=0af7";
        let error = outcome(&request(true), query).expect_err("an error");
        assert_eq!(error, "access_denied: no?[2J?ambit: signed in\n  see https://as.example/errors/x\n  trace 0af7");
    }
}
