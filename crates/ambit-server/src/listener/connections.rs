//! The connections of a listener: a bounded number of places, and who makes room when all are taken.

#![expect(clippy::disallowed_methods, reason = "spans of time are measured by the clock that never jumps")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::connection::Connection;

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    epoch: Instant,
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    /// One has ended. There is one who waits for it: whoever accepts, and later whoever stops.
    ended: Notify,
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    number: u64,
    pub(super) connection: Arc<Connection>,
}

impl Connections {
    pub(super) fn new(most: usize) -> Self {
        Self { most, epoch: Instant::now(), open: Mutex::default(), ended: Notify::new() }
    }

    /// A place for a connection: the number counts up and is its own. When all are taken, waits for one to become free, and sees
    /// to it that one does.
    pub(super) async fn admit(self: &Arc<Self>, number: u64, peer: SocketAddr) -> Place {
        loop {
            if let Some(place) = self.try_admit(number, peer) {
                return place;
            }
            self.make_room();
            // Whoever was asked ends within a bounded time. Somebody else may be idle before that.
            let _ = tokio::time::timeout(LOOK_AGAIN, self.ended.notified()).await;
        }
    }

    fn try_admit(self: &Arc<Self>, number: u64, peer: SocketAddr) -> Option<Place> {
        let mut open = self.open();
        if open.len() >= self.most {
            return None;
        }
        let connection = Arc::new(Connection::new(peer, self.epoch));
        open.insert(number, connection.clone());
        Some(Place { connections: self.clone(), number, connection })
    }

    /// Asks those idle longest to leave: several at once, since looking at all of them for each newcomer is what whoever opens
    /// thousands would like us to do. Where none is idle, the one whose request came first leaves behind it.
    pub(super) fn make_room(&self) {
        let open = self.open();
        // Of those idle for as many milliseconds the one that came first.
        let order = |number: &u64, connection: &Connection| {
            let (is_at_work, since) = connection.claim();
            (is_at_work, since, *number)
        };
        let all = open.iter().map(|(number, connection)| (order(number, connection), connection));
        let (leaving, mut candidates): (Vec<_>, Vec<_>) = all.partition(|(_, it)| it.is_leaving());
        let is_idle = |((is_at_work, ..), _): &&((bool, u64, u64), &Arc<Connection>)| !is_at_work;
        if leaving.iter().any(|it| is_idle(&it)) {
            // That one is as good as gone.
            return;
        }
        let asked = match candidates.iter().filter(is_idle).count() {
            0 => usize::from(leaving.is_empty()),
            idle => idle.min(self.most / AT_ONCE_OF).max(1),
        };
        candidates.sort_unstable_by_key(|(order, _)| *order);
        for (_, connection) in candidates.into_iter().take(asked) {
            connection.make_room();
        }
    }

    /// Asks all to leave behind what is at work on them, and waits until they have.
    pub(super) async fn leave(&self) {
        for connection in self.open().values() {
            connection.ask_to_leave();
        }
        self.ended().await;
    }

    /// Ends all, and waits until they have. Says how many requests were at work.
    pub(super) async fn cut(&self) -> usize {
        let at_work = {
            let open = self.open();
            open.values().for_each(|connection| connection.cut());
            open.values().filter(|connection| connection.is_at_work()).count()
        };
        self.ended().await;
        at_work
    }

    async fn ended(&self) {
        while !self.open().is_empty() {
            self.ended.notified().await;
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        // Nothing panics while it is held; and if it did, the map would still be whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
        self.connections.ended.notify_one();
    }
}

/// Lets the process open as many files as so many connections take, as far as the operating system's hard limit goes. The soft
/// one is small for the sake of programs that call `select`.
pub fn allow_files(connections: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(connections.saturating_add(RESERVE)).unwrap_or(u64::MAX);
    let wanted = maximum.map_or(wanted, |maximum| wanted.min(maximum));
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        tracing::warn!(%error, wanted, "the limit on open files could not be raised");
    }
}

/// The most connections that the configuration and the operating system allow.
pub(super) fn most(configured: usize) -> usize {
    let files = getrlimit(Resource::Nofile).current;
    let most = within(configured, files);
    if most < configured {
        tracing::warn!(
            configured,
            files,
            most,
            "limits.connections is more than the operating system's limit on open files allows: raise that, or lower this"
        );
    }
    most
}

fn within(configured: usize, files: Option<u64>) -> usize {
    let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    // Half of very few is little, and still better than none for the database.
    configured.min(files.saturating_sub(RESERVE).max(files / 2))
}

/// Open files for everything else: the database's connections, its files, the log, the listeners.
const RESERVE: usize = 64;
/// How soon somebody who waits for a place looks again for one who is idle now.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Of how many connections one makes room when all places are taken.
const AT_ONCE_OF: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_on_open_files_less_a_reserve_counts_if_it_is_lower() {
        assert_eq!(within(8192, None), 8192);
        assert_eq!(within(8192, Some(1 << 20)), 8192);
        assert_eq!(within(8192, Some(8192 + 64)), 8192);
        assert_eq!(within(8192, Some(8192 + 63)), 8191);
        assert_eq!(within(8192, Some(1024)), 960);
        assert_eq!(within(16, Some(1024)), 16);
        assert_eq!(within(8192, Some(64)), 32);
    }
}
