//! Encoding: maps whose entries can all be seen before the first is written.

use std::any::type_name;

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
    let mut keys = Keys::default();
    let mut is_sorted = true;
    for (at, (key, _)) in entries.iter().enumerate() {
        if key.serialize(SortKey(&mut keys.bytes)).is_err() {
            return Order::Unknown;
        }
        keys.ends.push(keys.bytes.len());
        is_sorted = is_sorted && (at == 0 || keys.get(at - 1) < keys.get(at));
    }
    if is_sorted {
        return Order::Sorted;
    }
    // Numbers are compared without a look elsewhere, and most keys differ soon after what all have in common.
    let common = keys.common();
    let mut sorted: Vec<_> = (0..entries.len()).map(|at| (keys.word(at, common), at)).collect();
    sorted.sort_unstable_by_key(|(word, _)| *word);
    for equal in sorted.chunk_by_mut(|a, b| a.0 == b.0).filter(|equal| equal.len() > 1) {
        equal.sort_unstable_by(|a, b| keys.get(a.1).cmp(keys.get(b.1)));
        // Which of two equal keys comes first depends on their encoding.
        if equal.windows(2).any(|pair| matches!(pair, [a, b] if keys.get(a.1) == keys.get(b.1))) {
            return Order::Unknown;
        }
    }
    Order::Of(sorted.into_iter().map(|(_, at)| at).collect())
}

/// The sort keys of entries, one after the other.
#[derive(Default)]
struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    fn get(&self, at: usize) -> &[u8] {
        let end = |at: usize| self.ends.get(at).copied().unwrap_or_default();
        let start = at.checked_sub(1).map_or(0, end);
        self.bytes.get(start..end(at)).unwrap_or_default()
    }

    /// The number of bytes with which all keys begin.
    fn common(&self) -> usize {
        let first = self.get(0);
        (1..self.ends.len()).fold(first.len(), |common, at| {
            let pairs = first.iter().zip(self.get(at)).take(common);
            pairs.take_while(|(a, b)| a == b).count()
        })
    }

    /// The eight bytes of a key after the first `skipped`, as a number that sorts like them.
    fn word(&self, at: usize, skipped: usize) -> u64 {
        let rest = self.get(at).get(skipped..).unwrap_or_default();
        let mut word = [0; 8];
        word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        u64::from_be_bytes(word)
    }
}

/// Gives out the entries in an order.
pub(super) fn reordered<T>(entries: Vec<T>, order: Vec<usize>) -> impl Iterator<Item = T> {
    let mut entries: Vec<Option<T>> = entries.into_iter().map(Some).collect();
    order.into_iter().filter_map(move |at| entries.get_mut(at).and_then(Option::take))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the keys in the order in which they are written, or `None` if it is unknown.
    fn written<K: Serialize + Clone>(keys: &[K]) -> Option<Vec<K>> {
        let entries: Vec<_> = keys.iter().map(|key| (key, ())).collect();
        match order(&entries) {
            Order::Sorted => Some(keys.to_vec()),
            Order::Of(order) => Some(reordered(keys.to_vec(), order).collect()),
            Order::Unknown => None,
        }
    }

    fn check<K: Serialize + Clone + Ord + std::fmt::Debug>(mut keys: Vec<K>) {
        let mut sorted = keys.clone();
        sorted.sort();
        for _ in 0..keys.len() {
            assert_eq!(written(&keys).as_ref(), Some(&sorted));
            keys.rotate_left(1);
        }
        keys.reverse();
        assert_eq!(written(&keys), Some(sorted));
    }

    #[test]
    fn keys_that_differ_late_or_only_in_length_are_sorted() {
        check(vec![
            "the start of all, b",
            "the start of all, a",
            "the start of all, ",
            "the start",
        ]);
        check(vec!["all: 12345678b", "all: 12345678a", "all: 12345678", "all: 1234567", "all: "]);
        check(vec!["a\0\0", "a", "a\0", "", "\0", "a\0b", "ab", "é", "z"]);
        check(vec![i64::MIN, -1, 0, 1, i64::MAX]);
        check((0..100_u32).map(|i| (i % 7, format!("{}", i * 7919 % 101))).collect());
    }

    #[test]
    fn equal_keys_have_no_order() {
        assert_eq!(written(&["b", "a", "a"]), None);
        assert_eq!(written(&["the same start: b", "the same start: a", "the same start: b"]), None);
    }
}
