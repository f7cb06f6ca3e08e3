//! Faults of the database, injected: a connection cut while it commits, a server that hangs up, a disk that is full.

use std::time::Duration;

use ambit_core::reach::Reach;
use ambit_core::store::{By, Reads as _, Store as _};
use ambit_protocol::admin::audit::Resource;
use ambit_store::{SqlStore, StoreConfig};
use sqlx::Connection as _;

use crate::sign_ins;
use crate::support::{Db, application, assert_unavailable, at, context, eventually, find, insert};

pub(crate) async fn a_store_that_is_closed_is_unavailable(db: Db) {
    let store = db.store().await;
    store.close().await;
    assert_unavailable(store.begin(context()).await);
    assert_unavailable(store.revision().await);
    assert_unavailable(store.use_assertion("c", "j", at(0)).await);
    assert_unavailable(store.sign_ins().issue_code(&sign_ins::code(1)).await);
    assert_unavailable(store.sign_ins().find_code(&sign_ins::code(1).token).await);
    assert_unavailable(store.check().await);
    db.open().await.check().await.unwrap();
}

pub(crate) async fn the_registry_held_by_another_process_makes_writers_wait_and_readers_not(db: Db) {
    let store = db.store().await;
    insert(&store, [application("app_1")]).await;
    let mut other = db.connect().await;
    let begin = if db.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" };
    sqlx::raw_sql(begin).execute(&mut other).await.unwrap();
    sqlx::raw_sql("UPDATE registry SET revision = revision").execute(&mut other).await.unwrap();

    let mut config = db.config();
    // Room for a connection to be made on a machine that has more to do.
    config.wait = Duration::from_secs(1);
    let hasty = SqlStore::open(&config).await.unwrap();
    assert_unavailable(hasty.begin(context()).await);
    for _ in 0..20 {
        assert!(find(&hasty, Resource::Application, "app_1").await.is_some());
    }

    let waiting = tokio::spawn(async move { insert(&store, [application("app_2")]).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(waiting.await.unwrap(), 2);
    other.close().await.unwrap();
    eventually(|| async { hasty.begin(context()).await.is_ok() }).await;
}

mod postgres {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};

    use ambit_core::store::sign_in::{AuthorizationGrant, Rotation};
    use ambit_core::store::{Store as _, StoreError};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::support::{on_postgres, postgres_url};

    const PASS: u8 = 0;
    const CUT_BEFORE_COMMIT: u8 = 1;
    const CUT_AFTER_COMMIT: u8 = 2;

    /// A wire between the store and the server that can be cut when it carries a COMMIT.
    async fn wire(db: &Db) -> (StoreConfig, Arc<AtomicU8>) {
        let (server, port) = {
            let address = db.url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
            let port = address.rsplit(':').next().unwrap().to_owned();
            (address, port)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = listener.local_addr().unwrap().port();
        let mode = Arc::new(AtomicU8::new(PASS));
        let fault = Arc::clone(&mode);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(carry(client, upstream, Arc::clone(&fault)));
            }
        });
        let url = db.url.replacen(&format!(":{port}/"), &format!(":{ours}/"), 1);
        let url = url.replacen("localhost", "127.0.0.1", 1);
        (StoreConfig::url(url), mode)
    }

    async fn carry(client: TcpStream, server: TcpStream, fault: Arc<AtomicU8>) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            let commits = buffer[..read].windows(7).any(|part| part == b"COMMIT\0");
            let fault = if commits { fault.load(Ordering::SeqCst) } else { PASS };
            if fault == CUT_BEFORE_COMMIT {
                break;
            }
            if fault == CUT_AFTER_COMMIT {
                back.abort();
            }
            if to_server.write_all(&buffer[..read]).await.is_err() {
                break;
            }
            if fault == CUT_AFTER_COMMIT {
                tokio::time::sleep(Duration::from_millis(100)).await;
                break;
            }
        }
        back.abort();
    }

    async fn outcome_unknown(db: Db) {
        db.store().await;
        let (config, fault) = wire(&db).await;
        let store = SqlStore::open(&config).await.unwrap();
        insert(&store, [application("app_1")]).await;
        for (mode, id, kept) in [(CUT_BEFORE_COMMIT, "app_2", false), (CUT_AFTER_COMMIT, "app_3", true)] {
            let transaction = store.begin(context()).await.unwrap();
            transaction.insert_row(application(id)).await.unwrap();
            fault.store(mode, Ordering::SeqCst);
            // Whether it was committed the store cannot know, and does not claim to.
            assert_unavailable(transaction.commit().await);
            fault.store(PASS, Ordering::SeqCst);
            // Nobody waited for the server to finish.
            eventually(|| async { find(&store, Resource::Application, id).await.is_some() == kept }).await;
        }
        assert_eq!(store.revision().await.unwrap(), 2);
        assert_eq!(insert(&store, [application("app_4")]).await, 3);

        // The same for what is grouped: a use whose outcome is unknown is not answered as a first use.
        fault.store(CUT_AFTER_COMMIT, Ordering::SeqCst);
        assert_unavailable(store.use_assertion("c", "j", at(60)).await);
        fault.store(PASS, Ordering::SeqCst);
        assert!(!store.use_assertion("c", "j", at(60)).await.unwrap());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_commit_of_unknown_outcome_is_never_told_as_done() {
        on_postgres(outcome_unknown).await;
    }

    async fn hang_up(db: Db) {
        let store = db.store().await;
        insert(&store, [application("app_1")]).await;
        let transaction = store.begin(context()).await.unwrap();
        transaction.insert_row(application("app_2")).await.unwrap();
        // Only this case's connections: they are the ones whose search path names its schema.
        let schema = db.url.rsplit("%3D").next().unwrap();
        let mut others = db.connect().await;
        let pids: Vec<i32> = sqlx::query_scalar::<_, i32>(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'ambit' AND pid IN \
             (SELECT pid FROM pg_locks JOIN pg_class ON pg_class.oid = relation \
              JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = $1)",
        )
        .bind(schema)
        .fetch_all(&mut others)
        .await
        .unwrap();
        assert!(!pids.is_empty());
        for pid in pids {
            sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&mut others).await.unwrap();
        }
        others.close().await.unwrap();

        assert_unavailable(transaction.insert_row(application("app_3")).await);
        assert_unavailable(transaction.commit().await);
        assert_eq!(insert(&store, [application("app_4")]).await, 2);
        assert_eq!(find(&store, Resource::Application, "app_2").await, None);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_hangs_up_takes_the_transaction_with_it_and_nothing_else() {
        on_postgres(hang_up).await;
    }

    async fn failed_statement(db: Db) {
        let store = db.store().await;
        db.execute("ALTER TABLE units ADD CONSTRAINT no_bad CHECK (id <> 'bad')").await;
        let transaction = store.begin(context()).await.unwrap();
        transaction.insert_row(application("app_1")).await.unwrap();
        assert_unavailable(transaction.insert_row(crate::support::row(Resource::Unit, "bad")).await);
        // PostgreSQL would answer this COMMIT with success, and roll back.
        assert_unavailable(transaction.commit().await);
        assert_eq!(find(&store, Resource::Application, "app_1").await, None);
        assert_eq!(store.revision().await.unwrap(), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_failed_statement_fails_the_commit() {
        on_postgres(failed_statement).await;
    }

    async fn contention(db: Db) {
        let store = db.store().await;
        // Two of three attempts fail as if another transaction had been in the way.
        db.execute(
            "CREATE SEQUENCE attempts; \
             CREATE FUNCTION give_way() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF nextval('attempts') % 3 <> 0 THEN RAISE EXCEPTION 'in the way' USING ERRCODE = '40001'; END IF; \
             RETURN NEW; END $$; \
             CREATE TRIGGER t1 BEFORE INSERT ON assertions FOR EACH ROW EXECUTE FUNCTION give_way(); \
             CREATE TRIGGER t2 BEFORE UPDATE ON registry FOR EACH ROW EXECUTE FUNCTION give_way(); \
             CREATE TRIGGER t3 BEFORE INSERT ON refusals FOR EACH ROW EXECUTE FUNCTION give_way(); \
             CREATE TRIGGER t4 BEFORE UPDATE ON revocation_counter FOR EACH ROW EXECUTE FUNCTION give_way(); \
             CREATE TRIGGER t5 BEFORE INSERT ON codes FOR EACH ROW EXECUTE FUNCTION give_way(); \
             CREATE TRIGGER t6 BEFORE INSERT ON grants FOR EACH ROW EXECUTE FUNCTION give_way(); \
             CREATE TRIGGER t7 BEFORE UPDATE ON refresh_tokens FOR EACH ROW EXECUTE FUNCTION give_way()",
        )
        .await;
        for n in 0..10 {
            assert_eq!(insert(&store, [application(&format!("app_{n}"))]).await, n + 1);
            let jti = format!("j-{n}");
            assert!(store.use_assertion("c", &jti, at(60)).await.unwrap());
            let revocation =
                ambit_core::store::Revocation { jti, client_id: "c".to_owned(), revoked_at: at(0), expires_at: at(60) };
            store.revoke(&revocation).await.unwrap();

            let (code, lent) = (sign_ins::code(n.into()), sign_ins::grant(n.into(), 1, 1));
            let refresh_token = |name: &str| sign_ins::refresh_token(&format!("{name} {n}"), n.into());
            store.sign_ins().issue_code(&code).await.unwrap();
            let first = refresh_token("first");
            let lent = Some(sign_ins::redeemed(&lent, Some(&first)));
            assert!(store.sign_ins().spend_code(&code.token, at(5), lent).await.unwrap());
            let rotation = store.sign_ins().rotate_refresh_token(&first.token, at(6), &refresh_token("next")).await;
            assert_eq!(rotation.unwrap(), Rotation::Rotated);
        }
        assert_eq!(store.changes_after(0, 100).await.unwrap().len(), 10);
        assert_eq!(store.revocations_after(0, 100).await.unwrap().len(), 10);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn transactions_that_got_in_each_others_way_are_tried_again_without_double_effect() {
        on_postgres(contention).await;
    }

    async fn busy_rows(db: Db) {
        let store = db.store().await;
        let sign_ins = store.sign_ins();
        let session = sign_ins::session(1, 1);
        sign_ins.begin_session(&session).await.unwrap();
        let refresh_token = |n| sign_ins::refresh_token(&format!("refresh {n}"), n);
        for (n, session_id, expires_at) in [(1, Some(session.id), at(10_000)), (2, None, at(600))] {
            let lent = AuthorizationGrant { session_id, expires_at, ..sign_ins::grant(n, 1, 1) };
            sign_ins.issue_code(&sign_ins::code(n)).await.unwrap();
            let token = refresh_token(n);
            let lent = Some(sign_ins::redeemed(&lent, Some(&token)));
            assert!(sign_ins.spend_code(&sign_ins::code(n).token, at(5), lent).await.unwrap());
        }
        let mut other = db.connect().await;
        let busy = "BEGIN; SELECT 1 FROM refresh_tokens FOR UPDATE; \
                    SELECT 1 FROM grants WHERE session_id IS NOT NULL FOR UPDATE";
        sqlx::raw_sql(busy).execute(&mut other).await.unwrap();

        // Two codes go. What hangs on a busy row stays with it, or it would be left alone in the world.
        assert_eq!(store.purge_expired(at(700), 100).await.unwrap(), 2);
        assert!(sign_ins.find_session(&session.token).await.unwrap().is_some());
        assert!(sign_ins.find_refresh_token(&refresh_token(2).token).await.unwrap().is_some());

        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        assert_eq!(store.purge_expired(at(700), 100).await.unwrap(), 4);
        assert!(sign_ins.find_session(&session.token).await.unwrap().is_none());
        assert_eq!(sign_ins.find_grant(sign_ins::grant(1, 1, 1).id).await.unwrap().unwrap().ended_at, Some(at(700)));
        assert_eq!(sign_ins.find_grant(sign_ins::grant(2, 1, 1).id).await.unwrap(), None);
        other.close().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_purge_waits_for_nobody_and_leaves_a_busy_row_what_hangs_on_it() {
        on_postgres(busy_rows).await;
    }

    async fn read_only(db: Db) {
        let store = db.store().await;
        insert(&store, [application("app_1")]).await;
        let url = format!("{}%20-c%20default_transaction_read_only%3Don", db.url);
        let frozen = SqlStore::open(&StoreConfig::url(url)).await.unwrap();
        assert_unavailable(frozen.begin(context()).await);
        assert_unavailable(frozen.use_assertion("c", "j", at(60)).await);
        frozen.check().await.unwrap();
        assert!(find(&frozen, Resource::Application, "app_1").await.is_some());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_only_reads_is_read() {
        on_postgres(read_only).await;
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_unavailable() {
        let refused = SqlStore::open(&StoreConfig::url("postgres://nobody@127.0.0.1:1/nothing")).await;
        let error = refused.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        if let Some(url) = postgres_url() {
            let nowhere = format!("{}_no_such_database", url.split('?').next().unwrap());
            assert!(matches!(SqlStore::open(&StoreConfig::url(nowhere)).await, Err(StoreError::Unavailable(_))));
        }
    }
}

mod sqlite {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Stdio;

    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::process::Command;

    use super::*;
    use crate::support::{on_sqlite, sqlite_url};

    #[tokio::test]
    async fn the_database_and_its_folder_are_for_their_owner_alone() {
        on_sqlite(async |db: Db| {
            let folder = db.folder.join("data/of/ambit");
            let store = SqlStore::open(&StoreConfig::data_dir(&folder)).await.unwrap();
            store.migrate().await.unwrap();
            insert(&store, [application("app_1")]).await;
            for name in ["", "ambit.db", "ambit.db-wal", "ambit.db-shm"] {
                let mode = std::fs::metadata(folder.join(name)).unwrap().permissions().mode();
                assert_eq!(mode & 0o077, 0, "{name}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_path_of_any_letters_is_opened() {
        on_sqlite(async |db: Db| {
            let folder = db.folder.join("a b %20 ? # ä");
            let store = SqlStore::open(&StoreConfig::data_dir(&folder)).await.unwrap();
            store.migrate().await.unwrap();
            assert!(folder.join("ambit.db").exists());
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_no_database_is_refused_and_left_alone() {
        on_sqlite(async |db: Db| {
            let path = db.folder.join("notes.txt");
            let text = "not a database, but long enough to look at. ".repeat(100);
            std::fs::write(&path, &text).unwrap();
            let opened = SqlStore::open(&StoreConfig::url(sqlite_url(&path))).await;
            assert_unavailable(opened);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        })
        .await;
    }

    /// The disk is full, and then it is not: a child whose files may not grow, until its parent lets them.
    #[tokio::test]
    async fn a_full_disk_fails_writes_spoils_nothing_and_is_recovered_from() {
        on_sqlite(async |db: Db| {
            let store = db.store().await;
            insert(&store, [application("app_0")]).await;
            store.close().await;

            let program = std::env::current_exe().unwrap();
            let mut child = Command::new("bash")
                // A process that ignores the signal is told by the write itself, as by a full disk.
                .args(["-c", "trap '' XFSZ; ulimit -S -f 400; exec \"$0\" \"$@\""])
                .arg(program)
                .args(["faults::sqlite::the_child_writes_on_a_full_disk", "--exact", "--nocapture", "--quiet"])
                .env("AMBIT_STORE_TEST_FULL_DISK_URL", &db.url)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut next = async |wanted: &str| loop {
                let line = lines.next_line().await.unwrap().expect("the child goes on");
                if let Some(rest) = line.strip_prefix(wanted) {
                    return rest.trim().parse::<u64>().unwrap();
                }
            };
            let acknowledged = next("full after revision").await;
            assert!(acknowledged > 1);
            let pid = child.id().unwrap().to_string();
            let lifted = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status().await.unwrap();
            assert!(lifted.success());
            child.stdin.take().unwrap().write_all(b"go on\n").await.unwrap();
            assert_eq!(next("recovered with revision").await, acknowledged + 1);
            assert!(child.wait().await.unwrap().success());

            let store = db.open().await;
            assert_eq!(store.revision().await.unwrap(), acknowledged + 1);
            assert_eq!(store.changes_after(0, 10_000).await.unwrap().len() as u64, acknowledged + 1);
            let mut connection = db.connect().await;
            let checked: String =
                sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
            assert_eq!(checked, "ok");
        })
        .await;
    }

    /// Not a case of its own: what the child of the case above runs.
    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the environment is how the parent tells its child what to do")]
    async fn the_child_writes_on_a_full_disk() {
        let Ok(url) = std::env::var("AMBIT_STORE_TEST_FULL_DISK_URL") else { return };
        let store = SqlStore::open(&StoreConfig::url(url)).await.unwrap();
        let mut last = 1;
        let padded = |id: &str| ambit_core::store::Row {
            document: format!(r#"{{"padding":"{}"}}"#, "x".repeat(20_000)),
            ..application(id)
        };
        for n in 0.. {
            assert!(n < 1000, "the disk does not fill up");
            let transaction = store.begin(context()).await.unwrap();
            if let Err(error) = transaction.insert_row(padded(&format!("app_{n}_a"))).await {
                assert_unavailable(Err::<(), _>(error));
                break;
            }
            match transaction.commit().await {
                Ok(revision) => last = revision,
                Err(error) => {
                    assert_unavailable(Err::<(), _>(error));
                    break;
                }
            }
        }
        // Reads go on, writes go on failing.
        assert_eq!(store.revision().await.unwrap(), last);
        assert!(store.find_row(Resource::Application, By::Id("app_0"), Reach::Platform).await.unwrap().is_some());
        if let Ok(transaction) = store.begin(context()).await
            && transaction.insert_row(padded("never")).await.is_ok()
        {
            assert_unavailable(transaction.commit().await);
        }
        say(&format!("full after revision {last}"));
        let mut line = String::new();
        BufReader::new(tokio::io::stdin()).read_line(&mut line).await.unwrap();
        eventually(|| async { store.begin(context()).await.is_ok() }).await;
        say(&format!("recovered with revision {}", insert(&store, [padded("app_last")]).await));
    }

    fn say(line: &str) {
        use std::io::Write as _;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").unwrap();
        out.flush().unwrap();
    }
}
