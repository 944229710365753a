//! Values of inputs and outputs.

use tract_onnx::prelude::{TValue, TractError, TractResult};

/// A tensor, a sequence of tensors, or an optional value that is missing.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Tensor(TValue),
    Sequence(Vec<TValue>),
    Missing,
}

impl Data {
    pub(super) fn tensor(&self) -> Option<&TValue> {
        match self {
            Self::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    pub(super) fn from_tensors(tensors: Vec<TValue>) -> Vec<Self> {
        tensors.into_iter().map(Self::Tensor).collect()
    }

    /// Returns the tensors, if there is nothing else.
    pub(super) fn into_tensors(values: Vec<Self>) -> TractResult<Vec<TValue>> {
        let tensor = |value| match value {
            Self::Tensor(tensor) => Ok(tensor),
            _ => Err(TractError::msg("a sequence or an optional value stands for a tensor")),
        };
        values.into_iter().map(tensor).collect()
    }
}
