//! Resolving references.

use larder_records::{Reference, Selector};

use super::{Larder, VersionInfo};
use crate::digest::{self, Digest};
use crate::error::{Absence, Corruption, Error, Result};
use crate::manifest::Manifest;
use crate::name::{Identifier, VersionNumber};
use crate::record::{self, DigestRecord, Document, NameRecord, TagRecord, VersionRecord};
use crate::store::{RecordKey, StoreExt};

/// Maximum number of unready versions that are read to retry one.
const MOST_UNREADY: u64 = 64;
/// Maximum number of names that are read for suggestions.
const MOST_NAMES: usize = 1_000;
/// Maximum number of suggestions.
const MOST_SUGGESTED: usize = 3;
/// Minimum similarity of a suggestion, from 0 to 1.
const ALIKE: f64 = 0.8;

/// A version and its verified manifest.
pub(crate) struct ResolvedVersion {
    pub(crate) name: Identifier,
    pub(crate) record: VersionRecord,
    pub(crate) manifest: Manifest,
    /// The version, for errors.
    pub(crate) what: String,
}

impl ResolvedVersion {
    pub(crate) fn info(&self) -> VersionInfo {
        VersionInfo::new(&self.name, &self.record)
    }
}

impl Larder {
    /// Resolves a reference, and reads the manifest.
    pub(crate) fn resolve(&self, reference: &Reference) -> Result<ResolvedVersion> {
        self.resolve_record(reference.identifier(), self.find(reference)?)
    }

    /// Reads the manifest of a version.
    pub(crate) fn resolve_record(
        &self,
        name: &Identifier,
        record: VersionRecord,
    ) -> Result<ResolvedVersion> {
        let selector = Selector::Version(record.version);
        let what = Reference::new(name.clone(), selector).to_string();
        let manifest = || format!("the manifest of {what}");
        let json = self.store.get_checked(&record.manifest, None, manifest)?;
        let manifest = Manifest::from_json(&json, &what)?;
        if *manifest.type_tag() != record.type_tag {
            let types = (manifest.type_tag(), &record.type_tag);
            let fault = format!("it is a `{}`, and its record says `{}`", types.0, types.1);
            return Err(Error::corrupt(what, Corruption::Unreadable(fault)));
        }
        Ok(ResolvedVersion { name: name.clone(), record, manifest, what })
    }

    /// Finds the record of the version that a reference names.
    pub(crate) fn find(&self, reference: &Reference) -> Result<VersionRecord> {
        let name = reference.identifier();
        let found = match reference.selector() {
            Selector::Latest => self.head(name)?.and_then(|head| head.latest),
            Selector::Version(number) => self.version(name, *number)?,
            Selector::Tag(tag) => match self.document::<TagRecord>(&record::tag_key(name, tag)?)? {
                Some(tag) => self.version(name, tag.version)?,
                None => None,
            },
            Selector::Digest(prefix) => match self.by_digest(reference, prefix.as_str())? {
                Some(number) => {
                    let is_it =
                        |it: &VersionRecord| it.manifest.to_hex().starts_with(prefix.as_str());
                    self.version(name, number)?.filter(is_it)
                }
                None => None,
            },
        };
        match found {
            Some(version) if version.removed.is_none() => Ok(version),
            Some(removed) => {
                let pin = Reference::new(name.clone(), Selector::Version(removed.version));
                let similar = self.similar(reference)?;
                let (reference, absence) = (pin.to_string(), Absence::Removed);
                Err(Error::NotFound { reference, absence, similar })
            }
            None => Err(self.not_found(reference)),
        }
    }

    pub(crate) fn head(&self, name: &Identifier) -> Result<Option<NameRecord>> {
        self.document(&record::name_key(name)?)
    }

    pub(crate) fn version(
        &self,
        name: &Identifier,
        number: VersionNumber,
    ) -> Result<Option<VersionRecord>> {
        self.document(&record::version_key(name, number)?)
    }

