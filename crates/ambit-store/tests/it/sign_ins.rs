//! What people do: interactions, sessions, codes, grants, refresh tokens, consents, and what is used once.

use std::sync::Arc;

use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::{
    AuthorizationGrant, Code, Consent, Grants, Interaction, OneTimeToken, Redeemed, RefreshToken, Rotation, Session,
    Sessions,
};
use ambit_core::store::{Revocation, Store as _, StoreError};
use ambit_protocol::id::{ApplicationId, GrantId, SessionId, UserId};
use ambit_protocol::time::Timestamp;
use ambit_store::SqlStore;
use uuid::Uuid;

use crate::support::{Db, at};

pub(crate) fn hash(text: &str) -> SecretHash {
    SecretHash::of(text)
}

pub(crate) fn id<T: ambit_protocol::id::Id>(n: u128) -> T {
    T::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn user(n: u128) -> UserId {
    id(n)
}

pub(crate) fn application(n: u128) -> ApplicationId {
    id(n)
}

pub(crate) fn interaction(name: &str) -> Interaction {
    Interaction {
        id: hash(name),
        browser: hash("browser"),
        version: 1,
        expires_at: at(600),
        document: r#"{"at":"password"}"#.to_owned(),
    }
}

pub(crate) fn session(n: u128, of: u128) -> Session {
    Session {
        id: id(n),
        token: hash(&format!("session {n}")),
        user_id: user(of),
        created_at: at(0),
        seen_at: at(1),
        expires_at: at(600),
        document: r#"{"methods":["pwd"]}"#.to_owned(),
    }
}

pub(crate) fn code(n: u128) -> Code {
    Code {
        token: hash(&format!("code {n}")),
        grant_id: id(n),
        expires_at: at(60),
        spent_at: None,
        document: r#"{"scopes":["openid"]}"#.to_owned(),
    }
}

/// A grant that outlives sessions.
pub(crate) fn grant(n: u128, of: u128, to: u128) -> AuthorizationGrant {
    AuthorizationGrant {
        id: id(n),
        application_id: application(to),
        client_id: format!("till-{to}"),
        user_id: user(of),
        session_id: None,
        created_at: at(i64::try_from(n).unwrap()),
        expires_at: at(10_000),
        ended_at: None,
        document: "{}".to_owned(),
    }
}

pub(crate) fn refresh_token(name: &str, of: u128) -> RefreshToken {
    RefreshToken { token: hash(name), grant_id: id(of), expires_at: at(5_000), used_at: None }
}

pub(crate) fn redeemed<'a>(grant: &'a AuthorizationGrant, refresh_token: Option<&'a RefreshToken>) -> Redeemed<'a> {
    Redeemed { grant, refresh_token, session: grant.session_id, consent: None }
}

pub(crate) fn one_time_token(name: &str, purpose: &str, subject: &str) -> OneTimeToken {
    OneTimeToken {
        token: hash(name),
        purpose: purpose.to_owned(),
        subject: subject.to_owned(),
        expires_at: at(600),
        used_at: None,
        document: r#"{"email":"ann@example.com"}"#.to_owned(),
    }
}

pub(crate) fn consent(of: u128, to: u128, document: &str) -> Consent {
    Consent { user_id: user(of), application_id: application(to), updated_at: at(0), document: document.to_owned() }
}

/// As a code that was redeemed leaves it; its refresh token is named after it.
async fn lend(store: &SqlStore, grant: &AuthorizationGrant) {
    let n = (0..10_000).find(|n| id::<GrantId>(*n) == grant.id).expect("made from a small number");
    let issued = Code { token: hash(&format!("code of {n}")), ..code(n) };
    let token = refresh_token(&format!("refresh {n}"), n);
    store.sign_ins().issue_code(&issued).await.unwrap();
    // At a time when no session of these tests is over yet.
    assert!(store.sign_ins().spend_code(&issued.token, at(-1), Some(redeemed(grant, Some(&token)))).await.unwrap());
}

async fn revoked(store: &SqlStore) -> Vec<Revocation> {
    store.revocations_after(0, u32::MAX).await.unwrap().into_iter().map(|(_, revoked)| revoked).collect()
}

fn revocation_of(grant: &AuthorizationGrant, revoked_at: Timestamp, expires_at: Timestamp) -> Revocation {
    Revocation { jti: grant.id.to_string(), client_id: grant.client_id.clone(), revoked_at, expires_at }
}

/// Runs `attempt` so often at once, in turns on two nodes, and answers what came of it.
pub(crate) async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    db: &Db,
    times: usize,
    attempt: impl Fn(usize, Arc<SqlStore>) -> F,
) -> Vec<T> {
    let nodes = [Arc::new(db.store().await), Arc::new(db.store().await)];
    let attempts: Vec<_> = (0..times).map(|n| tokio::spawn(attempt(n, Arc::clone(&nodes[n % 2])))).collect();
    let mut outcomes = Vec::new();
    for attempt in attempts {
        outcomes.push(attempt.await.unwrap());
    }
    outcomes
}

