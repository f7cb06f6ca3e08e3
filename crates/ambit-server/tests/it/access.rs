//! Who may open which route, as a table made from the table of routes: a route that is new shows as a row that is new, and a
//! guard that changes as a diff in `golden/access.snap`.

use std::fmt::Write as _;

use ambit_server::admin_api::ROOT;
use ambit_server::routes::{Guard, Route, table};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};

use crate::people::form_token;
use crate::samples::Sample;
use crate::support::{Answer, BASE, Fixture, JSON, basic};
use crate::web::shop::Shop;
use crate::web::visitor::Visitor;
use crate::world::{Caller, Owner, World};

/// The columns of the admin API. The thing that a row is about is of tenant Oslo, where a tenant can have it.
const CALLERS: [(&str, Option<Caller>); 6] = [
    ("nobody", None),
    ("no scope", Some(Caller::WithoutScope(Owner::Oslo))),
    ("Lima", Some(Caller::Administrator(Owner::Lima))),
    ("Oslo", Some(Caller::Administrator(Owner::Oslo))),
    ("North", Some(Caller::Administrator(Owner::North))),
    ("platform", Some(Caller::Administrator(Owner::Platform))),
];

#[tokio::test]
async fn every_route_opens_to_those_in_the_table() {
    let world = World::new().await;
    let mut text = String::from(HEAD);
    let mut titles = String::new();
    for (title, _) in CALLERS {
        write!(titles, " {title:>8}").unwrap();
    }
    writeln!(text, "{:<7} {:<58} {:<8}{titles}", "", "the admin API, /api/v1/admin", "of").unwrap();
    let table = table();
    for route in table.iter().filter(|route| is_admin(route)) {
        writeln!(text, "{}", admin_row(&world, route).await).unwrap();
    }
    writeln!(
        text,
        "\n{:<7} {:<67} {:>8} {:>8} {:>8} {:>8}",
        "", "everything else", "nobody", "Lima", "Oslo", "platform"
    )
    .unwrap();
    let clients = [
        None,
        Some(("app-of-lima-only", world.secret_of(Owner::Lima).await)),
        Some(("app-of-oslo-only", world.secret_of(Owner::Oslo).await)),
        Some(("app-of-platform-only", world.secret_of(Owner::Platform).await)),
    ];
    for route in table.iter().filter(|route| !is_admin(route)) {
        writeln!(text, "{}", issuer_row(&world, route, &clients).await).unwrap();
    }
    // By construction each route has a row; this says that none was skipped on the way.
    let rows = text.lines().filter(|line| METHODS.iter().any(|method| line.starts_with(method))).count();
    assert_eq!(rows, table.len());
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("access", text);
    });
}

#[tokio::test]
async fn a_path_tells_its_methods_and_no_other_method_gets_past_the_table() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    let table = table();
    for route in &table {
        let mut listed: Vec<&str> =
            table.iter().filter(|other| other.path == route.path).map(|other| other.method.as_str()).collect();
        if listed.contains(&"GET") {
            listed.push("HEAD");
        }
        listed.sort_unstable();
        let path = filled(&route.path);
        for method in ["OPTIONS", "TRACE", "GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"] {
            if listed.contains(&method) {
                continue;
            }
            // Neither a token nor a header that asks for another method opens what is not there.
            let request = Request::builder()
                .method(method)
                .uri(&path)
                .header(header::AUTHORIZATION, format!("Bearer {root}"))
                .header("x-http-method-override", route.method.as_str())
                .body(Body::empty());
            let answer = fixture.send(request.expect("a request")).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}: {}", answer.text);
            let mut allowed: Vec<&str> = answer.header(header::ALLOW).split(',').collect();
            allowed.sort_unstable();
            assert_eq!(allowed, listed, "{method} {path}");
            assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
        }
    }
}

