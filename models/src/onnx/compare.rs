//! Comparison of outputs.

use tract_onnx::prelude::{DatumType, TValue, Tensor, TractResult};

/// Returns the difference of two lists of outputs; `None` if they agree up to rounding.
pub(super) fn difference(left: &[TValue], right: &[TValue]) -> Option<String> {
    if left.len() != right.len() {
        return Some(format!("{} outputs and {}", left.len(), right.len()));
    }
    left.iter().zip(right).find_map(|(left, right)| match of_tensors(left, right) {
        Ok(difference) => difference,
        Err(error) => Some(error.to_string()),
    })
}

fn of_tensors(left: &Tensor, right: &Tensor) -> TractResult<Option<String>> {
    if left.shape() != right.shape() {
        return Ok(Some(format!("the shapes {:?} and {:?}", left.shape(), right.shape())));
    }
    if left.datum_type() == DatumType::String || right.datum_type() == DatumType::String {
        let (left, right) = (left.try_as_plain_ram()?, right.try_as_plain_ram()?);
        let mut pairs = left.as_slice::<String>()?.iter().zip(right.as_slice::<String>()?);
        return Ok(pairs
            .find(|(left, right)| left != right)
            .map(|(left, right)| format!("{left:?} and {right:?}")));
    }
    let (share, steps) = match left.datum_type() {
        DatumType::F16 => (2e-2, 0.0),
        DatumType::F32 => (1e-3, 0.0),
        DatumType::F64 => (1e-6, 0.0),
        // Quantized numbers, rounded one way or the other.
        DatumType::I8 | DatumType::U8 => (0.0, 1.0),
        _ => (0.0, 0.0),
    };
    let (left, right) = (left.cast_to::<f64>()?, right.cast_to::<f64>()?);
    let (left, right) = (left.try_as_plain_ram()?, right.try_as_plain_ram()?);
    let (left, right) = (left.as_slice::<f64>()?, right.as_slice::<f64>()?);
    let greatest =
        left.iter().filter(|x| x.is_finite()).fold(0.0, |most: f64, x| most.max(x.abs()));
    let tolerance = (greatest * share).max(steps);
    let agree = |(left, right): &(&f64, &f64)| {
        left == right || left.is_nan() && right.is_nan() || (*left - *right).abs() <= tolerance
    };
    Ok(left
        .iter()
        .zip(right)
        .find(|pair| !agree(pair))
        .map(|(left, right)| format!("{left} and {right}")))
}
