//! What a guest may use up.

use std::time::Duration;

use larder_core::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize};
use wasmtime::ResourceLimiter;

use super::error::WasmError;

/// What one call of a guest may use up.
///
/// A model is kept with its own limits; a caller puts others in their place by
/// [`WasmModel::limited`](super::WasmModel::limited). What is stored is not trusted: a model that asks for more than
/// [`Limits::MOST`] is refused when it is put and when it is loaded. A caller may allow more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How long the call may take, its start included. Default: 10 s.
    #[serde(rename = "time_ms", with = "millis")]
    pub time: Duration,
    /// The bytes of all its memories together. Default: 256 MiB.
    pub memory: u64,
    /// The elements of all its tables together. Default: 100,000.
    pub table: u64,
    /// The bytes of its output. Default: 64 MiB.
    pub output: u64,
    /// The bytes of stack for its calls; rounded up to a power of two from 64 KiB to 64 MiB. Default: 512 KiB.
    ///
    /// A model is compiled once for each size that it is called with.
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
    /// The most that a stored model may ask for.
    pub const MOST: Self = Self {
        time: Duration::from_secs(60),
        memory: 1 << 30,
        table: 1_000_000,
        output: 256 << 20,
        stack: 8 << 20,
    };

    pub(super) fn are_default(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses what a stored model may not ask for.
    pub(super) fn check(&self) -> Result<()> {
        let Self { time, memory, table, output, stack } = Self::MOST;
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
                    "it is above `Limits::MOST`, the most that a stored model may request; callers \
                         may allow more for each call"
                        .into(),
            }),
        }
    }

    /// Reads stored limits, and refuses what they may not ask for.
    pub(super) fn checked<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let limits = Self::deserialize(from)?;
        limits.check().map_err(serde::de::Error::custom)?;
        Ok(limits)
    }

    /// The bytes of stack that the engine is made for.
    pub(super) fn stack_size(&self) -> usize {
        let stack = self.stack.clamp(64 << 10, 64 << 20).next_power_of_two();
        usize::try_from(stack).unwrap_or(64 << 20)
    }
}

/// A duration as whole milliseconds.
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

/// Instances, memories and tables that one guest may have, each.
const MOST_PARTS: usize = 64;

/// Counts what a guest takes; the state of its store.
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

/// Adds what is asked for; `None` if that is above the limit, `false` if the module itself forbids it.
fn take(
    used: &mut u64,
    current: usize,
    desired: usize,
    own_limit: Option<usize>,
    limit: u64,
) -> Option<bool> {
    if own_limit.is_some_and(|most| desired > most) {
        return Some(false);
    }
    *used = used
        .checked_add(desired.saturating_sub(current) as u64)
        .filter(|wanted| *wanted <= limit)?;
    Some(true)
}

// A guest that is refused is stopped: few would go on well, and its caller is to know why.
impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        own_limit: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.limits.memory;
        match take(&mut self.memory, current, desired, own_limit, limit) {
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
        match take(&mut self.table, current, desired, own_limit, limit) {
            Some(granted) => Ok(granted),
            None => Err(wasmtime::Error::new(WasmError::Table { limit })),
        }
    }

    fn instances(&self) -> usize {
        MOST_PARTS
    }

    fn tables(&self) -> usize {
        MOST_PARTS
    }

    fn memories(&self) -> usize {
        MOST_PARTS
    }
}
