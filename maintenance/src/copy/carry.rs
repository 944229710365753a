//! Bringing blobs and records to where they go.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use super::annotations;
use super::plan::{How, PAGE, Placed, PlacedTag, Placing};
use super::select::Selected;
use crate::Maintenance;
use bytes::Bytes;
use larder_core::extend::{BlobWrites, Claim, QUICK, User, refuse_locked_name};
use larder_core::manifest::{ChildEntry, Manifest};
use larder_core::progress::Meter;
use larder_core::record::{self, DigestRecord, NameRecord, VersionRecord};
use larder_core::store::{
    BlobWriter, Change, Committed, Corruption, Digest, Outcome, StoreExt, VersionNumber,
    copy_verified, verified,
};
use larder_core::versions::TagOptions;
use larder_core::{Error, Identifier, Reference, Result, Selector};

/// How many versions one commit writes at most.
const MOST_VERSIONS: usize = 64;
/// How many bytes of small blobs one commit holds, about.
const MOST_INLINE: u64 = 4 << 20;
/// How often blobs that a collector took away again are brought.
const MOST_ROUNDS: u32 = 16;

/// What must be moved.
pub(super) struct Cargo {
    /// The blobs of each version that the target lacks, by its manifest.
    pub(super) contents: Contents,
    /// The blobs that the target lacks, each once.
    pub(super) lacking: BTreeMap<Digest, u64>,
}

/// What is in versions, by manifest.
type Contents = HashMap<Digest, Content>;

/// What is in a version.
#[derive(Clone)]
pub(super) struct Content {
    /// Its blobs, and its manifest last.
    blobs: Vec<(Digest, u64)>,
    children: Vec<ChildEntry>,
}

/// Reads the manifests of what the target lacks, and makes sure that the source has all it needs.
pub(super) fn cargo(
    source: &Maintenance,
    target: &Maintenance,
    selected: &[Selected],
    plans: &[Vec<Placed>],
) -> Result<Cargo> {
    let mut contents = Contents::new();
    let mut sizes = BTreeMap::new();
    for (selected, places) in selected.iter().zip(plans) {
        let lacking = selected.versions.values().zip(places).filter(|(_, place)| place.lacking);
        for (version, _) in lacking {
            let what = told(&selected.name, version.version);
            let content = content_of(source, version, &what)?;
            for (digest, size) in &content.blobs {
                if *sizes.entry(*digest).or_insert(*size) != *size {
                    return Err(disagrees(what, "it gives one of its blobs another size"));
                }
            }
            contents.insert(version.manifest, content);
        }
    }
    let all: Vec<_> = sizes.into_iter().collect();
    let lacking: BTreeMap<_, _> = lacking(target, &all)?.into_iter().collect();
    let wanted: Vec<_> = lacking.iter().map(|(digest, size)| (*digest, *size)).collect();
    for wanted in wanted.chunks(PAGE) {
        let digests: Vec<_> = wanted.iter().map(|(digest, _)| *digest).collect();
        for ((digest, size), found) in wanted.iter().zip(source.store.stat_blobs(&digests)?) {
            let fault = match found {
                None => Corruption::Missing,
                Some(found) if found != *size => Corruption::Size { expected: *size, found },
                Some(_) => continue,
            };
            return Err(Error::corrupt(format!("the blob {digest}"), fault));
        }
    }
    Ok(Cargo { contents, lacking })
}

/// What is in a version. What its record says must be what its manifest says.
fn content_of(source: &Maintenance, version: &VersionRecord, what: &str) -> Result<Content> {
    let told = || format!("the manifest of {what}");
    let json = source.store.get_checked(&version.manifest, None, told)?;
    let manifest = Manifest::from_json(&json, what)?;
    let artifacts = manifest.artifacts().iter().map(|entry| (entry.digest, entry.size));
    let blobs: Vec<_> = artifacts.chain([(version.manifest, json.len() as u64)]).collect();
    let size = blobs.iter().try_fold(0_u64, |sum, (_, size)| sum.checked_add(*size));
    if size != Some(version.size) || *manifest.type_tag() != version.type_tag {
        return Err(disagrees(what.to_owned(), "its record and its manifest disagree"));
    }
    Ok(Content { blobs, children: manifest.children().to_vec() })
}

fn disagrees(what: String, reason: &str) -> Error {
    Error::corrupt(what, Corruption::Unreadable(reason.into()))
}

fn told(name: &Identifier, number: VersionNumber) -> String {
    Reference::new(name.clone(), Selector::Version(number)).to_string()
}

