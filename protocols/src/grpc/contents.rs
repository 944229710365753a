//! Elements of tensors in the fields of their type, from and to the bytes of the binary extension.

use bytes::Bytes;

use super::messages::Contents;
use crate::inference::tensor::DataType;

impl Contents {
    /// Returns the elements in little-endian bytes. `None` if some are in a field of another type, or out of range.
    pub(super) fn bytes(&self, datatype: DataType) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        macro_rules! fixed {
            ($field:ident, $of:ty) => {
                for element in &self.$field {
                    out.extend(<$of>::try_from(*element).ok()?.to_le_bytes());
                }
            };
        }
        let count = match datatype {
            DataType::Bool => {
                out.extend(self.bools.iter().map(|element| u8::from(*element)));
                self.bools.len()
            }
            DataType::Int8 => {
                fixed!(ints, i8);
                self.ints.len()
            }
            DataType::Int16 => {
                fixed!(ints, i16);
                self.ints.len()
            }
            DataType::Int32 => {
                fixed!(ints, i32);
                self.ints.len()
            }
            DataType::Int64 => {
                fixed!(longs, i64);
                self.longs.len()
            }
            DataType::Uint8 => {
                fixed!(uints, u8);
                self.uints.len()
            }
            DataType::Uint16 => {
                fixed!(uints, u16);
                self.uints.len()
            }
            DataType::Uint32 => {
                fixed!(uints, u32);
                self.uints.len()
            }
            DataType::Uint64 => {
                fixed!(ulongs, u64);
                self.ulongs.len()
            }
            DataType::Fp32 => {
                fixed!(floats, f32);
                self.floats.len()
            }
            DataType::Fp64 => {
                fixed!(doubles, f64);
                self.doubles.len()
            }
            DataType::Bytes => {
                for text in &self.strings {
                    out.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
                    out.extend_from_slice(text);
                }
                self.strings.len()
            }
            // The protocol has no field for them.
            DataType::Fp16 | DataType::Bf16 => return None,
        };
        (count == self.len()).then_some(out)
    }

    /// The number of elements in all fields.
    fn len(&self) -> usize {
        self.bools.len()
            + self.ints.len()
            + self.longs.len()
            + self.uints.len()
            + self.ulongs.len()
            + self.floats.len()
            + self.doubles.len()
            + self.strings.len()
    }

    /// Returns elements in little-endian bytes as a message. `None` for types without a field.
    pub(super) fn of(datatype: DataType, mut bytes: &[u8]) -> Option<Self> {
        let mut it = Self::default();
        macro_rules! fixed {
            ($field:ident, $of:ty) => {
                it.$field = bytes
                    .chunks_exact(size_of::<$of>())
                    .filter_map(|element| element.try_into().ok())
                    .map(|element| <$of>::from_le_bytes(element).into())
                    .collect()
            };
        }
        match datatype {
            DataType::Bool => it.bools = bytes.iter().map(|element| *element != 0).collect(),
            DataType::Int8 => fixed!(ints, i8),
            DataType::Int16 => fixed!(ints, i16),
            DataType::Int32 => fixed!(ints, i32),
            DataType::Int64 => fixed!(longs, i64),
            DataType::Uint8 => fixed!(uints, u8),
            DataType::Uint16 => fixed!(uints, u16),
            DataType::Uint32 => fixed!(uints, u32),
            DataType::Uint64 => fixed!(ulongs, u64),
            DataType::Fp32 => fixed!(floats, f32),
            DataType::Fp64 => fixed!(doubles, f64),
            DataType::Bytes => {
                while let Some((size, rest)) = bytes.split_first_chunk::<4>() {
                    let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*size) as usize)?;
                    it.strings.push(Bytes::copy_from_slice(text));
                    bytes = rest;
                }
            }
            DataType::Fp16 | DataType::Bf16 => return None,
        }
        Some(it)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn elements_go_to_bytes_and_back() {
        for (datatype, contents) in [
            (DataType::Bool, Contents { bools: vec![true, false], ..Contents::default() }),
            (DataType::Int8, Contents { ints: vec![-128, 127], ..Contents::default() }),
            (DataType::Int64, Contents { longs: vec![i64::MIN], ..Contents::default() }),
            (DataType::Uint16, Contents { uints: vec![65535], ..Contents::default() }),
            (DataType::Uint64, Contents { ulongs: vec![u64::MAX], ..Contents::default() }),
            (DataType::Fp32, Contents { floats: vec![0.1, -1.0], ..Contents::default() }),
            (DataType::Fp64, Contents { doubles: vec![f64::INFINITY], ..Contents::default() }),
            (
                DataType::Bytes,
                Contents { strings: vec!["é".into(), "".into()], ..Contents::default() },
            ),
        ] {
            let bytes = contents.bytes(datatype).unwrap();
            assert_eq!(Contents::of(datatype, &bytes), Some(contents), "{datatype:?}");
        }
    }

    #[test]
    fn elements_of_another_type_or_out_of_range_are_refused() {
        let ints = Contents { ints: vec![200], ..Contents::default() };
        assert_eq!(ints.bytes(DataType::Int8), None);
        assert_eq!(ints.bytes(DataType::Fp32), None);
        assert_eq!(ints.bytes(DataType::Fp16), None);
        let both = Contents { ints: vec![1], floats: vec![1.0], ..Contents::default() };
        assert_eq!(both.bytes(DataType::Int32), None);
        assert_eq!(Contents::of(DataType::Bytes, b"\xff\0\0\0a"), None);
    }
}
