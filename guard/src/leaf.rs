//! Types that need no guard: numbers and text, which hold no other values.

use std::any::type_name;

/// Returns true for a number, `bool` or text, as an element of a sequence.
///
/// Such a value has no depth, and takes at least a byte in every format. A guard around each would cost several times
/// the encoding itself. Names of other types differ; a name that is not recognized costs only time.
#[inline]
pub(crate) fn is_leaf<T: ?Sized>() -> bool {
    matches!(
        strip(type_name::<T>()),
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

/// Returns true for a floating-point number.
#[inline]
pub(crate) fn is_float<T: ?Sized>() -> bool {
    matches!(strip(type_name::<T>()), "f32" | "f64")
}

/// Returns the type of the value that `S`, the seed of a plain `Deserialize`, reads.
#[inline]
fn strip(name: &'static str) -> &'static str {
    let name = match name.strip_prefix("core::marker::PhantomData<") {
        Some(name) => name.strip_suffix('>').unwrap_or(name),
        None => name,
    };
    name.strip_prefix('&').unwrap_or(name)
}
