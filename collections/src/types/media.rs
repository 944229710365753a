//! Images, sounds, videos.

use larder_core::bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Bytes with a media type: the field type `struct<media_type: text, bytes: bytes>`.
///
/// A field whose values all have one media type is a field of bytes: see
/// [`Field::with_media_type`](crate::Field::with_media_type).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// The media type, such as `image/png`.
    pub media_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

impl Media {
    /// Creates it.
    pub fn new(media_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self { media_type: media_type.into(), bytes: bytes.into() }
    }
}
