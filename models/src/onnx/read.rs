//! Deserialization of inputs into the elements of tensors.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{IntoTensor, TValue, f16};

use super::dtype::DType;
use super::element::{Element, Leaf};
use super::interface::{Dim, Interface, Port};

/// Reads an array of the outermost dimension; appends to `elements`.
struct Level<'a, T> {
    dims: &'a [Dim],
    /// Sizes of the row, once known: rows are not ragged.
    sizes: &'a mut [Option<usize>],
    elements: &'a mut Vec<T>,
}

impl<'de, T: Element> DeserializeSeed<'de> for Level<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.dims.is_empty() {
            self.elements.push(Leaf(PhantomData).deserialize(deserializer)?);
            return Ok(());
        }
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Element> Visitor<'de> for Level<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<_> = self.dims.iter().map(Dim::to_string).collect();
        write!(f, "an array of {} ({})", T::NAME, dims.join(" × "))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some(((dim, inner), (size, sizes))) =
            self.dims.split_first().zip(self.sizes.split_first_mut())
        else {
            return Err(A::Error::invalid_type(Unexpected::Seq, &T::NAME));
        };
        let expected = match (dim, *size) {
            (Dim::Fixed(fixed), _) => Some(usize::try_from(*fixed).unwrap_or(usize::MAX)),
            (Dim::Symbol(_), known) => known,
        };
        let mut found = 0;
        loop {
            // Allocates nothing for a stated length.
            let read = if inner.is_empty() {
                seq.next_element_seed(Leaf(PhantomData))?.map(|element| self.elements.push(element))
            } else {
                seq.next_element_seed(Level { dims: inner, sizes, elements: self.elements })?
            };
            if read.is_none() {
                break;
            }
            found += 1;
            if expected.is_some_and(|expected| found > expected) {
                break;
            }
        }
        if let Some(expected) = expected.filter(|expected| found != *expected) {
            let found = if found > expected { "more" } else { "fewer" };
            return Err(A::Error::custom(format_args!(
                "expected an array of {expected}, found {found}"
            )));
        }
        *size = Some(found);
        Ok(())
    }
}

/// Elements of one input, of all rows read.
pub(super) struct Buffer {
    /// Sizes of each row's dimensions.
    sizes: Vec<Option<usize>>,
    elements: Elements,
}

macro_rules! elements {
    ($($variant:ident($element:ty)),* $(,)?) => {
        enum Elements {
            $($variant(Vec<$element>),)*
        }

        impl Elements {
            fn new(dtype: DType) -> Self {
                match dtype {
                    $(DType::$variant => Self::$variant(Vec::new()),)*
                }
            }

            fn tensor(self, shape: Vec<usize>) -> Result<TValue, String> {
                match self {
                    $(Self::$variant(elements) => {
                        let array = ArrayD::from_shape_vec(shape, elements);
                        Ok(array.map_err(|error| error.to_string())?.into_tensor().into())
                    })*
                }
            }
        }

        impl<'de> DeserializeSeed<'de> for PortSeed<'_> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                let Self { dims, buffer: Buffer { sizes, elements } } = self;
                match elements {
                    $(Elements::$variant(elements) => {
                        Level { dims, sizes, elements }.deserialize(deserializer)
                    })*
                }
            }
        }

        impl<'de> PortSeed<'_> {
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
                let Self { dims, buffer: Buffer { sizes, elements } } = self;
                match elements {
                    $(Elements::$variant(elements) => {
                        Level { dims, sizes, elements }.visit_seq(seq)
                    })*
                }
            }
        }
    };
}

elements! {
    Float16(f16), Float32(f32), Float64(f64),
    Int8(i8), Int16(i16), Int32(i32), Int64(i64),
    Uint8(u8), Uint16(u16), Uint32(u32), Uint64(u64),
    Bool(bool), String(String),
}

/// Reads one row of one input.
struct PortSeed<'a> {
    dims: &'a [Dim],
    buffer: &'a mut Buffer,
}

