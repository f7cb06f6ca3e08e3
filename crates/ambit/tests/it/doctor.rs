//! `ambit doctor` finds what is wrong, says so in words that help, and changes nothing.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Postgres, ROOT, ROOT_SECRET, Setup, ambit, eventually, folder, on_postgres};

/// What it found about one thing: whether that is good, and the words.
async fn found(folder: &Path, arguments: &str, variables: &[(&str, &str)], what: &str) -> (bool, String) {
    let words: Vec<&str> = ["doctor", "--json"].into_iter().chain(arguments.split(' ')).collect();
    let ran = ambit(folder, variables, &words).await;
    let checks = ran.json();
    let checks = checks.as_array().expect("checks");
    assert_eq!(ran.code, i32::from(checks.iter().any(|check| check["ok"] == false)), "{ran:?}");
    let check = checks.iter().find(|check| check["check"] == what).unwrap_or_else(|| panic!("no {what} in {checks:?}"));
    (check["ok"] == true, check["detail"].as_str().expect("a text").to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_without_anything_is_well_and_stays_as_it_is() {
    let folder = folder();
    let (good, text) = found(folder.path(), "--offline --data-dir data", &[], "store").await;
    assert!(good && text == "neither master key nor database in data: the first start makes them", "{text}");
    let apart = "--offline --data-dir data --set master_key_file=apart.key";
    let (good, text) = found(folder.path(), apart, &[], "store").await;
    assert!(good && text.contains("neither master key apart.key nor database data/ambit.db:"), "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_on_this_machine_is_found() {
    let folder = folder();
    Setup::new(folder.path()).start().await.stop().await;
    let offline = "--offline --data-dir data";
    let (good, text) = found(folder.path(), offline, &[], "signing keys").await;
    assert!(good && text.contains("signs by ES256"), "{text}");

    // Names that no key has: the nearest is told, and where it stands.
    std::fs::write(folder.path().join("ambit.toml"), "listen = \"127.0.0.1:0\"\ndatadir = \"x\"\n").expect("a file");
    let (good, text) = found(folder.path(), offline, &[], "configuration").await;
    assert!(!good && text.contains("ambit.toml:2") && text.contains("the nearest is \"data_dir\""), "{text}");
    std::fs::remove_file(folder.path().join("ambit.toml")).expect("removed");
    let (good, text) = found(folder.path(), offline, &[("AMBIT_DATA_DIRR", "x")], "configuration").await;
    assert!(!good && text.contains("AMBIT_DATA_DIR"), "{text}");

    // The master key: for its owner alone, whole, and the one that the keys were sealed with.
    let key = folder.path().join("data/master.key");
    let mode =
        |mode| std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("a mode");
    mode(0o644);
    let (good, text) = found(folder.path(), offline, &[], "master key").await;
    assert!(!good && text.contains("mode 644") && text.contains("chmod 600"), "{text}");
    mode(0o600);
    let right = std::fs::read_to_string(&key).expect("a key");
    std::fs::write(&key, "half a key").expect("written");
    let (good, text) = found(folder.path(), offline, &[], "master key").await;
    assert!(!good && text.contains("43 characters"), "{text}");
    std::fs::write(&key, "A".repeat(43)).expect("written");
    let (good, text) = found(folder.path(), offline, &[], "signing keys").await;
    assert!(!good && text.contains("another master key"), "{text}");
    std::fs::remove_file(&key).expect("removed");
    let (good, text) = found(folder.path(), offline, &[], "master key").await;
    assert!(!good && text.contains("is not there"), "{text}");
    assert!(!key.exists());
    std::fs::write(&key, right).expect("written");
    mode(0o600);

    // No key that signs by the algorithm that is asked for.
    let (good, text) =
        found(folder.path(), &format!("{offline} --set keys.default_algorithm=EdDSA"), &[], "signing keys").await;
    assert!(!good && text.contains("none is active for EdDSA"), "{text}");

    // A schema of before and one of after; a file that is no database.
    let database = folder.path().join("data/ambit.db");
    let after = "INSERT INTO schema_migrations (version, name, checksum) VALUES (99, '0099_fly', 'x')";
    execute(&database, after).await;
    let (good, text) = found(folder.path(), offline, &[], "store").await;
    assert!(!good && text.contains("newer than this program") && text.contains("0099_fly"), "{text}");
    let refused = Setup::new(folder.path()).refused().await;
    assert_eq!(refused.code, 2, "an old program starts on a new schema: {refused:?}");
    assert!(refused.stderr.contains("newer than this program"), "{}", refused.stderr);
    execute(&database, "DELETE FROM schema_migrations WHERE version = 99").await;
    execute(&database, "DELETE FROM schema_migrations WHERE version = 10").await;
    let (good, text) = found(folder.path(), offline, &[], "store").await;
    assert!(!good && text.contains("has version 9") && text.contains("migrate"), "{text}");
    std::fs::write(folder.path().join("notes.txt"), "not a database at all. ".repeat(100)).expect("written");
    let url = format!("sqlite://{}", folder.path().join("notes.txt").display());
    let (good, _) = found(folder.path(), &format!("{offline} --database-url {url}"), &[], "store").await;
    assert!(!good);

    // A server of databases that is not there.
    let nowhere = format!("{offline} --database-url postgres://nobody@127.0.0.1:1/nothing");
    let (good, text) = found(folder.path(), &nowhere, &[], "store").await;
    assert!(!good && !text.is_empty(), "{text}");
}

/// A disk that gives back something else than it was given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_were_altered_are_named_and_everything_else_works() {
    let folder = folder();
    let setup = Setup::new(folder.path()).arguments(&["--demo"]);
    let node = setup.start().await;
    let kiosk = node.service("kiosk", &["offers:read"]).await;
    let shop = node.service("shop", &["offers:read"]).await;
    node.stop().await;
    let offline = "--offline --data-dir data";
    let (good, text) = found(folder.path(), offline, &[], "rows").await;
    assert!(good && text.contains("as they were written"), "{text}");

    // As good JSON as before, of an application that may do more, and of a scope that other things do not need.
    let database = folder.path().join("data/ambit.db");
    execute(
        &database,
        "UPDATE applications SET document = replace(document, '\"offers:read\"', '\"admin:write\"') \
         WHERE natural_key = 'shop'",
    )
    .await;
    execute(&database, "UPDATE scopes SET document = document || ' ' WHERE id = 'pos:receipts:read'").await;
    let (good, text) = found(folder.path(), offline, &[], "rows").await;
    assert!(!good && text.starts_with("2 ") && text.contains("scopes pos:receipts:read"), "{text}");
    assert!(text.contains("applications app_"), "{text}");

    let node = setup.start().await;
    assert_eq!(node.token(("kiosk", &kiosk), &[]).await.json["scope"], "offers:read");
    let refused = node.token(("shop", &shop), &[]).await;
    assert_eq!((refused.status, &refused.json["error"]), (500, &"server_error".into()), "{}", refused.text);
    // It may neither be asked for nor given, and the catalogue does not have it.
    let asked = node.token(("kiosk", &kiosk), &[("scope", "pos:receipts:read")]).await;
    assert_eq!((asked.status, &asked.json["error"]), (400, &"invalid_scope".into()), "{}", asked.text);
    let log = node.log.clone();
    node.stop().await;
    assert!(log.text().contains("pos:receipts:read cannot be read"), "{}", log.text());

    // Where no key is left, something else is the matter than a key.
    execute(&database, "UPDATE keys SET document = document || ' '").await;
    let refused = setup.refused().await;
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(refused.stderr.contains("the stored key key_") && refused.stderr.contains("cannot be read"), "{refused:?}");
}

/// attacks.md C16 337: what was altered is refused, and the server starts without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signing_key_and_scopes_of_ours_that_were_altered_stop_no_start() {
    let folder = folder();
    let setup = Setup::new(folder.path()).arguments(&["--demo"]);
    let node = setup.start().await;
    let kiosk = ("kiosk", node.service("kiosk", &["offers:read", "scopes:read"]).await);
    let kiosk = (kiosk.0, kiosk.1.as_str());
    let before = node.token(kiosk, &[]).await.access_token();
    assert!(node.is_active(kiosk, &before).await);
    node.stop().await;

    let database = folder.path().join("data/ambit.db");
    let altered = ["'openid'", "'admin:read'", "'scopes:read'"].join(", ");
    let alter_the_active_key =
        "UPDATE keys SET document = document || ' ' WHERE document LIKE '%\"state\":\"active\"%'";
    for statement in [
        alter_the_active_key,
        &format!("UPDATE scopes SET document = document || ' ' WHERE natural_key IN ({altered})"),
        "UPDATE applications SET document = document || ' ' WHERE natural_key = 'ambit-cli'",
    ] {
        execute(&database, statement).await;
    }
    let (good, text) = found(folder.path(), "--offline --data-dir data", &[], "rows").await;
    assert!(!good && text.contains("keys key_") && text.contains("scopes openid"), "{text}");

    let node = setup.start().await;
    assert!(!node.is_active(kiosk, &before).await, "the key that verifies it is not as it was");
    let asked = node.token(kiosk, &[("scope", "scopes:read")]).await;
    assert_eq!((asked.status, &asked.json["error"]), (400, &"invalid_scope".into()), "{}", asked.text);
    let after = node.token(kiosk, &[("scope", "offers:read")]).await;
    assert!(node.is_active(kiosk, &after.access_token()).await, "a new key has taken its place: {}", after.text);
    // And it is changed and followed as any other.
    node.made(Method::POST, "/keys/rotate", &json!({ "algorithm": "ES256", "force": true })).await;
    assert!(node.is_active(kiosk, &after.access_token()).await);
    assert!(node.is_active(kiosk, &node.token(kiosk, &[("scope", "offers:read")]).await.access_token()).await);

    // Under a running server: what is in memory goes on, and every change counts all the same.
    let now = node.token(kiosk, &[("scope", "offers:read")]).await.access_token();
    execute(&database, alter_the_active_key).await;
    let retired = json!({ "state": "retired" });
    node.made(Method::PATCH, "/scopes/offers:read", &retired).await;
    let asked = node.token(kiosk, &[("scope", "offers:read")]).await;
    assert_eq!((asked.status, &asked.json["error"]), (400, &"invalid_scope".into()), "{}", asked.text);
    assert!(node.root().await.len() > 100, "tokens are signed as before");
    assert!(node.is_active(kiosk, &now).await, "and verified");
    let log = node.log.clone();
    node.stop().await;
    for left_out in ["the stored key key_", "openid", "admin:read"] {
        assert!(log.text().contains(left_out), "{left_out}: {}", log.text());
    }
}

async fn an_empty_database(database: &Postgres) {
    let folder = folder();
    let variables = [("AMBIT_DATABASE_URL", database.url())];
    let variables = [(variables[0].0, variables[0].1.as_str())];
    let (good, text) = found(folder.path(), "--offline --data-dir data", &variables, "store").await;
    assert!(!good && text.contains("is empty"), "{text}");
    let migrated = ambit(folder.path(), &variables, &["migrate", "--json"]).await;
    assert_eq!(migrated.code, 0, "{migrated:?}");
    let (good, text) = found(folder.path(), "--offline --data-dir data", &variables, "store").await;
    assert!(good && text.contains("postgres, schema version"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_postgresql_is_told_from_one_that_is_ready() {
    on_postgres(an_empty_database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_running_server_is_found() {
    let folder = folder();
    let node = Setup::lasting(folder.path()).start().await;
    let at = format!("--data-dir data --url {}", node.url);
    let (good, text) = found(folder.path(), &at, &[], "discovery").await;
    assert!(!good && text.contains("set --url or public_url"), "{text}");
    let (good, _) = found(folder.path(), &at, &[], "clock").await;
    assert!(good);
    let wrong = [("AMBIT_CLIENT_ID", ROOT), ("AMBIT_CLIENT_SECRET", "wrong")];
    let (good, text) = found(folder.path(), &at, &wrong, "credentials").await;
    assert!(!good && text.contains("invalid_client"), "{text}");
    let (good, text) = found(folder.path(), "--data-dir data --url http://127.0.0.1:1", &[], "server").await;
    assert!(!good && text.contains("127.0.0.1:1"), "{text}");

    // A server that lives in another hour.
    let elsewhere = in_another_time().await;
    let (good, text) = found(folder.path(), &format!("--data-dir data --url {elsewhere}"), &[], "clock").await;
    assert!(!good && text.contains("s behind this machine's"), "{text}");
    let (good, text) = found(folder.path(), &format!("--data-dir data --url {elsewhere}"), &[], "key set").await;
    assert!(!good && text.contains("no key is published"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_that_is_looked_at_is_that_of_the_configuration() {
    let folder = folder();
    let node = Setup::new(folder.path()).start().await;
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("named.toml", &format!("data_dir = 'data'\npublic_url = '{}'\n", node.url));
    write("listens.toml", &format!("data_dir = 'data'\nlisten = '{}'\n", node.url.trim_start_matches("http://")));
    write("other.toml", "data_dir = 'data'\npublic_url = 'http://127.0.0.1:1'\n");
    for config in ["--config named.toml", "--config listens.toml"] {
        let (good, text) = found(folder.path(), config, &[], "server").await;
        assert!(good && text == format!("{} is ready", node.url), "{text}");
        let (good, text) = found(folder.path(), config, &[], "discovery").await;
        assert!(good && text == format!("issuer {}", node.url), "{text}");
    }
    let (good, text) = found(folder.path(), "--config other.toml", &[], "server").await;
    assert!(!good && text.contains("127.0.0.1:1"), "{text}");

    // Another server than that of the configuration is looked at where it is named, and said to be another.
    for other in ["--config other.toml", "--data-dir data --set listen=127.0.0.1:1"] {
        let (good, text) = found(folder.path(), other, &[("AMBIT_URL", &node.url)], "discovery").await;
        assert!(
            !good && text.contains(&node.url) && text.contains("the configuration is http://127.0.0.1:1"),
            "{text}"
        );
    }
    // A configuration that says nothing of it is no other.
    let (good, text) = found(folder.path(), "--data-dir data", &[("AMBIT_URL", &node.url)], "discovery").await;
    assert!(good, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_the_admin_api_does_not_take_is_found() {
    let folder = folder();
    let setup = Setup::new(folder.path());
    let first = setup.start().await;
    let as_root = [("AMBIT_CLIENT_ID", ROOT), ("AMBIT_CLIENT_SECRET", ROOT_SECRET)];
    let at = format!("--data-dir data --url {}", first.url);
    let (good, text) = found(folder.path(), &at, &as_root, "admin API").await;
    assert!(good && text == "takes the token", "{text}");
    // Whose token opens nothing there is not to try.
    let secret = first.service("kiosk", &["tenants:read"]).await;
    let kiosk = [("AMBIT_CLIENT_ID", "kiosk"), ("AMBIT_CLIENT_SECRET", secret.as_str())];
    let words: Vec<&str> = ["doctor"].into_iter().chain(at.split(' ')).collect();
    let ran = ambit(folder.path(), &kiosk, &words).await;
    assert!(ran.code == 0 && ran.stdout.contains("credentials") && !ran.stdout.contains("admin API"), "{ran:?}");

    // Another node on the store calls itself otherwise, and so the API.
    let second = setup.start().await;
    let reason =
        format!("refuses the token: the token is for another audience; this API is '{}/api/v1/admin'", first.url);
    eventually(Duration::from_secs(20), async || {
        let (good, text) = found(folder.path(), &at, &as_root, "admin API").await;
        !good && text.contains(&reason)
    })
    .await;
    let (good, _) = found(folder.path(), &at, &as_root, "credentials").await;
    assert!(good);
    second.stop().await;
}

/// Answers everything with an empty object, long ago.
async fn in_another_time() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let answer = "HTTP/1.1 200 OK\r\ndate: Thu, 15 Jan 2026 08:00:00 GMT\r\nconnection: close\r\n\
                    content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("http://{address}")
}

async fn execute(database: &Path, statement: &str) {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(&format!("sqlite://{}", database.display())).await.expect("connects");
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.expect(statement);
    connection.close().await.expect("closes");
}

/// For people it is the same, line by line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_read_a_line_for_each_thing() {
    let folder = folder();
    Setup::new(folder.path()).start().await.stop().await;
    let ran = ambit(folder.path(), &[], &["doctor", "--offline", "--data-dir", "data"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let json = ambit(folder.path(), &[], &["doctor", "--offline", "--data-dir", "data", "--json"]).await.json();
    let checks: &Vec<Value> = json.as_array().expect("checks");
    assert_eq!(ran.stdout.lines().count(), checks.len());
    assert!(ran.stdout.lines().all(|line| line.starts_with("ok    ")), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_letters_go_is_told_and_whether_they_are_taken() {
    let folder = folder();
    let (good, text) = found(folder.path(), "--offline --data-dir data", &[], "mail").await;
    assert!(good && text.contains("no letters are sent") && text.contains("[mail]"), "{text}");
    let (good, text) = found(folder.path(), "--offline --data-dir data --set mail.transport=file", &[], "mail").await;
    assert!(good && text.contains("data/mail"), "{text}");
    // A port that was free a moment ago, and where nobody listens now.
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let here = format!(
        "--data-dir data --set mail.host=127.0.0.1 --set mail.tls=off --set mail.from=a@b.example --set mail.port={port}"
    );
    let nobody = [("AMBIT_URL", "http://127.0.0.1:1")];
    let (good, text) = found(folder.path(), &here, &nobody, "mail").await;
    assert!(!good, "{text}");
    let (good, text) = found(folder.path(), &format!("{here} --offline"), &nobody, "mail").await;
    assert!(good && text.contains("127.0.0.1"), "{text}");
}
