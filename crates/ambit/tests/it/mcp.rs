//! `ambit mcp`: as a client of the Model Context Protocol has it, over standard input and output and over HTTP.

use std::process::Stdio;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HOST, ORIGIN, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::support::{Answer, Node, Setup, ambit, folder, signal, speaking};

/// What Ambit answers for a tenant that is shut.
const REFUSED: &str = r#"HTTP/1.1 402 Payment Required
content-type: application/problem+json

{"type":"https://as.example/errors/tenant/suspended","status":402,"detail":"the tenant is suspended"}"#;
const ITS_ENTRY: &str = "tenant/suspended";
/// An entry with an alias and with advice that is unsafe.
const LARGE: &str = "api/oauth2-invalid-scope-requested";
const TOOLS: [&str; 5] = ["diagnose", "get_error", "match_error", "report_outcome", "search_errors"];

/// A server at the other end of two pipes.
struct Pipes {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    next: u32,
    _folder: tempfile::TempDir,
}

impl Pipes {
    async fn new(arguments: &[&str]) -> Self {
        let folder = folder();
        let mut command = speaking(folder.path(), &[&["mcp"], arguments].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut it = Self { child, stdin, stdout, next: 0, _folder: folder };
        let hello = it.ask("initialize", hello()).await;
        let result = &hello["result"];
        assert_eq!(
            (&result["protocolVersion"], &result["serverInfo"]["name"]),
            (&json!("2025-06-18"), &json!("ambit"))
        );
        assert!(result["capabilities"]["tools"].is_object(), "{hello}");
        it.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string()).await;
        it
    }

    async fn write(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    async fn read(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(30), self.stdout.next_line()).await.expect("in time");
        let line = line.expect("UTF-8").expect("one more line");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        self.write(&json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}).to_string()).await;
        let answer = self.read().await;
        assert_eq!(answer["id"], self.next, "{answer}");
        answer
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// What a tool answers, which is as its schema says.
    async fn answer(&mut self, tool: &str, arguments: Value) -> Value {
        let tools = self.ask("tools/list", json!({})).await["result"]["tools"].clone();
        let tools = tools.as_array().expect("a list");
        let schema = &tools.iter().find(|it| it["name"] == tool).expect("the tool")["outputSchema"];
        let answer = self.call(tool, arguments).await;
        assert_ne!(answer["result"]["isError"], true, "{answer}");
        let structured = answer["result"]["structuredContent"].clone();
        let validator = jsonschema::validator_for(schema).expect("a schema");
        if let Err(error) = validator.validate(&structured) {
            panic!("{tool}: {error}");
        }
        // For clients that read no structures.
        let text = answer["result"]["content"][0]["text"].as_str().expect("a text");
        assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), structured);
        structured
    }

    /// Closes the pipe; what it wrote to its standard error until it ended.
    async fn end(self) -> String {
        let Self { mut child, stdin, .. } = self;
        drop(stdin);
        let mut said = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut said).await.expect("UTF-8");
        let ended = tokio::time::timeout(Duration::from_secs(30), child.wait()).await.expect("in time");
        assert_eq!(ended.expect("a status").code(), Some(0), "{said}");
        said
    }
}

fn hello() -> Value {
    json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}})
}

#[tokio::test]
async fn each_tool_announces_what_it_takes_and_gives() {
    let mut it = Pipes::new(&[]).await;
    let listed = it.ask("tools/list", json!({})).await;
    let tools = listed["result"]["tools"].as_array().expect("a list");
    let mut names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, TOOLS);
    for tool in tools {
        assert!(tool["description"].as_str().is_some_and(|text| text.len() > 40), "{tool}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["annotations"]["readOnlyHint"], tool["name"] != "report_outcome", "{tool}");
    }
    assert_eq!(it.end().await, "");
}

