//! Measures the store on a database of its own:
//!
//! ```text
//! cargo run --release -p ambit-store --example measure -- sqlite:///tmp/measure.db [rows]
//! ```
//!
//! The database must be empty. With `rows` that many applications are loaded first. One line per figure.
#![expect(clippy::disallowed_methods, reason = "this measures how long things take")]

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ambit_core::reach::Reach;
use ambit_core::secret::SecretHash;
use ambit_core::store::journal::{JournalBlock, RefusalRecord};
use ambit_core::store::sign_in::{AuthorizationGrant, Code, Redeemed, RefreshToken, Rotation};
use ambit_core::store::{By, ChangeContext, Filter, Reads as _, Row, Store as _};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::id::{ApplicationId, GrantId, Id as _, UserId};
use ambit_protocol::time::Timestamp;
use ambit_store::{SqlStore, StoreConfig};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use uuid::Uuid;

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("which database?")?;
    let rows: u32 = arguments.next().map_or(Ok(0), |text| text.parse())?;

    let start = Instant::now();
    let store = SqlStore::open(&StoreConfig::url(&url)).await?;
    store.migrate().await?;
    say("open and migrate an empty database", start.elapsed(), 1)?;
    if rows > 0 {
        let start = Instant::now();
        store.bulk_insert(&context(), (0..rows).map(application)).await?;
        say("load an application", start.elapsed(), rows)?;
    }
    store.close().await;
    drop(store);

    let start = Instant::now();
    let store = Arc::new(SqlStore::open(&StoreConfig::url(&url)).await?);
    store.migrate().await?;
    say("open an existing database until ready", start.elapsed(), 1)?;
    memory("idle")?;
    changes(&store, rows).await?;
    journal(&store).await?;
    small(&store).await?;
    sign_ins(&store).await?;
    purge(&store, &url).await?;
    reads(&store, rows + CHANGES).await?;
    let start = Instant::now();
    let backup = store.backup(&mut tokio::io::sink(), Timestamp::from_secs(0)).await?;
    say("back up a row", start.elapsed(), u32::try_from(backup.rows)?)?;
    checksums(&store, &url).await?;
    memory("after all of it")
}

async fn changes(store: &Arc<SqlStore>, from: u32) -> Outcome {
    let start = Instant::now();
    for n in from..from + CHANGES {
        let transaction = store.begin(context()).await?;
        transaction.insert_row(application(n)).await?;
        transaction.commit().await?;
    }
    say("begin, insert, commit", start.elapsed(), CHANGES)
}

async fn journal(store: &Arc<SqlStore>) -> Outcome {
    let block = |n: i64| JournalBlock {
        first_at: Timestamp::from_secs(n),
        last_at: Timestamp::from_secs(n + 1),
        count: 1000,
        issuances: "x".repeat(4000),
        entries: vec![7; 36 * 1000],
    };
    let start = Instant::now();
    for n in 0..200 {
        store.append_journal(&[block(n)], &[], &[]).await?;
    }
    say("append a token in blocks of 1,000", start.elapsed(), 200_000)?;
    let refusal = |n: i64| RefusalRecord {
        at: Timestamp::from_secs(n),
        trace_id: format!("{n:032x}"),
        client_id: Some("till-7".to_owned()),
        reason: "not_allowed".to_owned(),
        detail: "x".repeat(300),
        revision: 1,
    };
    let start = Instant::now();
    for batch in 0..20 {
        let refusals: Vec<_> = (0..512).map(|n| refusal(batch * 512 + n)).collect();
        store.append_journal(&[], &refusals, &[]).await?;
    }
    say("append a refusal in batches of 512", start.elapsed(), 20 * 512)?;
    let start = Instant::now();
    for n in 0..200 {
        let at = Timestamp::from_secs(n);
        store.journal_blocks(at, at, 8).await?;
    }
    say("find a token's block", start.elapsed(), 200)
}

