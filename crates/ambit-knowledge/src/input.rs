//! Takes apart what somebody has in hand: a message, a JSON body, headers, a transcript of `curl -v`, a HAR, the URL of a
//! redirect, log lines, a stack trace, a token.
//!
//! 1. Bytes become text: at most [`MAX_INPUT`], what is no UTF-8 is replaced, terminal colours are dropped.
//! 2. Tokens are decoded (`jwt`); of their claims only those are kept that decide something, of their signature nothing.
//! 3. Secrets are taken out ([`crate::redact`]). Nothing after this step has seen them.
//! 4. What carried the text here is undone: entities, percent signs, backslashes, signs of quotation (`carried`).
//! 5. What is left is read for [`Fact`]s: by HTTP's rules (`http`), as JSON (`json`), and as words (`words`).
//!
//! All of it takes time in proportion to the input, whatever the input is.

use std::sync::LazyLock;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::entry::Product;
use crate::redact::redact;

mod carried;
mod complaint;
mod fact;
mod flat;
mod grammar;
mod http;
mod json;
mod jwt;
mod vocabulary;
mod words;

pub use fact::{Fact, FactKind, Part};
pub use jwt::Jwt;

pub(crate) use complaint::Complaint;
pub(crate) use flat::{Flat, fold};
pub(crate) use words::{is_hanzi, is_registered};

use fact::Facts;

/// What is read of an input, in octets. The rest is left out, and said to be.
pub const MAX_INPUT: usize = 1024 * 1024;

/// Something that a person pasted, without its secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    shown: String,
    /// The same without the backslashes of a log, where it had some.
    said: Option<String>,
    flat: Flat,
    unbroken: Option<Flat>,
    kind: InputKind,
    facts: Vec<Fact>,
    jwts: Vec<Jwt>,
    products: Vec<Product>,
    complaints: Vec<Complaint>,
    is_cut: bool,
}

/// What an input was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// Nothing, or nothing but white space.
    Empty,
    /// An HTTP archive.
    Har,
    /// A request, a response, or the transcript of both.
    Http,
    /// A JSON document.
    Json,
    /// A line or two of headers.
    Header,
    /// A URL that carries an error.
    Url,
    /// A token.
    Jwt,
    /// An exception with its frames.
    StackTrace,
    /// Log lines.
    Log,
    /// Anything else.
    Message,
}

