//! The bytes of one tensor.

use std::io::Write;

use larder_core::bytes::Bytes;
use larder_core::{BoxError, Serializer};
use zerocopy::IntoBytes;

use super::Element;
use crate::RawBytes;

/// Bytes that begin where the elements of their tensor may.
#[derive(Clone)]
pub(super) struct Data(Bytes);

impl Data {
    /// These bytes, if they begin at a multiple of `align` (at most 8); a copy that does, if not.
    pub(super) fn aligned(bytes: Bytes, align: usize) -> Self {
        if bytes.as_ptr().addr().is_multiple_of(align) {
            return Self(bytes);
        }
        let mut words = vec![0_u64; bytes.len().div_ceil(8)];
        words.as_mut_bytes()[..bytes.len()].copy_from_slice(&bytes);
        Self(Bytes::from_owner(Elements(words)).slice(..bytes.len()))
    }

    /// The elements' bytes, without a copy.
    pub(super) fn of<T: Element>(elements: Vec<T>) -> Self {
        Self(Bytes::from_owner(Elements(elements)))
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// Owns elements whose bytes are lent.
struct Elements<T>(Vec<T>);

impl<T: Element> AsRef<[u8]> for Elements<T> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The blob is the tensor, to the byte. One that is mapped begins at a page, so it is not copied.
impl Serializer<Data> for RawBytes {
    const NAME: &'static str = <Self as Serializer<Bytes>>::NAME;

    fn encode(value: &Data, out: &mut dyn Write) -> Result<(), BoxError> {
        Self::encode(&value.0, out)
    }

    fn decode(bytes: &Bytes) -> Result<Data, BoxError> {
        Ok(Data::aligned(bytes.clone(), 8))
    }
}
