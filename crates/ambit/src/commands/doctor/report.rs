//! What the doctor says: a line for each thing as it is looked at, then which link is broken and what mends it; or one JSON
//! document of the same.

use ambit_protocol::explain::{Explanation, Fix, Link, LinkReport};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::json;

use super::again::Change;
use super::code::Code;
use super::web::Said;
use crate::output::{Failure, Output, write};

/// What is looked at, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Discovery,
    Metadata,
    KeySet,
    Clock,
    Credentials,
    Scopes,
    Audience,
    TokenAge,
    Signature,
    Call,
    Challenge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    Warning,
    Failed,
    NotChecked,
}

/// What was seen at one step.
#[derive(Debug, Clone)]
pub struct Finding {
    pub outcome: Outcome,
    /// The kind of fault: what a page of the knowledge base can be looked up by.
    pub code: Option<Code>,
    pub detail: String,
    /// Why, in one sentence, where that is less than what was seen.
    pub cause: Option<String>,
    /// The trace that the answer names; its server's log has the rest under it.
    pub trace: Option<String>,
    /// The page that the answer itself names: its `error_uri`, or the `type` of a problem.
    pub page: Option<String>,
    /// The link of the chain, where the step is about one.
    pub link: Option<Link>,
    pub fix: Vec<Remedy>,
    /// What to give the doctor when it looks again.
    pub change: Change,
    /// It could not be looked at, and may be another time.
    pub is_unreachable: bool,
}

/// What mends it. There is not always a command.
#[derive(Debug, Clone, Serialize)]
pub struct Remedy {
    pub text: String,
    pub who: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// All that was seen.
#[derive(Debug)]
pub struct Report {
    output: Output,
    secrets: Vec<SecretString>,
    found: Vec<(Step, Finding)>,
    /// How many of the last were not checked, and are still to be said in one line.
    unsaid: usize,
}

/// How the whole ends.
#[derive(Debug)]
pub struct Verdict {
    /// What is said when nothing is broken.
    pub whole: String,
    /// The chain of links, where the server told it.
    pub chain: Vec<LinkReport>,
    /// Who issued: this, or another product.
    pub server: Option<&'static str>,
    pub issuer: String,
}

impl Finding {
    pub fn ok(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Ok, None, detail.into())
    }

    pub fn warning(code: Code, detail: impl Into<String>) -> Self {
        Self::new(Outcome::Warning, Some(code), detail.into())
    }

    pub fn failed(code: Code, detail: impl Into<String>) -> Self {
        Self::new(Outcome::Failed, Some(code), detail.into())
    }

    /// It could not be reached.
    pub fn unreachable(code: Code, detail: impl Into<String>) -> Self {
        Self { is_unreachable: true, ..Self::failed(code, detail) }
    }

    pub fn not_checked(why: impl Into<String>) -> Self {
        Self::new(Outcome::NotChecked, None, why.into())
    }

    const fn new(outcome: Outcome, code: Option<Code>, detail: String) -> Self {
        let change = Change::NONE;
        Self {
            outcome,
            code,
            detail,
            cause: None,
            trace: None,
            page: None,
            link: None,
            fix: vec![],
            change,
            is_unreachable: false,
        }
    }

    pub fn and(mut self, more: &str) -> Self {
        self.detail.push_str("; ");
        self.detail.push_str(more);
        self
    }

    pub fn with_fix(mut self, text: impl Into<String>, who: impl Into<String>, command: Option<String>) -> Self {
        self.fix.push(Remedy { text: text.into(), who: who.into(), command });
        self
    }

    pub fn with_change(self, change: Change) -> Self {
        Self { change, ..self }
    }

    pub fn with_link(self, link: Link) -> Self {
        Self { link: Some(link), ..self }
    }

    /// As the server says it, with the page and the trace that it names.
    pub fn with_answer(mut self, said: &Said) -> Self {
        self.trace.clone_from(&said.trace);
        self.page.clone_from(&said.page);
        self
    }