/// Those of `blobs` that the target lacks.
fn lacking(target: &Maintenance, blobs: &[(Digest, u64)]) -> Result<Vec<(Digest, u64)>> {
    let mut lacking = Vec::new();
    for blobs in blobs.chunks(PAGE) {
        let digests: Vec<_> = blobs.iter().map(|(digest, _)| *digest).collect();
        let found = target.store.stat_blobs(&digests)?;
        lacking.extend(blobs.iter().zip(found).filter(|(_, it)| it.is_none()).map(|(it, _)| *it));
    }
    Ok(lacking)
}

/// Carries versions and tags to their places.
pub(super) struct Carrier<'a> {
    placing: Placing<'a>,
    contents: Contents,
    /// Counts what is moved; none if the bytes of blobs are to stay.
    meter: Option<Meter>,
}

impl<'a> Carrier<'a> {
    pub(super) fn new(placing: Placing<'a>, contents: Contents, meter: Option<Meter>) -> Self {
        Self { placing, contents, meter }
    }

    /// Carries all that is selected of a name; gives the places that it found in the end.
    pub(super) fn carry(&self, selected: &Selected) -> Result<(Vec<Placed>, Vec<PlacedTag>)> {
        let target = self.placing.target;
        target.transact(&selected.name, |tx| {
            let places = self.placing.place(selected, tx.attempt() > 0)?;
            if !self.carry_versions(selected, &places)? {
                return Ok(Outcome::Retry);
            }
            annotations::carry(&self.placing, selected, &places)?;
            let tags = self.carry_tags(selected, &places)?;
            Ok(Outcome::Done((places, tags)))
        })
    }

