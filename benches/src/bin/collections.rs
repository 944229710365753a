//! Cost of collections, against what the machine does with the same Arrow data.
//!
//! ```sh
//! cargo run --release -p larder-benches --features collections --bin collections
//! ```
//!
//! `PARTS=insert,scan` measures only these of `insert`, `scan`, `version`, `single`, `listener` and `search`; the second and the third
//! read what the first wrote.

use std::fs::{self, File};
use std::io::BufWriter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, Scalar, StringArray, UInt32Array,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, Schema};
use larder::collections::extend::arrow_error;
use larder::collections::{ArrowFile, Insert, LarderCollections, Scan, UntypedCollection};
use larder::prelude::*;
use larder::store::StoreExt;
use larder_benches::{Outcome, compare, head, peak_growth, say, show, timed, work_folder};

/// Rows of the large collection.
const ROWS: usize = 1_000_000;
/// Rows of a batch.
const BATCH: usize = 10_000;
/// Inserts of one row.
const SINGLE: usize = 10_000;

#[path = "../models_on_data.rs"]
mod models_on_data;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/small")]
struct Small {
    number: u64,
}

fn main() -> Outcome {
    let folder = work_folder()?;
    say("collections (`larder`), compared with what the machine does (`limit`); one thread");
    head();
    let parts = std::env::var("PARTS").ok();
    let is_wanted = |part: &str| parts.as_ref().is_none_or(|it| it.split(',').any(|it| it == part));
    for store in ["sqlite", "fs"].into_iter().filter(|_| is_wanted("insert")) {
        insert(&folder, store)?;
    }
    if is_wanted("scan") {
        scan(&folder)?;
    }
    if is_wanted("version") {
        version_bytes(&folder)?;
    }
    let singles: usize =
        std::env::var("SINGLE").ok().and_then(|it| it.parse().ok()).unwrap_or(SINGLE);
    for store in ["sqlite", "fs"].into_iter().filter(|_| is_wanted("single")) {
        single(&folder, store, singles)?;
    }
    for store in ["sqlite", "fs"].into_iter().filter(|_| is_wanted("listener")) {
        models_on_data::listener(&folder, store)?;
    }
    if is_wanted("search") {
        models_on_data::search(&folder)?;
    }
    Ok(())
}

/// A batch of rows with ten fields.
fn batch(number: usize) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let rows = number * BATCH..(number + 1) * BATCH;
    let noise = |row: usize| (row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as u32;
    let text = |row: usize| format!("item {:08x} of the shop", noise(row));
    let columns: Vec<(&str, DataType, ArrayRef)> = vec![
        (
            "id",
            DataType::Int64,
            Arc::new(Int64Array::from_iter_values(rows.clone().map(|it| it as i64))),
        ),
        ("name", DataType::Utf8, Arc::new(StringArray::from_iter_values(rows.clone().map(text)))),
        (
            "price",
            DataType::Float64,
            Arc::new(Float64Array::from_iter_values(
                rows.clone().map(|it| f64::from(noise(it) % 10_000) / 100.0),
            )),
        ),
        (
            "stock",
            DataType::UInt32,
            Arc::new(UInt32Array::from_iter_values(rows.clone().map(|it| noise(it) % 100))),
        ),
        (
            "sold",
            DataType::Boolean,
            Arc::new(BooleanArray::from(
                rows.clone().map(|it| noise(it) % 3 == 0).collect::<Vec<_>>(),
            )),
        ),
        (
            "weight",
            DataType::Float64,
            Arc::new(Float64Array::from_iter_values(rows.clone().map(|it| f64::from(noise(it))))),
        ),
        (
            "width",
            DataType::Float64,
            Arc::new(Float64Array::from_iter_values(
                rows.clone().map(|it| f64::from(noise(it + 1))),
            )),
        ),
        (
            "height",
            DataType::Float64,
            Arc::new(Float64Array::from_iter_values(
                rows.clone().map(|it| f64::from(noise(it + 2))),
            )),
        ),
        (
            "made",
            DataType::Int64,
            Arc::new(Int64Array::from_iter_values(rows.clone().map(|it| i64::from(noise(it + 3))))),
        ),
        (
            "place",
            DataType::Utf8,
            Arc::new(StringArray::from_iter_values(
                rows.map(|it| format!("shelf {}", noise(it) % 500)),
            )),
        ),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, kind, _)| Field::new(*name, kind.clone(), false)).collect();
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns.into_iter().map(|column| column.2).collect(),
    )
}

