//! Semantic indexes: the nearest vectors of a field, exactly.

mod fresh;
mod info;
mod query;
mod search;

use larder_core::Result;
use serde::Serialize;

use crate::listeners::{ListenerStatus, Listeners};
use crate::nearest::Measure;

pub use info::IndexInfo;
pub use query::{Like, SearchQuery};
pub use search::Found;

/// The handling of rows that are not in an index yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unindexed {
    /// It is read from the collection, and searched as well.
    #[default]
    Search,
    /// It is left out, and counted.
    Report,
}

/// The result of [`Listeners::search`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct SearchResult {
    /// The nearest rows, best first.
    pub found: Vec<Found>,
    /// The measure of their scores.
    pub measure: Measure,
    /// Rows that were left out, because they are not in the index yet.
    pub left_out: u64,
}

impl Listeners {
    /// Returns the state of an index.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) if there is no such index; as [`index_status`](Self::index_status).
    pub fn index_status_of(&self, name: &str) -> Result<Option<ListenerStatus>> {
        let all = self.index_status()?;
        Ok(all.into_iter().find(|status| status.name == name))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stdout)]
mod tests;
