//! Comparison of two values by what they give to serde.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::ser::{self, Serialize, Serializer};

use super::{Counts, Guard, GuardError, Refusal, Rules, vectors};

/// Maximum number of remembered leaves, for the path of a difference.
const MAX_LEAVES: usize = 1 << 20;

/// Compares a value with what was read back from its encoding.
///
/// They are the same if both make the same calls to a serializer. The order of map entries is ignored, and the order of
/// the elements of a sequence, which may be a set.
///
/// # Errors
/// [`Refusal::Changed`] with the path of the first difference, or the error of a `Serialize`.
pub fn compare<T: Serialize + ?Sized>(rules: Rules, value: &T, read: &T) -> Result<(), GuardError> {
    let log = Log::Off;
    if vectors::are_same(value, read) || digest(rules, value, &log)? == digest(rules, read, &log)? {
        return Ok(());
    }
    let leaves = RefCell::default();
    digest(rules, value, &Log::Record(&leaves))?;
    digest(rules, read, &Log::Compare(&leaves.borrow(), Cell::new(0)))?;
    // The difference is behind the remembered leaves, or a `Serialize` differs between calls.
    Err(GuardError { path: String::new(), refusal: Some(Refusal::Changed), source: None })
}

fn digest<T: Serialize + ?Sized>(
    rules: Rules,
    value: &T,
    log: &Log<'_>,
) -> Result<u64, GuardError> {
    // The lengths were checked when the value was encoded, and are counted here.
    let guard = Guard::new(Rules { counts: Counts::None, ..rules });
    let digester = Digester { log, human_readable: rules.json };
    let digested = guard.value(value).serialize(digester);
    digested.map_err(|Stopped(reason)| {
        if reason.is_none() {
            guard.refuse(Refusal::Changed);
        }
        guard.error(reason.unwrap_or_default())
    })
}

/// The digests of a value's leaves.
enum Log<'a> {
    Off,
    Record(&'a RefCell<Vec<u64>>),
    /// Those of the other value, and the index of the next.
    Compare(&'a [u64], Cell<usize>),
}

impl Log<'_> {
    #[cold]
    fn leaf(&self, digest: u64) -> Result<u64, Stopped> {
        match self {
            Log::Off => {}
            Log::Record(leaves) => {
                let mut leaves = leaves.borrow_mut();
                if leaves.len() < MAX_LEAVES {
                    leaves.push(digest);
                }
            }
            Log::Compare(leaves, next) => {
                let index = next.replace(next.get() + 1);
                if leaves.get(index).is_some_and(|leaf| *leaf != digest) {
                    return Err(Stopped(None));
                }
            }
        }
        Ok(digest)
    }
}

/// The first difference, or the reason why a `Serialize` failed.
#[derive(Debug)]
struct Stopped(Option<String>);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or_default())
    }
}

impl std::error::Error for Stopped {}

impl ser::Error for Stopped {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self(Some(reason.to_string()))
    }
}

/// Combines two numbers; the order counts.
#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15)
        * u128::from(b.rotate_left(32) ^ 0xe703_7ed1_a0b4_28db);
    (product >> 64) as u64 ^ product as u64
}

/// Digests bytes, eight at a time.
#[inline]
fn digest_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let digest = words
        .iter()
        .fold(bytes.len() as u64, |digest, word| mix(digest, u64::from_le_bytes(*word)));
    let last = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    mix(digest, last)
}

/// A serializer whose result is a digest.
#[derive(Clone, Copy)]
struct Digester<'a> {
    log: &'a Log<'a>,
    human_readable: bool,
}

/// Kinds of values, in their digests.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
    None,
    Some,
    Unit,
    Variant,
    Seq,
    Tuple,
    Map,
    Struct,
}

impl<'a> Digester<'a> {
    #[inline]
    fn leaf(self, kind: Kind, value: u64) -> Result<u64, Stopped> {
        let digest = mix(kind as u64, value);
        match self.log {
            Log::Off => Ok(digest),
            log => log.leaf(digest),
        }
    }

    fn variant(self, index: u32, variant: &str) -> Result<u64, Stopped> {
        self.leaf(Kind::Variant, mix(index.into(), digest_bytes(variant.as_bytes())))
    }

    fn compound(self, kind: Kind, start: u64) -> DigestCompound<'a> {
        DigestCompound { digester: self, kind, sum: start, key: 0, len: 0 }
    }
}

macro_rules! leaves {
    ($($method:ident($v:ident: $type:ty) $kind:ident $value:expr;)*) => {
        $(#[inline]
        fn $method(self, $v: $type) -> Result<u64, Stopped> {
            self.leaf(Kind::$kind, $value)
        })*
    };
}

impl<'a> Serializer for Digester<'a> {
    type Ok = u64;
    type Error = Stopped;
    type SerializeSeq = DigestCompound<'a>;
    type SerializeTuple = DigestCompound<'a>;
    type SerializeTupleStruct = DigestCompound<'a>;
    type SerializeTupleVariant = DigestCompound<'a>;
    type SerializeMap = DigestCompound<'a>;
    type SerializeStruct = DigestCompound<'a>;
    type SerializeStructVariant = DigestCompound<'a>;

