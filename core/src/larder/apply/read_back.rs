//! Reading back what `apply` wrote, before it is committed.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use thiserror::Error;

use super::encode::refused;
use crate::component::TypeEntry;
use crate::error::{BoxError, Error, Result};
use crate::guard::{self, Guard, GuardError, Rules};
use crate::larder::ArtifactReader;
use crate::larder::decode::erased;
use crate::manifest::ArtifactEntry;
use crate::registry;
use crate::scope;
use crate::serializer::Serializer;

/// Maximum bytes of an artifact that is read back each time.
const SMALL: usize = 1 << 20;
/// Maximum bytes of an artifact that is read back once for its type: it is in memory three times meanwhile.
const LARGE: usize = 1 << 30;
/// Trusted serializers whose blob is the value.
const VERBATIM: [&str; 2] = ["bytes", "file"];
/// Number of readings that may all encode to the same other bytes.
const ATTEMPTS: usize = 16;

/// Types and serializers whose large artifacts were read back in this process.
static CHECKED: Mutex<BTreeSet<(TypeId, String)>> = Mutex::new(BTreeSet::new());

/// The artifacts that `apply` reads back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadBack {
    Nothing,
    /// Fields and small artifacts, and the first large artifact of each type.
    Small,
    Everything,
}

/// The reading back of one artifact.
pub(super) struct Check {
    most: usize,
    key: (TypeId, String),
}

impl Check {
    pub(super) fn of<T: 'static, S: Serializer<T>>(name: &str, what: ReadBack) -> Self {
        let key = (TypeId::of::<(T, S)>(), name.to_owned());
        let most = match what {
            ReadBack::Nothing => 0,
            _ if VERBATIM.contains(&name) && registry::is_trusted(name) => 0,
            ReadBack::Everything => usize::MAX,
            ReadBack::Small if checked().contains(&key) => SMALL,
            ReadBack::Small => LARGE,
        };
        Self { most, key }
    }

    /// Returns where to keep the bytes while they are written.
    pub(super) fn keep(&self) -> Option<Kept> {
        (self.most > 0).then(|| Kept { bytes: Vec::new(), most: self.most })
    }

    /// Reads the bytes of `value` back.
    pub(super) fn run<T: 'static, S: Serializer<T>>(
        self,
        reader: &Arc<ArtifactReader>,
        entry: &ArtifactEntry,
        value: &T,
        bytes: &Bytes,
    ) -> Result<(), BoxError> {
        let name = &*entry.serializer;
        let read = || {
            let read = reader.decode_with::<T, S>(name, bytes, || "the artifact".to_owned())?;
            read.map_err(|error| NotReadBack::unreadable(name, error))
        };
        let back: T = read()?;
        scope::comparing(reader, || match S::compare(value, &back) {
            Some(compared) => compared.map_err(|error| NotReadBack::changed(name, error)),
            None => {
                let encode = |value: &T| {
                    let mut bytes = Vec::new();
                    reader.encode_with::<T, S>(name, value, &mut bytes)??;
                    Ok(bytes)
                };
                match encodes_again(back, bytes, read, encode)? {
                    true => Ok(()),
                    false => Err(NotReadBack::changed(name, "it encodes to other bytes".into())),
                }
            }
        })?;
        if bytes.len() > SMALL {
            checked().insert(self.key);
        }
        Ok(())
    }
}

fn checked() -> std::sync::MutexGuard<'static, BTreeSet<(TypeId, String)>> {
    CHECKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns whether what was read encodes to the same bytes, as far as its encoding is a function of the value.
///
/// Encodings of equal values may differ, by the order of a hash map or a random number: then several readings differ
/// among themselves, and bytes cannot be compared.
fn encodes_again<T>(
    mut back: T,
    bytes: &[u8],
    read: impl Fn() -> Result<T, BoxError>,
    encode: impl Fn(&T) -> Result<Vec<u8>, BoxError>,
) -> Result<bool, BoxError> {
    let other = encode(&back)?;
    if other == bytes {
        return Ok(true);
    }
    for _ in 1..ATTEMPTS {
        back = read()?;
        if encode(&back)? != other {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The first bytes of an artifact, up to a maximum.
pub(super) struct Kept {
    bytes: Vec<u8>,
    most: usize,
}

impl Kept {
    pub(super) fn add(kept: &mut Option<Self>, bytes: &[u8]) {
        if let Some(this) = kept {
            match this.bytes.len() + bytes.len() <= this.most {
                true => this.bytes.extend_from_slice(bytes),
                false => *kept = None,
            }
        }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }
}

/// A value that its serializer does not read back.
#[derive(Debug, Error)]
#[error(
    "`{serializer}` {fault}{at}; use another serializer, or correct the type's encoding and decoding"
)]
struct NotReadBack {
    serializer: String,
    fault: &'static str,
    at: String,
    source: BoxError,
}

impl NotReadBack {
    fn unreadable(serializer: &str, source: BoxError) -> BoxError {
        Self::boxed(serializer, "cannot read back what it wrote", source)
    }

    fn changed(serializer: &str, source: BoxError) -> BoxError {
        Self::boxed(serializer, "reads back another value than it wrote", source)
    }

    fn boxed(serializer: &str, fault: &'static str, source: BoxError) -> BoxError {
        let (path, source) = match source.downcast::<GuardError>() {
            Ok(error) => error.into_parts(),
            Err(source) => (String::new(), source),
        };
        let at = if path.is_empty() { path } else { format!(", at `{path}`") };
        Self { serializer: serializer.to_owned(), fault, at, source }.into()
    }
}

/// Reads the fields of a component back.
///
/// # Errors
/// [`Error::Lossy`] with the path.
pub(super) fn read_fields_back(
    what: &str,
    entry: &TypeEntry,
    reader: &Arc<ArtifactReader>,
    fields: &str,
) -> Result<()> {
    let lossy = |path, reason| Error::Lossy {
        what: what.to_owned(),
        path,
        reason,
        advice: "Correct its `Serialize` and `Deserialize`, or hold it in an `Artifact`",
    };
    let guard = Guard::for_bytes(Rules::JSON, fields.len());
    let mut json = serde_json::Deserializer::from_str(fields);
    let read = scope::with_reader(reader, || erased(&guard, &mut json, entry.read));
    let back = read.map_err(|error| {
        let (path, reason) = guard.error(error).into_parts();
        lossy(path, format!("the manifest cannot be read back: {reason}"))
    })?;
    let (guard, mut again) = (Guard::new(Rules::JSON), Vec::new());
    let mut out = guard.output(&mut again);
    let encoded = scope::comparing(reader, || {
        let mut serializer = serde_json::Serializer::new(&mut out);
        erased_serde::serialize(&*back, guard.serializer(&mut serializer))
    });
    let encoded = encoded.and_then(|()| out.finish().map_err(serde_json::Error::io));
    encoded.map_err(|error| refused(what.to_owned(), guard.error(error)))?;
    if again == fields.as_bytes() {
        return Ok(());
    }
    let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).unwrap_or_default();
    let compared = guard::compare(Rules::JSON, &value(fields.as_bytes()), &value(&again));
    let path = match compared {
        // An object with a key twice has another length.
        Ok(()) if again.len() == fields.len() => return Ok(()),
        Ok(()) => String::new(),
        Err(error) => error.into_parts().0,
    };
    Err(lossy(path, "the manifest is read back as another value".into()))
}
