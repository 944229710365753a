//! Models that carry their own code: ONNX, WebAssembly, scripts.

#![forbid(unsafe_code)]

#[cfg(feature = "onnx")]
pub mod onnx;
mod recognise;
#[cfg(feature = "script")]
pub mod script;
#[cfg(feature = "wasm")]
pub mod wasm;

#[cfg(feature = "onnx")]
pub use crate::onnx::OnnxModel;
pub use crate::recognise::ModelKind;
#[cfg(feature = "script")]
pub use crate::script::{Script, ScriptError};
#[cfg(feature = "wasm")]
pub use crate::wasm::{WasmError, WasmModel, WasmSerializer};
