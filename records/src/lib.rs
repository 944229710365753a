//! The records and manifests of versions, and the references that name versions.
//!
//! `docs/format.md` describes the JSON. Programs use `larder`, which re-exports what they need.

mod job_id;
pub mod manifest;
pub mod record;
mod reference;
mod source;
mod toolchain;

pub(crate) use larder_store as store;
pub(crate) use larder_store::{digest, error, name, time};

pub use crate::job_id::JobId;
pub use crate::reference::{DigestPrefix, Reference, Selection, Selector};
pub use crate::source::Source;
pub use crate::toolchain::{Built, Toolchain};
