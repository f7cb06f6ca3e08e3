//! `ambit login`: people on the command line, from the first minute of a server on. The test is the browser.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use reqwest::{Client, Method, redirect};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin};
use url::Url;

use crate::clients::person::{Consent, Person};
use crate::clients::world::{EMAIL, PASSWORD};
use crate::support::{
    AS_ROOT, Answer, Collected, Node, PROGRAM, Ran, Setup, ambit, collect, eventually, execute, folder, shell, speaking,
};

/// Somebody at a terminal, with a home of their own.
struct Terminal<'n> {
    node: &'n Node,
    home: TempDir,
}

/// A login that waits for its browser.
struct Pending {
    child: Child,
    stdin: ChildStdin,
    stdout: Collected,
    stderr: Collected,
    /// Where the browser is to go.
    url: Url,
}

impl<'n> Terminal<'n> {
    fn at(node: &'n Node) -> Self {
        Self { node, home: folder() }
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let home = self.home.path().to_str().expect("a path in UTF-8");
        ambit(self.home.path(), &[("HOME", home)], arguments).await
    }

    async fn well(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat()).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}: {ran:?}");
        ran.json()
    }

    async fn fails(&self, code: i32, arguments: &[&str], why: &[&str]) {
        let ran = self.run(arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{arguments:?}: {ran:?}");
        for why in why {
            assert!(ran.stderr.contains(why), "{arguments:?}: '{why}' is not in {}", ran.stderr);
        }
    }

    /// Begins a login whose browser is somewhere else, until it says where that is to go.
    async fn begins(&self, arguments: &[&str]) -> Pending {
        self.begins_with(&[&["--no-browser"], arguments].concat(), &[]).await
    }

    async fn begins_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Pending {
        let arguments = [&["login", "--url", &self.node.url], arguments].concat();
        let mut command = speaking(self.home.path(), &arguments);
        command.env("HOME", self.home.path()).envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = collect(child.stdout.take().expect("a pipe"));
        let stderr = collect(child.stderr.take().expect("a pipe"));
        eventually(Duration::from_secs(20), async || stderr.text().contains("http://")).await;
        let said = stderr.text();
        let url = said.lines().find_map(|line| line.trim().strip_prefix("http").map(|rest| format!("http{rest}")));
        let url = Url::parse(&url.unwrap_or_else(|| panic!("no address: {said}"))).expect("a URL");
        Pending { child, stdin, stdout, stderr, url }
    }

    /// Signs in as somebody.
    async fn signs_in(&self, person: &mut Person, arguments: &[&str]) -> Ran {
        let pending = self.begins(arguments).await;
        let back = person.visit(pending.url.as_str(), Consent::Allow).await;
        assert_eq!(visit(&back, "en").await.status, 200);
        let ran = pending.ended().await;
        assert_eq!(ran.code, 0, "{ran:?}");
        ran
    }

    fn file(&self) -> PathBuf {
        self.home.path().join(".config/ambit/logins.json")
    }

    fn kept(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.file()).expect("a file")).expect("JSON")
    }

    /// What is held by the one who is signed in: access token and refresh token.
    fn tokens(&self) -> [String; 2] {
        let login = &self.kept()["logins"][0];
        ["access_token", "refresh_token"].map(|name| login[name].as_str().expect("a token").to_owned())
    }

    /// Makes the token's time be over.
    fn lets_it_expire(&self) {
        let mut kept = self.kept();
        kept["logins"][0]["expires_at"] = json!("2020-01-01T00:00:00Z");
        std::fs::write(self.file(), kept.to_string()).expect("written");
    }
}

impl Pending {
    /// What the request has.
    fn sent(&self) -> BTreeMap<String, String> {
        self.url.query_pairs().into_owned().collect()
    }

    /// The address at which the browser comes back with these.
    fn back(&self, members: &[(&str, &str)]) -> String {
        let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish();
        format!("{}?{query}", self.sent()["redirect_uri"])
    }

