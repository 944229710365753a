//! The kinds that a program links.

use std::sync::OnceLock;

use super::{LinkedKind, RecordKey, RecordKind, foreign};
use crate::error::{Error, ItemKind, Result};

impl RecordKind {
    /// Lists the linked kinds, in the order of their prefixes.
    pub fn all() -> &'static [Self] {
        static KINDS: OnceLock<Vec<RecordKind>> = OnceLock::new();
        KINDS.get_or_init(|| {
            let mut kinds: Vec<Self> =
                inventory::iter::<LinkedKind>.into_iter().map(|linked| linked.0).collect();
            kinds.sort_by_key(|kind| kind.prefix);
            kinds
        })
    }

    /// Checks that no key can belong to two linked kinds.
    ///
    /// # Errors
    /// [`Error::Duplicate`] if the prefix of one begins with the prefix of another.
    pub fn check_linked() -> Result<()> {
        check_prefixes(Self::all())
    }

    /// Returns the kind of a key by its prefix.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a key of no linked kind.
    pub fn of(key: &RecordKey) -> Result<&'static Self> {
        let kind = Self::all().iter().find(|kind| key.as_str().starts_with(kind.prefix));
        kind.ok_or_else(|| foreign(key, "its key is of no known kind of record"))
    }
}

/// Checks kinds in the order of their prefixes: what begins with a prefix follows it.
fn check_prefixes(kinds: &[RecordKind]) -> Result<()> {
    let mut pairs = kinds.iter().zip(kinds.iter().skip(1));
    match pairs.find(|(first, second)| second.prefix.starts_with(first.prefix)) {
        Some((first, second)) => Err(Error::Duplicate {
            kind: ItemKind::Record,
            name: first.prefix.to_owned(),
            first: format!("`{}` ({})", first.name, first.shape),
            second: format!("`{}` ({})", second.name, second.shape),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &'static str, prefix: &'static str) -> RecordKind {
        RecordKind::new(name, prefix, prefix, |_| Ok(None), |_, _| Ok(()))
    }

    #[test]
    fn names_are_unique_and_no_prefix_begins_with_another() {
        assert!(RecordKind::check_linked().is_ok());
        for (at, kind) in RecordKind::all().iter().enumerate() {
            assert!(RecordKind::all()[at + 1..].iter().all(|other| kind.name != other.name));
            assert!(kind.shape.starts_with(kind.prefix), "{kind:?}");
        }
    }

    #[test]
    fn two_kinds_cannot_have_the_same_keys() {
        let of = |prefixes: [&'static str; 3]| prefixes.map(|prefix| kind("memo", prefix));
        assert!(check_prefixes(&of(["jobs/", "memos/", "notes/"])).is_ok());
        for prefixes in [["jobs/", "memos/", "memos/"], ["memos/", "memos/old/", "notes/"]] {
            let refused = check_prefixes(&of(prefixes));
            assert!(matches!(refused, Err(Error::Duplicate { name, .. }) if name == "memos/"));
        }
    }
}
