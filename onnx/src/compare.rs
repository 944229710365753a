//! Comparison of outputs.

use tract_onnx::prelude::{DatumType, TValue, Tensor, TractResult};

use super::data::Data;
use super::dtype::DType;
use super::interface::Port;

/// Returns the difference of the values of some ports; `None` if they agree up to rounding.
pub(super) fn difference_of(ports: &[Port], left: &[Data], right: &[Data]) -> Option<String> {
    if left.len() != right.len() {
        return Some(format!("{} outputs and {}", left.len(), right.len()));
    }
    ports.iter().zip(left).zip(right).find_map(|((port, left), right)| match (left, right) {
        (Data::Tensor(left), Data::Tensor(right)) => of_tensors(port.dtype, left, right),
        (Data::Sequence(left), Data::Sequence(right)) if left.len() == right.len() => {
            left.iter().zip(right).find_map(|(left, right)| of_tensors(port.dtype, left, right))
        }
        (Data::Sequence(left), Data::Sequence(right)) => {
            Some(format!("sequences of {} and {}", left.len(), right.len()))
        }
        (Data::Missing, Data::Missing) => None,
        _ => Some("values of two kinds".to_owned()),
    })
}

/// Returns the difference of two lists of tensors; `None` if they agree up to rounding.
pub(super) fn difference(left: &[TValue], right: &[TValue]) -> Option<String> {
    if left.len() != right.len() {
        return Some(format!("{} outputs and {}", left.len(), right.len()));
    }
    let dtype = |tensor: &TValue| DType::of(tensor.datum_type()).unwrap_or(DType::Float32);
    left.iter().zip(right).find_map(|(left, right)| of_tensors(dtype(left), left, right))
}

fn of_tensors(dtype: DType, left: &Tensor, right: &Tensor) -> Option<String> {
    difference_in(dtype, left, right).unwrap_or_else(|error| Some(error.to_string()))
}

/// Maximum rounding difference, as a share of the greatest number.
pub(super) fn rounding(dtype: DType) -> f64 {
    match dtype {
        DType::Float16 => 2e-2,
        // A unit in the last place.
        DType::Bfloat16 => 1e-2,
        DType::Float64 => 1e-6,
        dtype if dtype.json_type() == "number" => 1e-3,
        _ => 0.0,
    }
}

fn difference_in(dtype: DType, left: &Tensor, right: &Tensor) -> TractResult<Option<String>> {
    if left.shape() != right.shape() {
        return Ok(Some(format!("the shapes {:?} and {:?}", left.shape(), right.shape())));
    }
    if left.datum_type() == DatumType::String || right.datum_type() == DatumType::String {
        let (left, right) = (left.try_as_plain_ram()?, right.try_as_plain_ram()?);
        let mut pairs = left.as_slice::<String>()?.iter().zip(right.as_slice::<String>()?);
        return Ok(pairs
            .find(|(left, right)| left != right && !is_same_fraction(left, right))
            .map(|(left, right)| format!("{left:?} and {right:?}")));
    }
    // Quantized numbers, rounded one way or the other.
    let steps = if matches!(dtype, DType::Int8 | DType::Uint8) { 1.0 } else { 0.0 };
    let (left, right) = (left.cast_to::<f64>()?, right.cast_to::<f64>()?);
    let (left, right) = (left.try_as_plain_ram()?, right.try_as_plain_ram()?);
    let (left, right) = (left.as_slice::<f64>()?, right.as_slice::<f64>()?);
    let greatest =
        left.iter().filter(|x| x.is_finite()).fold(0.0, |most: f64, x| most.max(x.abs()));
    let tolerance = (greatest * rounding(dtype)).max(steps);
    let agree = |(left, right): &(&f64, &f64)| {
        left == right || left.is_nan() && right.is_nan() || (*left - *right).abs() <= tolerance
    };
    Ok(left
        .iter()
        .zip(right)
        .find(|pair| !agree(pair))
        .map(|(left, right)| format!("{left} and {right}")))
}

/// Returns true for two texts of one `float32`: an engine may write more digits than it needs.
pub(super) fn is_same_fraction(left: &str, right: &str) -> bool {
    let fraction = |text: &str| match text.contains('.') {
        true => text.parse::<f32>().ok(),
        false => None,
    };
    fraction(left).zip(fraction(right)).is_some_and(|(left, right)| left == right)
}