    pub fn with_cause(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// As the server explains it: the first link that is broken, and what mends it.
    pub fn with_explanation(mut self, explanation: &Explanation) -> Self {
        if let Some(report) = broken(explanation) {
            self.link = Some(report.link);
            self.cause = Some(report.detail.clone());
        }
        self.fix = explanation.fix.iter().map(Remedy::from).collect();
        self
    }

    pub fn is_failed(&self) -> bool {
        self.outcome == Outcome::Failed
    }

    /// Why it is broken.
    fn why(&self) -> &str {
        self.cause.as_deref().unwrap_or(&self.detail)
    }

    fn remedies(&self) -> Vec<String> {
        let shown = |remedy: &Remedy| {
            let command = remedy.command.as_ref().map_or_else(String::new, |command| format!("\n  {command}"));
            format!("\nfix: {} ({}){command}", remedy.text, remedy.who)
        };
        self.fix.iter().map(shown).collect()
    }

    fn line(&self, step: Step) -> String {
        let mark = match self.outcome {
            Outcome::Ok => "ok",
            Outcome::Warning => "warn",
            Outcome::Failed => "FAIL",
            Outcome::NotChecked => "-",
        };
        let trace = self.trace.as_ref().map_or_else(String::new, |trace| format!(" (trace {trace})"));
        format!("{mark:<4}  {:<12} {}{trace}", step.name(), self.detail)
    }
}

/// The first link that is broken.
pub fn broken(explanation: &Explanation) -> Option<&LinkReport> {
    explanation.because.iter().find(|report| !report.ok)
}

impl From<&Fix> for Remedy {
    fn from(fix: &Fix) -> Self {
        let command = Some(fix.command.clone()).filter(|command| !command.is_empty());
        Self { text: fix.text.clone(), who: fix.who.clone(), command }
    }
}

impl Step {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Metadata => "metadata",
            Self::KeySet => "key set",
            Self::Clock => "clock",
            Self::Credentials => "credentials",
            Self::Scopes => "scopes",
            Self::Audience => "audience",
            Self::TokenAge => "token age",
            Self::Signature => "signature",
            Self::Call => "call",
            Self::Challenge => "challenge",
        }
    }
}

impl Report {
    pub const fn new(output: Output) -> Self {
        Self { output, secrets: vec![], found: vec![], unsaid: 0 }
    }

    /// From now on this is not said, whoever says it.
    pub fn keep_secret(&mut self, secret: &str) {
        // Nothing that short is a secret, and what is left of a text without it could not be read.
        if secret.len() >= MIN_SECRET_LEN {
            self.secrets.push(secret.into());
        }
    }

    /// Says what was seen, at once where people read it.
    pub fn add(&mut self, step: Step, mut finding: Finding) -> Result<(), Failure> {
        finding.detail = self.clean(&finding.detail);
        finding.page = finding.page.map(|page| self.clean(&page));
        for remedy in &mut finding.fix {
            *remedy = Remedy {
                text: self.clean(&remedy.text),
                who: self.clean(&remedy.who),
                command: remedy.command.as_deref().map(|command| self.clean_command(command)),
            };
        }
        finding.cause = finding.cause.map(|cause| self.clean(&cause));
        finding.trace = finding.trace.map(|trace| self.clean(&trace));
        let is_more_of_it =
            self.found.last().is_some_and(|(_, last)| last.outcome == finding.outcome && last.detail == finding.detail);
        if !is_more_of_it {
            self.say_unsaid()?;
        }
        let line = finding.line(step);
        let is_unsaid = finding.outcome == Outcome::NotChecked;
        self.found.push((step, finding));
        if is_unsaid {
            self.unsaid += 1;
            return Ok(());
        }
        if self.output.json { Ok(()) } else { write(&line) }
    }

    /// Steps that were left out for one reason are one line.
    fn say_unsaid(&mut self) -> Result<(), Failure> {
        let unsaid = &self.found[self.found.len() - std::mem::take(&mut self.unsaid)..];
        let (false, Some((first, finding))) = (self.output.json, unsaid.first()) else { return Ok(()) };
        let more: Vec<&str> = unsaid[1..].iter().map(|(step, _)| step.name()).collect();
        let more = if more.is_empty() { String::new() } else { format!(" (nor {})", more.join(", ")) };
        write(&format!("-     {:<12} not checked{more}: {}", first.name(), finding.detail))
    }

    pub fn has(&self, step: Step) -> bool {
        self.found.iter().any(|(known, _)| *known == step)
    }

    /// Says how it ends. The exit code is that of the first thing that is broken. `look_again` makes the command that looks
    /// again, with what has to change in it, where it can be made.
    pub fn finish(mut self, verdict: &Verdict, look_again: impl Fn(&Change) -> Option<String>) -> Result<(), Failure> {
        self.say_unsaid()?;
        let first = self.found.iter().find(|(_, finding)| finding.is_failed());
        let again = first.and_then(|(_, finding)| look_again(&finding.change)).map(|it| self.clean_command(&it));
        if self.output.json {
            self.output.document(&self.document(verdict, first, again.as_deref()))?;
        } else {
            write(&self.shown(verdict, first, again.as_deref()))?;
        }
        match first {
            None => Ok(()),
            Some((step, finding)) if finding.is_unreachable => {
                Err(Failure::unreachable(format!("{}: {}", step.name(), finding.why())))
            }
            Some((step, finding)) => Err(Failure::finding(format!("broken: {}", what_is_broken(*step, finding)))),
        }
    }

