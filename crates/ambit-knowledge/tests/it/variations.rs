//! Messages as people have them in hand: what the samples say, as another window, log, mail or release would say it.
//!
//! Each [`Kind`] is a way in which a message varies without saying anything else. The positive samples of all entries are
//! varied in every way that applies to them, and every so manieth variation is answered. What is counted is how often the entry
//! still comes first, alone or of several. The golden table is how often that is now.

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::thread;

use ambit_knowledge::entry::Product;
use ambit_knowledge::{Answer, Entry, Input, Knowledge, Language, Outcome};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::{Captures, Regex};

/// A way in which messages vary.
struct Kind {
    name: &'static str,
    vary: fn(&str) -> Vec<String>,
}

/// Another case, another window, another carrier.
const FORMS: &[Kind] = &[
    kind("as it is", |text| vec![text.to_owned()]),
    kind("in capitals", |text| vec![text.to_uppercase()]),
    kind("in small letters", |text| vec![text.to_lowercase()]),
    kind("every word with a capital", |text| vec![capitalised(text)]),
    kind("wrapped between words", |text| vec![wrapped_between(text, 60)]),
    kind("wrapped within words", |text| vec![wrapped_within(text, 47)]),
    kind("on one line", |text| vec![words(text).join(" ")]),
    kind("with wide spaces and CRLF", |text| vec![text.replace('\n', "\r\n").replace(' ', "  ")]),
    kind("with ids around it", |text| {
        vec![format!(
            "Trace ID: {UUID} Correlation ID: {UUID} Timestamp: 2026-01-05 10:22:33Z {text} (request 00-4bf92f35-01)"
        )]
    }),
    kind("with ids behind it", |text| vec![format!("{text} [traceId=4bf92f3577b34da6, requestId={UUID}]")]),
    kind("after a log prefix", |text| LOG_PREFIXES.iter().map(|prefix| format!("{prefix}{text}")).collect()),
    kind("in a JSON log", |text| {
        vec![
            serde_json::json!({"level": "error", "ts": "2026-01-05T10:22:33.120Z", "logger": "web", "msg": text}).to_string(),
            serde_json::json!({"timestamp": "2026-01-05T10:22:33Z", "severity": "ERROR", "message": format!("request failed: {text}"), "trace": UUID}).to_string(),
        ]
    }),
    kind("in a logfmt field", |text| {
        vec![format!(
            "time=2026-01-05T10:22:33Z level=error msg=\"request failed\" err={} path=/orders",
            serde_json::json!(text)
        )]
    }),
    kind("escaped twice in a JSON log", |text| {
        let inner = serde_json::json!({"msg": text}).to_string();
        vec![serde_json::json!({"log": inner, "stream": "stderr"}).to_string()]
    }),
    kind("in HTML", |text| vec![format!("<div class=\"alert\"><p>{}</p></div>", html(text)), html(text)]),
    kind("percent-encoded", |text| {
        vec![
            utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
            format!("https://app.example/login?message={}&lang=en", utf8_percent_encode(text, NON_ALPHANUMERIC)),
            format!(
                "GET /login?reason={}",
                utf8_percent_encode(text, NON_ALPHANUMERIC).to_string().replace("%20", "+")
            ),
        ]
    }),
    kind("quoted in a mail", |text| {
        let quoted: Vec<String> = text.lines().map(|line| format!("> {line}")).collect();
        vec![format!("On Mon, 5 Jan 2026 at 10:22, Kim wrote:\n{}\n\nDoes anybody know this one?", quoted.join("\n"))]
    }),
    kind("in Markdown", |text| vec![format!("```\n{text}\n```"), format!("**Error**: `{text}`")]),
    kind("in a question", |text| {
        vec![format!("Hi, since this morning our staging system shows this, what can we do?\n\n{text}\n\nThanks!")]
    }),
    kind("before Java frames", |text| vec![format!("java.lang.RuntimeException: {text}{JAVA_FRAMES}")]),
    kind("before JavaScript frames", |text| vec![format!("Error: {text}{NODE_FRAMES}")]),
    kind("after Python frames", |text| vec![format!("{PYTHON_FRAMES}Exception: {text}")]),
    kind("as a cause", |text| {
        vec![format!(
            "org.example.web.ServiceFault: the call was not made{JAVA_FRAMES}\nCaused by: java.lang.Exception: {text}{JAVA_FRAMES}"
        )]
    }),
    kind("in Go's chain", |text| {
        vec![format!(
            "panic: serve: middleware: {text}\n\ngoroutine 17 [running]:\nmain.main()\n\t/src/main.go:41 +0x1d"
        )]
    }),
    kind("in colours", |text| {
        vec![format!("\u{1b}[31mERROR\u{1b}[0m \u{1b}[1m{}\u{1b}[0m", text.replace(' ', " \u{1b}[0m\u{1b}[31m"))]
    }),
    kind("cut at the end", |text| cut_end(text, 70)),
    kind("cut at the front", |text| cut_front(text, 30)),
    kind("with other quotes", |text| {
        vec![
            text.replace('"', "'"),
            text.replace('"', "\u{201d}").replace('\'', "\u{2019}"),
            text.replace(['"', '\''], "`"),
            text.replace('"', "\\\""),
        ]
    }),
    kind("without quotes", |text| vec![text.replace(['"', '\'', '`'], "")]),
    kind("with other names", |text| vec![with_other_names(text)]),
    kind("with spaces for underscores", |text| vec![text.replace('_', " ")]),
];

