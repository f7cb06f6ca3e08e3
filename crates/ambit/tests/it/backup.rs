//! Backups made while a server serves, and servers that go on from them.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ambit_protocol::jose::VerifyingKeys;
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{self, Accepted, Validation};
use reqwest::Method;
use serde_json::Value;

use crate::nodes::node;
use crate::support::{AS_ROOT, ISSUER, Node, Postgres, Ran, Setup, ambit, claims, folder, on_postgres};

/// Applications that the server has, by name.
async fn names(node: &Node) -> BTreeSet<String> {
    let items = node.list("/applications").await;
    items.iter().map(|it| it["client_id"].as_str().expect("a name").to_owned()).collect()
}

async fn back_up(folder: &Path, file: &str, arguments: &[&str]) -> Value {
    let ran = ambit(folder, &[], &[&["backup", "--json", "--out", file], arguments].concat()).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.json()
}

/// Restores into a new place, with the master key of the old one.
async fn restore(folder: &Path, file: &str, data_dir: &Path, variables: &[(&str, &str)]) -> Ran {
    let place = data_dir.display().to_string();
    ambit(folder, variables, &["restore", "--json", "--from", file, "--data-dir", &place]).await
}

fn bring_master_key(from: &Setup, to: &Setup) {
    std::fs::create_dir_all(to.data_dir()).expect("a folder");
    std::fs::copy(from.data_dir().join("master.key"), to.data_dir().join("master.key")).expect("a copy");
}

/// Writers at work, until they are told to stop: what was acknowledged before the backup began, and after it ended.
async fn backed_up_under_writes(setup: &Setup, folder: &Path, arguments: &[&str]) -> (Node, BTreeSet<String>, Value) {
    let node = Arc::new(setup.start().await);
    let secret = node.service("worker", &["tenants:read"]).await;
    let enough = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let (node, enough, secret) = (node.clone(), enough.clone(), secret.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    if enough.load(Ordering::SeqCst) {
                        return n;
                    }
                    node.service(&format!("app-{writer}-{n}"), &["tenants:read"]).await;
                    let token = node.token(("worker", &secret), &[]).await.access_token();
                    assert_eq!(
                        node.form("/connect/revoke", ("worker", &secret), &[("token", &token)]).await.status,
                        200
                    );
                }
                unreachable!("a range without end")
            })
        })
        .collect();
    crate::support::eventually(std::time::Duration::from_secs(20), async || names(&node).await.len() > 12).await;
    let before = names(&node).await;
    let report = back_up(folder, "ambit.backup", arguments).await;
    enough.store(true, Ordering::SeqCst);
    for writer in writers {
        assert!(writer.await.expect("it writes") > 0);
    }
    let node = Arc::into_inner(node).expect("the writers are gone");
    let after = names(&node).await;
    assert!(after.len() > before.len(), "nobody wrote meanwhile");
    (node, before, report)
}

