//! Deserialization of sequences and of optional values, whose tensors have any shape.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{IntoTensor as _, TValue, f16};

use super::data::Data;
use super::dtype::DType;
use super::element::{Element, Leaf};
use super::interface::{Dim, MAX_DIMS, Port};

/// Reads a value of a port.
#[derive(Clone, Copy)]
pub(super) struct FreeSeed<'a>(pub(super) &'a Port);

impl FreeSeed<'_> {
    /// Reads a value that is not missing.
    pub(super) fn given<'de, D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Data, D::Error> {
        let Self(port) = self;
        if port.sequence {
            return deserializer.deserialize_seq(Tensors(port.dtype)).map(Data::Sequence);
        }
        let tensor = OneTensor(port.dtype).deserialize(deserializer)?;
        check_shape(port, tensor.shape()).map_err(D::Error::custom)?;
        Ok(Data::Tensor(tensor))
    }
}

/// Checks the shape of a tensor of a port.
pub(super) fn check_shape(port: &Port, sizes: &[usize]) -> Result<(), String> {
    let fits = |(dim, size): (&Dim, &usize)| match dim {
        Dim::Fixed(fixed) => *fixed == *size as u64,
        Dim::Symbol(_) => true,
    };
    if port.shape.len() == sizes.len() && port.shape.iter().zip(sizes).all(fits) {
        return Ok(());
    }
    let dims: Vec<_> = port.shape.iter().map(Dim::to_string).collect();
    Err(format!("expected the shape [{}], found {sizes:?}", dims.join(", ")))
}

impl<'de> DeserializeSeed<'de> for FreeSeed<'_> {
    type Value = Data;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Data, D::Error> {
        if self.0.optional {
            deserializer.deserialize_option(self)
        } else {
            self.given(deserializer)
        }
    }
}

impl<'de> Visitor<'de> for FreeSeed<'_> {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value of `{}`, or nothing", self.0.name)
    }

    fn visit_none<E: Error>(self) -> Result<Data, E> {
        Ok(Data::Missing)
    }

    fn visit_unit<E: Error>(self) -> Result<Data, E> {
        Ok(Data::Missing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Data, D::Error> {
        self.given(deserializer)
    }
}

/// Reads tensors, each with its own shape.
struct Tensors(DType);

impl<'de> Visitor<'de> for Tensors {
    type Value = Vec<TValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a sequence of arrays of {}", self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut tensors = Vec::new();
        while let Some(tensor) = seq.next_element_seed(OneTensor(self.0))? {
            tensors.push(tensor);
        }
        Ok(tensors)
    }
}

/// Reads a tensor.
struct OneTensor(DType);

impl<'de> DeserializeSeed<'de> for OneTensor {
    type Value = TValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<TValue, D::Error> {
        macro_rules! read {
            ($($variant:ident($element:ty)),* $(,)?) => {
                match self.0 {
                    $(DType::$variant => {
                        let (mut shape, mut elements) = (FreeShape::default(), Vec::new());
                        let level = Level::<$element> {
                            depth: 0, shape: &mut shape, elements: &mut elements,
                        };
                        level.deserialize(deserializer)?;
                        let array = ArrayD::from_shape_vec(shape.sizes, elements);
                        Ok(array.map_err(D::Error::custom)?.into_tensor().into())
                    })*
                    other => Err(D::Error::custom(format_args!("{other} stands only in a tensor"))),
                }
            };
        }
        read! {
            Float16(f16), Float32(f32), Float64(f64),
            Int8(i8), Int16(i16), Int32(i32), Int64(i64),
            Uint8(u8), Uint16(u16), Uint32(u32), Uint64(u64),
            Bool(bool), String(String),
        }
    }
}

/// Shape of a tensor that is being read.
#[derive(Default)]
struct FreeShape {
    /// Sizes of the dimensions that were met.
    sizes: Vec<usize>,
    /// Number of dimensions that are complete at least once, from the last.
    rank: Option<usize>,
}

/// Reads an array at `depth`, or an element; appends to `elements`.
struct Level<'a, T> {
    depth: usize,
    shape: &'a mut FreeShape,
    elements: &'a mut Vec<T>,
}

impl<'de, T: Element> DeserializeSeed<'de> for Level<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T: Element> Level<'_, T> {
    fn push<E: Error>(self, element: Result<T, E>) -> Result<(), E> {
        if *self.shape.rank.get_or_insert(self.depth) != self.depth {
            return Err(E::invalid_type(Unexpected::Other("a single value"), &"an array"));
        }
        self.elements.push(element?);
        Ok(())
    }
}

macro_rules! element {
    ($($visit:ident($value:ty)),*) => {$(
        fn $visit<E: Error>(self, value: $value) -> Result<(), E> {
            self.push(Leaf(PhantomData).$visit(value))
        }
    )*};
}

impl<'de, T: Element> Visitor<'de> for Level<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of {}, or a {0}", T::NAME)
    }

    element! {
        visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_bool(bool), visit_str(&str)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Level { depth, shape, elements } = self;
        if depth == MAX_DIMS || shape.rank.is_some_and(|rank| depth >= rank) {
            return Err(A::Error::invalid_type(Unexpected::Seq, &T::NAME));
        }
        // The first array of a depth gives the size of the others.
        let expected = shape.sizes.get(depth).copied();
        if expected.is_none() {
            shape.sizes.push(0);
        }
        let mut found = 0;
        while expected.is_none_or(|expected| found <= expected) {
            let level = Level { depth: depth + 1, shape: &mut *shape, elements: &mut *elements };
            if seq.next_element_seed(level)?.is_none() {
                break;
            }
            found += 1;
        }
        match expected {
            Some(expected) if expected != found => Err(A::Error::custom(format_args!(
                "expected an array of {expected}, found {}",
                if found > expected { "more" } else { "fewer" }
            ))),
            _ => {
                if let Some(size) = shape.sizes.get_mut(depth) {
                    *size = found;
                }
                // Nothing is below an empty array.
                if found == 0 {
                    shape.rank.get_or_insert(depth + 1);
                }
                Ok(())
            }
        }
    }
}
