//! Laws that every [Larder](https://docs.rs/larder) store and serializer must keep.
//!
//! A law is a public function that panics with a message if it is broken. Implementors of a
//! [`Store`](larder_core::store::Store) run [`all_store_laws`] in a test; implementors of a
//! [`Serializer`](larder_core::Serializer), a pair of functions or a format run [`all_serializer_laws`]; with the feature
//! `collections`, implementors of an `Engine` of collections run `all_engine_laws`.
//!
//! ```
//! use std::sync::Arc;
//! use larder_core::store::{MemoryStore, Store};
//!
//! let place = MemoryStore::new();
//! larder_testkit::all_store_laws(&|| Arc::new(place.clone()) as Arc<dyn Store>);
//! ```

#[cfg(feature = "collections")]
pub mod engine;
pub mod serializer;
pub mod store;

mod limits;
mod random;

#[cfg(feature = "collections")]
pub use crate::engine::{OpenEngine, all_engine_laws};
pub use crate::limits::{SMALL_STACK, within_limits};
pub use crate::serializer::{Codec, all_serializer_laws, unframed_serializer_laws};
pub use crate::store::{Open, all_store_laws};
