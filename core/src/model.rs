//! Models: components that predict.

use std::any::{Any, type_name};
use std::fmt;

use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::guard::{Guard, Rules, named};
use crate::{predict_json, workers};

/// A model with Rust types for input and output.
///
/// ```
/// use larder_core::{Error, Model, Predict, Result};
///
/// struct Doubler;
///
/// impl Predict for Doubler {
///     type Input = f64;
///     type Output = f64;
///     fn predict(&self, x: f64) -> Result<f64> {
///         if x.is_nan() {
///             return Err(Error::predict("not a number"));
///         }
///         Ok(2.0 * x)
///     }
/// }
///
/// assert_eq!(Doubler.predict(4.0)?, 8.0); // typed
/// let model: &dyn Model = &Doubler;
/// assert_eq!(model.predict_json("4.0")?, "8.0"); // any format in, any format out
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Predict`",
    note = "write `impl larder::Predict for {Self} {{ … }}`, or remove `model` from `#[component(…)]`"
)]
pub trait Predict: Send + Sync {
    /// The input type.
    type Input: DeserializeOwned + JsonSchema + Send + 'static;
    /// The output type.
    type Output: Serialize + JsonSchema + Send + 'static;

    /// Predicts for one input.
    ///
    /// # Errors
    /// [`Error::predict`] wraps any error or message.
    fn predict(&self, input: Self::Input) -> Result<Self::Output>;

    /// Prepares the model for its first prediction; models that keep examples predict for them.
    ///
    /// Called before a version takes over from another. The default does nothing.
    ///
    /// # Errors
    /// Any error: the version does not take over.
    fn warm_up(&self) -> Result<()> {
        Ok(())
    }

    /// Returns the number of threads of [`predict_batch`](Predict::predict_batch).
    ///
    /// More than one is faster from about ten microseconds a row.
    fn num_workers(&self) -> usize {
        1
    }

    /// Predicts for many inputs, in order, on [`num_workers`](Predict::num_workers) threads.
    ///
    /// # Errors
    /// [`Error::Predict`] with the first row that failed or panicked.
    fn predict_batch(&self, inputs: Vec<Self::Input>) -> Result<Vec<Self::Output>> {
        workers::predict(self, inputs, self.num_workers())
    }
}

/// A model behind a trait object, with input and output in any serde format.
///
/// Implemented for every [`Predict`]. Inputs are decoded directly into the input type, and outputs encoded directly
/// from the output type, without an intermediate tree.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    note = "write `impl larder::Predict for {Self} {{ … }}`, or remove `model` from `#[component(…)]`"
)]
pub trait Model: Send + Sync {
    /// Predicts for one input.
    ///
    /// # Errors
    /// [`Error::Input`] if the input does not fit, [`Error::Predict`] if the model fails.
    fn predict_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()>;

    /// Predicts for a sequence of inputs; writes a sequence of outputs in the same order.
    ///
    /// # Errors
    /// As [`Model::predict_erased`]; the path or the error contains the row.
    fn predict_batch_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()>;

    /// Predicts for one input in JSON.
    ///
    /// # Errors
    /// As [`Model::predict_erased`]; also for text after the input.
    fn predict_json_erased(&self, input: &str) -> Result<String> {
        predict_json::through(Rules::OUTPUT, input, |input, output| {
            self.predict_erased(input, output)
        })
    }

    /// Predicts for a JSON array of inputs.
    ///
    /// # Errors
    /// As [`Model::predict_batch_erased`]; also for text after the array.
    fn predict_batch_json_erased(&self, input: &str) -> Result<String> {
        predict_json::through(Rules::OUTPUT, input, |input, output| {
            self.predict_batch_erased(input, output)
        })
    }

    /// Predicts for one typed input: takes it from an `Option<Input>`, and writes to an `Option<Output>`.
    ///
    /// # Errors
    /// [`Error::Input`] if they are of other types, [`Error::Predict`] if the model fails.
    fn predict_any(&self, input: &mut dyn Any, output: &mut dyn Any) -> Result<()> {
        let _ = (input, output);
        Err(wrong_value("a serde format: it is no model of Rust types"))
    }

