//! Models on the rows of collections.
//!
//! A [`Listener`] keeps the outputs of a model beside the rows, by jobs. An index finds the rows whose vectors are nearest
//! to a vector, a value or a row: every vector is compared. A [`Watch`] runs triggers of a component when rows change. A
//! [`PinnedCollection`] is a version that a component reads.

mod compact;
mod index;
mod listeners;
pub mod nearest;
mod pinned;
mod watch;

pub use compact::CompactReport;
pub use index::{Found as FoundRow, IndexInfo, Like, SearchQuery, SearchResult, Unindexed};
pub use listeners::{
    AttachOptions, Attached, FillReport, IndexOptions, LarderListeners, Listener, ListenerStatus,
    Listeners, ModelVersion, OutputColumn, OutputRow, OutputStatus, Outputs, OutputsReader,
};
pub use nearest::Measure;
pub use pinned::PinnedCollection;
pub use watch::{Changed, Watch, WatchInfo};
