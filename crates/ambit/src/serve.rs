//! `ambit serve`: from a configuration to a server that answers.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambit_core::entropy::Entropy;
use ambit_core::keys::MasterKey;
use ambit_core::reach::Reach;
use ambit_core::store::{Filter, Store, StoreError, noun};
use ambit_core::time::Clock as _;
use ambit_protocol::admin::key::Key;
use ambit_server::clock::SystemClock;
use ambit_server::config::{Config, File, Sources};
use ambit_server::entropy::SystemEntropy;
use ambit_server::first_start::StartError;
use ambit_server::listener::allow_files;
use ambit_server::logs::{Log, with_causes};
use ambit_server::registry::LoadError;
use ambit_server::server::{BuildError, Listeners, Parts, Server};
use ambit_server::web::sign_in::set_up;
use ambit_store::{SqlStore, StoreConfig};
use clap::Args;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::output::{Failure, Output};
use crate::{demo, master_key};

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
    #[arg(long, value_name = "FILE", env = "AMBIT_CONFIG")]
    config: Option<PathBuf>,
    /// Any other key of the configuration; may be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

impl Place {
    /// The configuration: flags over environment over file.
    pub fn sources(&self, more: &[(&str, Option<String>)]) -> Result<Sources, Failure> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let own = [("data_dir", path(&self.data_dir)), ("database_url", self.database_url.clone())];
        let flags = own.iter().chain(more).filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?)));
        let flags = flags.chain(self.set.iter().cloned()).collect();
        let file = match &self.config {
            Some(path) => Some(read(path)?),
            None if Path::new(DEFAULT_FILE).exists() => Some(read(Path::new(DEFAULT_FILE))?),
            None => None,
        };
        let sources = Sources { flags, file, ..Sources::default() };
        #[expect(clippy::disallowed_methods, reason = "the binary is the one place that reads the environment")]
        let variables = std::env::vars_os();
        sources.with_environment(variables).map_err(|errors| Failure::usage(errors.to_string()))
    }

    /// The configuration, checked.
    pub fn load(&self) -> Result<Config, Failure> {
        Config::load(&self.sources(&[])?).map_err(|errors| Failure::usage(errors.to_string()))
    }
}

