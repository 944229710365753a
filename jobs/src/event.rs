//! Events of versions.

use std::fmt;

use larder_core::Result;
use larder_core::store::EventName;

use crate::cron::Schedule;

/// An event of a version, on which its triggers run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The version was applied and is ready.
    Apply,
    /// The version was removed.
    Remove,
    /// A scheduled time, for the newest version of a name.
    Cron(Schedule),
    /// A custom event: [`Jobs::fire`](crate::Jobs::fire).
    Custom(EventName),
}

impl Event {
    /// Parses a [`Schedule`] into an event.
    ///
    /// # Errors
    /// As [`Schedule::new`].
    pub fn cron(schedule: &str) -> Result<Self> {
        Schedule::new(schedule).map(Self::Cron)
    }

    /// Parses the name of a custom event.
    ///
    /// # Errors
    /// As [`EventName::new`].
    pub fn custom(name: &str) -> Result<Self> {
        EventName::new(name).map(Self::Custom)
    }
}

/// As in records: `apply`, `remove`, `cron(0 3 * * *)`, or a name.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply => f.write_str("apply"),
            Self::Remove => f.write_str("remove"),
            Self::Cron(schedule) => write!(f, "cron({schedule})"),
            Self::Custom(name) => name.fmt(f),
        }
    }
}
