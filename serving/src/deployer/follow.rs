//! Following one deployment: from what its record asks for to what serves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_core::extend::Records;
use larder_core::record::VersionRecord;
use larder_core::store::{Digest, Timestamp};
use larder_core::{Error, Larder, Reference, Result, VersionInfo};

use super::endpoint::{Arm, Block, Canary, Endpoint};
use super::status::with_causes;
use super::{canary, write};
use crate::arm::ArmStats;
use crate::deployment::{CanaryRecord, DeploymentRecord, EventKind, digest_of, other_signature};
use crate::loaded::LoadedModel;
use crate::pool::Room;

/// Time before a version that could not be loaded is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// Returns whether a version has to be loaded before the record is followed.
pub(super) fn needs_loading(endpoint: &Endpoint, record: &DeploymentRecord) -> Result<bool> {
    let larder = endpoint.serving.larder();
    endpoint.describe(&record.reference, record.canary.as_ref().map(|canary| canary.share));
    let main = find(larder, &record.reference);
    let canary = record.canary.as_ref().and_then(|canary| find(larder, &canary.reference).ok());
    let arms = endpoint.arms().clone();
    let serves = arms.main.as_ref().map(|arm| *arm.digest());
    let tries = arms.canary.as_ref().map(|canary| *canary.arm.digest());
    let state = endpoint.lock();
    let may_load = |block: &Option<Block>, digest: &Digest| {
        !block.as_ref().is_some_and(|block| block.holds(digest, record.changed))
    };
    // What served before goes on until what is to serve is loaded.
    let falls_back = serves.is_none()
        && record.serving.as_ref().is_some_and(|serving| {
            main.as_ref().map_or(true, |main| main.digest != serving.manifest)
                && may_load(&state.fallback_block, &serving.manifest)
        });
    if falls_back {
        return Ok(true);
    }
    let main = main?;
    let needs_main = serves != Some(main.digest) && may_load(&state.main_block, &main.digest);
    let needs_canary = canary.is_some_and(|canary| {
        tries != Some(canary.digest) && may_load(&state.canary_block, &canary.digest)
    });
    Ok(needs_main || needs_canary)
}

/// Makes what serves what the record asks for, and says so in the record.
pub(super) fn follow(endpoint: &Endpoint, record: DeploymentRecord) -> Result<()> {
    let larder = endpoint.serving.larder();
    let target = find(larder, &record.reference);
    if endpoint.arms().main.is_none() {
        fall_back(endpoint, &record, target.as_ref().ok())?;
    }
    if let Ok(target) = &target {
        follow_main(endpoint, &record, target)?;
    }
    match &record.canary {
        Some(wanted) => follow_canary(endpoint, &record, wanted)?,
        None => {
            let mut state = endpoint.lock();
            (state.canary_block, state.canary_fault) = (None, None);
            drop(state);
            if endpoint.arms().canary.is_some() {
                endpoint.swap(|arms| arms.canary = None);
            }
        }
    }
    target.map(drop)
}

/// Loads and checks the version that is to serve, and lets it take over.
fn follow_main(endpoint: &Endpoint, record: &DeploymentRecord, target: &VersionInfo) -> Result<()> {
    let serves = endpoint.arms().main.clone();
    if let Some(arm) = serves.as_ref().filter(|arm| *arm.digest() == target.digest) {
        endpoint.lock().main_block = None;
        return write::confirm(endpoint, record, arm);
    }
    let block = endpoint.lock().main_block.clone();
    if block.is_some_and(|block| block.holds(&target.digest, record.changed)) {
        return Ok(());
    }
    // A server that could not load what served before knows its signature from the record.
    let expected = match (&serves, &record.serving) {
        (Some(arm), Some(serving)) => Some((arm.signature, other_signature(serving))),
        (Some(arm), None) => Some((arm.signature, "its signature differs".into())),
        (None, Some(serving)) if serving.manifest != target.digest => {
            Some((serving.signature, other_signature(serving)))
        }
        (None, _) => None,
    };
    let expected = expected.filter(|_| !record.allow_signature_change);
    match prepare(endpoint, target, expected, None) {
        Ok(arm) => {
            endpoint.swap(|arms| arms.main = Some(arm.clone()));
            endpoint.lock().main_block = None;
            write::confirm(endpoint, record, &arm)
        }
        Err(failure) => {
            let block = failure.block(target, record.changed);
            endpoint.lock().main_block = Some(block);
            write::event(endpoint, failure.kind, target, &failure.reason)
        }
    }
}

