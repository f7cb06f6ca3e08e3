//! What an issuer says about itself, and whether it is true: discovery, RFC 8414, the keys, the catalogue; and every path by
//! which an issuer can be reached (identity.md §3).

use ambit_protocol::jose::{Algorithm, SigningKey};
use axum::body::Body;
use axum::http::{HeaderName, Method, Request, StatusCode, header};
use serde_json::{Value, json};

use super::doors::{ACME, Attempt, PATIENT, PLATFORM, World, claims, doors};
use crate::forge::{assertion_fields, part};
use crate::support::{BASE, Fixture};

const DOCUMENTS: [(&str, &str); 4] = [
    (PLATFORM, "/.well-known/openid-configuration"),
    (PLATFORM, "/.well-known/oauth-authorization-server"),
    (ACME, "/tenants/acme/.well-known/openid-configuration"),
    (ACME, "/.well-known/oauth-authorization-server/tenants/acme"),
];

async fn document(fixture: &Fixture, path: &str) -> Value {
    let answer = fixture.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/json", "{path}");
    answer.json
}

/// The path of a URL of this server.
fn path(url: &Value) -> String {
    let url = url.as_str().unwrap_or_else(|| panic!("no URL: {url}"));
    url.strip_prefix(BASE).unwrap_or_else(|| panic!("somebody else's: {url}")).to_owned()
}

#[tokio::test]
async fn every_form_of_an_issuers_document_says_the_same() {
    let world = World::new().await;
    let aliases = [
        (PLATFORM, "/api/v1/platform/.well-known/openid-configuration"),
        (PLATFORM, "/api/v1/platform/oauth/.well-known/openid-configuration"),
        (ACME, "/api/v1/auth/tenants/acme/.well-known/openid-configuration"),
        (ACME, "/api/v1/auth/tenants/acme/oauth/.well-known/openid-configuration"),
    ];
    for issuer in [PLATFORM, ACME] {
        let mut told = vec![];
        for (_, path) in DOCUMENTS.iter().chain(&aliases).filter(|(of, _)| *of == issuer) {
            let document = document(&world.fixture, path).await;
            // RFC 8414 §3.3: the same octets as the issuer that the address was made from.
            assert_eq!(document["issuer"], issuer, "{path}");
            told.push(document);
        }
        assert_eq!(told.len(), 4);
        told.dedup();
        assert_eq!(told.len(), 1);
    }
}

