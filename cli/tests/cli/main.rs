//! The program as it is run: what it prints, where, and its exit code.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../examples/linked/components.rs"]
mod components;

mod test_dir;

mod archives;
mod children;
mod collections;
mod content;
mod copy;
#[cfg(feature = "serving")]
mod deploy;
mod diff;
mod doctor;
mod failures;
#[cfg(not(feature = "full"))]
mod features;
mod files;
mod format;
mod gc;
mod help;
mod hooks;
mod hostile;
mod jobs;
mod json;
mod keeping;
mod linked;
#[cfg(all(feature = "http", feature = "server"))]
mod login;
mod look;
mod migrate;
mod mirror;
#[cfg(feature = "collections")]
mod models_on_data;
mod nothing_left;
#[cfg(feature = "onnx")]
mod onnx;
mod open_files;
mod places;
#[cfg(feature = "cedar")]
mod policy;
mod predict;
mod remove;
mod repair;
mod script;
mod search;
mod serializers;
mod source;
mod tag;
mod terminal;
mod tour;
mod unchanged;
#[cfg(all(unix, feature = "full"))]
mod users;
mod verify;
#[cfg(feature = "wasm")]
mod wasm;
mod work;
