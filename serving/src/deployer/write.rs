//! Writes of servers to the records of deployments. Any number of servers may: each write is conditional, and nothing
//! is written twice.

use larder_core::extend::Records;
use larder_core::store::{Outcome, Timestamp, Transaction, transact};
use larder_core::{Result, VersionInfo};

use super::canary::Verdict;
use super::endpoint::{Arm, Canary, Endpoint};
use super::follow::find;
use crate::deployment::{BEAT, DeploymentRecord, EventKind, EventRecord, ServingRecord, key_of};

impl Endpoint {
    pub(super) fn now(&self) -> Timestamp {
        self.serving.larder().now()
    }
}

/// Says that a version serves, where the record does not, or has not lately.
pub(super) fn confirm(endpoint: &Endpoint, seen: &DeploymentRecord, arm: &Arm) -> Result<()> {
    let now = endpoint.now();
    let says_so = |record: &DeploymentRecord| {
        record.serving.as_ref().is_some_and(|serving| {
            let age = now.as_system_time().duration_since(serving.seen.as_system_time());
            // The clock of another server may be ahead.
            serving.manifest == *arm.digest() && age.map_or(true, |age| age < BEAT)
        })
    };
    if says_so(seen) {
        return Ok(());
    }
    change(endpoint, |record| {
        // The tag may have moved on: what another server says then is newer.
        let target = find(endpoint.serving.larder(), &record.reference)?;
        if says_so(record) || target.digest != *arm.digest() {
            return Ok(false);
        }
        serve(record, arm, now, |record| {
            record.add(event_of(EventKind::Serving, arm.model.version(), now, None));
        });
        Ok(true)
    })
    .map(drop)
}

/// Sets the version that serves; `took_over` runs if another one did before.
fn serve(
    record: &mut DeploymentRecord,
    arm: &Arm,
    now: Timestamp,
    took_over: impl FnOnce(&mut DeploymentRecord),
) {
    let version = arm.model.version();
    let known = record.serving.take().filter(|serving| serving.manifest == version.digest);
    let is_new = known.is_none();
    record.serving = Some(ServingRecord {
        name: version.identifier.clone(),
        version: version.version,
        manifest: version.digest,
        signature: arm.signature,
        since: known.map_or(now, |known| known.since),
        seen: now,
    });
    if is_new {
        took_over(record);
    }
}

/// Writes down that a version does not take over, once for each change of the record.
pub(super) fn event(
    endpoint: &Endpoint,
    kind: EventKind,
    version: &VersionInfo,
    reason: &str,
) -> Result<()> {
    let now = endpoint.now();
    change(endpoint, |record| {
        if record.event_of(kind, &version.digest).is_some() {
            return Ok(false);
        }
        record.add(event_of(kind, version, now, Some(reason.to_owned())));
        Ok(true)
    })
    .map(drop)
}

/// Ends a canary by a verdict; returns false if it ended before.
pub(super) fn end_canary(endpoint: &Endpoint, canary: &Canary, verdict: &Verdict) -> Result<bool> {
    let now = endpoint.now();
    change(endpoint, |record| {
        let Some(current) = record.canary.take() else { return Ok(false) };
        let target = find(endpoint.serving.larder(), &current.reference)?;
        if current != canary.record || target.digest != *canary.arm.digest() {
            return Ok(false);
        }
        if verdict.kind == EventKind::Promoted {
            record.reference = current.reference;
            serve(record, &canary.arm, now, |_| {});
        }
        let version = canary.arm.model.version();
        record.add(event_of(verdict.kind, version, now, Some(verdict.reason.clone())));
        Ok(true)
    })
}

fn event_of(
    event: EventKind,
    version: &VersionInfo,
    at: Timestamp,
    reason: Option<String>,
) -> EventRecord {
    EventRecord {
        at,
        event,
        name: version.identifier.clone(),
        version: version.version,
        manifest: version.digest,
        by: None,
        reason,
    }
}

/// Changes the record of a deployment, if `decide` says so, and it was not undeployed.
fn change(
    endpoint: &Endpoint,
    mut decide: impl FnMut(&mut DeploymentRecord) -> Result<bool>,
) -> Result<bool> {
    let key = key_of(endpoint.name())?;
    let what = format!("the deployment {}", endpoint.name());
    transact(&**endpoint.serving.larder().store(), what, |tx: &mut Transaction<'_>| {
        let Some(mut record) = tx.read::<DeploymentRecord>(&key)? else {
            return Ok(Outcome::Done(false));
        };
        if !decide(&mut record)? {
            return Ok(Outcome::Done(false));
        }
        tx.put(key.clone(), &record)?;
        Ok(Outcome::Commit(true))
    })
}
