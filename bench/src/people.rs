//! What people and their applications do: sign-ins with a password, the code flow, renewals; and what services feel of it.
//!
//! A *sign-in* is what a browser does that knows nothing yet: the authorization request, the page, and the password, which is
//! answered with the way back and a code. The *code flow* is what one does that is signed in, and what its application does
//! then: the authorization request, and the code redeemed for an access token, a refresh token and an ID token.

use std::time::{Duration, Instant};

use ambit_core::entropy::Entropy;
use ambit_core::password::{self, Password, Verdict};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};

use crate::child::{self, Server};
use crate::http::Request;
use crate::product;
use crate::report::{Asked, Fact};
use crate::rounds::{self, Contender, Spread};
use crate::signature::Algorithm;
use crate::walk::{self, Beside, Plan, Slots, Step};
use crate::{Failure, Settings};

/// By what the scenario is chosen.
pub(crate) const NAME: &str = "people: sign-ins, codes, renewals";

/// All of it, on one server.
pub(crate) fn measure(settings: &Settings, server: &Server) -> Result<Vec<Fact>, Failure> {
    let place = Place::prepare(server)?;
    let mut facts = Vec::new();
    place.sign_ins(settings, &mut facts)?;
    for pace in PACES {
        place.tokens_beside_sign_ins(settings, pace, &mut facts)?;
    }
    for (name, application, asked) in [
        ("code flow, ID token RS256", &place.rs256, Some(Asked::AtLeast(300.0))),
        ("code flow, ID token ES256", &place.es256, None),
    ] {
        let walk = vec![place.authorize_signed_in(application), application.redeem()];
        facts.push(place.rate(settings, name, Plan::over_and_over(vec![walk]), asked)?);
    }
    for (name, application, asked) in [
        ("renewal with rotation, no ID token", &place.plain, Some(Asked::AtLeast(1000.0))),
        ("renewal with rotation, ID token ES256", &place.es256, None),
        ("renewal with rotation, ID token RS256", &place.rs256, None),
    ] {
        let before = vec![place.authorize_signed_in(application), application.redeem()];
        let plan = Plan { before, ..Plan::over_and_over(vec![vec![application.renew()]]) };
        facts.push(place.rate(settings, name, plan, asked)?);
    }
    Ok(facts)
}

/// Verifies a password for so long, and prints how many times a second that is done.
pub(crate) fn verify_passwords(seconds: f64) -> Result<(), Failure> {
    let password = Password::new(PASSWORD)?;
    let kept = password::hash(&password, &Random)?;
    let duration = Duration::from_secs_f64(seconds);
    let start = Instant::now();
    let mut count = 0_u32;
    let elapsed = loop {
        if password::verify(&password, &kept)? != (Verdict::Right) {
            return Err("a right password is wrong".into());
        }
        count += 1;
        let elapsed = start.elapsed();
        if elapsed >= duration {
            break elapsed;
        }
    };
    println!("{}", f64::from(count) / elapsed.as_secs_f64());
    Ok(())
}

#[derive(Debug)]
struct Random;

impl Entropy for Random {
    fn fill(&self, octets: &mut [u8]) {
        SystemRandom::new().fill(octets).expect("the system has randomness");
    }
}

/// A tenant with people, and applications that they sign in to.
struct Place<'a> {
    server: &'a Server,
    service: product::Client,
    /// The cookies of somebody who is signed in.
    cookies: String,
    plain: Application,
    es256: Application,
    rs256: Application,
}

/// An application, and what it asks for.
struct Application {
    client_id: String,
    secret: String,
    scope: String,
}

