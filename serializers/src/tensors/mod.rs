//! Named tensors.
//!
//! One type, [`Tensors`], and two ways to keep it. By a serde format each large tensor is a blob of its
//! own (`tensor.rs`); by [`SafeTensors`] all are one file (`file.rs`).

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
compile_error!("the feature `tensors` lends stored bytes as numbers, which are little endian");

/// Tensors by name, and what their file says about itself.
///
/// The serializer of the artifact decides how they are kept:
///
/// - `Artifact<Tensors>`, MessagePack unless told otherwise: a tensor above 64 KiB is a blob of its own.
///   Versions share the tensors that they have in common, so a fine-tuned version costs what it changed;
///   and a tensor is read when it is used, without the others.
/// - `Artifact<Tensors, SafeTensors>`: one [safetensors](SafeTensors) file, which other tools read.
///
/// Either way bytes are neither copied nor converted on the way out: [`Tensor::as_slice`] lends the
/// numbers out of the mapped blob.
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
    #[serde(deserialize_with = "header::each_once")]
    tensors: BTreeMap<String, Tensor>,
    #[serde(deserialize_with = "header::each_once")]
    metadata: BTreeMap<String, String>,
}

/// How many names an error lists.
const MOST_LISTED: usize = 8;

impl Tensors {
    /// No tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a tensor under `name`, and gives the one that was there.
    pub fn insert(&mut self, name: impl Into<String>, tensor: impl Into<Tensor>) -> Option<Tensor> {
        self.tensors.insert(name.into(), tensor.into())
    }

    /// Takes the tensor under `name` out.
    pub fn remove(&mut self, name: &str) -> Option<Tensor> {
        self.tensors.remove(name)
    }

    /// The tensor under `name`, if there is one.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// The tensor under `name`, which must be there.
    ///
    /// # Errors
    /// [`Error::Refused`] with the names that there are.
    pub fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.get(name).ok_or_else(|| {
            let names: Vec<_> = self.tensors.keys().take(MOST_LISTED).map(String::as_str).collect();
            let more = if self.len() > MOST_LISTED { ", …" } else { "" };
            let reason =
                format!("none of the {} has this name: {}{more}", self.len(), names.join(", "));
            Error::Refused { action: format!("find the tensor `{name}`"), reason }
        })
    }

    /// The tensors in the order of their names. Nothing is read.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// What a safetensors file holds under `__metadata__`: texts by name.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The same, to be changed.
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
