//! The client's side: the way of one call, from the issuer's address to what the API answers, link by link, and which of them
//! is broken (scopes.md §6).
//!
//! Each step looks at one thing and says what it saw. What rests on a step that failed is said to be not checked, and why;
//! everything else is looked at all the same. Secrets and tokens are sent where the issuer's own document says, and shown
//! nowhere.

use std::io::Read as _;
use std::time::Duration;

use ambit_core::time::Clock as _;
use ambit_protocol::explain::{Explanation, Link, LinkReport};
use ambit_protocol::metadata::ProtectedResourceMetadata;
use ambit_server::clock::SystemClock;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use reqwest::{Method, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::again::{Change, quoted};
use super::call::{self, Call};
use super::code::Code;
use super::credentials::{self, Credentials, Given, encoded};
use super::discovery::{self, Ambit, Discovered};
use super::key_set::{self, KeySet};
use super::product::Product;
use super::report::{Finding, Report, Step, Verdict, broken};
use super::scopes::{self, Asked, Got, Wanted};
use super::token::{Called, Token};
use super::web::{Said, Web, is_in_the_clear};
use crate::client::Connection;
use crate::output::{Failure, Output};

/// What of a client's way is looked at.
#[derive(Debug, Args)]
#[command(next_help_heading = "A client's way to an API")]
pub struct Client {
    /// Look at a client's way instead of a server: the issuer of its tokens, as they have it in `iss`. Any OAuth server will do.
    #[arg(long, value_name = "URL", conflicts_with = "offline")]
    issuer: Option<String>,
    /// The client's secret; `-` reads it from standard input. On the command line others can see it: better there, in a file,
    /// or in `AMBIT_CLIENT_SECRET`.
    #[arg(long, value_name = "SECRET", requires = "issuer")]
    secret: Option<SecretString>,
    /// A file with the client's secret.
    #[arg(long, value_name = "FILE", requires = "issuer", conflicts_with = "secret")]
    secret_file: Option<String>,
    /// A file with a token that is there already, to look at instead of a new one; `-` reads it from standard input.
    #[arg(long, value_name = "FILE", requires = "issuer")]
    token_file: Option<String>,
    /// The scope parameter of the token request; leave out to look at an omitted one.
    #[arg(long, requires = "issuer")]
    scope: Option<String>,
    /// The tenant acted for (slug); of Ambit alone.
    #[arg(long, requires = "issuer")]
    tenant: Option<String>,
    /// The unit acted for (slug); of Ambit alone.
    #[arg(long, requires = "issuer")]
    unit: Option<String>,
    /// A resource indicator (RFC 8707); may be repeated.
    #[arg(long, requires = "issuer")]
    resource: Vec<String>,
    /// The call to make with the token. It is made: name one that does no harm.
    #[arg(long, num_args = 2, value_names = ["METHOD", "URL"], requires = "issuer")]
    call: Vec<String>,
    /// A scope that the call needs; may be repeated where any of several would do.
    #[arg(long, value_name = "SCOPE", requires = "issuer")]
    needs: Vec<String>,
    /// How many seconds to wait for each answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300), requires = "issuer")]
    timeout: u64,
}

/// One look, with everything that was given read.
struct Visit {
    issuer: String,
    client: Client,
    credentials: Option<Credentials>,
    secret_from: SecretFrom,
    kept: Option<SecretString>,
    call: Option<Call>,
    web: Web,
}

/// Where the secret came from: the command that looks again takes it from there as well.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SecretFrom {
    File(String),
    Environment,
    /// The command line or standard input.
    Hand,
}

/// A token, and how it came.
struct Held {
    text: SecretString,
    read: Token,
    answer: Value,
}

/// Who issues, and as whom it can be asked.
struct Issued<'a> {
    ambit: Option<&'a Ambit>,
    product: Option<&'static Product>,
    credentials: Option<&'a Credentials>,
    web: &'a Web,
    method: Option<discovery::Method>,
}

impl Issued<'_> {
    /// An Ambit server, and a client that may ask it about itself.
    fn asked(&self) -> Option<Asked<'_>> {
        Some(Asked { web: self.web, ambit: self.ambit?, credentials: self.credentials?, method: self.method })
    }
}