pub(crate) async fn an_interaction_goes_on_step_by_step(db: Db) {
    let store = db.store().await;
    let store = store.sign_ins();
    let first = interaction("i");
    assert_eq!(store.find_interaction(&first.id).await.unwrap(), None);
    assert!(!store.advance_interaction(&first).await.unwrap(), "it has not begun");
    store.begin_interaction(&first).await.unwrap();
    assert_eq!(store.find_interaction(&first.id).await.unwrap(), Some(first.clone()));

    let step = Interaction {
        browser: hash("another"),
        expires_at: at(700),
        document: r#"{"at":"code"}"#.to_owned(),
        ..first.clone()
    };
    assert!(store.advance_interaction(&step).await.unwrap());
    let second = Interaction { version: 2, ..step.clone() };
    assert_eq!(store.find_interaction(&first.id).await.unwrap(), Some(second.clone()));
    assert!(!store.advance_interaction(&step).await.unwrap(), "the step was taken");
    assert!(!store.advance_interaction(&Interaction { version: 3, ..step.clone() }).await.unwrap());
    assert!(!store.end_interaction(&first.id, 1).await.unwrap());
    assert_eq!(store.find_interaction(&first.id).await.unwrap(), Some(second));
    assert!(store.end_interaction(&first.id, 2).await.unwrap());
    assert!(!store.end_interaction(&first.id, 2).await.unwrap());
    assert_eq!(store.find_interaction(&first.id).await.unwrap(), None);
}

pub(crate) async fn of_fifty_who_take_one_step_one_is_quicker(db: Db) {
    db.store().await.sign_ins().begin_interaction(&interaction("i")).await.unwrap();
    let quicker = at_once(&db, 50, |n, store| async move {
        if n == 25 {
            return store.sign_ins().end_interaction(&hash("i"), 1).await.unwrap();
        }
        let step = Interaction { document: n.to_string(), ..interaction("i") };
        store.sign_ins().advance_interaction(&step).await.unwrap()
    })
    .await;
    assert_eq!(quicker.iter().filter(|quicker| **quicker).count(), 1);
    let first = quicker.iter().position(|quicker| *quicker).unwrap();
    let kept = db.store().await.sign_ins().find_interaction(&hash("i")).await.unwrap();
    let expected = Interaction { document: first.to_string(), version: 2, ..interaction("i") };
    assert_eq!(kept, (first != 25).then_some(expected));
}

pub(crate) async fn a_session_is_found_by_its_cookie_until_it_ends(db: Db) {
    let store = db.store().await;
    let store = store.sign_ins();
    let begun = session(1, 1);
    assert_eq!(store.find_session(&begun.token).await.unwrap(), None);
    assert!(!store.change_session(&begun).await.unwrap(), "it has not begun");
    store.begin_session(&begun).await.unwrap();
    assert_eq!(store.find_session(&begun.token).await.unwrap(), Some(begun.clone()));

    // After a further proof it has another cookie; since when it is, and whose, stays.
    let proven =
        Session { token: hash("another"), seen_at: at(9), expires_at: at(900), document: "{}".to_owned(), ..begun };
    let asked = Session { created_at: at(8), user_id: user(2), ..proven.clone() };
    assert!(store.change_session(&asked).await.unwrap());
    assert_eq!(store.find_session(&proven.token).await.unwrap(), Some(proven.clone()));
    assert_eq!(store.find_session(&session(1, 1).token).await.unwrap(), None);

    assert_eq!(
        store.end_sessions(Sessions::One(proven.id), at(10), at(20)).await.unwrap(),
        std::slice::from_ref(&proven)
    );
    assert_eq!(store.end_sessions(Sessions::One(proven.id), at(10), at(20)).await.unwrap(), []);
    assert_eq!(store.find_session(&proven.token).await.unwrap(), None);
    assert!(!store.change_session(&proven).await.unwrap());
    assert_eq!(store.find_session(&proven.token).await.unwrap(), None);
}

pub(crate) async fn noting_that_a_session_was_used_takes_nothing_back(db: Db) {
    let store = db.store().await;
    let store = store.sign_ins();
    let begun = session(1, 1);
    assert!(!store.touch_session(&begun).await.unwrap(), "it has not begun");
    store.begin_session(&begun).await.unwrap();
    let used = Session { seen_at: at(9), expires_at: at(900), ..begun.clone() };
    assert!(store.touch_session(&Session { document: "another".to_owned(), ..used.clone() }).await.unwrap());
    assert_eq!(store.find_session(&begun.token).await.unwrap(), Some(used.clone()));

    // Somebody proved more while the use was on its way.
    let proven = Session { token: hash("another"), document: "{}".to_owned(), ..used.clone() };
    assert!(store.change_session(&proven).await.unwrap());
    assert!(!store.touch_session(&Session { seen_at: at(10), ..used.clone() }).await.unwrap());
    assert_eq!(store.find_session(&used.token).await.unwrap(), None);
    assert_eq!(store.find_session(&proven.token).await.unwrap(), Some(proven));
}

pub(crate) async fn a_person_has_their_sessions_newest_first(db: Db) {
    let store = db.store().await;
    let store = store.sign_ins();
    let sessions = [3, 1, 2].map(|n| Session { created_at: at(i64::try_from(n % 3).unwrap()), ..session(n, 1) });
    for session in sessions.iter().chain([&session(9, 2)]) {
        store.begin_session(session).await.unwrap();
    }
    let [third, first, second] = sessions;
    assert_eq!(store.sessions_of(user(1)).await.unwrap(), [second, first, third]);
    assert_eq!(store.sessions_of(user(2)).await.unwrap(), [session(9, 2)]);
    assert_eq!(store.sessions_of(user(3)).await.unwrap(), []);
}

