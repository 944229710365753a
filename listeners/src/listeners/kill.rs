//! Processes that are killed while they insert, fill and index: no row is lost, double or half.
//!
//! `LARDER_KILLS=100` for more of them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use larder_core::{Error, Larder, Registry};
use larder_jobs::LarderJobs;
use serde_json::{Map, Value, json};

use larder_store_fs as _;

use super::tests::Sum;
use super::*;
use crate::index::{Like, SearchQuery, Unindexed};
use crate::nearest::Measure;
use larder_collections::Scan;
use larder_collections::{Insert, LarderCollections};

/// The environment variable with the folder of a child process.
const FOLDER: &str = "LARDER_KILL_FOLDER";
/// Rows for each kill after which a child ends by itself.
const MOST_ROWS: u64 = 250;

fn kills() -> u64 {
    std::env::var("LARDER_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(12)
}

fn open(folder: &Path) -> Larder {
    Registry::linked().unwrap().open(&*format!("fs:{}", folder.display())).unwrap()
}

fn row(id: u64, times: f64) -> Map<String, Value> {
    let Value::Object(row) = json!({ "id": id, "x": [id as f64 * times, 0.5] }) else { panic!() };
    row
}

fn write(larder: &Larder, ids: impl Iterator<Item = u64>, times: f64) {
    let rows = larder.untyped_collection("rows").unwrap();
    let new = ids.map(|id| Ok(row(id, times)));
    rows.insert_json(new, Insert::new().key("id").upsert()).unwrap();
}

fn fill(larder: &Larder) {
    let listeners = larder.listeners("rows").unwrap();
    let fired = listeners.fill("total", false).unwrap();
    larder.jobs().wait(&fired).unwrap();
    let fired = listeners.fill_index("x").unwrap();
    larder.jobs().wait(&fired).unwrap();
}

/// What a child does until it is killed.
#[test]
#[ignore = "it is run by `a_process_that_is_killed_leaves_whole_rows`"]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let larder = open(Path::new(&folder));
    loop {
        let rows = larder.untyped_collection("rows").unwrap().latest().unwrap().rows();
        if rows > MOST_ROWS * kills() {
            return;
        }
        write(&larder, rows..rows + 40, 1.0);
        write(&larder, (0..rows).step_by(17).take(9), 1.0 + rows as f64);
        fill(&larder);
    }
}

/// Checks that every output is that of a row, or of a former value of it, and that the counts are right.
fn check(larder: &Larder, is_complete: bool) {
    let listeners = larder.listeners("rows").unwrap();
    let version = larder.untyped_collection("rows").unwrap().latest().unwrap();
    let mut expected = Vec::new();
    for batch in version.scan(&Scan::new()).unwrap() {
        let batch = batch.unwrap();
        for at in 0..batch.ids.len() {
            let row = larder_collections::row_of(&batch.rows, at);
            let x: Vec<f64> = serde_json::from_value(row["x"].clone()).unwrap();
            expected.push(x);
        }
    }
    let (mut ok, mut seen) = (0, 0);
    listeners
        .for_each_output("total", |row| {
            let x = &expected[seen];
            if row.status == OutputStatus::Ok {
                assert_eq!(row.output, json!(x[0] + x[1]), "row {}", row.row);
                ok += 1;
            }
            seen += 1;
            Ok::<_, Error>(true)
        })
        .unwrap();
    assert_eq!(seen, expected.len(), "each row once");
    let status = listeners.status().unwrap().remove(0);
    assert_eq!(status.ok, ok, "the counts are those of the rows");
    // What is not indexed is searched as well, so all rows are found, each with its vector.
    let query = SearchQuery::new(Like::Vector(vec![0.0, 0.5]), expected.len() + 9);
    let found = listeners.search("x", &query).unwrap().found;
    assert_eq!(found.len(), expected.len(), "each vector once");
    for hit in &found {
        let x = &expected[usize::try_from(hit.row).unwrap()];
        let distance = x[0].abs() as f32;
        assert!((hit.score - distance).abs() <= distance * 1e-5, "row {}", hit.row);
    }
    if is_complete {
        assert_eq!((status.ok, status.backlog), (status.rows, 0));
        let result = listeners.search("x", &query.unindexed(Unindexed::Report)).unwrap();
        assert_eq!((result.found.len(), result.left_out), (expected.len(), 0));
    }
}

#[test]
fn a_process_that_is_killed_leaves_whole_rows() {
    let folder = tempfile::tempdir().unwrap();
    let larder = open(folder.path());
    larder.apply("sum", &Sum { times: 1.0 }).unwrap();
    write(&larder, 0..200, 1.0);
    let listeners = larder.listeners("rows").unwrap();
    listeners.attach("sum", &["x"], &AttachOptions::new().name("total")).unwrap();
    listeners.index("x", &IndexOptions::new().measure(Measure::L2)).unwrap();
    let mut random = fastrand::Rng::with_seed(9);
    let rows = || larder.untyped_collection("rows").unwrap().latest().unwrap().rows();
    for round in 0..kills() {
        let before = rows();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "listeners::kill::child"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // On a busy machine it may take long to start: every second one is killed after it wrote.
        let start = Instant::now();
        while round % 2 > 0 && rows() == before && start.elapsed() < Duration::from_secs(30) {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(random.u64(20..400)));
        child.kill().unwrap();
        child.wait().unwrap();
        check(&larder, false);
    }
    fill(&larder);
    check(&larder, true);
    assert!(rows() > 200, "the processes wrote nothing");
}
