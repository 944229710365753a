//! Verification of records, by the table of their kinds.

use super::blobs::finding_of;
use super::{Finding, Listed, Verifier};
use crate::copy::PAGE;
use larder_core::record::{self, VERSIONS, VersionRecord};
use larder_core::store::{Corruption, Record, RecordKey, RecordKind, RecordLink, StoreExt};
use larder_core::{Error, Result};

/// A record whose links are to be checked.
struct LinkedRecord {
    key: RecordKey,
    record: Record,
    links: Vec<RecordLink>,
}

impl Verifier<'_> {
    /// Lists every version, checks every record by itself, and follows its links.
    pub(super) fn add_everything(&mut self) -> Result<()> {
        let mut linked = Vec::new();
        let mut count = 0;
        for found in self.larder.store.records("") {
            let (key, record) = found?;
            let Some(links) = self.check_record(&key, &record)? else { continue };
            count += links.len();
            linked.push(LinkedRecord { key, record, links });
            if count >= PAGE {
                self.follow(&linked)?;
                linked.clear();
                count = 0;
            }
        }
        self.follow(&linked)
    }

    /// Checks a record by itself, and returns its links; `None` for a damaged or foreign record.
    fn check_record(&mut self, key: &RecordKey, found: &Record) -> Result<Option<Vec<RecordLink>>> {
        let checked = RecordKind::of(key).and_then(|kind| {
            kind.check(key, found)?;
            kind.links_of(key, found)
        });
        let is_version = key.as_str().starts_with(VERSIONS);
        let mut links = match checked {
            Ok(links) => links,
            Err(error) => {
                self.is_complete &= !is_version;
                self.findings.push((0, damage(key, error)?));
                return Ok(None);
            }
        };
        if is_version {
            let (name, version) = record::read_version(key, found)?;
            if version.removed.is_none() {
                self.add(&name, &version);
            }
        }
        if !self.larder.store.capabilities().atomic_commit {
            links.retain(|link| !link.is_atomic_only());
        }
        Ok(Some(links))
    }

    /// Finds versions whose children have no record of them: nothing would keep those from being removed.
    pub(super) fn check_users(&mut self) -> Result<()> {
        let mut users = Vec::new();
        for (place, version) in self.versions.iter().enumerate() {
            for child in self.children.get(&version.manifest).into_iter().flatten() {
                users.push((place, record::user_key(child, &version.name, version.number)?));
            }
        }
        let store = &self.larder.store;
        for users in users.chunks(PAGE) {
            let keys: Vec<_> = users.iter().map(|(_, key)| key.clone()).collect();
            for ((place, key), found) in users.iter().zip(store.get_records(&keys)?) {
                if found.is_some() {
                    continue;
                }
                // The record is removed after the version.
                let Listed { name, number, what, manifest, .. } = &self.versions[*place];
                let now = match self.larder.version(name, *number) {
                    Err(error @ Error::Store { .. }) => return Err(error),
                    now => now.ok().flatten(),
                };
                let is_there =
                    |it: &VersionRecord| it.removed.is_none() && it.manifest == *manifest;
                if now.as_ref().is_some_and(is_there) {
                    let fault = Corruption::Unreadable(format!("there is no record {key}"));
                    self.findings.push((place + 1, Finding::new(what, None, &fault)));
                }
            }
        }
        Ok(())
    }

    /// Finds the links that are broken.
    fn follow(&mut self, linked: &[LinkedRecord]) -> Result<()> {
        let links: Vec<_> = linked
            .iter()
            .flat_map(|from| from.links.iter().map(move |link| (from, link)))
            .collect();
        for links in links.chunks(PAGE) {
            let targets: Vec<_> = links.iter().map(|(_, link)| link.target().clone()).collect();
            for ((from, link), found) in links.iter().zip(self.larder.store.get_records(&targets)?)
            {
                if link.fault(found.as_ref()).is_some() {
                    self.follow_again(from, link)?;
                }
            }
        }
        Ok(())
    }

    /// Finds a link broken that was so when it was followed, unless it was changed since it was listed.
    ///
    /// A writer writes the target first and removes the link first, so the target is read first.
    fn follow_again(&mut self, from: &LinkedRecord, link: &RecordLink) -> Result<()> {
        let store = &self.larder.store;
        let Some(fault) = link.fault(store.get_record(link.target())?.as_ref()) else {
            return Ok(());
        };
        if store.get_record(&from.key)?.as_ref() != Some(&from.record) {
            return Ok(());
        }
        // The blobs of a missing version are not known.
        self.is_complete &= !link.target().as_str().starts_with(VERSIONS);
        let what = format!("the record {}", from.key);
        self.findings.push((0, Finding::new(what, None, &Corruption::Unreadable(fault))));
        Ok(())
    }
}

/// Returns the finding for a record whose check failed.
pub(crate) fn damage(key: &RecordKey, error: Error) -> Result<Finding> {
    match error {
        Error::Store { .. } => Err(error),
        Error::Corrupt { .. } | Error::NewerFormat { .. } => finding_of(error),
        error => {
            let fault = Corruption::Unreadable(error.to_string());
            Ok(Finding::new(format!("the record {key}"), None, &fault))
        }
    }
}
