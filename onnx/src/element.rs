//! Deserialization of one tensor element.

use std::fmt;
use std::marker::PhantomData;

use larder_core::guard::words;
use serde::de::{DeserializeSeed, Deserializer, Error, Unexpected, Visitor};
use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{Datum, IntoTensor, Tensor, TractResult, f16};

/// A tensor element that can be deserialized.
pub trait Element: Datum {
    /// Name in JSON Schema and messages.
    #[doc(hidden)]
    const NAME: &'static str;

    #[doc(hidden)]
    fn from_integer(_: i128) -> Option<Self> {
        None
    }

    #[doc(hidden)]
    fn from_float(_: f64) -> Option<Self> {
        None
    }

    #[doc(hidden)]
    fn from_bool(_: bool) -> Option<Self> {
        None
    }

    #[doc(hidden)]
    fn from_text(_: &str) -> Option<Self> {
        None
    }

    /// Creates a tensor from a copy of the elements.
    #[doc(hidden)]
    fn tensor(shape: &[usize], elements: &[Self]) -> TractResult<Tensor> {
        Ok(ArrayD::from_shape_vec(shape, elements.to_vec())?.into_tensor())
    }
}

/// Copies elements as bytes.
macro_rules! copied {
    () => {
        fn tensor(shape: &[usize], elements: &[Self]) -> TractResult<Tensor> {
            Tensor::from_shape(shape, elements)
        }
    };
}

macro_rules! integers {
    ($($integer:ty: $name:literal),*) => {$(
        impl Element for $integer {
            const NAME: &'static str = $name;

            copied!();

            fn from_integer(value: i128) -> Option<Self> {
                Self::try_from(value).ok()
            }
        }
    )*};
}

integers!(i8: "int8", i16: "int16", i32: "int32", i64: "int64");
integers!(u8: "uint8", u16: "uint16", u32: "uint32", u64: "uint64");

/// Rejects numbers out of range.
macro_rules! floats {
    ($($float:ty: $name:literal, $from:expr;)*) => {$(
        impl Element for $float {
            const NAME: &'static str = $name;

            copied!();

            fn from_integer(value: i128) -> Option<Self> {
                Self::from_float(value as f64)
            }

            fn from_float(value: f64) -> Option<Self> {
                let float: fn(f64) -> Self = $from;
                // Only a number that is out of range becomes an infinity.
                Some(float(value)).filter(|float| float.is_finite() || !value.is_finite())
            }

            fn from_text(value: &str) -> Option<Self> {
                words::number(value).and_then(Self::from_float)
            }
        }
    )*};
}

floats! {
    f16: "float16", f16::from_f64;
    f32: "float32", |value| value as f32;
    f64: "float64", |value| value;
}

impl Element for bool {
    const NAME: &'static str = "bool";

    copied!();

    fn from_bool(value: bool) -> Option<Self> {
        Some(value)
    }
}

impl Element for String {
    const NAME: &'static str = "string";

    fn from_text(value: &str) -> Option<Self> {
        Some(value.to_owned())
    }
}

/// Deserializes one element.
pub(super) struct Leaf<T>(pub(super) PhantomData<T>);

impl<'de, T: Element> DeserializeSeed<'de> for Leaf<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T: Element> Visitor<'_> for Leaf<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {}", T::NAME)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        T::from_integer(value.into())
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        T::from_integer(value.into())
            .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        T::from_float(value).ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        T::from_bool(value).ok_or_else(|| E::invalid_type(Unexpected::Bool(value), &self))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<T, E> {
        T::from_text(value).ok_or_else(|| E::invalid_type(Unexpected::Str(value), &self))
    }
}