fn open(folder: &tempfile::TempDir, store: &str, name: &str) -> Outcome<UntypedCollection> {
    let path = folder.path().join(format!("{name}.{store}"));
    Ok(larder::open(format!("{store}:{}", path.display()).as_str())?
        .untyped_collection("shop/rows")?)
}

/// Inserts a batch, keyed.
fn add(collection: &UntypedCollection, batch: RecordBatch) -> Outcome {
    collection.insert_batches(std::iter::once(Ok(batch)), Insert::new().key("id"))?;
    Ok(())
}

/// Inserts batches, each as a version.
fn add_all(
    collection: &UntypedCollection,
    batches: impl Iterator<Item = larder::Result<RecordBatch>>,
) -> Outcome {
    for inserted in collection.insert_versions(batches, Insert::new().key("id")) {
        inserted?;
    }
    Ok(())
}

fn insert(folder: &tempfile::TempDir, store: &str) -> Outcome {
    let batches = || (0..ROWS / BATCH).map(batch);
    let ours = |round: usize| {
        let collection = open(folder, store, &format!("insert-{round}"))?;
        let mut time = Duration::ZERO;
        for batch in batches() {
            let batch = batch?;
            time += timed(|| add(&collection, batch))?;
        }
        Ok(time)
    };
    let in_a_row = |round: usize| {
        let collection = open(folder, store, &format!("insert-in-a-row-{round}"))?;
        let batches = batches().collect::<Result<Vec<_>, _>>()?;
        timed(|| add_all(&collection, batches.into_iter().map(Ok)))
    };
    let limit = |name: &'static str| {
        move |round: usize| {
            let place = folder.path().join(format!("files-{store}-{name}-{round}"));
            fs::create_dir(&place)?;
            let mut time = Duration::ZERO;
            for (number, batch) in batches().enumerate() {
                let batch = batch?;
                time += timed(|| {
                    let file = BufWriter::new(File::create(place.join(format!("{number}.arrow")))?);
                    let mut writer = FileWriter::try_new(file, &batch.schema())?;
                    writer.write(&batch)?;
                    writer.finish()?;
                    let file =
                        writer.into_inner()?.into_inner().map_err(|error| error.into_error())?;
                    file.sync_all()?;
                    Ok(File::open(&place)?.sync_all()?)
                })?;
            }
            // They stay: for minutes after files were removed, ext4 takes longer to create others.
            Ok(time)
        }
    };
    let what = format!("{store}: insert 1,000,000 rows in a row");
    compare(&what, 1.3, 3, in_a_row, limit("in-a-row"))?;
    let what = format!("{store}: the same, one call after another");
    compare(&what, 1.3, 3, ours, limit("alone"))?;
    let peak = peak_growth(|| {
        let collection = open(folder, store, "memory")?;
        add_all(
            &collection,
            batches().map(|it| it.map_err(|error| arrow_error("make rows", error))),
        )
    })?;
    say(&format!("    memory: {:.1} MB (goal: 200)", peak as f64 / 1e6));
    Ok(())
}

