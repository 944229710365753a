//! Taking away jobs that are over.

use larder::jobs::LarderJobs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use larder::jobs::{Event, JobContext, JobsQuery, Trigger};
use larder::store::{MemoryStore, StoreExt};
use larder::{Error, Larder};
use larder_tests::stepwise::Stepwise;

use super::{Plain, larder_on, plain, statuses};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn later<const DAYS: u32>() -> SystemTime {
    SystemTime::now() + DAY * DAYS
}

/// `train` publishes; `check` runs after it, and fails as long as `fails`.
fn on(store: &MemoryStore, fails: &Arc<AtomicBool>) -> Larder {
    let fails = fails.clone();
    let train = |it: &Plain, job: &JobContext| {
        job.log("it learns");
        job.publish(&plain(it.number + 1)).map(|_| ())
    };
    let check = move |_: &Plain, job: &JobContext| {
        job.log("it looks");
        if fails.load(Ordering::Relaxed) { Err("it is no better") } else { Ok(()) }
    };
    let triggers = vec![
        Trigger::new("train", train).on(Event::Apply),
        Trigger::new("check", check).on(Event::Apply).depends_on("train"),
    ];
    larder_on(Arc::new(store.clone()), triggers)
}

fn of_jobs(store: &MemoryStore) -> Vec<String> {
    let all = store.records("").map(|found| found.unwrap().0.to_string());
    all.filter(|key| ["jobs/", "logs/", "made/", "queue/"].iter().any(|it| key.starts_with(it)))
        .collect()
}

#[test]
fn jobs_that_were_over_long_ago_go_with_all_that_they_said_and_no_others() {
    let (store, fails) = (MemoryStore::new(), Arc::default());
    let larder = on(&store, &fails);
    larder.jobs().wait(&larder.apply("old", &plain(1)).unwrap()).unwrap();
    let published = larder.show("old").unwrap();
    let job = published.version.job.clone().unwrap();
    assert!(larder.jobs().log(&job).unwrap().iter().any(|line| line.text == "it learns"));
    assert_eq!(larder.jobs().forget(DAY).unwrap(), 0, "they were over just now");

    let tomorrow = larder.clone().with_clock(later::<2>);
    tomorrow.jobs().wait(&tomorrow.apply("young", &plain(1)).unwrap()).unwrap();
    tomorrow.apply("waits", &plain(1)).unwrap();
    let kept = of_jobs(&store);
    assert_eq!(tomorrow.jobs().forget(DAY).unwrap(), 2);
    let gone = |key: &&String| key.contains("/old/");
    let kept: Vec<_> = kept.iter().filter(|key| !gone(key)).cloned().collect();
    assert_eq!(of_jobs(&store), kept);
    assert_eq!(tomorrow.jobs().forget(DAY).unwrap(), 0);

    // The version that it published is there, and still says by which job.
    assert_eq!(larder.show("old").unwrap().version, published.version);
    assert_eq!(larder.load::<Plain>("old").unwrap(), plain(2));
    let error = larder.jobs().get(&job).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");

    // What waits is never forgotten, however old it is; and no time is too long.
    let next_year = larder.clone().with_clock(later::<365>);
    assert_eq!(next_year.jobs().forget(Duration::MAX).unwrap(), 0);
    assert_eq!(next_year.jobs().forget(Duration::ZERO).unwrap(), 2, "those of `young`");
    assert_eq!(statuses(&larder), ["train: pending", "check: pending"]);
}

#[test]
fn jobs_of_one_event_stay_as_long_as_one_of_them_is_not_old() {
    let (store, fails) = (MemoryStore::new(), Arc::new(AtomicBool::new(true)));
    let larder = on(&store, &fails);
    larder.jobs().wait(&larder.apply("a", &plain(1)).unwrap()).unwrap_err();
    let jobs = larder.jobs();
    let failed = jobs.list(&JobsQuery::new()).map(Result::unwrap);
    let failed = failed.filter(|job| job.trigger == "check").last().unwrap();
    let tomorrow = larder.clone().with_clock(later::<2>);
    tomorrow.jobs().retry(&failed.id).unwrap();
    assert_eq!(tomorrow.jobs().forget(DAY).unwrap(), 0);
    fails.store(false, Ordering::Relaxed);
    tomorrow.jobs().wait(&failed.id).unwrap();
    assert_eq!(tomorrow.jobs().forget(DAY).unwrap(), 0);
    assert_eq!(statuses(&larder), ["train: succeeded", "check: succeeded"]);
}

/// On a store that makes changes one by one, and is gone after any of them.
#[test]
fn whoever_is_stopped_half_way_leaves_nothing_that_another_does_not_take() {
    for stop in 0.. {
        let (store, fails) = (MemoryStore::new(), Arc::default());
        let larder = on(&store, &fails);
        larder.jobs().wait(&larder.apply("a", &plain(1)).unwrap()).unwrap();
        let half = Arc::new(Stepwise::stopping_after(stop, &store));
        let half = larder_on(half, Vec::new()).with_clock(later::<2>);
        let done = half.jobs().forget(DAY);
        // Whatever is left of them is read, and taken by the next one.
        let left: Vec<_> =
            larder.jobs().list(&JobsQuery::new()).map(|job| job.unwrap().id).collect();
        for job in &left {
            larder.jobs().log(job).unwrap();
        }
        let again = larder.clone().with_clock(later::<2>);
        assert_eq!(again.jobs().forget(DAY).unwrap(), left.len() as u64, "{stop}");
        let behind = of_jobs(&store);
        assert!(behind.iter().all(|key| key.starts_with("made/")), "{stop}: {behind:?}");
        if done.is_ok() {
            assert_eq!(behind, [""; 0]);
            assert!(stop > 3, "there is more to do than {stop} changes");
            break;
        }
    }
}
