//! Writing blobs and records to the target.

use std::borrow::Cow;
use std::time::Instant;

use super::attached;
use super::contents::{Content, Contents, content_of, missing_blobs};
use super::plan::{CopyPlanner, PlannedTag, PlannedVersion, TargetPolicy};
use super::select::Selected;
use bytes::Bytes;
use larder_core::extend::{BlobWrites, Claim, QUICK, User, refuse_locked_name};
use larder_core::progress::Meter;
use larder_core::record::{self, DigestRecord, VersionRecord};
use larder_core::store::{
    BlobWriter, Change, Committed, Corruption, Digest, Outcome, StoreExt, copy_verified,
    exclusive::Permit, verified,
};
use larder_core::versions::TagOptions;
use larder_core::{Error, Identifier, Reference, Result, Selector};

/// Maximum number of versions in a commit.
const MAX_VERSIONS: usize = 64;
/// Approximate maximum of bytes of small blobs in a commit.
const MAX_INLINE: u64 = 4 << 20;
/// Maximum number of attempts to write blobs that a collector deletes.
const MAX_ROUNDS: u32 = 16;

/// Writes versions and tags to the target.
pub(super) struct CopyWriter<'a> {
    planner: CopyPlanner<'a>,
    contents: Contents,
    /// Counts transferred bytes; `None` if no blobs are transferred.
    meter: Option<Meter>,
}

impl<'a> CopyWriter<'a> {
    pub(super) fn new(planner: CopyPlanner<'a>, contents: Contents, meter: Option<Meter>) -> Self {
        Self { planner, contents, meter }
    }

    /// Writes what is selected of a name; returns the plan that was made.
    pub(super) fn write(
        &self,
        selected: &Selected,
    ) -> Result<(Vec<PlannedVersion>, Vec<PlannedTag>)> {
        let target = self.planner.target;
        target.transact(&selected.name, |tx| {
            let planned = self.planner.plan_versions(selected, tx.attempt() > 0)?;
            if !self.write_versions(selected, &planned)? {
                return Ok(Outcome::Retry);
            }
            attached::copy(&self.planner, selected, &planned)?;
            let tags = self.write_tags(selected, &planned)?;
            Ok(Outcome::Done((planned, tags)))
        })
    }

