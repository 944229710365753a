//! Custom section with the signature of a guest.

use larder_core::Signature;

use super::error::WasmError;

/// Name of the section; its content is JSON: `{"input": SCHEMA, "output": SCHEMA}`.
const NAME: &[u8] = b"larder.signature";
/// Maximum size of a signature, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// Returns the signature of a valid module or component.
pub(super) fn signature(wasm: &[u8]) -> Result<Option<Signature>, WasmError> {
    let invalid = |reason: String| WasmError::Invalid { reason };
    match find(wasm) {
        None => Ok(None),
        Some(content) if content.len() > MAX_BYTES => {
            Err(invalid("the section `larder.signature` is longer than 1 MiB".into()))
        }
        Some(content) => serde_json::from_slice(content).map(Some).map_err(|error| {
            invalid(format!(
                "the section `larder.signature` is not a pair of JSON Schemas: {error}"
            ))
        }),
    }
}

/// Finds the content of the section. Modules and components have a header of 8 bytes and sections of an id, a length and
/// the content; a custom section has the id 0 and starts with its name.
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

/// Splits off bytes that follow their length, in LEB128.
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