/// A server that goes on from a backup: all there, and known to those who knew the old one.
async fn assert_goes_on(old: Node, new: &Setup, before: &BTreeSet<String>, report: &Value) {
    let old_keys = old.get("/connect/jwks").await.text;
    old.stop().await;
    let new = new.start().await;
    let there = names(&new).await;
    assert!(there.is_superset(before), "lost: {:?}", before.difference(&there));
    // An application and its secret were backed up together or not at all. The command line is a public client and has none.
    for name in &there {
        if name != "root" && name != "ambit-cli" {
            assert_eq!(new.list(&format!("/applications/{name}/secrets")).await.len(), 1, "{name}");
        }
    }
    let revision = new.get("/readyz").await.json["revision"].as_u64().expect("a revision");
    assert!(revision > report["revision"].as_u64().expect("a revision"));

    // Whoever has the old key set takes the new server's tokens.
    let token = new.root().await;
    let (keys, _) = VerifyingKeys::from_published(old_keys.as_bytes()).expect("a key set");
    let (issuer, audience) = (|issuer: &str| issuer == ISSUER, |_: &str| true);
    let now = Timestamp::from_secs(claims(&token)["iat"].as_i64().expect("a moment"));
    let validation = Validation::new(Accepted::Where(&issuer), Accepted::Where(&audience), now);
    verify::access_token(&token, &keys, &validation).expect("the old keys verify it");
    // And it goes on.
    new.service("after-all", &["tenants:read"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_under_writes_is_whole_and_a_server_goes_on_from_it() {
    let (folder, elsewhere) = (folder(), folder());
    let (old, new) = (Setup::lasting(folder.path()), Setup::lasting(elsewhere.path()));
    let (node, before, report) = backed_up_under_writes(&old, folder.path(), &["--data-dir", "data"]).await;
    let file = folder.path().join("ambit.backup");
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    // A backup is never overwritten.
    let again = ambit(folder.path(), &[], &["backup", "--out", "ambit.backup", "--data-dir", "data"]).await;
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    bring_master_key(&old, &new);
    let restored = restore(folder.path(), "ambit.backup", &new.data_dir(), &[]).await;
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(restored.json()["rows"], report["rows"]);
    assert_goes_on(node, &new, &before, &report).await;
}

async fn to_a_server_and_back(database: &Postgres) {
    let (folder, elsewhere, back) = (folder(), folder(), folder());
    let old = Setup::lasting(folder.path());
    let (sqlite, before, report) = backed_up_under_writes(&old, folder.path(), &["--data-dir", "data"]).await;
    let url = database.url();
    let restored =
        restore(folder.path(), "ambit.backup", &elsewhere.path().join("none"), &[("AMBIT_DATABASE_URL", &url)]).await;
    assert_eq!(restored.code, 0, "{restored:?}");
    std::fs::copy(old.data_dir().join("master.key"), elsewhere.path().join("master.key")).expect("a copy");
    let new = node(&url, elsewhere.path());
    assert_goes_on(sqlite, &new, &before, &report).await;

    // And from there back into a file.
    let variables = [("AMBIT_DATABASE_URL", url.as_str())];
    let ran = ambit(elsewhere.path(), &variables, &["backup", "--json", "--out", "again.backup"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let third = Setup::lasting(back.path());
    bring_master_key(&old, &third);
    let restored = restore(elsewhere.path(), "again.backup", &third.data_dir(), &[]).await;
    assert_eq!(restored.code, 0, "{restored:?}");
    let third = third.start().await;
    assert!(names(&third).await.contains("after-all"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_moves_to_postgresql_and_back() {
    on_postgres(to_a_server_and_back).await;
}

/// What was revoked after the backup was made is forgotten, so no token from before the restore counts any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_brings_no_token_back_to_life() {
    let (folder, elsewhere) = (folder(), folder());
    let (old, new) = (Setup::lasting(folder.path()), Setup::lasting(elsewhere.path()));
    let node = old.start().await;
    let revoked_before = node.root().await;
    assert_eq!(node.form("/connect/revoke", AS_ROOT, &[("token", &revoked_before)]).await.status, 200);
    let revoked_after = node.root().await;
    let before = node.root().await;
    back_up(folder.path(), "ambit.backup", &["--data-dir", "data"]).await;
    assert_eq!(node.form("/connect/revoke", AS_ROOT, &[("token", &revoked_after)]).await.status, 200);
    let lost = node.root().await;
    let lost_secret = node.service("lost", &["tenants:read"]).await;
    node.stop().await;

    bring_master_key(&old, &new);
    let restored = restore(folder.path(), "ambit.backup", &new.data_dir(), &[]).await;
    assert_eq!(restored.code, 0, "{restored:?}");
    let node = new.start().await;
    // At once, in the second of the restore: a token of the restored server is good.
    let fresh = node.root().await;
    assert!(node.is_active(AS_ROOT, &fresh).await);
    assert_eq!(node.admin(&fresh, Method::GET, "/tenants", None).await.status, 200);
    for (what, token) in
        [("revoked before", revoked_before), ("revoked after", revoked_after), ("before", before), ("lost", lost)]
    {
        assert!(!node.is_active(AS_ROOT, &token).await, "{what}");
        assert_eq!(node.admin(&token, Method::GET, "/tenants", None).await.status, 401, "{what}");
    }
    assert_eq!(node.token(("lost", &lost_secret), &[]).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_whole_backup_is_refused_and_nothing_is_half_restored() {
    let (folder, elsewhere) = (folder(), folder());
    let (old, new) = (Setup::lasting(folder.path()), Setup::lasting(elsewhere.path()));
    let node = old.start().await;
    node.service("worker", &["tenants:read"]).await;
    back_up(folder.path(), "ambit.backup", &["--data-dir", "data"]).await;
    let whole = std::fs::read(folder.path().join("ambit.backup")).expect("a backup");
    bring_master_key(&old, &new);
    let text = String::from_utf8(whole.clone()).expect("lines of JSON");
    let newer = text.replacen("\"schema\":", "\"schema\":9", 1);
    let mut altered = whole.clone();
    let place = whole.len() / 2;
    altered[place] ^= 1;
    let database = std::fs::read(old.data_dir().join("ambit.db")).expect("a database");
    for (what, octets, why) in [
        ("cut short", &whole[..whole.len() - 1], "ends before its footer"),
        ("cut in half", &whole[..place], "ends before its footer"),
        ("empty", &[], "ends before its footer"),
        ("altered", &altered, "line "),
        ("of another schema", newer.as_bytes(), "restore it with the program that made it"),
        ("a database", &database, "line 1 "),
        ("a text", b"Dear operator,\nthis is no backup.\n", "no header of a backup"),
    ] {
        std::fs::write(folder.path().join("broken.backup"), octets).expect("written");
        let ran = restore(folder.path(), "broken.backup", &new.data_dir(), &[]).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{what}: {ran:?}");
        assert!(ran.stderr.contains(why), "{what}: {}", ran.stderr);
    }
    // As empty as before: the whole one is taken, once.
    let ran = restore(folder.path(), "ambit.backup", &new.data_dir(), &[]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = restore(folder.path(), "ambit.backup", &new.data_dir(), &[]).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("is not empty"), "{}", ran.stderr);
    // Nor into a store that a server works on.
    let ran = restore(folder.path(), "ambit.backup", &old.data_dir(), &[]).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(names(&node).await, BTreeSet::from(["ambit-cli", "root", "worker"].map(str::to_owned)));
    let restored = new.start().await;
    assert_eq!(names(&restored).await, names(&node).await);

    // Without the master key of the old server there is nothing to go on with, and no other key is made.
    let third = crate::support::folder();
    let third = Setup::lasting(third.path());
    let ran = restore(folder.path(), "ambit.backup", &third.data_dir(), &[]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let refused = third.refused().await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("put it back"), "{}", refused.stderr);
    assert!(!third.data_dir().join("master.key").exists());
    bring_master_key(&old, &third);
    third.start().await;
}
