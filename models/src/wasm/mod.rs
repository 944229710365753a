//! Models and serializers in WebAssembly, in a sandbox.
//!
//! A guest is a core module or a component that takes bytes and gives bytes. It may import nothing, so it has no
//! files, no network and no clock; each call runs in an instance of its own, within [`Limits`]. `docs/wasm.md`
//! says how to write one.

mod component;
mod core_module;
mod document;
mod error;
mod guest;
mod interface;
mod limits;
mod runtime;
mod section;
mod serializer;
mod transcode;

use std::fmt;
use std::path::Path;

use larder_core::bytes::Bytes;
use larder_core::extend::CacheFolder;
use larder_core::{Component, ComponentType, Error, Item, Model, Result, Signature};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use error::WasmError;
pub use interface::{Abi, GuestFormat};
pub use limits::Limits;
pub use serializer::WasmSerializer;

use guest::Guest;
use interface::{Entry, Role};

/// A model in WebAssembly: its code goes with it, and runs in a sandbox wherever it is loaded.
///
/// ```
/// use larder_core::Registry;
/// use larder_models::WasmModel;
///
/// // A guest that gives back what it is given. Compilers of C, Rust and others write such modules too.
/// let wasm = wat::parse_str(
///     r#"(module
///         (memory (export "memory") 1)
///         (func (export "larder_abi_1_json"))
///         (func (export "larder_alloc") (param $len i32) (result i32) (i32.const 1024))
///         (func (export "larder_predict") (param $at i32) (param $len i32) (result i64)
///             (i64.or
///                 (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
///                 (i64.extend_i32_u (local.get $len)))))"#,
/// )?;
///
/// let larder = Registry::linked()?.open("memory:")?;
/// larder.apply("echo", &WasmModel::from_bytes(wasm)?)?;
/// assert_eq!(larder.load_model("echo")?.predict_json("[1, 2]")?, "[1, 2]");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WasmModel(Guest);

impl WasmModel {
    /// Reads and checks a module or component from a file; nothing of it runs.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is no guest that predicts, with the import or export that is to blame;
    /// [`Error::Store`] if it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::from_bytes(guest::read_file(path)?).map_err(|error| refused(path, error))
    }

    /// Checks a module or component: the whole of it, its imports, its exports and their types.
    ///
    /// # Errors
    /// [`WasmError`], with the import or export that is to blame.
    pub fn from_bytes(wasm: impl Into<Bytes>) -> Result<Self, WasmError> {
        Guest::new(wasm.into(), Role::Model).map(Self)
    }

    /// The same model, kept with other limits.
    ///
    /// # Errors
    /// [`Error::Refused`] if one is above [`Limits::MOST`].
    pub fn with_limits(mut self, limits: Limits) -> Result<Self> {
        self.0.set_limits(limits)?;
        Ok(self)
    }

    /// The limits that it is kept with.
    pub fn limits(&self) -> Limits {
        *self.0.limits()
    }

    /// The module or component.
    ///
    /// # Errors
    /// As [`Artifact::get`](larder_core::Artifact::get).
    pub fn module(&self) -> Result<Bytes> {
        self.0.module()
    }

    /// How it is called.
    pub fn abi(&self) -> Abi {
        self.0.abi()
    }

    /// The format that it speaks.
    pub fn format(&self) -> GuestFormat {
        self.0.format()
    }

    /// The model under limits of the caller's own.
    pub fn limited(&self, limits: Limits) -> Limited<'_> {
        Limited { guest: &self.0, limits }
    }

    fn by_its_own_limits(&self) -> Limited<'_> {
        self.limited(self.limits())
    }
}

fn refused(path: &Path, error: WasmError) -> Error {
    let reason = match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    Error::Refused { action: format!("read the WebAssembly file {}", path.display()), reason }
}

impl fmt::Debug for WasmModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WasmModel({:?})", self.0)
    }
}

#[typetag::serde(name = "larder/wasm")]
impl Component for WasmModel {
    fn as_model(&self) -> Option<&dyn Model> {
        Some(self)
    }

    fn set_cache(&mut self, cache: &CacheFolder) {
        self.0.set_cache(cache);
    }
}

impl ComponentType for WasmModel {
    const TAG: &'static str = "larder/wasm";
    const OWN_SIGNATURE: bool = true;
}

larder_core::link!(Item::component::<WasmModel>());

impl Model for WasmModel {
    fn predict_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        self.by_its_own_limits().predict_erased(input, output)
    }

    fn predict_batch_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        self.by_its_own_limits().predict_batch_erased(input, output)
    }

    fn predict_json_erased(&self, input: &str) -> Result<String> {
        self.by_its_own_limits().predict_json_erased(input)
    }

    fn predict_batch_json_erased(&self, input: &str) -> Result<String> {
        self.by_its_own_limits().predict_batch_json_erased(input)
    }

    fn signature(&self) -> Signature {
        self.0.signature().cloned().unwrap_or_default()
    }
}

