//! Verdicts on canaries.

use std::time::{Duration, Instant};

use larder_core::Result;

use super::endpoint::{Arm, Canary, Endpoint};
use super::write;
use crate::arm::ArmStats;
use crate::deployment::{CanaryRecord, EventKind};

/// The end of a canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) kind: EventKind,
    pub(super) reason: String,
}

/// Judges a canary, if its time has come, and promotes it or rolls it back.
pub(super) fn judge(endpoint: &Endpoint, canary: &Canary, main: &Arm) -> Result<()> {
    let now = Instant::now();
    if now < canary.due {
        return Ok(());
    }
    // A stuck canary gets no more requests to be judged by.
    let verdict = match canary.arm.model.is_stuck() {
        true => Some(Verdict {
            kind: EventKind::RolledBack,
            reason: canary.arm.model.stuck().to_string(),
        }),
        false => verdict(&canary.record, &canary.arm.stats),
    };
    let Some(verdict) = verdict else {
        let due = now + canary.record.interval().max(Duration::from_millis(1));
        endpoint.swap(|arms| {
            if let Some(canary) = &mut arms.canary {
                canary.due = due;
            }
        });
        return Ok(());
    };
    // If another server judged first, the next poll follows its verdict.
    if write::end_canary(endpoint, canary, &verdict)? {
        let takes_over = verdict.kind == EventKind::Promoted;
        let arm = if takes_over { &canary.arm } else { main };
        let arm = Arm { since: endpoint.now(), ..arm.clone() };
        endpoint.swap(|arms| {
            arms.canary = None;
            if takes_over {
                arms.main = Some(arm);
            }
        });
    }
    Ok(())
}

/// Returns the verdict on a canary by its rules; none before it had enough requests.
fn verdict(rules: &CanaryRecord, stats: &ArmStats) -> Option<Verdict> {
    let (requests, failures, slow) = (stats.requests(), stats.failures(), stats.slow());
    if requests < rules.min_requests.max(1) {
        return None;
    }
    let of = |count: u64| count as f64 / requests as f64;
    let (is_failing, is_slow) = (of(failures) > rules.max_error_rate, of(slow) > 0.1);
    let mut reason = format!("{failures} of {requests} requests failed");
    if let Some(limit) = rules.max_p90() {
        let fast = requests - slow.min(requests);
        reason.push_str(&format!(", {fast} took at most {limit:?}"));
    }
    let kind = if is_failing || is_slow { EventKind::RolledBack } else { EventKind::Promoted };
    if is_failing {
        reason.push_str(&format!(": more than {} % failed", rules.max_error_rate * 100.0));
    } else if is_slow {
        reason.push_str(": more than 10 % took longer");
    }
    Some(Verdict { kind, reason })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::metrics::Outcome;

    fn rules(max_p90: Option<u64>) -> CanaryRecord {
        CanaryRecord {
            reference: "wine@2".parse().unwrap(),
            share: 0.1,
            interval: 60_000,
            min_requests: 10,
            max_error_rate: 0.1,
            max_p90,
            since: larder_core::store::Timestamp::new(std::time::SystemTime::UNIX_EPOCH),
        }
    }

    #[test]
    fn a_canary_is_judged_by_failures_and_by_time() {
        let limit = Duration::from_millis(50);
        let stats = ArmStats::new(Some(limit));
        for _ in 0..9 {
            stats.count(Outcome::Succeeded, Duration::from_millis(2));
            stats.count(Outcome::BadInput, Duration::from_secs(2));
        }
        assert_eq!(verdict(&rules(None), &stats), None, "nine are too few");
        stats.count(Outcome::Failed, Duration::from_millis(70));
        let found = verdict(&rules(Some(50_000)), &stats).unwrap();
        assert_eq!(found.kind, EventKind::Promoted);
        assert_eq!(found.reason, "1 of 10 requests failed, 9 took at most 50ms");
        stats.count(Outcome::Succeeded, Duration::from_millis(70));
        let found = verdict(&rules(Some(50_000)), &stats).unwrap();
        assert_eq!(found.kind, EventKind::RolledBack);
        assert!(found.reason.ends_with("more than 10 % took longer"), "{}", found.reason);
        stats.count(Outcome::Panicked, Duration::from_millis(1));
        let found = verdict(&rules(None), &stats).unwrap();
        assert_eq!(found.kind, EventKind::RolledBack);
        assert_eq!(found.reason, "2 of 12 requests failed: more than 10 % failed");
    }
}
