//! Waiting for jobs.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::create::Fired;
use crate::history::JobInfo;
use crate::jobs::Jobs;
use crate::judge::Verdict;
use crate::queue::{Delivery, JobQueue};
use crate::record::{job_in, job_key, jobs_of_version};
use crate::shift::Shift;
use crate::worker::Worker;
use larder_core::store::ItemKind;
use larder_core::store::{JobStatus, RecordKey, Revision, StoreExt};
use larder_core::versions::JobId;
use larder_core::{Applied, BoxError, Error, Reference, Result, Selector, VersionInfo};

/// Jobs that are waited for.
#[derive(Debug, Clone)]
pub struct WaitTarget(Which);

#[derive(Debug, Clone)]
enum Which {
    /// Those of a version and of what it refers to: all of their apply, and whatever else is not over.
    Version(Box<VersionInfo>),
    These(Vec<JobId>),
}

impl From<&Applied> for WaitTarget {
    /// The jobs of the version, and of what it refers to, whoever applied it.
    fn from(applied: &Applied) -> Self {
        applied.version().into()
    }
}

impl From<&VersionInfo> for WaitTarget {
    fn from(version: &VersionInfo) -> Self {
        Self(Which::Version(Box::new(version.clone())))
    }
}

impl From<&Fired> for WaitTarget {
    fn from(fired: &Fired) -> Self {
        Self(Which::These(fired.jobs.clone()))
    }
}

impl From<&JobId> for WaitTarget {
    fn from(id: &JobId) -> Self {
        Self(Which::These(vec![id.clone()]))
    }
}

impl From<Vec<JobId>> for WaitTarget {
    fn from(ids: Vec<JobId>) -> Self {
        Self(Which::These(ids))
    }
}

impl Jobs {
    /// Runs jobs here, as far as nobody else has them, and waits until all of them are over.
    ///
    /// It is given what made them: what [`apply`](Larder::apply) or [`fire`](Larder::fire) returned, a version, or
    /// their ids. Of a version, and of the versions that it refers to, it waits for the jobs of their apply and for
    /// whatever else of them is not over. If a process that ran some of them died, their leases must be over before they
    /// run here.
    ///
    /// Gives the jobs, of each version dependencies first, if all of them succeeded or were skipped.
    ///
    /// # Errors
    /// [`Error::Job`] for the first that failed, or was cancelled; [`Error::NotLinked`] for one whose type is not linked in;
    /// [`Error::NotFound`]; [`Error::Store`].
    pub fn wait(
        &self,
        awaited: impl TryInto<WaitTarget, Error: Into<Error>>,
    ) -> Result<Vec<JobInfo>> {
        self.wait_for(&self.awaited(awaited.try_into().map_err(Into::into)?)?, None)
    }

