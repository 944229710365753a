//! Execution of an optimized model.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use larder_core::extend::catch_panic;
use larder_core::{Error, Result};
use tract_onnx::prelude::*;

use super::MAX_ROWS;
use super::build::BuiltModel;

/// A model, optimized on first use.
pub(super) struct ExecutionPlan {
    model: TypedModel,
    rows: Option<Symbol>,
    /// For one row.
    one: OnceLock<Arc<TypedRunnableModel>>,
    /// For [`MAX_ROWS`] rows.
    full: OnceLock<Arc<TypedRunnableModel>>,
    /// For any number of rows.
    any: OnceLock<Arc<TypedRunnableModel>>,
    /// Ensures that each is optimized once.
    optimizing: Mutex<()>,
}

impl ExecutionPlan {
    pub(super) fn new(BuiltModel { model, rows, .. }: BuiltModel) -> Self {
        let (one, full, any) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { model, rows, one, full, any, optimizing: Mutex::new(()) }
    }

    /// Runs the model on `rows` rows.
    pub(super) fn run(&self, rows: usize, inputs: Vec<TValue>) -> Result<Vec<TValue>> {
        let run = || -> TractResult<Vec<TValue>> {
            let plan = self.for_rows(rows)?;
            plan.run(inputs.into())?.into_iter().map(without_dims).collect()
        };
        // Each run has its own state, which is dropped after a panic.
        let outputs = catch_panic("tract", run).map_err(Error::predict)?;
        outputs.map_err(|error| Error::predict(format!("{error:#}")))
    }

    /// Returns the plan for a number of rows: tract is faster if it is known.
    fn for_rows(&self, rows: usize) -> TractResult<&Arc<TypedRunnableModel>> {
        let (cell, symbol) = match (rows, &self.rows) {
            (1, Some(symbol)) => (&self.one, Some(symbol)),
            (MAX_ROWS, Some(symbol)) => (&self.full, Some(symbol)),
            _ => (&self.any, None),
        };
        if let Some(plan) = cell.get() {
            return Ok(plan);
        }
        let _optimizing = self.optimizing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = cell.get() {
            return Ok(plan);
        }
        let model = match symbol {
            Some(symbol) => {
                self.model.set_symbols(&HashMap::from([(symbol.clone(), rows.to_dim())]))?
            }
            None => self.model.clone(),
        };
        let plan = model.into_optimized()?.into_runnable()?;
        Ok(cell.get_or_init(|| plan))
    }
}

/// Converts dimensions to integers.
fn without_dims(output: TValue) -> TractResult<TValue> {
    if output.datum_type() != DatumType::TDim {
        return Ok(output);
    }
    Ok(output.cast_to_dt(DatumType::I64)?.into_owned().into())
}
