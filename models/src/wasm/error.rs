//! What can go wrong with a guest.

use std::time::Duration;

use larder_core::{BoxError, Error};

use super::limits::Limits;

/// Why a guest was refused or stopped.
///
/// A prediction that ends in one is an [`Error::Predict`] with it as the source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WasmError {
    /// It is no WebAssembly, or none that this Larder runs.
    #[error("it is no valid WebAssembly: {reason}")]
    Invalid {
        /// What the validator says.
        reason: String,
    },
    /// The module is too large to be looked at.
    #[error("it has {size} bytes; a module may have {limit}")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The most it may have.
        limit: u64,
    },
    /// It imports something.
    #[error("it imports `{name}`, and a guest may import nothing: no files, no network, no clock")]
    Import {
        /// What it imports: `module.name`.
        name: String,
    },
    /// It lacks an export.
    #[error("it does not export {name}; docs/wasm.md says what a guest exports")]
    MissingExport {
        /// What is missing.
        name: String,
    },
    /// An export is of another type.
    #[error("its export `{name}` is {found} where {expected} is expected")]
    ExportType {
        /// The export.
        name: String,
        /// What it is to be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// It is not what its manifest says.
    #[error("it is another guest than its manifest says: {reason}")]
    Mismatch {
        /// How they differ.
        reason: String,
    },
    /// A call took too long.
    #[error("it did not end within {limit:?}")]
    Time {
        /// How long it may take.
        limit: Duration,
    },
    /// It asked for too much memory.
    #[error("it asked for more than {limit} bytes of memory")]
    Memory {
        /// The most it may have.
        limit: u64,
    },
    /// It asked for too many elements in its tables.
    #[error("it asked for more than {limit} elements in tables")]
    Table {
        /// The most it may have.
        limit: u64,
    },
    /// Its calls nested too deep.
    #[error("its calls nest deeper than {limit} bytes of stack hold")]
    Stack {
        /// The most it may use.
        limit: u64,
    },
    /// Its output is too long.
    #[error("its output has {size} bytes; it may have {limit}")]
    Output {
        /// The size of the output.
        size: u64,
        /// The most it may have.
        limit: u64,
    },
    /// It pointed to bytes that are not in its memory.
    #[error("{what} is at {pointer}, with {len} bytes, in a memory of {size} bytes")]
    Pointer {
        /// What was to be there.
        what: &'static str,
        /// Where it was to be.
        pointer: u32,
        /// How many bytes.
        len: u32,
        /// The size of the memory.
        size: u64,
    },
    /// It trapped.
    #[error("it trapped: {reason}")]
    Trap {
        /// What WebAssembly says, and in which function.
        reason: String,
    },
    /// It says that it failed.
    #[error("{message}")]
    Guest {
        /// In its own words.
        message: String,
    },
    /// Its output is not one document of the format that it speaks.
    #[error("its output is not one document of {format}")]
    Document {
        /// The format.
        format: &'static str,
        /// What is wrong with it.
        source: BoxError,
    },
    /// It gave another number of outputs than it was given inputs.
    #[error("it gave {outputs} outputs for {inputs} inputs")]
    Rows {
        /// How many it was given.
        inputs: usize,
        /// How many it gave.
        outputs: usize,
    },
    /// The machine could not run it.
    #[error("it could not be run here")]
    Host {
        /// What the machine says.
        source: BoxError,
    },
}

impl WasmError {
    /// The failure of a call, in terms of the limits that it ran under.
    pub(super) fn of_call(error: wasmtime::Error, limits: &Limits) -> Self {
        use wasmtime::Trap;
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Self::Time { limit: limits.time },
            Some(Trap::StackOverflow) => Self::Stack { limit: limits.stack },
            Some(trap) => {
                let mut reason = trap.to_string();
                if let Some(rest) = reason.strip_prefix("wasm trap: ") {
                    reason = rest.to_owned();
                }
                if let Some(name) = function(&error) {
                    reason += &format!(", in `{}`", cut(&name, 80));
                }
                Self::Trap { reason }
            }
            None => match error.downcast::<Self>() {
                Ok(own) => own,
                Err(other) => Self::Host { source: other.into_boxed_dyn_error() },
            },
        }
    }

    /// What the compiler or the linker says of a module.
    pub(super) fn invalid(error: &wasmtime::Error) -> Self {
        Self::Invalid { reason: cut(&format!("{error:#}"), 400) }
    }

    /// A message of the guest's own.
    pub(super) fn guest(message: &str) -> Self {
        Self::Guest { message: cut(message, 4096) }
    }
}

impl From<WasmError> for Error {
    fn from(error: WasmError) -> Self {
        Self::predict(error)
    }
}

/// The innermost function of the guest, if the module has names.
fn function(error: &wasmtime::Error) -> Option<String> {
    let trace = error.downcast_ref::<wasmtime::WasmBacktrace>()?;
    Some(trace.frames().first()?.func_name()?.to_owned())
}

/// A text of a guest's choice, not longer than an error should be.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
