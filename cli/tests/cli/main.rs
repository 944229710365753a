//! The program as it is run: what it prints, where, and its exit code.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../examples/linked/components.rs"]
mod components;

mod kitchen;

mod failures;
mod files;
mod hostile;
mod linked;
mod look;
mod predict;
mod remove;
mod serializers;
mod source;
mod tag;
mod verify;
