//! Who is told that a session has ended: the notices that are left for it.

use std::sync::Arc;

use ambit_core::store::Store as _;
use ambit_core::store::sign_in::{LogoutNotice, Session, Sessions};
use ambit_protocol::id::{ApplicationId, Id as _};
use ambit_store::SqlStore;
use uuid::Uuid;

use crate::sign_ins::session;
use crate::support::{Db, at};

fn application(n: u128) -> ApplicationId {
    ApplicationId::from_uuid(Uuid::from_u128(n))
}

/// A session of one person that signed them in to these applications.
async fn joined(store: &SqlStore, n: u128, of: u128, applications: &[u128]) -> Session {
    let begun = session(n, of);
    store.sign_ins().begin_session(&begun).await.unwrap();
    for n in applications {
        store.sign_ins().join_session(begun.id, application(*n)).await.unwrap();
    }
    begun
}

fn notice(of: &Session, to: u128) -> LogoutNotice {
    LogoutNotice {
        session_id: of.id,
        application_id: application(to),
        user_id: of.user_id,
        ended_at: at(10),
        due_at: at(70),
        attempts: 1,
    }
}

async fn taken(store: &SqlStore, now: i64) -> Vec<LogoutNotice> {
    let mut taken = store.sign_ins().take_logout_notices(at(now), at(now + 60), 100).await.unwrap();
    taken.sort_by_key(|notice| (notice.session_id, notice.application_id));
    taken
}

pub(crate) async fn everybody_whom_a_session_signed_in_to_is_to_be_told_of_its_end(db: Db) {
    let store = db.store().await;
    let sign_ins = store.sign_ins();
    let ended = joined(&store, 1, 1, &[1, 2, 2]).await;
    let other = joined(&store, 2, 1, &[1]).await;
    assert_eq!(sign_ins.applications_of_session(ended.id).await.unwrap(), [application(1), application(2)]);
    assert_eq!(taken(&store, 10).await, []);

    sign_ins.end_sessions(Sessions::One(ended.id), at(10), at(100)).await.unwrap();
    assert_eq!(sign_ins.applications_of_session(ended.id).await.unwrap(), []);
    assert_eq!(sign_ins.applications_of_session(other.id).await.unwrap(), [application(1)]);
    sign_ins.join_session(ended.id, application(3)).await.unwrap();
    assert_eq!(sign_ins.applications_of_session(ended.id).await.unwrap(), [], "it has ended");
    assert_eq!(taken(&store, 9).await, [], "not yet");
    assert_eq!(taken(&store, 10).await, [notice(&ended, 1), notice(&ended, 2)]);
    assert_eq!(taken(&store, 69).await, [], "somebody is at it");

    // Whoever is forgotten as a whole has their sessions ended as well.
    sign_ins.forget_user(other.user_id, at(20), at(100)).await.unwrap();
    let due: Vec<_> = taken(&store, 20).await.into_iter().map(|notice| notice.session_id).collect();
    assert_eq!(due, [other.id]);
}

pub(crate) async fn a_notice_is_due_again_until_it_is_forgotten(db: Db) {
    let store = db.store().await;
    let sign_ins = store.sign_ins();
    let ended = joined(&store, 1, 1, &[1, 2]).await;
    sign_ins.end_sessions(Sessions::One(ended.id), at(10), at(100)).await.unwrap();
    let [first, second] = taken(&store, 10).await.try_into().expect("two notices");
    assert!(sign_ins.put_off_logout_notice(&first, at(20)).await.unwrap());
    assert!(sign_ins.forget_logout_notice(&second).await.unwrap());
    assert!(!sign_ins.forget_logout_notice(&second).await.unwrap());
    assert_eq!(taken(&store, 19).await, []);
    let again = LogoutNotice { attempts: 2, due_at: at(80), ..first.clone() };
    assert_eq!(taken(&store, 20).await, std::slice::from_ref(&again));
    assert!(!sign_ins.put_off_logout_notice(&first, at(25)).await.unwrap(), "another has taken it since");
    assert_eq!(taken(&store, 25).await, []);
    assert_eq!(taken(&store, 80).await, [LogoutNotice { attempts: 3, due_at: at(140), ..again.clone() }]);
    assert!(sign_ins.forget_logout_notice(&again).await.unwrap(), "it was told, whoever did");
    assert_eq!(taken(&store, 1000).await, []);
}

pub(crate) async fn of_many_nodes_one_takes_a_notice(db: Db) {
    let nodes: Vec<_> = [db.store().await, db.store().await].map(Arc::new).into();
    for n in 1..=40 {
        let ended = joined(&nodes[0], n, n, &[1, 2]).await;
        nodes[0].sign_ins().end_sessions(Sessions::One(ended.id), at(10), at(100)).await.unwrap();
    }
    let takers: Vec<_> = (0..16)
        .map(|n| {
            let node = Arc::clone(&nodes[n % 2]);
            tokio::spawn(async move { node.sign_ins().take_logout_notices(at(10), at(70), 7).await.unwrap() })
        })
        .collect();
    let mut taken = Vec::new();
    for taker in takers {
        let some = taker.await.unwrap();
        assert!(some.len() <= 7);
        taken.extend(some);
    }
    while let more = nodes[0].sign_ins().take_logout_notices(at(10), at(70), 7).await.unwrap()
        && !more.is_empty()
    {
        taken.extend(more);
    }
    let all = taken.len();
    taken.sort_by_key(|notice| (notice.session_id, notice.application_id));
    taken.dedup();
    assert_eq!((all, taken.len()), (80, 80));
}
