//! Predictions from columns to a column.

mod cells;
mod fits;
mod native;
mod sink;

use arrow_array::{ArrayRef, new_null_array};
use arrow_schema::DataType;
use arrow_select::concat::concat;
use larder_core::extend::catch_panic;
use larder_core::store::with_causes;
use larder_core::{Error, Model, Result, Signature};
use serde_json::Value;

use self::cells::Rows;
use self::sink::Sink;
use larder_collections::FieldType;
use larder_collections::extend::arrow_error;

pub(crate) use self::cells::Inputs;
pub(crate) use self::fits::column_of;

/// The conversion of the key's fields to the input of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InputForm {
    /// The value of the only field.
    Value,
    /// An object of the fields.
    Object,
}

impl InputForm {
    pub(crate) fn is_object(self) -> bool {
        self == Self::Object
    }

    /// Returns the form in which a model takes the fields.
    ///
    /// # Errors
    /// Why it takes them in neither.
    pub(super) fn of(signature: &Signature, fields: &[(String, DataType)]) -> Result<Self, String> {
        let input = &signature.input;
        let as_value = match fields {
            [(name, kind)] => {
                fits::misfit(input, kind).map(|reason| format!("cannot read `{name}`: {reason}"))
            }
            _ => Some("it takes one value, and the key has several fields".into()),
        };
        let Some(reason) = as_value else { return Ok(Self::Value) };
        if !fits::takes_objects(input) && (fields.len() == 1 || !is_open(input)) {
            return Err(reason);
        }
        let find = |name: &str| fields.iter().find(|(known, _)| known == name);
        for name in fits::required(input) {
            if find(&name).is_none() {
                return Err(format!(
                    "it takes an object with the field `{name}`, which the key does not have"
                ));
            }
        }
        for (name, kind) in fields {
            if let Some(property) = fits::property(input, name)
                && let Some(reason) = fits::misfit(&property, kind)
            {
                return Err(format!("cannot read `{name}`: {reason}"));
            }
        }
        Ok(Self::Object)
    }
}

/// Returns whether a schema says nothing of its values.
pub(super) fn is_open(schema: &larder_core::schemars::Schema) -> bool {
    fits::misfit(schema, &DataType::Utf8).is_none()
        && fits::misfit(schema, &DataType::Boolean).is_none()
}

/// The outputs of some inputs.
pub(crate) struct Predicted {
    /// One value for each input; null where it failed.
    pub(crate) values: ArrayRef,
    /// Why inputs failed, by position, in order.
    pub(crate) failures: Vec<(usize, String)>,
}

/// Predicts for all inputs; an input that fails fails alone.
///
/// `column` is the type of the outputs; if it is not known, it becomes that of the first outputs.
///
/// # Errors
/// Errors that are not of an input, such as those of the store.
pub(crate) fn predict(
    model: &dyn Model,
    inputs: Inputs<'_>,
    column: &mut Option<FieldType>,
) -> Result<Predicted> {
    let mut run = Run { model, inputs, column, parts: Vec::new(), failures: Vec::new() };
    let count = inputs.len();
    run.range(0, count)?;
    let Run { parts, failures, .. } = run;
    // Failures before the first output leave parts of an unknown type.
    let kind = column.as_ref().map_or(DataType::Null, |kind| kind.arrow().clone());
    let parts: Vec<ArrayRef> = parts
        .into_iter()
        .map(|part| match part {
            Part::Values(values) => values,
            Part::Failed => new_null_array(&kind, 1),
        })
        .collect();
    let values = match &*parts {
        [] => new_null_array(&kind, 0),
        [only] => ArrayRef::clone(only),
        _ => {
            let parts: Vec<_> = parts.iter().map(AsRef::as_ref).collect();
            concat(&parts).map_err(|error| arrow_error("join outputs", error))?
        }
    };
    Ok(Predicted { values, failures })
}

enum Part {
    Values(ArrayRef),
    Failed,
}

struct Run<'a> {
    model: &'a dyn Model,
    inputs: Inputs<'a>,
    column: &'a mut Option<FieldType>,
    parts: Vec<Part>,
    failures: Vec<(usize, String)>,
}

/// Why a batch failed.
enum Failed {
    /// One of its inputs is at fault.
    Row(String),
    /// An output does not fit the column.
    Output(String),
    /// Nothing can be predicted.
    All(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        match error {
            Error::Input { .. } | Error::Predict { .. } => Self::Row(with_causes(&error)),
            Error::Encode { .. } => Self::Output(with_causes(&error)),
            error => Self::All(error),
        }
    }
}

