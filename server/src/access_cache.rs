//! Users, tokens and grants, read from the larder at most once a second.
//!
//! What this server changes holds at once; what another process changes, within [`FRESH`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use larder_access::{Access, LarderAccess, Principal, Rules};
use larder_core::{Larder, Result};

/// The age at which something is read again.
const FRESH: Duration = Duration::from_secs(1);
/// The maximum number of tokens that are remembered.
const MOST_TOKENS: usize = 10_000;

/// A principal and the rules of one moment.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) principal: Arc<Principal>,
    pub(crate) rules: Arc<Rules>,
}

/// Users, tokens and grants of a larder.
#[derive(Debug)]
pub(crate) struct AccessCache {
    access: Access,
    known: Mutex<HashMap<blake3::Hash, (Instant, Identity)>>,
    /// Increased by each change, so that what was read before it is not kept.
    changes: AtomicU64,
}

impl AccessCache {
    pub(crate) fn new(larder: &Larder) -> Self {
        let (known, changes) = (Mutex::default(), AtomicU64::new(0));
        Self { access: larder.access(), known, changes }
    }

    /// Returns the owner of a token, if it was read a moment ago.
    pub(crate) fn recent(&self, token: &str) -> Option<Identity> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, identity) = known.get(&blake3::hash(token.as_bytes()))?;
        (read.elapsed() < FRESH).then(|| identity.clone())
    }

    /// Reads the owner of a token and the rules. Blocks.
    pub(crate) fn read(&self, token: &str) -> Result<Identity> {
        self.read_by(token, |access| access.authenticate(token))
    }

    /// Reads the owner of a token, by `authenticate`, and the rules. Blocks.
    pub(crate) fn read_by(
        &self,
        token: &str,
        authenticate: impl FnOnce(&Access) -> Result<Principal>,
    ) -> Result<Identity> {
        let before = self.changes.load(Ordering::SeqCst);
        let read = Instant::now();
        let principal = Arc::new(authenticate(&self.access)?);
        let identity = Identity { principal, rules: Arc::new(self.access.rules()?) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if self.changes.load(Ordering::SeqCst) == before {
            if known.len() >= MOST_TOKENS {
                known.clear();
            }
            known.insert(blake3::hash(token.as_bytes()), (read, identity.clone()));
        }
        Ok(identity)
    }

    /// Forgets everything, after a change.
    pub(crate) fn forget(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::SeqCst);
        known.clear();
    }
}
