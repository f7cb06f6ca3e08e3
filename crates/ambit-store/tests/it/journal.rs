//! The issuance journal, and when secrets were last used.

use ambit_core::reach::Reach;
use ambit_core::store::journal::{JournalBlock, RefusalRecord, SecretUse};
use ambit_core::store::{Filter, Reads as _, Row, Store as _};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::time::Timestamp;
use ambit_store::SqlStore;
use serde_json::{Value, json};

use crate::support::{Db, at, context, find, insert, row};

fn block(first: i64, last: i64) -> JournalBlock {
    JournalBlock {
        first_at: at(first),
        last_at: at(last),
        count: 1,
        issuances: format!(r#"["{first}-{last}"]"#),
        entries: vec![7; 36],
    }
}

fn refusal(seconds: i64, trace: &str) -> RefusalRecord {
    RefusalRecord {
        at: at(seconds),
        trace_id: trace.to_owned(),
        client_id: Some("till-7".to_owned()),
        reason: "not_allowed".to_owned(),
        detail: "{}".to_owned(),
        revision: 3,
    }
}

async fn starts(store: &SqlStore, from: Timestamp, to: Timestamp, limit: u32) -> Vec<i64> {
    let blocks = store.journal_blocks(from, to, limit).await.unwrap();
    blocks.iter().map(|block| block.first_at.secs() - at(0).secs()).collect()
}

pub(crate) async fn blocks_are_found_by_any_moment_they_cover(db: Db) {
    let store = db.store().await;
    // Neighbours, one within another, one that a jump of the clock made very wide, one whose clock went backwards.
    let blocks = [block(0, 10), block(10, 20), block(12, 13), block(30, 30), block(-5000, 25), block(50, 40)];
    store.append_journal(&blocks, &[], &[]).await.unwrap();

    for (from, to, expected) in [
        (12, 12, vec![12, 10, -5000]),
        (10, 10, vec![10, 0, -5000]),
        (-1, -1, vec![-5000]),
        (-5000, -5000, vec![-5000]),
        (-5001, -5001, vec![]),
        (26, 29, vec![]),
        (30, 30, vec![30]),
        (21, 29, vec![-5000]),
        (0, 100, vec![30, 12, 10, 0, -5000].into_iter().collect()),
    ] {
        let mut found = starts(&store, at(from), at(to), 10).await;
        found.retain(|start| *start != 50);
        assert_eq!(found, expected, "{from}..{to}");
    }
    assert_eq!(starts(&store, at(0), at(20), 2).await, [12, 10]);
    let far = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
    assert_eq!(starts(&store, far.0, far.1, 10).await.len(), 6);
    assert_eq!(store.journal_blocks(at(30), at(30), 10).await.unwrap(), [block(30, 30)]);
}

pub(crate) async fn an_append_done_twice_is_kept_once(db: Db) {
    let store = db.store().await;
    // Whoever was told that storage is not available does not know whether it was kept, and appends again.
    let blocks = [block(0, 1), block(0, 1)];
    let refusals = [refusal(0, "t"), refusal(0, "t"), refusal(1, "t")];
    for _ in 0..3 {
        store.append_journal(&blocks, &refusals, &[]).await.unwrap();
    }
    assert_eq!(store.journal_blocks(at(0), at(1), 10).await.unwrap().len(), 2);
    assert_eq!(store.refusals_of_trace("t").await.unwrap().len(), 3);
    store.append_journal(&[], &[], &[]).await.unwrap();
}

pub(crate) async fn refusals_are_found_by_their_trace(db: Db) {
    let store = db.store().await;
    let anonymous = RefusalRecord { client_id: None, detail: "ä\u{1F511}".to_owned(), ..refusal(2, "trace-a") };
    store.append_journal(&[], &[anonymous.clone(), refusal(1, "trace-a"), refusal(1, "trace-b")], &[]).await.unwrap();
    assert_eq!(store.refusals_of_trace("trace-a").await.unwrap(), [refusal(1, "trace-a"), anonymous]);
    assert_eq!(store.refusals_of_trace("TRACE-A").await.unwrap(), []);
}

pub(crate) async fn many_refusals_fit_one_append(db: Db) {
    let store = db.store().await;
    for count in [63, 64, 65, 1000] {
        let trace = format!("trace-{count}");
        let refusals: Vec<_> = (0..count).map(|n| refusal(n, &trace)).collect();
        store.append_journal(&[], &refusals, &[]).await.unwrap();
        assert_eq!(store.refusals_of_trace(&trace).await.unwrap(), refusals);
    }
}

pub(crate) async fn a_purge_takes_what_ended_before_and_no_more_than_asked(db: Db) {
    let store = db.store().await;
    let blocks: Vec<_> = (0..10).map(|n| block(n, n + 1)).collect();
    let refusals: Vec<_> = (0..10).map(|n| refusal(n, "t")).collect();
    store.append_journal(&blocks, &refusals, &[]).await.unwrap();

    // Blocks that ended at 1 to 4 ended before 5; that of 5 did not. So did refusals of 0 to 4.
    assert_eq!(store.purge_journal(at(0), 100).await.unwrap(), 0);
    assert_eq!(store.purge_journal(at(5), 3).await.unwrap(), 3);
    assert_eq!(starts(&store, at(0), at(20), 100).await, [9, 8, 7, 6, 5, 4, 3]);
    assert_eq!(store.purge_journal(at(5), 3).await.unwrap(), 3);
    assert_eq!(store.purge_journal(at(5), 100).await.unwrap(), 3);
    assert_eq!(store.purge_journal(at(5), 100).await.unwrap(), 0);
    assert_eq!(starts(&store, at(0), at(20), 100).await, [9, 8, 7, 6, 5, 4]);
    let kept = store.refusals_of_trace("t").await.unwrap();
    assert_eq!(kept, refusals[5..]);
}

fn secret(id: &str, last_used_at: &Value) -> Row {
    Row { document: json!({"id": id, "last_used_at": last_used_at}).to_string(), ..row(Resource::Secret, id) }
}

async fn last_use(store: &SqlStore, id: &str) -> Value {
    let row = find(store, Resource::Secret, id).await.unwrap();
    let listed = store.list_rows(Resource::Secret, &Filter::default(), Reach::Platform).await.unwrap();
    assert!(listed.contains(&row));
    serde_json::from_str::<Value>(&row.document).unwrap()["last_used_at"].clone()
}

pub(crate) async fn a_secrets_last_use_is_shown_without_a_change(db: Db) {
    let store = db.store().await;
    insert(&store, [secret("sec_1", &Value::Null), secret("sec_2", &json!(at(50)))]).await;
    assert_eq!(last_use(&store, "sec_1").await, Value::Null);

    let used = |id: &str, seconds| SecretUse { secret_id: id.to_owned(), at: at(seconds) };
    store.append_journal(&[], &[], &[used("sec_1", 10), used("sec_2", 10), used("sec_1", 7)]).await.unwrap();
    assert_eq!(last_use(&store, "sec_1").await, json!(at(10)));
    assert_eq!(last_use(&store, "sec_2").await, json!(at(50)), "the later moment counts");
    store.append_journal(&[], &[], &[used("sec_1", 9), used("sec_2", 60)]).await.unwrap();
    assert_eq!(last_use(&store, "sec_1").await, json!(at(10)));
    assert_eq!(last_use(&store, "sec_2").await, json!(at(60)));

    assert_eq!(store.revision().await.unwrap(), 1);
    assert_eq!(find(&store, Resource::Secret, "sec_1").await.unwrap().revision, 1);
    assert_eq!(store.changes_after(1, 10).await.unwrap(), []);
}

pub(crate) async fn the_use_of_a_deleted_secret_is_not_kept(db: Db) {
    let store = db.store().await;
    insert(&store, [secret("sec_1", &Value::Null)]).await;
    let used = [SecretUse { secret_id: "sec_1".to_owned(), at: at(10) }];
    store.append_journal(&[], &[], &used).await.unwrap();
    let transaction = store.begin(context()).await.unwrap();
    transaction.delete_row(Resource::Secret, "sec_1").await.unwrap();
    transaction.commit().await.unwrap();
    store.append_journal(&[], &[], &used).await.unwrap();
    insert(&store, [secret("sec_1", &Value::Null)]).await;
    assert_eq!(last_use(&store, "sec_1").await, Value::Null);
}
