//! Hints for items that are not linked in, submitted by crates above core.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::error::{Error, ItemKind};

/// Hints for items that may not be linked in; submitted by [`hints!`](crate::hints).
#[doc(hidden)]
pub struct Hints(pub &'static [(ItemKind, &'static str, &'static str)]);

inventory::collect!(Hints);

/// Serializers that do not panic; submitted by [`trusted!`](crate::trusted).
#[doc(hidden)]
pub struct Trusted(pub &'static [&'static str]);

inventory::collect!(Trusted);

crate::trusted!(&["file"]);

/// Adds hints to the errors of items that are not linked in: a slice of `(ItemKind, name, hint)`.
///
/// For crates whose features or dependencies provide the items.
#[macro_export]
macro_rules! hints {
    ($hints:expr) => {
        const _: () = {
            use $crate::__private::inventory;
            inventory::submit! { $crate::__private::Hints($hints) }
        };
    };
}

/// Names serializers that do not panic and keep their format: they run without `catch_unwind`, and are not compared
/// with the larder's records. For the crates of this workspace.
#[doc(hidden)]
#[macro_export]
macro_rules! trusted {
    ($names:expr) => {
        const _: () = {
            use $crate::__private::inventory;
            inventory::submit! { $crate::__private::Trusted($names) }
        };
    };
}

/// The error for an item that is not linked in, with a hint where to get it.
pub(super) fn not_linked(
    kind: ItemKind,
    name: &str,
    needed_by: &str,
    origin: Option<&str>,
    known: impl Iterator<Item = impl ToString>,
) -> Error {
    let hints = inventory::iter::<Hints>().flat_map(|hints| hints.0);
    let hint = hints.into_iter().find(|(of, item, _)| *of == kind && *item == name);
    let hint = match (hint, origin) {
        (Some((_, _, hint)), _) => (*hint).to_owned(),
        (None, Some(origin)) => {
            format!("it was applied from the crate {origin}; link that crate in (`use … as _;`)")
        }
        (None, None) => "link in the crate that has it (`use … as _;`)".to_owned(),
    };
    Error::NotLinked {
        kind,
        name: name.to_owned(),
        needed_by: needed_by.to_owned(),
        hint,
        has_source: false,
        known: known.map(|name| name.to_string()).collect(),
    }
}

/// Returns whether the serializer never panics.
pub(crate) fn is_trusted(name: &str) -> bool {
    static NAMES: OnceLock<BTreeSet<&str>> = OnceLock::new();
    let names = || inventory::iter::<Trusted>().flat_map(|names| names.0).copied().collect();
    NAMES.get_or_init(names).contains(name)
}
