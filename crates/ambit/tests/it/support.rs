//! Running servers and commands, and talking to them.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

pub(crate) const ROOT: &str = "root";
pub(crate) const ROOT_SECRET: &str = "a-bootstrap-secret-of-enough-length-0123456789";
/// What all servers on one store call themselves, wherever they listen: their tokens outlive the process that made them.
pub(crate) const ISSUER: &str = "http://127.0.0.1:5000";

/// How a server is started.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    folder: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    shell: Option<String>,
    authority: Option<reqwest::Certificate>,
}

impl Setup {
    /// In this folder, on a free port.
    pub(crate) fn bare(folder: &Path) -> Self {
        let arguments = ["serve", "--listen", "127.0.0.1:0"].map(str::to_owned).to_vec();
        Self { folder: folder.to_owned(), arguments, variables: vec![], shell: None, authority: None }
    }

    /// On an embedded database in this folder, with a first administrator.
    pub(crate) fn new(folder: &Path) -> Self {
        let data_dir = folder.join("data").display().to_string();
        Self::bare(folder)
            .arguments(&["--data-dir", &data_dir])
            .variable("AMBIT_BOOTSTRAP_CLIENT_ID", ROOT)
            .variable("AMBIT_BOOTSTRAP_CLIENT_SECRET", ROOT_SECRET)
    }

    /// That goes on under the same name when it is started again.
    pub(crate) fn lasting(folder: &Path) -> Self {
        Self::new(folder).arguments(&["--public-url", ISSUER])
    }