pub(crate) async fn ending_sessions_ends_what_ends_with_them_and_nothing_else(db: Db) {
    let store = db.store().await;
    let sign_ins = store.sign_ins();
    for n in 1..=4 {
        sign_ins
            .begin_session(&Session { created_at: at(-1), ..session(n, if n == 4 { 2 } else { 1 }) })
            .await
            .unwrap();
        lend(&store, &AuthorizationGrant { session_id: Some(id(n)), ..grant(n, if n == 4 { 2 } else { 1 }, 1) }).await;
        lend(&store, &grant(n + 10, 1, 1)).await;
    }
    let going_on = async |n: u128| sign_ins.find_grant(id(n)).await.unwrap().unwrap().ended_at.is_none();

    let ended = sign_ins.end_sessions(Sessions::One(id(2)), at(30), at(90)).await.unwrap();
    assert_eq!(ended.iter().map(|session| session.id).collect::<Vec<_>>(), [id::<SessionId>(2)]);
    assert_eq!(revoked(&store).await, [revocation_of(&grant(2, 1, 1), at(30), at(90))]);
    assert_eq!(sign_ins.find_grant(id(2)).await.unwrap().unwrap().ended_at, Some(at(30)));
    let successor = refresh_token("next", 2);
    let rotation = sign_ins.rotate_refresh_token(&hash("refresh 2"), at(31), &successor).await.unwrap();
    assert_eq!(rotation, Rotation::Ended);
    assert!(going_on(1).await && going_on(3).await && going_on(4).await && going_on(12).await);

    let ended = sign_ins.end_sessions(Sessions::OfUserExcept(user(1), id(3)), at(31), at(90)).await.unwrap();
    assert_eq!(ended.iter().map(|session| session.id).collect::<Vec<_>>(), [id::<SessionId>(1)]);
    assert!(!going_on(1).await && going_on(3).await && going_on(4).await);

    assert_eq!(sign_ins.end_sessions(Sessions::OfUser(user(1)), at(32), at(90)).await.unwrap().len(), 1);
    assert!(!going_on(3).await && going_on(4).await);
    assert_eq!(sign_ins.sessions_of(user(1)).await.unwrap(), []);
    assert_eq!(sign_ins.sessions_of(user(2)).await.unwrap().len(), 1);
    for n in 11..=14 {
        assert!(going_on(n).await, "{n} outlives its session");
    }
    assert_eq!(revoked(&store).await.len(), 3);
    // Neither is ended twice, nor are other people's.
    assert_eq!(sign_ins.end_sessions(Sessions::OfUser(user(1)), at(33), at(99)).await.unwrap(), []);
    assert_eq!(sign_ins.end_sessions(Sessions::OfUserExcept(user(2), id(4)), at(33), at(99)).await.unwrap(), []);
    assert_eq!(revoked(&store).await.len(), 3);
}

pub(crate) async fn a_code_is_spent_once_however_many_try(db: Db) {
    let store = db.store().await;
    store.sign_ins().issue_code(&code(1)).await.unwrap();
    let first = at_once(&db, 50, |n, store| async move {
        let refresh_token = refresh_token(&format!("refresh {n}"), 1);
        let lent = grant(1, 1, 1);
        store.sign_ins().spend_code(&code(1).token, at(5), Some(redeemed(&lent, Some(&refresh_token)))).await.unwrap()
    })
    .await;
    assert_eq!(first.iter().filter(|first| **first).count(), 1);
    for (n, first) in first.into_iter().enumerate() {
        let found = store.sign_ins().find_refresh_token(&hash(&format!("refresh {n}"))).await.unwrap();
        let expected = first.then(|| (refresh_token(&format!("refresh {n}"), 1), grant(1, 1, 1)));
        assert_eq!(found, expected);
    }
    assert_eq!(store.sign_ins().find_grant(id(1)).await.unwrap(), Some(grant(1, 1, 1)));
}

