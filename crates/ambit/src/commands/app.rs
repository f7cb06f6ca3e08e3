//! `ambit app`: applications.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::text;
use crate::client::{Connection, segment};
use crate::output::{Failure, Output, table};

/// Applications.
#[derive(Debug, Subcommand)]
pub enum App {
    /// Register an application. Its secret is printed once.
    Create(Box<Create>),
    /// List applications.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one application.
    Show {
        /// Its `client_id` or identifier.
        application: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Allow scopes for an application.
    Allow {
        /// Its `client_id` or identifier.
        application: String,
        /// The scopes to add.
        #[arg(required = true)]
        scopes: Vec<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Take allowed scopes away from an application.
    Disallow {
        /// Its `client_id` or identifier.
        application: String,
        /// The scopes to take away.
        #[arg(required = true)]
        scopes: Vec<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Make a new secret for an application; up to two live at a time. Printed once.
    Secret {
        /// Its `client_id` or identifier.
        application: String,
        /// How many seconds the older secrets keep working.
        #[arg(long)]
        overlap_secs: Option<u32>,
        #[command(flatten)]
        connection: Connection,
    },
}

/// What is registered.
#[derive(Debug, Args)]
pub struct Create {
    /// Name for people.
    name: String,
    /// Identifier in the protocol; generated where left out.
    #[arg(long)]
    id: Option<String>,
    /// web, service, spa, native or device.
    #[arg(long, default_value = "service")]
    r#type: String,
    /// platform, partner or tenant.
    #[arg(long, default_value = "tenant")]
    level: String,
    /// The tenant it belongs to (identifier).
    #[arg(long)]
    tenant_id: Option<String>,
    /// The partner it belongs to (identifier).
    #[arg(long)]
    partner_id: Option<String>,
    /// Allowed scopes.
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// Where a browser may be sent back to; once for each address.
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where a browser may be sent after signing out.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// An origin whose scripts may call the server for it, such as `https://app.example`.
    #[arg(long = "allowed-origin", value_name = "ORIGIN")]
    allowed_origins: Vec<String>,
    /// Take the recommended scopes of an integration; `ambit scope integrations` lists them.
    #[arg(long)]
    integration: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl App {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(output).await,
            Self::List { connection } => {
                let items = connection.admin().await?.list("/applications").await?;
                let rows: Vec<Vec<String>> = items
                    .iter()
                    .map(|item| {
                        ["client_id", "name", "type", "level", "status", "allowed_scopes"]
                            .map(|name| text(item, name))
                            .into()
                    })
                    .collect();
                output.say(&table(&["CLIENT_ID", "NAME", "TYPE", "LEVEL", "STATUS", "ALLOWED SCOPES"], &rows), &items)
            }
            Self::Show { application, connection } => {
                let item = connection.admin().await?.get(&path(&application)).await?;
                output.say(&shown(&item), &item)
            }
            Self::Allow { application, scopes, connection } => {
                let admin = connection.admin().await?;
                for scope in &scopes {
                    admin.post(&format!("{}/allowed_scopes", path(&application)), &json!({ "scope": scope })).await?;
                }
                let item = admin.get(&path(&application)).await?;
                let now = text(&item, "allowed_scopes");
                output.say(&format!("allowed: {now}\nTokens minted before do not have it: get a new one."), &item)
            }
            Self::Disallow { application, scopes, connection } => {
                let admin = connection.admin().await?;
                for scope in &scopes {
                    admin.delete(&format!("{}/allowed_scopes/{}", path(&application), segment(scope))).await?;
                }
                let item = admin.get(&path(&application)).await?;
                output.say(&format!("allowed: {}", text(&item, "allowed_scopes")), &item)
            }
            Self::Secret { application, overlap_secs, connection } => {
                let mut body = Map::new();
                if let Some(secs) = overlap_secs {
                    body.insert("overlap_secs".to_owned(), secs.into());
                }
                let made = connection.admin().await?.post(&format!("{}/secrets", path(&application)), &body).await?;
                output.say(&format!("client_secret  {}\nIt is shown this once.", text(&made, "client_secret")), &made)
            }
        }
    }
}

impl Create {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let admin = self.connection.admin().await?;
        let mut scopes = self.scopes;
        if let Some(integration) = &self.integration {
            let sets = admin.get("/scopes/recommended-sets").await?;
            let sets = sets.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            let Some(set) = sets.iter().find(|set| text(set, "integration") == *integration) else {
                let known: Vec<String> = sets.iter().map(|set| text(set, "integration")).collect();
                return Err(Failure::usage(format!(
                    "--integration: there is no '{integration}'; there are: {}",
                    known.join(", ")
                )));
            };
            scopes.extend(text(set, "scopes").split(' ').map(str::to_owned));
        }
        let mut body = json!({
            "name": self.name, "type": self.r#type, "level": self.level, "allowed_scopes": scopes,
            "redirect_uris": self.redirect_uris, "post_logout_redirect_uris": self.post_logout_redirect_uris,
            "allowed_origins": self.allowed_origins,
        });
        for (name, value) in [("client_id", self.id), ("tenant_id", self.tenant_id), ("partner_id", self.partner_id)] {
            if let Some(value) = value {
                body[name] = value.into();
            }
        }
        let made = admin.post("/applications", &body).await?;
        let mut said = shown(&made);
        if made.get("client_secret").is_some() {
            said.push_str(&format!(
                "\nclient_secret   {}\nThe secret is shown this once.",
                text(&made, "client_secret")
            ));
        }
        output.say(&said, &made)
    }
}

fn shown(item: &Value) -> String {
    let fields = [
        "client_id",
        "id",
        "name",
        "type",
        "level",
        "tenant_id",
        "partner_id",
        "status",
        "allowed_scopes",
        "scopes_changed_at",
    ];
    let lines: Vec<String> = fields
        .iter()
        .map(|name| (name, text(item, name)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:<15} {value}"))
        .collect();
    lines.join("\n")
}

fn path(application: &str) -> String {
    format!("/applications/{}", segment(application))
}
