//! `impl Model`: predictions from and to any serde format.

use std::any::Any;
use std::fmt;
use std::mem;

use larder_core::guard::{Guard, Rules, words};
use larder_core::{Error, Model, Result, Signature};
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};

use super::read::{RowSeed, Rows};
use super::write::Outputs;
use super::{OnnxModel, Value, value};

impl Model for OnnxModel {
    fn predict_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        let mut rows = Rows::one_or_all(&self.interface);
        read_guarded(|guard| guard.seed(RowSeed(&mut rows)).deserialize(input))?;
        write(&Answer(rows.is_batch(), self.run_rows(rows)?), output)
    }

    fn predict_batch_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        let mut batch = Batch::new(self);
        let read = read_guarded(|guard| guard.seed(BatchSeed(&mut batch)).deserialize(input));
        write(&batch.finish(read)?, output)
    }

    fn predict_json_erased(&self, input: &str) -> Result<String> {
        let mut rows = Rows::one_or_all(&self.interface);
        // Reads without a guard first, which is faster; only an error needs the path.
        if read_json(RowSeed(&mut rows), input).is_err() {
            rows = Rows::one_or_all(&self.interface);
            read_json_guarded(RowSeed(&mut rows), input)?;
        }
        let is_batch = rows.is_batch();
        write_json(&Answer(is_batch, Outputs { words: true, ..self.run_rows(rows)? }))
    }

    /// Optimizes the model, and predicts for the kept examples.
    fn warm_up(&self) -> Result<()> {
        self.plan()?;
        self.check_examples().map(drop)
    }

    fn predict_batch_json_erased(&self, input: &str) -> Result<String> {
        let mut batch = Batch::new(self);
        let mut read = Ok(());
        if read_json(BatchSeed(&mut batch), input).is_err() && batch.failure.is_none() {
            batch = Batch::new(self);
            read = read_json_guarded(BatchSeed(&mut batch), input);
        }
        let mut batch = batch.finish(read)?;
        batch.done.iter_mut().for_each(|outputs| outputs.words = true);
        write_json(&batch)
    }

    /// Predicts from `Vec<Value>` to `Vec<Value>`, as [`OnnxModel::predict`].
    fn predict_any(&self, input: &mut dyn Any, output: &mut dyn Any) -> Result<()> {
        let input = input.downcast_mut::<Option<Vec<Value>>>().and_then(Option::take);
        let output = output.downcast_mut::<Option<Vec<Value>>>();
        let (Some(input), Some(output)) = (input, output) else {
            let message = "expected `Vec<larder_onnx::Value>` as input and output";
            return Err(value::input("", message));
        };
        *output = Some(self.predict(input)?);
        Ok(())
    }

    fn signature(&self) -> Signature {
        self.interface.signature()
    }
}

fn read_json<'de, S: DeserializeSeed<'de>>(
    seed: S,
    text: &'de str,
) -> serde_json::Result<S::Value> {
    let mut source = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut source)?;
    source.end().map(|()| value)
}

/// Reads with a guard, which adds the path to an error.
fn read_guarded<E>(read: impl FnOnce(&Guard) -> Result<(), E>) -> Result<()>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let guard = Guard::new(Rules::INPUT);
    read(&guard).map_err(|error| {
        let (path, source) = guard.error(error).into_parts();
        Error::Input { path, source }
    })
}

/// Reads as [`read_json`], to get the error with its path.
fn read_json_guarded(
    seed: impl for<'de> DeserializeSeed<'de, Value = ()>,
    text: &str,
) -> Result<()> {
    let quoted = words::quoted(text);
    let text = quoted.as_deref().unwrap_or(text);
    read_guarded(|guard| read_json(guard.seed(seed), text))
}

fn write(value: &impl Serialize, output: &mut dyn erased_serde::Serializer) -> Result<()> {
    erased_serde::Serialize::erased_serialize(value, output)
        .map_err(|error| Error::Encode { what: "the model's output".into(), source: error.into() })
}

fn write_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::Encode { what: "the model's output".into(), source: error.into() })
}

/// The outputs of one row, or of all rows where the input had them all.
struct Answer<'a>(bool, Outputs<'a>);

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(is_batch, outputs) = self;
        if *is_batch {
            return serializer.collect_seq(outputs.rows());
        }
        match outputs.rows().next() {
            Some(row) => row.serialize(serializer),
            None => Err(serde::ser::Error::custom("the model returned no rows")),
        }
    }
}

/// A batch whose rows are predicted while it is read.
struct Batch<'m> {
    model: &'m OnnxModel,
    done: Vec<Outputs<'m>>,
    rows: usize,
    /// The model's error, of which serde passes on only the text.
    failure: Option<Error>,
}

impl<'m> Batch<'m> {
    fn new(model: &'m OnnxModel) -> Self {
        Self { model, done: Vec::new(), rows: 0, failure: None }
    }

    fn run(&mut self, rows: Rows<'m>) -> Result<(), ()> {
        let count = rows.count();
        let outputs = self.model.run_rows(rows).map_err(|error| {
            self.failure = Some(match error {
                Error::Predict { row: None, source } if count == 1 => {
                    Error::Predict { row: Some(self.rows), source }
                }
                error => error,
            });
        })?;
        self.rows += count;
        self.done.push(outputs);
        Ok(())
    }

    fn finish(self, read: Result<()>) -> Result<Self> {
        match &self.failure {
            None => read.map(|()| self),
            Some(_) => Err(self.failure.unwrap_or_else(|| Error::predict("the model failed"))),
        }
    }
}

impl Serialize for Batch<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.rows))?;
        for row in self.done.iter().flat_map(Outputs::rows) {
            seq.serialize_element(&row)?;
        }
        seq.end()
    }
}

struct BatchSeed<'b, 'm>(&'b mut Batch<'m>);

impl<'de> DeserializeSeed<'de> for BatchSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for BatchSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence of inputs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self(batch) = self;
        let model = batch.model;
        let mut rows = Rows::new(&model.interface);
        loop {
            let more = seq.next_element_seed(RowSeed(&mut rows))?.is_some();
            if rows.count() == model.interface.max_rows() || !more && rows.count() > 0 {
                let full = mem::replace(&mut rows, Rows::new(&model.interface));
                batch.run(full).map_err(|()| A::Error::custom("the model failed"))?;
            }
            if !more {
                return Ok(());
            }
        }
    }
}