    async fn types(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    async fn ended(mut self) -> Ran {
        let waited = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        let status = waited.unwrap_or_else(|_| panic!("it does not end: {}", self.stderr.text())).expect("a status");
        self.stdout.clone().wait().await;
        self.stderr.clone().wait().await;
        let output = Output { status, stdout: self.stdout.text().into(), stderr: self.stderr.text().into() };
        output.into()
    }
}

/// A browser that comes back to the terminal.
async fn visit(address: &str, language: &str) -> Answer {
    let http = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().expect("a client");
    let response = http.get(address).header("accept-language", language).send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.expect("a page"), json: Value::Null }
}

/// Follows the set-up link: the first administrator.
async fn set_up(node: &Node) {
    let http = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().expect("a client");
    let link = node.set_up_link();
    let page = http.get(&link).send().await.expect("a page");
    let cookie = page.headers()["set-cookie"].to_str().expect("ASCII").split(';').next().expect("a cookie").to_owned();
    let page = page.text().await.expect("text");
    let (_, rest) = page.split_once(r#"name="form" value=""#).expect("a form");
    let form = rest.split('"').next().expect("a token");
    let fields = [("form", form), ("email", EMAIL), ("name", "Ada Lovelace"), ("password", PASSWORD)];
    let made = http.post(&link).header("cookie", cookie).form(&fields).send().await.expect("an answer");
    assert_eq!(made.status(), 200, "{}", made.text().await.expect("text"));
}

/// Somebody with the password of everybody.
async fn user(node: &Node, email: &str, tenant: Option<&Value>) -> Value {
    let made = node.made(Method::POST, "/users", &json!({"email": email, "tenant_id": tenant})).await;
    let id = made["id"].as_str().expect("an identifier");
    node.made(Method::PUT, &format!("/users/{id}/password"), &json!({"password": PASSWORD})).await;
    made
}

async fn administrates(node: &Node, user: &Value, role: &str, tenant: Option<&Value>) {
    let body = json!({"user": user["id"], "role": role, "tenant_id": tenant});
    node.made(Method::POST, "/administrators", &body).await;
}

/// A server with a person who administers all of it.
async fn with_root(folder: &TempDir) -> Node {
    let node = Setup::new(folder.path()).start().await;
    let root = user(&node, EMAIL, None).await;
    administrates(&node, &root, "super_admin", None).await;
    node
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_set_up_link_to_the_first_application() {
    let folder = folder();
    let node = Setup::bare(folder.path()).arguments(&["--data-dir", "data"]).start().await;
    set_up(&node).await;
    let terminal = Terminal::at(&node);
    terminal.fails(2, &["app", "list"], &["ambit login", "AMBIT_CLIENT_ID", "AMBIT_TOKEN"]).await;

    let pending = terminal.begins(&[]).await;
    let back = Person::new(&node.url, None).visit(pending.url.as_str(), Consent::Allow).await;
    let page = visit(&back, "zh-CN, en;q=0.5").await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"), "{}", page.text);
    assert_eq!(
        page.header("content-security-policy"),
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(page.text.contains(r#"<html lang="zh">"#) && page.text.contains("您可以关闭此窗口"), "{}", page.text);
    let ran = pending.ended().await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = format!("Signed in as Ada Lovelace <{EMAIL}> at {}\n", node.url);
    assert!(ran.stdout.starts_with(&said) && ran.stdout.contains("admin:write"), "{ran:?}");

    // It is kept for them alone, and shown to nobody.
    for (path, mode) in [(terminal.file(), 0o600), (terminal.file().parent().expect("a folder").to_owned(), 0o700)] {
        assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, mode, "{path:?}");
    }
    let held = terminal.tokens();
    let code = back.split_once("code=").and_then(|(_, rest)| rest.split('&').next()).expect("a code");
    for secret in held.iter().map(String::as_str).chain([code]) {
        assert!(!format!("{ran:?}{}", node.log.text()).contains(secret), "{ran:?}");
    }

    // They administer, and stand in the audit trail themselves. No address is named: it is where they signed in.
    let listed = terminal.well(&["app", "list"]).await;
    let [own] = &listed.as_array().expect("a list")[..] else { panic!("{listed}") };
    assert_eq!(
        (&own["client_id"], &own["type"], &own["consent"], &own["level"], &own["redirect_uris"]),
        (
            &json!("ambit-cli"),
            &json!("native"),
            &json!("trusted"),
            &json!("platform"),
            &json!(["http://127.0.0.1/callback", "http://[::1]/callback"])
        )
    );
    terminal.well(&["app", "create", "Till", "--id", "till", "--level", "platform", "--scope", "tenants:read"]).await;
    let who = terminal.well(&["whoami"]).await;
    assert_eq!((&who["email"], &who["administrator"][0]["role"]), (&json!(EMAIL), &json!("super_admin")), "{who}");
    let http = |token: &str| node.admin_request(token, Method::GET, "/audit?resource=application", None);
    let trail = node.send(http(&held[0])).await.json;
    let actors: Vec<&Value> = trail["items"].as_array().expect("changes").iter().map(|it| &it["actor"]).collect();
    assert_eq!(actors, [&json!(format!("user:{}", who["subject"].as_str().expect("an id"))), &json!("system")]);

    // What README tells to paste, behind the login.
    let readme = include_str!("../../../../README.md");
    let block = readme.split("```sh\n").find_map(|rest| rest.strip_prefix("ambit login\n")).expect("a block");
    let block = block.split("```").next().expect("its end");
    let home = terminal.home.path().to_str().expect("a path in UTF-8");
    let text = format!("set -e\nambit() {{ \"$PROGRAM\" \"$@\"; }}\n{block}");
    let pasted = shell(&[("HOME", home), ("PROGRAM", PROGRAM)], &text).await;
    assert_eq!((pasted.code, pasted.stderr.as_str()), (0, ""), "{pasted:?}");
    assert!(pasted.stdout.contains("super_admin") && pasted.stdout.contains("client_secret"), "{pasted:?}");

    // Whoever signs in again holds one login, not two.
    let told = terminal.signs_in(&mut Person::new(&node.url, None), &["--json"]).await.json();
    assert_eq!((&told["email"], &told["dropped_scopes"]), (&json!(EMAIL), &json!([])), "{told}");
    let before = held[1].clone();
    let held = terminal.tokens();
    let renewed = async |token: &str| {
        let again = [("grant_type", "refresh_token"), ("client_id", "ambit-cli"), ("refresh_token", token)];
        node.send(node.form_request("/connect/token", None, &again)).await
    };
    assert_eq!(renewed(&before).await.json["error"], "invalid_grant");

    // Signed out, nothing is left here, and what was left elsewhere is good for nothing.
    let out = terminal.well(&["logout"]).await;
    assert_eq!(out["issuer"], json!(node.url));
    assert_eq!(terminal.kept(), json!({"current": null, "logins": []}));
    assert_eq!(node.send(http(&held[0])).await.status, 401);
    let renewed = renewed(&held[1]).await;
    assert_eq!((renewed.status, &renewed.json["error"]), (400, &json!("invalid_grant")), "{}", renewed.text);
    terminal.fails(2, &["app", "list"], &["ambit login"]).await;
    terminal.fails(2, &["logout"], &["nobody is signed in"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_reaches_what_the_roles_of_its_person_reach() {
    let folder = folder();
    let node = with_root(&folder).await;
    let tenant = async |slug: &str| {
        let made = node.made(Method::POST, "/tenants", &json!({"name": slug, "slug": slug})).await["id"].clone();
        let body = json!({"name": slug, "client_id": format!("of-{slug}"), "type": "service", "level": "tenant",
            "tenant_id": made, "allowed_scopes": []});
        node.made(Method::POST, "/applications", &body).await;
        made
    };
    let (acme, _) = (tenant("acme").await, tenant("beta").await);
    let tina = user(&node, "tina@shop.example", Some(&acme)).await;
    administrates(&node, &tina, "tenant_admin", Some(&acme)).await;
    user(&node, "nobody@shop.example", Some(&acme)).await;
    let domains = json!({"settings": {"email_domains": ["shop.example"]}});
    node.made(Method::PATCH, &format!("/tenants/{}", acme.as_str().expect("an identifier")), &domains).await;

    // Of their tenant alone, though the token carries all that the command line is allowed.
    let terminal = Terminal::at(&node);
    let ran =
        terminal.signs_in(&mut Person::new(&node.url, None).called("tina@shop.example"), &["--tenant", "acme"]).await;
    assert!(ran.stdout.contains("admin:write"), "{ran:?}");
    let listed = terminal.well(&["app", "list"]).await;
    let names: Vec<&Value> = listed.as_array().expect("a list").iter().map(|it| &it["client_id"]).collect();
    assert_eq!(names, ["of-acme"]);
    terminal.fails(3, &["app", "show", "of-beta"], &["of-beta", "/errors/api/not-found"]).await;
    terminal.fails(3, &["app", "create", "X", "--level", "platform"], &["/errors/api/"]).await;
    terminal.well(&["app", "create", "Till", "--id", "till", "--level", "tenant"]).await;
    assert_eq!(terminal.well(&["whoami"]).await["administrator"][0]["role"], "tenant_admin");

    // Whose domain is a tenant's need not say which. Whoever holds no role signs in, and is told which one it takes.
    let terminal = Terminal::at(&node);
    terminal.signs_in(&mut Person::new(&node.url, None).called("nobody@shop.example"), &[]).await;
    let why = ["has no administrator's role", "tenant_admin of tenant 'acme'", "/errors/api/forbidden"];
    terminal.fails(3, &["app", "list"], &why).await;
    let who = terminal.well(&["whoami"]).await;
    assert_eq!((&who["email"], &who["administrator"]), (&json!("nobody@shop.example"), &json!([])), "{who}");
    assert!(who["why"].as_str().is_some_and(|why| why.contains("tenant_admin of tenant 'acme'")), "{who}");

    // Less than all that they might have.
    let terminal = Terminal::at(&node);
    let ran = terminal.signs_in(&mut Person::new(&node.url, None), &["--scope", "applications:read"]).await;
    assert!(ran.stdout.contains("applications:read") && !ran.stdout.contains("admin:"), "{ran:?}");
    terminal.well(&["app", "list"]).await;
    terminal.fails(3, &["user", "list"], &["/errors/api/insufficient-scope"]).await;
    let ran = terminal.signs_in(&mut Person::new(&node.url, None), &["--scope", "admin:read"]).await;
    assert!(ran.stdout.contains("admin:read"), "{ran:?}");
    let why = ["Platform token requires admin:write scope", "/errors/api/insufficient-scope"];
    terminal.fails(3, &["app", "create", "X", "--level", "platform"], &why).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_this_servers_to_this_login_signs_nobody_in() {
    let folder = folder();
    let node = with_root(&folder).await;
    let terminal = Terminal::at(&node);
    let refused = async |code: i32, answer: &dyn Fn(&str) -> Vec<(String, String)>, why: &[&str]| {
        let pending = terminal.begins(&[]).await;
        let members = answer(&pending.sent()["state"]);
        let members: Vec<(&str, &str)> = members.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let page = visit(&pending.back(&members), "en").await;
        assert_eq!(page.status, 400, "{}", page.text);
        assert!(page.text.contains("You are not signed in"), "{}", page.text);
        // What a browser brought is shown by no page.
        assert!(members.iter().all(|(_, value)| !page.text.contains(value)), "{}", page.text);
        let ran = pending.ended().await;
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{ran:?}");
        assert!(why.iter().all(|why| ran.stderr.contains(why)), "{why:?}: {}", ran.stderr);
        assert!(!terminal.file().exists());
    };
    let issuer = node.url.as_str();
    let of = |members: &[(&str, &str)]| -> Vec<(String, String)> {
        members.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let (code, iss) = (("code", "a-code-of-theirs"), ("iss", issuer));
    refused(1, &|_| of(&[code, iss, ("state", "another-state")]), &["answer to another request"]).await;
    refused(1, &|_| of(&[code, iss]), &["answer to another request"]).await;
    let evil = ("iss", "https://evil.example");
    refused(1, &|state| of(&[code, evil, ("state", state)]), &["another server, 'https://evil.example'"]).await;
    refused(1, &|state| of(&[code, ("state", state)]), &["does not say which server"]).await;
    let page = format!("{issuer}/errors/api/oauth2-access-denied");
    let denied = [("error", "access_denied"), ("error_description", "they said no"), ("error_uri", page.as_str())];
    refused(
        3,
        &|state| of(&[&denied[..], &[iss, ("state", state)]].concat()),
        &["access_denied: they said no", &format!("see {page}")],
    )
    .await;
    // A code that the server did not give.
    refused(3, &|state| of(&[code, iss, ("state", state)]), &["invalid_grant", "/errors/api/"]).await;

    // What the server itself says, by the way of the browser.
    let pending = terminal.begins(&["--scope", "no:such"]).await;
    let back = Person::new(&node.url, None).visit(pending.url.as_str(), Consent::Allow).await;
    assert_eq!(visit(&back, "en").await.status, 400);
    let ran = pending.ended().await;
    assert!(ran.code == 3 && ran.stderr.contains("scope 'no:such' not registered"), "{ran:?}");
    assert!(ran.stderr.contains(&format!("see {issuer}/errors/api/")) && ran.stderr.contains("trace "), "{ran:?}");
    assert!(!terminal.file().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_nobody_comes_back_to_is_over_in_its_time() {
    let folder = folder();
    let node = with_root(&folder).await;
    let terminal = Terminal::at(&node);
    let pending = terminal.begins(&["--timeout-secs", "4"]).await;
    // Whoever looks elsewhere at the port is not who is waited for.
    let elsewhere = pending.back(&[]).replace("/callback?", "/favicon.ico");
    let page = visit(&elsewhere, "en").await;
    assert!(page.status == 404 && page.text.contains("Nothing waits here"), "{}", page.text);
    let ran = pending.ended().await;
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{ran:?}");
    assert!(ran.stderr.contains("nobody came back") && ran.stderr.contains("--no-browser"), "{ran:?}");
    assert!(!terminal.file().exists());
    terminal.fails(4, &["login", "--issuer", "http://127.0.0.1:1"], &["127.0.0.1:1"]).await;
    // A server that calls itself otherwise is not the one that was named (RFC 8414 §3.3).
    let other = node.url.replace("127.0.0.1", "localhost");
    terminal.fails(2, &["login", "--url", &other], &["says that it is", &format!("--url {}", node.url)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_browser_is_elsewhere_the_address_that_it_ends_on_is_pasted() {
    let folder = folder();
    let node = with_root(&folder).await;
    let terminal = Terminal::at(&node);
    let mut pending = terminal.begins(&[]).await;
    let back = Person::new(&node.url, None).visit(pending.url.as_str(), Consent::Allow).await;
    for wrong in [node.url.as_str(), "", "https://evil.example/callback?code=x"] {
        pending.types(wrong).await;
    }
    pending.types(&format!("  {back}  ")).await;
    let ran = pending.ended().await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.stderr.matches("This is not where the browser ends").count(), 2, "{ran:?}");
    terminal.well(&["app", "list"]).await;
    // A pasted answer is looked at as every other.
    let mut pending = terminal.begins(&[]).await;
    pending
        .types(&back.replacen(&back.split('?').next().expect("a URI").to_owned(), &pending.sent()["redirect_uri"], 1))
        .await;
    let ran = pending.ended().await;
    assert!(ran.code == 1 && ran.stderr.contains("answer to another request"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_is_opened_unless_there_is_none() {
    let folder = folder();
    let node = with_root(&folder).await;
    let terminal = Terminal::at(&node);
    let program = terminal.home.path().join("xdg-open");
    std::fs::write(&program, "#!/bin/sh\nprintf '%s' \"$1\" > opened.part && mv opened.part opened\n")
        .expect("written");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).expect("a mode");
    let home = terminal.home.path().display().to_string();
    let path = format!("{home}:/usr/bin:/bin");
    let pending = terminal.begins_with(&[], &[("PATH", &path)]).await;
    let opened = terminal.home.path().join("opened");
    eventually(Duration::from_secs(10), async || opened.exists()).await;
    assert_eq!(std::fs::read_to_string(&opened).expect("a file"), pending.url.as_str());
    let back = Person::new(&node.url, None).visit(pending.url.as_str(), Consent::Allow).await;
    visit(&back, "en").await;
    assert_eq!(pending.ended().await.code, 0);

    let pending = terminal.begins_with(&["--timeout-secs", "1"], &[("PATH", "/nowhere")]).await;
    let ran = pending.ended().await;
    assert!(ran.code == 4 && ran.stderr.contains("No browser could be opened"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_is_renewed_and_ends_where_the_server_ends_it() {
    let folder = folder();
    let node = with_root(&folder).await;
    let terminal = Terminal::at(&node);
    terminal.signs_in(&mut Person::new(&node.url, None), &[]).await;
    let first = terminal.tokens();

    // Two commands at once, when the token's time is over: one renews, the other takes what came of it.
    terminal.lets_it_expire();
    let (one, other) = tokio::join!(terminal.well(&["app", "list"]), terminal.well(&["scope", "list"]));
    assert!(one.is_array() && other.is_array());
    let second = terminal.tokens();
    assert!(first[0] != second[0] && first[1] != second[1]);
    assert_eq!(std::fs::metadata(terminal.file()).expect("a file").permissions().mode() & 0o777, 0o600);

    // A token that the server takes no more before its time.
    let fields = [("client_id", "ambit-cli"), ("token", second[0].as_str())];
    assert_eq!(node.send(node.form_request("/connect/revoke", None, &fields)).await.status, 200);
    terminal.well(&["app", "create", "Till", "--id", "till", "--level", "platform"]).await;
    let third = terminal.tokens();
    assert!(second[0] != third[0] && second[1] != third[1]);

    // While the command line is disabled no login is of use, whether its token's time is over or not.
    node.made(Method::PATCH, "/applications/ambit-cli", &json!({"status": "disabled"})).await;
    terminal.fails(3, &["app", "list"], &["invalid_client", "sign in again: ambit login --url"]).await;
    terminal.lets_it_expire();
    terminal.fails(3, &["app", "list"], &["invalid_client", "sign in again: ambit login --url"]).await;
    node.made(Method::PATCH, "/applications/ambit-cli", &json!({"status": "active"})).await;
    terminal.well(&["app", "list"]).await;

    // A person who is disabled has lent what is gone for good.
    let people = node.list("/users").await;
    let path = format!("/users/{}", people[0]["id"].as_str().expect("an identifier"));
    node.made(Method::PATCH, &path, &json!({"status": "disabled"})).await;
    terminal.lets_it_expire();
    terminal.fails(3, &["app", "list"], &["invalid_grant", "your login has ended; sign in again"]).await;
    assert_eq!(terminal.kept(), json!({"current": null, "logins": []}));
    terminal.fails(2, &["app", "list"], &["ambit login"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_others_may_read_or_that_is_none_of_ours_is_not_used() {
    let folder = folder();
    let node = with_root(&folder).await;
    let terminal = Terminal::at(&node);
    terminal.signs_in(&mut Person::new(&node.url, None), &[]).await;
    for mode in [0o604, 0o640, 0o620] {
        std::fs::set_permissions(terminal.file(), PermissionsExt::from_mode(mode)).expect("a mode");
        terminal.fails(2, &["app", "list"], &["others may read it", "chmod 600"]).await;
    }
    std::fs::set_permissions(terminal.file(), PermissionsExt::from_mode(0o600)).expect("a mode");
    terminal.well(&["app", "list"]).await;
    std::fs::write(terminal.file(), r#"{"current": null, "logins": [{"access_token": 1, "canary": "canary"}]}"#)
        .expect("written");
    let ran = terminal.run(&["app", "list"]).await;
    assert!(ran.code == 2 && ran.stderr.contains("sign in again") && !ran.stderr.contains("canary"), "{ran:?}");
    // What is handed in counts before it, and needs no file.
    let credentials = ["--client-id", AS_ROOT.0, "--client-secret", AS_ROOT.1, "--url", &node.url];
    terminal.well(&[&["app", "list"], &credentials[..]].concat()).await;
    assert_eq!(terminal.well(&[&["whoami"], &credentials[..]].concat()).await["client_id"], AS_ROOT.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_gone_keeps_nobody_from_signing_out() {
    let folder = folder();
    let node = with_root(&folder).await;
    let terminal = Terminal::at(&node);
    terminal.signs_in(&mut Person::new(&node.url, None), &[]).await;
    let (home, url) = (terminal.home, node.url.clone());
    node.kill().await;
    let path = home.path().to_str().expect("a path in UTF-8");
    let ran = ambit(home.path(), &[("HOME", path)], &["logout"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{ran:?}");
    assert!(ran.stderr.contains("forgotten here") && ran.stderr.contains(&format!("{url}/account/applications")));
    let kept = std::fs::read_to_string(home.path().join(".config/ambit/logins.json")).expect("a file");
    assert!(!kept.contains("token"), "{kept}");
}

/// Nobody but `ambit login` listens where an authorization request of the command line comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_login_does_not_carry_is_mended_by_another_login() {
    let folder = folder();
    let node = with_root(&folder).await;
    let terminal = Terminal::at(&node);
    let allow = async |scopes: &str| {
        let scopes: Vec<&str> = scopes.split(' ').collect();
        node.made(Method::PATCH, "/applications/ambit-cli", &json!({"allowed_scopes": scopes})).await;
    };
    let (less, all) = (
        "openid profile email offline_access admin:read",
        "openid profile email offline_access admin:read admin:write",
    );
    let create = ["app", "create", "X", "--level", "platform"];
    let login = format!("(you)\n       ambit login --url {}\n", node.url);
    let refused = async |text: &str| {
        let ran = terminal.run(&create).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran:?}");
        assert!(ran.stderr.contains(&format!("  fix: {text} {login}")), "{ran:?}");
        assert!(!ran.stderr.contains("/connect/authorize"), "{ran:?}");
    };
    terminal.signs_in(&mut Person::new(&node.url, None), &[]).await;
    // Taken away and given back, it is there again, for the same token.
    allow(less).await;
    refused("repeat the command; if it is refused still, sign in again").await;
    allow(all).await;
    terminal.well(&create).await;
    // Not for one that was made in between.
    allow(less).await;
    terminal.lets_it_expire();
    refused("repeat the command; if it is refused still, sign in again").await;
    allow(all).await;
    refused("sign in again").await;
    terminal.signs_in(&mut Person::new(&node.url, None), &[]).await;
    terminal.well(&create).await;
    // Nor for a login that was for less.
    terminal.signs_in(&mut Person::new(&node.url, None), &["--scope", "admin:read"]).await;
    refused("sign in again").await;
    let json = terminal.run(&[&create[..], &["--json"]].concat()).await.stderr;
    assert!(json.contains("/connect/authorize"), "the server's own document is as it was: {json}");
}

/// What an administrator took away stays away; what was never there comes with an upgrade.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_is_registered_once() {
    let folder = folder();
    let setup = Setup::new(folder.path());
    let named = async |node: &Node| {
        let listed = node.list("/applications").await;
        listed.iter().filter(|it| it["client_id"] == "ambit-cli").map(|it| it["status"].clone()).collect::<Vec<_>>()
    };
    let node = setup.start().await;
    assert_eq!(named(&node).await, ["active"]);
    node.made(Method::PATCH, "/applications/ambit-cli", &json!({"status": "disabled"})).await;
    node.stop().await;
    let node = setup.start().await;
    assert_eq!(named(&node).await, ["disabled"]);
    let token = node.root().await;
    assert_eq!(node.admin(&token, Method::DELETE, "/applications/ambit-cli", None).await.status, 204);
    node.stop().await;
    let node = setup.start().await;
    assert_eq!(named(&node).await, Vec::<Value>::new());
    node.stop().await;

    // As a database is that was made before there was a command line.
    let url = format!("sqlite://{}", setup.data_dir().join("ambit.db").display());
    execute(&url, "DELETE FROM changes WHERE natural_key = 'ambit-cli'").await;
    let node = setup.start().await;
    assert_eq!(named(&node).await, ["active"]);
}
