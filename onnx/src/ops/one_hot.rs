//! `OneHot`: an index out of range is off everywhere, where tract panics.

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::change_axes::wire_with_rank_broadcast;
use tract_onnx::tract_core::ops::logic::{Iff, comp_eq, comp_lt};
use tract_onnx::tract_core::ops::math::add;
use tract_onnx::tract_core::ops::{binary::TypedBinOp, cast::cast};
use tract_onnx::tract_hir::internal::*;

pub(super) fn one_hot(
    _: &ParsingContext<'_>,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    Ok((expand(OneHot { axis: node.get_attr_opt("axis")?.unwrap_or(-1) }), vec![]))
}

#[derive(Debug, PartialEq, Clone)]
struct OneHot {
    axis: i64,
}

impl OneHot {
    /// The new axis among those of the output.
    fn axis(&self, input_rank: usize) -> TractResult<usize> {
        let rank = input_rank as i64 + 1;
        let axis = if self.axis < 0 { self.axis + rank } else { self.axis };
        ensure!((0..rank).contains(&axis), "the axis {} is out of range", self.axis);
        Ok(axis as usize)
    }
}

impl Expansion for OneHot {
    fn name(&self) -> StaticName {
        "OneHot".into()
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let constant =
            |input: usize| model.outlet_fact(inputs[input]).map(|fact| fact.konst.clone());
        let (Some(depth), Some(values)) = (constant(1)?, constant(2)?) else {
            bail!("the depth and the values of OneHot must be constants");
        };
        let depth = depth.cast_to_scalar::<i64>()?;
        ensure!(depth >= 0, "the depth {depth} is negative");
        let rank = model.outlet_fact(inputs[0])?.rank();
        let axis = self.axis(rank)?;
        let name = |part: &str| format!("{prefix}.{part}");
        let shape = vec![1; rank + 1];
        let scalar = |tensor: Tensor| tensor.into_shape(&shape).map(Tensor::into_arc_tensor);

        let index = model.wire_node(name("index"), cast(i64::datum_type()), &[inputs[0]])?;
        let index = model.wire_node(name("axis"), AxisOp::Add(axis), &index)?[0];
        let zero = model.add_const(name("zero"), scalar(tensor0(0_i64))?)?;
        let size = model.add_const(name("depth"), scalar(tensor0(depth))?)?;
        let negative =
            model.wire_node(name("negative"), TypedBinOp(comp_lt(), None), &[index, zero])?[0];
        let from_end = model.wire_node(name("from_end"), add(), &[index, size])?[0];
        let index = model.wire_node(name("place"), Iff, &[negative, from_end, index])?[0];
        let mut places_shape = shape.clone();
        places_shape[axis] = depth as usize;
        let places = tensor1(&(0..depth).collect::<Vec<_>>()).into_shape(&places_shape)?;
        let places = model.add_const(name("places"), places.into_arc_tensor())?;
        let is_on = wire_with_rank_broadcast(
            name("is_on"),
            model,
            TypedBinOp(comp_eq(), None),
            &[index, places],
        )?[0];
        let off = model.add_const(name("off"), scalar(values.nth(0)?)?)?;
        let on = model.add_const(name("on"), scalar(values.nth(1)?)?)?;
        wire_with_rank_broadcast(prefix, model, Iff, &[is_on, on, off])
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        s: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 3)?;
        check_output_arity(outputs, 1)?;
        s.equals(&inputs[2].datum_type, &outputs[0].datum_type)?;
        s.equals(inputs[0].rank.bex() + 1, &outputs[0].rank)?;
        s.equals(&inputs[2].rank, 1)?;
        s.equals(&inputs[2].shape[0], 2.to_dim())?;
        s.given(&inputs[0].rank, move |s, rank| {
            let rank = rank as usize;
            let axis = self.axis(rank)?;
            for at in 0..rank {
                s.equals(&inputs[0].shape[at], &outputs[0].shape[at + usize::from(at >= axis)])?;
            }
            s.given(&inputs[1].value, move |s, depth| {
                let depth = depth.cast_to_scalar::<i64>()?;
                s.equals(&outputs[0].shape[axis], depth.to_dim())
            })
        })
    }
}
