#![cfg_attr(all(feature = "derive", feature = "msgpack"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "derive", feature = "msgpack")),
    doc = "A store for models and components."
)]
#![forbid(unsafe_code)]

use std::sync::Arc;

#[cfg(feature = "archive")]
pub use larder_archive as archive;
pub use larder_core::{
    Applied, ApplyOptions, BoxError, Component, ComponentType, Error, HookContext, HookResult,
    Hooks, Identifier, Item, Larder, Model, Predict, QualifiedReference, Ready, Ref, Reference,
    Registry, Result, Selection, Selector, Serializer, Signature, StoreUrl, VersionInfo,
};
pub use larder_core::{
    bytes, erased_serde, extend, guard, manifest, progress, record, schemars, versions,
};
#[cfg(feature = "files")]
pub use larder_files as files;
#[cfg(feature = "files")]
pub use larder_files::{Artifacts, ClassModel, Tree};
#[cfg(feature = "derive")]
pub use larder_macros::{Component, codemodel, objectmodel, triggers};
pub use larder_maintenance as maintenance;
#[cfg(any(feature = "onnx", feature = "wasm", feature = "script"))]
pub use larder_models as models;
pub use larder_search as search;

#[cfg(feature = "files")]
pub mod cache;
pub mod features;
#[cfg(feature = "msgpack")]
mod objects;

#[cfg(feature = "msgpack")]
pub use crate::objects::Objects;

/// Triggers, jobs, queues and workers.
pub mod jobs {
    pub use larder_jobs::*;
    #[cfg(feature = "nats")]
    pub use larder_queue_nats::NatsQueue;
}

/// Serializers, and what writes one of your own.
pub mod serializers {
    pub use larder_core::serializers::*;
    pub use larder_serializers::*;
}

/// Stores, and what writes one of your own.
pub mod store {
    pub use larder_store::*;
    #[cfg(feature = "fs")]
    pub use larder_store_fs::FsStore;
    #[cfg(feature = "object")]
    pub use larder_store_object::BucketStore;
    #[cfg(feature = "postgres")]
    pub use larder_store_postgres::PostgresStore;
    #[cfg(feature = "sqlite")]
    pub use larder_store_sqlite::SqliteStore;
}

// The guide's examples are tests.
#[cfg(all(doctest, feature = "derive", feature = "msgpack"))]
mod guide {
    #[doc = include_str!("../docs/getting-started.md")]
    mod getting_started {}
    #[doc = include_str!("../docs/components.md")]
    mod components {}
    #[doc = include_str!("../docs/hooks.md")]
    mod hooks {}
    #[doc = include_str!("../docs/children.md")]
    mod children {}
    #[doc = include_str!("../docs/jobs.md")]
    mod jobs {}
    #[doc = include_str!("../docs/versions.md")]
    mod versions {}
    #[doc = include_str!("../docs/upkeep.md")]
    mod upkeep {}
    #[doc = include_str!("../docs/writing-a-serializer.md")]
    mod writing_a_serializer {}
    #[doc = include_str!("../docs/async.md")]
    mod async_programs {}

    #[cfg(feature = "tensors")]
    #[doc = include_str!("../docs/serializers.md")]
    mod serializers {}
    #[cfg(feature = "files")]
    #[doc = include_str!("../docs/files.md")]
    mod files {}
    #[cfg(all(feature = "files", feature = "onnx", feature = "script", feature = "wasm"))]
    #[doc = include_str!("../docs/models.md")]
    mod models {}
}

/// A value that is kept as bytes of its own, by MessagePack unless `S` says otherwise.
///
/// See [`larder_core::Artifact`].
#[cfg(feature = "msgpack")]
pub type Artifact<T, S = serializers::MsgPack> = larder_core::Artifact<T, S>;

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
pub fn load<T: ComponentType>(
    located: impl TryInto<QualifiedReference, Error: Into<Error>>,
) -> Result<T> {
    let located = located.try_into().map_err(Into::into)?;
    open_there(&located)?.load(located.reference())
}

/// Opens the larder that `located` names, and loads the version as a model, by name alone.
///
/// # Errors
/// As [`open`] and [`Larder::load_model`]; [`Error::Store`] if no larder is there.
pub fn load_model(
    located: impl TryInto<QualifiedReference, Error: Into<Error>>,
) -> Result<Arc<dyn Model>> {
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

#[cfg(feature = "derive")]
#[doc(hidden)]
pub use larder_core::__private;

/// The names that most programs need: `use larder::prelude::*;`.
pub mod prelude {
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};

    pub use crate::jobs::{JobContext, LarderJobs, RegistryJobs};
    pub use crate::maintenance::LarderMaintenance;
    pub use crate::search::LarderSearch;
    #[cfg(feature = "json")]
    pub use crate::serializers::Json;
    pub use crate::serializers::LarderObjects;
    #[cfg(feature = "tensors")]
    pub use crate::serializers::Tensors;
    pub use crate::{
        Applied, BoxError, Component, ComponentType, HookContext, HookResult, Hooks, Larder, Model,
        Predict, Ref,
    };
    #[cfg(feature = "msgpack")]
    pub use crate::{Artifact, Objects};
    #[cfg(feature = "files")]
    pub use crate::{Artifacts, ClassModel, Tree, files::LarderFiles};
    #[cfg(feature = "derive")]
    pub use crate::{codemodel, objectmodel, triggers};
}
