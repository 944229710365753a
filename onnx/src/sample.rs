//! Generated inputs, to try a model.

use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{IntoTensor as _, TValue, f16};

use super::dtype::DType;
use super::element::Element;
use super::interface::{Dim, Interface};

/// Maximum number of elements of an input.
const MAX_ELEMENTS: usize = 1 << 24;

/// The kind of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    Zero,
    /// Numbers from -1 to 1; integers 0 and 1.
    Small,
    /// Numbers from -10 to 10; integers from 0 to 9.
    Wide,
    /// Numbers from 1 to 3, which can be divisors, sizes and counts.
    Positive,
}

/// Values that are the same on every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// Returns the next number of SplitMix64.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn element<T: Element>(&mut self, fill: Fill) -> Option<T> {
        let (least, most, integers) = match fill {
            Fill::Zero => (0.0, 0.0, 0..1),
            Fill::Small => (-1.0, 1.0, 0..2),
            Fill::Wide => (-10.0, 10.0, 0..10),
            Fill::Positive => (1.0, 3.0, 1..4),
        };
        let bits = self.next();
        let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        let integer = integers.start + i128::from(bits >> 7) % (integers.end - integers.start);
        T::from_float(least + unit * (most - least))
            .or_else(|| T::from_integer(integer))
            .or_else(|| T::from_bool(integer % 2 == 1))
            .or_else(|| T::from_text(["", "a", "b", "1", "0.5", "word"][integer as usize % 6]))
    }

    fn tensor<T: Element>(&mut self, shape: &[usize], fill: Fill) -> Option<TValue> {
        let count: usize = shape.iter().product();
        let elements: Vec<T> = (0..count).map(|_| self.element(fill)).collect::<Option<_>>()?;
        Some(ArrayD::from_shape_vec(shape, elements).ok()?.into_tensor().into())
    }
}

/// Returns inputs with `rows` rows and `open` elements along the other open dimensions; `None` if they are too large.
pub(super) fn inputs(
    interface: &Interface,
    rows: usize,
    open: usize,
    fill: Fill,
    random: &mut Random,
) -> Option<Vec<TValue>> {
    let mut inputs = Vec::with_capacity(interface.inputs.len());
    for port in &interface.inputs {
        let size = |(axis, dim): (usize, &Dim)| match dim {
            Dim::Fixed(size) => usize::try_from(*size).ok(),
            Dim::Symbol(_) if axis == 0 && interface.by_rows => Some(rows),
            Dim::Symbol(_) => Some(open),
        };
        let shape: Vec<usize> = port.shape.iter().enumerate().map(size).collect::<Option<_>>()?;
        let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size))?;
        if count > MAX_ELEMENTS {
            return None;
        }
        macro_rules! of {
            ($($variant:ident($element:ty)),* $(,)?) => {
                match port.dtype.in_memory() { $(DType::$variant => random.tensor::<$element>(&shape, fill),)* _ => None }
            };
        }
        inputs.push(of! {
            Float16(f16), Float32(f32), Float64(f64),
            Int8(i8), Int16(i16), Int32(i32), Int64(i64),
            Uint8(u8), Uint16(u16), Uint32(u32), Uint64(u64),
            Bool(bool), String(String),
        }?);
    }
    Some(inputs)
}
