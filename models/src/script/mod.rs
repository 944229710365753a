//! Models written as scripts.

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
use larder_files::WrongContent;
use rhai::{AST, Dynamic};
use serde::de::{DeserializeSeed, Error as _};
use serde::{Deserialize, Serialize};

pub use error::ScriptError;
pub use limits::Limits;

use engine::Call;
pub(crate) use engine::parse;
use value::{Batch, Output, ValueSeed};

/// Maximum size of a script, in bytes.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

/// A model written in [Rhai](https://rhai.rs/book).
///
/// The script defines `fn predict(input)`. Input and output are JSON values.
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
/// larder.apply("house/price", &script)?; // stores the text in the manifest
///
/// let model = larder.load_model("house/price")?;
/// assert_eq!(model.predict_json("[3.0, 4.0]")?, r#"{"currency":"EUR","price":8.0}"#);
/// # Ok::<(), larder_core::Error>(())
/// ```
///
/// Scripts have no access to files, imports, a clock, `eval` or `print`. Calls share no state and are bounded by
/// [`Limits`].
///
/// `3` is an integer and `3.0` a float; `7 / 2` is 3; an operation on an integer and a float returns a float.
#[derive(Debug, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Script {
    source: Source,
    limits: Limits,
    #[serde(skip)]
    ast: AST,
}

/// Fields of the manifest.
#[derive(Deserialize)]
struct Fields {
    source: Source,
    limits: Limits,
}

impl TryFrom<Fields> for Script {
    type Error = ScriptError;

    fn try_from(Fields { source, limits }: Fields) -> Result<Self, ScriptError> {
        let ast = parse(&source.text)?;
        Ok(Self { source, limits: limits.min(&Limits::MAX), ast })
    }
}

impl Script {
    /// Parses a script; `file` is the name for messages.
    ///
    /// # Errors
    /// [`Error::Refused`] if the syntax is invalid, with line and column, or if `predict` is not defined.
    pub fn new(file: &str, text: &str) -> Result<Self> {
        let refused = |error: ScriptError| Error::Refused {
            action: format!("read the script {file}"),
            reason: match WrongContent::of(text.as_bytes()).filter(|_| !text.is_empty()) {
                Some(wrong) => format!("not a script: {wrong}"),
                None => error.to_string(),
            },
        };
        let source = Source::new("rhai", file.to_owned(), text.to_owned());
        Self::try_from(Fields { source, limits: Limits::default() }).map_err(refused)
    }

    /// Reads a script from a file.
    ///
    /// # Errors
    /// As [`new`](Script::new); [`Error::Store`] if it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let failed = |error| Error::store(format!("read {}", path.display()), error);
        let refused = |reason| Error::Refused {
            action: format!("read the script {}", path.display()),
            reason,
        };
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(refused("not a file".into()));
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.is_empty() {
            return Err(refused("not a script: it is empty; get the file itself".into()));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            refused(match WrongContent::of(error.as_bytes()) {
                Some(wrong) => format!("not a script: {wrong}"),
                None => "not UTF-8".into(),
            })
        })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self::new(&name, &text)
    }

    /// Sets the stored limits, capped at [`Limits::MAX`].
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits.min(&Limits::MAX);
        self
    }

    /// Returns the stored limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the source text.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Predicts for one JSON input with the given limits.
    ///
    /// # Errors
    /// As [`Model::predict_erased`]; the source of [`Error::Predict`] is a [`ScriptError`].
    pub fn predict_limited(&self, limits: &Limits, input: &str) -> Result<String> {
        let guard = Guard::new(Rules::INPUT);
        let mut source = serde_json::Deserializer::from_str(input);
        let read = guard.seed(ValueSeed::new(limits)).deserialize(&mut source);
        let value = read.and_then(|value| source.end().map(|()| value));
        let value = value.map_err(|error| input_error(&guard, error))?;
        let output = self.call(limits, value)?;
        serde_json::to_string(&Output(&output)).map_err(output_error)
    }

    fn call(&self, limits: &Limits, input: Dynamic) -> Result<Dynamic> {
        Call::new(limits).predict(&self.ast, input).map_err(Error::predict)
    }
}

fn input_error<E: std::error::Error + Send + Sync + 'static>(guard: &Guard, error: E) -> Error {
    let (path, source) = guard.error(error).into_parts();
    Error::Input { path, source }
}

fn output_error(error: impl std::error::Error + Send + Sync + 'static) -> Error {
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
        erased_serde::Serialize::erased_serialize(&Output(&value), output).map_err(output_error)
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
        erased_serde::Serialize::erased_serialize(&outputs, output).map_err(output_error)
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
