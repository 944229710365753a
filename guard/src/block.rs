//! Long runs of numbers as one block of bytes, in formats with extension values.

use std::borrow::Cow;
use std::fmt;
use std::mem::size_of;

use serde::ser::{self, Serialize, SerializeTuple as _, Serializer};

use super::flat::is_leaf;
use super::vectors;

/// Number of elements from which a run is a block.
pub(super) const LEAST: usize = 1 << 16;
/// Maximum bytes of a block, which may be in memory while it is encoded. Longer runs are sequences.
const MOST: usize = 1 << 30;

/// The numbers of a block, little endian. The value is the type of the extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub(super) enum Numbers {
    U8 = 16,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
    F32,
    F64,
}

impl Numbers {
    const ALL: [Self; 10] = [
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::F32,
        Self::F64,
    ];

    pub(super) fn of_type(number: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|numbers| *numbers as i8 == number)
    }

    pub(super) fn width(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Returns the numbers of that width, and of this sign.
    fn narrowed(self, width: usize) -> Self {
        let is_signed = matches!(self, Self::I8 | Self::I16 | Self::I32 | Self::I64);
        match (width, is_signed) {
            (1, false) => Self::U8,
            (2, false) => Self::U16,
            (4, false) => Self::U32,
            (1, true) => Self::I8,
            (2, true) => Self::I16,
            (4, true) => Self::I32,
            _ => self,
        }
    }
}

/// Returns true for a run of elements of type `T` that is written as a block.
#[inline]
pub(super) fn is_run<T>(len: usize) -> bool {
    is_run_of_numbers(len) && is_number::<T>()
}

#[inline]
fn is_run_of_numbers(len: usize) -> bool {
    len >= LEAST && len <= MOST / size_of::<u64>()
}

#[inline]
fn is_number<T>() -> bool {
    let name = std::any::type_name::<T>();
    let name = name.trim_start_matches('&');
    is_leaf::<T>() && !matches!(name, "bool" | "char" | "str" | "alloc::string::String")
}

/// A run of numbers. It is encoded as an extension value by the newtype struct `name`.
pub(super) struct Block<'a> {
    name: &'static str,
    numbers: Numbers,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Block<'a> {
    /// Returns the block of a vector of numbers that is long enough.
    #[inline]
    pub(super) fn of_vector<T: ?Sized>(name: &'static str, value: &'a T) -> Option<Self> {
        let (numbers, bytes) = vectors::numbers_of(value)?;
        let block = Self { name, numbers, bytes: Cow::Borrowed(bytes) };
        is_run_of_numbers(block.len()).then(|| block.narrowed())
    }

    /// Collects numbers.
    pub(super) fn of<T: Serialize>(
        name: &'static str,
        len: usize,
        items: impl Iterator<Item = T>,
    ) -> Result<Self, NotANumber> {
        let mut collector = Collector { len, numbers: None, bytes: Vec::new() };
        for item in items {
            item.serialize(&mut collector)?;
        }
        let Collector { numbers, bytes, .. } = collector;
        let numbers = numbers.ok_or(NotANumber)?;
        Ok(Self { name, numbers, bytes: Cow::Owned(bytes) }.narrowed())
    }

    /// Returns the number of elements.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() / self.numbers.width()
    }

    /// Writes integers in as few bytes as the greatest of them needs.
    fn narrowed(self) -> Self {
        match self.numbers {
            Numbers::U16 => self.shrunk(|v: [u8; 2]| u16::from_le_bytes(v).into()),
            Numbers::U32 => self.shrunk(|v: [u8; 4]| u32::from_le_bytes(v).into()),
            Numbers::U64 => self.shrunk(u64::from_le_bytes),
            Numbers::I16 => self.shrunk(|v: [u8; 2]| magnitude(i16::from_le_bytes(v).into())),
            Numbers::I32 => self.shrunk(|v: [u8; 4]| magnitude(i32::from_le_bytes(v).into())),
            Numbers::I64 => self.shrunk(|v: [u8; 8]| magnitude(i64::from_le_bytes(v))),
            _ => self,
        }
    }

    fn shrunk<const N: usize>(self, bits: impl Fn([u8; N]) -> u64) -> Self {
        let (words, _) = self.bytes.as_chunks::<N>();
        let used = words.iter().fold(0, |used, word| used | bits(*word));
        let bytes = match u64::BITS - used.leading_zeros() {
            0..=8 => low::<N, 1>(words),
            9..=16 => low::<N, 2>(words),
            17..=32 => low::<N, 4>(words),
            _ => None,
        };
        match bytes {
            Some((width, bytes)) => {
                Self { numbers: self.numbers.narrowed(width), bytes: bytes.into(), ..self }
            }
            None => self,
        }
    }
}

