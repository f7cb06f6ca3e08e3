//! Every command against one running server, for people and for programs, when it goes well and when it does not.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Node, ROOT, ROOT_SECRET, Ran, Setup, ambit, folder, given, speaking};

/// A server with something of everything, and a terminal beside it.
struct Terminal {
    node: Node,
    folder: tempfile::TempDir,
    walked: std::cell::RefCell<BTreeSet<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    People,
    Programs,
}

impl Terminal {
    async fn new() -> Self {
        let folder = folder();
        let node = Setup::new(folder.path()).arguments(&["--demo"]).start().await;
        Self { node, folder, walked: std::cell::RefCell::default() }
    }

    async fn run(&self, whom: For, variables: &[(&str, &str)], arguments: &str) -> Ran {
        let mode = if whom == For::People { "text" } else { "json" };
        let mut words: Vec<String> = arguments
            .split(' ')
            .map(|word| word.replace("MODE", mode).replace('_', " ").replace("UNDERLINE", "_"))
            .collect();
        let words_of_the_command = words.iter().take_while(|word| !word.starts_with("--")).take(2);
        self.walked.borrow_mut().insert(words_of_the_command.cloned().collect::<Vec<_>>().join(" "));
        if whom == For::Programs {
            words.push("--json".to_owned());
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        ambit(self.folder.path(), variables, &words).await
    }

    fn as_root(&self) -> [(&str, &str); 3] {
        [("AMBIT_URL", &self.node.url), ("AMBIT_CLIENT_ID", ROOT), ("AMBIT_CLIENT_SECRET", ROOT_SECRET)]
    }

    /// A command that goes well says so on standard output, and nothing else anywhere.
    async fn well(&self, arguments: &str) -> Value {
        let shown = self.run(For::People, &self.as_root(), arguments).await;
        assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{arguments}: {shown:?}");
        assert!(!shown.stdout.trim().is_empty(), "{arguments}");
        let ran = self.run(For::Programs, &self.as_root(), arguments).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments}: {ran:?}");
        ran.json()
    }

