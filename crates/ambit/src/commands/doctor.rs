//! `ambit doctor`: is the configuration good, does the store answer, does the server, and do they agree.

use ambit_core::store::Store as _;
use ambit_server::listener::tls::Tls;
use clap::Args;
use serde_json::{Value, json};

use crate::client::{Connection, http};
use crate::output::{Failure, Output};
use crate::serve::{Place, chain};

/// Check the configuration, the store and a running server.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Look at the configuration and the store only.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    connection: Connection,
}

/// One thing that was looked at.
struct Check {
    what: &'static str,
    outcome: Result<String, String>,
}

impl Doctor {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        let mut checks = vec![];
        let config = self.place.load();
        checks.push(Check {
            what: "configuration",
            outcome: match &config {
                Ok(config) => Ok(format!("good; listens on {}", config.place.listen)),
                Err(failure) => Err(failure.to_string()),
            },
        });
        if let Ok(config) = &config {
            checks.push(Check { what: "master key", outcome: master_key(config) });
            checks.push(Check { what: "store", outcome: store(config).await });
            checks.extend(tls(config).map(|outcome| Check { what: "certificate", outcome }));
        }
        if !self.offline {
            checks.extend(self.server().await?);
        }
        let lines: Vec<String> = checks
            .iter()
            .map(|check| match &check.outcome {
                Ok(found) => format!("ok    {:<14} {found}", check.what),
                Err(wrong) => format!("FAIL  {:<14} {wrong}", check.what),
            })
            .collect();
        let values: Vec<Value> = checks
            .iter()
            .map(|check| {
                let (ok, detail) = match &check.outcome {
                    Ok(found) => (true, found),
                    Err(wrong) => (false, wrong),
                };
                json!({ "check": check.what, "ok": ok, "detail": detail })
            })
            .collect();
        output.say(&lines.join("\n"), &values)?;
        let failed = checks.iter().filter(|check| check.outcome.is_err()).count();
        if failed == 0 { Ok(()) } else { Err(Failure::finding(format!("{failed} of {} checks failed", checks.len()))) }
    }

    async fn server(&self) -> Result<Vec<Check>, Failure> {
        let base = self.connection.base()?;
        let base = base.as_str().trim_end_matches('/');
        let http = http()?;
        let mut checks = vec![];
        let get = async |path: &str| {
            let response = http.get(format!("{base}{path}")).send().await.map_err(|error| chain(&error))?;
            let status = response.status();
            let body: Value = response.json().await.unwrap_or_default();
            if status.is_success() { Ok(body) } else { Err(format!("GET {path}: HTTP {status}")) }
        };
        let ready = get("/readyz").await;
        let answers = ready.is_ok();
        checks.push(Check { what: "server", outcome: ready.map(|_| format!("{base} is ready")) });
        if !answers {
            return Ok(checks);
        }
        let metadata = get("/.well-known/openid-configuration").await;
        checks.push(Check {
            what: "discovery",
            outcome: metadata.and_then(|metadata| match metadata.get("issuer").and_then(Value::as_str) {
                Some(issuer) if issuer == base => Ok(format!("issuer {issuer}")),
                Some(issuer) => {
                    Err(format!("the issuer is {issuer} and was called as {base}: set --url or public_url"))
                }
                None => Err("no issuer in the document".to_owned()),
            }),
        });
        let keys = get("/connect/jwks").await;
        checks.push(Check {
            what: "keys",
            outcome: keys.and_then(|set| match set.get("keys").and_then(Value::as_array).map(Vec::len) {
                Some(count) if count > 0 => Ok(format!("{count} published")),
                _ => Err("no key is published".to_owned()),
            }),
        });
        if let Some((client_id, secret)) = self.connection.credentials() {
            let url = self.connection.base()?;
            let token = crate::client::token(&http, &url, client_id, secret, &[]).await;
            checks.push(Check {
                what: "credentials",
                outcome: match token {
                    Ok(answer) => Ok(format!("{client_id} gets '{}'", super::text(&answer, "scope"))),
                    Err(failure) => Err(failure.to_string()),
                },
            });
        }
        Ok(checks)
    }
}

fn master_key(config: &ambit_server::config::Config) -> Result<String, String> {
    let path = config.master_key_file();
    if path.exists() {
        Ok(path.display().to_string())
    } else {
        Err(format!("{} is not there: the first start makes it", path.display()))
    }
}

/// Whether the certificate and its key can be used, where the configuration names them.
fn tls(config: &ambit_server::config::Config) -> Option<Result<String, String>> {
    let cert = config.tls.cert.as_ref()?;
    Some(Tls::load(&config.tls).map(|_| cert.display().to_string()).map_err(|error| chain(&error)))
}

async fn store(config: &ambit_server::config::Config) -> Result<String, String> {
    let store = crate::serve::open_store(config).await.map_err(|failure| failure.to_string())?;
    store.check().await.map_err(|error| chain(&error))?;
    let revision = store.revision().await.map_err(|error| chain(&error))?;
    Ok(format!("{}, revision {revision}", store.engine()))
}