impl Held {
    /// What it carries, against what is wanted; and Ambit's explanation, by its own word or by that of its API.
    async fn scopes(
        &self,
        wanted: &Wanted<'_>,
        issued: &Issued<'_>,
        called: Option<&str>,
        why: Option<&Explanation>,
    ) -> (Finding, Option<Explanation>) {
        let carried = self.read.carried();
        let dropped =
            self.answer.get("dropped_scopes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let answered = self.answer.get("scope").and_then(Value::as_str);
        let got = Got { answered, carried: carried.as_ref(), dropped };
        let (allowed, explained) = match (issued.asked(), why) {
            (Some(asked), _) => {
                let allowed = asked.allowed(wanted).await;
                let question = wanted.denial(self.text.expose_secret(), called);
                let explained = if wanted.needs.is_empty() { None } else { Some(asked.explain(&question).await) };
                (allowed, explained)
            }
            // Who cannot ask may have been told: Ambit's own API explains each refusal.
            (None, Some(why)) => (Err("that takes --client-id and a secret".to_owned()), Some(Ok(why.clone()))),
            (None, None) => return (scopes::seen(wanted, &got, issued.product, issued.ambit.is_some()), None),
        };
        let finding = scopes::explained(wanted, &got, &allowed, explained.as_ref());
        (finding, explained.and_then(Result::ok))
    }
}

impl Client {
    /// Whether a client's way is to be looked at.
    pub const fn is_asked_for(&self) -> bool {
        self.issuer.is_some()
    }

    pub async fn run(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        let visit = self.read(connection)?;
        let mut report = Report::new(output);
        if let Some(Credentials { client_id, secret }) = &visit.credentials {
            let secret = secret.expose_secret();
            let basic = format!("{}:{}", encoded(client_id), encoded(secret));
            for spelling in [secret.to_owned(), encoded(secret), BASE64_STANDARD.encode(basic)] {
                report.keep_secret(&spelling);
            }
        }
        if let Some(token) = &visit.kept {
            report.keep_secret(token.expose_secret());
        }
        visit.look(report).await
    }

    fn read(self, connection: &Connection) -> Result<Visit, Failure> {
        let issuer = self.issuer.clone().unwrap_or_default();
        let url = web_address("--issuer", &issuer)?;
        if let Some((before, _)) = issuer.split_once("/.well-known/") {
            return Err(Failure::usage(format!(
                "--issuer: that is the address of its document; the issuer is {before}, perhaps with what comes after the name"
            )));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Failure::usage("--issuer: an issuer has neither query nor fragment (RFC 8414 section 2)"));
        }
        if self.secret.as_ref().is_some_and(is_dash) && self.token_file.as_deref() == Some("-") {
            return Err(Failure::usage("standard input can be the secret or the token, and not both"));
        }
        let call = match self.call.as_slice() {
            [method, address] => Some(Call {
                method: Method::from_bytes(method.to_ascii_uppercase().as_bytes())
                    .map_err(|_| Failure::usage(format!("--call: '{method}' is no method of HTTP")))?,
                url: match address.strip_prefix('/') {
                    Some(_) => url.join(address).map_err(|error| Failure::usage(format!("--call: {error}")))?,
                    None => web_address("--call", address)?,
                },
            }),
            _ => None,
        };
        let (secret, secret_from) = match (&self.secret, &self.secret_file) {
            (Some(secret), _) if is_dash(secret) => (Some(from("--secret", "-")?), SecretFrom::Hand),
            (Some(secret), _) => (Some(secret.clone()), SecretFrom::Hand),
            (None, Some(file)) => (Some(from("--secret-file", file)?), SecretFrom::File(file.clone())),
            (None, None) => (connection.client_secret.clone(), SecretFrom::Environment),
        };
        let credentials = match (connection.client_id.clone(), secret) {
            (Some(client_id), Some(secret)) => Some(Credentials { client_id, secret }),
            (None, Some(_)) if self.token_file.is_none() => {
                return Err(Failure::usage("whose secret is it? --client-id"));
            }
            _ => None,
        };
        let kept = match (&self.token_file, &credentials) {
            (Some(file), _) => Some(bare(&from("--token-file", file)?)),
            (None, None) => connection.token.as_ref().map(bare),
            (None, Some(_)) => None,
        };
        if credentials.is_none() && kept.is_none() {
            return Err(Failure::usage(
                "say who the client is: --client-id, and its secret by --secret-file, --secret - or AMBIT_CLIENT_SECRET; or look at \
                 a token with --token-file",
            ));
        }
        let web = Web::new(Duration::from_secs(self.timeout))?;
        Ok(Visit { issuer, client: self, credentials, secret_from, kept, call, web })
    }
}

