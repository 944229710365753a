//! Files of folders over HTTP, for clients that know no digests of Larder: what they get is compared with its digest here.

mod names;
mod send;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use larder_core::Identifier;
use larder_core::manifest::Manifest;
use larder_core::store::{Digest, StoreExt};
use larder_files::TreeListing;
use larder_server::extend::{Context, Failure};

pub(crate) use self::names::names_after;
pub(crate) use self::send::send;

/// The most folders that are remembered: a client asks for one file after the other.
const MOST: usize = 8;

/// The folders that were read last.
#[derive(Debug, Default)]
pub(crate) struct Listings(Mutex<VecDeque<(Digest, Arc<TreeListing>)>>);

/// Returns the files of the version with this manifest, if it is a folder.
pub(crate) fn listing(
    context: &Context,
    name: &Identifier,
    manifest: &Digest,
) -> Result<Option<Arc<TreeListing>>, Failure> {
    let listings = context.shared::<Listings>();
    let Listings(recent) = &*listings;
    let lock = || recent.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, found)) = lock().iter().find(|(digest, _)| digest == manifest) {
        return Ok(Some(Arc::clone(found)));
    }
    let what = format!("the manifest of {name}@{}", manifest.short());
    let json = context.larder().store().get_checked(manifest, None, || what.clone())?;
    let Some(read) = TreeListing::of(&Manifest::from_json(&json, &what)?, &what)? else {
        return Ok(None);
    };
    let read = Arc::new(read);
    let mut recent = lock();
    recent.push_front((*manifest, Arc::clone(&read)));
    recent.truncate(MOST);
    Ok(Some(read))
}
