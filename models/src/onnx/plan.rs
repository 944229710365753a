//! A model that is ready to run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use larder_core::extend::catch_panic;
use larder_core::{Error, Result};
use tract_onnx::prelude::*;

use super::MOST_ROWS;
use super::build::Built;

/// A model, optimised on first use.
pub(super) struct ExecutionPlan {
    model: TypedModel,
    rows: Option<Symbol>,
    /// For one row, which is what most calls have.
    one: OnceLock<Arc<TypedRunnableModel>>,
    /// For as many as go through at a time.
    full: OnceLock<Arc<TypedRunnableModel>>,
    /// For any other number.
    any: OnceLock<Arc<TypedRunnableModel>>,
    /// Held while one of them is optimised, so that it happens once.
    optimising: Mutex<()>,
}

impl ExecutionPlan {
    pub(super) fn new(Built { model, rows, .. }: Built) -> Self {
        let (one, full, any) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { model, rows, one, full, any, optimising: Mutex::new(()) }
    }

    /// Runs the model on so many rows.
    pub(super) fn run(&self, rows: usize, inputs: Vec<TValue>) -> Result<Vec<TValue>> {
        let run = || -> TractResult<Vec<TValue>> {
            let plan = self.for_rows(rows)?;
            plan.run(inputs.into())?.into_iter().map(plain).collect()
        };
        // Each run has a state of its own: what is left of it after a panic is dropped.
        let outputs = catch_panic("tract", run).map_err(Error::predict)?;
        outputs.map_err(|error| Error::predict(format!("{error:#}")))
    }

    /// tract does better where it knows the number of rows, and most calls have one of two.
    fn for_rows(&self, rows: usize) -> TractResult<&Arc<TypedRunnableModel>> {
        let (place, symbol) = match (rows, &self.rows) {
            (1, Some(symbol)) => (&self.one, Some(symbol)),
            (MOST_ROWS, Some(symbol)) => (&self.full, Some(symbol)),
            _ => (&self.any, None),
        };
        if let Some(plan) = place.get() {
            return Ok(plan);
        }
        let _optimising = self.optimising.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = place.get() {
            return Ok(plan);
        }
        let model = match symbol {
            Some(symbol) => {
                self.model.set_symbols(&HashMap::from([(symbol.clone(), rows.to_dim())]))?
            }
            None => self.model.clone(),
        };
        let plan = model.into_optimized()?.into_runnable()?;
        Ok(place.get_or_init(|| plan))
    }
}

/// Dimensions as the numbers that they are.
fn plain(output: TValue) -> TractResult<TValue> {
    if output.datum_type() != DatumType::TDim {
        return Ok(output);
    }
    Ok(output.cast_to_dt(DatumType::I64)?.into_owned().into())
}
