//! `ambit serve`: from a configuration to a server that answers.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambit_core::entropy::Entropy;
use ambit_core::keys::MasterKey;
use ambit_core::store::Store;
use ambit_core::time::Clock as _;
use ambit_server::clock::SystemClock;
use ambit_server::config::{Config, File, Sources};
use ambit_server::entropy::SystemEntropy;
use ambit_server::listener::allow_files;
use ambit_server::logs::Log;
use ambit_server::server::{BuildError, Listeners, Parts, Server};
use ambit_store::{SqlStore, StoreConfig};
use clap::Args;
use tokio::net::TcpListener;

use crate::demo;
use crate::output::Failure;

/// Run the server.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub place: Place,
    /// The address and port to listen on.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The URL that clients call the server by.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Fill an empty database with the retail example and print its credentials. Loopback only.
    #[arg(long)]
    demo: bool,
    /// Print the configuration in force, with who said each value, and stop.
    #[arg(long)]
    print_config: bool,
}

/// Where the store is: the same for all commands that work on it.
#[derive(Debug, Args)]
pub struct Place {
    /// The folder for the embedded database and the master key.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The database, if it is not the embedded one: <sqlite://PATH> or <postgres://USER@HOST/DATABASE>. A password belongs into
    /// `AMBIT_DATABASE_URL`.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// The configuration file; `ambit.toml` in the current folder where there is one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// The configuration: flags over environment over file.
    pub fn sources(&self, more: &[(&str, Option<String>)]) -> Result<Sources, Failure> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let own = [("data_dir", path(&self.data_dir)), ("database_url", self.database_url.clone())];
        let flags =
            own.iter().chain(more).filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?))).collect();
        let file = match &self.config {
            Some(path) => Some(read(path)?),
            None if Path::new(DEFAULT_FILE).exists() => Some(read(Path::new(DEFAULT_FILE))?),
            None => None,
        };
        let sources = Sources { flags, file, ..Sources::default() };
        // The commands' own variables say which server to talk to; they are nothing to a server.
        #[expect(clippy::disallowed_methods, reason = "the binary is the one place that reads the environment")]
        let variables =
            std::env::vars_os().filter(|(name, _)| !name.to_str().is_some_and(|name| COMMANDS_OWN.contains(&name)));
        sources.with_environment(variables).map_err(|errors| Failure::usage(errors.to_string()))
    }

    /// The configuration, checked.
    pub fn load(&self) -> Result<Config, Failure> {
        Config::load(&self.sources(&[])?).map_err(|errors| Failure::usage(errors.to_string()))
    }
}

impl Serve {
    pub fn run(self) -> Result<(), Failure> {
        let flags = [
            ("listen", self.listen.clone()),
            ("public_url", self.public_url.clone()),
            ("demo", self.demo.then(|| "true".to_owned())),
        ];
        let sources = self.place.sources(&flags)?;
        let (mut config, effective) =
            Config::load_with_origins(&sources).map_err(|errors| Failure::usage(errors.to_string()))?;
        if self.print_config {
            return crate::output::write(ambit_server::config::print(&effective).trim_end());
        }
        // A demonstration leaves nothing behind, unless it was told where.
        let temporary = if config.place.demo && self.place.data_dir.is_none() && config.place.database_url.is_none() {
            let dir = tempfile::Builder::new()
                .prefix("ambit-demo-")
                .tempdir()
                .map_err(|error| Failure::internal(format!("no temporary folder for the demonstration: {error}")))?;
            dir.path().clone_into(&mut config.place.data_dir);
            Some(dir)
        } else {
            None
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::internal(format!("the runtime could not be started: {error}")))?;
        let outcome = runtime.block_on(serve(config));
        drop(runtime);
        drop(temporary);
        outcome
    }
}

