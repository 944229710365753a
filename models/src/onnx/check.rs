//! The check of a model before it is stored: it is run on generated inputs.

use std::time::{Duration, Instant};

use tract_onnx::prelude::{TValue, Tensor, TractError, TractResult};

use super::MAX_ROWS;
use super::compare::difference;
use super::interface::{Dim, Interface};
use super::sample::{self, Fill, Random};

/// Sizes that are tried for open dimensions, until the model runs.
const SIZES: [usize; 8] = [4, 1, 8, 16, 32, 64, 224, 640];
/// Values that are tried, until the model runs.
const FILLS: [Fill; 3] = [Fill::Zero, Fill::Small, Fill::Positive];
/// Number of rows of a generated batch.
const ROWS: usize = 3;
/// Time for what is checked beside the first batch.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs a model on a number of rows.
pub(super) type Run<'a> = &'a dyn Fn(usize, Vec<TValue>) -> TractResult<Vec<TValue>>;

/// A model to check.
pub(super) struct Subject<'a> {
    pub(super) interface: &'a Interface,
    /// As predictions run it.
    pub(super) run: Run<'a>,
    /// Without optimization; `None` if it cannot be run so.
    pub(super) plain: Option<Run<'a>>,
    /// True if it takes long to run: one batch must do, and one row without optimization.
    pub(super) is_large: bool,
}

/// Why a model is refused.
pub(super) enum Fault {
    /// It ran on no input; the first error.
    Fails(TractError),
    /// Two ways to run it give different answers.
    Differs(String),
}

/// The result of one generated batch.
enum Trial {
    Agrees,
    /// A row has another answer in a batch than alone.
    Mixed,
    Differs(String),
    Fails,
}