fn scan(folder: &tempfile::TempDir) -> Outcome {
    // What the inserts left.
    let collection = open(folder, "sqlite", "insert-0")?;
    let version = collection.latest()?;
    let details = collection.larder().show(version.info().reference())?;
    let store = collection.larder().store();
    let mut files = Vec::new();
    for entry in details.manifest.artifacts() {
        let bytes = store.get_blob(&entry.digest)?.ok_or("a fragment is missing")?;
        files.push(ArrowFile::from(bytes).batch().map_err(|error| error.to_string())?);
    }
    let wanted = Scan::new().filter("price < 1".parse()?);
    let count = std::cell::Cell::new(0);
    let ours = |_| {
        timed(|| {
            let found = version.scan(&wanted)?.map(|batch| Ok(batch?.rows.num_rows()));
            count.set(found.sum::<larder::Result<usize>>()?);
            Ok(())
        })
    };
    let limit = |_| {
        timed(|| {
            let mut found = 0;
            let one: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
            let one = Scalar::new(one);
            for batch in &files {
                let matches = arrow_ord::cmp::lt(batch.column(2), &one)?;
                found += arrow_select::filter::filter_record_batch(batch, &matches)?.num_rows();
            }
            match found == count.get() {
                true => Ok(()),
                false => Err(format!("{found} rows, and {} by larder", count.get()).into()),
            }
        })
    };
    compare("scan 1,000,000 rows with a filter", 1.2, 20, ours, limit)?;
    let fresh = open(folder, "sqlite", "insert-0")?;
    let first = timed(|| Ok(fresh.latest()?.scan(&wanted)?.count()))?;
    say(&format!("    first scan of a handle, which verifies all digests: {}", show(first)));
    let peak = peak_growth(|| {
        Ok(open(folder, "sqlite", "insert-0")?.latest()?.scan(&Scan::new())?.count())
    })?;
    say(&format!("    memory to read all: {:.1} MB (goal: 200)", peak as f64 / 1e6));
    Ok(())
}

fn version_bytes(folder: &tempfile::TempDir) -> Outcome {
    let collection = open(folder, "sqlite", "insert-0")?;
    let before = collection.larder().show(collection.latest()?.info().reference())?;
    let batch = batch(ROWS / BATCH)?;
    let bytes = ArrowFile::of(&batch)?.size();
    add(&collection, batch)?;
    let after = collection.larder().show(collection.latest()?.info().reference())?;
    let known: Vec<_> = before.manifest.artifacts().iter().map(|entry| entry.digest).collect();
    let new: u64 = after
        .manifest
        .artifacts()
        .iter()
        .filter(|entry| !known.contains(&entry.digest))
        .map(|entry| entry.size)
        .sum();
    let all: u64 = after.manifest.artifacts().iter().map(|entry| entry.size).sum();
    let manifest = after.version.size - all;
    let goal = (bytes as f64 * 1.05) as u64 + 65_536;
    let result = if new + manifest <= goal { "met" } else { "MISSED" };
    say(&format!(
        "version after a batch of {bytes} bytes: {new} of rows, {manifest} of manifest (goal {goal})  {result}"
    ));
    Ok(())
}

fn single(folder: &tempfile::TempDir, store: &str, singles: usize) -> Outcome {
    let collection = open(folder, store, "single")?;
    let other = open(folder, store, "apply")?;
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    let rows = batch(0)?;
    let begun = Instant::now();
    for number in 0..singles {
        let row = rows.slice(number % BATCH, 1);
        // Keys of its own beyond the first batch.
        let id: ArrayRef = Arc::new(Int64Array::from(vec![number as i64]));
        let mut columns = row.columns().to_vec();
        columns[0] = id;
        let row = RecordBatch::try_new(row.schema(), columns)?;
        ours.push(timed(|| add(&collection, row))?);
        limits.push(timed(|| {
            Ok(other.larder().apply("small", &Small { number: number as u64 })?)
        })?);
    }
    let mean = |times: &[Duration]| {
        times.iter().sum::<Duration>() / u32::try_from(times.len().max(1)).unwrap_or(1)
    };
    let window = (singles / 10).max(1);
    for (what, range) in
        [("first", 0..window), ("last", singles - window..singles), ("all", 0..singles)]
    {
        let (one, two) = (mean(&ours[range.clone()]), mean(&limits[range]));
        let ratio = one.as_secs_f64() / two.as_secs_f64();
        let met = if ratio <= 1.3 { "met" } else { "MISSED" };
        let what = format!("{store}: insert one row, mean of the {what}");
        say(&format!(
            "{what:<44} {:>10} {:>10} {ratio:>7.2} {:>6.2}  {met}",
            show(one),
            show(two),
            1.3
        ));
    }
    let layout = collection.latest()?.layout();
    say(&format!(
        "    {singles} inserts in {:.0} s leave {} fragments",
        begun.elapsed().as_secs_f64(),
        layout.fragments
    ));
    Ok(())
}
