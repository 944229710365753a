//! `Slice` of an open dimension: bounds beyond its size are cut, which tract does for known sizes only.

use tract_onnx::model::{ParsingContext, optional_inputs};
use tract_onnx::pb::NodeProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::array::{Slice as Cut, StridedSlice};
use tract_onnx::tract_core::ops::downsample::Downsample;
use tract_onnx::tract_hir::internal::*;

pub(super) fn slice(
    context: &ParsingContext<'_>,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    if context.onnx_operator_set_version < 10 {
        let onnx = tract_onnx::onnx();
        let builder = onnx.op_register.0.get("Slice").context("tract has no Slice")?;
        return builder(context, node);
    }
    let mut optional = optional_inputs(node).skip(3);
    let (axes, steps) = (optional.next().flatten(), optional.next().flatten());
    let inner = StridedSlice {
        begin_mask: 0,
        end_mask: 0,
        shrink_axis_mask: 0,
        optional_axes_input: axes,
        optional_steps_input: steps,
    };
    Ok((expand(Slice { inner }), vec![]))
}

#[derive(Debug, Clone)]
struct Slice {
    inner: StridedSlice,
}

/// A part of one axis: the elements from `from` to `to`, of which each `step`th.
struct Part {
    axis: usize,
    from: TDim,
    to: TDim,
    step: i32,
}

impl Part {
    fn len(&self) -> TDim {
        let len = self.to.clone() - &self.from;
        if self.step.abs() == 1 { len } else { len.div_ceil(u64::from(self.step.unsigned_abs())) }
    }
}

impl Slice {
    /// Computes the parts from constants: starts, ends and, if they are given, axes and steps.
    fn parts(&self, shape: &[TDim], parameters: &[Arc<Tensor>]) -> TractResult<Vec<Part>> {
        let integers = |input: Option<usize>| -> TractResult<Option<Vec<i64>>> {
            let Some(tensor) = input.and_then(|input| parameters.get(input - 1)) else {
                return Ok(None);
            };
            let tensor = tensor.cast_to::<i64>()?;
            Ok(Some(tensor.try_as_plain_ram()?.as_slice::<i64>()?.to_vec()))
        };
        let (begin, end) = (&parameters[0], &parameters[1]);
        let rank = shape.len() as i64;
        let axes = integers(self.inner.optional_axes_input)?
            .unwrap_or_else(|| (0..begin.len() as i64).collect());
        let steps =
            integers(self.inner.optional_steps_input)?.unwrap_or_else(|| vec![1; axes.len()]);
        ensure!(begin.len() == axes.len() && end.len() == axes.len() && steps.len() == axes.len());
        let steps: Vec<i32> = steps
            .into_iter()
            .map(|step| step.clamp(i64::from(-i32::MAX), i64::from(i32::MAX)) as i32)
            .collect();
        let mut parts = Vec::with_capacity(axes.len());
        for (at, axis) in axes.into_iter().enumerate() {
            let axis = if axis < 0 { axis + rank } else { axis };
            ensure!((0..rank).contains(&axis), "the axis {axis} of Slice is out of range");
            let dim = &shape[axis as usize];
            let (from, to) = match (bound(begin, at)?, bound(end, at)?) {
                (Some(from), Some(to)) if dim.to_i64().is_err() && steps[at] > 0 => {
                    cut(dim, from, to)
                }
                _ => {
                    let known = self.inner.prepare_one_dim(at, dim, begin, end, &steps)?;
                    match known.stride > 0 {
                        true => (known.begin, known.end),
                        false => (known.end + 1, known.begin + 1),
                    }
                }
            };
            parts.push(Part { axis: axis as usize, from, to, step: steps[at] });
        }
        Ok(parts)
    }
}

