//! Artifacts as serde fields: links in a larder, embedded bytes outside of one.

use std::borrow::Cow;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer as SerdeSerializer};

use super::{Artifact, StoredArtifact};
use crate::digest::Digest;
use crate::panics::catch_serializer_panic;
use crate::scope;
use crate::serializer::Serializer;

/// An artifact in a manifest's fields, or in the bytes of another artifact.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    #[serde(rename = "$artifact")]
    pub(crate) digest: Digest,
    pub(crate) serializer: String,
}

/// An artifact outside of a larder: its bytes, and the serializer that wrote them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Embedded {
    serializer: String,
    bytes: EmbeddedBytes,
}

impl<T: 'static, S: Serializer<T>> Serialize for Artifact<T, S> {
    fn serialize<Z: SerdeSerializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        if let Some(writer) = scope::writer() {
            let entry =
                self.write(&writer).map_err(|error| Z::Error::custom(writer.fail(error)))?;
            return Link { digest: entry.digest, serializer: entry.serializer }
                .serialize(serializer);
        }
        if let Some(reader) = scope::compared() {
            return self.link(&reader).map_err(Z::Error::custom)?.serialize(serializer);
        }
        let value = self.get().map_err(Z::Error::custom)?;
        if self.chosen.is_some() {
            return Err(Z::Error::custom(
                "an artifact whose serializer is chosen by name can only be applied to a larder",
            ));
        }
        let mut bytes = Vec::new();
        catch_serializer_panic(S::NAME, || S::encode(value, &mut bytes))
            .and_then(|encoded| encoded)
            .map_err(Z::Error::custom)?;
        Embedded { serializer: S::NAME.to_owned(), bytes: EmbeddedBytes(bytes.into()) }
            .serialize(serializer)
    }
}

impl<'de, T: 'static, S: Serializer<T>> Deserialize<'de> for Artifact<T, S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if let Some(reader) = scope::reader() {
            let link = Link::deserialize(deserializer)?;
            // A field without a serializer of its own keeps the chosen one.
            let chosen = S::NAME.is_empty().then(|| link.serializer.as_str().into());
            let entry = reader.entry(link).map_err(D::Error::custom)?;
            let stored = StoredArtifact { entry, reader };
            return Ok(Self::from_parts(OnceLock::new(), Some(stored), chosen));
        }
        let embedded = Embedded::deserialize(deserializer)?;
        if embedded.serializer != S::NAME {
            return Err(D::Error::custom(format_args!(
                "the artifact was written by `{}` and cannot be read by `{}`",
                embedded.serializer,
                S::NAME
            )));
        }
        catch_serializer_panic(S::NAME, || S::decode(&embedded.bytes.0))
            .and_then(|decoded| decoded)
            .map(Self::new)
            .map_err(D::Error::custom)
    }
}

/// Bytes; base64 in human-readable formats.
struct EmbeddedBytes(Bytes);

impl Serialize for EmbeddedBytes {
    fn serialize<Z: SerdeSerializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for EmbeddedBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = Cow::<'de, str>::deserialize(deserializer)?;
            let bytes = BASE64_STANDARD.decode(text.as_bytes());
            bytes.map(|bytes| Self(bytes.into())).map_err(D::Error::custom)
        } else {
            Bytes::deserialize(deserializer).map(Self)
        }
    }
}
