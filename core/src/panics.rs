//! Panics in code from outside Larder, converted to errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::BoxError;
use crate::registry;

/// Runs code of the serializer `name`, and converts a panic to an error that names it.
///
/// Trusted serializers do not panic: a panic below one comes from the value's own code, and passes through.
///
/// Invariant: after a panic the value and the bytes in progress are dropped, never used.
pub(crate) fn catch_serializer_panic<T>(
    name: &str,
    run: impl FnOnce() -> T,
) -> Result<T, BoxError> {
    if registry::is_trusted(name) {
        return Ok(run());
    }
    catch_panic(&format!("the serializer `{name}`"), run)
}

/// Runs code from outside Larder, and converts a panic to an error that begins with `what`.
///
/// The caller must not use anything that `run` may have left in an inconsistent state.
///
/// # Errors
/// The panic, with its message.
pub fn catch_panic<T>(what: &str, run: impl FnOnce() -> T) -> Result<T, BoxError> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|panic| format!("{what} panicked: {}", message(&*panic)).into())
}

/// Returns the text of a panic.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref().map(String::as_str)).unwrap_or("no message")
}
