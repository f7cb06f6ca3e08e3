//! `/metrics`: what is counted is what happened, the text is what Prometheus reads, and nobody fills it with names.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ambit_server::metrics::{FAMILIES, reference};
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use super::configuration::is_fresh;
use crate::support::{Fixture, ROOT, ROOT_SECRET, START};

#[test]
fn golden_reference_of_the_metrics_is_fresh() {
    is_fresh("metrics.md", &reference());
}

fn scrape(fixture: &Fixture) -> Samples {
    let app = fixture.server.app();
    Samples::read(&app.metrics.render(app))
}

async fn application(fixture: &Fixture, client_id: &str, scopes: &[&str]) -> String {
    let body = json!({"name": client_id, "client_id": client_id, "type": "service", "level": "platform",
                      "allowed_scopes": scopes});
    let made = fixture.made(Method::POST, "/applications", &body).await;
    made["client_secret"].as_str().expect("a secret").to_owned()
}

#[tokio::test]
async fn every_metric_of_the_reference_is_there_and_no_other() {
    let fixture = Fixture::new().await;
    let samples = scrape(&fixture);
    let documented: BTreeMap<&str, &str> = FAMILIES.iter().map(|family| (family.name, family.kind.as_str())).collect();
    let written: BTreeMap<&str, &str> =
        samples.kinds.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect();
    // What only Linux tells, and what has no limit, may be missing.
    let may_miss =
        |name: &str| name.starts_with("process_") && (!cfg!(target_os = "linux") || name.ends_with("max_fds"));
    let missing: Vec<&&str> =
        documented.keys().filter(|name| !written.contains_key(*name) && !may_miss(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for (name, kind) in written {
        assert_eq!(documented.get(name), Some(&kind), "{name}");
    }
}

#[tokio::test]
async fn what_happened_is_counted() {
    let fixture = Fixture::new().await;
    let etl = application(&fixture, "etl", &["admin:read", "users:read"]).await;
    fixture.server.app().journal.flush().await.expect("a journal that is open");
    let before = scrape(&fixture);
    for scope in ["admin:read", "admin:read", "admin:write", "nope", "nope nada"] {
        fixture.token("/connect/token", ("etl", &etl), &[("scope", scope)]).await;
    }
    fixture.token("/connect/token", ("etl", "wrong"), &[]).await;
    fixture.token("/connect/token", ("nobody", "wrong"), &[]).await;
    fixture.raw_form("/connect/token", None, "%").await;
    let token = fixture.token("/connect/token", ("etl", &etl), &[("scope", "admin:read")]).await.access_token();
    for _ in 0..3 {
        fixture.form("/connect/introspect", Some(("etl", &etl)), &[("token", &token)]).await;
    }
    fixture.form("/connect/revoke", Some(("etl", &etl)), &[("token", &token)]).await;
    fixture.get("/nowhere/at/all").await;
    fixture.server.app().journal.flush().await.expect("a journal that is open");

    let after = scrape(&fixture);
    let grew = |name: &str, labels: &[(&str, &str)]| after.value(name, labels) - before.value(name, labels);
    let counted = |name: &str, labels: &[(&str, &str)], times: u32| {
        let grew = grew(name, labels);
        assert!((grew - f64::from(times)).abs() < 1e-9, "{name} {labels:?} grew by {grew}");
    };
    counted("ambit_tokens_issued_total", &[("client", "etl")], 3);
    let refused = "ambit_requests_refused_total";
    counted(refused, &[("client", "etl"), ("scope", "admin:write"), ("reason", "not_allowed")], 1);
    counted(refused, &[("client", "etl"), ("scope", ""), ("reason", "unknown")], 3);
    counted(refused, &[("client", "etl"), ("scope", ""), ("reason", "secret_wrong")], 1);
    counted(refused, &[("client", ""), ("scope", ""), ("reason", "client_unknown")], 1);
    counted(refused, &[("client", ""), ("scope", ""), ("reason", "invalid_request")], 1);
    counted("ambit_requests_total", &[("route", "/connect/token"), ("method", "POST"), ("status", "200")], 3);
    counted("ambit_requests_total", &[("route", "/connect/token"), ("method", "POST"), ("status", "400")], 4);
    counted("ambit_requests_total", &[("route", "/connect/token"), ("method", "POST"), ("status", "401")], 2);
    counted("ambit_requests_total", &[("route", "-"), ("method", "-"), ("status", "404")], 1);
    counted("ambit_request_seconds_count", &[("route", "/connect/token"), ("method", "POST")], 9);
    counted("ambit_decision_seconds_count", &[], 6);
    counted("ambit_cache_lookups_total", &[("cache", "verified_tokens"), ("result", "miss")], 1);
    counted("ambit_cache_lookups_total", &[("cache", "verified_tokens"), ("result", "hit")], 3);
    counted("ambit_cache_lookups_total", &[("cache", "clients"), ("result", "absent")], 0);
    counted("ambit_journal_written_total", &[("record", "token")], 3);
    counted("ambit_journal_written_total", &[("record", "refusal")], 6);
    counted("ambit_tokens_revoked_total", &[], 1);
    counted("ambit_revocations", &[], 1);
    counted("ambit_cache_entries", &[("cache", "clients"), ("kind", "absent")], 1);
    assert!(after.value("ambit_journal_blocks_total", &[]) >= 1.0);
    for (name, value) in [
        ("ambit_invariant_violations_total", 0.0),
        ("ambit_journal_depth", 0.0),
        ("ambit_journal_capacity", 65_536.0),
        ("ambit_requests_at_work", 0.0),
        ("process_start_time_seconds", 1_800_000_000.0),
    ] {
        assert!((after.value(name, &[]) - value).abs() < 1e-9, "{name}");
    }
    assert_eq!(START, 1_800_000_000);
    assert!(after.value("process_resident_memory_bytes", &[]) > 1e6 || !cfg!(target_os = "linux"));
}

#[tokio::test]
async fn that_nobody_has_a_name_is_remembered_for_a_minute() {
    let fixture = Fixture::new().await;
    let lookups =
        |result: &str| scrape(&fixture).value("ambit_cache_lookups_total", &[("cache", "clients"), ("result", result)]);
    let before = (lookups("miss"), lookups("absent"));
    let mut asked = Vec::new();
    for pause in [0, 59, 1, 0] {
        fixture.clock.advance_secs(pause);
        fixture.token("/connect/token", ("nobody", "wrong"), &[]).await;
        asked.push((lookups("miss") - before.0, lookups("absent") - before.1));
    }
    assert_eq!(asked, [(1.0, 0.0), (1.0, 1.0), (2.0, 1.0), (2.0, 2.0)]);
}

#[tokio::test]
async fn the_age_of_the_facts_grows_with_the_clock_until_they_are_read_again() {
    let fixture = Fixture::new().await;
    fixture.clock.advance_secs(7);
    assert!((scrape(&fixture).value("ambit_registry_age_seconds", &[]) - 7.0).abs() < 1e-9);
    fixture.server.app().registry.catch_up().await.expect("a store that answers");
    assert!(scrape(&fixture).value("ambit_registry_age_seconds", &[]) < 1e-9);
}

#[tokio::test]
async fn who_is_told_to_wait_is_counted() {
    let fixture = Fixture::with("[rate_limits]\nclient_failures = 2").await;
    for _ in 0..4 {
        fixture.token("/connect/token", (ROOT, "wrong"), &[]).await;
    }
    let samples = scrape(&fixture);
    assert!((samples.value("ambit_rate_limited_total", &[]) - 2.0).abs() < 1e-9);
    assert!(samples.value("ambit_failures_remembered", &[]) >= 1.0);
}

/// attacks.md 315: "Metric/label/log cardinality by user text": the labels are a closed set.
#[tokio::test]
async fn a_flood_of_invented_names_makes_no_series_and_takes_no_label_from_those_that_are_registered() {
    let fixture = Fixture::with("[metrics]\nclients = 3\nscopes = 2\n[rate_limits]\naddress_failures = 100000").await;
    let flood = async |round: u32| {
        for n in 0..40 {
            let name = format!("invented-{round}-{n}");
            fixture.token("/connect/token", (&name, "x"), &[]).await;
            fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[("scope", &name)]).await;
            fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[("resource", &format!("urn:x:{name}"))]).await;
            fixture.get(&format!("/{name}")).await;
            fixture.get(&format!("/errors/{name}/{name}")).await;
            fixture.get(&format!("/tenants/{name}/connect/jwks")).await;
            let method = format!("M{round}X{n}");
            fixture
                .send(
                    Request::builder()
                        .method(method.as_str())
                        .uri("/connect/token")
                        .body(Body::empty())
                        .expect("a request"),
                )
                .await;
        }
    };
    flood(0).await;
    let once = scrape(&fixture);
    flood(1).await;
    let twice = scrape(&fixture);
    assert_eq!(once.series(), twice.series(), "the second flood adds nothing");
    assert!(!twice.text.contains("invented") && !twice.text.contains("M1X"), "{}", twice.text);

    // Those that are registered come after the flood, and have their labels all the same.
    let etl = application(&fixture, "etl", &[]).await;
    fixture.token("/connect/token", ("etl", &etl), &[("scope", "admin:read admin:write openid users:read")]).await;
    let samples = scrape(&fixture);
    let refused = |scope: &str| {
        samples.value("ambit_requests_refused_total", &[("client", "etl"), ("scope", scope), ("reason", "not_allowed")])
    };
    // Two scopes have a label, the others share one.
    assert!((refused("admin:read") - 1.0).abs() < 1e-9 && (refused("admin:write") - 1.0).abs() < 1e-9);
    assert!(refused("other") >= 1.0 && refused("users:read") < 1e-9, "{}", samples.text);
    // And so do clients: `root` and `etl` have one, and one more.
    for client_id in ["c", "d", "e"] {
        let secret = application(&fixture, client_id, &["admin:read"]).await;
        fixture.token("/connect/token", (client_id, &secret), &[]).await;
    }
    let samples = scrape(&fixture);
    let issued = |client: &str| samples.value("ambit_tokens_issued_total", &[("client", client)]);
    assert!((issued("c") - 1.0).abs() < 1e-9 && (issued("other") - 2.0).abs() < 1e-9 && issued("d") < 1e-9);
}

