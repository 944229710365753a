//! Whether a job may run now.

use std::collections::HashMap;

use crate::jobs::Jobs;
use crate::record::{JobRecord, job_key};
use crate::{MOST_LOSSES, SKEW};
use larder_core::record::{self, VersionRecord};
use larder_core::store::{JobStatus, Record, RecordKey};
use larder_core::store::{Timestamp, VersionNumber};
use larder_core::versions::JobId;
use larder_core::{Error, Identifier, Result};

/// A job, and what is to be done with it now.
pub(crate) struct InspectedJob {
    pub(crate) id: JobId,
    pub(crate) found: Option<(Record, JobRecord)>,
    pub(crate) verdict: Verdict,
}

pub(crate) enum Verdict {
    /// It may be claimed.
    Run,
    /// Not yet; perhaps at a time that is known.
    Wait(Option<Timestamp>),
    /// It does not run any more.
    End(JobStatus, String),
    /// It is over.
    Over,
    /// There is no such job.
    Missing,
    /// Its record, or one that it depends on, is damaged.
    Damaged(Error),
    /// Its type, or its trigger, is not linked in.
    NotLinked,
}

impl Jobs {
    /// Looks at jobs, with as few calls of the store as there are kinds of record.
    pub(crate) fn look_at(&self, ids: &[JobId]) -> Result<Vec<InspectedJob>> {
        let keys: Vec<_> = ids.iter().map(job_key).collect::<Result<_>>()?;
        let found = self.store().get_records(&keys)?;
        let mut looked = Vec::with_capacity(ids.len());
        for ((id, key), found) in ids.iter().zip(&keys).zip(found) {
            let id = id.clone();
            looked.push(match found.map(|found| Ok((record::read(key, &found)?, found))) {
                None => InspectedJob { id, found: None, verdict: Verdict::Missing },
                Some(Err(error)) => {
                    InspectedJob { id, found: None, verdict: Verdict::Damaged(error) }
                }
                Some(Ok((job, found))) => {
                    InspectedJob { id, found: Some((found, job)), verdict: Verdict::Over }
                }
            });
        }
        let around = Dependencies::of(self, &looked)?;
        for looked in &mut looked {
            if let Some((_, job)) = &looked.found {
                looked.verdict = match around.judge(self, &looked.id, job) {
                    Ok(verdict) => verdict,
                    Err(error) => Verdict::Damaged(error),
                };
            }
        }
        Ok(looked)
    }
}

/// What jobs depend on: their dependencies, and their versions.
struct Dependencies {
    records: HashMap<RecordKey, Option<Record>>,
    now: Timestamp,
}

impl Dependencies {
    fn of(handle: &Jobs, looked: &[InspectedJob]) -> Result<Self> {
        let mut keys = Vec::new();
        for InspectedJob { id, found, .. } in looked {
            let Some((_, job)) = found else { continue };
            if job.status.is_over() {
                continue;
            }
            keys.push(record::version_key(id.name(), id.version())?);
            // What is damaged is found when it is judged.
            let needed = job.depends_on.values().filter_map(|needed| id.sibling(needed).ok());
            keys.extend(needed.filter_map(|needed| job_key(&needed).ok()));
        }
        keys.sort_unstable();
        keys.dedup();
        let found = handle.store().get_records(&keys)?;
        Ok(Self { records: keys.into_iter().zip(found).collect(), now: handle.now() })
    }

    fn judge(&self, handle: &Jobs, id: &JobId, job: &JobRecord) -> Result<Verdict> {
        if job.status.is_over() {
            return Ok(Verdict::Over);
        }
        if job.status == JobStatus::Running
            && let Some(lease) = &job.lease
        {
            let until = Timestamp::new(lease.until.as_system_time() + SKEW);
            if until > self.now {
                return Ok(Verdict::Wait(Some(until)));
            }
        }
        if job.cancel.is_some() {
            return Ok(Verdict::End(JobStatus::Cancelled, "somebody cancelled it".into()));
        }
        if let Some(reason) = self.fault_of_version(id.name(), id.version(), job)? {
            return Ok(Verdict::End(JobStatus::Cancelled, reason.into()));
        }
        if job.status == JobStatus::Running && job.losses >= MOST_LOSSES {
            let reason = format!("its worker was lost {} times", job.losses.saturating_add(1));
            return Ok(Verdict::End(JobStatus::Failed, reason));
        }
        let table = handle.triggers_of(job.type_tag.as_str());
        if table.and_then(|table| table.find(&job.trigger)).is_none() {
            return Ok(Verdict::NotLinked);
        }
        if let Some(not_before) = job.not_before.filter(|not_before| *not_before > self.now) {
            return Ok(Verdict::Wait(Some(not_before)));
        }
        self.judge_dependencies(id, job)
    }

    /// Why the job's version is not one that it can run for, if it is not.
    fn fault_of_version(
        &self,
        name: &Identifier,
        number: VersionNumber,
        job: &JobRecord,
    ) -> Result<Option<&'static str>> {
        let key = record::version_key(name, number)?;
        let Some(Some(found)) = self.records.get(&key) else {
            return Ok(Some("its version is not there"));
        };
        let version: VersionRecord = record::read(&key, found)?;
        Ok(match (version.removed, job.event.as_str()) {
            _ if version.manifest != job.manifest => Some("its version is another one by now"),
            (None, "remove") => Some("its version was restored"),
            (Some(_), "remove") | (None, _) => None,
            (Some(_), _) => Some("its version was removed"),
        })
    }

    /// All dependencies must be over, so that how it ends does not depend on which of them is faster.
    fn judge_dependencies(&self, id: &JobId, job: &JobRecord) -> Result<Verdict> {
        let (mut blocked, mut skipped) = (None, None);
        for (trigger, needed) in &job.depends_on {
            let key = job_key(&id.sibling(needed)?)?;
            let Some(Some(found)) = self.records.get(&key) else {
                blocked.get_or_insert(format!("`{trigger}`, which it depends on, is not there"));
                continue;
            };
            match record::read::<JobRecord>(&key, found)?.status {
                JobStatus::Succeeded => {}
                JobStatus::Skipped => {
                    skipped.get_or_insert(format!("`{trigger}` was skipped"));
                }
                status if status.is_over() => {
                    let how = match status {
                        JobStatus::Failed => "failed",
                        JobStatus::Blocked => "was blocked",
                        _ => "was cancelled",
                    };
                    blocked.get_or_insert(format!("`{trigger}` {how}"));
                }
                _ => return Ok(Verdict::Wait(None)),
            }
        }
        Ok(match (blocked, skipped) {
            (Some(reason), _) => Verdict::End(JobStatus::Blocked, reason),
            (None, Some(reason)) => Verdict::End(JobStatus::Skipped, reason),
            (None, None) => Verdict::Run,
        })
    }
}
