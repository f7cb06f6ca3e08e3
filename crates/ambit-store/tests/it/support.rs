//! A database of its own for each case, on either engine, and rows to put into it.

use std::io::Write as _;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ambit_core::reach::Reach;
use ambit_core::store::{By, ChangeContext, Reads as _, Row, Store as _, StoreError};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::id::{Id as _, PartnerId, TenantId};
use ambit_protocol::time::Timestamp;
use ambit_store::{SqlStore, StoreConfig};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use uuid::Uuid;

/// An empty database, gone when the case is over.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    pub(crate) url: String,
    /// A folder of this case's own.
    pub(crate) folder: PathBuf,
}

impl Db {
    pub(crate) fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    pub(crate) fn config(&self) -> StoreConfig {
        StoreConfig::url(&self.url)
    }

    /// Opens it as a process of its own would, with the schema up to date.
    pub(crate) async fn store(&self) -> SqlStore {
        let store = self.open().await;
        store.migrate().await.expect("migrates");
        store
    }

    pub(crate) async fn open(&self) -> SqlStore {
        SqlStore::open(&self.config()).await.expect("opens")
    }

    /// Around the store: what only somebody with the database's own tools would do.
    pub(crate) async fn execute(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect(sql);
        connection.close().await.expect("closes");
    }

    pub(crate) async fn connect(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        AnyConnection::connect(&self.url).await.expect("connects")
    }

    /// Does something while somebody else's change, made around the store, is under way. That is committed once what is done waits
    /// for it. SQLite has one writer, so there nothing can come between.
    pub(crate) async fn during<T: Send + 'static>(
        &self,
        change: &str,
        doing: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let mut other = self.connect().await;
        let begin = if self.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" };
        for sql in [begin, change] {
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut other).await.expect(sql);
        }
        let doing = tokio::spawn(doing);
        if !self.is_sqlite() {
            let own: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut other).await.expect("a number");
            let waits = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))";
            let mut watching = self.connect().await;
            while !doing.is_finished()
                && !sqlx::query_scalar::<_, bool>(waits).bind(own).fetch_one(&mut watching).await.expect("an answer")
            {
                tokio::task::yield_now().await;
            }
        }
        sqlx::raw_sql("COMMIT").execute(&mut other).await.expect("commits");
        other.close().await.expect("closes");
        doing.await.expect("does not panic")
    }

    /// Another empty database of the same engine, in the same place, gone with this one.
    pub(crate) async fn sibling(&self) -> Self {
        let name = unique("sibling");
        if self.is_sqlite() {
            return Self { url: sqlite_url(&self.folder.join(name)), folder: self.folder.clone() };
        }
        let url = postgres_url().expect("this is one");
        // `…_more_…` is dropped together with the case's own schema.
        let schema = format!("{}_more_{name}", self.schema());
        execute(&url, &format!("CREATE SCHEMA {schema}")).await;
        Self { url: with_schema(&url, &schema), folder: self.folder.clone() }
    }

    fn schema(&self) -> &str {
        self.url.rsplit("%3D").next().expect("the URL ends in it")
    }
}

/// Runs a case on a fresh SQLite database.
pub(crate) async fn on_sqlite(case: impl AsyncFnOnce(Db)) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = sqlite_url(&folder.path().join("ambit.db"));
    case(Db { url, folder: folder.path().to_owned() }).await;
}

/// Runs a case in a fresh schema on the PostgreSQL the environment names, if it names one.
pub(crate) async fn on_postgres<F: Future<Output = ()> + Send + 'static>(case: fn(Db) -> F) {
    let Some(url) = postgres_url() else { return say_skipped() };
    let folder = tempfile::tempdir().expect("a folder");
    let schema = unique("ambit_test");
    execute(&url, &format!("CREATE SCHEMA {schema}")).await;
    let db = Db { url: with_schema(&url, &schema), folder: folder.path().to_owned() };
    let outcome = tokio::spawn(case(db)).await;
    let drop = format!(
        "DO $$ DECLARE name text; BEGIN FOR name IN SELECT nspname FROM pg_namespace \
         WHERE nspname = '{schema}' OR starts_with(nspname, '{schema}_more_') LOOP \
         EXECUTE 'DROP SCHEMA ' || name || ' CASCADE'; END LOOP; END $$"
    );
    execute(&url, &drop).await;
    if let Err(panic) = outcome {
        resume_unwind(panic.into_panic());
    }
}

pub(crate) fn sqlite_url(path: &std::path::Path) -> String {
    format!("sqlite://{}", path.display())
}

#[expect(clippy::disallowed_methods, reason = "the environment names the server to test with")]
pub(crate) fn postgres_url() -> Option<String> {
    std::env::var("AMBIT_TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}

fn with_schema(url: &str, schema: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}options=-c%20search_path%3D{schema}")
}

async fn execute(url: &str, sql: &str) {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.expect("connects");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect(sql);
    connection.close().await.expect("closes");
}

fn say_skipped() {
    static ONCE: Once = Once::new();
    // Not `println!`, which the test harness keeps to itself.
    ONCE.call_once(|| {
        let _ = writeln!(std::io::stderr(), "skipped: AMBIT_TEST_POSTGRES_URL is not set");
    });
}

fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + seconds)
}

pub(crate) fn context() -> ChangeContext {
    ChangeContext {
        actor: "client:ops".to_owned(),
        at: at(0),
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
    }
}

pub(crate) fn tenant(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn partner(n: u128) -> PartnerId {
    PartnerId::from_uuid(Uuid::from_u128(n))
}

/// A row of the platform's.
pub(crate) fn row(resource: Resource, id: &str) -> Row {
    Row {
        resource,
        id: id.to_owned(),
        natural_key: Some(format!("name-of-{id}")),
        parent: None,
        tenant_id: None,
        partner_id: None,
        revision: 0,
        document: format!(r#"{{"id":"{id}"}}"#),
        sealed: None,
    }
}

pub(crate) fn application(id: &str) -> Row {
    row(Resource::Application, id)
}

/// Adds rows in one change, and answers its revision.
pub(crate) async fn insert(store: &SqlStore, rows: impl IntoIterator<Item = Row>) -> u64 {
    let transaction = store.begin(context()).await.expect("begins");
    for row in rows {
        transaction.insert_row(row).await.expect("inserts");
    }
    transaction.commit().await.expect("commits")
}

pub(crate) async fn find(store: &SqlStore, resource: Resource, id: &str) -> Option<Row> {
    store.find_row(resource, By::Id(id), Reach::Platform).await.expect("reads")
}

/// Waits until something has come about, for what has no signal of its own.
pub(crate) async fn eventually<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    for _ in 0..500 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come about within five seconds");
}

#[track_caller]
pub(crate) fn assert_unavailable<T>(outcome: Result<T, StoreError>) {
    match outcome {
        Err(StoreError::Unavailable(_)) => {}
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it went well"),
    }
}

pub(crate) const NOUNS: [Resource; 16] = [
    Resource::Partner,
    Resource::Tenant,
    Resource::Unit,
    Resource::Feature,
    Resource::TenantFeature,
    Resource::UnitFeature,
    Resource::Api,
    Resource::Scope,
    Resource::Application,
    Resource::Secret,
    Resource::Administrator,
    Resource::Key,
    Resource::User,
    Resource::Group,
    Resource::Membership,
    Resource::Credential,
];