    leaves! {
        serialize_bool(v: bool) Bool v.into();
        serialize_i8(v: i8) I8 v as u64;
        serialize_i16(v: i16) I16 v as u64;
        serialize_i32(v: i32) I32 v as u64;
        serialize_i64(v: i64) I64 v as u64;
        serialize_i128(v: i128) I128 mix((v >> 64) as u64, v as u64);
        serialize_u8(v: u8) U8 v.into();
        serialize_u16(v: u16) U16 v.into();
        serialize_u32(v: u32) U32 v.into();
        serialize_u64(v: u64) U64 v;
        serialize_u128(v: u128) U128 mix((v >> 64) as u64, v as u64);
        serialize_f32(v: f32) F32 v.to_bits().into();
        serialize_f64(v: f64) F64 v.to_bits();
        serialize_char(v: char) Char v.into();
        serialize_str(v: &str) Str digest_bytes(v.as_bytes());
        serialize_bytes(v: &[u8]) Bytes digest_bytes(v);
    }

    fn serialize_none(self) -> Result<u64, Stopped> {
        self.leaf(Kind::None, 0)
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<u64, Stopped> {
        Ok(mix(Kind::Some as u64, value.serialize(self)?))
    }

    fn serialize_unit(self) -> Result<u64, Stopped> {
        self.leaf(Kind::Unit, 0)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<u64, Stopped> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<u64, Stopped> {
        self.variant(index, variant)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<u64, Stopped> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<u64, Stopped> {
        Ok(mix(self.variant(index, variant)?, value.serialize(self)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<DigestCompound<'a>, Stopped> {
        Ok(self.compound(Kind::Seq, 0))
    }

    fn serialize_tuple(self, _: usize) -> Result<DigestCompound<'a>, Stopped> {
        Ok(self.compound(Kind::Tuple, 0))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<DigestCompound<'a>, Stopped> {
        Ok(self.compound(Kind::Tuple, 0))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<DigestCompound<'a>, Stopped> {
        Ok(self.compound(Kind::Tuple, self.variant(index, variant)?))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<DigestCompound<'a>, Stopped> {
        Ok(self.compound(Kind::Map, 0))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<DigestCompound<'a>, Stopped> {
        Ok(self.compound(Kind::Struct, 0))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<DigestCompound<'a>, Stopped> {
        Ok(self.compound(Kind::Struct, self.variant(index, variant)?))
    }

    fn is_human_readable(&self) -> bool {
        self.human_readable
    }
}

/// A compound value being digested.
struct DigestCompound<'a> {
    digester: Digester<'a>,
    kind: Kind,
    sum: u64,
    key: u64,
    len: u64,
}

impl DigestCompound<'_> {
    /// Adds an element whose order does not count.
    fn add(&mut self, digest: u64) {
        self.len += 1;
        self.sum = self.sum.wrapping_add(mix(self.kind as u64, digest));
    }

    /// Adds an element whose order counts.
    fn append(&mut self, digest: u64) {
        self.len += 1;
        self.sum = mix(self.sum, digest);
    }

    fn finish(self) -> Result<u64, Stopped> {
        Ok(mix(self.digester.leaf(self.kind, self.len)?, self.sum))
    }
}

macro_rules! elements {
    ($($trait:ident $method:ident $add:ident;)*) => {
        $(impl ser::$trait for DigestCompound<'_> {
            type Ok = u64;
            type Error = Stopped;

            fn $method<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Stopped> {
                let digest = value.serialize(self.digester)?;
                self.$add(digest);
                Ok(())
            }

            fn end(self) -> Result<u64, Stopped> {
                self.finish()
            }
        })*
    };
}

elements! {
    SerializeSeq serialize_element add;
    SerializeTuple serialize_element append;
    SerializeTupleStruct serialize_field append;
    SerializeTupleVariant serialize_field append;
}

macro_rules! fields {
    ($($trait:ident)*) => {
        $(impl ser::$trait for DigestCompound<'_> {
            type Ok = u64;
            type Error = Stopped;

            fn serialize_field<T: ?Sized + Serialize>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Stopped> {
                let name = self.digester.leaf(Kind::Str, digest_bytes(name.as_bytes()))?;
                let digest = value.serialize(self.digester)?;
                self.append(mix(name, digest));
                Ok(())
            }

            fn end(self) -> Result<u64, Stopped> {
                self.finish()
            }
        })*
    };
}

fields! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for DigestCompound<'_> {
    type Ok = u64;
    type Error = Stopped;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Stopped> {
        self.key = key.serialize(self.digester)?;
        Ok(())
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Stopped> {
        let digest = value.serialize(self.digester)?;
        self.add(mix(self.key, digest));
        Ok(())
    }

    fn end(self) -> Result<u64, Stopped> {
        self.finish()
    }
}
