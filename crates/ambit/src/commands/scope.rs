//! `ambit scope`: the catalogue.

use clap::Subcommand;
use serde_json::Value;

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
    /// List the recommended sets per integration.
    Integrations {
        #[command(flatten)]
        connection: Connection,
    },
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
                    .map(|field| (field, text(&item, field)))
                    .filter(|(_, value)| !value.is_empty())
                    .map(|(field, value)| format!("{field:<12} {value}"))
                    .collect();
                for field in ["title", "description"] {
                    if let Some(texts) = item.get(field) {
                        lines.push(format!("{field:<12} {}", text(texts, "en")));
                    }
                }
                output.say(&lines.join("\n"), &item)
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
