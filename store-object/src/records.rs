//! Records as objects, each written on a condition.
//!
//! Many services derive the entity tag, which conditions compare, from the bytes of an object. To give every write a
//! tag of its own, even one of the same content, the JSON is followed by a *stamp*: white space that is unique to the
//! write. The stamp also identifies a put that succeeded although its answer was lost.
//!
//! `object_store` cannot delete an object on a condition. A conditional removal therefore writes a *tombstone*, an
//! object that consists of a stamp only. Tombstones count as absent everywhere.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larder_store::Result;
use larder_store::{Expected, Record, RecordKey, Revision};
use object_store::path::Path;
use object_store::{Error as Cause, ObjectMeta, ObjectStoreExt, PutMode, UpdateVersion};

use crate::bucket::{AT_ONCE, Bucket};
use crate::failure::absent;

/// Length of a stamp: a line feed and 64 spaces or tabs.
const STAMP: usize = 65;
/// Maximum number of attempts to create a record that others create and remove at the same time.
const MOST_ROUNDS: u32 = 50;

impl Bucket {
    /// Returns the record under a key.
    pub(crate) async fn read(&self, key: &RecordKey) -> Result<Option<Record>> {
        let path = self.record(key)?;
        let read = async {
            let Some(found) = absent(self.service.get(&path).await)? else { return Ok(None) };
            let revision = revision(&found.meta);
            let value = unstamped(key, found.bytes().await?)?;
            Ok((!value.is_empty()).then_some(Record { revision, value }))
        };
        read.await.map_err(|error| self.failed(&format!("read the record {key} from"), error))
    }

