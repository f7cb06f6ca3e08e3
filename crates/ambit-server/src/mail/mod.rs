//! Letters to people, sent behind the answers.
//!
//! 1. [`Mail::post`] takes a place in a bounded queue and returns: whether a letter is written at all, to whom, and how long that
//!    takes is seen in no answer. Even the look-up of who it is for belongs to the writing.
//! 2. A letter that the mail server does not take now is tried again, ever more rarely, for as long as what it says is true.
//! 3. What cannot be sent is counted, and logged under the trace of the request that it came of; the log never says to whom, or
//!    what was in it.
//! 4. A server that stops tries once more what waits, and then lets it go. A crash loses what waits: the queue is in memory, since
//!    what it holds works for whoever reads it.

#![expect(clippy::disallowed_methods, reason = "spans of time are measured by the clock that never jumps")]

mod carrier;
mod letter;
mod wording;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ambit_core::entropy::{Entropy, new_uuid};
use ambit_core::store::StoreError;
use ambit_core::time::Clock;
use ambit_protocol::trace::TraceId;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep};

use crate::config::{Config, MailTransport};
use crate::logs::with_causes;
pub use carrier::MailError;
use carrier::{Carrier, Files, Smtp, Undelivered};
pub use letter::{Letter, Link, Says, brand};

/// Where letters go out.
#[derive(Debug, Clone)]
pub struct Mail(Arc<Office>);

#[derive(Debug)]
struct Office {
    /// None where no mail is sent.
    carrier: Option<Box<dyn Carrier>>,
    from: lettre::message::Mailbox,
    pace: Pace,
    places: u32,
    /// A place for each letter, from when it is posted until it is sent or given up.
    room: Arc<Semaphore>,
    /// Whoever hands over to the mail server.
    hands: Semaphore,
    closing: watch::Sender<bool>,
    counts: Counts,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// When a letter is tried again.
#[derive(Debug, Clone, Copy)]
struct Pace {
    first: Duration,
    most: Duration,
    give_up: Duration,
}

/// What became of letters since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// The mail server has them.
    pub sent: AtomicU64,
    /// They were given up.
    pub failed: AtomicU64,
    /// There was no place for them.
    pub dropped: AtomicU64,
    /// How often one was tried again.
    pub retries: AtomicU64,
}

impl Mail {
    /// As the configuration says. Must be called within a runtime.
    ///
    /// # Errors
    /// [`MailError`] names the key of the configuration.
    pub fn start(config: &Config, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, MailError> {
        let carrier: Option<Box<dyn Carrier>> = match config.mail_transport() {
            MailTransport::Off => None,
            MailTransport::File => Some(Box::new(Files::new(config.mail_folder())?)),
            MailTransport::Smtp => Some(Box::new(Smtp::new(&config.mail)?)),
        };
        let pace = Pace { first: FIRST_WAIT, most: LONGEST_WAIT, give_up: config.mail.retry };
        let from = match &config.mail.from {
            Some(from) => from.0.clone(),
            None => nobody(),
        };
        Ok(Self::by(carrier, from, pace, config.mail.queue, clock, entropy))
    }

    fn by(
        carrier: Option<Box<dyn Carrier>>,
        from: lettre::message::Mailbox,
        pace: Pace,
        places: u32,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self(Arc::new(Office {
            carrier,
            from,
            pace,
            places,
            room: Arc::new(Semaphore::new(places as usize)),
            hands: Semaphore::new(HANDS),
            closing: watch::Sender::new(false),
            counts: Counts::default(),
            clock,
            entropy,
        }))
    }

    /// Whether letters can be sent. Where they cannot, nothing is offered that takes one.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.carrier.is_some()
    }

