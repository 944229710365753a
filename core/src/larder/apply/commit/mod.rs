//! Committing encoded components: one transaction for a component and its children.

mod batch;

use std::mem;
use std::time::Instant;

use self::batch::{Batch, ComponentState};
use super::Applied;
use super::blobs::{Claim, MOST_ENCODINGS, PATIENCE, QUICK, swept_again};
use super::encode::EncodedComponent;
use super::session::PendingComponent;
use crate::component::Component;
use crate::error::{Error, Result};
use crate::larder::{Larder, VersionInfo};
use crate::name::Identifier;
use crate::record::VersionRecord;
use crate::store::Committed;
use crate::store::Outcome;
use crate::versions::RemoveOptions;
use larder_records::{Reference, Selector};

/// A version that is written, but not ready.
pub(in crate::larder::apply) struct UnreadyComponent {
    pub(super) version: VersionInfo,
    /// The component, if it is a child with hooks.
    pub(super) component: Option<Box<dyn Component>>,
    /// True for the applied component, false for a child.
    pub(super) is_root: bool,
}

impl Larder {
    /// Writes the encoded component and its children as new versions; encodes again if a collector took blobs.
    ///
    /// Also returns the versions that are not ready, children before parents.
    pub(in crate::larder::apply) fn commit_version(
        &self,
        name: &Identifier,
        encode: impl Fn() -> Result<EncodedComponent>,
    ) -> Result<(Applied, Vec<UnreadyComponent>)> {
        let (mut applied, unready) = self.commit_versions(name, encode)?;
        let applied = applied.pop();
        let applied =
            applied.ok_or_else(|| Error::internal(format!("nothing of {name} was committed")))?;
        Ok((applied, unready))
    }

    /// Writes the encoded component, the versions of its name that precede it, and their children, as
    /// [`commit_version`](Self::commit_version) does. Writes and returns nothing if several versions cannot be committed together.
    pub(in crate::larder::apply) fn commit_versions(
        &self,
        name: &Identifier,
        encode: impl Fn() -> Result<EncodedComponent>,
    ) -> Result<(Vec<Applied>, Vec<UnreadyComponent>)> {
        let mut items = items_of(name, encode()?);
        let mut encodings = 1;
        // The version that a partial commit has written.
        let mut written: Option<VersionRecord> = None;
        let committed = self.transact(name, |tx| {
            if written.is_none()
                && let Some(version) = self.existing_version(name)?
            {
                return Ok(Outcome::Done(was_published(name, &version)));
            }
            let mut batch = Batch::read(self, tx, &items, written.as_ref())?;
            let is_alone = batch.roots().count() == 1;
            let is_new = |at: usize| matches!(batch.states[at], ComponentState::New);
            let has_hooks = items.iter().any(|item| item.encoded.hooks);
            if !is_alone && (has_hooks || !batch.roots().all(is_new)) {
                return Ok(Outcome::Done(Default::default()));
            }
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
                Claim::Gone(digest) if encodings == MOST_ENCODINGS => {
                    return Err(swept_again(name, &digest));
                }
                Claim::Gone(_) => {
                    items = items_of(name, encode()?);
                    encodings += 1;
                    return Ok(Outcome::Retry);
                }
            };
            tx.extend(brought);
            tx.extend(pardons);
            let Some(root_at) = batch.write(tx)? else { return Ok(Outcome::Retry) };
            if !is_alone && batch.is_added_to {
                // What one version adds may depend on what another one does.
                return Ok(Outcome::Done(Default::default()));
            }
            match tx.commit_once()? {
                Committed::All => {
                    mem::take(&mut batch.added).committed();
                    if claimed.elapsed() > QUICK {
                        self.confirm(name, &blobs, &encode)?;
                    }
                    let states = batch.states;
                    done(name, mem::take(&mut items), states).map(Outcome::Done)
                }
                // The version is written; only name records are missing.
                Committed::Conflict { made, .. } if root_at.is_some_and(|at| made > at) => {
                    written = batch.states.last().and_then(ComponentState::version).cloned();
                    Ok(Outcome::Retry)
                }
                Committed::Conflict { .. } => Ok(Outcome::Retry),
            }
        });
        if let (Err(Error::Conflict { .. }), Some(version), Some(_)) =
            (&committed, &written, self.options().onto)
        {
            // It was written onto a version that is no longer the newest. The conflict matters more.
            let own = Reference::new(name.clone(), Selector::Version(version.version));
            let options = RemoveOptions::new().force(true).hooks(false).triggers(false);
            let _ = self.remove_with(own, &options);
        }
        committed
    }
}

/// Returns the children, the versions that precede the component, and then the component itself.
fn items_of(name: &Identifier, mut encoded: EncodedComponent) -> Vec<PendingComponent> {
    let mut items = mem::take(&mut encoded.children_encoded);
    items.push(PendingComponent { name: name.clone(), encoded, component: None, jobs: Vec::new() });
    items
}

/// Returns the version that an earlier attempt of the same job published.
fn was_published(
    name: &Identifier,
    version: &VersionRecord,
) -> (Vec<Applied>, Vec<UnreadyComponent>) {
    let version = VersionInfo::new(name, version);
    let unready = UnreadyComponent { version: version.clone(), component: None, is_root: true };
    let is_ready = version.status.is_ready();
    (vec![Applied::Unchanged(version)], (!is_ready).then_some(unready).into_iter().collect())
}

/// Returns the results of the apply, and the versions that are not ready.
fn done(
    name: &Identifier,
    items: Vec<PendingComponent>,
    states: Vec<ComponentState>,
) -> Result<(Vec<Applied>, Vec<UnreadyComponent>)> {
    let mut unready = Vec::new();
    let mut applied = Vec::new();
    let last = items.len().saturating_sub(1);
    for (at, (item, state)) in items.into_iter().zip(states).enumerate() {
        let Some(version) = state.version() else {
            return Err(Error::internal(format!("{} was committed without a version", item.name)));
        };
        let info = VersionInfo::new(&item.name, version);
        if !version.status.is_ready() {
            let (version, component) = (info.clone(), item.component);
            unready.push(UnreadyComponent { version, component, is_root: at == last });
        }
        if item.name == *name {
            applied.push(match state {
                ComponentState::There(_) => Applied::Unchanged(info),
                _ => Applied::Created(info),
            });
        }
    }
    Ok((applied, unready))
}