    /// Writes the versions that are not listed yet; `false` after a conflict.
    fn write_versions(&self, selected: &Selected, planned: &[PlannedVersion]) -> Result<bool> {
        let all: Vec<_> = selected
            .versions
            .values()
            .zip(planned)
            .filter(|(_, place)| !place.listed)
            .map(|(version, place)| {
                let mut version = version.clone();
                version.version = place.number;
                (version, place.missing)
            })
            .collect();
        let mut rest = &all[..];
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(self.first_batch(rest));
            if !self.commit(selected, batch, after.is_empty())? {
                return Ok(false);
            }
            rest = after;
        }
        Ok(true)
    }

    /// Returns the number of versions for the next commit.
    fn first_batch(&self, versions: &[(VersionRecord, bool)]) -> usize {
        let most = self.planner.target.store.capabilities().inline_blob as u64;
        let mut inline = 0;
        let fits = |(version, _): &&(VersionRecord, bool)| {
            let content = self.contents.get(&version.manifest);
            let blobs = content.into_iter().flat_map(|content| &content.blobs);
            inline += blobs.map(|(_, size)| *size).filter(|size| *size <= most).sum::<u64>();
            inline <= MAX_INLINE
        };
        versions.iter().take(MAX_VERSIONS).take_while(fits).count().max(1)
    }

    fn commit(
        &self,
        selected: &Selected,
        batch: &[(VersionRecord, bool)],
        last: bool,
    ) -> Result<bool> {
        let Selected { name, .. } = selected;
        let contents = self.contents_of(batch)?;
        let mut blobs: Vec<_> =
            contents.iter().flat_map(|(_, content)| content.blobs.iter().copied()).collect();
        blobs.sort_unstable();
        blobs.dedup();
        let claimed = Instant::now();
        let Some(changes) = self.claim(&blobs)? else { return Ok(false) };
        let mut tx = self.planner.target.transaction();
        tx.extend(changes);
        let head_key = record::name_key(name)?;
        let head = tx.read(&head_key)?.unwrap_or_default();
        refuse_locked_name(name, &head, || format!("copy {name}"))?;
        let users: Vec<_> = contents
            .iter()
            .map(|(version, content)| {
                let (number, manifest) = (version.version, version.manifest);
                User { name, number, manifest, children: &content.children }
            })
            .collect();
        match self.planner.target.link(&users, true) {
            Ok(links) => tx.extend(links),
            // A child is being removed.
            Err(Error::Conflict { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        for (version, missing) in batch {
            if *missing {
                let key = record::version_key(name, version.version)?;
                tx.put_new(key, version)?;
            }
            let key = record::digest_key(name, &version.manifest, version.version)?;
            tx.put_any(key, &DigestRecord::new(version.version))?;
        }
        let versions: Vec<_> = batch.iter().map(|(version, _)| version.clone()).collect();
        tx.put(head_key, &selected.update(head, &versions, last))?;
        let made = tx.commit_once()? == Committed::All;
        if made && claimed.elapsed() > QUICK {
            self.confirm(name, &blobs)?;
        }
        Ok(made)
    }

    /// Writes the blobs that the target lacks, and claims them all: the commit must begin with the returned changes. `None`
    /// if a collector deleted one.
    fn claim(&self, blobs: &[(Digest, u64)]) -> Result<Option<Vec<Change>>> {
        let mut changes = self.transfer_blobs(blobs)?;
        if self.meter.is_none() {
            return Ok(Some(changes)); // an outline has no blobs
        }
        let digests: Vec<_> = blobs.iter().map(|(digest, _)| *digest).collect();
        Ok(match self.planner.target.claim(&digests, &changes)? {
            Claim::Held(pardons) => {
                changes.extend(pardons);
                Some(changes)
            }
            Claim::Gone(_) => None,
        })
    }

    /// Checks after a slow commit that its blobs still exist, as [`Larder::apply`](larder_core::Larder::apply) does.
    fn confirm(&self, name: &Identifier, blobs: &[(Digest, u64)]) -> Result<()> {
        for _ in 0..MAX_ROUNDS {
            match self.claim(blobs)? {
                Some(changes) if changes.iter().all(Permit::is_dependency) => return Ok(()),
                Some(changes) => {
                    let mut tx = self.planner.target.transaction();
                    tx.extend(changes);
                    // After a conflict the next round reads the records again.
                    let _ = tx.commit_once()?;
                }
                None => {}
            }
        }
        Err(Error::Conflict { what: name.to_string() })
    }

    /// Returns the contents of the versions that the target lacks.
    fn contents_of<'b>(
        &'b self,
        batch: &'b [(VersionRecord, bool)],
    ) -> Result<Vec<(&'b VersionRecord, Cow<'b, Content>)>> {
        let content = |(version, _): &'b (VersionRecord, bool)| {
            let content = match self.contents.get(&version.manifest) {
                Some(content) => Cow::Borrowed(content),
                // It was removed from the target since the copy began.
                None => {
                    let what = format!("the version with the manifest {}", version.manifest);
                    Cow::Owned(content_of(self.planner.source, version, &what)?)
                }
            };
            Ok((version, content))
        };
        batch.iter().filter(|(_, missing)| *missing).map(content).collect()
    }

    /// Transfers the blobs that the target lacks: large ones now, small ones as changes of the commit.
    fn transfer_blobs(&self, blobs: &[(Digest, u64)]) -> Result<Vec<Change>> {
        let Some(meter) = &self.meter else { return Ok(Vec::new()) };
        let target = self.planner.target;
        let most = target.store.capabilities().inline_blob as u64;
        // Blobs may be collected as garbage while others are transferred.
        for _ in 0..MAX_ROUNDS {
            let missing = missing_blobs(target, blobs)?;
            let (small, large): (Vec<_>, Vec<_>) =
                missing.into_iter().partition(|(_, size)| *size <= most);
            if large.is_empty() {
                return self.transfer_small(&small, meter);
            }
            let mut writes = BlobWrites::default();
            for (digest, size) in large {
                writes.keep(self.write_blob(digest, size, meter)?, digest)?;
            }
            writes.finish()?;
        }
        Err(Error::Conflict { what: target.store.url() })
    }

    /// Returns the changes that write small blobs. Of very many, all but the last are written now, to bound the memory.
    fn transfer_small(&self, blobs: &[(Digest, u64)], meter: &Meter) -> Result<Vec<Change>> {
        let (mut changes, mut waiting) = (Vec::new(), 0);
        for &(digest, size) in blobs {
            if waiting + size > 2 * MAX_INLINE {
                let mut tx = self.planner.target.transaction();
                tx.extend(changes.drain(..));
                tx.commit_unconditional()?;
                waiting = 0;
            }
            changes.push(Change::PutBlob { digest, bytes: self.small_blob(digest, size)? });
            waiting += size;
            meter.add(size);
        }
        Ok(changes)
    }

    /// Writes a large blob to the target, checked, up to the last step.
    fn write_blob(&self, digest: Digest, size: u64, meter: &Meter) -> Result<Box<dyn BlobWriter>> {
        let (source, target) = (&self.planner.source.store, &self.planner.target.store);
        let mut writer = target.write_blob()?;
        let what = || format!("the blob {digest}");
        let failed = |error| Error::store(format!("write a blob to {}", target.url()), error);
        let blob = source.read_blob(&digest)?;
        let blob = blob.ok_or_else(|| Error::corrupt(what(), Corruption::Missing))?;
        if target.capabilities().is_remote && blob.path().is_some() {
            // A local file is sent from its memory map, without a temporary copy.
            let progress = |done| meter.add(done);
            let bytes = verified(&digest, Some(size), Some(blob.bytes()?), progress);
            let bytes = bytes.map_err(|corruption| Error::corrupt(what(), corruption))?;
            writer.write_bytes(bytes).map_err(failed)?;
        } else {
            copy_verified(&blob, &digest, size, what, |piece| {
                meter.add(piece.len() as u64);
                writer.write_all(piece).map_err(failed)
            })?;
        }
        Ok(writer)
    }

    fn small_blob(&self, digest: Digest, size: u64) -> Result<Bytes> {
        let source = &self.planner.source.store;
        source.get_checked(&digest, Some(size), || format!("the blob {digest}"))
    }

    fn write_tags(
        &self,
        selected: &Selected,
        planned: &[PlannedVersion],
    ) -> Result<Vec<PlannedTag>> {
        let target = self.planner.target;
        target.transact(format_args!("tags of {}", selected.name), |tx| {
            let tags = self.planner.plan_tags(selected, planned)?;
            // One may have been set since the copy began.
            self.planner.refuse_moves(&tags)?;
            match tags.iter().try_for_each(|tag| self.write_tag(tag)) {
                Ok(()) => Ok(Outcome::Done(tags)),
                // Another writer moved it.
                Err(Error::Blocked { .. } | Error::Conflict { .. } | Error::NotFound { .. })
                    if !tx.is_last_attempt() =>
                {
                    Ok(Outcome::Retry)
                }
                Err(error) => Err(error),
            }
        })
    }

    /// Sets a tag in the target unless it is there. A new one keeps its time and author.
    fn write_tag(&self, PlannedTag { report, source }: &PlannedTag) -> Result<()> {
        let at = |number| Reference::new(report.name.clone(), Selector::Version(number));
        let (options, stamp) = (TagOptions::new(), (source.moved, source.by.clone()));
        let options = match report.moved_from {
            _ if report.present => return Ok(()),
            _ if self.planner.policy == TargetPolicy::Mirror => {
                options.force(true).stamped(stamp.0, stamp.1)
            }
            Some(from) => options.from(at(from)),
            None => options.only_new(true).stamped(stamp.0, stamp.1),
        };
        let options = match source.protected {
            true => options.protected(true),
            false if self.planner.policy == TargetPolicy::Mirror => options.protected(false),
            false => options,
        };
        self.planner.target.larder.tags().set(at(report.version), &report.tag, &options).map(drop)
    }
}