    /// A command that fails says why on standard error, and nothing on standard output.
    async fn fails(&self, code: i32, variables: &[(&str, &str)], arguments: &str, why: &[&str]) -> Value {
        let shown = self.run(For::People, variables, arguments).await;
        assert_eq!((shown.code, shown.stdout.as_str()), (code, ""), "{arguments}: {shown:?}");
        for why in why {
            assert!(shown.stderr.contains(why), "{arguments}: '{why}' is not in {}", shown.stderr);
        }
        let ran = self.run(For::Programs, variables, arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{arguments}: {ran:?}");
        let error: Value = serde_json::from_str(&ran.stderr).unwrap_or_else(|_| panic!("{arguments}: {}", ran.stderr));
        assert_eq!(error["exit_code"], code);
        assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{error}");
        error
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_goes_well_for_people_and_for_programs() {
    let it = Terminal::new().await;
    // Applications.
    let made = it.well("app create Till --id till-MODE --level platform --scope tenants:read --scope units:read").await;
    assert!(made["client_secret"].as_str().is_some_and(|secret| secret.starts_with("ambit_cs_")), "{made}");
    let full = it.well("app create Till --level platform --integration etl").await;
    assert_eq!(full["allowed_scopes"], json!(["admin.read"]));
    let listed = it.well("app list").await;
    assert!(listed.as_array().expect("a list").iter().any(|it| it["client_id"] == "till-json"));
    assert_eq!(it.well("app show till-MODE").await["client_id"], "till-json");
    let allowed = it.well("app allow till-MODE scopes:read keys:read").await;
    assert_eq!(allowed["allowed_scopes"], json!(["tenants:read", "units:read", "scopes:read", "keys:read"]));
    let less = it.well("app disallow till-MODE keys:read units:read").await;
    assert_eq!(less["allowed_scopes"], json!(["tenants:read", "scopes:read"]));
    let second = it.well("app secret till-MODE --overlap-secs 60").await;
    let secret = second["client_secret"].as_str().expect("a secret");
    assert_eq!(it.node.token(("till-json", secret), &[]).await.json["scope"], "tenants:read scopes:read");

    // Scopes.
    assert!(it.well("scope list").await.as_array().expect("a list").len() > 30);
    assert_eq!(it.well("scope show pos:receipts:read").await["feature"], "digital-receipts");
    let sets = it.well("scope integrations").await;
    assert!(sets.as_array().expect("a list").len() >= 7, "{sets}");
    let pos = it.well("scope show pos.read").await["api"].clone();
    let pos = pos.as_str().expect("an API");
    let api = it.node.admin(&it.node.root().await, Method::GET, &format!("/apis/{pos}"), None).await.json;
    let api = api["identifier"].as_str().expect("an identifier");
    let scope =
        format!("scope create pos:MODE:read --api {api} --title Read --description Read_it --feature digital-receipts");
    let scope = it.well(&scope).await;
    assert_eq!((&scope["kind"], &scope["description"]["en"]), (&"granular".into(), &"Read it".into()), "{scope}");
    let bundle =
        format!("scope create pos.MODE --api {api} --title All --description All --includes pos:MODE:read --draft");
    let bundle = it.well(&bundle).await;
    assert_eq!((&bundle["kind"], &bundle["state"]), (&"coarse".into(), &"draft".into()), "{bundle}");
    let old = "scope deprecate pos:MODE:read --successor pos:members:read --sunset 2090-01-01T00:00:00Z";
    assert_eq!(it.well(old).await["successor"], "pos:members:read");
    assert_eq!(it.well("scope retire pos:MODE:read").await["state"], "retired");

    // Features.
    assert_eq!(it.well("feature list --tenant acme").await[0]["open"], true);
    let off = it.well("feature set digital-receipts off --tenant acme --unit north").await;
    assert_eq!((&off["unit_enabled"], &off["open"]), (&false.into(), &false.into()));
    assert_eq!(it.well("feature list --tenant acme --unit north").await[0]["open"], false);
    assert_eq!(it.well("feature set digital-receipts unset --tenant acme --unit north").await["open"], true);
    assert_eq!(it.well("feature set digital-receipts off --tenant acme").await["open"], false);
    assert_eq!(it.well("feature set digital-receipts on --tenant acme").await["open"], true);

    // People.
    let made = it.well("user create kari-MODE@shop.example --name Kari --role manager").await;
    assert_eq!((&made["email"], &made["status"]), (&json!("kari-json@shop.example"), &json!("active")), "{made}");
    let invited = it.well("user invite lise-MODE@shop.example --name Lise").await;
    assert!(invited["expires_at"].is_string() && invited["email"] == "lise-json@shop.example", "{invited}");
    it.well("user invite lise-MODE@shop.example").await;
    it.well("user invite lise-MODE@shop.example --withdraw").await;
    let listed = it.well("user list").await;
    assert!(listed.as_array().expect("a list").iter().any(|it| it["email"] == "kari-json@shop.example"), "{listed}");
    assert_eq!(it.well("user disable kari-MODE@shop.example").await["status"], "disabled");
    assert_eq!(it.well("user enable KARI-MODE@shop.example").await["status"], "active");
    let until = "user roles kari-MODE@shop.example --add till --until 2090-01-01T00:00:00Z --remove manager";
    let roles = it.well(until).await;
    assert_eq!(roles["roles"], json!([{"role": "till", "expires_at": "2090-01-01T00:00:00Z"}]));
    it.well("group create Staff-MODE --description Everybody --role staff").await;
    it.well("group create Tills-MODE").await;
    let tills = it.well("group add Tills-MODE kari-MODE@shop.example").await;
    assert_eq!(tills["members"][0]["member"], made["id"], "{tills}");
    let staff = it.well("group add Staff-MODE Tills-MODE kari-MODE@shop.example").await;
    assert_eq!(staff["members"].as_array().map(Vec::len), Some(2), "{staff}");
    it.well("group remove Staff-MODE kari-MODE@shop.example").await;
    assert_eq!(it.well("group show Staff-MODE").await["members"][0]["member"], tills["id"]);
    assert!(it.well("group list").await.as_array().expect("a list").len() >= 4);
    let shown = it.well("user show kari-MODE@shop.example").await;
    let direct: Vec<(&Value, &Value)> =
        shown["groups"].as_array().expect("groups").iter().map(|it| (&it["name"], &it["direct"])).collect();
    assert_eq!(direct, [(&json!("Tills-json"), &json!(true)), (&json!("Staff-json"), &json!(false))], "{shown}");
    let roles = it.well("user roles kari-MODE@shop.example").await;
    assert_eq!(roles["groups"][1]["roles"][0]["role"], "staff", "{roles}");

    let told = it.well("user password kari-MODE@shop.example").await;
    assert_eq!((&told["id"], &told["email"]), (&made["id"], &made["email"]), "{told}");
    assert!(signs_in(&it.node.url, "kari-json@shop.example", told["password"].as_str().expect("a password")).await);

    // Keys.
    let state = |keys: &Value, state: &str| {
        let keys = keys.as_array().expect("a list").iter().find(|key| key["state"] == state).cloned();
        keys.unwrap_or_else(|| panic!("no key is {state}"))["id"].as_str().expect("a kid").to_owned()
    };
    let before = state(&it.well("keys list").await, "active");
    let rotated = it.well("keys rotate --algorithm ES256 --now").await;
    assert_ne!(state(&rotated, "active"), before);
    // Each key once: `rotated` is the second rotation's.
    let other =
        rotated.as_array().expect("a list").iter().find(|key| key["state"] == "retiring" && key["id"] != before);
    let other = other.expect("another key")["id"].as_str().expect("a kid").to_owned();
    for (whom, key) in [(For::People, &before), (For::Programs, &other)] {
        let ran = it.run(whom, &it.as_root(), &format!("keys revoke {}", key.replace('_', "UNDERLINE"))).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
        assert!(ran.stdout.contains(key.as_str()) && ran.stdout.contains("revoked"), "{}", ran.stdout);
    }

    // Explain.
    let root = it.node.root().await.replace('_', "UNDERLINE");
    let explained = it.well("explain request till --scope pos.read").await;
    assert_eq!(explained["verdict"], "the token would carry 'pos.read pos:receipts:read'");
    it.well(&format!("explain token {root}")).await;
    it.well(&format!("explain denial {root} --needs admin:read")).await;
    it.well(&format!("explain denial {root} --endpoint GET_/api/v1/admin/applications")).await;

    // The knowledge base.
    let found = it.well("kb match {\"type\":\"https://as.example/errors/tenant/suspended\"}").await;
    assert_eq!(found["entries"][0]["id"], "tenant/suspended", "{found}");
    assert_eq!(it.well("kb show api/invalid-token --lang zh").await["entry"]["id"], "api/invalid-token");
    let given_away = it.well("kb export api/invalid-token --out flat-MODE").await;
    assert_eq!(given_away["written"], json!(["flat-json/api/invalid-token.json"]));
    let taken_over = it.well("kb import flat-MODE/api/invalid-token.json --out taken-MODE").await;
    assert_eq!(taken_over[0]["id"], "api/invalid-token");
    std::fs::create_dir(it.folder.path().join("entries")).expect("a folder");
    assert_eq!(it.well("kb lint --entries entries").await["findings"], json!([]));

    // The store and the program itself.
    assert_eq!(it.well("migrate --data-dir data").await["steps"], json!([]));
    let backup = it.well("backup --data-dir data --out MODE.backup").await;
    let restored = it.well("restore --data-dir restored-MODE --from MODE.backup").await;
    assert_eq!(restored["rows"], backup["rows"]);
    assert_eq!(it.well("openapi").await["openapi"], "3.1.0");
    let config = it.well("serve --print-config --set limits.bodyUNDERLINEbytes=16_KiB").await;
    assert_eq!(config["limits.body_bytes"]["value"], "\"16 KiB\"", "{config}");
    assert_eq!(config["listen"]["from"], "default");
    let healthy = it.well("doctor --data-dir data").await;
    assert!(healthy.as_array().expect("checks").len() >= 8, "{healthy}");
    assert!(healthy.as_array().expect("checks").iter().all(|check| check["ok"] == true), "{healthy}");
    for shell in ["bash", "zsh", "fish"] {
        let script = ambit(it.folder.path(), &[], &["completions", shell]).await;
        assert_eq!(script.code, 0);
        assert!(script.stdout.contains("integrations"), "{shell}");
    }

    it.walked.borrow_mut().insert("completions".to_owned());
    // It goes on until it is told to stop: `mcp` tries it.
    it.walked.borrow_mut().insert("mcp".to_owned());
    // They take a browser: `login` tries them.
    it.walked.borrow_mut().extend(["login", "logout", "whoami"].map(str::to_owned));
    let told: BTreeSet<String> = commands(it.folder.path()).await;
    let walked: BTreeSet<String> = it.walked.borrow().iter().map(|walked| command(walked, &told)).collect();
    assert_eq!(walked, told, "a command that nobody tried");
    let page = include_str!("../../../../docs/reference/cli.md");
    for command in &told {
        assert!(page.contains(&format!("`ambit {command}")), "docs/reference/cli.md does not have {command}");
    }
}

/// The token that asks may be one that the key signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_that_signs_is_revoked_by_a_token_that_it_signed() {
    let it = Terminal::new().await;
    let signs = async || {
        let keys = it.node.list("/keys").await;
        let active = keys.iter().find(|key| key["state"] == "active" && key["algorithm"] == "ES256");
        active.expect("a key that signs")["id"].as_str().expect("a kid").to_owned()
    };
    let state = |keys: &Value, id: &str| {
        let keys = keys.as_array().expect("a list");
        keys.iter().find(|key| key["id"] == id).map(|key| key["state"].clone())
    };
    // Who has credentials gets another token, and sees all keys.
    let key = signs().await;
    let revoke = |key: &str| format!("keys revoke {}", key.replace('_', "UNDERLINE"));
    let ran = it.run(For::Programs, &it.as_root(), &revoke(&key)).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    assert_eq!(state(&ran.json(), &key), Some(json!("revoked")), "{ran:?}");
    let next = signs().await;
    assert_eq!(state(&ran.json(), &next), Some(json!("active")), "{ran:?}");

    // Who was given a token only is told that it is over.
    for whom in [For::People, For::Programs] {
        let (key, token) = (signs().await, it.node.root().await);
        let ran = it.run(whom, &[("AMBIT_URL", &it.node.url), ("AMBIT_TOKEN", &token)], &revoke(&key)).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
        if whom == For::People {
            assert!(ran.stdout.contains(&key) && ran.stdout.contains("had signed the token that was given"), "{ran:?}");
        } else {
            assert_eq!(state(&ran.json(), &key), Some(json!("revoked")), "{ran:?}");
        }
        assert_ne!(signs().await, key);
    }
}

/// `ambit … | head`: whoever has read enough closes the pipe.
#[tokio::test]
async fn nobody_complains_of_a_reader_who_has_read_enough() {
    let folder = folder();
    for arguments in [&["completions", "bash"][..], &["completions", "zsh"], &["openapi"], &["kb", "export"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = speaking(folder.path(), arguments);
        command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let ended = command.spawn().expect("it starts").wait_with_output().await.expect("it ends");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), said.as_ref()), (Some(0), ""), "{arguments:?}");
    }
}

