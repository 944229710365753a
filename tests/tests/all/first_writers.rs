//! Many that open the same new larder at once: one makes it, and all use it.

use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;

use larder::Registry;
use larder::bytes::Bytes;
use larder::maintenance::LarderMaintenance;
use larder::store::{Digest, StoreExt};
use larder_tests::Doubler;

/// Lets `threads` open the larder at each of `urls` at the same moment, apply to it and list it.
pub(crate) fn open_at_once(threads: usize, urls: impl Iterator<Item = String>) {
    for url in urls {
        let barrier = Barrier::new(threads);
        let (url, barrier) = (&url, &barrier);
        thread::scope(|scope| {
            for at in 0..threads {
                scope.spawn(move || {
                    let registry = Registry::linked().unwrap();
                    barrier.wait();
                    if at % 3 == 2 {
                        // A reader finds no larder, or a whole one.
                        let found = registry.find_store(&url.parse().unwrap()).unwrap();
                        return found.into_iter().for_each(|store| {
                            store.records("").for_each(|record| drop(record.unwrap()));
                        });
                    }
                    let larder = registry.open(url.as_str()).unwrap();
                    larder.apply(format!("own/{at}"), &Doubler { factor: 1.0 }).unwrap();
                });
            }
        });
        let larder = larder::open(url.as_str()).unwrap();
        assert_eq!(larder.list().count(), threads - threads / 3, "{url}");
        assert_eq!(larder.maintenance().verify(larder::Selection::All).unwrap().findings, []);
    }
}

/// The URLs of new larders.
fn urls(folder: &tempfile::TempDir, scheme: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |number| {
        let path = folder.path().join(format!("{scheme}-{number}/larder"));
        if scheme == "sqlite" {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        format!("{scheme}:{}", path.display())
    })
}

#[test]
fn the_first_writers_of_an_sqlite_file_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    open_at_once(9, urls(&folder, "sqlite", 60));
}

#[test]
fn the_first_writers_of_a_folder_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    open_at_once(9, urls(&folder, "fs", 40));
}

#[test]
fn the_first_large_artifact_beside_an_sqlite_file_is_found_whenever_a_reader_looks() {
    let folder = tempfile::tempdir().unwrap();
    let large = Bytes::from(vec![7; 100 << 10]);
    let digest = Digest::of(&large);
    for url in urls(&folder, "sqlite", 20) {
        let writer = larder::open(url.as_str()).unwrap();
        writer.apply("small", &Doubler { factor: 1.0 }).unwrap();
        thread::scope(|scope| {
            for _ in 0..12 {
                let reader = larder::open(url.as_str()).unwrap();
                scope.spawn(move || while reader.store().get_blob(&digest).unwrap().is_none() {});
            }
            writer.store().put_blob(&digest, large.clone()).unwrap();
        });
    }
}

#[test]
fn the_first_processes_of_a_larder_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    for url in urls(&folder, "sqlite", 5).chain(urls(&folder, "fs", 5)) {
        let start = |at: usize| {
            let mut worker = Command::new(env!("CARGO_BIN_EXE_worker"));
            worker.args(["rounds", &url, "shared", &format!("own/{at}"), "1"]);
            worker.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let workers: Vec<_> = (0..8).map(start).collect();
        for worker in workers {
            let ended = worker.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(ended.status.success(), "{url}: {said}");
        }
        assert_eq!(larder::open(url.as_str()).unwrap().list().count(), 9);
    }
}
