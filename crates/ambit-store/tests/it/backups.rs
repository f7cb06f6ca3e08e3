//! Backup and restore.

use std::sync::Arc;
use std::time::Duration;

use ambit_core::reach::Reach;
use ambit_core::store::journal::{JournalBlock, RefusalRecord, SecretUse};
use ambit_core::store::{ChangeQuery, OutcomeReport, RestoreEpoch, Revocation, Row, SavedAnswer, Store as _};
use ambit_protocol::admin::audit::{Action, Resource};
use ambit_store::{BackupError, REVISION_GAP, RestoreError, SqlStore};
use tokio::io::AsyncWriteExt as _;

use crate::sign_ins::{code, consent, grant, hash, interaction, one_time_token, redeemed, refresh_token, session};
use crate::support::{
    Db, NOUNS, application, at, context, find, insert, on_sqlite, partner, postgres_url, row, tenant,
};

/// Something in every table, with every kind of value.
pub(crate) async fn fill(store: &SqlStore) {
    let transaction = store.begin(context()).await.unwrap();
    for resource in NOUNS {
        let full = Row {
            tenant_id: Some(tenant(1)),
            partner_id: Some(partner(1)),
            parent: Some("p".to_owned()),
            sealed: Some((0..=255).collect()),
            document: "{\"text\":\"\\u0000 ä\u{1F511} \\\" \\\\ \\n\"}".to_owned(),
            ..row(resource, "full")
        };
        transaction.insert_row(full).await.unwrap();
        transaction.insert_row(Row { natural_key: None, ..row(resource, "bare") }).await.unwrap();
    }
    transaction
        .save_answer(&SavedAnswer {
            actor: "a".to_owned(),
            key: "k".to_owned(),
            request_hash: vec![],
            status: 201,
            sealed: vec![1],
            expires_at: at(9),
        })
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let transaction = store.begin(context()).await.unwrap();
    transaction.delete_row(Resource::Unit, "bare").await.unwrap();
    transaction.commit().await.unwrap();
    let block =
        JournalBlock { first_at: at(0), last_at: at(1), count: 1, issuances: "[]".to_owned(), entries: vec![9; 36] };
    let refusal = RefusalRecord {
        at: at(0),
        trace_id: "t".to_owned(),
        client_id: None,
        reason: "unknown".to_owned(),
        detail: "{}".to_owned(),
        revision: 1,
    };
    let used = SecretUse { secret_id: "full".to_owned(), at: at(3) };
    store.append_journal(&[block], &[refusal], &[used]).await.unwrap();
    for jti in ["j-1", "j-2"] {
        let revocation =
            Revocation { jti: jti.to_owned(), client_id: "c".to_owned(), revoked_at: at(0), expires_at: at(9) };
        store.revoke(&revocation).await.unwrap();
    }
    assert!(store.use_assertion("c", "used", at(9)).await.unwrap());
    let report = OutcomeReport { entry: "api/invalid-token".to_owned(), workaround: 1, helped: true };
    store.report_outcome(&report).await.unwrap();
    sign_in(store).await;
}

/// A person who signed in, consented and lent something, and something in each table of that.
pub(crate) async fn sign_in(store: &SqlStore) {
    let sign_ins = store.sign_ins();
    sign_ins.begin_interaction(&interaction("i")).await.unwrap();
    sign_ins.begin_session(&session(1, 1)).await.unwrap();
    sign_ins.issue_code(&code(1)).await.unwrap();
    let (lent, token) = (grant(1, 1, 1), refresh_token("refresh", 1));
    assert!(sign_ins.spend_code(&code(1).token, at(5), Some(redeemed(&lent, Some(&token)))).await.unwrap());
    sign_ins.issue_one_time_token(&one_time_token("link", "reset", "ann")).await.unwrap();
    sign_ins.keep_consent(&consent(1, 1, "{\"scopes\":[\"ä\"]}"), None).await.unwrap();
}

async fn backup(store: &SqlStore) -> Vec<u8> {
    let mut backup = Vec::new();
    store.backup(&mut backup, at(100)).await.unwrap();
    backup
}

async fn restore(store: &SqlStore, mut backup: &[u8]) -> Result<u64, RestoreError> {
    store.restore(&mut backup, at(200)).await.map(|report| report.revision)
}

