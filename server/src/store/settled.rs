//! The outcomes of recent commits, for clients that lost the answer and send the commit again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_store_http::protocol::CommitAnswer;

use crate::failure::Failure;

/// The maximum number of commits that are remembered.
const MOST: usize = 10_000;

/// The caller of a commit, and the commit's random id.
type Name = (String, u128);
/// `None` while the commit is being made.
type Outcome = Arc<Mutex<Option<CommitAnswer>>>;

/// The outcomes of recent commits.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    outcomes: HashMap<Name, Outcome>,
    order: VecDeque<Name>,
}

impl Settled {
    /// Makes a commit, or repeats its outcome. A second sender waits for the first. A failure is not an outcome.
    pub(super) fn once(
        &self,
        who: &str,
        id: u128,
        make: impl FnOnce() -> Result<CommitAnswer, Failure>,
    ) -> Result<CommitAnswer, Failure> {
        let outcome = self.outcome((who.to_owned(), id));
        let mut outcome = locked(&outcome);
        if let Some(answer) = *outcome {
            return Ok(answer);
        }
        let answer = make()?;
        *outcome = Some(answer);
        Ok(answer)
    }

    fn outcome(&self, name: Name) -> Outcome {
        let mut recent = locked(&self.recent);
        if let Some(outcome) = recent.outcomes.get(&name) {
            return outcome.clone();
        }
        if recent.order.len() >= MOST
            && let Some(oldest) = recent.order.pop_front()
        {
            recent.outcomes.remove(&oldest);
        }
        let outcome = Outcome::default();
        recent.order.push_back(name.clone());
        recent.outcomes.insert(name, outcome.clone());
        outcome
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_commit_is_made_once_however_often_and_soon_it_is_sent() {
        let (settled, made) = (Settled::default(), AtomicUsize::new(0));
        let send = |who: &str, id| {
            let answer = settled.once(who, id, || {
                thread::sleep(Duration::from_millis(30));
                let at = made.fetch_add(1, Ordering::SeqCst);
                Ok(CommitAnswer::Conflict { at, made: 0 })
            });
            answer.unwrap()
        };
        let answers: Vec<_> = thread::scope(|scope| {
            let send = &send;
            let senders: Vec<_> = (0..8).map(|_| scope.spawn(move || send("ann", 7))).collect();
            senders.into_iter().map(|sender| sender.join().unwrap()).collect()
        });
        assert_eq!(answers, [CommitAnswer::Conflict { at: 0, made: 0 }; 8]);
        assert_eq!(send("ben", 7), CommitAnswer::Conflict { at: 1, made: 0 }, "another one's");
    }

    #[test]
    fn a_failure_is_tried_again_and_old_outcomes_are_forgotten() {
        let settled = Settled::default();
        let failed = settled.once("ann", 1, || Err(Failure::unavailable("no store")));
        assert!(failed.is_err());
        assert_eq!(settled.once("ann", 1, || Ok(CommitAnswer::All)).unwrap(), CommitAnswer::All);
        for id in 2..=MOST as u128 + 1 {
            settled.once("ann", id, || Ok(CommitAnswer::All)).unwrap();
        }
        let recent = locked(&settled.recent);
        assert_eq!((recent.outcomes.len(), recent.order.len()), (MOST, MOST));
        assert!(!recent.outcomes.contains_key(&("ann".to_owned(), 1)));
    }
}
