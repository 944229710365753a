//! Where files are laid out unless the user says otherwise.

use std::env;
use std::path::PathBuf;

use larder_core::Larder;

/// The same larder, which lays files out in the user's cache folder and keeps blobs of remote stores there.
///
/// Where there is none, files go into a temporary folder, and no blobs are kept.
#[must_use]
pub fn with_user_cache(larder: Larder) -> Larder {
    match user_cache() {
        Some(folder) => larder.with_cache(folder),
        None => larder,
    }
}

/// Where the user's larders keep what they laid out and what they fetched: `larder` in the user's cache folder.
pub fn user_cache() -> Option<PathBuf> {
    Some(caches()?.join("larder"))
}

fn caches() -> Option<PathBuf> {
    // A relative path is to be ignored, says the XDG specification.
    let named = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::home_dir().filter(|home| home.is_absolute());
    if cfg!(windows) {
        named("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Caches"))
    } else {
        named("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache")))
    }
}
