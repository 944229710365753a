//! `report`: what a larder holds, counted from its records.

use crate::Maintenance;
use crate::verify::{Finding, finding_of};
use larder_core::Result;
use larder_core::extend::read_annotations;
use larder_core::record::{self, GarbageRecord, NameRecord, Status, TagRecord, UserRecord};
use larder_core::store::{BlobCount, Record, RecordKey, StoreExt, Timestamp, VersionNumber};

/// What a larder holds: what [`Maintenance::health`] counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct HealthReport {
    /// The names that have versions.
    pub names: u64,
    /// The versions that are not removed, ready or not.
    pub versions: u64,
    /// The versions that are removed and can be restored: their bytes were not collected.
    pub removed: u64,
    /// The tags.
    pub tags: u64,
    /// All blobs, needed or not.
    pub blobs: BlobCount,
    /// The blobs that wait to be collected as garbage.
    pub condemned: u64,
    /// When the newest version was applied, by the clock of whoever applied it.
    pub newest: Option<Timestamp>,
    /// The versions that are not ready.
    pub unready: Vec<UnreadyVersion>,
    /// What is closed against change.
    pub locked: Vec<LockedItem>,
    /// The records that cannot be read.
    pub damaged: Vec<Finding>,
}

/// A version whose `on_create` failed, or has not ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct UnreadyVersion {
    /// `name@7`.
    pub what: String,
    /// `preparing` or `failed`.
    pub status: Status,
    /// Since when.
    pub since: Timestamp,
}

/// A name or a version that is closed against change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct LockedItem {
    /// `name`, or `name@7`.
    pub what: String,
    /// Since when.
    pub since: Timestamp,
}

impl Maintenance {
    /// Counts what there is. It reads every record, and no blob; [`verify`](Larder::verify) reads those too.
    ///
    /// ```
    /// use larder_core::Registry;
    ///
    /// let larder = Registry::linked()?.open("memory:")?;
    /// assert_eq!(larder.maintenance().health()?.versions, 0);
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`](larder_core::Error::Store). A record that cannot be read is no error but a [`Finding`].
    pub fn health(&self) -> Result<HealthReport> {
        let mut report = HealthReport::default();
        let kinds: [(&str, Look); 6] = [
            (record::NAMES, HealthReport::name),
            (record::VERSIONS, HealthReport::version),
            (record::TAGS, HealthReport::tag),
            (record::ANNOTATIONS, HealthReport::notes),
            (record::USERS, |_, key, found| record::read::<UserRecord>(key, found).map(drop)),
            (record::GARBAGE, HealthReport::garbage),
        ];
        for (prefix, look) in kinds {
            for found in self.store.records(prefix) {
                let (key, found) = found?;
                if let Err(error) = look(&mut report, &key, &found) {
                    report.damaged.push(finding_of(error)?);
                }
            }
        }
        for blob in self.store.blobs() {
            report.blobs.add(blob?.1);
        }
        Ok(report)
    }
}

type Look = fn(&mut HealthReport, &RecordKey, &Record) -> Result<()>;

impl HealthReport {
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

    fn tag(&mut self, key: &RecordKey, found: &Record) -> Result<()> {
        record::tag_in(key)?;
        record::read::<TagRecord>(key, found)?;
        self.tags += 1;
        Ok(())
    }

    fn notes(&mut self, key: &RecordKey, found: &Record) -> Result<()> {
        let (name, number) = record::parts_of(key, record::ANNOTATIONS)?;
        let number = number.parse().ok().and_then(VersionNumber::new);
        let notes = read_annotations(key, Some(found))?;
        self.lock(
            number.map_or_else(|| key.to_string(), |n| format!("{name}@{}", n.get())),
            notes.locked,
        );
        Ok(())
    }

    fn garbage(&mut self, key: &RecordKey, found: &Record) -> Result<()> {
        record::garbage_in(key)?;
        record::read::<GarbageRecord>(key, found)?;
        self.condemned += 1;
        Ok(())
    }

    fn lock(&mut self, what: String, since: Option<Timestamp>) {
        self.locked.extend(since.map(|since| LockedItem { what, since }));
    }
}
