//! A process is killed at any moment: whatever it acknowledged is there, and nothing is half there.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use ambit_core::reach::Reach;
use ambit_core::store::journal::RefusalRecord;
use ambit_core::store::sign_in::{AuthorizationGrant, Rotation, Sessions};
use ambit_core::store::{ChangeQuery, Filter, Reads as _, Revocation, Row, Store as _};
use ambit_protocol::admin::audit::Resource;
use ambit_store::{SqlStore, StoreConfig};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::oneshot;

use crate::sign_ins::{code, grant, hash, redeemed, refresh_token, session};
use crate::support::{Db, application, at, context, row};

const ROUNDS: u32 = 60;
const PEOPLE: u128 = 8;
const URL: &str = "AMBIT_STORE_TEST_CHILD_URL";
const ROUND: &str = "AMBIT_STORE_TEST_CHILD_ROUND";

#[derive(Default)]
struct Acknowledged {
    revisions: Vec<u64>,
    revocations: Vec<String>,
    assertions: Vec<String>,
    refusals: Vec<String>,
    sessions: Vec<u128>,
    codes: Vec<u128>,
    redeemed: Vec<u128>,
    rotated: Vec<u128>,
    ended: Vec<u128>,
}

pub(crate) async fn no_acknowledged_change_is_lost_and_none_is_half_there_when_killed(db: Db) {
    let store = db.store().await;
    let mut acknowledged = Acknowledged::default();
    for round in 0..ROUNDS {
        write_until_killed(&db, round, &mut acknowledged).await;
    }
    assert!(acknowledged.revisions.len() >= ROUNDS as usize / 2, "the child hardly wrote");
    assert!(acknowledged.assertions.len() > 10 && acknowledged.revocations.len() > 10);
    let (rotated, ended) = (acknowledged.rotated.len(), acknowledged.ended.len());
    assert!(rotated > 10 && ended > 10, "the child hardly signed anybody in: {rotated} rotations, {ended} ends");
    assert_nothing_half(&store).await;
    assert_sign_ins(&store, &acknowledged).await;
    assert_all_there(&store, &acknowledged).await;
    if db.is_sqlite() {
        let mut connection = db.connect().await;
        let checked: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
        assert_eq!(checked, "ok");
    }
}

async fn write_until_killed(db: &Db, round: u32, acknowledged: &mut Acknowledged) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kill::the_child_writes_until_it_is_killed", "--exact", "--nocapture", "--quiet"])
        .env(URL, &db.url)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Signing out is the last of many steps: a quarter of them get that far, however slow the machine is.
    let awaited = if round % 4 == 1 { "ack end" } else { "ack revision" };
    let (began, beginning) = oneshot::channel();
    let reading = tokio::spawn(async move {
        let mut began = Some(began);
        let mut said = Vec::new();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.starts_with(awaited) {
                began.take().map(|began| began.send(()));
            }
            said.push(line);
        }
        said
    });
    // A quarter of them while it starts, opens and begins; the others at any moment of its work.
    if !round.is_multiple_of(4) {
        beginning.await.expect("the child writes");
    }
    tokio::time::sleep(Duration::from_millis(u64::from(round * 37 % 61))).await;
    child.start_kill().unwrap();
    let status = child.wait().await.unwrap();
    assert!(!status.success(), "the child ended by itself");
    for line in reading.await.unwrap() {
        // The last line may be cut: then it was not acknowledged.
        let Some((what, name)) = line.strip_prefix("ack ").and_then(|rest| rest.strip_suffix(" .")?.split_once(' '))
        else {
            continue;
        };
        match what {
            "revision" => acknowledged.revisions.push(name.parse().unwrap()),
            "revocation" => acknowledged.revocations.push(name.to_owned()),
            "assertion" => acknowledged.assertions.push(name.to_owned()),
            "refusal" => acknowledged.refusals.push(name.to_owned()),
            "session" => acknowledged.sessions.push(name.parse().unwrap()),
            "code" => acknowledged.codes.push(name.parse().unwrap()),
            "redemption" => acknowledged.redeemed.push(name.parse().unwrap()),
            "rotation" => acknowledged.rotated.push(name.parse().unwrap()),
            "end" => acknowledged.ended.push(name.parse().unwrap()),
            other => panic!("{other}"),
        }
    }
}

