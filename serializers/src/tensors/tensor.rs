//! One tensor, and its serde representation.

use std::any::type_name;
use std::fmt;

use half::{bf16, f16};
use larder_core::bytes::Bytes;
use larder_core::{Artifact, BoxError, Error, Result};
use safetensors::Dtype;
use serde::de::IntoDeserializer;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zerocopy::{Immutable, IntoBytes, KnownLayout, TryCastError, TryFromBytes};

use super::data::Data;
use crate::RawBytes;

/// Maximum size, in bytes, of a tensor that a serde format stores inline.
const MAX_INLINE: usize = 64 << 10;

/// Tensor: a dtype, a shape, and little-endian elements in C order.
///
/// A loaded tensor reads its blob on first use. Clones share the bytes.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    /// Size by dtype and shape, in bytes.
    byte_len: usize,
    data: Artifact<Data, RawBytes>,
}

/// Element type of tensors.
///
/// Dtypes without a Rust type, such as 8-bit floats, are read with [`Tensor::bytes`].
pub trait Element:
    TryFromBytes + IntoBytes + KnownLayout + Immutable + Copy + Send + Sync + 'static
{
    /// The dtype, of the same size as this type.
    const DTYPE: Dtype;
}

macro_rules! elements {
    ($($element:ty => $dtype:ident,)*) => {
        $(impl Element for $element {
            const DTYPE: Dtype = Dtype::$dtype;
        })*
    };
}

elements! {
    bool => BOOL,
    u8 => U8,
    i8 => I8,
    u16 => U16,
    i16 => I16,
    f16 => F16,
    bf16 => BF16,
    u32 => U32,
    i32 => I32,
    f32 => F32,
    [f32; 2] => C64,
    u64 => U64,
    i64 => I64,
    f64 => F64,
}

impl Tensor {
    /// Creates a tensor from bytes; copies them only if they are not aligned for the dtype.
    ///
    /// # Errors
    /// [`Error::Refused`] if dtype and shape need another number of bytes.
    pub fn new(dtype: Dtype, shape: impl Into<Vec<usize>>, bytes: Bytes) -> Result<Self> {
        let data = Data::aligned(bytes, (dtype.bitsize() / 8).max(1));
        Self::from_data(dtype, shape.into(), data)
    }

    /// Creates a tensor from elements, without a copy.
    ///
    /// # Errors
    /// [`Error::Refused`] if the shape needs another number of elements.
    pub fn from_vec<T: Element>(shape: impl Into<Vec<usize>>, elements: Vec<T>) -> Result<Self> {
        Self::from_data(T::DTYPE, shape.into(), Data::of(elements))
    }

    fn from_data(dtype: Dtype, shape: Vec<usize>, data: Data) -> Result<Self> {
        let len = data.bytes().len();
        let refused =
            |reason| Error::Refused { action: format!("make {}", describe(dtype, &shape)), reason };
        match byte_len(dtype, &shape) {
            Ok(byte_len) if byte_len == len => {
                Ok(Self { dtype, shape, byte_len, data: Artifact::new(data) })
            }
            Ok(byte_len) => Err(refused(format!("expected {byte_len} bytes, found {len}"))),
            Err(reason) => Err(refused(reason)),
        }
    }

    /// Creates a tensor; the shape must match the number of elements.
    pub(super) fn from_elements<T: Element>(shape: Vec<usize>, elements: Vec<T>) -> Self {
        let data = Data::of(elements);
        let byte_len = data.bytes().len();
        Self { dtype: T::DTYPE, shape, byte_len, data: Artifact::new(data) }
    }

    /// Returns the element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Returns the length of each dimension; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the size in bytes, without reading them.
    pub fn byte_len(&self) -> usize {
        self.byte_len
    }

    /// Returns true if the bytes are in memory or mapped.
    pub fn is_read(&self) -> bool {
        self.data.is_decoded()
    }

    /// Returns the bytes of the elements.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the blob does not match its digest, [`Error::Decode`] if its size does not match dtype
    /// and shape.
    pub fn bytes(&self) -> Result<&Bytes> {
        let bytes = self.data.get()?.bytes();
        if bytes.len() == self.byte_len {
            Ok(bytes)
        } else {
            let reason =
                format!("expected {} bytes, but its blob has {}", self.byte_len, bytes.len());
            Err(self.decode_error::<Bytes>(reason))
        }
    }

