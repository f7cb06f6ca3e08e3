//! How often a client, or an address, may fail.
//!
//! Only failures count: wrong credentials, bad tokens. Each failure takes one from three allowances, which come back little by
//! little (a full allowance within the window):
//!
//! - of the client *from this address*: when it is used up, whatever comes for that client from there is told to wait, right
//!   credentials included. So the number of guesses that anyone learns the outcome of is at most the allowance.
//! - of the *address*, whatever the client: the same for all clients from there.
//! - of the *client*, from everywhere: when it is used up, further failures are told to wait, and right credentials pass. Nobody
//!   can lock a client out by failing in its name from elsewhere; a fleet with an outdated secret is slowed down.
//!
//! The order of things, which makes the count exact however many ask at once:
//!
//! 1. [`check`](Failures::check) before the credentials are looked at, which saves the work when the allowance is used up.
//! 2. The credentials are looked at. Nobody is told anything yet.
//! 3. [`settle`](Failures::settle) with the outcome. Under one lock it takes from the allowance, or finds it used up: then the
//!    outcome is told to nobody.
//!
//! While nobody fails, both cost one look at a counter, and not even one at a clock.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ambit_protocol::time::Timestamp;

use crate::config::RateLimits;

/// The failures of late, bounded in number.
#[derive(Debug)]
pub struct Failures {
    of_client_here: Allowance,
    of_address: Allowance,
    of_client: Allowance,
    /// Keys are hashes under a secret of this process, so nobody can make two that meet.
    hasher: RandomState,
    entries: Mutex<HashMap<u64, Spent>>,
    /// How many entries there are, for those who only want to know whether there is one.
    count: AtomicUsize,
    entries_max: usize,
}

/// Who tries.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The client it says it is; none where no client is named, as with a bearer token.
    pub client_id: Option<&'a str>,
    /// Where it comes from.
    pub address: IpAddr,
}

/// Whether the credentials were right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// They were.
    Right,
    /// They were not.
    Wrong,
}

/// Too many failures: nothing else is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyFailures {
    /// After so many seconds there is an allowance of one again: the header `Retry-After`. At least 1.
    pub retry_after_secs: u64,
}

impl Failures {
    /// With the limits of the configuration.
    #[must_use]
    pub fn new(limits: &RateLimits) -> Self {
        Self {
            of_client_here: Allowance::new(limits.client_failures, limits.window),
            of_address: Allowance::new(limits.address_failures, limits.window),
            of_client: Allowance::new(limits.client_total_failures, limits.window),
            hasher: RandomState::new(),
            entries: Mutex::new(HashMap::new()),
            count: AtomicUsize::new(0),
            entries_max: limits.entries,
        }
    }

    /// Step 1: whether to look at the credentials at all.
    ///
    /// # Errors
    /// An allowance is used up.
    pub fn check(&self, caller: Caller<'_>, now: impl FnOnce() -> Timestamp) -> Result<(), TooManyFailures> {
        if self.is_empty() {
            return Ok(());
        }
        let now = now();
        let mut entries = self.lock();
        let mut verdict = Ok(());
        // All of them are looked at, because a look also corrects what a clock set back has made too long.
        for (key, allowance) in self.strict(caller).into_iter().flatten() {
            verdict = verdict.and(allowance.left(entries.get_mut(&key), now).map(drop));
        }
        verdict
    }

    /// Step 3: whether the outcome may be told. A wrong one takes from the allowances.
    ///
    /// # Errors
    /// An allowance is used up.
    pub fn settle(
        &self,
        caller: Caller<'_>,
        outcome: Outcome,
        now: impl FnOnce() -> Timestamp,
    ) -> Result<(), TooManyFailures> {
        if outcome == Outcome::Right {
            return self.check(caller, now);
        }
        let now = now();
        let mut entries = self.lock();
        // What is used up takes nothing more, so that waiting helps; and it takes nothing from the others.
        let spent: [Option<(u64, Spent)>; 3] = {
            let mut spent = [None; 3];
            let of_client = caller.client_id.map(|id| (self.key(CLIENT, id, None), &self.of_client));
            for (slot, (key, allowance)) in
                spent.iter_mut().zip(self.strict(caller).into_iter().flatten().chain(of_client))
            {
                *slot = Some((key, allowance.left(entries.get_mut(&key), now)?));
            }
            spent
        };
        for (key, spent) in spent.into_iter().flatten() {
            if entries.len() >= self.entries_max && !entries.contains_key(&key) {
                make_room(&mut entries, now);
            }
            entries.insert(key, spent);
        }
        self.count.store(entries.len(), Ordering::Relaxed);
        Ok(())
    }