/// Every change made three rows and three entries, or none.
async fn assert_nothing_half(store: &SqlStore) {
    let heads = store.changes_after(0, 10_000_000).await.unwrap();
    let mut made: BTreeMap<u64, u32> = BTreeMap::new();
    for head in &heads {
        *made.entry(head.revision).or_default() += 1;
    }
    let last = store.revision().await.unwrap();
    assert_eq!(made.len() as u64, last, "revisions have gaps, or entries are missing");
    assert!(made.values().all(|entries| *entries == 3), "a change is half in the log");
    for resource in [Resource::Application, Resource::Unit, Resource::Scope] {
        let rows = store.list_rows(resource, &Filter::default(), Reach::Platform).await.unwrap();
        let mut revisions: Vec<u64> = rows.iter().map(|row| row.revision).collect();
        revisions.sort_unstable();
        assert_eq!(revisions, (1..=last).collect::<Vec<_>>(), "{resource}");
    }
}

async fn assert_all_there(store: &SqlStore, acknowledged: &Acknowledged) {
    let last = store.revision().await.unwrap();
    for revision in &acknowledged.revisions {
        assert!(*revision <= last, "revision {revision} is lost");
    }
    let query = ChangeQuery { actor: Some("client:ops"), limit: u32::MAX, ..ChangeQuery::default() };
    let logged = store.changes(&query, Reach::Platform).await.unwrap();
    for revision in &acknowledged.revisions {
        assert_eq!(logged.iter().filter(|change| change.revision == *revision).count(), 3);
    }
    let revoked: Vec<String> =
        store.revocations_after(0, u32::MAX).await.unwrap().into_iter().map(|(_, revoked)| revoked.jti).collect();
    for jti in &acknowledged.revocations {
        assert!(revoked.contains(jti), "the revocation of {jti} is lost");
    }
    for jti in &acknowledged.assertions {
        assert!(!store.use_assertion("till-7", jti, at(60)).await.unwrap(), "the assertion {jti} is accepted again");
    }
    for trace in &acknowledged.refusals {
        assert_eq!(store.refusals_of_trace(trace).await.unwrap().len(), 2, "the refusals of {trace} are lost");
    }
}

/// What was acknowledged of each sign-in is there as it was acknowledged, and of the step after it all or nothing.
async fn assert_sign_ins(store: &SqlStore, acknowledged: &Acknowledged) {
    let sign_ins = store.sign_ins();
    let revoked: Vec<String> =
        store.revocations_after(0, u32::MAX).await.unwrap().into_iter().map(|(_, revoked)| revoked.jti).collect();
    for n in &acknowledged.sessions {
        let found = sign_ins.find_session(&session(*n, 1).token).await.unwrap();
        assert!(found.is_none_or(|found| found == session(*n, 1)));
        let is_code_there = sign_ins.find_code(&code(*n).token).await.unwrap().is_some();
        assert!(is_code_there || !acknowledged.codes.contains(n), "the code {n} is lost");
    }
    for n in &acknowledged.codes {
        let spent = sign_ins.find_code(&code(*n).token).await.unwrap().unwrap().spent_at;
        assert!(spent.is_some() || !acknowledged.redeemed.contains(n), "the code {n} can be spent again");
        let token = sign_ins.find_refresh_token(&hash(&format!("refresh {n}"))).await.unwrap();
        assert_eq!(token.is_some(), spent.is_some(), "the code {n} is half spent");
        let Some((token, lent)) = token else { continue };
        let successor = sign_ins.find_refresh_token(&hash(&format!("next {n}"))).await.unwrap();
        assert!(successor.is_some() || !acknowledged.rotated.contains(n), "the rotation {n} is lost");
        assert_eq!(token.used_at.is_some(), successor.is_some(), "the refresh token {n} is half rotated");
        let ended = sign_ins.find_session(&session(*n, 1).token).await.unwrap().is_none();
        assert!(ended || !acknowledged.ended.contains(n), "the session {n} goes on");
        assert_eq!(lent.ended_at.is_some(), ended, "the session {n} has half ended");
        assert_eq!(revoked.contains(&lent.id.to_string()), ended, "the access tokens of {n} have half ended");
    }
}

