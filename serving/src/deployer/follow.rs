//! Following one deployment: from what its record asks for to what serves.

use std::sync::{Arc, mpsc};
use std::thread;
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
/// Maximum time to warm a version up.
const WARM_UP: Duration = Duration::from_secs(300);

/// What the references of a record name now.
pub(super) struct Targets {
    main: Result<VersionInfo>,
    canary: Option<Result<VersionInfo>>,
}

impl Targets {
    pub(super) fn find(larder: &Larder, record: &DeploymentRecord) -> Self {
        let canary = record.canary.as_ref();
        Self {
            main: find(larder, &record.reference),
            canary: canary.map(|canary| find(larder, &canary.reference)),
        }
    }

    /// Returns whether a version has to be loaded before the record is followed.
    pub(super) fn need_loading(&self, endpoint: &Endpoint, record: &DeploymentRecord) -> bool {
        let arms = endpoint.arms().clone();
        let serves = arms.main.as_ref().map(|arm| *arm.digest());
        let tries = arms.canary.as_ref().map(|canary| *canary.arm.digest());
        let state = endpoint.lock();
        let may_load = |block: &Option<Block>, digest: &Digest| {
            !block.as_ref().is_some_and(|block| block.holds(digest, record.changed))
        };
        let main = self.main.as_ref().ok().map(|main| main.digest);
        let canary = self.canary.as_ref().and_then(|it| it.as_ref().ok()).map(|it| it.digest);
        // What served before goes on until what is to serve is loaded.
        let fallback = record.serving.as_ref().map(|serving| serving.manifest);
        let needs_fallback = serves.is_none()
            && fallback.is_some_and(|fallback| {
                main != Some(fallback) && may_load(&state.fallback_block, &fallback)
            });
        let needs_main =
            main.is_some_and(|main| serves != Some(main) && may_load(&state.main_block, &main));
        let needs_canary = canary
            .is_some_and(|canary| tries != Some(canary) && may_load(&state.canary_block, &canary));
        needs_fallback || needs_main || needs_canary
    }
}

/// Makes what serves what the record asks for, and says so in the record.
pub(super) fn follow(
    endpoint: &Endpoint,
    record: &DeploymentRecord,
    targets: Targets,
) -> Result<()> {
    let Targets { main, canary } = targets;
    if endpoint.arms().main.is_none() {
        fall_back(endpoint, record, main.as_ref().ok())?;
    }
    if let Ok(main) = &main {
        follow_main(endpoint, record, main)?;
    }
    match (&record.canary, canary) {
        (Some(wanted), Some(canary)) => follow_canary(endpoint, record, wanted, canary)?,
        _ => {
            let mut state = endpoint.lock();
            (state.canary_block, state.canary_fault) = (None, None);
            drop(state);
            end_canary(endpoint);
        }
    }
    main.map(drop)
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
    // The digest in the record may be that of an older program.
    let expected = record.serving.as_ref().map(|serving| {
        let own = serves.as_ref().filter(|arm| *arm.digest() == serving.manifest);
        let signature = own.map_or(serving.signature, |arm| arm.signature);
        (serving.manifest, signature, other_signature(serving))
    });
    let expected = expected.filter(|(manifest, ..)| *manifest != target.digest);
    let expected = expected.map(|(_, signature, reason)| (signature, reason));
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

/// Loads, checks and judges the canary.
fn follow_canary(
    endpoint: &Endpoint,
    record: &DeploymentRecord,
    wanted: &CanaryRecord,
    target: Result<VersionInfo>,
) -> Result<()> {
    let target = match target {
        Ok(target) => target,
        Err(error @ Error::NotFound { .. }) => {
            endpoint.lock().canary_fault = Some(with_causes(&error));
            end_canary(endpoint);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    endpoint.lock().canary_fault = None;
    let arms = endpoint.arms().clone();
    let Some(main) = arms.main else { return Ok(()) };
    if *main.digest() == target.digest {
        endpoint.lock().canary_block = Some(Block {
            digest: target.digest,
            changed: record.changed,
            until: None,
            reason: "it is the version that serves".into(),
        });
        end_canary(endpoint);
        return Ok(());
    }
    if let Some(canary) = &arms.canary {
        if *canary.arm.digest() == target.digest && canary.record == *wanted {
            return canary::judge(endpoint, canary, &main);
        }
        // Another canary, or other rules: it begins anew.
        end_canary(endpoint);
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

fn end_canary(endpoint: &Endpoint) {
    if endpoint.arms().canary.is_some() {
        endpoint.swap(|arms| arms.canary = None);
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
    let signature = model.call(|model| Ok(digest_of(&model.signature())));
    let signature = signature.map_err(|error| Failure::failed("", &error))?;
    if let Some((expected, reason)) = expected
        && expected != signature
    {
        return Err(Failure { kind: EventKind::Refused, reason });
    }
    warm_up(&model)?;
    let since = endpoint.serving.larder().now();
    Ok(Arm { model, signature, stats: Arc::new(ArmStats::new(limit)), since })
}

/// Warms a model up, on a thread of its own: one that does not end keeps no other deployment from loading.
fn warm_up(model: &Arc<LoadedModel>) -> Result<(), Failure> {
    let (sender, receiver) = mpsc::channel();
    let its = Arc::clone(model);
    let run = move || {
        // If nobody waits any more, its end is of no interest.
        let _ = sender.send(its.call(|model| model.warm_up()));
    };
    let failed = |error: &dyn std::error::Error| Failure::failed("cannot warm it up: ", error);
    let spawned = thread::Builder::new().name("larder-warm-up".into()).spawn(run);
    spawned.map_err(|error| failed(&error))?;
    match receiver.recv_timeout(WARM_UP) {
        Ok(warmed) => warmed.map_err(|error| failed(&error)),
        Err(_) => Err(Failure {
            kind: EventKind::Failed,
            reason: format!("cannot warm it up: it takes more than {} s", WARM_UP.as_secs()),
        }),
    }
}

pub(super) fn find(larder: &Larder, reference: &Reference) -> Result<VersionInfo> {
    let found: VersionRecord = larder.find(reference)?;
    Ok(VersionInfo::new(reference.identifier(), &found))
}
