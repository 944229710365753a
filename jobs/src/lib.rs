//! Triggers and jobs: what a component does when something happens to it.
//!
//! A [`Trigger`] is a method that runs on an [`Event`]. When the event happens to a version, each trigger that
//! listens to it becomes a **job**: a record. The record is the truth. Whoever runs jobs, be it this process,
//! another one or another machine, claims the record, and says in it how the job ended.
//!
//! # Records
//!
//! | key | holds |
//! | --- | --- |
//! | `jobs/NAME/@N/@ID` | one job of the version `N` |
//! | `queue/@ID-…` | leads to a job that is not over yet |
//! | `logs/NAME/@N/@ID/@ATTEMPT-PART` | what a job said |
//! | `made/NAME/@N/@ID/@K` | the version that a job published, its `K`th |
//! | `cron/NAME` | up to when the schedules of a name were looked at |
//!
//! The jobs of one event are a *run*: their ids have one beginning and end in their place, dependencies first.
//!
//! # How they begin
//!
//! The jobs of `apply` are written in the commit that makes the version ready. First the version, then for each job
//! its line in the queue and then itself, dependencies first. On a store that makes a commit one by one, what is
//! there after a crash is so: a line that leads nowhere, which is removed after a while, or jobs whose
//! dependencies are all there.
//!
//! # The claim and the lease
//!
//! A job is claimed by writing its record on the condition that it is what was read: `pending` becomes `running`,
//! with a holder that no other claim has, and a time `until` which the claim holds: the **lease**. So of many that try, one
//! has it. The holder writes a later time into it three times in each lease (a *heartbeat*). When the time is over, the
//! holder is taken for dead, and another may claim the job, with the next attempt.
//!
//! Whatever the holder writes, it writes on the condition that it still is the holder: one that was held up for longer
//! than its lease finds another there, and its result is refused.
//!
//! So no job is lost, and no two have it at once while clocks differ by less than [`SKEW`], and a process that runs is
//! not held up for longer than its lease. If it is, its code may still run beside that of the next holder. What it
//! writes through [`JobContext::publish`] is refused all the same.
//!
//! # How they end
//!
//! | status | means |
//! | --- | --- |
//! | `pending` | it waits for its dependencies, for its next attempt or for a worker |
//! | `running` | a worker has it |
//! | `succeeded` | it returned `Ok` |
//! | `failed` | it returned `Err`, or panicked, or took too long, and has no retries left; or it killed its workers |
//! | `skipped` | something that it `requires` is not set, or a dependency was skipped |
//! | `blocked` | a dependency failed, was blocked or was cancelled |
//! | `cancelled` | somebody cancelled it, or its version was removed |
//!
//! A job is looked at when all of its dependencies are over: it is `blocked` if one of them failed, was blocked or
//! was cancelled; else `skipped` if one was skipped; else it runs. Nothing is passed on when a job ends: whoever looks at a waiting
//! job reads its dependencies. So each end is one write of one record.
//!
//! # Who runs them
//!
//! A [`Worker`] takes ids from an [`JobQueue`], claims them and runs them on its threads. [`InProcess`] looks into
//! the store for them. An executor on a queue of its own carries ids and nothing else: one that is lost is submitted
//! again by whichever worker looks into the store, and one that comes twice is claimed once.

mod claim;
mod context;
mod create;
mod cron;
mod forget;
mod history;
mod items;
mod jobs;
mod judge;
mod manage;
mod participant;
mod publish;
mod queue;
mod record;
mod run;
mod running;
mod shift;
mod table;
mod tick;
mod trigger;
mod wait;
mod worker;

use std::time::Duration;

pub use larder_core::store::JobStatus;
pub use larder_core::versions::JobId;

pub use crate::context::JobContext;
pub use crate::create::Fired;
pub use crate::cron::{Schedule, check_schedule};
pub use crate::history::{JobInfo, JobLine, JobsQuery};
pub use crate::items::{queue, trigger_table, triggers};
pub use crate::jobs::{Jobs, LarderJobs, RegistryJobs};
pub use crate::publish::PublishOptions;
pub use crate::queue::{Delivery, InProcess, JobQueue, Receipt};
pub use crate::table::{Event, TriggerEntry, TriggerTable};
pub use crate::trigger::{IsSet, Trigger, Triggers};
pub use crate::wait::WaitTarget;
pub use crate::worker::{Worker, WorkerHandle};

/// How much the clocks of machines that share a larder may differ: a lease is taken for over so much later.
pub const SKEW: Duration = Duration::from_secs(2);

/// How long a claim holds, unless the holder writes a later time into it.
const LEASE: Duration = Duration::from_secs(30);
/// How often a job may lose its worker before it is taken for the cause.
const MOST_LOSSES: u32 = 10;
/// The most bytes of an output, and of what an event carries.
const MOST_OUTPUT: usize = 64 * 1024;
/// The most lines of one attempt that are kept.
const MOST_LINES: usize = 1_000;
/// The most bytes of a line, of the message of a progress, and of one cause of a failure.
const MOST_LINE: usize = 1_000;
/// The most jobs of one run.
const MOST_JOBS: usize = 10_000;
/// How old a line of the queue is that leads nowhere and may be removed.
const STALE: Duration = Duration::from_secs(60);

/// The text, if need be without its end.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// Code that `#[triggers]` generates; not part of the interface.
#[doc(hidden)]
pub mod __private {
    use crate::table::Event;

    pub use crate::cron::check_schedule;

    /// The event of a schedule, which the macro has checked.
    pub fn cron(schedule: &'static str) -> Event {
        match Event::cron(schedule) {
            Ok(event) => event,
            Err(error) => unreachable!("{error}"),
        }
    }

    /// The event of a name, which the macro has checked.
    pub fn custom_event(name: &'static str) -> Event {
        match Event::custom(name) {
            Ok(event) => event,
            Err(error) => unreachable!("{error}"),
        }
    }
}
