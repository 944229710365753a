//! Many jobs that depend on each other: order, and what fails, is skipped and is blocked.

use larder::jobs::LarderJobs;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use larder::Error;
use larder::jobs::{Event, JobContext, JobStatus, JobsQuery, Trigger, Worker};

use super::{Plain, Random, larder, plain};

/// The behaviour of a job in a graph.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Does {
    Succeed,
    Fail,
    /// It fails at first, and has a retry.
    FailOnce,
    /// It requires what is not set.
    Skip,
}

#[derive(Debug)]
struct Graph {
    /// The behaviour of each job, and the earlier jobs it depends on.
    jobs: Vec<(Does, Vec<usize>)>,
}

impl Graph {
    /// The expected end of each job.
    fn expected(&self) -> Vec<JobStatus> {
        let mut ends: Vec<JobStatus> = Vec::new();
        for (does, needs) in &self.jobs {
            let any = |statuses: &[JobStatus]| needs.iter().any(|at| statuses.contains(&ends[*at]));
            ends.push(match does {
                _ if any(&[JobStatus::Failed, JobStatus::Blocked]) => JobStatus::Blocked,
                _ if any(&[JobStatus::Skipped]) => JobStatus::Skipped,
                Does::Skip => JobStatus::Skipped,
                Does::Fail => JobStatus::Failed,
                Does::Succeed | Does::FailOnce => JobStatus::Succeeded,
            });
        }
        ends
    }

    /// Runs it, and compares what happened with what must.
    fn check(&self, concurrency: usize, shuffle: &mut Random) {
        // Begins and ends of attempts, in their order.
        let seen: Arc<Mutex<Vec<(usize, bool)>>> = Arc::default();
        let mut triggers: Vec<Trigger<Plain>> = Vec::new();
        for (at, (does, needs)) in self.jobs.iter().enumerate() {
            let (seen, does) = (seen.clone(), *does);
            let run = move |_: &Plain, job: &JobContext| {
                seen.lock().unwrap().push((at, true));
                std::thread::yield_now();
                seen.lock().unwrap().push((at, false));
                match does {
                    Does::Fail => Err("it fails"),
                    Does::FailOnce if job.attempt() == 1 => Err("it fails at first"),
                    _ => Ok(()),
                }
            };
            let mut trigger = Trigger::new(format!("t{at}"), run).on(Event::Apply);
            if does == Does::FailOnce {
                trigger = trigger.retries(1);
            }
            if does == Does::Skip {
                trigger = trigger.requires("d", |it: &Plain| it.d.is_some());
            }
            for needed in needs {
                trigger = trigger.depends_on(format!("t{needed}"));
            }
            triggers.push(trigger);
        }
        // In the code they may stand in any order.
        for at in (1..triggers.len()).rev() {
            triggers.swap(at, shuffle.below(at + 1));
        }
        let larder = larder(triggers);
        larder.apply("graph", &plain(1)).unwrap();
        Worker::new(&larder).concurrency(concurrency).drain().unwrap();

        let jobs: BTreeMap<String, _> = larder
            .jobs()
            .list(&JobsQuery::new())
            .map(|job| job.map(|job| (job.trigger.clone(), job)).unwrap())
            .collect();
        let expected = self.expected();
        let seen = seen.lock().unwrap();
        for (at, (does, needs)) in self.jobs.iter().enumerate() {
            let job = &jobs[&format!("t{at}")];
            assert_eq!(job.status, expected[at], "t{at} of {self:?}: {:?}", job.error);
            let attempts = match (expected[at], does) {
                (JobStatus::Blocked | JobStatus::Skipped, _) => 0,
                (_, Does::FailOnce) => 2,
                _ => 1,
            };
            let begun = seen.iter().filter(|event| **event == (at, true)).count();
            assert_eq!((begun, job.attempt), (attempts, attempts as u32), "t{at} of {self:?}");
            // Nothing begins before the last attempt of what it needs has ended.
            let place = |event| seen.iter().position(|seen| *seen == event);
            let last = |event| seen.iter().rposition(|seen| *seen == event);
            if let Some(begin) = place((at, true)) {
                for needed in needs {
                    assert!(last((*needed, false)).unwrap() < begin, "t{at} of {self:?}");
                }
            }
        }
        let waiting = JobsQuery::new().status(JobStatus::Pending).status(JobStatus::Running);
        assert_eq!(larder.jobs().list(&waiting).count(), 0);
        // A worker finds nothing left, and waiting tells of the first that failed, if any.
        assert_eq!(Worker::new(&larder).drain().unwrap(), 0);
        let version = larder.show("graph").unwrap().version;
        match larder.jobs().wait(&version) {
            Ok(_) => assert!(!expected.contains(&JobStatus::Failed)),
            Err(Error::Job { status, .. }) => assert_eq!(status, JobStatus::Failed),
            Err(error) => panic!("{error}"),
        }
    }
}

/// One at the top, eight rows of six, each of which depends on two of the row before, one at the bottom.
#[test]
fn a_diamond_of_fifty_jobs_with_random_failures_keeps_the_order_on_every_path() {
    for seed in 0..6 {
        let mut random = Random::new(seed);
        let mut jobs = vec![(Does::Succeed, vec![])];
        for row in 0..8 {
            for column in 0..6 {
                let above = |column: usize| 1 + (row - 1) * 6 + column % 6;
                let needs = if row == 0 { vec![0] } else { vec![above(column), above(column + 1)] };
                let does = match (seed, random.below(16)) {
                    // The first one goes through to the bottom.
                    (0, _) => Does::Succeed,
                    (_, 0) => Does::Fail,
                    (_, 1) => Does::Skip,
                    (_, 2) => Does::FailOnce,
                    _ => Does::Succeed,
                };
                jobs.push((does, needs));
            }
        }
        jobs.push((Does::Succeed, (43..49).collect()));
        assert_eq!(jobs.len(), 50);
        Graph { jobs }.check(4, &mut random);
    }
}

#[test]
fn random_graphs_end_as_the_rules_say() {
    for seed in 0..150 {
        let mut random = Random::new(1_000 + seed);
        let size = 1 + random.below(14);
        let density = 1 + random.below(5);
        let jobs = (0..size).map(|at| {
            let needs = (0..at).filter(|_| random.below(6) < density).collect();
            let does = match random.below(40) {
                0..=5 => Does::Fail,
                6..=11 => Does::Skip,
                12 => Does::FailOnce,
                _ => Does::Succeed,
            };
            (does, needs)
        });
        let graph = Graph { jobs: jobs.collect() };
        let concurrency = 1 + random.below(4);
        graph.check(concurrency, &mut random);
    }
}
