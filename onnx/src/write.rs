//! Serialization of outputs from the elements of tensors.

use larder_core::guard::words;
use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use tract_onnx::prelude::{Datum, TValue, f16};

use super::data::Data;
use super::dtype::DType;
use super::interface::Interface;

/// A tensor element that can be serialized.
pub trait Element: Datum {
    /// Writes the element; NaN and infinities as words if `words`, as floats into formats that have them.
    #[doc(hidden)]
    fn write<S: Serializer>(&self, words: bool, serializer: S) -> Result<S::Ok, S::Error>;
}

macro_rules! plain {
    ($($element:ty)*) => {$(
        impl Element for $element {
            fn write<S: Serializer>(&self, _: bool, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
        }
    )*};
}

plain!(i8 i16 i32 i64 u8 u16 u32 u64 bool String);

macro_rules! floats {
    ($($element:ty)*) => {$(
        impl Element for $element {
            fn write<S: Serializer>(&self, words: bool, serializer: S) -> Result<S::Ok, S::Error> {
                if self.is_finite() || !serializer.is_human_readable() {
                    return self.serialize(serializer);
                }
                match words::of_number((*self).into()).filter(|_| words) {
                    Some(word) => serializer.serialize_str(word),
                    None => Err(S::Error::custom("JSON cannot represent NaN or an infinity exactly")),
                }
            }
        }
    )*};
}

floats!(f32 f64);

impl Element for f16 {
    fn write<S: Serializer>(&self, words: bool, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_f32().write(words, serializer)
    }
}

/// Outputs of several rows.
pub(super) struct Outputs<'a> {
    pub(super) interface: &'a Interface,
    pub(super) values: Vec<Data>,
    pub(super) rows: usize,
    /// NaN and infinities are words in JSON; else they are an error.
    pub(super) words: bool,
}

impl<'a> Outputs<'a> {
    /// Returns the rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = impl Serialize + '_> {
        (0..self.rows).map(|row| Row { outputs: self, row })
    }
}

struct Row<'a> {
    outputs: &'a Outputs<'a>,
    row: usize,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Outputs { interface, values, words, .. } = self.outputs;
        let words = *words;
        let row = interface.by_rows.then_some(self.row);
        if let ([data], [port]) = (&values[..], &interface.outputs[..]) {
            return Item { data, row, keys: &port.keys, words }.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(values.len()))?;
        for (port, data) in interface.outputs.iter().zip(values) {
            map.serialize_entry(&port.name, &Item { data, row, keys: &port.keys, words })?;
        }
        map.end()
    }
}

/// One row of one output.
struct Item<'a> {
    data: &'a Data,
    /// `None` if the whole value is the row.
    row: Option<usize>,
    /// Names of the elements of the last dimension.
    keys: &'a [String],
    words: bool,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { data, row, keys, words } = *self;
        match data {
            Data::Tensor(tensor) => Part { tensor, row, keys, words }.serialize(serializer),
            Data::Sequence(tensors) => {
                let parts = tensors.iter().map(|tensor| Part { tensor, row: None, keys, words });
                serializer.collect_seq(parts)
            }
            Data::Missing => serializer.serialize_none(),
        }
    }
}

/// A tensor, or one row of it.
struct Part<'a> {
    tensor: &'a TValue,
    row: Option<usize>,
    keys: &'a [String],
    words: bool,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        macro_rules! part {
            ($($variant:ident($element:ty)),* $(,)?) => {
                match DType::of(self.tensor.datum_type()) {
                    $(Some(DType::$variant) => self.elements::<$element, S>(serializer),)*
                    _ => Err(S::Error::custom("an output has an unsupported element type")),
                }
            };
        }
        part! {
            Float16(f16), Float32(f32), Float64(f64),
            Int8(i8), Int16(i16), Int32(i32), Int64(i64),
            Uint8(u8), Uint16(u16), Uint32(u32), Uint64(u64),
            Bool(bool), String(String),
        }
    }
}

impl Part<'_> {
    fn elements<T: Element, S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = self.tensor.try_as_plain_ram().and_then(|plain| plain.as_slice::<T>());
        let all = plain.map_err(S::Error::custom)?;
        let shape = self.tensor.shape();
        let short = || S::Error::custom("an output has fewer rows than the input");
        let (shape, elements) = match self.row {
            None => (shape, all),
            Some(row) => {
                let shape = shape.get(1..).ok_or_else(short)?;
                let size = shape.iter().product::<usize>();
                (shape, all.get(row * size..(row + 1) * size).ok_or_else(short)?)
            }
        };
        Nested { shape, elements, keys: self.keys, words: self.words }.serialize(serializer)
    }
}

/// Elements of the remaining dimensions.
struct Nested<'a, T> {
    shape: &'a [usize],
    elements: &'a [T],
    keys: &'a [String],
    words: bool,
}

impl<T: Element> Serialize for Nested<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let keys = self.keys;
        match (self.shape, self.elements) {
            ([], [element]) => element.write(self.words, serializer),
            ([], _) => Err(S::Error::custom("an output has fewer elements than its shape")),
            ([size], elements) if *size == keys.len() && *size > 0 => {
                let mut map = serializer.serialize_map(Some(*size))?;
                for (key, element) in keys.iter().zip(elements) {
                    map.serialize_entry(
                        key,
                        &Nested {
                            shape: &[],
                            elements: std::slice::from_ref(element),
                            keys: &[],
                            words: self.words,
                        },
                    )?;
                }
                map.end()
            }
            ([size, shape @ ..], elements) => {
                let mut seq = serializer.serialize_seq(Some(*size))?;
                let step = shape.iter().product::<usize>();
                for at in 0..*size {
                    let elements = elements.get(at * step..(at + 1) * step).unwrap_or_default();
                    seq.serialize_element(&Nested { shape, elements, keys, words: self.words })?;
                }
                seq.end()
            }
        }
    }
}
