//! Users, tokens and grants, read from the larder at most once a second.
//!
//! Changes through this server take effect at once, changes by other processes within [`FRESH`].

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use larder_access::{Access, LarderAccess, Principal, Rules};
use larder_core::{Larder, Result};

/// The age at which something is read again.
const FRESH: Duration = Duration::from_secs(1);
/// The maximum number of tokens that are remembered.
const MOST_TOKENS: usize = 10_000;

/// The maximum number of paths that a principal is known to be allowed.
const MOST_ALLOWED: usize = 100;
/// The maximum length of a path that is kept for it.
const LONGEST_ALLOWED: usize = 200;

/// A principal and the rules of one moment. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Identity(Arc<Identified>);

/// A principal, and what it may do by the rules of one moment.
#[derive(Debug)]
pub(crate) struct Identified {
    pub(crate) principal: Principal,
    pub(crate) rules: Arc<Rules>,
    pub(crate) allowed: Allowed,
}

impl Deref for Identity {
    type Target = Identified;

    fn deref(&self) -> &Identified {
        &self.0
    }
}

/// The routes and the parts of their paths that the rules allowed: they would allow them again.
#[derive(Debug, Default)]
pub(crate) struct Allowed(Mutex<HashMap<Box<str>, Vec<usize>>>);

impl Allowed {
    /// Returns whether the route of that number was allowed.
    pub(crate) fn has(&self, route: usize, rest: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(rest).is_some_and(|routes| routes.contains(&route))
    }

    /// Keeps that the route of that number is allowed.
    pub(crate) fn add(&self, route: usize, rest: &str) {
        if rest.len() > LONGEST_ALLOWED {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_ALLOWED {
            known.clear();
        }
        known.entry(rest.into()).or_default().push(route);
    }
}

/// Users, tokens and grants of a larder.
#[derive(Debug)]
pub(crate) struct AccessCache {
    access: Access,
    known: Mutex<HashMap<blake3::Hash, (Instant, Identity)>>,
    /// The rules, which are the same for every token.
    rules: Mutex<Option<(Instant, Arc<Rules>)>>,
    /// Increased by each change, so that what was read before it is not kept.
    changes: AtomicU64,
}

impl AccessCache {
    pub(crate) fn new(larder: &Larder) -> Self {
        let (known, rules) = (Mutex::default(), Mutex::default());
        Self { access: larder.access(), known, rules, changes: AtomicU64::new(0) }
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
        let principal = authenticate(&self.access)?;
        let key = blake3::hash(token.as_bytes());
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Who comes for the first time may have been granted something a moment ago.
        let is_new = !lock().contains_key(&key);
        let (since, rules) = self.rules(before, is_new)?;
        let allowed = Allowed::default();
        let identity = Identity(Arc::new(Identified { principal, rules, allowed }));
        let mut known = lock();
        if self.changes.load(Ordering::SeqCst) == before {
            if known.len() >= MOST_TOKENS {
                known.clear();
            }
            known.insert(key, (read.min(since), identity.clone()));
        }
        Ok(identity)
    }

    /// Returns the rules and the time they were read, and reads them if they are not fresh or `must_read`. `before` is the number
    /// of changes when the caller began.
    fn rules(&self, before: u64, must_read: bool) -> Result<(Instant, Arc<Rules>)> {
        let lock = || self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read, rules)) = &*lock()
            && read.elapsed() < FRESH
            && !must_read
        {
            return Ok((*read, Arc::clone(rules)));
        }
        let read = Instant::now();
        let rules = Arc::new(self.access.rules()?);
        let mut kept = lock();
        if self.changes.load(Ordering::SeqCst) == before {
            *kept = Some((read, Arc::clone(&rules)));
        }
        Ok((read, rules))
    }

    /// Forgets everything, after a change.
    pub(crate) fn forget(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::SeqCst);
        known.clear();
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