pub(crate) async fn a_code_is_spent_with_all_that_comes_of_it_or_not_at_all(db: Db) {
    let store = db.store().await;
    let sign_ins = store.sign_ins();
    assert_eq!(sign_ins.find_code(&code(1).token).await.unwrap(), None);
    assert!(!sign_ins.spend_code(&code(1).token, at(5), None).await.unwrap(), "it is not there");
    for n in 1..=5 {
        sign_ins.issue_code(&code(n)).await.unwrap();
    }
    assert_eq!(sign_ins.find_code(&code(1).token).await.unwrap(), Some(code(1)));

    // With a refresh token, with none, and burnt.
    let (one, token) = (grant(1, 1, 1), refresh_token("one", 1));
    assert!(sign_ins.spend_code(&code(1).token, at(5), Some(redeemed(&one, Some(&token)))).await.unwrap());
    let spent = Code { spent_at: Some(at(5)), ..code(1) };
    assert_eq!(sign_ins.find_code(&code(1).token).await.unwrap(), Some(spent.clone()));
    assert_eq!(sign_ins.find_refresh_token(&token.token).await.unwrap(), Some((token.clone(), one.clone())));
    assert!(sign_ins.spend_code(&code(2).token, at(5), Some(redeemed(&grant(2, 1, 1), None))).await.unwrap());
    assert_eq!(sign_ins.find_grant(id(2)).await.unwrap(), Some(grant(2, 1, 1)));
    assert!(sign_ins.spend_code(&code(3).token, at(5), None).await.unwrap());
    assert_eq!(sign_ins.find_grant(id(3)).await.unwrap(), None);

    // Again: nothing is kept, and when it was spent stays.
    let other = refresh_token("other", 1);
    assert!(!sign_ins.spend_code(&code(1).token, at(6), Some(redeemed(&one, Some(&other)))).await.unwrap());
    assert!(!sign_ins.spend_code(&code(1).token, at(6), None).await.unwrap());
    assert!(!sign_ins.spend_code(&code(3).token, at(6), Some(redeemed(&grant(3, 1, 1), None))).await.unwrap());
    assert_eq!(sign_ins.find_code(&code(1).token).await.unwrap(), Some(spent));
    assert_eq!(sign_ins.find_refresh_token(&other.token).await.unwrap(), None);
    assert_eq!(sign_ins.find_grant(id(3)).await.unwrap(), None);

    // What comes of it cannot be kept, or is of another code: it is not spent.
    let four = grant(4, 1, 1);
    let taken = sign_ins.spend_code(&code(4).token, at(6), Some(redeemed(&four, Some(&refresh_token("one", 4))))).await;
    assert!(matches!(taken, Err(StoreError::Unstorable(_))), "{taken:?}");
    let unkept = AuthorizationGrant { client_id: "\0".to_owned(), ..four.clone() };
    let refused = sign_ins.spend_code(&code(4).token, at(6), Some(redeemed(&unkept, None))).await;
    assert!(matches!(refused, Err(StoreError::Unstorable(_))), "{refused:?}");
    assert!(!sign_ins.spend_code(&code(4).token, at(6), Some(redeemed(&grant(5, 1, 1), None))).await.unwrap());
    assert_eq!(sign_ins.find_code(&code(4).token).await.unwrap(), Some(code(4)));
    assert_eq!(sign_ins.find_grant(id(4)).await.unwrap(), None);
    assert_eq!(sign_ins.find_refresh_token(&token.token).await.unwrap(), Some((token, one)));

    // Nor is it once its session has ended.
    let with_session = AuthorizationGrant { session_id: Some(id(1)), ..four };
    assert!(!sign_ins.spend_code(&code(4).token, at(6), Some(redeemed(&with_session, None))).await.unwrap());
    assert_eq!(sign_ins.find_grant(id(4)).await.unwrap(), None);
    sign_ins.begin_session(&session(1, 1)).await.unwrap();
    assert!(sign_ins.spend_code(&code(4).token, at(6), Some(redeemed(&with_session, None))).await.unwrap());
    assert_eq!(sign_ins.find_grant(id(4)).await.unwrap(), Some(with_session));

    // Not even what would outlive the session, and not once the session has ended by itself.
    let five = grant(5, 1, 1);
    let in_session = |n| Some(Redeemed { session: Some(id(n)), ..redeemed(&five, None) });
    let over = session(1, 1).expires_at;
    assert!(!sign_ins.spend_code(&code(5).token, at(6), in_session(2)).await.unwrap());
    assert!(!sign_ins.spend_code(&code(5).token, over, in_session(1)).await.unwrap());
    assert_eq!(sign_ins.find_code(&code(5).token).await.unwrap(), Some(code(5)));
    assert!(sign_ins.spend_code(&code(5).token, at(6), in_session(1)).await.unwrap());
    assert_eq!(sign_ins.find_grant(id(5)).await.unwrap(), Some(five));
}

pub(crate) async fn a_refresh_token_is_used_once_however_many_try(db: Db) {
    let store = db.store().await;
    lend(&store, &grant(1, 1, 1)).await;
    let rotations = at_once(&db, 50, |n, store| async move {
        let successor = refresh_token(&format!("next {n}"), 1);
        store.sign_ins().rotate_refresh_token(&hash("refresh 1"), at(7), &successor).await.unwrap()
    })
    .await;
    assert_eq!(rotations.iter().filter(|rotation| **rotation == Rotation::Rotated).count(), 1);
    for (n, rotation) in rotations.into_iter().enumerate() {
        let successor = store.sign_ins().find_refresh_token(&hash(&format!("next {n}"))).await.unwrap();
        assert_eq!(successor.is_some(), rotation == Rotation::Rotated);
        assert!(matches!(rotation, Rotation::Rotated | Rotation::UsedBefore(_)));
        if let Rotation::UsedBefore(used_at) = rotation {
            assert_eq!(used_at, at(7));
        }
    }
    let (used, _) = store.sign_ins().find_refresh_token(&hash("refresh 1")).await.unwrap().unwrap();
    assert_eq!(used, RefreshToken { used_at: Some(at(7)), ..refresh_token("refresh 1", 1) });
}

