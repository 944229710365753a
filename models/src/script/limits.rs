//! Limits of a script call.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Limits of a script call. A call that exceeds one fails with a [`ScriptError`](crate::ScriptError).
///
/// Sizes are checked when a value is created, passed or returned. An assignment by index (`a[i] = x`) checks only the
/// element: such growth is bounded by `operations` and `milliseconds`.
///
/// Limits are stored with the script; the limits of a loaded script are capped at [`Limits::MAX`].
///
/// ```
/// use larder_models::Script;
/// use larder_models::script::Limits;
///
/// let mut limits = Limits::default();
/// limits.operations = 10_000;
/// let script = Script::new("endless.rhai", "fn predict(input) { loop {} }")?;
/// assert!(script.predict_limited(&limits, "null").is_err());
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum number of interpreter operations.
    pub operations: u64,
    /// Maximum depth of function calls.
    pub call_depth: usize,
    /// Maximum number of variables of a function.
    pub variables: usize,
    /// Maximum length of a string, in bytes.
    pub text: usize,
    /// Maximum number of elements of an array, including nested arrays.
    pub array: usize,
    /// Maximum number of keys of a map, including nested maps.
    pub map: usize,
    /// Maximum time, in milliseconds.
    pub milliseconds: u64,
}

impl Limits {
    /// Maximum limits of a stored script.
    pub const MAX: Self = Self {
        operations: 10_000_000_000,
        call_depth: 64,
        variables: 1024,
        text: 16 << 20,
        array: 4 << 20,
        map: 1 << 20,
        milliseconds: 300_000,
    };

    pub(super) fn min(&self, other: &Self) -> Self {
        Self {
            operations: self.operations.min(other.operations),
            call_depth: self.call_depth.min(other.call_depth),
            variables: self.variables.min(other.variables),
            text: self.text.min(other.text),
            array: self.array.min(other.array),
            map: self.map.min(other.map),
            milliseconds: self.milliseconds.min(other.milliseconds),
        }
    }

    pub(super) fn time(&self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 100_000_000,
            call_depth: 32,
            variables: 64,
            text: 1 << 20,
            array: 1 << 18,
            map: 1 << 16,
            milliseconds: 10_000,
        }
    }
}
