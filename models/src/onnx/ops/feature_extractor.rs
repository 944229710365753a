//! `ArrayFeatureExtractor`: its indices are one list, whatever their shape, and its output is a matrix at least.

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::{array::Gather, cast::cast};
use tract_onnx::tract_hir::internal::*;

pub(super) fn array_feature_extractor(
    _: &ParsingContext<'_>,
    _: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    Ok((expand(ArrayFeatureExtractor), vec![]))
}

#[derive(Debug, PartialEq, Clone)]
struct ArrayFeatureExtractor;

impl Expansion for ArrayFeatureExtractor {
    fn name(&self) -> StaticName {
        "ArrayFeatureExtractor".into()
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let [values, index] = *inputs else { bail!("ArrayFeatureExtractor needs two inputs") };
        let name = |part: &str| format!("{prefix}.{part}");
        let rank = model.outlet_fact(values)?.rank();
        ensure!(rank > 0, "ArrayFeatureExtractor needs an array");
        let shape: TVec<TDim> = model.outlet_fact(index)?.shape.iter().cloned().collect();
        let index = model.wire_node(name("index"), cast(i64::datum_type()), &[index])?;
        let flat = match shape.len() {
            0 => AxisOp::Add(0),
            _ => AxisOp::Reshape(0, shape.clone(), tvec![shape.iter().product()]),
        };
        let index = model.wire_node(name("flat"), flat, &index)?[0];
        let gather = Gather { axis: rank - 1, output_type: None };
        if rank > 1 {
            return model.wire_node(prefix, gather, &[values, index]);
        }
        let row = model.wire_node(name("row"), gather, &[values, index])?;
        model.wire_node(prefix, AxisOp::Add(0), &row)
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        s: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 2)?;
        check_output_arity(outputs, 1)?;
        s.equals(&inputs[0].datum_type, &outputs[0].datum_type)?;
        s.given(&inputs[0].rank, move |s, rank| s.equals(&outputs[0].rank, rank.max(2)))?;
        s.given_2(&inputs[0].shape, &inputs[1].shape, move |s, values, index| {
            let Some((_, rest)) = values.split_last() else { return Ok(()) };
            let mut shape: TVec<TDim> = rest.iter().cloned().collect();
            if shape.is_empty() {
                shape.push(1.to_dim());
            }
            shape.push(index.iter().product());
            s.equals(&outputs[0].shape, shape)
        })
    }
}