async fn sign_in_and_out(store: &SqlStore, n: u128) {
    let sign_ins = store.sign_ins();
    let began = session(n, 1);
    sign_ins.begin_session(&began).await.unwrap();
    acknowledge("session", &n.to_string());
    sign_ins.issue_code(&code(n)).await.unwrap();
    acknowledge("code", &n.to_string());
    let lent = AuthorizationGrant { session_id: Some(began.id), ..grant(n, 1, 1) };
    let token = refresh_token(&format!("refresh {n}"), n);
    assert!(sign_ins.spend_code(&code(n).token, at(5), Some(redeemed(&lent, Some(&token)))).await.unwrap());
    acknowledge("redemption", &n.to_string());
    let successor = refresh_token(&format!("next {n}"), n);
    let rotation = sign_ins.rotate_refresh_token(&token.token, at(6), &successor).await.unwrap();
    assert_eq!(rotation, Rotation::Rotated);
    acknowledge("rotation", &n.to_string());
    assert_eq!(sign_ins.end_sessions(Sessions::One(began.id), at(7), at(60)).await.unwrap(), [began]);
    acknowledge("end", &n.to_string());
}

/// Not a case of its own: what the child process of the case above runs. Without its environment it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "the environment is how the parent tells its child what to do")]
async fn the_child_writes_until_it_is_killed() {
    let (Ok(url), Ok(round)) = (std::env::var(URL), std::env::var(ROUND)) else { return };
    let store = std::sync::Arc::new(SqlStore::open(&StoreConfig::url(url)).await.unwrap());
    let small = {
        let (store, round) = (std::sync::Arc::clone(&store), round.clone());
        tokio::spawn(async move {
            for n in 0_u32.. {
                let name = format!("{round}-{n}");
                assert!(store.use_assertion("till-7", &name, at(60)).await.unwrap());
                acknowledge("assertion", &name);
                let revocation = Revocation {
                    jti: name.clone(),
                    client_id: "till-7".to_owned(),
                    revoked_at: at(0),
                    expires_at: at(60),
                };
                store.revoke(&revocation).await.unwrap();
                acknowledge("revocation", &name);
                let refusal = RefusalRecord {
                    at: at(0),
                    trace_id: name.clone(),
                    client_id: None,
                    reason: "unknown".to_owned(),
                    detail: String::new(),
                    revision: 0,
                };
                store.append_journal(&[], &[refusal.clone(), refusal], &[]).await.unwrap();
                acknowledge("refusal", &name);
            }
        })
    };
    // Some at once, so that they share commits.
    let people: Vec<_> = (0..PEOPLE)
        .map(|person| {
            let (store, round) = (std::sync::Arc::clone(&store), round.parse::<u128>().unwrap());
            tokio::spawn(async move {
                for n in 0_u128.. {
                    sign_in_and_out(&store, (round * PEOPLE + person) * 100_000 + n).await;
                }
            })
        })
        .collect();
    for n in 0_u32.. {
        let transaction = store.begin(context()).await.unwrap();
        let padding = format!(r#"{{"padding":"{}"}}"#, "x".repeat(3000));
        transaction.insert_row(Row { document: padding, ..application(&format!("app_{round}_{n}")) }).await.unwrap();
        transaction.insert_row(row(Resource::Unit, &format!("unt_{round}_{n}"))).await.unwrap();
        transaction.insert_row(row(Resource::Scope, &format!("s:{round}:{n}"))).await.unwrap();
        let revision = transaction.commit().await.unwrap();
        acknowledge("revision", &revision.to_string());
    }
    small.await.unwrap();
    for person in people {
        person.await.unwrap();
    }
}

fn acknowledge(what: &str, name: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("ack {what} {name} .\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
