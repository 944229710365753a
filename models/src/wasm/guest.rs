//! A guest: a module or component with its limits, compiled on first use.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use larder_core::bytes::Bytes;
use larder_core::extend::CacheFolder;
use larder_core::{Artifact, Error, Result, Serializer, Signature};
use larder_files::{FileBytes, FileContent};
use serde::{Deserialize, Serialize};
use wasmtime::component::Component;
use wasmtime::{Module, Store};

use super::component::GuestComponent;
use super::core_module::CoreModule;
use super::error::WasmError;
use super::interface::{Abi, Entry, GuestFormat, Role};
use super::limits::{Limits, Meter};
use super::runtime::{self, Runtime};
use super::section;

/// Maximum size of a module, in bytes.
pub(super) const MAX_BYTES: u64 = 64 << 20;
/// Bytes of stack for the host during a call, in addition to the guest's.
const HOST_STACK: usize = 256 << 10;
/// Bytes of stack for the compiler.
const COMPILER_STACK: usize = 1 << 20;

/// A WebAssembly module or component with its settings in the manifest.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Guest {
    module: Artifact<FileContent, FileBytes>,
    abi: Abi,
    format: GuestFormat,
    #[serde(
        default,
        skip_serializing_if = "Limits::are_default",
        deserialize_with = "Limits::checked"
    )]
    limits: Limits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<Signature>,
    #[serde(skip)]
    compiled: Compiled,
    #[serde(skip)]
    cache: Option<PathBuf>,
}

impl Guest {
    /// Compiles and checks `wasm`, without running it.
    pub(super) fn new(wasm: Bytes, role: Role) -> Result<Self, WasmError> {
        let limits = Limits::default();
        let compiled = Arc::new(Code::compile(&wasm, role, limits.stack_size(), None)?);
        let signature = section::signature(&wasm)?;
        let content = FileBytes::decode(&wasm).map_err(|source| WasmError::Host { source })?;
        Ok(Self {
            module: Artifact::new(content),
            abi: compiled.abi,
            format: compiled.format,
            limits,
            signature,
            compiled: Compiled::with(limits.stack_size(), compiled),
            cache: None,
        })
    }

    pub(super) fn module(&self) -> Result<Bytes> {
        self.module.get()?.bytes()
    }

    pub(super) fn abi(&self) -> Abi {
        self.abi
    }

    pub(super) fn format(&self) -> GuestFormat {
        self.format
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn set_limits(&mut self, limits: Limits) -> Result<()> {
        limits.check()?;
        self.limits = limits;
        Ok(())
    }

    pub(super) fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }

    pub(super) fn set_cache(&mut self, cache: &CacheFolder) {
        self.cache = cache.named().map(Path::to_owned);
    }

    /// Returns the compiled guest, compiled once per stack size or loaded from the disk cache.
    pub(super) fn code(&self, role: Role, limits: &Limits) -> Result<Arc<Code>> {
        let stack = limits.stack_size();
        let mut compiled = self.compiled.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = compiled.get(&stack) {
            return Ok(Arc::clone(code));
        }
        let wasm = self.module()?;
        let code = Arc::new(Code::compile(&wasm, role, stack, self.cache.as_deref())?);
        if (code.abi, code.format) != (self.abi, self.format) {
            let (abi, format) = (code.abi, code.format.name());
            let reason = format!("its ABI is {abi} and its format {format}");
            return Err(WasmError::Mismatch { reason }.into());
        }
        compiled.insert(stack, Arc::clone(&code));
        Ok(code)
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { module, abi, format, .. } = self;
        write!(f, "{abi}, {}, {module:?}", format.name())
    }
}

/// Compiled code by stack size; clones share it.
#[derive(Default)]
struct Compiled(Mutex<BTreeMap<usize, Arc<Code>>>);

impl Compiled {
    fn with(stack: usize, code: Arc<Code>) -> Self {
        Self(Mutex::new(BTreeMap::from([(stack, code)])))
    }
}

