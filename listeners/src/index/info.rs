//! The indexes of a collection, and the models behind them.

use larder_core::{Error, Result};
use serde_json::Value;

use crate::listeners::{Kind, Listeners, ModelVersion, Work};
use crate::nearest::Measure;

/// An index, without the state of its rows.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct IndexInfo {
    /// The last part of its name.
    pub name: String,
    /// The field whose vectors it finds, or `_outputs.NAME`.
    pub field: String,
    /// The measure.
    pub measure: Measure,
    /// The model that makes its vectors; none for a field of vectors, and before the first vector.
    pub model: Option<ModelVersion>,
    /// The fields that the model reads; none for a field of vectors.
    pub inputs: Vec<String>,
}

impl Listeners {
    /// Returns the indexes, by name.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::Store`].
    pub fn indexes(&self) -> Result<Vec<IndexInfo>> {
        let info = |(_, index): (_, crate::listeners::Listener)| {
            let Work::Index { measure, .. } = index.work else {
                return Err(Error::internal(format!("{} is no index", index.name)));
            };
            let (_, outputs) = self.vectors_in(&index)?;
            let inputs = match index.upstream().next() {
                Some(upstream) => self.find(Kind::Listener, upstream)?.1.key,
                None => Vec::new(),
            };
            Ok(IndexInfo {
                field: index.key.join(", "),
                name: index.name,
                measure,
                model: outputs.model,
                inputs,
            })
        };
        self.of_kind(Kind::Index)?.into_iter().map(info).collect()
    }

    /// Returns a value as the input of the model of an index, for callers that run the model themselves and search for the
    /// vector.
    ///
    /// # Errors
    /// [`Error::Refused`] if the listener that the index reads is gone.
    pub fn input_of(&self, index: &IndexInfo, value: &Value) -> Result<Value> {
        let upstream = index.field.strip_prefix(crate::listeners::OUTPUTS);
        self.as_input(upstream, value)
    }
}
