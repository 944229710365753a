//! The integration tests, as one program. Those that start servers or Python are behind the feature `servers`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

mod artifacts;
mod asynchronous;
mod bad_input;
mod cache;
mod children;
mod class_models;
mod collections;
mod copy;
mod examples;
#[cfg(feature = "servers")]
mod few_connections;
mod files;
mod first_writers;
mod format;
mod gc;
mod hooks;
mod hostile_bytes;
mod in_a_row;
mod jobs;
mod keeping;
#[cfg(feature = "servers")]
mod object;
mod objectmodel;
mod objects;
#[cfg(unix)]
mod one_place;
#[cfg(feature = "servers")]
mod onnx;
mod onto;
mod own_serializers;
mod places;
mod plan;
#[cfg(feature = "servers")]
mod postgres;
mod processes;
mod read_back;
mod serializer_laws;
mod server;
mod serving;
mod store_laws;
mod tensors;
mod third_party;
mod unchanged;
mod urls;
mod verify;
