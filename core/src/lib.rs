#![doc = include_str!("../README.md")]

mod artifact;
mod caught;
mod child;
#[cfg(feature = "files")]
mod class;
mod component;
mod for_macros;
mod hooks;
mod jobs;
mod larder;
mod located;
mod manifest;
mod model;
mod parallel;
mod predict_json;
mod progress;
mod query;
pub mod record;
mod reference;
mod registry;
mod scope;
mod serializer;
mod serializer_record;
mod source;
#[cfg(feature = "files")]
mod tree;
mod workers;

pub use bytes;
pub use larder_guard as guard;
pub use larder_store as store;
#[cfg(feature = "files")]
pub use larder_store::files;
#[cfg(feature = "runtime")]
pub use larder_store::runtime;
pub(crate) use larder_store::{digest, error, name, time, url};
pub use erased_serde;
pub use schemars;

pub use crate::artifact::Artifact;
pub use crate::caught::catch_panic;
pub use crate::child::{Child, Ref};
#[cfg(feature = "files")]
pub use crate::class::{Artifacts, ClassModel, Run};
pub use crate::component::{Component, ComponentType, TypeEntry};
pub use crate::hooks::{HookContext, HookResult, Hooks};
pub use crate::jobs::{
    WaitTarget, Delivery, Event, JobQueue, Fired, InProcess, IsSet, JobContext, JobId, JobInfo,
    JobLine, WorkerHandle, JobsQuery, PublishOptions, Receipt, SKEW, Schedule, Trigger,
    TriggerEntry, TriggerTable, Triggers, Worker,
};
pub use crate::larder::{
    Applied, VerifyReport, ChildInfo, GcReport, CopyReport, CopiedTag, CopiedVersion, CopyOptions,
    CopyOutcome, Counts, Diff, Difference, FieldDiff, FieldState, FieldValue, Finding, SearchHit,
    Garbage, GcOptions, Larder, LockedItem, MirrorOptions, MirrorReport, Annotations, AnnotationsChange, CopyOutline,
    Overlap, Plan, PlannedJob, Ready, RemoveOptions, RemovedVersion, RepairReport, VersionDetails, Side, Status,
    HealthReport, TagInfo, TagMove, TagOptions, Toolchain, UnreadyVersion, RemovedTag, VersionInfo,
};
pub use crate::located::QualifiedReference;
pub use crate::manifest::{ArtifactEntry, ChildEntry, FORMAT, Manifest};
pub use crate::model::{Model, Predict, Signature};
pub use crate::progress::{Meter, Progress};
pub use crate::query::{Filter, Glob, Query, Sort};
pub use crate::reference::{DigestPrefix, Reference, Selector};
pub use crate::registry::{Item, Registry, SerializerInfo};
pub use crate::serializer::{
    DynSerializer, ByName, ErasedSeed, Format, ReadWith, Serializer, FormatTraits, not_served,
};
pub use crate::serializer_record::{SerializerRecord, ServedType};
pub use crate::source::Source;
pub use larder_store::{
    BlobCount, BoxError, Corruption, Digest, Error, EventName, Hook, Identifier, ItemKind, JobStatus, MemoryStore, Result,
    Store, StoreExt, StoreUrl, TagName, Timestamp, TreePath, TypeTag, VersionNumber, parse_size,
};
#[cfg(feature = "files")]
pub use crate::tree::{FileBytes, FileContent, Tree, TreeFile, TreeKind};

/// What the macros' code needs; no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::for_macros::*;
}
