//! `ambit explain` names what is broken, and the commands it prints mend it when they are pasted: for each link of the chain.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Node, PROGRAM, ROOT, ROOT_SECRET, Ran, Setup, ambit, claims, folder, shell};

pub(crate) const POS: &str = "https://pos.example";

/// A server with an API of its own, a tenant with a unit, and a client.
pub(crate) struct Situation {
    pub(crate) node: Node,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) tenant: String,
    unit: String,
    pub(crate) secret: String,
}

impl Situation {
    pub(crate) async fn new() -> Self {
        let folder = folder();
        let node = Setup::new(folder.path()).start().await;
        node.made(Method::POST, "/apis", &json!({"identifier": POS, "name": "POS"})).await;
        node.made(Method::POST, "/features", &json!({"key": "receipts", "title": "Receipts"})).await;
        for (name, more) in [
            ("pos:sell", json!({})),
            ("pos:refund", json!({})),
            ("pos:draft", json!({"state": "draft"})),
            ("pos:receipts", json!({"feature": "receipts"})),
            ("pos:personal", json!({"grants": ["user"]})),
            ("pos:old", json!({})),
            ("pos:older", json!({})),
        ] {
            let mut scope = json!({"name": name, "api": POS, "kind": "granular", "title": name, "description": name});
            scope.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            node.made(Method::POST, "/scopes", &scope).await;
        }
        let tenant = node.made(Method::POST, "/tenants", &json!({"name": "Acme", "slug": "acme"})).await;
        let tenant = tenant["id"].as_str().expect("an identifier").to_owned();
        let unit = json!({"name": "North", "slug": "north", "kind": "retailer"});
        let unit = node.made(Method::POST, &format!("/tenants/{tenant}/units"), &unit).await;
        let unit = unit["id"].as_str().expect("an identifier").to_owned();
        let secret = node.service("till", &["pos:sell", "pos:receipts", "pos:personal", "pos:old", "pos:older"]).await;
        Self { node, folder, tenant, unit, secret }
    }

    pub(crate) async fn token(&self, fields: &[(&str, &str)]) -> String {
        self.node.token(("till", &self.secret), fields).await.access_token()
    }

    /// As an administrator.
    async fn explain(&self, arguments: &[&str]) -> Ran {
        let variables =
            [("AMBIT_URL", self.node.url.as_str()), ("AMBIT_CLIENT_ID", ROOT), ("AMBIT_CLIENT_SECRET", ROOT_SECRET)];
        ambit(self.folder.path(), &variables, &[&["explain"], arguments].concat()).await
    }

    /// Pastes what was printed, in its order, with the variables that the documentation names. What the last command says.
    async fn paste(&self, ran: &Ran) -> Value {
        let commands: Vec<&str> = ran.stdout.lines().filter_map(|line| line.strip_prefix("  curl ")).collect();
        assert!(!commands.is_empty(), "no command in {ran:?}");
        let admin_token = self.node.root().await;
        let variables =
            [("ADMIN_TOKEN", admin_token.as_str()), ("CLIENT_SECRET", &self.secret), ("TENANT", "acme"), ("API", POS)];
        let mut last = Value::Null;
        for command in commands {
            let pasted = shell(&variables, &format!("curl {command}")).await;
            assert_eq!(pasted.code, 0, "{command}: {pasted:?}");
            last = pasted.json();
            assert!(last.get("error").is_none() && last.get("detail").is_none(), "{command}: {last}");
        }
        last
    }

    /// The link that is named as broken, and that it is named for people as well as for programs.
    async fn broken_link(&self, arguments: &[&str]) -> (String, Ran) {
        let ran = self.explain(arguments).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        let for_programs = self.explain(&[arguments, &["--json"]].concat()).await;
        assert_eq!(for_programs.code, 1);
        let because = for_programs.json()["because"].as_array().expect("a chain").clone();
        let broken = because.iter().find(|report| report["ok"] == false).expect("a broken link").clone();
        let detail = broken["detail"].as_str().expect("a text");
        assert!(ran.stdout.contains(detail), "{detail} is not in {}", ran.stdout);
        (broken["link"].as_str().expect("a link").to_owned(), ran)
    }