/// Returns a number whose bits are those that a signed integer needs, with its sign.
fn magnitude(number: i64) -> u64 {
    ((number ^ number >> 63) as u64) << 1
}

/// Returns the first `M` bytes of each word, if that is fewer.
fn low<const N: usize, const M: usize>(words: &[[u8; N]]) -> Option<(usize, Vec<u8>)> {
    if M >= N {
        return None;
    }
    let mut bytes = Vec::with_capacity(words.len() * M);
    words.iter().filter_map(|word| word.first_chunk::<M>()).for_each(|low| bytes.extend(low));
    Some((M, bytes))
}

impl Serialize for Block<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(self.name, &Extension(self))
    }
}

struct Extension<'a>(&'a Block<'a>);

impl Serialize for Extension<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut extension = serializer.serialize_tuple(2)?;
        extension.serialize_element(&(self.0.numbers as i8))?;
        extension.serialize_element(&Bytes(&self.0.bytes))?;
        extension.end()
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// A serializer of numbers of one type, to their bytes.
struct Collector {
    len: usize,
    numbers: Option<Numbers>,
    bytes: Vec<u8>,
}

impl Collector {
    #[cold]
    fn begin(&mut self, numbers: Numbers) -> Result<(), NotANumber> {
        match self.numbers.replace(numbers) {
            None => {
                self.bytes.reserve_exact(self.len * numbers.width());
                Ok(())
            }
            Some(_) => Err(NotANumber),
        }
    }

    #[inline]
    fn push<const N: usize>(&mut self, numbers: Numbers, bytes: [u8; N]) -> Result<(), NotANumber> {
        if self.numbers != Some(numbers) {
            self.begin(numbers)?;
        }
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }
}

/// Something else than a number, or numbers of several types.
#[derive(Debug)]
pub(super) struct NotANumber;

impl fmt::Display for NotANumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no number of the type of its sequence")
    }
}

impl std::error::Error for NotANumber {}

impl ser::Error for NotANumber {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty, $numbers:ident;)*) => {
        $(#[inline]
        fn $method(self, v: $type) -> Result<(), NotANumber> {
            self.push(Numbers::$numbers, v.to_le_bytes())
        })*
    };
}

macro_rules! none {
    ($($method:ident($($type:ty),*) -> $result:ty,)*) => {
        $(fn $method(self, $(_: $type),*) -> Result<$result, NotANumber> {
            Err(NotANumber)
        })*
    };
}

type Impossible = ser::Impossible<(), NotANumber>;

impl Serializer for &mut Collector {
    type Ok = ();
    type Error = NotANumber;
    type SerializeSeq = Impossible;
    type SerializeTuple = Impossible;
    type SerializeTupleStruct = Impossible;
    type SerializeTupleVariant = Impossible;
    type SerializeMap = Impossible;
    type SerializeStruct = Impossible;
    type SerializeStructVariant = Impossible;

    numbers! {
        serialize_u8: u8, U8;
        serialize_u16: u16, U16;
        serialize_u32: u32, U32;
        serialize_u64: u64, U64;
        serialize_i8: i8, I8;
        serialize_i16: i16, I16;
        serialize_i32: i32, I32;
        serialize_i64: i64, I64;
        serialize_f32: f32, F32;
        serialize_f64: f64, F64;
    }

    none! {
        serialize_bool(bool) -> (),
        serialize_char(char) -> (),
        serialize_str(&str) -> (),
        serialize_bytes(&[u8]) -> (),
        serialize_none() -> (),
        serialize_unit() -> (),
        serialize_unit_struct(&'static str) -> (),
        serialize_unit_variant(&'static str, u32, &'static str) -> (),
        serialize_seq(Option<usize>) -> Impossible,
        serialize_tuple(usize) -> Impossible,
        serialize_tuple_struct(&'static str, usize) -> Impossible,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Impossible,
        serialize_map(Option<usize>) -> Impossible,
        serialize_struct(&'static str, usize) -> Impossible,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Impossible,
    }

    fn serialize_some<T: ?Sized + Serialize>(self, _: &T) -> Result<(), NotANumber> {
        Err(NotANumber)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<(), NotANumber> {
        Err(NotANumber)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), NotANumber> {
        Err(NotANumber)
    }
}
