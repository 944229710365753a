//! Errors of Arrow as errors of Larder.

use std::fmt;

use larder_core::{BoxError, Error};

/// Returns the error of an operation on Arrow data.
pub fn arrow_error(what: impl fmt::Display, error: impl Into<BoxError>) -> Error {
    Error::store(what.to_string(), error)
}
