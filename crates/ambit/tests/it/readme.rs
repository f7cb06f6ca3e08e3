//! The commands that documents tell people to paste: README's own, and those of seed 000.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PROGRAM, ROOT, ROOT_SECRET, Setup, folder, has, shell};

/// The blocks of shell commands in README.
fn blocks() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let text = std::fs::read_to_string(path).expect("README.md");
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("an end").to_owned());
    blocks.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_readme_tells_to_paste_works() {
    if !has("curl").await || !has("python3").await {
        return;
    }
    let blocks = blocks();
    let of =
        |text: &str| blocks.iter().find(|block| block.contains(text)).unwrap_or_else(|| panic!("no block with {text}"));

    // The server, as it is told to be started, but for its address and for who builds it.
    let start = of("serve --data-dir ./data");
    let (exports, serve) = start.trim().rsplit_once('\n').expect("exports, then the command");
    assert_eq!(serve, "cargo run --release -- serve --data-dir ./data");
    let folder = folder();
    let node = Setup::bare(folder.path())
        .arguments(&["--data-dir", "./data"])
        .behind(format!("{exports}\nexec \"$0\" \"$@\""))
        .start()
        .await;
    assert!(folder.path().join("data/ambit.db").exists());

    // What was exported there is in the environment of whoever goes on in that shell.
    let environment = std::fs::read(format!("/proc/{}/environ", node.pid())).expect("its environment");
    let environment = String::from_utf8(environment).expect("UTF-8");
    let exported = |name: &str| {
        let value = environment.split('\0').find_map(|variable| variable.strip_prefix(&format!("{name}=")));
        value.unwrap_or_else(|| panic!("{name} is not exported")).to_owned()
    };
    let names = ["AMBIT_BOOTSTRAP_CLIENT_ID", "AMBIT_BOOTSTRAP_CLIENT_SECRET"];
    let values = names.map(exported);
    let variables: Vec<(&str, &str)> = names.iter().zip(&values).map(|(name, value)| (*name, value.as_str())).collect();
    let calls = of("TOKEN=$(curl").replace("http://127.0.0.1:5000", &node.url);
    let pasted = shell(&variables, &calls).await;
    let scopes = pasted.json();
    let listed = |name: &str| scopes["items"].as_array().expect("a list").iter().any(|scope| scope["name"] == name);
    assert!(listed("admin:read") && listed("openid"), "{scopes}");
}

/// The commands of the guide to people, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_guide_to_people_tells_to_paste_works() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/people.md");
    let text = std::fs::read_to_string(path).expect("docs/guides/people.md");
    let block = text.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block of commands");
    let folder = folder();
    let node = Setup::new(folder.path()).start().await;
    let variables = [
        ("AMBIT_URL", node.url.as_str()),
        ("AMBIT_CLIENT_ID", ROOT),
        ("AMBIT_CLIENT_SECRET", ROOT_SECRET),
        ("PROGRAM", PROGRAM),
    ];
    let pasted = shell(&variables, &format!("set -e\nambit() {{ \"$PROGRAM\" \"$@\"; }}\n{block}")).await;
    assert_eq!((pasted.code, pasted.stderr.as_str()), (0, ""), "{pasted:?}");
    let last: Vec<Vec<&str>> =
        pasted.stdout.lines().rev().take(2).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(last, [vec!["till", "Tills"], vec!["manager"]], "{pasted:?}");
}

/// The commands of seed 000, as they stand there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_seed_000_work_as_they_were_written() {
    if !has("curl").await || !has("python3").await {
        return;
    }
    let folder = folder();
    let node = Setup::new(folder.path()).start().await;
    let secret = node.service("worker", &["tenants:read"]).await;
    let id = node.admin(&node.root().await, Method::GET, "/applications/worker", None).await.json["id"].clone();
    let administrator = node.root().await;
    let variables = [("SCAIKEY", node.url.as_str()), ("CLIENT_ID", "worker"), ("CLIENT_SECRET", &secret)];
    let token = r#"curl -s -X POST "$SCAIKEY/api/v1/platform/oauth/token" \
  -u "$CLIENT_ID:$CLIENT_SECRET" \
  -d "grant_type=client_credentials" \
  -d "scope=admin:read""#;
    let refused = shell(&variables, token).await.json();
    assert_eq!(refused["error_description"], "scope 'admin:read' not allowed for this application");

    let patch = r#"curl -s -X PATCH "$SCAIKEY/api/v1/admin/applications/<app_id>" \
  -H "Authorization: Bearer <super_admin_token>" \
  -H "Content-Type: application/json" \
  -d '{"allowed_scopes":["openid","admin:read","admin:write"]}'"#;
    let patch =
        patch.replace("<app_id>", id.as_str().expect("an identifier")).replace("<super_admin_token>", &administrator);
    let patched = shell(&variables, &patch).await.json();
    assert_eq!(patched["allowed_scopes"], json!(["openid", "admin:read", "admin:write"]), "{patched}");

    let granted = shell(&variables, token).await.json();
    assert_eq!(granted["scope"], "admin:read", "{granted}");
    let omitted = shell(&variables, &token.replace(" \\\n  -d \"scope=admin:read\"", "")).await.json();
    assert_eq!(omitted["scope"], "admin:read admin:write", "{omitted}");

    // Without padding, `base64 -d` complains and decodes all the same.
    let decode = r#"echo "$TOKEN" | cut -d. -f2 | base64 -d 2>/dev/null | python3 -m json.tool"#;
    for granted in [&granted, &omitted] {
        let token = granted["access_token"].as_str().expect("a token");
        let decoded: Value = shell(&[("TOKEN", token)], decode).await.json();
        assert_eq!(decoded["scope"], granted["scope"]);
        let call = format!("curl -s {}/api/v1/admin/applications -H \"Authorization: Bearer $TOKEN\"", node.url);
        assert!(shell(&[("TOKEN", token)], &call).await.json()["items"].is_array());
    }
}
