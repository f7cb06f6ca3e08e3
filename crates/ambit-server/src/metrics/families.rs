//! Every metric there is: its name, its kind, its labels and what it means. The text for Prometheus and the page
//! `docs/reference/metrics.md` come from this table.

use std::fmt::Write as _;

/// A metric: all samples of one name.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// How it is to be read.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    about: &'static str,
}

/// How a metric is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// What is the case now.
    Gauge,
    /// Spans of time by bounds, in seconds.
    Histogram,
}

impl Kind {
    /// As Prometheus spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Family {
    /// What it means, on one line.
    #[must_use]
    pub fn help(&self) -> String {
        self.about.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

macro_rules! families {
    ($($(#[doc = $about:literal])+ $family:ident = $kind:ident $name:literal [$($label:literal),*];)+) => {
        $(
            $(#[doc = $about])+
            pub(super) static $family: Family =
                Family { name: $name, kind: Kind::$kind, labels: &[$($label),*], about: concat!($($about, "\n"),+) };
        )+

        /// All metrics, in the order in which they are written.
        pub static FAMILIES: &[&Family] = &[$(&$family),+];
    };
}

families! {
    /// The version of the program. Always 1.
    BUILD_INFO = Gauge "ambit_build_info" ["version"];
    /// When the process started, in seconds since 1970.
    START_TIME = Gauge "process_start_time_seconds" [];
    /// The memory of the process that is resident. On Linux.
    RESIDENT_MEMORY = Gauge "process_resident_memory_bytes" [];
    /// The files and connections the process has open. On Linux.
    OPEN_FDS = Gauge "process_open_fds" [];
    /// The most it may have open; absent where there is no limit. On Linux.
    MAX_FDS = Gauge "process_max_fds" [];

    /// Requests answered, by the pattern of the route (`-` where none was met), method and status.
    REQUESTS = Counter "ambit_requests_total" ["route", "method", "status"];
    /// The time from the end of a request's head to its answer, by route and method.
    REQUEST_SECONDS = Histogram "ambit_request_seconds" ["route", "method"];
    /// Requests at work now. At `limits.concurrency` further ones are answered 503.
    REQUESTS_AT_WORK = Gauge "ambit_requests_at_work" [];
    /// Requests answered 429: their client or address had failed too often.
    RATE_LIMITED = Counter "ambit_rate_limited_total" [];
    /// Clients and addresses that failed lately and are remembered for it.
    FAILURES_REMEMBERED = Gauge "ambit_failures_remembered" [];

    /// Tokens issued, by client.
    TOKENS_ISSUED = Counter "ambit_tokens_issued_total" ["client"];
    /// Requests of clients refused, by client (empty where none authenticated), registered scope (empty where the refusal is
    /// about no registered scope) and reason. A request that is refused for several scopes counts for each, up to 16.
    REFUSED = Counter "ambit_requests_refused_total" ["client", "scope", "reason"];
    /// Tokens issued to applications in `report_only` that their policy would have refused.
    REPORT_ONLY = Counter "ambit_report_only_total" [];
    /// Tokens revoked by their clients, on this node.
    TOKENS_REVOKED = Counter "ambit_tokens_revoked_total" [];
    /// Revoked tokens that have not expired, of all nodes, in memory.
    REVOCATIONS = Gauge "ambit_revocations" [];
    /// Tokens that were about to break the invariant and were stopped. Must stay 0.
    INVARIANT_VIOLATIONS = Counter "ambit_invariant_violations_total" [];
    /// Authorization requests with a `code_challenge` that their application had sent before (RFC 9700 §2.1.1).
    REPEATED_CHALLENGES = Counter "ambit_code_challenges_repeated_total" [];
    /// The time a decision about scopes takes.
    DECISION_SECONDS = Histogram "ambit_decision_seconds" [];

    /// The registry revision that this node decides by.
    REGISTRY_REVISION = Gauge "ambit_registry_revision" [];
    /// How long ago this node last looked for changes. Usually below a second; while it grows, decisions rest on facts that old.
    REGISTRY_AGE = Gauge "ambit_registry_age_seconds" [];
    /// Look-ups in a cache: `hit`, `absent` (remembered that there is no such thing), or `miss`, which asked the store or
    /// verified a signature.
    CACHE_LOOKUPS = Counter "ambit_cache_lookups_total" ["cache", "result"];
    /// What a cache holds: `found` things, and names remembered as `absent`.
    CACHE_ENTRIES = Gauge "ambit_cache_entries" ["cache", "kind"];
    /// Fetches of keys that clients publish themselves (`jwks_uri`): `fetched` or `failed`.
    KEY_SET_FETCHES = Counter "ambit_key_set_fetches_total" ["outcome"];
    /// Calls of clients that want to know of the end of a session (`backchannel_logout_uri`): `told`, `failed`, and of the failed
    /// ones those after which it is `given_up`.
    LOGOUT_CALLS = Counter "ambit_logout_calls_total" ["outcome"];

    /// Records waiting to be written into the journal.
    JOURNAL_DEPTH = Gauge "ambit_journal_depth" [];
    /// How many may wait (`journal.queue`).
    JOURNAL_CAPACITY = Gauge "ambit_journal_capacity" [];
    /// Requests that had to wait for room in the queue.
    JOURNAL_WAITS = Counter "ambit_journal_waits_total" [];
    /// Writes that failed. Each is tried again.
    JOURNAL_FAILURES = Counter "ambit_journal_failures_total" [];
    /// Blocks of tokens written.
    JOURNAL_BLOCKS = Counter "ambit_journal_blocks_total" [];
    /// Records written: `token` or `refusal`.
    JOURNAL_WRITTEN = Counter "ambit_journal_written_total" ["record"];
    /// Records that found no room in time. Such a `token` was not handed out; such a `refusal` was answered and is not recorded.
    JOURNAL_LOST = Counter "ambit_journal_lost_total" ["record"];

    /// Letters that wait to be sent.
    MAIL_DEPTH = Gauge "ambit_mail_depth" [];
    /// Letters: `sent` to the mail server, `failed` since it did not take them, or `dropped` because `mail.queue` was full.
    MAIL_LETTERS = Counter "ambit_mail_letters_total" ["outcome"];
    /// How often a letter was tried again.
    MAIL_RETRIES = Counter "ambit_mail_retries_total" [];

    /// Runs of a job: `ok` or `failed`. A failed job is tried again in its next turn.
    JOB_RUNS = Counter "ambit_job_runs_total" ["job", "outcome"];
    /// When a job last did its work, in seconds since 1970; 0 before the first time.
    JOB_LAST_SUCCESS = Gauge "ambit_job_last_success_seconds" ["job"];
    /// How often the time of day jumped by more than a correction does.
    CLOCK_JUMPS = Counter "ambit_clock_jumps_total" [];
    /// Lines of the log that were left out because nobody took them.
    LOG_LOST = Counter "ambit_log_lost_lines_total" [];
    /// Spans for the collector (`otel.endpoint`): `exported`, `dropped` because the queue was full, or `failed` because the
    /// collector did not take them.
    SPANS = Counter "ambit_otel_spans_total" ["outcome"];
}

/// The reference page, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(PREFACE);
    for family in FAMILIES {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, about) = (family.name, family.kind.as_str(), family.help());
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| `{name}` | {kind} | {} | {about} |", labels.join(", "));
    }
    page
}

const PREFACE: &str = "\
<!-- Made from the table of metrics in crates/ambit-server/src/metrics/families.rs by `cargo xtask golden --accept`. -->
# Metrics

`/metrics` is Prometheus text (version 0.0.4), on the main address only where nobody but this machine reaches it, or on
`metrics.listen`. Counters begin at 0 with the process, and each node counts for itself.

Labels are closed sets. `client` and `scope` are names that are *registered*: the first `metrics.clients` clients and
`metrics.scopes` scopes that something happens to have a label of their own, all others share `other`. A name that a request
merely invents is in no label. Beyond 10,000 combinations of client, scope and reason, further ones are counted under `other`.

Worth an alert: `ambit_invariant_violations_total` above 0; `ambit_registry_age_seconds` above 10; `ambit_journal_depth` near
`ambit_journal_capacity`, or `ambit_journal_lost_total` growing; `ambit_job_runs_total{outcome=\"failed\"}` growing while
`ambit_job_last_success_seconds` stands still; `ambit_mail_letters_total` growing for another outcome than `sent`; `ambit_clock_jumps_total` growing; `ambit_log_lost_lines_total` growing.

| metric | kind | labels | what it says |
|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus_and_none_is_there_twice() {
        for (place, family) in FAMILIES.iter().enumerate() {
            assert!(FAMILIES[..place].iter().all(|earlier| earlier.name != family.name), "{}", family.name);
            assert_eq!(family.kind == Kind::Counter, family.name.ends_with("_total"), "{}", family.name);
            assert!(family.kind != Kind::Histogram || family.name.ends_with("_seconds"), "{}", family.name);
            assert!(family.help().ends_with('.'), "{}", family.name);
        }
    }
}
