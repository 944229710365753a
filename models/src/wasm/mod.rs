//! Models and serializers as sandboxed WebAssembly.
//!
//! A guest is a core module or component that maps bytes to bytes. It must not import anything, so it has no access to
//! files, network or clock. Each call runs in a new instance, within [`Limits`]. See `docs/wasm.md`.

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

use std::any::Any;
use std::fmt;
use std::path::Path;

use larder_core::bytes::Bytes;
use larder_core::extend::CacheFolder;
use larder_core::{Component, ComponentType, Error, Item, Model, Result, Signature};
use larder_files::WrongContent;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use error::WasmError;
pub use interface::{Abi, GuestFormat};
pub use limits::Limits;
pub use serializer::WasmSerializer;

use guest::Guest;
use interface::{Entry, Role};

/// A model as sandboxed WebAssembly.
///
/// ```
/// use larder_core::Registry;
/// use larder_models::WasmModel;
///
/// // A guest that returns its input. Compilers of C, Rust and other languages produce such modules.
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
    /// Reads and validates a module or component, without running it.
    ///
    /// # Errors
    /// [`Error::Refused`] with the import or export if it is not a model; [`Error::Store`] if it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = guest::read_file(path)?;
        Self::from_bytes(bytes.clone()).map_err(|error| refused(path, &bytes, error))
    }

    /// Validates a module or component with its imports and exports.
    ///
    /// # Errors
    /// [`WasmError`] with the import or export.
    pub fn from_bytes(wasm: impl Into<Bytes>) -> Result<Self, WasmError> {
        Guest::new(wasm.into(), Role::Model).map(Self)
    }

    /// Sets the stored limits.
    ///
    /// # Errors
    /// [`Error::Refused`] if one exceeds [`Limits::MAX`].
    pub fn with_limits(mut self, limits: Limits) -> Result<Self> {
        self.0.set_limits(limits)?;
        Ok(self)
    }

    /// Returns the stored limits.
    pub fn limits(&self) -> Limits {
        *self.0.limits()
    }

    /// Returns the module or component.
    ///
    /// # Errors
    /// As [`Artifact::get`](larder_core::Artifact::get).
    pub fn module(&self) -> Result<Bytes> {
        self.0.module()
    }

    /// Returns the binary interface.
    pub fn abi(&self) -> Abi {
        self.0.abi()
    }

    /// Returns the format of inputs and outputs.
    pub fn format(&self) -> GuestFormat {
        self.0.format()
    }

    /// Returns the model with the caller's limits.
    pub fn limited(&self, limits: Limits) -> Limited<'_> {
        Limited { guest: &self.0, limits }
    }

    fn with_stored_limits(&self) -> Limited<'_> {
        self.limited(self.limits())
    }
}

fn refused(path: &Path, bytes: &[u8], error: WasmError) -> Error {
    let reason = match (WrongContent::of_binary(bytes), std::error::Error::source(&error)) {
        (Some(wrong), _) => format!("not WebAssembly: {wrong}"),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
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

#[deny(clippy::missing_trait_methods)]
impl Model for WasmModel {
    fn predict_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        self.with_stored_limits().predict_erased(input, output)
    }

    fn predict_batch_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        self.with_stored_limits().predict_batch_erased(input, output)
    }

    fn predict_json_erased(&self, input: &str) -> Result<String> {
        self.with_stored_limits().predict_json_erased(input)
    }

    fn predict_batch_json_erased(&self, input: &str) -> Result<String> {
        self.with_stored_limits().predict_batch_json_erased(input)
    }

    fn predict_any(&self, input: &mut dyn Any, output: &mut dyn Any) -> Result<()> {
        self.with_stored_limits().predict_any(input, output)
    }

    fn predict_batch_any(&self, inputs: &mut dyn Any, outputs: &mut dyn Any) -> Result<bool> {
        self.with_stored_limits().predict_batch_any(inputs, outputs)
    }

    /// Compiles the module.
    fn warm_up(&self) -> Result<()> {
        self.with_stored_limits().has_batch().map(drop)
    }

    fn signature(&self) -> Signature {
        self.0.signature().cloned().unwrap_or_default()
    }
}

