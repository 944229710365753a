//! `ReduceMax` and `ReduceMin` of nothing: an infinity, where tract returns the greatest finite number.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::nn::{Reduce, Reducer};

/// Replaces each reduction that may be one of nothing.
pub(crate) fn reduce_nothing(model: &mut TypedModel) -> TractResult<()> {
    for id in 0..model.nodes().len() {
        let Some(op) = model.node(id).op_as::<Reduce>() else { continue };
        let extreme = matches!(op.reducer, Reducer::Max | Reducer::Min);
        let fact = model.node_input_facts(id)?[0];
        let may_be_empty = |axis: &usize| fact.shape[*axis].to_i64().map_or(true, |size| size == 0);
        if extreme && fact.datum_type.is_float() && op.axes.iter().any(may_be_empty) {
            let op = Extreme(op.clone());
            model.node_mut(id).op = Box::new(op);
        }
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Extreme(Reduce);

impl Op for Extreme {
    fn name(&self) -> StaticName {
        "ReduceExtreme".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Extreme {
    op_out_of_plan!();

    fn eval(&self, context: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = inputs.first().context("a reduction has an input")?;
        if self.0.axes.iter().all(|axis| input.shape()[*axis] > 0) {
            return self.0.eval(context, inputs);
        }
        let mut shape = input.shape().to_vec();
        for axis in &self.0.axes {
            shape[*axis] = 1;
        }
        let least = matches!(self.0.reducer, Reducer::Max);
        let value = tensor0(if least { f32::NEG_INFINITY } else { f32::INFINITY });
        let value = value.cast_to_dt(input.datum_type())?.broadcast_to_shape(&shape)?;
        Ok(tvec!(value.into_tvalue()))
    }
}

impl TypedOp for Extreme {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        self.0.output_facts(inputs)
    }

    fn axes_mapping(
        &self,
        inputs: &[&TypedFact],
        outputs: &[&TypedFact],
    ) -> TractResult<AxesMapping> {
        self.0.axes_mapping(inputs, outputs)
    }

    as_op!();
}
