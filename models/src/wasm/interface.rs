//! What a guest exports: names and types. `docs/wasm.md` and `wit/larder.wit` specify it.

use std::fmt;

use larder_serializers::{Json, MsgPack};
use serde::{Deserialize, Serialize};

/// How a guest is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Abi {
    /// A core module: numbers, and bytes in its memory.
    #[serde(rename = "core-1")]
    Core1,
    /// A component, as `larder.wit` says.
    #[serde(rename = "component-1")]
    Component1,
}

/// The format of the documents that a guest takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuestFormat {
    /// JSON.
    Json,
    /// MessagePack with named fields.
    MsgPack,
}

impl GuestFormat {
    pub(super) const ALL: [Self; 2] = [Self::Json, Self::MsgPack];

    /// Its name in exports and manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MsgPack => "msgpack",
        }
    }

    /// The serializer of the documents.
    pub(super) fn codec(self) -> &'static dyn larder_core::serializers::Format {
        match self {
            Self::Json => &Json,
            Self::MsgPack => &MsgPack,
        }
    }

    /// The export by which a core module says that it speaks this format.
    pub(super) fn marker(self) -> &'static str {
        match self {
            Self::Json => "larder_abi_1_json",
            Self::MsgPack => "larder_abi_1_msgpack",
        }
    }
}

/// What a guest can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Predict,
    PredictBatch,
    Encode,
    Decode,
}

impl Entry {
    pub(super) const ALL: [Self; 4] =
        [Self::Predict, Self::PredictBatch, Self::Encode, Self::Decode];

    /// The export of a core module.
    pub(super) fn core_name(self) -> &'static str {
        match self {
            Self::Predict => "larder_predict",
            Self::PredictBatch => "larder_predict_batch",
            Self::Encode => "larder_encode",
            Self::Decode => "larder_decode",
        }
    }

    /// The interface that a component exports, and the function in it.
    pub(super) fn component_name(self, format: GuestFormat) -> (String, &'static str) {
        let (kind, function) = match self {
            Self::Predict => ("model", "predict"),
            Self::PredictBatch => ("batch", "predict-batch"),
            Self::Encode => ("serializer", "encode"),
            Self::Decode => ("serializer", "decode"),
        };
        (format!("larder:guest/{}-{kind}@1.0.0", format.name()), function)
    }
}

/// What a guest is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Model,
    Serializer,
}

impl Role {
    /// What it must export for that.
    pub(super) fn entries(self) -> &'static [Entry] {
        match self {
            Self::Model => &[Entry::Predict],
            Self::Serializer => &[Entry::Encode, Entry::Decode],
        }
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Core1 => "core-1",
            Self::Component1 => "component-1",
        })
    }
}