impl Subject<'_> {
    /// Returns true if the first dimension counts independent rows.
    pub(super) fn check(&self) -> Result<bool, Fault> {
        let (open, by_rows) = match self.runnable_size(self.interface.by_rows)? {
            Some(found) => found,
            // Its inputs are too large to try.
            None => return Ok(false),
        };
        let start = Instant::now();
        let (mut tried, mut mixed, mut differs) = (0, 0, Vec::new());
        // Two of three must agree: a label on the edge may fall to either side by rounding.
        for (seed, fill) in
            [Fill::Small, Fill::Wide, Fill::Positive, Fill::Small].into_iter().enumerate()
        {
            if tried == 3 || tried > 0 && (self.is_large || start.elapsed() > PATIENCE) {
                break;
            }
            let Some(batch) = self.inputs(by_rows, ROWS, open, fill, seed as u64) else { break };
            match self.try_batch(by_rows, batch) {
                Trial::Agrees => (),
                Trial::Mixed => mixed += 1,
                Trial::Differs(reason) => differs.push(reason),
                Trial::Fails => continue,
            }
            tried += 1;
            if tried == 2 && mixed == 0 && differs.is_empty() {
                break;
            }
        }
        if differs.len() * 2 > tried {
            return Err(Fault::Differs(differs.swap_remove(0)));
        }
        let by_rows = by_rows && mixed * 2 <= tried;
        if by_rows && !self.is_large && start.elapsed() < PATIENCE {
            self.check_batches(open)?;
        }
        Ok(by_rows)
    }

    /// Finds a size of the open dimensions with which the model runs, and whether it runs on several rows.
    fn runnable_size(&self, by_rows: bool) -> Result<Option<(usize, bool)>, Fault> {
        let open = |dim: &Dim| matches!(dim, Dim::Symbol(_));
        let is_open = self.interface.inputs.iter().any(|port| port.shape.iter().any(open));
        let sizes = if is_open { &SIZES[..] } else { &SIZES[..1] };
        let mut first = None;
        // A model may be exported with an open first dimension, and still run on one row only.
        for (by_rows, rows) in [(by_rows, ROWS), (false, 1)] {
            for (size, fill) in sizes.iter().flat_map(|size| FILLS.map(|fill| (*size, fill))) {
                let Some(batch) = self.inputs(by_rows, rows, size, fill, 7) else { continue };
                match (self.run)(if by_rows { rows } else { 1 }, batch) {
                    Ok(_) => return Ok(Some((size, by_rows))),
                    Err(error) => first = first.or(Some(error)),
                }
            }
            if !by_rows {
                break;
            }
        }
        first.map_or(Ok(None), |error| Err(Fault::Fails(error)))
    }

    fn inputs(
        &self,
        by_rows: bool,
        rows: usize,
        open: usize,
        fill: Fill,
        seed: u64,
    ) -> Option<Vec<TValue>> {
        let interface = Interface { by_rows, ..self.interface.clone() };
        sample::inputs(&interface, rows, open, fill, &mut Random(seed))
    }

    fn try_batch(&self, by_rows: bool, batch: Vec<TValue>) -> Trial {
        let rows = if by_rows { ROWS } else { 1 };
        let Ok(whole) = (self.run)(rows, batch.clone()) else { return Trial::Fails };
        if !(self.is_large && by_rows)
            && let Some(difference) = self.against_plain(rows, &batch, &whole)
        {
            return Trial::Differs(difference);
        }
        if !by_rows {
            return Trial::Agrees;
        }
        let Ok(mut alone) = in_rows(&batch, [0, 1, 2]) else { return Trial::Mixed };
        // The first row shows whether the plan for one row is right; the rows in another order show the rest.
        alone.truncate(if self.is_large { 1 } else { ROWS });
        let mut answers = Vec::with_capacity(ROWS);
        for row in &alone {
            match (self.run)(1, row.clone()) {
                Ok(outputs) => answers.push(outputs),
                Err(_) => return Trial::Mixed,
            }
        }
        if self.is_large
            && let Some(difference) = self.against_plain(1, &alone[0], &answers[0])
        {
            return Trial::Differs(difference);
        }
        let compared = rows_of(&whole, 0, answers.len()).ok();
        let rows_alone = stacked(&answers).zip(compared);
        if let Some(difference) = rows_alone.and_then(|(rows, whole)| difference(&rows, &whole)) {
            return self.mixed_or_different(&alone, &answers, difference);
        }
        // Rows in another order.
        let turned = in_rows(&batch, [2, 0, 1]).ok().and_then(|rows| stacked(&rows));
        let turned = turned.and_then(|batch| (self.run)(rows, batch).ok());
        let expected = in_rows(&whole, [2, 0, 1]).ok().and_then(|rows| stacked(&rows));
        match turned.zip(expected) {
            Some((turned, expected)) if difference(&turned, &expected).is_none() => Trial::Agrees,
            _ => Trial::Mixed,
        }
    }

    /// Compares outputs with those of the model without optimizations.
    fn against_plain(&self, rows: usize, inputs: &[TValue], outputs: &[TValue]) -> Option<String> {
        let plain = self.plain?(rows, inputs.to_vec()).ok()?;
        let difference = difference(&plain, outputs)?;
        Some(format!("with optimizations it gives another answer: {difference}"))
    }

    /// Tells rows that influence each other from a plan for one row that is wrong.
    fn mixed_or_different(
        &self,
        alone: &[Vec<TValue>],
        answers: &[Vec<TValue>],
        difference_of_batch: String,
    ) -> Trial {
        let Some(plain) = self.plain else { return Trial::Mixed };
        for (row, answer) in alone.iter().zip(answers) {
            if let Ok(plain) = plain(1, row.clone())
                && difference(&plain, answer).is_some()
            {
                return Trial::Differs(format!(
                    "one row has another answer than in a batch: {difference_of_batch}"
                ));
            }
        }
        Trial::Mixed
    }

    /// Checks batches of the greatest size and of no row.
    fn check_batches(&self, open: usize) -> Result<(), Fault> {
        let interface = self.interface;
        if interface.max_rows() == MAX_ROWS
            && let Some(batch) = self.inputs(true, MAX_ROWS, open, Fill::Small, 11)
            && let Ok(first) = rows_of(&batch, 0, ROWS)
        {
            let start = Instant::now();
            let small = (self.run)(ROWS, first);
            let expected = start.elapsed() * (MAX_ROWS / ROWS) as u32;
            if let (Ok(small), true) = (small, expected < PATIENCE) {
                let full = (self.run)(MAX_ROWS, batch).map_err(Fault::Fails)?;
                let full = rows_of(&full, 0, ROWS).map_err(Fault::Fails)?;
                if let Some(difference) = difference(&small, &full) {
                    let reason =
                        format!("{MAX_ROWS} rows have other answers than {ROWS}: {difference}");
                    return Err(Fault::Differs(reason));
                }
            }
        }
        let Some(empty) = self.inputs(true, 0, open, Fill::Zero, 0) else { return Ok(()) };
        if let Some(plain) = self.plain
            && let (Ok(plain), Ok(outputs)) = (plain(0, empty.clone()), (self.run)(0, empty))
            && let Some(difference) = difference(&plain, &outputs)
        {
            return Err(Fault::Differs(format!("no rows have two answers: {difference}")));
        }
        Ok(())
    }
}

/// Returns some rows of each tensor.
fn rows_of(tensors: &[TValue], from: usize, to: usize) -> TractResult<Vec<TValue>> {
    tensors.iter().map(|tensor| Ok(tensor.slice(0, from, to)?.into())).collect()
}

fn in_rows(tensors: &[TValue], order: [usize; ROWS]) -> TractResult<Vec<Vec<TValue>>> {
    order.into_iter().map(|row| rows_of(tensors, row, row + 1)).collect()
}

/// Joins lists of tensors along the rows.
fn stacked(parts: &[Vec<TValue>]) -> Option<Vec<TValue>> {
    let count = parts.first()?.len();
    let of = |at: usize| {
        let tensors: Option<Vec<&Tensor>> =
            parts.iter().map(|part| part.get(at).map(|value| &**value)).collect();
        Some(Tensor::stack_tensors(0, &tensors?).ok()?.into())
    };
    (0..count).map(of).collect()
}
