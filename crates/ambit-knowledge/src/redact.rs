//! Takes secrets out of what somebody pasted, before anything else looks at it.
//!
//! Two kinds of rules find them, each in one pass: `SHAPES`, what a secret looks like wherever it stands; and names,
//! what a secret is called (`client_secret=…`, `"password": "…"`, `Authorization: …`). Where a word may be prose as well
//! ("invalid token: expired"), the value has to look like a secret. In doubt a text is taken for one: a message that
//! lost a word is still recognised, a secret that was shown is not taken back.
//!
//! Names and the kind of authentication are left standing, since they help to recognise a message.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::input::is_registered;

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";
/// What stands where a signed token stood. Its header and claims are decoded apart; its signature is kept nowhere.
pub const JWT: &str = "[jwt]";

/// The text without the secrets in it. Takes time in proportion to the text.
///
/// ```
/// let shown = ambit_knowledge::redact::redact("curl -u shop:hunter2 -d client_secret=s3cr3t https://as.example/token");
/// assert_eq!(shown, "curl -u shop:[redacted] -d client_secret=[redacted] https://as.example/token");
/// ```
#[must_use]
pub fn redact(text: &str) -> String {
    let mut spans = by_shape(text);
    spans.extend(Names::new(text).spans());
    spans.sort_by_key(|span| (span.from, std::cmp::Reverse(span.to)));
    let mut shown = String::with_capacity(text.len());
    let mut copied = 0;
    for span in spans {
        if span.to <= copied {
            continue;
        }
        if span.from >= copied {
            shown.push_str(&text[copied..span.from]);
            shown.push_str(span.instead);
        }
        copied = span.to;
    }
    shown.push_str(&text[copied..]);
    shown
}

/// A secret's place.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: usize,
    to: usize,
    instead: &'static str,
}

/// An expression, what to show instead of its group, and whether a match is one.
type Shape = (Regex, &'static str, fn(&str, &Captures<'_>) -> bool);

/// What a secret looks like, and what about a match makes it one. Every expression consumes what it has looked at, up to
/// a bounded rest, so that finding all matches stays linear.
static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let always = |_: &str, _: &Captures<'_>| true;
    [
        (
            r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----[^-]*(?:-{1,5}(?:END[A-Z0-9 -]{0,60})?)?)",
            REDACTED,
            always as fn(&str, &Captures<'_>) -> bool,
        ),
        // A JSON object in base64url: a JWS or JWE, also one that was cut off.
        (r"(eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4})", JWT, always),
        (r"((?:eyA|ewo|ewk|ewAi)[A-Za-z0-9_-]{12,}(?:\.[A-Za-z0-9_-]*){1,4})", JWT, always),
        // Ambit's own; then those that the services of others mark as theirs.
        (r"\b(ambit_[a-z]{2,4}_[A-Za-z0-9_-]{8,})", REDACTED, always),
        (
            r"\b((?:gh[opsur]_|github_pat_|glpat-|xox[abeprs]-|AKIA|ASIA|AIza|ya29\.|GOCSPX-|[rs]k_(?:live|test)_|ory_(?:at|rt|ac)_|dop_v1_|npm_|SG\.)[A-Za-z0-9_.~-]{12,})",
            REDACTED,
            always,
        ),
        (r"\b([A-Za-z0-9_]{3}[78]Q~[A-Za-z0-9_.~-]{30,})", REDACTED, always),
        (r"(?i)\b(?:bearer|basic|dpop|negotiate|ntlm|digest|apikey|ssws)[ \t]+([A-Za-z0-9._~+/-]{6,}=*)", REDACTED, is_credential),
        (r#"(?i)\b[a-z][a-z0-9+.-]{1,30}://[^\s/@:"'<>]*:([^\s/@"'<>]+)@"#, REDACTED, always),
        (r#"(?:^|[\s"'])(?:-u|--user|--proxy-user)[ =]?["']?[^\s:"']*:([^\s"']+)"#, REDACTED, always),
        (r#"(?:^|[\s"'])(?:-b|--cookie)[ =]?["']?([^\s"']+)"#, REDACTED, always),
        (r"\b([A-Za-z0-9_-]{24,})", REDACTED, |_, found| looks_random(&found[1])),
        (r"([A-Za-z0-9+/]{40,}={0,2})", REDACTED, |_, found| looks_random(&found[1]) && !is_sentence(&found[1])),
        (r"\b([0-9a-fA-F]{40,})\b", REDACTED, always),
    ]
    .map(|(expression, instead, holds)| (Regex::new(expression).expect("a constant that a test compiles"), instead, holds))
    .into()
});

fn by_shape(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    for (expression, instead, holds) in SHAPES.iter() {
        for found in expression.captures_iter(text) {
            if holds(text, &found) {
                let secret = found.get(1).expect("every expression has one group, which takes part in every match");
                spans.push(Span { from: secret.start(), to: secret.end(), instead });
            }
        }
    }
    spans
}

/// Whether what follows `Bearer` is a credential: neither a parameter of a challenge (`Bearer error="…"`) nor a word
/// ("Bearer authentication is required").
fn is_credential(text: &str, found: &Captures<'_>) -> bool {
    let secret = found.get(1).expect("the expression has a group");
    let (value, after) = (secret.as_str(), text[secret.end()..].chars().next());
    let name = value.trim_end_matches('=');
    if name.len() < value.len() && name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_') {
        let is_param = after.is_some_and(|c| c == '"' || c == '\\' || c == '\'' || c.is_ascii_alphanumeric());
        if is_param {
            return false;
        }
    }
    !is_prose(value)
}