pub(crate) async fn a_refresh_token_goes_on_for_as_long_as_its_grant(db: Db) {
    let store = db.store().await;
    let sign_ins = store.sign_ins();
    sign_ins.begin_session(&session(1, 1)).await.unwrap();
    for n in 1..=5 {
        lend(&store, &AuthorizationGrant { session_id: (n == 4).then(|| id(1)), ..grant(n, 1, 1) }).await;
    }
    let rotate =
        async |from: &str, now, to: &RefreshToken| sign_ins.rotate_refresh_token(&hash(from), now, to).await.unwrap();
    // It is not there, or of another grant.
    assert_eq!(rotate("nothing", at(7), &refresh_token("x", 1)).await, Rotation::Ended);
    assert_eq!(rotate("refresh 1", at(7), &refresh_token("x", 2)).await, Rotation::Ended);
    // Up to the last moment, and not at the end itself.
    assert_eq!(rotate("refresh 1", at(10_000), &refresh_token("x", 1)).await, Rotation::Ended);
    let last = Timestamp::from_millis(at(10_000).millis() - 1);
    assert_eq!(rotate("refresh 1", last, &refresh_token("1a", 1)).await, Rotation::Rotated);
    assert_eq!(rotate("refresh 1", last, &refresh_token("x", 1)).await, Rotation::UsedBefore(last));
    assert_eq!(rotate("1a", last, &refresh_token("1b", 1)).await, Rotation::Rotated);
    // Somebody ended it: then it does not matter what was used before.
    assert_eq!(rotate("refresh 2", at(7), &refresh_token("2a", 2)).await, Rotation::Rotated);
    sign_ins.end_grants(Grants::One(id(2)), at(8), at(90)).await.unwrap();
    assert_eq!(rotate("2a", at(9), &refresh_token("x", 2)).await, Rotation::Ended);
    assert_eq!(rotate("refresh 2", at(9), &refresh_token("x", 2)).await, Rotation::Ended);
    // A successor that cannot be kept leaves the token unused (RFC 9449 §8: a failed refresh takes nothing).
    let taken = sign_ins.rotate_refresh_token(&hash("refresh 3"), at(7), &refresh_token("refresh 5", 3)).await;
    assert!(matches!(taken, Err(StoreError::Unstorable(_))), "{taken:?}");
    assert_eq!(rotate("refresh 3", at(8), &refresh_token("3a", 3)).await, Rotation::Rotated);
    // Its session ended.
    assert_eq!(rotate("refresh 4", at(7), &refresh_token("4a", 4)).await, Rotation::Rotated);
    sign_ins.end_sessions(Sessions::OfUser(user(1)), at(8), at(90)).await.unwrap();
    assert_eq!(rotate("4a", at(9), &refresh_token("x", 4)).await, Rotation::Ended);
    assert_eq!(rotate("refresh 5", at(9), &refresh_token("5a", 5)).await, Rotation::Rotated);
    // Its session is gone, and whoever took it away did not see the grant.
    sign_ins.begin_session(&session(2, 1)).await.unwrap();
    lend(&store, &AuthorizationGrant { session_id: Some(id(2)), ..grant(6, 1, 1) }).await;
    db.execute("DELETE FROM sessions").await;
    assert_eq!(rotate("refresh 6", at(9), &refresh_token("x", 6)).await, Rotation::Ended);
    assert_eq!(sign_ins.find_refresh_token(&hash("x")).await.unwrap(), None);
}

/// However often a grant is renewed, on whichever node.
pub(crate) async fn of_a_family_two_refresh_tokens_are_kept(db: Db) {
    let nodes = [db.store().await, db.store().await];
    for n in 1..=2 {
        lend(&nodes[0], &grant(n, 1, 1)).await;
    }
    let name = |n: usize| if n == 0 { "refresh 1".to_owned() } else { format!("after {n}") };
    for n in 0..500 {
        let sign_ins = nodes[n % 2].sign_ins();
        let (now, next) = (at(i64::try_from(n).unwrap()), refresh_token(&name(n + 1), 1));
        let rotation = sign_ins.rotate_refresh_token(&hash(&name(n)), now, &next).await.unwrap();
        assert_eq!(rotation, Rotation::Rotated, "{n}");
        let used = RefreshToken { used_at: Some(now), ..refresh_token(&name(n), 1) };
        let mut family = sign_ins.refresh_tokens_of(id(1)).await.unwrap();
        family.sort_by_key(|kept| kept.used_at.is_none());
        assert_eq!(family, [used, next], "{n}");
    }
    let sign_ins = nodes[0].sign_ins();
    for gone in [0, 1, 250, 498] {
        assert_eq!(sign_ins.find_refresh_token(&hash(&name(gone))).await.unwrap(), None, "{gone}");
        let again = sign_ins.rotate_refresh_token(&hash(&name(gone)), at(501), &refresh_token("x", 1)).await.unwrap();
        assert_eq!(again, Rotation::Ended, "{gone}");
    }
    assert_eq!(sign_ins.refresh_tokens_of(id(2)).await.unwrap(), [refresh_token("refresh 2", 2)], "another's");
    assert_eq!(sign_ins.refresh_tokens_of(id(3)).await.unwrap(), []);
}

pub(crate) async fn ending_grants_ends_their_access_tokens(db: Db) {
    let store = db.store().await;
    let sign_ins = store.sign_ins();
    for (n, of, to) in [(1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 2, 1), (5, 2, 2), (6, 3, 2), (7, 3, 3)] {
        lend(&store, &grant(n, of, to)).await;
    }
    assert_eq!(sign_ins.find_grant(id(99)).await.unwrap(), None);
    assert_eq!(sign_ins.grants_of(user(2)).await.unwrap(), [grant(5, 2, 2), grant(4, 2, 1), grant(3, 2, 1)]);
    assert_eq!(sign_ins.grants_of(user(9)).await.unwrap(), []);

    assert_eq!(sign_ins.end_grants(Grants::One(id(1)), at(20), at(90)).await.unwrap(), 1);
    assert_eq!(sign_ins.end_grants(Grants::One(id(1)), at(21), at(91)).await.unwrap(), 0, "it has ended");
    assert_eq!(sign_ins.end_grants(Grants::One(id(99)), at(21), at(91)).await.unwrap(), 0);
    assert_eq!(revoked(&store).await, [revocation_of(&grant(1, 1, 1), at(20), at(90))]);
    // It is kept for as long as an access token of it may be about, which is not longer than it would have gone on.
    let ended = AuthorizationGrant { ended_at: Some(at(20)), expires_at: at(90), ..grant(1, 1, 1) };
    assert_eq!(sign_ins.find_grant(id(1)).await.unwrap(), Some(ended));
    assert_eq!(sign_ins.grants_of(user(1)).await.unwrap(), [grant(2, 1, 2)]);

    assert_eq!(sign_ins.end_grants(Grants::OfUserTo(user(2), application(1)), at(22), at(20_000)).await.unwrap(), 2);
    let ended = AuthorizationGrant { ended_at: Some(at(22)), ..grant(3, 2, 1) };
    assert_eq!(sign_ins.find_grant(id(3)).await.unwrap(), Some(ended));
    assert_eq!(sign_ins.grants_of(user(2)).await.unwrap(), [grant(5, 2, 2)]);
    assert_eq!(sign_ins.end_grants(Grants::To(application(2)), at(23), at(92)).await.unwrap(), 3);
    assert_eq!(sign_ins.end_grants(Grants::OfUser(user(3)), at(24), at(93)).await.unwrap(), 1);
    for n in 1..=3 {
        assert_eq!(sign_ins.grants_of(user(n)).await.unwrap(), []);
    }
    let mut ended: Vec<String> = revoked(&store).await.into_iter().map(|revoked| revoked.jti).collect();
    ended.sort_unstable();
    assert_eq!(ended, (1..=7).map(|n| id::<GrantId>(n).to_string()).collect::<Vec<_>>());
}