    /// Forgets what has been forgiven. A job calls it now and then, so that a quiet server remembers nothing.
    pub fn forget_forgiven(&self, now: Timestamp) {
        if self.is_empty() {
            return;
        }
        let mut entries = self.lock();
        entries.retain(|_, spent| spent.is_owed(now));
        entries.shrink_to(KEPT);
        self.count.store(entries.len(), Ordering::Relaxed);
    }

    /// How many clients and addresses are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn is_empty(&self) -> bool {
        self.remembered() == 0
    }

    /// The allowances that count for right credentials too.
    fn strict(&self, caller: Caller<'_>) -> [Option<(u64, &Allowance)>; 2] {
        let network = network(caller.address);
        [
            Some((self.key(ADDRESS, "", Some(network)), &self.of_address)),
            caller.client_id.map(|id| (self.key(CLIENT_HERE, id, Some(network)), &self.of_client_here)),
        ]
    }

    fn key(&self, kind: u8, client_id: &str, address: Option<IpAddr>) -> u64 {
        self.hasher.hash_one((kind, client_id, address))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Spent>> {
        // Nobody panics while holding it half changed.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often an address may do what anybody may do, such as asking what an error is about. Every time counts, and comes back
/// little by little.
#[derive(Debug)]
pub struct Visits {
    allowance: Allowance,
    hasher: RandomState,
    entries: Mutex<HashMap<u64, Spent>>,
    entries_max: usize,
}

impl Visits {
    /// So many within a window, of so many addresses.
    #[must_use]
    pub fn new(visits: u32, window: Duration, entries_max: usize) -> Self {
        Self {
            allowance: Allowance::new(visits, window),
            hasher: RandomState::new(),
            entries: Mutex::new(HashMap::new()),
            entries_max,
        }
    }

    /// Counts a visit of an address to something.
    ///
    /// # Errors
    /// The allowance is used up. Then nothing is counted, so that waiting helps.
    pub fn take(&self, what: &str, address: IpAddr, now: Timestamp) -> Result<(), TooManyFailures> {
        let key = self.hasher.hash_one((what, network(address)));
        // Nobody panics while holding it half changed.
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = self.allowance.left(entries.get_mut(&key), now)?;
        if entries.len() >= self.entries_max && !entries.contains_key(&key) {
            make_room(&mut entries, now);
        }
        entries.insert(key, spent);
        Ok(())
    }

    /// Forgets what has come back.
    pub fn forget_forgiven(&self, now: Timestamp) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, spent| spent.is_owed(now));
        entries.shrink_to(KEPT);
    }
}

/// The limits of what is open to anybody and costs something.
#[derive(Debug)]
pub struct PublicVisits {
    /// Questions what an error is about.
    pub matches: Visits,
    /// Reports whether an advice helped.
    pub reports: Visits,
    /// The same about one entry.
    pub reports_of_an_entry: Visits,
    /// Letters that somebody has sent.
    pub letters: Visits,
    /// The same to one account, from wherever.
    pub letters_to_one: Visits,
    /// Sign-ins that somebody begins, signed in or not.
    pub sign_ins: Visits,
}

impl PublicVisits {
    /// With the limits of the configuration.
    #[must_use]
    pub fn new(limits: &RateLimits) -> Self {
        Self {
            matches: Visits::new(limits.matches, limits.window, limits.entries),
            reports: Visits::new(limits.reports, Duration::from_hours(1), limits.entries),
            reports_of_an_entry: Visits::new(1, Duration::from_hours(24), limits.entries),
            letters: Visits::new(30, Duration::from_hours(1), limits.entries),
            letters_to_one: Visits::new(5, Duration::from_hours(1), limits.entries),
            sign_ins: Visits::new(limits.sign_ins, limits.window, limits.entries),
        }
    }