/// The command that these words begin with.
fn command(words: &str, told: &BTreeSet<String>) -> String {
    let first = words.split(' ').next().unwrap_or_default();
    if told.contains(words) { words.to_owned() } else { first.to_owned() }
}

/// All commands, as `--help` lists them.
async fn commands(folder: &Path) -> BTreeSet<String> {
    let listed = async |arguments: &[&str]| -> Vec<String> {
        let help = ambit(folder, &[], &[arguments, &["--help"]].concat()).await;
        assert_eq!((help.code, help.stderr.as_str()), (0, ""));
        let Some((_, rest)) = help.stdout.split_once("Commands:\n") else { return vec![] };
        let lines = rest.lines().take_while(|line| !line.is_empty());
        let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().map(str::to_owned));
        names.filter(|name| !name.is_empty() && name != "help").collect()
    };
    let mut all = BTreeSet::new();
    for name in listed(&[]).await {
        let below = listed(&[&name]).await;
        if below.is_empty() {
            all.insert(name);
        } else {
            all.extend(below.into_iter().map(|below| format!("{name} {below}")));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_fails_says_why_and_its_exit_code_says_whose_move_it_is() {
    let it = Terminal::new().await;
    let root = it.as_root();
    let secret = it.node.service("poor", &["openid", "tenants:read"]).await;

    // 2: the command line, or a file that it names.
    for (arguments, why) in [
        ("frobnicate", "frobnicate"),
        ("app", "Usage"),
        ("app create", "<NAME>"),
        ("app frobnicate", "frobnicate"),
        ("feature set digital-receipts maybe --tenant acme", "maybe"),
        ("app list --url ftp://host", "http://"),
        ("app list --url nonsense", "not a URL"),
        ("app create X --level platform --integration unheard-of", "etl"),
        ("serve --listen nowhere", "listen"),
        ("serve --set limits.boddyUNDERLINEbytes=1", "the nearest is \"limits.body_bytes\""),
        ("serve --set limits.bodyUNDERLINEbytes", "KEY=VALUE"),
        ("serve --config missing.toml", "missing.toml"),
        ("migrate --database-url mysql://host/db", "postgres://"),
        ("backup --out there --data-dir no-such-folder", "there is no database"),
        ("restore --from no-such-file --data-dir fresh", "no-such-file"),
        ("completions cobol", "cobol"),
    ] {
        it.fails(2, &root, arguments, &[why]).await;
    }
    let url = ("AMBIT_URL", it.node.url.as_str());
    it.fails(2, &[url], "app list", &["ambit login --url http://", "AMBIT_CLIENT_ID", "AMBIT_TOKEN"]).await;
    it.fails(2, &[url, ("AMBIT_CLIENT_ID", ROOT)], "app list", &["go together"]).await;
    it.fails(2, &[url], "login", &["HOME is not set"]).await;
    it.fails(2, &[url], "logout", &["nobody is signed in"]).await;
    it.fails(2, &[("HOME", "/nowhere")], "login --url http://as.example", &["sign in by https"]).await;
    it.fails(2, &[("AMBIT_URL", &it.node.url)], "explain --own request", &["AMBIT_CLIENT_ID"]).await;

    // 3: the server refuses, in its own words, with the page that explains it and the trace.
    let refused = async |variables: &[(&str, &str)], arguments: &str, detail: &str, page: &str| {
        let page = format!("{}/errors/{page}", it.node.url);
        let error = it.fails(3, variables, arguments, &[detail, &page, "trace "]).await;
        let problem = &error["problem"];
        assert!(problem["type"] == page || problem["error_uri"] == page, "{arguments}: {problem}");
        let trace = problem["trace_id"].as_str().expect("a trace").to_owned();
        assert!(error["detail"].as_str().expect("a text").contains(&trace));
        // The log has it under the same trace, though not always already.
        crate::support::eventually(std::time::Duration::from_secs(5), async || it.node.log.text().contains(&trace))
            .await;
        problem.clone()
    };
    let url = it.node.url.as_str();
    let wrong = [("AMBIT_URL", url), ("AMBIT_CLIENT_ID", ROOT), ("AMBIT_CLIENT_SECRET", "wrong")];
    refused(&wrong, "app list", "invalid_client", "api/oauth2-invalid-client").await;
    let poor = [("AMBIT_URL", url), ("AMBIT_CLIENT_ID", "poor"), ("AMBIT_CLIENT_SECRET", &secret)];
    let denied =
        refused(&poor, "app list", "Platform token requires admin:read or admin:write scope", "api/insufficient-scope")
            .await;
    assert!(denied["why"]["fix"][0]["command"].is_string(), "{denied}");
    let bad_token = [("AMBIT_URL", url), ("AMBIT_TOKEN", "nonsense")];
    refused(&bad_token, "scope list", "", "api/invalid-token").await;
    for (arguments, detail, page) in [
        ("app show nobody", "nobody", "api/not-found"),
        ("app secret nobody", "nobody", "api/not-found"),
        ("scope show nothing", "nothing", "api/not-found"),
        ("keys revoke nothing", "nothing", "api/not-found"),
        ("app create Twice --id till --level platform", "'till' exists already", "api/name-taken"),
        ("app create Bad --id bad/id --level platform", "/client_id", "api/validation-failed"),
        ("app allow till nothing", "nothing", "api/validation-failed"),
        ("scope create x --api https://nowhere.example --title X --description X", "/api", "api/validation-failed"),
        ("scope retire admin:read", "built in", "api/built-in"),
        ("feature set nothing on --tenant acme", "nothing", "api/not-found"),
        ("explain token 00000000-0000-7000-8000-000000000000", "no token of this jti", "api/not-found"),
        ("explain request nobody", "nobody", "api/not-found"),
    ] {
        refused(&root, arguments, detail, page).await;
    }
    refused(&root, "keys rotate", "on the command line that is --now", "api/next-key-young").await;
    it.fails(3, &root, "feature list --tenant nobody", &["there is no tenant 'nobody'"]).await;
    it.fails(3, &root, "user show nobody@shop.example", &["there is no user 'nobody@shop.example'"]).await;
    it.fails(3, &root, "group add nobody nobody@shop.example", &["there is no group 'nobody'"]).await;
    it.fails(3, &root, "feature list --tenant acme --unit nobody", &["there is no unit 'nobody'"]).await;

    // 4: nobody answers there, or not as we do.
    let absent = [("AMBIT_URL", "http://127.0.0.1:1"), ("AMBIT_CLIENT_ID", ROOT), ("AMBIT_CLIENT_SECRET", ROOT_SECRET)];
    for arguments in ["app list", "scope show x", "keys rotate", "explain request x", "feature list --tenant x"] {
        it.fails(4, &absent, arguments, &["127.0.0.1:1"]).await;
    }
    it.fails(4, &[], "migrate --database-url postgres://nobody@127.0.0.1:1/nothing", &[""]).await;
    let taken = it.node.url.trim_start_matches("http://");
    it.fails(4, &[], &format!("serve --data-dir other --listen {taken}"), &["cannot listen on"]).await;

    // 1: what was looked at is not as it should be. That it was found is the answer.
    for arguments in ["explain request till --scope scopes:read", "doctor --offline --data-dir data --set nonsense=1"] {
        let ran = it.run(For::Programs, &root, arguments).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(!ran.json().is_null());
        let error: Value = serde_json::from_str(&ran.stderr).expect("JSON");
        assert_eq!(error["exit_code"], 1);
    }

    // The table that people read has these, and 0 and 70.
    let page = include_str!("../../../../docs/reference/cli.md");
    let codes: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|code| code.parse::<u8>().is_ok())
        .collect();
    assert_eq!(codes, ["0", "1", "2", "3", "4", "5", "6", "70"]);
}

/// Whether somebody of the platform signs in with a password, by the pages.
async fn signs_in(url: &str, email: &str, password: &str) -> bool {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let begun = http.get(format!("{url}/account/")).send().await.expect("an answer");
    let header = |name| begun.headers()[name].to_str().expect("ASCII").to_owned();
    let (at, cookie) = (format!("{url}{}", header("location")), header("set-cookie"));
    let cookie = cookie.split(';').next().expect("a cookie");
    let step = async |step: &str, fields: &[(&str, &str)]| {
        let page = http.get(&at).header("cookie", cookie).send().await.expect("a page").text().await.expect("text");
        let token = page.split_once(r#"name="form" value=""#).and_then(|(_, rest)| rest.split('"').next());
        let fields = [&[("form", token.expect("a form"))], fields].concat();
        http.post(format!("{at}/{step}")).header("cookie", cookie).form(&fields).send().await.expect("an answer")
    };
    step("organisation", &[("organisation", "")]).await;
    let answer = step("password", &[("email", email), ("password", password)]).await;
    answer.headers().get("location").is_some_and(|to| to == "/account/")
}

/// attacks: a password in an argument is seen by everybody on the machine, so there is none that takes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_read_from_standard_input_as_it_stands_there() {
    let it = Terminal::new().await;
    it.well("user create ola-MODE@shop.example").await;
    let set = async |input: &str| {
        let url = it.node.url.as_str();
        let whom = ["--url", url, "--client-id", ROOT, "--client-secret", ROOT_SECRET];
        let words = [&["user", "password", "ola-json@shop.example", "--stdin", "--json"], &whom[..]].concat();
        given(it.folder.path(), &words, input.as_bytes()).await
    };
    for (input, password) in [
        ("a long password, with spaces \n", "a long password, with spaces "),
        ("the same from elsewhere\r\n", "the same from elsewhere"),
        ("without an end of line", "without an end of line"),
    ] {
        let ran = set(input).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{input:?}: {ran:?}");
        assert!(!ran.stdout.contains(password) && ran.json()["email"] == "ola-json@shop.example", "{ran:?}");
        assert!(signs_in(&it.node.url, "ola-json@shop.example", password).await, "{input:?}");
    }
    for (input, code, why) in [
        ("", 2, "a password is one line"),
        ("\n", 2, "a password is one line"),
        ("two\nlines of it\n", 2, "a password is one line"),
        ("short\n", 3, "/password"),
        (&"x".repeat(1025), 3, "/password"),
    ] {
        let ran = set(input).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{input:?}: {ran:?}");
        assert!(ran.stderr.contains(why), "{input:?}: {}", ran.stderr);
    }
    assert!(signs_in(&it.node.url, "ola-json@shop.example", "without an end of line").await);
    // What is generated is as long as the person's tenant asks for.
    let root = it.node.root().await;
    let tenant = it.node.admin(&root, Method::GET, "/tenants?limit=1", None).await.json["items"][0]["id"].clone();
    let tenant = tenant.as_str().expect("a tenant");
    let longest = json!({"settings": {"password_min_length": 64}});
    let asked = it.node.admin(&root, Method::PATCH, &format!("/tenants/{tenant}"), Some(&longest)).await;
    assert_eq!(asked.json["settings"]["password_min_length"], 64, "{}", asked.text);
    it.well(&format!("user create eli-MODE@shop.example --tenant-id {}", tenant.replace('_', "UNDERLINE"))).await;
    let told = it.well("user password eli-MODE@shop.example").await;
    assert!(told["password"].as_str().is_some_and(|password| password.len() >= 64), "{told}");
}

/// What `-h` says of each command, as the reference has it behind its last heading.
#[tokio::test]
async fn the_options_of_each_command_stand_in_the_reference_as_help_has_them_in_the_table() {
    let folder = folder();
    let mut made = String::from(OPTIONS);
    let told = commands(folder.path()).await;
    // A noun has options of its own, and `explain` takes a text as well.
    let nouns = told.iter().filter_map(|command| Some(command.split_once(' ')?.0.to_owned()));
    for command in nouns.chain(told.iter().cloned()).collect::<BTreeSet<String>>() {
        let words: Vec<&str> = command.split(' ').chain(["-h"]).collect();
        let help = ambit(folder.path(), &[], &words).await;
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{command}");
        made.push_str(&format!("\n### ambit {command}\n\n```text\n{}\n```\n", help.stdout.trim()));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
    let page = std::fs::read_to_string(&path).expect("docs/reference/cli.md");
    let (written, options) = page.split_once(OPTIONS).map_or((page.as_str(), ""), |(before, after)| (before, after));
    #[expect(clippy::disallowed_methods, reason = "the variable with which golden tables are accepted")]
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, format!("{written}{made}")).expect("docs/reference/cli.md can be written");
        return;
    }
    assert!(
        format!("{OPTIONS}{options}") == made,
        "docs/reference/cli.md does not have the options of today: cargo xtask golden --accept"
    );
}

/// The heading of what is made.
const OPTIONS: &str =
    "## Options of each command\n\nMade from `-h` by a test: `cargo xtask golden --accept` writes it anew.\n";

/// A secret on the command line can be seen by everybody on the machine; what is in the environment is not shown by help.
#[tokio::test]
async fn help_shows_no_secret_of_the_environment() {
    let folder = folder();
    let variables = [("AMBIT_CLIENT_SECRET", "canary-secret"), ("AMBIT_TOKEN", "canary-token")];
    for arguments in [["app", "list", "--help"], ["explain", "request", "--help"], ["doctor", "--offline", "--help"]] {
        let help = ambit(folder.path(), &variables, &arguments).await;
        assert!(!help.stdout.contains("canary"), "{}", help.stdout);
    }
}
