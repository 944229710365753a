#![cfg_attr(all(feature = "derive", feature = "msgpack"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "derive", feature = "msgpack")),
    doc = "Keeps models and components."
)]
#![forbid(unsafe_code)]

pub use larder_core::*;
#[cfg(feature = "derive")]
pub use larder_macros::{Component, codemodel, objectmodel};
pub use larder_serializers::*;
#[cfg(feature = "fs")]
pub use larder_store_fs::FsStore;
#[cfg(feature = "sqlite")]
pub use larder_store_sqlite::SqliteStore;

/// A value that is kept as bytes of its own, by MessagePack unless `S` says otherwise.
///
/// See [`larder_core::Artifact`].
#[cfg(feature = "msgpack")]
pub type Artifact<T, S = MsgPack> = larder_core::Artifact<T, S>;

/// Opens the larder at `url` with all that is linked in.
///
/// # Errors
/// As [`Registry::linked`] and [`Registry::open`].
pub fn open(url: &str) -> Result<Larder> {
    Registry::linked()?.open(url)
}

/// What nearly every user needs: `use larder::prelude::*;`.
pub mod prelude {
    #[cfg(feature = "msgpack")]
    pub use crate::Artifact;
    pub use crate::{Applied, Component, Larder, Model, Predict};
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
}
