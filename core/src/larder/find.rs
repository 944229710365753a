//! From a reference to a version.

use super::Larder;
use crate::digest;
use crate::error::{Error, Result};
use crate::name::{Identifier, VersionNumber};
use crate::record::{self, DigestRecord, Document, NameRecord, TagRecord, VersionRecord};
use crate::reference::{Reference, Selector};
use crate::store::{RecordKey, StoreExt};

/// How many names are looked through for one that looks like a misspelt one.
const MOST_NAMES: usize = 1_000;
/// How many names are suggested.
const MOST_SUGGESTED: usize = 3;
/// How alike two names are that are suggested for each other, from 0 to 1.
const ALIKE: f64 = 0.8;

impl Larder {
    /// The version that a reference means.
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
                Some(number) => self.version(name, number)?,
                None => None,
            },
        };
        match found {
            Some(version) if version.removed.is_none() => Ok(version),
            _ => Err(self.not_found(reference)),
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

    fn document<T: Document>(&self, key: &RecordKey) -> Result<Option<T>> {
        let found = self.store.get_record(key)?;
        found.map(|found| record::read(key, &found)).transpose()
    }

    /// The newest version whose digest begins with `prefix`, if all those are one digest.
    fn by_digest(&self, reference: &Reference, prefix: &str) -> Result<Option<VersionNumber>> {
        let mut meant: Option<(String, VersionNumber)> = None;
        let start = record::digests_of(reference.identifier(), prefix);
        let stem = start.len() - prefix.len();
        for found in self.store.records(&start) {
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
            Ok(similar) => Error::NotFound { reference: reference.to_string(), similar },
            Err(error) => error,
        }
    }

    /// What is there and looks like `reference`: its tags and newest version if the name exists, else
    /// names.
    fn similar(&self, reference: &Reference) -> Result<Vec<String>> {
        let name = reference.identifier();
        let head = self.head(name)?;
        if let Some(latest) = head.as_ref().and_then(|head| head.latest.as_ref()) {
            let tags = self.tags(name)?.into_iter().map(|tag| format!("{name}:{}", tag.tag));
            let newest = format!("{name}@{}", latest.version.get());
            return Ok(tags.take(MOST_SUGGESTED).chain([newest]).collect());
        }
        // A name whose only versions are none to be used has them all the same.
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

/// How alike two names are, or the last parts of them: people leave the first part out.
fn likeness(asked: &str, known: &str) -> f64 {
    let last = known.rsplit('/').next().unwrap_or(known);
    strsim::jaro_winkler(asked, known).max(strsim::jaro_winkler(asked, last))
}
