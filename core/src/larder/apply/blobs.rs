//! Protecting blobs from collectors before and after a commit refers to them.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::encode::EncodedComponent;
use super::session::PendingComponent;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::larder::Larder;
use crate::name::Identifier;
use crate::record::{self, GarbageRecord};
use crate::store::exclusive::{LEASE, Permit};
use crate::store::{Backoff, Change, Expected, RecordKey};

/// Maximum wait for a collector that is removing a blob; then it is considered dead.
///
/// A collector must finish a batch in half of it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Maximum number of encodings, if a collector takes blobs before the commit.
pub(super) const MOST_ENCODINGS: u32 = 16;
/// A commit that takes longer is confirmed afterwards; well below the minimum grace period.
pub const QUICK: Duration = Duration::from_millis(300);

/// Number of blobs whose records in `gc/` are read one by one; of more, the records that there are are listed first.
const FEW: usize = 16;

/// Result of claiming blobs.
#[derive(Debug)]
pub enum Claim {
    /// The blobs are safe if the commit includes these changes between its blobs and its version.
    Held(Vec<Change>),
    /// A collector removed this blob: it must be written again.
    Gone(Digest),
}

impl Larder {
    /// Claims the blobs that a version will refer to; the commit writes those in `brought`.
    ///
    /// It reads the records in `gc/`, and *then* checks that the blobs exist:
    /// - Without a record, a collector must write one, wait for the grace period and read all versions again before
    ///   it removes the blob. The commit is done by then.
    /// - If a blob is condemned, the commit removes the record unchanged before it writes the version, and a
    ///   collector changes the record before it removes the blob. The first one wins: the commit fails and is
    ///   retried, or the collector keeps the blob.
    /// - If a blob is being removed, the writer waits until the record is gone, and finds the blob gone or brings it.
    /// - A collector that holds the [exclusive lock](Permit) removes blobs at once. The commit fails if one held it since.
    ///
    /// Checking first would miss a blob that is removed between the check and the read.
    pub(crate) fn claim(
        &self,
        blobs: &[Digest],
        brought: &[Change],
        patience: Duration,
    ) -> Result<Claim> {
        let blobs: BTreeSet<Digest> = blobs.iter().copied().collect();
        let keys = blobs.iter().map(record::garbage_key).collect::<Result<Vec<_>>>()?;
        let pardons = self.pardons(self.condemned(keys)?, patience)?;
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

    /// Returns the keys in `gc/` that have a record, or all of them if there are few.
    fn condemned(&self, mut keys: Vec<RecordKey>) -> Result<Vec<RecordKey>> {
        if keys.len() > FEW {
            let known = self.store.list_records(record::GARBAGE, None, FEW)?;
            if known.len() < FEW {
                keys.retain(|key| known.iter().any(|(known, _)| known == key));
            }
        }
        Ok(keys)
    }

    /// Returns the removals of the records in `gc/`, once no blob is being removed and the larder is not locked.
    fn pardons(&self, mut keys: Vec<RecordKey>, patience: Duration) -> Result<Vec<Change>> {
        let begun = Instant::now();
        let mut deleting_since = HashMap::new();
        let mut backoff = Backoff::default();
        let lock = Permit::key(&*self.store)?;
        keys.extend(lock.clone());
        loop {
            let mut pardons = Vec::new();
            let mut waits_for = None;
            for (key, found) in keys.iter().zip(self.store.get_records(&keys)?) {
                if lock.as_ref() == Some(key) {
                    let permit = Permit::of(&*self.store, key.clone(), found.as_ref())?;
                    if let (true, Some(found)) = (permit.is_locked, found) {
                        let seen = deleting_since.entry(found.revision);
                        if seen.or_insert_with(Instant::now).elapsed() < LEASE.min(patience) {
                            waits_for = Some(key);
                        }
                    }
                    pardons.push(permit.change);
                    continue;
                }
                let Some(found) = found else { continue };
                let is_deleting = match record::read::<GarbageRecord>(key, &found) {
                    Ok(read) => read.deleting.is_some(),
                    // Its writer may still be removing the blob.
                    Err(Error::Corrupt { .. }) => true,
                    Err(error) => return Err(error),
                };
                let revision = found.revision;
                // Measured by this process alone, so clocks are not compared.
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
                Some(key) if begun.elapsed() > patience * 4 && lock.as_ref() == Some(key) => {
                    return Err(Permit::refused(&*self.store));
                }
                Some(key) if begun.elapsed() > patience * 4 => {
                    return Err(Error::Conflict { what: format!("the record {key}") });
                }
                Some(_) => backoff.pause(),
            }
        }
    }

    /// Checks the blobs after a slow commit, and writes missing ones again: a collector with a shorter grace period
    /// could not see the version.
    pub(super) fn confirm(
        &self,
        name: &Identifier,
        blobs: &[Digest],
        encode: &impl Fn() -> Result<EncodedComponent>,
    ) -> Result<()> {
        let mut encodings = 0;
        loop {
            match self.claim(blobs, &[], PATIENCE)? {
                Claim::Held(pardons) if pardons.iter().all(Permit::is_dependency) => {
                    return Ok(());
                }
                Claim::Held(_) if encodings == MOST_ENCODINGS => {
                    return Err(Error::Conflict { what: name.to_string() });
                }
                Claim::Gone(digest) if encodings == MOST_ENCODINGS => {
                    return Err(swept_again(name, &digest));
                }
                Claim::Held(pardons) => {
                    let mut tx = self.transaction();
                    tx.extend(pardons);
                    // A changed record is read again.
                    let _ = tx.commit_once()?;
                }
                Claim::Gone(_) => {
                    let again = encode()?;
                    let mut tx = self.transaction();
                    tx.extend(
                        again.children_encoded.into_iter().flat_map(|child| child.encoded.blobs),
                    );
                    tx.extend(again.blobs);
                    tx.commit_unconditional()?;
                }
            }
            encodings += 1;
        }
    }

    /// Writes missing blobs of unchanged versions again.
    pub(super) fn heal(&self, items: &[PendingComponent]) -> Result<()> {
        let digests: Vec<_> = items.iter().flat_map(|item| item.encoded.digests()).collect();
        let there = self.store.stat_blobs(&digests)?;
        if there.iter().any(Option::is_none) {
            let mut tx = self.transaction();
            tx.extend(items.iter().flat_map(|item| item.encoded.blobs.clone()));
            tx.commit_unconditional()?;
        }
        Ok(())
    }
}

/// Returns the error of an apply whose blobs are collected again and again.
pub(super) fn swept_again(name: &Identifier, digest: &Digest) -> Error {
    Error::Refused {
        action: format!("commit a new version of {name}"),
        reason: format!(
            "garbage collection repeatedly removed its blob {} before the commit; use a grace period that is \
             longer than the write takes",
            digest.short()
        ),
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
