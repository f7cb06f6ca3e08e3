//! `ambit explain`: why (scopes.md §6). Three questions:
//!
//! ```text
//! ambit explain request till --scope "pos.read pos:receipts:read" --tenant acme
//! ambit explain token TOKEN|JTI|TRACE_ID
//! ambit explain denial TOKEN --needs pos:receipts:read
//! ```

use std::io::Read as _;

use clap::{Args, Subcommand};
use reqwest::Url;
use serde_json::{Value, json};

use super::text;
use crate::client::{Connection, http};
use crate::output::{Failure, Output};

/// The question.
#[derive(Debug, Args)]
pub struct Explain {
    #[command(subcommand)]
    question: Question,
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
        let question = self.question.body()?;
        let answer = if self.own {
            ask_as_client(&self.connection, &question).await?
        } else {
            self.connection.admin().await?.post("/explain", &question).await?
        };
        output.say(&shown(&answer), &answer)?;
        let broken = answer.get("fix").and_then(Value::as_array).is_some_and(|fix| !fix.is_empty());
        if broken { Err(Failure::finding("a link of the chain is broken; the fix is above")) } else { Ok(()) }
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

fn shown(answer: &Value) -> String {
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
    lines.join("\n")
}
