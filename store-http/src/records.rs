//! Records and commits.
//!
//! A commit has a random name, under which the server keeps its outcome: a commit whose answer was lost is sent again and
//! answered as the first time. If another server, or a restarted one, answers with a conflict, the records are read back:
//! when they hold what the commit wrote, it was made.

use larder_store::{Change, Committed, Error, Expected, Record, RecordKey, Result};

use crate::connection::{Answered, Connection};
use crate::protocol::{
    self, Commit, GetRecords, ListRecords, MAX_BODY, MAX_ITEMS, MAX_PREFIX, Request, WireChange,
    WireKey,
};

/// Number of bytes of blobs in one request, if a commit is too large for one.
const BATCH: usize = 8 << 20;
/// Number of bytes that surround a change in a body, at most, with its key and revision.
const AROUND: usize = 2_048;

impl Connection {
    /// Returns records, in the order of `keys`.
    pub(crate) async fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        let action = format!("read records of {}", self.url());
        let mut records: Vec<Option<Record>> = Vec::with_capacity(keys.len());
        while let Some(rest) = keys.get(records.len()..).filter(|rest| !rest.is_empty()) {
            let asked = &rest[..rest.len().min(MAX_ITEMS)];
            let request = GetRecords { keys: asked.iter().cloned().map(WireKey).collect() };
            let found = self.call(&action, &request).await?.answer.records;
            self.check_count(&action, found.len(), asked.len())?;
            records.extend(found.into_iter().map(|found| found.map(Into::into)));
        }
        Ok(records)
    }

    /// Lists up to `limit` records whose keys begin with `prefix`, in byte order, after `after`.
    pub(crate) async fn list_records(
        &self,
        prefix: String,
        mut after: Option<RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        if limit == 0 || prefix.len() > MAX_PREFIX {
            return Ok(Vec::new());
        }
        let action = format!("list records of {}", self.url());
        let limit = limit.min(MAX_ITEMS);
        // A page without a record that the user may read is not the end.
        loop {
            let request =
                ListRecords { prefix: prefix.clone(), after: after.clone().map(WireKey), limit };
            let page = self.call(&action, &request).await?.answer;
            let records: Vec<(RecordKey, Record)> =
                page.records.into_iter().map(|(key, record)| (key.0, record.into())).collect();
            let first = records.first().map(|(key, _)| key);
            let is_sound = records.len() <= limit
                && records.iter().all(|(key, _)| key.as_str().starts_with(&prefix))
                && records.is_sorted_by(|one, other| one.0 < other.0)
                && (after.is_none() || first.is_none() || first > after.as_ref());
            if !is_sound {
                return Err(self.misunderstood(&action, "its records are not the ones asked for"));
            }
            match page.after.map(|next| next.0) {
                Some(next) if records.is_empty() && Some(&next) > after.as_ref() => {
                    after = Some(next);
                }
                _ => return Ok(records),
            }
        }
    }

    /// Makes changes.
    pub(crate) async fn commit(&self, changes: Vec<Change>, is_atomic: bool) -> Result<Committed> {
        let action = format!("commit to {}", self.url());
        let size: usize = changes.iter().map(size_of).sum();
        if size <= MAX_BODY {
            return self.commit_together(&action, &changes, is_atomic).await;
        }
        // Blobs have no precondition, and what no record needs is collected.
        self.put_ahead(&action, &changes).await?;
        let is_record = |change: &Change| !matches!(change, Change::PutBlob { .. });
        let at: Vec<usize> =
            changes.iter().enumerate().filter(|(_, it)| is_record(it)).map(|(at, _)| at).collect();
        let records: Vec<Change> = changes.into_iter().filter(is_record).collect();
        let place = |index: usize| at.get(index).copied().unwrap_or_default();
        Ok(match self.commit_together(&action, &records, is_atomic).await? {
            Committed::All => Committed::All,
            Committed::Conflict { at, made: 0 } => Committed::Conflict { at: place(at), made: 0 },
            Committed::Conflict { at, made } => {
                Committed::Conflict { at: place(at), made: place(made) }
            }
        })
    }

    /// Sends the blobs of a commit in several requests.
    async fn put_ahead(&self, action: &str, changes: &[Change]) -> Result<()> {
        let (mut batch, mut size) = (Vec::new(), 0);
        for change in changes {
            match change {
                Change::PutBlob { digest, bytes } if bytes.len() > BATCH => {
                    self.put_blob(*digest, bytes.clone()).await?;
                }
                Change::PutBlob { .. } => {
                    if size + size_of(change) > MAX_BODY - BATCH {
                        self.send(action, &std::mem::take(&mut batch)).await?;
                        size = 0;
                    }
                    size += size_of(change);
                    batch.push(change.clone());
                }
                _ => {}
            }
        }
        if !batch.is_empty() {
            self.send(action, &batch).await?;
        }
        Ok(())
    }

    async fn commit_together(
        &self,
        action: &str,
        changes: &[Change],
        is_atomic: bool,
    ) -> Result<Committed> {
        if changes.is_empty() {
            return Ok(Committed::All);
        }
        let sent = self.send(action, changes).await?;
        match sent.answer {
            Committed::Conflict { at, made } if at >= changes.len() || made > at => {
                Err(self.misunderstood(action, "its conflict is at no change"))
            }
            Committed::Conflict { .. } if sent.is_repeated => {
                let was_made = self.was_made(changes, is_atomic).await?;
                Ok(if was_made { Committed::All } else { sent.answer })
            }
            answer => Ok(answer),
        }
    }

    async fn send(&self, action: &str, changes: &[Change]) -> Result<Answered<Committed>> {
        let id = u128::from(fastrand::u64(..)) << 64 | u128::from(fastrand::u64(..));
        let commit = Commit { id, changes: changes.iter().map(WireChange::from).collect() };
        let refused = |reason: String| Error::Refused { action: action.into(), reason };
        commit.check().map_err(refused)?;
        let body = protocol::encode(&commit).map_err(|error| Error::store(action, error))?;
        if body.len() > MAX_BODY {
            let size = body.len();
            return Err(refused(format!(
                "its records have {size} bytes, and a server takes {MAX_BODY} at once; commit fewer changes"
            )));
        }
        drop(commit);
        let Answered { answer, is_repeated } = self.call_encoded::<Commit>(action, body).await?;
        Ok(Answered { answer: answer.into(), is_repeated })
    }

    /// Returns whether a commit, sent twice and answered with a conflict, was made by the first sending.
    ///
    /// It was if all records are as it leaves them. Where a commit is made as a whole, one record that it created is enough,
    /// because another writer may have changed the others since.
    async fn was_made(&self, changes: &[Change], is_atomic: bool) -> Result<bool> {
        let (mut keys, mut left) = (Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::PutBlob { .. } => {}
                Change::PutRecord { key, value, expected } => {
                    keys.push(key.clone());
                    left.push((Some(value), *expected == Expected::Absent));
                }
                Change::RemoveRecord { key, .. } => {
                    keys.push(key.clone());
                    left.push((None, false));
                }
            }
        }
        let found = self.get_records(&keys).await?;
        let pairs =
            || found.iter().map(|found| found.as_ref().map(|found| &found.value)).zip(&left);
        let has_created =
            pairs().any(|(found, (value, is_new))| *is_new && found.is_some() && found == *value);
        Ok(pairs().all(|(found, (value, _))| found == *value) || is_atomic && has_created)
    }
}

/// Returns the size of a change in a body, at most.
fn size_of(change: &Change) -> usize {
    AROUND
        + match change {
            Change::PutBlob { bytes, .. } => bytes.len(),
            Change::PutRecord { value, .. } => value.len(),
            Change::RemoveRecord { .. } => 0,
        }
}
