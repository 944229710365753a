//! The default folders for extracted files and cached blobs.

use larder_core::extend::LarderExt;
use std::env;
use std::path::PathBuf;

use larder_core::store::BlobCache;
use larder_core::store::parse_size;
use larder_core::{Error, Larder, Result};

/// Sets the user's cache folder for extracted files and for blobs of remote stores.
///
/// Without a cache folder, files are extracted into a temporary folder, and blobs are not cached.
///
/// # Errors
/// As [`user_blob_cache`].
pub fn with_user_cache(larder: Larder) -> Result<Larder> {
    Ok(match (user_cache(), user_blob_cache()?) {
        (Some(folder), Some(blobs)) => larder.with_cache(folder).with_blob_cache(blobs),
        _ => larder,
    })
}

/// Returns the folder `larder` in the user's cache folder.
pub fn user_cache() -> Option<PathBuf> {
    Some(caches()?.join("larder"))
}

/// Returns the user's blob cache, limited to `LARDER_CACHE_SIZE` (16 GiB by default).
///
/// # Errors
/// [`Error::Refused`] if `LARDER_CACHE_SIZE` is not a size: see [`parse_size`].
pub fn user_blob_cache() -> Result<Option<BlobCache>> {
    let Some(folder) = user_cache() else { return Ok(None) };
    let cache = BlobCache::open(&folder.join(BlobCache::FOLDER));
    let Some(size) = env::var_os("LARDER_CACHE_SIZE").filter(|size| !size.is_empty()) else {
        return Ok(Some(cache));
    };
    match size.to_str().and_then(parse_size) {
        Some(bytes) => Ok(Some(cache.with_limit(bytes))),
        None => Err(Error::Refused {
            action: "read `LARDER_CACHE_SIZE`".into(),
            reason: format!("{size:?} is not a size; write `64GiB` or `500MB`"),
        }),
    }
}

fn caches() -> Option<PathBuf> {
    // The XDG specification requires that relative paths are ignored.
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
