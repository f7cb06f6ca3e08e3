//! Status lines, headers and URLs, in transcripts, raw messages and alone.

use std::sync::LazyLock;

use ambit_protocol::challenge::ReceivedChallenge;
use percent_encoding::percent_decode_str;
use regex::Regex;

use super::fact::{FactKind, Facts, Part};

/// Reads what is HTTP. Says whether a whole answer or request seems to be there.
pub(super) fn read(text: &str, facts: &mut Facts) -> bool {
    let mut has_message = false;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let line = of_curl(line);
        if let Some(found) = STATUS_LINE.captures(line) {
            has_message = true;
            push_status(&found[1], Part::StatusLine, facts);
            continue;
        }
        has_message |= REQUEST_LINE.is_match(line);
        let Some((name, value)) = line.split_once(':') else { continue };
        let name = name.trim().trim_start_matches(['\'', '"']);
        if !name.eq_ignore_ascii_case("www-authenticate") {
            continue;
        }
        // Pasting breaks long lines: what is indented, or goes on inside a quoted string, belongs to the header.
        let mut header = value.trim().to_owned();
        while let Some(next) = lines.peek() {
            let goes_on = next.starts_with([' ', '\t']) || header.matches('"').count() % 2 == 1;
            if !goes_on || header.len() > MAX_HEADER || next.trim().is_empty() {
                break;
            }
            header.push(' ');
            header.push_str(of_curl(lines.next().unwrap_or_default()).trim());
        }
        challenge(&header, facts);
    }
    if !facts.has(FactKind::ChallengeError) {
        for found in BARE_CHALLENGE.find_iter(text).take(MAX_FOUND) {
            let rest = &text[found.start()..];
            let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
            challenge(&rest[..end], facts);
        }
    }
    query(text, facts);
    has_message
}

/// A header's value: all its challenges.
pub(super) fn challenge(header: &str, facts: &mut Facts) {
    let header = header.trim().trim_end_matches(['\'', ',']);
    let Ok(challenges) = ReceivedChallenge::parse_all(header) else {
        // Cut off, or quoted once more by whoever logged it.
        for (expression, kind) in LOOSE_PARAMS.iter() {
            if let Some(found) = expression.captures(header) {
                let value = found[1].trim_end_matches('\\');
                if *kind == FactKind::ChallengeError {
                    facts.push(FactKind::OauthError, value, Part::Challenge);
                }
                facts.push(*kind, value, Part::Challenge);
            }
        }
        return;
    };
    for challenge in &challenges {
        if let Some(error) = challenge.param("error") {
            facts.push(FactKind::OauthError, error, Part::Challenge);
            facts.push(FactKind::ChallengeError, error, Part::Challenge);
        } else if challenge.is_bearer() || challenge.scheme().eq_ignore_ascii_case("dpop") {
            facts.push(FactKind::BareChallenge, challenge.scheme(), Part::Challenge);
        }
        for (name, kind) in [
            ("error_description", FactKind::Description),
            ("error_uri", FactKind::ProblemType),
            ("scope", FactKind::NeededScope),
        ] {
            if let Some(value) = challenge.param(name) {
                facts.push(kind, value, Part::Challenge);
            }
        }
    }
}

/// A status that says that something is wrong, or that the answer is a redirect.
pub(super) fn push_status(status: &str, part: Part, facts: &mut Facts) {
    if status.parse().is_ok_and(|status: u16| (300..600).contains(&status)) {
        facts.push(FactKind::Status, status, part);
    }
}

/// `error=…` in the query or the fragment of a URL, or in a form.
fn query(text: &str, facts: &mut Facts) {
    for found in QUERY_ERROR.captures_iter(text).take(MAX_FOUND) {
        let Some(place) = found.get(0) else { continue };
        let error = decoded(&found[1]);
        if is_error_code(&error) {
            facts.push(FactKind::OauthError, &error, Part::Query);
        } else if error.contains(' ') {
            // A page of one's own that is handed the words instead of the code.
            facts.push(FactKind::Description, &error, Part::Query);
        } else {
            continue;
        }
        // The parameters around it, up to what ends a URL.
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`');
        let before = floor(text, place.start().saturating_sub(MAX_URL));
        let from = text[before..place.start()].rfind(ends).map_or(before, |at| before + at + 1);
        let after = floor(text, text.len().min(place.end() + MAX_URL));
        let to = text[place.end()..after].find(ends).map_or(after, |at| place.end() + at);
        for pair in text[from..to].split(['?', '#', '&']) {
            let Some((name, value)) = pair.split_once('=') else { continue };
            match name.trim_start_matches("amp;") {
                "error_description" => facts.push(FactKind::Description, &decoded(value), Part::Query),
                "error_uri" => facts.push(FactKind::ProblemType, &decoded(value), Part::Query),
                "error_subcode" | "error_code" => facts.push(FactKind::VendorCode, &decoded(value), Part::Query),
                _ => {}
            }
        }
    }
}

/// The form of an OAuth error code: RFC 6749 allows more, and nobody uses it.
pub(super) fn is_error_code(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
        && text.bytes().any(|c| c.is_ascii_lowercase())
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn decoded(value: &str) -> String {
    percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// A line without what `curl -v` puts before it.
fn of_curl(line: &str) -> &str {
    let line = line.trim_end();
    let inner = line.trim_start();
    inner.strip_prefix("< ").or_else(|| inner.strip_prefix("> ")).or_else(|| inner.strip_prefix("* ")).unwrap_or(line)
}

static STATUS_LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*HTTP/[0-9](?:\.[0-9])? ([1-5][0-9]{2})(?: |$)").expect("a constant that a test compiles")
});
static REQUEST_LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:GET|POST|PUT|PATCH|DELETE|OPTIONS|HEAD) \S+ HTTP/[0-9]").expect("a constant that a test compiles")
});
static BARE_CHALLENGE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:Bearer|DPoP) +(?:realm|error|error_description|scope|resource_metadata|authorization_uri|algs)=",
    )
    .expect("a constant that a test compiles")
});
static QUERY_ERROR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?:^|[?&#\s"'])error=([^&\s"'<>#]{1,300})"#).expect("a constant that a test compiles")
});
static LOOSE_PARAMS: LazyLock<[(Regex, FactKind); 4]> = LazyLock::new(|| {
    [
        (r#"\berror=\\?"?([a-z_]{3,64})"#, FactKind::ChallengeError),
        (r#"\berror_description=\\?"([^"]+)"#, FactKind::Description),
        (r#"\berror_uri=\\?"([^"]+)"#, FactKind::ProblemType),
        (r#"\bscope=\\?"([^"]+)"#, FactKind::NeededScope),
    ]
    .map(|(expression, kind)| (Regex::new(expression).expect("a constant that a test compiles"), kind))
});

const MAX_HEADER: usize = 8 * 1024;
const MAX_URL: usize = 4 * 1024;
const MAX_FOUND: usize = 16;
