//! Firing due schedules.

use larder_core::record::VersionRecord;
use larder_core::store::{Outcome, StoreExt, Timestamp};
use larder_core::versions::JobId;
use larder_core::{Error, Identifier, Result};

use crate::create::NewJobs;
use crate::cron::Schedule;
use crate::event::Event;
use crate::items::RegistryJobs;
use crate::jobs::Jobs;
use crate::record::{CRON, CronRecord, cron_key, cron_name_of, job_key};
use crate::run_id::run_at;

/// The due jobs of a name.
#[derive(Default)]
struct DueJobs {
    /// The jobs that were created.
    ids: Vec<JobId>,
    /// All jobs of the due times.
    runs: Vec<NewJobs>,
}

impl Jobs {
    /// Creates the jobs of all due schedules and returns them. A [`Worker`](crate::Worker) calls this every second.
    ///
    /// Each time is fired once, for the newest version of a name. Of the times missed while no worker ran, only the last
    /// is fired. Names whose type is not linked in are skipped.
    ///
    /// # Errors
    /// [`Error::Store`]. Damaged records are skipped.
    pub fn fire_due(&self) -> Result<Vec<JobId>> {
        let mut jobs = Vec::new();
        for found in self.store().known_records(CRON) {
            let (key, _) = found?;
            match cron_name_of(&key).and_then(|name| self.fire_schedules_of(&name)) {
                Ok(fired) => jobs.extend(fired),
                Err(error @ Error::Store { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(jobs)
    }

    fn fire_schedules_of(&self, name: &Identifier) -> Result<Vec<JobId>> {
        let key = cron_key(name)?;
        let fired = self.transact(&key, |tx| {
            let Some(cron) = tx.read::<CronRecord>(&key)? else {
                return Ok(Outcome::Done(DueJobs::default()));
            };
            let Some(version) = self.head(name)?.and_then(|head| head.latest) else {
                // The next apply starts it again.
                tx.remove(key.clone())?;
                return Ok(Outcome::Commit(DueJobs::default()));
            };
            let now = self.now();
            let due = self.due(&version, cron.fired, now);
            if due.is_empty() {
                return Ok(Outcome::Done(DueJobs::default()));
            }
            let mut fired = DueJobs::default();
            for (event, time) in due {
                // Concurrent workers derive the same ids, so a duplicate is refused.
                let run = run_at(time, &format!("{name} {event}"));
                let jobs = self.jobs_of_run(&event, name, &version, None, &run)?;
                let keys = jobs.ids.iter().map(job_key).collect::<Result<Vec<_>>>()?;
                let existing = tx.get_all(&keys)?;
                // Two changes per job; a worker that crashed may have created some of them.
                for ((pair, id), existing) in jobs.changes.chunks(2).zip(&jobs.ids).zip(existing) {
                    if existing.is_none() {
                        tx.extend(pair.iter().cloned());
                        fired.ids.push(id.clone());
                    }
                }
                fired.runs.push(jobs);
            }
            tx.put(key.clone(), &CronRecord::new(now))?;
            Ok(Outcome::Commit(fired))
        })?;
        fired.runs.iter().for_each(|jobs| self.submit(jobs));
        Ok(fired.ids)
    }

    /// Returns the due schedules of a version, each with its last time.
    fn due(
        &self,
        version: &VersionRecord,
        after: Timestamp,
        now: Timestamp,
    ) -> Vec<(Event, Timestamp)> {
        let Some(table) = self.registry().triggers_of(version.type_tag.as_str()) else {
            return Vec::new();
        };
        let last = |schedule: &Schedule| {
            let last = schedule.last(after.as_system_time(), now.as_system_time())?;
            Some((Event::Cron(schedule.clone()), Timestamp::new(last)))
        };
        table.schedules().into_iter().filter_map(last).collect()
    }
}
