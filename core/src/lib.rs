#![doc = include_str!("../README.md")]

mod artifact;
mod caught;
mod child;
#[cfg(feature = "files")]
mod class;
mod component;
mod digest;
mod error;
#[cfg(feature = "files")]
pub mod files;
mod for_macros;
pub mod guard;
mod hooks;
mod jobs;
mod larder;
mod located;
mod manifest;
mod model;
mod name;
mod parallel;
mod predict_json;
mod progress;
mod query;
mod record;
mod reference;
mod registry;
#[cfg(feature = "runtime")]
pub mod runtime;
mod scope;
mod serializer;
mod serializer_record;
mod size;
mod source;
pub mod store;
mod time;
mod transaction;
#[cfg(feature = "files")]
mod tree;
mod url;
mod workers;

pub use bytes;
pub use erased_serde;
pub use schemars;

pub use crate::artifact::Artifact;
pub use crate::caught::catch_panic;
pub use crate::child::{Child, Ref};
#[cfg(feature = "files")]
pub use crate::class::{Artifacts, ClassModel, Run};
pub use crate::component::{Component, ComponentType, TypeEntry};
pub use crate::digest::Digest;
pub use crate::error::{BoxError, Error, Corruption, ItemKind, Result};
pub use crate::hooks::{Hook, HookContext, HookResult, Hooks};
pub use crate::jobs::{
    WaitTarget, Delivery, Event, JobQueue, Fired, InProcess, IsSet, JobContext, JobId, JobInfo,
    JobLine, JobStatus, WorkerHandle, JobsQuery, PublishOptions, Receipt, SKEW, Schedule, Trigger,
    TriggerEntry, TriggerTable, Triggers, Worker,
};
pub use crate::larder::{
    BlobCount, Applied, VerifyReport, ChildInfo, GcReport, CopyReport, CopiedTag, CopiedVersion, CopyOptions,
    CopyOutcome, Counts, Diff, Difference, FieldDiff, FieldState, FieldValue, Finding, SearchHit,
    Garbage, GcOptions, Larder, LockedItem, MirrorOptions, MirrorReport, Annotations, AnnotationsChange, CopyOutline,
    Overlap, Plan, PlannedJob, Ready, RemoveOptions, RemovedVersion, RepairReport, VersionDetails, Side, Status,
    HealthReport, TagInfo, TagMove, TagOptions, Toolchain, UnreadyVersion, RemovedTag, VersionInfo,
};
pub use crate::located::QualifiedReference;
pub use crate::manifest::{ArtifactEntry, ChildEntry, FORMAT, Manifest};
pub use crate::model::{Model, Predict, Signature};
pub use crate::name::{EventName, Identifier, TagName, TreePath, TypeTag, VersionNumber};
pub use crate::progress::{Meter, Progress};
pub use crate::query::{Filter, Glob, Query, Sort};
pub use crate::reference::{DigestPrefix, Reference, Selector};
pub use crate::registry::{Item, Registry, SerializerInfo};
pub use crate::serializer::{
    DynSerializer, ByName, ErasedSeed, Format, ReadWith, Serializer, FormatTraits, not_served,
};
pub use crate::serializer_record::{SerializerRecord, ServedType};
pub use crate::size::parse_size;
pub use crate::source::Source;
pub use crate::store::{MemoryStore, Store, StoreExt};
pub use crate::time::Timestamp;
#[cfg(feature = "files")]
pub use crate::tree::{FileBytes, FileContent, Tree, TreeFile, TreeKind};
pub use crate::url::StoreUrl;

crate::link!(Item::store("memory", |url| {
    url.allow_options(&[])?;
    match url.rest() {
        "" => Ok(std::sync::Arc::new(MemoryStore::new())),
        _ => Err(url.refused("a store in memory has no place: write `memory:`")),
    }
}));

/// What the macros' code needs; no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::for_macros::*;
}