async fn small(store: &Arc<SqlStore>) -> Outcome {
    for callers in [1, 32] {
        let each = 2000 / callers;
        let start = Instant::now();
        let tasks: Vec<_> = (0..callers)
            .map(|caller| {
                let store = Arc::clone(store);
                tokio::spawn(async move {
                    for n in 0..each {
                        let jti = format!("{callers}-{caller}-{n}");
                        store.use_assertion("till-7", &jti, Timestamp::from_secs(60)).await.expect("is noted");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await?;
        }
        say(&format!("use an assertion, {callers} at once"), start.elapsed(), each * callers)?;
    }
    Ok(())
}

async fn sign_ins(store: &Arc<SqlStore>) -> Outcome {
    for callers in [1_u32, 32] {
        let each = 1024 / callers;
        let start = Instant::now();
        at_once(callers, |caller| {
            let store = Arc::clone(store);
            async move {
                for n in 0..each {
                    lend(&store, u128::from(callers) << 64 | u128::from(caller) << 32 | u128::from(n)).await;
                }
            }
        })
        .await?;
        say(&format!("issue and redeem a code, {callers} at once"), start.elapsed(), each * callers)?;
        let start = Instant::now();
        at_once(callers, |caller| {
            let store = Arc::clone(store);
            async move {
                let grant = u128::from(callers) << 64 | u128::from(caller) << 32;
                for n in 0..each {
                    rotate(&store, grant, n).await;
                }
            }
        })
        .await?;
        say(&format!("refresh, {callers} at once"), start.elapsed(), each * callers)?;
    }
    Ok(())
}

async fn at_once<F: Future<Output = ()> + Send + 'static>(callers: u32, work: impl Fn(u32) -> F) -> Outcome {
    let tasks: Vec<_> = (0..callers).map(|caller| tokio::spawn(work(caller))).collect();
    for task in tasks {
        task.await?;
    }
    Ok(())
}

/// Issues a code and redeems it.
async fn lend(store: &SqlStore, n: u128) {
    let grant = AuthorizationGrant {
        id: GrantId::from_uuid(Uuid::from_u128(n)),
        application_id: ApplicationId::from_uuid(Uuid::from_u128(1)),
        client_id: "till-7".to_owned(),
        user_id: UserId::from_uuid(Uuid::from_u128(1)),
        session_id: None,
        created_at: Timestamp::from_secs(0),
        expires_at: Timestamp::from_secs(60),
        ended_at: None,
        document: "x".repeat(300),
    };
    let token = SecretHash::of(&format!("code {n}"));
    let expires_at = Timestamp::from_secs(60);
    let code = Code { token, grant_id: grant.id, expires_at, spent_at: None, document: "x".repeat(500) };
    store.sign_ins().issue_code(&code).await.expect("is issued");
    let first = refresh_token(n, 0);
    let redeemed = Redeemed { grant: &grant, refresh_token: Some(&first), session: None, consent: None };
    let spent = store.sign_ins().spend_code(&token, Timestamp::from_secs(1), Some(redeemed)).await;
    assert!(spent.expect("is spent"));
}

/// Uses the `n`th refresh token of a grant.
async fn rotate(store: &SqlStore, grant: u128, n: u32) {
    let (token, next) = (refresh_token(grant, n).token, refresh_token(grant, n + 1));
    let rotation = store.sign_ins().rotate_refresh_token(&token, Timestamp::from_secs(1), &next).await;
    assert_eq!(rotation.expect("is used"), Rotation::Rotated);
}

fn refresh_token(grant: u128, n: u32) -> RefreshToken {
    RefreshToken {
        token: SecretHash::of(&format!("refresh {grant} {n}")),
        grant_id: GrantId::from_uuid(Uuid::from_u128(grant)),
        expires_at: Timestamp::from_secs(60),
        used_at: None,
    }
}

/// What a refresh waits for while a million rows that have expired are forgotten, in batches and with rests as the server's job has them.
async fn purge(store: &Arc<SqlStore>, url: &str) -> Outcome {
    let random = match store.engine() {
        "sqlite" => "randomblob(32)",
        _ => "sha256(n::text::bytea)",
    };
    let mut connection = AnyConnection::connect(url).await?;
    let load = format!(
        "INSERT INTO refresh_tokens (token, grant_id, expires_at) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {EXPIRED}) \
         SELECT {random}, 'gnt_' || n, -n FROM numbers"
    );
    sqlx::raw_sql(AssertSqlSafe(load)).execute(&mut connection).await?;
    connection.close().await?;
    let start = Instant::now();
    let purging = {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut gone = 0;
            while gone < u64::from(EXPIRED) {
                let began = Instant::now();
                gone += store.purge_expired(Timestamp::from_secs(0), 100).await.expect("purges");
                tokio::time::sleep(began.elapsed()).await;
            }
        })
    };
    lend(store, 7).await;
    let mut waits = Vec::new();
    while !purging.is_finished() {
        let before = Instant::now();
        rotate(store, 7, u32::try_from(waits.len())?).await;
        waits.push(before.elapsed());
    }
    purging.await?;
    say("forget a row that has expired", start.elapsed(), EXPIRED)?;
    waits.sort_unstable();
    say("refresh meanwhile, half of them", waits[waits.len() / 2], 1)?;
    say("refresh meanwhile, 99 of 100", waits[waits.len() * 99 / 100], 1)?;
    say("refresh meanwhile, the slowest", waits[waits.len() - 1], 1)
}

/// What the first start on a database of before checksums does, and what `ambit doctor` does.
async fn checksums(store: &SqlStore, url: &str) -> Outcome {
    let mut connection = AnyConnection::connect(url).await?;
    let before = "UPDATE applications SET checksum = NULL; INSERT INTO checksums_to_fill VALUES ('applications')";
    sqlx::raw_sql(before).execute(&mut connection).await?;
    connection.close().await?;
    let rows = store.count_rows(Resource::Application, &Filter::default(), Reach::Platform).await?;
    let start = Instant::now();
    store.migrate().await?;
    say("give a row of before its checksum", start.elapsed(), u32::try_from(rows)?)?;
    let start = Instant::now();
    let found = store.scan().await?;
    say("look whether a row is as it was written", start.elapsed(), u32::try_from(found.whole + found.unchecked)?)
}

async fn reads(store: &Arc<SqlStore>, rows: u32) -> Outcome {
    let start = Instant::now();
    for n in 0..READS {
        // Scattered over all of them.
        let key = format!("client-{:08}", n.wrapping_mul(2_654_435_761) % rows);
        let found = store.find_row(Resource::Application, By::NaturalKey(&key), Reach::Platform).await?;
        assert!(found.is_some(), "{key}");
    }
    say("find an application by its client_id", start.elapsed(), READS)?;
    let start = Instant::now();
    for n in 0..200_u32 {
        let after = format!("app_{:08}", n.wrapping_mul(2_654_435_761) % rows);
        let filter = Filter { after: Some(&after), limit: Some(50), ..Filter::default() };
        store.list_rows(Resource::Application, &filter, Reach::Platform).await?;
    }
    say("list a page of 50", start.elapsed(), 200)?;
    let start = Instant::now();
    store.count_rows(Resource::Application, &Filter::default(), Reach::Platform).await?;
    say("count all applications", start.elapsed(), 1)?;
    let start = Instant::now();
    for _ in 0..1000 {
        store.changes_after(store.revision().await?, 100).await?;
    }
    say("ask what changed, when nothing did", start.elapsed(), 1000)
}

fn application(n: u32) -> Row {
    Row {
        resource: Resource::Application,
        id: format!("app_{n:08}"),
        natural_key: Some(format!("client-{n:08}")),
        parent: None,
        tenant_id: None,
        partner_id: None,
        revision: 0,
        document: format!(r#"{{"id":"app_{n:08}","padding":"{}"}}"#, "x".repeat(700)),
        sealed: None,
    }
}

fn context() -> ChangeContext {
    ChangeContext { actor: "client:measure".to_owned(), at: Timestamp::from_secs(0), trace_id: None }
}

fn say(what: &str, took: Duration, times: u32) -> Outcome {
    let each = took.as_secs_f64() / f64::from(times) * 1e6;
    writeln!(std::io::stdout(), "{what:<44} {each:>12.1} µs {:>12.0} /s", 1e6 / each)?;
    Ok(())
}

fn memory(when: &str) -> Outcome {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let resident = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("VmRSS: unknown");
    writeln!(std::io::stdout(), "resident memory, {when}: {}", resident.trim_start_matches("VmRSS:").trim())?;
    Ok(())
}

const CHANGES: u32 = 2000;
const EXPIRED: u32 = 1_000_000;
const READS: u32 = 20_000;
