//! Map keys as bytes that sort like the keys.

use std::fmt;

use serde::ser::{self, Serialize, Serializer};

use super::stack::grown;

/// Serializes a map key to bytes whose order is the one that `#[derive(Ord)]` gives: numbers by value, text by its
/// bytes, enums by the place of the variant, everything else part by part.
pub(super) struct SortKey<'a>(pub(super) &'a mut Vec<u8>);

#[derive(Debug)]
pub(super) struct NoKey;

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no key of a map")
    }
}

impl std::error::Error for NoKey {}

impl ser::Error for NoKey {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Comes before an element of a sequence; zero ends it.
const MORE: u8 = 1;

impl SortKey<'_> {
    fn inner<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoKey> {
        grown(|| value.serialize(SortKey(self.0)))
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for (at, part) in bytes.split(|byte| *byte == 0).enumerate() {
            if at > 0 {
                self.0.extend([0, u8::MAX]);
            }
            self.0.extend_from_slice(part);
        }
        self.0.extend([0, 0]);
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty, $number:ident => $key:expr;)*) => {
        $(fn $method(self, $number: $type) -> Result<(), NoKey> {
            self.0.extend(($key).to_be_bytes());
            Ok(())
        })*
    };
}

impl<'a> Serializer for SortKey<'a> {
    type Ok = ();
    type Error = NoKey;
    type SerializeSeq = Sequence<'a>;
    type SerializeTuple = SortKey<'a>;
    type SerializeTupleStruct = SortKey<'a>;
    type SerializeTupleVariant = SortKey<'a>;
    type SerializeMap = Sequence<'a>;
    type SerializeStruct = SortKey<'a>;
    type SerializeStructVariant = SortKey<'a>;

    numbers! {
        serialize_bool: bool, v => u8::from(v);
        serialize_u8: u8, v => v;
        serialize_u16: u16, v => v;
        serialize_u32: u32, v => v;
        serialize_u64: u64, v => v;
        serialize_u128: u128, v => v;
        serialize_i8: i8, v => v ^ i8::MIN;
        serialize_i16: i16, v => v ^ i16::MIN;
        serialize_i32: i32, v => v ^ i32::MIN;
        serialize_i64: i64, v => v ^ i64::MIN;
        serialize_i128: i128, v => v ^ i128::MIN;
        // Negative numbers sort below the others, and the other way round.
        serialize_f32: f32, v => if v.is_sign_negative() { !v.to_bits() } else { v.to_bits() | 1 << 31 };
        serialize_f64: f64, v => if v.is_sign_negative() { !v.to_bits() } else { v.to_bits() | 1 << 63 };
        serialize_char: char, v => u32::from(v);
    }

    fn serialize_str(mut self, v: &str) -> Result<(), NoKey> {
        self.bytes(v.as_bytes());
        Ok(())
    }

    fn serialize_bytes(mut self, v: &[u8]) -> Result<(), NoKey> {
        self.bytes(v);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), NoKey> {
        self.serialize_u8(0)
    }

    fn serialize_some<T: ?Sized + Serialize>(mut self, value: &T) -> Result<(), NoKey> {
        self.0.push(MORE);
        self.inner(value)
    }

    fn serialize_unit(self) -> Result<(), NoKey> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NoKey> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), NoKey> {
        self.serialize_u32(index)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        mut self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NoKey> {
        self.inner(value)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), NoKey> {
        self.0.extend(index.to_be_bytes());
        self.inner(value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Sequence<'a>, NoKey> {
        Ok(Sequence(self))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Sequence<'a>, NoKey> {
        Ok(Sequence(self))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, NoKey> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NoKey> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NoKey> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, NoKey> {
        self.0.extend(index.to_be_bytes());
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self, NoKey> {
        self.serialize_tuple_variant(name, index, variant, len)
    }

    // The bytes of an address sort better than its text.
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// A sequence or map in a key.
pub(super) struct Sequence<'a>(SortKey<'a>);

impl ser::SerializeSeq for Sequence<'_> {
    type Ok = ();
    type Error = NoKey;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), NoKey> {
        self.0.0.push(MORE);
        self.0.inner(value)
    }

    fn end(self) -> Result<(), NoKey> {
        self.0.0.push(0);
        Ok(())
    }
}

impl ser::SerializeMap for Sequence<'_> {
    type Ok = ();
    type Error = NoKey;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), NoKey> {
        self.0.0.push(MORE);
        self.0.inner(key)
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), NoKey> {
        self.0.inner(value)
    }

    fn end(self) -> Result<(), NoKey> {
        self.0.0.push(0);
        Ok(())
    }
}

macro_rules! parts {
    ($($trait:ident $method:ident ($($name:ident)?),)*) => {
        $(impl ser::$trait for SortKey<'_> {
            type Ok = ();
            type Error = NoKey;

            fn $method<T: ?Sized + Serialize>(
                &mut self,
                $($name: &'static str,)?
                value: &T,
            ) -> Result<(), NoKey> {
                $(let _ = $name;)?
                self.inner(value)
            }

            fn end(self) -> Result<(), NoKey> {
                Ok(())
            }
        })*
    };
}

parts! {
    SerializeTuple serialize_element (),
    SerializeTupleStruct serialize_field (),
    SerializeTupleVariant serialize_field (),
    SerializeStruct serialize_field (name),
    SerializeStructVariant serialize_field (name),
}