    /// Returns the elements in C order, without a copy.
    ///
    /// ```
    /// use larder_serializers::Tensor;
    ///
    /// let tensor = Tensor::from_vec([2, 2], vec![1.0_f32, 2.0, 3.0, 4.0])?;
    /// assert_eq!(tensor.as_slice::<f32>()?[3], 4.0);
    /// assert!(tensor.as_slice::<f64>().is_err());
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Decode`] if `T` has another dtype; as [`bytes`](Tensor::bytes).
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        if self.dtype != T::DTYPE {
            let reason = format!("its elements are {}, not {}", self.dtype, T::DTYPE);
            return Err(self.decode_error::<[T]>(reason));
        }
        let bytes = self.bytes()?;
        if bytes.is_empty() {
            // An empty slice may be unaligned.
            return Ok(&[]);
        }
        <[T]>::try_ref_from_bytes(bytes).map_err(|error| {
            self.decode_error::<[T]>(match error {
                TryCastError::Alignment(_) => "its bytes are not aligned",
                TryCastError::Size(_) => "its last element is incomplete",
                TryCastError::Validity(_) => "a boolean is neither 0 nor 1",
            })
        })
    }

    pub(super) fn decode_error<T: ?Sized>(&self, reason: impl Into<BoxError>) -> Error {
        Error::Decode {
            what: self.to_string(),
            type_name: type_name::<T>().into(),
            path: String::new(),
            source: reason.into(),
        }
    }
}

impl<T: Element> From<Vec<T>> for Tensor {
    /// Creates a one-dimensional tensor, without a copy.
    fn from(elements: Vec<T>) -> Self {
        Self::from_elements(vec![elements.len()], elements)
    }
}

/// Returns the size of a tensor, in bytes.
pub(super) fn byte_len(dtype: Dtype, shape: &[usize]) -> Result<usize, String> {
    let elements = shape.iter().try_fold(1_usize, |product, &len| product.checked_mul(len));
    let bits = elements.and_then(|elements| elements.checked_mul(dtype.bitsize()));
    match bits {
        Some(bits) if bits.is_multiple_of(8) => Ok(bits / 8),
        Some(_) => Err("its size is not a whole number of bytes".into()),
        None => Err("its size overflows".into()),
    }
}

fn describe(dtype: Dtype, shape: &[usize]) -> String {
    format!("a tensor {dtype} {shape:?}")
}

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe(self.dtype, &self.shape))
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {:?})", self.dtype, self.shape)
    }
}

/// Serde representation of a tensor.
#[derive(Deserialize)]
struct Stored {
    #[serde(deserialize_with = "read_dtype")]
    dtype: Dtype,
    shape: Vec<usize>,
    data: StoredData,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredData {
    Inline(Bytes),
    Blob(Artifact<Data, RawBytes>),
}

#[derive(Serialize)]
struct StoredRef<'a> {
    dtype: String,
    shape: &'a [usize],
    data: StoredDataRef<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum StoredDataRef<'a> {
    Inline(&'a Bytes),
    Blob(&'a Artifact<Data, RawBytes>),
}

impl Serialize for Tensor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Human-readable formats encode bytes poorly.
        let data = if self.byte_len > MAX_INLINE || serializer.is_human_readable() {
            StoredDataRef::Blob(&self.data)
        } else {
            StoredDataRef::Inline(self.bytes().map_err(S::Error::custom)?)
        };
        StoredRef { dtype: self.dtype.to_string(), shape: &self.shape, data }.serialize(serializer)
    }
}

impl TryFrom<Stored> for Tensor {
    type Error = String;

    fn try_from(Stored { dtype, shape, data }: Stored) -> Result<Self, String> {
        match data {
            StoredData::Inline(bytes) => {
                Self::new(dtype, shape, bytes).map_err(|error| error.to_string())
            }
            // The size of the blob is checked when it is read.
            StoredData::Blob(data) => {
                let byte_len = byte_len(dtype, &shape)
                    .map_err(|reason| format!("{}: {reason}", describe(dtype, &shape)))?;
                Ok(Self { dtype, shape, byte_len, data })
            }
        }
    }
}

/// Deserializes a dtype by name: the variant's index changes between versions of the crate `safetensors`.
fn read_dtype<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Dtype, D::Error> {
    let name = String::deserialize(deserializer)?;
    Dtype::deserialize(name.into_deserializer())
}