impl Visit {
    async fn look(&self, mut report: Report) -> Result<(), Failure> {
        let (finding, discovered) = discovery::find(&self.web, &self.issuer).await;
        report.add(Step::Discovery, self.in_the_clear(finding))?;
        let keys = self.documents(discovered.as_ref(), &mut report).await?;
        let (given, method) = self.token(discovered.as_ref(), &mut report).await?;
        let issued = Issued {
            ambit: discovered.as_ref().and_then(|it| it.ambit.as_ref()),
            product: discovered.as_ref().and_then(|it| it.product),
            credentials: self.credentials.as_ref(),
            web: &self.web,
            method,
        };
        let chain = match given {
            Given::Token { token, answer } => {
                let held = Held { read: Token::read(token.expose_secret()), text: token, answer };
                self.presented(&held, &issued, keys.as_ref(), &mut report).await?
            }
            Given::Refused(said) => self.refused(&said, &issued, &mut report).await?,
            Given::Nothing => vec![],
        };
        for step in [Step::Scopes, Step::Audience, Step::TokenAge, Step::Signature, Step::Call] {
            if !report.has(step) {
                report.add(step, Finding::not_checked("there is no token"))?;
            }
        }
        let server = discovered.as_ref().map(|it| match (&it.ambit, it.product) {
            (Some(_), _) => "Ambit",
            (None, Some(product)) => product.name,
            (None, None) => "other",
        });
        let verdict = Verdict { whole: self.whole(), chain, server, issuer: self.issuer.clone() };
        report.finish(&verdict, |change| self.again(change))
    }

    /// The client is who it says, and what it asks for is refused.
    async fn refused(&self, said: &Said, issued: &Issued<'_>, report: &mut Report) -> Result<Vec<LinkReport>, Failure> {
        if said.error.as_deref() == Some("invalid_target") {
            report.add(Step::Scopes, Finding::not_checked("the resource comes first"))?;
            report.add(Step::Audience, invalid_target(said))?;
            return Ok(vec![]);
        }
        let wanted = self.wanted(&self.client.needs);
        let explained = match issued.asked() {
            Some(asked) => Some(asked.explain(&wanted.request()).await),
            None => None,
        };
        report.add(Step::Scopes, scopes::refused(&wanted, said, explained.as_ref(), issued.product))?;
        Ok(explained.and_then(Result::ok).map(|it| first_chain(&it)).unwrap_or_default())
    }

    /// There is a token: what is in it, and what the API says to it.
    async fn presented(
        &self,
        held: &Held,
        issued: &Issued<'_>,
        keys: Option<&KeySet>,
        report: &mut Report,
    ) -> Result<Vec<LinkReport>, Failure> {
        // Called first, since the API may be the only one who knows what it needs; said in its place.
        let (resource, outcome) = match &self.call {
            Some(call) => (call.resource(&self.web).await, Some((call, call.make(&self.web, &held.text).await))),
            None => (None, None),
        };
        let told = outcome.as_ref().map(|(_, outcome)| outcome.required.as_slice()).unwrap_or_default();
        let wanted = self.wanted(if self.client.needs.is_empty() { told } else { &self.client.needs });
        let called = resource.as_ref().map(|metadata| metadata.resource.as_str()).or(self.named_resource());
        // Ambit's own API explains each refusal. What another says that it has to be told is not taken for that.
        let own = issued.ambit.map(|ambit| &ambit.explain);
        let why = outcome.as_ref().and_then(|(call, outcome)| {
            let own = own.filter(|own| own.origin() == call.url.origin())?;
            Some(scopes::without_harm(outcome.why.clone()?, own))
        });
        let (finding, explained) = held.scopes(&wanted, issued, called, why.as_ref()).await;
        report.add(Step::Scopes, finding)?;

        let of_the_token = explained.as_ref().and_then(|it| scopes::of_the_token(it, &wanted));
        let (audience, age) = match of_the_token {
            Some(finding) if finding.link == Some(Link::Audience) => (Some(finding), None),
            age => (None, age),
        };
        let is_broken = explained.as_ref().is_some_and(|it| broken(it).is_some());
        report.add(
            Step::Audience,
            match audience {
                Some(audience) => audience,
                // A token of ours is for the APIs of the scopes that it carries, and another one is needed here.
                None if is_broken => Finding::not_checked("the new token brings the API of its scope with it"),
                None => held.read.audience(&self.called(resource.as_ref())),
            },
        )?;
        let lifetime = held.answer.get("expires_in").and_then(Value::as_i64);
        report.add(Step::TokenAge, age.unwrap_or_else(|| held.read.age(SystemClock.now(), lifetime)))?;
        report.add(Step::Signature, held.read.signature(held.text.expose_secret(), &self.issuer, keys))?;

        let Some((call, outcome)) = outcome else {
            report.add(Step::Call, Finding::not_checked("no --call was given"))?;
            return Ok(explained.as_ref().map(first_chain).unwrap_or_default());
        };
        report.add(Step::Call, call::of_its_own(outcome.finding.clone()))?;
        let named = if resource.is_none() { call.resource_named(&self.web, &outcome).await } else { None };
        let audience = named.as_ref().map(|named| held.read.audience(&self.called(Some(named))));
        report.add(Step::Challenge, audience.filter(Finding::is_failed).unwrap_or(outcome.challenge))?;
        Ok(explained.as_ref().map(first_chain).unwrap_or_default())
    }

