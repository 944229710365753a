#![cfg_attr(
    all(feature = "derive", feature = "msgpack", feature = "files"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "derive", feature = "msgpack", feature = "files")),
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

#[cfg(feature = "files")]
mod cache;
#[cfg(feature = "msgpack")]
mod objects;

#[cfg(feature = "files")]
pub use crate::cache::with_user_cache;
#[cfg(feature = "msgpack")]
pub use crate::objects::Objects;

/// A value that is kept as bytes of its own, by MessagePack unless `S` says otherwise.
///
/// See [`larder_core::Artifact`].
#[cfg(feature = "msgpack")]
pub type Artifact<T, S = MsgPack> = larder_core::Artifact<T, S>;

/// Opens the larder at `url` with all that is linked in.
///
/// Files are laid out in the user's cache folder, `larder` in `~/.cache` or where the system has it;
/// `Larder::with_cache` names another.
///
/// # Errors
/// As [`Registry::linked`] and [`Registry::open`].
pub fn open(url: &str) -> Result<Larder> {
    let larder = Registry::linked()?.open(url)?;
    #[cfg(feature = "files")]
    let larder = cache::with_user_cache(larder);
    Ok(larder)
}

/// What nearly every user needs: `use larder::prelude::*;`.
pub mod prelude {
    #[cfg(feature = "msgpack")]
    pub use crate::Artifact;
    #[cfg(feature = "msgpack")]
    pub use crate::Objects;
    pub use crate::{Applied, Component, Larder, Model, Predict};
    #[cfg(feature = "files")]
    pub use crate::{Artifacts, ClassModel, Tree};
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
}