impl<'a> Place<'a> {
    fn prepare(server: &'a Server) -> Result<Self, Failure> {
        let service = product::register(server, Algorithm::Es256)?;
        let token = product::administrator().token(server)?;
        let send = |method: &str, path: &str, body: &Value| {
            Request::json(method, &format!("/api/v1/admin/{path}"), body).bearer(&token).expect_json(server.address)
        };
        let tenant = send("POST", "tenants", &json!({ "name": "Bench", "slug": TENANT }))?["id"].clone();
        for number in 0..CONNECTIONS {
            let person = json!({
                "email": format!("person-{number}@{DOMAIN}"), "tenant_id": tenant, "email_verified": true,
            });
            let id = send("POST", "users", &person)?["id"].clone();
            let id = id.as_str().ok_or("a user without id")?;
            send("PUT", &format!("users/{id}/password"), &json!({ "password": PASSWORD }))?;
        }
        let application = |name: &str, openid: bool, algorithm: Algorithm| -> Result<Application, Failure> {
            let scope = if openid { format!("openid {}", service.scope) } else { service.scope.clone() };
            let made = send(
                "POST",
                "applications",
                &json!({
                    "name": name, "client_id": name, "type": "web", "level": "tenant", "tenant_id": tenant,
                    "allowed_scopes": scope.split(' ').collect::<Vec<_>>(), "redirect_uris": [CALLBACK],
                    "consent": "trusted", "id_token_signed_response_alg": algorithm.as_str(),
                }),
            )?;
            let secret = made["client_secret"].as_str().ok_or("an application without a secret")?.to_owned();
            Ok(Application { client_id: name.to_owned(), secret, scope })
        };
        let mut place = Self {
            server,
            cookies: String::new(),
            plain: application("plain", false, Algorithm::Es256)?,
            es256: application("es256", true, Algorithm::Es256)?,
            rs256: application("rs256", true, Algorithm::Rs256)?,
            service,
        };
        let mut slots = Slots::from([("connection".to_owned(), "0".to_owned())]);
        walk::go(server.address, &place.sign_in(&place.rs256), &mut slots)?;
        place.cookies = format!("ambit-session={}", slots["session"]);
        Ok(place)
    }

    /// Passwords against the limit: how many the same function verifies on the same core, with nothing around it.
    fn sign_ins(&self, settings: &Settings, facts: &mut Vec<Fact>) -> Result<(), Failure> {
        let contender = self.contender(Plan::over_and_over(vec![self.sign_in(&self.rs256)]));
        let (mut rates, mut shares) = (Vec::new(), Vec::new());
        for _ in 0..settings.rounds {
            let limit = child::passwords(settings.server_core, settings.seconds)?;
            let rate = rounds::turn(&contender, FEW, LONGER * settings.seconds, settings)?.turn.rate();
            rates.push(rate);
            shares.push(rate / limit);
            eprint!(".");
        }
        eprintln!(" sign-ins");
        facts.push(fact("sign-ins with a password", &Spread::of(rates), "/s", None));
        facts.push(fact("sign-ins, share of the Argon2 limit", &Spread::of(shares), "", Some(Asked::AtLeast(0.9))));
        Ok(())
    }

    /// What a service that asks at a steady pace feels of people who sign in as fast as they can.
    fn tokens_beside_sign_ins(&self, settings: &Settings, pace: f64, facts: &mut Vec<Fact>) -> Result<(), Failure> {
        let tokens = Plan { walks_per_sec: Some(pace), ..Plan::from(vec![self.service.token_request()]) };
        let beside = Some(Beside { connections: FEW, walk: self.sign_in(&self.rs256) });
        let (alone, flooded) = (self.contender(tokens.clone()), self.contender(Plan { beside, ..tokens }));
        let seconds = (LONGER * settings.seconds).max(LONGEST);
        let (mut p99s, mut ratios, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..settings.rounds {
            let limit = child::passwords(settings.server_core, settings.seconds)?;
            let alone = rounds::turn(&alone, FEW, seconds, settings)?.turn;
            let flooded = rounds::turn(&flooded, FEW, seconds, settings)?.turn;
            p99s.push(flooded.p99_us);
            ratios.push(flooded.p99_us / alone.p99_us);
            shares.push(flooded.beside as f64 / flooded.seconds / limit);
            eprint!(".");
        }
        eprintln!(" tokens beside sign-ins");
        let name = |what: &str| format!("{pace} tokens of a service a second beside sign-ins, {what}");
        facts.push(fact(&name("p99"), &Spread::of(p99s), "µs", None));
        facts.push(fact(&name("p99 by that without"), &Spread::of(ratios), "", Some(Asked::Below(2.0))));
        facts.push(fact(
            &name("share of the Argon2 limit that sign-ins have"),
            &Spread::of(shares),
            "",
            Some(Asked::AtLeast(0.9)),
        ));
        Ok(())
    }

    /// How often a second.
    fn rate(&self, settings: &Settings, name: &str, plan: Plan, asked: Option<Asked>) -> Result<Fact, Failure> {
        let contender = self.contender(plan);
        let (mut rates, mut p99s) = (Vec::new(), Vec::new());
        for _ in 0..settings.rounds {
            let turn = rounds::turn(&contender, CONNECTIONS, settings.seconds, settings)?.turn;
            rates.push(turn.rate());
            p99s.push(turn.p99_us);
            eprint!(".");
        }
        eprintln!(" {name}");
        let mut fact = fact(name, &Spread::of(rates), "/s", asked);
        fact.note = format!("{}, {CONNECTIONS} connections, p99 {:.0} µs", fact.note, Spread::of(p99s).median);
        Ok(fact)
    }

    const fn contender(&self, plan: Plan) -> Contender<'_> {
        Contender { server: self.server, plan, check: &|_| Ok(()) }
    }

