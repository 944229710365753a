//! The custom section in which a guest may keep its signature.

use larder_core::Signature;

use super::error::WasmError;

/// The name of the section; its content is JSON: `{"input": SCHEMA, "output": SCHEMA}`.
const NAME: &[u8] = b"larder.signature";
/// The longest signature that is read.
const MOST_BYTES: usize = 1 << 20;

/// The signature in a module or component that was validated.
pub(super) fn signature(wasm: &[u8]) -> Result<Option<Signature>, WasmError> {
    let invalid = |reason: String| WasmError::Invalid { reason };
    match find(wasm) {
        None => Ok(None),
        Some(content) if content.len() > MOST_BYTES => {
            Err(invalid("its section `larder.signature` is longer than 1 MiB".into()))
        }
        Some(content) => serde_json::from_slice(content).map(Some).map_err(|error| {
            invalid(format!("its section `larder.signature` is no pair of JSON Schemas: {error}"))
        }),
    }
}

/// The content of the section. Modules and components are both a header of 8 bytes and sections: an id, a
/// length, and as many bytes; a custom section has the id 0 and begins with its name.
fn find(wasm: &[u8]) -> Option<&[u8]> {
    let mut rest = wasm.get(8..)?;
    while let Some((id, after)) = rest.split_first() {
        let (content, next) = sized(after)?;
        if *id == 0 {
            let (name, content) = sized(content)?;
            if name == NAME {
                return Some(content);
            }
        }
        rest = next;
    }
    None
}

/// Splits off bytes that are preceded by their number, in LEB128.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut len = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        len |= usize::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            return bytes.get(at + 1..)?.split_at_checked(len);
        }
    }
    None
}
