//! From packed components to versions: one commit for all that an apply brings.

mod batch;

use std::mem;
use std::time::Instant;

use self::batch::{Batch, ComponentState};
use super::apply::{EncodedComponent, QUICK};
use super::nest::PendingComponent;
use super::{Applied, Larder, VersionInfo};
use super::{Claim, PATIENCE};
use crate::component::Component;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::name::Identifier;
use crate::record::VersionRecord;
use crate::store::Committed;
use crate::store::Outcome;

/// How often a component is packed, if a collector takes its blobs before it is committed.
const MOST_PACKS: u32 = 5;

/// A version that is written, but not ready.
pub(super) struct UnreadyComponent {
    pub(super) version: VersionInfo,
    /// The component, if it has hooks and is not the one that is applied itself.
    pub(super) component: Option<Box<dyn Component>>,
    /// Whether it is the one that is applied itself.
    pub(super) is_root: bool,
}

impl Larder {
    /// Writes what `pack` packs as a new version, with what it refers to. It is packed again if a collector took blobs
    /// meanwhile.
    pub(super) fn commit_version(
        &self,
        name: &Identifier,
        pack: impl Fn() -> Result<EncodedComponent>,
    ) -> Result<Applied> {
        self.commit_packed(name, pack).map(|(applied, _)| applied)
    }

    /// The same; also gives the versions that are not ready, children before those that refer to them.
    pub(super) fn commit_packed(
        &self,
        name: &Identifier,
        pack: impl Fn() -> Result<EncodedComponent>,
    ) -> Result<(Applied, Vec<UnreadyComponent>)> {
        let mut items = items_of(name, pack()?);
        let mut packs = 1;
        // The version that is written already, if the store made a part of a commit.
        let mut written: Option<VersionRecord> = None;
        self.transact(name, |tx| {
            if written.is_none()
                && let Some(version) = self.existing_version(name)?
            {
                return Ok(Outcome::Done(was_published(name, &version)));
            }
            let mut batch = Batch::read(self, tx, &items, written.as_ref())?;
            let is_there = |state: &ComponentState| {
                matches!(state, ComponentState::There(_) | ComponentState::Unready(_))
            };
            if batch.states.iter().all(is_there) {
                self.heal(&items)?;
                let states = batch.states;
                return done(name, mem::take(&mut items), states).map(Outcome::Done);
            }
            batch.check()?;
            let claimed = Instant::now();
            let (blobs, brought) = batch.blobs();
            let pardons = match self.claim(&blobs, &brought, PATIENCE)? {
                Claim::Held(pardons) => pardons,
                Claim::Gone(digest) if packs == MOST_PACKS => {
                    return Err(swept_again(name, &digest));
                }
                Claim::Gone(_) => {
                    items = items_of(name, pack()?);
                    packs += 1;
                    return Ok(Outcome::Retry);
                }
            };
            tx.extend(brought);
            tx.extend(pardons);
            let Some(root_at) = batch.write(tx)? else { return Ok(Outcome::Retry) };
            match tx.commit_once()? {
                Committed::All => {
                    std::mem::take(&mut batch.added).committed();
                    if claimed.elapsed() > QUICK {
                        self.confirm(name, &blobs, &pack)?;
                    }
                    let states = batch.states;
                    done(name, mem::take(&mut items), states).map(Outcome::Done)
                }
                // Only names are left to be written: the version stands.
                Committed::Conflict { made, .. } if root_at.is_some_and(|at| made > at) => {
                    written = batch.states.last().and_then(ComponentState::version).cloned();
                    Ok(Outcome::Retry)
                }
                Committed::Conflict { .. } => Ok(Outcome::Retry),
            }
        })
    }

    /// Looks after a slow commit whether its blobs are still there, and writes them again if they are not. A
    /// collector whose grace period is shorter than the commit took could not have seen the version.
    fn confirm(
        &self,
        name: &Identifier,
        blobs: &[Digest],
        pack: &impl Fn() -> Result<EncodedComponent>,
    ) -> Result<()> {
        let mut packs = 0;
        loop {
            match self.claim(blobs, &[], PATIENCE)? {
                Claim::Held(pardons) if pardons.is_empty() => return Ok(()),
                Claim::Held(_) if packs == MOST_PACKS => {
                    return Err(Error::Conflict { what: name.to_string() });
                }
                Claim::Gone(digest) if packs == MOST_PACKS => {
                    return Err(swept_again(name, &digest));
                }
                Claim::Held(pardons) => {
                    let mut tx = self.transaction();
                    tx.extend(pardons);
                    // A record that was changed meanwhile is looked at again.
                    let _ = tx.commit_once()?;
                }
                Claim::Gone(_) => {
                    let again = items_of(name, pack()?).into_iter();
                    let mut tx = self.transaction();
                    tx.extend(again.flat_map(|item| item.packed.blobs));
                    tx.commit_unconditional()?;
                }
            }
            packs += 1;
        }
    }

    /// Writes those blobs of unchanged versions again that are gone from the store.
    fn heal(&self, items: &[PendingComponent]) -> Result<()> {
        let digests: Vec<_> = items.iter().flat_map(|item| item.packed.digests()).collect();
        let there = self.store.stat_blobs(&digests)?;
        if there.iter().any(Option::is_none) {
            let mut tx = self.transaction();
            tx.extend(items.iter().flat_map(|item| item.packed.blobs.clone()));
            tx.commit_unconditional()?;
        }
        Ok(())
    }
}

/// What is packed, the one that is applied itself last.
fn items_of(name: &Identifier, mut packed: EncodedComponent) -> Vec<PendingComponent> {
    let mut items = std::mem::take(&mut packed.nested);
    items.push(PendingComponent { name: name.clone(), packed, component: None, jobs: Vec::new() });
    items
}

/// What an earlier attempt of the same job published, and what of it is not ready.
fn was_published(name: &Identifier, version: &VersionRecord) -> (Applied, Vec<UnreadyComponent>) {
    let version = VersionInfo::new(name, version);
    let unprepared = UnreadyComponent { version: version.clone(), component: None, is_root: true };
    let is_ready = version.status.is_ready();
    (Applied::Unchanged(version), (!is_ready).then_some(unprepared).into_iter().collect())
}

/// What was applied, and what of it is not ready.
fn done(
    name: &Identifier,
    items: Vec<PendingComponent>,
    states: Vec<ComponentState>,
) -> Result<(Applied, Vec<UnreadyComponent>)> {
    let mut unprepared = Vec::new();
    let mut root = None;
    let last = items.len().saturating_sub(1);
    for (at, (item, state)) in items.into_iter().zip(states).enumerate() {
        let Some(version) = state.version() else {
            return Err(Error::internal(format!("{} was committed without a version", item.name)));
        };
        let info = VersionInfo::new(&item.name, version);
        if !version.status.is_ready() {
            let (version, component) = (info.clone(), item.component);
            unprepared.push(UnreadyComponent { version, component, is_root: at == last });
        }
        if at == last {
            root = Some(match state {
                ComponentState::There(_) => Applied::Unchanged(info),
                _ => Applied::Created(info),
            });
        }
    }
    let root = root.ok_or_else(|| Error::internal(format!("nothing of {name} was committed")))?;
    Ok((root, unprepared))
}

/// The error of a writer that a collector is always faster than.
fn swept_again(name: &Identifier, digest: &Digest) -> Error {
    Error::Refused {
        action: format!("commit a new version of {name}"),
        reason: format!(
            "garbage collection repeatedly removed its blob {} before the commit; use a grace period that is \
             longer than the write takes",
            digest.short()
        ),
    }
}