    /// Writes those versions that nothing leads to yet; `false` if another writer was faster.
    fn carry_versions(&self, selected: &Selected, places: &[Placed]) -> Result<bool> {
        let all: Vec<_> = selected
            .versions
            .values()
            .zip(places)
            .filter(|(_, place)| !place.known)
            .map(|(version, place)| {
                let mut version = version.clone();
                version.version = place.number;
                (version, place.lacking)
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

    /// How many of the versions make one commit.
    fn first_batch(&self, versions: &[(VersionRecord, bool)]) -> usize {
        let most = self.placing.target.store.capabilities().inline_blob as u64;
        let mut inline = 0;
        let fits = |(version, _): &&(VersionRecord, bool)| {
            let content = self.contents.get(&version.manifest);
            let blobs = content.into_iter().flat_map(|content| &content.blobs);
            inline += blobs.map(|(_, size)| *size).filter(|size| *size <= most).sum::<u64>();
            inline <= MOST_INLINE
        };
        versions.iter().take(MOST_VERSIONS).take_while(fits).count().max(1)
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
        let mut tx = self.placing.target.transaction();
        tx.extend(changes);
        let head_key = record::name_key(name)?;
        let head = tx.read(&head_key)?.unwrap_or_else(NameRecord::new);
        refuse_locked_name(name, &head, || format!("copy {name}"))?;
        let users: Vec<_> = contents
            .iter()
            .map(|(version, content)| {
                let (number, manifest) = (version.version, version.manifest);
                User { name, number, manifest, children: &content.children }
            })
            .collect();
        match self.placing.target.link(&users, true) {
            Ok(links) => tx.extend(links),
            // One of them is being removed just now.
            Err(Error::Conflict { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        for (version, lacking) in batch {
            if *lacking {
                let key = record::version_key(name, version.version)?;
                tx.put_new(key, version)?;
            }
            let key = record::digest_key(name, &version.manifest, version.version)?;
            tx.put_any(key, &DigestRecord::new(version.version))?;
        }
        let versions: Vec<_> = batch.iter().map(|(version, _)| version.clone()).collect();
        tx.put(head_key, &selected.onto(head, &versions, last))?;
        let made = tx.commit_once()? == Committed::All;
        if made && claimed.elapsed() > QUICK {
            self.confirm(name, &blobs)?;
        }
        Ok(made)
    }

    /// Brings the blobs that the target lacks, and makes sure that no collector takes any of them before the
    /// commit that begins with the changes that it gives. `None` if one was faster.
    fn claim(&self, blobs: &[(Digest, u64)]) -> Result<Option<Vec<Change>>> {
        let mut changes = self.bring(blobs)?;
        if self.meter.is_none() {
            return Ok(Some(changes)); // an outline has no blobs
        }
        let digests: Vec<_> = blobs.iter().map(|(digest, _)| *digest).collect();
        Ok(match self.placing.target.claim(&digests, &changes)? {
            Claim::Held(pardons) => {
                changes.extend(pardons);
                Some(changes)
            }
            Claim::Gone(_) => None,
        })
    }

    /// Looks after a slow commit whether its blobs are still there, as [`Larder::apply`] does.
    fn confirm(&self, name: &Identifier, blobs: &[(Digest, u64)]) -> Result<()> {
        for _ in 0..MOST_ROUNDS {
            match self.claim(blobs)? {
                Some(changes) if changes.is_empty() => return Ok(()),
                Some(changes) => {
                    let mut tx = self.placing.target.transaction();
                    tx.extend(changes);
                    // A record that was changed meanwhile is looked at again.
                    let _ = tx.commit_once()?;
                }
                None => {}
            }
        }
        Err(Error::Conflict { what: name.to_string() })
    }

    /// What is in those versions that are new.
    fn contents_of<'b>(
        &'b self,
        batch: &'b [(VersionRecord, bool)],
    ) -> Result<Vec<(&'b VersionRecord, Cow<'b, Content>)>> {
        let content = |(version, _): &'b (VersionRecord, bool)| {
            let content = match self.contents.get(&version.manifest) {
                Some(content) => Cow::Borrowed(content),
                // The target had it when the copy began, and has it no more.
                None => {
                    let what = format!("the version with the manifest {}", version.manifest);
                    Cow::Owned(content_of(self.placing.source, version, &what)?)
                }
            };
            Ok((version, content))
        };
        batch.iter().filter(|(_, lacking)| *lacking).map(content).collect()
    }

    /// Brings blobs that the target lacks: large ones now, the small ones as changes of the commit that
    /// follows.
    fn bring(&self, blobs: &[(Digest, u64)]) -> Result<Vec<Change>> {
        let Some(meter) = &self.meter else { return Ok(Vec::new()) };
        let target = self.placing.target;
        let most = target.store.capabilities().inline_blob as u64;
        // What was there may be collected as garbage while other blobs are on their way.
        for _ in 0..MOST_ROUNDS {
            let lacking = lacking(target, blobs)?;
            let (small, large): (Vec<_>, Vec<_>) =
                lacking.into_iter().partition(|(_, size)| *size <= most);
            if large.is_empty() {
                let put = |(digest, size)| {
                    let bytes = self.small_blob(digest, size)?;
                    meter.add(size);
                    Ok(Change::PutBlob { digest, bytes })
                };
                return small.into_iter().map(put).collect();
            }
            let mut keeper = BlobWrites::default();
            for (digest, size) in large {
                keeper.keep(self.write(digest, size, meter)?, digest)?;
            }
            keeper.finish()?;
        }
        Err(Error::Conflict { what: target.store.url() })
    }

    /// Writes a large blob to the target, compared with its digest and size, up to the last step.
    fn write(&self, digest: Digest, size: u64, meter: &Meter) -> Result<Box<dyn BlobWriter>> {
        let (source, target) = (&self.placing.source.store, &self.placing.target.store);
        let mut writer = target.write_blob()?;
        let what = || format!("the blob {digest}");
        let failed = |error| Error::store(format!("write a blob to {}", target.url()), error);
        let blob = source.read_blob(&digest)?;
        let blob = blob.ok_or_else(|| Error::corrupt(what(), Corruption::Missing))?;
        if target.capabilities().is_remote && blob.path().is_some() {
            // A file on this machine is sent from its map, without a temporary copy.
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
        let source = &self.placing.source.store;
        source.get_checked(&digest, Some(size), || format!("the blob {digest}"))
    }

    fn carry_tags(&self, selected: &Selected, places: &[Placed]) -> Result<Vec<PlacedTag>> {
        let target = self.placing.target;
        target.transact(format_args!("tags of {}", selected.name), |tx| {
            let tags = self.placing.place_tags(selected, places)?;
            // Somebody may have set one since the copy began.
            self.placing.refuse_moves(&tags)?;
            match tags.iter().try_for_each(|tag| self.carry_tag(tag)) {
                Ok(()) => Ok(Outcome::Done(tags)),
                // Another writer moved it just now.
                Err(Error::Refused { .. } | Error::Conflict { .. } | Error::NotFound { .. })
                    if !tx.is_last_attempt() =>
                {
                    Ok(Outcome::Retry)
                }
                Err(error) => Err(error),
            }
        })
    }

    /// Sets a tag in the target where it is not set so. A new one keeps its time, and who set it.
    fn carry_tag(&self, PlacedTag { report, source }: &PlacedTag) -> Result<()> {
        let at = |number| Reference::new(report.name.clone(), Selector::Version(number));
        let (options, stamp) = (TagOptions::new(), (source.moved, source.by.clone()));
        let options = match report.moved_from {
            _ if report.present => return Ok(()),
            _ if self.placing.how == How::Mirror => options.force(true).stamped(stamp.0, stamp.1),
            Some(from) => options.from(at(from)),
            None => options.only_new(true).stamped(stamp.0, stamp.1),
        };
        let options = match source.protected {
            true => options.protected(true),
            false if self.placing.how == How::Mirror => options.protected(false),
            false => options,
        };
        self.placing.target.larder.tags().set(at(report.version), &report.tag, &options).map(drop)
    }
}
