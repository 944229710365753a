//! The keys of a write, each of which is there once.

use std::collections::{HashMap, HashSet};

use super::{Key, KeyColumn, KeyRef};
use crate::schema::{Misfit, Misfits};

/// The keys of the rows of one write so far.
///
/// Keys that ascend throughout, the usual order, are not kept.
#[derive(Default)]
pub(crate) struct KeySet {
    /// The first 16 bytes of the digests of keys, once some do not ascend.
    seen: HashSet<[u8; 16]>,
    /// The largest key, while all ascend.
    largest: Option<Key>,
    is_mixed: bool,
}

impl KeySet {
    /// Returns true if the keys of the rows before must be [kept](Self::keep) first.
    pub(crate) fn needs_earlier(&self, keys: &KeyColumn) -> bool {
        !self.is_mixed && self.largest.is_some() && !self.ascends(keys)
    }

    fn ascends(&self, keys: &KeyColumn) -> bool {
        let is_after = |first| self.largest.as_ref().is_none_or(|before| before.borrowed() < first);
        keys.iter().next().flatten().is_some_and(is_after) && keys.ascends()
    }

    /// Keeps all keys from now on, whether they ascend or not.
    pub(crate) fn keep_all(&mut self) {
        self.is_mixed = true;
    }

    /// Keeps the keys of rows before.
    pub(crate) fn keep(&mut self, keys: &KeyColumn) {
        self.is_mixed = true;
        self.seen.extend(keys.iter().flatten().map(short));
    }

    /// Adds the keys of rows from `first` on; returns those that are null or not the first of their kind.
    pub(crate) fn add(&mut self, keys: &KeyColumn, first: u64, field: &str) -> Misfits {
        let mut misfits = Vec::new();
        if !self.is_mixed && self.ascends(keys) {
            self.largest = keys.get(keys.len() - 1).map(KeyRef::to_owned);
            return Misfits(misfits);
        }
        self.is_mixed = true;
        let mut here: HashMap<KeyRef<'_>, u64> = HashMap::new();
        for (row, key) in (first..).zip(keys.iter()) {
            let Some(key) = key else {
                misfits.push(Misfit::new(row, field, "null", "a key is never null"));
                continue;
            };
            let other = here.get(&key).copied();
            here.entry(key).or_insert(row);
            let is_new = self.seen.insert(short(key));
            if let Some(other) = other {
                misfits.push(Misfit::new(
                    row,
                    field,
                    key,
                    format!("row {} has the same key", other + 1),
                ));
            } else if !is_new {
                misfits.push(Misfit::new(row, field, key, "an earlier row has the same key"));
            }
        }
        Misfits(misfits)
    }
}

fn short(key: KeyRef<'_>) -> [u8; 16] {
    let mut short = [0; 16];
    key.with_bytes(|bytes| short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]));
    short
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array};

    use super::*;

    #[test]
    fn keys_that_do_not_ascend_are_found_twice_in_one_batch_and_over_several() {
        let keys = |keys: &[i64]| {
            KeyColumn::of(&(Arc::new(Int64Array::from(keys.to_vec())) as ArrayRef)).unwrap()
        };
        let mut seen = KeySet::default();
        assert!(seen.add(&keys(&[1, 2, 5]), 0, "id").0.is_empty());
        assert!(seen.add(&keys(&[6]), 3, "id").0.is_empty());
        let later = keys(&[8, 7]);
        assert!(seen.needs_earlier(&later));
        for earlier in [&[1, 2, 5][..], &[6]] {
            seen.keep(&keys(earlier));
        }
        assert!(seen.add(&later, 4, "id").0.is_empty());
        assert_eq!(seen.add(&keys(&[9, 2, 9]), 6, "id").0.len(), 2);
    }
}