/// Other words for the same.
const REWORDINGS: &[Kind] = &[
    kind("cannot", |text| {
        reworded(
            text,
            &["cannot", "could not", "can't", "couldn't", "unable to", "can not"],
            &["cannot", "could not", "can't", "unable to", "failed to"],
        )
    }),
    kind("failed to", |text| reworded(text, &["failed to"], &["could not", "cannot", "was unable to"])),
    kind("invalid", |text| reworded(text, &["invalid"], &["bad", "wrong", "incorrect"])),
    kind("is invalid", |text| {
        reworded(
            text,
            &["is invalid", "is not valid", "was invalid"],
            &["is not valid", "isn't valid", "is incorrect", "was invalid", "is invalid"],
        )
    }),
    kind("missing", |text| {
        reworded(text, &["missing", "is missing", "was missing"], &["absent", "not provided", "not present"])
    }),
    kind("is missing", |text| {
        reworded(
            text,
            &["is missing", "was missing", "is not present", "was not provided", "not present", "not provided"],
            &["is missing", "was not provided", "is not present", "is absent", "was not supplied"],
        )
    }),
    kind("is required", |text| {
        reworded(text, &["is required"], &["must be provided", "is mandatory", "was expected and is missing"])
    }),
    kind("mismatch", |text| reworded(text, &["mismatch"], &["does not match", "not matching", "differs"])),
    kind("does not match", |text| {
        reworded(
            text,
            &["does not match", "did not match", "doesn't match", "do not match", "don't match"],
            &["doesn't match", "did not match", "does not equal", "differs from", "is different from"],
        )
    }),
    kind("expired", |text| {
        reworded(
            text,
            &["has expired", "is expired", "was expired", "expired"],
            &["is expired", "has expired", "has already expired"],
        )
    }),
    kind("not found", |text| {
        reworded(
            text,
            &["not found", "was not found", "is unknown", "does not exist", "doesn't exist", "could not be found"],
            &["could not be found", "does not exist", "was not found", "is unknown"],
        )
    }),
    kind("unknown", |text| {
        reworded(text, &["unknown", "unrecognized", "unrecognised"], &["unrecognized", "unrecognised", "no such"])
    }),
    kind("not allowed", |text| {
        reworded(
            text,
            &["is not allowed", "is not permitted", "is not authorized", "are not allowed"],
            &["is not permitted", "is not allowed", "isn't allowed", "is forbidden"],
        )
    }),
    kind("not supported", |text| {
        reworded(
            text,
            &["is not supported", "not supported", "unsupported"],
            &["is not supported", "unsupported", "isn't supported"],
        )
    }),
    kind("in British spelling", |text| {
        respelled(
            text,
            &[
                ("authoriz", "authoris"),
                ("Authoriz", "Authoris"),
                ("recogniz", "recognis"),
                ("initializ", "initialis"),
                ("canceled", "cancelled"),
            ],
        )
    }),
    kind("in other numbers", |text| {
        respelled(
            text,
            &[
                ("audiences", "audience"),
                ("scopes", "scope"),
                ("claims", "claim"),
                ("keys", "key"),
                ("URIs", "URI"),
                ("tokens", "token"),
                ("segments", "segment"),
            ],
        )
    }),
];

