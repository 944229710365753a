//! The integration tests, as one program.
#![allow(missing_docs, clippy::unwrap_used)]

mod hostile;
mod round_trip;
mod shelf;
