//! New versions that jobs publish: once, however often they are tried.

use larder::Selection;
use larder::jobs::LarderJobs;
use larder::maintenance::LarderMaintenance;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use larder::jobs::{Event, JobContext, JobStatus, JobsQuery, PublishOptions, Trigger, Worker};
use larder::store::MemoryStore;
use larder::{Applied, Error};
use larder_tests::stepwise::Stepwise;

use super::{Plain, larder, larder_on, plain, statuses};

#[test]
fn a_version_says_which_job_made_it_and_does_not_let_it_run_again() {
    let larder = larder(vec![
        Trigger::new("train", |it: &Plain, job: &JobContext| {
            let published = job.publish(&plain(it.number + 1))?;
            assert!(published.is_created());
            assert_eq!(published.version().job.as_ref(), Some(job.id()));
            job.larder().tag(published.version().reference(), "candidate")?;
            Ok::<_, Error>(())
        })
        .on(Event::Apply),
    ]);
    let jobs = larder.jobs().wait(&larder.apply("a", &plain(1)).unwrap()).unwrap();
    assert_eq!(statuses(&larder), ["train: succeeded"]);
    let versions = larder.versions("a").unwrap();
    assert_eq!(versions.len(), 2);
    assert_eq!((&versions[0].job, versions[1].job.as_ref()), (&None, Some(&jobs[0].id)));
    assert_eq!(larder.load::<Plain>("a:candidate").unwrap(), plain(2));
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
}

#[test]
fn if_it_is_wanted_what_is_published_lets_triggers_run() {
    let larder = larder(vec![
        Trigger::new("count", |it: &Plain, job: &JobContext| {
            if it.number < 4 {
                job.publish_with(&plain(it.number + 1), PublishOptions::new().triggers(true))?;
            }
            Ok::<_, Error>(())
        })
        .on(Event::Apply),
    ]);
    larder.apply("a", &plain(1)).unwrap();
    assert_eq!(Worker::new(&larder).drain().unwrap(), 4);
    assert_eq!(larder.versions("a").unwrap().len(), 4);
}

#[test]
fn an_attempt_finds_what_the_one_before_it_published() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let larder = larder(vec![
        Trigger::new("train", move |_: &Plain, job: &JobContext| {
            // Training comes to another result each time.
            let publish = || {
                let count = u64::from(counted.fetch_add(1, Ordering::Relaxed));
                job.publish(&plain(100 + count))
            };
            let (first, is_first) = (publish()?, job.attempt() == 1);
            assert_eq!(first.is_created(), is_first);
            assert_eq!(first.version().version.get(), 2);
            if is_first {
                return Err(Error::predict("the lights went out"));
            }
            let second = publish()?;
            assert_eq!(second.is_created(), job.attempt() == 2);
            assert_eq!(second.version().version.get(), 3);
            if job.attempt() == 2 { Err(Error::predict("again")) } else { Ok(()) }
        })
        .on(Event::Apply)
        .retries(2),
    ]);
    let jobs = larder.jobs().wait(&larder.apply("a", &plain(1)).unwrap()).unwrap();
    assert_eq!(jobs[0].attempt, 3);
    let numbers: Vec<_> =
        ["a@1", "a@2", "a@3"].map(|version| larder.load::<Plain>(version).unwrap().number).into();
    assert_eq!(numbers, [1, 100, 102]);
    assert_eq!(larder.versions("a").unwrap().len(), 3);
}

/// Wherever the store breaks: in the claim, the publishing or the end of the job.
#[test]
fn one_version_is_published_wherever_the_store_breaks_off() {
    let mut broke = 0;
    for after in 1..=24 {
        let memory = MemoryStore::new();
        let train = || {
            vec![
                Trigger::new("train", |_: &Plain, job: &JobContext| {
                    let number = 100 + u64::from(job.attempt());
                    let applied: Applied = job.publish(&plain(number))?;
                    assert_eq!(applied.version().job.as_ref(), Some(job.id()));
                    Ok::<_, Error>(())
                })
                .on(Event::Apply)
                .retries(3),
                Trigger::new("after", |_: &Plain, _: &JobContext| Ok::<_, Error>(()))
                    .on(Event::Apply)
                    .depends_on("train"),
            ]
        };
        larder_on(Arc::new(memory.clone()), train()).apply("a", &plain(1)).unwrap();
        let left = Arc::new(AtomicU32::new(after));
        let counted = left.clone();
        let breaking =
            Stepwise::new(&memory, move |_, _, _| match counted.fetch_sub(1, Ordering::Relaxed) {
                1 => Err(Error::store("reach the store", "the network is down")),
                _ => Ok(true),
            });
        let larder = larder_on(Arc::new(breaking), train());
        Worker::new(&larder).drain().unwrap();
        broke += u32::from(left.load(Ordering::Relaxed) > u32::MAX / 2);

        let jobs: Vec<_> = larder.jobs().list(&JobsQuery::new()).map(|job| job.unwrap()).collect();
        assert!(jobs.iter().all(|job| job.status == JobStatus::Succeeded), "{after}: {jobs:?}");
        let versions = larder.versions("a").unwrap();
        let made: Vec<_> = versions.iter().filter(|version| version.job.is_some()).collect();
        assert_eq!(made.len(), 1, "broken off at change {after}: {versions:?}");
        assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, [], "{after}");
    }
    assert!(broke >= 11, "only {broke} were broken off");
}