    /// A token that lacks a scope: explain names the link, what it prints mends it, and then the token holds the scope.
    async fn mended(&self, link: &str, token: &str, scope: &str, more: &[&str]) {
        let (found, ran) = self.broken_link(&[&["denial", token, "--needs", scope], more].concat()).await;
        assert_eq!(found, link, "{}", ran.stdout);
        let mended = self.paste(&ran).await;
        let token = mended["access_token"].as_str().unwrap_or_else(|| panic!("{link}: no token in {mended}"));
        let scopes = claims(token)["scope"].as_str().expect("scopes").to_owned();
        assert!(scopes.split(' ').any(|held| held == scope), "{link}: {scopes}");
        let whole = self.explain(&["denial", token, "--needs", scope]).await;
        assert_eq!(whole.code, 0, "{link}: {}", whole.stdout);
        assert!(whole.stdout.contains("nothing in the chain is broken"), "{}", whole.stdout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_broken_link_is_named_and_mended_by_what_is_printed() {
    let it = Situation::new().await;
    let token = it.token(&[("scope", "pos:sell")]).await;

    // Not registered at all: the API is the one that the token is for.
    it.mended("registered", &token, "pos:brand-new", &[]).await;
    // And where the token says nothing about the API, the reader does.
    let identity = it.node.root().await;
    let (link, ran) = it.broken_link(&["denial", &identity, "--needs", "wholly-unknown", "--resource", POS]).await;
    assert_eq!(link, "registered", "{}", ran.stdout);
    assert!(ran.stdout.contains(&format!("\"api\":\"{POS}\"")), "{}", ran.stdout);

    it.mended("active", &token, "pos:draft", &[]).await;
    it.mended("allowed", &token, "pos:refund", &[]).await;
    it.mended("carried_by_grant", &token, "pos:personal", &[]).await;
    it.mended("asked_for", &token, "pos:old", &[]).await;

    // Granted: the request omitted `scope`, and the default is not all that is allowed.
    let policy = json!({"scope_policy": {"when_omitted": "default_scopes", "default_scopes": ["pos:sell"]}});
    it.node.made(Method::PATCH, "/applications/till", &policy).await;
    let by_default = it.token(&[]).await;
    it.mended("granted", &by_default, "pos:older", &[]).await;

    // Fresh: the token is older than what allowed the scope. Omitted, the scope would come by itself now.
    let policy = json!({"scope_policy": {"when_omitted": "all_allowed"}, "allowed_scopes": ["pos:sell"]});
    it.node.made(Method::PATCH, "/applications/till", &policy).await;
    let old = it.token(&[]).await;
    let all = json!({"allowed_scopes": ["pos:sell", "pos:refund", "pos:receipts"]});
    it.node.made(Method::PATCH, "/applications/till", &all).await;
    it.mended("token_fresh", &old, "pos:refund", &[]).await;

    // Revoked.
    let revoked = it.token(&[("scope", "pos:sell")]).await;
    assert_eq!(it.node.form("/connect/revoke", ("till", &it.secret), &[("token", &revoked)]).await.status, 200);
    it.mended("not_revoked", &revoked, "pos:sell", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_gate_is_named_and_opened_on_each_level() {
    let it = Situation::new().await;
    let feature = format!("/tenants/{}/features/receipts", it.tenant);
    let flag = format!("/units/{}/features/receipts", it.unit);
    let asked = ("scope", "pos:sell pos:receipts");

    // No tenant was named, and the gate stands open for the one that the reader means.
    it.node.made(Method::PUT, &feature, &json!({"enabled": true})).await;
    let nobodys = it.token(&[asked]).await;
    it.mended("gate_open", &nobodys, "pos:receipts", &[]).await;

    it.node.made(Method::PUT, &feature, &json!({"enabled": false})).await;
    let off_for_tenant = it.token(&[asked, ("tenant", "acme")]).await;
    it.mended("gate_open", &off_for_tenant, "pos:receipts", &[]).await;

    it.node.made(Method::PUT, &flag, &json!({"enabled": false})).await;
    let off_for_unit = it.token(&[asked, ("tenant", "acme"), ("unit", "north")]).await;
    it.mended("gate_open", &off_for_unit, "pos:receipts", &[]).await;

    // Off on both levels: both are opened.
    it.node.made(Method::PUT, &flag, &json!({"enabled": false})).await;
    it.node.made(Method::PUT, &feature, &json!({"enabled": false})).await;
    let off_for_both = it.token(&[asked, ("tenant", "acme"), ("unit", "north")]).await;
    it.mended("gate_open", &off_for_both, "pos:receipts", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_broken_links_are_mended_together() {
    let it = Situation::new().await;
    let token = it.token(&[("scope", "pos:sell"), ("tenant", "acme")]).await;
    it.node.made(Method::PATCH, "/applications/till", &json!({"allowed_scopes": ["pos:sell"]})).await;
    // Neither is the gate open nor is the scope allowed nor was it asked for.
    it.mended("gate_open", &token, "pos:receipts", &[]).await;
    it.mended("active", &token, "pos:draft", &[]).await;
    it.mended("allowed", &token, "pos:personal", &[]).await;
}

/// Where no change helps, explain says so, and what it prints still works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_change_can_mend_is_said() {
    let it = Situation::new().await;
    let token = it.token(&[("scope", "pos:sell")]).await;
    let said = async |link: &str, arguments: &[&str], text: &str| -> Value {
        let (found, ran) = it.broken_link(arguments).await;
        assert_eq!(found, link, "{}", ran.stdout);
        assert!(ran.stdout.contains(text), "'{text}' is not in {}", ran.stdout);
        it.paste(&ran).await
    };

    // About a person: no service's token carries it, whatever is changed.
    it.node.made(Method::POST, "/applications/till/allowed_scopes", &json!({"scope": "profile"})).await;
    let shown =
        said("carried_by_grant", &["denial", &token, "--needs", "profile"], "no change lets a service carry it").await;
    assert!(shown["scopes"].as_array().is_some_and(|scopes| !scopes.is_empty()), "{shown}");

    // Retired for good, without a successor and with one.
    it.node.made(Method::PATCH, "/scopes/pos:old", &json!({"state": "deprecated"})).await;
    it.node.made(Method::PATCH, "/scopes/pos:old", &json!({"state": "retired"})).await;
    said("active", &["denial", &token, "--needs", "pos:old"], "nothing brings it back").await;
    let successor = json!({"state": "deprecated", "successor": "pos:sell"});
    it.node.made(Method::PATCH, "/scopes/pos:older", &successor).await;
    let shown = said(
        "asked_for",
        &["denial", &token, "--needs", "pos:older"],
        "is deprecated and granted as its successor 'pos:sell'",
    )
    .await;
    assert_eq!(shown["scope"], "pos:sell", "{shown}");

    // A scope of one API required by another.
    let admin_api = format!("{}/api/v1/admin", it.node.url);
    let question = ["denial", &token, "--needs", "pos:sell", "--resource", &admin_api];
    let shown = said("audience", &question, "no token opens").await;
    let names: Vec<&str> =
        shown["items"].as_array().expect("a list").iter().filter_map(|it| it["name"].as_str()).collect();
    assert!(names.contains(&"admin:read") && !names.contains(&"pos:sell"), "{names:?}");

    // Misspelt.
    let shown = said("registered", &["denial", &token, "--needs", "pos:sel"], "did you mean 'pos:sell'").await;
    assert_eq!(shown["scope"], "pos:sell");
    said("registered", &["denial", &token, "--needs", "pos sell"], "is no scope's name").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_explained_before_it_is_made_and_mended_too() {
    let it = Situation::new().await;
    for (scope, more, link) in [
        ("pos:refund", [].as_slice(), "allowed"),
        ("pos:draft", &[], "active"),
        ("pos:receipts", &["--tenant", "acme"], "gate_open"),
        ("pos:receipts", &["--tenant", "acme", "--unit", "north"], ""),
        ("pos:personal", &[], "carried_by_grant"),
    ] {
        let question = [&["request", "till", "--scope", scope], more].concat();
        if link.is_empty() {
            let ran = it.explain(&question).await;
            assert_eq!((ran.code, ran.stdout.trim().lines().next()), (0, Some("the token would carry 'pos:receipts'")));
            continue;
        }
        let (found, ran) = it.broken_link(&question).await;
        assert_eq!(found, link, "{}", ran.stdout);
        let mended = it.paste(&ran).await;
        assert_eq!(mended["scope"], scope, "{mended}");
    }
    // With another resource than the scope's own.
    let resource = format!("{}/api/v1/admin", it.node.url);
    let (found, ran) = it.broken_link(&["request", "till", "--scope", "pos:sell", "--resource", &resource]).await;
    assert_eq!(found, "carried_by_grant");
    assert_eq!(it.paste(&ran).await["scope"], "pos:sell");

    // The client may ask about itself, by its own credentials, and gets the same.
    let variables =
        [("AMBIT_URL", it.node.url.as_str()), ("AMBIT_CLIENT_ID", "till"), ("AMBIT_CLIENT_SECRET", &it.secret)];
    let own = ambit(it.folder.path(), &variables, &["explain", "--own", "request", "--scope", "scopes:read"]).await;
    assert_eq!(own.code, 1, "{own:?}");
    assert!(own.stdout.contains("scope 'scopes:read' not allowed for this application"), "{}", own.stdout);
    // An omitted scope leaves out what is about a person, and nothing is broken by that.
    it.node.made(Method::POST, "/applications/till/allowed_scopes", &json!({"scope": "openid"})).await;
    let omitted = it.explain(&["request", "till"]).await;
    assert!(omitted.stdout.contains("'openid' (wrong_grant)"), "{}", omitted.stdout);
    assert!(!omitted.stdout.contains("PATCH"), "{}", omitted.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_explained_by_itself_its_identifier_and_its_trace() {
    let it = Situation::new().await;
    let answer = it.node.token(("till", &it.secret), &[("scope", "pos:sell")]).await;
    let token = answer.access_token();
    let jti = claims(&token)["jti"].as_str().expect("a jti").to_owned();
    let trace = answer.header("trace-id").to_owned();
    for named in [token.as_str(), &jti, &trace] {
        let ran = it.explain(&["token", named]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains("asked for 'pos:sell'; the token carries 'pos:sell'"), "{}", ran.stdout);
    }
    // A token on the command line is visible to everybody on the machine: it is read from standard input as well.
    let variables = [
        ("AMBIT_URL", it.node.url.as_str()),
        ("AMBIT_CLIENT_ID", ROOT),
        ("AMBIT_CLIENT_SECRET", ROOT_SECRET),
        ("TOKEN", &token),
        ("AMBIT", PROGRAM),
    ];
    let piped = shell(&variables, "printf '%s\n' \"$TOKEN\" | \"$AMBIT\" explain denial - --needs pos:sell").await;
    assert_eq!(piped.code, 0, "{piped:?}");
    assert!(piped.stdout.contains("nothing in the chain is broken"), "{}", piped.stdout);
    let unknown = it.explain(&["token", "00000000-0000-7000-8000-000000000000"]).await;
    assert_eq!(unknown.code, 3, "{unknown:?}");
    assert_eq!(unknown.stdout, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_finds_the_decision_and_the_page_of_what_was_refused() {
    let it = Situation::new().await;
    let refused = it.node.token(("till", &it.secret), &[("scope", "pos:refund")]).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    let trace = refused.json["trace_id"].as_str().expect("a trace").to_owned();
    let ran = it.explain(&[&trace]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("scope 'pos:refund' not allowed for this application"), "{}", ran.stdout);
    assert!(ran.stdout.contains("fix: "), "{}", ran.stdout);
    let page = refused.json["error_uri"].as_str().expect("an address");
    assert!(ran.stdout.contains(&format!("page: {page}\n")), "{}", ran.stdout);
    assert!(ran.stdout.contains("ambit kb show api/oauth2-invalid-scope-requested"), "{}", ran.stdout);
    // The same for programs, by the question in full, and from standard input.
    let answer = it.explain(&["token", &trace, "--json"]).await.json();
    assert_eq!(answer["page"], page, "{answer}");
    assert_eq!(answer["decision"]["refused"][0]["scope"], "pos:refund", "{answer}");
    let variables = [
        ("AMBIT_URL", it.node.url.as_str()),
        ("AMBIT_CLIENT_ID", ROOT),
        ("AMBIT_CLIENT_SECRET", ROOT_SECRET),
        ("TRACE", &trace),
        ("AMBIT", PROGRAM),
    ];
    let piped = shell(&variables, "printf '%s\n' \"$TRACE\" | \"$AMBIT\" explain --json").await;
    assert_eq!((piped.code, piped.json()), (1, answer));

    // A refusal that came before any decision has its page too; a token that was granted has none.
    let nobody = it.node.token(("till", "wrong"), &[]).await;
    let trace = nobody.json["trace_id"].as_str().expect("a trace").to_owned();
    let ran = it.explain(&[&trace, "--json"]).await;
    assert!(ran.code == 1 && ran.stderr.contains("the request was refused"), "{ran:?}");
    let answer = ran.json();
    assert_eq!(answer["page"], nobody.json["error_uri"], "{answer}");
    assert!(answer["verdict"].as_str().is_some_and(|verdict| verdict.contains("the request was refused")), "{answer}");
    let granted = it.node.token(("till", &it.secret), &[("scope", "pos:sell")]).await;
    let ran = it.explain(&[granted.header("trace-id"), "--json"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.json().get("page").is_none(), "{ran:?}");
}
