//! What is counted, and `/metrics` in Prometheus' text form. Labels come from closed sets: clients and scopes have labels of their
//! own up to a bound, and share `other` beyond it, so that nobody who invents names fills the memory of whoever scrapes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use ambit_core::governance::decision::Decision;
use ambit_core::refusal::Refusal;
use ambit_protocol::decision::NoticeCode;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::state::App;

/// The counters of one server.
#[derive(Debug)]
pub struct Metrics {
    clients: usize,
    scopes: usize,
    issued: RwLock<HashMap<String, AtomicU64>>,
    refused: Mutex<Refusals>,
    would_refuse: AtomicU64,
    invariant_violations: AtomicU64,
    routes: RwLock<HashMap<(String, u16), Latency>>,
}

#[derive(Debug, Default)]
struct Refusals {
    counts: HashMap<(String, String, &'static str), u64>,
    clients: Vec<String>,
    scopes: Vec<String>,
}

#[derive(Debug, Default)]
struct Latency {
    buckets: [AtomicU64; BUCKETS_US.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

impl Metrics {
    /// Counters with labels for so many clients and scopes.
    #[must_use]
    pub fn new(clients: usize, scopes: usize) -> Self {
        Self {
            clients,
            scopes,
            issued: RwLock::default(),
            refused: Mutex::default(),
            would_refuse: AtomicU64::new(0),
            invariant_violations: AtomicU64::new(0),
            routes: RwLock::default(),
        }
    }

    /// A token was issued.
    pub fn issued(&self, client: &str, decision: &Decision) {
        let reports = decision.notices.iter().filter(|notice| notice.code == NoticeCode::ReportOnly).count();
        if reports > 0 {
            self.would_refuse.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(count) = read(&self.issued).get(client) {
            count.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut issued = self.issued.write().unwrap_or_else(PoisonError::into_inner);
        let label = if issued.len() < self.clients { client } else { OTHER };
        issued.entry(label.to_owned()).or_default().fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused: counted for each scope that was, or once.
    pub fn refused(&self, client: Option<&str>, refusal: &Refusal) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let client = label(&mut refused.clients, self.clients, client.unwrap_or("unknown"));
        match refusal {
            Refusal::Scope(decision) => {
                for offender in decision.offenders().iter().take(SCOPES_OF_ONE_REQUEST) {
                    let scope = label(&mut refused.scopes, self.scopes, &offender.scope);
                    *refused.counts.entry((client.clone(), scope, offender.reason.as_str())).or_default() += 1;
                }
            }
            other => *refused.counts.entry((client, String::new(), other.code())).or_default() += 1,
        }
    }

    /// A token was about to break the invariant, and was not issued. Must stay 0.
    pub fn invariant_violated(&self) {
        self.invariant_violations.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was answered.
    pub fn answered(&self, route: &str, status: u16, took: Duration) {
        let key = (route.to_owned(), status);
        if let Some(latency) = read(&self.routes).get(&key) {
            latency.add(took);
            return;
        }
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.entry(key).or_default().add(took);
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub fn render(&self, app: &App) -> String {
        let mut text = String::with_capacity(16 * 1024);
        let mut family = |name: &str, kind: &str, help: &str, samples: Vec<(String, u64)>| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let issued = read(&self.issued);
        let issued = issued
            .iter()
            .map(|(client, count)| (format!("{{client=\"{}\"}}", escaped(client)), count.load(Ordering::Relaxed)));
        family("ambit_tokens_issued_total", "counter", "Tokens issued.", issued.collect());
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = refused.counts.iter().map(|((client, scope, reason), count)| {
            let labels = format!("{{client=\"{}\",scope=\"{}\",reason=\"{reason}\"}}", escaped(client), escaped(scope));
            (labels, *count)
        });
        family("ambit_requests_refused_total", "counter", "Requests of clients refused, by scope.", refused.collect());
        let one = |value: u64| vec![(String::new(), value)];
        let load = |counter: &AtomicU64| one(counter.load(Ordering::Relaxed));
        family(
            "ambit_report_only_total",
            "counter",
            "Tokens that the policy would refuse if it were enforced.",
            load(&self.would_refuse),
        );
        family(
            "ambit_invariant_violations_total",
            "counter",
            "Tokens stopped by the invariant; must stay 0.",
            load(&self.invariant_violations),
        );
        let revision = app.registry.snapshot().revision;
        family("ambit_registry_revision", "gauge", "The registry revision in memory.", one(revision));
        family("ambit_cached_clients", "gauge", "Clients in memory.", one(app.registry.cached_clients()));
        family("ambit_revocations", "gauge", "Revoked tokens in memory.", one(app.revocations.len() as u64));
        family("ambit_journal_depth", "gauge", "Tokens waiting to be written.", one(app.journal.depth() as u64));
        family("ambit_log_lost_lines", "counter", "Lines of the log left out.", one(app.log.lost_lines()));

        let name = "ambit_request_seconds";
        let _ = writeln!(text, "# HELP {name} Time to answer, by route and status.\n# TYPE {name} histogram");
        for ((route, status), latency) in read(&self.routes).iter() {
            let labels = format!("route=\"{}\",status=\"{status}\"", escaped(route));
            let mut below = 0;
            for (bucket, bound) in latency.buckets.iter().zip(BUCKETS_US) {
                below += bucket.load(Ordering::Relaxed);
                #[expect(clippy::cast_precision_loss, reason = "the bounds are small")]
                let seconds = bound as f64 / 1e6;
                let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{seconds}\"}} {below}");
            }
            let count = latency.count.load(Ordering::Relaxed);
            #[expect(clippy::cast_precision_loss, reason = "a sum of microseconds for people to look at")]
            let sum = latency.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
            let _ = writeln!(text, "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}");
        }
        text
    }
}

impl Latency {
    fn add(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(place) = BUCKETS_US.iter().position(|bound| us <= *bound) {
            self.buckets[place].fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }
}

/// `GET /metrics`, on this address only where nobody but this machine reaches it.
pub async fn show(State(app): State<App>) -> Response {
    if !app.config.metrics_on_main_address() {
        return StatusCode::NOT_FOUND.into_response();
    }
    text(&app)
}

/// What an address of its own for `/metrics` has: that, and nothing else.
pub(crate) fn router(app: App) -> Router {
    let render = async |State(app): State<App>| text(&app);
    Router::new().route("/metrics", get(render)).with_state(app)
}

fn text(app: &App) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render(app)).into_response()
}

fn label(known: &mut Vec<String>, most: usize, name: &str) -> String {
    if known.iter().any(|it| it == name) {
        return name.to_owned();
    }
    if known.len() < most && name.len() <= LONGEST_LABEL {
        known.push(name.to_owned());
        return name.to_owned();
    }
    OTHER.to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

const OTHER: &str = "other";
const LONGEST_LABEL: usize = 128;
const SCOPES_OF_ONE_REQUEST: usize = 16;
const BUCKETS_US: [u64; 10] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000];
