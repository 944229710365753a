//! Many processes on one larder.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use std::collections::BTreeMap;
use std::env;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use larder::maintenance::GcOptions;
use larder::{Error, Larder};

/// Number of writing processes.
const PROCESSES: u64 = 4;
/// Grace period: shorter than the run of the writers, longer than one commit.
const GRACE: Duration = Duration::from_secs(2);

/// Lets four processes, started from `worker`, apply so many versions to one name, and as many to one of their own,
/// while this one collects garbage. `LARDER_ROUNDS` says how many instead of `rounds`.
///
/// # Panics
/// If a version is lost or made twice, if a number is given twice, or if bytes are missing.
#[allow(clippy::unwrap_used, clippy::print_stderr)]
pub fn apply_while_another_collects(worker: &str, url: &str, rounds: u64) {
    let rounds = env::var("LARDER_ROUNDS").map_or(rounds, |rounds| rounds.parse().unwrap());
    let larder = larder::open(url).unwrap();
    let begun = Instant::now();
    let children: Vec<_> = (0..PROCESSES)
        .map(|i| {
            let mut worker = Command::new(worker);
            worker.args(["rounds", url, "shared", &format!("own/{i}"), &rounds.to_string()]);
            worker.stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let ended = AtomicBool::new(false);
    let (mut said, mut conflicts) = (BTreeMap::new(), 0);
    let collected = thread::scope(|scope| {
        let collector = scope.spawn(|| collect(&larder::open(url).unwrap(), &ended));
        // All are read at once, so that none waits for a reader.
        let readers: Vec<_> =
            children.into_iter().map(|it| scope.spawn(|| it.wait_with_output())).collect();
        for reader in readers {
            let output = reader.join().unwrap().unwrap();
            assert!(output.status.success());
            for line in String::from_utf8(output.stdout).unwrap().lines() {
                match line.split(' ').collect::<Vec<_>>()[..] {
                    [name, number, digest] => {
                        let key = (name.to_owned(), number.parse::<u64>().unwrap());
                        let before = said.insert(key, digest.to_owned());
                        assert_eq!(before, None, "{name}@{number} was given twice");
                    }
                    ["conflict"] => conflicts += 1,
                    _ => panic!("{line}"),
                }
            }
        }
        ended.store(true, Ordering::Relaxed);
        collector.join().unwrap()
    });
    assert!(collected > 0, "the collector came to its end");
    let shared = said.keys().filter(|(name, _)| name == "shared").count() as u64;
    assert_eq!(shared + conflicts, PROCESSES * rounds, "{shared} versions, {conflicts} conflicts");
    assert!(shared > PROCESSES, "most were made");
    assert_eq!(there(&larder), said, "the versions that are there, and the acknowledged");
    let latest = larder.show("shared").unwrap().version.version.get();
    let newest = said.keys().filter(|(name, _)| name == "shared").map(|(_, number)| *number).max();
    assert_eq!(Some(latest), newest);
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
    let took = begun.elapsed().as_secs_f64();
    eprintln!("{shared} versions, {conflicts} conflicts, {collected} collections in {took:.1} s");
}

/// The digests of all versions, by name and number.
#[allow(clippy::unwrap_used)]
fn there(larder: &Larder) -> BTreeMap<(String, u64), String> {
    let mut there = BTreeMap::new();
    for name in (0..PROCESSES).map(|i| format!("own/{i}")).chain(["shared".to_owned()]) {
        for version in larder.versions(name.as_str()).unwrap() {
            there.insert((name.clone(), version.version.get()), version.digest.to_string());
        }
    }
    there
}

/// Collects until the others have ended; gives how often.
fn collect(larder: &Larder, ended: &AtomicBool) -> u64 {
    let mut runs = 0;
    while !ended.load(Ordering::Relaxed) {
        match larder.maintenance().gc(&GcOptions::new().grace(GRACE)) {
            Ok(_) => runs += 1,
            Err(Error::Conflict { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
        // It asks much of a server, and is one of five.
        thread::sleep(GRACE / 10);
    }
    runs
}
