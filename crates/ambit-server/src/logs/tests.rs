use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_007)
    }
}

#[derive(Clone, Default)]
struct Paper {
    written: Arc<Mutex<Vec<u8>>>,
    /// The disk is full.
    full: Arc<AtomicBool>,
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.written.lock().expect("not poisoned").clone()).expect("UTF-8")
    }

    fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // Short writes are lawful.
        let some = &bytes[..bytes.len().min(1000)];
        self.written.lock().expect("not poisoned").extend_from_slice(some);
        Ok(some.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log(format: LogFormat, level: LevelFilter) -> (Log, Paper) {
    let paper = Paper::default();
    (Log::start(level, format, Arc::new(Noon), paper.clone()).expect("a thread"), paper)
}

fn access() -> AccessLine<'static> {
    AccessLine {
        at: Noon.now(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".parse().expect("a trace id"),
        method: "POST",
        route: "/connect/token",
        status: 200,
        took: Duration::from_micros(142),
        address: [127, 0, 0, 1].into(),
        tenant: Some("acme"),
        unit: None,
        actor: Some("client:etl"),
        outcome: "ok",
        reason: None,
    }
}

fn said(log: &Log, say: impl FnOnce()) {
    tracing::subscriber::with_default(Registry::default().with(EventLayer::new(log.clone())), say);
    log.flush();
}

#[test]
fn a_request_is_one_line_that_names_tenant_actor_and_outcome() {
    let (json, paper) = log(LogFormat::Json, LevelFilter::INFO);
    json.access(&access());
    json.flush();
    assert_eq!(
        paper.text(),
        concat!(
            r#"{"time":"2023-11-14T22:13:20.007Z","level":"INFO","target":"ambit::access","message":"request","#,
            r#""trace_id":"0af7651916cd43dd8448eb211c80319c","method":"POST","route":"/connect/token","status":200,"#,
            r#""took_us":142,"address":"127.0.0.1","tenant":"acme","actor":"client:etl","outcome":"ok"}"#,
            "\n"
        )
    );
    let (text, paper) = log(LogFormat::Text, LevelFilter::INFO);
    text.access(&AccessLine { address: "2001:db8::1".parse().expect("IPv6"), reason: Some("a b=c"), ..access() });
    text.flush();
    assert_eq!(
        paper.text(),
        concat!(
            "2023-11-14T22:13:20.007Z INFO  ambit::access: request trace_id=0af7651916cd43dd8448eb211c80319c ",
            "method=POST route=/connect/token status=200 took_us=142 address=2001:db8::1 tenant=acme ",
            "actor=client:etl outcome=ok reason=\"a b=c\"\n"
        )
    );
}

#[test]
fn the_level_of_a_request_is_the_level_of_its_fault() {
    let (log, paper) = log(LogFormat::Json, LevelFilter::WARN);
    for status in [200, 401, 500, 503] {
        log.access(&AccessLine { status, ..access() });
    }
    log.flush();
    let levels: Vec<_> = paper.lines().iter().map(|line| line["level"].clone()).collect();
    assert_eq!(levels, ["ERROR", "WARN"]);
}

#[test]
fn an_event_is_a_line_with_its_fields_and_the_whole_chain_of_an_error() {
    let (log, paper) = log(LogFormat::Json, LevelFilter::INFO);
    let error = io::Error::other(
        crate::config::Config::load(&crate::config::Sources {
            flags: vec![("x".into(), String::new())],
            ..Default::default()
        })
        .expect_err("no such key"),
    );
    said(&log, || {
        tracing::info!(target: "ambit::x", count = 3_u64, less = -1, yes = true, "said {}", "so");
        tracing::warn!(target: "ambit::x", error = &error as &dyn std::error::Error, what = ?Some(1));
    });
    let lines = paper.lines();
    assert_eq!(lines[0]["message"], "said so");
    assert_eq!((&lines[0]["count"], &lines[0]["less"], &lines[0]["yes"]), (&3.into(), &(-1).into(), &true.into()));
    assert_eq!(lines[1]["what"], "Some(1)");
    assert!(lines[1]["error"].as_str().expect("a text").contains("unknown key"), "{}", lines[1]);
}

#[test]
fn libraries_speak_up_from_warn_on_only() {
    let (log, paper) = log(LogFormat::Json, LevelFilter::TRACE);
    said(&log, || {
        tracing::trace!(target: "ambit::x", "ours");
        tracing::info!(target: "h2::codec", "CANARY");
        tracing::warn!(target: "h2::codec", "theirs");
    });
    let messages: Vec<_> = paper.lines().iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["ours", "theirs"]);
}

