//! Running code that may spin or use up its stack.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// The stack of a thread as Rust makes it unless told otherwise.
pub const SMALL_STACK: usize = 2 << 20;

/// Runs `run` on a thread with a small stack, and gives its answer if it ends within `time`.
///
/// # Panics
/// If `run` panics, with its panic, or if it does not end in time. A stack overflow ends the process.
#[track_caller]
pub fn within_limits<R: Send + 'static>(
    time: Duration,
    run: impl FnOnce() -> R + Send + 'static,
) -> R {
    let (send, receive) = channel();
    let spawned = thread::Builder::new().stack_size(SMALL_STACK).spawn(move || {
        // If nobody waits any more, the answer came too late.
        let _ = send.send(catch_unwind(AssertUnwindSafe(run)));
    });
    if let Err(error) = spawned {
        panic!("no thread could be started: {error}");
    }
    match receive.recv_timeout(time) {
        Ok(Ok(answer)) => answer,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(RecvTimeoutError::Timeout) => panic!("it did not end within {time:?}"),
        Err(RecvTimeoutError::Disconnected) => panic!("its thread ended without an answer"),
    }
}
