//! The sessions of a model.

use std::iter;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use larder_core::bytes::Bytes;
use ort::session::Session;

use super::open_model;

/// Maximum size of the files of a model's sessions but the first, in bytes for each core: each session has the parameters
/// again. One call of a larger model keeps all cores busy.
const MAX_PER_CORE: usize = 32 << 20;

/// The sessions of a model.
///
/// A session runs one call at a time. A call that finds all of them busy opens another one, up to one per core and to
/// [`MAX_PER_CORE`]; then it waits. All share the threads of the process.
pub(super) struct Sessions {
    first: Mutex<Session>,
    /// Sessions that are opened when those before them are busy.
    more: Vec<Mutex<Option<Session>>>,
    /// The model's file; empty if no more sessions may be opened.
    file: Bytes,
    /// True once a session could not be opened.
    has_failed: AtomicBool,
    /// Number of calls that found all sessions busy.
    waited: AtomicUsize,
}

impl Sessions {
    /// Begins with the first session of a file.
    pub(super) fn new(first: Session, file: &Bytes, cores: usize) -> Self {
        let more: Vec<_> =
            iter::repeat_with(Mutex::default).take(more(file.len(), cores)).collect();
        let file = if more.is_empty() { Bytes::new() } else { file.clone() };
        let (has_failed, waited) = (AtomicBool::new(false), AtomicUsize::new(0));
        Self { first: Mutex::new(first), more, file, has_failed, waited }
    }

    /// Runs a call, which must not panic, with a session of its own.
    pub(super) fn with<T>(&self, call: impl FnOnce(&mut Session) -> T) -> T {
        if let Some(mut session) = idle(&self.first) {
            return call(&mut session);
        }
        for slot in &self.more {
            let Some(mut slot) = idle(slot) else { continue };
            if slot.is_none() && !self.has_failed.load(Relaxed) {
                *slot = open_model(&self.file).ok().map(|opened| opened.session);
                // The file was opened before: something has run out.
                self.has_failed.store(slot.is_none(), Relaxed);
            }
            if let Some(session) = &mut *slot {
                return call(session);
            }
        }
        // Calls that wait are spread over all sessions.
        let turn = self.waited.fetch_add(1, Relaxed) % (self.more.len() + 1);
        if let Some(slot) = self.more.get(turn)
            && let Some(session) = &mut *lock(slot)
        {
            return call(session);
        }
        call(&mut lock(&self.first))
    }
}

/// Returns how many sessions a model may have but the first.
fn more(size: usize, cores: usize) -> usize {
    (cores.saturating_mul(MAX_PER_CORE) / size.max(1)).min(cores.saturating_sub(1))
}

fn lock<T>(slot: &Mutex<T>) -> MutexGuard<'_, T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks what no other call uses.
fn idle<T>(slot: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match slot.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::runtime::OnnxRuntime;

    const MODEL: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../models/tests/fixtures/digits_mlp.onnx");

    /// Sessions of a model; `None` without the library.
    fn sessions(cores: usize) -> Option<Sessions> {
        if let Err(error) = OnnxRuntime::find() {
            assert!(std::env::var_os("LARDER_ONNXRUNTIME").is_none(), "{error:?}");
            return None;
        }
        let file = Bytes::from(std::fs::read(MODEL).unwrap());
        Some(Sessions::new(open_model(&file).unwrap().session, &file, cores))
    }

    #[test]
    fn calls_beside_each_other_have_a_session_each() {
        let Some(sessions) = sessions(2) else { return };
        let name = |session: &mut Session| session.inputs()[0].name().to_owned();
        let both = sessions.with(|first| sessions.with(|second| [name(first), name(second)]));
        assert_eq!(both, ["X", "X"]);
    }

    #[test]
    fn a_call_waits_if_no_more_sessions_may_be_opened() {
        let Some(sessions) = sessions(1) else { return };
        assert_waits(&sessions);
    }

    #[test]
    fn a_call_waits_if_another_session_cannot_be_opened() {
        let Some(mut sessions) = sessions(2) else { return };
        sessions.file = Bytes::from_static(b"damaged");
        assert_waits(&sessions);
        assert!(sessions.has_failed.load(Relaxed));
    }

    /// A call waits for the first session, and runs then.
    fn assert_waits(sessions: &Sessions) {
        let (done, is_done) = mpsc::channel();
        thread::scope(|scope| {
            sessions.with(|_| {
                scope.spawn(|| sessions.with(|session| done.send(session.inputs().len()).unwrap()));
                while sessions.waited.load(Relaxed) == 0 {
                    thread::yield_now();
                }
                assert_eq!(is_done.try_recv(), Err(mpsc::TryRecvError::Empty));
            });
            assert_eq!(is_done.recv_timeout(Duration::from_secs(60)), Ok(1));
        });
    }

    #[test]
    fn large_models_have_fewer_sessions() {
        assert_eq!([more(0, 8), more(1 << 20, 8), more(69 << 20, 8)], [7, 7, 3]);
        assert_eq!([more(100 << 20, 2), more(1 << 20, 1), more(1 << 20, 0)], [0, 0, 0]);
    }
}
