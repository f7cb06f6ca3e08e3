//! `ambit doctor --issuer`: a client's way to an API, at our own server. Each link is broken in turn, named, and mended by what
//! is printed, pasted as it stands; and then the doctor has nothing to say.

use std::path::Path;

use ambit_core::keys::{KeyRing, MasterKey, Vault};
use ambit_core::reach::Reach;
use ambit_core::store::noun::{self, Noun as _};
use ambit_core::store::{Filter, Reads as _};
use ambit_protocol::admin::key::Key;
use ambit_protocol::jose::Algorithm;
use ambit_resource_server::{Issuer, ResourceServer};
use ambit_store::{SqlStore, StoreConfig};
use axum::Router;
use axum::routing::get;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::explain::{POS, Situation};
use crate::support::{PROGRAM, ROOT, ROOT_SECRET, Ran, ambit, claims, shell};

/// The client's side of a situation.
struct Visit<'a> {
    it: &'a Situation,
    api: String,
}

impl<'a> Visit<'a> {
    /// Beside an API that takes our tokens and calls itself by its registered name.
    async fn to(it: &'a Situation) -> Self {
        Self { it, api: api(&it.node.url, POS).await }
    }

    async fn doctor(&self, arguments: &[&str]) -> Ran {
        let common = ["doctor", "--issuer", &self.it.node.url, "--client-id", "till"];
        let variables = [("AMBIT_CLIENT_SECRET", self.it.secret.as_str())];
        let ran = ambit(self.it.folder.path(), &variables, &[&common, arguments].concat()).await;
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(&self.it.secret), "the secret is in {text}");
            // Every JWT begins like that.
            assert!(!text.contains("eyJ"), "a token is in {text}");
        }
        ran
    }

    /// The link that is said to be broken, to people and to programs, and what people read.
    async fn broken(&self, arguments: &[&str]) -> (String, Ran) {
        let ran = self.doctor(arguments).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        let document = self.doctor(&[arguments, &["--json"]].concat()).await.json();
        assert_eq!(document["ok"], false);
        assert_eq!(document["server"], "Ambit");
        let link = document["broken"]["link"].as_str().unwrap_or_else(|| panic!("no link in {document}")).to_owned();
        assert!(ran.stdout.contains(&format!("Broken: the link '{}'", link.replace('_', " "))), "{}", ran.stdout);
        for fix in document["fix"].as_array().expect("a list") {
            let command = fix["command"].as_str().expect("each has a command with Ambit");
            assert!(ran.stdout.contains(&format!("\n  {command}\n")), "{command} is not in {}", ran.stdout);
        }
        (link, ran)
    }

    /// Pastes every command that was printed, in its order. The last one is the doctor again: what it says.
    async fn paste(&self, ran: &Ran) -> Ran {
        let admin_token = self.it.node.root().await;
        let folder = Path::new(PROGRAM).parent().expect("a folder").display().to_string();
        let variables = [
            ("ADMIN_TOKEN", admin_token.as_str()),
            ("CLIENT_SECRET", &self.it.secret),
            ("AMBIT_CLIENT_SECRET", &self.it.secret),
            ("TENANT", "acme"),
            ("API", POS),
            ("PATH", &format!("{folder}:/usr/local/bin:/usr/bin:/bin")),
        ];
        let commands: Vec<&str> = ran.stdout.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        let (again, fixes) = commands.split_last().unwrap_or_else(|| panic!("no command in {}", ran.stdout));
        assert!(again.starts_with("ambit doctor "), "{again}");
        for command in fixes {
            let pasted = shell(&variables, &format!("cd {}; {command}", self.it.folder.path().display())).await;
            assert_eq!(pasted.code, 0, "{command}: {pasted:?}");
            let answer = pasted.json();
            assert!(answer.get("error").is_none() && answer.get("detail").is_none(), "{command}: {answer}");
        }
        shell(&variables, &format!("cd {}; {again}", self.it.folder.path().display())).await
    }

    /// Broken at this link; mended by what is printed.
    async fn mended(&self, link: &str, arguments: &[&str]) {
        let (found, ran) = self.broken(arguments).await;
        assert_eq!(found, link, "{}", ran.stdout);
        let again = self.paste(&ran).await;
        assert_eq!(again.code, 0, "{link}: {}\n{again:?}", ran.stdout);
        assert!(again.stdout.contains("Nothing is broken"), "{link}: {}", again.stdout);
    }

    /// The call that needs a scope.
    fn call(&self, scope: &str) -> [String; 5] {
        let url = format!("{}/{scope}", self.api);
        ["--needs".to_owned(), scope.to_owned(), "--call".to_owned(), "GET".to_owned(), url]
    }

    /// What is looked at for a call that needs a scope.
    async fn mended_call(&self, link: &str, scope: &str, arguments: &[&str]) {
        let call = self.call(scope);
        let call: Vec<&str> = call.iter().map(String::as_str).collect();
        self.mended(link, &[&call, arguments].concat()).await;
    }

    fn keep(&self, token: &str) -> &'static str {
        std::fs::write(self.it.folder.path().join("kept.token"), format!("{token}\n")).expect("a file");
        "kept.token"
    }
}