pub(crate) async fn more_grants_than_one_transaction_takes_end_all_the_same(db: Db) {
    let store = db.store().await;
    let (to, of) = (application(1), user(1));
    store
        .revoke(&Revocation {
            jti: "first".to_owned(),
            client_id: "c".to_owned(),
            revoked_at: at(0),
            expires_at: at(9),
        })
        .await
        .unwrap();
    db.execute(&format!(
        "INSERT INTO grants (id, application_id, client_id, user_id, created_at, expires_at, document) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 9000) \
         SELECT 'gnt_' || n, '{to}', 'till-1', '{of}', 0, 1, '{{}}' FROM numbers"
    ))
    .await;
    assert_eq!(store.sign_ins().end_grants(Grants::To(to), at(20), at(90)).await.unwrap(), 9000);
    // Every node learns of each, whatever number it goes on from.
    let revoked = store.revocations_after(0, u32::MAX).await.unwrap();
    assert_eq!(revoked.len(), 9001);
    assert!(revoked.iter().map(|(sequence, _)| *sequence).eq(1..=9001));
    assert_eq!(store.sign_ins().end_grants(Grants::To(to), at(20), at(90)).await.unwrap(), 0);
}

pub(crate) async fn of_what_was_sent_to_one_end_the_last_is_good(db: Db) {
    let store = db.store().await;
    let store = store.sign_ins();
    let first = one_time_token("first", "reset", "ann");
    assert_eq!(store.find_one_time_token(&first.token).await.unwrap(), None);
    assert!(!store.use_one_time_token(&first.token, at(5)).await.unwrap());
    for sent in [&first, &one_time_token("invited", "invite", "ann"), &one_time_token("bob's", "reset", "bob")] {
        store.issue_one_time_token(sent).await.unwrap();
        assert_eq!(store.find_one_time_token(&sent.token).await.unwrap().as_ref(), Some(sent));
    }
    let second =
        OneTimeToken { expires_at: at(700), document: "{}".to_owned(), ..one_time_token("second", "reset", "ann") };
    store.issue_one_time_token(&second).await.unwrap();
    assert_eq!(store.find_one_time_token(&first.token).await.unwrap(), None);
    assert!(!store.use_one_time_token(&first.token, at(5)).await.unwrap());
    assert_eq!(store.find_one_time_token(&second.token).await.unwrap(), Some(second.clone()));
    assert!(store.use_one_time_token(&hash("invited"), at(5)).await.unwrap());
    assert!(store.use_one_time_token(&hash("bob's"), at(5)).await.unwrap());

    // What was used is known as used, also when another is sent.
    assert!(store.use_one_time_token(&second.token, at(6)).await.unwrap());
    assert!(!store.use_one_time_token(&second.token, at(7)).await.unwrap());
    let third = one_time_token("third", "reset", "ann");
    store.issue_one_time_token(&third).await.unwrap();
    let used = OneTimeToken { used_at: Some(at(6)), ..second };
    assert_eq!(store.find_one_time_token(&used.token).await.unwrap(), Some(used));
    assert_eq!(store.find_one_time_token(&third.token).await.unwrap(), Some(third));
}

pub(crate) async fn what_is_used_once_is_used_once_however_many_try(db: Db) {
    let store = db.store().await;
    store.sign_ins().issue_one_time_token(&one_time_token("link", "reset", "ann")).await.unwrap();
    let first =
        at_once(
            &db,
            50,
            |_, store| async move { store.sign_ins().use_one_time_token(&hash("link"), at(5)).await.unwrap() },
        )
        .await;
    assert_eq!(first.into_iter().filter(|first| *first).count(), 1);
    // And of many that are sent at once, one is good.
    at_once(&db, 20, |n, store| async move {
        store.sign_ins().issue_one_time_token(&one_time_token(&format!("link {n}"), "reset", "ann")).await.unwrap();
    })
    .await;
    let mut good = 0;
    for n in 0..20 {
        good += usize::from(store.sign_ins().use_one_time_token(&hash(&format!("link {n}")), at(6)).await.unwrap());
    }
    assert_eq!(good, 1);
}

