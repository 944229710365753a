//! The safetensors file format.

use std::io::{BufWriter, Write};

use larder_core::bytes::Bytes;
use larder_core::serializers::Format;
use larder_core::{BoxError, Item, Serializer, link};

use super::header::{Header, MAX_HEADER, METADATA, TensorSpan, header_too_long};
use super::{Tensor, Tensors};

/// Serializer of [`Tensors`] to one safetensors file, as read by Python's `safetensors`.
///
/// Manifest name: `safetensors`. Specification: <https://github.com/huggingface/safetensors#format>. Equal tensors
/// give equal bytes. Aligned tensors are borrowed from the mapped blob; unaligned ones, from other writers, are copied.
/// The file is one blob, so versions share nothing.
///
/// ```
/// use larder_core::Serializer;
/// use larder_core::bytes::Bytes;
/// use larder_serializers::{SafeTensors, Tensors};
///
/// let tensors: Tensors = [("bias", vec![0.5_f32, -1.0])].into_iter().collect();
/// let mut file = Vec::new();
/// SafeTensors::encode(&tensors, &mut file)?; // the content of a `model.safetensors`
///
/// let back = SafeTensors::decode(&Bytes::from(file))?;
/// assert_eq!(back.tensor("bias")?.as_slice::<f32>()?, [0.5, -1.0]);
/// # Ok::<(), larder_core::BoxError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SafeTensors;

/// Size of the header length, in bytes.
const LEN: usize = size_of::<u64>();
/// Size of the write buffer, in bytes: large enough to hash and write in parallel.
const BUFFER: usize = 8 << 20;

impl Serializer<Tensors> for SafeTensors {
    const NAME: &'static str = "safetensors";

    fn encode(value: &Tensors, out: &mut dyn Write) -> Result<(), BoxError> {
        if value.get(METADATA).is_some() {
            return Err(format!("safetensors reserves the tensor name `{METADATA}`").into());
        }
        // Widest dtype first, which aligns every tensor: the order of the safetensors library.
        let mut tensors: Vec<_> = value.iter().collect();
        tensors.sort_by(|(left_name, left), (right_name, right)| {
            right.dtype().cmp(&left.dtype()).then_with(|| left_name.cmp(right_name))
        });
        let mut end = 0;
        let mut header = Header { metadata: value.metadata().clone(), tensors: Vec::new() };
        for (name, tensor) in &tensors {
            let begin = end;
            end += tensor.byte_len();
            let (dtype, shape) = (tensor.dtype(), tensor.shape().to_vec());
            header.tensors.push((
                (*name).to_owned(),
                TensorSpan { dtype, shape, data_offsets: (begin, end) },
            ));
        }
        let header = header.to_json()?;
        let mut out = BufWriter::with_capacity(BUFFER.min(LEN + header.len() + end), out);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for (_, tensor) in tensors {
            out.write_all(tensor.bytes()?)?;
        }
        Ok(out.flush()?)
    }

    fn decode(bytes: &Bytes) -> Result<Tensors, BoxError> {
        let (&stated, rest) = bytes
            .split_first_chunk::<LEN>()
            .ok_or("the file is shorter than the 8 bytes of its header length")?;
        let stated = u64::from_le_bytes(stated);
        let header_len = usize::try_from(stated).ok().filter(|&len| len <= MAX_HEADER);
        let header_len = header_len.ok_or_else(|| header_too_long(stated))?;
        let (json, data) = rest.split_at_checked(header_len).ok_or_else(|| {
            format!("the header length is {stated} bytes, but only {} follow", rest.len())
        })?;
        let Header { metadata, tensors } = Header::from_json(json, data.len())?;
        let mut value = Tensors { metadata, ..Tensors::default() };
        let data = bytes.slice(LEN + header_len..);
        for (name, TensorSpan { dtype, shape, data_offsets: (begin, end) }) in tensors {
            value.insert(name, Tensor::new(dtype, shape, data.slice(begin..end))?);
        }
        Ok(value)
    }

    fn encode_by(
        format: &dyn Format,
        value: &Tensors,
        out: &mut dyn Write,
    ) -> Option<Result<(), BoxError>> {
        Some(format.encode(value, out))
    }

    fn decode_by(format: &dyn Format, bytes: &Bytes) -> Option<Result<Tensors, BoxError>> {
        Some(format.read(bytes))
    }
}

link!(Item::serializer::<Tensors, SafeTensors>());
