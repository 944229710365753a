//! Listeners and searches, against the model's own batch call and one pass over memory.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{
    ArrayRef, FixedSizeListArray, Float32Array, Float64Array, Int64Array, RecordBatch,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, Schema};
use larder::collections::nearest::{Candidates, Segment, default_threads, nearest};
use larder::collections::{
    AttachOptions, IndexOptions, Insert, LarderCollections, LarderListeners, Like, Measure,
    SearchQuery,
};
use larder::prelude::*;
use larder_benches::{Outcome, compare, peak_growth, say, show, timed};

/// Rows of a batch.
const BATCH: usize = 10_000;
/// Numbers of a vector.
const WIDTH: usize = 384;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/double", model)]
struct Double;

impl Predict for Double {
    type Input = f64;
    type Output = f64;

    fn predict(&self, x: f64) -> larder::Result<f64> {
        Ok(2.0 * x)
    }
}

/// Returns a number from the environment, for shorter runs.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|it| it.parse().ok()).unwrap_or(default)
}

fn insert(
    larder: &Larder,
    columns: &dyn Fn(usize) -> Outcome<RecordBatch>,
    rows: usize,
) -> Outcome {
    let collection = larder.untyped_collection("rows")?;
    for batch in 0..rows / BATCH {
        let batch = columns(batch)?;
        collection.insert_batches(std::iter::once(Ok(batch)), Insert::new().key("id"))?;
    }
    Ok(())
}

fn ids(batch: usize) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values((batch * BATCH..(batch + 1) * BATCH).map(|it| it as i64)))
}

/// A listener of a trivial model.
pub(crate) fn listener(folder: &tempfile::TempDir, store: &str) -> Outcome {
    let rows = number("ROWS", 1_000_000);
    let numbers = |batch: usize| -> Outcome<RecordBatch> {
        let fields =
            [Field::new("id", DataType::Int64, false), Field::new("x", DataType::Float64, false)];
        let x = Float64Array::from_iter_values(
            (batch * BATCH..(batch + 1) * BATCH).map(|it| it as f64),
        );
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields.to_vec())),
            vec![ids(batch), Arc::new(x)],
        )?)
    };
    let place = folder.path().join(format!("listener.{store}"));
    let larder = larder::open(&*format!("{store}:{}", place.display()))?;
    larder.apply("double", &Double)?;
    insert(&larder, &numbers, rows)?;
    let listeners = larder.listeners("rows")?;
    let ours = |round: usize| {
        let options = AttachOptions::new().name(format!("double-{round}"));
        timed(|| {
            let attached = listeners.attach("double", &["x"], &options)?;
            larder.jobs().wait(&attached.applied)?;
            Ok(())
        })
    };
    // The model's own call for all rows, and a durable file of its outputs.
    let place = folder.path().join(format!("outputs-{store}"));
    std::fs::create_dir(&place)?;
    let limit = |round: usize| {
        let inputs: Vec<f64> = (0..rows).map(|it| it as f64).collect();
        let path = place.join(format!("{round}.arrow"));
        timed(|| {
            let outputs = Double.predict_batch(inputs)?;
            let field = Field::new("value", DataType::Float64, true);
            let column: ArrayRef = Arc::new(Float64Array::from(outputs));
            let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column])?;
            let file = std::fs::File::create(&path)?;
            let mut writer = FileWriter::try_new(file, &batch.schema())?;
            writer.write(&batch)?;
            writer.into_inner()?.sync_all()?;
            Ok(std::fs::File::open(&place)?.sync_all()?)
        })
    };
    compare(&format!("{store}: listener, {rows} rows"), 1.5, 5, ours, limit)?;
    let start = Instant::now();
    let peak = peak_growth(|| {
        let attached = listeners.attach("double", &["x"], &AttachOptions::new().name("memory"))?;
        larder.jobs().wait(&attached.applied)?;
        Ok(())
    })?;
    let rate = rows as f64 / start.elapsed().as_secs_f64();
    let result = if rate >= 172_000.0 { "met" } else { "MISSED" };
    say(&format!("    {rate:.0} rows a second (goal: 172,000)  {result}"));
    say(&format!("    memory: {:.1} MB (goal: 200)", peak as f64 / 1e6));
    Ok(())
}

/// A search for the nearest vectors.
pub(crate) fn search(folder: &tempfile::TempDir) -> Outcome {
    let rows = number("VECTORS", 1_000_000);
    let noise = |row: usize, at: usize| {
        let mixed = (row * WIDTH + at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed >> 40) as f32) / (1 << 24) as f32 - 0.5
    };
    let vectors = |batch: usize| -> Outcome<RecordBatch> {
        let item = Arc::new(Field::new("item", DataType::Float32, false));
        let kind = DataType::FixedSizeList(Arc::clone(&item), WIDTH as i32);
        let fields = vec![Field::new("id", DataType::Int64, false), Field::new("x", kind, false)];
        let range = batch * BATCH..(batch + 1) * BATCH;
        let numbers = range.flat_map(|row| (0..WIDTH).map(move |at| noise(row, at)));
        let numbers = Arc::new(Float32Array::from_iter_values(numbers));
        let column = FixedSizeListArray::try_new(item, WIDTH as i32, numbers, None)?;
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![ids(batch), Arc::new(column)])?)
    };
    let larder = larder::open(&*format!("fs:{}", folder.path().join("vectors").display()))?;
    insert(&larder, &vectors, rows)?;
    let listeners = larder.listeners("rows")?;
    let start = Instant::now();
    let indexed = listeners.index("x", &IndexOptions::new().measure(Measure::Dot))?;
    larder.jobs().wait(&indexed.applied)?;
    say(&format!("    index of {rows} vectors: {}", show(start.elapsed())));

    let query: Vec<f32> = (0..WIDTH).map(|at| noise(7, at)).collect();
    let all: Vec<f32> =
        (0..rows).flat_map(|row| (0..WIDTH).map(move |at| noise(row, at))).collect();
    let row_ids: Vec<u64> = (0..rows as u64).collect();
    let wanted = SearchQuery::new(Like::Vector(query.clone()), 10);
    let ours = |_| timed(|| Ok(listeners.search("x", &wanted)?));
    // One pass over the same numbers in memory.
    let limit = |_| {
        let segment = Segment { rows: &row_ids, vectors: &all, candidates: Candidates::All };
        timed(|| Ok(nearest(&[segment], &query, Measure::Dot, 10, default_threads())))
    };
    compare(&format!("nearest 10 of {rows} x {WIDTH}, one pass over memory"), 1.2, 5, ours, limit)?;
    let few = wanted.clone().filter(format!("id < {}", rows / 100).parse()?);
    let filtered = |_| timed(|| Ok(listeners.search("x", &few)?));
    let whole = |_| timed(|| Ok(listeners.search("x", &wanted)?));
    compare("the same with a filter that keeps 1 %, unfiltered", 0.1, 5, filtered, whole)?;
    let one = |_| timed(|| Ok(listeners.search("x", &wanted.clone().threads(NonZeroUsize::MIN))?));
    let many = |_| timed(|| Ok(listeners.search("x", &wanted)?));
    compare("one thread, all cores", f64::INFINITY, 3, one, many)
}
