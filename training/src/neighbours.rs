//! A model that reads the database: it imputes a field from the nearest rows of a collection.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use larder_collections::Scan;
use larder_core::{
    Component, ComponentType, Error, HookContext, HookResult, Hooks, Item, Model, Predict, Result,
};
use larder_listeners::PinnedCollection;
use larder_listeners::nearest::{Candidates, Measure, Segment, nearest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::encoder::{Encoder, Fields, class_of};
use crate::imputer::fields_of;

/// Imputes a field by the nearest rows of a pinned version of a collection, `larder/neighbours`: the most frequent of their
/// texts or truth values, or the mean of their numbers.
///
/// It keeps no rows: [`Hooks::setup`] reads them from the collection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Neighbours {
    rows: PinnedCollection,
    target: String,
    /// The fields to compare; all others if `None`.
    by: Option<Vec<String>>,
    neighbours: NonZeroUsize,
    #[serde(skip)]
    read: OnceLock<Arc<Known>>,
}

/// The rows that have the field.
#[derive(Debug)]
struct Known {
    encoder: Encoder,
    rows: Vec<u64>,
    vectors: Vec<f32>,
    values: Vec<Value>,
}

impl Neighbours {
    /// Creates a model that imputes `target` by the `neighbours` nearest rows.
    pub fn new(
        rows: PinnedCollection,
        target: impl Into<String>,
        neighbours: NonZeroUsize,
    ) -> Self {
        Self { rows, target: target.into(), by: None, neighbours, read: OnceLock::new() }
    }

    /// Compares these fields only.
    #[must_use]
    pub fn by(self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { by: Some(fields.into_iter().map(Into::into).collect()), ..self }
    }

    fn known(&self, context: &HookContext) -> Result<Known> {
        let version = self.rows.open(&context.larder)?;
        let mut rows = Vec::new();
        for batch in version.scan(&Scan::new())? {
            rows.extend(fields_of(&batch?).filter(|row| row.get(&self.target).is_some()));
        }
        let encoder = Encoder::learn(&rows, self.by.as_deref(), &self.target)?;
        let vectors = encoder.encode(&rows).iter().map(|number| *number as f32).collect();
        let values = rows.iter().filter_map(|row| row.get(&self.target).cloned()).collect();
        let rows = (0..rows.len() as u64).collect();
        Ok(Known { encoder, rows, vectors, values })
    }
}

impl Hooks for Neighbours {
    fn setup(&self, context: &HookContext) -> HookResult {
        let known = self.known(context)?;
        // Setup runs once; a value that is there stays.
        let _ = self.read.set(Arc::new(known));
        Ok(())
    }
}

impl Predict for Neighbours {
    type Input = Fields;
    type Output = Value;

    fn predict(&self, input: Fields) -> Result<Value> {
        let known = self.read.get().ok_or_else(|| Error::predict("the rows were not read yet"))?;
        let query: Vec<f32> = known.encoder.encode(&[input]).iter().map(|it| *it as f32).collect();
        let segment =
            Segment { rows: &known.rows, vectors: &known.vectors, candidates: Candidates::All };
        let found =
            nearest(&[segment], &query, Measure::L2, self.neighbours.get(), NonZeroUsize::MIN);
        let values =
            found.iter().filter_map(|hit| known.values.get(usize::try_from(hit.row).ok()?));
        let values: Vec<&Value> = values.collect();
        let numbers: Option<Vec<f64>> = values.iter().map(|value| value.as_f64()).collect();
        match numbers {
            Some(numbers) if !numbers.is_empty() => {
                Ok(Value::from(numbers.iter().sum::<f64>() / numbers.len() as f64))
            }
            _ => most_frequent(&values).ok_or_else(|| Error::predict("no row has a value")),
        }
    }
}

/// Returns the most frequent value; of equal ones, that of the nearest row.
fn most_frequent(values: &[&Value]) -> Option<Value> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for class in values.iter().filter_map(|value| class_of(value)) {
        *counts.entry(class).or_default() += 1;
    }
    let count = |value: &Value| class_of(value).and_then(|class| counts.get(&class).copied());
    let best = values.iter().filter_map(|value| count(value)).max()?;
    values.iter().find(|value| count(value) == Some(best)).map(|value| (*value).clone())
}

#[typetag::serde(name = "larder/neighbours")]
impl Component for Neighbours {
    fn as_model(&self) -> Option<&dyn Model> {
        Some(self)
    }

    fn as_hooks(&self) -> Option<&dyn Hooks> {
        Some(self)
    }

    fn as_hooks_mut(&mut self) -> Option<&mut dyn Hooks> {
        Some(self)
    }

    fn clone_component(&self) -> Option<Box<dyn Component>> {
        Some(Box::new(self.clone()))
    }
}

impl ComponentType for Neighbours {
    const TAG: &'static str = "larder/neighbours";
    const HOOKS: bool = true;
}

larder_core::link!(Item::model::<Neighbours>());
