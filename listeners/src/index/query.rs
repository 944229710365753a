//! Queries of indexes.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, BinaryArray};
use larder_core::extend::Records as _;
use larder_core::{Error, Reference, Result};
use serde_json::Value;

use super::Unindexed;
use crate::listeners::outputs::ModelVersion;
use crate::listeners::predict::{Inputs, predict};
use crate::listeners::vectors::{has_vectors, vectors_of};
use crate::listeners::{Kind, Listener, Listeners, OUTPUTS, Work};
use crate::nearest::default_threads;
use larder_collections::Filter;
use larder_collections::Fold;

/// What to find the neighbours of.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Like {
    /// A vector.
    Vector(Vec<f32>),
    /// An input of the model that made the vectors, as JSON.
    Value(Value),
    /// Bytes, such as an image, as an input of the model that made the vectors.
    Bytes(Vec<u8>),
    /// A row of the collection, by id, which is left out of what is found.
    Row(u64),
}

/// A search of an index.
#[derive(Debug, Clone)]
pub struct SearchQuery {
    pub(super) like: Like,
    pub(super) n: usize,
    pub(super) filter: Option<Filter>,
    pub(super) fold: Option<Fold>,
    pub(super) unindexed: Unindexed,
    pub(super) model: Option<Reference>,
    pub(super) made_by: Option<ModelVersion>,
    pub(super) threads: NonZeroUsize,
}

impl SearchQuery {
    /// Finds the `n` nearest rows.
    pub fn new(like: Like, n: usize) -> Self {
        let threads = default_threads();
        let unindexed = Unindexed::default();
        Self { like, n, filter: None, fold: None, unindexed, model: None, made_by: None, threads }
    }

    /// Finds rows that match a condition: `n` rows come back if `n` match.
    #[must_use]
    pub fn filter(self, filter: Filter) -> Self {
        Self { filter: Some(filter), ..self }
    }

    /// Finds rows of a fold.
    #[must_use]
    pub fn fold(self, fold: Fold) -> Self {
        Self { fold: Some(fold), ..self }
    }

    /// Sets what happens to rows that are not in the index yet; they are searched by default.
    #[must_use]
    pub fn unindexed(self, unindexed: Unindexed) -> Self {
        Self { unindexed, ..self }
    }

    /// Makes the vector of a [`Like::Value`] by another model, which the index declares as compatible.
    #[must_use]
    pub fn model(self, model: Reference) -> Self {
        Self { model: Some(model), ..self }
    }

    /// States the model that made a [`Like::Vector`]: it is refused if the vectors of the index are of another.
    #[must_use]
    pub fn made_by(self, model: ModelVersion) -> Self {
        Self { made_by: Some(model), ..self }
    }

    /// Sets the number of threads; one per core by default.
    #[must_use]
    pub fn threads(self, threads: NonZeroUsize) -> Self {
        Self { threads, ..self }
    }
}

impl Listeners {
    /// Returns the vector of a value, by the model of the index or a compatible one.
    pub(super) fn vector_of(
        &self,
        index: &Listener,
        made_by: Option<&ModelVersion>,
        value: &Value,
        model: Option<&Reference>,
    ) -> Result<Vec<f32>> {
        let reference = self.model_for(index, made_by, model)?;
        let model = self.larder().load_model(reference.clone())?;
        let input = self.as_input(index.upstream().next(), value)?;
        let output = model.predict_json(&input.to_string())?;
        let output: Value = serde_json::from_str(&output).map_err(Error::predict)?;
        numbers(&output).ok_or_else(|| {
            refused(index, format!("the output of {reference} is not a vector of numbers"))
        })
    }

