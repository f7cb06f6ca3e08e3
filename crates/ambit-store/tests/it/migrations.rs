//! Bringing the schema up to date.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ambit_core::secret::SecretHash;
use ambit_core::store::{Store as _, StoreError};
use ambit_protocol::admin::audit::Resource;
use sqlx::{AnyConnection, Row as _};

use crate::backups::fill;
use crate::sign_ins::{self, consent, interaction, one_time_token, session};
use crate::support::{Db, application, at, find, insert};

pub(crate) async fn migrating_twice_changes_nothing_the_second_time(db: Db) {
    let store = db.open().await;
    let first = store.migrate().await.unwrap();
    assert_eq!(first.from, 0);
    assert_eq!(first.to as usize, first.steps.len());
    insert(&store, [application("app_1")]).await;

    for again in [&store, &db.open().await] {
        let second = again.migrate().await.unwrap();
        assert_eq!((second.from, second.to, second.steps.len()), (first.to, first.to, 0));
        again.check().await.unwrap();
        assert!(find(again, Resource::Application, "app_1").await.is_some());
    }
}

pub(crate) async fn eight_nodes_may_migrate_at_once(db: Db) {
    let nodes: Vec<_> = (0..8)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                let store = db.open().await;
                let report = store.migrate().await.unwrap();
                store.check().await.unwrap();
                report.steps
            })
        })
        .collect();
    let mut taken = Vec::new();
    for node in nodes {
        taken.extend(node.await.unwrap());
    }
    taken.sort_unstable();
    let once = taken.len();
    taken.dedup();
    assert_eq!(taken.len(), once, "a step was taken twice");
    assert!(taken[0].starts_with("0001_"));
    assert_eq!(insert(&db.open().await, [application("app_1")]).await, 1);
}

pub(crate) async fn a_migration_goes_on_where_it_was_interrupted(db: Db) {
    let store = Arc::new(db.store().await);
    insert(&store, [application("app_1")]).await;
    // As a crash leaves it between two steps.
    db.execute(&before_the_last_step()).await;
    assert!(matches!(store.check().await, Err(StoreError::Schema(_))));
    let report = store.migrate().await.unwrap();
    assert_eq!((report.from, report.to, report.steps), (9, 10, vec!["0010_add_checksums"]));
    store.check().await.unwrap();
    assert!(find(&store, Resource::Application, "app_1").await.is_some());
}

pub(crate) async fn the_schema_is_brought_up_to_date_under_load_and_no_request_fails(db: Db) {
    const WRITERS: usize = 4;
    let store = Arc::new(db.store().await);
    insert(&store, [application("app_first")]).await;
    let mut written = vec![];
    for round in 0..5 {
        // As the version before the last step left it, with its nodes at work.
        db.execute(&before_the_last_step()).await;
        let stop = Arc::new(AtomicBool::new(false));
        let load = (0..WRITERS).map(|writer| {
            let (db, store, stop) = (db.clone(), store.clone(), stop.clone());
            tokio::spawn(async move {
                let mut node = OlderNode::start(&db).await;
                let mut acknowledged = vec![];
                // At least once before it is over, and whatever is begun is finished.
                while acknowledged.len() < 3 || !stop.load(Ordering::SeqCst) {
                    let id = format!("app_{round}_{writer}_{}", acknowledged.len());
                    node.write(&id, "{}").await;
                    node.write("app_first", "{}").await;
                    assert!(store.use_assertion("client", &id, at(60)).await.unwrap());
                    store.revocations_after(0, 10).await.unwrap();
                    acknowledged.push(id);
                }
                acknowledged
            })
        });
        let load: Vec<_> = load.collect();
        let nodes = [(); 2].map(|()| {
            let db = db.clone();
            tokio::spawn(async move { db.open().await.migrate().await.unwrap().steps.len() })
        });
        let mut steps = 0;
        for node in nodes {
            steps += node.await.unwrap();
        }
        assert_eq!(steps, 1, "one of the two nodes took it");
        store.check().await.unwrap();
        assert_eq!(store.sign_ins().find_code(&sign_ins::code(1).token).await.unwrap(), None);
        stop.store(true, Ordering::SeqCst);
        for writer in load {
            written.extend(writer.await.unwrap());
        }
    }
    assert!(find(&store, Resource::Application, "app_first").await.is_some());
    assert_eq!(store.scan().await.unwrap().damaged, []);
    for id in &written {
        assert!(find(&store, Resource::Application, id).await.is_some(), "{id}");
        assert!(!store.use_assertion("client", id, at(60)).await.unwrap(), "{id}");
    }
}

