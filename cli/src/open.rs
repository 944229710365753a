//! Opening larders.

use std::sync::Arc;

use larder::store::{MemoryStore, Store};
use larder::{Larder, Registry, StoreUrl};

use crate::command_error::CommandError;
use crate::progress;

/// Opens the target of a copy. If there is none, it is created with the first write, or replaced by an empty one for a
/// dry run.
pub(crate) fn target(
    url: &StoreUrl,
    registry: &Registry,
    dry_run: bool,
) -> Result<Larder, CommandError> {
    let store = match dry_run {
        true => registry.find_store(url)?.unwrap_or_else(|| Arc::new(MemoryStore::new())),
        false => registry.open_store_to_write(url)?,
    };
    Ok(Larder::new(store, Registry::new()))
}

/// Opens the larder. If there is none, it is created with the first write.
pub(crate) fn make(url: &StoreUrl, registry: Registry) -> Result<Larder, CommandError> {
    ready(Larder::new(registry.open_store_to_write(url)?, registry))
}

/// Opens the larder, or an empty one in memory if there is none.
pub(crate) fn stand_in(url: &StoreUrl, registry: Registry) -> Result<Larder, CommandError> {
    Ok(match open_if_there(url, registry)? {
        Opened::Larder(larder) => larder,
        Opened::Nothing { registry, .. } => Larder::new(Arc::new(MemoryStore::new()), registry),
    })
}

/// Configures a larder for the command line: the user's cache, author and progress bar.
fn ready(larder: Larder) -> Result<Larder, CommandError> {
    let larder = progress::with_bar(larder::cache::with_user_cache(larder)?);
    Ok(match author() {
        Some(author) => larder.with_author(author),
        None => larder,
    })
}

/// The author of versions and tag moves.
pub(crate) fn author() -> Option<String> {
    let value = |variable| std::env::var(variable).ok().filter(|name: &String| !name.is_empty());
    ["LARDER_AUTHOR", "USER", "USERNAME"].into_iter().find_map(value)
}

/// Opens the larder. Only `put`, and targets of copies, create one.
pub(crate) fn open(url: &StoreUrl, registry: Registry) -> Result<Larder, CommandError> {
    match open_if_there(url, registry)? {
        Opened::Larder(larder) => Ok(larder),
        Opened::Nothing { url, .. } => Err(CommandError::no_larder(&url)),
    }
}

/// The larder at a URL, if there is one.
pub(crate) enum Opened {
    Larder(Larder),
    Nothing { url: StoreUrl, registry: Registry },
}

impl Opened {
    pub(crate) fn registry(&self) -> &Registry {
        match self {
            Self::Larder(larder) => larder.registry(),
            Self::Nothing { registry, .. } => registry,
        }
    }
}

/// Opens the store of another larder, if there is one.
pub(crate) fn open_other(url: &StoreUrl, larder: &Larder) -> Result<Arc<dyn Store>, CommandError> {
    larder.registry().find_store(url)?.ok_or_else(|| CommandError::no_larder(url))
}

pub(crate) fn open_if_there(url: &StoreUrl, registry: Registry) -> Result<Opened, CommandError> {
    Ok(match registry.find_store(url)? {
        Some(store) => Opened::Larder(ready(Larder::new(store, registry))?),
        None => Opened::Nothing { url: url.clone(), registry },
    })
}
