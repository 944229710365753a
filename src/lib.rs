#![cfg_attr(all(feature = "derive", feature = "msgpack"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "derive", feature = "msgpack")),
    doc = "A store for models and components."
)]
#![forbid(unsafe_code)]

use std::sync::Arc;

#[cfg(feature = "access")]
pub use larder_access as access;
#[cfg(feature = "archive")]
pub use larder_archive as archive;
pub use larder_core::{
    Applied, ApplyOptions, BoxError, Component, ComponentType, Error, HookContext, HookResult,
    Hooks, Identifier, Item, Larder, Model, Predict, Ready, Ref, Reference, Registry, Result,
    Selection, Serializer, Signature, StoreUrl, VersionInfo,
};
pub use larder_core::{bytes, schemars};
#[cfg(feature = "files")]
pub use larder_files as files;
#[cfg(feature = "derive")]
pub use larder_macros::{Component, codemodel, objectmodel, triggers};
pub use larder_maintenance as maintenance;
#[cfg(any(feature = "onnx", feature = "wasm", feature = "script"))]
pub use larder_models as models;
pub use larder_search as search;
#[cfg(feature = "server")]
pub use larder_server as server;
// Its routes belong to every server.
#[cfg(feature = "server")]
use larder_protocols as _;
// So do the screens of the page.
#[cfg(feature = "page")]
use larder_page as _;
#[cfg(feature = "serving")]
pub use larder_serving as serving;
#[cfg(feature = "training")]
pub use larder_training as training;

#[cfg(feature = "files")]
pub mod cache;
pub mod features;
#[cfg(feature = "msgpack")]
mod objects;
mod qualified_reference;

#[cfg(feature = "msgpack")]
pub use crate::objects::Objects;
pub use crate::qualified_reference::QualifiedReference;

/// Collections of rows, and models on them.
#[cfg(feature = "collections")]
pub mod collections {
    pub use larder_collections::*;
    pub use larder_listeners::*;
}

/// Clients of a server of Larder: served models, and the tokens that are kept for servers.
#[cfg(feature = "http")]
pub mod client {
    pub use larder_store_http::{Endpoint, login, tokens};
}

/// Interfaces for crates that extend the handle: records, manifests, participants in commits, progress.
pub mod extend {
    pub use larder_core::extend::*;
    pub use larder_core::{erased_serde, guard, manifest, progress, record};
}

/// Triggers, jobs, queues and workers.
pub mod jobs {
    pub use larder_jobs::*;
    #[cfg(feature = "nats")]
    pub use larder_queue_nats::NatsQueue;
}

/// Serializers, and the interfaces for writing one.
pub mod serializers {
    pub use larder_core::serializers::*;
    pub use larder_serializers::*;
}

/// Stores, and the interfaces for writing one.
pub mod store {
    pub use larder_store::*;
    #[cfg(feature = "fs")]
    pub use larder_store_fs::FsStore;
    #[cfg(feature = "http")]
    pub use larder_store_http::HttpStore;
    #[cfg(feature = "object")]
    pub use larder_store_object::BucketStore;
    #[cfg(feature = "postgres")]
    pub use larder_store_postgres::PostgresStore;
    #[cfg(feature = "sqlite")]
    pub use larder_store_sqlite::SqliteStore;
}

/// Details of versions: selectors, tags, annotations, children, toolchains, removal.
pub mod versions {
    pub use larder_core::Selector;
    pub use larder_core::versions::*;
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
    #[doc = include_str!("../docs/maintenance.md")]
    mod maintenance {}
    #[doc = include_str!("../docs/writing-a-serializer.md")]
    mod writing_a_serializer {}
    #[doc = include_str!("../docs/async.md")]
    mod async_programs {}

    #[cfg(feature = "collections")]
    #[doc = include_str!("../docs/collections.md")]
    mod collections {}
    #[cfg(feature = "http")]
    #[doc = include_str!("../docs/server.md")]
    mod server {}
    #[cfg(feature = "collections")]
    #[doc = include_str!("../docs/models-on-data.md")]
    mod models_on_data {}
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

/// A value whose bytes live in a blob of their own, written by MessagePack unless `S` is another serializer.
///
/// See [`larder_core::Artifact`].
#[cfg(feature = "msgpack")]
pub type Artifact<T, S = serializers::MsgPack> = larder_core::Artifact<T, S>;

/// Opens the larder at `url` with everything that is linked in.
///
/// Files are extracted into the user's cache folder, and blobs of remote stores are cached there, up to
/// `LARDER_CACHE_SIZE` (16 GiB by default). `Larder::with_cache` sets another folder.
///
/// # Errors
/// As [`Registry::linked`] and [`Registry::open`]; [`Error::Refused`] for an invalid `LARDER_CACHE_SIZE`.
pub fn open(url: impl TryInto<StoreUrl, Error: Into<Error>>) -> Result<Larder> {
    cached(Registry::linked()?.open(url)?)
}

fn cached(larder: Larder) -> Result<Larder> {
    #[cfg(feature = "files")]
    let larder = cache::with_user_cache(larder)?;
    Ok(larder)
}

/// Opens the larder of a reference; does not create one.
fn open_existing(reference: &QualifiedReference) -> Result<Larder> {
    let (url, registry) = (reference.store(), Registry::linked()?);
    let Some(store) = registry.find_store(url)? else {
        let reason = "there is no larder; `larder::open` creates one";
        return Err(Error::store(format!("open the larder at {url}"), reason));
    };
    cached(Larder::new(store, registry))
}

/// Opens the larder of `reference`, and loads the version from it. Does not create a larder.
///
/// To load several versions, call [`open`] once.
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
    reference: impl TryInto<QualifiedReference, Error: Into<Error>>,
) -> Result<T> {
    let reference = reference.try_into().map_err(Into::into)?;
    open_existing(&reference)?.load(reference.reference())
}

/// Opens the larder of `reference`, and loads the version as a model, by name alone.
///
/// # Errors
/// As [`open`] and [`Larder::load_model`]; [`Error::Store`] if no larder is there.
pub fn load_model(
    reference: impl TryInto<QualifiedReference, Error: Into<Error>>,
) -> Result<Arc<dyn Model>> {
    let reference = reference.try_into().map_err(Into::into)?;
    open_existing(&reference)?.load_model(reference.reference())
}

/// Registers an [`Item`] of the calling crate with [`Registry::linked`], and records how the crate was built.
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
    // `#[derive(JsonSchema)]` names its crate, which then needs no line in `Cargo.toml`.
    pub use larder_core::schemars;
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};

    #[cfg(feature = "collections")]
    pub use crate::collections::{LarderCollections, LarderListeners};
    #[cfg(feature = "files")]
    pub use crate::files::{Artifacts, ClassModel, LarderFiles, Tree};
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
    #[cfg(feature = "derive")]
    pub use crate::{codemodel, objectmodel, triggers};
}