const fn kind(name: &'static str, vary: fn(&str) -> Vec<String>) -> Kind {
    Kind { name, vary }
}

#[test]
fn what_varies_without_saying_anything_else_is_answered_alike() {
    // What applies to few is tried more often.
    let kinds: Vec<(&Kind, usize)> =
        FORMS.iter().map(|kind| (kind, 61)).chain(REWORDINGS.iter().map(|kind| (kind, 3))).collect();
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let halves = kinds.chunks(kinds.len().div_ceil(2));
        let halves: Vec<_> = halves
            .map(|half| scope.spawn(move || half.iter().map(|(kind, share)| tally(kind, *share)).collect::<Vec<_>>()))
            .collect();
        halves.into_iter().flat_map(|half| half.join().expect("a half of the kinds")).collect()
    });
    let mut told = String::new();
    for ((kind, _), tally) in kinds.iter().zip(&tallies) {
        let [right, general, unsure, unanswered, misled, wrong] = tally;
        let all: usize = tally.iter().sum();
        writeln!(
            told,
            "{}: of {all}, right {right}, everybody's {general}, unsure {unsure}, unanswered {unanswered}, \
             misled {misled}, wrong {wrong}",
            kind.name
        )
        .expect("a string takes it");
    }
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("variations", told);
    });
}

/// How variations were answered, by [`Fared`].
type Tally = [usize; 6];

/// How one variation of so many is answered.
fn tally(kind: &Kind, share: usize) -> Tally {
    let knowledge = Knowledge::embedded();
    let mut tally = Tally::default();
    let entries = knowledge.corpus().entries().iter();
    let samples = entries.flat_map(|entry| entry.samples.positive.iter().map(move |sample| (entry, sample)));
    let varied = samples.flat_map(|(entry, sample)| (kind.vary)(sample).into_iter().map(move |text| (entry, text)));
    for (entry, text) in varied.step_by(share) {
        let answer = knowledge.explain(&Input::take_apart(text.as_bytes()), Language::En);
        tally[Fared::of(&answer, entry) as usize] += 1;
    }
    tally
}

/// How a variation was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fared {
    /// With its entry, alone or first of several.
    Right,
    /// With everybody's entry about the same first, where the message is a product's: it has lost what told whose it was.
    General,
    /// With several, of which another one is right.
    Unsure,
    Unanswered,
    /// With several wrong ones.
    Misled,
    /// With one that is wrong, as if it were sure.
    Wrong,
}

impl Fared {
    fn of(answer: &Answer, entry: &Entry) -> Self {
        let is_right = |place: usize| answer.entries.get(place).is_some_and(|found| found.id == entry.id);
        let is_general = answer.entries.first().is_some_and(|first| {
            first.product == Product::Standard && entry.product != Product::Standard && first.category == entry.category
        });
        match answer.outcome {
            Outcome::NoMatch => Self::Unanswered,
            _ if is_right(0) => Self::Right,
            _ if is_general => Self::General,
            Outcome::Match => Self::Wrong,
            Outcome::Ambiguous if (1..answer.entries.len()).any(is_right) => Self::Unsure,
            Outcome::Ambiguous => Self::Misled,
        }
    }
}