pub(crate) async fn a_schema_from_the_future_is_refused(db: Db) {
    let store = db.store().await;
    db.execute("INSERT INTO schema_migrations (version, name, checksum) VALUES (11, '0011_fly', 'x')").await;
    for refused in [store.check().await.unwrap_err(), db.open().await.migrate().await.unwrap_err()] {
        let StoreError::Schema(text) = refused else { panic!("{refused:?}") };
        assert!(text.contains("newer than this program") && text.contains("0011_fly"), "{text}");
    }
}

pub(crate) async fn a_step_with_another_text_is_refused(db: Db) {
    let store = db.store().await;
    db.execute("UPDATE schema_migrations SET checksum = 'x' WHERE version = 2").await;
    for refused in [store.check().await.unwrap_err(), store.migrate().await.unwrap_err()] {
        assert!(matches!(&refused, StoreError::Schema(text) if text.contains("another text")), "{refused:?}");
    }
}

pub(crate) async fn a_store_that_was_not_migrated_says_so(db: Db) {
    let store = db.open().await;
    let refused = store.check().await.unwrap_err();
    assert!(matches!(&refused, StoreError::Schema(text) if text.contains("migrate it")), "{refused:?}");
}

pub(crate) async fn rows_of_before_get_their_checksums_in_the_migration(db: Db) {
    let store = db.store().await;
    // More than are done at a time, in two tables that are large and in all others.
    for n in 0..6 {
        insert(&store, (0..100).map(|m| application(&format!("app_{n}_{m:03}")))).await;
    }
    fill(&store).await;
    let whole = store.scan().await.unwrap().whole;
    db.execute(&before_the_last_step()).await;
    let mut node = OlderNode::start(&db).await;
    node.write("app_old", r#"{"name":"ä"}"#).await;
    assert_eq!(store.migrate().await.unwrap().steps, ["0010_add_checksums"]);

    let found = store.scan().await.unwrap();
    // What people do comes and goes.
    assert_eq!((found.whole, found.unchecked, found.damaged.len()), (whole + 2 - SIGNED_IN, SIGNED_IN, 0));
    db.execute("UPDATE applications SET document = '{\"name\":\"b\"}' WHERE id = 'app_old'").await;
    db.execute("UPDATE changes SET action = 'delete' WHERE resource_id = 'app_old'").await;
    let damaged = store.scan().await.unwrap().damaged;
    let named: Vec<_> = damaged.iter().map(|row| row.table).collect();
    assert_eq!(named, ["applications", "changes"]);

    // Once is enough: a later start leaves the rest as it is.
    db.execute("UPDATE scopes SET checksum = NULL").await;
    assert_eq!(db.open().await.migrate().await.unwrap().steps, [""; 0]);
    assert_eq!(store.scan().await.unwrap().unchecked, SIGNED_IN + 2);
}

pub(crate) async fn what_an_older_node_changes_is_read_by_a_newer_one(db: Db) {
    let store = db.store().await;
    insert(&store, [application("app_1")]).await;
    let mut node = OlderNode::start(&db).await;
    let revision = node.write("app_1", "{}").await;
    let found = find(&store, Resource::Application, "app_1").await.unwrap();
    assert_eq!((found.revision, found.document.as_str()), (revision, r#"{"n":2,"was":{}}"#));
    assert_eq!(store.changes_after(0, 9).await.unwrap().len(), 2);

    let (agreed, link) = (consent(1, 1, "{}"), one_time_token("link", "reset", "ann"));
    store.sign_ins().keep_consent(&agreed, None).await.unwrap();
    store.sign_ins().begin_session(&session(1, 1)).await.unwrap();
    store.sign_ins().begin_interaction(&interaction("i")).await.unwrap();
    store.sign_ins().issue_one_time_token(&link).await.unwrap();
    db.execute("UPDATE consents SET updated_at = updated_at + 1, document = '[1]'").await;
    let token = if db.is_sqlite() { "zeroblob(32)" } else { "decode(repeat('00', 32), 'hex')" };
    db.execute(&format!("UPDATE sessions SET token = {token}, expires_at = 9, document = '[2]'")).await;
    db.execute("UPDATE interactions SET version = version + 1, expires_at = 9, document = '[3]'").await;
    db.execute(&format!("UPDATE one_time_tokens SET token = {token}, expires_at = 9, document = '[4]'")).await;
    let sign_ins = store.sign_ins();
    let zero = SecretHash::from_bytes(&[0; 32]).unwrap();
    let kept = sign_ins.find_consent(agreed.user_id, agreed.application_id).await.unwrap().unwrap();
    assert_eq!(kept.document, "[1]");
    assert_eq!(sign_ins.find_session(&zero).await.unwrap().unwrap().document, "[2]");
    assert_eq!(sign_ins.find_interaction(&interaction("i").id).await.unwrap().unwrap().document, "[3]");
    assert_eq!(sign_ins.find_one_time_token(&zero).await.unwrap().unwrap().document, "[4]");
    let found = store.scan().await.unwrap();
    assert_eq!((found.unchecked, found.damaged.len()), (2 + 4, 0));
}

/// A node of the version before the last step: it changes the registry without knowing of checksums.
struct OlderNode {
    connection: AnyConnection,
    begin: &'static str,
}

impl OlderNode {
    async fn start(db: &Db) -> Self {
        let mut connection = db.connect().await;
        let (begin, patience) = if db.is_sqlite() {
            ("BEGIN IMMEDIATE", "PRAGMA busy_timeout = 30000")
        } else {
            ("BEGIN", "SET lock_timeout = 30000")
        };
        sqlx::raw_sql(patience).execute(&mut connection).await.unwrap();
        Self { connection, begin }
    }

    /// Adds an application or replaces it, and answers the revision.
    async fn write(&mut self, id: &str, document: &str) -> u64 {
        let connection = &mut self.connection;
        sqlx::raw_sql(self.begin).execute(&mut *connection).await.unwrap();
        let take = "UPDATE registry SET revision = revision + 1 RETURNING revision";
        let revision: i64 = sqlx::query(take).fetch_one(&mut *connection).await.unwrap().get(0);
        let row = "INSERT INTO applications (id, natural_key, parent, tenant_id, partner_id, revision, document, sealed) \
            VALUES ($1, $2, NULL, NULL, NULL, $3, $4, NULL) \
            ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, document = excluded.document";
        let row = sqlx::query(row).bind(id.to_owned()).bind(format!("name-of-{id}")).bind(revision);
        row.bind(format!(r#"{{"n":{revision},"was":{document}}}"#)).execute(&mut *connection).await.unwrap();
        let entry = "INSERT INTO changes (revision, position, at, actor, action, resource, resource_id, natural_key, \
            parent, tenant_id, partner_id, trace_id, before, after) \
            VALUES ($1, 0, 0, 'client:old', 'update', 'application', $2, NULL, NULL, NULL, NULL, NULL, NULL, NULL)";
        sqlx::query(entry).bind(revision).bind(id.to_owned()).execute(&mut *connection).await.unwrap();
        sqlx::raw_sql("COMMIT").execute(connection).await.unwrap();
        revision.try_into().unwrap()
    }
}

/// The rows of what people do that [`fill`] makes.
const SIGNED_IN: u64 = 7;

/// Takes the last step back.
fn before_the_last_step() -> String {
    let step = include_str!("../../migrations/0010_add_checksums.sql");
    let columns = step.lines().filter_map(|line| line.strip_prefix("ALTER TABLE ")?.split(' ').next());
    let columns: Vec<_> = columns.map(|table| format!("ALTER TABLE {table} DROP COLUMN checksum")).collect();
    let columns = columns.join("; ");
    format!("{columns}; DROP TABLE checksums_to_fill; DELETE FROM schema_migrations WHERE version = 10")
}
