//! How the system schedules the threads of SQLite.
//!
//! Each connection to SQLite is a thread, and one that writes is woken many times in a commit, whenever the disk has done something.
//! By default Linux lets who is woken interrupt who runs. That would be whoever answers a request, in the middle of it, and once the
//! other has gone back to sleep the processor may well go to whoever hashes a password, till the next tick (4 ms with `HZ=250`). A
//! thread of the policy `SCHED_BATCH` interrupts nobody and is treated like others in everything else (sched(7): "this policy is
//! useful [...] for workloads that want a deterministic scheduling policy without interactivity causing extra preemptions").

use std::pin::pin;

/// Opens connections to SQLite: the threads that are started for it are of the policy `SCHED_BATCH`.
///
/// They are started where it is polled, and a thread begins with the policy of whoever starts it.
pub(crate) async fn opening<T>(open: impl Future<Output = T>) -> T {
    let mut open = pin!(open);
    std::future::poll_fn(|context| {
        let _batch = system::Batch::begin();
        open.as_mut().poll(context)
    })
    .await
}

#[cfg(target_os = "linux")]
mod system {
    use rustix::process::{getpriority_process, setpriority_process};
    use thread_priority::unix::{
        NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
        thread_schedule_policy,
    };
    use thread_priority::{ThreadPriority, ThreadPriorityOsValue};

    /// While it lives, this thread is of the policy `SCHED_BATCH`.
    pub(super) struct Batch;

    impl Batch {
        /// None where the thread is not of the usual policy: whoever chose another knows better.
        pub(super) fn begin() -> Option<Self> {
            if thread_schedule_policy() != Ok(USUAL) {
                return None;
            }
            set(ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch));
            Some(Self)
        }
    }

    impl Drop for Batch {
        fn drop(&mut self) {
            set(USUAL);
        }
    }

    /// The system lets every thread take each of the two.
    fn set(policy: ThreadSchedulePolicy) {
        let nice = getpriority_process(None);
        let usual = ThreadPriority::Os(ThreadPriorityOsValue::default());
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), usual, policy) {
            tracing::debug!(?error, ?policy, "a thread keeps its policy, or its priority");
        }
        // It was set to 0 beside the policy, where the system let it.
        if let Err(error) = nice.and_then(|nice| setpriority_process(None, nice)) {
            tracing::debug!(%error, "a thread lost its priority");
        }
    }

    const USUAL: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
}

#[cfg(not(target_os = "linux"))]
mod system {
    /// There is nothing of the kind.
    pub(super) struct Batch;

    impl Batch {
        pub(super) const fn begin() -> Option<Self> {
            None
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use ambit_core::store::Store as _;

    use super::*;
    use crate::{SqlStore, StoreConfig};

    const OTHER: &str = "0";
    const BATCH: &str = "3";

    /// The policy in `/proc/…/stat` (`proc_pid_stat(5)`, the 41st field; the second one is a name in parentheses).
    fn policy(task: &str) -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{task}/stat")).ok()?;
        stat.rsplit(") ").next()?.split(' ').nth(41 - 3).map(str::to_owned)
    }

    #[tokio::test]
    async fn what_a_connection_starts_is_of_batch_policy_and_who_asked_for_it_stays_what_it_was() {
        let nice = rustix::process::nice(3).unwrap();
        let started = opening(async { std::thread::spawn(|| policy("thread-self")).join().unwrap() }).await;
        assert_eq!(started.as_deref(), Some(BATCH));
        assert_eq!(policy("thread-self").as_deref(), Some(OTHER));
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), nice);
    }

    #[tokio::test]
    async fn every_thread_of_sqlite_is_of_batch_policy() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqlStore::open(&StoreConfig::data_dir(folder.path())).await.unwrap();
        store.migrate().await.unwrap();
        let many = futures_util::future::join_all((0..20).map(|_| store.revision())).await;
        assert!(many.iter().all(Result::is_ok));
        // Those of the tests beside this one too: all are opened in the same way.
        let threads = fs::read_dir("/proc/self/task").unwrap().filter_map(|entry| {
            let task = format!("self/task/{}", entry.ok()?.file_name().to_str()?);
            let name = fs::read_to_string(format!("/proc/{task}/comm")).ok()?;
            name.starts_with("sqlx-sqlite").then(|| policy(&task)).flatten()
        });
        let policies = threads.collect::<Vec<_>>();
        assert!(policies.len() >= 2, "a writer and a reader: {policies:?}");
        assert!(policies.iter().all(|policy| policy == BATCH), "{policies:?}");
        store.close().await;
    }
}
