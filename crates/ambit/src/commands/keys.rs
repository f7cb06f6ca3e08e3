//! `ambit keys`: signing keys.

use ambit_core::page::NEXT_KEY_YOUNG;
use clap::Subcommand;
use serde_json::{Map, Value};

use super::text;
use crate::client::{Connection, Identity, segment};
use crate::output::{Failure, Output, table};

/// Signing keys.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// List the keys: next, active, retiring, revoked.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Rotate: the next key signs from now on, the old one verifies until its last token has expired.
    Rotate {
        /// Only this algorithm: ES256, RS256, PS256 or `EdDSA`.
        #[arg(long)]
        algorithm: Option<String>,
        /// Sign with the next key at once, even where caches of the key set cannot know it yet.
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Withdraw a key at once: tokens signed with it are refused from now on.
    Revoke {
        /// Its identifier (the `kid`).
        key: String,
        #[command(flatten)]
        connection: Connection,
    },
}

impl Keys {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        let mut more = "";
        let items = match self {
            Self::List { connection } => connection.admin().await?.list("/keys").await?,
            Self::Rotate { algorithm, now, connection } => {
                let mut body = Map::new();
                if now {
                    body.insert("force".to_owned(), true.into());
                }
                if let Some(algorithm) = algorithm {
                    body.insert("algorithm".to_owned(), algorithm.into());
                }
                let admin = connection.admin().await?;
                admin.post("/keys/rotate", &body).await.map_err(in_our_words)?;
                admin.list("/keys").await?
            }
            Self::Revoke { key, connection } => {
                let admin = connection.admin().await?;
                let changed = admin.post(&format!("/keys/{}/revoke", segment(&key)), &Map::new()).await?;
                match (admin.list("/keys").await, connection.identity()?) {
                    // The token was good a moment ago, so this key had signed it. Whoever can get another asks with that.
                    (Err(failure), Identity::Client(..)) if failure.status() == Some(401) => {
                        connection.admin().await?.list("/keys").await?
                    }
                    (Err(failure), Identity::Token(_)) if failure.status() == Some(401) => {
                        more = OWN_TOKEN;
                        changed.get("items").and_then(Value::as_array).cloned().unwrap_or_default()
                    }
                    (listed, _) => listed?,
                }
            }
        };
        let row = |item: &Value| {
            ["id", "algorithm", "state", "activated_at", "remove_at"].map(|name| text(item, name)).into()
        };
        let rows: Vec<Vec<String>> = items.iter().map(row).collect();
        let keys = table(&["KEY", "ALGORITHM", "STATE", "SIGNS SINCE", "REMOVED AT"], &rows);
        output.say(&format!("{keys}{more}"), &items)
    }
}

/// The server says how its API is asked all the same, and here that is a flag.
fn in_our_words(failure: Failure) -> Failure {
    if failure.is_about(&NEXT_KEY_YOUNG) { failure.with_line("on the command line that is --now") } else { failure }
}

const OWN_TOKEN: &str = "\n\nThe key is revoked, and had signed the token that was given: that is good no more. These are the keys that \
                         changed; to see all, ask with another token.";
