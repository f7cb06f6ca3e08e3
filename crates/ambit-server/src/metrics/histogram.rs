//! How long things take: counts of spans of time below fixed bounds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Spans of time, counted by the first bound that they do not exceed. `N` is the number of bounds.
#[derive(Debug)]
pub(super) struct Histogram<const N: usize> {
    bounds: &'static [Duration; N],
    within: [AtomicU64; N],
    beyond: AtomicU64,
    sum_nanos: AtomicU64,
}

/// What was counted, as one moment saw it.
#[derive(Debug)]
pub(super) struct Counted {
    /// Each bound in seconds, and how many spans were no longer.
    pub(super) cumulative: Vec<(f64, u64)>,
    /// All of them.
    pub(super) count: u64,
    /// Their sum in seconds.
    pub(super) sum: f64,
}

impl<const N: usize> Histogram<N> {
    /// Nothing counted yet.
    pub(super) fn new(bounds: &'static [Duration; N]) -> Self {
        Self {
            bounds,
            within: std::array::from_fn(|_| AtomicU64::new(0)),
            beyond: AtomicU64::new(0),
            sum_nanos: AtomicU64::new(0),
        }
    }

    /// Counts one.
    pub(super) fn add(&self, took: Duration) {
        let place = self.bounds.iter().position(|bound| took <= *bound);
        place.map_or(&self.beyond, |place| &self.within[place]).fetch_add(1, Ordering::Relaxed);
        // 584 years of waiting in all.
        self.sum_nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The counts. The total is their sum, so that it is never less than what is below the last bound.
    pub(super) fn counted(&self) -> Counted {
        let mut below = 0;
        let cumulative = self
            .bounds
            .iter()
            .zip(&self.within)
            .map(|(bound, count)| {
                below += count.load(Ordering::Relaxed);
                (bound.as_secs_f64(), below)
            })
            .collect();
        let sum = Duration::from_nanos(self.sum_nanos.load(Ordering::Relaxed)).as_secs_f64();
        Counted { cumulative, count: below + self.beyond.load(Ordering::Relaxed), sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static BOUNDS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(10)];

    #[test]
    fn a_span_counts_below_the_first_bound_that_it_does_not_exceed() {
        let histogram = Histogram::new(&BOUNDS);
        for micros in [0, 1_000, 1_001, 10_000, 10_001, 500_000] {
            histogram.add(Duration::from_micros(micros));
        }
        let counted = histogram.counted();
        assert_eq!(counted.cumulative, [(0.001, 2), (0.01, 4)]);
        assert_eq!(counted.count, 6);
        assert!((counted.sum - 0.522_002).abs() < 1e-9, "{}", counted.sum);
    }
}