/// The lines of a backup but for what a restore adds and changes: header, footer, its own mark.
fn rows(backup: &[u8]) -> Vec<String> {
    let text = String::from_utf8(backup.to_vec()).unwrap();
    text.lines()
        .filter(|line| line.starts_with('[') && !line.starts_with("[\"restores\"") && !line.contains("\"registry\""))
        .map(ToOwned::to_owned)
        .collect()
}

async fn assert_restored(from: &SqlStore, to: &SqlStore, backup_of_from: &[u8]) {
    let revision = restore(to, backup_of_from).await.unwrap();
    assert_eq!(revision, from.revision().await.unwrap() + REVISION_GAP);
    assert_eq!(to.revision().await.unwrap(), revision);
    assert_eq!(rows(&backup(to).await), rows(backup_of_from));
    assert_eq!(to.restore_epoch().await.unwrap(), Some(RestoreEpoch { backup_at: at(100), restored_at: at(200) }));
    assert_eq!(from.restore_epoch().await.unwrap(), None);
}

pub(crate) async fn a_restored_store_holds_what_the_backup_held(db: Db) {
    let (store, empty) = (db.store().await, db.sibling().await.open().await);
    fill(&store).await;
    let backup = backup(&store).await;
    for line in rows(&backup) {
        assert!(!line.contains('\0'));
    }
    for table in [
        "partners",
        "keys",
        "changes",
        "journal_blocks",
        "refusals",
        "secret_uses",
        "revocations",
        "assertions",
        "saved_answers",
        "consents",
    ] {
        assert!(rows(&backup).iter().any(|line| line.starts_with(&format!("[\"{table}\","))), "{table}");
    }
    assert_restored(&store, &empty, &backup).await;

    // It is not a copy of the tables alone: what was used stays used, what was revoked stays revoked.
    assert!(!empty.use_assertion("c", "used", at(9)).await.unwrap());
    assert_eq!(empty.revocations_after(0, 9).await.unwrap(), store.revocations_after(0, 9).await.unwrap());
    assert_eq!(find(&empty, Resource::Secret, "full").await, find(&store, Resource::Secret, "full").await);
    let query = ChangeQuery { actor: Some("system"), limit: 9, ..ChangeQuery::default() };
    let logged = empty.changes(&query, Reach::Platform).await.unwrap();
    assert_eq!(logged.len(), 1);
    assert_eq!((logged[0].resource, logged[0].action, logged[0].at), (Resource::Registry, Action::Update, at(200)));
    let revision = empty.revision().await.unwrap();
    assert_eq!(logged[0].revision, revision);
    assert_eq!(empty.changes_after(revision - 1, 9).await.unwrap()[0].resource, Resource::Registry);

    // What was issued to people ends with the restore; what they consented to does not.
    let (there, here) = (store.sign_ins(), empty.sign_ins());
    let asked = consent(1, 1, "{\"scopes\":[\"ä\"]}");
    assert_eq!(here.consents_of(asked.user_id).await.unwrap(), [asked]);
    assert!(there.find_interaction(&hash("i")).await.unwrap().is_some());
    assert_eq!(here.find_interaction(&hash("i")).await.unwrap(), None);
    assert!(there.find_session(&session(1, 1).token).await.unwrap().is_some());
    assert_eq!(here.find_session(&session(1, 1).token).await.unwrap(), None);
    assert!(there.find_code(&code(1).token).await.unwrap().is_some());
    assert_eq!(here.find_code(&code(1).token).await.unwrap(), None);
    assert!(there.find_refresh_token(&hash("refresh")).await.unwrap().is_some());
    assert_eq!(here.find_refresh_token(&hash("refresh")).await.unwrap(), None);
    assert_eq!(here.find_grant(grant(1, 1, 1).id).await.unwrap(), None);
    assert!(there.find_one_time_token(&hash("link")).await.unwrap().is_some());
    assert_eq!(here.find_one_time_token(&hash("link")).await.unwrap(), None);

    // And it goes on: a revocation after the restore has a number above all before it.
    let revocation =
        Revocation { jti: "j-3".to_owned(), client_id: "c".to_owned(), revoked_at: at(0), expires_at: at(9) };
    empty.revoke(&revocation).await.unwrap();
    assert_eq!(empty.revocations_after(0, 9).await.unwrap().last().unwrap().1, revocation);
}