#[tokio::test]
async fn each_tool_answers_as_it_announces() {
    let mut it = Pipes::new(&[]).await;
    let matched = it.answer("match_error", json!({"text": REFUSED})).await;
    assert_eq!((&matched["outcome"], &matched["entries"][0]["id"]), (&json!("match"), &json!(ITS_ENTRY)));
    let chinese = it.answer("match_error", json!({"text": REFUSED, "language": "zh"})).await;
    assert_eq!(chinese["entries"][0]["title"]["text"], "租户已被暂停");
    let nothing = it.answer("match_error", json!({"text": "xyzzy plugh"})).await;
    assert_eq!((&nothing["outcome"], &nothing["entries"]), (&json!("no_match"), &json!([])));

    let whole = it.answer("get_error", json!({"id": LARGE})).await;
    assert_eq!(whole["entry"]["dead_ends"][0]["risk"], "unsafe", "{whole}");
    assert!(whole["confidence"]["mean"].is_number());

    let found = it.answer("search_errors", json!({"query": "scope", "limit": 3})).await;
    assert_eq!(found["entries"].as_array().map(Vec::len), Some(3), "{found}");
    let most = it.answer("search_errors", json!({"query": "token", "limit": 1_000_000})).await;
    assert_eq!(most["entries"].as_array().map(Vec::len), Some(50));

    // {"alg":"ES256"} and {"scope":"offers:read"}.
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJzY29wZSI6Im9mZmVyczpyZWFkIn0.c2lnbmF0dXJl";
    let exchange = json!({
        "request": {"method": "GET", "url": "https://api.example/x", "headers": {"authorization": format!("Bearer {token}")}},
        "response": {
            "status": 403,
            "headers": {"www-authenticate": "Bearer error=\"insufficient_scope\", scope=\"admin:read offers:read\""},
            "body": "{\"title\":\"The token lacks a scope\"}",
        },
    });
    let diagnosis = it.answer("diagnose", exchange).await;
    assert_eq!(diagnosis["missing_scopes"], json!(["admin:read"]), "{diagnosis}");
    assert!(!diagnosis.to_string().contains("c2lnbmF0dXJl"));
    let of_transcript = it.answer("diagnose", json!({"transcript": REFUSED})).await;
    assert_eq!(of_transcript["entry"]["entry"]["id"], ITS_ENTRY, "{of_transcript}");
    assert_eq!(of_transcript["missing_scopes"], json!([]));

    // There is nobody to tell, and it says so.
    let told = it.call("report_outcome", json!({"id": ITS_ENTRY, "helped": true})).await;
    assert_eq!(told["result"]["isError"], true, "{told}");
    assert!(told["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("--server")), "{told}");
    assert_eq!(it.end().await, "");
}

#[tokio::test]
async fn what_is_not_as_the_schema_has_it_is_refused_without_being_said_again() {
    let mut it = Pipes::new(&[]).await;
    for (tool, arguments, place) in [
        ("match_error", json!({}), "text"),
        ("match_error", json!({"text": 7}), "text"),
        ("match_error", json!({"text": ["hunter2canary"]}), "text"),
        ("match_error", json!({"text": "x", "language": "hunter2canary"}), "language"),
        ("get_error", json!({"id": {"x": "hunter2canary"}}), "id"),
        ("search_errors", json!({"query": "x", "limit": "hunter2canary"}), "limit"),
        ("search_errors", json!({"query": "x", "limit": -1}), "limit"),
        ("report_outcome", json!({"id": ITS_ENTRY, "helped": "hunter2canary"}), "helped"),
        ("diagnose", json!({"response": {"status": "hunter2canary"}}), "response.status"),
        ("diagnose", json!({"response": {"status": 70_000}}), "response.status"),
        ("diagnose", json!({"request": {"method": "GET", "url": "u", "headers": {"a": ["hunter2canary"]}}}), "headers"),
        ("diagnose", json!({}), "exchange"),
        ("diagnose", json!({"transcript": "hunter2canary", "response": {"status": 400}}), "not both"),
    ] {
        let answer = it.call(tool, arguments.clone()).await;
        assert_eq!(answer["error"]["code"], -32602, "{tool} {arguments}: {answer}");
        let message = answer["error"]["message"].as_str().expect("a text");
        assert!(message.contains(place) || place == "text" && arguments == json!({}), "{tool} {arguments}: {message}");
        assert!(!answer.to_string().contains("hunter2canary"), "{answer}");
    }
    let unknown = it.call("no_such_tool", json!({"text": "hunter2canary"})).await;
    assert!(unknown["error"]["code"].is_number() && !unknown.to_string().contains("hunter2canary"), "{unknown}");
    let absent = it.call("get_error", json!({"id": "api/no-such-entry"})).await;
    assert_eq!(absent["result"]["isError"], true, "{absent}");
    let method = it.ask("no/such/method", json!({"text": "hunter2canary"})).await;
    assert_eq!(method["error"]["code"], -32601, "{method}");
    assert_eq!(it.end().await, "");
}

#[tokio::test]
async fn no_secret_of_an_input_comes_back_by_any_tool() {
    let mut it = Pipes::new(&[]).await;
    let canary = "hunter2canary";
    let text = format!(
        "curl -u shop:{canary} -d client_secret={canary} https://as.example/token\n{{\"error\":\"invalid_client\"}}"
    );
    for (tool, arguments) in [
        ("match_error", json!({"text": text})),
        ("get_error", json!({"id": text})),
        ("search_errors", json!({"query": text})),
        ("diagnose", json!({"transcript": text})),
        (
            "diagnose",
            json!({"request": {"method": "POST", "url": format!("https://u:{canary}@as.example/token"),
            "headers": {"authorization": "Basic c2hvcDpodW50ZXIyY2FuYXJ5"}, "body": format!("client_secret={canary}")}}),
        ),
        ("report_outcome", json!({"id": text, "helped": true})),
    ] {
        let answer = it.call(tool, arguments).await.to_string();
        assert!(!answer.contains(canary) && !answer.contains("c2hvcDpodW50ZXIyY2FuYXJ5"), "{tool}: {answer}");
    }
    assert_eq!(it.end().await, "");
}

#[tokio::test]
async fn hostile_input_ends_nothing() {
    let mut it = Pipes::new(&[]).await;
    // Neither JSON nor a message; nothing of it is answered with more than a refusal, and it goes on.
    for line in ["", "{", "null", "[]", "\u{0}\u{1}", "{\"jsonrpc\":\"2.0\"}", &"[".repeat(200_000)] {
        it.write(line).await;
    }
    it.stdin.write_all(b"\xff\xfe\n").await.expect("it reads");
    let big = "a{\"error\":".repeat(120_000);
    it.next = 100;
    it.write(
        &json!({"jsonrpc": "2.0", "id": 100, "method": "tools/call",
        "params": {"name": "match_error", "arguments": {"text": big}}})
        .to_string(),
    )
    .await;
    let answer = loop {
        let answer = it.read().await;
        if answer["id"] == 100 {
            break answer;
        }
        assert!(answer["error"].is_object(), "{answer}");
    };
    assert_eq!(answer["result"]["structuredContent"]["input"]["is_cut"], true);
    let matched = it.answer("match_error", json!({"text": REFUSED})).await;
    assert_eq!(matched["outcome"], "match");
    it.end().await;

    // What begins no session is told so, and nothing of it.
    let nonsense = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "match_error", "arguments": {"text": "hunter2canary"}}});
    let ran = crate::support::given(folder().path(), &["mcp"], format!("{nonsense}\n").as_bytes()).await;
    assert!(!ran.stdout.contains("hunter2canary") && !ran.stderr.contains("hunter2canary"), "{ran:?}");
    let nothing = crate::support::given(folder().path(), &["mcp"], b"").await;
    assert_eq!((nothing.code, nothing.stdout.as_str(), nothing.stderr.as_str()), (0, "", ""));
}