impl Input {
    /// Takes apart whatever it is given.
    ///
    /// ```
    /// use ambit_knowledge::input::{FactKind, Input};
    ///
    /// let input = Input::take_apart(br#"{"error":"invalid_grant","error_description":"Code not valid"}"#);
    /// let fact = input.facts().iter().find(|fact| fact.kind == FactKind::OauthError).expect("there is one");
    /// assert_eq!(fact.value, "invalid_grant");
    /// ```
    #[must_use]
    pub fn take_apart(bytes: &[u8]) -> Self {
        let is_cut = bytes.len() > MAX_INPUT;
        let text = clean(&String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_INPUT)]));
        let jwts = jwt::find(&text);
        let mut shown = redact(&text);
        drop(text);
        if let Some(unpacked) = carried::unpacked(&shown) {
            // An encoding hides secrets as well.
            shown = redact(&unpacked);
        }
        let said = carried::unescaped(&shown).map(|unescaped| redact(&unescaped));

        let mut facts = Facts::default();
        let values = json::values(&shown);
        let text = said.as_deref().unwrap_or(&shown);
        // What stands within strings of JSON is read as JSON, where it is told apart what was asked and what was answered.
        let outside = if values.is_empty() { text } else { &shown };
        let has_http = http::read(outside, &mut facts);
        for value in &values {
            json::read(value, &mut facts);
        }
        words::read(outside, &mut facts);
        for jwt in &jwts {
            jwt.read(&mut facts);
        }
        let flat = Flat::new(text);
        let unbroken = unbroken(text).map(|text| Flat::new(&text));
        let products = words::products([Some(&flat), unbroken.as_ref()].into_iter().flatten().map(Flat::folded));
        let kind = kind(&shown, &values, has_http, &jwts, &facts);
        let facts = facts.into_vec();
        let mut input =
            Self { shown, said, flat, unbroken, kind, facts, jwts, products, complaints: Vec::new(), is_cut };
        if !input.is_of_another_protocol() {
            input.complaints = complaint::read(input.complaining(), input.is_about_oauth());
            if input.complaints.is_empty() {
                input.complaints.extend(input.bare_challenge().map(|scheme| Complaint::no_token(&scheme.value)));
            }
        }
        input
    }

    /// The text as it may be shown: without its secrets.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// What it was taken for.
    #[must_use]
    pub const fn kind(&self) -> InputKind {
        self.kind
    }

    /// What was found in it, in the order in which it counts.
    #[must_use]
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// The tokens in it: headers and claims, without signatures.
    #[must_use]
    pub fn jwts(&self) -> &[Jwt] {
        &self.jwts
    }

    /// The products that it shows.
    #[must_use]
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// Whether it was longer than [`MAX_INPUT`].
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The values of one kind of fact.
    pub fn values(&self, kind: FactKind) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(move |fact| fact.kind == kind)
    }

    /// The HTTP status that the last answer in it had.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.values(FactKind::Status).last().and_then(|fact| fact.value.parse().ok())
    }

    /// Whether it is about another protocol than OAuth, and says nothing of OAuth's.
    pub(crate) fn is_of_another_protocol(&self) -> bool {
        let is_ours = |fact: &Fact| {
            matches!(fact.kind, FactKind::OauthError | FactKind::MentionedError) && is_registered(&fact.value)
        };
        !self.facts.iter().any(is_ours) && self.products.is_empty() && words::is_of_another_protocol(self.flat.folded())
    }

    /// Whether anything in it is OAuth's: a code, a product, a token, a word of the protocol.
    pub(crate) fn is_about_oauth(&self) -> bool {
        let is_code = |fact: &Fact| matches!(fact.kind, FactKind::OauthError | FactKind::MentionedError);
        self.facts.iter().any(is_code)
            || !self.products.is_empty()
            || !self.jwts.is_empty()
            || words::is_of_oauth(self.flat.folded())
    }

    /// The challenge of an answer to a request that brought no token.
    fn bare_challenge(&self) -> Option<&Fact> {
        let says_more = |fact: &Fact| fact.kind.is_code() || fact.kind == FactKind::Description;
        let is_refused = self.status().is_none_or(|status| status == 401);
        let has_token = !self.jwts.is_empty() || AUTHORIZATION.is_match(self.flat.folded());
        let is_bare = is_refused && !has_token && !self.facts.iter().any(says_more);
        self.values(FactKind::BareChallenge).next().filter(|_| is_bare)
    }

    /// What it complains of.
    pub(crate) fn complaints(&self) -> &[Complaint] {
        &self.complaints
    }

    /// The texts in which it says what is wrong: of an answer what it says for people, of anything else the lines that are no
    /// frames of a stack.
    fn complaining(&self) -> impl Iterator<Item = String> {
        let has_form = matches!(
            self.kind,
            InputKind::Har | InputKind::Http | InputKind::Json | InputKind::Header | InputKind::Url
        );
        let said = |fact: &Fact| matches!(fact.kind, FactKind::Exception | FactKind::Description);
        let has_said = has_form && self.values(FactKind::Description).next().is_some();
        let said_text = self.said.as_deref().unwrap_or(&self.shown);
        let is_long = said_text.len() > MAX_COMPLAINT;
        let whole = (!has_said).then(|| {
            let is_frame =
                |line: &&str| line.trim_start().starts_with("at ") || line.trim_start().starts_with("File \"");
            let lines = said_text.lines().filter(|line| !is_frame(line));
            let mut text = String::new();
            for line in lines.take_while(|line| !line.is_empty() || !is_long) {
                if text.len() + line.len() > MAX_COMPLAINT {
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            text
        });
        let vendor = |fact: &Fact| has_form && fact.kind == FactKind::VendorCode;
        let facts = self.facts.iter().filter(move |fact| (has_said || is_long) && said(fact) || vendor(fact));
        let codes = facts.clone().filter(|fact| fact.kind != FactKind::Description);
        let said = facts.clone().filter(|fact| fact.kind == FactKind::Description);
        let texts: Vec<String> =
            whole.into_iter().chain(codes.chain(said).map(|fact| class(&fact.value).to_owned())).collect();
        texts.into_iter()
    }

    pub(crate) const fn flat(&self) -> &Flat {
        &self.flat
    }

    /// The same without the line breaks that may stand within words; none where there are no such.
    pub(crate) const fn unbroken(&self) -> Option<&Flat> {
        self.unbroken.as_ref()
    }
}

/// Drops what a terminal would not print: colours, and control characters other than line breaks and tabs.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => {
                let mut ahead = rest.clone();
                if ahead.next() == Some('[') {
                    // ECMA-48: parameters and intermediates, then one final character. Colours are short.
                    let length = ahead.clone().take(24).take_while(|c| (' '..='?').contains(c)).count();
                    if ahead.clone().nth(length).is_some_and(|c| ('@'..='~').contains(&c)) {
                        rest = ahead;
                        rest.by_ref().take(length + 1).for_each(drop);
                    }
                }
            }
            '\r' | '\n' | '\t' => clean.push(c),
            '\u{feff}' => {}
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    clean
}

