//! The commands that documents tell people to paste: README's own, and those of seed 000.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::clients::person::{Consent, Person};
use crate::clients::world::person;
use crate::support::{PROGRAM, ROOT, ROOT_SECRET, Setup, claims, folder, has, shell};

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
    let start = of("AMBIT_BOOTSTRAP_CLIENT_ID=");
    let serve = "\ncargo run --release -- serve --data-dir ./data-ops &\n";
    let (exports, calls) = start.split_once(serve).expect("exports, the command, then calls");
    let folder = folder();
    let node = Setup::bare(folder.path())
        .arguments(&["--data-dir", "./data-ops"])
        .behind(format!("{exports}\nexec \"$0\" \"$@\""))
        .start()
        .await;
    assert!(folder.path().join("data-ops/ambit.db").exists());

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
    // Those wait until it answers, and begin with that.
    assert!(calls.starts_with("until curl ") && calls.contains("/readyz"), "{calls}");
    let pasted = shell(&variables, &calls.replace("http://127.0.0.1:5000", &node.url)).await;
    let scopes = pasted.json();
    let listed = |name: &str| scopes["items"].as_array().expect("a list").iter().any(|scope| scope["name"] == name);
    assert!(listed("admin:read") && listed("openid"), "{scopes}");
}

/// The commands of the guide to people, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_guide_to_people_tells_to_paste_works() {
    if !has("curl").await || !has("python3").await {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/people.md");
    let text = std::fs::read_to_string(path).expect("docs/guides/people.md");
    let blocks: Vec<&str> =
        text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("an end")).collect();
    let [people, administrator] = blocks[..] else { panic!("{} blocks", blocks.len()) };
    let folder = folder();
    let node = Setup::new(folder.path()).start().await;
    let tenant = node.made(Method::POST, "/tenants", &json!({"name": "Acme", "slug": "acme"})).await;
    let token = node.root().await;
    let variables = [
        ("AMBIT_URL", node.url.as_str()),
        ("AMBIT_CLIENT_ID", ROOT),
        ("AMBIT_CLIENT_SECRET", ROOT_SECRET),
        ("ADMIN_TOKEN", token.as_str()),
        ("TENANT_ID", tenant["id"].as_str().expect("an identifier")),
        ("PROGRAM", PROGRAM),
    ];
    let paste =
        async |block: &str| shell(&variables, &format!("set -e\nambit() {{ \"$PROGRAM\" \"$@\"; }}\n{block}")).await;
    let pasted = paste(people).await;
    assert_eq!((pasted.code, pasted.stderr.as_str()), (0, ""), "{pasted:?}");
    let last: Vec<Vec<&str>> =
        pasted.stdout.lines().rev().take(2).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(last, [vec!["till", "Tills"], vec!["manager"]], "{pasted:?}");
    let made = paste(administrator).await.json();
    assert_eq!((&made["role"], &made["tenant_id"]), (&json!("tenant_admin"), &tenant["id"]), "{made}");
}