#[tokio::test]
async fn whoever_may_not_come_in_is_turned_away_whatever_else_is_sent() {
    let world = World::new().await;
    let token = world.token(Caller::WithoutScope(Owner::Oslo));
    for route in table().iter().filter(|route| is_admin(route)) {
        let path = filled(route.path.strip_prefix(ROOT).expect("a route of the admin API"));
        for (headers, body) in [
            (vec![("content-type", "text/plain")], "x"),
            (vec![("content-type", "application/json")], "{"),
            (vec![("content-type", "application/x-www-form-urlencoded")], "_method=DELETE"),
            (vec![("x-http-method-override", "GET"), ("x-forwarded-method", "GET")], ""),
            (vec![("if-match", "\"0\""), ("idempotency-key", "")], ""),
            (vec![("x-forwarded-for", "127.0.0.1"), ("x-original-url", "/healthz")], ""),
        ] {
            let answer = world.fixture.admin_with(token, route.method.clone(), &path, &headers, body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{} {path} {headers:?}: {}", route.method, answer.text);
            assert_eq!(answer.json["type"], format!("{BASE}/errors/api/insufficient-scope"));
        }
    }
}

#[tokio::test]
async fn a_name_that_is_no_utf_8_is_answered_like_one_that_nothing_has() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let token = form_token(&browser.get("/account/").await);
    // An issuer finds its tenant, and the admin API its things, by an extractor of their own.
    let table = table();
    let named =
        table.iter().filter(|route| !is_admin(route) && route.path.contains('{') && !route.path.contains("{slug}"));
    let mut seen = 0;
    for route in named {
        let names: Vec<&str> = route.path.split('/').filter(|segment| segment.starts_with('{')).collect();
        for name in names {
            let of = |text: &str| {
                filled(&route.path.replace(name, text))
                    .replace("{token}", "none")
                    .replace("{step}", "none")
                    .replace("{file}", "none")
            };
            let mut answers = vec![];
            for path in [of("none"), of("%FF"), of("%E2%28%A1.css")] {
                let answer = match route.method {
                    Method::POST if path.starts_with("/api/") => browser.send(Method::POST, &path, &[JSON], "{}").await,
                    Method::POST => browser.post(&path, &[("form", &token), ("name", "x")]).await,
                    _ => browser.get(&path).await,
                };
                answers.push((answer.status.as_u16(), answer.header(header::CONTENT_TYPE).to_owned()));
            }
            let [unknown, no_utf_8 @ ..] = &answers[..] else { unreachable!("three were asked for") };
            for answer in no_utf_8 {
                assert_eq!(answer, unknown, "{} {} {name}", route.method, route.path);
            }
            // A form of the set-up is refused before anybody looks whether it is still open.
            let expected = if route.method == Method::POST && route.path.starts_with("/set-up/") { 403 } else { 404 };
            assert_eq!(unknown.0, expected, "{} {} {name}", route.method, route.path);
            seen += 1;
        }
    }
    assert!(seen > 25, "{seen} names");
}

async fn admin_row(world: &World, route: &Route) -> String {
    let template = route.path.strip_prefix(ROOT).expect("a route of the admin API");
    let owner = owner_of(world, &route.method, template).await;
    let mut row = format!("{:<7} {template:<58} {:<8}", route.method.as_str(), owner.slug());
    for (title, caller) in CALLERS {
        let sample = world.sample(&route.method, template, owner).await.expect("a sample");
        let answer = ask(world, &route.method, caller, &sample).await;
        write!(row, " {:>8}", answer.status.as_u16()).unwrap();
        if route.method == Method::GET {
            // RFC 9110 §9.3.2: HEAD is GET without the body, at the gate too.
            let head = ask(world, &Method::HEAD, caller, &sample).await;
            assert_eq!((head.status, head.text.as_str()), (answer.status, ""), "HEAD {} by {title}", sample.path);
        }
    }
    row
}

/// Whose thing a row is about: a tenant's, else its partner's, else the platform's.
async fn owner_of(world: &World, method: &Method, template: &str) -> Owner {
    for owner in [Owner::Oslo, Owner::North] {
        if world.sample(method, template, owner).await.is_some() {
            return owner;
        }
    }
    Owner::Platform
}

async fn ask(world: &World, method: &Method, caller: Option<Caller>, sample: &Sample) -> Answer {
    match caller {
        Some(caller) => world.call(caller, method.clone(), &sample.path, sample.body.as_ref()).await,
        None => {
            let request = Request::builder()
                .method(method)
                .uri(format!("{ROOT}{}", sample.path))
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(sample.body.as_ref().map(ToString::to_string).unwrap_or_default()));
            world.fixture.send(request.expect("a request")).await
        }
    }
}

/// A row of what is not the admin API: clients authenticate by themselves, and a tenant's issuer is Oslo's.
async fn issuer_row(world: &World, route: &Route, clients: &[Option<(&str, String)>]) -> String {
    let mut row = format!("{:<7} {:<67}", route.method.as_str(), route.path);
    for client in clients {
        let mut request = Request::builder()
            .method(&route.method)
            .uri(filled(&route.path))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some((id, secret)) = client {
            request = request.header(header::AUTHORIZATION, basic(id, secret));
        }
        let body = if route.method == Method::POST { FORM } else { "" };
        let answer = world.fixture.send(request.body(Body::from(body)).expect("a request")).await;
        write!(row, " {:>8}", answer.status.as_u16()).unwrap();
    }
    row
}

fn is_admin(route: &Route) -> bool {
    matches!(route.guard, Guard::Admin(_))
}

/// A path with something in place of each brace.
fn filled(template: &str) -> String {
    template
        .replace("{slug}", "oslo")
        .replace("{domain}", "api")
        .replace("{name}", "not-found")
        .replace("{document}", "standards")
        .replace("{folder}", "troubleshooting")
        .replace("{page}", "why-403")
        .replace("{key}", "none")
        .replace("{id}", "none")
        .replace("{secret_id}", "none")
}

/// Everything that the OAuth endpoints of a client read.
const FORM: &str = "grant_type=client_credentials&token=none&question=%7B%22question%22%3A%22request%22%7D";
const METHODS: [&str; 6] = ["GET ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS "];
const HEAD: &str = "\
Status by caller. 'no scope' is signed in, in Oslo, with a scope of another API; the others hold admin:read and admin:write, and
are administrators of tenant Lima (another partner's), of tenant Oslo, of Oslo's partner North, of the platform. The thing that a
row is about belongs to whom the column 'of' says. Every GET answers HEAD with the same status.

";
