//! Serializers of [Larder](https://docs.rs/larder), a feature each.
//!
//! | feature | type | name in the manifest | for |
//! | --- | --- | --- | --- |
//! | `msgpack` | `MsgPack` | `msgpack-named` | every serde type; the default |
//! | `json` | `Json` | `json` | every serde type that JSON can hold exactly |
//! | `bincode` | `Bincode` | `bincode2-standard` | every serde type; for those who have such data |
//! | `postcard` | `Postcard` | `postcard1` | every serde type; small |
//! | `bytes` | `RawBytes` | `bytes` | `Bytes` and `Vec<u8>`, without a copy |
//! | `tensors` | any of the above | its own | `Tensors`: large ones are blobs of their own, shared between versions |
//! | `tensors` | `SafeTensors` | `safetensors` | `Tensors`, as one file that other tools read |
//! | always | [`FnSerializer`] | your own | one type, with or without serde, by two functions |
//!
//! Each of them reads its input to the last byte, and ends hostile input in an error: lengths, depth and
//! the number of elements are bounded by a [`Guard`](larder_core::guard::Guard). The name says format and
//! configuration, and bytes are read by the serializer that wrote them.
//!
//! What a format can bear when a type changes:
//!
//! | name | read by other tools | fields with a default may be added |
//! | --- | --- | --- |
//! | `msgpack-named`, `json` | yes | yes |
//! | `bincode2-standard`, `postcard1` | no | no: older bytes end in an error |

#[cfg(feature = "bincode")]
mod bincode2;
#[cfg(feature = "bytes")]
mod bytes;
#[cfg(any(feature = "msgpack", feature = "json", feature = "bincode", feature = "postcard"))]
mod format;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
mod pair;
#[cfg(feature = "postcard")]
mod postcard1;
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
#[cfg(feature = "json")]
pub use crate::json::Json;
#[cfg(feature = "msgpack")]
pub use crate::msgpack::MsgPack;
pub use crate::pair::FnSerializer;
#[cfg(feature = "postcard")]
pub use crate::postcard1::Postcard;
#[cfg(feature = "tensors")]
pub use crate::tensors::{Dtype, Element, SafeTensors, Tensor, Tensors};
#[cfg(feature = "tensors")]
pub use half;
#[cfg(feature = "ndarray")]
pub use ndarray;