/// What people and programs write: words and names of letters alone, whatever joins them.
fn is_prose(value: &str) -> bool {
    let joints = ['-', '/', '_', '.', ':', '$', '(', ')', '[', ']', '!', '?'];
    let is_word = |word: &str| word.len() < 40 && word.bytes().all(|c| c.is_ascii_alphabetic());
    value.split(joints).all(is_word) && !looks_random(value)
}

/// Whether a run of characters has been drawn by chance: digits, small and capital letters change places too often for
/// a name.
fn looks_random(value: &str) -> bool {
    let kind = |c: u8| match c {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let kinds: Vec<u8> = value.bytes().map(kind).collect();
    let has = |wanted: u8| kinds.contains(&wanted);
    // Names in capitals and small letters change at every word; a random text changes at every second character.
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let digit_runs = kinds.windows(2).filter(|pair| pair[0] == 0 && pair[1] != 0).count();
    has(0) && has(1) && has(2) && digit_runs >= 2 && changes * 3 >= value.len()
        // Capitals and small letters alone, as one in a thousand random texts of this length has it.
        || has(1) && has(2) && value.len() >= 32 && changes * 5 >= value.len() * 2
}

/// Words of a form-encoded text: four of letters or of digits at least, none of them long.
fn is_sentence(value: &str) -> bool {
    let is_word = |word: &str| {
        word.len() < 24 && (word.bytes().all(|c| c.is_ascii_alphabetic()) || word.bytes().all(|c| c.is_ascii_digit()))
    };
    value.split('+').count() >= 4 && value.split('+').all(is_word)
}

/// How sure a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Called {
    /// A secret, unless it is followed by prose.
    Secret,
    /// A password: one word alone is enough of a secret.
    Password,
    /// A header whose whole value is one.
    Header,
    /// A secret if it looks like one.
    Perhaps,
    /// The private part of a JWK, in JSON only.
    JwkMember,
}

/// Walks over the separators of names and values.
struct Names<'a> {
    text: &'a str,
    bytes: &'a [u8],
    spans: Vec<Span>,
}

/// The value after a separator.
struct Value {
    from: usize,
    to: usize,
    is_quoted: bool,
}