/// A name and its labels.
type Series = (String, BTreeMap<String, String>);

/// The text, read as strictly as `promtool check metrics` does.
pub(super) struct Samples {
    pub(super) text: String,
    kinds: BTreeMap<String, String>,
    values: BTreeMap<Series, f64>,
}

impl Samples {
    pub(super) fn read(text: &str) -> Self {
        let mut samples = Self { text: text.to_owned(), kinds: BTreeMap::new(), values: BTreeMap::new() };
        assert!(text.ends_with('\n') && !text.contains('\r'));
        let mut helped = HashSet::new();
        let mut current = String::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a name and a help");
                assert!(helped.insert(name.to_owned()), "{name} is helped twice: a family stands together");
                assert!(!help.is_empty() && is_name(name), "{line}");
                name.clone_into(&mut current);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a name and a kind");
                assert_eq!(name, current, "the help is directly before the type");
                assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                samples.kinds.insert(name.to_owned(), kind.to_owned());
            } else {
                let (name, labels, value) = sample(line);
                let family = match samples.kinds[&current].as_str() {
                    "histogram" => ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)),
                    _ => Some(name.as_str()),
                };
                assert_eq!(family, Some(current.as_str()), "{line}");
                assert!(value >= 0.0, "{line}");
                let earlier = samples.values.insert((name, labels), value);
                assert!(earlier.is_none(), "twice: {line}");
            }
        }
        samples.check_histograms();
        samples
    }

    /// Cumulative, and complete.
    fn check_histograms(&self) {
        let mut below: BTreeMap<Series, Vec<(f64, f64)>> = BTreeMap::new();
        for ((name, labels), value) in &self.values {
            let Some(family) = name.strip_suffix("_bucket") else { continue };
            let mut labels = labels.clone();
            let bound = labels.remove("le").expect("a bound");
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().expect("a number") };
            below.entry((family.to_owned(), labels)).or_default().push((bound, *value));
        }
        for ((family, labels), mut buckets) in below {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{family} {labels:?} {buckets:?}");
            let (last, all) = buckets.last().expect("a bucket");
            let count = self.values[&(format!("{family}_count"), labels.clone())];
            assert!(last.is_infinite() && (all - count).abs() < 1e-9, "{family} {labels:?}");
            assert!(self.values.contains_key(&(format!("{family}_sum"), labels)));
        }
    }

    /// The value of a sample; 0 where it is not there, as for a counter that nothing came to yet.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.values.get(&(name.to_owned(), labels)).copied().unwrap_or(0.0)
    }

    fn series(&self) -> BTreeSet<&Series> {
        self.values.keys().collect()
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c))
}

/// `name{label="value",…} value`.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let end = line.find(['{', ' ']).expect("an end of the name");
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, value) = rest.split_once("=\"").expect(line);
            assert!(is_name(label) && !label.contains(':'), "{line}");
            let (value, after) = quoted(value).expect(line);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = after;
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').expect(line);
    }
    let value = rest.strip_prefix(' ').expect(line).parse().expect(line);
    (name.to_owned(), labels, value)
}

/// What stands before the quote that ends it, and what stands behind.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}
