//! Encoding: maps whose entries can all be seen before the first is written.

use std::any::type_name;
use std::ops::Range;

use serde::ser::Serialize;

use super::flat::{is_float, is_leaf};
use super::sort_key::SortKey;

/// Returns true if `I`, which gives the entries of a map with keys of type `K`, gives them in the order of their sort keys.
#[inline]
pub(super) fn is_sorted_map<K, I>() -> bool {
    let name = type_name::<I>();
    name.trim_start_matches('&').starts_with("alloc::collections::btree::map::BTreeMap<")
        && is_leaf::<K>()
        && !is_float::<K>()
}

/// The order of a map's entries.
pub(super) enum Order {
    /// They are sorted.
    Sorted,
    /// They are to be written in this order.
    Of(Vec<usize>),
    /// Their sort keys do not tell.
    Unknown,
}

/// Returns the order in which entries are written.
pub(super) fn order<K: Serialize, V>(entries: &[(K, V)]) -> Order {
    let mut bytes = Vec::new();
    let mut keys: Vec<SortedEntry> = Vec::with_capacity(entries.len());
    let mut is_sorted = true;
    for (at, (key, _)) in entries.iter().enumerate() {
        let start = bytes.len();
        if key.serialize(SortKey(&mut bytes)).is_err() {
            return Order::Unknown;
        }
        let entry = SortedEntry::new(&bytes, start..bytes.len(), at);
        is_sorted &= keys.last().is_none_or(|last| last.compare(&entry, &bytes).is_lt());
        keys.push(entry);
    }
    if is_sorted {
        return Order::Sorted;
    }
    keys.sort_unstable_by(|a, b| a.compare(b, &bytes));
    // Which of two equal keys comes first depends on their encoding.
    if keys.windows(2).any(|pair| matches!(pair, [a, b] if a.compare(b, &bytes).is_eq())) {
        return Order::Unknown;
    }
    Order::Of(keys.into_iter().map(|entry| entry.at).collect())
}

/// An entry by its sort key, whose start is here for comparing without a look elsewhere.
struct SortedEntry {
    start: [u8; 16],
    key: Range<usize>,
    at: usize,
}

impl SortedEntry {
    fn new(bytes: &[u8], key: Range<usize>, at: usize) -> Self {
        let mut start = [0; 16];
        let given = bytes.get(key.clone()).unwrap_or_default();
        start.iter_mut().zip(given).for_each(|(to, from)| *to = *from);
        Self { start, key, at }
    }

    fn compare(&self, other: &Self, bytes: &[u8]) -> std::cmp::Ordering {
        let key = |entry: &Self| bytes.get(entry.key.clone()).unwrap_or_default();
        let start = |entry: &Self| u128::from_be_bytes(entry.start);
        start(self).cmp(&start(other)).then_with(|| key(self).cmp(key(other)))
    }
}

/// Gives out the entries in an order.
pub(super) fn reordered<T>(entries: Vec<T>, order: Vec<usize>) -> impl Iterator<Item = T> {
    let mut entries: Vec<Option<T>> = entries.into_iter().map(Some).collect();
    order.into_iter().filter_map(move |at| entries.get_mut(at).and_then(Option::take))
}
