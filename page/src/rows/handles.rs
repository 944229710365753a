//! Handles of collections, which keep what they have read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use larder_access::Resource;
use larder_collections::{CollectionVersion, UntypedCollection};
use larder_core::store::{Action, VersionNumber};
use larder_core::{Error, Identifier};
use larder_listeners::{LarderListeners, Listeners};
use larder_server::extend::{Context, Failure};

use super::known;

/// The maximum number of handles that a server keeps, those that were used last. Each keeps at most 64 MiB of rows, and maps of files.
const MOST: usize = 4;

/// A collection, and the models on it.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub(super) rows: UntypedCollection,
    pub(super) models: Listeners,
}

/// The handles of a server, the one that was used last first.
#[derive(Default)]
struct Handles(Mutex<VecDeque<Handle>>);

/// Returns the handle of a collection.
pub(super) fn open(context: &Context, name: &Identifier) -> Result<Handle, Failure> {
    let handles = context.shared::<Handles>();
    let mut kept = handles.0.lock().unwrap_or_else(PoisonError::into_inner);
    let at = kept.iter().position(|handle| handle.rows.name() == name);
    let handle = match at.and_then(|at| kept.remove(at)) {
        Some(handle) => handle,
        None => {
            let models = context.larder().listeners(name.clone())?;
            // Both share what was read.
            let engine = Arc::clone(models.engine());
            Handle { rows: UntypedCollection::with_engine(context.larder(), engine), models }
        }
    };
    kept.push_front(handle.clone());
    kept.truncate(MOST);
    Ok(handle)
}

/// Returns a handle that is not kept: for the manifest alone.
pub(super) fn unkept(context: &Context, name: &Identifier) -> UntypedCollection {
    UntypedCollection::new(context.larder(), name.clone())
}

impl Handle {
    pub(super) fn name(&self) -> &Identifier {
        self.rows.name()
    }

    /// Returns a version, or the newest.
    pub(super) fn version(
        &self,
        context: &Context,
        number: Option<VersionNumber>,
    ) -> Result<CollectionVersion, Failure> {
        let version = match number {
            Some(number) => self.rows.at(number),
            None => self.rows.latest(),
        };
        match version {
            Ok(version) => {
                known::found(context, self.name());
                Ok(version)
            }
            Err(Error::WrongType { .. }) => {
                let message = format!("cannot show rows of {}: it is no collection", self.name());
                Err(Failure::not_found(message))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns whether the user may read what stands beside the collection: `listeners`, `outputs` or `indexes`.
    pub(super) fn may_read(&self, context: &Context, folder: &str, name: &str) -> bool {
        let full = format!("{}.{folder}/{name}", self.name()).parse::<Identifier>();
        full.is_ok_and(|full| context.may(Action::Read, &Resource::Name(full)))
    }
}

/// Reads the number of a version, if one is asked for.
pub(super) fn number(text: &str) -> Result<Option<VersionNumber>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().ok().and_then(VersionNumber::new);
    let wrong = || Failure::bad_request("cannot show the version: it is no number above 0");
    number.map(Some).ok_or_else(wrong)
}