impl Serve {
    pub fn run(self, output: Output) -> Result<(), Failure> {
        let flags = [
            ("listen", self.listen.clone()),
            ("public_url", self.public_url.clone()),
            ("demo", self.demo.then(|| "true".to_owned())),
        ];
        let sources = self.place.sources(&flags)?;
        let (mut config, effective) =
            Config::load_with_origins(&sources).map_err(|errors| Failure::usage(errors.to_string()))?;
        if self.print_config {
            let shown = effective.iter().map(|value| {
                let members = json!({ "value": value.shown, "from": value.origin.to_string() });
                (value.key.name.to_owned(), members)
            });
            let values: serde_json::Map<String, Value> = shown.collect();
            return output.say(ambit_server::config::print(&effective).trim_end(), &values);
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
        // On a single processor there is nobody to share the work with, and each wake-up that could be shared costs more.
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut runtime = match processors {
            1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        let runtime = runtime
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

    let store = open_store(&config).await?;
    store.migrate().await.map_err(|error| store_failure(&error))?;
    let master_key = master_key(&config, &store, &*entropy).await?;
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
    let server = Server::build(parts).await.map_err(|error| build_failure(&error))?;
    if is_demo {
        let limits = server.app().limits;
        let demo = demo::install(&*store, &base_url, limits, clock.now(), &*entropy)
            .await
            .map_err(|error| Failure::internal(with_causes(&error)))?;
        server.app().registry.catch_up().await.map_err(|error| store_failure(&error))?;
        if let Some(demo) = demo {
            eprintln!("{}\n", demo.shown(&base_url));
        }
    }
    // Beside the log, never in it: whoever has the link administers everything.
    if let Some(path) = set_up::link(server.app()).await.map_err(|error| store_failure(&error))? {
        eprintln!("no administrator yet; within a day, set the first one up at {base_url}{path}");
        eprintln!("then sign in on the command line: ambit login --url {base_url}\n");
    }
    eprintln!("{}", ambit_server::mail::described(&server.app().config));
    let stop = stop();
    eprintln!("ambit {} listens on {bound}; issuer {base_url}", env!("CARGO_PKG_VERSION"));
    if let Some(address) = metrics.as_ref().and_then(|metrics| metrics.local_addr().ok()) {
        eprintln!("/metrics on http://{address}");
    }
    let listeners = Listeners { main, metrics };
    server.serve(listeners, stop).await.map_err(|error| Failure::internal(with_causes(&error)))
}

/// Listens.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Failure::unreachable(format!("cannot listen on {address}: {error}")))
}

/// A store that does not answer; anything else is for the operator to put right.
fn build_failure(error: &BuildError) -> Failure {
    match error {
        BuildError::Store(store)
        | BuildError::Load(LoadError::Store(store))
        | BuildError::Start(StartError::Store(store)) => store_failure(store),
        BuildError::Vault(_) => Failure::internal(with_causes(error)),
        BuildError::Load(LoadError::Keys(_)) => {
            Failure::usage(format!("{}: is this the master key that the database was made with?", with_causes(error)))
        }
        // A machine that is short of threads now may have some in a moment: whoever starts servers tries again.
        BuildError::Threads(_) => Failure::unreachable(with_causes(error)),
        BuildError::Start(_) | BuildError::Tls(_) | BuildError::Mail(_) | BuildError::Protection(_) => {
            Failure::usage(with_causes(error))
        }
    }
}

/// Comes when the server is to stop: SIGTERM, or Ctrl-C. Both are heard from the call on, and not from when somebody waits: whoever
/// has read that a server listens may stop it.
pub fn stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{Signal, SignalKind, signal};
    async fn comes(signal: &mut Option<Signal>) {
        match signal {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
    let heard = [SignalKind::terminate(), SignalKind::interrupt()].map(|kind| {
        signal(kind).inspect_err(|error| tracing::error!(%error, ?kind, "a signal to stop cannot be heard")).ok()
    });
    async move {
        let [mut terminate, mut interrupt] = heard;
        tokio::select! {
            () = comes(&mut terminate) => {}
            () = comes(&mut interrupt) => {}
        }
    }
}

/// Opens the store of a configuration, and makes the embedded one where it is not there.
pub async fn open_store(config: &Config) -> Result<SqlStore, Failure> {
    if config.place.database_url.is_none() {
        make_folder(&config.place.data_dir)?;
    }
    SqlStore::open(&store_config(config)).await.map_err(|error| store_failure(&error))
}

/// Opens a store that is there. Whoever only looks makes nothing.
pub async fn open_existing_store(config: &Config) -> Result<SqlStore, Failure> {
    let place = store_config(config);
    match place.file().map_err(|error| store_failure(&error))? {
        Some(file) if !file.exists() => Err(Failure::usage(format!(
            "there is no database at {}: --data-dir or --database-url name it",
            file.display()
        ))),
        _ => SqlStore::open(&place).await.map_err(|error| store_failure(&error)),
    }
}

/// Where the store of a configuration is.
pub fn store_config(config: &Config) -> StoreConfig {
    match &config.place.database_url {
        Some(url) => StoreConfig::url(url.expose_secret()),
        None => StoreConfig::data_dir(&config.place.data_dir),
    }
}

/// A store that does not answer, or one that this program is not for.
pub fn store_failure(error: &StoreError) -> Failure {
    match error {
        StoreError::Schema(_) => Failure::usage(with_causes(error)),
        _ => Failure::unreachable(with_causes(error)),
    }
}

/// The master key of a store. Made with the store: where keys are sealed already, only the one they were sealed with will do.
async fn master_key(config: &Config, store: &SqlStore, entropy: &dyn Entropy) -> Result<MasterKey, Failure> {
    let path = config.master_key_file();
    // Counted before the file is read: of two nodes that start at once, the one that makes the keys has made the file first.
    let sealed =
        noun::count::<Key>(store, &Filter::default(), Reach::Platform).await.map_err(|error| store_failure(&error))?;
    if let Some(key) = master_key::read(&path)? {
        return Ok(key);
    }
    if sealed > 0 {
        return Err(Failure::usage(format!(
            "master key {}: it is not there, and the database has {sealed} signing keys that are sealed with it: put it back",
            path.display()
        )));
    }
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    master_key::make(&path, entropy)
}

/// Makes a folder that nobody else looks into, where there is none yet.
pub fn make_folder(folder: &Path) -> Result<(), Failure> {
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

/// `KEY=VALUE`, taken apart. The configuration itself says which keys there are.
fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn read(path: &Path) -> Result<File, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("configuration file {}: {error}", path.display())))?;
    Ok(File { name: path.display().to_string(), text })
}

const DEFAULT_FILE: &str = "ambit.toml";
