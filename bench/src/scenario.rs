//! What is measured, in its order.

use std::time::Duration;

use serde_json::Value;

use crate::child::{self, Server};
use crate::growth::{self, Population};
use crate::http::Request;
use crate::people;
use crate::product::{self, Client};
use crate::reference::{Claims, Shape};
use crate::report::{Asked, Fact, Report};
use crate::rounds::{self, Comparison, Contender, Spread};
use crate::signature::Algorithm;
use crate::{Failure, Settings, timing};

/// Runs everything that was asked for.
pub(crate) fn run(settings: &Settings) -> Result<Report, Failure> {
    if settings.server_core == settings.load_core {
        return Err("the server and the client need a core each".into());
    }
    let mut run = Run { settings, report: Report::new(settings) };
    if settings.reference_only {
        run.reference()?;
    } else {
        run.parts()?;
        run.matcher()?;
        run.product()?;
        run.people()?;
        if !settings.without_growth {
            run.growth()?;
        }
    }
    Ok(run.report)
}

struct Run<'a> {
    settings: &'a Settings,
    report: Report,
}

impl Run<'_> {
    /// What the machine can do: the reference against an answer that costs nothing.
    fn reference(&mut self) -> Result<(), Failure> {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256] {
            let shape = Shape { algorithm, ..unshaped() };
            let client = Client {
                client_id: shape.client_id.clone(),
                secret: shape.client_secret.clone(),
                scope: shape.claims.scope.clone(),
            };
            let server = child::start_reference(self.settings.server_core, &shape)?;
            for connections in CONNECTIONS {
                self.compare(&Comparison {
                    name: format!("reference: {} token", algorithm.as_str()),
                    connections,
                    subject: token_contender(&server, &client),
                    baseline: Contender {
                        server: &server,
                        plan: vec![Request::get("/fixed/0")].into(),
                        check: &is_json,
                    },
                    baseline_name: "reference: GET of a fixed text",
                    algorithm: Some(algorithm),
                    at_least: None,
                    p99_below_us: None,
                })?;
            }
        }
        Ok(())
    }

    /// What needs no server: `decide` and the middleware by themselves, and the middleware in front of a route.
    fn parts(&mut self) -> Result<(), Failure> {
        for of in ["decide", "verify"] {
            for cost in child::costs(self.settings.server_core, of, self.settings.seconds)? {
                let asked = cost.asked_for.then_some(Asked::Below(2.0));
                let [median, min, max] = [cost.nanos.median, cost.nanos.min, cost.nanos.max].map(|nanos| nanos / 1e3);
                self.fact(&cost.name, median, "µs", asked, &format!("{min:.2}–{max:.2}"));
            }
        }
        let (api, token) = child::start_api(self.settings.server_core)?;
        let contender = |request: Request| Contender { server: &api, plan: vec![request].into(), check: &is_json };
        self.compare(&Comparison {
            name: "an API's route behind the middleware".to_owned(),
            connections: 32,
            subject: contender(Request::get("/guarded").bearer(&token)),
            baseline: contender(Request::get("/open")),
            baseline_name: "the same route without it",
            algorithm: None,
            at_least: None,
            p99_below_us: None,
        })
    }

    /// The knowledge base's matcher by itself.
    fn matcher(&mut self) -> Result<(), Failure> {
        if self.settings.only.as_ref().is_some_and(|text| !MATCHER.contains(text.as_str())) {
            return Ok(());
        }
        for figure in child::figures(self.settings.server_core, self.settings.seconds)? {
            self.fact(&figure.name, figure.value, figure.unit.as_str(), figure.below.map(Asked::Below), &figure.note);
        }
        Ok(())
    }

    fn product(&mut self) -> Result<(), Failure> {
        let binary = product::binary(self.settings)?;
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("small");
        let (server, first_start) = product::start(self.settings, &binary, &data)?;
        self.fact(
            "first start to ready, empty folder",
            first_start.as_secs_f64() * 1e3,
            "ms",
            None,
            "makes a database and a key",
        );
        let clients = [(Algorithm::Es256, product::register(&server, Algorithm::Es256)?)];
        drop(server);

        let mut starts = Vec::new();
        for _ in 0..self.settings.rounds {
            starts.push(product::start(self.settings, &binary, &data)?.1.as_secs_f64() * 1e3);
        }
        let starts = Spread::of(starts);
        self.fact(
            "start to ready, existing database",
            starts.median,
            "ms",
            Some(Asked::Below(150.0)),
            &format!("{:.0}–{:.0}", starts.min, starts.max),
        );

        let (server, _) = product::start(self.settings, &binary, &data)?;
        std::thread::sleep(IDLE);
        self.fact("resident memory, idle", mib(server.process.resident_kib()?), "MiB", Some(Asked::Below(30.0)), "");
        for (algorithm, client) in &clients {
            self.endpoints(&server, client, *algorithm)?;
            if self.settings.only.as_ref().is_none_or(|text| timing::NAME.contains(text.as_str())) {
                self.report.facts.push(timing::measure(&server, client)?);
            }
        }
        self.fact(
            "resident memory, the most under load",
            mib(server.process.peak_resident_kib()?),
            "MiB",
            Some(Asked::Below(64.0)),
            "",
        );
        Ok(())
    }

    /// What people do in browsers, and what their applications do with it.
    fn people(&mut self) -> Result<(), Failure> {
        if self.settings.only.as_ref().is_some_and(|text| !people::NAME.contains(text.as_str())) {
            return Ok(());
        }
        let binary = product::binary(self.settings)?;
        let folder = tempfile::tempdir()?;
        let (server, _) = product::start(self.settings, &binary, folder.path())?;
        self.report.facts.extend(people::measure(self.settings, &server)?);
        Ok(())
    }

    /// A large registry beside a small one.
    fn growth(&mut self) -> Result<(), Failure> {
        if self.settings.only.as_ref().is_some_and(|text| !GROWTH.contains(text.as_str())) {
            return Ok(());
        }
        let binary = product::binary(self.settings)?;
        let folder = tempfile::tempdir()?;
        let [small, larger @ ..] = growth::SIZES;
        let fill = |size: u32| Population::fill(self.settings, &binary, folder.path().join(size.to_string()), size);
        let small_population = fill(small)?;
        let small_server = small_population.start(self.settings, &binary)?;
        for size in larger {
            let population = fill(size)?;
            let server = population.start(self.settings, &binary)?;
            let contender = |server, population: &Population| Contender {
                server,
                plan: population.requests(small).into(),
                check: &has_token,
            };
            self.compare(&Comparison {
                name: format!("{GROWTH}, {size} applications of 10000 tenants, {small} of them asking"),
                connections: 32,
                subject: contender(&server, &population),
                baseline: contender(&small_server, &small_population),
                baseline_name: "the product with 1000 applications",
                algorithm: None,
                at_least: Some(0.9),
                p99_below_us: None,
            })?;
            let asking = size.min(CLIENTS_OF_A_SWEEP);
            let rate = population.sweep(self.settings, &server, asking)?;
            self.fact(&format!("{GROWTH}, {size} applications, {asking} asking in turn"), rate, "/s", None, "");
            self.fact(
                &format!("{GROWTH}, {size} applications, the most resident memory"),
                mib(server.process.peak_resident_kib()?),
                "MiB",
                Some(Asked::Below(300.0)),
                "",
            );
        }
        Ok(())
    }

    /// Every endpoint against the reference that answers the like.
    fn endpoints(&mut self, server: &Server, client: &Client, algorithm: Algorithm) -> Result<(), Failure> {
        let token = client.token(server)?;
        let admin_token = product::administrator().token(server)?;
        let jwks = Request::get("/connect/jwks");
        let introspection =
            Request::form("/connect/introspect", &[("token", &token)]).basic(&client.client_id, &client.secret);
        let admin_read = Request::get(&format!("/api/v1/admin/applications/{}", client.client_id)).bearer(&admin_token);

        let mut shape = product::shape(server, client, algorithm)?;
        for request in [&jwks, &introspection, &admin_read] {
            shape.fixed.push(request.expect_json(server.address)?.to_string());
        }
        let reference = child::start_reference(self.settings.server_core, &shape)?;
        same_work(server, &reference, client)?;

        for connections in CONNECTIONS {
            self.compare(&Comparison {
                name: format!("token, {}", algorithm.as_str()),
                connections,
                subject: token_contender(server, client),
                baseline: token_contender(&reference, client),
                baseline_name: "reference",
                algorithm: Some(algorithm),
                at_least: (connections == 32).then_some(0.85),
                p99_below_us: Some(5000.0),
            })?;
        }
        let contender =
            |server, request: &Request, check| Contender { server, plan: vec![request.clone()].into(), check };
        let of_reference = |place: usize| Request::get(&format!("/fixed/{place}"));
        let introspection_of_reference =
            Request::form("/fixed/1", &[("token", &token)]).basic(&client.client_id, &client.secret);
        for (name, subject, baseline, baseline_name, at_least) in [
            (
                "introspection",
                contender(server, &introspection, &is_active),
                contender(server, &jwks, &is_json),
                "the product's JWKS",
                Some(0.8),
            ),
            (
                "introspection",
                contender(server, &introspection, &is_active),
                contender(&reference, &introspection_of_reference, &is_active),
                "reference, token not looked at",
                None,
            ),
            // How near the ratio asked for introspection is to what a form and a secret cost by themselves.
            (
                "reference: introspection, token not looked at",
                contender(&reference, &introspection_of_reference, &is_active),
                contender(&reference, &of_reference(0), &is_json),
                "reference, GET of a fixed text",
                None,
            ),
            (
                "JWKS",
                contender(server, &jwks, &is_json),
                contender(&reference, &of_reference(0), &is_json),
                "reference",
                None,
            ),
            (
                "admin read, one application",
                contender(server, &admin_read, &is_json),
                contender(&reference, &of_reference(2), &is_json),
                "reference, GET of a fixed text",
                None,
            ),
        ] {
            let connections = 32;
            let name = name.to_owned();
            self.compare(&Comparison {
                name,
                connections,
                subject,
                baseline,
                baseline_name,
                algorithm: None,
                at_least,
                p99_below_us: None,
            })?;
        }
        Ok(())
    }

    fn compare(&mut self, comparison: &Comparison<'_>) -> Result<(), Failure> {
        if self.settings.only.as_ref().is_none_or(|text| comparison.name.contains(text.as_str())) {
            let outcome = rounds::compare(comparison, self.settings)
                .map_err(|failure| format!("{}, {} connections: {failure}", comparison.name, comparison.connections))?;
            self.report.comparisons.push(outcome);
        }
        Ok(())
    }

    fn fact(&mut self, name: &str, value: f64, unit: &'static str, asked: Option<Asked>, note: &str) {
        self.report.facts.push(Fact { name: name.to_owned(), value, unit, asked, note: note.to_owned() });
    }
}

