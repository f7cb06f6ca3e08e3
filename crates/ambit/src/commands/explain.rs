//! `ambit explain`: why (scopes.md §6). Three questions to a server, which begin with a word of their own; a trace, which is a
//! question to a server too; and any other text, which the knowledge base answers without one.
//!
//! ```text
//! ambit explain request till --scope "pos.read pos:receipts:read" --tenant acme
//! ambit explain token TOKEN|JTI|TRACE_ID
//! ambit explain denial TOKEN --needs pos:receipts:read
//! ambit explain TRACE_ID
//! ambit explain "invalid_grant: Code not valid"
//! curl -v … 2>&1 | ambit explain
//! ```

use std::io::Read as _;

use ambit_knowledge::diagnose::Statement;
use ambit_knowledge::{Corpus, Knowledge, Language};
use ambit_protocol::trace::TraceId;
use clap::{Args, Subcommand};
use reqwest::Url;
use serde_json::{Value, json};

use super::kb::pasted::Pasted;
use super::{kb, text};
use crate::client::{Connection, http};
use crate::output::{Failure, Output};

/// The question.
#[derive(Debug, Args)]
pub struct Explain {
    #[command(subcommand)]
    question: Option<Question>,
    #[command(flatten)]
    pasted: Pasted,
    /// The language of what the knowledge base says, as far as entries have it.
    #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = kb::language)]
    lang: Language,
    /// Ask as the client itself, about itself, instead of as an administrator.
    #[arg(long, global = true)]
    own: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// What would this request get? Nothing is minted.
    Request {
        /// The application, by `client_id` or identifier.
        application: Option<String>,
        /// The scope parameter; leave out to ask about an omitted one.
        #[arg(long)]
        scope: Option<String>,
        /// The tenant acted for (slug).
        #[arg(long)]
        tenant: Option<String>,
        /// The unit acted for (slug).
        #[arg(long)]
        unit: Option<String>,
        /// A resource indicator; may be repeated.
        #[arg(long)]
        resource: Vec<String>,
    },
    /// Why does this token carry what it carries?
    Token {
        /// The token, its jti, or the `trace_id` of its request; `-` reads it from standard input.
        token: String,
    },
    /// Why this 403?
    Denial {
        /// The token that was presented; `-` reads it from standard input.
        token: String,
        /// A scope that was required; may be repeated where any of several would do.
        #[arg(long)]
        needs: Vec<String>,
        /// Or the endpoint of the admin API that was called, as "GET /api/v1/admin/applications".
        #[arg(long)]
        endpoint: Option<String>,
        /// The API that was called, by identifier.
        #[arg(long)]
        resource: Option<String>,
    },
}

impl Explain {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        let question = match self.question {
            Some(_) if !self.pasted.is_absent() => {
                return Err(Failure::usage("a question and a text are two things: ask one of them"));
            }
            Some(question) => question.body()?,
            None => {
                let pasted = self.pasted.read()?;
                let Some(trace_id) = trace(&pasted) else {
                    if self.own {
                        return Err(Failure::usage("--own asks a server, which a text is not sent to"));
                    }
                    return kb::answer(Knowledge::embedded(), &pasted, self.lang, output);
                };
                json!({ "question": "token", "trace_id": trace_id.to_string() })
            }
        };
        let answer = if self.own {
            ask_as_client(&self.connection, &question).await?
        } else {
            self.connection.admin().await?.post("/explain", &question).await?
        };
        output.say(&shown(&answer, self.lang), &answer)?;
        let is_broken = answer.get("fix").and_then(Value::as_array).is_some_and(|fix| !fix.is_empty());
        // What was refused before any link was looked at has no fix, and has the page of its refusal.
        let is_refused = answer.get("page").is_some_and(|page| !page.is_null());
        match (is_broken, is_refused) {
            (true, _) => Err(Failure::finding("a link of the chain is broken; the fix is above")),
            (false, true) => Err(Failure::finding("the request was refused; why is above")),
            (false, false) => Ok(()),
        }
    }
}

impl Question {
    fn body(self) -> Result<Value, Failure> {
        Ok(match self {
            Self::Request { application, scope, tenant, unit, resource } => json!({
                "question": "request", "application": application, "scope": scope, "tenant": tenant, "unit": unit,
                "resource": resource,
            }),
            Self::Token { token } => {
                let token = given(token)?;
                let member = if token.contains('.') {
                    "token"
                } else if token.contains('-') {
                    "jti"
                } else {
                    "trace_id"
                };
                json!({ "question": "token", member: token })
            }
            Self::Denial { token, needs, endpoint, resource } => json!({
                "question": "denial", "token": given(token)?, "scopes": needs, "endpoint": endpoint, "resource": resource,
            }),
        })
    }
}

/// A text that is a trace and nothing else: 32 hexadecimal digits (W3C Trace Context).
fn trace(pasted: &[u8]) -> Option<TraceId> {
    std::str::from_utf8(pasted).ok()?.trim().parse().ok()
}

/// From standard input where `-` was said: a token on the command line is visible to everybody on the machine.
fn given(argument: String) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument);
    }
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(64 * 1024)
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("standard input: {error}")))?;
    Ok(text.trim().to_owned())
}

async fn ask_as_client(connection: &Connection, question: &Value) -> Result<Value, Failure> {
    let base: Url = connection.base()?;
    let Some((client_id, secret)) = connection.credentials() else {
        return Err(Failure::usage("--own needs AMBIT_CLIENT_ID and AMBIT_CLIENT_SECRET"));
    };
    crate::client::ask(&http()?, &base, client_id, secret, question).await
}

fn shown(answer: &Value, lang: Language) -> String {
    let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines = vec![text(answer, "verdict")];
    let because = list("because");
    if !because.is_empty() {
        lines.push(String::new());
    }
    for report in because {
        let mark = if report.get("ok") == Some(&Value::Bool(true)) { "ok  " } else { "FAIL" };
        lines.push(format!("  {mark} {:<17} {}", text(&report, "link"), text(&report, "detail")));
    }
    for fix in list("fix") {
        lines.push(format!("\nfix: {} ({})\n  {}", text(&fix, "text"), text(&fix, "who"), text(&fix, "command")));
    }
    if let Some(address) = answer.get("page").and_then(Value::as_str) {
        lines.push(String::new());
        lines.push(page(address, lang));
    }
    lines.join("\n")
}

/// The page of what was refused, with what the entry behind it says first.
fn page(address: &str, lang: Language) -> String {
    let id = address.split_once("/errors/").map(|(_, id)| id);
    let Some(entry) = id.and_then(|id| Corpus::embedded().find(id)) else { return format!("page: {address}") };
    let title = Statement::of(&entry.title, lang);
    format!("page: {address}\n  {} (ambit kb show {})", title.text, entry.id)
}
