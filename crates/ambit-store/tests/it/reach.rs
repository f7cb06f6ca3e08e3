//! Whose things somebody sees.

use ambit_core::reach::{Owner, Reach};
use ambit_core::store::{By, ChangeQuery, Filter, Reads, Row, Store as _};
use ambit_protocol::admin::audit::Resource;

use crate::support::{Db, NOUNS, context, insert, partner, row, tenant};

const SHARED: [Resource; 3] = [Resource::Feature, Resource::Api, Resource::Scope];

fn owners() -> [(&'static str, Owner); 6] {
    [
        ("platform", Owner::Platform),
        ("partner-1", Owner::Partner(partner(1))),
        ("partner-2", Owner::Partner(partner(2))),
        ("tenant-11", Owner::Tenant(tenant(11), Some(partner(1)))),
        ("tenant-12", Owner::Tenant(tenant(12), Some(partner(1)))),
        ("tenant-free", Owner::Tenant(tenant(99), None)),
    ]
}

fn reaches() -> [Reach; 7] {
    [
        Reach::Platform,
        Reach::Partner(partner(1)),
        Reach::Partner(partner(2)),
        Reach::Partner(partner(3)),
        Reach::Tenant(tenant(11), Some(partner(1))),
        Reach::Tenant(tenant(99), None),
        Reach::Tenant(tenant(98), None),
    ]
}

/// What the rules of reach say, in their own words.
fn visible(resource: Resource, owner: Owner, reach: Reach) -> bool {
    reach.covers(owner) || SHARED.contains(&resource) && owner.offers_to(reach.owner())
}

fn owned(resource: Resource, name: &str, owner: Owner) -> Row {
    Row {
        tenant_id: owner.tenant_id(),
        partner_id: owner.partner_id(),
        parent: Some("parent".to_owned()),
        ..row(resource, name)
    }
}

async fn assert_reach(reads: &(impl Reads + ?Sized), resource: Resource) {
    for reach in reaches() {
        let mut seen = Vec::new();
        for (name, owner) in owners() {
            let expected = visible(resource, owner, reach);
            let by_id = reads.find_row(resource, By::Id(name), reach).await.unwrap();
            assert_eq!(by_id.is_some(), expected, "{resource} {name} by identifier for {reach:?}");
            let key = format!("name-of-{name}");
            let by_name = reads.find_row(resource, By::NaturalKey(&key), reach).await.unwrap();
            assert_eq!(by_name.is_some(), expected, "{resource} {name} by name for {reach:?}");
            if expected {
                seen.push(name);
            }
        }
        seen.sort_unstable();
        for filter in [
            Filter::default(),
            Filter { parent: Some("parent"), ..Filter::default() },
            Filter { contains: Some("name-of"), ..Filter::default() },
        ] {
            let listed: Vec<String> =
                reads.list_rows(resource, &filter, reach).await.unwrap().into_iter().map(|row| row.id).collect();
            assert_eq!(listed, seen, "{resource} in a list for {reach:?}");
            let counted = reads.count_rows(resource, &filter, reach).await.unwrap();
            assert_eq!(counted, seen.len() as u64, "{resource} counted for {reach:?}");
        }
        // Asking for another's things by name of their owner opens no door.
        let of_another = Filter { tenant: Some(tenant(12)), ..Filter::default() };
        let expected = usize::from(visible(resource, owners()[4].1, reach));
        assert_eq!(
            reads.list_rows(resource, &of_another, reach).await.unwrap().len(),
            expected,
            "{resource} {reach:?}"
        );
    }
}

pub(crate) async fn what_another_owns_is_absent_by_identifier_by_name_in_lists_and_in_counts(db: Db) {
    let store = db.store().await;
    for resource in NOUNS {
        insert(&store, owners().map(|(name, owner)| owned(resource, name, owner))).await;
        assert_reach(&store, resource).await;
    }
}

pub(crate) async fn a_transaction_reaches_no_further_than_the_store(db: Db) {
    let store = db.store().await;
    let transaction = store.begin(context()).await.unwrap();
    for resource in NOUNS {
        for (name, owner) in owners() {
            transaction.insert_row(owned(resource, name, owner)).await.unwrap();
        }
        assert_reach(&*transaction, resource).await;
    }
}

pub(crate) async fn a_history_is_for_those_alone_who_reach_its_owner(db: Db) {
    let store = db.store().await;
    for resource in NOUNS {
        insert(&store, owners().map(|(name, owner)| owned(resource, name, owner))).await;
    }
    for reach in reaches() {
        for resource in NOUNS {
            let query = ChangeQuery { resource: Some(resource), limit: 100, ..ChangeQuery::default() };
            let changes = store.changes(&query, reach).await.unwrap();
            let mut shown: Vec<&str> = changes.iter().map(|change| change.resource_id.as_str()).collect();
            shown.reverse();
            let covered: Vec<&str> =
                owners().into_iter().filter(|(_, owner)| reach.covers(*owner)).map(|(name, _)| name).collect();
            assert_eq!(shown, covered, "{resource} {reach:?}");
        }
    }
}
