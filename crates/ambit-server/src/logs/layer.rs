//! What the program says by `tracing`, in the same lines.

use std::error::Error;
use std::fmt;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::Log;
use super::line::{FIELD_MAX, Line};

pub(super) struct EventLayer {
    log: Log,
}

impl EventLayer {
    pub(super) fn new(log: Log) -> Self {
        Self { log }
    }

    /// Our own events from the level of the log on. The libraries below speak up from `warn` on only: at lower levels they
    /// show what passes through them, secrets included.
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let most = if metadata.target().starts_with(OURS) { Level::TRACE } else { Level::WARN };
        *metadata.level() <= self.log.level && *metadata.level() <= most
    }
}

impl<S: Subscriber> Layer<S> for EventLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_event() && self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.is_event() && self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.log.level)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut message = Message(String::new());
        event.record(&mut message);
        self.log.write(*metadata.level(), |out| {
            let line = Line::begin(
                out,
                self.log.format,
                self.log.clock.now(),
                *metadata.level(),
                metadata.target(),
                &message.0,
            );
            let mut fields = Fields { line };
            event.record(&mut fields);
            fields.line.end();
        });
    }
}

/// Finds the sentence of an event.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == MESSAGE {
            self.0 = format!("{value:?}");
            self.0.truncate(self.0.floor_char_boundary(FIELD_MAX + 1));
        }
    }
}

/// Writes the other fields.
struct Fields<'a> {
    line: Line<'a>,
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != MESSAGE {
            self.line.shown(field.name(), format_args!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != MESSAGE {
            self.line.text(field.name(), value);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.line.number(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.line.bare(field.name(), format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.line.bare(field.name(), format_args!("{value}"));
    }

    /// With its causes: each says what it was about and leaves the rest to the next.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.line.shown(field.name(), format_args!("{}", Chain(value)));
    }
}

/// An error with all its causes. Some libraries repeat a cause in the text of what it caused; it is said once.
pub(super) struct Chain<'a>(pub(super) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !said.ends_with(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            source = cause.source();
        }
        Ok(())
    }
}

const MESSAGE: &str = "message";
const OURS: &str = "ambit";

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Outer(&'static str, #[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("the disk is full")]
    struct Inner;

    #[test]
    fn every_cause_is_said_and_none_twice() {
        assert_eq!(Chain(&Outer("cannot write", Inner)).to_string(), "cannot write: the disk is full");
        assert_eq!(
            Chain(&Outer("cannot write: the disk is full", Inner)).to_string(),
            "cannot write: the disk is full"
        );
    }
}
