//! What a larder can do, it can do behind a server: the rules of the server refuse no honest client.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use larder::jobs::{JobStatus, JobsQuery, Worker};
use larder::maintenance::{CopyOptions, GcOptions};
use larder::prelude::*;
use larder::store::StoreExt;
use larder::{Error, Selection};
use larder_access::Role;
use larder_tests::crew::Crew;
use larder_tests::{churn, fixture};

use super::served::{Served, larder_of, open};
use super::{assert_whole, noise, parcel, told};

/// Refers to components.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "test/pair")]
struct Pair {
    one: Ref<larder_tests::Doubler>,
    other: Ref<larder_tests::Parcel>,
}

#[test]
fn every_shape_of_component_is_kept_and_all_that_belongs_to_versions() {
    for fill in [fixture::fill, fixture::keep] {
        let served = Served::at("memory:");
        let operator = served.client_of("ann", Role::Operator, "*");
        fill(larder_of(operator.store().clone())).unwrap();
        assert_whole(&operator);
        let alone = larder::open("memory:").unwrap();
        fill(alone.clone()).unwrap();
        let names = |larder: &larder::Larder| -> Vec<_> {
            let all = larder.list().map(Result::unwrap);
            all.map(|it| (it.identifier, it.version, it.digest)).collect()
        };
        assert_eq!(names(&operator), names(&alone));
    }
}

#[test]
fn children_are_applied_removed_and_restored() {
    let served = Served::at("memory:");
    let larder = served.client_of("ann", Role::Writer, "*");
    larder.apply("one", &larder_tests::Doubler { factor: 2.0 }).unwrap();
    let pair = Pair {
        one: Ref::to("one").unwrap(),
        other: Ref::new("new/child", parcel(1, noise(70_000))).unwrap(),
    };
    larder.apply("pair", &pair).unwrap();
    let read: Pair = larder.load("pair").unwrap();
    assert_eq!(read.one.get().unwrap().factor, 2.0);
    assert!(*read.other.get().unwrap().content.get().unwrap() == noise(70_000));
    let error = larder.remove("one@1").unwrap_err();
    assert!(matches!(error, Error::Blocked { .. }), "{}", told(&error));
    larder.remove("pair@1").unwrap();
    larder.remove("one@1").unwrap();
    larder.maintenance().restore("one@1").unwrap();
    larder.maintenance().restore("pair@1").unwrap();
    assert_whole(&served.client());
}

#[test]
fn larders_are_copied_through_servers() {
    let (first, last) = (Served::at("memory:"), Served::at("memory:"));
    let [from, to] = [&first, &last].map(|it| it.client_of("ann", Role::Writer, "*"));
    for round in 0..4 {
        from.apply("some/parcel", &parcel(round, noise(300_000 * round as usize))).unwrap();
    }
    from.remove("some/parcel@1").unwrap();
    from.tag("some/parcel@2", "prod").unwrap();
    from.tag("some/parcel@3", "prod").unwrap();
    let change = larder::versions::AnnotationsChange::new().description("sound");
    from.annotate("some/parcel@2", &change).unwrap();
    let pair = Pair {
        one: Ref::new("one", larder_tests::Doubler { factor: 2.0 }).unwrap(),
        other: Ref::to("some/parcel@2").unwrap(),
    };
    from.apply("pair", &pair).unwrap();
    let whole = CopyOptions::new().all_versions(true);
    from.maintenance().copy(Selection::All, &to, &whole).unwrap();
    assert_whole(&last.client());
    assert_eq!(to.versions("some/parcel").unwrap().len(), 3);
    assert_eq!(to.show("some/parcel@2").unwrap().annotations.description.as_deref(), Some("sound"));
    let local = larder::open("memory:").unwrap();
    to.maintenance().copy(Selection::All, &local, &whole).unwrap();
    assert_whole(&local);
    // A second time there is nothing to do.
    from.maintenance().copy(Selection::All, &to, &whole).unwrap();
    assert_whole(&last.client());
}