impl<'a> Names<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), spans: Vec::new() }
    }

    fn spans(mut self) -> Vec<Span> {
        let mut at = 0;
        // HAR and logs write a header as two members, {"name": "Cookie", "value": "…"}, in either order.
        let mut named = None;
        let mut valued: Option<Value> = None;
        while let Some(offset) = memchr::memchr3(b':', b'=', b'%', &self.bytes[at..]) {
            let separator = at + offset;
            let Some(after) = self.after_separator(separator) else {
                at = separator + 1;
                continue;
            };
            at = after;
            let name = self.name_before(separator);
            let known_as = plain(name);
            if known_as == "cookies" {
                if let Some(list) = self.list_at(after) {
                    at = list.to;
                    self.push(&list);
                }
                continue;
            }
            let called = match known_as.as_str() {
                "name" | "key" => {
                    let value = self.value_at(separator, after, false);
                    let header = called(&plain(&self.text[value.from..value.to]));
                    if let (Some(_), Some(earlier)) = (header, valued.take())
                        && separator - earlier.to < 32
                    {
                        self.push(&earlier);
                    }
                    named = header;
                    continue;
                }
                "value" => {
                    let value = self.value_at(separator, after, false);
                    match named.take() {
                        Some(_) => {
                            at = value.to;
                            self.push(&value);
                        }
                        None => valued = Some(value),
                    }
                    continue;
                }
                _ => called(&known_as),
            };
            if let Some(called) = called
                && let Some(value) = self.secret(called, name, separator, after)
            {
                at = value.to.max(after);
                self.push(&value);
            }
        }
        self.spans
    }

    fn push(&mut self, value: &Value) {
        if value.from < value.to {
            self.spans.push(Span { from: value.from, to: value.to, instead: REDACTED });
        }
    }

    /// The place after `=`, `:` or their percent-encoded forms.
    fn after_separator(&self, at: usize) -> Option<usize> {
        if self.bytes[at] != b'%' {
            return Some(at + 1);
        }
        let code = self.bytes.get(at + 1..at + 3)?;
        (code.eq_ignore_ascii_case(b"3d") || code.eq_ignore_ascii_case(b"3a")).then_some(at + 3)
    }

    /// The name that ends before a separator, its quotes taken off.
    fn name_before(&self, separator: usize) -> &'a str {
        let mut to = separator;
        let floor = separator.saturating_sub(MAX_NAME + 8);
        while to > floor && matches!(self.bytes[to - 1], b' ' | b'\t' | b'"' | b'\'' | b'\\' | b'`' | b']') {
            to -= 1;
        }
        if self.bytes[..to].ends_with(b"%22") {
            to -= 3;
        }
        let mut from = to;
        while from > floor && is_name(self.bytes[from - 1]) {
            from -= 1;
        }
        // `%3Fcode%3D…`: what was encoded before the name is no part of it.
        if from > 0 && self.bytes[from - 1] == b'%' && to - from > 2 {
            from += 2;
        }
        // Both ends are next to ASCII.
        &self.text[from..to]
    }

    /// The secret after a name; `None` where it is none.
    fn secret(&self, called: Called, name: &str, separator: usize, after: usize) -> Option<Value> {
        let value = self.value_at(separator, after, called == Called::Header);
        let text = &self.text[value.from..value.to];
        let is_assigned = self.bytes[separator] != b':';
        let is_in_url = {
            let start = name.as_ptr() as usize - self.text.as_ptr() as usize;
            is_assigned && (start == 0 || matches!(self.bytes[start - 1], b'?' | b'&' | b'#'))
                || self.bytes[separator] == b'%'
        };
        let is_secret = match called {
            Called::Header => true,
            // "send an access token: 'Authorization: Bearer …'": the header has a name of its own.
            Called::Secret if text.starts_with("Authorization:") => false,
            // "cannot fetch token: 401 Unauthorized", "retrieving token: AADSTS50011: …": what went wrong with it.
            Called::Secret | Called::Password if !is_assigned && is_of_error(text) => false,
            // "cannot decode the token: 'Invalid signature'": no token has spaces.
            Called::Secret if value.is_quoted && !is_assigned && is_of_token(name) && is_told(text) => false,
            Called::Secret | Called::Password if value.is_quoted || is_assigned => {
                !matches!(text, "null" | "true" | "false")
            }
            Called::Secret => !is_prose(text) && !text.starts_with(['[', '<', '{', '(']),
            Called::Password => !is_prose(text) || self.is_end_of_line(value.to),
            Called::Perhaps if is_in_url => !text.bytes().all(|c| c.is_ascii_digit()) || text.len() > 5,
            Called::Perhaps => {
                looks_random(text) || text.len() >= 16 && text.bytes().any(|c| c.is_ascii_digit()) && !is_code(text)
            }
            Called::JwkMember => {
                value.is_quoted
                    && text.len() >= 16
                    && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_+/=".contains(&c))
            }
        };
        is_secret.then_some(value)
    }

    fn is_end_of_line(&self, at: usize) -> bool {
        self.text[at..].trim_start_matches([' ', '\t', '\r', '"', '\'']).chars().next().is_none_or(|c| c == '\n')
    }

    /// What stands after a separator: in quotes, or up to what cannot belong to it.
    fn value_at(&self, separator: usize, after: usize, is_header: bool) -> Value {
        let mut from = after;
        while from < self.bytes.len() && from < after + 16 && matches!(self.bytes[from], b' ' | b'\t') {
            from += 1;
        }
        let slashes = self.bytes[from..].iter().take(4).take_while(|c| **c == b'\\').count();
        let quote = self.bytes.get(from + slashes).copied().filter(|c| matches!(c, b'"' | b'\'' | b'`'));
        if let Some(quote) = quote {
            let from = from + slashes + 1;
            let to = self.end_of_quoted(from, quote, slashes);
            let from = if is_header { self.after_scheme(from, to) } else { from };
            return Value { from, to, is_quoted: true };
        }
        if is_header {
            let quote = self.quote_before_name(separator);
            let to = self.find(from, MAX_VALUE, |c| matches!(c, b'\n' | b'\r') || Some(c) == quote);
            return Value { from: self.after_scheme(from, to), to, is_quoted: false };
        }
        let is_encoded = self.bytes[separator] == b'%';
        let ends = |c: u8| {
            c.is_ascii_whitespace()
                || matches!(c, b'&' | b'"' | b'\'' | b'<' | b'>' | b';' | b',' | b')' | b'}' | b'\\' | b'`' | b'|')
        };
        let mut to = self.find(from, MAX_VALUE, ends);
        if is_encoded && let Some(ampersand) = self.text[from..to].find("%26") {
            to = from + ampersand;
        }
        Value { from, to, is_quoted: false }
    }

    /// A list in brackets, such as the cookies of a HAR.
    fn list_at(&self, after: usize) -> Option<Value> {
        let from = after + self.bytes[after..].iter().take(16).take_while(|c| c.is_ascii_whitespace()).count();
        if self.bytes.get(from) != Some(&b'[') {
            return None;
        }
        let (mut depth, mut is_quoted, mut is_escaped) = (0_usize, false, false);
        for (offset, c) in self.bytes[from..].iter().enumerate() {
            match c {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => is_quoted = !is_quoted,
                b'[' if !is_quoted => depth += 1,
                b']' if !is_quoted => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(Value { from: from + 1, to: from + offset, is_quoted: false });
            }
        }
        Some(Value { from: from + 1, to: self.bytes.len(), is_quoted: false })
    }

    /// The quote that closes what one with so many backslashes before it has opened; the end of the text if none does.
    fn end_of_quoted(&self, from: usize, quote: u8, slashes: usize) -> usize {
        let mut run = 0;
        for (offset, c) in self.bytes[from..].iter().enumerate() {
            match *c {
                b'\\' => run += 1,
                c if c == quote && run <= slashes => return from + offset - run,
                // What was never closed ends with its line.
                b'\n' => return from + offset,
                _ => run = 0,
            }
        }
        self.bytes.len()
    }

    /// A header inside quotes (`-H 'Cookie: …'`) ends with them.
    fn quote_before_name(&self, separator: usize) -> Option<u8> {
        let floor = separator.saturating_sub(MAX_NAME);
        let before = self.bytes[floor..separator].iter().rev().find(|c| !is_name(**c))?;
        matches!(before, b'"' | b'\'').then_some(*before)
    }

    /// Leaves the kind of authentication standing.
    fn after_scheme(&self, from: usize, to: usize) -> usize {
        let value = &self.text[from..to];
        let Some((scheme, rest)) = value.split_once(' ') else { return from };
        let is_known = ["bearer", "basic", "dpop", "digest", "negotiate", "ssws", "token"]
            .iter()
            .any(|it| scheme.eq_ignore_ascii_case(it));
        if is_known { to - rest.len() } else { from }
    }

    fn find(&self, from: usize, limit: usize, ends: impl Fn(u8) -> bool) -> usize {
        let found = self.bytes[from..].iter().take(limit).position(|c| ends(*c));
        let mut to = from + found.unwrap_or_else(|| limit.min(self.bytes.len() - from));
        while !self.text.is_char_boundary(to) {
            to += 1;
        }
        to
    }
}

