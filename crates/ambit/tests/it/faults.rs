//! The database is gone, only reads, or is full: what needs no writing goes on, what does is answered 503, and when the
//! database is back the server is, too.

#![expect(clippy::disallowed_methods, reason = "how long a recovery takes is what is measured")]

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::nodes::node;
use crate::support::{AS_ROOT, Answer, ISSUER, Node, Postgres, Setup, claims, eventually, folder, on_postgres};

/// What the wire to the database server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    /// Carries.
    Whole,
    /// Refuses connections and cuts those there are, as a server that was stopped.
    Cut,
    /// Swallows everything, as a network that is parted.
    Silent,
}

/// A wire between a server and its database.
struct Between {
    state: watch::Sender<Wire>,
    address: String,
}

impl Between {
    async fn new(database: &Postgres) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (state, watched) = watch::channel(Wire::Whole);
        tokio::spawn(carry_all(listener, database.address(), watched));
        Self { state, address }
    }

    fn set(&self, wire: Wire) {
        self.state.send_replace(wire);
    }
}

async fn carry_all(listener: TcpListener, database: String, mut state: watch::Receiver<Wire>) {
    let address = listener.local_addr().expect("an address");
    let mut listener = Some(listener);
    let mut carried = JoinSet::new();
    loop {
        let now = *state.borrow_and_update();
        if now == Wire::Cut {
            carried.abort_all();
            listener = None;
        } else if listener.is_none() {
            listener = Some(listen_again(address).await);
        }
        let Some(listening) = &listener else {
            if state.changed().await.is_err() {
                return;
            }
            continue;
        };
        tokio::select! {
            accepted = listening.accept() => {
                let (client, _) = accepted.expect("a connection");
                carried.spawn(carry(client, database.clone(), state.clone()));
            }
            changed = state.changed() => if changed.is_err() { return },
        }
    }
}

