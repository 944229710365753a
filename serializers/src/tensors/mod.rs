//! Named tensors.
//!
//! A serde format stores each large tensor of [`Tensors`] as a blob (`tensor.rs`); [`SafeTensors`] stores all in one
//! file (`file.rs`).

#[cfg(feature = "ndarray")]
mod array;
mod data;
mod file;
mod header;
mod tensor;

use std::collections::BTreeMap;

use larder_core::{Error, Result};
use serde::{Deserialize, Serialize};

pub use file::SafeTensors;
pub use safetensors::Dtype;
pub use tensor::{Element, Tensor};

#[cfg(target_endian = "big")]
compile_error!(
    "the feature `tensors` needs a little-endian target: it borrows numbers from stored bytes"
);

/// Tensors by name, with metadata.
///
/// The serializer of the artifact determines the layout:
///
/// - `Artifact<Tensors>`, MessagePack by default: each tensor above 64 KiB is a blob, shared by the versions
///   that contain it and read on first use.
/// - `Artifact<Tensors, SafeTensors>`: one [safetensors](SafeTensors) file, which other tools read.
///
/// [`Tensor::as_slice`] borrows the numbers from the mapped blob, without a copy or conversion.
///
/// ```
/// use larder_serializers::Tensors;
///
/// let mut tensors = Tensors::new();
/// tensors.insert("bias", vec![0.5_f32, -1.0]);
/// assert_eq!(tensors.tensor("bias")?.as_slice::<f32>()?, [0.5, -1.0]);
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tensors {
    #[serde(deserialize_with = "header::unique_map")]
    tensors: BTreeMap<String, Tensor>,
    #[serde(deserialize_with = "header::unique_map")]
    metadata: BTreeMap<String, String>,
}

/// Maximum number of names listed in an error.
const MAX_LISTED: usize = 8;

impl Tensors {
    /// Creates an empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Inserts a tensor, and returns the previous one of that name.
    pub fn insert(&mut self, name: impl Into<String>, tensor: impl Into<Tensor>) -> Option<Tensor> {
        self.tensors.insert(name.into(), tensor.into())
    }

    /// Removes and returns a tensor.
    pub fn remove(&mut self, name: &str) -> Option<Tensor> {
        self.tensors.remove(name)
    }

    /// Returns a tensor, or `None` if there is none of that name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Returns a tensor.
    ///
    /// # Errors
    /// [`Error::Refused`] with the known names if there is none of that name.
    pub fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.get(name).ok_or_else(|| {
            let names: Vec<_> = self.tensors.keys().take(MAX_LISTED).map(String::as_str).collect();
            let more = if self.len() > MAX_LISTED { ", …" } else { "" };
            let reason =
                format!("not among the {} tensors: {}{more}", self.len(), names.join(", "));
            Error::Refused { action: format!("find the tensor `{name}`"), reason }
        })
    }

    /// Iterates over the tensors by name, without reading their bytes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Returns the number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Returns true if there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Returns the metadata: `__metadata__` of a safetensors file.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Returns the metadata, mutably.
    pub fn metadata_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.metadata
    }
}

impl<N: Into<String>, T: Into<Tensor>> FromIterator<(N, T)> for Tensors {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(tensors: I) -> Self {
        let tensors = tensors.into_iter().map(|(name, tensor)| (name.into(), tensor.into()));
        Self { tensors: tensors.collect(), metadata: BTreeMap::new() }
    }
}