    /// Returns records, in the order of `keys`.
    pub(crate) async fn read_all(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>> {
        let read = |key: RecordKey| {
            let bucket = self.clone();
            async move { bucket.read(&key).await }
        };
        stream::iter(keys).map(read).buffered(AT_ONCE).try_collect().await
    }

    /// Writes a record. Returns `false` if the precondition fails.
    pub(crate) async fn put(
        &self,
        key: &RecordKey,
        value: Bytes,
        expected: Expected,
    ) -> Result<bool> {
        let path = self.record(key)?;
        let stamped = stamped(&value);
        let put = async {
            match expected {
                Expected::Anything => self.service.put(&path, stamped.into()).await.map(|_| true),
                Expected::Absent => self.create(&path, stamped).await,
                Expected::Revision(revision) => {
                    self.update(&path, stamped, version(&revision)).await
                }
            }
        };
        put.await.map_err(|error| self.failed(&format!("write the record {key} to"), error))
    }

    /// Removes a record. Returns `false` if the precondition fails.
    pub(crate) async fn remove(&self, key: &RecordKey, expected: Expected) -> Result<bool> {
        let path = self.record(key)?;
        let remove = async {
            match expected {
                Expected::Anything => absent(self.service.delete(&path).await).map(|_| true),
                Expected::Absent => {
                    Ok(self.look(&path).await?.is_none_or(|seen| seen.is_tombstone()))
                }
                Expected::Revision(revision) => {
                    self.update(&path, stamped(&[]), version(&revision)).await
                }
            }
        };
        remove.await.map_err(|error| self.failed(&format!("remove the record {key} from"), error))
    }

    /// Creates an object, or replaces a tombstone. Returns `false` if there is a record.
    async fn create(&self, path: &Path, stamped: Bytes) -> Result<bool, Cause> {
        for round in 0..MOST_ROUNDS {
            let mode = PutMode::Create;
            match self.service.put_opts(path, stamped.clone().into(), mode.into()).await {
                Err(Cause::AlreadyExists { .. } | Cause::Precondition { .. }) => {}
                other => return other.map(|_| true),
            }
            match self.look(path).await? {
                Some(seen) if seen.bytes == stamped => return Ok(true),
                Some(seen) if seen.is_tombstone() => {
                    if self.update(path, stamped.clone(), seen.version).await? {
                        return Ok(true);
                    }
                }
                Some(_) => return Ok(false),
                // It was removed meanwhile, or another put is still pending.
                None => tokio::time::sleep(Duration::from_millis(10) * round).await,
            }
        }
        Err(Cause::Generic {
            store: "object",
            source: "other writers create and remove it at the same time; try again".into(),
        })
    }

    /// Replaces exactly this version of an object. Returns `false` if there is another one.
    ///
    /// If the answer to a successful put is lost, `object_store` sends it again, and the second put fails. The stamp
    /// tells that case apart.
    async fn update(
        &self,
        path: &Path,
        stamped: Bytes,
        version: UpdateVersion,
    ) -> Result<bool, Cause> {
        let mode = PutMode::Update(version);
        match self.service.put_opts(path, stamped.clone().into(), mode.into()).await {
            Ok(_) => Ok(true),
            Err(
                Cause::Precondition { .. } | Cause::NotFound { .. } | Cause::AlreadyExists { .. },
            ) => Ok(self.look(path).await?.is_some_and(|seen| seen.bytes == stamped)),
            Err(error) => Err(error),
        }
    }

    /// Returns the current object.
    async fn look(&self, path: &Path) -> Result<Option<Seen>, Cause> {
        let Some(found) = absent(self.service.get(path).await)? else { return Ok(None) };
        let (e_tag, version) = (found.meta.e_tag.clone(), found.meta.version.clone());
        let bytes = found.bytes().await?;
        Ok(Some(Seen { bytes, version: UpdateVersion { e_tag, version } }))
    }

    /// Lists up to `limit` records whose keys begin with `prefix`, in byte order, after `after`.
    pub(crate) async fn list(
        &self,
        prefix: String,
        after: Option<RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        let mut after = after;
        // Records removed between the listing and the reading must not make the answer look like the end.
        loop {
            let keys = self.keys(&prefix, after.as_ref(), limit).await?;
            let found = self.read_all(keys.clone()).await?;
            let records: Vec<_> = keys
                .iter()
                .zip(found)
                .filter_map(|(key, record)| Some((key.clone(), record?)))
                .collect();
            match keys.last() {
                Some(last) if records.is_empty() => after = Some(last.clone()),
                _ => return Ok(records),
            }
        }
    }

    async fn keys(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<RecordKey>> {
        // All services can list by folder from an offset, and no more.
        let (folder, part) = prefix.rsplit_once('/').unwrap_or(("", prefix));
        if limit == 0 || !(may_begin(folder) && may_begin(part)) {
            return Ok(Vec::new());
        }
        let folder = if folder.is_empty() { "records" } else { &format!("records/{folder}") };
        let after = after.map(|after| format!("records/{after}"));
        let before = just_before(part).map(|name| format!("{folder}/{name}"));
        let folder = self.path(folder)?;
        let mut listed = match after.max(before) {
            Some(start) => self.service.list_with_offset(Some(&folder), &self.path(&start)?),
            None => self.service.list(Some(&folder)),
        };
        let mut keys = Vec::new();
        while keys.len() < limit {
            let found = listed.try_next().await;
            let found = found.map_err(|error| self.failed("list records of", error))?;
            let Some(found) = found else { break };
            let Some(key) = self.below("records", &found.location) else { continue };
            if key > prefix && !key.starts_with(prefix) {
                break;
            }
            if key.starts_with(prefix) && found.size > STAMP as u64 {
                // Objects whose names are not keys do not belong to Larder.
                keys.extend(RecordKey::new(key).ok());
            }
        }
        Ok(keys)
    }
}

/// An object with its stamp.
struct Seen {
    bytes: Bytes,
    version: UpdateVersion,
}

impl Seen {
    fn is_tombstone(&self) -> bool {
        self.bytes.len() == STAMP
    }
}

/// Returns whether `text` can be the beginning of a key.
fn may_begin(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"@._-".contains(&b);
    text.is_empty() || text.split('/').all(|part| !part.is_empty() && part.bytes().all(allowed))
}

/// Returns a name that sorts before all names with the prefix `part` and after nearly all smaller names.
fn just_before(part: &str) -> Option<String> {
    let (last, rest) = part.as_bytes().split_last()?;
    // Only `/` is between `.` and `0`, and it would start another part.
    let before = if *last == b'0' { b'.' } else { last.saturating_sub(1) };
    let rest = std::str::from_utf8(rest).ok()?;
    Some(format!("{rest}{}~", char::from(before)))
}

/// Appends a unique stamp to the JSON of a record.
fn stamped(value: &[u8]) -> Bytes {
    // Each `RandomState` is seeded by the system.
    let random = RandomState::new().build_hasher().finish();
    let bits = (0..64).map(|bit| if random >> bit & 1 == 1 { b'\t' } else { b' ' });
    value.iter().copied().chain([b'\n']).chain(bits).collect()
}

/// Removes the stamp. Returns no bytes for a tombstone.
fn unstamped(key: &RecordKey, mut bytes: Bytes) -> Result<Bytes, Cause> {
    let is_stamp = |end: &[u8]| end[0] == b'\n' && end[1..].iter().all(|b| b" \t".contains(b));
    match bytes.len().checked_sub(STAMP) {
        Some(len) if is_stamp(&bytes[len..]) => {
            bytes.truncate(len);
            Ok(bytes)
        }
        _ => Err(Cause::Generic {
            store: "object",
            source: format!("{key} was not written by Larder: it does not end in a stamp").into(),
        }),
    }
}

/// Combines the entity tag and, for services that use it in conditions, the version.
fn revision(meta: &ObjectMeta) -> Revision {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    Revision::new(format!("{}\n{}", text(&meta.version), text(&meta.e_tag)))
}

/// The inverse of [`revision`].
fn version(revision: &Revision) -> UpdateVersion {
    let (version, e_tag) = revision.as_str().split_once('\n').unwrap_or(("", revision.as_str()));
    let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    UpdateVersion { e_tag: part(e_tag), version: part(version) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_begins_just_before_the_prefix() {
        for part in ["0", "a", "b0", "@1f", "-", ".", "x_", "9-"] {
            let before = just_before(part).unwrap();
            assert!(*before < *part, "{before} comes before {part}");
            assert!(Path::parse(&before).is_ok(), "{before} can be a part");
        }
        assert!(*"@1ezzz" < *just_before("@1f").unwrap());
        assert_eq!(just_before(""), None);
    }

    #[test]
    fn a_stamp_is_white_space_and_never_the_same() {
        let key = RecordKey::new("names/wine").unwrap();
        for value in ["", "{}", "{} \n\t "] {
            let (first, second) = (stamped(value.as_bytes()), stamped(value.as_bytes()));
            assert_ne!(first, second, "two writes of {value:?}");
            let white = |b: &u8| b.is_ascii_whitespace();
            assert!(first[value.len()..].iter().all(white));
            assert_eq!(unstamped(&key, first).unwrap(), value);
        }
        for foreign in
            [vec![], b"{}".to_vec(), vec![b' '; 80], [&[b'\n'][..], &[b'x'; 64]].concat()]
        {
            let error = unstamped(&key, foreign.into()).unwrap_err();
            assert!(error.to_string().contains("names/wine"), "{error}");
        }
    }

    #[test]
    fn a_revision_leads_back_to_what_a_condition_asks_for() {
        for (e_tag, counted) in [(Some("\"a\""), None), (Some("\"a\""), Some("17")), (None, None)] {
            let meta = ObjectMeta {
                location: Path::from("x"),
                last_modified: Default::default(),
                size: 1,
                e_tag: e_tag.map(str::to_owned),
                version: counted.map(str::to_owned),
            };
            let back = version(&revision(&meta));
            assert_eq!((back.e_tag, back.version), (meta.e_tag, meta.version));
        }
    }
}
