//! Health: what a larder holds, counted from its records.

use crate::Maintenance;
use crate::verify::{Finding, damage, finding_of};
use larder_core::Result;
use larder_core::extend::read_annotations;
use larder_core::record::{self, NameRecord, Status};
use larder_core::store::{
    BlobCount, Record, RecordKey, RecordKind, StoreExt, Timestamp, VersionNumber,
};

/// The result of [`Maintenance::health`].
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct HealthReport {
    /// Names that have versions.
    pub names: u64,
    /// Versions that are not removed, ready or not.
    pub versions: u64,
    /// Removed versions that can be restored: their blobs were not collected.
    pub removed: u64,
    /// Tags.
    pub tags: u64,
    /// All blobs, needed or not.
    pub blobs: BlobCount,
    /// Blobs marked as garbage.
    #[serde(rename = "condemned")]
    pub marked: u64,
    /// When the newest version was applied, by the clock of its writer.
    pub newest: Option<Timestamp>,
    /// Versions that are not ready.
    pub unready: Vec<UnreadyVersion>,
    /// Locked names and versions.
    pub locked: Vec<LockedItem>,
    /// Damaged and foreign records.
    pub damaged: Vec<Finding>,
}

/// A version whose `on_create` failed or has not finished.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct UnreadyVersion {
    /// `name@7`.
    pub what: String,
    /// `preparing` or `failed`.
    pub status: Status,
    /// The start of this state.
    pub since: Timestamp,
}

/// A locked name or version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct LockedItem {
    /// `name`, or `name@7`.
    pub what: String,
    /// The start of this state.
    pub since: Timestamp,
}

impl Maintenance {
    /// Counts and checks every record. Reads no blobs; [`verify`](Maintenance::verify) does.
    ///
    /// ```
    /// use larder_core::Registry;
    /// use larder_maintenance::LarderMaintenance;
    ///
    /// let larder = Registry::linked()?.open("memory:")?;
    /// assert_eq!(larder.maintenance().health()?.versions, 0);
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`](larder_core::Error::Store). Damage is not an error but a [`Finding`].
    pub fn health(&self) -> Result<HealthReport> {
        let mut report = HealthReport::default();
        for found in self.store.records("") {
            let (key, found) = found?;
            let counted = RecordKind::of(&key).and_then(|kind| {
                kind.check(&key, &found)?;
                report.count(kind, &key, &found)
            });
            if let Err(error) = counted {
                report.damaged.push(damage(&key, error)?);
            }
        }
        for blob in self.store.blobs() {
            match blob {
                Ok((_, size)) => report.blobs.add(size),
                Err(error) => report.damaged.push(finding_of(error)?),
            }
        }
        Ok(report)
    }
}

impl HealthReport {
    /// Counts a sound record.
    fn count(&mut self, kind: &RecordKind, key: &RecordKey, found: &Record) -> Result<()> {
        match kind.prefix() {
            record::NAMES => self.name(key, found),
            record::VERSIONS => self.version(key, found),
            record::ANNOTATIONS => self.annotations(key, found),
            record::TAGS => {
                self.tags += 1;
                Ok(())
            }
            record::GARBAGE => {
                self.marked += 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn name(&mut self, key: &RecordKey, found: &Record) -> Result<()> {
        let name = record::name_in(key)?;
        let head: NameRecord = record::read(key, found)?;
        self.names += u64::from(head.latest.is_some());
        self.lock(name.to_string(), head.locked);
        Ok(())
    }

    fn version(&mut self, key: &RecordKey, found: &Record) -> Result<()> {
        let (name, version) = record::read_version(key, found)?;
        self.newest = self.newest.max(Some(version.created));
        match (version.removed, version.collected) {
            (None, _) => {
                self.versions += 1;
                if !version.status.is_ready() {
                    self.unready.push(UnreadyVersion {
                        what: format!("{name}@{}", version.version.get()),
                        status: version.status,
                        since: version.created,
                    });
                }
            }
            (Some(_), None) => self.removed += 1,
            (Some(_), Some(_)) => {}
        }
        Ok(())
    }

    fn annotations(&mut self, key: &RecordKey, found: &Record) -> Result<()> {
        let (name, number) = record::parts_of(key, record::ANNOTATIONS)?;
        let number = number.parse().ok().and_then(VersionNumber::new);
        let annotations = read_annotations(key, Some(found))?;
        self.lock(
            number.map_or_else(|| key.to_string(), |n| format!("{name}@{}", n.get())),
            annotations.locked,
        );
        Ok(())
    }

    fn lock(&mut self, what: String, since: Option<Timestamp>) {
        self.locked.extend(since.map(|since| LockedItem { what, since }));
    }
}
