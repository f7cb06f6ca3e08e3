//! The operator's side: is the configuration good, does the store answer, does the server, and do they agree. It only looks:
//! it makes neither a database nor a key.

use ambit_core::keys::{KeyRing, MasterKey, Vault};
use ambit_core::reach::Reach;
use ambit_core::registry::builtin::{ADMIN_READ, ADMIN_WRITE};
use ambit_core::store::noun::{self, Noun as _};
use ambit_core::store::{Filter, Reads as _, Store as _, StoreError};
use ambit_core::time::Clock as _;
use ambit_protocol::admin::key::Key;
use ambit_server::clock::SystemClock;
use ambit_server::config::{Config, Effective, Origin};
use ambit_server::listener::tls::Tls;
use ambit_server::logs::with_causes;
use ambit_server::mail;
use ambit_store::SqlStore;
use clap::Args;
use reqwest::header::{DATE, HeaderMap};
use serde_json::{Value, json};

use super::super::text;
use crate::client::{self, Connection, http};
use crate::master_key;
use crate::output::{Failure, Output};
use crate::serve::{Place, open_existing_store, store_config};

/// What of a server is looked at.
#[derive(Debug, Args)]
pub struct Server {
    /// Look at the configuration and the store only.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    place: Place,
}

/// One thing that was looked at.
struct Check {
    what: &'static str,
    outcome: Result<String, String>,
}

/// What a configuration says of the issuer of its server.
struct Issuer {
    url: String,
    /// Whether somebody said so, or it is where a server is that was told nothing.
    is_said: bool,
}

impl Issuer {
    fn of(config: &Config, effective: &[Effective]) -> Self {
        // A port of 0 is any that is free: which one, only the server knows.
        let is_listen_said = config.place.listen.port() != 0
            && effective.iter().any(|value| value.key.name == "listen" && value.origin != Origin::Default);
        Self {
            url: config.public_url(config.place.listen).to_string(),
            is_said: config.place.public_url.is_some() || is_listen_said,
        }
    }
}

