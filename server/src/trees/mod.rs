//! Files of folders over HTTP, for clients that know no digests of Larder: what they get is compared with its digest here.

mod names;
mod send;

use larder_core::manifest::Manifest;
use larder_core::store::{Digest, StoreExt};
use larder_core::{Identifier, Larder};
use larder_files::TreeListing;

pub(crate) use self::names::names_after;
pub(crate) use self::send::send;
use crate::failure::Failure;

/// Returns the files of the version with this manifest, if it is a folder.
pub(crate) fn listing(
    larder: &Larder,
    name: &Identifier,
    manifest: &Digest,
) -> Result<Option<TreeListing>, Failure> {
    let what = format!("the manifest of {name}@{}", manifest.short());
    let json = larder.store().get_checked(manifest, None, || what.clone())?;
    Ok(TreeListing::of(&Manifest::from_json(&json, &what)?, &what)?)
}
