//! What a command says: text for people, JSON for programs, and an exit code that means something.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use ambit_core::page::Page;
use serde::Serialize;
use serde_json::Value;

/// How to say it.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// JSON instead of text.
    pub json: bool,
}

/// Why a command failed. The exit code tells whose move it is.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    problem: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// 1: what was looked at is not as it should be: a 403 explained, a check that failed.
    Finding,
    /// 2: the command line or a file is wrong (clap uses the same).
    Usage,
    /// 3: the server refused: not found, conflict, not allowed.
    Refused,
    /// 4: the server or the store cannot be reached, or cannot answer now.
    Unreachable,
    /// 5: several things it may be.
    Ambiguous,
    /// 6: nothing is known of it.
    NoMatch,
    /// 70: a fault of ours.
    Internal,
}

impl Failure {
    pub fn finding(message: impl Into<String>) -> Self {
        Self { kind: Kind::Finding, message: message.into(), problem: None }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, message: message.into(), problem: None }
    }

    pub fn refused(message: impl Into<String>, problem: Option<Value>) -> Self {
        Self { kind: Kind::Refused, message: message.into(), problem }
    }

    /// The server answered, and what it said is that it cannot answer now.
    pub fn unavailable(self) -> Self {
        Self { kind: Kind::Unreachable, ..self }
    }

    pub fn unreachable(message: impl Into<String>) -> Self {
        Self { kind: Kind::Unreachable, message: message.into(), problem: None }
    }

    pub fn ambiguous(message: impl Into<String>) -> Self {
        Self { kind: Kind::Ambiguous, message: message.into(), problem: None }
    }

    pub fn no_match(message: impl Into<String>) -> Self {
        Self { kind: Kind::NoMatch, message: message.into(), problem: None }
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self { kind: Kind::Internal, message: message.into(), problem: None }
    }

    /// With one more line for people.
    pub fn with_line(mut self, line: &str) -> Self {
        self.message.push_str(&format!("\n  {line}"));
        self
    }

    /// In other words, if there are any for the server's own document, which stays as it is.
    pub fn retold(self, words: impl FnOnce(&Value) -> Option<String>) -> Self {
        match self.problem.as_ref().and_then(words) {
            Some(message) => Self { message, ..self },
            None => self,
        }
    }

    /// The code of the server's refusal (RFC 6749 §5.2), where it was the server who refused.
    pub fn error_code(&self) -> Option<&str> {
        self.problem.as_ref()?.get("error")?.as_str()
    }

    /// Whether this is the page that the server's refusal names.
    pub fn is_about(&self, page: &Page) -> bool {
        let named = self.problem.as_ref().and_then(|problem| problem.get("type")?.as_str());
        named.is_some_and(|address| address.ends_with(&format!("/errors/{}", page.slug)))
    }

    /// The HTTP status in the server's refusal (RFC 9457 §3.1.2).
    pub fn status(&self) -> Option<u64> {
        self.problem.as_ref()?.get("status")?.as_u64()
    }

    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// docs/reference/cli.md has this table for people.
    const fn code(&self) -> u8 {
        match self.kind {
            Kind::Finding => 1,
            Kind::Usage => 2,
            Kind::Refused => 3,
            Kind::Unreachable => 4,
            Kind::Ambiguous => 5,
            Kind::NoMatch => 6,
            Kind::Internal => 70,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Output {
    /// A JSON document, whichever way was asked for.
    #[expect(clippy::unused_self, reason = "said like everything else that is said")]
    pub fn document(self, document: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(document).map_err(|error| Failure::internal(error.to_string()))?;
        write(&text)
    }

    /// Text for people, or the value behind it for programs.
    pub fn say(self, text: &str, value: &impl Serialize) -> Result<(), Failure> {
        if self.json { self.document(value) } else { write(text) }
    }

    /// What went wrong, on standard error; for programs with the server's own document, where it was the server who refused.
    pub fn failure(self, failure: &Failure) {
        let mut stderr = std::io::stderr().lock();
        // Whoever closed our standard error does not want to know.
        let _ = if self.json {
            let mut error = serde_json::json!({ "exit_code": failure.code(), "detail": failure.message });
            if let Some(problem) = &failure.problem {
                error["problem"] = problem.clone();
            }
            writeln!(stderr, "{error}")
        } else {
            writeln!(stderr, "ambit: {}", failure.message)
        };
    }
}

/// Colours, where standard output is a terminal and nobody has asked for none (<https://no-color.org>).
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    is_on: bool,
}

impl Paint {
    pub fn of_terminal() -> Self {
        #[expect(clippy::disallowed_methods, reason = "how a terminal is used is said in the environment alone")]
        let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { is_on: std::io::stdout().is_terminal() && !is_unwanted }
    }

    /// What is looked for first.
    pub fn strong(self, text: &str) -> String {
        self.painted("1", text)
    }

    /// What helps.
    pub fn good(self, text: &str) -> String {
        self.painted("32", text)
    }

    fn painted(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// A table for people: columns as wide as their widest cell.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&mut headings.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

pub fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}") {
        Ok(()) => Ok(()),
        // `ambit … | head` is not an error.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::internal(format!("standard output: {error}"))),
    }
}
