//! Vectors of fixed length.

use std::ops::Deref;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::trace::{is_tracing, mark};

/// A vector of `N` numbers: the field type `vector<float32, N>`.
///
/// ```
/// use larder_collections::Vector;
///
/// let vector = Vector::from([0.5, 1.5]);
/// assert_eq!(vector.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Vector<const N: usize>(Box<[f32; N]>);

impl<const N: usize> Default for Vector<N> {
    fn default() -> Self {
        Self(Box::new([0.0; N]))
    }
}

impl<const N: usize> From<[f32; N]> for Vector<N> {
    fn from(numbers: [f32; N]) -> Self {
        Self(Box::new(numbers))
    }
}

impl<const N: usize> TryFrom<Vec<f32>> for Vector<N> {
    type Error = Vec<f32>;

    fn try_from(numbers: Vec<f32>) -> Result<Self, Vec<f32>> {
        match numbers.into_boxed_slice().try_into() {
            Ok(numbers) => Ok(Self(numbers)),
            Err(numbers) => Err(numbers.into_vec()),
        }
    }
}

impl<const N: usize> Deref for Vector<N> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &*self.0
    }
}

impl<const N: usize> Serialize for Vector<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self[..].serialize(serializer)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Vector<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if is_tracing() {
            return mark(deserializer, &format!("vector {N}")).map(|()| Self::default());
        }
        let numbers = Vec::<f32>::deserialize(deserializer)?;
        Self::try_from(numbers).map_err(|numbers| {
            D::Error::custom(format!("it has {} numbers, not {N}", numbers.len()))
        })
    }
}
