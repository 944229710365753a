//! What one call of a script may cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one call of a script may cost. A call that goes beyond ends in a [`ScriptError`](crate::ScriptError).
///
/// The sizes are checked where a value is made, passed on or given. An element that is assigned by its index
/// (`a[i] = x`) is checked by itself: what a script holds so is bounded by `operations` and `milliseconds` alone.
///
/// A script is kept with its limits. One that is loaded has none above [`Limits::MOST`], whatever is stored.
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
    /// Steps of the interpreter; a small expression takes a few.
    pub operations: u64,
    /// Functions that call each other.
    pub call_depth: usize,
    /// Variables of one function.
    pub variables: usize,
    /// Bytes of one text.
    pub text: usize,
    /// Elements of one array, with those of the arrays in it.
    pub array: usize,
    /// Keys of one map, with those of the maps in it.
    pub map: usize,
    /// Milliseconds.
    pub milliseconds: u64,
}

impl Limits {
    /// The highest limits that are kept with a script.
    pub const MOST: Self = Self {
        operations: 10_000_000_000,
        call_depth: 64,
        variables: 1024,
        text: 16 << 20,
        array: 4 << 20,
        map: 1 << 20,
        milliseconds: 300_000,
    };

    pub(super) fn at_most(&self, most: &Self) -> Self {
        Self {
            operations: self.operations.min(most.operations),
            call_depth: self.call_depth.min(most.call_depth),
            variables: self.variables.min(most.variables),
            text: self.text.min(most.text),
            array: self.array.min(most.array),
            map: self.map.min(most.map),
            milliseconds: self.milliseconds.min(most.milliseconds),
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
