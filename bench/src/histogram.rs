//! Latencies, counted in buckets whose width grows with the value: at most 1.6 % of it.

/// Counts of values.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; bucket(u64::MAX) + 1], count: 0, max: 0 }
    }

    pub(crate) fn record(&mut self, value: u64) {
        self.buckets[bucket(value)] += 1;
        self.count += 1;
        self.max = self.max.max(value);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// The value that this share of all values (0 to 1) does not exceed, to the bucket's width; 0 where there is none.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count is a count")]
        let wanted = (share * self.count as f64).ceil() as u64;
        let mut seen = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted && *count > 0 {
                return upper_bound(place).min(self.max);
            }
        }
        self.max
    }
}

/// Where a value is counted: below 128 each value by itself, then 64 buckets for each doubling.
fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(SUB_BITS + 1);
    let mantissa = value >> shift;
    // At most 2 · 64 + 57 · 64.
    usize::try_from(u64::from(shift) * (1 << SUB_BITS) + mantissa).expect("a bucket's number is small")
}

/// The largest value of a bucket.
fn upper_bound(place: usize) -> u64 {
    let shift = (place >> SUB_BITS).saturating_sub(1);
    let mantissa = (place - (shift << SUB_BITS)) as u64;
    mantissa.saturating_add(1).checked_shl(u32::try_from(shift).unwrap_or(u32::MAX)).map_or(u64::MAX, |next| next - 1)
}

const SUB_BITS: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_a_bucket_that_ends_at_most_a_64th_above_it() {
        for value in (0..1000).chain([1023, 1024, 65_535, 1 << 20, 987_654_321, 1 << 40]) {
            let upper = upper_bound(bucket(value));
            assert!(upper >= value && upper - value <= value / 64, "{value} {upper}");
        }
        assert_eq!(bucket(upper_bound(bucket(1_000_000))), bucket(1_000_000));
        assert_eq!(bucket(upper_bound(bucket(1_000_000)) + 1), bucket(1_000_000) + 1);
    }

    #[test]
    fn quantiles_of_a_hundred_values_are_those_values() {
        let mut histogram = Histogram::new();
        (1..=100).for_each(|value| histogram.record(value));
        assert_eq!(histogram.quantile(0.5), 50);
        assert_eq!(histogram.quantile(0.99), 99);
        assert_eq!(histogram.quantile(1.0), 100);
        assert_eq!(histogram.count(), 100);
        assert_eq!(histogram.max(), 100);
    }

    #[test]
    fn without_values_every_quantile_is_zero() {
        assert_eq!(Histogram::new().quantile(0.99), 0);
    }
}
