//! Serializers as WebAssembly.

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

/// A serializer as sandboxed WebAssembly, stored next to the blobs it encoded.
///
/// It is a component and a [`Format`]: load it from a larder and register it to read its artifacts.
///
/// ```no_run
/// use larder_core::{Artifact, Item, Registry};
/// use larder_models::WasmSerializer;
/// use larder_serializers::MsgPack;
///
/// // Store the serializer in the larder.
/// let rows = WasmSerializer::open("acme-rows", "rows.wasm")?;
/// let mut registry = Registry::linked()?;
/// registry.register(Item::format(rows.clone()))?;
/// let larder = registry.open("sqlite:larder.db")?;
/// larder.apply("formats/acme-rows", &rows)?;
/// let field = Artifact::<Vec<f64>, MsgPack>::named("acme-rows", vec![1.0, 2.0]);
///
/// // Load it in another program.
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
    /// Reads and validates a module or component, without running it. `name` is the manifest name: it identifies format
    /// and configuration.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) if it is not a serializer;
    /// [`Error::Store`](larder_core::Error::Store) if it cannot be read.
    pub fn open(name: &str, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = guest::read_file(path)?;
        Self::from_bytes(name, bytes.clone()).map_err(|error| super::refused(path, &bytes, error))
    }

    /// Validates a module or component.
    ///
    /// # Errors
    /// [`WasmError`] with the import or export.
    pub fn from_bytes(name: &str, wasm: impl Into<Bytes>) -> Result<Self, WasmError> {
        Ok(Self { name: name.to_owned(), guest: Guest::new(wasm.into(), Role::Serializer)? })
    }

    /// Sets the stored limits.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) if one exceeds [`Limits::MAX`].
    pub fn with_limits(mut self, limits: Limits) -> Result<Self> {
        self.guest.set_limits(limits)?;
        Ok(self)
    }

    /// Returns the stored limits.
    pub fn limits(&self) -> Limits {
        *self.guest.limits()
    }

    /// Returns the module or component.
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

    // The guest gets documents with named fields; the layout of its blobs is unknown.
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
        format.codec().decode(&format.parse_output(document)?.into_bytes(), read)
    }
}
