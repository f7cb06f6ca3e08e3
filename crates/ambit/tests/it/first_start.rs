//! What a server refuses to start with, and what its first start makes.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use reqwest::Method;

use crate::support::{AS_ROOT, Setup, eventually, folder};

/// A start that is refused says what is wrong, and makes nothing.
async fn refuses(setup: Setup, why: &[&str]) {
    let ran = setup.refused().await;
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    for why in why {
        assert!(ran.stderr.contains(why), "'{why}' is not in {}", ran.stderr);
    }
    assert!(!setup.data_dir().exists(), "{why:?}: something was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weak_secrets_and_a_demonstration_in_public_are_refused() {
    let folder = folder();
    let setup = || Setup::new(folder.path());
    for weak in ["changeme", "a-secret-of-31-characters-xxxxx", &"x".repeat(40), "short"] {
        refuses(setup().variable("AMBIT_BOOTSTRAP_CLIENT_SECRET", weak), &["bootstrap.client_secret", "32"]).await;
    }
    // What was set is not repeated on the terminal.
    let ran = setup().variable("AMBIT_BOOTSTRAP_CLIENT_SECRET", "canary-too-short").refused().await;
    assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    refuses(setup().arguments(&["--set", "bootstrap.client_secret=whatever"]), &["set it in the environment"]).await;
    let bare = || Setup::bare(folder.path()).arguments(&["--data-dir", "data"]);
    refuses(bare().variable("AMBIT_BOOTSTRAP_CLIENT_ID", "ops"), &["must be set together"]).await;

    let public = ["--listen", "0.0.0.0:0", "--public-url", "https://login.example"];
    refuses(
        Setup::bare(folder.path()).replacing_listen(&public).arguments(&["--demo", "--data-dir", "data"]),
        &["demo is on and listen is not a loopback address"],
    )
    .await;
    let url = ["--demo", "--public-url", "https://login.example"];
    refuses(bare().arguments(&url), &["demo is on and public_url is not a loopback address"]).await;
    let public = ["--listen", "0.0.0.0:0"];
    refuses(
        Setup::bare(folder.path()).replacing_listen(&public).arguments(&["--data-dir", "data"]),
        &["public_url must be set"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_configuration_are_named_all_at_once_with_their_places() {
    let folder = folder();
    let setup = || Setup::new(folder.path()).arguments(&["--config", "a.toml"]);
    let write = |text: &str| std::fs::write(folder.path().join("a.toml"), text).expect("a file");
    write("[limits]\nboddy_bytes = \"1 KiB\"\nrequest_timeout = \"30 parsecs\"\n\n[jurnal]\nflush = \"1 s\"\n");
    refuses(
        setup().variable("AMBIT_LISTENN", "127.0.0.1:0"),
        &[
            "a.toml:2",
            "the nearest is \"limits.body_bytes\"",
            "a.toml:3",
            "a duration with its unit",
            "a.toml:5",
            "AMBIT_LISTENN",
            "the nearest is AMBIT_LISTEN",
        ],
    )
    .await;
    write("");
    refuses(setup(), &["the file is empty"]).await;
    write("listen = \n");
    refuses(setup(), &["a.toml:1", "not TOML"]).await;
    write("[limits]\nbody_timeout = \"40 s\"\nrequest_timeout = \"30 s\"\n");
    refuses(setup(), &["limits.body_timeout is longer than limits.request_timeout"]).await;
    write("[limits]\nbody_bytes = \"1 GiB\"\n");
    refuses(setup(), &["between 1 KiB and 16 MiB"]).await;
    // A secret in a line that cannot be read is not shown with the line.
    write("bootstrap.client_secret = \"canary-canary-canary-canary-canary\n");
    let ran = setup().refused().await;
    assert!(ran.code == 2 && !ran.stderr.contains("canary"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_key_that_others_can_read_is_refused() {
    let folder = folder();
    let setup = Setup::new(folder.path());
    setup.start().await.stop().await;
    let key = setup.data_dir().join("master.key");
    for mode in [0o604, 0o640, 0o620, 0o601] {
        std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).expect("a mode");
        let ran = setup.refused().await;
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("others may read it") && ran.stderr.contains("chmod 600"), "{}", ran.stderr);
    }
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o400)).expect("a mode");
    setup.start().await.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_start_makes_what_is_needed_for_its_owner_alone() {
    let folder = folder();
    let setup = Setup::new(folder.path());
    let node = setup.start().await;
    for (name, mode) in [("", 0o700), ("master.key", 0o600), ("ambit.db", 0o600), ("ambit.db-wal", 0o600)] {
        let found = std::fs::metadata(setup.data_dir().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found.permissions().mode() & 0o777, mode, "{name}");
    }
    let answer = node.token(AS_ROOT, &[]).await;
    assert_eq!(answer.json["scope"], "admin:read admin:write", "{}", answer.text);
    node.stop().await;

    // Whoever can set the environment later does not become an administrator by it.
    let later = setup.variable("AMBIT_BOOTSTRAP_CLIENT_ID", "late").start().await;
    let secret = crate::support::ROOT_SECRET;
    assert_eq!(later.token(("late", secret), &[]).await.status, 401);
    let says = async |what: &str| eventually(SOON, async || later.log.text().contains(what)).await;
    says("AMBIT_BOOTSTRAP_CLIENT_ID is left out").await;
    says("\"late\"").await;
    let listed = later.list("/applications").await;
    let mut names: Vec<&str> = listed.iter().filter_map(|it| it["client_id"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["ambit-cli", "root"]);
}

/// Killed in the middle of the first start, at whatever moment: the next start makes up for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_was_killed_is_made_up_for() {
    for millis in (0..100).step_by(7) {
        let folder = folder();
        let setup = Setup::new(folder.path());
        let started = tokio::time::timeout(Duration::from_millis(millis), setup.start()).await;
        // Dropped, it is killed.
        drop(started);
        let node = setup.start().await;
        assert_eq!(node.token(AS_ROOT, &[]).await.status, 200, "after {millis} ms");
        assert_eq!(node.list("/keys").await.len(), 2);
        let left: Vec<_> =
            std::fs::read_dir(setup.data_dir()).expect("a folder").map(|it| it.expect("a file")).collect();
        let keys = left.iter().filter(|it| it.file_name() == "master.key").count();
        assert_eq!(keys, 1);
    }
}

/// The admin API has one name in the store, and each node checks tokens by its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_public_url_is_noticed_by_itself_and_by_the_others() {
    let folder = folder();
    let setup = Setup::new(folder.path());
    let first = setup.start().await;
    first.list("/applications").await;
    let second = setup.start().await;
    let noticed = "the public URL is another than at the last start";
    eventually(SOON, async || second.log.text().contains(noticed)).await;
    assert!(!first.log.text().contains(noticed), "{}", first.log.text());
    let told = "another node runs on this store with another public_url";
    eventually(SOON, async || first.log.text().contains(told)).await;
    assert!(first.log.text().contains(&format!("{}/api/v1/admin", second.issuer())), "{}", first.log.text());
    let token = first.token(AS_ROOT, &[]).await.access_token();
    assert_eq!(first.admin(&token, Method::GET, "/applications", None).await.status, 401);
    second.list("/applications").await;
    assert!(!second.log.text().contains(told), "{}", second.log.text());
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(first.log.text().matches(told).count(), 1, "once");

    // Started again, each has the store to itself.
    second.stop().await;
    let url = first.issuer();
    first.stop().await;
    let same = setup.arguments(&["--public-url", &url]);
    same.start().await.stop().await;
    let again = same.start().await;
    assert!(!again.log.text().contains(noticed), "{}", again.log.text());
}

const SOON: Duration = Duration::from_secs(10);
