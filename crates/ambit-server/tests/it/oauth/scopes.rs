//! Scope escalation: whatever is asked for, and wherever it is asked, a token carries what may be carried and nothing else.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use super::doors::PATIENT;
use crate::support::{Answer, BASE, Fixture, ROOT, ROOT_SECRET, basic, claims};

/// A tenant with an application that is allowed `offers:read` and `pos.read`, on a server with the retail catalogue.
struct Shop {
    fixture: Fixture,
    acme: String,
    secret: String,
}

const TOKEN: &str = "/tenants/acme/connect/token";

impl Shop {
    async fn open() -> Self {
        let fixture = Fixture::with(PATIENT).await;
        fixture.retail().await;
        let acme = fixture.made(Method::POST, "/tenants", &json!({"name": "Acme", "slug": "acme"})).await;
        let acme = acme["id"].as_str().expect("an id").to_owned();
        let till = json!({"name": "Till", "client_id": "till", "type": "service", "level": "tenant", "tenant_id": acme,
            "allowed_scopes": ["offers:read", "pos.read"]});
        let made = fixture.made(Method::POST, "/applications", &till).await;
        let secret = made["client_secret"].as_str().expect("shown once").to_owned();
        Self { fixture, acme, secret }
    }

    async fn ask(&self, scope: &str) -> Answer {
        self.fixture.token(TOKEN, ("till", &self.secret), &[("scope", scope)]).await
    }

