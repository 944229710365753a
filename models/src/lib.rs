//! Models with portable code: ONNX, WebAssembly and scripts.

#![forbid(unsafe_code)]

mod kind;
mod put;
#[cfg(feature = "script")]
pub mod script;
#[cfg(feature = "wasm")]
pub mod wasm;

#[cfg(feature = "onnx")]
pub use larder_onnx as onnx;
#[cfg(feature = "onnx")]
pub use larder_onnx::OnnxModel;

pub use crate::kind::ModelKind;
pub use crate::put::{LarderModels, check_successor, read_model};
#[cfg(feature = "script")]
pub use crate::script::{Script, ScriptError};
#[cfg(feature = "wasm")]
pub use crate::wasm::{WasmError, WasmModel, WasmSerializer};
