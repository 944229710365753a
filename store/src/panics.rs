//! Panics in code from outside Larder, converted to errors.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::thread;

use crate::error::BoxError;

/// Runs code from outside Larder, and converts a panic to an error that begins with `what`.
///
/// The panic hook is not called: the error has the message, and callers decide what is printed. The hook of the program
/// still gets every other panic.
///
/// The caller must not use anything that `run` may have left in an inconsistent state.
///
/// # Errors
/// The panic, with its message.
pub fn catch_panic<T>(what: &str, run: impl FnOnce() -> T) -> Result<T, BoxError> {
    let caught = {
        let _here = CaughtHere::enter();
        catch_unwind(AssertUnwindSafe(run))
    };
    caught.map_err(|panic| format!("{what} panicked: {}", message(&*panic)).into())
}

/// Returns the text of a panic, without what Rust puts before the cause.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref().map(String::as_str)).unwrap_or("no message");
    text.strip_prefix("called `Result::unwrap()` on an `Err` value: ").unwrap_or(text)
}

thread_local! {
    /// The number of [`catch_panic`] calls that this thread is in.
    static CATCHING: Cell<usize> = const { Cell::new(0) };
}

/// While it lives, panics of this thread are caught.
struct CaughtHere;

impl CaughtHere {
    fn enter() -> Self {
        install_hook();
        CATCHING.set(CATCHING.get() + 1);
        Self
    }
}

impl Drop for CaughtHere {
    fn drop(&mut self) {
        CATCHING.set(CATCHING.get() - 1);
    }
}

/// Puts a hook before the one of the program, once. A hook that the program sets later takes its place.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    // A thread that panics cannot change the hook.
    if INSTALLED.is_completed() || thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let of_program = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // Thread-locals may be gone while a thread ends.
            let is_caught = CATCHING.try_with(|catching| catching.get() > 0).unwrap_or(false);
            if !is_caught {
                of_program(info);
            }
        }));
    });
}
