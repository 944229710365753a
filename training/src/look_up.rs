//! A training component that projects vectors for semantic look-up.

use std::collections::BTreeMap;

use larder_collections::{CollectionVersion, RowBatch};
use larder_core::{Artifact, BoxError, Component, ComponentType, Item, Model, Predict, Result};
use larder_jobs::{Trigger, Triggers};
use larder_serializers::MsgPack;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::{TrainedOn, TrainingData};
use crate::encoder::{Fields, class_of, numbers_of};
use crate::imputer::fields_of;
use crate::projection::Projection;
use crate::train::{Metrics, Objective, Train, triggers, untrained};

/// Maximum number of pairs that it learns from: a sample, because the order of rows is shuffled.
const MAX_PAIRS: usize = 100_000;
/// Maximum number of vectors that validate; each is compared with all others.
const MAX_VALID: usize = 4_000;

/// Which vectors belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pairs {
    /// The two vectors of a row.
    Fields {
        /// The field of one.
        left: String,
        /// The field of the other.
        right: String,
    },
    /// The vectors of rows with the same label.
    Label {
        /// The field of the vector; of several fields of numbers, the vector is their values.
        vector: Vec<String>,
        /// The field of the label: a text, a truth value or an integer.
        label: String,
    },
}

/// Learns a projection of vectors that brings together what belongs together, `larder/projection`: a model from vectors to
/// vectors, for an index.
///
/// Its metrics are `precision`, the share of vectors of the other fold whose nearest other vector belongs to them, and
/// `baseline_precision`, the same of the vectors as they are.
#[derive(Debug, Serialize, Deserialize)]
pub struct LookUp {
    data: TrainingData,
    pairs: Pairs,
    trained: Option<Artifact<Projection, MsgPack>>,
    trained_on: Option<TrainedOn>,
}

/// The pairs that were read, and what was learnt of them.
#[derive(Default, Serialize, Deserialize)]
pub struct LookUpState {
    pairs: Vec<(Vec<f32>, Vec<f32>)>,
    /// The last vector of each label, which makes a pair with the next.
    last: BTreeMap<String, Vec<f32>>,
    trained: Option<Projection>,
}

impl LookUp {
    /// Creates a projection; applying it trains it.
    pub fn new(data: TrainingData, pairs: Pairs) -> Self {
        Self { data, pairs, trained: None, trained_on: None }
    }

    /// Returns what it was trained on.
    pub fn trained_on(&self) -> Option<&TrainedOn> {
        self.trained_on.as_ref()
    }
}

fn vector(row: &Fields, fields: &[String]) -> Option<Vec<f32>> {
    let mut vector = Vec::new();
    for field in fields {
        vector.extend(numbers_of(row.get(field)?)?.into_iter().map(|number| number as f32));
    }
    Some(vector)
}

fn label(row: &Fields, field: &str) -> Option<String> {
    let value = row.get(field)?;
    class_of(value).or_else(|| match value {
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

impl Train for LookUp {
    type State = LookUpState;

    fn data(&self) -> &TrainingData {
        &self.data
    }

    fn is_trained(&self) -> bool {
        self.trained.is_some()
    }

    fn trained_on(&self) -> Option<&TrainedOn> {
        self.trained_on.as_ref()
    }

    fn begin(&self, version: &CollectionVersion) -> Result<LookUpState, BoxError> {
        let fields = match &self.pairs {
            Pairs::Fields { left, right } => vec![left, right],
            Pairs::Label { vector, label } => vector.iter().chain([label]).collect(),
        };
        for field in fields {
            version.schema().position(field)?;
        }
        Ok(LookUpState::default())
    }

    fn learn(&self, state: &mut LookUpState, batch: &RowBatch) -> Result<(), BoxError> {
        for row in fields_of(batch) {
            if state.pairs.len() >= MAX_PAIRS {
                break;
            }
            match &self.pairs {
                Pairs::Fields { left, right } => {
                    let one = |field: &String| vector(&row, std::slice::from_ref(field));
                    state.pairs.extend(one(left).zip(one(right)));
                }
                Pairs::Label { vector: fields, label: field } => {
                    let Some((vector, label)) = vector(&row, fields).zip(label(&row, field)) else {
                        continue;
                    };
                    if let Some(last) = state.last.insert(label, vector.clone()) {
                        state.pairs.push((last, vector));
                    }
                }
            }
        }
        Ok(())
    }

    fn end_epoch(&self, state: &mut LookUpState) -> Result<(), BoxError> {
        let pairs = state.pairs.iter().map(|(one, two)| (&**one, &**two));
        state.trained = Some(Projection::train(pairs)?);
        Ok(())
    }

    fn validate(
        &self,
        state: &LookUpState,
        rows: &mut dyn Iterator<Item = Result<RowBatch>>,
    ) -> Result<Metrics, BoxError> {
        let mut vectors: Vec<(Vec<f32>, String)> = Vec::new();
        for batch in rows {
            for row in fields_of(&batch?) {
                match &self.pairs {
                    Pairs::Fields { left, right } => {
                        let name = vectors.len().to_string();
                        let one = |field: &String| vector(&row, std::slice::from_ref(field));
                        if let Some((one, two)) = one(left).zip(one(right)) {
                            vectors.extend([(one, name.clone()), (two, name)]);
                        }
                    }
                    Pairs::Label { vector: fields, label: field } => {
                        vectors.extend(vector(&row, fields).zip(label(&row, field)));
                    }
                }
            }
            if vectors.len() >= MAX_VALID {
                break;
            }
        }
        let projection = state.trained.as_ref().ok_or_else(|| untrained("projection"))?;
        let vectors: Vec<(&[f32], &str)> =
            vectors.iter().take(MAX_VALID).map(|(vector, label)| (&**vector, &**label)).collect();
        let report = projection.validate(&vectors)?;
        Ok([
            ("precision".to_owned(), report.precision),
            ("baseline_precision".to_owned(), report.baseline_precision),
        ]
        .into())
    }

    fn objective(&self, _: &LookUpState) -> Objective {
        Objective::Maximize("precision")
    }

    fn finish(&self, state: LookUpState, trained_on: TrainedOn) -> Result<Self, BoxError> {
        let projection = state.trained.ok_or_else(|| untrained("projection"))?;
        Ok(Self {
            data: self.data.clone(),
            pairs: self.pairs.clone(),
            trained: Some(Artifact::new(projection)),
            trained_on: Some(trained_on),
        })
    }
}

impl Predict for LookUp {
    type Input = Vec<f32>;
    type Output = Vec<f32>;

    fn predict(&self, input: Vec<f32>) -> Result<Vec<f32>> {
        let trained = self.trained.as_ref().ok_or_else(|| untrained("projection"))?;
        trained.get()?.project(&input)
    }
}

#[typetag::serde(name = "larder/projection")]
impl Component for LookUp {
    fn as_model(&self) -> Option<&dyn Model> {
        Some(self)
    }
}

impl ComponentType for LookUp {
    const TAG: &'static str = "larder/projection";
}

impl Triggers for LookUp {
    fn triggers() -> Vec<Trigger<Self>> {
        triggers()
    }
}

larder_core::link!(Item::model::<LookUp>());
larder_core::link!(larder_jobs::triggers::<LookUp>());
