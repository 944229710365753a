//! A training component that imputes a field.

use larder_collections::{CollectionVersion, RowBatch, row_of};
use larder_core::{
    Artifact, BoxError, Component, ComponentType, Error, Item, Model, Result, Signature,
};
use larder_jobs::{Trigger, Triggers};
use larder_serializers::MsgPack;
use serde::{Deserialize, Serialize};

use crate::data::{TrainedOn, TrainingData, refused};
use crate::encoder::Fields;
use crate::impute::{ClassImputer, NumberImputer};
use crate::train::{Metrics, Objective, Train, triggers, untrained};

/// Maximum number of rows that it learns from: a sample, because their order is shuffled.
const MAX_ROWS: usize = 100_000;

/// Learns to impute a field from the others, `larder/imputer`: a model of rows.
///
/// A text or a truth value is imputed by a forest of decision trees, a number by a linear model. The metrics compare it with
/// the most frequent value, and with the mean, on rows of the other fold: `accuracy` and `baseline_accuracy`, or `rmse` and
/// `baseline_rmse`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Imputer {
    data: TrainingData,
    target: String,
    /// The fields to learn from; all others if `None`.
    from: Option<Vec<String>>,
    kind: Option<Kind>,
    trained: Option<Artifact<Trained, MsgPack>>,
    trained_on: Option<TrainedOn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Class,
    Number,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Trained {
    Class(ClassImputer),
    Number(NumberImputer),
}

/// What was read, and what was learnt of it.
#[derive(Serialize, Deserialize)]
pub struct ImputerState {
    kind: Kind,
    rows: Vec<Fields>,
    trained: Option<Trained>,
}

impl Imputer {
    /// Creates an imputer of the field `target`; applying it trains it.
    pub fn new(data: TrainingData, target: impl Into<String>) -> Self {
        let target = target.into();
        Self { data, target, from: None, kind: None, trained: None, trained_on: None }
    }

    /// Learns from these fields only.
    #[must_use]
    pub fn from_fields(self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { from: Some(fields.into_iter().map(Into::into).collect()), ..self }
    }

    /// Returns what it was trained on.
    pub fn trained_on(&self) -> Option<&TrainedOn> {
        self.trained_on.as_ref()
    }

    fn model(&self) -> Result<&dyn Model> {
        let trained = self.trained.as_ref().ok_or_else(|| untrained("imputer"))?;
        Ok(match trained.get()? {
            Trained::Class(imputer) => imputer,
            Trained::Number(imputer) => imputer,
        })
    }
}

impl std::fmt::Debug for Trained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trained")
    }
}

/// Returns the rows of a batch as fields.
pub(crate) fn fields_of(batch: &RowBatch) -> impl Iterator<Item = Fields> + '_ {
    (0..batch.ids.len()).map(|row| Fields(row_of(&batch.rows, row).into_iter().collect()))
}

impl Train for Imputer {
    type State = ImputerState;

    fn data(&self) -> &TrainingData {
        &self.data
    }

    fn is_trained(&self) -> bool {
        self.trained.is_some()
    }

    fn trained_on(&self) -> Option<&TrainedOn> {
        self.trained_on.as_ref()
    }

    fn begin(&self, version: &CollectionVersion) -> Result<ImputerState, BoxError> {
        let field = version.schema().field(&self.target)?;
        let kind = field.kind.arrow();
        let kind = if kind.is_numeric() {
            Kind::Number
        } else if matches!(field.kind.to_string().as_str(), "text" | "bool") {
            Kind::Class
        } else {
            let reason = format!(
                "`{}` is {}, and only numbers, texts and truth values are imputed",
                self.target, field.kind
            );
            return Err(refused(&self.data, reason).into());
        };
        for field in self.from.iter().flatten() {
            version.schema().position(field)?;
        }
        Ok(ImputerState { kind, rows: Vec::new(), trained: None })
    }

    fn learn(&self, state: &mut ImputerState, batch: &RowBatch) -> Result<(), BoxError> {
        let known = fields_of(batch).filter(|row| row.get(&self.target).is_some());
        let room = MAX_ROWS.saturating_sub(state.rows.len());
        state.rows.extend(known.take(room));
        Ok(())
    }

    fn end_epoch(&self, state: &mut ImputerState) -> Result<(), BoxError> {
        let from = self.from.as_deref();
        state.trained = Some(match state.kind {
            Kind::Class => Trained::Class(ClassImputer::train(
                &state.rows,
                &self.target,
                from,
                self.data.seed,
            )?),
            Kind::Number => Trained::Number(NumberImputer::train(&state.rows, &self.target, from)?),
        });
        Ok(())
    }

    fn validate(
        &self,
        state: &ImputerState,
        rows: &mut dyn Iterator<Item = Result<RowBatch>>,
    ) -> Result<Metrics, BoxError> {
        let mut valid = Vec::new();
        for batch in rows {
            let room = MAX_ROWS.saturating_sub(valid.len());
            valid.extend(fields_of(&batch?).take(room));
        }
        let metrics = match &state.trained {
            Some(Trained::Class(imputer)) => {
                let report = imputer.validate(&state.rows, &valid)?;
                [("accuracy", report.accuracy), ("baseline_accuracy", report.baseline_accuracy)]
            }
            Some(Trained::Number(imputer)) => {
                let report = imputer.validate(&state.rows, &valid)?;
                [("rmse", report.rmse), ("baseline_rmse", report.baseline_rmse)]
            }
            None => return Err(untrained("imputer").into()),
        };
        Ok(metrics.map(|(name, value)| (name.to_owned(), value)).into())
    }

    fn objective(&self, state: &ImputerState) -> Objective {
        match state.kind {
            Kind::Class => Objective::Maximize("accuracy"),
            Kind::Number => Objective::Minimize("rmse"),
        }
    }

    fn finish(&self, state: ImputerState, trained_on: TrainedOn) -> Result<Self, BoxError> {
        let trained = state.trained.ok_or_else(|| untrained("imputer"))?;
        Ok(Self {
            data: self.data.clone(),
            target: self.target.clone(),
            from: self.from.clone(),
            kind: Some(state.kind),
            trained: Some(Artifact::new(trained)),
            trained_on: Some(trained_on),
        })
    }
}

impl Model for Imputer {
    fn predict_erased(
        &self,
        input: &mut dyn larder_core::erased_serde::Deserializer<'_>,
        output: &mut dyn larder_core::erased_serde::Serializer,
    ) -> Result<(), Error> {
        self.model()?.predict_erased(input, output)
    }

    fn predict_batch_erased(
        &self,
        input: &mut dyn larder_core::erased_serde::Deserializer<'_>,
        output: &mut dyn larder_core::erased_serde::Serializer,
    ) -> Result<(), Error> {
        self.model()?.predict_batch_erased(input, output)
    }

    fn signature(&self) -> Signature {
        match self.kind {
            Some(Kind::Class) => Signature::of::<ClassImputer>(),
            Some(Kind::Number) => Signature::of::<NumberImputer>(),
            None => Signature::default(),
        }
    }
}

#[typetag::serde(name = "larder/imputer")]
impl Component for Imputer {
    fn as_model(&self) -> Option<&dyn Model> {
        Some(self)
    }
}

impl ComponentType for Imputer {
    const TAG: &'static str = "larder/imputer";
    const OWN_SIGNATURE: bool = true;
}

impl Triggers for Imputer {
    fn triggers() -> Vec<Trigger<Self>> {
        triggers()
    }
}

larder_core::link!(Item::component::<Imputer>());
larder_core::link!(larder_jobs::triggers::<Imputer>());
