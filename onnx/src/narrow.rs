//! Element types that Rust lacks: `bfloat16`, and numbers of 8 and 4 bits.
//!
//! Their tensors hold `float32`, `int8` or `uint8`, which have all of their values.

use std::fmt;

use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::{TValue, Tensor, TractError};

use super::data::Data;
use super::dtype::DType;
use super::free::check_shape;
use super::interface::Port;

/// A floating-point format of 8 bits.
struct Float8 {
    mantissa_bits: i32,
    bias: i32,
    /// The greatest code of a finite number.
    greatest: u8,
    has_infinity: bool,
    /// True if -0 is NaN, and no other code is.
    is_unsigned_zero: bool,
}

impl Float8 {
    const fn of(dtype: DType) -> Option<Self> {
        let (mantissa_bits, bias, greatest, has_infinity, is_unsigned_zero) = match dtype {
            DType::Float8e4m3fn => (3, 7, 0x7e, false, false),
            DType::Float8e4m3fnuz => (3, 8, 0x7f, false, true),
            DType::Float8e5m2 => (2, 15, 0x7b, true, false),
            DType::Float8e5m2fnuz => (2, 16, 0x7f, false, true),
            _ => return None,
        };
        Some(Self { mantissa_bits, bias, greatest, has_infinity, is_unsigned_zero })
    }

    /// Returns the number of a code without its sign.
    fn magnitude(&self, code: u8) -> f32 {
        let scale = 1 << self.mantissa_bits;
        let (exponent, mantissa) = (i32::from(code) / scale, i32::from(code) % scale);
        let (exponent, mantissa) =
            if exponent == 0 { (1, mantissa) } else { (exponent, mantissa + scale) };
        mantissa as f32 * 2_f32.powi(exponent - self.bias - self.mantissa_bits)
    }

    fn decode(&self, code: u8) -> f32 {
        let (is_negative, code) = (code & 0x80 != 0, code & 0x7f);
        if self.is_unsigned_zero && is_negative && code == 0 {
            return f32::NAN;
        }
        let magnitude = match code {
            code if code <= self.greatest => self.magnitude(code),
            code if self.has_infinity && code == self.greatest + 1 => f32::INFINITY,
            _ => f32::NAN,
        };
        if is_negative { -magnitude } else { magnitude }
    }

    /// Rounds to the nearest number, and to the even code between two.
    fn round(&self, value: f32) -> Option<f32> {
        if value.is_nan() {
            return Some(value);
        }
        let magnitude = value.abs();
        if magnitude.is_infinite() {
            return self.has_infinity.then_some(value);
        }
        let above = (0..=self.greatest).find(|code| self.magnitude(*code) >= magnitude);
        let (greatest, below) = (self.magnitude(self.greatest), |code: u8| code.saturating_sub(1));
        let rounded = match above {
            Some(above) => {
                let (low, high) = (self.magnitude(below(above)), self.magnitude(above));
                match (magnitude - low).total_cmp(&(high - magnitude)) {
                    std::cmp::Ordering::Less => low,
                    std::cmp::Ordering::Equal if above % 2 == 1 => low,
                    _ => high,
                }
            }
            // Nearer to the greatest number than to the next, which the format lacks.
            None => {
                let step = greatest - self.magnitude(below(self.greatest));
                (magnitude - greatest < step / 2.0).then_some(greatest)?
            }
        };
        let unsigned = rounded == 0.0 && self.is_unsigned_zero;
        Some(if unsigned { 0.0 } else { rounded.copysign(value) })
    }
}

impl DType {
    /// Returns the type that tensors hold in memory.
    pub(super) fn in_memory(self) -> Self {
        match self {
            Self::Int4 => Self::Int8,
            Self::Uint4 => Self::Uint8,
            Self::Bfloat16 => Self::Float32,
            _ if Float8::of(self).is_some() => Self::Float32,
            _ => self,
        }
    }

    /// Returns true for a type that is another in memory.
    pub(super) fn is_narrow(self) -> bool {
        self.in_memory() != self
    }

