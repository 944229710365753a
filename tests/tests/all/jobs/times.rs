//! Schedules.

use larder::jobs::LarderJobs;
use larder::versions::RemoveOptions;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use larder::Larder;
use larder::jobs::{Event, JobContext, JobsQuery, Trigger};
use larder::store::StoreExt;

use super::{Plain, larder, plain, statuses};

/// Seconds since 2026-11-21T00:00:30Z.
static NOW: AtomicU64 = AtomicU64::new(0);

fn clock() -> SystemTime {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_219_230);
    start + Duration::from_secs(NOW.load(Ordering::Relaxed))
}

fn pass(seconds: u64) {
    NOW.fetch_add(seconds, Ordering::Relaxed);
}

fn cron(schedule: &str) -> Event {
    Event::cron(schedule).unwrap()
}

// One test, because the clock is one.
#[test]
fn each_time_is_fired_once_for_the_newest_version_by_whoever_is_first() {
    let ok = |_: &Plain, _: &JobContext| Ok::<_, String>(());
    let larder: Larder = larder(vec![
        Trigger::new("minutely", ok).on(cron("* * * * *")),
        Trigger::new("after", ok).on(cron("* * * * *")).depends_on("minutely"),
        Trigger::new("daily", ok).on(cron("0 3 * * *")).on(Event::Apply),
    ])
    .with_clock(clock);
    larder.apply("a", &plain(1)).unwrap();
    assert_eq!(statuses(&larder), ["daily: pending"]);
    assert_eq!(larder.jobs().fire_due().unwrap(), [], "no minute has begun since");

    pass(31);
    let fired: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| larder.jobs().fire_due().unwrap())).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(fired.len(), 2, "{fired:?}");
    let job = larder.jobs().get(&fired[1]).unwrap();
    assert_eq!((job.trigger.as_str(), job.event.as_str()), ("after", "cron(* * * * *)"));
    assert_eq!(job.depends_on["minutely"], fired[0]);
    assert_eq!(larder.jobs().fire_due().unwrap(), []);

    // Of many that went by, the last one is fired; and the newest version is meant.
    larder.apply("a", &plain(2)).unwrap();
    pass(600);
    let fired = larder.jobs().fire_due().unwrap();
    assert_eq!(fired.len(), 2);
    assert!(fired.iter().all(|job| job.version().get() == 2));

    pass(4 * 3600);
    let fired = larder.jobs().fire_due().unwrap();
    let mut triggers: Vec<_> =
        fired.iter().map(|job| larder.jobs().get(job).unwrap().trigger).collect();
    triggers.sort();
    assert_eq!(triggers, ["after", "daily", "minutely"]);

    // A worker that died after it made some of the jobs, and before it said so.
    pass(60);
    let key = larder.store().records("cron/").next().unwrap().unwrap();
    let before = larder.jobs().list(&JobsQuery::new()).count();
    assert_eq!(larder.jobs().fire_due().unwrap().len(), 2);
    let put = larder::store::Change::PutRecord {
        key: key.0,
        value: key.1.value,
        expected: larder::store::Expected::Anything,
    };
    assert_eq!(larder.store().commit(&[put]).unwrap(), larder::store::Committed::All);
    assert_eq!(larder.jobs().fire_due().unwrap(), []);
    assert_eq!(larder.jobs().list(&JobsQuery::new()).count(), before + 2);

    // Without versions there is nothing to fire for, and the next apply begins anew.
    larder.remove_all("a", &RemoveOptions::new()).unwrap();
    pass(60);
    assert_eq!(larder.jobs().fire_due().unwrap(), []);
    assert_eq!(larder.store().records("cron/").count(), 0);
    larder.apply("a", &plain(3)).unwrap();
    pass(60);
    assert_eq!(larder.jobs().fire_due().unwrap().len(), 2);
    // Whoever lacks the type leaves it to others.
    pass(60);
    let stranger = Larder::new(larder.store().clone(), larder::Registry::new()).with_clock(clock);
    assert_eq!(stranger.jobs().fire_due().unwrap(), []);
    assert_eq!(larder.jobs().fire_due().unwrap().len(), 2);
}