/// Loads what served before this server started, if that is another version than the one that is to serve.
fn fall_back(
    endpoint: &Endpoint,
    record: &DeploymentRecord,
    target: Option<&VersionInfo>,
) -> Result<()> {
    let Some(serving) = &record.serving else { return Ok(()) };
    let is_target = target.is_some_and(|target| target.digest == serving.manifest);
    let block = endpoint.lock().fallback_block.clone();
    let is_blocked = block.is_some_and(|block| block.holds(&serving.manifest, record.changed));
    if is_target || is_blocked {
        return Ok(());
    }
    let larder = endpoint.serving.larder();
    let Some(version) = larder.version(&serving.name, serving.version)? else { return Ok(()) };
    // If the version has another digest, loading fails.
    let mut version = VersionInfo::new(&serving.name, &version);
    version.digest = serving.manifest;
    match prepare(endpoint, &version, None, None) {
        Ok(arm) => endpoint.swap(|arms| arms.main = Some(arm)),
        Err(failure) => {
            endpoint.lock().fallback_block = Some(failure.block(&version, record.changed));
        }
    }
    Ok(())
}

fn follow_canary(
    endpoint: &Endpoint,
    record: &DeploymentRecord,
    wanted: &CanaryRecord,
) -> Result<()> {
    let target = match find(endpoint.serving.larder(), &wanted.reference) {
        Ok(target) => target,
        Err(error @ Error::NotFound { .. }) => {
            endpoint.lock().canary_fault = Some(with_causes(&error));
            endpoint.swap(|arms| arms.canary = None);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    endpoint.lock().canary_fault = None;
    let arms = endpoint.arms().clone();
    let Some(main) = arms.main else { return Ok(()) };
    if let Some(canary) = &arms.canary {
        if *canary.arm.digest() == target.digest && canary.record == *wanted {
            return canary::judge(endpoint, canary, &main);
        }
        // Another canary, or other rules: it begins anew.
        endpoint.swap(|arms| arms.canary = None);
    }
    if *main.digest() == target.digest {
        let block = |reason: &str| Block {
            digest: target.digest,
            changed: record.changed,
            until: None,
            reason: reason.to_owned(),
        };
        endpoint.lock().canary_block = Some(block("it is the version that serves"));
        return Ok(());
    }
    let block = endpoint.lock().canary_block.clone();
    if block.is_some_and(|block| block.holds(&target.digest, record.changed)) {
        return Ok(());
    }
    let reason = "its signature differs from that of the version that serves".to_owned();
    let expected = (!record.allow_signature_change).then_some((main.signature, reason));
    match prepare(endpoint, &target, expected, wanted.max_p90()) {
        Ok(arm) => {
            let (record, due) = (wanted.clone(), Instant::now() + wanted.interval());
            endpoint.lock().canary_block = None;
            endpoint.swap(|arms| arms.canary = Some(Canary { arm, record, due }));
            Ok(())
        }
        Err(failure) => {
            endpoint.lock().canary_block = Some(failure.block(&target, record.changed));
            write::event(endpoint, failure.kind, &target, &failure.reason)
        }
    }
}

/// Why a version does not take over.
struct Failure {
    kind: EventKind,
    reason: String,
}

impl Failure {
    fn failed(what: &str, error: &dyn std::error::Error) -> Self {
        Self { kind: EventKind::Failed, reason: format!("{what}{}", with_causes(error)) }
    }

    fn block(&self, version: &VersionInfo, changed: Timestamp) -> Block {
        let is_refused = self.kind == EventKind::Refused;
        Block {
            digest: version.digest,
            changed,
            until: (!is_refused).then(|| Instant::now() + RETRY),
            reason: format!("{}: {}", version.reference(), self.reason),
        }
    }
}

/// Loads a version, compares its signature, and warms it up.
fn prepare(
    endpoint: &Endpoint,
    version: &VersionInfo,
    expected: Option<(Digest, String)>,
    limit: Option<Duration>,
) -> Result<Arm, Failure> {
    let model: Arc<LoadedModel> = endpoint
        .serving
        .pool()
        .get_with(version, Room::Deployed)
        .map_err(|error| Failure::failed("", &error))?;
    let signature = digest_of(&model.signature());
    if let Some((expected, reason)) = expected
        && expected != signature
    {
        return Err(Failure { kind: EventKind::Refused, reason });
    }
    let warmed = model.call(|model| model.warm_up());
    warmed.map_err(|error| Failure::failed("cannot warm it up: ", &error))?;
    let since = endpoint.serving.larder().now();
    Ok(Arm { model, signature, stats: Arc::new(ArmStats::new(limit)), since })
}

pub(super) fn find(larder: &Larder, reference: &Reference) -> Result<VersionInfo> {
    let found: VersionRecord = larder.find(reference)?;
    Ok(VersionInfo::new(reference.identifier(), &found))
}
