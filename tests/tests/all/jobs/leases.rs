//! Leases, timeouts, and workers that are lost or late.

use larder::jobs::LarderJobs;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use larder::Error;
use larder::jobs::{Event, JobContext, JobStatus, JobsQuery, Trigger, Worker};
use larder::store::StoreExt;
use larder::store::{Change, Committed, Expected};

use super::{Plain, larder, plain};

/// A clock that is a minute fast.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

fn gate() -> (Sender<()>, Arc<Mutex<Receiver<()>>>) {
    let (open, gate) = channel();
    (open, Arc::new(Mutex::new(gate)))
}

#[test]
fn a_worker_that_lost_its_lease_changes_nothing_any_more() {
    let (open, gate) = gate();
    let (began, begin) = channel();
    let told = Arc::new(AtomicBool::new(false));
    let heard = told.clone();
    let refused = Arc::new(Mutex::new(String::new()));
    let said = refused.clone();
    let larder = larder(vec![
        Trigger::with_output("t", move |it: &Plain, job: &JobContext| {
            if job.attempt() > 1 {
                return Ok("by the second");
            }
            began.send(()).unwrap();
            gate.lock().unwrap().recv().unwrap();
            heard.store(job.is_cancelled(), Ordering::Relaxed);
            job.log("it comes too late");
            let error = job.publish(&Plain { number: 77, ..it.clone() }).unwrap_err();
            *said.lock().unwrap() = error.to_string();
            if it.number == 1 { Err("by the first") } else { Ok("by the first") }
        })
        .on(Event::Apply),
    ]);
    for number in [1, 2] {
        let name = format!("n{number}");
        let applied = larder.apply(&name, &plain(number)).unwrap();
        let first = Worker::new(&larder).lease(Duration::from_millis(300)).spawn().unwrap();
        begin.recv().unwrap();
        // Whose clock is fast takes the first one for dead.
        let second = larder.clone().with_clock(later);
        let jobs = second.jobs().wait(&applied).unwrap();
        assert_eq!((jobs[0].attempt, jobs[0].losses), (2, 1));
        // The first finds that out when it is to extend its lease.
        thread::sleep(Duration::from_millis(400));
        open.send(()).unwrap();
        first.stop().unwrap();
        thread::sleep(Duration::from_millis(100));
        assert!(told.swap(false, Ordering::Relaxed), "it was told to stop");
        let job = larder.jobs().get(&jobs[0].id).unwrap();
        assert_eq!((job.status, job.attempt), (JobStatus::Succeeded, 2), "{job:?}");
        assert_eq!(job.output.unwrap().get(), r#""by the second""#);
        assert_eq!(larder.versions(&name).unwrap().len(), 1);
        assert!(refused.lock().unwrap().contains("expired"), "{refused:?}");
    }
}

#[test]
fn a_job_that_takes_longer_than_its_lease_is_kept_by_heartbeats() {
    let runs = Arc::new(AtomicU32::new(0));
    let counted = runs.clone();
    let larder = larder(vec![
        Trigger::new("long", move |_: &Plain, _: &JobContext| {
            counted.fetch_add(1, Ordering::Relaxed);
            // Longer than the lease and what clocks may differ by.
            thread::sleep(Duration::from_millis(3_000));
            Ok::<_, String>(())
        })
        .on(Event::Apply),
    ]);
    larder.apply("a", &plain(1)).unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| Worker::new(&larder).lease(Duration::from_millis(200)).drain().unwrap());
        }
    });
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    let job = larder.jobs().list(&JobsQuery::new()).next().unwrap().unwrap();
    assert_eq!((job.status, job.attempt, job.losses), (JobStatus::Succeeded, 1, 0));
}