    /// Posts what somebody writes behind the answer, if it turns out that there is something to write.
    pub fn post(
        &self,
        trace_id: TraceId,
        writing: impl Future<Output = Result<Option<Letter>, StoreError>> + Send + 'static,
    ) {
        let Ok(place) = Arc::clone(&self.0.room).try_acquire_owned() else {
            self.0.counts.dropped.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%trace_id, places = self.0.places, "no place for another letter (mail.queue): it is not sent");
            return;
        };
        let office = Arc::clone(&self.0);
        tokio::spawn(async move {
            match writing.await {
                Ok(Some(letter)) => office.send(trace_id, &letter).await,
                Ok(None) => {}
                Err(error) => {
                    office.counts.failed.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(%trace_id, error = with_causes(&error), "a letter could not be written");
                }
            }
            drop(place);
        });
    }

    /// Posts a letter.
    pub fn post_letter(&self, trace_id: TraceId, letter: Letter) {
        self.post(trace_id, std::future::ready(Ok(Some(letter))));
    }

    /// How many letters wait.
    #[must_use]
    pub fn depth(&self) -> usize {
        (self.0.places as usize).saturating_sub(self.0.room.available_permits())
    }

    /// What became of letters since the start.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Waits until every letter that was posted is sent or given up.
    pub async fn idle(&self) {
        // The room is never closed.
        drop(self.0.room.acquire_many(self.0.places).await);
    }

    /// Tries once more what waits, and waits for that at most so long. Answers how many letters are lost with the process.
    pub async fn close(&self, patience: Duration) -> usize {
        self.0.closing.send_replace(true);
        if tokio::time::timeout(patience, self.idle()).await.is_ok() {
            return 0;
        }
        self.depth()
    }
}

impl Office {
    async fn send(&self, trace_id: TraceId, letter: &Letter) {
        let Some(carrier) = &self.carrier else { return };
        let kind = letter.kind();
        let name = new_uuid(self.clock.now(), &*self.entropy).to_string();
        let message = match letter.message(&self.from, &name, self.clock.now()) {
            Ok(message) => message,
            Err(error) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                // What the library says of an address has the address in it.
                tracing::warn!(%trace_id, kind, reason = error.reason(), "a letter could not be written");
                return;
            }
        };
        let begun = Instant::now();
        let until = self.pace.give_up.min(letter.good_for());
        let mut closing = self.closing.subscribe();
        let mut attempts = 0_u32;
        loop {
            let is_last = *closing.borrow_and_update();
            let handed_over = {
                // Nobody closes it.
                let _hand = self.hands.acquire().await;
                carrier.carry(&name, &message).await
            };
            attempts += 1;
            let Err(Undelivered { reason, is_final }) = handed_over else {
                self.counts.sent.fetch_add(1, Ordering::Relaxed);
                return;
            };
            let wait = self.pace.before(attempts);
            if is_final || is_last || begun.elapsed() + wait > until {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%trace_id, kind, attempts, reason, "a letter was given up");
                return;
            }
            if attempts.is_power_of_two() {
                tracing::warn!(%trace_id, kind, attempts, reason, "a letter could not be handed over and is tried again");
            }
            self.counts.retries.fetch_add(1, Ordering::Relaxed);
            tokio::select! {
                () = sleep(wait) => {}
                // The sender lives as long as this does.
                _ = closing.changed() => {}
            }
        }
    }
}

impl Pace {
    /// How long to wait after so many attempts: twice as long each time, up to a bound.
    fn before(self, attempts: u32) -> Duration {
        self.first.saturating_mul(1 << (attempts - 1).min(16)).min(self.most)
    }
}

/// How letters go out, for whoever starts the server.
#[must_use]
pub fn described(config: &Config) -> String {
    match config.mail_transport() {
        MailTransport::Off => {
            "no letters are sent: invitations, forgotten passwords and codes by e-mail take [mail] in the configuration"
                .to_owned()
        }
        MailTransport::File => format!("letters go into files in {}", config.mail_folder().display()),
        MailTransport::Smtp => {
            let host = config.mail.host.as_ref().map(crate::config::MailHost::as_str).unwrap_or_default();
            format!("letters go to the mail server {host}")
        }
    }
}

/// Asks the mail server, if there is one, whether it takes letters from us.
///
/// # Errors
/// What is wrong, for whoever set it up.
pub async fn probe(config: &Config) -> Result<(), String> {
    if config.mail_transport() != MailTransport::Smtp {
        return Ok(());
    }
    Smtp::new(&config.mail).map_err(|error| with_causes(&error))?.probe().await
}

/// Whom letters come from that go no further than into files.
fn nobody() -> lettre::message::Mailbox {
    let address = lettre::Address::new("ambit", "localhost").expect("an address with a name and a host");
    lettre::message::Mailbox::new(Some("Ambit".to_owned()), address)
}

const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// How many letters are handed over at once.
const HANDS: usize = 4;

#[cfg(test)]
mod tests;