/// The message in capitals at the beginning of every word.
fn capitalised(text: &str) -> String {
    let mut is_start = true;
    let capital = |c: char| {
        let next = if is_start { c.to_ascii_uppercase() } else { c };
        is_start = !c.is_alphanumeric() && c != '_' && c != '\'';
        next
    };
    text.chars().map(capital).collect()
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn wrapped_between(text: &str, columns: usize) -> String {
    let mut wrapped = String::new();
    let mut column = 0;
    for word in words(text) {
        let length = word.chars().count();
        if column > 0 && column + length >= columns {
            wrapped.push('\n');
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

fn wrapped_within(text: &str, columns: usize) -> String {
    let flat: Vec<char> = words(text).join(" ").chars().collect();
    flat.chunks(columns).map(|line| line.iter().collect::<String>()).collect::<Vec<_>>().join("\n")
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// The first so many hundredths of a message, with and without a sign that it goes on. What is short is not cut.
fn cut_end(text: &str, percent: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() < LONG_ENOUGH {
        return Vec::new();
    }
    let kept: String = chars[..chars.len() * percent / 100].iter().collect();
    vec![format!("{}…", kept.trim_end()), format!("{kept}..."), kept]
}

/// Without the first so many hundredths.
fn cut_front(text: &str, percent: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() < LONG_ENOUGH {
        return Vec::new();
    }
    let kept: String = chars[chars.len() * percent / 100..].iter().collect();
    vec![format!("…{kept}"), kept]
}

/// Hosts, identifiers and numbers of another installation.
fn with_other_names(text: &str) -> String {
    let text = HOSTS.replace_all(text, |found: &Captures<'_>| {
        let known =
            ["github.com", "login.microsoftonline.com", "accounts.google.com", "googleapis.com", "sts.windows.net"];
        if known.iter().any(|known| found[2].ends_with(known)) {
            found[0].to_owned()
        } else {
            format!("{}sso.contoso.test:8443", &found[1])
        }
    });
    let text = UUIDS.replace_all(&text, "0b9c1d2e-77aa-4c3d-9e21-5d0f6a7b8c9d");
    LONG_NUMBERS.replace_all(&text, "20951").into_owned()
}

/// The message with the first of these phrases that it has worded in each of the other ways.
fn reworded(text: &str, from: &[&str], to: &[&str]) -> Vec<String> {
    let small = text.to_ascii_lowercase();
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let place = |phrase: &&str| {
        let is_whole =
            |at: &usize| !small[..*at].ends_with(is_part) && !small[at + phrase.len()..].starts_with(is_part);
        let at = small.match_indices(phrase).map(|(at, _)| at).find(is_whole)?;
        Some(at..at + phrase.len())
    };
    let Some(place) = from.iter().find_map(place) else { return Vec::new() };
    let is_capital = text[place.clone()].starts_with(|c: char| c.is_ascii_uppercase());
    let others = to.iter().filter(|other| !other.eq_ignore_ascii_case(&text[place.clone()]));
    others
        .map(|other| {
            let other = if is_capital { capital(other) } else { (*other).to_owned() };
            format!("{}{other}{}", &text[..place.start], &text[place.end..])
        })
        .collect()
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The message with all of these written otherwise, where it has any of them.
fn respelled(text: &str, spellings: &[(&str, &str)]) -> Vec<String> {
    let varied = spellings.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    if varied == text { Vec::new() } else { vec![varied] }
}

const UUID: &str = "6f1d2c3b-4a5e-4f60-8123-9a0b1c2d3e4f";
const LOG_PREFIXES: &[&str] = &[
    "2026-01-05 10:22:33,123 ERROR [http-nio-8080-exec-1] c.e.a.web.SecurityFilter - ",
    "2026-01-05T10:22:33.120Z  WARN 1 --- [nio-8080-exec-3] o.e.web.Filter : ",
    "ERROR:root:",
    "[10:22:33 ERR] ",
    "time=\"2026-01-05T10:22:33Z\" level=error msg=",
    "api-1  | 2026/01/05 10:22:33 ",
    "E0105 10:22:33.123456       1 filter.go:63] ",
    "Jan  5 10:22:33 host-1 app[1234]: ",
    "fail: Example.Web.Startup[1]\n      ",
    "[2026-01-05 10:22:33] production.ERROR: ",
    "2026/01/05 10:22:33 [error] 31#31: *1 ",
];
const JAVA_FRAMES: &str = "\n\tat org.example.web.Filter.doFilter(Filter.java:112)\n\tat org.example.web.Chain.next(Chain.java:64)\n\tat java.base/java.lang.Thread.run(Thread.java:1583)";
const NODE_FRAMES: &str =
    "\n    at Layer.handle (/app/node_modules/router/lib/layer.js:152:17)\n    at async /app/dist/web/index.js:41:9";
const PYTHON_FRAMES: &str = "Traceback (most recent call last):\n  File \"/srv/app/views.py\", line 88, in handle\n    result = call(request)\n";
const LONG_ENOUGH: usize = 48;

static HOSTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(https?://)((?:[a-z0-9-]+\.)+[a-z]{2,10})(?::[0-9]+)?").expect("a pattern"));
static UUIDS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b").expect("a pattern"));
static LONG_NUMBERS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[0-9]{5,12}\b").expect("a pattern"));
