//! One tensor, and how a serde format keeps it.

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

/// From more bytes than this on, a tensor is a blob of its own in a serde format.
const MOST_INLINE: usize = 64 << 10;

/// A tensor: a dtype, a shape, and the elements in C order, little endian.
///
/// A tensor that was loaded reads its bytes when they are asked for, if they are a blob of their own.
/// A clone shares them.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    /// What dtype and shape ask for.
    byte_len: usize,
    data: Artifact<Data, RawBytes>,
}

/// A number that tensors are made of.
///
/// [`Tensor::as_slice`] lends it out of stored bytes; dtypes without a type in Rust (the 8-bit floats and
/// less) are read through [`Tensor::bytes`].
pub trait Element:
    TryFromBytes + IntoBytes + KnownLayout + Immutable + Copy + Send + Sync + 'static
{
    /// The dtype, whose size is this type's.
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
    /// A tensor of bytes, which are not copied if they begin where such elements may.
    ///
    /// # Errors
    /// [`Error::Refused`] if dtype and shape ask for another number of bytes.
    pub fn new(dtype: Dtype, shape: impl Into<Vec<usize>>, bytes: Bytes) -> Result<Self> {
        let data = Data::aligned(bytes, (dtype.bitsize() / 8).max(1));
        Self::of_data(dtype, shape.into(), data)
    }

    /// A tensor of elements, which are not copied.
    ///
    /// # Errors
    /// [`Error::Refused`] if the shape asks for another number of elements.
    pub fn from_vec<T: Element>(shape: impl Into<Vec<usize>>, elements: Vec<T>) -> Result<Self> {
        Self::of_data(T::DTYPE, shape.into(), Data::of(elements))
    }

    fn of_data(dtype: Dtype, shape: Vec<usize>, data: Data) -> Result<Self> {
        let given = data.bytes().len();
        let refused = |reason| Error::Refused {
            action: format!("make the tensor {}", describe(dtype, &shape)),
            reason,
        };
        match byte_len(dtype, &shape) {
            Ok(byte_len) if byte_len == given => {
                Ok(Self { dtype, shape, byte_len, data: Artifact::new(data) })
            }
            Ok(byte_len) => Err(refused(format!("it has {byte_len} bytes, not {given}"))),
            Err(reason) => Err(refused(reason)),
        }
    }

    /// A tensor of as many elements as the shape asks for.
    pub(super) fn of_elements<T: Element>(shape: Vec<usize>, elements: Vec<T>) -> Self {
        let data = Data::of(elements);
        let byte_len = data.bytes().len();
        Self { dtype: T::DTYPE, shape, byte_len, data: Artifact::new(data) }
    }

    /// What the elements are.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// How many there are in each dimension; none for a single number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many bytes there are. Nothing is read.
    pub fn byte_len(&self) -> usize {
        self.byte_len
    }

    /// Whether the bytes are in memory or mapped: they were made here, or asked for.
    pub fn is_read(&self) -> bool {
        self.data.is_decoded()
    }

    /// The elements' bytes.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the stored bytes are not those that were written, [`Error::Decode`] if there
    /// are not as many as dtype and shape ask for.
    pub fn bytes(&self) -> Result<&Bytes> {
        let bytes = self.data.get()?.bytes();
        if bytes.len() == self.byte_len {
            Ok(bytes)
        } else {
            let reason = format!("it has {} bytes, and its blob {}", self.byte_len, bytes.len());
            Err(self.unfit::<Bytes>(reason))
        }
    }

    /// The elements, in C order, without a copy.
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
    /// [`Error::Decode`] if the elements are not `T`; as [`bytes`](Tensor::bytes).
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        if self.dtype != T::DTYPE {
            let reason = format!("its elements are {}, not {}", self.dtype, T::DTYPE);
            return Err(self.unfit::<[T]>(reason));
        }
        let bytes = self.bytes()?;
        if bytes.is_empty() {
            // No bytes may lie anywhere.
            return Ok(&[]);
        }
        <[T]>::try_ref_from_bytes(bytes).map_err(|error| {
            self.unfit::<[T]>(match error {
                TryCastError::Alignment(_) => "its bytes are not aligned",
                TryCastError::Size(_) => "its bytes do not end with an element",
                TryCastError::Validity(_) => "a byte in it is neither 0 nor 1",
            })
        })
    }

    pub(super) fn unfit<T: ?Sized>(&self, reason: impl Into<BoxError>) -> Error {
        Error::Decode {
            what: self.to_string(),
            type_name: type_name::<T>().into(),
            path: String::new(),
            source: reason.into(),
        }
    }
}

impl<T: Element> From<Vec<T>> for Tensor {
    /// A tensor of one dimension; the elements are not copied.
    fn from(elements: Vec<T>) -> Self {
        Self::of_elements(vec![elements.len()], elements)
    }
}

/// How many bytes a tensor has.
pub(super) fn byte_len(dtype: Dtype, shape: &[usize]) -> Result<usize, String> {
    let elements = shape.iter().try_fold(1_usize, |product, &len| product.checked_mul(len));
    let bits = elements.and_then(|elements| elements.checked_mul(dtype.bitsize()));
    match bits {
        Some(bits) if bits.is_multiple_of(8) => Ok(bits / 8),
        Some(_) => Err("its last element ends inside a byte".into()),
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

/// What a serde format keeps of a tensor.
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
        // A format for people has no good way to write bytes.
        let data = if self.byte_len > MOST_INLINE || serializer.is_human_readable() {
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
            // Whether the blob has as many bytes is seen when it is read.
            StoredData::Blob(data) => {
                let byte_len = byte_len(dtype, &shape)
                    .map_err(|reason| format!("{}: {reason}", describe(dtype, &shape)))?;
                Ok(Self { dtype, shape, byte_len, data })
            }
        }
    }
}

/// A dtype by its name: its place among the others differs between versions of the crate `safetensors`.
fn read_dtype<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Dtype, D::Error> {
    let name = String::deserialize(deserializer)?;
    Dtype::deserialize(name.into_deserializer())
}
