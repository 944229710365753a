//! Triggers and jobs: methods of components that run in the background on events.
//!
//! A [`Trigger`] is a method that runs on an [`Event`]. When the event happens to a version, each trigger that
//! listens to it becomes a **job**, which is a record in the store. Workers in any process or on any machine claim
//! the record, run the job and write its result back.
//!
//! # Records
//!
//! | key | holds |
//! | --- | --- |
//! | `jobs/NAME/@N/@ID` | one job of version `N` |
//! | `queue/@ID-…` | the queue entry of an unfinished job |
//! | `logs/NAME/@N/@ID/@ATTEMPT-PART` | log lines |
//! | `made/NAME/@N/@ID/@K` | the `K`th version that the job published |
//! | `cron/NAME` | the time up to which schedules of the name were evaluated |
//!
//! The jobs of one event are a *run*: their ids share a prefix and end in their position, dependencies first.
//!
//! # Creation
//!
//! The jobs of `apply` are written in the commit that makes the version ready: the version, then for each job its queue
//! entry and its record, dependencies first. On a store that applies a commit change by change, a crash leaves either a
//! queue entry without a job, which is removed later, or jobs whose dependencies are all present.
//!
//! # Claims and leases
//!
//! A worker claims a job by a conditional write of its record: `pending` becomes `running`, with a holder that is
//! unique to the claim and the time at which the **lease** expires. Of concurrent claims exactly one succeeds. The holder
//! extends the lease three times per lease period (a *heartbeat*). Once the lease has expired, another worker may claim
//! the job, with the next attempt.
//!
//! Every write of the holder is conditional on still being the holder, so a worker that stalls past its lease cannot
//! write a result.
//!
//! No job is lost, and no two workers run one at once as long as clocks differ by less than [`SKEW`] and no worker
//! stalls past its lease. If one does, its code may still run beside the next holder, but its
//! [`JobContext::publish`] is refused.
//!
//! # Results
//!
//! | status | means |
//! | --- | --- |
//! | `pending` | waits for its dependencies, its next attempt or a worker |
//! | `running` | claimed by a worker |
//! | `succeeded` | returned `Ok` |
//! | `failed` | returned `Err`, panicked or timed out with no retries left, or lost its worker too often |
//! | `skipped` | a field that it `requires` is not set, or a dependency was skipped |
//! | `blocked` | a dependency failed, was blocked or was cancelled |
//! | `cancelled` | cancelled, or its version was removed |
//!
//! A job is evaluated once all of its dependencies have finished: `blocked` if one failed, was blocked or was
//! cancelled; else `skipped` if one was skipped; else it runs. A finished job does not propagate its status: workers read
//! the dependencies of waiting jobs. So finishing a job is one write of one record.
//!
//! # Workers
//!
//! A [`Worker`] takes ids from a [`JobQueue`], claims them and runs them on its threads. [`InProcess`] polls the store.
//! An external queue carries ids only: a lost id is resubmitted by a worker that polls the store, and a duplicate is
//! claimed once.

mod claim;
mod claiming;
mod context;
mod contribute;
mod create;
mod cron;
mod event;
mod forget;
mod history;
mod in_process;
mod items;
mod job_queue;
mod jobs;
mod larder;
mod manage;
mod output;
mod participant;
mod publish;
mod readiness;
mod record;
mod run_id;
mod running;
mod schedules;
mod table;
mod trigger;
mod wait;
mod worker;
mod worker_loop;

use std::time::Duration;

pub use larder_core::store::JobStatus;
pub use larder_core::versions::JobId;

pub use crate::context::JobContext;
pub use crate::contribute::TriggerName;
pub use crate::create::Fired;
pub use crate::cron::{Schedule, check_schedule};
pub use crate::event::Event;
pub use crate::history::{JobInfo, JobLine, JobsQuery};
pub use crate::in_process::InProcess;
pub use crate::items::{RegistryJobs, queue, trigger_table, triggers};
pub use crate::job_queue::{Delivery, JobQueue, Receipt};
pub use crate::jobs::Jobs;
pub use crate::larder::LarderJobs;
pub use crate::publish::PublishOptions;
pub use crate::table::{TriggerEntry, TriggerTable};
pub use crate::trigger::{IsSet, Trigger, Triggers};
pub use crate::wait::WaitTarget;
pub use crate::worker::{Worker, WorkerHandle};

/// Maximum clock skew between machines that share a larder; a lease counts as expired this much later.
pub const SKEW: Duration = Duration::from_secs(2);

/// Default lease of a claim.
const LEASE: Duration = Duration::from_secs(30);
/// Maximum lost workers before a job fails.
const MAX_LOSSES: u32 = 10;
/// Maximum bytes of an output or a payload.
const MAX_OUTPUT: usize = 64 * 1024;
/// Maximum log lines of one attempt.
const MAX_LINES: usize = 1_000;
/// Maximum bytes of a log line, a progress message or one cause of a failure.
const MAX_LINE: usize = 1_000;
/// Maximum jobs of one run.
const MAX_JOBS: usize = 10_000;
/// Minimum age at which a queue entry without a job is removed.
const STALE: Duration = Duration::from_secs(60);

/// Truncates `text` to `limit` bytes.
fn truncate(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut end = limit.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// Support for code that `#[triggers]` generates; not part of the interface.
#[doc(hidden)]
pub mod __private {
    use crate::event::Event;

    pub use crate::cron::check_schedule;

    /// Returns a schedule event; the macro has checked the text.
    pub fn cron(schedule: &'static str) -> Event {
        match Event::cron(schedule) {
            Ok(event) => event,
            Err(error) => unreachable!("{error}"),
        }
    }

    /// Returns a custom event; the macro has checked the name.
    pub fn custom_event(name: &'static str) -> Event {
        match Event::custom(name) {
            Ok(event) => event,
            Err(error) => unreachable!("{error}"),
        }
    }
}
