//! Exports of guests, as specified in `docs/wasm.md` and `wit/larder.wit`.

use std::fmt;

use larder_serializers::{Json, MsgPack};
use serde::{Deserialize, Serialize};

/// Binary interface of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Abi {
    /// Core module, called with pointers into its memory.
    #[serde(rename = "core-1")]
    Core1,
    /// Component, as in `larder.wit`.
    #[serde(rename = "component-1")]
    Component1,
}

/// Format of a guest's inputs and outputs.
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

    /// Returns the name in exports and manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MsgPack => "msgpack",
        }
    }

    /// Returns the format's serializer.
    pub(super) fn codec(self) -> &'static dyn larder_core::serializers::Format {
        match self {
            Self::Json => &Json,
            Self::MsgPack => &MsgPack,
        }
    }

    /// Returns the export that declares this format in a core module.
    pub(super) fn marker(self) -> &'static str {
        match self {
            Self::Json => "larder_abi_1_json",
            Self::MsgPack => "larder_abi_1_msgpack",
        }
    }
}

/// Function of a guest.
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

    /// Returns the export of a core module.
    pub(super) fn core_name(self) -> &'static str {
        match self {
            Self::Predict => "larder_predict",
            Self::PredictBatch => "larder_predict_batch",
            Self::Encode => "larder_encode",
            Self::Decode => "larder_decode",
        }
    }

    /// Returns the interface and function of a component.
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

/// Role of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Model,
    Serializer,
}

impl Role {
    /// Returns the required functions.
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
