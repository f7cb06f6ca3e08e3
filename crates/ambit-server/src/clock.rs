//! The machine's clock, the only place that reads the time of day; and what is made of it when it jumps.
//!
//! A time of day is corrected: by seconds each day, and by a year when somebody mistypes it. What is judged by it then, a
//! token's end for instance, is judged rightly again when it is right again. Not so what was *forgotten* meanwhile: a revoked
//! token would be good again. So three things do not simply go by it:
//!
//! 1. Spans of time, such as how often somebody may fail within a minute, go by [`Clock::steady`].
//! 2. What cannot be taken back, forgetting and the schedule of the keys, goes by the [`Settled`] moment, which follows no jump
//!    forwards before that has lasted.
//! 3. What has expired stays so: where the clock is behind a moment that was settled, that moment counts
//!    ([`Settled::no_earlier`]), and far behind it nothing is issued ([`Settled::behind`]).

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ambit_core::registry::key::LEAST_OVERLAP;
use ambit_core::time::Clock;
use ambit_protocol::time::Timestamp;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is handed")]
    fn now(&self) -> Timestamp {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            // A clock before 1970 is wrong, and still must not stop the server from saying so.
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        Timestamp::from_millis(millis)
    }

    fn steady(&self) -> Duration {
        BEGUN.elapsed()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is handed")]
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The moment by which things are done that cannot be taken back.
#[derive(Debug)]
pub struct Settled {
    course: Mutex<Course>,
    /// The latest moment that was ever settled, in milliseconds.
    latest: AtomicI64,
    jumps: AtomicU64,
}

/// How the time of day goes: so many milliseconds ahead of the steady clock.
#[derive(Debug, Clone, Copy)]
struct Course {
    settled: i64,
    /// What it is since a jump forwards, and since when by the steady clock.
    new: Option<(i64, Duration)>,
}

impl Settled {
    /// The moment of now is taken as it is: there is nothing to tell by that it is wrong.
    #[must_use]
    pub fn new(clock: &dyn Clock) -> Self {
        let course = Course { settled: ahead(clock.now(), clock.steady()), new: None };
        Self { course: Mutex::new(course), latest: AtomicI64::new(i64::MIN), jumps: AtomicU64::new(0) }
    }

    /// The settled moment. A job asks several times in a second, so that a jump is noticed when it happens.
    ///
    /// While the time of day goes as evenly as the steady clock, give or take `SLEW`, that is it. After a jump back it is the
    /// time of day at once: nothing is forgotten by it that was to be kept. After a jump forwards it goes on from where it was,
    /// until the time of day has kept its new course for longer than any token lives.
    pub fn moment(&self, clock: &dyn Clock) -> Timestamp {
        let (now, steady) = (clock.now(), clock.steady());
        let ahead = ahead(now, steady);
        // It is changed as a whole.
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        let by_millis = ahead.saturating_sub(course.settled);
        let jumped = match course.new {
            _ if by_millis <= SLEW => {
                *course = Course { settled: ahead, new: None };
                by_millis < -SLEW
            }
            Some((new, since)) if ahead.abs_diff(new) <= SLEW.unsigned_abs() => {
                let lasts = steady.saturating_sub(since) >= LASTING;
                *course = if lasts {
                    Course { settled: ahead, new: None }
                } else {
                    Course { new: Some((ahead, since)), ..*course }
                };
                false
            }
            Some(_) | None => {
                course.new = Some((ahead, steady));
                true
            }
        };
        let settled = Timestamp::from_millis(course.settled.saturating_add(millis(steady)));
        drop(course);
        if jumped {
            self.jumps.fetch_add(1, Ordering::Relaxed);
            tracing::error!(by_millis, %settled, "the clock jumped: see docs/guides/operate.md, \"When the clock jumps\"");
        }
        self.latest.fetch_max(settled.millis(), Ordering::Relaxed);
        settled
    }

    /// A moment, or the latest one that was settled where that is later: what had expired by then is over, whatever is said
    /// now, and may have been forgotten.
    #[must_use]
    pub fn no_earlier(&self, now: Timestamp) -> Timestamp {
        now.max(Timestamp::from_millis(self.latest.load(Ordering::Relaxed)))
    }

    /// How far a moment lies behind what was settled, where that is more than clocks differ. What is issued then has its end
    /// in a time that is over.
    #[must_use]
    pub fn behind(&self, now: Timestamp) -> Option<Duration> {
        let millis = self.no_earlier(now).millis().saturating_sub(now.millis());
        let behind = Duration::from_millis(millis.unsigned_abs());
        (behind > MOST_BEHIND).then_some(behind)
    }

    /// How often the time of day jumped.
    #[must_use]
    pub fn jumps(&self) -> u64 {
        self.jumps.load(Ordering::Relaxed)
    }
}

fn ahead(now: Timestamp, steady: Duration) -> i64 {
    now.millis().saturating_sub(millis(steady))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What a time of day may gain on the steady clock, or lose, from one look to the next: a leap second, a correction by the
/// network, a process that was held up between reading the two. In milliseconds.
const SLEW: i64 = 10_000;
/// Longer than any token lives: what was issued before a jump has expired by the steady clock, too.
const LASTING: Duration = LEAST_OVERLAP;
/// How far behind the clock may be and tokens are issued all the same: as far as the clocks of two nodes may be apart.
const MOST_BEHIND: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock whose time of day and whose course are the test's.
    #[derive(Debug, Default)]
    struct Corrected {
        now: AtomicI64,
        steady: AtomicI64,
    }

    impl Corrected {
        fn passes(&self, time: Duration) {
            self.now.fetch_add(millis(time), Ordering::Relaxed);
            self.steady.fetch_add(millis(time), Ordering::Relaxed);
        }

        fn jumps(&self, millis: i64) {
            self.now.fetch_add(millis, Ordering::Relaxed);
        }
    }

    impl Clock for Corrected {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(NOON.millis() + self.now.load(Ordering::Relaxed))
        }

        fn steady(&self) -> Duration {
            Duration::from_millis(self.steady.load(Ordering::Relaxed).unsigned_abs())
        }
    }

    const NOON: Timestamp = Timestamp::from_secs(1_800_000_000);
    const DAY: Duration = Duration::from_hours(24);
    const YEAR: i64 = 365 * 86_400_000;
    const MILLISECOND: Duration = Duration::from_millis(1);
    const ALMOST: Duration = LASTING.saturating_sub(MILLISECOND);

    #[test]
    fn it_is_later_than_the_day_this_was_written_and_goes_on_evenly() {
        assert!(SystemClock.now().secs() > 1_700_000_000);
        assert!(SystemClock.steady() <= SystemClock.steady());
    }

    #[test]
    fn a_clock_that_is_corrected_a_little_is_followed_and_one_that_jumps_is_not() {
        let clock = Corrected::default();
        let settled = Settled::new(&clock);
        for by in [SLEW, -SLEW, SLEW] {
            clock.jumps(by);
            clock.passes(DAY);
            assert_eq!((settled.moment(&clock), settled.jumps()), (clock.now(), 0));
        }
        clock.jumps(SLEW + 1);
        assert_eq!(settled.moment(&clock), Timestamp::from_millis(clock.now().millis() - SLEW - 1));
        assert_eq!(settled.jumps(), 1);
        // And home again: nothing has been settled that is later.
        clock.jumps(-SLEW - 1);
        assert_eq!((settled.moment(&clock), settled.jumps()), (clock.now(), 1));
        assert_eq!(settled.no_earlier(clock.now()), clock.now());
    }

    #[test]
    fn a_jump_forwards_counts_once_it_has_lasted_longer_than_any_token_lives() {
        let clock = Corrected::default();
        let settled = Settled::new(&clock);
        clock.jumps(YEAR);
        assert_eq!(settled.moment(&clock), NOON);
        clock.passes(ALMOST);
        assert_eq!(settled.moment(&clock), NOON + ALMOST);
        clock.passes(MILLISECOND);
        assert_eq!((settled.moment(&clock), settled.jumps()), (clock.now(), 1));

        // A further jump begins the wait anew.
        clock.jumps(YEAR);
        let before = settled.moment(&clock);
        clock.passes(ALMOST);
        clock.jumps(YEAR);
        assert_eq!(settled.moment(&clock), before + ALMOST);
        clock.passes(MILLISECOND);
        assert_eq!((settled.moment(&clock), settled.jumps()), (before + LASTING, 3));
    }

    #[test]
    fn after_a_jump_back_nothing_is_done_too_early_and_nothing_that_is_over_begins_again() {
        let clock = Corrected::default();
        let settled = Settled::new(&clock);
        assert_eq!(settled.moment(&clock), NOON);
        clock.jumps(-YEAR);
        assert_eq!((settled.moment(&clock), settled.jumps()), (clock.now(), 1));
        assert_eq!(settled.no_earlier(clock.now()), NOON);
        assert_eq!(settled.no_earlier(NOON + MILLISECOND), NOON + MILLISECOND);

        let at = |behind: Duration| settled.behind(NOON - behind);
        assert_eq!((at(Duration::ZERO), at(MOST_BEHIND)), (None, None));
        assert_eq!(at(MOST_BEHIND + MILLISECOND), Some(MOST_BEHIND + MILLISECOND));
    }
}
