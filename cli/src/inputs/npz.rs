//! NumPy's format of several arrays, `.npz`: a ZIP archive.

use super::{MAX_BYTES, npy};

const END: [u8; 4] = *b"PK\x05\x06";
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const MAX_FILES: usize = 1024;

/// Converts the arrays to an object by their names.
pub(super) fn to_json(bytes: &[u8]) -> Result<String, String> {
    let mut json = String::from("{");
    for (name, data) in files(bytes)? {
        let name = name.strip_suffix(".npy").unwrap_or(&name);
        let array = npy::to_json(&data).map_err(|reason| format!("`{name}`: {reason}"))?;
        if json.len() > 1 {
            json.push(',');
        }
        if json.len() + array.len() > MAX_BYTES {
            return Err(format!("it is larger than {MAX_BYTES} bytes of JSON"));
        }
        json.push_str(&serde_json::to_string(name).map_err(|error| error.to_string())?);
        json.push(':');
        json.push_str(&array);
    }
    json.push('}');
    Ok(json)
}

/// Reads the files that the directory at the end of an archive lists.
fn files(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let damaged = || "not a ZIP archive of NumPy, or damaged".to_owned();
    // A comment of at most 65,535 bytes may follow the end.
    let tail = bytes.len().saturating_sub(65_557);
    let end = bytes[tail..].windows(4).rposition(|mark| mark == END).ok_or_else(damaged)? + tail;
    let count = usize::from(u16_at(bytes, end + 10).ok_or_else(damaged)?);
    let mut at = u32_at(bytes, end + 16).ok_or_else(damaged)?;
    if count > MAX_FILES {
        return Err(format!("it has more than {MAX_FILES} arrays"));
    }
    let (mut files, mut left) = (Vec::with_capacity(count), MAX_BYTES);
    for _ in 0..count {
        let entry = read_entry(bytes, at).ok_or_else(damaged)?;
        let data = bytes.get(entry.data..).and_then(|rest| rest.get(..entry.packed));
        let data = data.ok_or_else(damaged)?;
        let unpacked = match entry.method {
            0 => data.to_vec(),
            8 => miniz_oxide::inflate::decompress_to_vec_with_limit(data, left)
                .map_err(|error| format!("`{}`: {error}", entry.name))?,
            method => {
                return Err(format!("`{}` is packed with the unknown method {method}", entry.name));
            }
        };
        left = left.checked_sub(unpacked.len()).ok_or("it is too large")?;
        files.push((entry.name, unpacked));
        at = entry.next;
    }
    Ok(files)
}

struct Entry {
    name: String,
    method: u16,
    packed: usize,
    /// Where the data begin.
    data: usize,
    /// Where the next entry of the directory begins.
    next: usize,
}

fn read_entry(bytes: &[u8], at: usize) -> Option<Entry> {
    if bytes.get(at..at.checked_add(4)?)? != ENTRY {
        return None;
    }
    let [name, extra, comment] =
        [28, 30, 32].map(|field| u16_at(bytes, at + field).map(usize::from));
    let (name_len, extra, comment) = (name?, extra?, comment?);
    let local = u32_at(bytes, at + 42)?;
    // The local header repeats the name, with an extra part of its own.
    let [local_name, local_extra] =
        [26, 28].map(|field| u16_at(bytes, local.checked_add(field)?).map(usize::from));
    let name = bytes.get(at + 46..at + 46 + name_len)?;
    let (packed, unpacked) = (u32_at(bytes, at + 20)?, u32_at(bytes, at + 24)?);
    // Sizes beyond 4 GiB are in an extra part.
    if packed.max(unpacked) >= u32::MAX as usize {
        return None;
    }
    Some(Entry {
        name: String::from_utf8_lossy(name).into_owned(),
        method: u16_at(bytes, at + 10)?,
        packed,
        data: local.checked_add(30)?.checked_add(local_name? + local_extra?)?,
        next: at + 46 + name_len + extra + comment,
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let part = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes([part[0], part[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let part = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes([part[0], part[1], part[2], part[3]])).ok()
}