async fn listen_again(address: std::net::SocketAddr) -> TcpListener {
    loop {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        if socket.bind(address).is_ok() {
            return socket.listen(64).expect("listens");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn carry(client: TcpStream, database: String, state: watch::Receiver<Wire>) {
    let Ok(server) = TcpStream::connect(&database).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    // Where one direction ends the connection does.
    tokio::select! {
        () = one_way(from_client, to_server, state.clone()) => {}
        () = one_way(from_server, to_client, state) => {}
    }
}

/// While nothing gets through nobody is told, and nothing is lost.
async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<Wire>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if state.wait_for(|wire| *wire != Wire::Silent).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// What a client and an administrator see, whatever the database does.
struct Seen<'a> {
    node: &'a Node,
    root: String,
}

impl Seen<'_> {
    async fn write(&self, client_id: &str) -> Answer {
        let body = json!({"name": "New", "client_id": client_id, "type": "service", "level": "platform"});
        self.node.admin(&self.root, Method::POST, "/applications", Some(&body)).await
    }

    async fn revoke_one(&self) -> Answer {
        let token = self.node.token(AS_ROOT, &[]).await.access_token();
        self.node.form("/connect/revoke", AS_ROOT, &[("token", &token)]).await
    }

    /// What is in memory goes on.
    async fn assert_memory_answers(&self) {
        let token = self.node.token(AS_ROOT, &[("scope", "admin:read")]).await;
        assert_eq!(token.status, 200, "{}", token.text);
        assert!(self.node.is_active(AS_ROOT, &token.access_token()).await);
        let keys = self.node.get("/connect/jwks").await;
        assert_eq!(keys.status, 200);
        assert!(!keys.json["keys"].as_array().expect("keys").is_empty());
        assert_eq!(self.node.get("/healthz").await.status, 200);
        let refused = self.node.token(AS_ROOT, &[("scope", "nothing-of-that-name")]).await;
        assert_eq!(refused.json["error"], "invalid_scope");
    }

    /// What has to be written is not acknowledged.
    async fn assert_writes_are_refused(&self) {
        let token = self.node.token(AS_ROOT, &[]).await.access_token();
        let revoking = self.node.form_request("/connect/revoke", Some(AS_ROOT), &[("token", &token)]);
        let (write, revoked) = tokio::join!(self.write("never"), self.node.send(revoking));
        for answer in [&write, &revoked] {
            assert_eq!(answer.status, 503, "{}", answer.text);
            assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{:?}", answer.headers);
            let told = answer.text.to_lowercase();
            for inner in ["postgres", "sqlx", "sqlite", "pool", "read-only", "disk", "127.0.0.1:"] {
                assert!(
                    !told.replace(ISSUER, "").replace(&self.node.url, "").contains(inner),
                    "{inner} is told: {told}"
                );
            }
        }
        // Not acknowledged, and not done either.
        assert!(self.node.is_active(AS_ROOT, &token).await);
    }

    /// When the database is back, so is everything.
    async fn assert_recovers(&self, name: &str) {
        let back = Instant::now();
        eventually(RECOVERY, async || self.write(name).await.status == 201).await;
        eventually(RECOVERY, async || self.node.get("/readyz").await.status == 200).await;
        assert!(back.elapsed() < RECOVERY, "{:?}", back.elapsed());
        let token = self.node.token(AS_ROOT, &[]).await.access_token();
        assert_eq!(self.node.form("/connect/revoke", AS_ROOT, &[("token", &token)]).await.status, 200);
        assert!(!self.node.is_active(AS_ROOT, &token).await);
        let never = self.node.admin(&self.root, Method::GET, "/applications/never", None).await;
        assert_eq!(never.status, 404, "a change that was not acknowledged was made: {}", never.text);
    }

    /// What was issued meanwhile is in the journal in the end.
    async fn assert_explained(&self, token: &str) {
        let question = json!({"question": "token", "jti": claims(token)["jti"]});
        eventually(RECOVERY, async || {
            self.node.admin(&self.root, Method::POST, "/explain", Some(&question)).await.status == 200
        })
        .await;
    }
}

async fn stopped(database: &Postgres) {
    let folder = folder();
    let wire = Between::new(database).await;
    let node = node(&database.url_at(&wire.address), folder.path()).start().await;
    let seen = Seen { node: &node, root: node.root().await };
    assert_eq!(seen.write("before").await.status, 201);
    assert_eq!(node.get("/readyz").await.status, 200);

    for (round, fault) in [Wire::Cut, Wire::Silent].into_iter().enumerate() {
        wire.set(fault);
        seen.assert_memory_answers().await;
        let meanwhile = node.token(AS_ROOT, &[]).await.access_token();
        let before = Instant::now();
        // What the store said is believed for a second.
        let unready = eventually(PATIENCE, async || {
            let ready = node.get("/readyz").await;
            ready.status == 503 && ready.json["reason"] == "the store does not answer"
        });
        tokio::join!(unready, seen.assert_writes_are_refused());
        assert!(before.elapsed() < PATIENCE, "{fault:?}: somebody waited {:?}", before.elapsed());
        // Nobody queues up behind those who wait: memory goes on answering at once.
        let quick = Instant::now();
        seen.assert_memory_answers().await;
        assert!(quick.elapsed() < Duration::from_secs(2), "{:?}", quick.elapsed());
        wire.set(Wire::Whole);
        seen.assert_recovers(&format!("after-{round}")).await;
        seen.assert_explained(&meanwhile).await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_a_server_decides_from_memory_and_is_back_when_the_database_is() {
    on_postgres(stopped).await;
}

async fn full_queue(database: &Postgres) {
    let folder = folder();
    let wire = Between::new(database).await;
    let setup = node(&database.url_at(&wire.address), folder.path());
    let node = setup.arguments(&["--set", "journal.queue=64"]).start().await;
    let seen = Seen { node: &node, root: node.root().await };
    wire.set(Wire::Cut);
    // The queue and the block that is being written take so many; then there is no token that nobody would know of.
    let mut issued = vec![];
    let refused = loop {
        assert!(issued.len() < 1000, "the queue has no end");
        let asked = Instant::now();
        let answer = node.token(AS_ROOT, &[("scope", "admin:read")]).await;
        if answer.status != 200 {
            assert!(asked.elapsed() < PATIENCE, "somebody waited {:?}", asked.elapsed());
            break answer;
        }
        issued.push(answer.access_token());
    };
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(refused.header("retry-after").parse::<u32>().is_ok());
    assert!(issued.len() >= 64, "{}", issued.len());
    // What notes nothing goes on at once.
    let asked = Instant::now();
    assert!(node.is_active(AS_ROOT, &issued[0]).await);
    assert!(asked.elapsed() < Duration::from_secs(1));
    wire.set(Wire::Whole);
    eventually(RECOVERY, async || node.token(AS_ROOT, &[]).await.status == 200).await;
    for token in [&issued[0], &issued[issued.len() / 2], &issued[issued.len() - 1]] {
        seen.assert_explained(token).await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_journal_slows_and_refuses_and_loses_nothing() {
    on_postgres(full_queue).await;
}

async fn told_to_stop(database: &Postgres) {
    let folder = folder();
    let wire = Between::new(database).await;
    let setup = node(&database.url_at(&wire.address), folder.path());
    let node = setup.arguments(&["--set", "limits.drain_timeout=1 s"]).start().await;
    node.root().await;
    wire.set(Wire::Cut);
    assert_eq!(node.token(AS_ROOT, &[]).await.status, 200);
    let told = Instant::now();
    let said = node.log.clone();
    assert_eq!(node.stopped_with().await, Some(70));
    assert!(told.elapsed() < PATIENCE, "it took {:?}", told.elapsed());
    assert!(said.text().contains("could not be written into the journal"), "what was lost is not said");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_its_database_stops_when_it_is_told_to_and_says_what_is_lost() {
    on_postgres(told_to_stop).await;
}

async fn only_read(database: &Postgres) {
    let folder = folder();
    let node = node(&database.url(), folder.path()).start().await;
    let seen = Seen { node: &node, root: node.root().await };
    assert_eq!(seen.write("before").await.status, 201);
    let hang_up = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'DATABASE_NAME'";
    database.administer("ALTER DATABASE DATABASE_NAME SET default_transaction_read_only = on").await;
    database.administer(hang_up).await;
    seen.assert_memory_answers().await;
    seen.assert_writes_are_refused().await;
    let listed = node.admin(&seen.root, Method::GET, "/applications", None).await;
    assert_eq!(listed.status, 200, "{}", listed.text);
    database.administer("ALTER DATABASE DATABASE_NAME RESET default_transaction_read_only").await;
    database.administer(hang_up).await;
    seen.assert_recovers("after").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_database_that_only_reads_a_server_reads() {
    on_postgres(only_read).await;
}

/// The server's files may not grow any more, as on a disk that is full; then they may again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_reads_go_on_and_writes_come_back_with_the_room() {
    let folder = folder();
    // A process that ignores the signal is told by the write itself, as by a full disk. 2 MiB, in blocks of 1 KiB.
    let node = Setup::new(folder.path()).behind("trap '' XFSZ; ulimit -S -f 2048; exec \"$0\" \"$@\"").start().await;
    let seen = Seen { node: &node, root: node.root().await };
    let mut kept = vec![];
    let long = "x".repeat(100);
    // A small write may still fit where a large one does not, and room is found again until all of it is used.
    let mut full = 0;
    for n in 0.. {
        assert!(n < 5000, "the disk does not fill up");
        let name = format!("app-{n}-{long}");
        let (written, revoked) = (seen.write(&name).await, seen.revoke_one().await);
        for answer in [&written, &revoked] {
            assert!(matches!(answer.status, 200 | 201 | 503), "{} {}", answer.status, answer.text);
        }
        full = if (written.status, revoked.status) == (503, 503) { full + 1 } else { 0 };
        if written.status == 201 {
            kept.push(name);
        }
        if full == 5 {
            break;
        }
    }
    assert!(kept.len() > 10);
    seen.assert_memory_answers().await;
    seen.assert_writes_are_refused().await;
    let shown = node.admin(&seen.root, Method::GET, &format!("/applications/{}", kept[0]), None).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    let meanwhile = node.token(AS_ROOT, &[]).await.access_token();

    let lifted = Command::new("prlimit").args(["--pid", &node.pid().to_string(), "--fsize=unlimited"]).status().await;
    assert!(lifted.expect("prlimit is there").success());
    seen.assert_recovers("after").await;
    seen.assert_explained(&meanwhile).await;
    let there: Vec<Value> = node.list("/applications").await;
    // Those that were acknowledged, the administrator, the command line, and the one that came after.
    assert_eq!(there.len(), kept.len() + 3);
    node.stop().await;
    assert_whole(&folder.path().join("data/ambit.db")).await;
}

async fn assert_whole(database: &Path) {
    use sqlx::Connection as _;
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", database.display());
    let mut connection = sqlx::AnyConnection::connect(&url).await.expect("connects");
    let checked: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.expect("reads");
    assert_eq!(checked, "ok");
}

/// How long anybody waits for a database that does not answer: its own time to wait, and a busy machine's.
const PATIENCE: Duration = Duration::from_secs(12);

/// How soon it is back.
const RECOVERY: Duration = Duration::from_secs(5);
