//! Limits for code that may loop forever or overflow its stack.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Default stack size of a Rust thread.
pub const SMALL_STACK: usize = 2 << 20;

/// Runs `run` on a thread with a small stack. Returns its result if it ends within `time`.
///
/// # Panics
/// If `run` panics or does not end in time. A stack overflow aborts the process.
#[track_caller]
pub fn within_limits<R: Send + 'static>(
    time: Duration,
    run: impl FnOnce() -> R + Send + 'static,
) -> R {
    let (send, receive) = channel();
    let spawned = thread::Builder::new().stack_size(SMALL_STACK).spawn(move || {
        // Fails if the time is over and the receiver is gone.
        let _ = send.send(catch_unwind(AssertUnwindSafe(run)));
    });
    if let Err(error) = spawned {
        panic!("cannot start a thread: {error}");
    }
    match receive.recv_timeout(time) {
        Ok(Ok(answer)) => answer,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(RecvTimeoutError::Timeout) => panic!("it did not end within {time:?}"),
        Err(RecvTimeoutError::Disconnected) => panic!("its thread ended without an answer"),
    }
}