/// Answers one request with a status and a body, and gives the request.
async fn one_answer(status: &'static str, body: &'static str) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answering = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut read = vec![];
        let mut octets = [0; 4096];
        loop {
            let count = stream.read(&mut octets).await.expect("a request");
            read.extend_from_slice(&octets[..count]);
            let text = String::from_utf8_lossy(&read);
            if count == 0 || text.contains("\r\n\r\n") && text.ends_with('}') {
                break;
            }
        }
        let answer = format!(
            "HTTP/1.1 {status}\r\nretry-after: 7\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.expect("it reads");
        String::from_utf8(read).expect("UTF-8")
    });
    (url, answering)
}

#[tokio::test]
async fn an_outcome_is_reported_to_the_server_that_counts_it() {
    let (url, answering) = one_answer("200 OK", "{}").await;
    let mut it = Pipes::new(&["--server", &url]).await;
    let reported = it.answer("report_outcome", json!({"id": "api/oauth2-invalid-scope", "helped": false})).await;
    // By the entry's own id, though it was named by an alias.
    assert_eq!(reported, json!({"id": LARGE, "helped": false}));
    let request = answering.await.expect("it was asked");
    assert!(request.starts_with(&format!("POST /api/v1/errors/{LARGE}/outcomes HTTP/1.1\r\n")), "{request}");
    assert!(request.ends_with("{\"helped\":false}"), "{request}");
    // Nobody listens there any more.
    let gone = it.call("report_outcome", json!({"id": LARGE, "helped": true})).await;
    assert_eq!(gone["result"]["isError"], true, "{gone}");

    let (url, answering) = one_answer("429 Too Many Requests", r#"{"detail":"reported today already"}"#).await;
    let mut it = Pipes::new(&["--server", &url]).await;
    let refused = it.call("report_outcome", json!({"id": LARGE, "helped": true})).await;
    assert_eq!(refused["result"]["isError"], true, "{refused}");
    let said = refused["result"]["content"][0]["text"].as_str().expect("a text");
    assert!(said.ends_with("HTTP 429 Too Many Requests, reported today already; wait 7 s"), "{said}");
    answering.await.expect("it was asked");
}

/// A server over HTTP.
struct Listening {
    child: Child,
    url: String,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Listening {
    async fn new(arguments: &[&str]) -> Self {
        let folder = folder();
        let mut command = speaking(folder.path(), &[&["mcp", "--listen", "127.0.0.1:0"], arguments].concat());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let line = tokio::time::timeout(Duration::from_secs(30), said.next_line()).await.expect("in time");
        let line = line.expect("UTF-8").expect("a line");
        let (_, rest) = line.split_once(" listens on ").unwrap_or_else(|| panic!("{line}"));
        let address = rest.split(';').next().expect("an address");
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().expect("a client");
        Self { child, url: format!("http://{address}"), http, _folder: folder }
    }

    fn post(&self, method: &str, params: Value) -> RequestBuilder {
        self.http
            .post(format!("{}/mcp", self.url))
            .header(ACCEPT, "application/json, text/event-stream")
            .json(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    }

    fn call(&self, tool: &str, arguments: Value) -> RequestBuilder {
        self.post("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// It stops when it is told to.
    async fn stop(mut self) {
        signal(self.child.id().expect("it runs"), "TERM").await;
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await.expect("in time");
        assert_eq!(ended.expect("a status").code(), Some(0));
    }
}

async fn sent(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("a text");
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status, headers, text, json }
}

#[tokio::test]
async fn over_http_everybody_on_this_machine_may_call() {
    let it = Listening::new(&[]).await;
    let hello = sent(it.post("initialize", hello())).await;
    assert_eq!((hello.status, &hello.json["result"]["serverInfo"]["name"]), (200, &json!("ambit")), "{}", hello.text);
    let listed = sent(it.post("tools/list", json!({}))).await;
    assert_eq!(listed.json["result"]["tools"].as_array().map(Vec::len), Some(TOOLS.len()), "{}", listed.text);
    let matched = sent(it.call("match_error", json!({"text": REFUSED}))).await;
    assert_eq!(matched.header("content-type"), "application/json");
    assert_eq!(matched.json["result"]["structuredContent"]["entries"][0]["id"], ITS_ENTRY, "{}", matched.text);
    let wrong = sent(it.call("match_error", json!({"text": ["hunter2canary"]}))).await;
    assert_eq!(wrong.json["error"]["code"], -32602, "{}", wrong.text);
    assert!(!wrong.text.contains("hunter2canary"));

    // By any name of this machine, and by no other: a page whose name was made to lead here asks by its own.
    let port = it.url.rsplit(':').next().expect("a port").to_owned();
    for (host, status) in [
        (format!("localhost:{port}"), 200),
        (format!("127.0.0.1:{port}"), 200),
        (format!("evil.example:{port}"), 403),
        ("127.0.0.1.evil.example".to_owned(), 403),
    ] {
        let answer = sent(it.call("search_errors", json!({"query": "scope"})).header(HOST, &host)).await;
        assert_eq!(answer.status, status, "{host}: {}", answer.text);
    }
    for (origin, status) in [
        ("https://evil.example".to_owned(), 403),
        ("null".to_owned(), 403),
        (format!("http://evil.example:{port}"), 403),
        (it.url.clone(), 200),
    ] {
        let answer = sent(it.call("search_errors", json!({"query": "scope"})).header(ORIGIN, &origin)).await;
        assert_eq!(answer.status, status, "{origin}: {}", answer.text);
    }

    // What is no message is refused; what is too long is not read to its end.
    let nonsense = it.http.post(format!("{}/mcp", it.url)).header(ACCEPT, "application/json, text/event-stream");
    let nonsense = nonsense.header(CONTENT_TYPE, "application/json");
    for body in ["{", "[]", "null", "hunter2canary"] {
        let answer = sent(nonsense.try_clone().expect("no stream").body(body)).await;
        assert!((400..500).contains(&answer.status), "{body}: {} {}", answer.status, answer.text);
        assert!(!answer.text.contains("hunter2canary"), "{}", answer.text);
    }
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let answer =
            sent(it.http.request(method.clone(), format!("{}/mcp", it.url)).header(ACCEPT, "text/event-stream")).await;
        assert_eq!(answer.status, 405, "{method}: {}", answer.text);
    }
    // Last: a connection that was not read to its end is of no more use.
    let long = nonsense.try_clone().expect("no stream").body(vec![b' '; 9 * 1024 * 1024]).send().await;
    assert!(long.is_err() || long.is_ok_and(|answer| answer.status() == 413));
    it.stop().await;
}

#[tokio::test]
async fn beyond_this_machine_nobody_may_listen_without_an_issuer_and_a_name() {
    let folder = folder();
    let nowhere = ["mcp", "--listen", "192.0.2.1:0"];
    let issuer = ["--issuer", "https://as.example"];
    for (arguments, why) in [
        (nowhere.to_vec(), "--issuer"),
        ([nowhere.as_slice(), &issuer].concat(), "--public-url"),
        ([nowhere.as_slice(), &issuer, &["--public-url", "http://errors.example/mcp"]].concat(), "https"),
        (vec!["mcp", "--listen", "127.0.0.1:0", "--issuer", "not a URL"], "--issuer"),
        (vec!["mcp", "--issuer", "https://as.example"], "--listen"),
        (vec!["mcp", "--server", "ftp://as.example"], "--server"),
        (vec!["mcp", "--entries", "no-such-folder"], "no-such-folder"),
    ] {
        let ran = ambit(folder.path(), &[], &arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(why), "'{why}' is not in {}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_an_issuer_every_request_needs_a_token_for_this_server_that_carries_the_scope() {
    let at = folder();
    let node: Node = Setup::new(at.path()).arguments(&["--demo"]).start().await;
    let it = Listening::new(&["--issuer", &node.url]).await;
    let own = format!("{}/mcp", it.url);
    node.made(Method::POST, "/apis", &json!({"identifier": own, "name": "Errors"})).await;
    for scope in ["errors:read", "errors:other"] {
        let scope = json!({"name": scope, "api": own, "kind": "granular", "title": scope, "description": scope});
        node.made(Method::POST, "/scopes", &scope).await;
    }
    let secret = node.service("agent", &["errors:read", "errors:other", "offers:read"]).await;
    let token = async |scope: &str| node.token(("agent", &secret), &[("scope", scope)]).await.access_token();

    // Without a token: where to get one, and what to ask for.
    let ask = || it.call("match_error", json!({"text": REFUSED}));
    let nobody = sent(ask()).await;
    assert_eq!(nobody.status, 401, "{}", nobody.text);
    let challenge = nobody.headers.get(WWW_AUTHENTICATE).expect("a challenge").to_str().expect("ASCII");
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", it.url);
    assert!(challenge.contains(&format!("resource_metadata=\"{metadata}\"")), "{challenge}");
    let metadata = sent(it.http.get(&metadata)).await;
    assert_eq!(metadata.json["resource"], own, "{}", metadata.text);
    assert_eq!(metadata.json["authorization_servers"], json!([node.url]));
    assert_eq!(metadata.json["scopes_supported"], json!(["errors:read"]));

    let good = sent(ask().bearer_auth(token("errors:read").await)).await;
    assert_eq!(good.json["result"]["structuredContent"]["outcome"], "match", "{}", good.text);
    let poor = sent(ask().bearer_auth(token("errors:other").await)).await;
    assert_eq!(poor.status, 403, "{}", poor.text);
    let challenge = poor.headers.get(WWW_AUTHENTICATE).expect("a challenge").to_str().expect("ASCII");
    assert!(
        challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"errors:read\""),
        "{challenge}"
    );
    for elsewhere in [token("offers:read").await, "a.b.c".to_owned()] {
        let refused = sent(ask().bearer_auth(&elsewhere)).await;
        assert_eq!(refused.status, 401, "{}", refused.text);
        assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""), "{:?}", refused.headers);
    }
    // A good token opens no other door: the host and the origin count as ever.
    let evil = sent(ask().bearer_auth(token("errors:read").await).header(HOST, "evil.example")).await;
    assert_eq!(evil.status, 403, "{}", evil.text);
    let evil = sent(ask().bearer_auth(token("errors:read").await).header(ORIGIN, "https://evil.example")).await;
    assert_eq!(evil.status, 403, "{}", evil.text);
    it.stop().await;
}
