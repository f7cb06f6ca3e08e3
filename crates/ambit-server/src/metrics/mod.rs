//! What is counted, and `/metrics` in Prometheus' text form.
//!
//! The counters are this server's own, not the process's: two servers in one process, as in tests, do not mix. What happens with
//! every request is counted without a lock and without a copy of a name. Labels are closed sets (`labels`): clients and scopes
//! are registered ones, up to a bound, so that nobody who invents names fills the memory of whoever scrapes.

mod families;
mod histogram;
mod labels;
mod process;
mod routes;
mod text;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ambit_core::governance::catalogue::Catalogue;
use ambit_core::governance::decision::Decision;
use ambit_core::refusal::Refusal;
use ambit_protocol::decision::NoticeCode;
use ambit_protocol::time::Timestamp;
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::config;
use crate::jobs::{JOBS, Job};
use crate::registry::CacheUse;
use crate::state::App;
pub use families::{FAMILIES, Family, Kind, reference};
use histogram::Histogram;
use labels::Labels;
use process::Process;
use routes::Routes;
use text::Text;

/// The counters of one server.
pub struct Metrics {
    started_at: Timestamp,
    clients: Labels,
    scopes: Labels,
    issued: Box<[AtomicU64]>,
    refused: Mutex<HashMap<Refused, u64>>,
    report_only: AtomicU64,
    revoked: AtomicU64,
    invariant_violations: AtomicU64,
    repeated_challenges: AtomicU64,
    rate_limited: AtomicU64,
    decisions: Histogram<DECISION_BOUNDS_LEN>,
    routes: Routes,
    jobs: [JobRuns; JOBS.len()],
    /// What became of the spans for the collector.
    pub spans: Arc<Spans>,
}

/// What a refusal is counted under: the places of client and scope, where there is one, and the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Refused {
    client: Option<usize>,
    scope: Option<usize>,
    reason: &'static str,
}

#[derive(Debug, Default)]
struct JobRuns {
    ok: AtomicU64,
    failed: AtomicU64,
    last_success: AtomicI64,
}

/// What became of the spans for the collector.
#[derive(Debug, Default)]
pub struct Spans {
    /// It took them.
    pub exported: AtomicU64,
    /// The queue was full.
    pub dropped: AtomicU64,
    /// It did not take them.
    pub failed: AtomicU64,
}

impl Metrics {
    /// Counters for these routes, from now on.
    #[must_use]
    pub fn new(
        config: &config::Metrics,
        routes: impl IntoIterator<Item = (String, Method)>,
        started_at: Timestamp,
    ) -> Self {
        Self {
            started_at,
            clients: Labels::new(config.clients),
            scopes: Labels::new(config.scopes),
            issued: (0..=config.clients).map(|_| AtomicU64::new(0)).collect(),
            refused: Mutex::default(),
            report_only: AtomicU64::new(0),
            revoked: AtomicU64::new(0),
            invariant_violations: AtomicU64::new(0),
            repeated_challenges: AtomicU64::new(0),
            rate_limited: AtomicU64::new(0),
            decisions: Histogram::new(&DECISION_BOUNDS),
            routes: Routes::new(routes),
            jobs: std::array::from_fn(|_| JobRuns::default()),
            spans: Arc::default(),
        }
    }

