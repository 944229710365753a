//! Three processes that run jobs, and are killed in the middle of their work again and again.

use larder::jobs::LarderJobs;
use larder::jobs::RegistryJobs;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use larder::jobs::{JobStatus, JobsQuery};
use larder::store::StoreExt;
use larder_tests::crew::Crew;

use super::Random;

/// Number of components, with four jobs each, and number of kills. A long form:
/// `LARDER_JOBS=5000 scripts/test -p larder-tests --test all jobs::processes`.
fn scale() -> (usize, usize) {
    let jobs = std::env::var("LARDER_JOBS").ok().and_then(|jobs| jobs.parse().ok()).unwrap_or(500);
    (jobs / 4, 30 * jobs / 500)
}

fn worker(url: &str, queue: Option<&str>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    command.args(["jobs", url]).args(queue).stdout(Stdio::null()).spawn().unwrap()
}

/// Kills workers that have their jobs from the larder, or from a queue; `meanwhile` is called between a kill and the start of the
/// next worker.
pub(super) fn survives_kills(
    url: &str,
    folder: &std::path::Path,
    queue: Option<&str>,
    mut meanwhile: impl FnMut(usize),
) {
    let (components, kills) = scale();
    let mut larder = larder::open(url).unwrap();
    if let Some(queue) = queue {
        let queue = larder.registry().open_queue(&queue.parse().unwrap()).unwrap();
        larder = larder.with_queue(queue);
    }
    let begin = Instant::now();
    let busy = folder.join("busy");
    std::fs::create_dir(&busy).unwrap();
    for number in 0..components {
        let crew = Crew { by: String::new(), process: 0, folder: busy.clone() };
        larder.apply(format!("crew/{number}"), &crew).unwrap();
    }
    let applied = begin.elapsed();
    let mut workers: Vec<Child> = (0..3).map(|_| worker(url, queue)).collect();
    let mut random = Random::new(7);
    let waiting = JobsQuery::new().status(JobStatus::Pending).status(JobStatus::Running);
    let mut killed = 0;
    // Later kills find the workers with the last jobs, so that leases run out at the end too.
    while killed < kills {
        thread::sleep(Duration::from_millis(60 + random.below(160) as u64));
        let victim = random.below(workers.len());
        workers[victim].kill().unwrap();
        workers[victim].wait().unwrap();
        killed += 1;
        meanwhile(killed);
        workers[victim] = worker(url, queue);
    }
    let killing = begin.elapsed() - applied;
    let mut left = larder.jobs().list(&waiting).count();
    let at_last_kill = left;
    while left > 0 {
        assert!(begin.elapsed() < Duration::from_secs(120 * kills as u64 / 30), "{left} are left");
        thread::sleep(Duration::from_millis(300));
        left = larder.jobs().list(&waiting).map(Result::unwrap).count();
    }
    println!(
        "{} jobs: applied in {applied:?}, {killed} kills in {killing:?}, {at_last_kill} left then, \
         all over after {:?}",
        4 * components,
        begin.elapsed()
    );
    for worker in &mut workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }

    // None lost, each effect once, the queue drained.
    let mut losses = 0;
    let jobs: Vec<_> = larder.jobs().list(&JobsQuery::new()).map(Result::unwrap).collect();
    assert_eq!(jobs.len(), 4 * components);
    for job in &jobs {
        assert_eq!((job.status, job.failures), (JobStatus::Succeeded, 0), "{job:?}");
        assert_eq!(job.attempt, 1 + job.losses, "{job:?}");
        losses += job.losses;
        if job.trigger == "last" {
            assert_eq!(job.output.as_ref().unwrap().get(), "32");
        }
    }
    let outputs: BTreeMap<_, _> = jobs.iter().map(|job| (job.id.clone(), job)).collect();
    for number in 0..components {
        let versions = larder.versions(format!("crew/{number}")).unwrap();
        let by: BTreeSet<_> = versions
            .iter()
            .filter_map(|version| Some(&*outputs[version.job.as_ref()?].trigger))
            .collect();
        assert_eq!((versions.len(), by.len()), (5, 4), "{versions:?}");
    }
    assert_eq!(larder.store().records("queue/").count(), 0);
    assert!(!busy.join("two-at-once").exists(), "{:?}", std::fs::read(busy.join("two-at-once")));
    assert!(losses > 0, "no worker was killed with a job under way");
    println!("{losses} attempts were cut short");
}

#[test]
fn jobs_of_killed_workers_have_their_effect_once_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("larder.db").display());
    survives_kills(&url, folder.path(), None, |_| ());
}