/// The commands of the guide to signing in, with somebody who signs in between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_guide_to_signing_in_tells_to_paste_works() {
    if !has("curl").await || !has("python3").await {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/sign-in.md");
    let text = std::fs::read_to_string(path).expect("docs/guides/sign-in.md");
    let blocks: Vec<&str> =
        text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("an end")).collect();
    let [make, register, send, redeem, renew] = blocks[..] else { panic!("{} blocks", blocks.len()) };
    let folder = folder();
    let node = Setup::new(folder.path()).start().await;
    let variables = [("AMBIT_URL", node.url.as_str()), ("AMBIT_CLIENT_ID", ROOT), ("AMBIT_CLIENT_SECRET", ROOT_SECRET)];
    // What the first block keeps in the shell is there for those after it.
    let pasted = shell(&variables, &format!("set -e\n{make}printf '\\n%s\\n' \"$ADMIN_TOKEN\"")).await;
    let lines: Vec<&str> = pasted.stdout.lines().collect();
    let [tenant, token] = lines[..] else { panic!("{pasted:?}") };
    let tenant: Value = serde_json::from_str(tenant).unwrap_or_else(|error| panic!("{error}: {tenant}"));
    let api =
        node.made(Method::POST, "/apis", &json!({"identifier": "https://orders.example", "name": "Orders"})).await;
    let scope = json!({
        "name": "orders:read", "api": api["id"], "kind": "granular",
        "title": {"en": "Read orders"}, "description": {"en": "See what was ordered."},
    });
    node.made(Method::POST, "/scopes", &scope).await;
    let ada = person(&node, Some(&tenant["id"])).await;

    let variables = [("AMBIT_URL", node.url.as_str()), ("ADMIN_TOKEN", token)];
    let kept = "printf '%s\\n' \"$SHOP_SECRET\" \"$VERIFIER\"";
    let pasted = shell(&variables, &format!("set -e\n{register}{send}{kept}")).await;
    assert_eq!((pasted.code, pasted.stderr.as_str()), (0, ""), "{pasted:?}");
    let lines: Vec<&str> = pasted.stdout.lines().collect();
    let [address, secret, verifier] = lines[..] else { panic!("{pasted:?}") };

    let back = Person::new(&node.url, None).visit(address, Consent::Allow).await;
    let back = url::Url::parse(&back).expect("a URL");
    let parameter = |name: &str| back.query_pairs().find(|(it, _)| it == name).map(|(_, value)| value.into_owned());
    let told = (parameter("state"), parameter("iss"));
    assert_eq!(told, (Some("af0ifjs".to_owned()), Some(format!("{}/tenants/acme", node.url))), "{back}");
    let code = parameter("code").unwrap_or_else(|| panic!("no code: {back}"));

    let variables =
        [("AMBIT_URL", node.url.as_str()), ("SHOP_SECRET", secret), ("VERIFIER", verifier), ("CODE", code.as_str())];
    let renewed = shell(&variables, &format!("set -e\n{redeem}{renew}")).await.json();
    assert_eq!(renewed["scope"], "openid orders:read", "{renewed}");
    let token = renewed["access_token"].as_str().expect("a token");
    assert_eq!(claims(token)["sub"], ada, "{renewed}");
}

/// The command of the guide to client libraries. What it shows of code is looked after in `clients/guide.rs`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_guide_to_client_libraries_tells_to_paste_works() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/connect-an-application.md");
    let text = std::fs::read_to_string(path).expect("docs/guides/connect-an-application.md");
    let block = text.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block of commands");
    let folder = folder();
    let node = Setup::new(folder.path()).start().await;
    let tenant = node.made(Method::POST, "/tenants", &json!({"name": "Acme", "slug": "acme"})).await;
    let variables = [
        ("AMBIT_URL", node.url.as_str()),
        ("AMBIT_CLIENT_ID", ROOT),
        ("AMBIT_CLIENT_SECRET", ROOT_SECRET),
        ("TENANT_ID", tenant["id"].as_str().expect("an identifier")),
        ("PROGRAM", PROGRAM),
    ];
    // The same with an origin, as the text tells of it.
    assert!(text.contains("(`--allowed-origin https://shop.example`)"), "{text}");
    let block = format!("{} --allowed-origin https://shop.example", block.trim());
    let pasted = shell(&variables, &format!("ambit() {{ \"$PROGRAM\" \"$@\"; }}\n{block}")).await;
    assert_eq!((pasted.code, pasted.stderr.as_str()), (0, ""), "{pasted:?}");
    assert!(pasted.stdout.contains("client_secret"), "{pasted:?}");
    let made = node.admin(&node.root().await, Method::GET, "/applications/shop", None).await.json;
    assert_eq!(made["redirect_uris"], json!(["https://shop.example/cb"]));
    assert_eq!(made["post_logout_redirect_uris"], json!(["https://shop.example/bye"]));
    assert_eq!(made["allowed_origins"], json!(["https://shop.example"]));
    assert_eq!(made["allowed_scopes"], json!(["openid", "profile", "email"]));
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
