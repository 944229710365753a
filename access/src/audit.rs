//! The audit log: what was changed or denied. Each record holds the digest of the one before it.

use larder_core::record::read;
use larder_core::store::{
    Change, Digest, Expected, Outcome as Attempt, StoreExt, Timestamp, record,
};
use larder_core::{Error, Result};

use crate::access::Access;
use crate::audit_entry::AuditEntry;
use crate::record::{AUDIT, AuditHead, AuditRecord, audit_key, head_key, number_in};

/// Records that are read at once.
const AT_ONCE: u64 = 64;

/// Result of [`Access::verify_audit`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// The number of sound records.
    pub records: u64,
    /// The number of entries in them.
    pub entries: u64,
    /// The faults, by record.
    pub faults: Vec<AuditFault>,
}

/// A fault in the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFault {
    /// The number of the record.
    pub record: u64,
    /// Description of the fault.
    pub fault: String,
}

impl Access {
    /// Appends entries to the audit log as one record. Nothing is written without entries.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Corrupt`].
    pub fn append_audit(&self, entries: &[AuditEntry]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.transact("the audit log", |transaction| {
            let head_key = head_key()?;
            let head = transaction.read::<AuditHead>(&head_key)?;
            let number = head.as_ref().map_or(1, |head| head.last + 1);
            let key = audit_key(number)?;
            // A writer that died before the head followed: its record counts.
            if let Some(found) = transaction.get(&key)? {
                transaction.put(head_key, &AuditHead::new(number, Digest::of(&found.value)))?;
                let _ = transaction.commit_once()?;
                return Ok(Attempt::Retry);
            }
            let entry = AuditRecord::new(head.map(|head| head.digest), entries.to_vec());
            let change = record::put(key, &entry, Expected::Absent)?;
            let Change::PutRecord { value, .. } = &change else {
                return Err(Error::internal("the change of a record is another change"));
            };
            let digest = Digest::of(value);
            transaction.push(change);
            transaction.put(head_key, &AuditHead::new(number, digest))?;
            Ok(Attempt::Commit(()))
        })
    }

    /// Lists the entries of the audit log, oldest first, those at or after `since`.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Corrupt`].
    pub fn audit(&self, since: Option<Timestamp>) -> impl Iterator<Item = Result<AuditEntry>> + '_ {
        let records = self.larder.store().known_records(AUDIT);
        records
            .flat_map(|found| {
                let entries = found.and_then(|(key, record)| {
                    read::<AuditRecord>(&key, &record).map(|record| record.entries)
                });
                match entries {
                    Ok(entries) => entries.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                }
            })
            .filter(move |entry| {
                !entry.as_ref().is_ok_and(|entry| since.is_some_and(|since| entry.at < since))
            })
    }

    /// Returns entries of the audit log, newest first, from the record before `before` on: whole records, until there are `limit`
    /// entries. Also returns the record to continue before, if there are older ones.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Corrupt`].
    pub fn audit_before(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<AuditEntry>, Option<u64>)> {
        let store = self.larder.store();
        let mut end = match before {
            Some(before) => before.max(1),
            None => {
                let key = head_key()?;
                let head = store.get_record(&key)?;
                let head = head.map(|head| read::<AuditHead>(&key, &head)).transpose()?;
                // The newest record may be ahead of the head: its writer died.
                head.map_or(1, |head| head.last + 2)
            }
        };
        let mut entries = Vec::new();
        while end > 1 && entries.len() < limit {
            let start = end.saturating_sub(AT_ONCE).max(1);
            let keys = (start..end).map(audit_key).collect::<Result<Vec<_>>>()?;
            for (key, found) in keys.iter().zip(store.get_records(&keys)?).rev() {
                if entries.len() >= limit {
                    break;
                }
                end -= 1;
                if let Some(found) = found {
                    entries.extend(read::<AuditRecord>(key, &found)?.entries.into_iter().rev());
                }
            }
        }
        Ok((entries, (end > 1).then_some(end)))
    }

    /// Checks that no record of the audit log was changed or removed.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn verify_audit(&self) -> Result<AuditReport> {
        let store = self.larder.store();
        let mut report = AuditReport::default();
        let mut previous: Option<Digest> = None;
        let mut expected = 1;
        let fault = |report: &mut AuditReport, record, text: &str| {
            report.faults.push(AuditFault { record, fault: text.into() });
        };
        for found in store.known_records(AUDIT) {
            let (key, found) = found?;
            let number = number_in(&key).unwrap_or_default();
            if number != expected {
                for missing in expected..number {
                    fault(&mut report, missing, "it is missing");
                }
            }
            match read::<AuditRecord>(&key, &found) {
                Ok(record) if record.previous == previous || number != expected => {
                    report.records += 1;
                    report.entries += record.entries.len() as u64;
                }
                Ok(_) => fault(&mut report, number, "the record before it was changed"),
                Err(error) => fault(&mut report, number, &error.to_string()),
            }
            previous = Some(Digest::of(&found.value));
            expected = number + 1;
        }
        let head_key = head_key()?;
        let head = store.get_record(&head_key)?.map(|found| read::<AuditHead>(&head_key, &found));
        match head.transpose()? {
            None if expected > 1 => {
                fault(&mut report, expected - 1, "the head of the log is missing")
            }
            // A writer that died may have left one record that the head does not count yet.
            Some(head) if head.last + 1 < expected - 1 => {
                fault(&mut report, head.last + 1, "the head of the log does not count it");
            }
            Some(head) if head.last >= expected => {
                for missing in expected..=head.last {
                    fault(&mut report, missing, "it is missing");
                }
            }
            Some(head) if head.last == expected - 1 && Some(head.digest) != previous => {
                fault(&mut report, head.last, "it was changed");
            }
            _ => {}
        }
        Ok(report)
    }
}
