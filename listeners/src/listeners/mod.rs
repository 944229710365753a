//! Listeners: models whose outputs stand beside the rows of a collection.

mod attach;
mod beside;
pub(crate) mod chunk;
mod columns;
mod fill;
mod filler;
mod inputs;
mod listener;
pub(crate) mod outputs;
mod participant;
pub(crate) mod predict;
pub(crate) mod source;
mod status;
mod tables;
pub(crate) mod vectors;

use std::sync::Arc;

use larder_core::extend::Records as _;
use larder_core::store::StoreExt as _;
use larder_core::versions::RemoveOptions;
use larder_core::{Error, Identifier, Larder, Reference, Result, Selector, VersionInfo, record};
use larder_jobs::{Fired, LarderJobs as _};

use crate::watch::Watch;
use larder_collections::FragmentEngine;
use larder_collections::extend::FragmentCache;
use larder_collections::{Engine, EngineVersion};

pub use attach::{AttachOptions, Attached, IndexOptions};
pub use columns::{OutputColumn, OutputsReader};
pub use fill::FillReport;
pub use listener::Listener;
pub use outputs::{ModelVersion, OutputStatus, Outputs};
pub use status::ListenerStatus;
pub use tables::OutputRow;

pub(crate) use listener::{Kind, OUTPUTS, Work, check_name};
use source::Source;

/// Versions of outputs that are kept for readers of older ones.
const KEPT_VERSIONS: u64 = 8;

/// Models on the rows of a collection: [`LarderListeners::listeners`].
///
/// Cheap to clone. Clones share the fragments that were read and checked, so a handle that is kept searches faster.
#[derive(Debug, Clone)]
pub struct Listeners {
    larder: Larder,
    collection: Identifier,
    engine: Arc<dyn Engine>,
    cache: FragmentCache,
}

/// Adds models on collections to [`Larder`].
pub trait LarderListeners {
    /// Returns the handle on the listeners and indexes of a collection.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    fn listeners(
        &self,
        collection: impl TryInto<Identifier, Error: Into<Error>>,
    ) -> Result<Listeners>;
}

impl LarderListeners for Larder {
    fn listeners(
        &self,
        collection: impl TryInto<Identifier, Error: Into<Error>>,
    ) -> Result<Listeners> {
        let collection: Identifier = collection.try_into().map_err(Into::into)?;
        let engine = engine_of(self, &collection)?;
        Ok(Listeners { larder: self.clone(), collection, engine, cache: FragmentCache::default() })
    }
}

/// Opens the engine of a collection.
fn engine_of(larder: &Larder, collection: &Identifier) -> Result<Arc<dyn Engine>> {
    Ok(Arc::new(FragmentEngine::new(larder, collection.clone())))
}

impl Listeners {
    /// Returns the larder.
    pub fn larder(&self) -> &Larder {
        &self.larder
    }

    /// Returns the name of the collection.
    pub fn collection(&self) -> &Identifier {
        &self.collection
    }

    /// Returns the engine of the collection, whose handles then share what it has read.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// Returns the names of the listeners, in order.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::Store`].
    pub fn names(&self) -> Result<Vec<String>> {
        let versions = versions_of(&self.larder, &self.collection, Kind::Listener)?;
        let last = |it: &VersionInfo| it.identifier.as_str().rsplit('/').next().map(str::to_owned);
        Ok(versions.iter().filter_map(last).collect())
    }

    /// Returns the listeners, by name.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::Store`].
    pub fn all(&self) -> Result<Vec<Listener>> {
        Ok(self.of_kind(Kind::Listener)?.into_iter().map(|(_, listener)| listener).collect())
    }

    pub(crate) fn of_kind(&self, kind: Kind) -> Result<Vec<(VersionInfo, Listener)>> {
        versions_of(&self.larder, &self.collection, kind)?
            .into_iter()
            .map(|version| {
                let listener = self.larder.load(version.reference())?;
                Ok((version, listener))
            })
            .collect()
    }

    pub(crate) fn find(&self, kind: Kind, name: &str) -> Result<(VersionInfo, Listener)> {
        let full = kind.component(&self.collection, name)?;
        let found = match self.larder.find(&full.clone().into()) {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Err(self.no_such(kind, name)?),
            Err(error) => return Err(error),
        };
        let version = VersionInfo::new(&full, &found);
        let listener = self.larder.load(version.reference())?;
        Ok((version, listener))
    }

    fn no_such(&self, kind: Kind, name: &str) -> Result<Error> {
        if self.engine.head()?.is_none() {
            return Ok(self.no_collection());
        }
        let (word, hint) = match kind {
            Kind::Listener => ("listener", "attach a model first"),
            Kind::Index => ("index", "create it first"),
        };
        let folder = kind.folder(&self.collection);
        let known: Vec<String> = versions_of(&self.larder, &self.collection, kind)?
            .iter()
            .filter_map(|it| it.identifier.as_str().strip_prefix(&folder).map(str::to_owned))
            .collect();
        let known = match &*known {
            [] => format!("it has none; {hint}"),
            known => format!("it has {}", known.join(", ")),
        };
        Ok(Error::Refused {
            action: format!("find the {word} `{name}` of {}", self.collection),
            reason: format!("there is no such {word}: {known}"),
        })
    }

    /// Creates a job that computes what is missing; with `retry`, also what failed.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such listener; as [`larder_jobs::Jobs::fire`].
    pub fn fill(&self, name: &str, retry: bool) -> Result<Fired> {
        let (version, _) = self.find(Kind::Listener, name)?;
        let request = fill::Request { retry };
        self.larder.jobs().fire(version.reference(), listener::FILL, request)
    }

