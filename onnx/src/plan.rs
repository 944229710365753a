//! Execution of an optimized model.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use larder_core::extend::catch_panic;
use tract_onnx::prelude::*;

use super::MAX_ROWS;
use super::data::Data;
use super::engine::Run;

/// A model, optimized on first use.
pub(super) struct ExecutionPlan {
    model: TypedModel,
    /// The symbol of the row dimension, if rows are independent.
    rows: Option<Symbol>,
    /// For one row.
    one: OnceLock<Arc<TypedRunnableModel>>,
    /// For [`MAX_ROWS`] rows, if the model is not large: each plan has a copy of the parameters.
    full: OnceLock<Arc<TypedRunnableModel>>,
    /// For any number of rows.
    any: OnceLock<Arc<TypedRunnableModel>>,
    is_large: bool,
    /// Ensures that each is optimized once.
    optimizing: Mutex<()>,
}

impl ExecutionPlan {
    pub(super) fn new(model: TypedModel, rows: Option<Symbol>, is_large: bool) -> Self {
        let (one, full, any) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { model, rows, one, full, any, is_large, optimizing: Mutex::new(()) }
    }

    /// Runs the model, whose rows are not independent, on whole tensors from now on.
    pub(super) fn without_rows(&mut self) {
        self.rows = None;
    }

    /// Returns the plan for a number of rows: tract is faster if it is known.
    fn for_rows(&self, rows: usize) -> TractResult<&Arc<TypedRunnableModel>> {
        let (cell, symbol) = match (rows, &self.rows) {
            (1, Some(symbol)) => (&self.one, Some(symbol)),
            (MAX_ROWS, Some(symbol)) if !self.is_large => (&self.full, Some(symbol)),
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

impl Run for ExecutionPlan {
    fn run(&self, rows: usize, inputs: Vec<Data>) -> TractResult<Vec<Data>> {
        let outputs = self.run_tensors(rows, Data::into_tensors(inputs)?)?;
        Ok(Data::from_tensors(outputs))
    }
}

impl ExecutionPlan {
    pub(super) fn run_tensors(&self, rows: usize, inputs: Vec<TValue>) -> TractResult<Vec<TValue>> {
        // Each run has its own state, which is dropped after a panic.
        let run = || run(&self.model, self.for_rows(rows)?, inputs);
        catch_panic("tract", run).map_err(|panic| TractError::msg(panic.to_string()))?
    }
}

/// A model as its file describes it, to compare with.
pub(super) struct PlainModel {
    model: TypedModel,
    plan: Arc<TypedRunnableModel>,
}

impl PlainModel {
    /// Prepares a model; `None` if tract cannot run it without optimizations.
    pub(super) fn new(model: TypedModel) -> Option<Self> {
        let plan = catch_panic("tract", || model.clone().into_runnable()).ok()?.ok()?;
        Some(Self { model, plan })
    }

    pub(super) fn run(&self, inputs: Vec<TValue>) -> TractResult<Vec<TValue>> {
        let run = || run(&self.model, &self.plan, inputs);
        catch_panic("tract", run).map_err(|panic| TractError::msg(panic.to_string()))?
    }
}

fn run(
    model: &TypedModel,
    plan: &Arc<TypedRunnableModel>,
    inputs: Vec<TValue>,
) -> TractResult<Vec<TValue>> {
    let mut symbols = SymbolValues::default();
    for (at, input) in inputs.iter().enumerate() {
        for (dim, size) in model.input_fact(at)?.shape.iter().zip(input.shape()) {
            if let TDim::Sym(symbol) = dim {
                symbols.set(symbol, i64::try_from(*size)?);
            }
        }
    }
    let outputs = plan.run(inputs.into())?;
    outputs.into_iter().map(|output| without_formulas(output, &symbols)).collect()
}

/// Converts sizes to integers.
fn without_formulas(output: TValue, symbols: &SymbolValues) -> TractResult<TValue> {
    if output.datum_type() != DatumType::TDim {
        return Ok(output);
    }
    let plain = output.try_as_plain_ram()?;
    let sizes = plain.as_slice::<TDim>()?.iter().map(|dim| dim.eval_to_i64(symbols));
    let sizes: Vec<i64> = sizes.collect::<TractResult<_>>()?;
    Ok(Tensor::from_shape(output.shape(), &sizes)?.into())
}
