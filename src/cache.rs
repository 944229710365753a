//! Where files are laid out unless the user says otherwise.

use std::env;
use std::path::PathBuf;

use larder_core::Larder;

/// The same larder, which lays files out in the user's cache folder.
///
/// Where there is none, a temporary folder serves.
#[must_use]
pub fn with_user_cache(larder: Larder) -> Larder {
    match user_cache() {
        Some(folder) => larder.with_cache(folder.join("larder")),
        None => larder,
    }
}

fn user_cache() -> Option<PathBuf> {
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
