//! Many processes on one bucket.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use larder::{Error, GcOptions};

use super::{assert_whole, server};

const PROCESSES: u64 = 4;
const ROUNDS: u64 = 15;

#[test]
fn four_processes_lose_no_version_and_get_none_twice_while_another_collects() {
    let server = server();
    let url = server.url("shared");
    let larder = larder::open(&url).unwrap();
    let children: Vec<_> = (0..PROCESSES)
        .map(|i| {
            let mut worker = Command::new(env!("CARGO_BIN_EXE_worker"));
            worker.args(["rounds", &url, "shared", &format!("own/{i}"), &ROUNDS.to_string()]);
            worker.stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let ended = AtomicBool::new(false);
    let (mut said, mut conflicts) = (BTreeMap::new(), 0);
    thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let larder = larder::open(&url).unwrap();
            let mut runs = 0;
            while !ended.load(Ordering::Relaxed) {
                let options = GcOptions { grace: Duration::from_secs(30), dry_run: false };
                match larder.gc(&options) {
                    Ok(_) => runs += 1,
                    Err(Error::Conflict { .. }) => {}
                    Err(error) => panic!("{}", super::told(&error)),
                }
            }
            runs
        });
        for child in children {
            let output = child.wait_with_output().unwrap();
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
        assert!(collector.join().unwrap() > 0, "the collector came to its end");
    });
    let shared = said.keys().filter(|(name, _)| name == "shared").count() as u64;
    assert_eq!(shared + conflicts, PROCESSES * ROUNDS, "{shared} versions, {conflicts} conflicts");
    assert!(shared > PROCESSES, "most were made");

    let mut there = BTreeMap::new();
    for name in (0..PROCESSES).map(|i| format!("own/{i}")).chain(["shared".to_owned()]) {
        for version in larder.versions(name.as_str()).unwrap() {
            there.insert((name.clone(), version.version.get()), version.digest.to_string());
        }
    }
    assert_eq!(there, said, "the versions that are there, and those that were acknowledged");
    let latest = larder.show("shared").unwrap().version.version;
    assert_eq!(
        Some(&latest.get()),
        said.keys().filter(|(name, _)| name == "shared").map(|(_, n)| n).max()
    );
    assert_whole(&larder);
}