const fn is_name(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.')
}

/// Whether it is the name of a token, and not of a secret that somebody may have chosen, words and all.
fn is_of_token(name: &str) -> bool {
    name.len() >= 5 && name.is_char_boundary(name.len() - 5) && name[name.len() - 5..].eq_ignore_ascii_case("token")
}

/// Two words of letters at least, all of them, with spaces between: what somebody says, and no secret of a protocol.
fn is_told(value: &str) -> bool {
    let is_word = |word: &str| {
        word.trim_matches(['.', ',', ':', '\'', '"', '(', ')', '!']).bytes().all(|c| c.is_ascii_alphabetic())
    };
    value.split(' ').count() >= 2
        && value.split(' ').all(|word| word.len() < 24 && is_word(word))
        && !looks_random(value)
}

/// What follows the name of a secret where it is the secret that something went wrong with: a status, a registered code,
/// the number of a product's error, the library that speaks.
fn is_of_error(value: &str) -> bool {
    let value = value.trim_end_matches([':', '.', ',']);
    let is_status = value.len() == 3 && value.starts_with(['3', '4', '5']) && value.bytes().all(|c| c.is_ascii_digit());
    is_status || is_registered(value) || is_numbered(value) || LIBRARIES.contains(&value)
}

/// `AADSTS50011`, `IDX10501`: the letters that a product begins its numbers with, and so many digits.
fn is_numbered(value: &str) -> bool {
    let number = NUMBERED.iter().find_map(|letters| value.strip_prefix(letters));
    number.is_some_and(|it| (4..=8).contains(&it.len()) && it.bytes().all(|c| c.is_ascii_digit()))
}

