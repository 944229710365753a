//! Overhead of triggers on `apply`, and throughput of jobs.
//!
//! ```sh
//! cargo run --release -p larder-benches --bin jobs
//! cargo run --release -p larder-benches --bin jobs --features nats -- 'nats://127.0.0.1:4222?stream=bench'
//! ```
//!
//! A URL adds that queue, whose stream must not be used otherwise.

use std::sync::Arc;
use std::time::Instant;

use larder::Registry;
use larder::jobs::{InProcess, JobContext, JobQueue, Trigger, TriggerTable, Worker};
use larder::prelude::*;
use larder_benches::{Outcome, compare, head, say, timed, work_folder};

/// Number of jobs per `apply`.
const JOBS: usize = 10;
/// Number of measured calls of `apply`.
const APPLIES: usize = 200;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/quiet")]
struct Quiet {
    round: usize,
    name: String,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/busy")]
struct Busy {
    round: usize,
    name: String,
}

fn main() -> Outcome {
    let queue = std::env::args().nth(1);
    let folder = work_folder()?;
    let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    head();
    for (name, url) in [("sqlite", url("apply.db")), ("memory", "memory:".into())] {
        let larder = registry()?.open(url.as_str())?;
        compare(
            &format!("(a) apply with {JOBS} jobs / without, {name}"),
            f64::INFINITY,
            APPLIES,
            |round| timed(|| Ok(larder.apply("busy", &busy(round))?)),
            |round| {
                let quiet = Quiet { round, name: "wine".into() };
                timed(|| Ok(larder.apply("quiet", &quiet)?))
            },
        )?;
    }
    run("(b) in process, sqlite", &url("run.db"), Arc::new(InProcess::new()))?;
    run("(b) in process, memory", "memory:", Arc::new(InProcess::new()))?;
    if let Some(queue) = queue {
        let queue = registry()?.open_queue(&queue.parse()?)?;
        run("(b) queue, sqlite", &url("queue.db"), queue.clone())?;
        run("(b) queue, memory", "memory:", queue)?;
    }
    Ok(())
}

fn busy(round: usize) -> Busy {
    Busy { round, name: "wine".into() }
}

/// Registers empty, independent triggers for `Busy`.
fn registry() -> larder::Result<Registry> {
    let trigger = |number: usize| {
        let nothing = |_: &Busy, _: &JobContext| Ok::<_, larder::Error>(());
        Trigger::new(format!("job{number}"), nothing).on(larder::jobs::Event::Apply)
    };
    let mut registry = Registry::linked()?;
    registry.register(larder::jobs::trigger_table(TriggerTable::new(
        (0..JOBS).map(trigger).collect(),
    )?))?;
    Ok(registry)
}

/// Creates jobs, then runs all of them.
fn run(what: &str, url: &str, queue: Arc<dyn JobQueue>) -> Outcome {
    let larder = registry()?.open(url)?.with_queue(queue);
    for round in 0..APPLIES {
        larder.apply(format!("busy/{round}"), &busy(round))?;
    }
    let start = Instant::now();
    let count = Worker::new(&larder).drain()?;
    let per_second = count as f64 / start.elapsed().as_secs_f64();
    say(&format!("{what}: {count} jobs, {per_second:.0} per second"));
    Ok(())
}
