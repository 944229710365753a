//! Panics in serializers from outside Larder, converted to errors.

use crate::error::BoxError;
use crate::registry;
use crate::store::catch_panic;

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