#[test]
fn what_is_damaged_is_repaired_through_a_server() {
    let served = Served::at("memory:");
    let operator = served.client_of("ann", Role::Operator, "*");
    let copy = larder::open("memory:").unwrap();
    operator.apply("wine", &parcel(1, noise(200_000))).unwrap();
    operator.maintenance().copy(Selection::All, &copy, &CopyOptions::new()).unwrap();
    let digest = operator.show("wine").unwrap().manifest.artifacts()[0].digest;
    operator.store().remove_blobs(&[digest]).unwrap();
    let report = operator.maintenance().verify(Selection::All).unwrap();
    assert!(!report.findings.is_empty());
    operator.maintenance().repair(&report, &**copy.store()).unwrap();
    assert_whole(&operator);
}

#[test]
fn jobs_run_behind_a_server_each_once() {
    const COMPONENTS: usize = 12;
    let place = tempfile::tempdir().unwrap();
    let busy = place.path().join("busy");
    std::fs::create_dir(&busy).unwrap();
    let served = Served::at(&format!("sqlite:{}", place.path().join("larder.db").display()));
    let larder = served.client_of("ann", Role::Writer, "crew/*");
    for number in 0..COMPONENTS {
        let crew = Crew { by: String::new(), process: 0, folder: busy.clone() };
        larder.apply(format!("crew/{number}"), &crew).unwrap();
    }
    let workers: Vec<_> = (0..3)
        .map(|_| Worker::new(&larder_of(larder.store().clone())).concurrency(2).spawn().unwrap())
        .collect();
    let waiting = JobsQuery::new().status(JobStatus::Pending).status(JobStatus::Running);
    let begun = Instant::now();
    while larder.jobs().list(&waiting).map(Result::unwrap).count() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(90), "the jobs do not end");
        thread::sleep(Duration::from_millis(100));
    }
    drop(workers);
    let jobs: Vec<_> = larder.jobs().list(&JobsQuery::new()).map(Result::unwrap).collect();
    assert_eq!(jobs.len(), 4 * COMPONENTS);
    for job in &jobs {
        assert_eq!((job.status, job.failures), (JobStatus::Succeeded, 0), "{job:?}");
    }
    for number in 0..COMPONENTS {
        assert_eq!(larder.versions(format!("crew/{number}")).unwrap().len(), 5);
    }
    assert!(!busy.join("two-at-once").exists());
    assert_eq!(served.larder.store().records("queue/").count(), 0);
    assert_whole(&served.client());
}

/// Four writers apply, remove and restore the same content beside two collectors.
#[test]
fn what_writers_need_is_not_collected() {
    const SECONDS: u64 = 6;
    let place = tempfile::tempdir().unwrap();
    let served = Served::at(&format!("sqlite:{}", place.path().join("larder.db").display()));
    let url = served.server.url();
    let tokens: Vec<_> =
        (1..=4).map(|seed| served.user(&format!("w{seed}"), Role::Writer, "*")).collect();
    let operators = ["one", "two"].map(|name| served.client_of(name, Role::Operator, "*"));
    let ended = AtomicBool::new(false);
    let (url, ended) = (&url, &ended);
    let collected: usize = thread::scope(|scope| {
        let collectors: Vec<_> = operators
            .iter()
            .map(|larder| {
                scope.spawn(move || {
                    let (mut swept, exclusive) = (0, GcOptions::new().exclusive(true));
                    while !ended.load(Ordering::Relaxed) {
                        match larder.maintenance().gc(&exclusive.grace(Duration::ZERO)) {
                            Ok(found) => swept += found.deleted.len() + found.unmarked.len(),
                            Err(Error::Conflict { .. } | Error::Refused { .. }) => {}
                            Err(error) => panic!("{}", told(&error)),
                        }
                        thread::sleep(Duration::from_millis(100));
                    }
                    swept
                })
            })
            .collect();
        let writers: Vec<_> = (1..)
            .zip(&tokens)
            .map(|(seed, token)| {
                scope.spawn(move || {
                    let larder = larder_of(open(url, token));
                    churn::run(&larder, seed, SECONDS).map_err(|error| error.to_string())
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap().unwrap();
        }
        ended.store(true, Ordering::Relaxed);
        collectors.into_iter().map(|it| it.join().unwrap()).sum()
    });
    assert!(collected > 0, "it was put to the test");
    assert_whole(&served.client());
}