/// The two must do the same work, or their ratio says nothing.
fn same_work(server: &Server, reference: &Server, client: &Client) -> Result<(), Failure> {
    let (of_product, of_reference) = (client.token(server)?, client.token(reference)?);
    let members = |token: &str| -> Result<Vec<String>, Failure> {
        let (_, claims) = product::read_token(token)?;
        Ok(claims.as_object().ok_or("claims are an object")?.keys().cloned().collect())
    };
    if members(&of_product)? != members(&of_reference)? || of_product.len() != of_reference.len() {
        return Err("the reference's token is not like the product's".into());
    }
    Ok(())
}

fn token_contender<'a>(server: &'a Server, client: &Client) -> Contender<'a> {
    Contender { server, plan: vec![client.token_request()].into(), check: &has_token }
}

fn has_token(body: &str) -> Result<(), Failure> {
    let answer: Value = serde_json::from_str(body)?;
    let token = answer["access_token"].as_str().ok_or_else(|| format!("no access_token in {body}"))?;
    let (_, claims) = product::read_token(token)?;
    if claims["scope"] == answer["scope"] { Ok(()) } else { Err("the token's scope is not the answer's".into()) }
}

fn is_active(body: &str) -> Result<(), Failure> {
    if serde_json::from_str::<Value>(body)?["active"] == true {
        Ok(())
    } else {
        Err(format!("not active: {body}").into())
    }
}

