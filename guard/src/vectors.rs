//! Vectors of numbers: their bytes are taken and given as a whole.
//!
//! serde hands over one number after the other, which takes several times as long as the bytes themselves.

use std::any::type_name;

use castaway::cast;
use zerocopy::IntoBytes;

use super::block::Numbers;

/// Lists each type of number: what a block of it is, and the narrower blocks that may stand for it.
macro_rules! each_type {
    ($do:ident) => {
        $do!(u8, U8;);
        $do!(u16, U16; u8 U8);
        $do!(u32, U32; u8 U8, u16 U16);
        $do!(u64, U64; u8 U8, u16 U16, u32 U32);
        $do!(i8, I8;);
        $do!(i16, I16; i8 I8);
        $do!(i32, I32; i8 I8, i16 I16);
        $do!(i64, I64; i8 I8, i16 I16, i32 I32);
        $do!(f32, F32;);
        $do!(f64, F64;);
    };
}

/// Returns the numbers of a value that is a vector of them, in the byte order of blocks.
#[inline]
pub(super) fn numbers_of<T: ?Sized>(value: &T) -> Option<(Numbers, &[u8])> {
    if cfg!(target_endian = "big") {
        return None;
    }
    macro_rules! bytes_of {
        ($type:ident, $numbers:ident; $($narrow:ident $narrower:ident),*) => {
            if let Ok(vector) = cast!(value, &Vec<$type>) {
                return Some((Numbers::$numbers, vector.as_bytes()));
            }
        };
    }
    each_type!(bytes_of);
    None
}

/// Returns true for vectors of the same numbers, bit by bit.
pub(super) fn are_same<T: ?Sized>(one: &T, two: &T) -> bool {
    numbers_of(one).zip(numbers_of(two)).is_some_and(|(one, two)| one == two)
}

/// Returns the vector of numbers that the visitor `V` would make of a block, if it is the one of a vector.
///
/// `None` if it is another visitor, or if the block holds other numbers than the vector.
#[inline]
pub(super) fn read<V, T>(numbers: Numbers, bytes: &[u8]) -> Option<T> {
    // Another visitor may do more with the numbers than to collect them.
    if collects::<V>() { vector(numbers, bytes) } else { None }
}

/// Returns true if `V` is the visitor of serde's own `Deserialize` for vectors.
#[inline]
fn collects<V>() -> bool {
    let name = type_name::<V>();
    let is_serde = name.starts_with("serde_core::de::") || name.starts_with("serde::de::");
    is_serde && name.contains(" for alloc::vec::Vec<")
}

#[inline]
fn vector<T>(numbers: Numbers, bytes: &[u8]) -> Option<T> {
    let mut value: Option<T> = None;
    macro_rules! vector_of {
        ($type:ident, $numbers:ident; $($narrow:ident $narrower:ident),*) => {
            if let Ok(vector) = cast!(&mut value, &mut Option<Vec<$type>>) {
                *vector = match numbers {
                    Numbers::$numbers => Some(words(bytes, $type::from_le_bytes)),
                    $(Numbers::$narrower => {
                        Some(words(bytes, |word| $narrow::from_le_bytes(word).into()))
                    })*
                    _ => None,
                };
            }
        };
    }
    each_type!(vector_of);
    value
}

fn words<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|word| number(*word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether the visitor that reads a `T` collects.
    fn reader_collects<T: for<'de> serde::Deserialize<'de>>() -> bool {
        use serde::de::{Deserializer, Visitor};

        struct Asked(std::cell::Cell<bool>);

        impl<'de> Deserializer<'de> for &Asked {
            type Error = serde::de::value::Error;

            fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
                self.0.set(collects::<V>());
                Err(serde::de::Error::custom("no value"))
            }

            serde::forward_to_deserialize_any! {
                bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
                newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
            }
        }

        let asked = Asked(std::cell::Cell::default());
        drop(T::deserialize(&asked));
        asked.0.get()
    }

    #[test]
    fn vectors_are_told_from_other_sequences() {
        assert!(numbers_of(&vec![1_u8]).is_some());
        assert!(numbers_of(&vec![true]).is_none());
        assert!(numbers_of(&vec![Some(1_u8)]).is_none());
        assert!(numbers_of("text").is_none());
        // If a newer serde or compiler has another name for it, vectors are read slowly.
        assert!(reader_collects::<Vec<f32>>());
        assert!(!reader_collects::<std::collections::VecDeque<f32>>());
        assert!(!reader_collects::<[f32; 2]>());
    }

    #[test]
    fn narrow_blocks_become_wider_numbers_of_their_sign() {
        assert_eq!(vector::<Vec<i64>>(Numbers::I16, &[255, 255, 1, 0]), Some(vec![-1, 1]));
        assert_eq!(vector::<Vec<u64>>(Numbers::U8, &[255, 1]), Some(vec![255, 1]));
        assert_eq!(vector::<Vec<f32>>(Numbers::F32, &1.5_f32.to_le_bytes()), Some(vec![1.5]));
        // The visitor says what becomes of these.
        assert_eq!(vector::<Vec<i64>>(Numbers::U8, &[255, 1]), None);
        assert_eq!(vector::<Vec<u8>>(Numbers::U16, &[1, 0]), None);
        assert_eq!(vector::<Vec<f64>>(Numbers::F32, &1.5_f32.to_le_bytes()), None);
    }
}
