//! Batches on several threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::error::{Error, Result};
use crate::model::Predict;
use crate::store::catch_panic;

/// Number of batches per worker, if all are equally fast.
const TURNS: usize = 16;
/// The maximum rows that a worker takes at a time; bounds the rows behind a slow one.
const MOST_ROWS: usize = 64;

/// Outputs of consecutive rows, with the index of the first.
type Part<O> = (usize, Vec<O>);

/// Predicts for each row on `workers` threads, including the calling one.
///
/// Always returns the error of the first bad row.
pub(crate) fn predict<M: Predict + ?Sized>(
    model: &M,
    inputs: Vec<M::Input>,
    workers: usize,
) -> Result<Vec<M::Output>> {
    let workers = workers.min(inputs.len());
    if workers <= 1 {
        let row = |(row, input)| predict_row(model, row, input);
        return inputs.into_iter().enumerate().map(row).collect();
    }
    let total = inputs.len();
    let batch = Batch {
        model,
        step: (total / (workers * TURNS)).clamp(1, MOST_ROWS),
        rows: Mutex::new(inputs.into_iter().enumerate()),
        bad: AtomicUsize::new(usize::MAX),
    };
    let results = thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, || batch.work_caught()).ok();
        // If a thread cannot be spawned, the others do its work.
        let others: Vec<_> = (1..workers).filter_map(spawn).collect();
        let mut results = vec![batch.work()];
        results.extend(others.into_iter().map(|other| {
            other.join().unwrap_or_else(|_| Err((usize::MAX, Error::predict("a worker panicked"))))
        }));
        results
    });
    let mut parts: Vec<Part<M::Output>> = Vec::new();
    let mut failure: Option<(usize, Error)> = None;
    for result in results {
        match result {
            Ok(done) => parts.extend(done),
            Err((row, error)) if failure.as_ref().is_none_or(|(first, _)| row < *first) => {
                failure = Some((row, error));
            }
            Err(_) => {}
        }
    }
    if let Some((_, error)) = failure {
        return Err(error);
    }
    parts.sort_unstable_by_key(|(first, _)| *first);
    let mut outputs = Vec::with_capacity(total);
    outputs.extend(parts.into_iter().flat_map(|(_, part)| part));
    Ok(outputs)
}

/// The rows of one batch as the workers share them.
struct Batch<'a, M: ?Sized, R> {
    model: &'a M,
    step: usize,
    rows: Mutex<R>,
    /// The first row that is known to be bad: those after it need not be tried.
    bad: AtomicUsize,
}

impl<M, R> Batch<'_, M, R>
where
    M: Predict + ?Sized,
    R: Iterator<Item = (usize, M::Input)>,
{
    /// Works on a thread of its own; a panic outside the model, as when rows are dropped, is an error of no row.
    fn work_caught(&self) -> Result<Vec<Part<M::Output>>, (usize, Error)> {
        catch_panic("it", || self.work())
            .unwrap_or_else(|source| Err((usize::MAX, Error::predict(source))))
    }

    /// Works until no rows are left; returns the outputs, or the bad row.
    ///
    /// Rows are given out in their order, so that when a row is bad, all rows before it are some
    /// worker's, and that worker goes on to the end of them.
    fn work(&self) -> Result<Vec<Part<M::Output>>, (usize, Error)> {
        let mut done = Vec::new();
        loop {
            let rows: Vec<_> = {
                let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
                rows.by_ref().take(self.step).collect()
            };
            let Some(&(first, _)) = rows.first() else { return Ok(done) };
            let mut outputs = Vec::with_capacity(rows.len());
            for (row, input) in rows {
                if row > self.bad.load(Ordering::Relaxed) {
                    return Ok(done);
                }
                let output = predict_row(self.model, row, input).map_err(|error| {
                    self.bad.fetch_min(row, Ordering::Relaxed);
                    (row, error)
                })?;
                outputs.push(output);
            }
            done.push((first, outputs));
        }
    }
}

/// Predicts for one row; a panic of the model is that row's failure.
fn predict_row<M: Predict + ?Sized>(model: &M, row: usize, input: M::Input) -> Result<M::Output> {
    // After a panic the row is dropped. The model stays in use, as after a panic on another thread.
    let source = match catch_panic("it", || model.predict(input)) {
        Ok(Ok(output)) => return Ok(output),
        Ok(Err(Error::Predict { row: None, source })) | Err(source) => source,
        Ok(Err(other)) => other.into(),
    };
    Err(Error::Predict { row: Some(row), source })
}
