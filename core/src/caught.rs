//! Panics of code that is not Larder's own, turned into errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::BoxError;
use crate::registry;

/// Runs the code of the serializer called `name`; its panic becomes an error that names it.
///
/// Trusted serializers do not panic. A panic under them comes from the value's own code, and is the caller's.
///
/// What it was given is not used again after a panic: the value it was to make does not exist, and the
/// bytes it was writing are dropped. So nothing half-done is seen.
pub(crate) fn caught<T>(name: &str, run: impl FnOnce() -> T) -> Result<T, BoxError> {
    if registry::is_trusted(name) {
        return Ok(run());
    }
    catch_panic(&format!("the serializer `{name}`"), run)
}

/// Runs code that is not Larder's own; its panic becomes an error that says `what` panicked.
///
/// The caller sees to it that nothing which `run` may have left half-done is used again.
///
/// # Errors
/// The panic, with its message.
pub fn catch_panic<T>(what: &str, run: impl FnOnce() -> T) -> Result<T, BoxError> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|panic| format!("{what} panicked: {}", message(&*panic)).into())
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref().map(String::as_str)).unwrap_or("it did not say why")
}
