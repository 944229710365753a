//! Cancelling jobs and trying them again.

use larder::jobs::LarderJobs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use larder::jobs::{Event, JobContext, JobId, JobStatus, JobsQuery, Trigger, Worker};
use larder::{Error, Larder};

use super::{Plain, larder, plain, statuses};

fn job(larder: &Larder, trigger: &str) -> JobId {
    let jobs = larder.jobs();
    let mut jobs = jobs.list(&JobsQuery::new()).map(Result::unwrap);
    jobs.find(|job| job.trigger == trigger).unwrap().id
}

fn chain(first: Trigger<Plain>) -> Vec<Trigger<Plain>> {
    let ok = |_: &Plain, _: &JobContext| Ok::<_, String>(());
    vec![
        first.on(Event::Apply),
        Trigger::new("second", ok).on(Event::Apply).depends_on("first"),
        Trigger::new("third", ok).on(Event::Apply).depends_on("second"),
        Trigger::new("beside", ok).on(Event::Apply),
    ]
}

#[test]
fn a_job_that_waits_is_cancelled_at_once_and_blocks_what_depends_on_it() {
    let larder =
        larder(chain(Trigger::new("first", |_: &Plain, _: &JobContext| Ok::<_, String>(()))));
    let applied = larder.apply("a", &plain(1)).unwrap();
    let cancelled = larder.jobs().cancel(job(&larder, "second")).unwrap();
    assert_eq!(cancelled.status, JobStatus::Cancelled);
    let error = larder.jobs().wait(&applied).unwrap_err();
    assert!(matches!(error, Error::Job { status: JobStatus::Cancelled, .. }), "{error}");
    let ended = ["first: succeeded", "second: cancelled", "third: blocked", "beside: succeeded"];
    assert_eq!(statuses(&larder), ended);
    for over in ["first", "second"] {
        let error = larder.jobs().cancel(job(&larder, over)).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
    }
    let error = larder.jobs().retry(job(&larder, "first")).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");

    // And with it what was blocked because of it.
    let again = larder.jobs().retry(job(&larder, "second")).unwrap();
    let again: Vec<_> = again.iter().map(|job| (job.trigger.as_str(), job.status)).collect();
    assert_eq!(again, [("second", JobStatus::Pending), ("third", JobStatus::Pending)]);
    larder.jobs().wait(&applied).unwrap();
    assert!(statuses(&larder).iter().all(|status| status.ends_with("succeeded")));
}

#[test]
fn a_job_that_runs_is_told_to_stop() {
    let (began, begin) = channel();
    let obedient = Arc::new(AtomicBool::new(true));
    let obeys = obedient.clone();
    let larder = larder(chain(
        Trigger::new("first", move |_: &Plain, job: &JobContext| {
            began.send(()).unwrap();
            while !job.is_cancelled() {
                thread::sleep(Duration::from_millis(10));
            }
            if obeys.load(Ordering::Relaxed) { Err("it was stopped") } else { Ok(()) }
        })
        .retries(5),
    ));
    for (obeys, expected) in [(true, JobStatus::Cancelled), (false, JobStatus::Succeeded)] {
        obedient.store(obeys, Ordering::Relaxed);
        let name = format!("obeys/{obeys}");
        let applied = larder.apply(&name, &plain(1)).unwrap();
        let worker = Worker::new(&larder).lease(Duration::from_millis(300)).spawn().unwrap();
        begin.recv().unwrap();
        let query = JobsQuery::new().name(name.as_str().try_into().unwrap());
        let id = larder.jobs().list(&query).next().unwrap().unwrap().id;
        let told = larder.jobs().cancel(&id).unwrap();
        assert_eq!(told.status, JobStatus::Running);
        assert!(told.cancelling.is_some());
        let error = larder.jobs().retry(&id).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        let waited = worker.wait(&applied);
        assert_eq!(waited.is_ok(), expected == JobStatus::Succeeded);
        worker.stop().unwrap();
        let ended = larder.jobs().get(&id).unwrap();
        assert_eq!((ended.status, ended.attempt), (expected, 1), "{ended:?}");
    }
}

#[test]
fn a_job_that_failed_is_tried_again_with_all_its_retries() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = well.clone();
    let larder = larder(chain(
        Trigger::new("first", move |_: &Plain, job: &JobContext| {
            job.log("tried");
            if is_well.load(Ordering::Relaxed) { Ok(()) } else { Err("ill") }
        })
        .retries(1),
    ));
    let applied = larder.apply("a", &plain(1)).unwrap();
    larder.jobs().wait(&applied).unwrap_err();
    let ended = ["first: failed", "second: blocked", "third: blocked", "beside: succeeded"];
    assert_eq!(statuses(&larder), ended);
    // Still ill: two more attempts.
    let again = larder.jobs().retry(job(&larder, "first")).unwrap();
    assert_eq!(again.len(), 3);
    larder.jobs().wait(&applied).unwrap_err();
    let first = larder.jobs().get(job(&larder, "first")).unwrap();
    assert_eq!((first.attempt, first.failures), (4, 2));
    well.store(true, Ordering::Relaxed);
    larder.jobs().retry(&first.id).unwrap();
    larder.jobs().wait(&applied).unwrap();
    let attempts: Vec<_> =
        larder.jobs().log(&first.id).unwrap().iter().map(|line| line.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5]);
}

#[test]
fn what_is_removed_is_not_run_for_and_what_is_no_job_is_not_found() {
    let larder =
        larder(chain(Trigger::new("first", |_: &Plain, _: &JobContext| Ok::<_, String>(()))));
    larder.apply("a", &plain(1)).unwrap();
    let id = job(&larder, "first");
    larder.remove("a").unwrap();
    assert_eq!(Worker::new(&larder).drain().unwrap(), 4);
    let ended = ["first: cancelled", "second: cancelled", "third: cancelled", "beside: cancelled"];
    assert_eq!(statuses(&larder), ended);
    assert_eq!(larder.jobs().get(&id).unwrap().error, ["its version was removed"]);

    let other = id.to_string().replace("a@1", "b@1");
    for error in [
        larder.jobs().get(other.as_str()).map(drop).unwrap_err(),
        larder.jobs().log(other.as_str()).map(drop).unwrap_err(),
        larder.jobs().cancel(other.as_str()).map(drop).unwrap_err(),
        larder.jobs().retry(other.as_str()).map(drop).unwrap_err(),
        larder.jobs().wait(&other.parse::<JobId>().unwrap()).map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    }
    let error = larder.jobs().get("a@1").unwrap_err();
    assert!(matches!(error, Error::InvalidName { what: "job", .. }), "{error}");
}
