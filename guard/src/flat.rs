//! Types that need no guard of their own: numbers and text, and what has a fixed number of them.

use std::any::type_name;
use std::cell::Cell;

/// Returns true for a number, `bool` or text.
///
/// Such a value has no depth, and takes at least a byte in every format. A guard around each would cost several times
/// the encoding itself. Names of other types differ; a name that is not recognized costs only time.
#[inline(always)]
pub(crate) fn is_leaf<T: ?Sized>() -> bool {
    is_leaf_name(strip(type_name::<T>()))
}

/// Returns true for an `Option` of a leaf.
#[inline(always)]
pub(crate) fn is_optional_leaf<T: ?Sized>() -> bool {
    let name = strip(type_name::<T>()).strip_prefix(OPTION);
    name.and_then(|name| name.strip_suffix('>')).is_some_and(is_leaf_name)
}

/// Returns true for a floating-point number.
#[inline(always)]
pub(crate) fn is_float<T: ?Sized>() -> bool {
    matches!(strip(type_name::<T>()), "f32" | "f64")
}

const OPTION: &str = "core::option::Option<";

#[inline(always)]
fn is_leaf_name(name: &str) -> bool {
    matches!(
        name,
        "bool"
            | "i8"
            | "i16"
            | "i32"
            | "i64"
            | "isize"
            | "u8"
            | "u16"
            | "u32"
            | "u64"
            | "usize"
            | "f32"
            | "f64"
            | "char"
            | "str"
            | "alloc::string::String"
    )
}

/// Returns the type of the value that `S`, the seed of a plain `Deserialize`, reads.
#[inline(always)]
fn strip(name: &'static str) -> &'static str {
    let name = match name.strip_prefix("core::marker::PhantomData<") {
        Some(name) => name.strip_suffix('>').unwrap_or(name),
        None => name,
    };
    name.strip_prefix('&').unwrap_or(name)
}

/// Answers whether element types are flat: leaves, and options, tuples and arrays of flat types.
///
/// A value asks about few types again and again, so the answers are kept, by the address of the name.
#[derive(Debug, Default)]
pub(crate) struct FlatTypes([Cell<(&'static str, Option<usize>)>; SLOTS]);

const SLOTS: usize = 16;

impl FlatTypes {
    /// Returns the nesting depth of a flat type.
    #[inline]
    pub(crate) fn depth<T: ?Sized>(&self) -> Option<usize> {
        if is_leaf::<T>() {
            return Some(0);
        }
        let name = type_name::<T>();
        let slot = self.0.get((name.as_ptr().addr() / 8) % SLOTS)?;
        let (known, depth) = slot.get();
        if std::ptr::eq(known, name) {
            return depth;
        }
        let depth = flat_depth(strip(name));
        slot.set((name, depth));
        depth
    }
}

/// Returns the nesting depth of a flat type, of that name.
#[cold]
fn flat_depth(name: &str) -> Option<usize> {
    match parse(name)? {
        (depth, "") => Some(depth),
        _ => None,
    }
}

/// Returns the depth of the type at the start of `name`, and what follows it.
fn parse(name: &str) -> Option<(usize, &str)> {
    let name = name.strip_prefix('&').unwrap_or(name);
    if let Some(inner) = name.strip_prefix(OPTION) {
        // Formats may have one nil for both.
        if inner.starts_with(OPTION) {
            return None;
        }
        let (depth, rest) = parse(inner)?;
        return Some((depth + 1, rest.strip_prefix('>')?));
    }
    if let Some(mut rest) = name.strip_prefix('(') {
        let mut deepest = None;
        loop {
            if let Some(rest) = rest.strip_prefix(')') {
                return Some((deepest? + 1, rest));
            }
            let (depth, after) = parse(rest)?;
            deepest = deepest.max(Some(depth));
            rest = after.strip_prefix(',').map_or(after, |after| after.trim_start());
        }
    }
    if let Some(inner) = name.strip_prefix('[') {
        let (depth, rest) = parse(inner)?;
        let (len, rest) = rest.strip_prefix("; ")?.split_once(']')?;
        return (len != "0").then_some((depth + 1, rest));
    }
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c));
    let (leaf, rest) = name.split_at(end.unwrap_or(name.len()));
    is_leaf_name(leaf).then_some((0, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth<T>() -> Option<usize> {
        FlatTypes::default().depth::<T>()
    }

    #[test]
    fn flat_types_are_told_from_others() {
        assert_eq!(depth::<f32>(), Some(0));
        assert_eq!(depth::<&'static str>(), Some(0));
        assert_eq!(depth::<(f32, u8)>(), Some(1));
        assert_eq!(depth::<&(String,)>(), Some(1));
        assert_eq!(depth::<[(i64, Option<bool>); 3]>(), Some(3));
        assert_eq!(depth::<std::marker::PhantomData<[u16; 2]>>(), Some(1));
        assert_eq!(depth::<()>(), None);
        assert_eq!(depth::<[u8; 0]>(), None);
        assert_eq!(depth::<((), u8)>(), None);
        assert_eq!(depth::<Option<Option<u8>>>(), None);
        assert_eq!(depth::<Option<()>>(), None);
        assert_eq!(depth::<Vec<u8>>(), None);
        assert_eq!(depth::<(u8, Vec<u8>)>(), None);
        assert_eq!(depth::<(u8, i128)>(), None);
        assert_eq!(depth::<&[u8]>(), None);
    }

    #[test]
    fn options_of_leaves_are_recognized() {
        assert!(is_optional_leaf::<Option<u8>>());
        assert!(is_optional_leaf::<std::marker::PhantomData<Option<String>>>());
        assert!(!is_optional_leaf::<Option<Option<u8>>>());
        assert!(!is_optional_leaf::<u8>());
    }
}
