//! NumPy's format of several arrays, `.npz`: a ZIP archive.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use crate::{MAX_BYTES, npy};

const MAX_FILES: usize = 1024;

/// Converts the arrays to an object by their names.
pub(crate) fn to_json(bytes: &[u8]) -> Result<String, String> {
    let archive = ZipArchive::new(Cursor::new(bytes));
    let mut archive = archive.map_err(|error| format!("not a ZIP archive of NumPy: {error}"))?;
    if archive.len() > MAX_FILES {
        return Err(format!("it has more than {MAX_FILES} arrays"));
    }
    let (mut json, mut left) = (String::from("{"), MAX_BYTES);
    for at in 0..archive.len() {
        let file = archive.by_index(at).map_err(|error| error.to_string())?;
        let file_name = file.name().map_err(|error| error.to_string())?.into_owned();
        let name = file_name.strip_suffix(".npy").unwrap_or(&file_name);
        let failed = |reason: String| format!("`{name}`: {reason}");
        // The size that an archive states may be wrong.
        let mut data = Vec::new();
        let read = file.take(left as u64 + 1).read_to_end(&mut data);
        read.map_err(|error| failed(error.to_string()))?;
        left = left.checked_sub(data.len()).ok_or("it is too large")?;
        let array = npy::to_json(&data).map_err(failed)?;
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Two arrays, as `numpy.savez` and `numpy.savez_compressed` write them.
    const ARCHIVES: [&[u8]; 2] = [
        include_bytes!("../../cli/tests/fixtures/both.npz"),
        include_bytes!("../../cli/tests/fixtures/packed.npz"),
    ];

    #[test]
    fn every_cut_archive_is_refused() {
        for archive in ARCHIVES {
            assert!(to_json(archive).is_ok());
            for len in 0..archive.len() {
                assert!(to_json(&archive[..len]).is_err(), "{len}");
            }
        }
    }

    #[test]
    fn no_changed_byte_changes_an_array() {
        for archive in ARCHIVES {
            let whole = to_json(archive).unwrap();
            let object = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
            let values = |json: &str| -> Vec<serde_json::Value> {
                object(json).as_object().unwrap().values().cloned().collect()
            };
            for at in 0..archive.len() {
                let mut changed = archive.to_vec();
                changed[at] ^= 0x10;
                // A name may change, which the model then refuses; an array fails its checksum.
                if let Ok(json) = to_json(&changed) {
                    for value in values(&json) {
                        assert!(values(&whole).contains(&value), "{at}");
                    }
                }
            }
        }
    }
}
