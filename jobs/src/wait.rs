//! Waiting for jobs.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use larder_core::store::{ItemKind, JobStatus, RecordKey, Revision, StoreExt};
use larder_core::versions::JobId;
use larder_core::{Applied, BoxError, Error, Reference, Result, Selector, VersionInfo};

use crate::create::Fired;
use crate::history::JobInfo;
use crate::items::RegistryJobs;
use crate::job_queue::{Delivery, JobQueue};
use crate::jobs::Jobs;
use crate::readiness::Readiness;
use crate::record::{job_id_of, job_key, version_jobs_prefix};
use crate::table::TriggerTable;
use crate::worker::Worker;
use crate::worker_loop::WorkerLoop;

/// The jobs to wait for: all jobs of a version or of a fired event, or one job by id.
#[derive(Debug, Clone)]
pub struct WaitTarget(Target);

#[derive(Debug, Clone)]
enum Target {
    /// The `apply` jobs and the unfinished jobs of a version and of the versions it refers to.
    Version(Box<VersionInfo>),
    Jobs(Vec<JobId>),
}

impl From<&Applied> for WaitTarget {
    /// The jobs of the version and of the versions it refers to, even if it was unchanged.
    fn from(applied: &Applied) -> Self {
        applied.version().into()
    }
}

impl From<&VersionInfo> for WaitTarget {
    fn from(version: &VersionInfo) -> Self {
        Self(Target::Version(Box::new(version.clone())))
    }
}

impl From<&Fired> for WaitTarget {
    fn from(fired: &Fired) -> Self {
        Self(Target::Jobs(fired.jobs.clone()))
    }
}

impl From<&JobId> for WaitTarget {
    fn from(id: &JobId) -> Self {
        Self(Target::Jobs(vec![id.clone()]))
    }
}

impl From<Vec<JobId>> for WaitTarget {
    fn from(ids: Vec<JobId>) -> Self {
        Self(Target::Jobs(ids))
    }
}

impl Jobs {
    /// Runs jobs here unless another worker has claimed them, and waits until all have finished.
    ///
    /// `target` is the result of [`Larder::apply`](larder_core::Larder::apply) or [`fire`](Jobs::fire), a version, or job
    /// ids. For a version, waits for the `apply` jobs and the unfinished jobs of it and of the versions it refers to. Jobs
    /// of a process that died run here once their leases expire.
    ///
    /// Returns the jobs, dependencies first, if all succeeded or were skipped.
    ///
    /// # Errors
    /// [`Error::Job`] for the first job that failed or was cancelled; [`Error::NotLinked`] for a type that is not linked in;
    /// [`Error::NotFound`]; [`Error::Store`].
    pub fn wait(
        &self,
        target: impl TryInto<WaitTarget, Error: Into<Error>>,
    ) -> Result<Vec<JobInfo>> {
        self.wait_for(&self.jobs_of(target.try_into().map_err(Into::into)?)?, None)
    }