/// A [`WasmModel`] with the caller's limits: see [`WasmModel::limited`].
#[derive(Debug, Clone, Copy)]
pub struct Limited<'a> {
    guest: &'a Guest,
    limits: Limits,
}

impl Limited<'_> {
    /// Predicts for one document in the model's format; returns the output document.
    ///
    /// # Errors
    /// [`Error::Predict`] with a [`WasmError`] as its source.
    pub fn predict_bytes(&self, input: &[u8]) -> Result<Bytes> {
        let output = self.call(Entry::Predict, input)?;
        Ok(self.guest.format().parse_output(output)?.into_bytes())
    }

    fn call(&self, entry: Entry, input: &[u8]) -> Result<Vec<u8>> {
        Ok(self.guest.code(Role::Model, &self.limits)?.call(entry, input, &self.limits)?)
    }

    fn has_batch(&self) -> Result<bool> {
        Ok(self.guest.code(Role::Model, &self.limits)?.has(Entry::PredictBatch))
    }

    /// Predicts for one row of a batch.
    fn predict_row(&self, row: usize, input: &[u8]) -> Result<Vec<u8>> {
        self.call(Entry::Predict, input).map_err(|error| with_row(row, error))
    }
}

/// Adds the row of a batch to an error.
fn with_row(row: usize, error: impl Into<Error>) -> Error {
    match error.into() {
        Error::Predict { source, .. } => Error::Predict { row: Some(row), source },
        other => other,
    }
}

fn check_count(inputs: usize, outputs: usize) -> Result<(), WasmError> {
    if inputs == outputs { Ok(()) } else { Err(WasmError::Rows { inputs, outputs }) }
}

impl Model for Limited<'_> {
    fn predict_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        Transcoding(self).predict_erased(input, output)
    }

    fn predict_batch_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        Transcoding(self).predict_batch_erased(input, output)
    }

    // A JSON guest gets the text unchanged.
    fn predict_json_erased(&self, input: &str) -> Result<String> {
        document::check_json(input).map_err(document::input_error)?;
        if self.guest.format() != GuestFormat::Json {
            return Transcoding(self).predict_json_erased(input);
        }
        Ok(document::json_text(self.call(Entry::Predict, input.as_bytes())?)?)
    }

    fn predict_batch_json_erased(&self, input: &str) -> Result<String> {
        let rows = document::json_rows(input).map_err(document::input_error)?;
        if self.guest.format() != GuestFormat::Json {
            return Transcoding(self).predict_batch_json_erased(input);
        }
        if self.has_batch()? {
            let outputs = document::json_text(self.call(Entry::PredictBatch, input.as_bytes())?)?;
            check_count(rows.len(), document::json_rows(&outputs).map_or(0, |rows| rows.len()))?;
            return Ok(outputs);
        }
        let predict = |(at, row): (usize, &&RawValue)| {
            let output = self.predict_row(at, row.get().as_bytes())?;
            document::json_text(output).map_err(|error| with_row(at, error))
        };
        let outputs: Vec<_> = rows.iter().enumerate().map(predict).collect::<Result<_>>()?;
        Ok(format!("[{}]", outputs.join(",")))
    }

    fn signature(&self) -> Signature {
        self.guest.signature().cloned().unwrap_or_default()
    }
}

/// A guest with inputs and outputs transcoded from and to any format.
struct Transcoding<'a>(&'a Limited<'a>);

impl Model for Transcoding<'_> {
    fn predict_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        let format = self.0.guest.format();
        let input = format.encode_input(input).map_err(document::input_error)?;
        let document = format.parse_output(self.0.call(Entry::Predict, &input)?)?;
        write(&document, output)
    }

    fn predict_batch_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        let format = self.0.guest.format();
        let rows = format.encode_rows(input)?;
        if self.0.has_batch()? {
            let outputs = self.0.call(Entry::PredictBatch, &format.join_rows(&rows)?)?;
            let document = format.parse_output(outputs)?;
            check_count(rows.len(), document.rows())?;
            return write(&document, output);
        }
        let predict = |(at, row): (usize, &Vec<u8>)| {
            format.parse_output(self.0.predict_row(at, row)?).map_err(|error| with_row(at, error))
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
