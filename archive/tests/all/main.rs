//! The integration tests, as one program.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;
mod hostile;
mod round_trip;
