//! Models with portable code: ONNX, WebAssembly and scripts.

#![forbid(unsafe_code)]

mod kind;
#[cfg(feature = "onnx")]
pub mod onnx;
mod put;
#[cfg(feature = "script")]
pub mod script;
#[cfg(feature = "wasm")]
pub mod wasm;

pub use crate::kind::ModelKind;
#[cfg(feature = "onnx")]
pub use crate::onnx::OnnxModel;
pub use crate::put::{LarderModels, check_successor, read_model};
#[cfg(feature = "script")]
pub use crate::script::{Script, ScriptError};
#[cfg(feature = "wasm")]
pub use crate::wasm::{WasmError, WasmModel, WasmSerializer};
