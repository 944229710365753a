//! The writers' part: taking blobs back before a version refers to them.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::Larder;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::record::{self, GarbageRecord};
use crate::store::Backoff;
use crate::store::{Change, Expected, RecordKey};

/// How long a writer waits for a collector to end the removal of a blob before it takes that collector for
/// dead. A collector has half as long for a batch.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Whether blobs may be counted on.
#[derive(Debug)]
pub enum Claim {
    /// They may, if the commit begins with these changes, after its blobs and before its version.
    Held(Vec<Change>),
    /// A collector took this one: it must be written again.
    Gone(Digest),
}

impl Larder {
    /// Claims the blobs that a version is about to refer to; those in `brought` are written by the same commit.
    ///
    /// It reads the blobs' records in `gc/` and *then* looks whether the blobs are there. That is enough:
    /// - If a blob has no record, a collector must write one before it may sweep, wait for the grace period, and
    ///   look at all versions anew. The commit is done by then, so the collector sees the version.
    /// - If a blob is condemned, the commit removes the record on the condition that it is unchanged, before it
    ///   writes the version. A collector must change it, on the same condition, before it removes the blob. If
    ///   the collector is first, the commit fails before the version, and the writer tries again; if the writer
    ///   is first, the collector leaves the blob, and whoever condemns it again must wait again.
    /// - If the blob is being removed, the writer waits until the record is gone, which is after the blob is, and
    ///   then finds it gone or brings it itself.
    ///
    /// A blob that was swept before its record was read is found gone by looking for it afterwards; looking
    /// first would leave room for a sweep in between.
    pub(crate) fn claim(
        &self,
        blobs: &[Digest],
        brought: &[Change],
        patience: Duration,
    ) -> Result<Claim> {
        let blobs: BTreeSet<Digest> = blobs.iter().copied().collect();
        let keys = blobs.iter().map(record::garbage_key).collect::<Result<Vec<_>>>()?;
        let pardons = self.pardons(&keys, patience)?;
        let brought = |digest: &Digest| {
            let is_it = |change: &Change| matches!(change, Change::PutBlob { digest: d, .. } if d == digest);
            brought.iter().any(is_it)
        };
        let others: Vec<Digest> = blobs.into_iter().filter(|digest| !brought(digest)).collect();
        if others.is_empty() {
            return Ok(Claim::Held(pardons));
        }
        let there = self.store.stat_blobs(&others)?;
        match others.iter().zip(there).find(|(_, there)| there.is_none()) {
            Some((gone, _)) => Ok(Claim::Gone(*gone)),
            None => Ok(Claim::Held(pardons)),
        }
    }

    /// The removals of those records that are there, once no blob is being removed any more.
    fn pardons(&self, keys: &[RecordKey], patience: Duration) -> Result<Vec<Change>> {
        let begun = Instant::now();
        let mut deleting_since = HashMap::new();
        let mut backoff = Backoff::default();
        loop {
            let mut pardons = Vec::new();
            let mut waits_for = None;
            for (key, found) in keys.iter().zip(self.store.get_records(keys)?) {
                let Some(found) = found else { continue };
                let is_deleting = match record::read::<GarbageRecord>(key, &found) {
                    Ok(read) => read.deleting.is_some(),
                    // Whatever it says, whoever wrote it is given time.
                    Err(Error::Corrupt { .. }) => true,
                    Err(error) => return Err(error),
                };
                let revision = found.revision;
                // Counted by this process from the moment it saw it, so no two clocks are compared.
                if is_deleting
                    && deleting_since.entry(revision.clone()).or_insert_with(Instant::now).elapsed()
                        < patience
                {
                    waits_for = Some(key);
                }
                let expected = Expected::Revision(revision);
                pardons.push(Change::RemoveRecord { key: key.clone(), expected });
            }
            match waits_for {
                None => return Ok(pardons),
                Some(key) if begun.elapsed() > patience * 4 => {
                    return Err(Error::Conflict { what: format!("the record {key}") });
                }
                Some(_) => backoff.pause(),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use crate::store::Committed;

    #[test]
    fn a_collector_that_died_while_it_removed_a_blob_is_waited_for_and_then_passed_over() {
        let larder = Registry::linked().unwrap().open("memory:").unwrap();
        let digest = Digest::of(b"blob");
        let key = record::garbage_key(&digest).unwrap();
        let now = larder.now();
        let record = GarbageRecord::new(now, Some(now));
        let put = record::put(key, &record, Expected::Absent).unwrap();
        let blob = Change::PutBlob { digest, bytes: "blob".into() };
        assert_eq!(larder.store.commit(&[blob, put]).unwrap(), Committed::All);

        let (begun, patience) = (Instant::now(), Duration::from_millis(50));
        let Claim::Held(pardons) = larder.claim(&[digest, digest], &[], patience).unwrap() else {
            panic!("the blob is there");
        };
        assert!(begun.elapsed() >= patience);
        assert_eq!(larder.store.commit(&pardons).unwrap(), Committed::All);
        assert!(larder.store.list_records(record::GARBAGE, None, 10).unwrap().is_empty());

        larder.store.remove_blobs(&[digest]).unwrap();
        let claim = larder.claim(&[digest], &[], patience).unwrap();
        assert!(matches!(claim, Claim::Gone(gone) if gone == digest), "{claim:?}");
    }
}
