//! Creating the jobs of an event.

use std::collections::BTreeMap;

use larder_core::record::{self, VersionRecord};
use larder_core::store::{Change, Corruption, EventName, Expected, Outcome, StoreExt};
use larder_core::versions::JobId;
use larder_core::{Error, Identifier, Reference, Result, VersionInfo};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::MAX_OUTPUT;
use crate::contribute::TriggerName;
use crate::event::Event;
use crate::items::RegistryJobs;
use crate::jobs::Jobs;
use crate::record::{CronRecord, JobRecord, QueueRecord, cron_key, job_key, queue_key};
use crate::run_id::{job_id_in_run, new_run};

/// The result of [`Jobs::fire`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fired {
    /// The version of the event.
    #[serde(flatten)]
    pub version: VersionInfo,
    /// The event.
    pub event: EventName,
    /// The created jobs, dependencies first.
    pub jobs: Vec<JobId>,
}

/// Jobs to commit.
#[derive(Default)]
pub(crate) struct NewJobs {
    pub(crate) changes: Vec<Change>,
    pub(crate) ids: Vec<JobId>,
    /// The jobs without dependencies.
    pub(crate) first: Vec<JobId>,
}

impl Jobs {
    /// Fires a custom event on a version. Its triggers read `payload` by
    /// [`JobContext::payload`](crate::JobContext::payload).
    ///
    /// Creates jobs without running them: [`wait`](Jobs::wait) runs them here, a [`Worker`](crate::Worker) anywhere.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NotLinked`] if the type is not linked in; [`Error::Refused`] if none of its triggers
    /// runs on the event; [`Error::Encode`] for a payload that JSON cannot hold; [`Error::Conflict`]; [`Error::Store`].
    pub fn fire(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
        event: impl TryInto<EventName, Error: Into<Error>>,
        payload: impl Serialize,
    ) -> Result<Fired> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let event: EventName = event.try_into().map_err(Into::into)?;
        let payload = serde_json::value::to_raw_value(&payload).map_err(|error| Error::Encode {
            what: format!("the payload of the event `{event}`"),
            source: error.into(),
        })?;
        if payload.get().len() > MAX_OUTPUT {
            return Err(Error::Refused {
                action: format!("fire the event `{event}`"),
                reason: format!(
                    "its payload has {} bytes, more than {MAX_OUTPUT}; apply large values, and send a reference",
                    payload.get().len()
                ),
            });
        }
        let payload = (payload.get() != "null").then_some(payload);
        let name = reference.identifier();
        let (version, jobs) = self.transact(&reference, |tx| {
            let version = self.find(&reference)?;
            let custom = Event::Custom(event.clone());
            self.check_event(name, &version, &custom)?;
            let key = record::version_key(name, version.version)?;
            let Some(stored) = tx.read::<VersionRecord>(&key)? else {
                return Err(Error::corrupt(format!("the record {key}"), Corruption::Missing));
            };
            if stored.removed.is_some() {
                return Ok(Outcome::Retry);
            }
            let run = new_run(self.now());
            let jobs = self.jobs_of_run(&custom, name, &version, payload.as_deref(), &run)?;
            // Conflicts with a concurrent removal of the version.
            tx.require(key)?;
            tx.extend(jobs.changes.iter().cloned());
            Ok(Outcome::Commit((VersionInfo::new(name, &version), jobs)))
        })?;
        self.submit(&jobs);
        Ok(Fired { version, event, jobs: jobs.ids })
    }

    /// Refuses an event on which no trigger runs.
    pub(crate) fn check_event(
        &self,
        name: &Identifier,
        version: &VersionRecord,
        event: &Event,
    ) -> Result<()> {
        let what = format!("{name}@{}", version.version.get());
        let tag = version.type_tag.as_str();
        self.registry().find_type(tag, &what, version.origin.as_deref())?;
        let known: Vec<String> = match self.registry().triggers_of(tag) {
            Some(table) if table.on(event).next().is_some() => return Ok(()),
            Some(table) => {
                let events = table.entries().iter().flat_map(|entry| entry.events());
                let mut known: Vec<_> =
                    events.filter(|event| matches!(event, Event::Custom(_))).collect();
                known.dedup();
                known.iter().map(|event| format!("`{event}`")).collect()
            }
            None => Vec::new(),
        };
        let available = match &*known {
            [] => "it has no triggers on custom events".to_owned(),
            known => format!("its triggers run on {}", known.join(", ")),
        };
        Err(Error::Refused {
            action: format!("fire the event `{event}` for {what}"),
            reason: format!("no trigger of the type `{tag}` runs on it; {available}"),
        })
    }

    /// Returns the jobs of an event, for the commit in which it happens.
    pub(crate) fn jobs_on(
        &self,
        event: &Event,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<NewJobs> {
        let mut jobs = self.jobs_of_run(event, name, version, None, &new_run(self.now()))?;
        if *event == Event::Apply {
            jobs.changes.extend(self.begin_schedules(name, version)?);
        }
        Ok(jobs)
    }

    /// Returns the jobs of an event, with `run` as the prefix of their ids.
    pub(crate) fn jobs_of_run(
        &self,
        event: &Event,
        name: &Identifier,
        version: &VersionRecord,
        payload: Option<&RawValue>,
        run: &str,
    ) -> Result<NewJobs> {
        let table = self.registry().triggers_of(version.type_tag.as_str());
        let triggers = table.into_iter().flat_map(|table| table.on(event));
        let triggers: Vec<TriggerName> = triggers.map(Into::into).collect();
        self.jobs_of_triggers(&triggers, event, name, version, payload, run)
    }

    /// Returns the jobs of triggers that run on an event, dependencies first.
    pub(crate) fn jobs_of_triggers(
        &self,
        triggers: &[TriggerName],
        event: &Event,
        name: &Identifier,
        version: &VersionRecord,
        payload: Option<&RawValue>,
        run: &str,
    ) -> Result<NewJobs> {
        let mut jobs = NewJobs::default();
        let now = self.now();
        let places: BTreeMap<&str, usize> =
            triggers.iter().enumerate().map(|(place, it)| (&*it.name, place)).collect();
        for (place, trigger) in triggers.iter().enumerate() {
            let id = JobId::new(name, version.version, &job_id_in_run(run, place))?;
            let mut job = JobRecord::new(
                version.type_tag.clone(),
                version.manifest,
                trigger.name.clone(),
                event.to_string(),
                now,
            );
            job.payload = payload.map(ToOwned::to_owned);
            let needed = trigger.depends_on.iter().filter_map(|needed| {
                Some((needed.clone(), job_id_in_run(run, *places.get(needed.as_str())?)))
            });
            job.depends_on = needed.collect();
            if job.depends_on.is_empty() {
                jobs.first.push(id.clone());
            }
            let entry_record = QueueRecord::new(id.clone(), now);
            jobs.changes.push(record::put(queue_key(&id)?, &entry_record, Expected::Anything)?);
            jobs.changes.push(record::put(job_key(&id)?, &job, Expected::Absent)?);
            jobs.ids.push(id);
        }
        Ok(jobs)
    }

    /// Starts evaluating the schedules of a name from now on, unless it has begun.
    fn begin_schedules(
        &self,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<Option<Change>> {
        let table = self.registry().triggers_of(version.type_tag.as_str());
        if table.is_none_or(|table| table.schedules().is_empty()) {
            return Ok(None);
        }
        let key = cron_key(name)?;
        match self.store().get_record(&key)? {
            Some(_) => Ok(None),
            // Concurrent writers write the same record.
            None => record::put(key, &CronRecord::new(self.now()), Expected::Anything).map(Some),
        }
    }

    /// Submits committed jobs to the queue.
    pub(crate) fn submit(&self, jobs: &NewJobs) {
        if !jobs.first.is_empty() {
            // Best effort: workers find unsubmitted jobs in the store.
            let _ = self.queue().submit(&jobs.first);
        }
    }
}