    /// Whether a letter is sent to an account that somebody names, whether there is one or not.
    ///
    /// # Errors
    /// An allowance is used up.
    pub fn take_letter(&self, account: &str, address: IpAddr, now: Timestamp) -> Result<(), TooManyFailures> {
        self.letters.take("", address, now)?;
        self.letters_to_one.take(account, anywhere(account).address, now)
    }

    /// Forgets what has come back.
    pub fn forget_forgiven(&self, now: Timestamp) {
        for visits in [
            &self.matches,
            &self.reports,
            &self.reports_of_an_entry,
            &self.letters,
            &self.letters_to_one,
            &self.sign_ins,
        ] {
            visits.forget_forgiven(now);
        }
    }
}

/// How often people may fail to sign in.
///
/// For passwords the rules are those of clients: whoever guesses from one place is stopped there, and nobody can keep a person out
/// by failing in their name from elsewhere. For second factors the account counts, wherever the code comes from: six digits can
/// be guessed from a thousand places, and whoever is asked for them has shown the password already.
#[derive(Debug)]
pub struct SignInFailures {
    passwords: Failures,
    codes: Failures,
    codes_of_a_day: Failures,
}

impl SignInFailures {
    /// For as many accounts and addresses as the configuration remembers clients.
    #[must_use]
    pub fn new(limits: &RateLimits) -> Self {
        let failures = |of_account_here, of_address, of_account, window| {
            Failures::new(&RateLimits {
                client_failures: of_account_here,
                address_failures: of_address,
                client_total_failures: of_account,
                window,
                ..limits.clone()
            })
        };
        let quarter = Duration::from_mins(15);
        Self {
            // NIST SP 800-63B §5.2.2: "no more than 100" failures of an account. They come back here, so that nobody is locked out.
            passwords: failures(10, 100, 100, quarter),
            codes: failures(6, u32::MAX, 6, quarter),
            // At three codes that would do, of a million: a chance of one in 10 000 a day.
            codes_of_a_day: failures(30, u32::MAX, 30, Duration::from_hours(24)),
        }
    }

    /// Whether to look at a password at all.
    ///
    /// # Errors
    /// An allowance is used up.
    pub fn check_password(&self, account: &str, address: IpAddr, now: Timestamp) -> Result<(), TooManyFailures> {
        self.passwords.check(Caller { client_id: Some(account), address }, || now)
    }

    /// Whether the outcome of a password may be told.
    ///
    /// # Errors
    /// An allowance is used up.
    pub fn settle_password(
        &self,
        account: &str,
        address: IpAddr,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<(), TooManyFailures> {
        self.passwords.settle(Caller { client_id: Some(account), address }, outcome, || now)
    }

    /// Whether to look at a code at all.
    ///
    /// # Errors
    /// An allowance is used up.
    pub fn check_code(&self, account: &str, now: Timestamp) -> Result<(), TooManyFailures> {
        self.codes.check(anywhere(account), || now)?;
        self.codes_of_a_day.check(anywhere(account), || now)
    }

    /// Whether the outcome of a code may be told.
    ///
    /// # Errors
    /// An allowance is used up.
    pub fn settle_code(&self, account: &str, outcome: Outcome, now: Timestamp) -> Result<(), TooManyFailures> {
        self.codes.settle(anywhere(account), outcome, || now)?;
        self.codes_of_a_day.settle(anywhere(account), outcome, || now)
    }

    /// Forgets what has been forgiven.
    pub fn forget_forgiven(&self, now: Timestamp) {
        for failures in [&self.passwords, &self.codes, &self.codes_of_a_day] {
            failures.forget_forgiven(now);
        }
    }
}

/// An account, from wherever somebody tries.
fn anywhere(account: &str) -> Caller<'_> {
    Caller { client_id: Some(account), address: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED) }
}

/// What an entry remembers: when all of it will have come back (the "theoretical arrival time" of the generic cell rate
/// algorithm).
#[derive(Debug, Clone, Copy)]
struct Spent {
    whole_again_at: Timestamp,
}