async fn serve(config: Config) -> Result<(), Failure> {
    let clock = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let main = bind(config.place.listen).await?;
    let bound: SocketAddr = main.local_addr().map_err(|error| Failure::internal(error.to_string()))?;
    let metrics = match config.metrics.listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let base_url = config.public_url(bound).to_string();

    let master_key = master_key(&config.master_key_file(), &*entropy)?;
    let store = open_store(&config).await?;
    store.migrate().await.map_err(|error| Failure::unreachable(chain(&error)))?;
    let store: Arc<dyn Store> = Arc::new(store);
    let is_demo = config.place.demo;
    let log = Log::start(config.log.level.0, config.log.format, clock.clone(), std::io::stdout())
        .map_err(|error| Failure::internal(format!("the log could not be started: {error}")))?;
    log.install().map_err(|error| Failure::internal(error.to_string()))?;
    allow_files(config.limits.connections);
    let parts = Parts {
        config,
        log,
        base_url: base_url.clone(),
        store: store.clone(),
        master_key,
        clock: clock.clone(),
        entropy: entropy.clone(),
    };
    let server = Server::build(parts).await.map_err(|error| match error {
        BuildError::Tls(error) => Failure::usage(chain(&error)),
        error => Failure::unreachable(chain(&error)),
    })?;
    if is_demo {
        let limits = server.app().limits;
        let demo = demo::install(&*store, &base_url, limits, clock.now(), &*entropy)
            .await
            .map_err(|error| Failure::internal(chain(&error)))?;
        server.app().registry.catch_up().await.map_err(|error| Failure::unreachable(chain(&error)))?;
        if let Some(demo) = demo {
            eprintln!("{}\n", demo.shown(&base_url));
        }
    }
    eprintln!("ambit {} listens on {bound}; issuer {base_url}", env!("CARGO_PKG_VERSION"));
    if let Some(address) = metrics.as_ref().and_then(|metrics| metrics.local_addr().ok()) {
        eprintln!("/metrics on http://{address}");
    }
    let listeners = Listeners { main, metrics };
    server.serve(listeners, stop()).await.map_err(|error| Failure::internal(chain(&error)))
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Failure::unreachable(format!("cannot listen on {address}: {error}")))
}

/// Comes when the server is to stop: SIGTERM, or Ctrl-C.
async fn stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::error!(%error, "SIGTERM cannot be heard; Ctrl-C can");
            return tokio::signal::ctrl_c().await.unwrap_or(());
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Opens the store of a configuration.
pub async fn open_store(config: &Config) -> Result<SqlStore, Failure> {
    let place = if let Some(url) = &config.place.database_url {
        StoreConfig::url(url.expose_secret())
    } else {
        make_folder(&config.place.data_dir)?;
        StoreConfig::data_dir(&config.place.data_dir)
    };
    SqlStore::open(&place).await.map_err(|error| Failure::unreachable(chain(&error)))
}

/// The master key from its file, or a new one at the first start. Never anything that others may read.
fn master_key(path: &Path, entropy: &dyn Entropy) -> Result<MasterKey, Failure> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let about = |what: String| Failure::usage(format!("master key {}: {what}", path.display()));
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let mode = std::fs::metadata(path).map_err(|error| about(error.to_string()))?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(about(format!("others may read it (mode {:o}): chmod 600 it", mode & 0o777)));
            }
            MasterKey::parse(&text).map_err(|error| about(error.to_string()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if let Some(folder) = path.parent() {
                make_folder(folder)?;
            }
            let key = MasterKey::generate(entropy);
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map_err(|error| about(error.to_string()))?;
            writeln!(file, "{}", *key.expose_secret()).map_err(|error| about(error.to_string()))?;
            // Keys will be encrypted under it: it must not be lost in a crash that they survive.
            file.sync_all().map_err(|error| about(error.to_string()))?;
            Ok(key)
        }
        Err(error) => Err(about(error.to_string())),
    }
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    if folder.as_os_str().is_empty() || folder.exists() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Failure::usage(format!("folder {}: {error}", folder.display())))
}

fn read(path: &Path) -> Result<File, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("configuration file {}: {error}", path.display())))?;
    Ok(File { name: path.display().to_string(), text })
}

/// An error with all its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    text
}

const DEFAULT_FILE: &str = "ambit.toml";

/// Which server the commands talk to, and as whom. See `client.rs`.
const COMMANDS_OWN: [&str; 4] = ["AMBIT_URL", "AMBIT_CLIENT_ID", "AMBIT_CLIENT_SECRET", "AMBIT_TOKEN"];
