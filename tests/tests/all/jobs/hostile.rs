//! Records of jobs that somebody forged or damaged: nobody panics, and the others run.

use larder::jobs::LarderJobs;
use std::time::{Duration, Instant};

use larder::Larder;
use larder::jobs::{Event, JobContext, JobsQuery, Trigger, Worker};
use larder::store::StoreExt;
use larder::store::{Change, Committed, Expected, RecordKey};

use super::{Plain, larder, plain, statuses};

fn put(larder: &Larder, key: &RecordKey, value: &str) {
    let value = value.to_owned().into();
    let change = Change::PutRecord { key: key.clone(), value, expected: Expected::Anything };
    assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
}

fn kitchen() -> Larder {
    larder(vec![
        Trigger::new("first", |_: &Plain, job: &JobContext| {
            job.log("it ran");
            Ok::<_, String>(())
        })
        .on(Event::Apply),
        Trigger::new("second", |_: &Plain, _: &JobContext| Ok::<_, String>(()))
            .on(Event::Apply)
            .depends_on("first"),
    ])
}

/// Lets a worker work, for a time, and until nothing can be done for a component without damage.
fn work(larder: &Larder, least: Duration) {
    let begin = Instant::now();
    let of_b = JobsQuery::new().name("b".try_into().unwrap());
    let is_done = || larder.jobs().list(&of_b).flatten().all(|job| job.status.is_over());
    Worker::new(larder).run(|| begin.elapsed() > least && is_done()).unwrap();
}

/// Uses everything that reads records of jobs.
fn use_all(larder: &Larder) {
    work(larder, Duration::from_millis(100));
    larder.jobs().fire_due().unwrap();
    let ids: Vec<_> = larder.jobs().list(&JobsQuery::new()).flatten().map(|job| job.id).collect();
    let waiting = JobsQuery::new().status(larder::jobs::JobStatus::Pending);
    larder.jobs().list(&waiting).for_each(drop);
    for id in &ids {
        let _ = (
            larder.jobs().get(id),
            larder.jobs().log(id),
            larder.jobs().cancel(id),
            larder.jobs().retry(id),
        );
    }
}

#[test]
fn a_damaged_record_keeps_no_other_job_from_running() {
    let sound = kitchen();
    sound.apply("a", &plain(1)).unwrap();
    let records: Vec<_> = sound.store().records("").map(Result::unwrap).collect();
    let of_jobs = records
        .iter()
        .filter(|(key, _)| ["jobs/", "queue/"].iter().any(|kind| key.as_str().starts_with(kind)));
    let mut tried = 0;
    for (key, found) in of_jobs {
        let text = std::str::from_utf8(&found.value).unwrap();
        let long = format!("{}x@1/019aa1b2c3d4-9f8e7d6c5b4a-0000", "y/".repeat(99));
        for damaged in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"larder":1}"#,
            r#"{"larder":99}"#,
            &text.replace("\"pending\"", "\"resting\""),
            &text.replace("jobs/plain", "../plain"),
            &text.replace("\"first\":\"", "\"first\":\"../"),
            &text.replace("\"first\":\"0", "\"second\":\"1"),
            &text.replace("a@1", "a@2"),
            &text.replace("a@1", "a@18446744073709551615"),
            &text.replace("\"job\":\"a@1/", &format!("\"job\":\"{long}/")),
            &text.replace("\"trigger\":\"", "\"trigger\":\"no"),
            &text.replace("}", ",\"attempt\":4294967295,\"failures\":4294967295}"),
            &text.replace("}", ",\"progress\":{\"fraction\":1e999}}"),
            &text.replace(
                "\"status\":\"pending\"",
                "\"status\":\"running\",\"lease\":{\"holder\":\"x\",\"until\":\"1970-01-01T00:00:00Z\"},\"losses\":4294967295",
            ),
            &text.replace("\"pending\"", "\"running\""),
            &text[..text.len() / 2],
        ] {
            if damaged == text {
                continue;
            }
            let larder = kitchen();
            larder.apply("a", &plain(1)).unwrap();
            larder.apply("b", &plain(2)).unwrap();
            // Ids differ from larder to larder: the same record of the first component is meant.
            let kind = &key.as_str()[..=key.as_str().find('/').unwrap()];
            let of_a = |larder: &Larder| -> Vec<RecordKey> {
                let all = larder.store().records(kind.to_owned()).map(Result::unwrap);
                let is_of_a = |(key, found): &(RecordKey, larder::store::Record)| {
                    key.as_str().starts_with("jobs/a/") || found.value.windows(4).any(|it| it == b"\"a@1")
                };
                all.filter(is_of_a).map(|(key, _)| key).collect()
            };
            let nth = of_a(&sound).iter().position(|other| other == key).unwrap();
            put(&larder, &of_a(&larder)[nth], damaged);
            use_all(&larder);
            let of_b = JobsQuery::new().name("b".try_into().unwrap());
            for job in larder.jobs().list(&of_b) {
                assert_eq!(job.unwrap().status.as_str(), "succeeded", "beside {damaged}");
            }
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn jobs_that_depend_on_each_other_wait_and_hurt_nobody() {
    let larder = kitchen();
    larder.apply("a", &plain(1)).unwrap();
    let jobs: Vec<_> = larder.store().records("jobs/").map(Result::unwrap).collect();
    let (first, second) = (&jobs[0], &jobs[1]);
    let id = |key: &RecordKey| key.as_str().rsplit('@').next().unwrap().to_owned();
    let text = String::from_utf8(first.1.value.to_vec()).unwrap();
    let cyclic =
        text.replace("}", &format!(",\"depends_on\":{{\"second\":\"{}\"}}}}", id(&second.0)));
    put(&larder, &first.0, &cyclic);
    larder.apply("b", &plain(2)).unwrap();
    let worker = Worker::new(&larder).spawn().unwrap();
    worker.wait(&larder.show("b").unwrap().version).unwrap();
    worker.stop().unwrap();
    assert_eq!(statuses(&larder)[..2], ["first: pending", "second: pending"]);
    larder.jobs().cancel(format!("a@1/{}", id(&first.0)).as_str()).unwrap();
    Worker::new(&larder).drain().unwrap();
    assert_eq!(statuses(&larder)[..2], ["first: cancelled", "second: blocked"]);
}

#[test]
fn a_line_that_leads_nowhere_goes_after_a_while() {
    let larder = kitchen();
    let key = RecordKey::new("queue/@019aa1b2c3d4-9f8e7d6c5b4a-0000-e1a6e3d1c7c5").unwrap();
    put(&larder, &key, r#"{"larder":1,"job":"x@1/y","created":"2020-01-01T00:00:00.000Z"}"#);
    larder.apply("a", &plain(1)).unwrap();
    let lines: Vec<_> = larder.store().records("queue/").map(Result::unwrap).collect();
    let jobs: Vec<_> = larder.store().records("jobs/").map(Result::unwrap).collect();
    let removed = jobs
        .iter()
        .map(|(key, _)| Change::RemoveRecord { key: key.clone(), expected: Expected::Anything });
    assert_eq!(larder.store().commit(&removed.collect::<Vec<_>>()).unwrap(), Committed::All);
    work(&larder, Duration::from_millis(50));
    // They may be those of a commit that is being made.
    assert_eq!(larder.store().records("queue/").count(), lines.len());
    let later = || std::time::SystemTime::now() + Duration::from_secs(120);
    work(&larder.clone().with_clock(later), Duration::from_millis(50));
    // What cannot be read is left for people to look at.
    assert_eq!(larder.store().records("queue/").count(), 1);
}