    /// Returns the newest version with this manifest that is not ready, if it is newer than `latest`.
    pub(crate) fn unready(
        &self,
        name: &Identifier,
        head: &NameRecord,
        manifest: &Digest,
    ) -> Result<Option<VersionRecord>> {
        let latest = head.latest.as_ref().map_or(0, |latest| latest.version.get());
        let first = latest.saturating_add(1).max(head.next.get().saturating_sub(MOST_UNREADY));
        let numbers = (first..head.next.get()).filter_map(VersionNumber::new);
        let keys = numbers.map(|number| record::version_key(name, number));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        if keys.is_empty() {
            return Ok(None);
        }
        for (key, found) in keys.iter().zip(self.store.get_records(&keys)?).rev() {
            let Some(found) = found else { continue };
            let version: VersionRecord = record::read(key, &found)?;
            let stays = version.removed.is_none() && !version.status.is_ready();
            if stays && version.manifest == *manifest {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    fn document<T: Document>(&self, key: &RecordKey) -> Result<Option<T>> {
        let found = self.store.get_record(key)?;
        found.map(|found| record::read(key, &found)).transpose()
    }

    /// Returns the newest version whose digest begins with `prefix`, if that is unique.
    fn by_digest(&self, reference: &Reference, prefix: &str) -> Result<Option<VersionNumber>> {
        let mut meant: Option<(String, VersionNumber)> = None;
        let start = record::digests_of(reference.identifier(), prefix);
        let stem = start.len() - prefix.len();
        for found in self.store.known_records(&start) {
            let (key, found) = found?;
            let number = record::read::<DigestRecord>(&key, &found)?.version;
            let hex = key.as_str()[stem..].split('-').next().unwrap_or_default().to_owned();
            match &meant {
                Some((first, _)) if *first != hex => {
                    let reason = format!(
                        "it is the beginning of {0}{1:.16} and of {0}{hex:.16}; write more digits",
                        digest::PREFIX,
                        first,
                    );
                    return Err(Error::invalid("reference", &reference.to_string(), reason));
                }
                _ => meant = Some((hex, number)),
            }
        }
        Ok(meant.map(|(_, number)| number))
    }

    pub(crate) fn not_found(&self, reference: &Reference) -> Error {
        match self.similar(reference) {
            Ok(similar) => {
                let (reference, absence) = (reference.to_string(), Absence::Unknown);
                Error::NotFound { reference, absence, similar }
            }
            Err(error) => error,
        }
    }

    /// Returns suggestions for `reference`: tags and newest version of an existing name, else similar names.
    fn similar(&self, reference: &Reference) -> Result<Vec<String>> {
        let name = reference.identifier();
        let head = self.head(name)?;
        if let Some(latest) = head.as_ref().and_then(|head| head.latest.as_ref()) {
            let tags = self.tags().of(name)?.into_iter().map(|tag| format!("{name}:{}", tag.tag));
            let newest = format!("{name}@{}", latest.version.get());
            return Ok(tags.take(MOST_SUGGESTED).chain([newest]).collect());
        }
        // A name may have only versions that are not ready.
        if let Some(head) = head
            && let Some(newest) = head.next.previous()
            && self.version(name, newest)?.is_some_and(|version| version.removed.is_none())
        {
            return Ok(vec![format!("{name}@{}", newest.get())]);
        }
        let mut alike = Vec::new();
        for version in self.list().take(MOST_NAMES) {
            let known = version?.identifier;
            let likeness = likeness(name.as_str(), known.as_str());
            if likeness >= ALIKE {
                alike.push((likeness, known.to_string()));
            }
        }
        alike.sort_by(|a, b| b.0.total_cmp(&a.0));
        Ok(alike.into_iter().map(|(_, name)| name).take(MOST_SUGGESTED).collect())
    }
}

/// Similarity of two names, also without the first parts of `known`.
fn likeness(asked: &str, known: &str) -> f64 {
    let last = known.rsplit('/').next().unwrap_or(known);
    strsim::jaro_winkler(asked, known).max(strsim::jaro_winkler(asked, last))
}
