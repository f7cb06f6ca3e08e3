//! Bringing the schema up to date.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ambit_core::store::{Store as _, StoreError};

use crate::sign_ins;
use crate::support::{Db, application, at, find, insert};
use ambit_protocol::admin::audit::Resource;

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
    db.execute(BEFORE_THE_LAST_STEP).await;
    assert!(matches!(store.check().await, Err(StoreError::Schema(_))));
    let report = store.migrate().await.unwrap();
    assert_eq!((report.from, report.to, report.steps), (8, 9, vec!["0009_create_logout_notices"]));
    store.check().await.unwrap();
    assert!(find(&store, Resource::Application, "app_1").await.is_some());
}

pub(crate) async fn the_schema_is_brought_up_to_date_under_load_and_no_request_fails(db: Db) {
    const WRITERS: usize = 4;
    let before = Arc::new(db.store().await);
    insert(&before, [application("app_first")]).await;
    let mut written = vec![];
    for round in 0..5 {
        // As the version before the last step left it, with its nodes at work.
        db.execute(BEFORE_THE_LAST_STEP).await;
        let stop = Arc::new(AtomicBool::new(false));
        let load = (0..WRITERS).map(|writer| {
            let (store, stop) = (before.clone(), stop.clone());
            tokio::spawn(async move {
                let mut acknowledged = vec![];
                // At least once before it is over, and whatever is begun is finished.
                while acknowledged.len() < 3 || !stop.load(Ordering::SeqCst) {
                    let id = format!("app_{round}_{writer}_{}", acknowledged.len());
                    insert(&store, [application(&id)]).await;
                    assert!(find(&store, Resource::Application, "app_first").await.is_some());
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
        before.check().await.unwrap();
        assert_eq!(before.sign_ins().find_code(&sign_ins::code(1).token).await.unwrap(), None);
        stop.store(true, Ordering::SeqCst);
        for writer in load {
            written.extend(writer.await.unwrap());
        }
    }
    for id in &written {
        assert!(find(&before, Resource::Application, id).await.is_some(), "{id}");
        assert!(!before.use_assertion("client", id, at(60)).await.unwrap(), "{id}");
    }
}

pub(crate) async fn a_schema_from_the_future_is_refused(db: Db) {
    let store = db.store().await;
    db.execute("INSERT INTO schema_migrations (version, name, checksum) VALUES (10, '0010_fly', 'x')").await;
    for refused in [store.check().await.unwrap_err(), db.open().await.migrate().await.unwrap_err()] {
        let StoreError::Schema(text) = refused else { panic!("{refused:?}") };
        assert!(text.contains("newer than this program") && text.contains("0010_fly"), "{text}");
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

/// Takes the last step back.
const BEFORE_THE_LAST_STEP: &str =
    "DROP TABLE session_applications; DROP TABLE logout_notices; DELETE FROM schema_migrations WHERE version = 9";
