//! Transactions and reads.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ambit_core::reach::Reach;
use ambit_core::store::{By, Filter, Reads as _, Row, SavedAnswer, Store as _, StoreError, noun};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::secret::Secret;
use ambit_protocol::id::{ApplicationId, Id as _, SecretId};
use ambit_protocol::time::Timestamp;
use ambit_store::SqlStore;
use uuid::Uuid;

use crate::support::{
    Db, NOUNS, application, assert_unavailable, at, context, eventually, find, insert, partner, row, tenant,
};

pub(crate) async fn a_row_of_every_kind_reads_back_as_it_was_inserted(db: Db) {
    let store = db.store().await;
    for resource in NOUNS {
        let full = Row {
            parent: Some("parent".to_owned()),
            tenant_id: Some(tenant(1)),
            partner_id: Some(partner(2)),
            sealed: Some(vec![0, 255, 0]),
            ..row(resource, "full")
        };
        let bare = Row { natural_key: None, ..row(resource, "bare") };
        let revision = insert(&store, [full.clone(), bare.clone()]).await;
        for row in [full, bare] {
            let expected = Row { revision, ..row };
            let by_id = store.find_row(resource, By::Id(&expected.id), Reach::Platform).await.unwrap();
            assert_eq!(by_id.as_ref(), Some(&expected));
            if let Some(key) = &expected.natural_key {
                let by_name = store.find_row(resource, By::NaturalKey(key), Reach::Platform).await.unwrap();
                assert_eq!(by_name.as_ref(), Some(&expected));
            }
        }
    }
}

pub(crate) async fn what_is_not_there_is_not_found(db: Db) {
    let store = db.store().await;
    insert(&store, [application("app_1")]).await;
    for (resource, by) in [
        (Resource::Application, By::Id("app_2")),
        (Resource::Application, By::Id("APP_1")),
        (Resource::Application, By::Id("app_1 ")),
        (Resource::Application, By::NaturalKey("app_1")),
        (Resource::Application, By::NaturalKey("Name-of-app_1")),
        (Resource::Application, By::NaturalKey("")),
        (Resource::Api, By::Id("app_1")),
        (Resource::Registry, By::Id("registry")),
    ] {
        assert_eq!(store.find_row(resource, by, Reach::Platform).await.unwrap(), None, "{resource} {by:?}");
    }
    assert_eq!(store.list_rows(Resource::Registry, &Filter::default(), Reach::Platform).await.unwrap(), []);
    assert_eq!(store.count_rows(Resource::Registry, &Filter::default(), Reach::Platform).await.unwrap(), 0);
}

pub(crate) async fn a_taken_identifier_or_name_is_a_conflict_and_the_rest_still_commits(db: Db) {
    let store = db.store().await;
    insert(&store, [application("app_1")]).await;

    let transaction = store.begin(context()).await.unwrap();
    let same_id = Row { natural_key: Some("other".to_owned()), ..application("app_1") };
    assert_conflict(transaction.insert_row(same_id).await, "app_1");
    let same_name = Row { natural_key: Some("name-of-app_1".to_owned()), ..application("app_2") };
    assert_conflict(transaction.insert_row(same_name.clone()).await, "name-of-app_1");
    transaction.insert_row(Row { resource: Resource::Api, ..same_name }).await.expect("names are unique among a kind");
    transaction.insert_row(application("app_3")).await.unwrap();
    assert_conflict(
        transaction.update_row(Row { natural_key: Some("name-of-app_1".to_owned()), ..application("app_3") }).await,
        "name-of-app_1",
    );
    let revision = transaction.commit().await.unwrap();

    assert_eq!(revision, 2);
    assert_eq!(find(&store, Resource::Application, "app_1").await.unwrap().revision, 1);
    assert_eq!(find(&store, Resource::Application, "app_2").await, None);
    let third = find(&store, Resource::Application, "app_3").await.unwrap();
    assert_eq!(third.natural_key.as_deref(), Some("name-of-app_3"));
    assert_eq!(store.changes_after(1, 100).await.unwrap().len(), 2);
}

