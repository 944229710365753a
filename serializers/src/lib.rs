//! Serializers of [Larder](https://docs.rs/larder), one per feature.
//!
//! | feature | type | manifest name | values |
//! | --- | --- | --- | --- |
//! | `msgpack` | `MsgPack` | `msgpack-named` | serde types; the default |
//! | `json` | `Json` | `json` | serde types that JSON represents exactly |
//! | `bincode` | `Bincode` | `bincode2-standard` | serde types; for existing data only |
//! | `postcard` | `Postcard` | `postcard1` | serde types; the smallest |
//! | `bytes` | `RawBytes` | `bytes` | `Bytes` and `Vec<u8>`, zero-copy |
//! | `tensors` | any of the above | as above | `Tensors`; each large tensor is a blob, shared between versions |
//! | `tensors` | `SafeTensors` | `safetensors` | `Tensors` as one safetensors file |
//! | always | [`FnSerializer`] | custom | one type, with or without serde |
//!
//! Serializers reject trailing bytes. Lengths, depth and the number of elements are bounded by a
//! [`Guard`](larder_core::guard::Guard), so hostile input ends in an error. A name identifies format and
//! configuration; bytes are decoded by the serializer that encoded them.
//!
//! | manifest name | read by other tools | new fields with a default |
//! | --- | --- | --- |
//! | `msgpack-named`, `json` | yes | yes |
//! | `bincode2-standard`, `postcard1` | no | no: decoding older bytes fails |

#[cfg(feature = "bincode")]
mod bincode2;
#[cfg(feature = "bytes")]
mod bytes;
mod fn_serializer;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
#[cfg(feature = "postcard")]
mod postcard1;
#[cfg(any(feature = "msgpack", feature = "json", feature = "bincode", feature = "postcard"))]
mod serde_format;
mod sorted;
#[cfg(feature = "tensors")]
mod tensors;

larder_core::trusted!(&[
    "bincode2-standard",
    "bytes",
    "json",
    "msgpack-named",
    "postcard1",
    "safetensors",
]);

#[cfg(feature = "bincode")]
pub use crate::bincode2::Bincode;
#[cfg(feature = "bytes")]
pub use crate::bytes::RawBytes;
pub use crate::fn_serializer::FnSerializer;
#[cfg(feature = "json")]
pub use crate::json::Json;
#[cfg(feature = "msgpack")]
pub use crate::msgpack::MsgPack;
#[cfg(feature = "postcard")]
pub use crate::postcard1::Postcard;
pub use crate::sorted::sorted;
#[cfg(feature = "tensors")]
pub use crate::tensors::{Dtype, Element, SafeTensors, Tensor, Tensors};
#[cfg(feature = "tensors")]
pub use half;
#[cfg(feature = "ndarray")]
pub use ndarray;