/// A [`WasmModel`] under limits of the caller's own: see [`WasmModel::limited`].
#[derive(Debug, Clone, Copy)]
pub struct Limited<'a> {
    guest: &'a Guest,
    limits: Limits,
}

impl Limited<'_> {
    /// Predicts for one document of the format that the model speaks; gives another.
    ///
    /// # Errors
    /// [`Error::Predict`], with a [`WasmError`] as its source.
    pub fn predict_bytes(&self, input: &[u8]) -> Result<Bytes> {
        let output = self.call(Entry::Predict, input)?;
        Ok(self.guest.format().believe(output)?.into_bytes())
    }

    fn call(&self, entry: Entry, input: &[u8]) -> Result<Vec<u8>> {
        Ok(self.guest.code(Role::Model, &self.limits)?.call(entry, input, &self.limits)?)
    }

    fn has_batch(&self) -> Result<bool> {
        Ok(self.guest.code(Role::Model, &self.limits)?.has(Entry::PredictBatch))
    }

    /// Runs a row of a batch.
    fn row(&self, row: usize, input: &[u8]) -> Result<Vec<u8>> {
        self.call(Entry::Predict, input).map_err(|error| on_row(row, error))
    }
}

/// Says on which row of a batch a model failed.
fn on_row(row: usize, error: impl Into<Error>) -> Error {
    match error.into() {
        Error::Predict { source, .. } => Error::Predict { row: Some(row), source },
        other => other,
    }
}

fn count(inputs: usize, outputs: usize) -> Result<(), WasmError> {
    if inputs == outputs { Ok(()) } else { Err(WasmError::Rows { inputs, outputs }) }
}

impl Model for Limited<'_> {
    fn predict_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        DynFormat(self).predict_erased(input, output)
    }

    fn predict_batch_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        DynFormat(self).predict_batch_erased(input, output)
    }

    // A guest that speaks JSON is given the text as it is.
    fn predict_json_erased(&self, input: &str) -> Result<String> {
        document::check_json(input).map_err(document::refused_input)?;
        if self.guest.format() != GuestFormat::Json {
            return DynFormat(self).predict_json_erased(input);
        }
        Ok(document::json_text(self.call(Entry::Predict, input.as_bytes())?)?)
    }

    fn predict_batch_json_erased(&self, input: &str) -> Result<String> {
        let rows = document::json_rows(input).map_err(document::refused_input)?;
        if self.guest.format() != GuestFormat::Json {
            return DynFormat(self).predict_batch_json_erased(input);
        }
        if self.has_batch()? {
            let outputs = document::json_text(self.call(Entry::PredictBatch, input.as_bytes())?)?;
            count(rows.len(), document::json_rows(&outputs).map_or(0, |rows| rows.len()))?;
            return Ok(outputs);
        }
        let predict = |(at, row): (usize, &&RawValue)| {
            let output = self.row(at, row.get().as_bytes())?;
            document::json_text(output).map_err(|error| on_row(at, error))
        };
        let outputs: Vec<_> = rows.iter().enumerate().map(predict).collect::<Result<_>>()?;
        Ok(format!("[{}]", outputs.join(",")))
    }

    fn signature(&self) -> Signature {
        self.guest.signature().cloned().unwrap_or_default()
    }
}

/// A guest whose documents are made from any format, and made into any.
struct DynFormat<'a>(&'a Limited<'a>);

impl Model for DynFormat<'_> {
    fn predict_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        let format = self.0.guest.format();
        let input = format.document(input).map_err(document::refused_input)?;
        let document = format.believe(self.0.call(Entry::Predict, &input)?)?;
        write(&document, output)
    }

    fn predict_batch_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        let format = self.0.guest.format();
        let rows = format.rows(input)?;
        if self.0.has_batch()? {
            let outputs = self.0.call(Entry::PredictBatch, &format.array(&rows)?)?;
            let document = format.believe(outputs)?;
            count(rows.len(), document.rows())?;
            return write(&document, output);
        }
        let predict = |(at, row): (usize, &Vec<u8>)| {
            format.believe(self.0.row(at, row)?).map_err(|error| on_row(at, error))
        };
        write(&rows.iter().enumerate().map(predict).collect::<Result<Vec<_>>>()?, output)
    }

    fn signature(&self) -> Signature {
        self.0.signature()
    }
}

fn write(output: &impl Serialize, to: &mut dyn erased_serde::Serializer) -> Result<()> {
    erased_serde::Serialize::erased_serialize(output, to)
        .map_err(|error| Error::Encode { what: "the model's output".into(), source: error.into() })
}
