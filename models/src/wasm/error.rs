//! Errors of guests.

use std::time::Duration;

use larder_core::{BoxError, Error};

use super::limits::Limits;

/// Error of a WebAssembly guest.
///
/// The source of [`Error::Predict`] if a prediction fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WasmError {
    /// Invalid or unsupported WebAssembly.
    #[error("invalid WebAssembly: {reason}")]
    Invalid {
        /// Message of the validator.
        reason: String,
    },
    /// The module is too large.
    #[error("the module has {size} bytes, the maximum is {limit}")]
    TooLarge {
        /// Size, in bytes.
        size: u64,
        /// Maximum size, in bytes.
        limit: u64,
    },
    /// The guest has an import.
    #[error("cannot link the import `{name}`: a guest must not import anything")]
    Import {
        /// Name of the import: `module.name`.
        name: String,
    },
    /// An export is missing.
    #[error("missing export {name}; see docs/wasm.md")]
    MissingExport {
        /// Name of the export.
        name: String,
    },
    /// An export has the wrong type.
    #[error("the export `{name}` is {found}, expected {expected}")]
    ExportType {
        /// Name of the export.
        name: String,
        /// Expected type.
        expected: &'static str,
        /// Actual type.
        found: String,
    },
    /// The guest does not match its manifest.
    #[error("the guest does not match its manifest: {reason}")]
    Mismatch {
        /// The difference.
        reason: String,
    },
    /// The call timed out.
    #[error("timed out after {limit:?}")]
    Time {
        /// Maximum time.
        limit: Duration,
    },
    /// The memory limit was exceeded.
    #[error("exceeded {limit} bytes of memory")]
    Memory {
        /// Maximum memory, in bytes.
        limit: u64,
    },
    /// The table limit was exceeded.
    #[error("exceeded {limit} table elements")]
    Table {
        /// Maximum number of elements.
        limit: u64,
    },
    /// The stack limit was exceeded.
    #[error("exceeded {limit} bytes of stack")]
    Stack {
        /// Maximum stack, in bytes.
        limit: u64,
    },
    /// The output is too long.
    #[error("the output has {size} bytes, the maximum is {limit}")]
    Output {
        /// Size of the output, in bytes.
        size: u64,
        /// Maximum size, in bytes.
        limit: u64,
    },
    /// A pointer is outside the guest's memory.
    #[error("{what} ({len} bytes at {pointer}) is outside the memory of {size} bytes")]
    Pointer {
        /// The value at the pointer.
        what: &'static str,
        /// Address.
        pointer: u32,
        /// Length, in bytes.
        len: u32,
        /// Size of the memory, in bytes.
        size: u64,
    },
    /// The guest trapped.
    #[error("the guest trapped: {reason}")]
    Trap {
        /// The trap and its function.
        reason: String,
    },
    /// The guest returned an error.
    #[error("{message}")]
    Guest {
        /// Message of the guest.
        message: String,
    },
    /// The output is not a document of the guest's format.
    #[error("the output is not a {format} document")]
    Document {
        /// Format of the guest.
        format: &'static str,
        /// The error of the format.
        source: BoxError,
    },
    /// The number of outputs differs from the number of inputs.
    #[error("the guest returned {outputs} outputs for {inputs} inputs")]
    Rows {
        /// Number of inputs.
        inputs: usize,
        /// Number of outputs.
        outputs: usize,
    },
    /// The host failed to run the guest.
    #[error("cannot run the guest on this host")]
    Host {
        /// The error of the host.
        source: BoxError,
    },
}

impl WasmError {
    /// Converts the error of a call with `limits`.
    pub(super) fn from_call(error: wasmtime::Error, limits: &Limits) -> Self {
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
                    reason += &format!(", in `{}`", truncate(&name, 80));
                }
                Self::Trap { reason }
            }
            None => match error.downcast::<Self>() {
                Ok(own) => own,
                Err(other) => Self::Host { source: other.into_boxed_dyn_error() },
            },
        }
    }

    /// Converts an error of the compiler or linker.
    pub(super) fn invalid(error: &wasmtime::Error) -> Self {
        Self::Invalid { reason: truncate(&format!("{error:#}"), 400) }
    }

    /// Returns an error with the guest's message.
    pub(super) fn guest(message: &str) -> Self {
        Self::Guest { message: truncate(message, 4096) }
    }
}

impl From<WasmError> for Error {
    fn from(error: WasmError) -> Self {
        Self::predict(error)
    }
}

/// Returns the name of the innermost function, if the module has names.
fn function(error: &wasmtime::Error) -> Option<String> {
    let trace = error.downcast_ref::<wasmtime::WasmBacktrace>()?;
    Some(trace.frames().first()?.func_name()?.to_owned())
}

/// Truncates untrusted text to `max` characters.
pub(super) fn truncate(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
