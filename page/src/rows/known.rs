//! Whether the larder has collections, for the navigation of every screen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use larder_core::{Larder, Result};
use larder_search::{Filter, LarderSearch, Query};
use larder_server::extend::Context;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::list::type_tag;

/// The time after which a larder with collections is looked through again, and one without.
const AGAIN: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(2)];
/// Looking takes at most this share of the time: a larder with many names and no collection is read to its end.
const SHARE: u32 = 20;
/// The time that a screen waits for the answer.
const PATIENCE: Duration = Duration::from_millis(100);

/// What this server knows.
#[derive(Default)]
struct Known(Mutex<State>);

#[derive(Default)]
struct State {
    has: bool,
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
            at.elapsed() >= AGAIN[usize::from(!state.has)].max(took.saturating_mul(SHARE))
        });
        let begins = is_due && !state.is_looking;
        state.is_looking |= begins;
        begins
    }

    fn end(&self, has: Result<bool>, took: Duration) {
        let mut state = self.lock();
        // What cannot be read now stays as it was.
        state.has = has.unwrap_or(state.has);
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
        let has = find(&larder);
        of.end(has, began.elapsed());
    });
    if !has(context) {
        let _ = timeout(PATIENCE, look).await;
    }
}

/// Returns whether the larder has collections, as far as is known.
pub(crate) fn has(context: &Context) -> bool {
    context.shared::<Known>().lock().has
}

/// Remembers that the larder has a collection.
pub(super) fn found(context: &Context) {
    context.shared::<Known>().lock().has = true;
}

fn find(larder: &Larder) -> Result<bool> {
    let query = Query::new().filter(Filter::has_type(&type_tag()?));
    let mut found = larder.search(&query)?;
    Ok(found.any(|found| found.is_ok()))
}
