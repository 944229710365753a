//! Recognises ONNX files by the outermost fields of their message, without a runtime.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

/// Field numbers of ONNX's `ModelProto`.
const IR_VERSION: u64 = 1;
const GRAPH: u64 = 7;
/// Highest field number.
const LAST_FIELD: u64 = 25;
/// Highest plausible IR version.
const MAX_IR_VERSION: u64 = 64;

/// Result of reading the outermost fields of a file.
#[derive(Debug, PartialEq, Eq)]
enum Scan {
    /// A message with an IR version and a graph.
    Onnx,
    /// Begins like one, and ends before the end of a field.
    Cut {
        /// Bytes that are missing at least.
        missing: u64,
    },
    Other,
}

/// Returns whether `source`, of `len` bytes from its start, is an ONNX file.
///
/// # Errors
/// Errors of `source`.
pub fn is_onnx(source: &mut (impl Read + Seek), len: u64) -> io::Result<bool> {
    Ok(scan(source, len)? == Scan::Onnx)
}

/// Returns the number of missing bytes if `bytes` are the beginning of an ONNX file.
pub fn missing_bytes(bytes: &[u8]) -> Option<u64> {
    match scan(&mut Cursor::new(bytes), bytes.len() as u64) {
        Ok(Scan::Cut { missing }) => Some(missing),
        _ => None,
    }
}

fn scan(source: &mut (impl Read + Seek), len: u64) -> io::Result<Scan> {
    let mut at = 0;
    let (mut versions, mut graphs) = (0, 0);
    // The first field of a model is its IR version.
    let cut = |versions, missing| if versions > 0 { Scan::Cut { missing } } else { Scan::Other };
    while at < len {
        let Some(key) = varint(source, &mut at)? else { return Ok(cut(versions, 1)) };
        let (field, wire) = (key >> 3, key & 7);
        if field == 0 || field > LAST_FIELD {
            return Ok(Scan::Other);
        }
        match wire {
            0 => {
                let Some(value) = varint(source, &mut at)? else { return Ok(cut(versions, 1)) };
                if field == IR_VERSION {
                    versions += u64::from((1..=MAX_IR_VERSION).contains(&value));
                }
            }
            2 => {
                let Some(size) = varint(source, &mut at)? else { return Ok(cut(versions, 1)) };
                let end = at.saturating_add(size);
                if end > len {
                    return Ok(cut(versions, end - len));
                }
                graphs += u64::from(field == GRAPH);
                at = end;
                source.seek(SeekFrom::Start(at))?;
            }
            // A `ModelProto` has no other wire types.
            _ => return Ok(Scan::Other),
        }
    }
    Ok(match (versions, graphs) {
        (1, 1) => Scan::Onnx,
        (1, 0) => Scan::Cut { missing: 1 },
        _ => Scan::Other,
    })
}

/// Reads a protobuf varint; `None` if it is invalid.
fn varint(source: &mut impl Read, at: &mut u64) -> io::Result<Option<u64>> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        if source.read(&mut byte)? == 0 {
            return Ok(None);
        }
        *at += 1;
        value |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Ok(None)
}