    /// A token was issued to a client.
    pub fn issued(&self, client: &str, decision: &Decision) {
        if decision.notices.iter().any(|notice| notice.code == NoticeCode::ReportOnly) {
            self.report_only.fetch_add(1, Ordering::Relaxed);
        }
        self.issued[self.clients.place(client)].fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused: counted for each scope that was, or once. The client is one that is registered; of the scopes,
    /// those are named that the catalogue has.
    pub fn refused(&self, client: Option<&str>, refusal: &Refusal, catalogue: &Catalogue) {
        let client = client.map(|client| self.clients.place(client));
        let Refusal::Scope(decision) = refusal else {
            return self.count_refused(Refused { client, scope: None, reason: refusal.code() });
        };
        let offenders = decision.offenders();
        for offender in offenders.iter().take(SCOPES_OF_ONE_REQUEST) {
            let scope = catalogue.place(&offender.scope).map(|_| self.scopes.place(&offender.scope));
            self.count_refused(Refused { client, scope, reason: offender.reason.as_str() });
        }
        if offenders.is_empty() {
            self.count_refused(Refused { client, scope: None, reason: refusal.code() });
        }
    }

    fn count_refused(&self, refused: Refused) {
        // Nobody panics while holding it half changed.
        let mut counts = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = Refused { client: refused.client.map(|_| 0), scope: refused.scope.map(|_| 0), ..refused };
        let counted = if counts.len() < MOST_REFUSED || counts.contains_key(&refused) { refused } else { shared };
        *counts.entry(counted).or_default() += 1;
    }

    /// A client took a token back.
    pub fn revoked(&self) {
        self.revoked.fetch_add(1, Ordering::Relaxed);
    }

    /// A token was about to break the invariant, and was not issued. Must stay 0.
    pub fn invariant_violated(&self) {
        self.invariant_violations.fetch_add(1, Ordering::Relaxed);
    }

    /// An application sent a `code_challenge` that it had sent before.
    pub fn challenge_repeated(&self) {
        self.repeated_challenges.fetch_add(1, Ordering::Relaxed);
    }

    /// Decides, and counts how long that took.
    #[expect(clippy::disallowed_methods, reason = "a span of time that decides nothing")]
    pub fn time_decision<T>(&self, decide: impl FnOnce() -> T) -> T {
        let begun = std::time::Instant::now();
        let decided = decide();
        self.decisions.add(begun.elapsed());
        decided
    }

    /// A request was answered.
    pub fn answered(&self, route: &str, method: &Method, status: u16, took: Duration) {
        if status == StatusCode::TOO_MANY_REQUESTS.as_u16() {
            self.rate_limited.fetch_add(1, Ordering::Relaxed);
        }
        self.routes.add(route, method, status, took);
    }

    /// A job ran; `now` where it did its work.
    pub fn job_ran(&self, job: &Job, succeeded_at: Option<Timestamp>) {
        let Some(place) = JOBS.iter().position(|it| it.name == job.name) else { return };
        let runs = &self.jobs[place];
        match succeeded_at {
            Some(at) => {
                runs.ok.fetch_add(1, Ordering::Relaxed);
                runs.last_success.store(at.secs(), Ordering::Relaxed);
            }
            None => drop(runs.failed.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub fn render(&self, app: &App) -> String {
        let mut text = Text::default();
        self.render_process(&mut text);
        self.render_requests(&mut text, app);
        self.render_tokens(&mut text, app);
        render_registry(&mut text, app);
        render_journal(&mut text, app);
        render_mail(&mut text, app);
        self.render_jobs(&mut text);
        text.one(&families::CLOCK_JUMPS, app.settled.jumps());
        text.one(&families::LOG_LOST, app.log.lost_lines());
        let mut samples = text.family(&families::SPANS);
        let Spans { exported, dropped, failed } = &*self.spans;
        for (outcome, count) in [("exported", exported), ("dropped", dropped), ("failed", failed)] {
            samples.add(&[outcome], load(count));
        }
        text.into_string()
    }

    fn render_process(&self, text: &mut Text) {
        text.family(&families::BUILD_INFO).add(&[env!("CARGO_PKG_VERSION")], 1);
        text.one(&families::START_TIME, self.started_at.secs());
        let Process { resident_bytes, open_files, most_files } = Process::now();
        for (family, value) in [
            (&families::RESIDENT_MEMORY, resident_bytes),
            (&families::OPEN_FDS, open_files),
            (&families::MAX_FDS, most_files),
        ] {
            if let Some(value) = value {
                text.one(family, value);
            }
        }
    }

    fn render_requests(&self, text: &mut Text, app: &App) {
        self.routes.render(text);
        let at_work = app.config.limits.concurrency.saturating_sub(app.places.available_permits());
        text.one(&families::REQUESTS_AT_WORK, at_work);
        text.one(&families::RATE_LIMITED, load(&self.rate_limited));
        text.one(&families::FAILURES_REMEMBERED, app.failures.remembered());
    }

    fn render_tokens(&self, text: &mut Text, app: &App) {
        let clients = self.clients.names();
        let scopes = self.scopes.names();
        let mut samples = text.family(&families::TOKENS_ISSUED);
        for (client, count) in clients.iter().zip(&self.issued) {
            let count = load(count);
            if count > 0 {
                samples.add(&[client], count);
            }
        }
        let mut samples = text.family(&families::REFUSED);
        for (refused, count) in self.refused.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let name = |names: &[Arc<str>], place: Option<usize>| {
                // A name that came after the names were listed shows in the next text.
                place.map_or(Some(String::new()), |place| names.get(place).map(ToString::to_string))
            };
            if let (Some(client), Some(scope)) = (name(&clients, refused.client), name(&scopes, refused.scope)) {
                samples.add(&[&client, &scope, refused.reason], count);
            }
        }
        text.one(&families::REPORT_ONLY, load(&self.report_only));
        text.one(&families::TOKENS_REVOKED, load(&self.revoked));
        text.one(&families::REVOCATIONS, app.revocations.len());
        text.one(&families::INVARIANT_VIOLATIONS, load(&self.invariant_violations));
        text.one(&families::REPEATED_CHALLENGES, load(&self.repeated_challenges));
        text.family(&families::DECISION_SECONDS).add_histogram(&[], &self.decisions.counted());
    }

    fn render_jobs(&self, text: &mut Text) {
        let jobs = || JOBS.iter().zip(&self.jobs);
        let mut samples = text.family(&families::JOB_RUNS);
        for (job, runs) in jobs() {
            samples.add(&[job.name, "ok"], load(&runs.ok));
            samples.add(&[job.name, "failed"], load(&runs.failed));
        }
        let mut samples = text.family(&families::JOB_LAST_SUCCESS);
        for (job, runs) in jobs() {
            samples.add(&[job.name], runs.last_success.load(Ordering::Relaxed));
        }
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("started_at", &self.started_at).finish_non_exhaustive()
    }
}

fn render_registry(text: &mut Text, app: &App) {
    text.one(&families::REGISTRY_REVISION, app.registry.snapshot().revision);
    let age = Duration::from_millis(u64::try_from(app.registry.age_millis()).unwrap_or(0));
    text.one(&families::REGISTRY_AGE, age.as_secs_f64());
    let lookups = app.verifier.lookups();
    let verified = CacheUse {
        name: "verified_tokens",
        hits: lookups.hits,
        absent_hits: 0,
        misses: lookups.misses,
        found: app.verifier.remembered() as u64,
        absent: 0,
    };
    let caches: Vec<_> = app.registry.caches().into_iter().chain([verified]).collect();
    let mut samples = text.family(&families::CACHE_LOOKUPS);
    for cache in &caches {
        for (result, count) in [("hit", cache.hits), ("absent", cache.absent_hits), ("miss", cache.misses)] {
            samples.add(&[cache.name, result], count);
        }
    }
    let mut samples = text.family(&families::CACHE_ENTRIES);
    for cache in &caches {
        samples.add(&[cache.name, "found"], cache.found);
        samples.add(&[cache.name, "absent"], cache.absent);
    }
    let fetches = app.key_sets.fetches();
    let mut samples = text.family(&families::KEY_SET_FETCHES);
    samples.add(&["fetched"], load(&fetches.fetched));
    samples.add(&["failed"], load(&fetches.failed));
    let told = app.logout_calls.told();
    let mut samples = text.family(&families::LOGOUT_CALLS);
    for (outcome, count) in [("told", &told.told), ("failed", &told.failed), ("given_up", &told.given_up)] {
        samples.add(&[outcome], load(count));
    }
}

fn render_journal(text: &mut Text, app: &App) {
    let counts = app.journal.counts();
    text.one(&families::JOURNAL_DEPTH, app.journal.depth());
    text.one(&families::JOURNAL_CAPACITY, app.journal.capacity());
    text.one(&families::JOURNAL_WAITS, load(&counts.waits));
    text.one(&families::JOURNAL_FAILURES, load(&counts.failures));
    text.one(&families::JOURNAL_BLOCKS, load(&counts.blocks));
    for (family, token, refusal) in [
        (&families::JOURNAL_WRITTEN, &counts.tokens, &counts.refusals),
        (&families::JOURNAL_LOST, &counts.lost_tokens, &counts.lost_refusals),
    ] {
        let mut samples = text.family(family);
        samples.add(&["token"], load(token));
        samples.add(&["refusal"], load(refusal));
    }
}

fn render_mail(text: &mut Text, app: &App) {
    let counts = app.mail.counts();
    text.one(&families::MAIL_DEPTH, app.mail.depth());
    let mut samples = text.family(&families::MAIL_LETTERS);
    for (outcome, count) in [("sent", &counts.sent), ("failed", &counts.failed), ("dropped", &counts.dropped)] {
        samples.add(&[outcome], load(count));
    }
    text.one(&families::MAIL_RETRIES, load(&counts.retries));
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
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

const SCOPES_OF_ONE_REQUEST: usize = 16;

/// Combinations of client, scope and reason. Those under `other` alone come on top: as many as there are reasons.
const MOST_REFUSED: usize = 10_000;

const DECISION_BOUNDS_LEN: usize = 9;
static DECISION_BOUNDS: [Duration; DECISION_BOUNDS_LEN] = [
    Duration::from_nanos(500),
    Duration::from_micros(1),
    Duration::from_micros(2),
    Duration::from_micros(5),
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(5),
];
