//! Element types of tensors, by their ONNX names.

use std::fmt;

use serde::{Deserialize, Serialize};
use tract_onnx::prelude::DatumType;

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "ONNX defines the names")]
pub enum DType {
    Float16,
    Float32,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Bool,
    String,
    Bfloat16,
    Float8e4m3fn,
    Float8e4m3fnuz,
    Float8e5m2,
    Float8e5m2fnuz,
    Int4,
    Uint4,
}

impl DType {
    /// Converts a type of tract; `None` if ONNX has no such type.
    pub(super) fn of(datum: DatumType) -> Option<Self> {
        Some(match datum {
            DatumType::F16 => Self::Float16,
            DatumType::F32 => Self::Float32,
            DatumType::F64 => Self::Float64,
            DatumType::I8 => Self::Int8,
            DatumType::I16 => Self::Int16,
            DatumType::I32 => Self::Int32,
            DatumType::I64 | DatumType::TDim => Self::Int64,
            DatumType::U8 => Self::Uint8,
            DatumType::U16 => Self::Uint16,
            DatumType::U32 => Self::Uint32,
            DatumType::U64 => Self::Uint64,
            DatumType::Bool => Self::Bool,
            DatumType::String => Self::String,
            _ => return None,
        })
    }

    /// Returns the JSON type of an element.
    pub(super) fn json_type(self) -> &'static str {
        match self {
            Self::Float16 | Self::Float32 | Self::Float64 | Self::Bfloat16 => "number",
            Self::Float8e4m3fn | Self::Float8e4m3fnuz => "number",
            Self::Float8e5m2 | Self::Float8e5m2fnuz => "number",
            Self::Bool => "boolean",
            Self::String => "string",
            _ => "integer",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