    /// Converts ONNX's number of a narrow type.
    pub(super) fn narrow_of(number: i32) -> Option<Self> {
        Some(match DataType::try_from(number).ok()? {
            DataType::Bfloat16 => Self::Bfloat16,
            DataType::Float8e4m3fn => Self::Float8e4m3fn,
            DataType::Float8e4m3fnuz => Self::Float8e4m3fnuz,
            DataType::Float8e5m2 => Self::Float8e5m2,
            DataType::Float8e5m2fnuz => Self::Float8e5m2fnuz,
            DataType::Uint4 => Self::Uint4,
            DataType::Int4 => Self::Int4,
            _ => return None,
        })
    }

    /// Rounds a float to the narrow type; `None` if it is out of range.
    pub(super) fn round(self, value: f32) -> Option<f32> {
        if let Some(float8) = Float8::of(self) {
            return float8.round(value);
        }
        if value.is_nan() || self != Self::Bfloat16 {
            return Some(value);
        }
        // To the nearest upper half; to the even one between two.
        let bits = value.to_bits();
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
        Some(f32::from_bits(rounded)).filter(|float| float.is_finite() || value.is_infinite())
    }

    /// Returns the integers of the narrow type.
    pub(super) fn integers(self) -> std::ops::RangeInclusive<i16> {
        match self {
            Self::Int4 => -8..=7,
            Self::Uint4 => 0..=15,
            _ => i16::MIN..=i16::MAX,
        }
    }

    fn decode(self, code: u16) -> f32 {
        match (Float8::of(self), code) {
            (Some(float8), _) => float8.decode(code as u8),
            (None, code) if self == Self::Bfloat16 => f32::from_bits(u32::from(code) << 16),
            (None, code) if self == Self::Int4 && code >= 8 => f32::from(code) - 16.0,
            (None, code) => f32::from(code),
        }
    }
}

impl Port {
    /// Rounds the elements from `from` on; returns their number.
    pub(super) fn round_floats(&self, all: &mut [f32], from: usize) -> Result<usize, String> {
        for element in all.get_mut(from..).unwrap_or_default() {
            *element = self.dtype.round(*element).ok_or_else(|| self.out_of_range(element))?;
        }
        Ok(all.len())
    }

    /// Checks the elements from `from` on; returns their number.
    pub(super) fn check_integers<T>(&self, all: &[T], from: usize) -> Result<usize, String>
    where
        T: Copy + Into<i16> + fmt::Display,
    {
        let integers = self.dtype.integers();
        let out = |element: &&T| !integers.contains(&(**element).into());
        match all.get(from..).unwrap_or_default().iter().find(out) {
            Some(element) => Err(self.out_of_range(element)),
            None => Ok(all.len()),
        }
    }

    fn out_of_range(&self, element: &dyn fmt::Display) -> String {
        format!("`{}`: {element} is out of range of {}", self.name, self.dtype)
    }

    /// Checks a value for this input, and rounds it.
    pub(super) fn check(&self, data: &mut Data) -> Result<(), String> {
        let is_of =
            |tensor: &TValue| DType::of(tensor.datum_type()) == Some(self.dtype.in_memory());
        let check = |tensor: &TValue| match is_of(tensor) {
            true => Ok(()),
            false => {
                let (dtype, found) = (self.dtype, tensor.datum_type());
                Err(format!("expected elements of {dtype}, found {found:?}"))
            }
        };
        match data {
            Data::Missing if self.optional => Ok(()),
            Data::Sequence(tensors) if self.sequence => tensors.iter().try_for_each(check),
            Data::Tensor(tensor) if !self.sequence => {
                check(tensor)?;
                check_shape(self, tensor.shape())?;
                if self.dtype.is_narrow() {
                    *tensor = self.rounded(tensor)?;
                }
                Ok(())
            }
            _ => Err(format!(
                "expected a {}",
                if self.sequence { "sequence of tensors" } else { "tensor" }
            )),
        }
    }

    fn rounded(&self, tensor: &TValue) -> Result<TValue, String> {
        let failed = |error: TractError| error.to_string();
        let plain = tensor.try_as_plain_ram().map_err(failed)?;
        match self.dtype.in_memory() {
            DType::Float32 => {
                let mut elements = plain.as_slice::<f32>().map_err(failed)?.to_vec();
                self.round_floats(&mut elements, 0)?;
                return Ok(Tensor::from_shape(tensor.shape(), &elements).map_err(failed)?.into());
            }
            DType::Int8 => self.check_integers(plain.as_slice::<i8>().map_err(failed)?, 0)?,
            _ => self.check_integers(plain.as_slice::<u8>().map_err(failed)?, 0)?,
        };
        Ok(tensor.clone())
    }
}