    /// Waits as [`wait`](Jobs::wait) does, and passes the status of all jobs to `observer`: at the start and on changes, at
    /// most twice a second.
    ///
    /// ```
    /// # use larder_core::{Component, ComponentType, Registry};
    /// # use larder_jobs::LarderJobs;
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct Limit(f64);
    /// # #[typetag::serde(name = "doc/limit")]
    /// # impl Component for Limit {}
    /// # impl ComponentType for Limit { const TAG: &'static str = "doc/limit"; }
    /// let larder = Registry::linked()?.open("memory:")?;
    /// let applied = larder.apply("wine/limit", &Limit(0.7))?;
    /// larder.jobs().wait_with(&applied, |jobs| {
    ///     let finished = jobs.iter().filter(|job| job.status.is_over()).count();
    ///     eprint!("\r{finished} of {} jobs", jobs.len());
    /// })?;
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`wait`](Jobs::wait).
    pub fn wait_with(
        &self,
        target: impl TryInto<WaitTarget, Error: Into<Error>>,
        mut observer: impl FnMut(&[JobInfo]),
    ) -> Result<Vec<JobInfo>> {
        self.wait_for(&self.jobs_of(target.try_into().map_err(Into::into)?)?, Some(&mut observer))
    }

    fn wait_for(&self, ids: &[JobId], observer: Option<&mut Observer<'_>>) -> Result<Vec<JobInfo>> {
        let queue = Arc::new(FixedQueue::new(ids));
        let worker = Worker::of(self).without_schedules().queue(queue.clone());
        let monitor = observer.map(|observer| Monitor::new(ids, observer)).transpose()?;
        let monitor = RefCell::new(monitor);
        WorkerLoop::new(&worker).run_until(|worker| {
            if let Some(monitor) = &mut *monitor.borrow_mut() {
                monitor.poll(self)?;
            }
            Ok(worker.is_idle() && queue.is_finished(self)?)
        })?;
        check_succeeded(ids.iter().map(|id| self.get(id)).collect::<Result<_>>()?)
    }

    /// Returns the ids of the jobs to wait for.
    pub(crate) fn jobs_of(&self, WaitTarget(target): WaitTarget) -> Result<Vec<JobId>> {
        let version = match target {
            Target::Jobs(ids) => return Ok(ids),
            Target::Version(version) => version,
        };
        let mut versions = vec![(version.identifier, version.version)];
        let mut seen: HashSet<_> = versions.iter().cloned().collect();
        let mut ids = Vec::new();
        let mut at = 0;
        while let Some((name, number)) = versions.get(at).cloned() {
            at += 1;
            for found in self.store().known_records(version_jobs_prefix(&name, number)) {
                let (key, found) = found?;
                let job = self.job_info(job_id_of(&key)?, &key, &found)?;
                if job.event == "apply" || !job.status.is_over() {
                    ids.push(job.id);
                }
            }
            let uses = match self.larder().uses(Reference::new(name, Selector::Version(number))) {
                // The version was removed; its jobs are left.
                Err(Error::NotFound { .. }) => Vec::new(),
                uses => uses?,
            };
            let used = uses.into_iter().filter_map(|used| Some((used.name, used.version?)));
            let used: Vec<_> = used.filter(|used| seen.insert(used.clone())).collect();
            versions.extend(used);
        }
        Ok(ids)
    }
}

/// Minimum time between two polls; jobs write their output at the same interval.
const POLL_INTERVAL: Duration = crate::running::OUTPUT_INTERVAL;

type Observer<'a> = dyn FnMut(&[JobInfo]) + 'a;

/// Polls the status of jobs and passes changes to an observer.
struct Monitor<'a> {
    ids: &'a [JobId],
    keys: Vec<RecordKey>,
    observer: &'a mut Observer<'a>,
    last: Option<(Instant, Vec<Option<Revision>>)>,
}

impl<'a> Monitor<'a> {
    fn new(ids: &'a [JobId], observer: &'a mut Observer<'a>) -> Result<Self> {
        let keys = ids.iter().map(job_key).collect::<Result<_>>()?;
        Ok(Self { ids, keys, observer, last: None })
    }

    /// Passes changes to the observer, unless the last poll was too recent.
    fn poll(&mut self, jobs: &Jobs) -> Result<()> {
        if self.last.as_ref().is_some_and(|(then, _)| then.elapsed() < POLL_INTERVAL) {
            return Ok(());
        }
        let found = jobs.store().get_records(&self.keys)?;
        let revisions: Vec<_> =
            found.iter().map(|found| Some(found.as_ref()?.revision.clone())).collect();
        if self.last.as_ref().is_none_or(|(_, last)| *last != revisions) {
            let all = self.ids.iter().zip(&self.keys).zip(&found);
            // Missing and damaged jobs are reported by `FixedQueue::is_finished`.
            let infos: Vec<_> = all
                .filter_map(|((id, key), found)| {
                    jobs.job_info(id.clone(), key, found.as_ref()?).ok()
                })
                .collect();
            (self.observer)(&infos);
        }
        self.last = Some((Instant::now(), revisions));
        Ok(())
    }
}