    /// Returns the vector of bytes, which the model gets as those of a row.
    pub(super) fn vector_of_bytes(
        &self,
        index: &Listener,
        made_by: Option<&ModelVersion>,
        bytes: &[u8],
        model: Option<&Reference>,
    ) -> Result<Vec<f32>> {
        let reference = self.model_for(index, made_by, model)?;
        let model = self.larder().load_model(reference.clone())?;
        let column: ArrayRef = Arc::new(BinaryArray::from_vec(vec![bytes]));
        let field = index.upstream().next().map(|name| self.find(Kind::Listener, name));
        let as_object = match field.transpose()? {
            Some((_, listener)) => match (&listener.work, listener.key.first()) {
                (Work::Model { form, .. }, Some(field)) if form.is_object() => Some(field.clone()),
                _ => None,
            },
            None => None,
        };
        let mut predicted = match as_object {
            Some(field) => predict(&*model, Inputs::Objects(&[(field, column)], 1), &mut None)?,
            None => predict(&*model, Inputs::Values(&column), &mut None)?,
        };
        if predicted.failures.is_empty() && has_vectors(predicted.values.data_type()) {
            predicted = vectors_of(&predicted.values, &mut None)?;
        } else if predicted.failures.is_empty() {
            let reason = format!("the output of {reference} is not a vector of numbers");
            return Err(refused(index, reason));
        }
        match predicted.failures.pop() {
            Some((_, reason)) => Err(refused(index, reason)),
            None => {
                let vectors = predicted.values.as_fixed_size_list();
                Ok(vectors.values().as_primitive::<Float32Type>().values().to_vec())
            }
        }
    }

    /// Returns the model that makes the vector of a query: the model of the index, or a compatible one.
    fn model_for(
        &self,
        index: &Listener,
        made_by: Option<&ModelVersion>,
        model: Option<&Reference>,
    ) -> Result<Reference> {
        let refused = |reason: String| refused(index, reason);
        let Work::Index { compatible, .. } = &index.work else {
            return Err(Error::internal(format!("{} is no index", index.name)));
        };
        let upstream = index.upstream().next();
        Ok(match (model, made_by) {
            (Some(reference), made_by) => {
                let digest = self.larder().find(reference)?.manifest;
                let is_own = made_by.is_some_and(|own| own.digest == digest);
                let is_declared = compatible.iter().any(|known| {
                    let found = self.larder().find(known);
                    known.identifier() == reference.identifier()
                        && found.is_ok_and(|found| found.manifest == digest)
                });
                if !is_own && !is_declared {
                    let own = made_by.map_or_else(|| "no model".to_owned(), ToString::to_string);
                    return Err(refused(format!(
                        "its vectors are of {own}, and those of {reference} cannot be compared with them; declare it \
                         as compatible when the index is created"
                    )));
                }
                reference.clone()
            }
            (None, Some(own)) => own.reference()?,
            (None, None) => match upstream {
                Some(upstream) => {
                    let (_, listener) = self.find(Kind::Listener, upstream)?;
                    match listener.work {
                        Work::Model { version, .. } => version.reference()?,
                        Work::Index { .. } => return Err(Error::internal("an index of an index")),
                    }
                }
                None => {
                    return Err(refused(format!(
                        "`{}` is a field, so there is no model that makes a vector of the value; give a vector",
                        index.key.join(", ")
                    )));
                }
            },
        })
    }

    /// Returns a value as the input of the listener's model: in an object, if it takes its field so.
    pub(super) fn as_input(&self, upstream: Option<&str>, value: &Value) -> Result<Value> {
        let Some(upstream) = upstream else { return Ok(value.clone()) };
        let (_, listener) = self.find(Kind::Listener, upstream)?;
        Ok(match (&listener.work, &*listener.key) {
            (Work::Model { form, .. }, [field])
                if form.is_object() && !listener.is_whole_row() && !value.is_object() =>
            {
                let field = field.strip_prefix(OUTPUTS).unwrap_or(field);
                Value::Object([(field.to_owned(), value.clone())].into_iter().collect())
            }
            _ => value.clone(),
        })
    }
}

fn refused(index: &Listener, reason: String) -> Error {
    let action = format!("search the index `{}` of {}", index.name, index.collection);
    Error::Refused { action, reason }
}

/// Returns the numbers of an array.
pub(super) fn numbers(value: &Value) -> Option<Vec<f32>> {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64().map(|number| number as f32),
        // As models write it.
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    value.as_array()?.iter().map(number).collect()
}