/// A code of an error, which is shown: capitals and digits, or small letters and underscores.
fn is_code(value: &str) -> bool {
    value.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
        || value.bytes().all(|c| c.is_ascii_lowercase() || matches!(c, b'_' | b'-' | b'.'))
}

/// A name without what people vary: case, hyphens, underscores, and the path before it.
fn plain(name: &str) -> String {
    let name = if name.eq_ignore_ascii_case("connect.sid") { "sessionid" } else { name };
    let last = name.rsplit('.').next().unwrap_or(name);
    last.chars().filter(|c| *c != '_' && *c != '-').map(|c| c.to_ascii_lowercase()).collect()
}

fn called(plain: &str) -> Option<Called> {
    const HEADERS: &[&str] = &[
        "authorization",
        "cookie",
        "dpop",
        "proxyauthorization",
        "setcookie",
        "xamzsecuritytoken",
        "xapikey",
        "xauthtoken",
        "xcsrftoken",
        "xforwardedaccesstoken",
        "xxsrftoken",
    ];
    const PASSWORDS: &[&str] = &["clientsecret", "passphrase", "passwd", "password", "pwd", "secret"];
    const SECRETS: &[&str] = &[
        "accesskey",
        "accesstoken",
        "actortoken",
        "apikey",
        "apitoken",
        "appsecret",
        "assertion",
        "authcode",
        "authorizationcode",
        "authreqid",
        "authtoken",
        "bearertoken",
        "clientassertion",
        "clientkey",
        "codeverifier",
        "credential",
        "credentials",
        "csrf",
        "csrftoken",
        "devicecode",
        "encryptionkey",
        "idtoken",
        "idtokenhint",
        "initialaccesstoken",
        "jsessionid",
        "logouttoken",
        "masterkey",
        "mfatoken",
        "newpassword",
        "oldpassword",
        "otp",
        "phpsessid",
        "privatekey",
        "refreshtoken",
        "registrationaccesstoken",
        "samlrequest",
        "samlresponse",
        "secretaccesskey",
        "secretkey",
        "sessionid",
        "sessiontoken",
        "sharedsecret",
        "signature",
        "signingkey",
        "storepassword",
        "subjecttoken",
        "token",
        "totp",
        "usercode",
        "webhooksecret",
    ];
    const PERHAPS: &[&str] =
        &["auth", "code", "key", "nonce", "request", "session", "sessionstate", "sid", "sig", "state", "ticket"];
    const JWK_MEMBERS: &[&str] = &["d", "dp", "dq", "k", "p", "q", "qi"];
    let is_in = |list: &[&str]| list.contains(&plain);
    if is_in(HEADERS) {
        return Some(Called::Header);
    }
    if is_in(PASSWORDS) || plain.ends_with("password") || plain.ends_with("clientsecret") {
        return Some(Called::Password);
    }
    if is_in(SECRETS) {
        return Some(Called::Secret);
    }
    if is_in(PERHAPS) {
        return Some(Called::Perhaps);
    }
    is_in(JWK_MEMBERS).then_some(Called::JwkMember)
}

/// The letters before the numbers of products that number their errors.
const NUMBERED: [&str; 5] = ["AADSTS", "AADB2C", "IDX", "MSIS", "E"];
const LIBRARIES: [&str; 5] = ["oauth2", "OAuth2", "oauth2-client", "jwt-go", "base64"];
const MAX_NAME: usize = 64;
const MAX_VALUE: usize = 64 * 1024;
