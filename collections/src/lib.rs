//! Collections of rows as versions of Larder.
//!
//! A [`Collection`] holds rows of a Rust type, an [`UntypedCollection`] Arrow batches. Each write is one durable version that
//! shares with the one before what did not change.

mod collection;
mod engine;
mod error;
mod filter;
mod fold;
#[cfg(feature = "formats")]
pub mod formats;
mod fragment;
mod fragments;
mod json;
mod key;
mod schema;
mod snapshot;
mod types;

pub use arrow_array;
pub use arrow_schema;

pub use collection::{
    Collection, CollectionVersion, Cursor, Edited, Find, InputRow, Insert, Inserted,
    InsertedVersions, LarderCollections, Order, Page, Reject, Rows, UntypedCollection, Version,
};
pub use engine::{
    Batches, Compacted, Delta, Engine, EngineVersion, Layout, NewCollection, PendingWrite,
    RowBatch, RowBatches, Scan, VectorPart, Write,
};
pub use filter::Filter;
pub use fold::Fold;
pub use fragment::{ArrowFile, ArrowIpc, PositionBytes, Positions};
pub use fragments::{FragmentEngine, FragmentVersion};
pub use json::{JsonRow, row_of, value_of};
pub use key::Key;
pub use schema::{Field, FieldType, Misfit, Misfits, Schema};
pub use snapshot::Snapshot;
pub use types::{Encoded, Media, Vector};

/// Parts for crates that keep data of their own beside the rows of a collection.
pub mod extend {
    pub use crate::error::arrow_error;
    pub use crate::filter::Bound as BoundFilter;
    pub use crate::fragment::FragmentCache;
    pub use crate::json::{array_of, infer};
    pub use crate::schema::{is_computed, value_text};
}
