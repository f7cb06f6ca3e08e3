//! Secrets that are marked, sent through everything that can be reached: none of them is found afterwards where it does not
//! belong, in whatever spelling.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ambit_protocol::jose::{Algorithm, SigningKey};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use reqwest::{Method, RequestBuilder, Url};
use serde_json::json;

use crate::clients::person::{Consent, Person};
use crate::clients::world::{EMAIL, PASSWORD};
use crate::nodes::{assertion, unique};
use crate::support::{Node, Setup, ambit, folder};

/// So many characters of a secret are told from chance, and are too many to be given away.
const PART: usize = 16;

/// Texts that must not be found, by what they are.
#[derive(Default)]
struct Canaries(BTreeMap<&'static str, Vec<String>>);

impl Canaries {
    fn add(&mut self, what: &'static str, secret: &str) -> String {
        assert!(secret.len() >= PART, "{what} is too short to be told from chance");
        self.0.entry(what).or_default().push(secret.to_owned());
        secret.to_owned()
    }

    /// Every spelling in which a secret could be written.
    fn spellings(secret: &str) -> Vec<String> {
        let octets = secret.as_bytes();
        let hex = |upper: bool| {
            octets.iter().fold(String::new(), |mut text, octet| {
                let written = if upper { write!(text, "{octet:02X}") } else { write!(text, "{octet:02x}") };
                written.expect("a String takes everything");
                text
            })
        };
        let mut all = vec![
            secret.to_owned(),
            hex(false),
            hex(true),
            url::form_urlencoded::byte_serialize(octets).collect(),
            secret.escape_default().to_string(),
            format!("{octets:?}").trim_matches(['[', ']']).to_owned(),
        ];
        // Base64 of a text that the secret stands in depends on where in it: all three ways, without the ends that depend on
        // the neighbours.
        for shift in 0..3 {
            let shifted = [&vec![0; shift], octets].concat();
            for text in [BASE64_STANDARD_NO_PAD.encode(&shifted), BASE64_URL_SAFE_NO_PAD.encode(&shifted)] {
                all.push(text[2 * shift..text.len() - 3].to_owned());
            }
        }
        all
    }

    /// Looks for all of them in what was collected, and says where.
    fn assert_absent(&self, place: &str, octets: &[u8]) {
        // Every spelling is ASCII, and what is no UTF-8 around it does not hide it.
        let text = String::from_utf8_lossy(octets);
        for (what, secrets) in &self.0 {
            for spelling in secrets.iter().flat_map(|secret| Self::spellings(secret)) {
                if let Some(at) = text.find(&spelling) {
                    let around: String = text[..at].chars().rev().take(120).collect();
                    let around: String = around.chars().rev().collect();
                    panic!("{place} holds {what} as {spelling}, behind {around}");
                }
            }
        }
    }

    /// Looks for parts of them: so many characters in a row, wherever in a secret they stand at a multiple of that from its end.
    fn assert_no_part_in(&self, place: &str, octets: &[u8]) {
        let text = String::from_utf8_lossy(octets);
        for (what, secrets) in &self.0 {
            for part in secrets.iter().flat_map(|secret| secret.as_bytes().rchunks_exact(PART)) {
                let part = std::str::from_utf8(part).expect("a secret is ASCII");
                assert!(!text.contains(part), "{place} holds a part of {what}: {part}");
            }
        }
    }
}

/// Somebody signs in by their password, and an application redeems the code and renews what it has. Answers what may be kept, and
/// is in no log.
async fn sign_in(node: &Node, root: &str, canaries: &mut Canaries) -> Canaries {
    let post = async |path: &str, body| node.admin(root, Method::POST, path, Some(&body)).await;
    let ada = post("/users", json!({"email": EMAIL, "email_verified": true})).await;
    let path = format!("/users/{}/password", ada.json["id"].as_str().expect("an identifier"));
    let password = canaries.add("a password", PASSWORD);
    let kept = node.admin(root, Method::PUT, &path, Some(&json!({"password": password}))).await;
    assert!(kept.status < 300, "{}", kept.text);
    let till = json!({"name": "Till", "client_id": "till", "type": "spa", "level": "platform",
        "allowed_scopes": ["openid", "offline_access"], "redirect_uris": ["https://till.example/cb"]});
    assert_eq!(post("/applications", till).await.status, 201);

    let mut carried = Canaries::default();
    let state = carried.add("a state", "canary-state-0123456789");
    let nonce = carried.add("a nonce", "canary-nonce-0123456789");
    // Appendix B of RFC 7636.
    let verifier = canaries.add("a verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let fields = [
        ("response_type", "code"),
        ("client_id", "till"),
        ("redirect_uri", "https://till.example/cb"),
        ("scope", "openid offline_access"),
        ("state", &state),
        ("nonce", &nonce),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ];
    let request = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut person = Person::new(&node.url, None);
    let back = person.visit(&format!("/connect/authorize?{request}"), Consent::Allow).await;
    for cookie in person.cookies() {
        canaries.add("a cookie", cookie);
    }
    let back = Url::parse(&back).expect("an address");
    let given = |wanted: &str| back.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    assert_eq!(given("state").as_ref(), Some(&state), "{back}");
    let code = canaries.add("a code", &given("code").unwrap_or_else(|| panic!("no code: {back}")));
    let redeem = [
        ("grant_type", "authorization_code"),
        ("client_id", "till"),
        ("code", &code),
        ("redirect_uri", "https://till.example/cb"),
        ("code_verifier", &verifier),
    ];
    let lent = node.send(node.form_request("/connect/token", None, &redeem)).await;
    let token =
        canaries.add("a refresh token", lent.json["refresh_token"].as_str().unwrap_or_else(|| panic!("{}", lent.text)));
    let renew = [("grant_type", "refresh_token"), ("client_id", "till"), ("refresh_token", token.as_str())];
    let renewed = node.send(node.form_request("/connect/token", None, &renew)).await;
    canaries.add("a refresh token", renewed.json["refresh_token"].as_str().expect("a refresh token"));
    for signed in [&lent.json["id_token"], &lent.json["access_token"], &renewed.json["access_token"]] {
        let signed = canaries.add("a token", signed.as_str().expect("a token"));
        canaries.add("a signature", signed.rsplit('.').next().expect("three parts"));
    }
    // Once more, where it is refused: a code counts once.
    assert_eq!(node.send(node.form_request("/connect/token", None, &redeem)).await.status, 400);
    carried
}

/// A server at its most talkative, and everything that it answered.
struct Swept {
    node: Node,
    answers: Vec<u8>,
}

impl Swept {
    /// Sends a request whose answer must not hold any secret.
    async fn send(&mut self, request: RequestBuilder) {
        let answer = self.node.send(request).await;
        self.answers.extend_from_slice(answer.text.as_bytes());
        for (name, value) in &answer.headers {
            self.answers.extend_from_slice(name.as_str().as_bytes());
            self.answers.extend_from_slice(value.as_bytes());
        }
        assert_ne!(answer.status, 500, "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_found_where_it_does_not_belong() {
    let folder = folder();
    let mut canaries = Canaries::default();
    let bootstrap = canaries.add("the bootstrap secret", "canary/bootstrap+secret~0123456789abcdef");
    let setup = Setup::lasting(folder.path())
        .variable("AMBIT_BOOTSTRAP_CLIENT_SECRET", &bootstrap)
        .variable("AMBIT_LOG_LEVEL", "trace")
        .variable("AMBIT_RATE_LIMITS_CLIENT_FAILURES", "100000")
        .variable("AMBIT_RATE_LIMITS_CLIENT_TOTAL_FAILURES", "100000")
        .variable("AMBIT_RATE_LIMITS_ADDRESS_FAILURES", "100000");
    let node = setup.start().await;
    let said_of_first = (node.log.clone(), node.said.clone());
    let master = std::fs::read_to_string(setup.data_dir().join("master.key")).expect("a key");
    canaries.add("the master key", master.trim());

    // Made in this one answer each, which belongs to whoever asked.
    let as_root = ("root", bootstrap.as_str());
    let root = canaries.add("an access token", &node.token(as_root, &[]).await.access_token());
    let created = json!({"name": "Worker", "client_id": "worker", "type": "service", "level": "platform",
        "allowed_scopes": ["tenants:read", "admin:read"]});
    let keyed =
        node.admin_request(&root, Method::POST, "/applications", Some(&created)).header("idempotency-key", "k-1");
    let created = node.send(keyed).await;
    let secret = canaries.add("a client's secret", created.json["client_secret"].as_str().expect("a secret"));
    let second = node.admin(&root, Method::POST, "/applications/worker/secrets", Some(&json!({}))).await;
    let second = canaries.add("a client's secret", second.json["client_secret"].as_str().expect("a secret"));
    let key = SigningKey::generate(Algorithm::Es256).expect("a key");
    let etl = json!({"name": "Etl", "client_id": "etl", "type": "service", "level": "platform",
        "allowed_scopes": ["tenants:read"], "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [key.public_jwk("k1")]}});
    assert_eq!(node.admin(&root, Method::POST, "/applications", Some(&etl)).await.status, 201);
    let mut tokens = vec![root.clone()];
    for (client, secret) in [("worker", &secret), ("worker", &second), ("root", &bootstrap)] {
        tokens.push(canaries.add("an access token", &node.token((client, secret), &[]).await.access_token()));
        let in_the_body = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret)];
        let answer = node.send(node.form_request("/connect/token", None, &in_the_body)).await;
        tokens.push(canaries.add("an access token", &answer.access_token()));
    }
    let jwt_bearer = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let used = canaries.add("an assertion", &assertion(&key, "etl", &unique()));
    let fields = [("grant_type", "client_credentials"), jwt_bearer, ("client_assertion", used.as_str())];
    let answer = node.send(node.form_request("/connect/token", None, &fields)).await;
    tokens.push(canaries.add("an access token", &answer.access_token()));
    // The signature is what makes a token or an assertion one: the rest may be told.
    for token in tokens.iter().chain([&used]) {
        canaries.add("a signature", token.rsplit('.').next().expect("three parts"));
    }

    let carried = sign_in(&node, &root, &mut canaries).await;

    // From here on no answer holds a secret.
    let mut swept = Swept { node, answers: vec![] };
    let wrong = canaries.add("a wrong secret", "canary-wrong-secret-0123456789");
    let paths = [
        "/connect/token",
        "/connect/introspect",
        "/connect/revoke",
        "/connect/explain",
        "/tenants/nobody/connect/token",
        "/api/v1/platform/oauth/token",
    ];
    for path in paths {
        let post = |node: &Node| node.request(Method::POST, path);
        // Credentials that are wrong, doubled, in the wrong place, in the wrong form.
        for (client, wrong) in [("worker", wrong.as_str()), ("nobody", &secret), ("worker", &format!("{secret}x"))] {
            let form = [("grant_type", "client_credentials"), ("token", tokens[0].as_str()), ("scope", "tenants:read")];
            swept.send(swept.node.form_request(path, Some((client, wrong)), &form)).await;
            let body = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", wrong)];
            swept.send(swept.node.form_request(path, None, &body)).await;
            swept.send(swept.node.form_request(path, Some((client, &secret)), &body)).await;
        }
        let twice =
            format!("grant_type=client_credentials&client_id=worker&client_secret={secret}&client_secret={secret}");
        let form = "application/x-www-form-urlencoded";
        swept.send(post(&swept.node).header("content-type", form).body(twice.clone())).await;
        swept.send(post(&swept.node).header("content-type", "text/plain").body(twice.clone())).await;
        swept.send(post(&swept.node).header("content-type", form).body(format!("{twice}&%zz"))).await;
        let query = format!("{path}?client_id=worker&client_secret={secret}&access_token={}", tokens[0]);
        swept.send(swept.node.form_request(&query, None, &[("grant_type", "client_credentials")])).await;
        swept.send(swept.node.request(Method::GET, &query)).await;
        for header in
            [format!("Basic {secret}"), format!("Bearer {secret}"), format!("Digest {secret}"), secret.clone()]
        {
            swept
                .send(post(&swept.node).header("authorization", header).form(&[("grant_type", "client_credentials")]))
                .await;
        }
        for assertion in [&used, &format!("{used}x"), &assertion(&key, "nobody", &unique()), &secret] {
            let fields = [("grant_type", "client_credentials"), jwt_bearer, ("client_assertion", assertion.as_str())];
            swept.send(swept.node.form_request(path, None, &fields)).await;
        }
        let json = json!({"question": "token", "token": tokens[1], "client_secret": secret});
        swept.send(post(&swept.node).basic_auth("worker", Some(&second)).json(&json)).await;
    }
    for token in &tokens {
        let client = Some(("worker", second.as_str()));
        swept.send(swept.node.form_request("/connect/introspect", client, &[("token", token)])).await;
        swept.send(swept.node.form_request("/connect/introspect", client, &[("token", &format!("{token}x"))])).await;
    }
    for token in [&tokens[1], &format!("{}x", tokens[0]), &secret, &wrong] {
        for path in
            ["/applications", "/applications/worker", "/applications/worker/secrets", "/keys", "/audit", "/nothing"]
        {
            swept.send(swept.node.admin_request(token, Method::GET, path, None)).await;
        }
        let query = format!("/applications?q={token}&access_token={token}&cursor={token}");
        swept.send(swept.node.admin_request(&root, Method::GET, &query, None)).await;
    }
    // Bodies with a secret where none belongs.
    for body in [
        json!({"name": "X", "type": "service", "level": "platform", "client_secret": secret}),
        json!({"name": {"secret": secret}}),
        json!({"name": "X", "type": "service", "level": "platform", "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": wrong}]}}),
        json!([secret]),
        json!(secret),
    ] {
        for (method, path) in [
            (Method::POST, "/applications"),
            (Method::PATCH, "/applications/worker"),
            (Method::POST, "/applications/worker/secrets"),
            (Method::POST, "/applications/worker/allowed_scopes"),
            (Method::POST, "/explain"),
            (Method::POST, "/keys/rotate"),
        ] {
            swept.send(swept.node.admin_request(&root, method, path, Some(&body))).await;
        }
    }
    // Reviewed, and told to the sender alone: a value that is none of those that a member may have is named back.
    let reflected = json!({"name": "X", "type": secret, "level": "platform"});
    let answer = swept.node.admin(&root, Method::POST, "/applications", Some(&reflected)).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    let broken = format!("{{\"name\": \"{secret}\", ");
    let call = swept.node.admin_request(&root, Method::POST, "/applications", None);
    swept.send(call.header("content-type", "application/json").body(broken)).await;
    for question in [
        json!({"question": "token", "token": tokens[0]}),
        json!({"question": "token", "token": secret}),
        json!({"question": "token", "jti": wrong}),
        json!({"question": "token", "trace_id": wrong}),
        json!({"question": "denial", "token": tokens[1], "scopes": ["admin:write"]}),
        json!({"question": "denial", "token": format!("{}x", tokens[1]), "scopes": ["admin:write"]}),
    ] {
        swept.send(swept.node.admin_request(&root, Method::POST, "/explain", Some(&question))).await;
    }
    // Everything that can be read.
    for path in [
        "/applications",
        "/applications/worker",
        "/applications/worker/secrets",
        "/keys",
        "/audit?limit=200",
        "/scopes",
    ] {
        swept.send(swept.node.admin_request(&root, Method::GET, path, None)).await;
    }
    for path in [
        "/metrics",
        "/healthz",
        "/readyz",
        "/connect/jwks",
        "/.well-known/openid-configuration",
        "/errors/",
        "/nothing",
    ] {
        swept.send(swept.node.request(Method::GET, path)).await;
    }
    swept.send(swept.node.admin_request(&root, Method::DELETE, "/applications/worker/secrets/nothing", None)).await;
    swept.send(swept.node.form_request("/connect/revoke", Some(("worker", &second)), &[("token", &tokens[1])])).await;
    swept.send(swept.node.admin_request(&tokens[1], Method::GET, "/applications", None)).await;

    canaries.assert_absent("an answer", &swept.answers);
    let ran = ambit(folder.path(), &[], &["backup", "--out", "ambit.backup", "--data-dir", "data"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    for name in ["data/ambit.db", "data/ambit.db-wal", "ambit.backup"] {
        let octets = std::fs::read(folder.path().join(name)).expect("a file");
        canaries.assert_absent(name, &octets);
        canaries.assert_no_part_in(name, &octets);
    }
    swept.node.stop().await;
    let (log, said) = said_of_first;
    assert!(log.text().lines().count() > 200, "the log is hardly talkative: {}", log.text().lines().count());
    for canaries in [&canaries, &carried] {
        canaries.assert_absent("the log", log.text().as_bytes());
        canaries.assert_absent("standard error", said.text().as_bytes());
    }
    canaries.assert_absent("the database", &std::fs::read(folder.path().join("data/ambit.db")).expect("a file"));

    // Commands do not repeat what they were given either.
    let variables =
        [("AMBIT_URL", "http://127.0.0.1:1"), ("AMBIT_CLIENT_ID", "worker"), ("AMBIT_CLIENT_SECRET", &secret)];
    for arguments in [["app", "list"], ["doctor", "--offline"], ["keys", "list"], ["explain", "--own"]] {
        let ran = ambit(folder.path(), &variables, &arguments).await;
        canaries.assert_absent("a command's output", format!("{}{}", ran.stdout, ran.stderr).as_bytes());
    }
}

/// The search itself finds what is there, in each spelling and at each place.
#[test]
fn a_secret_in_any_spelling_is_found() {
    let secret = "canary-secret/with+signs-0123";
    let mut canaries = Canaries::default();
    canaries.add("a secret", secret);
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut places = vec![
        format!("at={secret};"),
        format!("at={encoded};"),
        secret.bytes().fold(String::new(), |text, octet| format!("{text}{octet:02x}")),
        format!("{:?}", secret.as_bytes()),
    ];
    places.extend((0..3).map(|before| BASE64_STANDARD_NO_PAD.encode(format!("{}{secret}:after", "x".repeat(before)))));
    places.extend((0..3).map(|before| BASE64_URL_SAFE_NO_PAD.encode(format!("{}{secret}:after", "x".repeat(before)))));
    for place in places {
        let found = std::panic::catch_unwind(|| canaries.assert_absent("here", place.as_bytes()));
        assert!(found.is_err(), "{place}");
    }
    for (part, is_found) in [(&secret[secret.len() - PART..], true), (&secret[secret.len() - PART + 1..], false)] {
        let found = std::panic::catch_unwind(|| canaries.assert_no_part_in("here", format!("at={part};").as_bytes()));
        assert_eq!(found.is_err(), is_found, "{part}");
    }
}
