//! What people reported about entries: counted in the store, remembered here for the pages, which are read far more often.

use std::collections::HashMap;
use std::sync::Arc;

use ambit_core::store::{OutcomeCount, OutcomeReport, Store, StoreError};
use ambit_knowledge::Entry;
use ambit_knowledge::confidence::Outcomes;
use ambit_protocol::time::Timestamp;
use arc_swap::ArcSwap;
use tokio::sync::Mutex;

/// The counts as they were read last.
#[derive(Debug, Default)]
pub struct Reports {
    read: ArcSwap<Counts>,
    reading: Mutex<()>,
}

#[derive(Debug, Default)]
struct Counts {
    /// None: never yet, or something was reported here since.
    at: Option<Timestamp>,
    by_name: HashMap<String, Outcomes>,
}

impl Reports {
    /// What was reported about an entry, under its id and its earlier names. Counts that are older than [`FRESH_SECS`] are read
    /// again by the first who asks; nobody else waits for that, and where the store does not answer the earlier ones stay.
    pub(crate) async fn of(&self, store: &dyn Store, entry: &Entry, now: Timestamp) -> Outcomes {
        if !self.read.load().is_fresh(now)
            && let Ok(_alone) = self.reading.try_lock()
        {
            self.read_again(store, now).await;
        }
        let counts = self.read.load();
        let names = [entry.id.as_str()].into_iter().chain(entry.aliases.iter().map(String::as_str));
        names.filter_map(|name| counts.by_name.get(name)).fold(Outcomes::default(), |sum, it| added(sum, *it))
    }

    /// Counts a report, durably.
    pub(crate) async fn add(&self, store: &dyn Store, report: &OutcomeReport) -> Result<(), StoreError> {
        store.report_outcome(report).await?;
        let by_name = self.read.load().by_name.clone();
        self.read.store(Arc::new(Counts { at: None, by_name }));
        Ok(())
    }

    async fn read_again(&self, store: &dyn Store, now: Timestamp) {
        let by_name = match store.outcomes().await {
            Ok(counted) => by_name(counted),
            Err(error) => {
                tracing::warn!(%error, "reports about errors could not be read; the pages show what was read before");
                self.read.load().by_name.clone()
            }
        };
        self.read.store(Arc::new(Counts { at: Some(now), by_name }));
    }
}

impl Counts {
    /// A clock that was set back makes them stale, too.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.at.is_some_and(|at| at <= now && now < at.plus_secs(FRESH_SECS))
    }
}

fn by_name(counted: Vec<OutcomeCount>) -> HashMap<String, Outcomes> {
    let mut by_name: HashMap<String, Outcomes> = HashMap::new();
    for count in counted {
        let sum = by_name.entry(count.entry).or_default();
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        *sum = added(*sum, Outcomes { helped: small(count.helped), failed: small(count.failed) });
    }
    by_name
}

fn added(one: Outcomes, other: Outcomes) -> Outcomes {
    Outcomes { helped: one.helped.saturating_add(other.helped), failed: one.failed.saturating_add(other.failed) }
}

/// Another node's reports show after that long.
const FRESH_SECS: i64 = 30;