pub(crate) async fn forgetting_a_person_leaves_nothing_of_them_and_everything_of_others(db: Db) {
    let store = db.store().await;
    let sign_ins = store.sign_ins();
    for (n, of) in [(1, 1), (2, 2)] {
        sign_ins.begin_session(&session(n, of)).await.unwrap();
        lend(&store, &AuthorizationGrant { session_id: Some(id(n)), ..grant(n, of, 1) }).await;
        lend(&store, &grant(n + 10, of, 1)).await;
        lend(&store, &grant(n + 20, of, 1)).await;
        sign_ins.end_grants(Grants::One(id(n + 20)), at(6), at(80)).await.unwrap();
        sign_ins.keep_consent(&consent(of, 1, "{}"), None).await.unwrap();
        for purpose in ["reset", "invite"] {
            let link = one_time_token(&format!("{purpose} {of}"), purpose, &user(of).to_string());
            sign_ins.issue_one_time_token(&link).await.unwrap();
        }
        assert!(sign_ins.use_one_time_token(&hash(&format!("invite {of}")), at(7)).await.unwrap());
    }
    sign_ins.forget_user(user(1), at(30), at(90)).await.unwrap();

    for (n, of) in [(1, 1), (2, 2)] {
        let there = of == 2;
        assert_eq!(sign_ins.sessions_of(user(of)).await.unwrap().len(), usize::from(there));
        assert_eq!(sign_ins.consents_of(user(of)).await.unwrap().len(), usize::from(there));
        for grant in [n, n + 10, n + 20] {
            assert_eq!(sign_ins.find_grant(id(grant)).await.unwrap().is_some(), there, "{grant}");
            let token = sign_ins.find_refresh_token(&hash(&format!("refresh {grant}"))).await.unwrap();
            assert_eq!(token.is_some(), there, "{grant}");
        }
        for purpose in ["reset", "invite"] {
            let link = sign_ins.find_one_time_token(&hash(&format!("{purpose} {of}"))).await.unwrap();
            assert_eq!(link.is_some(), there, "{purpose}");
        }
    }
    let expected = [
        revocation_of(&grant(21, 1, 1), at(6), at(80)),
        revocation_of(&grant(22, 2, 1), at(6), at(80)),
        revocation_of(&grant(1, 1, 1), at(30), at(90)),
        revocation_of(&grant(11, 1, 1), at(30), at(90)),
    ];
    let mut revoked = revoked(&store).await;
    revoked.sort_by_key(|revoked| (revoked.revoked_at, revoked.jti.clone()));
    assert_eq!(revoked, expected);
    let refresh_tokens: i64 = {
        let mut connection = db.connect().await;
        sqlx::query_scalar("SELECT COUNT(*) FROM refresh_tokens").fetch_one(&mut connection).await.unwrap()
    };
    assert_eq!(refresh_tokens, 3, "none is left without its grant");
    sign_ins.forget_user(user(9), at(30), at(90)).await.unwrap();
    sign_ins.forget_user(user(1), at(31), at(91)).await.unwrap();
    assert_eq!(store.revocations_after(0, 9).await.unwrap().len(), 4);
}

pub(crate) async fn a_write_that_cannot_be_kept_spoils_no_other(db: Db) {
    let store = db.store().await;
    for n in [1, 2] {
        store.sign_ins().begin_session(&session(n, 1)).await.unwrap();
    }
    let outcomes = at_once(&db, 60, |n, store| async move {
        let fresh = session(100 + n as u128, 1);
        let begun = match n % 6 {
            0 => Session { id: id(1), ..fresh },
            1 => Session { token: session(1, 1).token, ..fresh },
            2 => Session { document: "\0".to_owned(), ..fresh },
            3 => {
                // The cookie of another: the engine finds out, and not this store.
                let taken = Session { token: session(1, 1).token, ..session(2, 1) };
                return store.sign_ins().change_session(&taken).await.map(drop);
            }
            _ => fresh,
        };
        store.sign_ins().begin_session(&begun).await
    })
    .await;
    for (n, outcome) in outcomes.into_iter().enumerate() {
        match n % 6 {
            0..=2 => assert!(matches!(outcome, Err(StoreError::Unstorable(_))), "{n}: {outcome:?}"),
            3 => assert!(outcome.is_err(), "{n}"),
            _ => assert!(outcome.is_ok(), "{n}: {outcome:?}"),
        }
    }
    assert_eq!(store.sign_ins().find_session(&session(1, 1).token).await.unwrap(), Some(session(1, 1)));
    assert_eq!(store.sign_ins().find_session(&session(2, 1).token).await.unwrap(), Some(session(2, 1)));
    assert_eq!(store.sign_ins().sessions_of(user(1)).await.unwrap().len(), 2 + 20);
}

pub(crate) async fn many_who_come_and_go_at_once_never_wait_for_each_other_forever(db: Db) {
    let store = db.store().await;
    for n in 0..20 {
        store.sign_ins().begin_session(&session(n, n % 4)).await.unwrap();
        lend(&store, &AuthorizationGrant { session_id: Some(id(n)), ..grant(n, n % 4, n % 3) }).await;
    }
    let outcomes = at_once(&db, 300, |n, store| async move {
        let some = ((n * 7) % 20) as u128;
        let sign_ins = store.sign_ins();
        match n % 10 {
            0 => sign_ins.end_sessions(Sessions::OfUserExcept(user(some % 4), id(some)), at(9), at(90)).await.map(drop),
            1 => sign_ins.end_grants(Grants::To(application(some % 3)), at(9), at(90)).await.map(drop),
            2 => sign_ins.end_grants(Grants::OfUser(user(some % 4)), at(9), at(90)).await.map(drop),
            3 => {
                let revocation =
                    Revocation { jti: n.to_string(), client_id: "c".to_owned(), revoked_at: at(9), expires_at: at(90) };
                store.revoke(&revocation).await
            }
            4 => store.purge_expired(at(650), 10).await.map(drop),
            5 => sign_ins.forget_user(user(some % 4), at(9), at(90)).await,
            6 | 7 => {
                let successor = refresh_token(&format!("next {n}"), some);
                sign_ins.rotate_refresh_token(&hash(&format!("refresh {some}")), at(9), &successor).await.map(drop)
            }
            _ => sign_ins.touch_session(&Session { seen_at: at(9), ..session(some, some % 4) }).await.map(drop),
        }
    })
    .await;
    for outcome in outcomes {
        outcome.unwrap();
    }
}

