//! What the tables can hold, and what they cannot.

use ambit_core::reach::Reach;
use ambit_core::store::journal::{JournalBlock, RefusalRecord};
use ambit_core::store::{
    By, ChangeContext, Filter, Reads as _, Revocation, Row, SavedAnswer, Store as _, StoreError, noun,
};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::secret::Secret;
use ambit_protocol::time::Timestamp;

use crate::support::{Db, application, at, context, find, insert, row};

pub(crate) async fn texts_of_any_kind_and_size_read_back_as_they_were(db: Db) {
    let store = db.store().await;
    let huge = format!(r#"{{"x":"{}"}}"#, "ä".repeat(4 << 20));
    let texts = [
        "\"\"",
        r#""'; DROP TABLE applications; --""#,
        "\"\u{1F469}\u{200D}\u{1F4BB} \u{202E}txt \u{FEFF} \u{FFFD} \u{10FFFF}\"",
        r#""\u0000 \ud83d\udd11""#,
        "\"\u{1}\u{7f}\"",
        "\"%_\\\\ $1 ?1 :name\"",
        huge.as_str(),
    ];
    for (n, text) in texts.iter().enumerate() {
        let key = if n == 6 { "huge".to_owned() } else { (*text).to_owned() };
        let row =
            Row { natural_key: Some(key.clone()), document: (*text).to_owned(), ..application(&format!("app_{n}")) };
        insert(&store, [row]).await;
        let found =
            store.find_row(Resource::Application, By::NaturalKey(&key), Reach::Platform).await.unwrap().unwrap();
        assert_eq!(found.document, *text);
        let filter = Filter { contains: Some(&key), ..Filter::default() };
        assert_eq!(store.list_rows(Resource::Application, &filter, Reach::Platform).await.unwrap(), [found]);
    }
    let sealed = vec![0xA5; 4 << 20];
    insert(&store, [Row { sealed: Some(sealed.clone()), ..row(Resource::Key, "key_1") }]).await;
    assert_eq!(find(&store, Resource::Key, "key_1").await.unwrap().sealed, Some(sealed));
    insert(&store, [Row { sealed: Some(Vec::new()), ..row(Resource::Key, "key_2") }]).await;
    assert_eq!(find(&store, Resource::Key, "key_2").await.unwrap().sealed, Some(Vec::new()));
}

#[track_caller]
fn assert_unstorable<T>(outcome: Result<T, StoreError>) {
    match outcome {
        Err(StoreError::Unstorable(_)) => {}
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it went well"),
    }
}

pub(crate) async fn a_nul_octet_is_refused_and_spoils_nothing(db: Db) {
    let store = db.store().await;
    let transaction = store.begin(context()).await.unwrap();
    transaction.insert_row(application("app_1")).await.unwrap();
    let nul = || Some("a\0b".to_owned());
    for row in [
        application("a\0b"),
        Row { natural_key: nul(), ..application("app_2") },
        Row { parent: nul(), ..application("app_2") },
        Row { document: "\"\0\"".to_owned(), ..application("app_2") },
    ] {
        assert_unstorable(transaction.insert_row(row).await);
    }
    assert_unstorable(transaction.update_row(Row { natural_key: nul(), ..application("app_1") }).await);
    let answer = SavedAnswer {
        actor: "a".to_owned(),
        key: "\0".to_owned(),
        request_hash: vec![],
        status: 200,
        sealed: vec![],
        expires_at: at(0),
    };
    assert_unstorable(transaction.save_answer(&answer).await);
    let gone = transaction.delete_row(Resource::Application, "a\0b").await;
    assert!(matches!(gone, Err(StoreError::Missing { .. })));
    assert_eq!(transaction.commit().await.unwrap(), 1);
    assert!(find(&store, Resource::Application, "app_1").await.is_some());
    assert_eq!(store.count_rows(Resource::Application, &Filter::default(), Reach::Platform).await.unwrap(), 1);

    // Nothing is found by it either, and asking is no error.
    for by in [By::Id("app_1\0"), By::NaturalKey("name-of-app_1\0")] {
        assert_eq!(store.find_row(Resource::Application, by, Reach::Platform).await.unwrap(), None);
    }
    for filter in [
        Filter { parent: Some("\0"), ..Filter::default() },
        Filter { contains: Some("\0"), ..Filter::default() },
        Filter { after: Some("\0"), ..Filter::default() },
    ] {
        assert_eq!(store.list_rows(Resource::Application, &filter, Reach::Platform).await.unwrap(), []);
    }
    assert_eq!(store.refusals_of_trace("\0").await.unwrap(), []);

    let actor = ChangeContext { actor: "client:\0".to_owned(), ..context() };
    let transaction = store.begin(actor).await.unwrap();
    assert_unstorable(transaction.insert_row(application("app_2")).await);
    assert_unstorable(transaction.delete_row(Resource::Application, "app_1").await);
    drop(transaction);
    let revocation =
        Revocation { jti: "\0".to_owned(), client_id: "c".to_owned(), revoked_at: at(0), expires_at: at(0) };
    assert_unstorable(store.revoke(&revocation).await);
    let refusal = RefusalRecord {
        at: at(0),
        trace_id: "t".to_owned(),
        client_id: nul(),
        reason: "r".to_owned(),
        detail: String::new(),
        revision: 0,
    };
    assert_unstorable(
        store.append_journal(&[], &[RefusalRecord { client_id: None, ..refusal.clone() }, refusal], &[]).await,
    );
    assert_eq!(store.refusals_of_trace("t").await.unwrap(), [], "all of an append or nothing");
    assert_eq!(store.revision().await.unwrap(), 1);
}

pub(crate) async fn numbers_at_the_edge_of_63_bits_are_kept(db: Db) {
    let store = db.store().await;
    for moment in [i64::MAX, i64::MIN, 0, -1].map(Timestamp::from_millis) {
        let block = JournalBlock {
            first_at: moment,
            last_at: moment,
            count: u32::MAX,
            issuances: "[]".to_owned(),
            entries: vec![],
        };
        store.append_journal(std::slice::from_ref(&block), &[], &[]).await.unwrap();
        assert_eq!(store.journal_blocks(moment, moment, 9).await.unwrap(), [block], "{moment}");
    }
    let refusal = RefusalRecord {
        at: Timestamp::from_millis(i64::MAX),
        trace_id: "t".to_owned(),
        client_id: None,
        reason: "r".to_owned(),
        detail: String::new(),
        revision: i64::MAX as u64,
    };
    store.append_journal(&[], std::slice::from_ref(&refusal), &[]).await.unwrap();
    assert_eq!(store.refusals_of_trace("t").await.unwrap(), std::slice::from_ref(&refusal));
    let beyond = RefusalRecord { revision: i64::MAX as u64 + 1, ..refusal };
    assert_unstorable(store.append_journal(&[], &[beyond], &[]).await);

    let widest = JournalBlock {
        first_at: Timestamp::from_millis(i64::MIN),
        last_at: Timestamp::from_millis(i64::MAX),
        count: 0,
        issuances: "[\"widest\"]".to_owned(),
        entries: vec![],
    };
    store.append_journal(std::slice::from_ref(&widest), &[], &[]).await.unwrap();
    store.journal_blocks(at(0), at(0), 9).await.expect("no number overflows");

    // The last revision there is, and none after it.
    db.execute(&format!("UPDATE registry SET revision = {}", i64::MAX - 1)).await;
    assert_eq!(insert(&store, [application("app_1")]).await, i64::MAX as u64);
    assert_eq!(store.revision().await.unwrap(), i64::MAX as u64);
    assert_eq!(find(&store, Resource::Application, "app_1").await.unwrap().revision, i64::MAX as u64);
    assert_eq!(store.changes_after(i64::MAX as u64 - 1, 9).await.unwrap().len(), 1);
    assert!(store.begin(context()).await.is_err());
}

pub(crate) async fn a_document_that_cannot_be_read_spoils_only_itself(db: Db) {
    let store = db.store().await;
    insert(&store, [row(Resource::Secret, "sec_1"), row(Resource::Secret, "sec_2"), application("app_1")]).await;
    db.execute("UPDATE secrets SET document = '{', checksum = NULL WHERE id = 'sec_1'").await;
    db.execute("UPDATE applications SET tenant_id = 'nobody', checksum = NULL WHERE id = 'app_1'").await;

    let unreadable = noun::find::<Secret>(&store, By::Id("sec_1"), Reach::Platform).await;
    assert!(matches!(&unreadable, Err(StoreError::Corrupt { id, .. }) if id == "sec_1"), "{unreadable:?}");
    let unowned = store.find_row(Resource::Application, By::Id("app_1"), Reach::Platform).await;
    assert!(matches!(&unowned, Err(StoreError::Corrupt { id, .. }) if id == "app_1"), "{unowned:?}");
    assert!(find(&store, Resource::Secret, "sec_2").await.is_some());
}
