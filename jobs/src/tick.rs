//! Schedules: firing what is due.

use crate::create::NewJobs;
use crate::jobs::Jobs;
use crate::record::{CRON, CronRecord, cron_in, cron_key, job_key};
use crate::run::run_at;
use crate::table::Event;
use larder_core::record::VersionRecord;
use larder_core::store::Timestamp;
use larder_core::store::{Outcome, StoreExt};
use larder_core::versions::JobId;
use larder_core::{Error, Identifier, Result};

/// What a name's schedules fired.
#[derive(Default)]
struct Fired {
    /// The jobs that were written.
    ids: Vec<JobId>,
    /// All jobs of the times that were due.
    runs: Vec<NewJobs>,
}

impl Jobs {
    /// Makes the jobs of all schedules that are due, and gives them. A [`Worker`](crate::Worker) does it each second.
    ///
    /// A time is fired once, by whichever worker is first. Of the times that went by while no worker was there, the last one
    /// is fired. The newest version of a name is meant. Names whose type is not linked in are left to others.
    ///
    /// # Errors
    /// [`Error::Store`]. What is damaged keeps nobody from the others.
    pub fn fire_due(&self) -> Result<Vec<JobId>> {
        let mut jobs = Vec::new();
        for found in self.store().records(CRON) {
            let (key, _) = found?;
            match cron_in(&key).and_then(|name| self.fire_schedules_of(&name)) {
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
                return Ok(Outcome::Done(Fired::default()));
            };
            let Some(version) = self.head(name)?.and_then(|head| head.latest) else {
                // The next apply begins anew.
                tx.remove(key.clone())?;
                return Ok(Outcome::Commit(Fired::default()));
            };
            let now = self.now();
            let due = self.due(&version, cron.fired, now);
            if due.is_empty() {
                return Ok(Outcome::Done(Fired::default()));
            }
            let mut fired = Fired::default();
            for (event, time) in due {
                // Two workers make the same ids, so that of two jobs for one time one is refused.
                let run = run_at(time, &format!("{name} {event}"));
                let jobs = self.jobs_of_run(&event, name, &version, None, &run)?;
                let keys = jobs.ids.iter().map(job_key).collect::<Result<Vec<_>>>()?;
                let there = tx.get_all(&keys)?;
                // A line and a job for each; those that a worker made before it died are there.
                for ((pair, id), there) in jobs.changes.chunks(2).zip(&jobs.ids).zip(there) {
                    if there.is_none() {
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

    /// The schedules of a version that are due, each with the last of its times.
    fn due(
        &self,
        version: &VersionRecord,
        after: Timestamp,
        now: Timestamp,
    ) -> Vec<(Event, Timestamp)> {
        let Some(table) = self.triggers_of(version.type_tag.as_str()) else {
            return Vec::new();
        };
        let last = |schedule: &crate::Schedule| {
            let last = schedule.last(after.as_system_time(), now.as_system_time())?;
            Some((Event::Cron(schedule.clone()), Timestamp::new(last)))
        };
        table.schedules().into_iter().filter_map(last).collect()
    }
}
