//! A collector beside processes that apply, remove and restore the same few contents all the time.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use larder::Error;
use larder::maintenance::GcOptions;
use larder_tests::Parcel;

/// Duration of the test without `LARDER_GC_SECONDS`.
const SECONDS: u64 = 6;
const COLLECTORS: usize = 3;
/// The time between the collections of one thread. Without any, no writer would ever get in.
const PAUSE: Duration = Duration::from_millis(100);

/// Counts of one run.
#[derive(Default)]
struct Done {
    applied: u64,
    collected: usize,
    kept: usize,
}

/// Repeats runs until the counts are large enough: a busy machine takes several.
fn collect_beside_four(scheme: &str, options: GcOptions) {
    let mut all = Done::default();
    for _ in 0..10 {
        let done = collect_once(scheme, &options);
        all.applied += done.applied;
        all.collected += done.collected;
        all.kept += done.kept;
        if all.applied > 20 && all.collected > 0 && all.kept > 4 {
            return;
        }
    }
    panic!("it was not put to the test: {} applied", all.applied);
}

/// Collects in three threads with `options` beside four processes.
fn collect_once(scheme: &str, options: &GcOptions) -> Done {
    let seconds = std::env::var("LARDER_GC_SECONDS");
    let seconds = seconds.map_or(SECONDS, |text| text.parse().expect("a number of seconds"));
    let folder = tempfile::tempdir().unwrap();
    let url = format!("{scheme}:{}", folder.path().join("larder").display());
    let larder = larder::open(&url).unwrap();
    let writers: Vec<_> = (1..=4)
        .map(|seed| {
            let mut worker = Command::new(env!("CARGO_BIN_EXE_worker"));
            worker.args(["churn", &url, &seed.to_string(), &seconds.to_string()]);
            worker.stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let begun = Instant::now();
    let collect = || {
        let (mut runs, mut swept, mut pardoned) = (0, 0, 0);
        while begun.elapsed() < Duration::from_secs(seconds) {
            match larder.maintenance().gc(options) {
                Ok(collected) => {
                    runs += 1;
                    swept += collected.deleted.len();
                    pardoned += collected.unmarked.len();
                }
                // Another collector was faster, or holds the lock.
                Err(Error::Conflict { .. } | Error::Refused { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            thread::sleep(PAUSE);
        }
        (runs, swept, pardoned)
    };
    let collected = thread::scope(|scope| {
        let collectors = [(); COLLECTORS].map(|()| scope.spawn(collect));
        collectors.map(|collector| collector.join().unwrap())
    });
    let (mut runs, mut swept, mut pardoned) = (0, 0, 0);
    for collected in collected {
        (runs, swept, pardoned) = (runs + collected.0, swept + collected.1, pardoned + collected.2);
    }
    let mut promised = 0;
    let mut said = (0, 0, 0);
    for writer in writers {
        let output = writer.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        for line in text.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["kept", reference, digest] => {
                    let shown = larder.show(reference).unwrap();
                    assert_eq!(shown.version.digest.to_string(), digest);
                    let parcel: Parcel = larder.load(reference).unwrap();
                    assert!(!parcel.content.get().unwrap().is_empty());
                    promised += 1;
                }
                ["done", applied, restored, refused] => {
                    said.0 += applied.parse::<u64>().unwrap();
                    said.1 += restored.parse::<u64>().unwrap();
                    said.2 += refused.parse::<u64>().unwrap();
                }
                _ => panic!("{line}"),
            }
        }
    }
    let checked = larder.maintenance().verify(Selection::All).unwrap();
    let (applied, restored, refused) = said;
    println!(
        "{scheme}: {applied} applied, {restored} restored, {refused} restorations too late; \
         {runs} collections swept {swept} blobs and pardoned {pardoned}; {promised} versions kept"
    );
    assert_eq!(checked.findings, []);

    // Nobody writes any more: two runs take the rest.
    for _ in 0..2 {
        match larder.maintenance().gc(&GcOptions::new().grace(Duration::ZERO).exclusive(true)) {
            Ok(_) | Err(Error::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let checked = larder.maintenance().verify(Selection::All).unwrap();
    assert_eq!(checked.findings, []);
    assert_eq!(checked.orphans.unwrap().count, 0);
    Done { applied, collected: swept + pardoned, kept: promised }
}

const BESIDE: GcOptions = GcOptions::new().grace(Duration::from_secs(1));
const EXCLUSIVE: GcOptions = GcOptions::new().grace(Duration::ZERO).exclusive(true);

#[test]
fn a_folder_is_collected_beside_four_processes_that_apply() {
    collect_beside_four("fs", BESIDE);
}

#[test]
fn an_sqlite_file_is_collected_beside_four_processes_that_apply() {
    collect_beside_four("sqlite", BESIDE);
}

#[test]
fn a_folder_is_collected_exclusively_beside_four_processes_that_apply() {
    collect_beside_four("fs", EXCLUSIVE);
}

#[test]
fn an_sqlite_file_is_collected_exclusively_beside_four_processes_that_apply() {
    collect_beside_four("sqlite", EXCLUSIVE);
}
