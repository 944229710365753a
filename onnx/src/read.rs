//! Deserialization of inputs into the elements of tensors.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{IntoTensor, TValue, f16};

use super::data::Data;
use super::dtype::DType;
use super::free::FreeSeed;
use super::interface::{Dim, Interface, Port};
use super::nested::{Level, Shape, size_of};

/// Elements of one input, of all rows read.
pub(super) struct Buffer {
    shape: Shape,
    elements: Elements,
    /// Number of elements that are rounded to the port's type.
    rounded: usize,
    /// A sequence or an optional value.
    free: Option<Data>,
}

macro_rules! elements {
    ($($variant:ident($element:ty)),* $(,)?) => {
        enum Elements {
            $($variant(Vec<$element>),)*
        }

        impl Elements {
            fn new(dtype: DType) -> Self {
                match dtype.in_memory() {
                    $(DType::$variant => Self::$variant(Vec::new()),)*
                    // No type is this in memory.
                    _ => Self::Float32(Vec::new()),
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
                let Self { port, dims, buffer } = self;
                if !port.is_tensor() {
                    buffer.free = Some(FreeSeed(port).deserialize(deserializer)?);
                    return Ok(());
                }
                let Buffer { shape, elements, .. } = buffer;
                match elements {
                    $(Elements::$variant(elements) => {
                        Level { depth: 0, dims, shape, elements }.deserialize(deserializer)
                    })*
                }
            }
        }

        impl<'de> PortSeed<'_> {
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
                let Self { port, dims, buffer } = self;
                if !port.is_tensor() {
                    let given = FreeSeed(port).given(SeqAccessDeserializer::new(seq))?;
                    buffer.free = Some(given);
                    return Ok(());
                }
                let Buffer { shape, elements, .. } = buffer;
                match elements {
                    $(Elements::$variant(elements) => {
                        Level { depth: 0, dims, shape, elements }.visit_seq(seq)
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

impl Buffer {
    /// Rounds the elements that were read to a narrow type.
    fn round(&mut self, port: &Port) -> Result<(), String> {
        if !port.dtype.is_narrow() {
            return Ok(());
        }
        self.rounded = match &mut self.elements {
            Elements::Float32(all) => port.round_floats(all, self.rounded)?,
            Elements::Int8(all) => port.check_integers(all, self.rounded)?,
            Elements::Uint8(all) => port.check_integers(all, self.rounded)?,
            _ => 0,
        };
        Ok(())
    }
}

/// Reads one row of one input.
struct PortSeed<'a> {
    port: &'a Port,
    dims: &'a [Dim],
    buffer: &'a mut Buffer,
}

/// Rows of the same shape.
pub(super) struct Rows<'a> {
    interface: &'a Interface,
    buffers: Vec<Buffer>,
    count: usize,
    is_batch: bool,
}

impl<'a> Rows<'a> {
    /// Rows that are read one by one.
    pub(super) fn new(interface: &'a Interface) -> Self {
        let buffer = |port: &Port| {
            let sizes = vec![None; interface.row_shape(port).len()];
            let shape = Shape { sizes, is_batch: Some(false), ..Shape::default() };
            Buffer { shape, elements: Elements::new(port.dtype), rounded: 0, free: None }
        };
        let buffers = interface.inputs.iter().map(buffer).collect();
        Self { interface, buffers, count: 0, is_batch: false }
    }

    /// One row, or all rows as one tensor.
    pub(super) fn one_or_all(interface: &'a Interface) -> Self {
        let mut rows = Self::new(interface);
        for buffer in rows.buffers.iter_mut().filter(|_| interface.by_rows) {
            buffer.shape.may_be_batch = true;
            buffer.shape.is_batch = None;
        }
        rows
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Returns true if all rows were given as one tensor.
    pub(super) fn is_batch(&self) -> bool {
        self.is_batch
    }

    /// After one input, it is known what the others must be.
    fn tell_others(&mut self, at: usize) {
        let known = self.buffers.get(at).and_then(|buffer| buffer.shape.is_batch);
        for buffer in &mut self.buffers {
            buffer.shape.is_batch = buffer.shape.is_batch.or(known);
        }
    }

    /// Counts what was read; all inputs must have the same number of rows.
    fn finish<E: Error>(&mut self) -> Result<(), E> {
        let mut counts = Vec::with_capacity(self.buffers.len());
        for (port, buffer) in self.interface.inputs.iter().zip(&mut self.buffers) {
            buffer.round(port).map_err(E::custom)?;
            buffer.shape.settle(self.interface.row_shape(port));
            let is_batch = buffer.shape.is_batch == Some(true);
            counts.push(is_batch.then_some(buffer.shape.rows));
        }
        let first = counts.first().copied().flatten();
        if let Some(at) = counts.iter().position(|count| *count != first) {
            let name = |at: usize| self.interface.inputs.get(at).map_or("", |port| &port.name);
            return Err(E::custom(format_args!(
                "the inputs `{}` and `{}` have different numbers of rows",
                name(0),
                name(at)
            )));
        }
        self.is_batch = first.is_some();
        self.count += first.unwrap_or(1);
        Ok(())
    }

    /// Returns the inputs of the model.
    pub(super) fn into_values(self) -> Result<Vec<Data>, String> {
        let Self { interface, buffers, count, .. } = self;
        let value = |(port, buffer): (&Port, Buffer)| {
            if !port.is_tensor() {
                // Only an optional value may be left out.
                return Ok(buffer.free.unwrap_or(Data::Missing));
            }
            let rows = interface.by_rows.then_some(count);
            let dims = interface.row_shape(port);
            // In an empty array, only fixed sizes are known.
            let size = |axis| size_of(dims, &buffer.shape, axis).unwrap_or(0);
            let shape = rows.into_iter().chain((0..dims.len()).map(size)).collect();
            buffer.elements.tensor(shape).map(Data::Tensor)
        };
        interface.inputs.iter().zip(buffers).map(value).collect()
    }
}

/// Reads one row: an object keyed by input name, or the value of the only input.
pub(super) struct RowSeed<'r, 'a>(pub(super) &'r mut Rows<'a>);

impl RowSeed<'_, '_> {
    fn port(&mut self, at: usize) -> Option<PortSeed<'_>> {
        let Rows { interface, buffers, .. } = &mut *self.0;
        let port = interface.inputs.get(at)?;
        Some(PortSeed { port, dims: interface.row_shape(port), buffer: buffers.get_mut(at)? })
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
        if port.port.is_tensor() {
            port.deserialize(value.into_deserializer())?;
        } else {
            port.buffer.free = Some(FreeSeed(port.port).given(value.into_deserializer())?);
        }
        self.0.finish()
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
        self.0.finish()
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let inputs = &self.0.interface.inputs;
        let mut given = vec![false; inputs.len()];
        while let Some(name) = map.next_key::<String>()? {
            let at = inputs.iter().position(|port| port.name == name);
            let Some(((port, given), at)) =
                at.and_then(|at| self.port(at).zip(given.get_mut(at)).zip(Some(at)))
            else {
                let names: Vec<_> = inputs.iter().map(|port| format!("`{}`", port.name)).collect();
                let message = format_args!("unknown input `{name}`, expected {}", names.join(", "));
                return Err(A::Error::custom(message));
            };
            if std::mem::replace(given, true) {
                return Err(A::Error::custom(format_args!("duplicate input `{name}`")));
            }
            map.next_value_seed(port)?;
            self.0.tell_others(at);
        }
        let missing = inputs.iter().zip(&given).position(|(port, given)| !given && !port.optional);
        if let Some(missing) = missing {
            return Err(A::Error::custom(format_args!("missing input `{}`", inputs[missing].name)));
        }
        self.0.finish()
    }

    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        if !self.only().is_some_and(|port| port.port.optional) {
            return Err(E::invalid_type(Unexpected::Unit, &self));
        }
        self.0.finish()
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
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