    /// Creates a job that brings an index up to date.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such index; as [`larder_jobs::Jobs::fire`].
    pub fn fill_index(&self, name: &str) -> Result<Fired> {
        let (version, _) = self.find(Kind::Index, name)?;
        self.larder.jobs().fire(version.reference(), listener::FILL, ())
    }

    /// Removes a listener and its outputs; `gc` frees what they alone used.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such listener, or others read its outputs.
    pub fn detach(&self, name: &str) -> Result<()> {
        self.find(Kind::Listener, name)?;
        let field = format!("{OUTPUTS}{name}");
        for kind in Kind::ALL {
            for (version, other) in self.of_kind(kind)? {
                if other.key.contains(&field) {
                    return Err(Error::Refused {
                        action: format!("detach `{name}` from {}", self.collection),
                        reason: format!(
                            "{} reads its outputs; remove that first",
                            version.identifier
                        ),
                    });
                }
            }
        }
        self.remove(Kind::Listener, name)
    }

    /// Removes an index.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such index.
    pub fn drop_index(&self, name: &str) -> Result<()> {
        self.find(Kind::Index, name)?;
        self.remove(Kind::Index, name)
    }

    fn remove(&self, kind: Kind, name: &str) -> Result<()> {
        let options = RemoveOptions::new().force(true);
        // Without its listener, outputs are no longer written.
        self.larder.remove_all(kind.component(&self.collection, name)?, &options)?;
        match self.larder.remove_all(kind.outputs(&self.collection, name)?, &options) {
            Err(Error::NotFound { .. }) => Ok(()),
            done => done.map(drop),
        }
    }

    /// Returns the newest version of the collection.
    pub(crate) fn newest(&self) -> Result<Arc<dyn EngineVersion>> {
        self.engine.head()?.ok_or_else(|| self.no_collection())
    }

    /// Opens what a listener reads; none if the collection was removed.
    pub(crate) fn source_of(&self, listener: &Listener) -> Result<Option<Source>> {
        Source::open_with(&self.larder, &self.engine, &self.cache, listener)
    }

    /// Loads the newest outputs of a listener, if there are any.
    pub(crate) fn outputs_of(&self, listener: &Listener) -> Result<Option<(VersionInfo, Outputs)>> {
        let stored = stored_outputs(&self.larder, &listener.outputs()?)?;
        // They may be of a former listener of the name.
        Ok(stored.filter(|(_, outputs)| outputs.definition == listener.definition()))
    }

    /// Opens the rows and the outputs of a listener; none if the collection was removed.
    pub(crate) fn open(&self, listener: &Listener) -> Result<Option<(Source, Option<Outputs>)>> {
        // Outputs first: rows must not be older than those that the outputs have seen.
        let outputs = self.outputs_of(listener)?.map(|(_, outputs)| outputs);
        Ok(self.source_of(listener)?.map(|source| (source, outputs)))
    }
}

/// Loads the newest outputs of a name, if there are any.
fn stored_outputs(larder: &Larder, name: &Identifier) -> Result<Option<(VersionInfo, Outputs)>> {
    let found = match larder.find(&name.clone().into()) {
        Ok(found) => VersionInfo::new(name, &found),
        Err(Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let outputs = larder.load(found.reference())?;
    Ok(Some((found, outputs)))
}

/// Returns the newest versions of the listeners or indexes of a collection.
pub(crate) fn versions_of(
    larder: &Larder,
    collection: &Identifier,
    kind: Kind,
) -> Result<Vec<VersionInfo>> {
    versions_below(larder, &kind.folder(collection))
}

/// Returns the newest versions of the names in a folder.
pub(crate) fn versions_below(larder: &Larder, folder: &str) -> Result<Vec<VersionInfo>> {
    let mut versions = Vec::new();
    for found in larder.store().known_records(format!("names/{folder}")) {
        let (key, found) = found?;
        let name = record::name_in(&key)?;
        let head: record::NameRecord = record::read(&key, &found)?;
        versions.extend(head.latest.map(|latest| VersionInfo::new(&name, &latest)));
    }
    Ok(versions)
}

/// Returns the newest versions of the listeners, indexes and watches of a collection, in one request for most.
fn listening(larder: &Larder, collection: &Identifier) -> Result<Vec<VersionInfo>> {
    let mut versions = Vec::new();
    let [one, two] = Kind::ALL.map(|kind| kind.folder(collection));
    let folders = [one, two, Watch::folder(collection)];
    for found in larder.store().known_records(format!("names/{collection}.")) {
        let (key, found) = found?;
        let name = record::name_in(&key)?;
        if folders.iter().any(|folder| name.as_str().starts_with(folder)) {
            let head: record::NameRecord = record::read(&key, &found)?;
            versions.extend(head.latest.map(|latest| VersionInfo::new(&name, &latest)));
        }
    }
    Ok(versions)
}

/// Removes the version of outputs that fell out of those that are kept.
fn prune(larder: &Larder, version: &VersionInfo) {
    let Some(number) = version.version.get().checked_sub(KEPT_VERSIONS) else { return };
    let Some(number) = larder_core::store::VersionNumber::new(number) else { return };
    let old = Reference::new(version.identifier.clone(), Selector::Version(number));
    // One that is tagged, locked or gone stays as it is.
    let _ = larder.remove_with(old, &RemoveOptions::new().triggers(false));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod beside_tests;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod inputs_tests;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod kill;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod random_tests;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(crate) mod tests;