/// Returns the jobs if all succeeded or were skipped.
pub(crate) fn check_succeeded(jobs: Vec<JobInfo>) -> Result<Vec<JobInfo>> {
    // A blocked job is the result of another failure, so that one is reported.
    let find = |statuses: &[JobStatus]| jobs.iter().find(|job| statuses.contains(&job.status));
    let failed =
        find(&[JobStatus::Failed, JobStatus::Cancelled]).or_else(|| find(&[JobStatus::Blocked]));
    match failed {
        Some(job) => Err(Error::Job {
            job: job.id.to_string(),
            trigger: job.trigger.clone(),
            status: job.status,
            source: recorded_error(&job.error),
        }),
        None => Ok(jobs),
    }
}

/// Rebuilds an error from the causes in a record.
fn recorded_error(causes: &[String]) -> BoxError {
    #[derive(Debug, thiserror::Error)]
    #[error("{message}")]
    struct RecordedError {
        message: String,
        source: Option<BoxError>,
    }
    let chain = causes.iter().rev().fold(None, |source, message| {
        Some(RecordedError { message: message.clone(), source }.into())
    });
    chain.unwrap_or_else(|| "no cause was recorded".into())
}

/// A queue of a fixed set of jobs.
#[derive(Debug)]
struct FixedQueue {
    unfinished: Mutex<Vec<JobId>>,
    /// True if a job has ended here since the last wait.
    has_ended: Mutex<bool>,
    ended: Condvar,
}

impl FixedQueue {
    fn new(ids: &[JobId]) -> Self {
        let (has_ended, ended) = (Mutex::default(), Condvar::new());
        Self { unfinished: Mutex::new(ids.to_vec()), has_ended, ended }
    }

    /// Waits until a job ends here, or up to `timeout`.
    fn wait_for_end(&self, timeout: Duration) {
        let has_ended = self.has_ended.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ended.wait_timeout_while(has_ended, timeout, |has_ended| !*has_ended);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    fn unfinished(&self) -> MutexGuard<'_, Vec<JobId>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` once all jobs have finished.
    fn is_finished(&self, jobs: &Jobs) -> Result<bool> {
        let ids = self.unfinished().clone();
        let mut unfinished = Vec::new();
        for inspected in jobs.inspect(&ids)? {
            match inspected.readiness {
                Readiness::Finished => {}
                Readiness::Missing => return Err(jobs.no_such_job(&inspected.id)),
                Readiness::Damaged(error) => return Err(error),
                Readiness::NotLinked => {
                    let (_, job) = inspected
                        .found
                        .as_ref()
                        .ok_or(Error::Conflict { what: inspected.id.to_string() })?;
                    let tag = job.type_tag.as_str();
                    let needed_by = format!("the job {}", inspected.id);
                    let registry = jobs.registry();
                    registry.find_type(tag, &needed_by, None)?;
                    let entries = registry.triggers_of(tag).map_or(&[][..], TriggerTable::entries);
                    return Err(Error::NotLinked {
                        kind: ItemKind::Trigger,
                        name: job.trigger.clone(),
                        needed_by,
                        hint: format!("the linked type `{tag}` has no such trigger"),
                        has_source: false,
                        known: entries.iter().map(|entry| entry.name().to_owned()).collect(),
                    });
                }
                Readiness::Ready | Readiness::Wait(_) | Readiness::End(..) => {
                    unfinished.push(inspected.id);
                }
            }
        }
        let is_finished = unfinished.is_empty();
        *self.unfinished() = unfinished;
        Ok(is_finished)
    }
}

impl JobQueue for FixedQueue {
    /// Ends a wait: the set stays as it is.
    fn submit(&self, _jobs: &[JobId]) -> Result<()> {
        *self.has_ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ended.notify_all();
        Ok(())
    }

    fn next(&self, jobs: &Jobs, limit: usize, timeout: Duration) -> Result<Vec<Delivery>> {
        let ids = self.unfinished().clone();
        let runnable = jobs
            .inspect(&ids)?
            .into_iter()
            .filter(|job| matches!(job.readiness, Readiness::Ready | Readiness::End(..)));
        let deliveries: Vec<_> =
            runnable.take(limit).map(|job| Delivery { job: job.id, receipt: None }).collect();
        if deliveries.is_empty() {
            self.wait_for_end(timeout.min(Duration::from_millis(200)));
        }
        Ok(deliveries)
    }

    fn polls_store(&self) -> bool {
        true
    }
}
