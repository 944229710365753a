//! `apply`, from a component to a version: prepare, encode, commit, and what follows the commit.

mod after;
mod ahead;
mod artifact_writer;
mod blob_writes;
mod blobs;
mod commit;
mod dry_run;
mod encode;
mod options;
mod prepare;
mod read_back;
mod session;
mod sink;
mod uses;

pub use ahead::ArtifactAhead;
pub use blob_writes::BlobWrites;
pub use blobs::{Claim, PATIENCE, QUICK};
pub use dry_run::DryRun;
pub use options::ApplyOptions;

pub(crate) use artifact_writer::ArtifactWriter;

use super::{Larder, VersionInfo};
use crate::component::Component;
use crate::error::{Error, Result};
use crate::name::Identifier;

/// Result of [`Larder::apply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// A new version was written.
    Created(VersionInfo),
    /// The newest version has the same content; nothing was written.
    Unchanged(VersionInfo),
}

impl Applied {
    /// The version, new or old.
    pub fn version(&self) -> &VersionInfo {
        match self {
            Self::Created(version) | Self::Unchanged(version) => version,
        }
    }

    /// Returns true if a new version was written.
    pub fn is_created(&self) -> bool {
        matches!(self, Self::Created(_))
    }
}

impl Larder {
    /// Writes `component` as a new version of `name`.
    ///
    /// Nothing is written if the newest version has the same content. The version is durable when this returns.
    /// Concurrent applies to one name each get a version.
    ///
    /// If its type has [`Hooks`](crate::Hooks), `post_init` runs on a copy, which is written, and `on_create` after
    /// the commit. If `on_create` fails or is interrupted, the version stays without `latest`; applying the same
    /// value again retries it.
    ///
    /// Components behind a [`Ref`](crate::Ref) are written in the same commit, each under its own name, unless
    /// they are stored already.
    ///
    /// # Errors
    /// [`Error::Hook`] if a hook fails; [`Error::InvalidName`]; [`Error::Lossy`] for a field that JSON cannot hold;
    /// [`Error::Encode`] if a serializer refuses an artifact; [`Error::Blocked`] if the name is locked;
    /// [`Error::Conflict`] if other writers kept winning; [`Error::Store`].
    pub fn apply(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        component: &dyn Component,
    ) -> Result<Applied> {
        self.apply_with(name, component, &ApplyOptions::new())
    }

    /// Writes `component` as a new version of `name`, with `options`.
    ///
    /// # Errors
    /// As [`apply`](Larder::apply), and as [`annotate`](Larder::annotate) with [annotations](ApplyOptions::annotate).
    pub fn apply_with(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        component: &dyn Component,
        options: &ApplyOptions,
    ) -> Result<Applied> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        apply(&self.with_options(options), &name, component)
    }

    /// Writes components as versions of one name, each following the one before, in one commit.
    ///
    /// Returns `None` and writes nothing if they cannot be: because the store may stop between the changes of a commit and
    /// show a part of them, or because a component has hooks, or creates jobs.
    pub(crate) fn apply_in_a_row(
        &self,
        name: &Identifier,
        components: &[&dyn Component],
        options: &ApplyOptions,
    ) -> Result<Option<Vec<VersionInfo>>> {
        let is_isolated = self.store.capabilities().isolated_commit;
        let is_plain = options.participants.is_empty()
            && options.annotations.is_empty()
            && options.beside.is_empty();
        if !is_isolated || !is_plain {
            return Ok(None);
        }
        let larder = self.with_options(options);
        let encode = || larder.encode_in_a_row(name, components);
        let (applied, _) = larder.commit_versions(name, encode)?;
        let versions: Vec<_> = applied.iter().map(|applied| applied.version().clone()).collect();
        Ok((versions.len() == components.len()).then_some(versions))
    }

    /// Writes fields of the type `type_tag` that are not a component.
    pub(super) fn commit_value(
        &self,
        name: &Identifier,
        type_tag: &str,
        fields: &(impl erased_serde::Serialize + ?Sized),
    ) -> Result<Applied> {
        let encode = || self.encode_value(name, type_tag, fields);
        self.commit_version(name, encode).map(|(applied, _)| applied)
    }
}

fn apply(larder: &Larder, name: &Identifier, component: &dyn Component) -> Result<Applied> {
    let annotations = &larder.options().annotations;
    annotations.check()?;

    // 1. `post_init` may change the component, so it runs on a copy.
    let prepared = larder.prepare(name, component)?;
    let component = prepared.as_deref().unwrap_or(component);

    // 2. Encoding digests and writes the artifacts. It runs again if a collector takes a blob before the commit.
    let encode = || larder.encode(name, component);

    // 3. One transaction makes the blobs safe from collectors and writes the versions.
    let (applied, unready) = larder.commit_version(name, encode)?;

    if let (Applied::Unchanged(version), false) = (&applied, annotations.is_empty()) {
        larder.annotate(version.reference(), annotations)?;
    }

    // 4. `on_create` makes the new versions ready, or failed.
    larder.create_all(component, applied, unready)
}
