//! All tensors as one safetensors file.

use std::io::{BufWriter, Write};

use larder_core::bytes::Bytes;
use larder_core::serializers::Format;
use larder_core::{BoxError, Item, Serializer, link};

use super::header::{Header, METADATA, MOST_BYTES, TensorSpan, too_long};
use super::{Tensor, Tensors};

/// One safetensors file, which Python's `safetensors` and other tools read: for [`Tensors`].
///
/// Named in manifests `safetensors`. Specification: <https://github.com/huggingface/safetensors#format>.
/// Equal tensors give equal bytes. A tensor lies in the file where its elements may, so it is lent out of
/// the mapped blob; one of a foreign file that does not is copied. The file is one blob: two versions
/// of it share nothing.
///
/// ```
/// use larder_core::Serializer;
/// use larder_core::bytes::Bytes;
/// use larder_serializers::{SafeTensors, Tensors};
///
/// let tensors: Tensors = [("bias", vec![0.5_f32, -1.0])].into_iter().collect();
/// let mut file = Vec::new();
/// SafeTensors::encode(&tensors, &mut file)?; // what `std::fs::write` would make `model.safetensors`
///
/// let back = SafeTensors::decode(&Bytes::from(file))?; // what `std::fs::read` gave
/// assert_eq!(back.tensor("bias")?.as_slice::<f32>()?, [0.5, -1.0]);
/// # Ok::<(), larder_core::BoxError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SafeTensors;

/// How many bytes a file states the length of its header in.
const LEN: usize = size_of::<u64>();
/// How many bytes are gathered before they are handed on: enough that they are digested and written at the
/// same time, on two cores.
const MOST_GATHERED: usize = 8 << 20;

impl Serializer<Tensors> for SafeTensors {
    const NAME: &'static str = "safetensors";

    fn encode(value: &Tensors, out: &mut dyn Write) -> Result<(), BoxError> {
        if value.get(METADATA).is_some() {
            return Err(format!("safetensors has no room for a tensor named `{METADATA}`").into());
        }
        // The widest first, so that each is aligned: the order that the format's own library writes.
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
        let mut out = BufWriter::with_capacity(MOST_GATHERED.min(LEN + header.len() + end), out);
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
            .ok_or("the file is shorter than the length of its header")?;
        let stated = u64::from_le_bytes(stated);
        let header_len = usize::try_from(stated).ok().filter(|&len| len <= MOST_BYTES);
        let header_len = header_len
            .ok_or_else(|| format!("the file states a header of {stated} bytes; {}", too_long()))?;
        let (json, data) = rest.split_at_checked(header_len).ok_or_else(|| {
            format!("the file states a header of {stated} bytes and has {}", rest.len())
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
