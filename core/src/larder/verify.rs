//! `verify`: reading everything, to find what is damaged.

use std::collections::HashMap;

use super::{Larder, VersionInfo};
use crate::digest::Digest;
use crate::error::{Error, Fault, Result};
use crate::manifest::Manifest;
use crate::record::{self, NameRecord, VersionRecord};
use crate::reference::{Reference, Selector};
use crate::store::StoreExt;
use crate::store::fault;

/// What [`Larder::verify`] looked at, and what it found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Checked {
    /// How many versions it looked at.
    pub versions: u64,
    /// How many blobs it read, each once.
    pub blobs: u64,
    /// How many bytes those have.
    pub bytes: u64,
    /// Every fault, once.
    pub findings: Vec<Finding>,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The first version that it was found in, as `name@7`, or the record.
    pub what: String,
    /// The blob, if it is one.
    pub digest: Option<Digest>,
    /// What is wrong with it, for people.
    pub fault: String,
}

impl Larder {
    /// Reads every version that `references` mean, or every version there is if there are none, and checks
    /// all of its bytes. No type need be linked in.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a reference; [`Error::Store`]. A damaged blob is no error but a
    /// [`Finding`].
    pub fn verify(&self, references: &[Reference]) -> Result<Checked> {
        let mut verifier =
            Verifier { larder: self, checked: Checked::default(), seen: HashMap::new() };
        for reference in references {
            let version = self.find(reference)?;
            verifier.version(&VersionInfo::new(reference.identifier(), &version))?;
        }
        if references.is_empty() {
            verifier.everything()?;
        }
        Ok(verifier.checked)
    }
}

struct Verifier<'a> {
    larder: &'a Larder,
    checked: Checked,
    /// The blobs that were read, and whether they are whole.
    seen: HashMap<Digest, bool>,
}

impl Verifier<'_> {
    fn everything(&mut self) -> Result<()> {
        let larder = self.larder;
        for found in larder.store.records(record::NAMES) {
            let (key, found) = found?;
            let head = record::read::<NameRecord>(&key, &found);
            let Some(name) =
                self.sound(record::name_in(&key).and_then(|name| head.map(|_| name)))?
            else {
                continue;
            };
            for found in larder.store.records(&record::versions_of(&name)) {
                let (key, found) = found?;
                let Some(version) = self.sound(record::read::<VersionRecord>(&key, &found))? else {
                    continue;
                };
                if version.removed.is_none() {
                    self.version(&VersionInfo::new(&name, &version))?;
                }
            }
        }
        Ok(())
    }

    fn version(&mut self, version: &VersionInfo) -> Result<()> {
        self.checked.versions += 1;
        let selector = Selector::Version(version.version);
        let what = Reference::new(version.identifier.clone(), selector).to_string();
        let Some(json) = self.blob(&what, &version.digest, None)? else { return Ok(()) };
        let Some(manifest) = self.sound(Manifest::from_json(&json, &what))? else { return Ok(()) };
        for entry in manifest.artifacts() {
            self.blob(&what, &entry.digest, Some(entry.size))?;
        }
        Ok(())
    }

    /// Reads and checks a blob. A blob that was found whole before is read again only for its bytes.
    fn blob(
        &mut self,
        what: &str,
        digest: &Digest,
        size: Option<u64>,
    ) -> Result<Option<bytes::Bytes>> {
        if size.is_some() && self.seen.contains_key(digest) {
            return Ok(None);
        }
        let bytes = self.larder.store.get_blobs(std::slice::from_ref(digest))?.pop().flatten();
        let fault = fault(digest, size, bytes.as_ref());
        if self.seen.insert(*digest, fault.is_none()).is_none() {
            self.checked.blobs += 1;
            self.checked.bytes += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
            if let Some(fault) = &fault {
                self.find(what, Some(*digest), fault);
            }
        }
        Ok(bytes.filter(|_| fault.is_none()))
    }

    /// The value, or a finding in its place.
    fn sound<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Corrupt { what, fault }) => {
                self.find(&what, None, &fault);
                Ok(None)
            }
            Err(Error::NewerFormat { what, found, known }) => {
                let reason = format!("it has format {found}; this Larder reads up to {known}");
                self.find(&what, None, &Fault::Unreadable(reason));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn find(&mut self, what: &str, digest: Option<Digest>, fault: &Fault) {
        self.checked.findings.push(Finding {
            what: what.to_owned(),
            digest,
            fault: fault.to_string(),
        });
    }
}
