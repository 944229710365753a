//! `DequantizeLinear` that tract must not fold into a table of 256 values.
//!
//! tract replaces all operators between `DequantizeLinear` and `QuantizeLinear` by a table if axes pass through them
//! unchanged. That is true of `Softmax` too, whose elements depend on each other.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::quant::{DequantizeLinearF32, QuantizeLinearI8, QuantizeLinearU8};

/// Replaces each `DequantizeLinear` whose table would be wrong.
pub(crate) fn keep_out_of_tables(model: &mut TypedModel) -> TractResult<()> {
    for id in 0..model.nodes().len() {
        let Some(op) = model.node(id).op_as::<DequantizeLinearF32>() else { continue };
        let op = Dequantize(op.clone());
        let from = model.node_input_facts(id)?[0].datum_type;
        if !is_element_wise(model, id, from)? {
            model.node_mut(id).op = Box::new(op);
        }
    }
    Ok(())
}

/// Returns true if only element-wise operators lead to a `QuantizeLinear` of the type `from`.
fn is_element_wise(model: &TypedModel, id: usize, from: DatumType) -> TractResult<bool> {
    let mut at = id;
    while let Some(next) = model.single_succ(at)? {
        let Some(op) = next.op_as::<ElementWiseOp>() else { return Ok(false) };
        if op.0.is::<QuantizeLinearU8>() {
            return Ok(from == DatumType::U8);
        }
        if op.0.is::<QuantizeLinearI8>() {
            return Ok(from == DatumType::I8);
        }
        at = next.id;
    }
    Ok(true)
}

/// tract's operator, without its optimization.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Dequantize(DequantizeLinearF32);

impl Op for Dequantize {
    fn name(&self) -> StaticName {
        "DequantizeLinear".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Dequantize {
    op_out_of_plan!();

    fn eval(&self, context: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        self.0.eval(context, inputs)
    }
}

impl TypedOp for Dequantize {
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

    fn change_axes(
        &self,
        model: &TypedModel,
        node: &TypedNode,
        io: InOut,
        change: &AxisOp,
    ) -> TractResult<Option<AxisChangeConsequence>> {
        self.0.change_axes(model, node, io, change)
    }

    as_op!();
}
