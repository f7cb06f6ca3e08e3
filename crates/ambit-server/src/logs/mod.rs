//! The log: one line for each request, and what the server has to say besides, as JSON or for people.
//!
//! Logs are for tonight; the audit trail and the journal are for next year. A line names tenant, actor, outcome and reason, and
//! the route's pattern in place of the URL: query strings and bodies may hold secrets and are never written.
//!
//! 1. A line is formatted in the thread that has something to say, into a buffer of that thread (`line`).
//! 2. It is appended to one bounded buffer (`sink`). That is all a request waits for.
//! 3. A thread of its own writes the buffer out, at most 100 ms later; after an error, at once.
//!
//! When the reader of the log is too slow the buffer fills and requests slow down; when it stands still, or the disk is full,
//! lines are left out, counted, and their number is the first thing written when writing works again.

mod layer;
mod line;
mod sink;

use std::cell::RefCell;
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ambit_core::time::Clock;
use ambit_protocol::time::Timestamp;
use ambit_protocol::trace::TraceId;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::clock::SystemClock;
use crate::config::LogFormat;
use layer::EventLayer;
use line::Line;
use sink::Sink;

/// Where lines go. Clones write to the same place.
#[derive(Clone, Debug)]
pub struct Log {
    sink: Arc<Sink>,
    format: LogFormat,
    level: LevelFilter,
    clock: Arc<dyn Clock>,
}

/// One answered request.
#[derive(Debug, Clone, Copy)]
pub struct AccessLine<'a> {
    /// When it was answered.
    pub at: Timestamp,
    /// Its trace.
    pub trace_id: TraceId,
    /// Its method, `-` for one that is not of HTTP's own.
    pub method: &'a str,
    /// The pattern of the route it met, `-` where it met none.
    pub route: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// From the end of its head to the answer.
    pub took: Duration,
    /// Who sent it.
    pub address: IpAddr,
    /// The slug of the tenant acted for.
    pub tenant: Option<&'a str>,
    /// The slug of the unit acted for.
    pub unit: Option<&'a str>,
    /// Who acted, as far as that was proven.
    pub actor: Option<&'a str>,
    /// How it ended: `ok`, `refused`, `failed`, `abandoned`.
    pub outcome: &'a str,
    /// Why it ended so.
    pub reason: Option<&'a str>,
}

/// An error with all its causes: what went wrong often stands in the last one.
#[must_use]
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    layer::Chain(error).to_string()
}

impl Log {
    /// Starts a log that writes to `out`, from `level` on. The clock gives the time of events.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(
        level: LevelFilter,
        format: LogFormat,
        clock: Arc<dyn Clock>,
        out: impl Write + Send + 'static,
    ) -> std::io::Result<Self> {
        let times = Arc::clone(&clock);
        let gap = move |lines: u64, out: &mut Vec<u8>| {
            let message = "the log could not be written for a while, and lines were left out";
            let mut line = Line::begin(out, format, times.now(), Level::ERROR, GAP, message);
            line.number("lines", lines);
            line.end();
        };
        Ok(Self { sink: Sink::start(out, gap)?, format, level, clock })
    }

    /// A log that writes nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { sink: Sink::none(), format: LogFormat::Json, level: LevelFilter::OFF, clock: Arc::new(SystemClock) }
    }

    /// Takes the events of the whole process (`tracing`, `log`) and its panics.
    ///
    /// # Errors
    /// Somebody took them already.
    pub fn install(&self) -> Result<(), TryInitError> {
        Registry::default().with(EventLayer::new(self.clone())).try_init()?;
        std::panic::set_hook(Box::new(|panic| {
            let payload = panic.payload();
            let message = payload
                .downcast_ref::<&str>()
                .copied()
                .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
                .unwrap_or("not a text");
            let location = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(target: "ambit::panic", location, panic = message, "a fault in the program");
        }));
        Ok(())
    }

    /// Writes the line of a request.
    pub fn access(&self, access: &AccessLine<'_>) {
        let level = match access.status {
            // Overload is not news of its own for each request.
            503 => Level::WARN,
            500.. => Level::ERROR,
            _ => Level::INFO,
        };
        if level > self.level {
            return;
        }
        self.write(level, |out| {
            let mut line = Line::begin(out, self.format, access.at, level, ACCESS, "request");
            line.id("trace_id", access.trace_id);
            line.text("method", access.method);
            line.text("route", access.route);
            line.number("status", access.status.into());
            line.number("took_us", u64::try_from(access.took.as_micros()).unwrap_or(u64::MAX));
            line.address("address", access.address);
            for (name, value) in [
                ("tenant", access.tenant),
                ("unit", access.unit),
                ("actor", access.actor),
                ("outcome", Some(access.outcome)),
                ("reason", access.reason),
            ] {
                if let Some(value) = value {
                    line.text(name, value);
                }
            }
            line.end();
        });
    }

    /// Waits until everything said so far is written, a few seconds at most. Before the program ends.
    pub fn flush(&self) {
        self.sink.flush(FLUSH_PATIENCE);
    }

    /// How many lines could not be written since the start.
    #[must_use]
    pub fn lost_lines(&self) -> u64 {
        self.sink.lost_lines()
    }

    fn write(&self, level: Level, format: impl FnOnce(&mut Vec<u8>)) {
        LINE.with(|line| match line.try_borrow_mut() {
            Ok(mut line) => {
                line.clear();
                format(&mut line);
                self.sink.push(&line, level == Level::ERROR);
                line.shrink_to(LINE_KEPT);
            }
            // Formatting a value said something itself.
            Err(_) => {
                let mut line = Vec::new();
                format(&mut line);
                self.sink.push(&line, level == Level::ERROR);
            }
        });
    }
}

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

const ACCESS: &str = "ambit::access";
const GAP: &str = "ambit::log";
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);
const LINE_KEPT: usize = 4096;

#[cfg(test)]
mod tests;
