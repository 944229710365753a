//! Map keys as the strings that JSON has for them.

use serde::ser::{self, Serialize, Serializer};

/// Serializes a map key to the string that `serde_json` writes for it; fails for a type that has none.
pub(super) struct KeyString;

#[derive(Debug)]
pub(super) struct NotString;

impl std::fmt::Display for NotString {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not text, an integer, a boolean or a character")
    }
}

impl std::error::Error for NotString {}

impl ser::Error for NotString {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! as_text {
    ($($method:ident($type:ty),)*) => {
        $(fn $method(self, v: $type) -> Result<String, NotString> {
            Ok(v.to_string())
        })*
    };
}

macro_rules! not_string {
    ($($method:ident($($type:ty),*),)*) => {
        $(fn $method(self, $(_: $type),*) -> Result<String, NotString> {
            Err(NotString)
        })*
    };
}

macro_rules! not_compound {
    ($($method:ident($($type:ty),*),)*) => {
        $(fn $method(self, $(_: $type),*) -> Result<ser::Impossible<String, NotString>, NotString> {
            Err(NotString)
        })*
    };
}

impl Serializer for KeyString {
    type Ok = String;
    type Error = NotString;
    type SerializeSeq = ser::Impossible<String, NotString>;
    type SerializeTuple = ser::Impossible<String, NotString>;
    type SerializeTupleStruct = ser::Impossible<String, NotString>;
    type SerializeTupleVariant = ser::Impossible<String, NotString>;
    type SerializeMap = ser::Impossible<String, NotString>;
    type SerializeStruct = ser::Impossible<String, NotString>;
    type SerializeStructVariant = ser::Impossible<String, NotString>;

    fn serialize_str(self, v: &str) -> Result<String, NotString> {
        Ok(v.to_owned())
    }

    as_text! {
        serialize_bool(bool),
        serialize_char(char),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128),
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<String, NotString> {
        Ok(variant.to_owned())
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<String, NotString> {
        value.serialize(self)
    }

    fn serialize_some<T: ?Sized + Serialize>(self, _: &T) -> Result<String, NotString> {
        Err(NotString)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<String, NotString> {
        Err(NotString)
    }

    not_string! {
        serialize_f32(f32),
        serialize_f64(f64),
        serialize_bytes(&[u8]),
        serialize_none(),
        serialize_unit(),
        serialize_unit_struct(&'static str),
    }

    not_compound! {
        serialize_seq(Option<usize>),
        serialize_tuple(usize),
        serialize_tuple_struct(&'static str, usize),
        serialize_tuple_variant(&'static str, u32, &'static str, usize),
        serialize_map(Option<usize>),
        serialize_struct(&'static str, usize),
        serialize_struct_variant(&'static str, u32, &'static str, usize),
    }
}
