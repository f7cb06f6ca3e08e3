//! What was reported about entries of the error knowledge base.

use std::sync::Arc;

use ambit_core::store::{OutcomeCount, OutcomeReport, Store as _, StoreError};

use crate::support::Db;

fn report(entry: &str, workaround: u32, helped: bool) -> OutcomeReport {
    OutcomeReport { entry: entry.to_owned(), workaround, helped }
}

fn count(entry: &str, workaround: u32, helped: u64, failed: u64) -> OutcomeCount {
    OutcomeCount { entry: entry.to_owned(), workaround, helped, failed }
}

pub(crate) async fn reports_are_counted_by_entry_and_advice(db: Db) {
    let store = db.store().await;
    assert_eq!(store.outcomes().await.unwrap(), []);
    for (entry, workaround, helped) in
        [("api/b", 0, true), ("api/b", 0, true), ("api/b", 0, false), ("api/b", 2, false), ("api/a", 0, true)]
    {
        store.report_outcome(&report(entry, workaround, helped)).await.unwrap();
    }
    let all = [count("api/a", 0, 1, 0), count("api/b", 0, 2, 1), count("api/b", 2, 0, 1)];
    assert_eq!(store.outcomes().await.unwrap(), all);
    assert!(matches!(store.report_outcome(&report("a\0", 0, true)).await, Err(StoreError::Unstorable(_))));
    assert_eq!(store.outcomes().await.unwrap(), all);
}

pub(crate) async fn no_report_is_lost_however_many_come_at_once(db: Db) {
    let stores = [Arc::new(db.store().await), Arc::new(db.store().await)];
    let reporters: Vec<_> = (0..40)
        .map(|n: usize| {
            let store = Arc::clone(&stores[n % 2]);
            tokio::spawn(async move { store.report_outcome(&report("api/a", 1, n.is_multiple_of(4))).await.unwrap() })
        })
        .collect();
    for reporter in reporters {
        reporter.await.unwrap();
    }
    assert_eq!(stores[0].outcomes().await.unwrap(), [count("api/a", 1, 10, 30)]);
}
