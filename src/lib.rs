#![cfg_attr(
    all(feature = "derive", feature = "msgpack", feature = "files"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "derive", feature = "msgpack", feature = "files")),
    doc = "Keeps models and components."
)]
#![forbid(unsafe_code)]

use std::sync::Arc;

#[cfg(feature = "archive")]
pub use larder_archive as archive;
pub use larder_core::*;
#[cfg(feature = "derive")]
pub use larder_macros::{Component, codemodel, objectmodel, triggers};
#[cfg(any(feature = "onnx", feature = "wasm", feature = "script"))]
pub use larder_models as models;
#[cfg(feature = "nats")]
pub use larder_queue_nats::NatsQueue;
pub use larder_serializers::*;
#[cfg(feature = "fs")]
pub use larder_store_fs::FsStore;
#[cfg(feature = "object")]
pub use larder_store_object::BucketStore;
#[cfg(feature = "postgres")]
pub use larder_store_postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use larder_store_sqlite::SqliteStore;

// Its examples are tests.
#[cfg(all(doctest, feature = "derive", feature = "msgpack"))]
#[doc = include_str!("../docs/components.md")]
mod components {}
#[cfg(all(doctest, feature = "derive", feature = "msgpack"))]
#[doc = include_str!("../docs/jobs.md")]
mod jobs {}

#[cfg(feature = "files")]
mod cache;
mod features;
#[cfg(feature = "msgpack")]
mod objects;

#[cfg(feature = "files")]
pub use crate::cache::{user_blob_cache, user_cache, with_user_cache};
pub use crate::features::feature_of;
#[cfg(feature = "msgpack")]
pub use crate::objects::Objects;

/// A value that is kept as bytes of its own, by MessagePack unless `S` says otherwise.
///
/// See [`larder_core::Artifact`].
#[cfg(feature = "msgpack")]
pub type Artifact<T, S = MsgPack> = larder_core::Artifact<T, S>;

/// Opens the larder at `url` with all that is linked in.
///
/// Files are laid out in the user's cache folder, `larder` in `~/.cache` or where the system has it, and blobs of
/// stores that are far away are kept there, 16 GiB at most or what `LARDER_CACHE_SIZE` says;
/// `Larder::with_cache` names another.
///
/// # Errors
/// As [`Registry::linked`] and [`Registry::open`]; [`Error::Refused`] for a size of the cache that is none.
pub fn open(url: impl TryInto<StoreUrl, Error: Into<Error>>) -> Result<Larder> {
    cached(Registry::linked()?.open(url)?)
}

fn cached(larder: Larder) -> Result<Larder> {
    #[cfg(feature = "files")]
    let larder = cache::with_user_cache(larder)?;
    Ok(larder)
}

/// Opens the larder that `located` names, and makes none to find nothing in it.
fn open_there(located: &QualifiedReference) -> Result<Larder> {
    let (url, registry) = (located.store(), Registry::linked()?);
    let Some(store) = registry.find_store(url)? else {
        let reason = "nothing is there; to open it and apply something makes one";
        return Err(Error::store(format!("open the larder at {url}"), reason));
    };
    cached(Larder::new(store, registry))
}

/// Opens the larder that `located` names, and loads the version from it. Where no larder is, none is made.
///
/// Whoever loads more than one opens the larder once, with [`open`].
///
/// ```no_run
/// # use larder::prelude::*;
/// # #[derive(Serialize, Deserialize, Component)]
/// # #[component(tag = "acme/limit")]
/// # struct Limit(f64);
/// let limit: Limit = larder::load("larder.db#wine/limit:prod")?;
/// # Ok::<(), larder::Error>(())
/// ```
///
/// # Errors
/// As [`open`] and [`Larder::load`]; [`Error::Store`] if no larder is there.
pub fn load<T: ComponentType>(located: impl TryInto<QualifiedReference, Error: Into<Error>>) -> Result<T> {
    let located = located.try_into().map_err(Into::into)?;
    open_there(&located)?.load(located.reference())
}

/// Opens the larder that `located` names, and loads the version as a model, by name alone.
///
/// # Errors
/// As [`open`] and [`Larder::load_model`]; [`Error::Store`] if no larder is there.
pub fn load_model(located: impl TryInto<QualifiedReference, Error: Into<Error>>) -> Result<Arc<dyn Model>> {
    let located = located.try_into().map_err(Into::into)?;
    open_there(&located)?.load_model(located.reference())
}

/// Tells [`Registry::linked`] of an [`Item`] that the calling crate brings, and how that crate was built.
///
/// See `larder_core::link`.
#[cfg(feature = "derive")]
#[macro_export]
macro_rules! link {
    ($item:expr) => {
        $crate::__link!($item, $crate::__built!($crate));
    };
}

#[cfg(feature = "derive")]
#[doc(hidden)]
pub use {larder_core::link as __link, larder_macros::__built};

/// What nearly every user needs: `use larder::prelude::*;`.
pub mod prelude {
    #[cfg(feature = "msgpack")]
    pub use crate::Artifact;
    #[cfg(feature = "msgpack")]
    pub use crate::Objects;
    pub use crate::{
        Applied, Component, HookContext, HookResult, Hooks, Larder, Model, Predict, Ref,
    };
    #[cfg(feature = "files")]
    pub use crate::{Artifacts, ClassModel, Tree};
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
}
