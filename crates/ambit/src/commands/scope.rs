//! `ambit scope`: the catalogue.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::text;
use crate::client::{Connection, segment};
use crate::output::{Failure, Output, table};

/// Scopes of the catalogue.
#[derive(Debug, Subcommand)]
pub enum Scope {
    /// List the catalogue.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one scope.
    Show {
        /// Its name.
        name: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Register a scope.
    Create(Create),
    /// Deprecate a scope: until its sunset its successor is granted in its place.
    Deprecate {
        /// Its name.
        name: String,
        /// What is granted in its place.
        #[arg(long)]
        successor: Option<String>,
        /// When it stops working, as in 2027-01-31T00:00:00Z.
        #[arg(long)]
        sunset: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Retire a scope: it is granted no longer.
    Retire {
        /// Its name.
        name: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the recommended sets per integration.
    Integrations {
        #[command(flatten)]
        connection: Connection,
    },
}

/// What is registered.
#[derive(Debug, Args)]
pub struct Create {
    /// Its name, as it will stand in tokens.
    name: String,
    /// The API it belongs to, by identifier.
    #[arg(long)]
    api: String,
    /// What people read first.
    #[arg(long)]
    title: String,
    /// What it allows.
    #[arg(long)]
    description: String,
    /// The scopes that it includes, which makes it a bundle; may be repeated.
    #[arg(long = "includes", value_name = "SCOPE")]
    includes: Vec<String>,
    /// The feature that gates it.
    #[arg(long)]
    feature: Option<String>,
    /// Register it as a draft, which nobody is granted yet.
    #[arg(long)]
    draft: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Create {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let mut body = json!({
            "name": self.name, "api": self.api, "title": self.title, "description": self.description,
            "kind": if self.includes.is_empty() { "granular" } else { "coarse" },
            "includes": self.includes,
            "state": if self.draft { "draft" } else { "active" },
        });
        if let Some(feature) = self.feature {
            body["feature"] = feature.into();
        }
        let made = self.connection.admin().await?.post("/scopes", &body).await?;
        output.say(&shown(&made), &made)
    }
}

impl Scope {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::List { connection } => {
                let items = connection.admin().await?.list("/scopes").await?;
                let row = |item: &Value| -> Vec<String> {
                    let english = item.get("title").map_or_else(String::new, |title| text(title, "en"));
                    let mut cells: Vec<String> =
                        ["name", "kind", "state", "feature"].map(|name| text(item, name)).into();
                    cells.push(english);
                    cells
                };
                let rows: Vec<Vec<String>> = items.iter().map(row).collect();
                output.say(&table(&["NAME", "KIND", "STATE", "FEATURE", "TITLE"], &rows), &items)
            }
            Self::Show { name, connection } => {
                let item = connection.admin().await?.get(&format!("/scopes/{}", segment(&name))).await?;
                output.say(&shown(&item), &item)
            }
            Self::Create(create) => create.run(output).await,
            Self::Deprecate { name, successor, sunset, connection } => {
                let body = json!({ "state": "deprecated", "successor": successor, "sunset": sunset });
                change(&connection, &name, &body, output).await
            }
            Self::Retire { name, connection } => {
                change(&connection, &name, &json!({ "state": "retired" }), output).await
            }
            Self::Integrations { connection } => {
                let sets = connection.admin().await?.get("/scopes/recommended-sets").await?;
                let items = sets.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
                let rows: Vec<Vec<String>> = items
                    .iter()
                    .map(|set| ["integration", "title", "scopes", "or"].map(|name| text(set, name)).into())
                    .collect();
                output.say(&table(&["INTEGRATION", "TITLE", "SCOPES", "OR"], &rows), &items)
            }
        }
    }
}

async fn change(connection: &Connection, name: &str, body: &Value, output: Output) -> Result<(), Failure> {
    let item = connection.admin().await?.patch(&format!("/scopes/{}", segment(name)), body).await?;
    output.say(&shown(&item), &item)
}

fn shown(item: &Value) -> String {
    let fields = [
        "name",
        "api",
        "kind",
        "state",
        "includes",
        "feature",
        "grants",
        "roles",
        "sensitivity",
        "successor",
        "sunset",
    ];
    let mut lines: Vec<String> = fields
        .iter()
        .map(|field| (field, text(item, field)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(field, value)| format!("{field:<12} {value}"))
        .collect();
    for field in ["title", "description"] {
        if let Some(texts) = item.get(field) {
            lines.push(format!("{field:<12} {}", text(texts, "en")));
        }
    }
    lines.join("\n")
}