pub(crate) async fn what_people_left_behind_is_forgotten_once_it_expired(db: Db) {
    let store = db.store().await;
    let sign_ins = store.sign_ins();
    for n in 0..4 {
        let expires_at = at(i64::try_from(n).unwrap());
        let begun = Interaction { expires_at, ..interaction(&format!("i {n}")) };
        sign_ins.begin_interaction(&begun).await.unwrap();
        let begun = Session { expires_at, ..session(n, 1) };
        sign_ins.begin_session(&begun).await.unwrap();
        sign_ins.join_session(begun.id, application(1)).await.unwrap();
        sign_ins.begin_session(&Session { expires_at, ..session(40 + n, 1) }).await.unwrap();
        let issued = Code { expires_at, spent_at: Some(at(0)), ..code(n) };
        sign_ins.issue_code(&issued).await.unwrap();
        let sent = OneTimeToken { expires_at, ..one_time_token(&format!("link {n}"), "reset", &n.to_string()) };
        sign_ins.issue_one_time_token(&sent).await.unwrap();
        if n % 2 == 0 {
            assert!(sign_ins.use_one_time_token(&sent.token, at(0)).await.unwrap(), "a used one stays as long");
        }
        // A grant that expires, one that outlives its refresh token, and one that ends with a session.
        lend(&store, &AuthorizationGrant { expires_at, ..grant(10 + n, 1, 1) }).await;
        lend(&store, &grant(20 + n, 1, 1)).await;
        let successor = RefreshToken { expires_at, ..refresh_token(&format!("next {n}"), 20 + n) };
        let rotation = sign_ins.rotate_refresh_token(&hash(&format!("refresh {}", 20 + n)), at(0), &successor).await;
        assert_eq!(rotation.unwrap(), Rotation::Rotated);
        lend(&store, &AuthorizationGrant { session_id: Some(id(n)), ..grant(30 + n, 1, 1) }).await;
    }

    // What expires at this very moment stays: 0 and 1 go, 2 and 3 do not.
    assert_eq!(store.purge_expired(at(0), 100).await.unwrap(), 0);
    let mut gone = Vec::new();
    for _ in 0..100 {
        match store.purge_expired(at(2), 3).await.unwrap() {
            0 => break,
            some => gone.push(some),
        }
    }
    // Two of each: interactions, sessions with grants, these ends, whom they signed in to, sessions without, codes, links, grants and
    // their tokens, tokens.
    assert_eq!(gone.iter().sum::<u64>(), 20);
    assert!(gone.iter().all(|gone| *gone <= 3), "{gone:?}");

    for n in 0..4 {
        let there = n >= 2;
        assert_eq!(sign_ins.find_interaction(&hash(&format!("i {n}"))).await.unwrap().is_some(), there);
        for n in [n, 40 + n] {
            assert_eq!(sign_ins.find_session(&session(n, 1).token).await.unwrap().is_some(), there);
        }
        assert_eq!(sign_ins.find_code(&code(n).token).await.unwrap().is_some(), there);
        assert_eq!(sign_ins.find_one_time_token(&hash(&format!("link {n}"))).await.unwrap().is_some(), there);
        assert_eq!(sign_ins.find_grant(id(10 + n)).await.unwrap().is_some(), there);
        assert_eq!(sign_ins.find_refresh_token(&hash(&format!("refresh {}", 10 + n))).await.unwrap().is_some(), there);
        assert_eq!(sign_ins.find_grant(id(20 + n)).await.unwrap(), Some(grant(20 + n, 1, 1)));
        assert_eq!(sign_ins.find_refresh_token(&hash(&format!("next {n}"))).await.unwrap().is_some(), there);
        let used = sign_ins.find_refresh_token(&hash(&format!("refresh {}", 20 + n))).await.unwrap().unwrap().0;
        assert_eq!(used.used_at, Some(at(0)), "a used token is known until it would have expired");
        let ended = sign_ins.find_grant(id(30 + n)).await.unwrap().unwrap();
        assert_eq!(ended.ended_at, (!there).then(|| at(2)), "it ends with its session");
    }
    // What was ended is forgotten when its time has come, with its refresh token.
    assert!(store.purge_expired(at(3), 1000).await.unwrap() > 0);
    assert_eq!(sign_ins.find_grant(id(30)).await.unwrap(), None);
    assert_eq!(sign_ins.find_grant(id(33)).await.unwrap().unwrap().ended_at, None);
    // In the end nothing is left.
    while store.purge_expired(at(100_000), 1000).await.unwrap() > 0 {}
    while store.purge_expired(at(100_001), 1000).await.unwrap() > 0 {}
    for table in
        ["interactions", "sessions", "session_applications", "codes", "grants", "refresh_tokens", "one_time_tokens"]
    {
        let mut connection = db.connect().await;
        let query = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let left: i64 = sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap();
        assert_eq!(left, 0, "{table}");
    }
}
