//! Serializers in WebAssembly.

use std::fmt;
use std::io::Write;
use std::path::Path;

use larder_core::bytes::Bytes;
use larder_core::extend::CacheFolder;
use larder_core::serializers::{Format, FormatTraits, ReadWith};
use larder_core::{BoxError, Component, ComponentType, Item, Result};
use serde::{Deserialize, Serialize};

use super::error::WasmError;
use super::guest::{self, Guest};
use super::interface::{Entry, Role};
use super::limits::Limits;

/// A serializer in WebAssembly: the code that reads a blob goes with the blob.
///
/// It is a component, and a [`Format`]: kept in a larder, loaded from it by whoever lacks it, and registered there
/// for the artifacts that were written by it.
///
/// ```no_run
/// use larder_core::{Artifact, Item, Registry};
/// use larder_models::WasmSerializer;
/// use larder_serializers::MsgPack;
///
/// // Once: the serializer is kept beside what it writes.
/// let rows = WasmSerializer::open("acme-rows", "rows.wasm")?;
/// let mut registry = Registry::linked()?;
/// registry.register(Item::format(rows.clone()))?;
/// let larder = registry.open("sqlite:larder.db")?;
/// larder.apply("formats/acme-rows", &rows)?;
/// let field = Artifact::<Vec<f64>, MsgPack>::named("acme-rows", vec![1.0, 2.0]); // any serde format's field
///
/// // Elsewhere, later: it is taken from the larder.
/// let rows: WasmSerializer = Registry::linked()?.open("sqlite:larder.db")?.load("formats/acme-rows")?;
/// let mut registry = Registry::linked()?;
/// registry.register(Item::format(rows))?;
/// let larder = registry.open("sqlite:larder.db")?;
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WasmSerializer {
    name: String,
    guest: Guest,
}

impl WasmSerializer {
    /// Reads and checks a module or component from a file; nothing of it runs. `name` is what manifests record:
    /// it says format and configuration.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) if it is no guest that encodes and decodes; [`Error::Store`](larder_core::Error::Store) if it cannot be read.
    pub fn open(name: &str, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::from_bytes(name, guest::read_file(path)?).map_err(|error| super::refused(path, error))
    }

    /// Checks a module or component that is to serialize under `name`.
    ///
    /// # Errors
    /// [`WasmError`], with the import or export that is to blame.
    pub fn from_bytes(name: &str, wasm: impl Into<Bytes>) -> Result<Self, WasmError> {
        Ok(Self { name: name.to_owned(), guest: Guest::new(wasm.into(), Role::Serializer)? })
    }

    /// The same serializer, kept with other limits.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) if one is above [`Limits::MOST`].
    pub fn with_limits(mut self, limits: Limits) -> Result<Self> {
        self.guest.set_limits(limits)?;
        Ok(self)
    }

    /// The limits that it is kept with.
    pub fn limits(&self) -> Limits {
        *self.guest.limits()
    }

    /// The module or component.
    ///
    /// # Errors
    /// As [`Artifact::get`](larder_core::Artifact::get).
    pub fn module(&self) -> Result<Bytes> {
        self.guest.module()
    }

    fn call(&self, entry: Entry, input: &[u8]) -> Result<Vec<u8>, BoxError> {
        let code = self.guest.code(Role::Serializer, self.guest.limits())?;
        Ok(code.call(entry, input, self.guest.limits())?)
    }
}

impl fmt::Debug for WasmSerializer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WasmSerializer({}, {:?})", self.name, self.guest)
    }
}

#[typetag::serde(name = "larder/wasm-serializer")]
impl Component for WasmSerializer {
    fn set_cache(&mut self, cache: &CacheFolder) {
        self.guest.set_cache(cache);
    }
}

impl ComponentType for WasmSerializer {
    const TAG: &'static str = "larder/wasm-serializer";
}

larder_core::link!(Item::component::<WasmSerializer>());

impl Format for WasmSerializer {
    fn name(&self) -> &str {
        &self.name
    }

    // The guest is handed documents with names; of its own bytes nothing is known.
    fn traits(&self) -> FormatTraits {
        FormatTraits::new(false, true, false)
    }

    fn encode(
        &self,
        value: &dyn erased_serde::Serialize,
        out: &mut dyn Write,
    ) -> Result<(), BoxError> {
        let mut document = Vec::new();
        self.guest.format().codec().encode(value, &mut document)?;
        Ok(out.write_all(&self.call(Entry::Encode, &document)?)?)
    }

    fn decode(&self, bytes: &Bytes, read: &mut ReadWith<'_>) -> Result<(), BoxError> {
        let format = self.guest.format();
        let document = self.call(Entry::Decode, bytes)?;
        format.codec().decode(&format.believe(document)?.into_bytes(), read)
    }
}