    /// Waits as [`wait`](Larder::wait) does, and tells `watch` how far all of the jobs are, at the beginning and
    /// when that changes: twice a second at most, as for a progress bar.
    ///
    /// ```
    /// # use larder_core::{Component, ComponentType, Registry};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct Limit(f64);
    /// # #[typetag::serde(name = "doc/limit")]
    /// # impl Component for Limit {}
    /// # impl ComponentType for Limit { const TAG: &'static str = "doc/limit"; }
    /// let larder = Registry::linked()?.open("memory:")?;
    /// let applied = larder.apply("wine/limit", &Limit(0.7))?;
    /// larder.wait_with(&applied, |jobs| {
    ///     let over = jobs.iter().filter(|job| job.status.is_over()).count();
    ///     eprint!("\r{over} of {} jobs", jobs.len());
    /// })?;
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`wait`](Larder::wait).
    pub fn wait_with(
        &self,
        awaited: impl TryInto<WaitTarget, Error: Into<Error>>,
        mut watch: impl FnMut(&[JobInfo]),
    ) -> Result<Vec<JobInfo>> {
        self.wait_for(&self.awaited(awaited.try_into().map_err(Into::into)?)?, Some(&mut watch))
    }

    fn wait_for(&self, ids: &[JobId], watch: Option<&mut Told<'_>>) -> Result<Vec<JobInfo>> {
        let these = Arc::new(These { left: Mutex::new(ids.to_vec()) });
        let worker = Worker::of(self).without_schedules().queue(these.clone());
        let watch = watch.map(|watch| Watch::new(ids, watch)).transpose()?;
        let watch = RefCell::new(watch);
        Shift::new(&worker).work(|shift| {
            if let Some(watch) = &mut *watch.borrow_mut() {
                watch.look(self)?;
            }
            Ok(shift.is_idle() && these.is_over(self)?)
        })?;
        all_well(ids.iter().map(|id| self.get(id)).collect::<Result<_>>()?)
    }

    /// The jobs that are meant.
    pub(crate) fn awaited(&self, WaitTarget(which): WaitTarget) -> Result<Vec<JobId>> {
        let version = match which {
            Which::These(ids) => return Ok(ids),
            Which::Version(version) => version,
        };
        let mut versions = vec![(version.identifier, version.version)];
        let mut seen: HashSet<_> = versions.iter().cloned().collect();
        let mut ids = Vec::new();
        let mut at = 0;
        while let Some((name, number)) = versions.get(at).cloned() {
            at += 1;
            for found in self.store().records(jobs_of_version(&name, number)) {
                let (key, found) = found?;
                let job = self.job_info(job_in(&key)?, &key, &found)?;
                if job.event == "apply" || !job.status.is_over() {
                    ids.push(job.id);
                }
            }
            let uses = match self.larder().uses(Reference::new(name, Selector::Version(number))) {
                // It was removed: only jobs are left of it.
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

/// How often somebody who watches is told something: as often as jobs write what they say.
const LOOK: Duration = crate::running::NEWS;

/// Who is told how far jobs are.
type Told<'a> = dyn FnMut(&[JobInfo]) + 'a;

/// Somebody who is told how far jobs are.
struct Watch<'a> {
    ids: &'a [JobId],
    keys: Vec<RecordKey>,
    told: &'a mut Told<'a>,
    last: Option<(Instant, Vec<Option<Revision>>)>,
}

impl<'a> Watch<'a> {
    fn new(ids: &'a [JobId], told: &'a mut Told<'a>) -> Result<Self> {
        let keys = ids.iter().map(job_key).collect::<Result<_>>()?;
        Ok(Self { ids, keys, told, last: None })
    }

    /// Tells what has changed, if it is time to look.
    fn look(&mut self, handle: &Jobs) -> Result<()> {
        if self.last.as_ref().is_some_and(|(then, _)| then.elapsed() < LOOK) {
            return Ok(());
        }
        let found = handle.store().get_records(&self.keys)?;
        let revisions: Vec<_> =
            found.iter().map(|found| Some(found.as_ref()?.revision.clone())).collect();
        if self.last.as_ref().is_none_or(|(_, last)| *last != revisions) {
            let jobs = self.ids.iter().zip(&self.keys).zip(&found);
            // One that is not there, or damaged, ends the waiting elsewhere.
            let jobs: Vec<_> = jobs
                .filter_map(|((id, key), found)| {
                    handle.job_info(id.clone(), key, found.as_ref()?).ok()
                })
                .collect();
            (self.told)(&jobs);
        }
        self.last = Some((Instant::now(), revisions));
        Ok(())
    }
}

/// The jobs, if all went well with them.
pub(crate) fn all_well(jobs: Vec<JobInfo>) -> Result<Vec<JobInfo>> {
    // What is blocked is so because something else failed.
    let bad = |statuses: &[JobStatus]| jobs.iter().find(|job| statuses.contains(&job.status));
    let bad =
        bad(&[JobStatus::Failed, JobStatus::Cancelled]).or_else(|| bad(&[JobStatus::Blocked]));
    match bad {
        Some(job) => Err(Error::Job {
            job: job.id.to_string(),
            trigger: job.trigger.clone(),
            status: job.status,
            source: told(&job.error),
        }),
        None => Ok(jobs),
    }
}

/// The causes that a record keeps, as an error.
fn told(causes: &[String]) -> BoxError {
    #[derive(Debug, thiserror::Error)]
    #[error("{message}")]
    struct Told {
        message: String,
        source: Option<BoxError>,
    }
    let chain = causes
        .iter()
        .rev()
        .fold(None, |source, message| Some(Told { message: message.clone(), source }.into()));
    chain.unwrap_or_else(|| "nobody said why".into())
}

/// Brings certain jobs and no others.
#[derive(Debug)]
struct These {
    left: Mutex<Vec<JobId>>,
}

impl These {
    fn left(&self) -> std::sync::MutexGuard<'_, Vec<JobId>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether none is left that is not over.
    fn is_over(&self, handle: &Jobs) -> Result<bool> {
        let left = self.left().clone();
        let mut still = Vec::new();
        for looked in handle.look_at(&left)? {
            match looked.verdict {
                Verdict::Over => {}
                Verdict::Missing => return Err(handle.no_such_job(&looked.id)),
                Verdict::Damaged(error) => return Err(error),
                Verdict::NotLinked => {
                    let (_, job) = looked
                        .found
                        .as_ref()
                        .ok_or(Error::Conflict { what: looked.id.to_string() })?;
                    let tag = job.type_tag.as_str();
                    let needed_by = format!("the job {}", looked.id);
                    handle.registry().find_type(tag, &needed_by, None)?;
                    return Err(Error::NotLinked {
                        kind: ItemKind::Trigger,
                        name: job.trigger.clone(),
                        needed_by,
                        hint: format!("the type `{tag}` that is linked in has no such trigger"),
                        known: handle.trigger_names(tag),
                    });
                }
                Verdict::Run | Verdict::Wait(_) | Verdict::End(..) => still.push(looked.id),
            }
        }
        let is_over = still.is_empty();
        *self.left() = still;
        Ok(is_over)
    }
}

impl JobQueue for These {
    fn submit(&self, _jobs: &[JobId]) -> Result<()> {
        Ok(())
    }

    fn next(&self, handle: &Jobs, most: usize, wait: Duration) -> Result<Vec<Delivery>> {
        let left = self.left().clone();
        let runnable = handle
            .look_at(&left)?
            .into_iter()
            .filter(|looked| matches!(looked.verdict, Verdict::Run | Verdict::End(..)));
        let jobs: Vec<_> =
            runnable.take(most).map(|looked| Delivery { job: looked.id, receipt: None }).collect();
        if jobs.is_empty() {
            thread::sleep(wait.min(Duration::from_millis(200)));
        }
        Ok(jobs)
    }

    fn looks_into_the_store(&self) -> bool {
        true
    }
}