impl Spent {
    fn is_owed(self, now: Timestamp) -> bool {
        self.whole_again_at > now
    }
}

/// So many failures, which come back one by one.
#[derive(Debug)]
struct Allowance {
    one_back: Duration,
    window: Duration,
}

impl Allowance {
    fn new(failures: u32, window: Duration) -> Self {
        Self { one_back: (window / failures).max(Duration::from_millis(1)), window }
    }

    /// What the entry becomes with one more failure, or that there is none left.
    fn left(&self, spent: Option<&mut Spent>, now: Timestamp) -> Result<Spent, TooManyFailures> {
        let whole_again_at = spent.map_or(now, |spent| {
            // The clock may have been set back meanwhile. Nobody waits longer for that than the window, from now on.
            spent.whole_again_at = spent.whole_again_at.min(now + self.window);
            spent.whole_again_at.max(now)
        });
        let after = whole_again_at + self.one_back;
        let over = after.millis() - (now + self.window).millis();
        if over > 0 {
            // Positive, so it fits.
            return Err(TooManyFailures { retry_after_secs: over.unsigned_abs().div_ceil(1000).max(1) });
        }
        Ok(Spent { whole_again_at: after })
    }
}

/// Forgets what has been forgiven, and if that is not enough those that are closest to it.
fn make_room(entries: &mut HashMap<u64, Spent>, now: Timestamp) {
    let full = entries.len();
    entries.retain(|_, spent| spent.is_owed(now));
    let wanted = full - full.div_ceil(ROOM);
    if entries.len() > wanted {
        let mut ends: Vec<Timestamp> = entries.values().map(|spent| spent.whole_again_at).collect();
        let surplus = entries.len() - wanted;
        let (_, &mut last, _) = ends.select_nth_unstable(surplus - 1);
        let mut left = surplus;
        entries.retain(|_, spent| {
            let goes = left > 0 && spent.whole_again_at <= last;
            left -= usize::from(goes);
            !goes
        });
    }
}

/// Whoever has an IPv6 address has the other 2^64 of its network too.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