    async fn ask_raw(&self, body: &[u8]) -> Answer {
        let request = Request::post(TOKEN)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, basic("till", &self.secret))
            .body(Body::from([b"grant_type=client_credentials&scope=".as_slice(), body].concat()));
        self.fixture.send(request.expect("a request")).await
    }

    /// The same question to explain, which decides by the same engine and mints nothing.
    async fn simulated(&self, scope: &str) -> Value {
        let question = json!({"question": "request", "scope": scope}).to_string();
        let path = "/tenants/acme/connect/explain";
        let answer = self.fixture.form(path, Some(("till", &self.secret)), &[("question", &question)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json["decision"].clone()
    }

    /// `scope` is refused for `reason`, here and in simulation, and an honest request passes all the same.
    async fn refuses(&self, scope: &str, reason: &str) {
        let refused = self.ask(scope).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{scope:?}: {}", refused.text);
        assert_eq!(refused.json["error"], "invalid_scope", "{scope:?}: {}", refused.text);
        assert_eq!(refused.json["refused"][0]["reason"], reason, "{scope:?}: {}", refused.text);
        assert!(refused.json.get("access_token").is_none());
        assert_is_printable(&refused);
        let simulated = self.simulated(scope).await;
        assert_eq!(simulated["granted"], json!([]), "{scope:?}: {simulated}");
        assert_eq!(simulated["refused"], refused.json["refused"], "{scope:?}");
        assert_eq!(self.ask("offers:read").await.json["scope"], "offers:read");
    }
}

/// RFC 6749 §5.2: `%x20-21 / %x23-5B / %x5D-7E`, whatever was sent; and nothing of it in a header.
fn assert_is_printable(answer: &Answer) {
    let description = answer.json["error_description"].as_str().expect("a description");
    assert!(description.bytes().all(|byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{description:?}");
    for member in ["scope", "error_description"] {
        if let Some(text) = answer.json[member].as_str() {
            assert!(text.is_ascii() && !text.contains(char::is_control), "{text:?}");
        }
    }
    assert!(answer.headers.values().all(|value| value.to_str().is_ok()));
}

#[tokio::test]
async fn what_the_application_may_not_have_fails_the_request_alone_and_in_company() {
    let shop = Shop::open().await;
    for scope in
        ["pos.write", "offers:write", "pos:baskets:create", "scopes:read", "admin:read", "admin:write", "keys:read"]
    {
        shop.refuses(scope, "not_allowed").await;
        shop.refuses(&format!("{scope} offers:read"), "not_allowed").await;
        shop.refuses(&format!("offers:read {scope}"), "not_allowed").await;
    }
    shop.refuses("openid pos.write", "not_allowed").await;
}

#[tokio::test]
async fn a_name_is_that_name_and_no_pattern_and_no_neighbour() {
    let shop = Shop::open().await;
    for scope in [
        "*",
        ".",
        "offers:*",
        "offers:read:*",
        "offers:rea*",
        "offers:read:all",
        "offers:",
        "offers",
        ":",
        "offers:read:",
        "OFFERS:READ",
        "Offers:Read",
        "offers.read",
        "offers:reads",
        "offers:rea",
        "pos",
        "pos.",
        "pos.*",
        "pos.readx",
        "pos.read.x",
        "POS.READ",
        "read",
        "xyzzy",
        "admin",
        "admin:*",
        "__proto__",
        "null",
        "undefined",
        "true",
        "0",
        "offers:read,pos.read",
        "offers:read;pos.read",
        "offers:read|pos.read",
        "offers:read+pos.read",
        "offers:read%20pos.read",
        "offers:read/pos.read",
        "'offers:read'",
        "[offers:read]",
    ] {
        shop.refuses(scope, "unknown").await;
    }
}

#[tokio::test]
async fn what_is_outside_the_grammar_is_refused_and_shown_without_it() {
    let shop = Shop::open().await;
    let strange = [
        " offers:read",
        "offers:read ",
        "offers:read  pos.read",
        "  ",
        "offers:read\tpos.read",
        "offers:read\rpos.read",
        "offers:read\npos.read",
        "offers:read\r\npos.read",
        "offers:read\u{b}",
        "offers:read\u{c}",
        "offers:read\u{7f}",
        "offers:read\u{a0}pos.read",
        "offers:read\u{2003}pos.read",
        "offers:read\u{3000}pos.read",
        "\u{feff}offers:read",
        "offers:read\u{200b}",
        "offers\u{ad}:read",
        "offers:read\u{202e}",
        "offers:re\u{200d}ad",
        "\"offers:read\"",
        "offers\\read",
        "offers:re\u{430}d",
        "\u{ff4f}ffers:read",
        "o\u{fb00}ers:read",
        "cafe\u{301}",
        "caf\u{e9}",
        "stra\u{df}e",
        "\u{1f600}",
        "offers:read\u{1}",
        "offers:read\r\nSet-Cookie: a=b",
        "\u{1b}[31m",
    ];
    for scope in strange {
        shop.refuses(scope, "malformed").await;
    }
    // Octets that are no text at all: not a scope and not a parameter.
    for body in [
        b"%00".as_slice(),
        b"offers%00:read",
        b"\x00",
        b"%ff",
        b"\xff\xfe",
        b"%c0%af",
        b"%ed%a0%80",
        b"offers:read%",
        b"%zz",
        b"offers:read%2",
        b"%f0%9f%98",
    ] {
        let refused = shop.ask_raw(body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body:?}: {}", refused.text);
        assert_eq!(refused.json["error"], "invalid_request", "{body:?}: {}", refused.text);
        assert_is_printable(&refused);
    }
    assert_eq!(shop.ask("offers:read").await.status, StatusCode::OK);
}

#[tokio::test]
async fn escapes_are_taken_off_once() {
    let shop = Shop::open().await;
    for (body, granted) in [
        ("offers%3Aread", "offers:read"),
        ("offers:read+pos.read", "offers:read pos.read"),
        ("offers%3aread%20pos%2Eread", "offers:read pos.read"),
        ("%6F%66%66%65%72%73:read", "offers:read"),
    ] {
        let answer = shop.ask_raw(body.as_bytes()).await;
        assert_eq!(answer.status, StatusCode::OK, "{body}: {}", answer.text);
        let mut names: Vec<&str> = answer.json["scope"].as_str().expect("a scope").split(' ').collect();
        names.sort_unstable();
        assert_eq!(names.join(" "), granted, "{body}");
    }
    for body in
        ["offers%253Aread", "offers%2520read", "offers:read%2520pos.read", "offers:read%2Bpos.read", "%2500offers"]
    {
        let refused = shop.ask_raw(body.as_bytes()).await;
        assert_eq!(refused.json["refused"][0]["reason"], "unknown", "{body}: {}", refused.text);
    }
}

#[tokio::test]
async fn how_often_and_in_which_order_a_scope_is_named_does_not_matter() {
    let shop = Shop::open().await;
    let orders = ["offers:read pos.read", "pos.read offers:read", "offers:read offers:read pos.read offers:read"];
    let mut carried = vec![];
    for scope in orders {
        let answer = shop.ask(scope).await;
        assert_eq!(claims(&answer.access_token())["scope"], answer.json["scope"]);
        carried.push(answer.json["scope"].as_str().expect("a scope").to_owned());
    }
    carried.dedup();
    assert_eq!(carried.len(), 1, "{carried:?}");
    assert_eq!(carried[0].split(' ').count(), 2);
}

#[tokio::test]
async fn the_answer_says_what_the_token_carries_always() {
    let shop = Shop::open().await;
    for fields in [&[][..], &[("scope", "offers:read")], &[("scope", "pos:members:read")]] {
        let answer = shop.fixture.token(TOKEN, ("till", &shop.secret), fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{fields:?}: {}", answer.text);
        assert_eq!(answer.json["scope"], claims(&answer.access_token())["scope"], "{fields:?}");
    }
    // And of an empty set too: `scope` is there, and the token has no such claim.
    let none = json!({"scope_policy": {"when_omitted": "none"}});
    shop.fixture.made(Method::PATCH, "/applications/till", &none).await;
    let answer = shop.fixture.token(TOKEN, ("till", &shop.secret), &[]).await;
    assert_eq!(answer.json["scope"], "");
    assert!(claims(&answer.access_token()).get("scope").is_none());
}

#[tokio::test]
async fn a_services_token_is_about_no_person_and_for_no_other_tenants_api() {
    let shop = Shop::open().await;
    let fixture = &shop.fixture;
    let every = json!({"allowed_scopes": ["offers:read", "pos.read", "openid", "profile", "offline_access"]});
    fixture.made(Method::PATCH, "/applications/till", &every).await;
    // Identity scopes are left out and named; alone, nothing is left to grant.
    let answer = shop.ask("openid profile offline_access offers:read").await;
    assert_eq!(answer.json["scope"], "offers:read");
    let dropped = answer.json["dropped_scopes"].as_array().expect("a list");
    assert!(dropped.iter().all(|it| it["reason"] == "wrong_grant") && dropped.len() == 3, "{dropped:?}");
    let alone = shop.ask("openid").await;
    assert_eq!((alone.status, &alone.json["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_scope")));

    // Another tenant's API and scope: to this client they do not exist.
    let globex = fixture.made(Method::POST, "/tenants", &json!({"name": "Globex", "slug": "globex"})).await;
    let api = json!({"name": "G", "identifier": "https://globex.example/api", "tenant_id": globex["id"]});
    fixture.made(Method::POST, "/apis", &api).await;
    let scope = json!({"name": "globex:secret", "api": "https://globex.example/api", "kind": "granular", "title": {"en": "S"}, "description": {"en": "S"}});
    fixture.made(Method::POST, "/scopes", &scope).await;
    shop.refuses("globex:secret", "unknown").await;
    let near = shop.ask("globex:secre").await;
    assert!(!near.text.contains("globex:secret"), "a refusal is no oracle: {}", near.text);
    let resource = [("scope", "offers:read"), ("resource", "https://globex.example/api")];
    let foreign = fixture.token(TOKEN, ("till", &shop.secret), &resource).await;
    let unknown = [("scope", "offers:read"), ("resource", "https://nobody.example/api")];
    let unknown = fixture.token(TOKEN, ("till", &shop.secret), &unknown).await;
    for refused in [&foreign, &unknown] {
        assert_eq!((refused.status, &refused.json["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_target")));
    }
    let shape = |answer: &Answer| {
        let text = answer.json["error_description"].as_str().expect("a description");
        text.replace("https://globex.example/api", "X").replace("https://nobody.example/api", "X")
    };
    assert_eq!(shape(&foreign), shape(&unknown));
    for path in [
        "/tenants/acme/connect/scopes",
        "/tenants/acme/.well-known/scope-catalogue",
        "/tenants/acme/.well-known/openid-configuration",
    ] {
        let request = Request::get(path).header(header::AUTHORIZATION, basic("till", &shop.secret)).body(Body::empty());
        let answer = fixture.send(request.expect("a request")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        assert!(!answer.text.contains("globex"), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_tenants_administrator_gives_no_more_than_the_tenant_has() {
    let shop = Shop::open().await;
    let fixture = &shop.fixture;
    let boss = json!({"name": "Boss", "client_id": "boss", "type": "service", "level": "tenant", "tenant_id": shop.acme,
        "allowed_scopes": ["admin:read", "admin:write", "offers:read"]});
    let made = fixture.made(Method::POST, "/applications", &boss).await;
    let boss = ("boss", made["client_secret"].as_str().expect("shown once"));
    let token = fixture.token(TOKEN, boss, &[("scope", "admin:read admin:write")]).await.access_token();
    let globex = fixture.made(Method::POST, "/tenants", &json!({"name": "Globex", "slug": "globex"})).await;
    let api = json!({"name": "G", "identifier": "https://globex.example/api", "tenant_id": globex["id"]});
    fixture.made(Method::POST, "/apis", &api).await;
    let scope = json!({"name": "globex:secret", "api": "https://globex.example/api", "kind": "granular", "title": {"en": "S"}, "description": {"en": "S"}});
    fixture.made(Method::POST, "/scopes", &scope).await;

    let before = fixture.admin(&token, Method::GET, "/applications/till", None).await.json["allowed_scopes"].clone();
    for scopes in [
        json!(["globex:secret"]),
        json!(["*"]),
        json!(["nope"]),
        json!(["offers:read", "offers:read"]),
        json!("*"),
        json!([""]),
        json!(["\u{43e}ffers:read"]),
        json!(["offers:read "]),
    ] {
        let change = json!({"allowed_scopes": scopes});
        let refused = fixture.admin(&token, Method::PATCH, "/applications/till", Some(&change)).await;
        assert!(matches!(refused.status.as_u16(), 403 | 422), "{scopes}: {} {}", refused.status, refused.text);
    }
    let one = fixture
        .admin(&token, Method::POST, "/applications/till/allowed_scopes", Some(&json!({"scope": "globex:secret"})))
        .await;
    assert_eq!(one.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", one.text);
    // What the platform alone may give: a scope of its own API that this administrator does not hold.
    let held = fixture
        .admin(&token, Method::POST, "/applications/till/allowed_scopes", Some(&json!({"scope": "platform.write"})))
        .await;
    assert!(matches!(held.status.as_u16(), 403 | 422), "{} {}", held.status, held.text);
    let after = fixture.admin(&token, Method::GET, "/applications/till", None).await.json["allowed_scopes"].clone();
    assert_eq!(before, after);
    shop.refuses("globex:secret", "unknown").await;
    let control = fixture
        .admin(&token, Method::PATCH, "/applications/till", Some(&json!({"allowed_scopes": ["offers:read"]})))
        .await;
    assert_eq!(control.status, StatusCode::OK, "{}", control.text);
}

#[tokio::test]
async fn what_is_left_out_at_registration_is_nothing_and_not_all() {
    let shop = Shop::open().await;
    let fixture = &shop.fixture;
    let root = fixture.root().await;
    let with = |more: Value| {
        let mut body = json!({"name": "New", "type": "service", "level": "platform"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    for more in [json!({}), json!({"allowed_scopes": []})] {
        let made = fixture.made(Method::POST, "/applications", &with(more)).await;
        assert_eq!(made["allowed_scopes"], json!([]));
        let client = (made["client_id"].as_str().expect("an id"), made["client_secret"].as_str().expect("shown once"));
        let refused = fixture.token("/connect/token", client, &[]).await;
        assert_eq!((refused.status, &refused.json["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_scope")));
        let refused = fixture.token("/connect/token", client, &[("scope", "admin:read")]).await;
        assert_eq!(refused.json["refused"][0]["reason"], "not_allowed");
    }
    for bad in [json!(null), json!(""), json!("*"), json!(["*"]), json!([null]), json!({"*": true}), json!(["all"])] {
        let refused =
            fixture.admin(&root, Method::POST, "/applications", Some(&with(json!({"allowed_scopes": bad})))).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}: {}", refused.text);
    }
    for unknown in
        [json!({"fullScopeAllowed": true}), json!({"scope": "admin:read"}), json!({"allowedScopes": ["admin:read"]})]
    {
        let refused = fixture.admin(&root, Method::POST, "/applications", Some(&with(unknown.clone()))).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{unknown}: {}", refused.text);
    }
}

#[tokio::test]
async fn only_names_of_the_grammar_can_be_registered() {
    let shop = Shop::open().await;
    let root = shop.fixture.root().await;
    let api = json!({"name": "Own", "identifier": "https://own.example/api"});
    shop.fixture.made(Method::POST, "/apis", &api).await;
    let named = |name: &str| json!({"name": name, "api": "https://own.example/api", "kind": "granular", "title": {"en": "X"}, "description": {"en": "X"}});
    for name in [
        "",
        " ",
        "a b",
        "a\tb",
        "a\nb",
        "\u{430}dmin:read",
        "\u{ff41}dmin",
        "\u{fb01}le",
        "caf\u{e9}",
        "a\u{ad}b",
        "a\u{200d}b",
        "a\u{202e}b",
        "a\"b",
        "a\\b",
        "a\u{0}b",
        "a\u{7f}b",
        "\u{1f600}",
    ] {
        let refused = shop.fixture.admin(&root, Method::POST, "/scopes", Some(&named(name))).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}: {}", refused.text);
    }
    // The edge of the grammar, and the edge of the length.
    for name in ["~", "[", "]", "!", "#", "^a{b}|c~`", &"n".repeat(127), &"n".repeat(128)] {
        let made = shop.fixture.admin(&root, Method::POST, "/scopes", Some(&named(name))).await;
        assert_eq!(made.status, StatusCode::CREATED, "{name:?}: {}", made.text);
    }
    let refused = shop.fixture.admin(&root, Method::POST, "/scopes", Some(&named(&"n".repeat(129)))).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("128"), "{}", refused.text);
}

#[tokio::test]
async fn one_name_is_one_scope_and_a_renamed_ones_successor_is_asked_about_itself() {
    let shop = Shop::open().await;
    let fixture = &shop.fixture;
    let root = fixture.root().await;
    for identifier in ["https://one.example/api", "https://two.example/api"] {
        fixture.made(Method::POST, "/apis", &json!({"name": "Api", "identifier": identifier})).await;
    }
    let named = |name: &str, api: &str| json!({"name": name, "api": api, "kind": "granular", "title": {"en": "X"}, "description": {"en": "X"}});
    for name in ["old", "new", "newest"] {
        fixture.made(Method::POST, "/scopes", &named(name, "https://one.example/api")).await;
    }
    let again = fixture.admin(&root, Method::POST, "/scopes", Some(&named("old", "https://two.example/api"))).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text);

    // `old` becomes `new`: who was allowed the one has the other, and a token bears the name of now.
    fixture.made(Method::PATCH, "/applications/till", &json!({"allowed_scopes": ["old"]})).await;
    let path = |name: &str| format!("/scopes/{name}");
    fixture.made(Method::PATCH, &path("old"), &json!({"state": "deprecated", "successor": "new"})).await;
    let answer = shop.ask("old").await;
    assert_eq!(answer.json["scope"], "new", "{}", answer.text);
    assert_eq!(claims(&answer.access_token())["aud"], "https://one.example/api");
    assert_eq!(answer.json["notices"][0]["code"], "deprecated");
    // One step and no more: no chain, no loop, no scope of another API.
    for (name, change) in [
        ("new", json!({"state": "deprecated", "successor": "old"})),
        ("new", json!({"state": "deprecated", "successor": "new"})),
        ("newest", json!({"state": "deprecated", "successor": "old"})),
        ("newest", json!({"state": "deprecated", "successor": "offers:read"})),
    ] {
        let refused = fixture.admin(&root, Method::PATCH, &path(name), Some(&change)).await;
        assert!(matches!(refused.status.as_u16(), 409 | 422), "{change}: {} {}", refused.status, refused.text);
    }
    // The policy is asked about what is granted: a gate before the successor is a gate before the old name too.
    fixture.made(Method::POST, "/features", &json!({"key": "beta", "title": "Beta"})).await;
    fixture.made(Method::PATCH, &path("new"), &json!({"feature": "beta"})).await;
    let closed = shop.ask("old").await;
    assert_eq!(closed.status, StatusCode::BAD_REQUEST, "{}", closed.text);
    assert_eq!(closed.json["refused"][0]["reason"], "feature_off_for_tenant");
}

/// What a bundle stands for while one of its members is on its way out, at issuing and afterwards.
#[tokio::test]
async fn a_deprecated_member_is_its_successor_when_it_is_named_and_itself_in_its_bundle() {
    let shop = Shop::open().await;
    let fixture = &shop.fixture;
    let till = async |change: &Value| fixture.made(Method::PATCH, "/applications/till", change).await;
    let path = format!("/tenants/{}/features/digital-receipts", shop.acme);
    fixture.made(Method::PUT, &path, &json!({"enabled": true})).await;
    let gone = json!({"state": "deprecated", "successor": "pos:baskets:create"});
    fixture.made(Method::PATCH, "/scopes/pos:receipts:read", &gone).await;

    // The bundle is allowed, the successor is not: the member is carried with its bundle, and held for as long as its gate is open.
    let answer = shop.ask("pos.read").await;
    assert_eq!(answer.json["scope"], "pos.read pos:receipts:read", "{}", answer.text);
    let token = answer.access_token();
    let held = async || {
        let told = fixture.form("/connect/introspect", Some((ROOT, ROOT_SECRET)), &[("token", &token)]).await;
        told.json["scope"].as_str().map(str::to_owned).unwrap_or_default()
    };
    assert_eq!(held().await, "pos.read pos:receipts:read");
    fixture.made(Method::PUT, &path, &json!({"enabled": false})).await;
    assert_eq!(held().await, "pos.read");
    fixture.made(Method::PUT, &path, &json!({"enabled": true})).await;
    till(&json!({"allowed_scopes": ["offers:read", "pos:receipts:read"]})).await;
    assert_eq!(
        held().await,
        "pos:receipts:read",
        "by its own name it is asked about as its successor, and has no bundle"
    );

    // The successor is allowed, the bundle is not: `narrow` asks for the member by name.
    till(&json!({"allowed_scopes": ["pos:baskets:create"], "scope_policy": {"on_refused": "narrow"}})).await;
    let narrowed = shop.ask("pos.read").await;
    assert_eq!(narrowed.status, StatusCode::OK, "{}", narrowed.text);
    assert_eq!(claims(&narrowed.access_token())["scope"], "pos:baskets:create");
}

#[tokio::test]
async fn a_token_for_one_api_is_none_for_another_of_the_same_issuer() {
    let shop = Shop::open().await;
    let answer = shop.ask("offers:read").await;
    let token = answer.access_token();
    let audience = claims(&token)["aud"].clone();
    assert_ne!(audience, format!("{BASE}/api/v1/admin"));
    // What it carries is the admin API's name for nothing.
    let refused = shop.fixture.admin(&token, Method::GET, "/scopes", None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    // And with a scope of the admin API but asked for another audience, the token is for that one alone.
    let both = json!({"allowed_scopes": ["offers:read", "scopes:read"]});
    shop.fixture.made(Method::PATCH, "/applications/till", &both).await;
    let fields = [("scope", "scopes:read"), ("resource", audience.as_str().expect("one"))];
    let refused = shop.fixture.token(TOKEN, ("till", &shop.secret), &fields).await;
    assert_eq!(refused.json["refused"][0]["reason"], "wrong_resource", "{}", refused.text);
    let fields = [("resource", audience.as_str().expect("one"))];
    let narrowed = shop.fixture.token(TOKEN, ("till", &shop.secret), &fields).await;
    assert_eq!(narrowed.json["scope"], "offers:read");
    let own = [("resource", "https://as.example/api/v1/admin")];
    let admin = shop.fixture.token(TOKEN, ("till", &shop.secret), &own).await.access_token();
    assert_eq!(shop.fixture.admin(&admin, Method::GET, "/scopes", None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_wider_default_widens_no_token_that_is_out() {
    let shop = Shop::open().await;
    let fixture = &shop.fixture;
    let narrow = json!({"scope_policy": {"when_omitted": "default_scopes", "default_scopes": ["offers:read"]}});
    fixture.made(Method::PATCH, "/applications/till", &narrow).await;
    let before = fixture.token(TOKEN, ("till", &shop.secret), &[]).await.access_token();
    assert_eq!(claims(&before)["scope"], "offers:read");
    let wide = json!({"scope_policy": {"when_omitted": "all_allowed"}});
    fixture.made(Method::PATCH, "/applications/till", &wide).await;
    let introspected = fixture.form("/connect/introspect", Some((ROOT, ROOT_SECRET)), &[("token", &before)]).await;
    assert_eq!((&introspected.json["active"], &introspected.json["scope"]), (&json!(true), &json!("offers:read")));
    let after = fixture.token(TOKEN, ("till", &shop.secret), &[]).await;
    assert_eq!(after.json["scope"].as_str().expect("a scope").split(' ').count(), 2);
}

#[tokio::test]
async fn texts_of_a_scope_are_texts() {
    let shop = Shop::open().await;
    let fixture = &shop.fixture;
    let root = fixture.root().await;
    fixture.made(Method::POST, "/apis", &json!({"name": "Own", "identifier": "https://own.example/api"})).await;
    let titled = |title: &str| json!({"name": "markup", "api": "https://own.example/api", "kind": "granular", "title": {"en": title}, "description": {"en": title}});
    for bad in ["x".repeat(1_000_000), "x".repeat(2_001), "a\u{0}b".to_owned(), "a\u{1b}[0m".to_owned(), String::new()]
    {
        let refused = fixture.admin(&root, Method::POST, "/scopes", Some(&titled(&bad))).await;
        assert!(matches!(refused.status.as_u16(), 413 | 422), "{:?}: {}", &bad[..bad.len().min(9)], refused.status);
    }
    let made = fixture.admin(&root, Method::POST, "/scopes", Some(&titled("<script>alert(1)</script> **x**"))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    for path in ["/.well-known/scope-catalogue", "/api/v1/docs", "/errors/"] {
        let page = fixture.get(path).await;
        let is_json = page.header(header::CONTENT_TYPE).starts_with("application/json");
        assert!(is_json || !page.text.contains("<script>alert"), "{path}");
        assert_eq!(page.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn the_order_of_unrelated_changes_does_not_matter() {
    let shop = Shop::open().await;
    let fixture = &shop.fixture;
    let unit = json!({"name": "North", "slug": "north", "kind": "retailer"});
    let unit = fixture.made(Method::POST, &format!("/tenants/{}/units", shop.acme), &unit).await;
    let unit = unit["id"].as_str().expect("an id").to_owned();
    let change = async |which: usize| {
        let (method, path, body) = match which {
            0 => {
                (Method::PATCH, "/applications/till".to_owned(), json!({"allowed_scopes": ["pos.read", "offers:read"]}))
            }
            1 => (Method::PUT, format!("/tenants/{}/features/digital-receipts", shop.acme), json!({"enabled": true})),
            2 => (Method::PATCH, "/applications/till".to_owned(), json!({"scope_policy": {"on_refused": "narrow"}})),
            3 => (Method::PATCH, "/scopes/offers:read".to_owned(), json!({"title": {"en": "Offers"}})),
            _ => (Method::PATCH, format!("/units/{unit}"), json!({"name": "The north"})),
        };
        fixture.made(method, &path, &body).await;
    };
    let reset = async || {
        fixture
            .made(Method::PATCH, "/applications/till", &json!({"allowed_scopes": ["offers:read"], "scope_policy": {}}))
            .await;
        fixture
            .made(Method::PUT, &format!("/tenants/{}/features/digital-receipts", shop.acme), &json!({"enabled": false}))
            .await;
    };
    let mut outcomes = vec![];
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [1, 3, 0, 4, 2], [2, 0, 4, 1, 3], [3, 2, 1, 0, 4], [1, 0, 2, 4, 3]]
    {
        reset().await;
        for which in order {
            change(which).await;
        }
        let fields = [("scope", "pos.read pos.write offers:read"), ("unit", "north")];
        let answer = fixture.token(TOKEN, ("till", &shop.secret), &fields).await;
        outcomes.push((answer.json["scope"].clone(), answer.json["dropped_scopes"].clone()));
    }
    outcomes.dedup();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    assert_eq!(outcomes[0].0, "pos.read pos:receipts:read offers:read");
}

#[tokio::test]
async fn the_store_failing_is_no_reason_to_grant() {
    use crate::store::{Faulty, READS};

    let (fixture, store) = Faulty::fixture(PATIENT).await;
    let body = json!({"name": "Late", "client_id": "late", "type": "service", "level": "platform", "allowed_scopes": ["scopes:read"]});
    let made = fixture.made(Method::POST, "/applications", &body).await;
    let late = ("late", made["client_secret"].as_str().expect("shown once"));
    // Nobody has asked for this client, so its facts are not in memory.
    store.fail(&READS);
    for path in ["/connect/token", "/connect/introspect", "/connect/revoke", "/connect/explain"] {
        let refused = fixture.form(path, Some(late), &[("grant_type", "client_credentials"), ("token", "x")]).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", refused.text);
        assert!(!refused.header(header::RETRY_AFTER).is_empty(), "{path}");
        assert!(!refused.text.contains("disk"), "{path}: {}", refused.text);
    }
    store.fail(&[]);
    assert_eq!(fixture.token("/connect/token", late, &[]).await.status, StatusCode::OK);
    // Once they are, decisions go on without the store.
    store.fail(&READS);
    assert_eq!(fixture.token("/connect/token", late, &[]).await.status, StatusCode::OK);
}
