//! What the operating system says about this process. Only Linux is asked; elsewhere nothing is known.

use std::fs;

/// The process as it is now. What could not be read is none.
#[derive(Debug, Default)]
pub(super) struct Process {
    pub(super) resident_bytes: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) most_files: Option<u64>,
}

impl Process {
    /// Looks into `/proc`, which is memory and not a disk.
    pub(super) fn now() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            resident_bytes: resident_bytes(&read("/proc/self/status")),
            open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
            most_files: most_files(&read("/proc/self/limits")),
        }
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix("kB")?;
    kibibytes.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// The soft limit, the one that counts. `unlimited` is no number.
fn most_files(limits: &str) -> Option<u64> {
    let rest = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_found_in_what_linux_writes() {
        assert_eq!(resident_bytes("VmHWM:\t   10 kB\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2_097_152));
        assert_eq!(
            most_files("Limit  Soft  Hard  Units\nMax open files            1024    4096   files\n"),
            Some(1024)
        );
        assert_eq!(most_files("Max open files            unlimited    unlimited   files\n"), None);
        assert_eq!((resident_bytes(""), most_files("")), (None, None));
    }
}