impl Run<'_> {
    fn range(&mut self, from: usize, to: usize) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        match self.batch(from, to) {
            Ok(values) => self.parts.push(Part::Values(values)),
            Err(Failed::All(error)) => return Err(error),
            Err(Failed::Row(reason) | Failed::Output(reason)) if to - from == 1 => {
                self.parts.push(Part::Failed);
                self.failures.push((from, reason));
            }
            Err(Failed::Row(_) | Failed::Output(_)) => {
                let middle = from + (to - from) / 2;
                self.range(from, middle)?;
                self.range(middle, to)?;
            }
        }
        Ok(())
    }

    fn batch(&mut self, from: usize, to: usize) -> Result<ArrayRef, Failed> {
        if let Some(values) = self.native(from, to)? {
            return check_length(values, to - from);
        }
        if let Some(kind) = &*self.column
            && let Ok(mut sink) = Sink::new(kind)
        {
            let rows = Rows { inputs: self.inputs, from, to };
            let predicted = self.call(|model| model.predict_batch_with(rows, &mut sink));
            match predicted {
                Ok(()) => {
                    let values = sink.finish().map_err(|error| Failed::Row(error.to_string()))?;
                    return check_length(values, to - from);
                }
                // It may fit as JSON does: an integer in a column of floating-point numbers.
                Err(Failed::Output(_)) => {}
                Err(failed) => return Err(failed),
            }
        }
        let inputs: Vec<Value> = (from..to).map(|row| self.inputs.json(row)).collect();
        let outputs =
            self.call(|model| model.predict_batch_json(&Value::from(inputs).to_string()))?;
        let values: Vec<Value> =
            serde_json::from_str(&outputs).map_err(|error| Failed::Output(error.to_string()))?;
        let kind = match &*self.column {
            Some(kind) => kind.clone(),
            None => {
                let kind =
                    inferred(&values).map_err(|error| Failed::Output(with_causes(&error)))?;
                let Some(kind) = kind else {
                    return Err(Failed::Row("the output is null, which has no type".into()));
                };
                self.column.insert(kind).clone()
            }
        };
        let fits = larder_collections::extend::array_of(&kind, values.iter().map(Some));
        let misfit =
            |reason| Failed::Output(format!("the output does not fit its column: {reason}"));
        check_length(fits.map_err(misfit)?, to - from)
    }

    /// Predicts with vectors of the model's own types; none if the columns are of others.
    fn native(&self, from: usize, to: usize) -> Result<Option<ArrayRef>, Failed> {
        let (Inputs::Values(column), Some(kind)) = (self.inputs, &*self.column) else {
            return Ok(None);
        };
        let Some(mut outputs) = native::Outputs::new(kind.arrow()) else { return Ok(None) };
        let Some(mut inputs) = native::inputs(column, from, to) else { return Ok(None) };
        match self.call(|model| model.predict_batch_any(&mut *inputs, outputs.values()))? {
            true => Ok(outputs.column(kind.arrow())),
            false => Ok(None),
        }
    }

    /// Calls the model; a panic is the fault of an input.
    fn call<T>(&self, call: impl FnOnce(&dyn Model) -> Result<T>) -> Result<T, Failed> {
        match catch_panic("the model", || call(self.model)) {
            Ok(called) => called.map_err(Failed::from),
            Err(panic) => Err(Failed::Row(panic.to_string())),
        }
    }
}

/// Returns the type of outputs; none if all are null. Arrays may have any length.
fn inferred(values: &[Value]) -> Result<Option<FieldType>> {
    if values.iter().all(Value::is_null) {
        return Ok(None);
    }
    let row = |value: &Value| [("value".to_owned(), value.clone())].into_iter().collect();
    let rows: Vec<_> = values.iter().map(row).collect();
    let schema = larder_collections::extend::infer(&rows)?;
    let kind = schema.field("value")?.kind.clone();
    match kind.arrow() {
        DataType::FixedSizeList(item, _) => {
            let item = item.as_ref().clone().with_name("item");
            FieldType::of(&DataType::List(std::sync::Arc::new(item))).map(Some)
        }
        _ => Ok(Some(kind)),
    }
}

fn check_length(values: ArrayRef, inputs: usize) -> Result<ArrayRef, Failed> {
    match values.len() {
        outputs if outputs == inputs => Ok(values),
        outputs => {
            Err(Failed::Row(format!("the model gave {outputs} outputs for {inputs} inputs")))
        }
    }
}
