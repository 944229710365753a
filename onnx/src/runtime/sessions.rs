//! The sessions of a model.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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
    state: Mutex<State>,
    /// Notified when a session becomes idle.
    returned: Condvar,
    /// The model's file; empty if no more sessions may be opened.
    file: Bytes,
}

struct State {
    /// Sessions that run no call. The last one ran last, so its memory is in the caches.
    idle: Vec<Session>,
    /// How many more sessions may be opened.
    more: usize,
    /// Number of calls that wait for a session.
    waiting: usize,
}

impl Sessions {
    /// Begins with the first session of a file.
    pub(super) fn new(first: Session, file: &Bytes, cores: usize) -> Self {
        let more = more(file.len(), cores);
        let state = State { idle: vec![first], more, waiting: 0 };
        let file = if more > 0 { file.clone() } else { Bytes::new() };
        Self { state: Mutex::new(state), returned: Condvar::new(), file }
    }

    /// Runs a call, which must not panic, with a session of its own.
    pub(super) fn with<T>(&self, call: impl FnOnce(&mut Session) -> T) -> T {
        let mut session = self.take();
        let result = call(&mut session);
        let mut state = self.lock();
        state.idle.push(session);
        let is_awaited = state.waiting > 0;
        drop(state);
        if is_awaited {
            self.returned.notify_one();
        }
        result
    }

    fn take(&self) -> Session {
        let mut state = self.lock();
        loop {
            if let Some(session) = state.idle.pop() {
                return session;
            }
            if state.more > 0 {
                state.more -= 1;
                drop(state);
                if let Ok(opened) = open_model(&self.file) {
                    return opened.session;
                }
                // The file was opened before: something has run out.
                state = self.lock();
                state.more = 0;
                continue;
            }
            state.waiting += 1;
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how many sessions a model may have but the first.
fn more(size: usize, cores: usize) -> usize {
    (cores.saturating_mul(MAX_PER_CORE) / size.max(1)).min(cores.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::runtime::{OnnxRuntime, open_model};

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
        let names = |session: &mut Session| session.inputs()[0].name().to_owned();
        let both = sessions.with(|first| sessions.with(|second| [names(first), names(second)]));
        assert_eq!(both, ["X", "X"]);
        let state = sessions.lock();
        assert_eq!((state.idle.len(), state.more, state.waiting), (2, 0, 0));
    }

    #[test]
    fn a_call_waits_if_no_more_sessions_may_be_opened() {
        let Some(sessions) = sessions(1) else { return };
        let (done, is_done) = mpsc::channel();
        thread::scope(|scope| {
            sessions.with(|_| {
                scope.spawn(|| sessions.with(|_| done.send(()).unwrap()));
                while sessions.lock().waiting == 0 {
                    thread::yield_now();
                }
                assert!(is_done.try_recv().is_err());
            });
            is_done.recv_timeout(Duration::from_secs(60)).unwrap();
        });
        assert_eq!(sessions.lock().idle.len(), 1);
    }

    #[test]
    fn a_call_waits_if_another_session_cannot_be_opened() {
        let Some(mut sessions) = sessions(4) else { return };
        sessions.file = Bytes::from_static(b"damaged");
        thread::scope(|scope| {
            let waiting = sessions.with(|_| {
                let waiting = scope.spawn(|| sessions.with(|session| session.inputs().len()));
                while sessions.lock().waiting == 0 {
                    thread::yield_now();
                }
                waiting
            });
            assert_eq!(waiting.join().unwrap(), 1);
        });
        assert_eq!(sessions.lock().more, 0);
    }

    #[test]
    fn large_models_have_fewer_sessions() {
        assert_eq!([more(0, 8), more(1 << 20, 8), more(69 << 20, 8)], [7, 7, 3]);
        assert_eq!([more(100 << 20, 2), more(1 << 20, 1), more(1 << 20, 0)], [0, 0, 0]);
    }
}
