//! Looking at records: those of versions, and those that lead to them.

use super::{Finding, Verifier};
use larder_core::record::{self, DigestRecord, NameRecord, TagRecord};
use larder_core::store::{Corruption, Digest, Record, RecordKey, StoreExt, VersionNumber};
use larder_core::{Identifier, Result};

impl Verifier<'_> {
    /// Lists every version, and finds what leads to none.
    pub(super) fn add_everything(&mut self) -> Result<()> {
        let larder = self.larder;
        for found in larder.store.records(record::VERSIONS) {
            let (key, found) = found?;
            let Some((name, version)) = self.sound(record::read_version(&key, &found))? else {
                self.is_complete = false;
                continue;
            };
            if version.removed.is_none() {
                self.add(&name, &version);
                self.there.insert((name, version.version), version.manifest);
            }
        }
        for found in larder.store.records(record::NAMES) {
            let (key, found) = found?;
            let head = record::name_in(&key)
                .and_then(|name| Ok((name, record::read::<NameRecord>(&key, &found)?)));
            if let Some((name, NameRecord { latest: Some(latest), .. })) = self.sound(head)? {
                self.follow(&key, &found, &name, latest.version, Some(latest.manifest))?;
            }
        }
        for found in larder.store.records(record::DIGESTS) {
            let (key, found) = found?;
            let (Some((name, part)), Some(digest)) = (
                self.sound(record::parts_of(&key, record::DIGESTS))?,
                self.sound(record::read::<DigestRecord>(&key, &found))?,
            ) else {
                continue;
            };
            let named = part.split('-').next().and_then(|hex| Digest::from_hex(hex).ok());
            self.follow(&key, &found, &name, digest.version, named)?;
        }
        for found in larder.store.records(record::TAGS) {
            let (key, found) = found?;
            let Ok((name, part)) = record::parts_of(&key, record::TAGS) else { continue };
            // What lies below a tag is of another kind.
            if part.contains('/') {
                continue;
            }
            if let Some(tag) = self.sound(record::read::<TagRecord>(&key, &found))? {
                self.follow(&key, &found, &name, tag.version, None)?;
            }
        }
        Ok(())
    }

    /// Finds fault with a record that leads to no version, or to one with another manifest than it says.
    fn follow(
        &mut self,
        key: &RecordKey,
        found: &Record,
        name: &Identifier,
        number: VersionNumber,
        manifest: Option<Digest>,
    ) -> Result<()> {
        let is_it = |there: &Digest| manifest.is_none_or(|manifest| manifest == *there);
        if self.there.get(&(name.clone(), number)).is_some_and(is_it) {
            return Ok(());
        }
        // It may have come, or gone, since the versions were listed. A version is written before what leads to
        // it, and what leads to it is gone before it is removed; so it is looked at first.
        let Some(version) = self.sound(self.larder.version(name, number))? else {
            return Ok(());
        };
        if self.larder.store.get_record(key)?.as_ref() != Some(found) {
            return Ok(());
        }
        let fault = match version {
            None => format!("it leads to {name}@{}, which is not there", number.get()),
            Some(version) if version.removed.is_some() => {
                format!("it leads to {name}@{}, which was removed", number.get())
            }
            Some(version) if is_it(&version.manifest) => return Ok(()),
            Some(version) => {
                let digest = version.manifest.short();
                format!("it leads to {name}@{}, whose digest is {digest}", number.get())
            }
        };
        let fault = Corruption::Unreadable(fault);
        self.is_complete = false;
        self.findings.push((0, Finding::new(format!("the record {key}"), None, &fault)));
        Ok(())
    }
}
