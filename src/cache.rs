//! Where files are laid out unless the user says otherwise.

use larder_core::extend::LarderExt;
use std::env;
use std::path::PathBuf;

use larder_core::store::BlobCache;
use larder_core::store::parse_size;
use larder_core::{Error, Larder, Result};

/// The same larder, which lays files out in the user's cache folder and keeps blobs of remote stores there.
///
/// Where there is none, files go into a temporary folder, and no blobs are kept.
///
/// # Errors
/// As [`user_blob_cache`].
pub fn with_user_cache(larder: Larder) -> Result<Larder> {
    Ok(match (user_cache(), user_blob_cache()?) {
        (Some(folder), Some(blobs)) => larder.with_cache(folder).with_blob_cache(blobs),
        _ => larder,
    })
}

/// Where the user's larders keep what they laid out and what they fetched: `larder` in the user's cache folder.
pub fn user_cache() -> Option<PathBuf> {
    Some(caches()?.join("larder"))
}

/// The blobs of remote stores that are kept there: 16 GiB at most, or what `LARDER_CACHE_SIZE` says.
///
/// # Errors
/// [`Error::Refused`] if that is no size, as [`parse_size`] reads them.
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
