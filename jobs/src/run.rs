//! Ids of runs: the jobs of one event on one version.

use std::hash::{BuildHasher, RandomState};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use larder_core::store::Timestamp;

/// What the ids of a new run begin with, unlike those of any other.
pub(crate) fn new_run(now: Timestamp) -> String {
    run_at(now, &unlike_any_other("run"))
}

/// What the ids of the run begin with that is of this `time`, and `what`.
pub(crate) fn run_at(time: Timestamp, what: &str) -> String {
    let since = time.as_system_time().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let millis = since.as_millis() as u64 & 0xffff_ffff_ffff;
    let digest = blake3::hash(what.as_bytes()).to_hex();
    format!("{millis:012x}-{:.12}", digest.as_str())
}

/// The id of the job at a place of a run.
pub(crate) fn in_run(run: &str, place: usize) -> String {
    format!("{run}-{place:04x}")
}

/// A text that no other call in any process makes.
pub(crate) fn unlike_any_other(what: &str) -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // The state is the system's randomness.
    let random = RandomState::new().hash_one((call, since));
    format!("{what} {} {call} {} {random:016x}", process::id(), since.as_nanos())
}

/// A number below `of`, another one for each process.
pub(crate) fn turn(of: usize) -> usize {
    RandomState::new().hash_one(process::id()) as usize % of.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_differ_and_are_in_the_order_of_time() {
        let at = |seconds| {
            Timestamp::new(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
        };
        let runs: std::collections::BTreeSet<_> = (0..1000).map(|_| new_run(at(7))).collect();
        assert_eq!(runs.len(), 1000);
        assert!(runs.last().unwrap() < &new_run(at(8)));
    }
}