    /// Predicts for many typed inputs: takes them from a `Vec<Input>`, and writes to a `Vec<Output>`.
    ///
    /// Returns false, and takes nothing, if they are of other types.
    ///
    /// ```
    /// # use larder_core::{Model, Predict, Result};
    /// # struct Doubler;
    /// # impl Predict for Doubler {
    /// #     type Input = f64;
    /// #     type Output = f64;
    /// #     fn predict(&self, x: f64) -> Result<f64> {
    /// #         Ok(2.0 * x)
    /// #     }
    /// # }
    /// let model: &dyn Model = &Doubler;
    /// let mut outputs = Vec::<f64>::new();
    /// assert!(model.predict_batch_any(&mut vec![1.0, 2.5], &mut outputs)?);
    /// assert_eq!(outputs, [2.0, 5.0]);
    /// assert!(!model.predict_batch_any(&mut vec![1_i64], &mut outputs)?);
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Predict`] with the first row that failed.
    fn predict_batch_any(&self, inputs: &mut dyn Any, outputs: &mut dyn Any) -> Result<bool> {
        let _ = (inputs, outputs);
        Ok(false)
    }

    /// Prepares the model for its first prediction: see [`Predict::warm_up`].
    ///
    /// # Errors
    /// Any error: the model is not fit to serve.
    fn warm_up(&self) -> Result<()> {
        Ok(())
    }

    /// Returns the schemas of input and output.
    fn signature(&self) -> Signature;
}

#[deny(clippy::missing_trait_methods)]
impl<T: Predict> Model for T {
    fn predict_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        write_output(&self.predict(read_input(input)?)?, output)
    }

    fn predict_batch_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        write_output(&self.predict_batch(read_input(input)?)?, output)
    }

    fn predict_json_erased(&self, input: &str) -> Result<String> {
        predict_json::write(&self.predict(predict_json::read(input)?)?)
    }

    fn predict_batch_json_erased(&self, input: &str) -> Result<String> {
        predict_json::write(&self.predict_batch(predict_json::read(input)?)?)
    }

    fn predict_any(&self, input: &mut dyn Any, output: &mut dyn Any) -> Result<()> {
        let Some(output) = output.downcast_mut() else {
            let given = type_name::<T::Output>();
            return Err(wrong_value(&format!("that `{given}` is asked of it")));
        };
        let Some(input) = input.downcast_mut().and_then(Option::take) else {
            return Err(wrong_value(&format!("a `{}`", type_name::<T::Input>())));
        };
        *output = Some(self.predict(input)?);
        Ok(())
    }

    fn predict_batch_any(&self, inputs: &mut dyn Any, outputs: &mut dyn Any) -> Result<bool> {
        let (Some(inputs), Some(outputs)) = (inputs.downcast_mut(), outputs.downcast_mut()) else {
            return Ok(false);
        };
        *outputs = self.predict_batch(std::mem::take(inputs))?;
        Ok(true)
    }

    fn warm_up(&self) -> Result<()> {
        Predict::warm_up(self)
    }

    fn signature(&self) -> Signature {
        Signature::of::<T>()
    }
}

fn wrong_value(expected: &str) -> Error {
    let source = format!("a value of another Rust type; the model expects {expected}").into();
    Error::Input { path: String::new(), source }
}

fn read_input<T: DeserializeOwned>(input: &mut dyn erased_serde::Deserializer<'_>) -> Result<T> {
    let guard = Guard::new(Rules::INPUT);
    guard.read(named(input)).map_err(|error| {
        let (path, source) = guard.error(error).into_parts();
        Error::Input { path, source }
    })
}

fn write_output<T: Serialize>(value: &T, output: &mut dyn erased_serde::Serializer) -> Result<()> {
    erased_serde::Serialize::erased_serialize(value, output)
        .map_err(|error| Error::Encode { what: "the model's output".into(), source: error.into() })
}

impl dyn Model + '_ {
    /// Predicts for one input, from any serde format to any serde format.
    ///
    /// # Errors
    /// As [`Model::predict_erased`].
    pub fn predict_with<'de>(
        &self,
        input: impl Deserializer<'de>,
        output: impl Serializer,
    ) -> Result<()> {
        let mut input = <dyn erased_serde::Deserializer<'_>>::erase(input);
        let mut output = <dyn erased_serde::Serializer>::erase(output);
        self.predict_erased(&mut input, &mut output)
    }

    /// Predicts for a sequence of inputs, from any serde format to any serde format.
    ///
    /// # Errors
    /// As [`Model::predict_batch_erased`].
    pub fn predict_batch_with<'de>(
        &self,
        input: impl Deserializer<'de>,
        output: impl Serializer,
    ) -> Result<()> {
        let mut input = <dyn erased_serde::Deserializer<'_>>::erase(input);
        let mut output = <dyn erased_serde::Serializer>::erase(output);
        self.predict_batch_erased(&mut input, &mut output)
    }

    /// Predicts for one input of the model's Rust types, without encoding.
    ///
    /// ```
    /// use larder_core::{Error, Model, Predict, Result};
    ///
    /// struct Doubler;
    ///
    /// impl Predict for Doubler {
    ///     type Input = f64;
    ///     type Output = f64;
    ///     fn predict(&self, x: f64) -> Result<f64> {
    ///         Ok(2.0 * x)
    ///     }
    /// }
    ///
    /// let model: &dyn Model = &Doubler;
    /// assert_eq!(model.predict_typed::<f64, f64>(4.0)?, 8.0);
    /// assert!(matches!(model.predict_typed::<f32, f64>(4.0), Err(Error::Input { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Model::predict_any`].
    pub fn predict_typed<I: 'static, O: 'static>(&self, input: I) -> Result<O> {
        let (mut input, mut output) = (Some(input), None);
        self.predict_any(&mut input, &mut output)?;
        output.ok_or_else(|| Error::predict("it gave no output"))
    }

