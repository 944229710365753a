//! Bytes of one tensor.

use std::io::Write;

use larder_core::bytes::Bytes;
use larder_core::{BoxError, Serializer};
use zerocopy::IntoBytes;

use super::Element;
use crate::RawBytes;

/// Bytes aligned for the elements of their tensor.
#[derive(Clone)]
pub(super) struct Data(Bytes);

impl Data {
    /// Aligns bytes to `align`, at most 8; copies them if they are not aligned.
    pub(super) fn aligned(bytes: Bytes, align: usize) -> Self {
        if bytes.as_ptr().addr().is_multiple_of(align) {
            return Self(bytes);
        }
        let mut words = vec![0_u64; bytes.len().div_ceil(8)];
        words.as_mut_bytes()[..bytes.len()].copy_from_slice(&bytes);
        Self(Bytes::from_owner(Elements(words)).slice(..bytes.len()))
    }

    /// Wraps the bytes of elements, without a copy.
    pub(super) fn of<T: Element>(elements: Vec<T>) -> Self {
        Self(Bytes::from_owner(Elements(elements)))
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// Owner of elements whose bytes are borrowed.
struct Elements<T>(Vec<T>);

impl<T: Element> AsRef<[u8]> for Elements<T> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The blob is the tensor's bytes. A mapped blob starts at a page, so it is not copied.
impl Serializer<Data> for RawBytes {
    const NAME: &'static str = <Self as Serializer<Bytes>>::NAME;

    fn encode(value: &Data, out: &mut dyn Write) -> Result<(), BoxError> {
        Self::encode(&value.0, out)
    }

    fn decode(bytes: &Bytes) -> Result<Data, BoxError> {
        Ok(Data::aligned(bytes.clone(), 8))
    }
}
