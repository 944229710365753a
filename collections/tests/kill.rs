//! Processes that are killed while they write: no row is lost, double or half.
#![cfg(unix)]
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use larder_collections::arrow_array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use larder_collections::{Find, Insert, LarderCollections, UntypedCollection};
use larder_core::{Larder, Registry};
use larder_store_fs as _;
use serde::{Deserialize, Serialize};

/// Number of kills of each kind of work.
const KILLS: u64 = 100;
/// Maximum rows of one insert.
const BATCH: u64 = 50;

/// Few rows stay in the manifest, many are a file.
fn size(batch: u64) -> u64 {
    if batch.is_multiple_of(2) { 3 } else { BATCH }
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    id: u64,
    batch: u64,
    text: String,
}

fn open(folder: &Path) -> Larder {
    Registry::linked().unwrap().open(format!("fs:{}", folder.display()).as_str()).unwrap()
}

fn rows_of_batch(batch: u64) -> impl Iterator<Item = Row> {
    (0..size(batch)).map(move |at| Row {
        id: batch * BATCH + at,
        batch,
        text: format!("row {at} of {batch}"),
    })
}

fn batch_of(rows: Vec<Row>) -> RecordBatch {
    let numbers = |number: fn(&Row) -> u64| {
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(number))) as ArrayRef
    };
    let texts = StringArray::from_iter_values(rows.iter().map(|row| &row.text));
    let columns = [
        ("id", numbers(|row| row.id)),
        ("batch", numbers(|row| row.batch)),
        ("text", Arc::new(texts) as ArrayRef),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The process that is killed: writes for ever, and prints what is done.
#[test]
fn child() {
    let Ok(task) = std::env::var("KILL_TASK") else { return };
    let larder = open(Path::new(&std::env::var("KILL_FOLDER").unwrap()));
    let rows = larder.collection::<Row>("killed").unwrap().with_key("id");
    let mut batch: u64 = std::env::var("KILL_FROM").unwrap().parse().unwrap();
    tell("begun");
    if task == "versions" {
        let untyped = larder.untyped_collection("killed").unwrap();
        let batches = (batch..).map(|batch| Ok(batch_of(rows_of_batch(batch).collect())));
        for inserted in untyped.insert_versions(batches, Insert::new().key("id")) {
            inserted.unwrap();
            tell(&format!("done {batch}"));
            batch += 1;
        }
    }
    loop {
        match task.as_str() {
            "insert" => drop(rows.insert_many(rows_of_batch(batch)).unwrap()),
            _ => {
                rows.insert_many(rows_of_batch(batch)).unwrap();
                rows.compact().unwrap();
            }
        }
        tell(&format!("done {batch}"));
        batch += 1;
    }
}

fn tell(line: &str) {
    println!("{line}");
    std::io::stdout().flush().unwrap();
}

/// Runs the child, and kills it a while after it has begun to write; returns the batches that it had written for certain.
fn kill_after(task: &str, folder: &Path, from: u64, wait: Duration) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env("KILL_TASK", task)
        .env("KILL_FOLDER", folder)
        .env("KILL_FROM", from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line.contains("begun")), "the child does not begin");
    let reader = std::thread::spawn(move || {
        let number = |line: String| line.split("done ").nth(1).and_then(|it| it.parse().ok());
        lines.filter_map(number).collect::<Vec<u64>>()
    });
    std::thread::sleep(wait);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// Returns the number of rows of each batch, after a check of each row.
fn batches(collection: &UntypedCollection) -> BTreeMap<u64, u64> {
    let mut batches = BTreeMap::new();
    let Some(head) = collection.head().unwrap() else { return batches };
    let rows = collection.larder().collection::<Row>("killed").unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for row in rows.latest().unwrap().find(&Find::default()).unwrap() {
        let row = row.unwrap();
        assert!(ids.insert(row.id), "row {} is there twice", row.id);
        assert_eq!(row.text, format!("row {} of {}", row.id % BATCH, row.id / BATCH));
        *batches.entry(row.batch).or_default() += 1;
    }
    assert_eq!(head.rows(), ids.len() as u64);
    batches
}

fn kill_many(task: &str) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("larder");
    let collection = open(&place).untyped_collection("killed").unwrap();
    let mut certain: Vec<u64> = Vec::new();
    // On a busy machine, more of them until enough was written.
    for kill in 0.. {
        if kill >= KILLS && certain.len() as u64 > KILLS / 10 {
            break;
        }
        assert!(kill < 10 * KILLS, "the children wrote {} batches", certain.len());
        let from = batches(&collection).keys().next_back().map_or(0, |last| last + 1);
        // From the first write to the middle of a later one.
        certain.extend(kill_after(task, &place, from, Duration::from_millis(kill * 7 % 120)));
        let found = batches(&collection);
        for batch in &certain {
            assert!(found.contains_key(batch), "batch {batch} after kill {kill}");
        }
        assert!(found.iter().all(|(batch, rows)| *rows == size(*batch)), "half: {found:?}");
    }
    let layout = collection.latest().unwrap().layout();
    assert!(layout.small_fragments < 64, "{layout:?}");
}

#[test]
fn inserts_that_are_killed_are_whole_or_not_there() {
    kill_many("insert");
}

#[test]
fn inserts_in_a_row_that_are_killed_are_whole_or_not_there() {
    kill_many("versions");
}

#[test]
fn compactions_that_are_killed_lose_no_row() {
    kill_many("compact");
}
