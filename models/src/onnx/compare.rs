//! Comparison of outputs.

use tract_onnx::prelude::{DatumType, TValue, Tensor, TractResult};

use super::data::Data;

/// Returns the difference of two lists of values; `None` if they agree up to rounding.
pub(super) fn difference_of(left: &[Data], right: &[Data]) -> Option<String> {
    if left.len() != right.len() {
        return Some(format!("{} outputs and {}", left.len(), right.len()));
    }
    left.iter().zip(right).find_map(|pair| match pair {
        (Data::Tensor(left), Data::Tensor(right)) => {
            difference(std::slice::from_ref(left), std::slice::from_ref(right))
        }
        (Data::Sequence(left), Data::Sequence(right)) => difference(left, right),
        (Data::Missing, Data::Missing) => None,
        _ => Some("values of two kinds".to_owned()),
    })
}

/// Returns the difference of two lists of tensors; `None` if they agree up to rounding.
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
            .find(|(left, right)| left != right && !is_same_fraction(left, right))
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

/// Returns true for two texts of one `float32`: an engine may write more digits than it needs.
pub(super) fn is_same_fraction(left: &str, right: &str) -> bool {
    let fraction = |text: &str| match text.contains('.') {
        true => text.parse::<f32>().ok(),
        false => None,
    };
    fraction(left).zip(fraction(right)).is_some_and(|(left, right)| left == right)
}