#[track_caller]
fn assert_conflict(outcome: Result<(), StoreError>, expected: &str) {
    match outcome {
        Err(StoreError::Conflict { resource: Resource::Application, key }) => assert_eq!(key, expected),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_name_is_free_again_once_its_row_is_renamed_or_deleted(db: Db) {
    let store = db.store().await;
    insert(&store, [application("app_1"), application("app_2")]).await;

    let transaction = store.begin(context()).await.unwrap();
    transaction.update_row(Row { natural_key: Some("new".to_owned()), ..application("app_1") }).await.unwrap();
    transaction.delete_row(Resource::Application, "app_2").await.unwrap();
    for (id, name) in [("app_3", "name-of-app_1"), ("app_4", "name-of-app_2")] {
        transaction.insert_row(Row { natural_key: Some(name.to_owned()), ..application(id) }).await.unwrap();
    }
    transaction.commit().await.unwrap();

    for (name, id) in [("new", "app_1"), ("name-of-app_1", "app_3"), ("name-of-app_2", "app_4")] {
        let found = store.find_row(Resource::Application, By::NaturalKey(name), Reach::Platform).await.unwrap();
        assert_eq!(found.unwrap().id, id);
    }
    assert_eq!(find(&store, Resource::Application, "app_2").await, None);
}

pub(crate) async fn replacing_or_deleting_what_is_not_there_is_missing(db: Db) {
    let store = db.store().await;
    let transaction = store.begin(context()).await.unwrap();
    let missing =
        |outcome| matches!(outcome, Err(StoreError::Missing { resource: Resource::Application, id }) if id == "app_1");
    assert!(missing(transaction.update_row(application("app_1")).await));
    assert!(missing(transaction.delete_row(Resource::Application, "app_1").await));
    let nothing = transaction.insert_row(row(Resource::Registry, "registry")).await;
    assert!(matches!(nothing, Err(StoreError::Missing { .. })));
    assert_eq!(transaction.commit().await.unwrap(), 0);
}

pub(crate) async fn an_update_that_changes_nothing_else_still_takes_a_revision(db: Db) {
    let store = db.store().await;
    insert(&store, [application("app_1")]).await;
    let transaction = store.begin(context()).await.unwrap();
    transaction.update_row(application("app_1")).await.unwrap();
    assert_eq!(transaction.commit().await.unwrap(), 2);
    assert_eq!(find(&store, Resource::Application, "app_1").await.unwrap().revision, 2);
}

pub(crate) async fn lists_are_ordered_by_identifier_filtered_and_paged(db: Db) {
    let store = db.store().await;
    // By octet: capitals before small letters, and what is no ASCII last.
    let ordered = ["B", "Z", "_", "a", "b", "z", "ä"];
    let mut rows: Vec<Row> = ordered.iter().map(|id| row(Resource::Unit, id)).collect();
    rows.reverse();
    for (place, row) in rows.iter_mut().enumerate() {
        row.parent = Some(if place % 2 == 0 { "even" } else { "odd" }.to_owned());
        row.tenant_id = (place < 3).then(|| tenant(7));
        row.partner_id = (place < 5).then(|| partner(7));
    }
    insert(&store, rows).await;

    assert_eq!(ids(&store, Filter::default()).await, ordered);
    assert_eq!(ids(&store, Filter { limit: Some(2), ..Filter::default() }).await, ["B", "Z"]);
    assert_eq!(ids(&store, Filter { after: Some("Z"), limit: Some(2), ..Filter::default() }).await, ["_", "a"]);
    assert_eq!(ids(&store, Filter { after: Some("y"), ..Filter::default() }).await, ["z", "ä"]);
    assert_eq!(ids(&store, Filter { after: Some("ä"), ..Filter::default() }).await, [""; 0]);
    assert_eq!(ids(&store, Filter { limit: Some(0), ..Filter::default() }).await, [""; 0]);
    assert_eq!(ids(&store, Filter { parent: Some("odd"), ..Filter::default() }).await, ["Z", "a", "z"]);
    assert_eq!(ids(&store, Filter { tenant: Some(tenant(7)), ..Filter::default() }).await, ["b", "z", "ä"]);
    let both = Filter { partner: Some(partner(7)), parent: Some("even"), after: Some("_"), ..Filter::default() };
    assert_eq!(ids(&store, both).await, ["b", "ä"]);
    for (part, expected) in [("of-z", vec!["z"]), ("of-Z", vec!["Z"]), ("%", vec![]), ("_", vec!["_"]), ("OF", vec![])]
    {
        assert_eq!(ids(&store, Filter { contains: Some(part), ..Filter::default() }).await, expected, "{part}");
    }
    assert_eq!(ids(&store, Filter { contains: Some(""), ..Filter::default() }).await, ordered);
    for (part, expected) in
        [("\"z\"", vec!["z"]), ("\"Z\"", vec!["Z"]), ("\"ä\"", vec!["ä"]), ("%", vec![]), ("'", vec![])]
    {
        assert_eq!(ids(&store, Filter { mentions: Some(part), ..Filter::default() }).await, expected, "{part}");
    }
    assert_eq!(ids(&store, Filter { mentions: Some(""), ..Filter::default() }).await, ordered);
}

async fn ids(store: &SqlStore, filter: Filter<'_>) -> Vec<String> {
    let rows = store.list_rows(Resource::Unit, &filter, Reach::Platform).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

pub(crate) async fn counts_ignore_where_a_page_begins_and_ends(db: Db) {
    let store = db.store().await;
    insert(&store, (0..5).map(|n| Row { parent: Some("p".to_owned()), ..row(Resource::Unit, &format!("unt_{n}")) }))
        .await;
    let filter = Filter { parent: Some("p"), after: Some("unt_1"), limit: Some(1), ..Filter::default() };
    assert_eq!(store.count_rows(Resource::Unit, &filter, Reach::Platform).await.unwrap(), 5);
    let none = Filter { parent: Some("q"), ..Filter::default() };
    assert_eq!(store.count_rows(Resource::Unit, &none, Reach::Platform).await.unwrap(), 0);
    let named = Filter { contains: Some("unt_3"), ..Filter::default() };
    assert_eq!(store.count_rows(Resource::Unit, &named, Reach::Platform).await.unwrap(), 1);
}

pub(crate) async fn a_transaction_sees_its_own_changes_and_nobody_else_does(db: Db) {
    let (store, other) = (db.store().await, db.store().await);
    let transaction = store.begin(context()).await.unwrap();
    transaction.insert_row(application("app_1")).await.unwrap();

    let inside = transaction.find_row(Resource::Application, By::Id("app_1"), Reach::Platform).await.unwrap();
    assert_eq!(inside.unwrap().revision, transaction.revision());
    assert_eq!(transaction.count_rows(Resource::Application, &Filter::default(), Reach::Platform).await.unwrap(), 1);
    assert_eq!(
        transaction.list_rows(Resource::Application, &Filter::default(), Reach::Platform).await.unwrap().len(),
        1
    );
    for outside in [&store, &other] {
        assert_eq!(find(outside, Resource::Application, "app_1").await, None);
        assert_eq!(outside.revision().await.unwrap(), 0);
        assert_eq!(outside.changes_after(0, 10).await.unwrap(), []);
    }

    assert_eq!(transaction.commit().await.unwrap(), 1);
    for outside in [&store, &other] {
        assert!(find(outside, Resource::Application, "app_1").await.is_some());
        assert_eq!(outside.revision().await.unwrap(), 1);
    }
}

pub(crate) async fn a_dropped_transaction_leaves_no_trace(db: Db) {
    let store = db.store().await;
    insert(&store, [application("app_1")]).await;
    for _ in 0..20 {
        let transaction = store.begin(context()).await.unwrap();
        assert_eq!(transaction.revision(), 2);
        transaction.insert_row(application("app_2")).await.unwrap();
        transaction.delete_row(Resource::Application, "app_1").await.unwrap();
        drop(transaction);
    }
    assert_eq!(store.revision().await.unwrap(), 1);
    assert!(find(&store, Resource::Application, "app_1").await.is_some());
    assert_eq!(find(&store, Resource::Application, "app_2").await, None);
    assert_eq!(store.changes_after(1, 10).await.unwrap(), []);
    assert_eq!(insert(&store, [application("app_2")]).await, 2);
}

pub(crate) async fn a_transaction_that_changed_nothing_takes_no_revision(db: Db) {
    let store = db.store().await;
    insert(&store, [application("app_1")]).await;
    let transaction = store.begin(context()).await.unwrap();
    assert_eq!(transaction.context().actor, "client:ops");
    transaction.find_row(Resource::Application, By::Id("app_1"), Reach::Platform).await.unwrap();
    assert_eq!(transaction.commit().await.unwrap(), 1);
    assert_eq!(store.revision().await.unwrap(), 1);
    assert_eq!(insert(&store, [application("app_2")]).await, 2);
}

pub(crate) async fn a_kept_answer_alone_is_durable_and_takes_no_revision(db: Db) {
    let store = db.store().await;
    insert(&store, [application("app_1")]).await;
    let answer = SavedAnswer {
        actor: "client:ops".to_owned(),
        key: "k-1".to_owned(),
        request_hash: vec![1; 32],
        status: 409,
        sealed: vec![2],
        expires_at: at(60),
    };
    let transaction = store.begin(context()).await.unwrap();
    assert_eq!(transaction.find_answer("client:ops", "k-1").await.unwrap(), None);
    transaction.save_answer(&answer).await.unwrap();
    assert_eq!(transaction.find_answer("client:ops", "k-1").await.unwrap().as_ref(), Some(&answer));
    assert_eq!(transaction.commit().await.unwrap(), 1);

    assert_eq!(store.find_answer("client:ops", "k-1").await.unwrap(), Some(answer));
    assert_eq!(store.revision().await.unwrap(), 1);
    assert_eq!(insert(&store, [application("app_2")]).await, 2);
}

pub(crate) async fn revisions_have_no_gaps_under_sixteen_writers(db: Db) {
    // Two processes, eight writers each; every third change is dropped, every fifth changes nothing.
    let stores = [Arc::new(db.store().await), Arc::new(db.store().await)];
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let store = Arc::clone(&stores[writer % 2]);
            tokio::spawn(async move {
                let mut made = Vec::new();
                for turn in 0..15 {
                    let transaction = store.begin(context()).await.expect("its turn comes");
                    if turn % 5 == 4 {
                        transaction.commit().await.unwrap();
                        continue;
                    }
                    transaction.insert_row(application(&format!("app_{writer}_{turn}"))).await.unwrap();
                    if turn % 3 != 2 {
                        made.push(transaction.commit().await.unwrap());
                    }
                }
                made
            })
        })
        .collect();
    let mut made = Vec::new();
    for writer in writers {
        made.extend(writer.await.unwrap());
    }
    made.sort_unstable();
    let last = made.len() as u64;
    assert_eq!(made, (1..=last).collect::<Vec<_>>());
    assert_eq!(stores[0].revision().await.unwrap(), last);
    let logged: Vec<u64> = stores[1].changes_after(0, 10_000).await.unwrap().iter().map(|head| head.revision).collect();
    assert_eq!(logged, made);
}

pub(crate) async fn a_writer_gives_up_waiting_in_time(db: Db) {
    let store = db.store().await;
    let mut config = db.config();
    // Room for a connection to be made on a machine that has more to do.
    config.wait = Duration::from_secs(1);
    let hasty = SqlStore::open(&config).await.unwrap();

    // Behind another change of the same process, and behind one of another process.
    let own = hasty.begin(context()).await.unwrap();
    assert_unavailable(hasty.begin(context()).await);
    own.insert_row(application("app_1")).await.unwrap();
    own.commit().await.unwrap();
    let others = store.begin(context()).await.unwrap();
    assert_unavailable(hasty.begin(context()).await);
    drop(others);

    eventually(|| async { hasty.begin(context()).await.is_ok() }).await;
    assert_eq!(insert(&hasty, [application("app_2")]).await, 2);
}

pub(crate) async fn a_change_given_up_half_way_is_never_committed(db: Db) {
    let store = db.store().await;
    let mut given_up = 0;
    for n in 0..150 {
        let transaction = store.begin(context()).await.unwrap();
        let id = format!("app_{n}");
        let before = store.revision().await.unwrap();
        // From hardly begun to done.
        if let Some(inserted) = polled(transaction.insert_row(application(&id)), n / 10).await {
            inserted.unwrap();
            transaction.commit().await.unwrap();
            assert!(find(&store, Resource::Application, &id).await.is_some());
            continue;
        }
        given_up += 1;
        assert_unavailable(transaction.commit().await);
        assert_eq!(find(&store, Resource::Application, &id).await, None);
        assert_eq!(store.revision().await.unwrap(), before);
    }
    assert!(given_up > 0, "no patience was short enough");
}

/// What a future makes of it when it is polled once and as many times more, and is then given up.
async fn polled<T>(future: impl Future<Output = T>, mut more: u32) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(move |context| match future.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if more == 0 => Poll::Ready(None),
        Poll::Pending => {
            more -= 1;
            Poll::Pending
        }
    })
    .await
}