    /// Elsewhere than on a free port of this machine.
    pub(crate) fn replacing_listen(mut self, arguments: &[&str]) -> Self {
        self.arguments.retain(|argument| argument != "--listen" && argument != "127.0.0.1:0");
        self.arguments(arguments)
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Over TLS, with a certificate by this authority.
    pub(crate) fn over_tls(mut self, certificate: &Path, key: &Path, authority: reqwest::Certificate) -> Self {
        self.authority = Some(authority);
        let set = |key: &str, path: &Path| format!("{key}={}", path.display());
        self.arguments(&["--set", &set("tls.cert", certificate), "--set", &set("tls.key", key)])
    }

    /// Behind a line of bash that ends in `exec "$0" "$@"`.
    pub(crate) fn behind(mut self, shell: impl Into<String>) -> Self {
        self.shell = Some(shell.into());
        self
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self) -> Command {
        let mut command = match &self.shell {
            None => Command::new(PROGRAM),
            Some(shell) => {
                let mut bash = Command::new("bash");
                bash.args(["-c", shell, PROGRAM]);
                bash
            }
        };
        command.args(&self.arguments).current_dir(&self.folder).kill_on_drop(true);
        clean(&mut command);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it and waits until it answers.
    pub(crate) async fn start(&self) -> Node {
        let mut child =
            self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let log = collect(child.stdout.take().expect("a pipe"));
        let said = collect(child.stderr.take().expect("a pipe"));
        for _ in 0..3000 {
            if let Some(address) = listening(&said.text()) {
                let scheme = if self.authority.is_some() { "https" } else { "http" };
                let http = http(self.authority.clone());
                return Node { child, url: format!("{scheme}://{address}"), log, said, http };
            }
            if let Some(status) = child.try_wait().expect("a status") {
                panic!("the server ended with {status}: {} {}", said.text(), log.text());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the server does not come up: {}", said.text());
    }

    /// Starts what is expected to end by itself.
    pub(crate) async fn refused(&self) -> Ran {
        Ran::of(self.command()).await
    }
}

/// The address in `ambit 0.1.0 listens on 127.0.0.1:41234; issuer …`.
fn listening(said: &str) -> Option<String> {
    let (_, rest) = said.split_once(" listens on ")?;
    rest.split_once(';').map(|(address, _)| address.to_owned())
}

/// The platform's issuer in the same line.
fn issuer(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once("; issuer ")?;
    rest.lines().next()
}

/// A running server. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    pub(crate) url: String,
    /// Its standard output: the log.
    pub(crate) log: Collected,
    /// Its standard error.
    pub(crate) said: Collected,
    http: reqwest::Client,
}

/// What a process said so far.
#[derive(Debug, Clone)]
pub(crate) struct Collected {
    text: Arc<Mutex<String>>,
    ended: watch::Receiver<()>,
}

impl Collected {
    pub(crate) fn text(&self) -> String {
        self.text.lock().expect("nobody panics with it").clone()
    }

    /// Everything, once the process has ended.
    pub(crate) async fn wait(mut self) {
        // An error is what the end looks like.
        let _ = self.ended.changed().await;
    }
}

pub(crate) fn collect(pipe: impl AsyncRead + Unpin + Send + 'static) -> Collected {
    let (end, ended) = watch::channel(());
    let collected = Collected { text: Arc::default(), ended };
    let sink = collected.text.clone();
    tokio::spawn(async move {
        let _end = end;
        let mut lines = BufReader::new(pipe);
        let mut line = vec![];
        while let Ok(1..) = lines.read_until(b'\n', &mut line).await {
            sink.lock().expect("nobody panics with it").push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    collected
}

/// Sends a signal to a process. Every shell has `kill`, not every machine has the program.
pub(crate) async fn signal(pid: u32, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().await;
    assert!(sent.expect("a shell").success());
}

/// An answer, read.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn access_token(&self) -> String {
        let token = self.json["access_token"].as_str();
        token.unwrap_or_else(|| panic!("no token: {} {}", self.status, self.text)).to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A client, by its credentials.
pub(crate) type Credentials<'a> = (&'a str, &'a str);

pub(crate) const AS_ROOT: Credentials<'static> = (ROOT, ROOT_SECRET);

impl Node {
    /// The platform's issuer: how browsers reach it.
    pub(crate) fn issuer(&self) -> String {
        issuer(&self.said.text()).expect("it said so when it came up").to_owned()
    }

    /// The link in `no administrator yet; within a day, set the first one up at http://…`.
    pub(crate) fn set_up_link(&self) -> String {
        let said = self.said.text();
        let (_, rest) = said.split_once("set the first one up at ").unwrap_or_else(|| panic!("no link: {said}"));
        rest.split_whitespace().next().expect("a link").to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Asks it to stop, and waits until it has, with nothing to complain of.
    pub(crate) async fn stop(self) {
        let said = self.said.clone();
        let code = self.stopped_with().await;
        assert_eq!(code, Some(0), "{}", said.text());
    }

    /// Asks it to stop, waits until it has, and gives its exit code.
    pub(crate) async fn stopped_with(mut self) -> Option<i32> {
        signal(self.pid(), "TERM").await;
        let status = self.child.wait().await.expect("a status");
        self.log.wait().await;
        self.said.wait().await;
        status.code()
    }

    /// Sends a request; none where nobody answers.
    pub(crate) async fn try_send(&self, request: RequestBuilder) -> Option<Answer> {
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.ok()?;
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Some(Answer { status, headers, text, json })
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap_or_else(|| panic!("no answer: {}", self.said.text()))
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) fn form_request(
        &self,
        path: &str,
        client: Option<Credentials<'_>>,
        fields: &[(&str, &str)],
    ) -> RequestBuilder {
        let request = self.request(Method::POST, path).form(fields);
        match client {
            Some((id, secret)) => {
                // RFC 6749 §2.3.1: both halves are form-encoded first.
                let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                request.basic_auth(encoded(id), Some(encoded(secret)))
            }
            None => request,
        }
    }

    pub(crate) async fn form(&self, path: &str, client: Credentials<'_>, fields: &[(&str, &str)]) -> Answer {
        self.send(self.form_request(path, Some(client), fields)).await
    }

    /// A token by client credentials, at the issuer below `path`.
    pub(crate) async fn token_at(&self, path: &str, client: Credentials<'_>, fields: &[(&str, &str)]) -> Answer {
        let fields = [&[("grant_type", "client_credentials")], fields].concat();
        self.form(&format!("{path}/connect/token"), client, &fields).await
    }

    pub(crate) async fn token(&self, client: Credentials<'_>, fields: &[(&str, &str)]) -> Answer {
        self.token_at("", client, fields).await
    }

    /// The administrator's token.
    pub(crate) async fn root(&self) -> String {
        let answer = self.token(AS_ROOT, &[]).await;
        // Why a server cannot answer, only its log says.
        assert_eq!(answer.status, 200, "{}\n{}", answer.text, self.log.text());
        answer.access_token()
    }

    pub(crate) fn admin_request(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> RequestBuilder {
        let request = self.request(method, &format!("/api/v1/admin{path}")).bearer_auth(token);
        match body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    pub(crate) async fn admin(&self, token: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.send(self.admin_request(token, method, path, body)).await
    }

    /// A call of the admin API, as the administrator, that must succeed.
    pub(crate) async fn made(&self, method: Method, path: &str, body: &Value) -> Value {
        let answer = self.admin(&self.root().await, method.clone(), path, Some(body)).await;
        let (status, text) = (answer.status, &answer.text);
        assert!((200..300).contains(&status), "{method} {path}: {status} {text}\n{}", self.log.text());
        answer.json
    }

    /// All things of a list.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let token = self.root().await;
        let mut items = vec![];
        let mut cursor = String::new();
        loop {
            let page = self.admin(&token, Method::GET, &format!("{path}?limit=200{cursor}"), None).await;
            assert_eq!(page.status, 200, "{}", page.text);
            items.extend(page.json["items"].as_array().expect("items").clone());
            match page.json["cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// A service application of the platform, and its secret.
    pub(crate) async fn service(&self, client_id: &str, scopes: &[&str]) -> String {
        let body = json!({
            "name": client_id, "client_id": client_id, "type": "service", "level": "platform", "allowed_scopes": scopes,
        });
        let made = self.made(Method::POST, "/applications", &body).await;
        made["client_secret"].as_str().expect("a secret, this once").to_owned()
    }

    /// Whether a token is active, as its own client is told.
    pub(crate) async fn is_active(&self, client: Credentials<'_>, token: &str) -> bool {
        let answer = self.form("/connect/introspect", client, &[("token", token)]).await;
        answer.json["active"].as_bool().unwrap_or_else(|| panic!("{} {}", answer.status, answer.text))
    }
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    async fn of(mut command: Command) -> Self {
        command.stdin(Stdio::null()).kill_on_drop(true);
        let running = tokio::time::timeout(Duration::from_mins(1), command.output());
        running.await.expect("it ends").expect("it starts").into()
    }

    /// The JSON that is alone on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ends by itself"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

/// Runs a command in a folder, with these variables and no others of ours.
pub(crate) async fn ambit(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(folder);
    clean(&mut command);
    command.envs(variables.iter().copied());
    Ran::of(command).await
}

/// A command in a folder, with no variables of ours, to be talked to.
pub(crate) fn speaking(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(folder).kill_on_drop(true);
    clean(&mut command);
    command
}

/// Runs a command that is given something on its standard input.
pub(crate) async fn given(folder: &Path, arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = speaking(folder, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // Whoever reads no further than it needs closes the pipe: that is no failure of the writer.
    let written = tokio::spawn(async move { drop(stdin.write_all(&input).await) });
    let running = tokio::time::timeout(Duration::from_mins(1), child.wait_with_output());
    let output = running.await.expect("it ends").expect("it runs");
    written.await.expect("it does not panic");
    Ran::from(output)
}

/// Pastes a command into a shell.
pub(crate) async fn shell(variables: &[(&str, &str)], text: &str) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", text]);
    clean(&mut command);
    command.envs(variables.iter().copied());
    Ran::of(command).await
}

/// Whether a program is on this machine; said loudly where it is not.
pub(crate) async fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    if found.is_err() {
        say_skipped(&format!("{program} is not on this machine"));
    }
    found.is_ok()
}

/// Nothing of the environment that the tests run in, but for where programs are.
#[expect(clippy::disallowed_methods, reason = "children get the path of the parent and nothing else")]
pub(crate) fn clean(command: &mut Command) {
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("NO_PROXY", "*");
}

/// A client of its own for each server: connections of a server that was killed are not tried again.
fn http(authority: Option<reqwest::Certificate>) -> reqwest::Client {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(40)).no_proxy();
    client.tls_certs_only(authority).build().expect("an HTTP client")
}

pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// The claims of a token, as anybody can read them.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).expect("three parts");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

/// Asks again and again until it has come about.
pub(crate) async fn eventually(within: Duration, condition: impl AsyncFn() -> bool) {
    let outcome = tokio::time::timeout(within, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(outcome.await.is_ok(), "it did not come about within {within:?}");
}

/// An empty PostgreSQL database.
#[derive(Debug)]
pub(crate) struct Postgres {
    server: String,
    name: String,
}

/// Runs a case on a fresh database of the PostgreSQL that the environment names, if it names one.
pub(crate) async fn on_postgres(case: impl AsyncFnOnce(&Postgres)) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Some(server) = postgres_url() else {
        return say_skipped("AMBIT_TEST_POSTGRES_URL is not set");
    };
    let name = format!("ambit_it_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let database = Postgres { server, name };
    database.administer("CREATE DATABASE DATABASE_NAME").await;
    let outcome = AssertUnwindSafe(case(&database)).catch_unwind().await;
    database.administer("DROP DATABASE DATABASE_NAME WITH (FORCE)").await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl Postgres {
    /// The URL of the database.
    pub(crate) fn url(&self) -> String {
        self.url_at(&self.address())
    }

    /// The same database, reached by another address.
    pub(crate) fn url_at(&self, address: &str) -> String {
        let (credentials, _) = self.server.split_once('@').expect("credentials in the URL");
        format!("{credentials}@{address}/{}", self.name)
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> String {
        let (_, rest) = self.server.split_once('@').expect("credentials in the URL");
        rest.split('/').next().expect("an address").replace("localhost", "127.0.0.1")
    }

    /// As its administrator, from outside of the database.
    pub(crate) async fn administer(&self, statement: &str) {
        execute(&self.server, &statement.replace("DATABASE_NAME", &self.name)).await;
    }
}

/// Changes a database beside the server.
pub(crate) async fn execute(url: &str, statement: &str) {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.expect("connects");
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.expect(statement);
    connection.close().await.expect("closes");
}

fn postgres_url() -> Option<String> {
    named_by("AMBIT_TEST_POSTGRES_URL")
}

/// Where the client libraries are installed that the environment names, if it names any; said loudly where it does not.
pub(crate) fn client_libraries() -> Option<PathBuf> {
    let folder = named_by("AMBIT_TEST_CLIENTS").map(PathBuf::from);
    if folder.is_none() {
        say_skipped("AMBIT_TEST_CLIENTS is not set");
    }
    folder
}

/// What the environment names to test with.
#[expect(clippy::disallowed_methods, reason = "the environment names what to test with")]
pub(crate) fn named_by(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

pub(crate) fn say_skipped(why: &str) {
    use std::io::Write as _;
    static SAID: Mutex<Vec<String>> = Mutex::new(vec![]);
    let mut said = SAID.lock().expect("nobody panics with it");
    if !said.iter().any(|before| before == why) {
        // Not `println!`, which the test harness keeps to itself.
        drop(writeln!(std::io::stderr(), "skipped: {why}"));
        said.push(why.to_owned());
    }
}

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ambit");