/// Returns an integer; `None` for a formula.
fn bound(tensor: &Tensor, at: usize) -> TractResult<Option<i64>> {
    // Converted to a formula, the greatest number would not stay what it is.
    if tensor.datum_type().is_integer() {
        let integers = tensor.cast_to::<i64>()?;
        return Ok(integers.try_as_plain_ram()?.as_slice::<i64>()?.get(at).copied());
    }
    let dims = tensor.cast_to::<TDim>()?;
    Ok(dims.try_as_plain_ram()?.as_slice::<TDim>()?.get(at).and_then(TDim::as_i64))
}

/// Cuts bounds to an open dimension, which is taken to be at least 1.
fn cut(dim: &TDim, from: i64, to: i64) -> (TDim, TDim) {
    let cut = |bound: i64| match bound {
        0 | 1 => bound.to_dim(),
        -1 => dim.clone() - 1,
        2.. => TDim::Min(vec![bound.to_dim(), dim.clone()]).simplify(),
        // Far below zero, which neither end nor begin can be.
        i64::MIN..=-2 => {
            let bound = bound.max(i64::from(i32::MIN));
            TDim::Max(vec![0.to_dim(), dim.clone() + bound]).simplify()
        }
    };
    // Exporters write a great number for "to the end".
    let to_end = to >= i64::from(i32::MAX);
    let end = if to_end { dim.clone() } else { cut(to) };
    let begin = cut(from);
    let ordered =
        to_end || from == 0 || (from < 0) == (to < 0) && from <= to || (from == 1 && to == -1);
    let end = if ordered { end } else { TDim::Max(vec![begin.clone(), end]).simplify() };
    (begin, end)
}

impl Expansion for Slice {
    fn name(&self) -> StaticName {
        "Slice".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        s: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        let StridedSlice { optional_axes_input: axes, optional_steps_input: steps, .. } =
            self.inner;
        check_input_arity(inputs, 3 + usize::from(axes.is_some()) + usize::from(steps.is_some()))?;
        check_output_arity(outputs, 1)?;
        s.equals(&inputs[0].datum_type, &outputs[0].datum_type)?;
        s.equals(&outputs[0].rank, &inputs[0].rank)?;
        for list in &inputs[1..] {
            s.equals(&list.rank, 1)?;
            s.equals(&inputs[1].shape[0], &list.shape[0])?;
        }
        if let Some(axes) = axes {
            s.given_2(&inputs[axes].value, &inputs[0].rank, move |s, axes, rank| {
                let axes = axes.cast_to::<i64>()?;
                let axes = axes.try_as_plain_ram()?.as_slice::<i64>()?.to_vec();
                let is_cut = |axis: i64| axes.iter().any(|cut| *cut == axis || *cut + rank == axis);
                for axis in (0..rank).filter(|axis| !is_cut(*axis)) {
                    s.equals(&inputs[0].shape[axis as usize], &outputs[0].shape[axis as usize])?;
                }
                Ok(())
            })?;
        }
        s.given(&inputs[0].shape, move |s, shape| {
            s.given_all(inputs[1..].iter().map(|input| &input.value), move |s, parameters| {
                let mut output = shape.clone();
                for part in self.parts(&shape, &parameters)? {
                    output[part.axis] = part.len();
                }
                s.equals(&outputs[0].shape, output)
            })
        })
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let parameters: Option<Vec<_>> = inputs[1..]
            .iter()
            .map(|input| Ok(model.outlet_fact(*input)?.konst.clone()))
            .collect::<TractResult<_>>()?;
        let Some(parameters) = parameters else {
            return model.wire_node(prefix, self.inner.clone(), inputs);
        };
        let shape = model.outlet_fact(inputs[0])?.shape.to_tvec();
        let mut wire: TVec<OutletId> = tvec!(inputs[0]);
        for Part { axis, from, to, step } in self.parts(&shape, &parameters)? {
            wire = model.wire_node(
                format!("{prefix}.axis-{axis}"),
                Cut::new(axis, from, to),
                &wire,
            )?;
            if step != 1 {
                let every = Downsample::new(axis, step as isize, 0);
                wire = model.wire_node(format!("{prefix}.step-{axis}"), every, &wire)?;
            }
        }
        Ok(wire)
    }
}
