//! Telling the deployers of this process that deployments changed. Those of other processes see it when they look next.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Shared;

static DEPLOYERS: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// Adds a deployer that is told.
pub(super) fn add(deployer: &Arc<Shared>) {
    let mut deployers = DEPLOYERS.lock().unwrap_or_else(PoisonError::into_inner);
    deployers.retain(|known| known.strong_count() > 0);
    deployers.push(Arc::downgrade(deployer));
}

/// Lets all deployers look at their larders now.
pub(crate) fn tell() {
    let deployers = DEPLOYERS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    deployers.iter().filter_map(Weak::upgrade).for_each(|deployer| deployer.refresh());
}
