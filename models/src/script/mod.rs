//! Models in scripts: their source is the model.

mod engine;
mod error;
mod limits;
mod value;

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use larder_core::__private::typetag;
use larder_core::guard::{Guard, Rules};
use larder_core::schemars::Schema;
use larder_core::versions::Source;
use larder_core::{Component, ComponentType, Error, Item, Model, Result, Signature};
use rhai::{AST, Dynamic};
use serde::de::{DeserializeSeed, Error as _};
use serde::{Deserialize, Serialize};

pub use error::ScriptError;
pub use limits::Limits;

use engine::Call;
pub(crate) use engine::parse;
use value::{Batch, Output, ValueSeed};

/// The most bytes of a script.
pub(crate) const MOST_BYTES: u64 = 1 << 20;

/// A model in a script, in the language [Rhai](https://rhai.rs/book).
///
/// The script defines `fn predict(input)`. Its input and what it gives are any JSON value.
///
/// ```
/// use larder_core::{Model, Registry};
/// use larder_models::Script;
///
/// let script = Script::new("price.rhai", r#"
///     const WEIGHTS = [2.0, 0.5];
///
///     fn predict(input) {
///         let sum = 0.0;
///         for (x, at) in input { sum += x * global::WEIGHTS[at]; }
///         #{ price: sum, currency: "EUR" }
///     }
/// "#)?;
///
/// let larder = Registry::linked()?.open("memory:")?;
/// larder.apply("house/price", &script)?; // its text is stored in the manifest
///
/// let model = larder.load_model("house/price")?;
/// assert_eq!(model.predict_json("[3.0, 4.0]")?, r#"{"currency":"EUR","price":8.0}"#);
/// # Ok::<(), larder_core::Error>(())
/// ```
///
/// It reaches nothing outside: there are no files, no imports, no clock and no `eval`, and `print` goes nowhere. Each
/// call begins anew: nothing is kept from one to the next. [`Limits`] bound what one call may cost.
///
/// As in Rust, `3` is an integer and `3.0` is not, `7 / 2` is 3, and an integer and a float make a float.
#[derive(Debug, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Script {
    source: Source,
    limits: Limits,
    #[serde(skip)]
    ast: AST,
}

/// The fields of the manifest.
#[derive(Deserialize)]
struct Fields {
    source: Source,
    limits: Limits,
}

impl TryFrom<Fields> for Script {
    type Error = ScriptError;

    fn try_from(Fields { source, limits }: Fields) -> Result<Self, ScriptError> {
        let ast = parse(&source.text)?;
        Ok(Self { source, limits: limits.at_most(&Limits::MOST), ast })
    }
}

impl Script {
    /// A script by its text; `file` is the name that it is shown under.
    ///
    /// # Errors
    /// [`Error::Refused`] with line and column if it cannot be parsed; if it does not define `predict`.
    pub fn new(file: &str, text: &str) -> Result<Self> {
        let refused = |error: ScriptError| Error::Refused {
            action: format!("read the script {file}"),
            reason: error.to_string(),
        };
        let source = Source::new("rhai", file.to_owned(), text.to_owned());
        Self::try_from(Fields { source, limits: Limits::default() }).map_err(refused)
    }

    /// Reads the script at `path`.
    ///
    /// # Errors
    /// As [`new`](Script::new); [`Error::Store`] if it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let failed = |error| Error::store(format!("read {}", path.display()), error);
        let refused = |reason: &str| Error::Refused {
            action: format!("read the script {}", path.display()),
            reason: reason.into(),
        };
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(refused("it is not a file"));
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        let text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8 text"))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self::new(&name, &text)
    }

    /// The same script with limits of its own, which are kept with it.
    ///
    /// What is above [`Limits::MOST`] is lowered to that.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits.at_most(&Limits::MOST);
        self
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Its source text.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Predicts for one input in JSON, within other limits than its own.
    ///
    /// # Errors
    /// As [`Model::predict_erased`]; a [`ScriptError`] is the source of [`Error::Predict`].
    pub fn predict_limited(&self, limits: &Limits, input: &str) -> Result<String> {
        let guard = Guard::new(Rules::INPUT);
        let mut source = serde_json::Deserializer::from_str(input);
        let read = guard.seed(ValueSeed::new(limits)).deserialize(&mut source);
        let value = read.and_then(|value| source.end().map(|()| value));
        let value = value.map_err(|error| input_error(&guard, error))?;
        let output = self.call(limits, value)?;
        serde_json::to_string(&Output(&output)).map_err(unwritable)
    }

    fn call(&self, limits: &Limits, input: Dynamic) -> Result<Dynamic> {
        Call::new(limits).predict(&self.ast, input).map_err(Error::predict)
    }
}

fn input_error<E: std::error::Error + Send + Sync + 'static>(guard: &Guard, error: E) -> Error {
    let (path, source) = guard.error(error).into_parts();
    Error::Input { path, source }
}

fn unwritable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Encode { what: "the model's output".into(), source: error.into() }
}

impl Model for Script {
    fn predict_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        let guard = Guard::new(Rules::INPUT);
        let value = guard.seed(ValueSeed::new(&self.limits)).deserialize(input);
        let value = self.call(&self.limits, value.map_err(|error| input_error(&guard, error))?)?;
        erased_serde::Serialize::erased_serialize(&Output(&value), output).map_err(unwritable)
    }

    fn predict_batch_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        let guard = Guard::new(Rules::INPUT);
        let mut failure = None;
        let mut predict = |row: usize, input: Dynamic| {
            self.call(&self.limits, input).map_err(|error| {
                failure = Some(match error {
                    Error::Predict { source, .. } => Error::Predict { row: Some(row), source },
                    error => error,
                });
                erased_serde::Error::custom("the model failed")
            })
        };
        let seed = Batch { limits: &self.limits, predict: &mut predict };
        let outputs = guard.seed(seed).deserialize(input);
        let outputs = outputs.map_err(|error| match failure.take() {
            Some(failure) => failure,
            None => input_error(&guard, error),
        })?;
        let outputs: Vec<_> = outputs.iter().map(Output).collect();
        erased_serde::Serialize::erased_serialize(&outputs, output).map_err(unwritable)
    }

    fn predict_json_erased(&self, input: &str) -> Result<String> {
        self.predict_limited(&self.limits, input)
    }

    fn signature(&self) -> Signature {
        Signature { input: Schema::from(true), output: Schema::from(true) }
    }
}

#[typetag::serde(name = "larder/script")]
impl Component for Script {
    fn as_model(&self) -> Option<&dyn Model> {
        Some(self)
    }
}

impl ComponentType for Script {
    const TAG: &'static str = "larder/script";
    const OWN_SIGNATURE: bool = true;
}

larder_core::link!(Item::component::<Script>());
