//! `ambit serve --demo`: the commands that it prints, pasted one after another, show what is said above them.

use serde_json::Value;

use crate::support::{Node, Setup, claims, folder, has, shell};

/// What the server printed to be pasted, in its order.
fn printed(node: &Node) -> Vec<String> {
    let is_command = |line: &&str| ["curl ", "TOKEN=", "ADMIN_TOKEN="].iter().any(|start| line.starts_with(start));
    node.said.text().lines().filter(is_command).map(str::to_owned).collect()
}

/// Pastes all commands into one shell; what each of them wrote.
async fn paste(commands: &[String]) -> Vec<String> {
    let behind = format!("\nprintf '{SEPARATOR}'\n");
    let script = commands.join(&behind) + &behind;
    let pasted = shell(&[], &script).await;
    assert_eq!((pasted.code, pasted.stderr.as_str()), (0, ""), "{}", pasted.stdout);
    let wrote: Vec<String> = pasted.stdout.split(SEPARATOR).map(|part| part.trim().to_owned()).collect();
    assert_eq!(wrote.len(), commands.len() + 1);
    wrote
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demonstration_shows_what_it_says_when_it_is_pasted() {
    if !has("curl").await {
        return;
    }
    let folder = folder();
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).expect("a folder");
    let setup = Setup::bare(folder.path()).arguments(&["--demo"]).variable("TMPDIR", &temporary.display().to_string());
    let node = setup.start().await;
    let commands = printed(&node);
    let wrote = paste(&commands).await;
    let mut answers =
        commands.iter().zip(&wrote).filter(|(command, _)| command.starts_with("curl")).map(|(command, wrote)| {
            serde_json::from_str::<Value>(wrote).unwrap_or_else(|error| panic!("{command}: {error}: {wrote}"))
        });
    let mut next = || answers.next().expect("one more command");

    let till = next();
    assert_eq!(till["scope"], "pos.read pos.write pos:receipts:read", "{till}");
    assert_eq!(claims(till["access_token"].as_str().expect("a token"))["scope"], till["scope"]);
    let misspelt = next();
    assert_eq!(misspelt["error"], "invalid_scope");
    assert_eq!(misspelt["error_description"], "scope 'admin' not registered; did you mean 'admin:read'?");
    let refused = next();
    assert_eq!(refused["status"], 403);
    assert_eq!(refused["detail"], "Platform token requires admin:read or admin:write scope");
    let fix = refused["why"]["fix"][0]["command"].as_str().expect("a command");
    assert!(fix.contains("/applications/report/allowed_scopes"), "{fix}");
    let allowed = next();
    assert!(allowed["allowed_scopes"].as_array().expect("a list").contains(&"admin:read".into()), "{allowed}");
    let stale = next();
    assert_eq!(stale["status"], 403);
    let why = stale["why"]["verdict"].as_str().expect("a text");
    assert!(why.contains("before the application's allowed scopes changed"), "{why}");
    let listed = next();
    assert_eq!(listed["items"].as_array().expect("a list").len(), 5, "{listed}");
    let switched = next();
    assert_eq!((&switched["key"], &switched["open"]), (&"digital-receipts".into(), &false.into()), "{switched}");
    let left_out = next();
    assert_eq!(left_out["scope"], "pos.read");
    assert_eq!(left_out["dropped_scopes"][0]["scope"], "pos:receipts:read");
    assert_eq!(left_out["dropped_scopes"][0]["reason"], "feature_off_for_tenant");
    let scopes = next();
    let receipts = scopes["scopes"].as_array().expect("a list").iter().find(|it| it["scope"] == "pos:receipts:read");
    assert_eq!(receipts.expect("it is in the list")["closed"], true);
    let explained = next();
    assert!(explained["verdict"].as_str().expect("a text").contains("pos:receipts:read"), "{explained}");
    let link = explained["because"].as_array().expect("a chain").iter().find(|it| it["ok"] == false);
    assert_eq!(link.expect("a broken link")["link"], "gate_open");
    assert!(answers.next().is_none());

    // The two pages that it names at the end.
    for page in ["/api/v1/docs", "/errors/"] {
        assert!(node.said.text().contains(&format!("{}{page}", node.url)));
        assert_eq!(node.get(page).await.status, 200);
    }
    // It leaves nothing behind.
    assert_eq!(std::fs::read_dir(&temporary).expect("a folder").count(), 1);
    node.stop().await;
    assert_eq!(std::fs::read_dir(&temporary).expect("a folder").count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demonstration_that_is_kept_shows_its_secrets_once() {
    let folder = folder();
    let setup = Setup::lasting(folder.path()).arguments(&["--demo"]);
    let node = setup.start().await;
    assert!(!printed(&node).is_empty());
    node.stop().await;
    let again = setup.start().await;
    assert_eq!(printed(&again), [""; 0]);
    assert_eq!(again.list("/tenants").await.len(), 2);
}

const SEPARATOR: &str = "@@@next@@@";
