//! The outputs of a model as a column of Arrow, without a tree in between.

use std::fmt::Display;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{Field as ArrowField, FieldRef};
use serde::ser::{Error as _, Impossible, Serialize, SerializeSeq, SerializeTuple, Serializer};
use serde_arrow::ArrayBuilder;

use larder_collections::FieldType;

/// Builds a column of the elements of one sequence.
pub(super) struct Sink {
    builder: ArrayBuilder,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct SinkError(String);

impl serde::ser::Error for SinkError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// What serde_arrow calls a record of one value.
#[derive(serde::Serialize)]
struct Record<'a, T: ?Sized> {
    value: &'a T,
}

impl Sink {
    pub(super) fn new(kind: &FieldType) -> Result<Self, SinkError> {
        let field: FieldRef = Arc::new(ArrowField::new("value", kind.arrow().clone(), true));
        let builder = ArrayBuilder::from_arrow(&[field]).map_err(SinkError::custom)?;
        Ok(Self { builder })
    }

    pub(super) fn finish(mut self) -> Result<ArrayRef, SinkError> {
        let arrays = self.builder.to_arrow().map_err(SinkError::custom)?;
        arrays.into_iter().next().ok_or_else(|| SinkError("no column was built".into()))
    }

    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SinkError> {
        // The rest of its message are names of its own.
        self.builder.push(Record { value }).map_err(|error| SinkError(error.to_string()))
    }
}

/// A sequence, element by element.
pub(super) struct Elements<'a>(&'a mut Sink);

impl SerializeSeq for Elements<'_> {
    type Ok = ();
    type Error = SinkError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SinkError> {
        self.0.push(value)
    }

    fn end(self) -> Result<(), SinkError> {
        Ok(())
    }
}

impl SerializeTuple for Elements<'_> {
    type Ok = ();
    type Error = SinkError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SinkError> {
        self.0.push(value)
    }

    fn end(self) -> Result<(), SinkError> {
        Ok(())
    }
}

fn no_sequence<T>() -> Result<T, SinkError> {
    Err(SinkError("the model's outputs are not a sequence".into()))
}

macro_rules! no_sequences {
    ($($method:ident($type:ty),)*) => {
        $(fn $method(self, _: $type) -> Result<(), SinkError> {
            no_sequence()
        })*
    };
}

impl<'a> Serializer for &'a mut Sink {
    type Ok = ();
    type Error = SinkError;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Elements<'a>;
    type SerializeTupleStruct = Impossible<(), SinkError>;
    type SerializeTupleVariant = Impossible<(), SinkError>;
    type SerializeMap = Impossible<(), SinkError>;
    type SerializeStruct = Impossible<(), SinkError>;
    type SerializeStructVariant = Impossible<(), SinkError>;

    no_sequences! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_f32(f32),
        serialize_f64(f64), serialize_char(char), serialize_str(&str), serialize_bytes(&[u8]),
        serialize_unit_struct(&'static str),
    }

    fn serialize_none(self) -> Result<(), SinkError> {
        no_sequence()
    }

    fn serialize_unit(self) -> Result<(), SinkError> {
        no_sequence()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), SinkError> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<(), SinkError> {
        no_sequence()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), SinkError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), SinkError> {
        no_sequence()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements<'a>, SinkError> {
        Ok(Elements(self))
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements<'a>, SinkError> {
        Ok(Elements(self))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, SinkError> {
        no_sequence()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, SinkError> {
        no_sequence()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, SinkError> {
        no_sequence()
    }

    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, SinkError> {
        no_sequence()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, SinkError> {
        no_sequence()
    }
}