pub(crate) async fn a_backup_is_restored_on_the_other_engine(db: Db) {
    if postgres_url().is_none() {
        return;
    }
    let store = db.store().await;
    fill(&store).await;
    if db.is_sqlite() {
        // The PostgreSQL side of this case goes there and back.
        return;
    }
    let backup_there = backup(&store).await;
    let url = crate::support::sqlite_url(&db.folder.join("other.db"));
    let sqlite = Db { url, folder: db.folder.clone() }.open().await;
    assert_restored(&store, &sqlite, &backup_there).await;
    let again = db.sibling().await.open().await;
    restore(&again, &backup(&sqlite).await).await.unwrap();
    assert_eq!(rows(&backup(&again).await), rows(&backup_there));
}

pub(crate) async fn no_revision_is_used_twice_after_a_restore(db: Db) {
    let (store, empty) = (db.store().await, db.sibling().await.open().await);
    insert(&store, [application("app_1")]).await;
    let backup = backup(&store).await;
    let lost = insert(&store, [application("app_2")]).await;
    restore(&empty, &backup).await.unwrap();
    assert!(insert(&empty, [application("app_3")]).await > lost + 1000);
}

pub(crate) async fn a_backup_made_while_others_write_is_one_consistent_state(db: Db) {
    let store = Arc::new(db.store().await);
    // Every change adds an application and a unit; a state with one of them and not the other never was.
    let rows_of = |n: u32| {
        let document = format!(r#"{{"padding":"{}"}}"#, "x".repeat(2000));
        [Row { document, ..application(&format!("app_{n:05}")) }, row(Resource::Unit, &format!("unt_{n:05}"))]
    };
    for chunk in 0..10 {
        insert(&store, (0..30).flat_map(|n| rows_of(chunk * 30 + n))).await;
    }
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut n = 300;
            while Arc::strong_count(&store) > 1 {
                insert(&store, rows_of(n)).await;
                n += 1;
            }
            n
        })
    };
    // Read by another process, as slowly as it likes.
    let other = db.open().await;
    let (mut slow, mut reader) = tokio::io::duplex(4096);
    let reading = tokio::spawn(async move {
        let mut backup = Vec::new();
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = tokio::io::AsyncReadExt::read(&mut reader, &mut buffer).await {
            backup.extend_from_slice(&buffer[..read]);
            if backup.len() < 200_000 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        backup
    });
    let report = other.backup(&mut slow, at(100)).await.unwrap();
    slow.shutdown().await.unwrap();
    drop(slow);
    let backup = reading.await.unwrap();
    let meanwhile = store.revision().await.unwrap();
    drop(store);
    writer.await.unwrap();
    assert!(meanwhile > report.revision, "nobody wrote meanwhile");

    let empty = db.sibling().await.open().await;
    restore(&empty, &backup).await.unwrap();
    let count = |table: &str| rows(&backup).iter().filter(|line| line.starts_with(&format!("[\"{table}\""))).count();
    assert!(count("applications") >= 300);
    assert_eq!(count("applications"), count("units"));
    assert_eq!(count("changes"), count("applications") + count("units"));
    assert_eq!(report.revision, count("applications") as u64 - 300 + 10);
}

async fn assert_empty(db: &Db, store: &SqlStore) {
    assert_eq!(store.revision().await.unwrap(), 0);
    assert_eq!(store.changes_after(0, 9).await.unwrap(), []);
    assert_eq!(store.restore_epoch().await.unwrap(), None);
    assert_eq!(rows(&backup(store).await), [""; 0], "{}", db.url);
}

pub(crate) async fn a_database_that_is_not_empty_is_left_alone(db: Db) {
    let (store, other) = (db.store().await, db.sibling().await.store().await);
    fill(&store).await;
    let backup_of_store = backup(&store).await;
    let before = backup(&store).await;
    assert!(matches!(restore(&store, &backup_of_store).await, Err(RestoreError::NotEmpty(_))));
    assert_eq!(backup(&store).await, before);

    // A single revocation is something, though the registry has no change yet.
    let revocation =
        Revocation { jti: "j".to_owned(), client_id: "c".to_owned(), revoked_at: at(0), expires_at: at(9) };
    other.revoke(&revocation).await.unwrap();
    let refused = restore(&other, &backup_of_store).await.unwrap_err();
    assert!(refused.to_string().contains("revocations"), "{refused}");
    assert_eq!(other.revision().await.unwrap(), 0);
}

pub(crate) async fn a_backup_cut_short_anywhere_is_refused_and_nothing_is_written(db: Db) {
    let sibling = db.sibling().await;
    let (store, empty) = (db.store().await, sibling.store().await);
    insert(&store, [application("app_1")]).await;
    let whole = backup(&store).await;
    for length in 0..whole.len() {
        let refused = restore(&empty, &whole[..length]).await;
        assert!(matches!(refused, Err(RestoreError::Damaged { .. })), "{length}: {refused:?}");
    }
    assert_empty(&sibling, &empty).await;
    restore(&empty, &whole).await.expect("the whole of it is taken");
}

