//! One line: its fields, and nothing in them that could end the line, the JSON or the peace of a terminal.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use ambit_protocol::time::Timestamp;
use ambit_protocol::trace::TraceId;
use tracing::Level;

use crate::config::LogFormat;

/// A line being written.
pub(super) struct Line<'a> {
    out: &'a mut Vec<u8>,
    format: LogFormat,
}

impl<'a> Line<'a> {
    pub(super) fn begin(
        out: &'a mut Vec<u8>,
        format: LogFormat,
        at: Timestamp,
        level: Level,
        target: &str,
        message: &str,
    ) -> Self {
        let mut line = Self { out, format };
        match format {
            LogFormat::Json => {
                line.out.extend_from_slice(b"{\"time\":\"");
                line.time(at);
                line.out.extend_from_slice(b"\",\"level\":\"");
                line.out.extend_from_slice(level.as_str().as_bytes());
                line.out.push(b'"');
                line.text("target", target);
                if !message.is_empty() {
                    line.text("message", message);
                }
            }
            LogFormat::Text => {
                line.time(at);
                // Writing to a Vec cannot fail.
                let _ = std::io::Write::write_fmt(line.out, format_args!(" {:5} {target}", level.as_str()));
                if !message.is_empty() {
                    line.out.extend_from_slice(b": ");
                    escape(line.out, message, FIELD_MAX);
                }
            }
        }
        line
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        if self.format == LogFormat::Text && is_plain(text) {
            self.out.extend_from_slice(text.as_bytes());
        } else {
            self.out.push(b'"');
            escape(self.out, text, FIELD_MAX);
            self.out.push(b'"');
        }
    }

    /// Whatever can be shown.
    pub(super) fn shown(&mut self, name: &str, shown: fmt::Arguments<'_>) {
        self.name(name);
        self.out.push(b'"');
        let mut escaped = Escaped { out: self.out, left: FIELD_MAX };
        // A value that cannot be shown leaves what it showed so far, and Escaped itself does not fail.
        let _ = escaped.write_fmt(shown);
        self.out.push(b'"');
    }

    /// A number.
    pub(super) fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        digits(self.out, number);
    }

    /// A number or truth value that JSON writes as Rust does.
    pub(super) fn bare(&mut self, name: &str, value: fmt::Arguments<'_>) {
        self.name(name);
        // Writing to a Vec cannot fail.
        let _ = std::io::Write::write_fmt(self.out, value);
    }

    /// A trace id.
    pub(super) fn id(&mut self, name: &str, id: TraceId) {
        self.name(name);
        let quote = self.format == LogFormat::Json;
        if quote {
            self.out.push(b'"');
        }
        self.out.extend_from_slice(&id.to_hex());
        if quote {
            self.out.push(b'"');
        }
    }

    /// An IP address.
    pub(super) fn address(&mut self, name: &str, address: IpAddr) {
        self.name(name);
        let quote = self.format == LogFormat::Json;
        if quote {
            self.out.push(b'"');
        }
        match address {
            IpAddr::V4(v4) => {
                for (index, octet) in v4.octets().into_iter().enumerate() {
                    if index > 0 {
                        self.out.push(b'.');
                    }
                    digits(self.out, octet.into());
                }
            }
            // Writing to a Vec cannot fail.
            IpAddr::V6(v6) => drop(std::io::Write::write_fmt(self.out, format_args!("{v6}"))),
        }
        if quote {
            self.out.push(b'"');
        }
    }

    pub(super) fn end(self) {
        if self.format == LogFormat::Json {
            self.out.push(b'}');
        }
        self.out.push(b'\n');
    }

    /// Names are our own: identifiers of the source text.
    fn name(&mut self, name: &str) {
        match self.format {
            LogFormat::Json => {
                self.out.extend_from_slice(b",\"");
                self.out.extend_from_slice(name.as_bytes());
                self.out.extend_from_slice(b"\":");
            }
            LogFormat::Text => {
                self.out.push(b' ');
                self.out.extend_from_slice(name.as_bytes());
                self.out.push(b'=');
            }
        }
    }

    fn time(&mut self, at: Timestamp) {
        let (secs, text) = SECOND.get();
        let text = if secs == at.secs() { text } else { second(at.secs()) };
        self.out.extend_from_slice(&text);
        self.out.push(b'.');
        // rem_euclid of 1000 is from 0 to 999.
        let millis = u16::try_from(at.millis().rem_euclid(1000)).unwrap_or(0);
        for digit in [millis / 100, millis / 10 % 10, millis % 10] {
            self.out.push(DIGITS[usize::from(digit)]);
        }
        self.out.push(b'Z');
    }
}

/// The text of a second up to the second, kept for the lines of the same second.
fn second(secs: i64) -> [u8; SECOND_LEN] {
    let shown = Timestamp::from_secs(secs).to_string();
    // RFC 3339 of a whole second in a year of four digits; any other year shows as zeros.
    let text = shown.as_bytes().first_chunk().copied().filter(|_| shown.len() == SECOND_LEN + 1).unwrap_or(NO_SECOND);
    SECOND.set((secs, text));
    text
}

fn digits(out: &mut Vec<u8>, mut number: u64) {
    let mut text = [0; 20];
    let mut start = text.len();
    loop {
        start -= 1;
        // A digit is less than ten.
        text[start] = DIGITS[(number % 10) as usize];
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[start..]);
}

/// Escapes as JSON does, at most `max` octets of the text.
pub(super) fn escape(out: &mut Vec<u8>, text: &str, max: usize) {
    let mut escaped = Escaped { out, left: max };
    // Escaped does not fail.
    let _ = escaped.write_str(text);
}

/// Appends what is written to it, escaped and cut.
struct Escaped<'a> {
    out: &'a mut Vec<u8>,
    left: usize,
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.left == 0 {
            return Ok(());
        }
        let mut text = text;
        let mut cut = false;
        if text.len() > self.left {
            text = &text[..text.floor_char_boundary(self.left)];
            cut = true;
        }
        self.left -= text.len();
        // Each octet is looked at, so that many are at once.
        if text.bytes().fold(true, |all, byte| all & is_harmless_ascii(byte)) {
            self.out.extend_from_slice(text.as_bytes());
        } else {
            for c in text.chars() {
                escape_char(self.out, c);
            }
        }
        if cut {
            self.left = 0;
            self.out.extend_from_slice("…".as_bytes());
        }
        Ok(())
    }
}

fn escape_char(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        // Control characters (an escape sequence begins with one), and those that turn the direction of what follows or
        // count as the end of a line somewhere.
        c if c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
        {
            // All of them are in the first plane. Writing to a Vec cannot fail.
            let _ = std::io::Write::write_fmt(out, format_args!("\\u{:04x}", u32::from(c)));
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

const fn is_harmless_ascii(b: u8) -> bool {
    matches!(b, 0x20..=0x7e) && b != b'"' && b != b'\\'
}

/// Whether a text can stand in a line for people without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= FIELD_MAX && text.bytes().all(|b| is_harmless_ascii(b) && b != b' ' && b != b'=')
}

thread_local! {
    static SECOND: Cell<(i64, [u8; SECOND_LEN])> = const { Cell::new((i64::MIN, NO_SECOND)) };
}

const SECOND_LEN: usize = 19;
const NO_SECOND: [u8; SECOND_LEN] = *b"0000-00-00T00:00:00";
const DIGITS: &[u8; 10] = b"0123456789";
/// The longest text of one field, in octets before escaping.
pub(super) const FIELD_MAX: usize = 1024;
