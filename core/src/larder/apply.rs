//! `apply`: from a component to a version.

use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::value::RawValue;

use super::gc::{Claim, PATIENCE};
use super::locks::refuse_locked_name;
use super::{Larder, MOST_TRIES, Packer, Shelf, VersionInfo};
use crate::component::Component;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::guard::{Guard, Refusal, Rules};
use crate::jobs::{Event, NewJobs};
use crate::manifest::{ArtifactEntry, Manifest};
use crate::name::{Identifier, TypeTag, VersionNumber};
use crate::record::{self, DigestRecord, NameRecord, Status, VersionRecord};
use crate::scope;
use crate::store::{Change, Committed, Expected, StoreExt};

/// How often a component is packed, if a collector takes its blobs before it is committed.
const MOST_PACKS: u32 = 5;
/// A commit that took longer than this, from looking at the collectors' records on, is looked after: well
/// below the least grace period.
pub(super) const QUICK: Duration = Duration::from_millis(300);

/// What [`Larder::apply`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It wrote a new version.
    Created(VersionInfo),
    /// The newest version is the same to the last byte; nothing was written.
    Unchanged(VersionInfo),
}

impl Applied {
    /// The version, new or old.
    pub fn version(&self) -> &VersionInfo {
        match self {
            Self::Created(version) | Self::Unchanged(version) => version,
        }
    }

    /// Whether a new version was written.
    pub fn is_created(&self) -> bool {
        matches!(self, Self::Created(_))
    }
}

/// A component as bytes, all but written.
pub(super) struct Packed {
    type_tag: TypeTag,
    pub(super) artifacts: Vec<ArtifactEntry>,
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) manifest: Bytes,
    /// The manifest and the small artifacts.
    blobs: Vec<Change>,
    /// The manifest of the newest version, if it must be this one for the new one to be written.
    onto: Option<Digest>,
    /// Whether its type has hooks: its version is ready only when `on_create` was run.
    pub(super) hooks: bool,
}

impl Packed {
    /// The same, of a type with hooks.
    pub(super) fn hooked(mut self) -> Self {
        self.hooks = true;
        self
    }

    /// The same, to be written only as the next version after the one with this manifest.
    pub(super) fn onto(mut self, newest: Digest) -> Self {
        self.onto = Some(newest);
        self
    }

    /// The blobs that a version of it needs.
    fn digests(&self) -> Vec<Digest> {
        let artifacts = self.artifacts.iter().map(|entry| entry.digest);
        artifacts.chain([self.digest]).collect()
    }
}

