//! Undoes what carried a message here: the entities of a page, the percent signs of a URL, the backslashes of a log, the
//! signs that a mail puts before a line.
//!
//! Nothing is undone that a message may mean: a percent sign stays where its word holds no encoded space or quote, and a
//! backslash where no quote follows it anywhere. What secrets were hidden by the encoding is looked for again afterwards,
//! by whoever calls this.

use std::borrow::Cow;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use regex::{Captures, Regex, Replacer};

/// The text as it was before it was put into a page, a URL or a mail; `None` where it was not.
pub(super) fn unpacked(text: &str) -> Option<String> {
    let mut unpacked = Cow::Borrowed(text);
    // What was escaped twice is undone twice.
    for _ in 0..2 {
        if memchr::memchr(b'&', unpacked.as_bytes()).is_none() {
            break;
        }
        undo(&mut unpacked, &ENTITIES, |found: &Captures<'_>| character(&found[1]).to_string());
    }
    if unpacked.contains("</") {
        undo(&mut unpacked, &TAGS, " ");
    }
    if unpacked.contains('+') {
        undo(&mut unpacked, &JOINED, |found: &Captures<'_>| {
            let is_answer = found[1].to_ascii_lowercase().starts_with("error");
            format!("{}{}", &found[1], if is_answer { found[2].to_owned() } else { found[2].replace('+', " ") })
        });
    }
    if memchr::memchr(b'%', unpacked.as_bytes()).is_some() {
        undo(&mut unpacked, &ENCODED, decoded);
    }
    if unpacked.starts_with("> ") || unpacked.contains("\n> ") {
        undo(&mut unpacked, &QUOTED, "");
    }
    changed(unpacked)
}

fn changed(text: Cow<'_, str>) -> Option<String> {
    match text {
        Cow::Owned(text) => Some(text),
        Cow::Borrowed(_) => None,
    }
}

fn undo(text: &mut Cow<'_, str>, what: &Regex, instead: impl Replacer) {
    if let Cow::Owned(undone) = what.replace_all(text, instead) {
        *text = Cow::Owned(undone);
    }
}

/// The text of a log without the backslashes that a string of its own has before quotes and line breaks; `None` where there
/// are none.
pub(super) fn unescaped(text: &str) -> Option<String> {
    if !text.contains("\\\"") && !text.contains("\\u0022") {
        let mut unbroken = Cow::Borrowed(text);
        undo(&mut unbroken, &BREAKS, "\n$1");
        return changed(unbroken);
    }
    let mut unescaped = text.to_owned();
    // A log within a log within a log.
    for _ in 0..3 {
        if !unescaped.contains('\\') {
            break;
        }
        let next = ESCAPES.replace_all(&unescaped, |found: &Captures<'_>| match &found[1] {
            "n" | "r" => "\n",
            "t" => "\t",
            "u0022" => "\"",
            "u0027" => "'",
            "u003c" | "u003C" => "<",
            "u003e" | "u003E" => ">",
            "u0026" => "&",
            "\\" => "\\",
            "/" => "/",
            _ => "\"",
        });
        unescaped = next.into_owned();
    }
    Some(unescaped)
}

fn character(name: &str) -> char {
    match name {
        "quot" | "#34" | "#x22" => '"',
        "lt" | "#60" | "#x3c" | "#x3C" => '<',
        "gt" | "#62" | "#x3e" | "#x3E" => '>',
        "nbsp" | "#160" => ' ',
        "amp" | "#38" | "#x26" => '&',
        "#47" | "#x2f" | "#x2F" => '/',
        "#61" | "#x3d" | "#x3D" => '=',
        "hellip" => '\u{2026}',
        _ => '\'',
    }
}

/// A word that is encoded, or the value of a parameter. The parameters of an OAuth answer are left to whoever reads URLs.
fn decoded(found: &Captures<'_>) -> String {
    let name = found.name("name").map_or("", |name| name.as_str());
    let value = &found["value"];
    if name.to_ascii_lowercase().starts_with("error") {
        return found[0].to_owned();
    }
    let spaced = if value.contains("%20") { Cow::Borrowed(value) } else { Cow::Owned(value.replace('+', " ")) };
    format!("{name}{}", percent_decode_str(&spaced).decode_utf8_lossy())
}

static ENTITIES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"&(quot|apos|lt|gt|amp|nbsp|hellip|rsquo|lsquo|#34|#39|#38|#60|#61|#62|#47|#160|#x(?:22|27|26|3[cCdDeE]|2[fF]));",
    )
    .expect("a constant that a test compiles")
});

/// Tags that hold words. Those of a whole page are left: that a page came is what is wrong then.
static TAGS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)</?(?:div|p|span|b|i|em|strong|code|pre|br|li|ul|td|tr|small|font|h[1-6])(?: [^<>]{0,200})?/?>")
        .expect("a constant that a test compiles")
});

/// What holds two encoded characters at least, with the name of the parameter that it is the value of.
static ENCODED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?P<name>[A-Za-z_]{1,40}=)?(?P<value>[^\s"'<>&=?#%]*(?:%[0-9A-Fa-f]{2}[^\s"'<>&=?#%]*){2,})"#)
        .expect("a constant that a test compiles")
});

/// The words of a parameter, joined as forms join them.
static JOINED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b([A-Za-z_]{1,40}=)([A-Za-z][A-Za-z_'.,]{0,30}(?:\+[A-Za-z][A-Za-z_'.,]{0,30}){2,40})")
        .expect("a constant that a test compiles")
});

static QUOTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^(?:> ?)+").expect("a constant that a test compiles"));
static ESCAPES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"\\(["nrt/\\]|u00(?:2[267]|3[cCeE]))"#).expect("a constant that a test compiles"));
/// A line break that was written out, between a word and the next line.
static BREAKS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:\\r)?\\n(?:\\t)?( |[A-Z]|at )").expect("a constant that a test compiles"));
