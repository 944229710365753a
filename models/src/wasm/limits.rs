//! Limits of a guest's call.

use std::time::Duration;

use larder_core::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize};
use wasmtime::ResourceLimiter;

use super::error::WasmError;

/// Limits of a guest's call.
///
/// Limits are stored with a model. Stored limits above [`Limits::MAX`] are rejected when the model is created and loaded;
/// callers set any limits with [`WasmModel::limited`](super::WasmModel::limited).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Maximum time, including instantiation. Default: 10 s.
    #[serde(rename = "time_ms", with = "millis")]
    pub time: Duration,
    /// Maximum size of all memories, in bytes. Default: 256 MiB.
    pub memory: u64,
    /// Maximum number of elements of all tables. Default: 100,000.
    pub table: u64,
    /// Maximum size of the output, in bytes. Default: 64 MiB.
    pub output: u64,
    /// Maximum stack, in bytes, rounded up to a power of two from 64 KiB to 64 MiB. Default: 512 KiB.
    ///
    /// A model is compiled once per stack size.
    pub stack: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            memory: 256 << 20,
            table: 100_000,
            output: 64 << 20,
            stack: 512 << 10,
        }
    }
}

impl Limits {
    /// Maximum limits of a stored model.
    pub const MAX: Self = Self {
        time: Duration::from_secs(60),
        memory: 1 << 30,
        table: 1_000_000,
        output: 256 << 20,
        stack: 8 << 20,
    };

    pub(super) fn are_default(&self) -> bool {
        *self == Self::default()
    }

    /// Rejects limits above [`Limits::MAX`].
    pub(super) fn check(&self) -> Result<()> {
        let Self { time, memory, table, output, stack } = Self::MAX;
        let over = [
            ("time", self.time > time),
            ("memory", self.memory > memory),
            ("table", self.table > table),
            ("output", self.output > output),
            ("stack", self.stack > stack),
        ];
        match over.iter().find(|(_, over)| *over) {
            None => Ok(()),
            Some((name, _)) => Err(Error::Refused {
                action: format!("set the limit `{name}` of a model"),
                reason:
                    "it exceeds `Limits::MAX`; set higher limits per call with `WasmModel::limited`"
                        .into(),
            }),
        }
    }

    /// Deserializes and checks stored limits.
    pub(super) fn checked<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let limits = Self::deserialize(from)?;
        limits.check().map_err(serde::de::Error::custom)?;
        Ok(limits)
    }

    /// Returns the stack size of the engine, in bytes.
    pub(super) fn stack_size(&self) -> usize {
        let stack = self.stack.clamp(64 << 10, 64 << 20).next_power_of_two();
        usize::try_from(stack).unwrap_or(64 << 20)
    }
}

/// Serializes a duration as milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

/// Maximum number of instances, of memories and of tables of a guest.
const MAX_INSTANCES: usize = 64;

/// Resource usage of a guest.
pub(super) struct Meter {
    limits: Limits,
    memory: u64,
    table: u64,
}

impl Meter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { limits: *limits, memory: 0, table: 0 }
    }
}

/// Adds the requested growth; `None` if it exceeds the limit, `false` if it exceeds the module's own maximum.
fn grow(
    used: &mut u64,
    current: usize,
    desired: usize,
    own_limit: Option<usize>,
    limit: u64,
) -> Option<bool> {
    if own_limit.is_some_and(|max| desired > max) {
        return Some(false);
    }
    *used =
        used.checked_add(desired.saturating_sub(current) as u64).filter(|total| *total <= limit)?;
    Some(true)
}

// Exceeding a limit stops the guest, so that the caller gets the reason.
impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        own_limit: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.limits.memory;
        match grow(&mut self.memory, current, desired, own_limit, limit) {
            Some(granted) => Ok(granted),
            None => Err(wasmtime::Error::new(WasmError::Memory { limit })),
        }
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        own_limit: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.limits.table;
        match grow(&mut self.table, current, desired, own_limit, limit) {
            Some(granted) => Ok(granted),
            None => Err(wasmtime::Error::new(WasmError::Table { limit })),
        }
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_INSTANCES
    }

    fn memories(&self) -> usize {
        MAX_INSTANCES
    }
}