#[tokio::test]
async fn every_endpoint_that_is_announced_answers_and_every_one_that_answers_is_announced() {
    let world = World::new().await;
    for (issuer, at) in DOCUMENTS {
        let document = document(&world.fixture, at).await;
        let (id, secret) = &world.clients(issuer).secret;
        let client = Some((id.as_str(), secret.as_str()));
        for (member, fields) in [
            ("token_endpoint", &[("grant_type", "client_credentials")][..]),
            ("introspection_endpoint", &[("token", "x")]),
            ("revocation_endpoint", &[("token", "x")]),
            ("explain_endpoint", &[("question", r#"{"question":"request"}"#)]),
        ] {
            let answer = world.fixture.form(&path(&document[member]), client, fields).await;
            assert_eq!(answer.status, StatusCode::OK, "{member} of {at}: {}", answer.text);
        }
        for member in ["jwks_uri", "scope_catalogue_endpoint", "service_documentation"] {
            let answer = world.fixture.get(&path(&document[member])).await;
            assert_eq!(answer.status, StatusCode::OK, "{member} of {at}");
        }
        let scopes = Attempt::basic(id, secret);
        let door = doors()
            .into_iter()
            .find(|door| door.path == path(&document["scopes_endpoint"]) && door.method == Method::GET);
        assert_eq!(world.send(&door.expect("a door"), &scopes).await.status, StatusCode::OK);
        // These are for browsers and for people's tokens: without either they answer, and say what is missing.
        for (member, status) in [
            ("authorization_endpoint", StatusCode::BAD_REQUEST),
            ("userinfo_endpoint", StatusCode::UNAUTHORIZED),
            ("end_session_endpoint", StatusCode::OK),
        ] {
            let answer = world.fixture.get(&path(&document[member])).await;
            assert_eq!(answer.status, status, "{member} of {at}: {}", answer.text);
        }
        // What is not built is not announced, and does not answer.
        for absent in [
            "registration_endpoint",
            "device_authorization_endpoint",
            "pushed_authorization_request_endpoint",
            "backchannel_authentication_endpoint",
        ] {
            assert!(document.get(absent).is_none(), "{absent} of {at}");
        }
        let base = issuer.strip_prefix(BASE).expect("ours");
        for absent in ["register", "device", "par", "ciba"] {
            for method in [Method::GET, Method::POST] {
                let request =
                    Request::builder().method(method).uri(format!("{base}/connect/{absent}")).body(Body::empty());
                let answer = world.fixture.send(request.expect("a request")).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{absent}");
            }
        }
    }
}

#[tokio::test]
async fn every_grant_method_and_algorithm_that_is_announced_works_and_no_other_does() {
    let world = World::new().await;
    let signers = Algorithm::ALL.map(|algorithm| SigningKey::generate(algorithm).expect("a key"));
    for (issuer, at) in [DOCUMENTS[0], DOCUMENTS[3]] {
        let document = document(&world.fixture, at).await;
        let token_path = path(&document["token_endpoint"]);
        let (id, secret) = &world.clients(issuer).secret;

        let grants = json!(["client_credentials", "authorization_code", "refresh_token"]);
        assert_eq!(document["grant_types_supported"], grants);
        for (grant, error) in [
            ("client_credentials", None),
            // Known, and told what they lack.
            ("authorization_code", Some("invalid_request")),
            ("refresh_token", Some("invalid_request")),
            ("password", Some("unsupported_grant_type")),
            ("urn:ietf:params:oauth:grant-type:token-exchange", Some("unsupported_grant_type")),
            ("urn:ietf:params:oauth:grant-type:jwt-bearer", Some("unsupported_grant_type")),
            ("urn:ietf:params:oauth:grant-type:device_code", Some("unsupported_grant_type")),
            ("CLIENT_CREDENTIALS", Some("unsupported_grant_type")),
            ("", Some("invalid_request")),
        ] {
            let answer = world.fixture.form(&token_path, Some((id, secret)), &[("grant_type", grant)]).await;
            assert_eq!(answer.json["error"].as_str(), error, "{grant}: {}", answer.text);
            if error == Some("unsupported_grant_type") {
                let supported = "'client_credentials', 'authorization_code', 'refresh_token'";
                let told = format!("grant_type '{grant}' is not supported; supported: {supported}");
                assert_eq!(answer.json["error_description"], *told);
            }
        }
        assert_eq!(document["response_types_supported"], json!(["code"]));
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(document["authorization_response_iss_parameter_supported"], json!(true));
        assert_eq!(document["request_uri_parameter_supported"], json!(false));

        for prefix in ["token", "introspection", "revocation"] {
            let methods = &document[format!("{prefix}_endpoint_auth_methods_supported")];
            let mut known = vec!["client_secret_basic", "client_secret_post", "private_key_jwt"];
            // A public client names itself where it has something else to show: a code, a refresh token.
            if prefix != "introspection" {
                known.push("none");
            }
            assert_eq!(*methods, json!(known), "{prefix}");
            let endpoint = path(&document[format!("{prefix}_endpoint")]);
            let fields = [("grant_type", "client_credentials"), ("token", "x")];
            let basic = world.fixture.form(&endpoint, Some((id, secret)), &fields).await;
            let in_body = [&fields[..], &[("client_id", id), ("client_secret", secret)]].concat();
            let post = world.fixture.form(&endpoint, None, &in_body).await;
            assert_eq!((basic.status, post.status), (StatusCode::OK, StatusCode::OK), "{prefix}: {}", post.text);

            let algorithms = document[format!("{prefix}_endpoint_auth_signing_alg_values_supported")].clone();
            assert_eq!(algorithms, json!(Algorithm::ALL.map(Algorithm::as_str)), "{prefix}");
            for signer in &signers {
                let name = signer.algorithm().as_str();
                let (client_id, _) = &world.clients(issuer).signer;
                let jwks = json!({"jwks": {"keys": [signer.public_jwk("k9")]}});
                world.fixture.made(Method::PATCH, &format!("/applications/{client_id}"), &jwks).await;
                let payload = claims(client_id, issuer, &format!("{prefix}-{name}")).to_string();
                let assertion = signer.sign(&signer.header("JWT", "k9"), payload.as_bytes()).expect("an assertion");
                let credentials = assertion_fields(&assertion);
                let mut all = fields.to_vec();
                all.extend(credentials.iter().map(|(name, value)| (name.as_str(), value.as_str())));
                let answer = world.fixture.form(&endpoint, None, &all).await;
                assert_eq!(answer.status, StatusCode::OK, "{name} at {endpoint}: {}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn the_published_keys_verify_what_is_signed_with_each_algorithm() {
    let world = World::new().await;
    let fixture = &world.fixture;
    let (id, secret) = world.clients(PLATFORM).secret.clone();
    for algorithm in Algorithm::ALL {
        fixture.made(Method::POST, "/keys/rotate", &json!({"algorithm": algorithm, "force": true})).await;
        let name = algorithm.as_str().to_lowercase();
        let identifier = format!("https://{name}.example");
        fixture
            .made(
                Method::POST,
                "/apis",
                &json!({"name": name, "identifier": identifier, "signing_algorithm": algorithm}),
            )
            .await;
        let scope = json!({"name": format!("{name}:use"), "api": identifier, "kind": "granular", "title": {"en": "X"}, "description": {"en": "X"}});
        fixture.made(Method::POST, "/scopes", &scope).await;
        let allowed = json!({"scope": format!("{name}:use")});
        fixture.made(Method::POST, &format!("/applications/{id}/allowed_scopes"), &allowed).await;
        let answer = fixture.token("/connect/token", (&id, &secret), &[("resource", &identifier)]).await;
        let token = answer.access_token();
        assert_eq!(part(&token, 0)["alg"], algorithm.as_str());
        // By another library than the one that signed, and with what is published only.
        let jwks = fixture.get("/connect/jwks").await;
        let set: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&jwks.text).expect("a key set");
        let kid = part(&token, 0)["kid"].as_str().expect("a kid").to_owned();
        let key = jsonwebtoken::DecodingKey::from_jwk(set.find(&kid).expect("published")).expect("a key");
        let mut validation = jsonwebtoken::Validation::new(algorithm.as_str().parse().expect("an algorithm"));
        validation.validate_exp = false;
        validation.set_audience(&[&identifier]);
        validation.set_issuer(&[BASE]);
        let read = jsonwebtoken::decode::<Value>(&token, &key, &validation).expect("a good token");
        assert_eq!(read.claims["scope"], answer.json["scope"]);
    }
}

#[tokio::test]
async fn no_request_decides_what_an_issuer_says() {
    let world = World::new().await;
    for (issuer, at) in DOCUMENTS {
        let honest = document(&world.fixture, at).await;
        for (name, value) in [
            ("host", "evil.example"),
            ("host", ""),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-prefix", "/evil"),
            ("x-original-url", "/evil"),
            ("x-rewrite-url", "/evil"),
            ("forwarded", "host=evil.example;proto=http"),
            ("origin", "https://evil.example"),
        ] {
            let request = Request::get(at).header(HeaderName::from_static(name), value).body(Body::empty());
            let answer = world.fixture.send(request.expect("a request")).await;
            assert_eq!(answer.json, honest, "{name}: {value} at {at}");
        }
        let absolute = Request::get(format!("http://evil.example{at}")).body(Body::empty());
        assert_eq!(world.fixture.send(absolute.expect("a request")).await.json, honest);
        // Nor what a token says it was issued by.
        let (id, secret) = &world.clients(issuer).secret;
        let door = doors().into_iter().find(|door| door.issuer == issuer).expect("a door");
        let attempt = Attempt::basic(id, secret).header(header::HOST, "evil.example");
        let token = world.send(&door, &attempt).await.access_token();
        assert_eq!(part(&token, 1)["iss"], issuer);
    }
}

#[tokio::test]
async fn there_are_two_forms_of_a_well_known_path_and_no_third() {
    let world = World::new().await;
    for path in [
        "/tenants/acme/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration/tenants/acme",
        "/.well-known/oauth-authorization-server/",
        "/.well-known/oauth-authorization-server/acme",
        "/.well-known/oauth-authorization-server/tenants",
        "/.well-known/oauth-authorization-server/tenants/",
        "/.well-known/oauth-authorization-server/tenants/acme/",
        "/.well-known/oauth-authorization-server/tenants/acme/x",
        "/.well-known/oauth-authorization-server/tenants/globex/../acme",
        "/.well-known/oauth-authorization-server//tenants/acme",
        "/.well-known/oauth-authorization-server/tenants/acme%2f..%2fglobex",
        "/.well-known/oauth-authorization-server/tenants/%2e%2e",
        "/.well-known/oauth-authorization-server/tenants/acme%00",
        "/.well-known/oauth-authorization-server/tenants/acme%20",
        "/.well-known/oauth-authorization-server/tenants/ACME",
        "/.well-known/oauth-authorization-server/tenants/acm",
        "/.well-known/oauth-authorization-server/tenants/acme2",
        "/.well-known/oauth-authorization-server/tenants/nobody",
        "/tenants/acme/../globex/.well-known/openid-configuration",
        "/tenants//acme/.well-known/openid-configuration",
        "/tenants/acme//.well-known/openid-configuration",
        "/tenants/acme/x/.well-known/openid-configuration",
        "/tenants/nobody/.well-known/openid-configuration",
        "/tenants/ACME/.well-known/openid-configuration",
        // What is no UTF-8 is nobody's name, and not the platform's.
        "/tenants/%FF/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/tenants/%ff",
        "/tenants/acme%C3/connect/jwks",
        "/.well-known/openid-configuration/",
        "/.WELL-KNOWN/openid-configuration",
    ] {
        let answer = world.fixture.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.text);
        assert!(answer.json.get("issuer").is_none(), "{path}");
    }
}

#[tokio::test]
async fn an_issuer_whose_name_begins_with_anothers_is_another() {
    let world = World::new().await;
    let fixture = &world.fixture;
    for slug in ["acm", "acme2", "acme-x"] {
        fixture.made(Method::POST, "/tenants", &json!({"name": slug, "slug": slug})).await;
        let document = document(fixture, &format!("/tenants/{slug}/.well-known/openid-configuration")).await;
        assert_eq!(document["issuer"], format!("{BASE}/tenants/{slug}"));
    }
    let (id, secret) = &world.clients(ACME).secret;
    for issuer in ["acm", "acme2", "acme-x"] {
        let path = format!("/tenants/{issuer}/connect/token");
        let refused = fixture.token(&path, (id, secret), &[]).await;
        assert_eq!(refused.json["error"], "unauthorized_client", "{path}: {}", refused.text);
        assert_eq!(refused.json["issuer"], ACME);
        let refused = fixture.token(&path, (id, "wrong"), &[]).await;
        assert_eq!(refused.json["error"], "invalid_client", "only who proved it is told: {}", refused.text);
    }
    let control = fixture.token("/tenants/acme/connect/token", (id, secret), &[]).await;
    assert_eq!(control.status, StatusCode::OK);
}

#[tokio::test]
async fn scripts_may_read_what_is_public_and_nothing_else() {
    let world = World::new().await;
    let public = [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/tenants/acme",
        "/.well-known/jwks.json",
        "/.well-known/scope-catalogue",
        "/connect/jwks",
        "/api/v1/platform/.well-known/jwks.json",
        "/tenants/acme/.well-known/openid-configuration",
        "/tenants/acme/.well-known/jwks.json",
        "/tenants/acme/.well-known/scope-catalogue",
        "/tenants/acme/connect/jwks",
        "/api/v1/auth/tenants/acme/.well-known/jwks.json",
    ];
    let from = |path: &str, method: Method| {
        let request = Request::builder().method(method).uri(path).header(header::ORIGIN, "https://evil.example");
        request.body(Body::empty()).expect("a request")
    };
    for path in public {
        let answer = world.fixture.send(from(path, Method::GET)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "*", "{path}");
        assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS), "", "{path}");
        // A copy that is still good need not be sent again, though a proxy that compresses made its tag weak.
        let etag = answer.header(header::ETAG).to_owned();
        let known = [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()];
        for (tags, is_known) in known.iter().map(|tags| (tags.as_str(), true)).chain([("\"x\"", false), ("x", false)]) {
            let request = Request::get(path).header(header::IF_NONE_MATCH, tags).body(Body::empty());
            let again = world.fixture.send(request.expect("a request")).await;
            assert_eq!(again.status == StatusCode::NOT_MODIFIED, is_known, "{path} {tags}");
            // RFC 9110 §15.4.5: with what 200 would have said of caching.
            for name in [header::CACHE_CONTROL, header::ETAG] {
                assert_eq!(again.header(name.clone()), answer.header(name), "{path} {tags}");
            }
        }
    }
    let mut closed: Vec<(Method, &str)> = doors().iter().map(|door| (door.method.clone(), door.path)).collect();
    closed.extend(
        ["/api/v1/admin/scopes", "/api/v1/openapi.json", "/errors/", "/healthz", "/nowhere"]
            .map(|path| (Method::GET, path)),
    );
    for (method, path) in closed {
        let answer = world.fixture.send(from(path, method.clone())).await;
        let cors = answer.headers.keys().find(|name| name.as_str().starts_with("access-control"));
        assert_eq!(cors, None, "{method} {path}");
    }
}

#[tokio::test]
async fn an_issuer_lists_its_own_scopes_and_the_platforms_and_no_neighbours() {
    let world = World::new().await;
    let fixture = &world.fixture;
    let tenants = fixture.admin(&fixture.root().await, Method::GET, "/tenants?limit=200", None).await;
    for tenant in tenants.json["items"].as_array().expect("tenants") {
        let slug = tenant["slug"].as_str().expect("a slug");
        let identifier = format!("https://{slug}.example/api");
        fixture
            .made(Method::POST, "/apis", &json!({"name": slug, "identifier": identifier, "tenant_id": tenant["id"]}))
            .await;
        for (name, advertised) in [("use", true), ("hidden", false)] {
            let scope = json!({"name": format!("{slug}:{name}"), "api": identifier, "kind": "granular", "title": {"en": "X"}, "description": {"en": "X"}, "advertised": advertised});
            fixture.made(Method::POST, "/scopes", &scope).await;
        }
    }
    for (issuer, at) in DOCUMENTS {
        let listed = document(fixture, at).await["scopes_supported"].clone();
        let listed: Vec<&str> =
            listed.as_array().expect("a list").iter().map(|name| name.as_str().expect("a name")).collect();
        assert_eq!(listed.contains(&"acme:use"), issuer == ACME, "{at}");
        assert!(!listed.iter().any(|name| name.starts_with("globex") || name.ends_with("hidden")), "{at}: {listed:?}");
        // The catalogue lists the same.
        let base = issuer.strip_prefix(BASE).expect("ours");
        let catalogue = document(fixture, &format!("{base}/.well-known/scope-catalogue")).await;
        let names: Vec<&str> = catalogue["scopes"]
            .as_array()
            .expect("scopes")
            .iter()
            .map(|scope| scope["name"].as_str().expect("a name"))
            .collect();
        assert_eq!(names, listed, "{at}");
        assert!(!catalogue.to_string().contains("globex"), "{at}");
    }
}

/// identity.md §3, as a table: alias → canonical path, for each method that the canonical path takes.
const ALIASES: [(Method, &str, &str); 15] = [
    (Method::POST, "/api/v1/platform/oauth/token", "/connect/token"),
    (Method::POST, "/api/v1/platform/oauth/introspect", "/connect/introspect"),
    (Method::POST, "/api/v1/platform/oauth/revoke", "/connect/revoke"),
    (Method::GET, "/api/v1/platform/.well-known/jwks.json", "/.well-known/jwks.json"),
    (Method::GET, "/.well-known/jwks.json", "/connect/jwks"),
    (Method::GET, "/api/v1/platform/oauth/.well-known/openid-configuration", "/.well-known/openid-configuration"),
    (Method::GET, "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"),
    (Method::POST, "/api/v1/auth/tenants/acme/oauth/token", "/tenants/acme/connect/token"),
    (Method::POST, "/api/v1/auth/tenants/acme/oauth/introspect", "/tenants/acme/connect/introspect"),
    (Method::POST, "/api/v1/auth/tenants/acme/oauth/revoke", "/tenants/acme/connect/revoke"),
    (Method::GET, "/api/v1/auth/tenants/acme/.well-known/jwks.json", "/tenants/acme/.well-known/jwks.json"),
    (Method::GET, "/tenants/acme/.well-known/jwks.json", "/tenants/acme/connect/jwks"),
    (
        Method::GET,
        "/api/v1/auth/tenants/acme/.well-known/openid-configuration",
        "/tenants/acme/.well-known/openid-configuration",
    ),
    (
        Method::GET,
        "/.well-known/oauth-authorization-server/tenants/acme",
        "/tenants/acme/.well-known/openid-configuration",
    ),
    (Method::GET, "/api/v1/auth/tenants/acme/.well-known/scope-catalogue", "/tenants/acme/.well-known/scope-catalogue"),
];

#[tokio::test]
async fn every_alias_answers_as_its_canonical_path() {
    let world = World::new().await;
    for (method, alias, canonical) in ALIASES {
        let issuer = if canonical.contains("/tenants/") { ACME } else { PLATFORM };
        let (id, secret) = &world.clients(issuer).secret;
        let bodies = [
            "grant_type=client_credentials&scope=scopes:read&token=x",
            "grant_type=client_credentials&scope=nope",
            "token=",
            "",
        ];
        for body in bodies {
            for (name, authorization) in [
                ("the right secret", Some(crate::support::basic(id, secret))),
                ("a wrong one", Some(crate::support::basic(id, "wrong"))),
                ("none", None),
            ] {
                let mut seen = vec![];
                for path in [alias, canonical] {
                    let mut request = Request::builder().method(method.clone()).uri(path);
                    if method == Method::POST {
                        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                    }
                    if let Some(authorization) = &authorization {
                        request = request.header(header::AUTHORIZATION, authorization);
                    }
                    let answer = world.fixture.send(request.body(Body::from(body)).expect("a request")).await;
                    let mut json = answer.json.clone();
                    // What differs from call to call.
                    for member in ["trace_id", "access_token"] {
                        if let Some(member) = json.get_mut(member) {
                            *member = Value::Null;
                        }
                    }
                    seen.push((
                        answer.status,
                        json,
                        answer.header(header::CACHE_CONTROL).to_owned(),
                        answer.header(header::WWW_AUTHENTICATE).to_owned(),
                    ));
                }
                assert_eq!(seen[0], seen[1], "{method} {alias} with {name}, {body:?}");
            }
        }
        // And no method more than the other.
        for other in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            if other == method {
                continue;
            }
            let mut statuses = vec![];
            for path in [alias, canonical] {
                let request =
                    Request::builder().method(other.clone()).uri(path).body(Body::empty()).expect("a request");
                statuses.push(world.fixture.send(request).await.status);
            }
            assert_eq!(statuses, [StatusCode::METHOD_NOT_ALLOWED; 2], "{other} {alias}");
        }
    }
}

#[tokio::test]
async fn a_tenant_that_is_shut_is_told_so_where_it_asks_and_its_documents_stay() {
    let fixture = Fixture::with(PATIENT).await;
    let world = World::of(fixture).await;
    let (id, secret) = &world.clients(ACME).secret;
    for (status, expected) in [("active", 200), ("grace_period", 200), ("suspended", 402), ("churned", 403)] {
        let body = json!({"status": status});
        world.fixture.made(Method::POST, &format!("/tenants/{}/status", world.acme_id), &body).await;
        for path in ["/tenants/acme/connect/token", "/api/v1/auth/tenants/acme/oauth/token"] {
            let answer = world.fixture.token(path, (id, secret), &[]).await;
            assert_eq!(answer.status, expected, "{status}: {}", answer.text);
            assert_eq!(!answer.header(header::WARNING).is_empty(), status == "grace_period");
            if expected > 200 {
                assert_eq!(answer.json["error_uri"], format!("{BASE}/errors/tenant/{status}"));
            }
            // Who is not the tenant's learns nothing of it.
            let guess = world.fixture.token(path, (id, "wrong"), &[]).await;
            assert_eq!(guess.status, StatusCode::UNAUTHORIZED, "{status}: {}", guess.text);
        }
        // A platform application that acts for it is told the same.
        let (id, secret) = &world.clients(PLATFORM).secret;
        let acting = world.fixture.token("/connect/token", (id, secret), &[("tenant", "acme")]).await;
        assert_eq!(acting.status, expected, "{status}: {}", acting.text);
        assert_eq!(world.fixture.token("/connect/token", (id, secret), &[]).await.status, StatusCode::OK);
        assert_eq!(document(&world.fixture, "/tenants/acme/.well-known/openid-configuration").await["issuer"], ACME);
    }
}
