//! Whether the larder has collections that a user may read, for the navigation of every screen.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use larder_access::Resource;
use larder_core::store::Action;
use larder_core::{Identifier, Larder, Result};
use larder_search::{Filter, LarderSearch, Query};
use larder_server::extend::Context;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::list::type_tag;

/// The time after which a larder with collections is looked through again, and one without.
const AGAIN: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(2)];
/// Looking takes at most this share of the time: a larder with many names and no collection is read to its end.
const SHARE: u32 = 20;
/// Names of collections that are remembered.
const MOST: usize = 50;
/// The time that a screen waits for the answer.
const PATIENCE: Duration = Duration::from_millis(100);

/// What this server knows.
#[derive(Default)]
struct Known(Mutex<State>);

#[derive(Default)]
struct State {
    names: BTreeSet<Identifier>,
    is_looking: bool,
    /// When it was looked up last, and how long that took.
    looked: Option<(Instant, Duration)>,
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether it is time to look, and marks that somebody does.
    fn begin(&self) -> bool {
        let mut state = self.lock();
        let is_due = state.looked.is_none_or(|(at, took)| {
            at.elapsed()
                >= AGAIN[usize::from(state.names.is_empty())].max(took.saturating_mul(SHARE))
        });
        let begins = is_due && !state.is_looking;
        state.is_looking |= begins;
        begins
    }

    fn end(&self, names: Result<BTreeSet<Identifier>>, took: Duration) {
        let mut state = self.lock();
        // What cannot be read now stays as it was.
        if let Ok(names) = names {
            state.names = names;
        }
        state.looked = Some((Instant::now(), took));
        state.is_looking = false;
    }
}

/// Looks whether the larder has collections, unless that was done a short while ago. Waits a moment, if none is known.
pub(crate) async fn refresh(context: &Context) {
    let known = context.shared::<Known>();
    if !known.begin() {
        return;
    }
    let (larder, of) = (context.larder().clone(), Arc::clone(&known));
    // The thread goes on, whoever waits.
    let look = spawn_blocking(move || {
        let began = Instant::now();
        let names = find(&larder);
        of.end(names, began.elapsed());
    });
    if known.lock().names.is_empty() {
        let _ = timeout(PATIENCE, look).await;
    }
}

/// Returns whether the larder has collections that the user may read, as far as is known.
pub(crate) fn has(context: &Context) -> bool {
    let known = context.shared::<Known>();
    let names = known.lock().names.clone();
    let may_read = |name: &Identifier| context.may(Action::Read, &Resource::Name(name.clone()));
    // One of those that are not remembered may be readable.
    names.len() >= MOST || names.iter().any(may_read)
}

/// Remembers that a name is a collection.
pub(super) fn found(context: &Context, name: &Identifier) {
    let known = context.shared::<Known>();
    let mut state = known.lock();
    if state.names.len() < MOST && !state.names.contains(name) {
        state.names.insert(name.clone());
    }
}

/// Returns the first collections.
fn find(larder: &Larder) -> Result<BTreeSet<Identifier>> {
    let query = Query::new().filter(Filter::has_type(&type_tag()?));
    let found = larder.search(&query)?.filter_map(Result::ok);
    Ok(found.map(|hit| hit.version.identifier).take(MOST).collect())
}
