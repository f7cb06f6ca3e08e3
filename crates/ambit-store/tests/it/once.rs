//! What happens once: revocations, assertions, and answers kept for their key.

use std::sync::Arc;

use ambit_core::store::{Revocation, SavedAnswer, Store as _};

use crate::support::{Db, at, context};

fn revocation(jti: &str) -> Revocation {
    Revocation { jti: jti.to_owned(), client_id: "till-7".to_owned(), revoked_at: at(0), expires_at: at(60) }
}

pub(crate) async fn revoking_a_token_twice_revokes_it_once(db: Db) {
    let store = db.store().await;
    store.revoke(&revocation("a")).await.unwrap();
    store.revoke(&Revocation { revoked_at: at(9), ..revocation("a") }).await.unwrap();
    store.revoke(&revocation("b")).await.unwrap();

    let all = store.revocations_after(0, 10).await.unwrap();
    assert_eq!(all.iter().map(|(_, revoked)| revoked.clone()).collect::<Vec<_>>(), [revocation("a"), revocation("b")]);
    assert!(all[0].0 < all[1].0);
    assert_eq!(store.revocations_after(0, 1).await.unwrap(), all[..1]);
    assert_eq!(store.revocations_after(all[0].0, 10).await.unwrap(), all[1..]);
    assert_eq!(store.revocations_after(all[1].0, 10).await.unwrap(), []);
    assert_eq!(store.revocations_after(u64::MAX, 10).await.unwrap(), []);
}

pub(crate) async fn no_revocation_is_missed_by_a_reader_that_goes_on_from_the_last_number(db: Db) {
    let stores = [Arc::new(db.store().await), Arc::new(db.store().await)];
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = Arc::clone(&stores[writer % 2]);
            tokio::spawn(async move {
                for n in 0..25 {
                    store.revoke(&revocation(&format!("{writer}-{n}"))).await.unwrap();
                }
            })
        })
        .collect();
    let (mut last, mut seen) = (0, Vec::new());
    while seen.len() < 200 {
        for (sequence, revoked) in stores[0].revocations_after(last, 7).await.unwrap() {
            assert!(sequence > last);
            last = sequence;
            seen.push(revoked.jti);
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 200);
}

pub(crate) async fn an_assertion_is_used_once_however_many_try(db: Db) {
    let stores = [Arc::new(db.store().await), Arc::new(db.store().await)];
    // Each by both nodes, four times by each.
    let tries: Vec<_> = (0..400)
        .map(|n: usize| {
            let store = Arc::clone(&stores[n % 2]);
            tokio::spawn(async move { store.use_assertion("till-7", &format!("jti-{}", n / 8), at(60)).await.unwrap() })
        })
        .collect();
    let mut first = 0;
    for attempt in tries {
        first += usize::from(attempt.await.unwrap());
    }
    assert_eq!(first, 50);
    for store in &stores {
        assert!(!store.use_assertion("till-7", "jti-0", at(99)).await.unwrap());
    }
    assert!(stores[0].use_assertion("till-8", "jti-0", at(60)).await.unwrap(), "another client's is another");
    assert!(stores[0].use_assertion("till-7", "JTI-0", at(60)).await.unwrap());
}

pub(crate) async fn an_assertion_may_be_named_by_any_text(db: Db) {
    let store = db.store().await;
    for jti in ["", "\0", "a\0b", "ä\u{1F511}", "' OR 1=1 --", &"x".repeat(1 << 20)] {
        assert!(store.use_assertion("till-7", jti, at(60)).await.unwrap());
        assert!(!store.use_assertion("till-7", jti, at(60)).await.unwrap());
    }
}

fn answer(key: &str, expires: i64) -> SavedAnswer {
    SavedAnswer {
        actor: "client:ops".to_owned(),
        key: key.to_owned(),
        request_hash: vec![1; 32],
        status: 201,
        sealed: vec![0, 1, 2, 255],
        expires_at: at(expires),
    }
}

pub(crate) async fn what_has_expired_is_forgotten_and_nothing_else(db: Db) {
    let store = db.store().await;
    let transaction = store.begin(context()).await.unwrap();
    for n in 0..4 {
        transaction.save_answer(&answer(&format!("k-{n}"), n)).await.unwrap();
    }
    transaction.commit().await.unwrap();
    for n in 0..4 {
        store.revoke(&Revocation { expires_at: at(n), ..revocation(&format!("r-{n}")) }).await.unwrap();
        assert!(store.use_assertion("till-7", &format!("a-{n}"), at(n)).await.unwrap());
    }

    // What expires at this very moment stays: 0 and 1 go, 2 and 3 do not.
    assert_eq!(store.purge_expired(at(0), 100).await.unwrap(), 0);
    assert_eq!(store.purge_expired(at(2), 4).await.unwrap(), 4);
    assert_eq!(store.purge_expired(at(2), 100).await.unwrap(), 2);
    assert_eq!(store.purge_expired(at(2), 100).await.unwrap(), 0);

    let left = store.revocations_after(0, 10).await.unwrap();
    assert_eq!(left.iter().map(|(_, revoked)| revoked.jti.as_str()).collect::<Vec<_>>(), ["r-2", "r-3"]);
    for n in 0..4 {
        assert_eq!(store.find_answer("client:ops", &format!("k-{n}")).await.unwrap().is_some(), n >= 2);
        assert_eq!(store.use_assertion("till-7", &format!("a-{n}"), at(n)).await.unwrap(), n < 2);
    }
}

pub(crate) async fn an_answer_is_kept_for_its_key_and_its_actor(db: Db) {
    let store = db.store().await;
    let transaction = store.begin(context()).await.unwrap();
    transaction.save_answer(&answer("k", 60)).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.find_answer("client:ops", "k").await.unwrap(), Some(answer("k", 60)));
    assert_eq!(store.find_answer("client:other", "k").await.unwrap(), None);
    assert_eq!(store.find_answer("client:ops", "K").await.unwrap(), None);
    assert_eq!(store.find_answer("client:ops", "k\0").await.unwrap(), None);

    // One that has expired gives way to the next under its key; a dropped one was never there.
    let transaction = store.begin(context()).await.unwrap();
    transaction.save_answer(&SavedAnswer { status: 500, ..answer("k", 61) }).await.unwrap();
    drop(transaction);
    assert_eq!(store.find_answer("client:ops", "k").await.unwrap(), Some(answer("k", 60)));
    let transaction = store.begin(context()).await.unwrap();
    let next = SavedAnswer { status: 409, request_hash: vec![2; 32], ..answer("k", 120) };
    transaction.save_answer(&next).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.find_answer("client:ops", "k").await.unwrap(), Some(next));
}
