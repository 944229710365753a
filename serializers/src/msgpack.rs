//! The MessagePack format.

use std::io::{ErrorKind, Write};

use larder_core::BoxError;
use larder_core::guard::{Guard, Rules};
use larder_core::serializers::FormatTraits;
use rmp_serde::MSGPACK_EXT_STRUCT_NAME;
use rmp_serde::decode::Error;
use serde::de::DeserializeSeed;
use serde::{Deserialize, Serialize};

use crate::serde_format::{SerdeFormat, serde_format};

/// MessagePack with named fields: self-describing, compact, open to new fields.
///
/// Manifest name: `msgpack-named`. Specification: <https://github.com/msgpack/msgpack>. Structs are maps keyed by
/// field name, enum variants are named, and an option is its value or nil, so `Some(None)` is rejected. Runs of
/// 65,536 numbers and more are blocks of bytes, in extension values.
#[derive(Debug, Clone, Copy)]
pub struct MsgPack;

impl SerdeFormat for MsgPack {
    const RULES: Rules = Rules::SELF_DESCRIBING;

    // The serializer keeps what has no known length in a buffer of its own, where maps are not sorted.
    fn prepare(guard: Guard) -> Guard {
        guard.with_extension(MSGPACK_EXT_STRUCT_NAME).with_lengths(
            |len, out| header(len, out, [0x90, 0xdc, 0xdd]),
            |len, out| header(len, out, [0x80, 0xde, 0xdf]),
        )
    }

    fn write<T: Serialize, W: Write>(value: &T, out: &mut W) -> Result<(), BoxError> {
        let mut serializer = rmp_serde::Serializer::new(out).with_struct_map();
        Ok(value.serialize(&mut serializer)?)
    }

    fn read<'de, S: DeserializeSeed<'de>>(
        seed: S,
        bytes: &'de [u8],
    ) -> Result<(S::Value, bool), BoxError> {
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
        let value = seed.deserialize(&mut deserializer)?;
        // The deserializer hides its position; at the end, there is no marker to read.
        deserializer.set_max_depth(1);
        let at_end = match serde::de::IgnoredAny::deserialize(&mut deserializer) {
            Err(Error::InvalidMarkerRead(error)) => error.kind() == ErrorKind::UnexpectedEof,
            _ => false,
        };
        Ok((value, at_end))
    }
}

/// Writes the header of an array or map: in four bits, two bytes or four, as short as possible.
fn header(len: usize, out: &mut Vec<u8>, [short, two, four]: [u8; 3]) {
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ 0..16), _) => out.push(short | len),
        (_, Ok(len)) => {
            out.push(two);
            out.extend(len.to_be_bytes());
        }
        _ => {
            out.push(four);
            // As the format's own serializer does, beyond what memory holds.
            out.extend((len as u32).to_be_bytes());
        }
    }
}

serde_format!(MsgPack, "msgpack-named", FormatTraits::new(true, true, true));
