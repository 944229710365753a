//! The keys of records.

use crate::digest::Digest;
use crate::error::{Corruption, Error, Result};
use crate::manifest::ChildEntry;
use crate::name::{Identifier, TagName, VersionNumber};
use crate::store::RecordKey;

/// The prefix of the records of names.
pub const NAMES: &str = "names/";
/// The prefix of the records of versions.
pub const VERSIONS: &str = "versions/";
/// The prefix of the records of digests.
pub const DIGESTS: &str = "digests/";
/// The prefix of the records of tags.
pub const TAGS: &str = "tags/";
/// The prefix of the moves of tags.
pub const MOVES: &str = "moves/";
/// The prefix of annotations.
pub const ANNOTATIONS: &str = "notes/";
/// The prefix of the records of users: versions that refer to others.
pub const USERS: &str = "users/";
/// The prefix of the records of garbage.
pub const GARBAGE: &str = "gc/@";

// Valid identifiers, tags, digests and numbers always form valid keys.

/// The key of the record of a name.
pub fn name_key(name: &Identifier) -> Result<RecordKey> {
    RecordKey::new(&format!("{NAMES}{name}"))
}

/// The identifier in the key of a [`NameRecord`](super::NameRecord).
pub fn name_in(key: &RecordKey) -> Result<Identifier> {
    let name = key.as_str().strip_prefix(NAMES).unwrap_or_default();
    Identifier::new(name).map_err(|_| misnamed(key, "its key is no identifier"))
}

/// The error for a record under a wrong key.
pub fn misnamed(key: &RecordKey, reason: &str) -> Error {
    Error::corrupt(format!("the record {key}"), Corruption::Unreadable(reason.into()))
}

/// The identifier and the part after `@` in a key under `stem`.
pub fn parts_of<'a>(key: &'a RecordKey, stem: &str) -> Result<(Identifier, &'a str)> {
    let parts = key.as_str().strip_prefix(stem).and_then(|rest| rest.split_once("/@"));
    let parts = parts.and_then(|(name, part)| Some((Identifier::new(name).ok()?, part)));
    parts.ok_or_else(|| misnamed(key, &format!("its key is not `{stem}NAME/@…`")))
}

/// The prefix of the versions of a name.
pub fn versions_of(name: &Identifier) -> String {
    format!("versions/{name}/@")
}

/// The key of the record of a version.
pub fn version_key(name: &Identifier, number: VersionNumber) -> Result<RecordKey> {
    RecordKey::new(&format!("versions/{name}/@{:010}", number.get()))
}

/// The prefix of a name's digests with the hex prefix `prefix`.
pub fn digests_of(name: &Identifier, prefix: &str) -> String {
    format!("digests/{name}/@{prefix}")
}

/// The key of the record of a version's digest.
pub fn digest_key(name: &Identifier, digest: &Digest, number: VersionNumber) -> Result<RecordKey> {
    RecordKey::new(&format!("digests/{name}/@{}-{:010}", digest.to_hex(), number.get()))
}

/// The key of the record of a blob that is garbage.
pub fn garbage_key(digest: &Digest) -> Result<RecordKey> {
    RecordKey::new(&format!("{GARBAGE}{}", digest.to_hex()))
}

/// The digest in the key of a [`GarbageRecord`](super::GarbageRecord).
pub fn garbage_in(key: &RecordKey) -> Result<Digest> {
    let hex = key.as_str().strip_prefix(GARBAGE).unwrap_or_default();
    Digest::from_hex(hex).map_err(|_| misnamed(key, "its key is no digest"))
}

/// The prefix of the tags of a name.
pub fn tags_of(name: &Identifier) -> String {
    format!("{TAGS}{name}/@")
}

/// The name and the tag in the key of a [`TagRecord`](super::TagRecord).
pub fn tag_in(key: &RecordKey) -> Result<(Identifier, TagName)> {
    let parts = key.as_str().strip_prefix(TAGS).and_then(|rest| rest.split_once("/@"));
    let read = |(name, tag)| Some((Identifier::new(name).ok()?, TagName::new(tag).ok()?));
    parts.and_then(read).ok_or_else(|| {
        Error::corrupt(
            format!("the record {key}"),
            Corruption::Unreadable("its key is no tag".into()),
        )
    })
}

/// The key of the record of a tag.
pub fn tag_key(name: &Identifier, tag: &TagName) -> Result<RecordKey> {
    RecordKey::new(&format!("{TAGS}{name}/@{tag}"))
}

/// The prefix of the moves of a tag.
pub fn moves_of(name: &Identifier, tag: &TagName) -> String {
    format!("{MOVES}{name}/@{tag}/@")
}

/// The key of the record of one move of a tag.
pub fn move_key(name: &Identifier, tag: &TagName, number: u64) -> Result<RecordKey> {
    RecordKey::new(&format!("{MOVES}{name}/@{tag}/@{number:010}"))
}

/// The number at the end of the key of a [`MoveRecord`](super::MoveRecord).
pub fn move_in(key: &RecordKey) -> Result<u64> {
    let number = key.as_str().rsplit('@').next().and_then(|number| number.parse().ok());
    number.filter(|number| *number > 0).ok_or_else(|| {
        Error::corrupt(
            format!("the record {key}"),
            Corruption::Unreadable("its key ends in no number".into()),
        )
    })
}

/// The prefix of the users of a manifest.
pub fn users_of(child: &ChildEntry) -> String {
    format!("{USERS}{}/@{}-", child.name, child.manifest.to_hex())
}

/// The key of the record of a version that refers to a child; contains a digest of the user's name, as two names would
/// not fit.
pub fn user_key(child: &ChildEntry, user: &Identifier, number: VersionNumber) -> Result<RecordKey> {
    let user = Digest::of(user.as_str().as_bytes()).to_hex();
    RecordKey::new(&format!("{}{user:.32}-{:010}", users_of(child), number.get()))
}

/// The key of the annotations of a version.
pub fn annotations_key(name: &Identifier, number: VersionNumber) -> Result<RecordKey> {
    RecordKey::new(&format!("{ANNOTATIONS}{name}/@{:010}", number.get()))
}
