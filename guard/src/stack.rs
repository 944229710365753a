//! Room on the stack.

use std::cell::Cell;

/// Bytes of stack required before entering another level.
const RED_ZONE: usize = 256 * 1024;
/// Bytes of stack allocated at a time.
const SEGMENT: usize = 2 * 1024 * 1024;

/// The part of the stack that is known to have room for another level, as addresses.
///
/// Asking for the rest of the stack at each level would cost more than most levels do.
#[derive(Debug, Default)]
pub(crate) struct Room {
    low: Cell<usize>,
    high: Cell<usize>,
}

impl Room {
    /// Runs `run` on enough stack.
    #[inline]
    pub(crate) fn with<T>(&self, run: impl FnOnce() -> T) -> T {
        let at = address();
        if self.low.get() < at && at <= self.high.get() { run() } else { self.measured(at, run) }
    }

    #[cold]
    #[inline(never)]
    fn measured<T>(&self, at: usize, run: impl FnOnce() -> T) -> T {
        match stacker::remaining_stack() {
            Some(rest) if rest > RED_ZONE => {
                self.low.set(at.saturating_sub(rest - RED_ZONE));
                self.high.set(at);
                run()
            }
            _ => {
                let before = (self.low.get(), self.high.get());
                let result = stacker::grow(SEGMENT, run);
                self.low.set(before.0);
                self.high.set(before.1);
                result
            }
        }
    }
}

/// The address of the stack's end, roughly.
#[inline(always)]
fn address() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here).addr()
}

/// Runs `run` on enough stack, without a known [`Room`].
pub(crate) fn grown<T>(run: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, SEGMENT, run)
}
