//! Records of serializers: what a larder knows of the code that its blobs need.

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

/// What a larder knows of a serializer, kept as an ordinary component.
///
/// Made by [`Larder::apply_serializer`](crate::Larder::apply_serializer). Whoever lacks the serializer learns
/// from it where to get one; whoever has one learns whether it still reads what was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SerializerRecord {
    /// The name that manifests record.
    pub serializer: String,
    /// The crate that brought it, and that crate's version; unknown if it was registered at run time.
    #[serde(rename = "crate")]
    pub origin: Option<String>,
    /// Where to get it, in the words of whoever wrote it.
    pub note: Option<String>,
    /// The types it serves; empty for a format, which serves every serde type.
    pub types: Vec<ServedType>,
}

/// A type that a recorded serializer serves.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServedType {
    /// The Rust type, for people.
    pub rust_type: String,
    /// What the serializer wrote for its sample, if it has one.
    sample: Option<Artifact<Bytes, Verbatim>>,
}

#[typetag::serde(name = "larder/serializer")]
impl Component for SerializerRecord {}

// Who lacks a component type of their own is not to be shown this one.
#[diagnostic::do_not_recommend]
impl ComponentType for SerializerRecord {
    const TAG: &'static str = "larder/serializer";
}

crate::link!(crate::Item::component::<SerializerRecord>());

impl ServedType {
    /// The serializer's fingerprint for this type: the digest of what it wrote for its sample.
    ///
    /// Known once the record is applied, if the serializer has a sample.
    pub fn fingerprint(&self) -> Option<Digest> {
        self.sample.as_ref().and_then(Artifact::digest)
    }
}

impl SerializerRecord {
    /// The record of a serializer of `registry`.
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
            // A place in the source has colons, a crate with its version has none. Places move about.
            origin: Some(known.origin).filter(|origin| !origin.contains(':')),
            note: pairs.iter().find_map(|pair| pair.note()).map(str::to_owned),
            serializer: known.name,
        })
    }

    /// Why `pair` is not the serializer that the record is of, if it is not.
    ///
    /// It must read the recorded sample, and get what it has for a sample itself. Other bytes may come
    /// out when it writes: what counts is that older ones are read rightly.
    pub(crate) fn fault_in(&self, pair: &dyn DynSerializer) -> Result<Option<String>> {
        let served = self.types.iter().find(|served| served.rust_type == pair.type_name());
        let Some(sample) = served.and_then(|served| served.sample.as_ref()) else {
            return Ok(None);
        };
        Ok(match reads(pair, sample.get()?) {
            Ok(true) => None,
            Ok(false) => Some("reads the recorded sample as another value".to_owned()),
            Err(error) => Some(format!("cannot read the recorded sample ({error})")),
        })
    }

    /// Where to get the serializer, for people.
    pub fn whereabouts(&self) -> String {
        match (&self.origin, &self.note) {
            (Some(origin), Some(note)) => format!("{origin}: {note}"),
            (Some(origin), None) => origin.clone(),
            (None, Some(note)) => note.clone(),
            (None, None) => "its record does not say where to get it".to_owned(),
        }
    }
}

/// Encodes a sample, and sees to it that the same comes out the next time and that it can be read.
fn encode_twice(pair: &dyn DynSerializer, sample: &dyn std::any::Any) -> Result<Vec<u8>, BoxError> {
    let bytes = encode(pair, sample)?;
    if encode(pair, sample)? != bytes {
        return Err("it is written otherwise each time; choose a sample that is not".into());
    }
    match reads(pair, &Bytes::from(bytes.clone()))? {
        true => Ok(bytes),
        false => Err("it does not come back as it was".into()),
    }
}

/// Whether `pair` reads `bytes` as its sample.
fn reads(pair: &dyn DynSerializer, bytes: &Bytes) -> Result<bool, BoxError> {
    let value = catch_serializer_panic(pair.name(), || pair.decode(bytes))??;
    match pair.sample() {
        Some(sample) => Ok(encode(pair, &*value)? == encode(pair, &*sample)?),
        None => Ok(true),
    }
}

fn encode(pair: &dyn DynSerializer, value: &dyn std::any::Any) -> Result<Vec<u8>, BoxError> {
    let mut bytes = Vec::new();
    catch_serializer_panic(pair.name(), || pair.encode(value, &mut bytes))??;
    Ok(bytes)
}

/// The bytes themselves, under the name that `larder-serializers` gives them.
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
