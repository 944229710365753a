#![doc = include_str!("../README.md")]

mod artifact;
mod cache;
mod child;
mod component;
pub mod extend;
mod for_macros;
mod hooks;
mod larder;
mod model;
mod panics;
mod participant;
mod predict_json;
pub mod progress;
mod registry;
mod scope;
mod serializer;
mod serializer_record;
mod workers;

pub use bytes;
pub use erased_serde;
pub use larder_guard as guard;
pub use larder_records::{Reference, Selection, Selector, manifest, record};
pub use larder_store as store;
pub use larder_store::{BoxError, Error, Identifier, Result, StoreUrl};
pub(crate) use larder_store::{digest, error, name, time, url};
pub use schemars;

pub use crate::artifact::Artifact;
pub use crate::child::{Child, Ref};
pub use crate::component::{Component, ComponentType};
pub use crate::hooks::{HookContext, HookResult, Hooks};
pub use crate::larder::{Applied, ApplyOptions, Larder, Ready, VersionInfo};
pub use crate::model::{Model, Predict, Signature};
pub use crate::registry::{Item, Registry};
pub use crate::serializer::Serializer;

/// Writing serializers, and finding them by name.
pub mod serializers {
    pub use crate::larder::{LarderObjects, Serializers};
    pub use crate::registry::SerializerInfo;
    pub use crate::serializer::{
        ByName, DynSerializer, ErasedSeed, Format, FormatTraits, ReadWith, Serializer, not_served,
    };
    pub use crate::serializer_record::{SerializerRecord, ServedType};
}

/// Details of versions: tags, annotations, children, toolchains, removal.
pub mod versions {
    pub use larder_records::{DigestPrefix, JobId, Source, Toolchain};

    pub use crate::larder::{
        Annotations, AnnotationsChange, ChildInfo, Difference, Locks, RemoveOptions, Status,
        TagInfo, TagMove, TagOptions, Tags, VersionDetails,
    };
}

/// Support for generated code; not part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::for_macros::*;
}
