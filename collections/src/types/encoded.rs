//! Values that a serializer of Larder writes.

use std::fmt;
use std::marker::PhantomData;

use larder_core::bytes::Bytes;
use larder_core::{Error, Result, Serializer as LarderSerializer};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::trace::{is_tracing, mark};

/// A value in a field of bytes, written by the serializer `S`, whose name the schema records.
///
/// Bytes that were read are decoded by [`get`](Encoded::get); a program without the serializer still lists, copies and
/// verifies the rows.
pub struct Encoded<T, S> {
    content: Content<T>,
    serializer: PhantomData<fn() -> S>,
}

enum Content<T> {
    Value(T),
    Bytes(Bytes),
}

impl<T, S: LarderSerializer<T>> Encoded<T, S> {
    /// Creates it from a value.
    pub fn new(value: T) -> Self {
        Self { content: Content::Value(value), serializer: PhantomData }
    }

    /// Returns the value, decoded if it was read.
    ///
    /// # Errors
    /// [`Error::Decode`] if the bytes do not fit `T`.
    pub fn into_inner(self) -> Result<T> {
        match self.content {
            Content::Value(value) => Ok(value),
            Content::Bytes(bytes) => decode::<T, S>(&bytes),
        }
    }

    /// Returns the value, decoded if it was read.
    ///
    /// # Errors
    /// [`Error::Decode`] if the bytes do not fit `T`.
    pub fn get(&self) -> Result<T>
    where
        T: Clone,
    {
        match &self.content {
            Content::Value(value) => Ok(value.clone()),
            Content::Bytes(bytes) => decode::<T, S>(bytes),
        }
    }

    fn to_bytes(&self) -> Result<Bytes> {
        match &self.content {
            Content::Bytes(bytes) => Ok(bytes.clone()),
            Content::Value(value) => {
                let mut bytes = Vec::new();
                S::encode(value, &mut bytes).map_err(|source| Error::Encode {
                    what: format!("a value by `{}`", S::NAME),
                    source,
                })?;
                Ok(bytes.into())
            }
        }
    }
}

fn decode<T, S: LarderSerializer<T>>(bytes: &Bytes) -> Result<T> {
    S::decode(bytes).map_err(|source| Error::Decode {
        what: format!("a value by `{}`", S::NAME),
        type_name: std::any::type_name::<T>().into(),
        path: String::new(),
        source,
    })
}

impl<T, S: LarderSerializer<T>> From<T> for Encoded<T, S> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Clone, S> Clone for Encoded<T, S> {
    fn clone(&self) -> Self {
        let content = match &self.content {
            Content::Value(value) => Content::Value(value.clone()),
            Content::Bytes(bytes) => Content::Bytes(bytes.clone()),
        };
        Self { content, serializer: PhantomData }
    }
}

impl<T: fmt::Debug, S> fmt::Debug for Encoded<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Content::Value(value) => write!(f, "Encoded({value:?})"),
            Content::Bytes(bytes) => write!(f, "Encoded({} bytes)", bytes.len()),
        }
    }
}

/// Compares the bytes.
impl<T, S: LarderSerializer<T>> PartialEq for Encoded<T, S> {
    fn eq(&self, other: &Self) -> bool {
        matches!((self.to_bytes(), other.to_bytes()), (Ok(one), Ok(two)) if one == two)
    }
}

impl<T, S: LarderSerializer<T>> Serialize for Encoded<T, S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.serialize_bytes(&self.to_bytes().map_err(Z::Error::custom)?)
    }
}

impl<'de, T, S: LarderSerializer<T>> Deserialize<'de> for Encoded<T, S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = match is_tracing() {
            true => mark(deserializer, &format!("encoded {}", S::NAME)).map(|()| Bytes::new())?,
            false => Bytes::deserialize(deserializer)?,
        };
        Ok(Self { content: Content::Bytes(bytes), serializer: PhantomData })
    }
}