impl Server {
    pub async fn run(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        let mut checks = vec![];
        let config = self.place.sources(&[]).and_then(|sources| {
            Config::load_with_origins(&sources).map_err(|errors| Failure::usage(errors.to_string()))
        });
        let issuer = config.as_ref().ok().map(|(config, effective)| Issuer::of(config, effective));
        let config = config.map(|(config, _)| config);
        checks.push(Check {
            what: "configuration",
            outcome: match &config {
                Ok(config) => Ok(format!("good; listens on {}", config.place.listen)),
                Err(failure) => Err(failure.to_string()),
            },
        });
        if let Ok(config) = &config {
            checks.extend(on_this_machine(config).await);
            checks.extend(tls(config).map(|outcome| Check { what: "certificate", outcome }));
            checks.push(Check { what: "mail", outcome: mail(config, self.offline).await });
        }
        if !self.offline {
            checks.extend(running(connection, issuer.as_ref()).await?);
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
}

/// A server that runs, as it answers: the one that was named, or else that of the configuration.
async fn running(connection: &Connection, configured: Option<&Issuer>) -> Result<Vec<Check>, Failure> {
    let url = match (&connection.url, configured) {
        (None, Some(issuer)) => client::base(&issuer.url)?,
        _ => connection.base()?,
    };
    let base = url.as_str().trim_end_matches('/');
    let http = http()?;
    let mut checks = vec![];
    let get = async |path: &str| {
        let response = http.get(format!("{base}{path}")).send().await.map_err(|error| with_causes(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body: Value = response.json().await.unwrap_or_default();
        if status.is_success() { Ok((body, headers)) } else { Err(format!("GET {path}: HTTP {status}")) }
    };
    let ready = get("/readyz").await;
    let headers = ready.as_ref().ok().map(|(_, headers)| headers.clone());
    checks.push(Check { what: "server", outcome: ready.map(|_| format!("{base} is ready")) });
    let Some(headers) = headers else { return Ok(checks) };
    checks.push(Check { what: "clock", outcome: clocks_agree(&headers) });
    let metadata = get("/.well-known/openid-configuration").await;
    let said = configured.filter(|issuer| issuer.is_said);
    checks.push(Check {
        what: "discovery",
        outcome: metadata.and_then(|(metadata, _)| match metadata.get("issuer").and_then(Value::as_str) {
            Some(issuer) if said.is_some_and(|it| it.url != issuer) => Err(format!(
                "the issuer is {issuer}, and that of the configuration is {}: another server answers at {base}, or it was started \
                 with another configuration",
                said.map(|it| it.url.as_str()).unwrap_or_default()
            )),
            Some(issuer) if issuer == base => Ok(format!("issuer {issuer}")),
            Some(issuer) => Err(format!("the issuer is {issuer} and was called as {base}: set --url or public_url")),
            None => Err("no issuer in the document".to_owned()),
        }),
    });
    let keys = get("/connect/jwks").await;
    checks.push(Check {
        what: "key set",
        outcome: keys.and_then(|(set, _)| match set.get("keys").and_then(Value::as_array).map(Vec::len) {
            Some(count) if count > 0 => Ok(format!("{count} published")),
            _ => Err("no key is published".to_owned()),
        }),
    });
    if let Some((client_id, secret)) = connection.credentials() {
        let answer = client::token(&http, &url, client_id, secret, &[]).await;
        let scope = answer.as_ref().map(|answer| text(answer, "scope")).map_err(ToString::to_string);
        checks.push(Check {
            what: "credentials",
            outcome: scope.as_ref().map(|scope| format!("{client_id} gets '{scope}'")).map_err(Clone::clone),
        });
        let is_for_admin = |scope: &String| scope.split(' ').any(|name| [ADMIN_READ, ADMIN_WRITE].contains(&name));
        if let (Ok(answer), true) = (answer, scope.is_ok_and(|scope| is_for_admin(&scope))) {
            let outcome = admin_api(&http, base, &text(&answer, "access_token")).await;
            checks.push(Check { what: "admin API", outcome });
        }
    }
    Ok(checks)
}

/// Whether the admin API takes a token. That one was given does not say so: a node that calls itself otherwise, on the same store, gives
/// tokens for another audience.
async fn admin_api(http: &reqwest::Client, base: &str, token: &str) -> Result<String, String> {
    let read = http.get(format!("{base}/api/v1/admin/applications?limit=1")).bearer_auth(token);
    match client::answer(read).await {
        Ok(_) => Ok("takes the token".to_owned()),
        Err(failure) => Err(format!("refuses the token: {failure}")),
    }
}

/// How letters go out; and whether the mail server takes them from us, unless nobody is to be asked.
async fn mail(config: &Config, offline: bool) -> Result<String, String> {
    if !offline {
        mail::probe(config).await?;
    }
    Ok(mail::described(config))
}

/// The master key, the store and the signing keys of a configuration.
async fn on_this_machine(config: &Config) -> Vec<Check> {
    let path = config.master_key_file();
    let key = master_key::read(&path).map_err(|failure| failure.to_string());
    let absent = store_config(config).file().ok().flatten().filter(|file| !file.exists());
    if let (Ok(None), Some(file)) = (&key, absent) {
        let neither = match path.parent() {
            Some(folder) if file.parent() == Some(folder) => {
                format!("neither master key nor database in {}", folder.display())
            }
            _ => format!("neither master key {} nor database {}", path.display(), file.display()),
        };
        return vec![Check { what: "store", outcome: Ok(format!("{neither}: the first start makes them")) }];
    }
    let mut checks = vec![Check {
        what: "master key",
        outcome: match &key {
            Ok(Some(_)) => Ok(path.display().to_string()),
            Ok(None) => Err(format!("{} is not there", path.display())),
            Err(wrong) => Err(wrong.clone()),
        },
    }];
    let opened = open_existing_store(config).await.map_err(|failure| failure.to_string());
    let store = match opened {
        Ok(store) => store,
        Err(wrong) => {
            checks.push(Check { what: "store", outcome: Err(wrong) });
            return checks;
        }
    };
    let found = revision(&store).await;
    let answers = found.is_ok();
    checks.push(Check { what: "store", outcome: found });
    if answers {
        checks.push(Check { what: "rows", outcome: rows(&store).await });
    }
    if let (true, Ok(Some(key))) = (answers, key) {
        checks.push(Check { what: "signing keys", outcome: signing_keys(&store, &key, config).await });
    }
    checks
}

async fn revision(store: &SqlStore) -> Result<String, String> {
    let wrong = |error: StoreError| with_causes(&error);
    let version = store.schema_version().await.map_err(wrong)?;
    if version == 0 {
        return Err(format!("{} is empty: the first start, or ambit migrate, makes the schema", store.engine()));
    }
    store.check().await.map_err(wrong)?;
    let revision = store.revision().await.map_err(wrong)?;
    Ok(format!("{}, schema version {version}, revision {revision}", store.engine()))
}

/// Whether every row is as it was written; all that are not are named.
async fn rows(store: &SqlStore) -> Result<String, String> {
    let found = store.scan().await.map_err(|error| with_causes(&error))?;
    if found.damaged.is_empty() {
        let unchecked = match found.unchecked {
            0 => String::new(),
            count => format!("; {count} of an older version cannot be checked"),
        };
        return Ok(format!("{} are as they were written{unchecked}", found.whole));
    }
    let named: Vec<String> = found.damaged.iter().map(ToString::to_string).collect();
    Err(format!("{} are not as they were written, and are refused: {}", named.len(), named.join(", ")))
}

/// Whether the keys open with the master key, and whether one of them signs.
async fn signing_keys(store: &SqlStore, key: &MasterKey, config: &Config) -> Result<String, String> {
    let vault = Vault::new(key).map_err(|error| error.to_string())?;
    let rows = store.list_rows(Key::RESOURCE, &Filter::default(), Reach::Platform).await;
    let keys = rows
        .map_err(|error| with_causes(&error))?
        .into_iter()
        .map(|row| Ok((noun::read::<Key>(&row)?, row.sealed)))
        .collect::<Result<Vec<_>, StoreError>>()
        .map_err(|error| with_causes(&error))?;
    let count = keys.len();
    let ring = KeyRing::open(keys, &vault).map_err(|error| error.to_string())?;
    let default = config.keys.default_algorithm;
    match ring.signer(default) {
        Some(signer) => Ok(format!("{count} in all; {} signs by {default}", signer.kid)),
        None => Err(format!("none is active for {default}: the next start makes one")),
    }
}

/// Whether the certificate and its key can be used, where the configuration names them.
fn tls(config: &Config) -> Option<Result<String, String>> {
    let cert = config.tls.cert.as_ref()?;
    Some(Tls::load(&config.tls).map(|_| cert.display().to_string()).map_err(|error| with_causes(&error)))
}

/// RFC 9110 §6.6.1: `Date` is when the answer was made. Assertions and tokens are judged by the server's clock.
fn clocks_agree(headers: &HeaderMap) -> Result<String, String> {
    let text =
        headers.get(DATE).and_then(|date| date.to_str().ok()).ok_or("the server does not say what time it is")?;
    let theirs = jiff::fmt::rfc2822::parse(text).map_err(|_| format!("'{text}' is no date"))?.timestamp().as_second();
    let apart = SystemClock.now().secs() - theirs;
    if apart.abs() <= CLOCKS_APART_SECS {
        return Ok("the server's and this machine's agree".to_owned());
    }
    let which = if apart > 0 { "behind" } else { "ahead of" };
    Err(format!("the server's is {} s {which} this machine's", apart.abs()))
}

/// `Date` has whole seconds, and the answer took its time.
const CLOCKS_APART_SECS: i64 = 5;
