//! Consents: changed as they were read, and what rests on one.

use std::sync::Arc;

use ambit_core::store::Store as _;
use ambit_core::store::sign_in::{Consent, Redeemed};

use crate::sign_ins::{application, at_once, code, consent, grant, id, redeemed, refresh_token, session, user};
use crate::support::{Db, at};

pub(crate) async fn a_consent_is_kept_in_place_of_the_one_before(db: Db) {
    let store = db.store().await;
    let store = store.sign_ins();
    let old = consent(1, 1, "old");
    assert_eq!(store.find_consent(user(1), application(1)).await.unwrap(), None);
    assert!(!store.withdraw_consent(user(1), application(1)).await.unwrap());
    assert!(!store.keep_consent(&consent(1, 1, "new"), Some(&old)).await.unwrap(), "there is none");
    let new = Consent { updated_at: at(9), ..consent(1, 1, "new") };
    for (kept, before) in [(&old, None), (&consent(1, 2, "b"), None), (&consent(2, 1, "c"), None), (&new, Some(&old))] {
        assert!(store.keep_consent(kept, before).await.unwrap());
        assert_eq!(store.find_consent(kept.user_id, kept.application_id).await.unwrap().as_ref(), Some(kept));
    }
    // It is another one by now: of another moment, with other words in the same one, or one where none is expected.
    for before in [None, Some(&old), Some(&Consent { updated_at: at(0), ..new.clone() })] {
        assert!(!store.keep_consent(&consent(1, 1, "newer"), before).await.unwrap(), "{before:?}");
    }
    assert!(!store.keep_consent(&old, Some(&Consent { updated_at: at(9), ..old.clone() })).await.unwrap());
    assert_eq!(store.consents_of(user(1)).await.unwrap(), [new, consent(1, 2, "b")]);
    assert!(store.withdraw_consent(user(1), application(1)).await.unwrap());
    assert!(!store.withdraw_consent(user(1), application(1)).await.unwrap());
    assert_eq!(store.consents_of(user(1)).await.unwrap(), [consent(1, 2, "b")]);
    assert_eq!(store.consents_of(user(2)).await.unwrap(), [consent(2, 1, "c")]);
    assert_eq!(store.consents_of(user(3)).await.unwrap(), []);
}

pub(crate) async fn of_many_who_change_a_consent_at_once_none_undoes_another(db: Db) {
    let store = db.store().await;
    at_once(&db, 40, |n, store| async move {
        loop {
            let before = store.sign_ins().find_consent(user(1), application(1)).await.unwrap();
            let said = before.as_ref().map_or("", |before| before.document.as_str());
            let after = consent(1, 1, &format!("{said}{n} "));
            if store.sign_ins().keep_consent(&after, before.as_ref()).await.unwrap() {
                break;
            }
        }
    })
    .await;
    let kept = store.sign_ins().find_consent(user(1), application(1)).await.unwrap().unwrap();
    let mut said: Vec<usize> = kept.document.split_whitespace().map(|n| n.parse().unwrap()).collect();
    said.sort_unstable();
    assert_eq!(said, (0..40).collect::<Vec<_>>());
}

pub(crate) async fn nothing_comes_of_a_code_whose_consent_is_gone_or_another_one(db: Db) {
    let store = db.store().await;
    let sign_ins = store.sign_ins();
    for n in 1..=2 {
        sign_ins.issue_code(&code(n)).await.unwrap();
    }
    let (rested_on, token) = (consent(1, 1, "{}"), refresh_token("one", 1));
    let (later, other_words) = (Consent { updated_at: at(1), ..rested_on.clone() }, consent(1, 1, "[]"));
    let other = Consent { updated_at: at(1), ..other_words.clone() };
    let lent = [grant(1, 1, 1), grant(2, 1, 1)];
    let on = |n: usize, consent| Some(Redeemed { consent, ..redeemed(&lent[n - 1], (n == 1).then_some(&token)) });
    let spend = async |n: u128, redeemed| sign_ins.spend_code(&code(n).token, at(5), redeemed).await.unwrap();
    assert!(!spend(1, on(1, Some(&rested_on))).await, "there is none");
    assert!(sign_ins.keep_consent(&consent(2, 1, "{}"), None).await.unwrap());
    assert!(sign_ins.keep_consent(&consent(1, 2, "{}"), None).await.unwrap());
    assert!(!spend(1, on(1, Some(&rested_on))).await, "somebody else's, and for something else");
    assert!(sign_ins.keep_consent(&other, None).await.unwrap());
    for read in [&rested_on, &later, &other_words] {
        assert!(!spend(1, on(1, Some(read))).await, "{read:?}");
    }
    assert_eq!(sign_ins.find_code(&code(1).token).await.unwrap(), Some(code(1)), "it is not used up");
    assert_eq!(sign_ins.find_grant(id(1)).await.unwrap(), None);
    assert!(spend(1, on(1, Some(&other))).await);
    assert_eq!(sign_ins.find_refresh_token(&token.token).await.unwrap(), Some((token.clone(), lent[0].clone())));
    assert!(spend(2, on(2, None)).await, "where nobody is asked");
}

/// Whoever ends a session or withdraws a consent ends the grants that there are then: none may begin after.
pub(crate) async fn a_code_waits_for_whoever_ends_what_it_rests_on(db: Db) {
    let store = Arc::new(db.store().await);
    let sign_ins = store.sign_ins();
    for (n, ends) in [(1, "DELETE FROM sessions"), (2, "DELETE FROM consents"), (3, "DELETE FROM interactions")] {
        sign_ins.begin_session(&session(n, 1)).await.unwrap();
        sign_ins.issue_code(&code(n)).await.unwrap();
        let agreed = consent(n, 1, "{}");
        assert!(sign_ins.keep_consent(&agreed, None).await.unwrap());
        let store = Arc::clone(&store);
        let is_spent = db.during(ends, async move {
            let lent = grant(n, n, 1);
            let redeemed = Redeemed { session: Some(id(n)), consent: Some(&agreed), ..redeemed(&lent, None) };
            store.sign_ins().spend_code(&code(n).token, at(5), Some(redeemed)).await.unwrap()
        });
        assert_eq!(is_spent.await, n == 3, "{ends}");
        assert_eq!(sign_ins.find_grant(id(n)).await.unwrap().is_some(), n == 3, "{ends}");
    }
}

/// Whom a session signed in to is told of its end, so nobody is noted once that is told.
pub(crate) async fn nobody_is_signed_in_to_by_a_session_that_is_being_ended(db: Db) {
    let store = Arc::new(db.store().await);
    store.sign_ins().begin_session(&session(1, 1)).await.unwrap();
    let joining = Arc::clone(&store);
    db.during("DELETE FROM sessions", async move {
        joining.sign_ins().join_session(id(1), application(1)).await.unwrap();
    })
    .await;
    assert_eq!(store.sign_ins().applications_of_session(id(1)).await.unwrap(), []);
}
