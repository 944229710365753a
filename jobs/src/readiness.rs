//! Deciding whether a job may run now.

use std::collections::HashMap;

use larder_core::record::{self, VersionRecord};
use larder_core::store::{JobStatus, Record, RecordKey, Timestamp, VersionNumber};
use larder_core::versions::JobId;
use larder_core::{Error, Identifier, Registry, Result};

use crate::items::RegistryJobs;
use crate::jobs::Jobs;
use crate::record::{JobRecord, job_key};
use crate::{MAX_LOSSES, SKEW};

/// A job and its readiness.
pub(crate) struct InspectedJob {
    pub(crate) id: JobId,
    pub(crate) found: Option<(Record, JobRecord)>,
    pub(crate) readiness: Readiness,
}

/// The readiness of a job.
pub(crate) enum Readiness {
    /// The job may be claimed.
    Ready,
    /// Not ready, until the given time if known.
    Wait(Option<Timestamp>),
    /// The job must finish with this status, without running.
    End(JobStatus, String),
    /// Already finished.
    Finished,
    /// The job does not exist.
    Missing,
    /// The record, or one that it depends on, is damaged.
    Damaged(Error),
    /// The type or trigger is not linked in.
    NotLinked,
}

impl Jobs {
    /// Determines the readiness of jobs, with two reads of the store.
    pub(crate) fn inspect(&self, ids: &[JobId]) -> Result<Vec<InspectedJob>> {
        let keys: Vec<_> = ids.iter().map(job_key).collect::<Result<_>>()?;
        let found = self.store().get_records(&keys)?;
        let mut inspected = Vec::with_capacity(ids.len());
        for ((id, key), found) in ids.iter().zip(&keys).zip(found) {
            let id = id.clone();
            inspected.push(match found.map(|found| Ok((record::read(key, &found)?, found))) {
                None => InspectedJob { id, found: None, readiness: Readiness::Missing },
                Some(Err(error)) => {
                    InspectedJob { id, found: None, readiness: Readiness::Damaged(error) }
                }
                Some(Ok((job, found))) => {
                    InspectedJob { id, found: Some((found, job)), readiness: Readiness::Finished }
                }
            });
        }
        let dependencies = Dependencies::of(self, &inspected)?;
        for inspected in &mut inspected {
            if let Some((_, job)) = &inspected.found {
                let registry = self.registry();
                inspected.readiness = match dependencies.readiness(registry, &inspected.id, job) {
                    Ok(readiness) => readiness,
                    Err(error) => Readiness::Damaged(error),
                };
            }
        }
        Ok(inspected)
    }
}

/// The dependencies and versions of jobs.
struct Dependencies {
    records: HashMap<RecordKey, Option<Record>>,
    now: Timestamp,
}

impl Dependencies {
    fn of(jobs: &Jobs, inspected: &[InspectedJob]) -> Result<Self> {
        let mut keys = Vec::new();
        for InspectedJob { id, found, .. } in inspected {
            let Some((_, job)) = found else { continue };
            if job.status.is_over() {
                continue;
            }
            keys.push(record::version_key(id.name(), id.version())?);
            // Invalid ids are reported by `readiness`.
            let needed = job.depends_on.values().filter_map(|needed| id.sibling(needed).ok());
            keys.extend(needed.filter_map(|needed| job_key(&needed).ok()));
        }
        keys.sort_unstable();
        keys.dedup();
        let found = jobs.store().get_records(&keys)?;
        Ok(Self { records: keys.into_iter().zip(found).collect(), now: jobs.now() })
    }

    fn readiness(&self, registry: &Registry, id: &JobId, job: &JobRecord) -> Result<Readiness> {
        if job.status.is_over() {
            return Ok(Readiness::Finished);
        }
        if job.status == JobStatus::Running
            && let Some(lease) = &job.lease
        {
            let until = Timestamp::new(lease.until.as_system_time() + SKEW);
            if until > self.now {
                return Ok(Readiness::Wait(Some(until)));
            }
        }
        if job.cancel.is_some() {
            return Ok(Readiness::End(JobStatus::Cancelled, "it was cancelled".into()));
        }
        if let Some(reason) = self.version_fault(id.name(), id.version(), job)? {
            return Ok(Readiness::End(JobStatus::Cancelled, reason.into()));
        }
        if job.status == JobStatus::Running && job.losses >= MAX_LOSSES {
            let reason = format!("its worker was lost {} times", job.losses.saturating_add(1));
            return Ok(Readiness::End(JobStatus::Failed, reason));
        }
        let table = registry.triggers_of(job.type_tag.as_str());
        if table.and_then(|table| table.find(&job.trigger)).is_none() {
            return Ok(Readiness::NotLinked);
        }
        if let Some(not_before) = job.not_before.filter(|not_before| *not_before > self.now) {
            return Ok(Readiness::Wait(Some(not_before)));
        }
        self.dependency_readiness(id, job)
    }

    /// Returns the reason why the job's version does not allow it to run.
    fn version_fault(
        &self,
        name: &Identifier,
        number: VersionNumber,
        job: &JobRecord,
    ) -> Result<Option<&'static str>> {
        let key = record::version_key(name, number)?;
        let Some(Some(found)) = self.records.get(&key) else {
            return Ok(Some("its version is missing"));
        };
        let version: VersionRecord = record::read(&key, found)?;
        Ok(match (version.removed, job.event.as_str()) {
            _ if version.manifest != job.manifest => Some("its version was replaced"),
            (None, "remove") => Some("its version was restored"),
            (Some(_), "remove") | (None, _) => None,
            (Some(_), _) => Some("its version was removed"),
        })
    }

    /// Waits for all dependencies, so the result does not depend on their order.
    fn dependency_readiness(&self, id: &JobId, job: &JobRecord) -> Result<Readiness> {
        let (mut blocked, mut skipped) = (None, None);
        for (trigger, needed) in &job.depends_on {
            let key = job_key(&id.sibling(needed)?)?;
            let Some(Some(found)) = self.records.get(&key) else {
                blocked.get_or_insert(format!("its dependency `{trigger}` is missing"));
                continue;
            };
            match record::read::<JobRecord>(&key, found)?.status {
                JobStatus::Succeeded => {}
                JobStatus::Skipped => {
                    skipped.get_or_insert(format!("`{trigger}` was skipped"));
                }
                status if status.is_over() => {
                    let verb = match status {
                        JobStatus::Failed => "failed",
                        JobStatus::Blocked => "was blocked",
                        _ => "was cancelled",
                    };
                    blocked.get_or_insert(format!("`{trigger}` {verb}"));
                }
                _ => return Ok(Readiness::Wait(None)),
            }
        }
        Ok(match (blocked, skipped) {
            (Some(reason), _) => Readiness::End(JobStatus::Blocked, reason),
            (None, Some(reason)) => Readiness::End(JobStatus::Skipped, reason),
            (None, None) => Readiness::Ready,
        })
    }
}