impl Clone for Compiled {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

/// A compiled and linked guest.
pub(super) struct Code {
    runtime: Arc<Runtime>,
    abi: Abi,
    format: GuestFormat,
    kind: Kind,
}

enum Kind {
    Core(CoreModule),
    Component(GuestComponent),
}

impl Code {
    fn compile(
        wasm: &[u8],
        role: Role,
        stack: usize,
        cache: Option<&Path>,
    ) -> Result<Self, WasmError> {
        let size = wasm.len() as u64;
        if size > MAX_BYTES {
            return Err(WasmError::TooLarge { size, limit: MAX_BYTES });
        }
        let runtime = Runtime::get(stack, cache)?;
        stacker::maybe_grow(COMPILER_STACK, 4 * COMPILER_STACK, || Self::check(wasm, role, runtime))
    }

    fn check(wasm: &[u8], role: Role, runtime: Arc<Runtime>) -> Result<Self, WasmError> {
        let invalid = |error| WasmError::invalid(&error);
        let (abi, (format, kind)) = match Abi::of(wasm) {
            Some(Abi::Core1) => {
                let module = Module::from_binary(runtime.engine(), wasm).map_err(invalid)?;
                let (format, module) = CoreModule::new(&module)?;
                (Abi::Core1, (format, Kind::Core(module)))
            }
            Some(Abi::Component1) => {
                let component = Component::from_binary(runtime.engine(), wasm).map_err(invalid)?;
                let (format, component) = GuestComponent::new(&component)?;
                (Abi::Component1, (format, Kind::Component(component)))
            }
            None => {
                let reason = "neither a module nor a component".into();
                return Err(WasmError::Invalid { reason });
            }
        };
        let code = Self { runtime, abi, format, kind };
        match role.entries().iter().find(|entry| !code.has(**entry)) {
            None => Ok(code),
            Some(missing) => {
                let name = match abi {
                    Abi::Core1 => format!("`{}`", missing.core_name()),
                    Abi::Component1 => {
                        let (interface, function) = missing.component_name(format);
                        format!("`{interface}` with `{function}`")
                    }
                };
                Err(WasmError::MissingExport { name })
            }
        }
    }

    pub(super) fn has(&self, entry: Entry) -> bool {
        match &self.kind {
            Kind::Core(module) => module.has(entry),
            Kind::Component(component) => component.has(entry),
        }
    }

    /// Calls a function of a new instance within `limits`.
    pub(super) fn call(
        &self,
        entry: Entry,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Vec<u8>, WasmError> {
        let mut store = Store::new(self.runtime.engine(), Meter::new(limits));
        store.limiter(|meter| meter);
        let _running = self.runtime.begin();
        store.set_epoch_deadline(runtime::ticks(limits.time));
        // The guest runs on the thread's stack: grow it if needed.
        let stack = limits.stack_size() + HOST_STACK;
        stacker::maybe_grow(stack, stack + HOST_STACK, || match &self.kind {
            Kind::Core(module) => module.call(store, entry, input, limits),
            Kind::Component(component) => component.call(store, entry, input, limits),
        })
    }
}

impl Abi {
    /// Detects the ABI by the first eight bytes.
    pub(super) fn of(wasm: &[u8]) -> Option<Self> {
        match wasm.get(..8)? {
            b"\0asm\x01\0\0\0" => Some(Self::Core1),
            b"\0asm\x0d\0\x01\0" => Some(Self::Component1),
            _ => None,
        }
    }
}

/// Reads a module from a file, up to one byte more than [`MAX_BYTES`].
pub(super) fn read_file(path: &Path) -> Result<Bytes> {
    use std::io::Read;
    let failed = |error| Error::store(format!("read {}", path.display()), error);
    let mut wasm = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut wasm).map_err(failed)?;
    Ok(wasm.into())
}
