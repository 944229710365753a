//! Id prefixes of runs: the jobs of one event on one version.

use std::hash::{BuildHasher, RandomState};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use larder_core::store::Timestamp;

/// Returns a unique prefix for the ids of a new run.
pub(crate) fn new_run(now: Timestamp) -> String {
    run_at(now, &unique_text("run"))
}

/// Returns the prefix of the run of `time` and `what`.
pub(crate) fn run_at(time: Timestamp, what: &str) -> String {
    let since = time.as_system_time().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let millis = since.as_millis() as u64 & 0xffff_ffff_ffff;
    let digest = blake3::hash(what.as_bytes()).to_hex();
    format!("{millis:012x}-{:.12}", digest.as_str())
}

/// Returns the id of the job at a position of a run.
pub(crate) fn job_id_in_run(run: &str, position: usize) -> String {
    format!("{run}-{position:04x}")
}

/// Returns a text that is unique across calls and processes.
pub(crate) fn unique_text(what: &str) -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Seeded with the system's randomness.
    let random = RandomState::new().hash_one((call, since));
    format!("{what} {} {call} {} {random:016x}", process::id(), since.as_nanos())
}

/// Returns a number below `limit` that differs between processes.
pub(crate) fn process_offset(limit: usize) -> usize {
    RandomState::new().hash_one(process::id()) as usize % limit.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_unique_and_ordered_by_time() {
        let at = |seconds| {
            Timestamp::new(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
        };
        let runs: std::collections::BTreeSet<_> = (0..1000).map(|_| new_run(at(7))).collect();
        assert_eq!(runs.len(), 1000);
        assert!(runs.last() < Some(&new_run(at(8))));
    }
}
