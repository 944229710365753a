//! Values of Arrow as a serde deserializer: the inputs of a model.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use serde::de::value::{Error, MapAccessDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, IntoDeserializer as _, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use larder_collections::extend::value_text;

/// The fields of a row that a model reads.
#[derive(Clone, Copy)]
pub(crate) enum Inputs<'a> {
    /// The value of a column.
    Values(&'a ArrayRef),
    /// An object of several columns.
    Objects(&'a [(String, ArrayRef)], usize),
}

impl Inputs<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Values(column) => column.len(),
            Self::Objects(_, rows) => *rows,
        }
    }

    /// Returns the input of a row as JSON.
    pub(super) fn json(&self, row: usize) -> Value {
        match self {
            Self::Values(column) => larder_collections::value_of(column, row),
            Self::Objects(columns, _) => {
                let pairs = columns.iter().map(|(name, column)| {
                    (name.clone(), larder_collections::value_of(column, row))
                });
                Value::Object(pairs.collect())
            }
        }
    }
}

/// The inputs of some rows, as a sequence.
pub(super) struct Rows<'a> {
    pub(super) inputs: Inputs<'a>,
    pub(super) from: usize,
    pub(super) to: usize,
}

impl<'de> Deserializer<'de> for Rows<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> SeqAccess<'de> for Rows<'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if self.from >= self.to {
            return Ok(None);
        }
        let row = self.from;
        self.from += 1;
        match self.inputs {
            Inputs::Values(column) => seed.deserialize(Cell { array: column, at: row }),
            Inputs::Objects(columns, _) => {
                let pairs = columns.iter().map(|(name, column)| (name.as_str(), column.as_ref()));
                seed.deserialize(MapAccessDeserializer::new(Object::new(pairs, row)))
            }
        }
        .map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.to - self.from)
    }
}

/// One value.
#[derive(Clone, Copy)]
struct Cell<'a> {
    array: &'a dyn Array,
    at: usize,
}

impl<'de> Deserializer<'de> for Cell<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        use DataType as D;
        let Self { array, at } = self;
        if array.is_null(at) {
            return visitor.visit_unit();
        }
        match array.data_type() {
            D::Boolean => visitor.visit_bool(array.as_boolean().value(at)),
            D::Int8 => visitor.visit_i8(array.as_primitive::<Int8Type>().value(at)),
            D::Int16 => visitor.visit_i16(array.as_primitive::<Int16Type>().value(at)),
            D::Int32 => visitor.visit_i32(array.as_primitive::<Int32Type>().value(at)),
            D::Int64 => visitor.visit_i64(array.as_primitive::<Int64Type>().value(at)),
            D::UInt8 => visitor.visit_u8(array.as_primitive::<UInt8Type>().value(at)),
            D::UInt16 => visitor.visit_u16(array.as_primitive::<UInt16Type>().value(at)),
            D::UInt32 => visitor.visit_u32(array.as_primitive::<UInt32Type>().value(at)),
            D::UInt64 => visitor.visit_u64(array.as_primitive::<UInt64Type>().value(at)),
            D::Float16 => visitor.visit_f32(array.as_primitive::<Float16Type>().value(at).to_f32()),
            D::Float32 => visitor.visit_f32(array.as_primitive::<Float32Type>().value(at)),
            D::Float64 => visitor.visit_f64(array.as_primitive::<Float64Type>().value(at)),
            D::Utf8 => visitor.visit_borrowed_str(array.as_string::<i32>().value(at)),
            D::Binary => visitor.visit_borrowed_bytes(array.as_binary::<i32>().value(at)),
            D::FixedSizeBinary(_) => {
                visitor.visit_borrowed_bytes(array.as_fixed_size_binary().value(at))
            }
            D::List(_) => {
                let list = array.as_list::<i32>();
                let offsets = list.value_offsets();
                visitor.visit_seq(Items::new(
                    list.values(),
                    offsets[at] as usize,
                    offsets[at + 1] as usize,
                ))
            }
            D::FixedSizeList(_, width) => {
                let list = array.as_fixed_size_list();
                let (from, width) = (list.value_offset(at) as usize, *width as usize);
                visitor.visit_seq(Items::new(list.values(), from, from + width))
            }
            D::Struct(fields) => {
                let columns = fields.iter().zip(array.as_struct().columns());
                let pairs = columns.map(|(field, column)| (field.name().as_str(), column.as_ref()));
                visitor.visit_map(Object::new(pairs, at))
            }
            D::Map(..) => {
                let map = array.as_map();
                let offsets = map.value_offsets();
                visitor.visit_map(Entries {
                    keys: map.keys(),
                    values: map.values(),
                    from: offsets[at] as usize,
                    to: offsets[at + 1] as usize,
                })
            }
            // Times and decimals are texts, as in JSON.
            _ => visitor.visit_string(value_text(array, at)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.array.is_null(self.at) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.array.data_type() {
            DataType::Utf8 if self.array.is_valid(self.at) => {
                let variant = self.array.as_string::<i32>().value(self.at);
                variant.into_deserializer().deserialize_enum(name, variants, visitor)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The elements of a list.
struct Items<'a> {
    values: &'a dyn Array,
    from: usize,
    to: usize,
}

impl<'a> Items<'a> {
    fn new(values: &'a ArrayRef, from: usize, to: usize) -> Self {
        Self { values, from, to }
    }
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if self.from >= self.to {
            return Ok(None);
        }
        let at = self.from;
        self.from += 1;
        seed.deserialize(Cell { array: self.values, at }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.to - self.from)
    }
}

/// The fields of a row or a struct.
struct Object<'a, P> {
    pairs: P,
    at: usize,
    value: Option<&'a dyn Array>,
}

impl<'a, P: Iterator<Item = (&'a str, &'a dyn Array)>> Object<'a, P> {
    fn new(pairs: P, at: usize) -> Self {
        Self { pairs, at, value: None }
    }
}

impl<'de, P: Iterator<Item = (&'de str, &'de dyn Array)>> MapAccess<'de> for Object<'de, P> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some((name, value)) = self.pairs.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(serde::de::value::BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let value = self.value.take().ok_or_else(|| serde::de::Error::custom("no key was read"));
        seed.deserialize(Cell { array: value?, at: self.at })
    }
}

/// The entries of a map.
struct Entries<'a> {
    keys: &'a ArrayRef,
    values: &'a ArrayRef,
    from: usize,
    to: usize,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if self.from >= self.to {
            return Ok(None);
        }
        seed.deserialize(Cell { array: self.keys, at: self.from }).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let at = self.from;
        self.from += 1;
        seed.deserialize(Cell { array: self.values, at })
    }
}
