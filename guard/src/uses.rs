//! References of an encoded value to other data, in the order of its bytes.
//!
//! The caller lists the data that a value refers to. The entries of a map are encoded in any order and sorted later; the
//! list is sorted with them.

use std::cell::RefCell;
use std::mem;
use std::ops::Range;

thread_local! {
    static USES: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Adds a use to the encoding that runs on this thread.
pub fn add(number: usize) {
    USES.with_borrow_mut(|uses| uses.push(number));
}

/// Runs an encoding, which may be part of another one. Returns its uses.
pub fn collect<R>(encode: impl FnOnce() -> R) -> (R, Vec<usize>) {
    /// Gives back the uses of the outer encoding, also on a panic.
    struct Outer(Vec<usize>);

    impl Drop for Outer {
        fn drop(&mut self) {
            USES.set(mem::take(&mut self.0));
        }
    }

    let _outer = Outer(USES.take());
    let result = encode();
    (result, USES.take())
}

pub(super) fn count() -> usize {
    USES.with_borrow(Vec::len)
}

/// Brings the uses into a new order; the ranges end the list.
pub(super) fn reorder(ranges: impl Iterator<Item = Range<usize>> + Clone) {
    USES.with_borrow_mut(|uses| {
        let Some(start) = ranges.clone().map(|range| range.start).min() else { return };
        let sorted: Vec<usize> =
            ranges.flat_map(|range| uses.get(range).unwrap_or_default().to_vec()).collect();
        uses.truncate(start);
        uses.extend(sorted);
    });
}