/// Rows of the same shape.
pub(super) struct Rows<'a> {
    interface: &'a Interface,
    buffers: Vec<Buffer>,
    count: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn new(interface: &'a Interface) -> Self {
        let buffer = |port: &Port| Buffer {
            sizes: vec![None; interface.row_shape(port).len()],
            elements: Elements::new(port.dtype),
        };
        Self { interface, buffers: interface.inputs.iter().map(buffer).collect(), count: 0 }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Returns the inputs of the model.
    pub(super) fn into_tensors(self) -> Result<Vec<TValue>, String> {
        let Self { interface, buffers, count } = self;
        let tensor = |(port, buffer): (&Port, Buffer)| {
            let rows = interface.by_rows.then_some(count);
            // In an empty array, only fixed sizes are known.
            let size = |(dim, size): (&Dim, &Option<usize>)| match dim {
                Dim::Fixed(fixed) => usize::try_from(*fixed).unwrap_or(usize::MAX),
                Dim::Symbol(_) => size.unwrap_or(0),
            };
            let sizes = interface.row_shape(port).iter().zip(&buffer.sizes).map(size);
            buffer.elements.tensor(rows.into_iter().chain(sizes).collect())
        };
        interface.inputs.iter().zip(buffers).map(tensor).collect()
    }
}

/// Reads one row: an object keyed by input name, or the value of the only input.
pub(super) struct RowSeed<'r, 'a>(pub(super) &'r mut Rows<'a>);

impl RowSeed<'_, '_> {
    fn port(&mut self, at: usize) -> Option<PortSeed<'_>> {
        let Rows { interface, buffers, .. } = &mut *self.0;
        let dims = interface.row_shape(interface.inputs.get(at)?);
        Some(PortSeed { dims, buffer: buffers.get_mut(at)? })
    }

    /// Returns the only input, which may be given without an object.
    fn only(&mut self) -> Option<PortSeed<'_>> {
        if self.0.interface.inputs.len() == 1 { self.port(0) } else { None }
    }

    fn value<'de, E: Error>(
        mut self,
        value: impl IntoDeserializer<'de, E>,
        unexpected: Unexpected<'_>,
    ) -> Result<(), E> {
        let Some(port) = self.only().filter(|port| port.dims.is_empty()) else {
            return Err(E::invalid_type(unexpected, &self));
        };
        port.deserialize(value.into_deserializer())?;
        self.0.count += 1;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interface = self.0.interface;
        let name = |port: &Port| {
            let dims: Vec<_> = interface.row_shape(port).iter().map(Dim::to_string).collect();
            format!("`{}`: {} ({})", port.name, port.dtype, dims.join(" × "))
        };
        let names: Vec<_> = interface.inputs.iter().map(name).collect();
        if let [only] = &names[..] {
            return write!(f, "an array, or an object of {only}");
        }
        write!(f, "an object of {}", names.join(", "))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, seq: A) -> Result<(), A::Error> {
        let Some(port) = self.only() else {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        };
        port.visit_seq(seq)?;
        self.0.count += 1;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let inputs = &self.0.interface.inputs;
        let mut given = vec![false; inputs.len()];
        while let Some(name) = map.next_key::<String>()? {
            let at = inputs.iter().position(|port| port.name == name);
            let Some((port, given)) = at.and_then(|at| self.port(at).zip(given.get_mut(at))) else {
                let names: Vec<_> = inputs.iter().map(|port| format!("`{}`", port.name)).collect();
                let message = format_args!("unknown input `{name}`, expected {}", names.join(", "));
                return Err(A::Error::custom(message));
            };
            if std::mem::replace(given, true) {
                return Err(A::Error::custom(format_args!("duplicate input `{name}`")));
            }
            map.next_value_seed(port)?;
        }
        if let Some(missing) = given.iter().position(|given| !given) {
            return Err(A::Error::custom(format_args!("missing input `{}`", inputs[missing].name)));
        }
        self.0.count += 1;
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.value(value, Unexpected::Signed(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.value(value, Unexpected::Unsigned(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.value(value, Unexpected::Float(value))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.value(value, Unexpected::Bool(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.value(value, Unexpected::Str(value))
    }
}
