//! `ambit feature`: what is on for tenants and units.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::text;
use crate::client::{Connection, segment};
use crate::output::{Failure, Output, table};

/// Features, per tenant and per unit.
#[derive(Debug, Subcommand)]
pub enum Feature {
    /// Turn a feature on or off for a tenant, or for a unit of it.
    Set(Set),
    /// List a tenant's features, with both levels and the outcome; a unit's with --unit.
    List {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        connection: Connection,
    },
}

/// For whom.
#[derive(Debug, Args)]
pub struct Place {
    /// The tenant, by slug or identifier.
    #[arg(long)]
    tenant: String,
    /// The unit, by slug or identifier.
    #[arg(long)]
    unit: Option<String>,
}

/// What is set.
#[derive(Debug, Args)]
pub struct Set {
    /// The feature's key.
    key: String,
    /// On, off, or (for a unit) as its tenant has it.
    state: State,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    On,
    Off,
    Unset,
}

impl Feature {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Set(set) => {
                let admin = set.connection.admin().await?;
                let path = set.place.path(&admin).await?;
                let enabled = match set.state {
                    State::On => Value::Bool(true),
                    State::Off => Value::Bool(false),
                    State::Unset => Value::Null,
                };
                let status = admin
                    .put(&format!("{path}/features/{}", segment(&set.key)), &json!({ "enabled": enabled }))
                    .await?;
                output.say(&rows(std::slice::from_ref(&status)), &status)
            }
            Self::List { place, connection } => {
                let admin = connection.admin().await?;
                let path = place.path(&admin).await?;
                let items = admin.list(&format!("{path}/features")).await?;
                output.say(&rows(&items), &items)
            }
        }
    }
}

impl Place {
    async fn path(&self, admin: &crate::client::AdminApi) -> Result<String, Failure> {
        let tenant = find(admin.list("/tenants").await?, &self.tenant, "tenant")?;
        let tenant_path = format!("/tenants/{}", text(&tenant, "id"));
        match &self.unit {
            None => Ok(tenant_path),
            Some(unit) => {
                let unit = find(admin.list(&format!("{tenant_path}/units")).await?, unit, "unit")?;
                Ok(format!("/units/{}", text(&unit, "id")))
            }
        }
    }
}

fn find(items: Vec<Value>, name: &str, noun: &str) -> Result<Value, Failure> {
    items
        .into_iter()
        .find(|item| text(item, "slug") == name || text(item, "id") == name)
        .ok_or_else(|| Failure::refused(format!("there is no {noun} '{name}'"), None))
}

fn rows(items: &[Value]) -> String {
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| ["key", "tenant_enabled", "unit_enabled", "open"].map(|name| text(item, name)).into())
        .collect();
    table(&["FEATURE", "TENANT", "UNIT", "OPEN"], &rows)
}