pub(crate) async fn nouns_are_read_and_written_as_themselves(db: Db) {
    let store = db.store().await;
    let secret = Secret {
        id: SecretId::from_uuid(Uuid::from_u128(1)),
        application_id: ApplicationId::from_uuid(Uuid::from_u128(2)),
        hint: "wxyz".to_owned(),
        tenant_id: Some(tenant(3)),
        partner_id: None,
        expires_at: None,
        last_used_at: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    let transaction = store.begin(context()).await.unwrap();
    let kept = noun::insert(&*transaction, secret, Some(vec![7; 32])).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!((kept.created_at, kept.updated_at, kept.revision), (at(0), at(0), 1));

    let id = kept.id.to_string();
    let reach = Reach::Tenant(tenant(3), None);
    assert_eq!(noun::find::<Secret>(&store, By::Id(&id), reach).await.unwrap(), Some(kept.clone()));
    let parent = kept.application_id.to_string();
    let filter = Filter { parent: Some(&parent), ..Filter::default() };
    assert_eq!(noun::list::<Secret>(&store, &filter, reach).await.unwrap(), std::slice::from_ref(&kept));
    assert_eq!(noun::count::<Secret>(&store, &filter, reach).await.unwrap(), 1);
    assert_eq!(find(&store, Resource::Secret, &id).await.unwrap().sealed, Some(vec![7; 32]));

    let transaction = store.begin(context()).await.unwrap();
    noun::delete(&*transaction, &kept).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(noun::find::<Secret>(&store, By::Id(&id), reach).await.unwrap(), None);
}

pub(crate) async fn rows_loaded_in_bulk_are_all_there_or_none(db: Db) {
    let store = db.store().await;
    let rows = |from: u32| {
        let apps = (from..from + 1000).map(|n| application(&format!("app_{n:05}")));
        let units = (from..from + 50).map(|n| row(Resource::Unit, &format!("unt_{n:05}")));
        apps.chain(units)
    };
    let all = Filter::default();
    assert_eq!(store.bulk_insert(&context(), rows(0)).await.unwrap(), 1);
    assert_eq!(store.count_rows(Resource::Application, &all, Reach::Platform).await.unwrap(), 1000);
    assert_eq!(store.count_rows(Resource::Unit, &all, Reach::Platform).await.unwrap(), 50);
    assert_eq!(find(&store, Resource::Unit, "unt_00049").await.unwrap().revision, 1);
    let heads = store.changes_after(0, 10).await.unwrap();
    assert_eq!(heads.iter().map(|head| head.resource).collect::<Vec<_>>(), [Resource::Registry]);

    let taken = store.bulk_insert(&context(), rows(500)).await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
    assert_eq!(store.count_rows(Resource::Application, &all, Reach::Platform).await.unwrap(), 1000);
    assert_eq!(store.bulk_insert(&context(), rows(1000)).await.unwrap(), 2);
}