    /// RFC 6749 §10.3 and §10.5 want TLS for secrets and tokens.
    fn in_the_clear(&self, finding: Finding) -> Finding {
        if finding.is_failed() || !Url::parse(&self.issuer).is_ok_and(|url| is_in_the_clear(&url)) {
            return finding;
        }
        Finding::warning(Code::IssuerNotHttps, finding.detail)
            .and("not https: whoever is in between reads secret and token")
    }

    /// Metadata, keys and clock: what rests on the document alone.
    async fn documents(&self, discovered: Option<&Discovered>, report: &mut Report) -> Result<Option<KeySet>, Failure> {
        let Some(discovered) = discovered else {
            for step in [Step::Metadata, Step::KeySet, Step::Clock] {
                report.add(step, Finding::not_checked(NO_DOCUMENT))?;
            }
            return Ok(None);
        };
        report.add(Step::Metadata, discovered.metadata(&self.issuer).0)?;
        let (finding, keys) = key_set::fetch(&self.web, discovered).await;
        report.add(Step::KeySet, finding)?;
        report.add(Step::Clock, discovered.clock())?;
        Ok(keys)
    }

    /// The token that is there, or a new one; and how the client authenticates, where that shows.
    async fn token(
        &self,
        discovered: Option<&Discovered>,
        report: &mut Report,
    ) -> Result<(Given, Option<discovery::Method>), Failure> {
        if let Some(token) = &self.kept {
            report.add(Step::Credentials, Finding::not_checked("the token was there already"))?;
            return Ok((Given::Token { token: token.clone(), answer: Value::Null }, None));
        }
        let endpoint = discovered.and_then(|it| Some((it, it.metadata(&self.issuer).1?)));
        let (Some((discovered, endpoint)), Some(credentials)) = (endpoint, &self.credentials) else {
            let why = if discovered.is_some() { "there is no token endpoint to ask" } else { NO_DOCUMENT };
            report.add(Step::Credentials, Finding::not_checked(why))?;
            return Ok((Given::Nothing, None));
        };
        let fields = self.fields();
        let (finding, given, method) = credentials::ask(&self.web, discovered, &endpoint, credentials, &fields).await;
        if let Given::Token { token, .. } = &given {
            report.keep_secret(token.expose_secret());
        }
        report.add(Step::Credentials, finding)?;
        Ok((given, method))
    }