#[test]
fn nothing_in_a_field_ends_the_line_the_json_or_the_peace_of_a_terminal() {
    let nasty = "a\r\nINFO forged\u{1b}[2J\u{9b}2J\"},{\u{2028}\u{202e}\0\\é";
    for format in [LogFormat::Json, LogFormat::Text] {
        let (log, paper) = log(format, LevelFilter::INFO);
        log.access(&AccessLine { actor: Some(nasty), ..access() });
        said(&log, || tracing::info!(target: "ambit::x", nasty, shown = ?nasty, "{nasty}"));
        let text = paper.text();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}' && c != '\u{2028}'), "{text:?}");
        if format == LogFormat::Json {
            assert_eq!(paper.lines()[0]["actor"], nasty);
            assert_eq!(paper.lines()[1]["nasty"], nasty);
            assert_eq!(paper.lines()[1]["message"], nasty);
        }
    }
}

#[test]
fn a_long_field_is_cut_between_characters_and_says_so() {
    let (log, paper) = log(LogFormat::Json, LevelFilter::INFO);
    let whole = "x".repeat(line::FIELD_MAX);
    for (text, cut) in [(whole.clone(), false), (format!("{whole}x"), true), ("é".repeat(1 << 20), true)] {
        log.access(&AccessLine { actor: Some(&text), ..access() });
        log.flush();
        let lines = paper.lines();
        let shown = lines.last().expect("a line")["actor"].as_str().expect("a text");
        assert_eq!(shown.ends_with('…'), cut);
        assert!(shown.len() <= line::FIELD_MAX + 3);
    }
    said(&log, || tracing::info!(target: "ambit::x", shown = ?vec!["y"; 1 << 16], "{}", "z".repeat(1 << 20)));
    assert!(paper.text().lines().last().expect("a line").len() < 5000);
}

#[test]
fn a_full_disk_costs_nobody_time_and_the_gap_is_told_afterwards() {
    let (log, paper) = log(LogFormat::Json, LevelFilter::INFO);
    paper.full.store(true, Ordering::SeqCst);
    log.access(&access());
    // The first flush meets the failure and gives up at once.
    log.flush();
    let mut lines = 1;
    while log.lost_lines() < 10 {
        log.access(&access());
        lines += 1;
        assert!(lines < 100_000, "the buffer has no end");
    }
    paper.full.store(false, Ordering::SeqCst);
    while !paper.text().contains("left out") {
        log.flush();
        std::thread::yield_now();
    }
    log.flush();
    let written = paper.lines();
    let gap: Vec<_> = written.iter().filter(|line| line["target"] == GAP).collect();
    assert_eq!(gap.len(), 1);
    assert_eq!(gap[0]["lines"], log.lost_lines());
    assert_eq!(written.len() as u64, lines - log.lost_lines() + 1);
}

/// Takes one write for each permission.
struct Slow {
    permissions: Receiver<()>,
    written: Sender<usize>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.permissions.recv().map_err(io::Error::other)?;
        self.written.send(bytes.len()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_slow_reader_slows_and_loses_nothing() {
    let (permit, permissions) = channel();
    let (written, sizes) = channel();
    let log = Log::start(LevelFilter::INFO, LogFormat::Json, Arc::new(Noon), Slow { permissions, written })
        .expect("a thread");
    let sent = {
        let log = log.clone();
        std::thread::spawn(move || {
            // Three times what the buffer holds.
            for _ in 0..20_000 {
                log.access(&access());
            }
        })
    };
    let mut taken = 0;
    while !sent.is_finished() || taken == 0 {
        permit.send(()).expect("the writer lives");
        taken += sizes.recv().expect("the writer lives");
    }
    // What is left comes out at once.
    for _ in 0..3 {
        permit.send(()).expect("the writer lives");
    }
    log.flush();
    taken += sizes.try_iter().sum::<usize>();
    assert_eq!(log.lost_lines(), 0);
    let (one, paper) = self::log(LogFormat::Json, LevelFilter::INFO);
    one.access(&access());
    one.flush();
    assert_eq!(taken, 20_000 * paper.text().len());
}

proptest! {
    #[test]
    fn any_text_reads_back_from_json(text in "\\PC*|[\\x00-\\x{ff}]*") {
        let mut out = vec![b'"'];
        line::escape(&mut out, &text, line::FIELD_MAX);
        out.push(b'"');
        let back: String = serde_json::from_slice(&out).expect("JSON");
        prop_assert!(back == text || (text.len() > line::FIELD_MAX && back.ends_with('…')));
    }
}