#[test]
fn a_job_that_kills_its_workers_ends_as_failed() {
    let larder = larder(vec![
        Trigger::new("t", |_: &Plain, _: &JobContext| Ok::<_, String>(())).on(Event::Apply),
    ]);
    let applied = larder.apply("a", &plain(1)).unwrap();
    // As its last worker left it.
    let (key, found) = larder.store().records("jobs/").next().unwrap().unwrap();
    let text = String::from_utf8(found.value.to_vec()).unwrap();
    let lease = r#""lease":{"holder":"gone","until":"2020-01-01T00:00:00.000Z"}"#;
    for (losses, expected) in [(10, JobStatus::Failed), (9, JobStatus::Succeeded)] {
        let text = text
            .replace("\"pending\"", "\"running\"")
            .replace("}", &format!(",\"attempt\":{losses},\"losses\":{losses},{lease}}}"));
        let change = Change::PutRecord {
            key: key.clone(),
            value: text.into(),
            expected: Expected::Anything,
        };
        assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
        Worker::new(&larder).drain().unwrap();
        let ended = larder.jobs().wait(&applied).map(|jobs| jobs[0].status);
        match ended {
            Err(Error::Job { status, source, .. }) => {
                assert_eq!((status, expected), (JobStatus::Failed, JobStatus::Failed));
                assert_eq!(source.to_string(), "its worker was lost 11 times");
                larder.jobs().retry(applied_job(&larder)).unwrap();
            }
            ended => assert_eq!(ended.unwrap(), expected),
        }
    }
}

fn applied_job(larder: &larder::Larder) -> larder::jobs::JobId {
    larder.jobs().list(&JobsQuery::new()).next().unwrap().unwrap().id
}

#[test]
fn a_job_that_takes_too_long_is_told_to_stop_and_is_tried_again() {
    let larder = larder(vec![
        Trigger::new("slow", |_: &Plain, job: &JobContext| {
            while !job.is_cancelled() {
                thread::sleep(Duration::from_millis(10));
            }
            Ok::<_, String>(())
        })
        .on(Event::Apply)
        .timeout(Duration::from_millis(200))
        .retries(1),
    ]);
    let error = larder.jobs().wait(&larder.apply("a", &plain(1)).unwrap()).unwrap_err();
    assert!(matches!(error, Error::Job { status: JobStatus::Failed, .. }), "{error}");
    let job = larder.jobs().list(&JobsQuery::new()).next().unwrap().unwrap();
    assert_eq!((job.attempt, job.failures), (2, 2));
    assert_eq!(job.error, ["it took longer than 200ms"]);
}

#[test]
fn a_job_that_does_not_stop_is_given_up_and_its_result_refused() {
    let begun = Arc::new(AtomicU32::new(0));
    for retries in [0, 3] {
        let (open, gate) = gate();
        let counted = begun.clone();
        let larder = larder(vec![
            Trigger::new("deaf", move |_: &Plain, _: &JobContext| {
                counted.fetch_add(1, Ordering::Relaxed);
                gate.lock().unwrap().recv().unwrap();
                Ok::<_, String>(())
            })
            .on(Event::Apply)
            .timeout(Duration::from_millis(150))
            .retries(retries),
            Trigger::new("after", |_: &Plain, _: &JobContext| Ok::<_, String>(()))
                .on(Event::Apply)
                .depends_on("deaf"),
        ]);
        let applied = larder.apply("a", &plain(1)).unwrap();
        let begin = Instant::now();
        larder.jobs().wait(&applied).unwrap_err();
        assert!(begin.elapsed() < Duration::from_secs(5), "nobody waits for its thread");
        open.send(()).unwrap();
        thread::sleep(Duration::from_millis(100));
        let jobs: Vec<_> = larder.jobs().list(&JobsQuery::new()).map(Result::unwrap).collect();
        let ends: Vec<_> = jobs.iter().map(|job| job.status).collect();
        assert_eq!(ends, [JobStatus::Failed, JobStatus::Blocked]);
        let told = ["it took longer than 150ms", "it did not stop when cancelled"];
        assert_eq!(jobs[0].error, told[..if retries == 0 { 1 } else { 2 }]);
        // A second attempt must not begin beside the first one.
        assert_eq!(begun.swap(0, Ordering::Relaxed), 1);
    }
}
