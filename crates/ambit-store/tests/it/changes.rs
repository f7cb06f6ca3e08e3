//! The change log.

use std::sync::Arc;

use ambit_core::reach::Reach;
use ambit_core::store::{ChangeContext, ChangeQuery, Filter, HistorySubject, Reads as _, Row, Store as _};
use ambit_protocol::admin::audit::{Action, Change, Resource};
use ambit_store::SqlStore;
use serde_json::json;

use crate::support::{Db, application, at, context, insert, partner, row, tenant};

async fn changes(store: &SqlStore, query: ChangeQuery<'_>) -> Vec<Change> {
    store.changes(&ChangeQuery { limit: 1000, ..query }, Reach::Platform).await.unwrap()
}

pub(crate) async fn each_change_is_logged_with_before_and_after(db: Db) {
    let store = db.store().await;
    let owned = Row {
        tenant_id: Some(tenant(1)),
        partner_id: Some(partner(2)),
        parent: Some("p".to_owned()),
        ..application("app_1")
    };
    insert(&store, [owned.clone(), application("app_2")]).await;
    let later = ChangeContext { actor: "system".to_owned(), at: at(5), trace_id: None };
    let transaction = store.begin(later).await.unwrap();
    let renamed = Row { natural_key: Some("new".to_owned()), document: r#"{"id":"app_1","n":2}"#.to_owned(), ..owned };
    transaction.update_row(renamed).await.unwrap();
    transaction.delete_row(Resource::Application, "app_1").await.unwrap();
    transaction.commit().await.unwrap();

    let first = Change {
        revision: 1,
        position: 0,
        at: at(0),
        actor: "client:ops".to_owned(),
        action: Action::Create,
        resource: Resource::Application,
        resource_id: "app_1".to_owned(),
        tenant_id: Some(tenant(1)),
        partner_id: Some(partner(2)),
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
        before: None,
        after: Some(json!({"id": "app_1"})),
    };
    let second = Change {
        position: 1,
        resource_id: "app_2".to_owned(),
        tenant_id: None,
        partner_id: None,
        after: Some(json!({"id": "app_2"})),
        ..first.clone()
    };
    let update = Change {
        revision: 2,
        at: at(5),
        actor: "system".to_owned(),
        action: Action::Update,
        trace_id: None,
        before: Some(json!({"id": "app_1"})),
        after: Some(json!({"id": "app_1", "n": 2})),
        ..first.clone()
    };
    let delete = Change {
        position: 1,
        action: Action::Delete,
        before: Some(json!({"id": "app_1", "n": 2})),
        after: None,
        ..update.clone()
    };
    assert_eq!(changes(&store, ChangeQuery::default()).await, [delete, update, second, first]);

    let heads = store.changes_after(1, 10).await.unwrap();
    assert_eq!(heads.len(), 2);
    for (head, action) in heads.iter().zip([Action::Update, Action::Delete]) {
        assert_eq!((head.revision, head.action, head.resource), (2, action, Resource::Application));
        assert_eq!((head.resource_id.as_str(), head.natural_key.as_deref()), ("app_1", Some("new")));
        assert_eq!((head.parent.as_deref(), head.tenant_id), (Some("p"), Some(tenant(1))));
    }
}

/// It takes a revision as any change, and leaves no row.
pub(crate) async fn what_became_of_something_kept_elsewhere_is_in_the_log(db: Db) {
    let store = db.store().await;
    let before = Row {
        resource: Resource::Grant,
        id: "gnt_1".to_owned(),
        parent: Some("usr_1".to_owned()),
        tenant_id: Some(tenant(1)),
        document: r#"{"ended":null}"#.to_owned(),
        ..application("unused")
    };
    let transaction = store.begin(context()).await.unwrap();
    transaction.log_update(&before, r#"{"ended":1}"#).await.unwrap();
    drop(transaction);
    assert_eq!(changes(&store, ChangeQuery::default()).await, []);
    let transaction = store.begin(context()).await.unwrap();
    transaction.log_update(&before, r#"{"ended":1}"#).await.unwrap();
    assert_eq!(transaction.commit().await.unwrap(), 1);
    let of_grants = ChangeQuery { resource: Some(Resource::Grant), ..ChangeQuery::default() };
    let [logged] = &changes(&store, of_grants).await[..] else { panic!("one") };
    assert_eq!((logged.revision, logged.action, logged.resource_id.as_str()), (1, Action::Update, "gnt_1"));
    assert_eq!((&logged.before, &logged.after), (&Some(json!({"ended": null})), &Some(json!({"ended": 1}))));
    for (reach, sees) in [(Reach::Tenant(tenant(1), None), 1), (Reach::Tenant(tenant(2), None), 0)] {
        let query = ChangeQuery { limit: 9, ..ChangeQuery::default() };
        assert_eq!(store.changes(&query, reach).await.unwrap().len(), sees);
    }
    assert_eq!(store.count_rows(Resource::Grant, &Filter::default(), Reach::Platform).await.unwrap(), 0);
    assert_eq!(store.changes_after(0, 9).await.unwrap()[0].resource, Resource::Grant);
}

pub(crate) async fn what_is_sealed_is_not_in_the_log(db: Db) {
    let store = db.store().await;
    let canary = b"canary-5f2b";
    let sealed = |id: &str| Row { sealed: Some(canary.to_vec()), ..row(Resource::Key, id) };
    insert(&store, [sealed("key_1")]).await;
    let transaction = store.begin(context()).await.unwrap();
    transaction.update_row(sealed("key_1")).await.unwrap();
    transaction.delete_row(Resource::Key, "key_1").await.unwrap();
    transaction.commit().await.unwrap();
    let text = format!("{:?}", changes(&store, ChangeQuery::default()).await);
    assert!(!text.contains("canary") && !text.contains("63616e617279"));
    assert!(!format!("{:?}", sealed("key_1")).contains("99, 97"), "a row shows what is sealed");
}

pub(crate) async fn whole_revisions_are_told_and_no_part_of_one(db: Db) {
    let store = db.store().await;
    // Revision r has r changes: 1, 2, 3, 4.
    for revision in 1..=4_u32 {
        insert(&store, (0..revision).map(|n| application(&format!("app_{revision}_{n}")))).await;
    }
    let told = async |after, limit| {
        let heads = store.changes_after(after, limit).await.unwrap();
        heads.iter().map(|head| head.revision).collect::<Vec<_>>()
    };
    assert_eq!(told(0, 100).await, [1, 2, 2, 3, 3, 3, 4, 4, 4, 4]);
    assert_eq!(told(0, 10).await.len(), 10);
    assert_eq!(told(0, 9).await, [1, 2, 2, 3, 3, 3]);
    assert_eq!(told(0, 6).await, [1, 2, 2, 3, 3, 3]);
    assert_eq!(told(0, 5).await, [1, 2, 2]);
    assert_eq!(told(0, 2).await, [1]);
    // The first is told even where it is larger than asked for, or nobody would ever get past it.
    assert_eq!(told(2, 2).await, [3, 3, 3]);
    assert_eq!(told(3, 0).await, [4, 4, 4, 4]);
    assert_eq!(told(4, 100).await, [0; 0]);
    assert_eq!(told(u64::MAX, 100).await, [0; 0]);
}

pub(crate) async fn changes_become_visible_in_order_and_none_is_missed(db: Db) {
    let stores = [Arc::new(db.store().await), Arc::new(db.store().await)];
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let store = Arc::clone(&stores[writer % 2]);
            tokio::spawn(async move {
                for n in 0..25 {
                    insert(&store, [application(&format!("a_{writer}_{n}")), application(&format!("b_{writer}_{n}"))])
                        .await;
                }
            })
        })
        .collect();
    let mut seen = Vec::new();
    while seen.len() < 200 {
        let last = seen.last().map_or(0, |(revision, _)| *revision);
        let heads = stores[1].changes_after(last, 7).await.unwrap();
        seen.extend(heads.into_iter().map(|head| (head.revision, head.resource_id)));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let revisions: Vec<u64> = seen.iter().map(|(revision, _)| *revision).collect();
    assert_eq!(revisions, (1..=100).flat_map(|revision| [revision, revision]).collect::<Vec<_>>());
    assert_eq!(seen.iter().map(|(_, id)| id).collect::<std::collections::HashSet<_>>().len(), 200);
}

pub(crate) async fn the_audit_trail_is_filtered_and_paged_newest_first(db: Db) {
    let store = db.store().await;
    for n in 0..6_i64 {
        let actor = if n % 2 == 0 { "client:even" } else { "client:odd" };
        let transaction =
            store.begin(ChangeContext { actor: actor.to_owned(), at: at(n), trace_id: None }).await.unwrap();
        transaction.insert_row(application(&format!("app_{n}"))).await.unwrap();
        transaction.insert_row(row(Resource::Unit, &format!("unt_{n}"))).await.unwrap();
        if n > 0 {
            transaction.delete_row(Resource::Application, &format!("app_{}", n - 1)).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }
    let places = async |query: ChangeQuery<'_>| {
        let found = store.changes(&query, Reach::Platform).await.unwrap();
        found.iter().map(|change| (change.revision, change.position)).collect::<Vec<_>>()
    };
    let all = ChangeQuery { limit: 100, ..ChangeQuery::default() };
    let everything = places(all).await;
    assert_eq!(everything.len(), 17);
    assert!(everything.is_sorted_by(|newer, older| newer > older));

    assert_eq!(places(ChangeQuery { actor: Some("client:odd"), ..all }).await.len(), 9);
    assert_eq!(places(ChangeQuery { resource: Some(Resource::Unit), ..all }).await.len(), 6);
    assert_eq!(places(ChangeQuery { resource_id: Some("app_2"), ..all }).await, [(4, 2), (3, 0)]);
    let named = changes(&store, ChangeQuery { natural_key: Some("name-of-app_2"), ..all }).await;
    assert_eq!(named.iter().map(|change| change.action).collect::<Vec<_>>(), [Action::Delete, Action::Create]);
    assert_eq!(places(ChangeQuery { natural_key: Some("name-of-app"), ..all }).await, []);
    assert_eq!(places(ChangeQuery { action: Some(Action::Delete), ..all }).await.len(), 5);
    assert_eq!(places(ChangeQuery { action: Some(Action::Update), ..all }).await, []);
    // From `since` on, up to but without `until`.
    assert_eq!(places(ChangeQuery { since: Some(at(5)), ..all }).await.len(), 3);
    assert_eq!(places(ChangeQuery { until: Some(at(1)), ..all }).await.len(), 2);
    assert_eq!(places(ChangeQuery { since: Some(at(1)), until: Some(at(1)), ..all }).await, []);

    let mut paged = Vec::new();
    loop {
        let page = places(ChangeQuery { before: paged.last().copied(), limit: 4, ..all }).await;
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 4);
        paged.extend(page);
    }
    assert_eq!(paged, everything);
    assert_eq!(places(ChangeQuery { before: Some((u64::MAX, u32::MAX)), ..all }).await, everything);
}

pub(crate) async fn the_first_change_since_tells_what_was_there(db: Db) {
    let store = db.store().await;
    let owned = |id: &str, n: u32| Row {
        tenant_id: Some(tenant(1)),
        document: json!({ "n": n }).to_string(),
        ..application(id)
    };
    insert(&store, [owned("app_1", 1), application("app_2")]).await;
    let transaction = store.begin(context()).await.unwrap();
    transaction.update_row(owned("app_1", 2)).await.unwrap();
    transaction.update_row(owned("app_1", 3)).await.unwrap();
    transaction.insert_row(row(Resource::Unit, "unt_1")).await.unwrap();
    transaction.commit().await.unwrap();
    let transaction = store.begin(context()).await.unwrap();
    transaction.delete_row(Resource::Application, "app_2").await.unwrap();
    transaction.update_row(owned("app_1", 4)).await.unwrap();
    transaction.insert_row(owned("app_3", 1)).await.unwrap();
    transaction.commit().await.unwrap();

    let first = async |after, subject| {
        let found = store.first_changes_after(after, &subject).await.unwrap();
        found.into_iter().map(|change| (change.resource_id, change.before)).collect::<Vec<_>>()
    };
    let (one, two, three) = ("app_1".to_owned(), "app_2".to_owned(), "app_3".to_owned());
    let document = |n: u32| Some(json!({ "n": n }));
    let gone = Some(json!({"id": "app_2"}));
    let all = HistorySubject::All(Resource::Application);
    assert_eq!(first(0, all).await, [(one.clone(), None), (two.clone(), None), (three.clone(), None)]);
    assert_eq!(first(1, all).await, [(one.clone(), document(1)), (two.clone(), gone.clone()), (three.clone(), None)]);
    assert_eq!(first(2, all).await, [(two, gone), (one.clone(), document(3)), (three.clone(), None)]);
    assert_eq!(first(3, all).await, []);
    assert_eq!(first(u64::MAX, all).await, []);
    assert_eq!(first(1, HistorySubject::One(Resource::Application, "app_1")).await, [(one.clone(), document(1))]);
    assert_eq!(first(1, HistorySubject::One(Resource::Application, "app_9")).await, []);
    let of_tenant = HistorySubject::OfTenant(Resource::Application, tenant(1));
    assert_eq!(first(1, of_tenant).await, [(one, document(1)), (three, None)]);
    assert_eq!(first(0, HistorySubject::OfTenant(Resource::Application, tenant(2))).await, []);
}
