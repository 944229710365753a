//! Executors: how jobs reach those who run them.

use std::fmt;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::STALE;
use crate::jobs::Jobs;
use crate::judge::Verdict;
use crate::record::{QUEUE, QueueRecord, queue_key};
use larder_core::store::{Change, Expected, Record, RecordKey};
use larder_core::versions::JobId;
use larder_core::{Result, record};

/// Brings the ids of jobs to the workers that run them.
///
/// It carries ids and nothing else. The records say what the jobs are and how far they are, and a worker claims a job before it runs
/// it. So an executor may bring an id late, twice, or never: it is claimed once, and workers submit again what they find
/// in the store and nobody has.
pub trait JobQueue: fmt::Debug + Send + Sync {
    /// Hands on jobs that may run now.
    ///
    /// # Errors
    /// Whatever failed. The jobs are not lost: workers find them in the store, later.
    fn submit(&self, jobs: &[JobId]) -> Result<()>;

    /// Hands on jobs again that a worker found in the store, and that nobody has.
    ///
    /// Most of them are still on their way; many workers may find the same ones.
    ///
    /// # Errors
    /// As [`submit`](JobQueue::submit).
    fn submit_again(&self, jobs: &[JobId]) -> Result<()> {
        self.submit(jobs)
    }

    /// Up to `most` jobs for a worker of this process; waits up to `wait` if there are none.
    ///
    /// # Errors
    /// Whatever failed. The worker tries again after a while if it is [`Error::Store`](crate::Error::Store), and gives up otherwise.
    fn next(&self, handle: &Jobs, most: usize, wait: Duration) -> Result<Vec<Delivery>>;

    /// Whether [`next`](JobQueue::next) finds jobs in the store by itself.
    ///
    /// If not, workers look there from time to time, and submit again what nobody has.
    fn looks_into_the_store(&self) -> bool {
        false
    }
}

/// A job that an executor brought.
#[derive(Debug)]
pub struct Delivery {
    /// The job.
    pub job: JobId,
    /// Told what becomes of it, if the executor wants to know.
    pub receipt: Option<Box<dyn Receipt>>,
}

/// What an executor is told of a job that it brought.
///
/// If a worker dies, it is told nothing.
pub trait Receipt: fmt::Debug + Send {
    /// The job is still under way; told each time its lease is extended.
    fn working(&mut self) {}

    /// Nothing is left to do: the job is over, or there is none.
    fn done(self: Box<Self>);

    /// Somebody should look at the job again after a time.
    fn later(self: Box<Self>, after: Duration);
}

/// Finds jobs in the store: no service but the larder is needed.
///
/// Jobs that this process submits are found at once, those of others when the store is looked into again: as long
/// as there is nothing to do, from every fifth of a second to every two seconds.
#[derive(Debug, Default)]
pub struct InProcess {
    submitted: Mutex<u64>,
    bell: Condvar,
}

impl InProcess {
    /// An executor.
    pub fn new() -> Self {
        Self::default()
    }
}

impl JobQueue for InProcess {
    fn submit(&self, _jobs: &[JobId]) -> Result<()> {
        *self.submitted.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.bell.notify_all();
        Ok(())
    }

    fn next(&self, handle: &Jobs, most: usize, wait: Duration) -> Result<Vec<Delivery>> {
        let before = *self.submitted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut jobs = handle.runnable(most)?;
        if jobs.is_empty() && !wait.is_zero() {
            let submitted = self.submitted.lock().unwrap_or_else(PoisonError::into_inner);
            // What was submitted while it looked is looked for at once.
            let (submitted, _) = self
                .bell
                .wait_timeout_while(submitted, wait, |submitted| *submitted == before)
                .unwrap_or_else(PoisonError::into_inner);
            drop(submitted);
            jobs = handle.runnable(most)?;
        }
        Ok(jobs.into_iter().map(|job| Delivery { job, receipt: None }).collect())
    }

    fn looks_into_the_store(&self) -> bool {
        true
    }
}

/// The most lines of the queue that are looked at together.
const PAGE: usize = 200;

impl Jobs {
    /// Up to `most` jobs of the queue that could be claimed now.
    pub(crate) fn runnable(&self, most: usize) -> Result<Vec<JobId>> {
        let mut runnable = Vec::new();
        // At the head are those that others run now.
        let mut page = (4 * most).clamp(16, PAGE);
        let mut after: Option<RecordKey> = None;
        while runnable.len() < most {
            let lines = self.store().list_records(QUEUE, after.as_ref(), page)?;
            page = PAGE;
            let Some((last, _)) = lines.last() else { break };
            after = Some(last.clone());
            let mut ids = Vec::with_capacity(lines.len());
            for (key, found) in &lines {
                // A line that is damaged leads nowhere, and keeps nobody from the others.
                if let Ok(line) = record::read::<QueueRecord>(key, found)
                    && queue_key(&line.job)? == *key
                {
                    ids.push((line, key, found));
                }
            }
            let jobs: Vec<_> = ids.iter().map(|(line, ..)| line.job.clone()).collect();
            for (looked, (line, key, found)) in self.look_at(&jobs)?.into_iter().zip(ids) {
                match looked.verdict {
                    // Both are claimed, to run or to be ended.
                    Verdict::Run | Verdict::End(..) => runnable.push(looked.id),
                    // Somebody was stopped between the two writes of its end, or of its beginning.
                    Verdict::Over => self.forget_line(key, found)?,
                    Verdict::Missing if self.is_stale(&line) => self.forget_line(key, found)?,
                    _ => {}
                }
            }
        }
        // Workers that look at the same time begin at different places.
        if runnable.len() > most {
            let turn = crate::run::turn(runnable.len());
            runnable.rotate_left(turn);
            runnable.truncate(most);
        }
        Ok(runnable)
    }

    fn is_stale(&self, line: &QueueRecord) -> bool {
        let age = self.now().as_system_time().duration_since(line.created.as_system_time());
        age.is_ok_and(|age| age > STALE)
    }

    /// Removes a line of the queue, if it was not written again meanwhile: then the job is to be tried again.
    fn forget_line(&self, key: &RecordKey, found: &Record) -> Result<()> {
        let mut tx = self.transaction();
        let expected = Expected::Revision(found.revision.clone());
        tx.push(Change::RemoveRecord { key: key.clone(), expected });
        tx.commit_once().map(drop)
    }
}
