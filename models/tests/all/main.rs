//! The integration tests, as one program.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[cfg(feature = "onnx")]
mod onnx;
#[cfg(all(feature = "onnx", feature = "script", feature = "wasm"))]
mod put;
#[cfg(feature = "script")]
mod script;
#[cfg(feature = "wasm")]
mod wasm;