    /// From the authorization request of a browser that knows nothing to a code.
    fn sign_in(&self, application: &Application) -> Vec<Step> {
        let page = |request: Request| request.header("Cookie", "ambit-browser={browser}");
        let form = [("form", "{form}"), ("email", &format!("person-{{connection}}@{DOMAIN}")), ("password", PASSWORD)];
        let password = page(Request::form("{page}/password", &form))
            .header("Origin", &format!("http://{}", self.server.address))
            .header("Sec-Fetch-Site", "same-origin");
        vec![
            Step::new(application.authorization_request(), 303).take("page", "location: ", "\r\n").take(
                "browser",
                "ambit-browser=",
                ";",
            ),
            Step::new(page(Request::get("{page}")), 200).take("form", "name=\"form\" value=\"", "\""),
            Step::new(password, 303).take("session", "ambit-session=", ";").take("code", "code=", "&"),
        ]
    }

    fn authorize_signed_in(&self, application: &Application) -> Step {
        let request = application.authorization_request().header("Cookie", &self.cookies);
        Step::new(request, 303).take("code", "code=", "&")
    }
}

impl Application {
    fn redeem(&self) -> Step {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", "{code}"),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.token_request(&fields)
    }

    fn renew(&self) -> Step {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", "{refresh_token}")];
        self.token_request(&fields)
    }

    fn authorization_request(&self) -> Request {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", &self.client_id),
                ("redirect_uri", CALLBACK),
                ("scope", &self.scope),
                ("state", "af0ifjsldkj"),
                ("nonce", "n-0S6_WzA2Mj"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ])
            .finish();
        Request::get(&format!("/tenants/{TENANT}/connect/authorize?{query}"))
    }

    fn token_request(&self, fields: &[(&str, &str)]) -> Step {
        let request =
            Request::form(&format!("/tenants/{TENANT}/connect/token"), fields).basic(&self.client_id, &self.secret);
        Step::new(request, 200).take("refresh_token", "\"refresh_token\":\"", "\"")
    }
}

fn fact(name: &str, spread: &Spread, unit: &'static str, asked: Option<Asked>) -> Fact {
    let note = format!("{:.2}–{:.2}", spread.min, spread.max);
    Fact { name: name.to_owned(), value: spread.median, unit, asked, note }
}

const TENANT: &str = "bench";
const DOMAIN: &str = "bench.example";
const CALLBACK: &str = "https://app.bench.example/cb";
/// Known to everybody, on a server that listens on loopback for a minute and is then deleted.
const PASSWORD: &str = "correct horse battery staple";
/// The example of RFC 7636, Appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CONNECTIONS: u16 = 32;
/// Enough that none of the threads that hash is ever idle.
const FEW: u16 = 8;
/// One sign-in takes so long that a usual turn has few of them.
const LONGER: f64 = 3.0;
/// Seconds. A p99 is one of the worst few of a few hundred answers, and those are what the host of a virtual machine makes of them,
/// which takes its processors away now and then, and more often for a second or two.
const LONGEST: f64 = 30.0;
/// Tokens a second: about as many as sign-ins, and more, which take some of the processor from these. A small part of what one core
/// makes, and of no simple ratio to the ticks of a clock: the system looks who is to run at ticks, and whoever always asks just
/// after one waits longest.
const PACES: [f64; 2] = [47.0, 197.0];