    /// Predicts for one input in JSON.
    ///
    /// JSON has no NaN and no infinities. Where the model has floating-point numbers, they are the texts `"NaN"`,
    /// `"Infinity"` and `"-Infinity"`, in inputs and in outputs. A byte order mark before the input is skipped.
    ///
    /// ```
    /// # use larder_core::{Model, Predict, Result};
    /// # struct Halver;
    /// # impl Predict for Halver {
    /// #     type Input = Vec<f64>;
    /// #     type Output = Vec<f64>;
    /// #     fn predict(&self, row: Vec<f64>) -> Result<Vec<f64>> {
    /// #         Ok(row.into_iter().map(|x| x / 2.0).collect())
    /// #     }
    /// # }
    /// let model: &dyn Model = &Halver;
    /// assert_eq!(model.predict_json(r#"["NaN", 3]"#)?, r#"["NaN",1.5]"#);
    /// assert!(model.predict_json_strict(r#"["NaN", 3]"#).is_err());
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Model::predict_erased`]; also for text after the input.
    pub fn predict_json(&self, input: &str) -> Result<String> {
        let input = without_mark(input);
        self.predict_json_erased(input).map_err(|error| predict_json::malformed(input, error))
    }

    /// Predicts for one input in JSON, for readers that expect numbers only: NaN or an infinity in the output is an error.
    ///
    /// # Errors
    /// As `predict_json`; [`Error::Encode`].
    pub fn predict_json_strict(&self, input: &str) -> Result<String> {
        let text = without_mark(input);
        let predicted = predict_json::through(Rules::JSON, text, |input, output| {
            self.predict_erased(input, output)
        });
        predicted.map_err(|error| predict_json::malformed(text, error))
    }

    /// Predicts for a JSON array of inputs, as `predict_json` for one.
    ///
    /// # Errors
    /// As [`Model::predict_batch_erased`]; also for text after the array.
    pub fn predict_batch_json(&self, input: &str) -> Result<String> {
        let input = without_mark(input);
        self.predict_batch_json_erased(input).map_err(|error| predict_json::malformed(input, error))
    }
}

/// Removes a byte order mark.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

impl fmt::Debug for dyn Model + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Model")
    }
}

/// The JSON Schemas (draft 2020-12) of a model's input and output.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// The schema of one input.
    pub input: Schema,
    /// The schema of one output.
    pub output: Schema,
}

impl Signature {
    /// Returns the signature of the typed model `T`.
    pub fn of<T: Predict + ?Sized>() -> Self {
        Self { input: schemars::schema_for!(T::Input), output: schemars::schema_for!(T::Output) }
    }
}
