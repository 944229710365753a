//! Access to the parts of a handle, for crates that add to it.

use std::any::{Any, TypeId};
use std::sync::Arc;

use larder_records::Reference;

use super::apply::{ApplyOptions, ArtifactAhead};
use super::ready::Ready;
use super::{Larder, VersionInfo};
use crate::cache::CacheFolder;
use crate::component::Component;
use crate::error::{Error, Result};
use crate::name::Identifier;
use crate::participant::Participant;
use crate::progress::Meter;
use crate::serializer::Serializer;
#[cfg(feature = "files")]
use crate::store::{BlobCache, Cached};

/// Adds access to the parts of a [`Larder`], for crates that extend it.
pub trait LarderExt: Sized {
    /// Starts a progress meter for `task`.
    fn meter(&self, task: &'static str, total: Option<u64>) -> Meter;

    /// Returns the cache folder for files.
    fn cache(&self) -> &CacheFolder;

    /// Returns the participant of the type `P`.
    fn participant<P: Participant>(&self) -> Option<&P>;

    /// Returns the larder with `participant`, which replaces one of its type.
    #[must_use]
    fn with_participant(self, participant: Arc<dyn Participant>) -> Self;

    /// Returns the larder with a cache of blobs, if its store is remote.
    #[cfg(feature = "files")]
    #[must_use]
    fn with_blob_cache(self, cache: BlobCache) -> Self;

    /// Writes `value` as an artifact for a version of `name` that is applied later, and begins to make it durable.
    ///
    /// Until then, no version refers to it, and `gc` removes it after the grace period.
    ///
    /// # Errors
    /// As [`Larder::apply`].
    fn write_ahead<T: 'static, S: Serializer<T>>(
        &self,
        name: &Identifier,
        value: &T,
    ) -> Result<ArtifactAhead>;

    /// Writes components as versions of `name`, each following the one before, in one commit: all of them are durable after
    /// it. The first one follows the version of [`ApplyOptions::onto`], if that is stated.
    ///
    /// Returns `None` and writes nothing if they cannot be in one commit, because the store shows parts of it
    /// ([`Capabilities::isolated_commit`](crate::store::Capabilities)), or because they have hooks or create jobs. Apply them one
    /// by one then.
    ///
    /// # Errors
    /// As [`Larder::apply_with`].
    fn apply_in_a_row(
        &self,
        name: &Identifier,
        components: &[&dyn Component],
        options: &ApplyOptions,
    ) -> Result<Option<Vec<VersionInfo>>>;

    /// Loads a component of any type, with `setup` on first use.
    ///
    /// # Errors
    /// As [`Larder::load_component`].
    fn load_component_ready(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Ready<dyn Component>>;
}

impl LarderExt for Larder {
    fn meter(&self, task: &'static str, total: Option<u64>) -> Meter {
        self.watcher.begin(task, total)
    }

    fn cache(&self) -> &CacheFolder {
        &self.cache
    }

    fn participant<P: Participant>(&self) -> Option<&P> {
        let participant: &dyn Any = self.participants.get(&TypeId::of::<P>())?.as_ref();
        participant.downcast_ref()
    }

    fn with_participant(mut self, participant: Arc<dyn Participant>) -> Self {
        let participants = Arc::make_mut(&mut self.participants);
        participants.insert(participant.as_ref().type_id(), participant);
        self
    }

    #[cfg(feature = "files")]
    fn with_blob_cache(mut self, cache: BlobCache) -> Self {
        let store = Cached::behind(&self.store);
        self.store = match store.capabilities().is_remote {
            true => Arc::new(Cached::new(store, cache)),
            false => store,
        };
        self
    }

    fn write_ahead<T: 'static, S: Serializer<T>>(
        &self,
        name: &Identifier,
        value: &T,
    ) -> Result<ArtifactAhead> {
        Larder::write_ahead::<T, S>(self, name, value)
    }

    fn apply_in_a_row(
        &self,
        name: &Identifier,
        components: &[&dyn Component],
        options: &ApplyOptions,
    ) -> Result<Option<Vec<VersionInfo>>> {
        Larder::apply_in_a_row(self, name, components, options)
    }

    fn load_component_ready(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Ready<dyn Component>> {
        let version = self.resolve(&reference.try_into().map_err(Into::into)?)?;
        Ok(Ready::new(self, version.info(), self.decode_component(&version)?))
    }
}