/// A message that was copied from a narrow window is broken where the window ended, in the middle of a word as well. Whether
/// it was cannot be seen, so the text is read both ways.
fn unbroken(text: &str) -> Option<String> {
    if text.len() > MAX_UNBROKEN {
        return None;
    }
    let mut joined = String::with_capacity(text.len());
    let mut lines = text.lines();
    joined.push_str(lines.next()?);
    let mut is_joined = false;
    for line in lines {
        let is_within = joined.ends_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '-' | '_'))
            && line.starts_with(|c: char| c.is_ascii_lowercase());
        is_joined |= is_within;
        if !is_within {
            joined.push('\n');
        }
        joined.push_str(line);
    }
    is_joined.then_some(joined)
}

fn kind(shown: &str, values: &[serde_json::Value], has_http: bool, jwts: &[Jwt], facts: &Facts) -> InputKind {
    let text = shown.trim();
    if text.is_empty() {
        return InputKind::Empty;
    }
    if let [value] = values
        && text.starts_with(['{', '['])
        && text.ends_with(['}', ']'])
    {
        return if value.get("log").is_some_and(|log| log.get("entries").is_some()) {
            InputKind::Har
        } else {
            InputKind::Json
        };
    }
    if has_http {
        return InputKind::Http;
    }
    if !jwts.is_empty() && text.len() < 32 {
        return InputKind::Jwt;
    }
    if words::is_stack_trace(text) {
        return InputKind::StackTrace;
    }
    let has_part = |part: Part| facts.iter().any(|fact| fact.part == part);
    if has_part(Part::Challenge) && text.lines().count() <= 20 {
        return InputKind::Header;
    }
    if has_part(Part::Query) && text.lines().count() <= 2 && text.split_whitespace().count() <= 3 {
        return InputKind::Url;
    }
    if words::is_log(text) { InputKind::Log } else { InputKind::Message }
}

/// The name of a class without its package.
fn class(name: &str) -> &str {
    if name.contains(' ') { name } else { name.rsplit(['.', '$']).next().unwrap_or(name) }
}

/// A request's header with a token, in a transcript or as an option of `curl`.
static AUTHORIZATION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"\bauthorization['"]?\s*[:=]"#).expect("a constant that a test compiles"));
/// How much of a text is read for what it complains of.
const MAX_COMPLAINT: usize = 2000;
/// A longer text is a file or a log, and not a message.
const MAX_UNBROKEN: usize = 8 * 1024;