    /// What else failed by itself. That the API refuses then is no wonder.
    fn also_broken(&self, first: Step) -> impl Iterator<Item = &(Step, Finding)> {
        self.found.iter().filter(move |(step, finding)| first < *step && *step < Step::Call && finding.is_failed())
    }

    fn shown(&self, verdict: &Verdict, first: Option<&(Step, Finding)>, again: Option<&str>) -> String {
        let Some((step, finding)) = first else {
            let warnings = self.found.iter().filter(|(_, finding)| finding.outcome == Outcome::Warning).count();
            let more = match warnings {
                0 => String::new(),
                1 => " There is a warning above.".to_owned(),
                several => format!(" There are {several} warnings above."),
            };
            return format!("\n{}{more}", self.clean(&verdict.whole));
        };
        let mut lines = vec![format!("\nBroken: {}. {}", what_is_broken(*step, finding), capital(finding.why()))];
        if !verdict.chain.is_empty() {
            let links = verdict.chain.iter().map(|report| {
                let name = link_name(report.link);
                if report.ok { name } else { format!("NOT {name}") }
            });
            lines.push(format!("The chain: {}", links.collect::<Vec<_>>().join(", ")));
        }
        lines.extend(finding.remedies());
        for (step, finding) in self.also_broken(*step) {
            lines.push(format!("\nAlso broken: {}. {}", what_is_broken(*step, finding), capital(finding.why())));
            lines.extend(finding.remedies());
        }
        if let Some(again) = again {
            lines.push(format!("\nthen look again:\n  {again}"));
        }
        if let Some(page) = self.found.iter().filter(|(_, it)| it.is_failed()).find_map(|(_, it)| it.page.as_ref()) {
            lines.push(format!("\nread: {page}"));
        }
        lines.join("\n")
    }

    fn document(&self, verdict: &Verdict, first: Option<&(Step, Finding)>, again: Option<&str>) -> serde_json::Value {
        let checks: Vec<_> = self
            .found
            .iter()
            .map(|(step, finding)| {
                let mut check = json!({ "check": step, "outcome": finding.outcome, "detail": finding.detail });
                if let Some(code) = finding.code {
                    check["code"] = json!(code);
                }
                if let Some(page) = &finding.page {
                    check["error_uri"] = page.as_str().into();
                }
                if let Some(trace) = &finding.trace {
                    check["trace_id"] = trace.as_str().into();
                }
                check
            })
            .collect();
        let (broken, text, fix) = match first {
            None => (serde_json::Value::Null, self.clean(&verdict.whole), json!([])),
            Some((step, finding)) => {
                let broken = json!({ "check": step, "link": finding.link, "code": finding.code });
                (broken, finding.why().to_owned(), json!(finding.fix))
            }
        };
        let also: Vec<_> = first
            .into_iter()
            .flat_map(|(step, _)| self.also_broken(*step))
            .map(|(step, finding)| {
                json!({
                    "check": step, "link": finding.link, "code": finding.code, "verdict": finding.why(), "fix": finding.fix,
                })
            })
            .collect();
        let chain: Vec<LinkReport> = verdict
            .chain
            .iter()
            .map(|report| LinkReport { detail: self.clean(&report.detail), ..report.clone() })
            .collect();
        json!({
            "issuer": verdict.issuer, "server": verdict.server, "checks": checks, "ok": first.is_none(), "broken": broken,
            "verdict": text, "chain": chain, "fix": fix, "also_broken": also, "again": again,
        })
    }

    /// What others wrote, made fit for a terminal: one line, of bounded length, without a secret of ours in it.
    fn clean(&self, text: &str) -> String {
        let cleaned = self.clean_command(text);
        match cleaned.char_indices().nth(MAX_DETAIL_CHARS) {
            Some((end, _)) => format!("{}…", &cleaned[..end]),
            None => cleaned,
        }
    }

    /// The same of what is pasted, which is whole or nothing.
    fn clean_command(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.expose_secret(), "[REDACTED]");
        }
        // Control characters move the cursor; the others change the direction in which the line is read.
        let is_sly = |c: char| {
            c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        text.chars().map(|c| if is_sly(c) { ' ' } else { c }).collect()
    }
}

fn what_is_broken(step: Step, finding: &Finding) -> String {
    match finding.link {
        Some(link) => format!("the link '{}'", link_name(link)),
        None => step.name().to_owned(),
    }
}

/// As a sentence begins; an address stays as it is.
fn capital(text: &str) -> String {
    if text.starts_with("http") {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), chars.as_str()))
}

fn link_name(link: Link) -> String {
    serde_json::to_value(link)
        .ok()
        .and_then(|name| name.as_str().map(|name| name.replace('_', " ")))
        .unwrap_or_default()
}

/// The most of a text that is shown.
const MAX_DETAIL_CHARS: usize = 600;
const MIN_SECRET_LEN: usize = 4;
