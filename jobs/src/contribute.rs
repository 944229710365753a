//! Jobs for the commits of other crates.

use std::collections::BTreeMap;
use std::sync::Arc;

use larder_core::extend::Contribution;
use larder_core::record::{self, VersionRecord};
use larder_core::store::{Change, JobStatus, StoreExt};
use larder_core::{Error, Identifier, Reference, Result};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::create::NewJobs;
use crate::event::Event;
use crate::items::RegistryJobs;
use crate::jobs::Jobs;
use crate::record::{JobRecord, QUEUE, QueueRecord, job_key};
use crate::run_id::new_run;
use crate::table::TriggerEntry;

/// Maximum number of unfinished jobs among which one that waits is looked for.
const MAX_SCAN: usize = 256;

/// A trigger by name, for programs that do not link its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerName {
    /// The name.
    pub name: String,
    /// The triggers on the same event that must succeed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
}

impl From<&TriggerEntry> for TriggerName {
    fn from(entry: &TriggerEntry) -> Self {
        Self { name: entry.name().to_owned(), depends_on: entry.depends_on().to_vec() }
    }
}

impl Jobs {
    /// Returns the triggers of a version that run on a custom event.
    ///
    /// # Errors
    /// As [`fire`](Jobs::fire).
    pub fn triggers_on(&self, reference: &Reference, event: &Event) -> Result<Vec<TriggerName>> {
        let version = self.find(reference)?;
        self.check_event(reference.identifier(), &version, event)?;
        let table = self.registry().triggers_of(version.type_tag.as_str());
        Ok(table.into_iter().flat_map(|table| table.on(event)).map(Into::into).collect())
    }

    /// Returns the jobs of a custom event with a payload for a commit, unless jobs of it whose payload `is_same` accepts
    /// are all still to begin. `known` are the triggers, if the type is not linked in.
    ///
    /// # Errors
    /// As [`contribute_once`](Jobs::contribute_once).
    pub fn contribute_with(
        &self,
        event: &Event,
        name: &Identifier,
        version: &VersionRecord,
        payload: &impl Serialize,
        is_same: impl Fn(&str) -> bool,
        known: &[TriggerName],
    ) -> Result<Contribution> {
        let triggers: Vec<TriggerName> =
            match self.registry().triggers_of(version.type_tag.as_str()) {
                Some(table) => table.on(event).map(Into::into).collect(),
                None => known.to_vec(),
            };
        let mut waiting: BTreeMap<String, Change> = BTreeMap::new();
        let text = event.to_string();
        self.each_waiting(name, version, |job, unchanged| {
            let is_like = job.event == text
                && job.depends_on.is_empty()
                && job.payload.as_deref().is_some_and(|it| is_same(it.get()));
            if is_like {
                waiting.insert(job.trigger, unchanged);
            }
            true
        })?;
        let mut roots = triggers.iter().filter(|it| it.depends_on.is_empty());
        if roots.all(|it| waiting.contains_key(&it.name)) {
            return Ok(Contribution::new(waiting.into_values().collect()));
        }
        let payload: Box<RawValue> = serde_json::value::to_raw_value(payload)
            .map_err(|error| Error::internal(format!("the payload of `{event}`: {error}")))?;
        let run = new_run(self.now());
        let jobs = self.jobs_of_triggers(&triggers, event, name, version, Some(&*payload), &run)?;
        Ok(self.contribution(jobs))
    }

    fn contribution(&self, jobs: NewJobs) -> Contribution {
        let (first, queue) = (jobs.first, Arc::clone(self.queue()));
        Contribution::new(jobs.changes).then(move || {
            if !first.is_empty() {
                // Best effort: workers find unsubmitted jobs in the store.
                let _ = queue.submit(&first);
            }
        })
    }

    /// Returns the jobs of an event of a version for a commit, unless one of the version's jobs is still to begin: it
    /// will read what the commit writes.
    ///
    /// For participants of commits whose components listen to something else than their own versions.
    ///
    /// # Errors
    /// [`Error::Corrupt`](larder_core::Error::Corrupt); [`Error::Store`](larder_core::Error::Store).
    pub fn contribute_once(
        &self,
        event: &Event,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<Contribution> {
        let mut found = None;
        self.each_waiting(name, version, |job, unchanged| {
            // One with a payload does more than to read what is there.
            if job.payload.is_none() {
                found = Some(unchanged);
            }
            found.is_none()
        })?;
        if let Some(unchanged) = found {
            // A worker that claims the job meanwhile makes the commit try again.
            return Ok(Contribution::new(vec![unchanged]));
        }
        Ok(self.contribution(self.jobs_on(event, name, version)?))
    }

    /// Passes the jobs of a version that have not begun to `visit`, each with the condition that it stays so, until it
    /// returns `false`.
    fn each_waiting(
        &self,
        name: &Identifier,
        version: &VersionRecord,
        mut visit: impl FnMut(JobRecord, Change) -> bool,
    ) -> Result<()> {
        for found in self.store().known_records(QUEUE.to_owned()).take(MAX_SCAN) {
            let (key, found) = found?;
            let entry: QueueRecord = record::read(&key, &found)?;
            if entry.job.name() != name || entry.job.version() != version.version {
                continue;
            }
            let key = job_key(&entry.job)?;
            let Some(found) = self.store().get_record(&key)? else { continue };
            let job: JobRecord = record::read(&key, &found)?;
            let has_begun = job.status != JobStatus::Pending || job.failures > 0;
            if !has_begun && !visit(job, record::unchanged(key, Some(&found))) {
                break;
            }
        }
        Ok(())
    }
}
