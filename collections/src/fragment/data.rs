//! The rows of a fragment, in a file or in the manifest.

use std::fmt;

use larder_core::Artifact;
use larder_core::extend::StoredArtifact;
use larder_core::store::Digest;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::file::{ArrowFile, ArrowIpc};
use super::inline::InlineRows;

/// The rows of a fragment.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    File(Artifact<ArrowFile, ArrowIpc>),
    Inline(InlineRows),
}

impl Data {
    pub(crate) fn is_inline(&self) -> bool {
        matches!(self, Self::Inline(_))
    }

    /// Returns the file, if it is stored.
    pub(crate) fn stored(&self) -> Option<StoredArtifact> {
        match self {
            Self::File(file) => file.stored(),
            Self::Inline(_) => None,
        }
    }

    /// Returns the digest of the file, if it is known.
    pub(crate) fn digest(&self) -> Option<Digest> {
        match self {
            Self::File(file) => file.digest(),
            Self::Inline(_) => None,
        }
    }

    /// Returns the number of bytes.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::File(file) => match file.stored() {
                Some(stored) => stored.entry().size,
                None => file.get().map_or(0, ArrowFile::size),
            },
            Self::Inline(rows) => rows.size(),
        }
    }

    /// Returns true if both are stored and the same bytes.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Inline(one), Self::Inline(two)) => one.is_same(two),
            _ => self.digest().is_some() && self.digest() == other.digest(),
        }
    }
}

/// A file is the link of an artifact, inline rows are a text.
impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::File(file) => file.serialize(serializer),
            Self::Inline(rows) => {
                serializer.serialize_str(&rows.to_text().map_err(S::Error::custom)?)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Data;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a link to an Arrow file, or rows in base64")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Data, E> {
                InlineRows::from_text(text).map(Data::Inline).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Data, A::Error> {
                Artifact::deserialize(MapAccessDeserializer::new(map)).map(Data::File)
            }
        }

        deserializer.deserialize_any(Either)
    }
}