    /// RFC 6749 §4.4.2, RFC 8707 §2; `tenant` and `unit` are Ambit's own.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let client = &self.client;
        let mut fields = vec![("grant_type", "client_credentials".to_owned())];
        fields.extend(client.scope.clone().map(|scope| ("scope", scope)));
        fields.extend(client.resource.iter().map(|resource| ("resource", resource.clone())));
        fields.extend(client.tenant.clone().map(|tenant| ("tenant", tenant)));
        fields.extend(client.unit.clone().map(|unit| ("unit", unit)));
        fields
    }

    fn wanted<'a>(&'a self, needs: &'a [String]) -> Wanted<'a> {
        Wanted {
            scope: self.client.scope.as_deref(),
            tenant: self.client.tenant.as_deref(),
            unit: self.client.unit.as_deref(),
            resource: &self.client.resource,
            needs,
            is_kept: self.kept.is_some(),
        }
    }

    fn named_resource(&self) -> Option<&str> {
        self.client.resource.first().map(String::as_str)
    }

    /// What the API calls itself: by its own word, or by the reader's.
    fn called<'a>(&'a self, metadata: Option<&'a ProtectedResourceMetadata>) -> Called<'a> {
        let own = metadata.map(|metadata| (metadata.resource.as_str(), "its own metadata, RFC 9728"));
        Called {
            api: own.or_else(|| Some((self.named_resource()?, "as given"))),
            issuers: metadata.map_or(&[], |metadata| &metadata.authorization_servers),
            issuer: &self.issuer,
        }
    }

    fn whole(&self) -> String {
        match &self.call {
            Some(call) => format!("Nothing is broken on the way to {} {}.", call.method, call.url),
            None => "Nothing is broken up to the token. With --call METHOD URL the call is looked at too.".to_owned(),
        }
    }

    /// The command that looks again.
    fn again(&self, change: &Change) -> Option<String> {
        let client = &self.client;
        let needs_client = change.new_token || self.kept.is_none();
        if change.none_helps || (needs_client && self.credentials.is_none()) {
            return None;
        }
        let mut words = vec!["ambit doctor".to_owned()];
        let mut add = |flag: &str, value: &str| words.push(format!("{flag} {}", quoted(value)));
        add("--issuer", change.issuer.as_deref().unwrap_or(&self.issuer));
        if let Some(credentials) = &self.credentials {
            add("--client-id", &credentials.client_id);
            if let SecretFrom::File(file) = &self.secret_from {
                add("--secret-file", file);
            }
        }
        if let Some(scope) = change.scope(client.scope.as_deref()) {
            add("--scope", &scope);
        }
        match &change.resource {
            None => client.resource.iter().for_each(|resource| add("--resource", resource)),
            Some(resource) if resource.is_empty() => {}
            Some(resource) => add("--resource", resource),
        }
        if let Some(tenant) = &client.tenant {
            add("--tenant", tenant);
        }
        if let Some(unit) = &client.unit {
            add("--unit", unit);
        }
        if let Some(file) = client.token_file.as_ref().filter(|_| !change.new_token) {
            add("--token-file", file);
        }
        client.needs.iter().for_each(|scope| add("--needs", scope));
        if let Some(call) = &self.call {
            words.push(format!("--call {} {}", call.method, quoted(call.url.as_str())));
        }
        if change.with_tenant && client.tenant.is_none() {
            words.push("--tenant \"$TENANT\"".to_owned());
        }
        let secret = if self.secret_from == SecretFrom::Hand { "AMBIT_CLIENT_SECRET=\"$CLIENT_SECRET\" " } else { "" };
        Some(format!("{secret}{}", words.join(" ")))
    }
}

/// The chain of the first scope that is broken, or of the first there is.
fn first_chain(explanation: &Explanation) -> Vec<LinkReport> {
    let name = broken(explanation).or(explanation.because.first()).map(|report| &report.scope);
    explanation.because.iter().filter(|report| Some(&report.scope) == name).cloned().collect()
}

/// RFC 8707 §2: the resource is invalid, unknown or malformed.
fn invalid_target(said: &Said) -> Finding {
    Finding::failed(Code::InvalidTarget, said.words.clone())
        .with_answer(said)
        .with_fix(
            "name the API as it is registered, to the letter, or leave resource out",
            "whoever configures the client",
            None,
        )
        .with_change(Change { resource: Some(String::new()), ..Change::NONE })
}

fn web_address(flag: &str, text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).map_err(|error| Failure::usage(format!("{flag}: '{text}' is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(Failure::usage(format!("{flag}: must begin with http:// or https://")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::usage(format!("{flag}: no credentials in an address: they end in logs")));
    }
    Ok(url)
}

/// What a file has, or standard input, in one line.
fn from(flag: &str, file: &str) -> Result<SecretString, Failure> {
    let mut text = String::new();
    let wrong = |error: std::io::Error| {
        Failure::usage(format!("{flag}: {}: {error}", if file == "-" { "standard input" } else { file }))
    };
    let read = if file == "-" {
        std::io::stdin().lock().take(MAX_INPUT_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(MAX_INPUT_BYTES).read_to_string(&mut text))
    };
    read.map_err(wrong)?;
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::usage(format!("{flag}: there is nothing in it")));
    }
    Ok(text.into())
}

/// The token alone: people keep it with `Bearer` before it, or as the whole answer that it came in.
fn bare(text: &SecretString) -> SecretString {
    let text = text.expose_secret().trim();
    let of_answer = serde_json::from_str::<Value>(text).ok();
    let of_answer = of_answer.as_ref().and_then(|answer| answer.get("access_token")?.as_str());
    let of_header = text.strip_prefix("Bearer ").or_else(|| text.strip_prefix("bearer "));
    of_answer.or(of_header).unwrap_or(text).trim().into()
}

fn is_dash(secret: &SecretString) -> bool {
    secret.expose_secret() == "-"
}

const NO_DOCUMENT: &str = "there is no document of this issuer to go by";
const MAX_INPUT_BYTES: u64 = 64 * 1024;