/// Reads a tensor of a narrow type.
pub(super) fn tensor(proto: &TensorProto, dtype: DType) -> Result<Tensor, String> {
    let sizes = proto.dims.iter().map(|size| usize::try_from(*size).ok());
    let shape: Option<Vec<usize>> = sizes.collect();
    let shape = shape.ok_or("its shape is not valid")?;
    let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
    let count = count.ok_or("its shape is not valid")?;
    let bytes: Vec<u8> = match dtype {
        _ if !proto.raw_data.is_empty() => proto.raw_data.clone(),
        DType::Bfloat16 => {
            proto.int32_data.iter().flat_map(|code| (*code as u16).to_le_bytes()).collect()
        }
        _ => proto.int32_data.iter().map(|code| *code as u8).collect(),
    };
    let mut codes: Vec<u16> = match dtype {
        DType::Bfloat16 => {
            bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
        }
        DType::Int4 | DType::Uint4 => {
            bytes.iter().flat_map(|byte| [byte & 15, byte >> 4]).map(u16::from).collect()
        }
        _ => bytes.iter().copied().map(u16::from).collect(),
    };
    // The last byte of an odd number of halves has one.
    if dtype.in_memory() != DType::Float32 && codes.len() == count + 1 {
        codes.pop();
    }
    if codes.len() != count {
        return Err(format!("it has {} elements, not {count}", codes.len()));
    }
    let values = codes.into_iter().map(|code| dtype.decode(code));
    let made = match dtype.in_memory() {
        DType::Int8 => {
            Tensor::from_shape(&shape, &values.map(|value| value as i8).collect::<Vec<_>>())
        }
        DType::Uint8 => {
            Tensor::from_shape(&shape, &values.map(|value| value as u8).collect::<Vec<_>>())
        }
        _ => Tensor::from_shape(&shape, &values.collect::<Vec<_>>()),
    };
    made.map_err(|error| error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::excessive_precision)]
mod tests {
    use super::*;

    const FLOATS: [DType; 4] =
        [DType::Float8e4m3fn, DType::Float8e4m3fnuz, DType::Float8e5m2, DType::Float8e5m2fnuz];

    #[test]
    fn every_code_rounds_to_itself() {
        for dtype in FLOATS {
            for code in 0..=255 {
                let value = dtype.decode(code);
                let rounded = dtype.round(value).unwrap();
                assert!(rounded == value || value.is_nan(), "{dtype} {code:#x}: {value}");
            }
        }
    }

    #[test]
    fn limits_are_those_of_the_specification() {
        let greatest = FLOATS.map(|dtype| (0..=127).map(move |code| dtype.decode(code)));
        let greatest = greatest.map(|all| all.filter(|it| it.is_finite()).fold(0.0, f32::max));
        assert_eq!(greatest, [448.0, 240.0, 57344.0, 57344.0]);
        assert_eq!(DType::Float8e4m3fn.decode(1), 2_f32.powi(-9));
        assert_eq!(DType::Float8e5m2fnuz.decode(1), 2_f32.powi(-17));
        assert_eq!(DType::Float8e5m2.round(f32::INFINITY), Some(f32::INFINITY));
        assert_eq!(DType::Float8e4m3fn.round(f32::INFINITY), None);
    }

    #[test]
    fn floats_round_to_the_nearest_and_between_two_to_the_even_one() {
        let round = |value| DType::Float8e4m3fn.round(value).unwrap();
        assert_eq!([1.05, 1.0625, 1.07, 1.1875].map(round), [1.0, 1.0, 1.125, 1.25]);
        assert_eq!(round(-463.9), -448.0);
        assert_eq!(DType::Float8e4m3fn.round(464.1), None);
        assert_eq!(DType::Bfloat16.round(1.004), Some(1.007_812_5));
        assert_eq!(DType::Bfloat16.round(1.003_906_25), Some(1.0));
        assert_eq!(DType::Bfloat16.round(f32::MAX), None);
    }
}
