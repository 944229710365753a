//! Records of the serializers that the blobs of a larder need.

use std::io::Write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::component::{Component, ComponentType};
use crate::digest::Digest;
use crate::error::{BoxError, Error, Result};
use crate::panics::catch_serializer_panic;
use crate::registry::{Registry, SerializerInfo};
use crate::serializer::{DynSerializer, Serializer};

/// A description of a serializer, stored as an ordinary component.
///
/// Created by [`Serializers::apply`](crate::serializers::Serializers::apply). It names the source of the serializer for
/// programs without it, and detects serializers that no longer read older bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SerializerRecord {
    /// The name that manifests record.
    pub serializer: String,
    /// Its crate and version; unknown if it was registered at run time.
    #[serde(rename = "crate")]
    pub origin: Option<String>,
    /// Its author's note on where to get it.
    pub note: Option<String>,
    /// The types it serves; empty for a format, which serves every serde type.
    pub types: Vec<ServedType>,
}

/// A type that a recorded serializer serves.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServedType {
    /// The name of the Rust type, for messages.
    pub rust_type: String,
    /// The encoded sample, if the serializer has one.
    sample: Option<Artifact<Bytes, Verbatim>>,
}

#[typetag::serde(name = "larder/serializer")]
impl Component for SerializerRecord {}

// Keeps this type out of compiler suggestions for missing component types.
#[diagnostic::do_not_recommend]
impl ComponentType for SerializerRecord {
    const TAG: &'static str = "larder/serializer";
}

crate::link!(crate::Item::component::<SerializerRecord>());

impl ServedType {
    /// Returns the digest of the encoded sample, once the record is applied.
    pub fn fingerprint(&self) -> Option<Digest> {
        self.sample.as_ref().and_then(Artifact::digest)
    }
}

impl SerializerRecord {
    /// Creates the record of a serializer of `registry`.
    pub(crate) fn of(registry: &Registry, known: SerializerInfo) -> Result<Self> {
        let pairs = registry.pairs(&known.name);
        let types = pairs.iter().map(|pair| {
            let sample = match pair.sample() {
                Some(sample) => Some(encode_twice(&**pair, &*sample).map_err(|source| {
                    Error::Encode { what: format!("the sample of `{}`", known.name), source }
                })?),
                None => None,
            };
            let sample = sample.map(|bytes| Artifact::new(Bytes::from(bytes)));
            Ok(ServedType { rust_type: pair.type_name().to_owned(), sample })
        });
        Ok(Self {
            types: types.collect::<Result<_>>()?,
            // Source locations contain a colon and change often; crates with a version do not.
            origin: Some(known.origin).filter(|origin| !origin.contains(':')),
            note: pairs.iter().find_map(|pair| pair.note()).map(str::to_owned),
            serializer: known.name,
        })
    }

    /// Returns why `pair` is not the recorded serializer, if it is not.
    ///
    /// It must have a sample if the record has one, and decode the recorded bytes to it. It may encode to other bytes.
    pub(crate) fn fault_in(&self, pair: &dyn DynSerializer) -> Result<Option<String>> {
        let served = self.types.iter().find(|served| served.rust_type == pair.type_name());
        let Some(sample) = served.and_then(|served| served.sample.as_ref()) else {
            return Ok(None);
        };
        Ok(match reads(pair, sample.get()?) {
            Ok(Some(true)) => None,
            Ok(None) => Some("has no sample, and its record has one to compare it with".to_owned()),
            Ok(Some(false)) => Some("reads the recorded sample as another value".to_owned()),
            Err(error) => Some(format!("cannot read the recorded sample ({error})")),
        })
    }

    /// Describes where to get the serializer.
    pub fn whereabouts(&self) -> String {
        match (&self.origin, &self.note) {
            (Some(origin), Some(note)) => format!("{origin}: {note}"),
            (Some(origin), None) => origin.clone(),
            (None, Some(note)) => note.clone(),
            (None, None) => "its record does not say where to get it".to_owned(),
        }
    }
}

/// Encodes a sample, and checks that the encoding is deterministic and can be decoded.
fn encode_twice(pair: &dyn DynSerializer, sample: &dyn std::any::Any) -> Result<Vec<u8>, BoxError> {
    let bytes = encode(pair, sample)?;
    if encode(pair, sample)? != bytes {
        return Err("it is written otherwise each time; choose a sample that is not".into());
    }
    match reads(pair, &Bytes::from(bytes.clone()))? {
        Some(true) => Ok(bytes),
        _ => Err("it does not come back as it was".into()),
    }
}

/// Returns whether `pair` decodes `bytes` to its sample; `None` if it has no sample.
fn reads(pair: &dyn DynSerializer, bytes: &Bytes) -> Result<Option<bool>, BoxError> {
    let value = catch_serializer_panic(pair.name(), || pair.decode(bytes))??;
    let Some(sample) = pair.sample() else { return Ok(None) };
    Ok(Some(encode(pair, &*value)? == encode(pair, &*sample)?))
}

fn encode(pair: &dyn DynSerializer, value: &dyn std::any::Any) -> Result<Vec<u8>, BoxError> {
    let mut bytes = Vec::new();
    catch_serializer_panic(pair.name(), || pair.encode(value, &mut bytes))??;
    Ok(bytes)
}

/// The serializer `bytes` of `larder-serializers`.
#[derive(Debug)]
enum Verbatim {}

impl Serializer<Bytes> for Verbatim {
    const NAME: &'static str = "bytes";

    fn encode(value: &Bytes, out: &mut dyn Write) -> Result<(), BoxError> {
        Ok(out.write_all(value)?)
    }

    fn decode(bytes: &Bytes) -> Result<Bytes, BoxError> {
        Ok(bytes.clone())
    }
}