const CLIENT_HERE: u8 = 0;
const ADDRESS: u8 = 1;
const CLIENT: u8 = 2;
/// One in so many entries goes when there is no room.
const ROOM: usize = 16;
/// What a quiet server keeps room for.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use proptest::prelude::*;

    use super::*;

    fn limits(client: u32, address: u32, total: u32) -> RateLimits {
        RateLimits {
            client_failures: client,
            address_failures: address,
            client_total_failures: total,
            window: Duration::from_mins(1),
            entries: 100,
            matches: 100,
            sign_ins: 600,
            reports: 100,
        }
    }

    fn caller(client_id: &str, address: [u8; 4]) -> Caller<'_> {
        Caller { client_id: Some(client_id), address: address.into() }
    }

    const HERE: [u8; 4] = [192, 0, 2, 1];
    const NOON: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn fail(failures: &Failures, caller: Caller<'_>, times: u32) -> u32 {
        (0..times).map(|_| u32::from(failures.settle(caller, Outcome::Wrong, || NOON).is_ok())).sum()
    }

    #[test]
    fn so_many_failures_and_not_one_more_and_waiting_helps() {
        let failures = Failures::new(&limits(6, 100, 100));
        let etl = caller("etl", HERE);
        assert_eq!(fail(&failures, etl, 10), 6);
        // One comes back each ten seconds.
        let told = TooManyFailures { retry_after_secs: 10 };
        assert_eq!(failures.check(etl, || NOON), Err(told));
        assert_eq!(failures.settle(etl, Outcome::Right, || NOON), Err(told));
        let late = NOON + Duration::from_millis(9_001);
        assert_eq!(failures.check(etl, || late), Err(TooManyFailures { retry_after_secs: 1 }));
        assert_eq!(failures.settle(etl, Outcome::Right, || NOON.plus_secs(10)), Ok(()));
        assert_eq!(failures.settle(etl, Outcome::Wrong, || NOON.plus_secs(10)), Ok(()));
        assert!(failures.settle(etl, Outcome::Wrong, || NOON.plus_secs(10)).is_err());
    }

    #[test]
    fn codes_are_counted_by_account_wherever_they_come_from_and_passwords_by_place() {
        let failures = SignInFailures::new(&limits(1, 1, 1));
        let wrong = |now| failures.settle_code("usr_1", Outcome::Wrong, now).is_ok();
        assert_eq!((0..20).filter(|_| wrong(NOON)).count(), 6);
        // The right one waits as well: else a guess would be told from the others by its success.
        assert!(failures.settle_code("usr_1", Outcome::Right, NOON).is_err());
        assert!(failures.settle_code("usr_2", Outcome::Right, NOON).is_ok());
        // Over a day, waiting each time: 30, and what comes back of them meanwhile.
        let told = (1..96).filter(|quarter| wrong(NOON.plus_secs(quarter * 900))).count();
        assert!((24..=54).contains(&told), "{told}");

        let (here, there) = (HERE.into(), [198, 51, 100, 1].into());
        let wrong = |address| failures.settle_password("ada", address, Outcome::Wrong, NOON).is_ok();
        assert_eq!((0..20).filter(|_| wrong(there)).count(), 10);
        assert!(failures.check_password("ada", there, NOON).is_err());
        assert!(failures.check_password("ada", here, NOON).is_ok());
        assert!(failures.settle_password("ada", here, Outcome::Right, NOON).is_ok());
    }

    #[test]
    fn success_takes_nothing() {
        let failures = Failures::new(&limits(1, 1, 1));
        for _ in 0..1000 {
            assert_eq!(failures.settle(caller("etl", HERE), Outcome::Right, || NOON), Ok(()));
        }
        assert_eq!(failures.remembered(), 0);
    }

    #[test]
    fn nobody_locks_a_client_out_from_elsewhere() {
        let failures = Failures::new(&limits(5, 5, 20));
        let addresses = (0..50).map(|n| [198, 51, 100, n]);
        let told: u32 = addresses.map(|address| fail(&failures, caller("etl", address), 10)).sum();
        assert_eq!(told, 20, "the client's own ceiling counts over all addresses");
        // From its own address: the right secret passes, a wrong one is told to wait.
        assert_eq!(failures.check(caller("etl", HERE), || NOON), Ok(()));
        assert_eq!(failures.settle(caller("etl", HERE), Outcome::Right, || NOON), Ok(()));
        assert!(failures.settle(caller("etl", HERE), Outcome::Wrong, || NOON).is_err());
        // Others do not notice.
        assert_eq!(failures.settle(caller("till", HERE), Outcome::Wrong, || NOON), Ok(()));
    }

    #[test]
    fn an_address_is_limited_over_all_clients_and_without_any() {
        let failures = Failures::new(&limits(5, 12, 100));
        let told: u32 = (0..10).map(|n| fail(&failures, caller(&format!("client-{n}"), HERE), 2)).sum();
        assert_eq!(told, 12);
        assert!(failures.check(Caller { client_id: None, address: HERE.into() }, || NOON).is_err());
        assert_eq!(failures.check(caller("client-0", [192, 0, 2, 2]), || NOON), Ok(()));
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_a_mapped_ipv4_is_itself() {
        let failures = Failures::new(&limits(100, 3, 100));
        let from = |address: &str| Caller { client_id: None, address: address.parse().expect("an address") };
        for address in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"] {
            assert_eq!(failures.settle(from(address), Outcome::Wrong, || NOON), Ok(()));
        }
        assert!(failures.check(from("2001:db8::3"), || NOON).is_err());
        assert_eq!(failures.check(from("2001:db8:0:1::3"), || NOON), Ok(()));
        for _ in 0..3 {
            assert_eq!(failures.settle(from("192.0.2.7"), Outcome::Wrong, || NOON), Ok(()));
        }
        assert!(failures.check(from("::ffff:192.0.2.7"), || NOON).is_err());
    }

    #[test]
    fn however_many_guess_at_once_no_more_outcomes_are_told() {
        let failures = Failures::new(&limits(50, 10_000, 10_000));
        let told = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..625 {
                        let outcome = failures.settle(caller("etl", HERE), Outcome::Wrong, || NOON);
                        told.fetch_add(u32::from(outcome.is_ok()), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(told.into_inner(), 50);
    }

    #[test]
    fn a_clock_that_is_set_back_a_year_keeps_nobody_out_for_a_year() {
        let failures = Failures::new(&limits(2, 100, 100));
        let etl = caller("etl", HERE);
        fail(&failures, etl, 2);
        let back = NOON.plus_secs(-365 * 86_400);
        assert!(failures.check(etl, || back).is_err());
        assert!(failures.check(etl, || back.plus_secs(29)).is_err());
        assert_eq!(failures.check(etl, || back.plus_secs(30)), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_a_quiet_server_remembers_nothing() {
        let failures = Failures::new(&RateLimits { entries: 64, ..limits(5, 5, 5) });
        for n in 0..10_000_u32 {
            let address = IpAddr::from(n.to_be_bytes());
            let client_id = n.to_string();
            let caller = Caller { client_id: Some(&client_id), address };
            assert_eq!(failures.settle(caller, Outcome::Wrong, || NOON.plus_secs((n / 100).into())), Ok(()));
            assert!(failures.remembered() <= 64);
        }
        failures.forget_forgiven(NOON.plus_secs(1_000));
        assert_eq!(failures.remembered(), 0);
    }

    #[test]
    fn an_address_visits_one_thing_so_often_and_another_as_often_again() {
        let visits = Visits::new(2, Duration::from_mins(1), 64);
        let here: IpAddr = HERE.into();
        let told: Vec<bool> = (0..4).map(|_| visits.take("a", here, NOON).is_ok()).collect();
        assert_eq!(told, [true, true, false, false]);
        assert_eq!(visits.take("a", here, NOON), Err(TooManyFailures { retry_after_secs: 30 }));
        assert_eq!(visits.take("b", here, NOON), Ok(()));
        assert_eq!(visits.take("a", [192, 0, 2, 2].into(), NOON), Ok(()));
        assert!(visits.take("a", here, NOON.plus_secs(29)).is_err());
        assert_eq!(visits.take("a", here, NOON.plus_secs(30)), Ok(()));
        for n in 0..10_000_u32 {
            assert_eq!(visits.take("a", IpAddr::from((n + 5).to_be_bytes()), NOON.plus_secs(60)), Ok(()));
        }
        assert!(visits.entries.lock().expect("not poisoned").len() <= 64);
        visits.forget_forgiven(NOON.plus_secs(1_000));
        assert!(visits.entries.lock().expect("not poisoned").is_empty());
    }

    #[test]
    fn who_owes_most_is_remembered_longest() {
        let failures = Failures::new(&RateLimits { entries: 64, ..limits(5, 1000, 1000) });
        let etl = caller("etl", HERE);
        fail(&failures, etl, 5);
        for n in 0..1_000_u32 {
            let other = Caller { client_id: None, address: IpAddr::from(n.to_be_bytes()) };
            assert_eq!(failures.settle(other, Outcome::Wrong, || NOON), Ok(()));
        }
        assert!(failures.check(etl, || NOON).is_err());
    }

    proptest! {
        #[test]
        fn within_any_window_no_more_than_twice_the_allowance_is_told(steps in proptest::collection::vec(0_u64..5_000, 1..300)) {
            let failures = Failures::new(&limits(7, 1_000_000, 1_000_000));
            let mut now = NOON;
            let mut told = Vec::new();
            for step in steps {
                now = now + Duration::from_millis(step);
                match failures.settle(caller("etl", HERE), Outcome::Wrong, || now) {
                    Ok(()) => told.push(now),
                    Err(wait) => {
                        let then = now.plus_secs(i64::try_from(wait.retry_after_secs).expect("small"));
                        prop_assert_eq!(failures.check(caller("etl", HERE), || then), Ok(()));
                    }
                }
            }
            for (index, first) in told.iter().enumerate() {
                let within = told[index..].iter().take_while(|at| **at < *first + Duration::from_mins(1)).count();
                prop_assert!(within <= 14);
            }
        }
    }
}