/// An API behind our middleware, with a route for each scope.
async fn api(issuer: &str, identifier: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let identifier = if identifier.is_empty() { &address } else { identifier };
    let api = ResourceServer::builder(Issuer::new(issuer), identifier).build().expect("an API");
    let mut routes = Router::new();
    for scope in ["pos:sell", "pos:refund", "pos:receipts", "pos:old", "pos:brand-new"] {
        routes = routes.route(&format!("/{scope}"), get(async || "{}").route_layer(api.require(scope)));
    }
    let routes = routes.merge(api.metadata_route());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_named_and_what_is_printed_mends_it() {
    let it = Situation::new().await;
    let visit = Visit::to(&it).await;

    visit.mended_call("registered", "pos:brand-new", &["--scope", "pos:sell"]).await;
    visit.mended_call("allowed", "pos:refund", &[]).await;
    visit.mended_call("asked_for", "pos:old", &["--scope", "pos:sell"]).await;
    // Asked for by name and refused: the token endpoint is the first to say so.
    it.node.made(Method::PATCH, "/applications/till", &json!({"allowed_scopes": ["pos:sell", "pos:receipts"]})).await;
    visit.mended_call("allowed", "pos:old", &["--scope", "pos:sell pos:old"]).await;
    // About a person: nothing that is given to the doctor makes a difference.
    let (link, ran) = visit.broken(&["--scope", "pos:sell profile"]).await;
    assert_eq!(link, "allowed", "{}", ran.stdout);
    assert!(!ran.stdout.contains("look again"), "{}", ran.stdout);
    // Misspelt: what was meant is asked for.
    visit.mended("registered", &["--scope", "pos:sel"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_is_named_and_opened() {
    let it = Situation::new().await;
    let visit = Visit::to(&it).await;
    let feature = format!("/tenants/{}/features/receipts", it.tenant);
    let asked = ["--scope", "pos:sell pos:receipts"];

    visit.mended_call("gate_open", "pos:receipts", &[&asked[..], &["--tenant", "acme"]].concat()).await;
    // The gate is open now, for a tenant that nobody named.
    visit.mended_call("gate_open", "pos:receipts", &asked).await;
    // Nothing else was asked for, so there is no token at all.
    it.node.made(Method::PUT, &feature, &json!({"enabled": false})).await;
    visit.mended_call("gate_open", "pos:receipts", &["--scope", "pos:receipts", "--tenant", "acme"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_was_kept_is_told_to_be_stale_revoked_or_expired() {
    let it = Situation::new().await;
    let visit = Visit::to(&it).await;

    it.node.made(Method::PATCH, "/applications/till", &json!({"allowed_scopes": ["pos:sell"]})).await;
    let file = visit.keep(&it.token(&[]).await);
    it.node.made(Method::PATCH, "/applications/till", &json!({"allowed_scopes": ["pos:sell", "pos:refund"]})).await;
    visit.mended_call("token_fresh", "pos:refund", &["--token-file", file]).await;

    let revoked = it.token(&[]).await;
    assert_eq!(it.node.form("/connect/revoke", ("till", &it.secret), &[("token", &revoked)]).await.status, 200);
    let file = visit.keep(&revoked);
    visit.mended("not_revoked", &["--needs", "pos:sell", "--token-file", file]).await;

    let file = visit.keep(&expired(it.folder.path(), &it.token(&[]).await).await);
    visit.mended_call("token_fresh", "pos:sell", &["--token-file", file]).await;
    let ran = visit.doctor(&["--token-file", file]).await;
    assert!(ran.stdout.contains("it expired 60 min ago"), "{}", ran.stdout);

    // A token of somebody else's making: the signature is what is wrong with it.
    let good = it.token(&[]).await;
    let (rest, _) = good.rsplit_once('.').expect("three parts");
    let file = visit.keep(&format!("{rest}.{}", "A".repeat(86)));
    let ran = visit.doctor(&["--token-file", file, "--json"]).await;
    assert_eq!((ran.code, &ran.json()["broken"]["code"]), (1, &json!("token_signature")), "{}", ran.stdout);

    // And a good one, as whole answers are kept, and as headers are copied.
    for kept in [json!({"access_token": good}).to_string(), format!("Bearer {good}")] {
        let file = visit.keep(&kept);
        let ran = visit.doctor(&["--needs", "pos:sell", "--token-file", file]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

/// The same token two hours earlier, signed with the server's own key.
async fn expired(folder: &Path, token: &str) -> String {
    let store = SqlStore::open(&StoreConfig::data_dir(folder.join("data"))).await.expect("the store");
    let text = std::fs::read_to_string(folder.join("data/master.key")).expect("the master key");
    let vault = Vault::new(&MasterKey::parse(&text).expect("a key")).expect("a vault");
    let rows = store.list_rows(Key::RESOURCE, &Filter::default(), Reach::Platform).await.expect("keys");
    let keys = rows.into_iter().map(|row| (noun::read::<Key>(&row).expect("a key"), row.sealed)).collect();
    let ring = KeyRing::open(keys, &vault).expect("they open");
    let signer = ring.signer(Algorithm::default()).expect("one signs");
    let mut claims = claims(token);
    for name in ["iat", "exp"] {
        claims[name] = json!(claims[name].as_i64().expect("a date") - 7200);
    }
    signer.key.sign(&signer.access_token_header, claims.to_string().as_bytes()).expect("signed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_for_another_api_is_told() {
    let it = Situation::new().await;
    let visit = Visit::to(&it).await;

    // The wrong resource was asked for: without it the scope brings its own.
    let admin_api = format!("{}/api/v1/admin", it.node.url);
    visit.mended_call("carried_by_grant", "pos:sell", &["--scope", "pos:sell", "--resource", &admin_api]).await;
    // One that does not exist.
    let ran = visit.doctor(&["--scope", "pos:sell", "--resource", "https://nobody.example", "--json"]).await;
    assert_eq!((ran.code, &ran.json()["broken"]["code"]), (1, &json!("invalid_target")), "{}", ran.stdout);

    // The API calls itself something that no scope of this token belongs to: nothing that is pasted helps.
    let elsewhere = api(&it.node.url, "").await;
    let call = format!("{elsewhere}/pos:sell");
    let (link, ran) = visit.broken(&["--needs", "pos:sell", "--call", "GET", &call]).await;
    assert_eq!(link, "audience");
    assert!(ran.stdout.contains(&format!("let {elsewhere} require a scope of its own")), "{}", ran.stdout);
    assert!(ran.stdout.contains("401 Unauthorized"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("look again"), "{}", ran.stdout);
}

/// The page of seed 000: the token call succeeds, and the admin API answers 403.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_403_of_the_admin_api_is_explained_without_being_told_what_it_needs() {
    let it = Situation::new().await;
    let visit = Visit::to(&it).await;
    let call = ["--call", "GET", "/api/v1/admin/tenants"];

    let (link, ran) = visit.broken(&call).await;
    assert_eq!(link, "allowed", "{}", ran.stdout);
    for text in [
        "Platform token requires admin:read or admin:write scope",
        "error insufficient_scope",
        "/errors/api/insufficient-scope",
        "NOT allowed",
    ] {
        assert!(ran.stdout.contains(text), "'{text}' is not in {}", ran.stdout);
    }
    let again = visit.paste(&ran).await;
    assert_eq!(again.code, 0, "{}\n{again:?}", ran.stdout);

    // What was kept from before the change stays as it is.
    it.node.made(Method::PATCH, "/applications/till", &json!({"allowed_scopes": ["pos:sell"]})).await;
    let file = visit.keep(&it.token(&[]).await);
    it.node.made(Method::PATCH, "/applications/till", &json!({"allowed_scopes": ["pos:sell", "admin:read"]})).await;
    visit.mended("token_fresh", &[&["--token-file", file], &call[..]].concat()).await;

    // Who has no credentials is told by the API itself: it explains each 403.
    it.node.made(Method::PATCH, "/applications/till", &json!({"allowed_scopes": ["pos:sell"]})).await;
    let file = visit.keep(&it.token(&[]).await);
    let arguments = ["doctor", "--issuer", &it.node.url, "--token-file", file, "--json"];
    let ran = ambit(it.folder.path(), &[], &[&arguments[..], &call].concat()).await;
    assert_eq!((ran.code, &ran.json()["broken"]["link"]), (1, &json!("allowed")), "{}", ran.stdout);
    assert!(ran.json()["again"].is_null(), "it cannot look again without a client");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_the_client_is_and_where_it_belongs_comes_before_its_scopes() {
    let it = Situation::new().await;
    let visit = Visit::to(&it).await;

    // A lost secret: the one that is printed makes another.
    let folder = it.folder.path();
    std::fs::write(folder.join("wrong.secret"), "not-the-secret\n").expect("a file");
    let ran = visit.doctor(&["--secret-file", "wrong.secret"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("invalid_client: client authentication failed (trace "), "{}", ran.stdout);
    assert!(ran.stdout.contains("/errors/api/oauth2-invalid-client"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("not-the-secret"), "{}", ran.stdout);
    let command = ran.stdout.lines().find_map(|line| line.strip_prefix("  AMBIT_TOKEN=")).expect("a command");
    let admin_token = it.node.root().await;
    let variables = [("ADMIN_TOKEN", admin_token.as_str())];
    let command = format!("AMBIT_TOKEN={}", command.replace("ambit app", &format!("{PROGRAM} app")));
    let made = shell(&variables, &format!("{command} --json")).await;
    assert_eq!(made.code, 0, "{made:?}");
    let secret = made.json()["client_secret"].as_str().expect("a secret").to_owned();
    std::fs::write(folder.join("new.secret"), secret).expect("a file");
    assert_eq!(visit.doctor(&["--secret-file", "new.secret"]).await.code, 0);

    // From standard input, and never on the command line.
    let variables = [("SECRET", it.secret.as_str()), ("AMBIT", PROGRAM), ("URL", &it.node.url)];
    let command = "printf '%s\\n' \"$SECRET\" | \"$AMBIT\" doctor --issuer \"$URL\" --client-id till --secret -";
    let ran = shell(&variables, command).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let wrong = shell(&[("SECRET", "not-the-secret"), variables[1], variables[2]], command).await;
    assert!(wrong.stdout.contains("AMBIT_CLIENT_SECRET=\"$CLIENT_SECRET\" ambit doctor"), "{}", wrong.stdout);

    // A tenant's application at the platform's issuer.
    let shop = json!({
        "name": "Shop", "client_id": "shop", "type": "service", "level": "tenant", "tenant_id": it.tenant,
        "allowed_scopes": ["pos:sell"],
    });
    let shop = it.node.made(Method::POST, "/applications", &shop).await;
    let secret = shop["client_secret"].as_str().expect("a secret");
    let arguments = ["doctor", "--issuer", &it.node.url, "--client-id", "shop", "--json"];
    let ran = ambit(folder, &[("AMBIT_CLIENT_SECRET", secret)], &arguments).await;
    assert_eq!((ran.code, &ran.json()["broken"]["code"]), (1, &json!("wrong_issuer")), "{}", ran.stdout);
    let again = ran.json()["again"].as_str().expect("a command").replace("ambit doctor", &format!("{PROGRAM} doctor"));
    let ran = shell(&[("AMBIT_CLIENT_SECRET", secret)], &again).await;
    assert_eq!(ran.code, 0, "{again}: {ran:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_way_has_a_line_for_each_step_and_a_document_for_programs() {
    let it = Situation::new().await;
    let visit = Visit::to(&it).await;
    let call = visit.call("pos:sell");
    let call: Vec<&str> = call.iter().map(String::as_str).collect();
    let ran = visit.doctor(&call).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let steps = [
        "discovery",
        "metadata",
        "key set",
        "clock",
        "credentials",
        "scopes",
        "audience",
        "token age",
        "signature",
        "call",
        "challenge",
    ];
    let seen: Vec<&str> = ran.stdout.lines().take(steps.len()).map(|line| line[6..18].trim()).collect();
    assert_eq!(seen, steps, "{}", ran.stdout);
    let document = visit.doctor(&[&call[..], &["--json"]].concat()).await.json();
    let of = |name: &str| {
        document["checks"].as_array().expect("checks").iter().map(|it| it[name].clone()).collect::<Vec<_>>()
    };
    let steps: Vec<Value> = steps.iter().map(|step| step.replace(' ', "_").into()).collect();
    assert_eq!(of("check"), steps);
    assert_eq!((&document["ok"], &document["broken"], &document["fix"]), (&json!(true), &Value::Null, &json!([])));
    assert_eq!(document["chain"].as_array().map(Vec::len), Some(10), "{document}");

    // What cannot be looked at for want of words is said before anything is sent.
    for (arguments, why) in [
        (&["--issuer", "as.example"][..], "is not a URL"),
        (&["--issuer", "ftp://as.example"], "must begin with http"),
        (&["--issuer", "https://a:b@as.example"], "no credentials in an address"),
        (&["--issuer", "https://as.example?x=1"], "neither query nor fragment"),
        (&["--issuer", "https://as.example/t/.well-known/openid-configuration"], "the issuer is https://as.example/t"),
        (&["--issuer", "https://as.example"], "say who the client is"),
        (&["--issuer", "https://as.example", "--client-id", "x", "--secret-file", "nowhere"], "nowhere: No such file"),
        (&["--issuer", "https://as.example", "--secret", "-", "--token-file", "-"], "and not both"),
        (&["--issuer", "https://as.example", "--call", "GET"], "2 values required"),
        (&["--needs", "x"], "--issuer"),
        (&["--issuer", "https://as.example", "--offline"], "cannot be used with"),
    ] {
        let ran = ambit(it.folder.path(), &[], &[&["doctor"], arguments].concat()).await;
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(why), "{arguments:?}: {}", ran.stderr);
    }
    // The administrator's own way is whole as well.
    let variables = [("AMBIT_CLIENT_ID", ROOT), ("AMBIT_CLIENT_SECRET", ROOT_SECRET)];
    let arguments = ["doctor", "--issuer", &it.node.url, "--call", "GET", "/api/v1/admin/tenants"];
    let ran = ambit(it.folder.path(), &variables, &arguments).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}