pub(crate) async fn a_backup_with_any_octet_changed_is_refused_and_nothing_is_written(db: Db) {
    let sibling = db.sibling().await;
    let (store, empty) = (db.store().await, sibling.store().await);
    insert(&store, [Row { sealed: Some(vec![1, 2, 3]), ..application("app_1") }]).await;
    let whole = backup(&store).await;
    for place in 0..whole.len() {
        let mut altered = whole.clone();
        altered[place] ^= 1 << (place % 8);
        let refused = restore(&empty, &altered).await;
        assert!(refused.is_err(), "octet {place} changed");
    }
    // A line left out, a line twice, a line more.
    let lines: Vec<&[u8]> = whole.split_inclusive(|octet| *octet == b'\n').collect();
    for altered in [
        [&lines[..1], &lines[2..]].concat(),
        [&lines[..2], &lines[1..]].concat(),
        [&lines[..], &lines[..1]].concat(),
        [&lines[..], &[b"\n".as_slice()]].concat(),
    ] {
        assert!(restore(&empty, &altered.concat()).await.is_err());
    }
    assert_empty(&sibling, &empty).await;
}

pub(crate) async fn what_is_no_backup_is_refused(db: Db) {
    let store = db.store().await;
    let whole = String::from_utf8(backup(&store).await).unwrap();
    let newer_schema = whole.replacen("\"schema\":", "\"schema\":9", 1);
    let newer_format = whole.replacen("\"ambit_backup\":1", "\"ambit_backup\":2", 1);
    let too_far = whole.replacen("\"revision\":0", &format!("\"revision\":{}", i64::MAX), 1);
    for (text, expected) in [
        ("", "ends before its footer"),
        ("\n", "no header"),
        ("[]\n", "no header"),
        ("SQLite format 3\0", "ends before its footer"),
        (newer_schema.as_str(), "schema version 9"),
        (newer_format.as_str(), "has format 2"),
        (too_far.as_str(), "out of range"),
    ] {
        let refused = restore(&store, text.as_bytes()).await.unwrap_err();
        assert!(refused.to_string().contains(expected), "{text:?}: {refused}");
        assert!(refused.to_string().starts_with("line 1 "), "{refused}");
    }
    assert_empty(&db, &store).await;
}

pub(crate) async fn a_backup_file_is_for_its_owner_alone_and_never_overwritten(db: Db) {
    let store = db.store().await;
    fill(&store).await;
    let path = db.folder.join("ambit.backup");
    let report = store.backup_file(&path, at(100)).await.unwrap();
    assert_eq!(report.revision, 2);
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(matches!(store.backup_file(&path, at(100)).await, Err(BackupError::Exists(_))));
    assert_eq!(std::fs::read(&path).unwrap(), backup(&store).await);
    let left: Vec<_> = std::fs::read_dir(&db.folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("partial"))
        .collect();
    assert_eq!(left, [""; 0]);

    let restored = db.sibling().await.open().await;
    let report_there = restored.restore_file(&path, at(200)).await.unwrap();
    assert_eq!((report_there.backup_at, report_there.rows), (at(100), report.rows));
    let missing = restored.restore_file(&db.folder.join("nothing"), at(200)).await;
    assert!(matches!(missing, Err(RestoreError::Io(_))));
    let nowhere = store.backup_file(&db.folder.join("no/such/folder"), at(100)).await;
    assert!(matches!(nowhere, Err(BackupError::Io(_))));
}

/// The disk on which a backup is written fills up: no file of that name, and no part of one either.
#[tokio::test]
async fn a_backup_that_cannot_be_written_leaves_nothing_behind() {
    on_sqlite(async |db: Db| {
        struct Full;
        impl tokio::io::AsyncWrite for Full {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
                _: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::task::Poll::Ready(Err(std::io::ErrorKind::StorageFull.into()))
            }
            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }
            fn poll_shutdown(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }
        }
        let store = db.store().await;
        fill(&store).await;
        assert!(matches!(store.backup(&mut Full, at(100)).await, Err(BackupError::Io(_))));
        // The store goes on.
        assert_eq!(insert(&store, [application("app_9")]).await, 3);
    })
    .await;
}
