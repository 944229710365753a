//! What triggers cost an apply, and how many jobs are run in a second.
//!
//! ```sh
//! cargo run --release -p larder-benches --bin jobs
//! cargo run --release -p larder-benches --bin jobs --features nats -- 'nats://127.0.0.1:4222?stream=bench'
//! ```
//!
//! With the URL of a queue whose stream is its own, the jobs are brought by it too.

use std::sync::Arc;
use std::time::Instant;

use larder::Registry;
use larder::jobs::{InProcess, JobContext, JobQueue, Trigger, TriggerTable, Worker};
use larder::prelude::*;
use larder_benches::{Outcome, compare, head, say, timed, work_folder};

/// How many jobs an apply makes.
const JOBS: usize = 10;
/// How many applies are measured.
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
    run("(b) in this process, sqlite", &url("run.db"), Arc::new(InProcess::new()))?;
    run("(b) in this process, memory", "memory:", Arc::new(InProcess::new()))?;
    if let Some(queue) = queue {
        let queue = registry()?.open_queue(&queue.parse()?)?;
        run("(b) by the queue, sqlite", &url("queue.db"), queue.clone())?;
        run("(b) by the queue, memory", "memory:", queue)?;
    }
    Ok(())
}

fn busy(round: usize) -> Busy {
    Busy { round, name: "wine".into() }
}

/// `Busy` has jobs that do nothing, and none depends on another.
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

/// Makes jobs, then runs all of them.
fn run(what: &str, url: &str, queue: Arc<dyn JobQueue>) -> Outcome {
    let larder = registry()?.open(url)?.with_queue(queue);
    for round in 0..APPLIES {
        larder.apply(format!("busy/{round}"), &busy(round))?;
    }
    let begun = Instant::now();
    let ran = Worker::new(&larder).drain()?;
    let per_second = ran as f64 / begun.elapsed().as_secs_f64();
    say(&format!("{what}: {ran} jobs, {per_second:.0} in a second"));
    Ok(())
}
