//! A database file with octets that are not those that were written: it is refused or read, and nothing panics or hangs.
//!
//! What SQLite can tell, it tells: a page or a record that makes no sense. An octet within the text of a document it cannot
//! tell; that shows by the row's checksum (`checksums.rs`). Private keys and kept answers are sealed as well, and open only as
//! they were sealed.

use std::path::Path;
use std::time::Duration;

use ambit_core::reach::Reach;
use ambit_core::store::journal::JournalBlock;
use ambit_core::store::{ChangeQuery, Filter, Reads as _, Revocation, Row, Store as _, StoreError};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::time::Timestamp;
use ambit_store::{SqlStore, StoreConfig};

use crate::support::{NOUNS, application, at, context, insert, row, sqlite_url};

/// Everything that can be read, as far as it can.
async fn read_all(store: &SqlStore) -> Vec<Result<usize, StoreError>> {
    let mut read = vec![store.check().await.map(|()| 0), store.revision().await.map(|_| 0)];
    for resource in NOUNS {
        read.push(store.list_rows(resource, &Filter::default(), Reach::Platform).await.map(|rows| rows.len()));
    }
    read.push(
        store
            .changes(&ChangeQuery { limit: 1_000, ..ChangeQuery::default() }, Reach::Platform)
            .await
            .map(|it| it.len()),
    );
    read.push(store.changes_after(0, 1_000).await.map(|it| it.len()));
    let far = Timestamp::from_millis(i64::MAX);
    read.push(store.journal_blocks(Timestamp::default(), far, 1_000).await.map(|it| it.len()));
    read.push(store.revocations_after(0, 1_000).await.map(|it| it.len()));
    read.push(store.outcomes().await.map(|it| it.len()));
    read
}

/// A database with something of everything, in one file.
async fn whole(file: &Path) {
    let store = SqlStore::open(&StoreConfig::url(sqlite_url(file))).await.unwrap();
    store.migrate().await.unwrap();
    insert(&store, (0..40).map(|n| application(&format!("app_{n}")))).await;
    let sealed = |n: u8| Row { sealed: Some(vec![n; 64]), ..row(Resource::Key, &format!("key_{n}")) };
    insert(&store, (0..4).map(sealed)).await;
    let block =
        JournalBlock { first_at: at(0), last_at: at(9), count: 1, issuances: "[]".to_owned(), entries: vec![7; 36] };
    store.append_journal(&[block], &[], &[]).await.unwrap();
    let revoked = Revocation { jti: "j".to_owned(), client_id: "c".to_owned(), revoked_at: at(0), expires_at: at(60) };
    store.revoke(&revoked).await.unwrap();
    assert!(read_all(&store).await.iter().all(Result::is_ok));
    store.close().await;
}

#[tokio::test]
async fn octets_that_were_flipped_are_refused_or_read_and_nothing_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("whole.db");
    whole(&file).await;
    let octets = std::fs::read(&file).unwrap();
    let mut random = 1_u64;
    let mut next = move |below: usize| {
        // Knuth's MMIX generator: the same flips in every run.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % below
    };
    let (mut refused, mut served) = (0, 0);
    for round in 0..30 {
        let mut damaged = octets.clone();
        // A single octet somewhere, many at once, or those that say what the file and its pages are.
        let (flips, below) = [(1, octets.len()), (64, octets.len()), (2, 200)][round % 3];
        for _ in 0..flips {
            let place = next(below);
            damaged[place] ^= 1 << next(8);
        }
        let file = folder.path().join(format!("{round}.db"));
        std::fs::write(&file, &damaged).unwrap();
        let looked_at = async {
            let config = StoreConfig { wait: Duration::from_millis(50), ..StoreConfig::url(sqlite_url(&file)) };
            let Ok(store) = SqlStore::open(&config).await else { return false };
            let is_read = read_all(&store).await.iter().all(Result::is_ok);
            // Nor does writing into it.
            let _ = store.migrate().await;
            if let Ok(transaction) = store.begin(context()).await {
                let _ = transaction.insert_row(application("app_new")).await;
                let _ = transaction.commit().await;
            }
            store.close().await;
            is_read
        };
        let is_read = tokio::time::timeout(Duration::from_mins(1), looked_at).await.expect("an end");
        *if is_read { &mut served } else { &mut refused } += 1;
    }
    assert!(refused > 3 && served > 3, "both happen: {refused} refused, {served} served");
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("whole.db");
    whole(&file).await;
    let octets = std::fs::read(&file).unwrap();
    for left in [octets.len() / 2, octets.len() / 4, 512, 99] {
        let file = folder.path().join(format!("{left}.db"));
        std::fs::write(&file, &octets[..left]).unwrap();
        let config = StoreConfig { wait: Duration::from_millis(50), ..StoreConfig::url(sqlite_url(&file)) };
        let read = match SqlStore::open(&config).await {
            Ok(store) => read_all(&store).await,
            Err(error) => vec![Err(error)],
        };
        assert!(read.iter().any(Result::is_err), "{left} octets of {}", octets.len());
    }
}
