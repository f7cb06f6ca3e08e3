//! The two engines, and the connections to them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{Any, AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions};

use crate::config::{StoreConfig, Target, sqlite_url};
use crate::error::{Result, unavailable};
use crate::readers::{LONG, Readers};
use crate::scheduling;

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// Begins a change. SQLite takes the lock at once: a transaction that read first could not get it later.
    pub(crate) const fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        }
    }

    /// Ends a SELECT whose rows are then changed: they are taken in its order, so that no two wait for each other. On SQLite
    /// the writer has everything already.
    pub(crate) const fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
        }
    }

    /// Ends a SELECT whose rows are then taken away, but for those that somebody else is changing: it waits for nobody.
    pub(crate) const fn for_update_of_idle(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// Ends a SELECT of a row that must not be taken away before the transaction ends.
    pub(crate) const fn for_key_share(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR KEY SHARE",
        }
    }

    /// Whose connection it is.
    pub(crate) fn of(connection: &AnyConnection) -> Self {
        if connection.backend_name() == "PostgreSQL" { Self::Postgres } else { Self::Sqlite }
    }

    /// A text's octets, whether they are a text or not.
    pub(crate) fn octets(self, text: &str) -> String {
        match self {
            Self::Sqlite => format!("CAST({text} AS BLOB)"),
            Self::Postgres => format!("convert_to({text}, 'UTF8')"),
        }
    }

    /// The text of such octets.
    pub(crate) fn text(self, octets: &str) -> String {
        match self {
            Self::Sqlite => format!("CAST({octets} AS TEXT)"),
            Self::Postgres => format!("convert_from({octets}, 'UTF8')"),
        }
    }

    /// For a transaction that takes as long as somebody else needs to read or write a file.
    pub(crate) const fn patience(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT 1",
            Self::Postgres => "SET LOCAL idle_in_transaction_session_timeout = 0",
        }
    }

    /// Begins to read one consistent state for as long as it takes.
    pub(crate) const fn begin_snapshot(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

/// The connections.
#[derive(Debug)]
pub(crate) struct Pools {
    pub(crate) engine: Engine,
    pub(crate) writer: AnyPool,
    pub(crate) readers: Readers,
}

impl Pools {
    /// Opens the database, making the file if there is none, and one connection to write with. Readers come when needed.
    pub(crate) async fn open(config: &StoreConfig) -> Result<Self> {
        sqlx::any::install_default_drivers();
        match config.target()? {
            Target::Sqlite(path) => open_sqlite(config, &path).await,
            Target::Postgres(url) => open_postgres(config, &url).await,
        }
    }
}

/// A connection of a pool, which opens one where none is at rest.
pub(crate) async fn acquire(pool: &AnyPool) -> Result<PoolConnection<Any>> {
    let acquiring = pool.acquire();
    let acquired = if pool.num_idle() > 0 { acquiring.await } else { scheduling::opening(acquiring).await };
    acquired.map_err(unavailable)
}

async fn open_sqlite(config: &StoreConfig, path: &Path) -> Result<Pools> {
    create_file(path).map_err(unavailable)?;
    let options = connect_options(&sqlite_url(path)?)?;
    let pool = || {
        AnyPoolOptions::new()
            .acquire_timeout(config.wait)
            // A file does not hang up.
            .test_before_acquire(false)
            .max_lifetime(None)
    };
    let settings = format!("PRAGMA busy_timeout = {}; {SQLITE_WRITER}", config.wait.as_millis());
    let writer = pool().max_connections(1).idle_timeout(None).after_connect(move |connection, _| {
        let settings = settings.clone();
        Box::pin(async move { sqlx::raw_sql(AssertSqlSafe(settings)).execute(connection).await.map(drop) })
    });
    let writer = scheduling::opening(writer.connect_with(options.clone())).await.map_err(unavailable)?;
    let reader = pool()
        .max_connections(config.readers + LONG)
        .idle_timeout(READER_REST)
        .after_connect(|connection, _| {
            Box::pin(async { sqlx::raw_sql(SQLITE_READER).execute(connection).await.map(drop) })
        })
        .connect_lazy_with(options);
    Ok(Pools { engine: Engine::Sqlite, writer, readers: Readers::new(Engine::Sqlite, reader, config) })
}

async fn open_postgres(config: &StoreConfig, url: &str) -> Result<Pools> {
    let options = connect_options(url)?;
    let settings = format!(
        "SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; SET application_name = 'ambit'; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        config.wait.as_millis(),
        IDLE_IN_TRANSACTION.as_millis(),
    );
    let pool = || {
        let settings = settings.clone();
        // Connections are tried before they are used: after a restart of the server the next request finds a live one.
        AnyPoolOptions::new().acquire_timeout(config.wait).idle_timeout(READER_REST).after_connect(
            move |connection, _| {
                let settings = settings.clone();
                Box::pin(async move { sqlx::raw_sql(AssertSqlSafe(settings)).execute(connection).await.map(drop) })
            },
        )
    };
    let writer = pool().max_connections(POSTGRES_WRITERS).connect_with(options.clone()).await.map_err(unavailable)?;
    let reader = pool().max_connections(config.readers + LONG).connect_lazy_with(options);
    Ok(Pools { engine: Engine::Postgres, writer, readers: Readers::new(Engine::Postgres, reader, config) })
}

// Statements are not logged: they say nothing that the request's own line does not say better.
fn connect_options(url: &str) -> Result<AnyConnectOptions> {
    AnyConnectOptions::from_str(url).map(ConnectOptions::disable_statement_logging).map_err(unavailable)
}

/// Makes the file where it is absent, for its owner only. SQLite gives the files beside it the same mode.
fn create_file(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    create_folder(folder)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => {
            file.sync_all()?;
            // The name of the file has to survive a crash too.
            File::open(folder)?.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            warn_if_others_can_read(path);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(unix)]
fn warn_if_others_can_read(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "others than its owner can read the database; chmod 600 mends it");
    }
}

#[cfg(not(unix))]
fn warn_if_others_can_read(_: &Path) {}

// FULL: the log reaches the disk before a commit is answered; `fullfsync` says so to macOS as well. The cache is small, for the system keeps a larger one.
const SQLITE_WRITER: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA cache_size = -2048; \
    PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON";
const SQLITE_READER: &str = "PRAGMA query_only = ON; PRAGMA cache_size = -1024; PRAGMA trusted_schema = OFF; \
    PRAGMA cell_size_check = ON";
const READER_REST: Duration = Duration::from_mins(1);
// The one that changes the registry, the journal, revocations and assertions, a purge.
const POSTGRES_WRITERS: u32 = 4;
// A node that died while it held the registry must not hold up the others.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(30);