impl Larder {
    /// Keeps `component` as a new version of `name`.
    ///
    /// If the newest version is the same, nothing is written. An `Ok` survives a loss of power. When many
    /// apply to one name at once, each gets a version of its own.
    ///
    /// If its type has [`Hooks`](crate::Hooks), `post_init` runs on a copy, which is what is kept, and `on_create` after
    /// the commit. A version whose `on_create` failed or was cut short stays, and `latest` does not name it; if the same is
    /// applied again, `on_create` is run again for it.
    ///
    /// # Errors
    /// [`Error::Hook`] for a hook;
    /// [`Error::InvalidName`] for the name; [`Error::NotExact`] for a field that JSON cannot hold;
    /// [`Error::Encode`] for an artifact that its serializer refuses; [`Error::Refused`] if the name is
    /// locked; [`Error::Conflict`] if other writers were faster again and again; [`Error::Store`].
    pub fn apply(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        component: &dyn Component,
    ) -> Result<Applied> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        if component.as_hooks().is_some() {
            return self.apply_hooked(&name, component);
        }
        let (tag, version) = (component.type_tag(), component.type_version());
        self.commit_version(&name, || self.pack(&name, tag, version, component))
    }

    /// Encodes the fields of a component of the type `type_tag`.
    pub(super) fn pack(
        &self,
        name: &Identifier,
        type_tag: &str,
        type_version: u32,
        fields: &(impl erased_serde::Serialize + ?Sized),
    ) -> Result<Packed> {
        let what = format!("{name} (a `{type_tag}`)");
        let shelf = Shelf::new(self, what.clone());
        let task = if self.rehearsal { "digesting" } else { "storing" };
        let packer = Rc::new(Packer::new(shelf, self.watcher.begin(task, None)));
        let guard = Guard::new(Rules::JSON);
        let mut json = Vec::new();
        let encoded = scope::packing(&packer, || {
            let mut serializer = serde_json::Serializer::new(&mut json);
            erased_serde::serialize(fields, guard.serializer(&mut serializer))
        });
        if let Err(error) = encoded {
            let refusal = guard.error(error);
            return Err(match packer.take_failure() {
                Some(Error::Encode { source, .. }) => Error::Encode {
                    what: format!("the artifact `{}` of {what}", refusal.path()),
                    source,
                },
                Some(failure) => failure,
                None => refused(what, refusal),
            });
        }
        let unfit = |source| Error::Encode { what: what.clone(), source };
        let fields = String::from_utf8(json).map_err(|error| unfit(error.into()))?;
        let fields = RawValue::from_string(fields).map_err(|error| unfit(error.into()))?;
        let (artifacts, mut blobs) = packer.finish()?;
        let type_tag = TypeTag::new(type_tag)?;
        let manifest = Manifest::new((type_tag.clone(), type_version), fields, artifacts.clone());
        let manifest = manifest.to_json()?;
        let digest = Digest::of(&manifest);
        let size = manifest.len() as u64 + artifacts.iter().map(|entry| entry.size).sum::<u64>();
        blobs.push(Change::PutBlob { digest, bytes: manifest.clone() });
        let (onto, hooks) = (None, false);
        Ok(Packed { type_tag, artifacts, digest, size, manifest, blobs, onto, hooks })
    }

    /// Writes what `pack` packs as a new version. It is packed again if a collector took blobs meanwhile.
    pub(super) fn commit_version(
        &self,
        name: &Identifier,
        pack: impl Fn() -> Result<Packed>,
    ) -> Result<Applied> {
        let mut packed = pack()?;
        let mut packs = 1;
        let head_key = record::name_key(name)?;
        let origin = self.registry.origin_of_type(packed.type_tag.as_str()).map(str::to_owned);
        let toolchain = self.registry.toolchain_of(packed.type_tag.as_str());
        // The version that is written already, if the store made a part of a commit.
        let mut written: Option<VersionRecord> = None;
        // The place of the version's record in the commit.
        let mut version_at = 0;
        let mut jobs = NewJobs::default();
        for tries in 0..MOST_TRIES {
            back_off(tries);
            let (head, expected) = match self.store.get_record(&head_key)? {
                Some(found) => {
                    let expected = Expected::Revision(found.revision.clone());
                    (record::read::<NameRecord>(&head_key, &found)?, expected)
                }
                None => (NameRecord::new(), Expected::Absent),
            };
            if written.is_none()
                && let Some(latest) = &head.latest
                && latest.manifest == packed.digest
            {
                self.heal(&packed)?;
                return Ok(Applied::Unchanged(VersionInfo::new(name, latest)));
            }
            if written.is_none()
                && packed.onto.is_some()
                && packed.onto != head.latest.as_ref().map(|latest| latest.manifest)
            {
                return Err(Error::Conflict { what: name.to_string() });
            }
            refuse_locked_name(name, &head, || format!("a new version of {name}"))?;
            if packed.hooks
                && written.is_none()
                && let Some(version) = self.unready(name, &head, &packed.digest)?
            {
                self.heal(&packed)?;
                return Ok(Applied::Created(VersionInfo::new(name, &version)));
            }
            if written.is_none()
                && let Some(version) = self.published(name)?
            {
                return Ok(Applied::Unchanged(VersionInfo::new(name, &version)));
            }
            let mut changes = Vec::new();
            let claimed = Instant::now();
            let version = match &written {
                Some(version) => version.clone(),
                None => {
                    let pardons = match self.claim(&packed.digests(), &packed.blobs, PATIENCE)? {
                        Claim::Held(pardons) => pardons,
                        Claim::Gone(digest) if packs == MOST_PACKS => {
                            return Err(swept_again(name, &digest));
                        }
                        Claim::Gone(_) => {
                            packed = pack()?;
                            packs += 1;
                            continue;
                        }
                    };
                    let number = self.free_number(name, head.next, tries)?;
                    let mut version = VersionRecord::new(
                        number,
                        packed.digest,
                        packed.type_tag.clone(),
                        packed.size,
                        self.now(),
                        origin.clone(),
                    );
                    version.toolchain.clone_from(&toolchain);
                    if packed.hooks {
                        (version.hooks, version.status) = (true, Status::Preparing);
                    }
                    changes.extend(packed.blobs.iter().cloned().chain(pardons));
                    changes.extend(self.publication(&mut version)?);
                    version_at = changes.len();
                    let key = record::version_key(name, number)?;
                    changes.push(record::put(key, &version, Expected::Absent)?);
                    if version.is_current() {
                        let key = record::digest_key(name, &packed.digest, number)?;
                        let digest = DigestRecord::new(number);
                        changes.push(record::put(key, &digest, Expected::Anything)?);
                        jobs = self.jobs_on(&Event::Apply, name, &version)?;
                        changes.extend(jobs.changes.iter().cloned());
                    }
                    version
                }
            };
            let is_newest = version.is_current()
                && head.latest.as_ref().is_none_or(|latest| latest.version < version.version);
            let latest = if is_newest { Some(version.clone()) } else { head.latest.clone() };
            let next = head.next.max(version.version.next());
            let head = head.with(next, latest);
            changes.push(record::put(head_key.clone(), &head, expected)?);
            match self.store.commit(&changes)? {
                Committed::All => {
                    self.submit(&jobs);
                    if claimed.elapsed() > QUICK {
                        self.confirm(name, &packed, pack)?;
                    }
                    return Ok(Applied::Created(VersionInfo::new(name, &version)));
                }
                // Only the name is left to be written: the version stands.
                Committed::Conflict { made, .. } if written.is_none() && made > version_at => {
                    written = Some(version);
                }
                Committed::Conflict { .. } => {}
            }
        }
        Err(Error::Conflict { what: name.to_string() })
    }

    /// Looks after a slow commit whether its blobs are still there, and writes them again if they are not. A
    /// collector whose grace period is shorter than the commit took could not have seen the version.
    fn confirm(
        &self,
        name: &Identifier,
        packed: &Packed,
        pack: impl Fn() -> Result<Packed>,
    ) -> Result<()> {
        let mut gone = packed.digest;
        for _ in 0..MOST_PACKS {
            // Blobs have no precondition, and a record that somebody else changed is looked at again.
            match self.claim(&packed.digests(), &[], PATIENCE)? {
                Claim::Held(pardons) if pardons.is_empty() => return Ok(()),
                Claim::Held(pardons) => {
                    let _ = self.store.commit(&pardons)?;
                }
                Claim::Gone(digest) => {
                    gone = digest;
                    let _ = self.store.commit(&pack()?.blobs)?;
                }
            }
        }
        Err(swept_again(name, &gone))
    }

    /// The first number from `next` that no version has. On a store whose commits can stop half-way, a
    /// writer that died there has taken a number that the name does not know of.
    fn free_number(
        &self,
        name: &Identifier,
        next: VersionNumber,
        tries: u32,
    ) -> Result<VersionNumber> {
        let mut number = next;
        if tries > 0 && !self.store.capabilities().atomic_commit {
            while self.store.get_record(&record::version_key(name, number)?)?.is_some() {
                number = number.next();
            }
        }
        Ok(number)
    }

    /// Writes those blobs of an unchanged version again that are gone from the store.
    fn heal(&self, packed: &Packed) -> Result<()> {
        let there = self.store.stat_blobs(&packed.digests())?;
        if there.iter().any(Option::is_none) {
            // Blobs have no precondition, so there is no conflict.
            let _ = self.store.commit(&packed.blobs)?;
        }
        Ok(())
    }
}

/// The error of a writer that a collector is always faster than.
fn swept_again(name: &Identifier, digest: &Digest) -> Error {
    Error::Refused {
        what: format!("the new version of {name}"),
        reason: format!(
            "garbage collections removed its blob {} again and again before it was committed: \
             give them a grace period that is longer than the writing takes",
            digest.short()
        ),
    }
}

/// The error of a guard that refused a manifest's fields, or of the type's own `Serialize`.
pub(super) fn refused(what: String, error: crate::guard::GuardError) -> Error {
    match error.refusal() {
        Some(Refusal::Number(_) | Refusal::Key | Refusal::NestedOption | Refusal::Depth(_)) => {
            let (path, reason) = error.into_parts();
            Error::NotExact {
                what,
                path,
                reason: reason.to_string(),
                advice: "Hold it in an `Artifact`, whose serializer can",
            }
        }
        _ => Error::Encode { what, source: error.into() },
    }
}

/// Waits before another try, longer each time, and not as long as other threads do.
pub(super) fn back_off(tries: u32) {
    if tries > 0 {
        let address = &raw const tries as usize as u64;
        let spread = (address >> 4) % 5 + 1;
        thread::sleep(Duration::from_micros(u64::from(tries.min(50)) * 100 * spread));
    }
}