fn is_json(body: &str) -> Result<(), Failure> {
    Ok(serde_json::from_str::<Value>(body).map(drop)?)
}

/// A reference without a product to be like.
fn unshaped() -> Shape {
    let scope = "pos:baskets:read pos:baskets:create".to_owned();
    Shape {
        client_id: "pos-terminal-0042".to_owned(),
        client_secret: "ambit_cs_GODT2Zxk0yFYV0Hk4HzS1lJqSHeqs2NvTzmNOUzFx3cAAAAAA".to_owned(),
        algorithm: Algorithm::Es256,
        kid: "key_01kb0000000000000000000000".to_owned(),
        claims: Claims {
            iss: "http://127.0.0.1:5000".to_owned(),
            sub: "pos-terminal-0042".to_owned(),
            aud: "https://pos.example/api".to_owned(),
            client_id: "pos-terminal-0042".to_owned(),
            scope,
            iat: 1_795_000_000,
            exp: 1_795_003_600,
            jti: String::new(),
            tenant_id: None,
            tenant_slug: None,
            partner_id: None,
            level: "platform".to_owned(),
            rev: 1,
        },
        fixed: vec!["{}".to_owned()],
    }
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

const CONNECTIONS: [u16; 2] = [8, 32];
/// By what the scenario of the knowledge base is chosen.
const MATCHER: &str = "matcher, knowledge base";
const GROWTH: &str = "growth: tokens";
/// More than the product keeps in memory.
const CLIENTS_OF_A_SWEEP: u32 = 100_000;
/// What a start leaves to do is done by then.
const IDLE: Duration = Duration::from_secs(3);
