//! Somebody in a browser without scripts: cookies, redirections, and forms as the pages have them.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Certificate, Client, Method, Url, redirect};

use super::world::{EMAIL, PASSWORD};

/// Somebody who signs in where they are asked to.
pub(crate) struct Person {
    http: Client,
    server: Url,
    email: String,
    cookies: BTreeMap<String, String>,
}

/// What they say to an application that wants something of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    Allow,
    Deny,
}

/// A form of a page.
struct Form {
    action: String,
    fields: Vec<(String, String)>,
    answers: Vec<(String, String)>,
}

impl Person {
    /// One who trusts this authority; none, where the server has no TLS.
    pub(crate) fn new(server: &str, authority: Option<Certificate>) -> Self {
        let http = Client::builder()
            .timeout(Duration::from_secs(40))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .tls_certs_only(authority);
        let server = Url::parse(server).expect("a URL");
        let http = http.build().expect("an HTTP client");
        Self { http, server, email: EMAIL.to_owned(), cookies: BTreeMap::new() }
    }

    /// Somebody else, by their address. They all have the same password.
    pub(crate) fn called(self, email: &str) -> Self {
        Self { email: email.to_owned(), ..self }
    }

    /// Opens an address and does what the pages ask, until the browser is sent away from the server. Answers where to.
    pub(crate) async fn visit(&mut self, address: &str, consent: Consent) -> String {
        let mut at = self.server.join(address).expect("an address");
        let mut answer = self.send(Method::GET, &at, None).await;
        for _ in 0..20 {
            let Some(location) = answer.location else {
                let form = Form::of(&answer.page).unwrap_or_else(|| panic!("{at}: {} {}", answer.status, answer.page));
                at = at.join(&form.action).expect("an address");
                answer = self.send(Method::POST, &at, Some(&form.filled(&self.email, consent))).await;
                continue;
            };
            at = at.join(&location).expect("an address");
            if at.origin() != self.server.origin() {
                return location;
            }
            answer = self.send(Method::GET, &at, None).await;
        }
        panic!("{at} leads nowhere");
    }

    /// What the browser keeps.
    pub(crate) fn cookies(&self) -> impl Iterator<Item = &str> {
        self.cookies.values().map(String::as_str)
    }

    async fn send(&mut self, method: Method, at: &Url, fields: Option<&[(String, String)]>) -> Answer {
        let mut request = self.http.request(method, at.clone());
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        if let Some(fields) = fields {
            let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            request = request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(ORIGIN, self.server.origin().ascii_serialization())
                .header("sec-fetch-site", "same-origin")
                .body(body);
        }
        let response = request.send().await.expect("an answer");
        for cookie in response.headers().get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().expect("ASCII").split_once('=').expect("a name");
            match rest.split(';').next().unwrap_or_default() {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let text = |value: &reqwest::header::HeaderValue| value.to_str().expect("ASCII").to_owned();
        let location = response.headers().get(LOCATION).map(text);
        let status = response.status().as_u16();
        Answer { status, location, page: response.text().await.expect("a page") }
    }
}

struct Answer {
    status: u16,
    location: Option<String>,
    page: String,
}

impl Form {
    /// The first one of a page, as a browser reads it.
    fn of(page: &str) -> Option<Self> {
        let (_, rest) = page.split_once("<form ")?;
        let (tag, rest) = rest.split_once('>')?;
        let (body, _) = rest.split_once("</form>")?;
        let (mut fields, mut answers) = (vec![], vec![]);
        for control in body.split('<').filter(|it| it.starts_with("input ") || it.starts_with("button")) {
            let control = control.split('>').next().unwrap_or_default();
            let Some(name) = attribute(control, "name") else { continue };
            let value = attribute(control, "value").unwrap_or_default();
            if control.starts_with("button") {
                answers.push((name, value));
            } else if !control.contains(" disabled") {
                fields.push((name, value));
            }
        }
        Some(Self { action: attribute(tag, "action")?, fields, answers })
    }

    /// What somebody sends: who they are, and what they want. They tick every box.
    fn filled(self, email: &str, consent: Consent) -> Vec<(String, String)> {
        let wanted = match consent {
            Consent::Allow => "allow",
            Consent::Deny => "deny",
        };
        let pressed = self.answers.into_iter().find(|(_, value)| value == wanted);
        let mut fields = self.fields;
        for (name, value) in &mut fields {
            match name.as_str() {
                "organisation" | "email" => email.clone_into(value),
                "password" => PASSWORD.clone_into(value),
                _ => {}
            }
        }
        fields.extend(pressed);
        fields
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = format!(" {tag}").split_once(&format!(" {name}=\"")).map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.replace("&#38;", "&").replace("&amp;", "&"))
}
