//! The entries of the table of record kinds for versions and what belongs to them.

use super::{
    AnnotationsRecord, DigestRecord, GarbageRecord, MoveRecord, NameRecord, TagRecord, UserRecord,
    VersionRecord, key::*, read, read_version,
};
use crate::digest::Digest;
use crate::error::Result;
use crate::manifest::ChildEntry;
use crate::name::{Identifier, TagName, VersionNumber};
use crate::store::{Action, BlobRoot, CopyRule, Record, RecordKey, RecordKind, RecordLink, kind};
use crate::time::Timestamp;

kind!(
    RecordKind::new(
        "name",
        "names/NAME",
        NAMES,
        |key| name_in(key).map(Some),
        |key, found| read::<NameRecord>(key, found).map(drop),
    )
    .links(name_links)
    .roots(name_roots)
    .copied(CopyRule::Rebuilt)
);

kind!(
    RecordKind::new("version", "versions/NAME/@N", VERSIONS, version_owner, |key, found| {
        read_version(key, found).map(drop)
    })
    .links(version_links)
    .roots(version_roots)
    .replaces(version_replaces)
    .copied(CopyRule::Rebuilt)
);

kind!(
    RecordKind::new(
        "digest",
        "digests/NAME/@HEX-N",
        DIGESTS,
        |key| parse_digest(key).map(|(name, ..)| Some(name)),
        |key, found| read::<DigestRecord>(key, found).map(drop),
    )
    .links(digest_links)
    .roots(digest_roots)
    .replaces(|key, old, new| {
        let [old, new] = [Some(old), new].map(|it| read::<DigestRecord>(key, it?).ok());
        let is_other = matches!((old, new), (Some(old), Some(new)) if old.version != new.version);
        is_other.then(|| "it leads to another version".into())
    })
    .copied(CopyRule::Rebuilt)
);

kind!(
    RecordKind::new(
        "tag",
        "tags/NAME/@TAG",
        TAGS,
        |key| tag_in(key).map(|(name, _)| Some(name)),
        |key, found| read::<TagRecord>(key, found).map(drop),
    )
    .links(tag_links)
    .copied(CopyRule::Rebuilt)
    .access(Action::Read, Action::Tag)
);

kind!(
    RecordKind::new(
        "move",
        "moves/NAME/@TAG/@N",
        MOVES,
        |key| parse_move(key).map(|(name, ..)| Some(name)),
        |key, found| read::<MoveRecord>(key, found).map(drop),
    )
    .links(move_links)
    .access(Action::Read, Action::Tag)
    .replaces(move_replaces)
);

kind!(
    RecordKind::new(
        "annotations",
        "notes/NAME/@N",
        ANNOTATIONS,
        |key| parse_annotations(key).map(|(name, _)| Some(name)),
        |key, found| read::<AnnotationsRecord>(key, found).map(drop),
    )
    .links(|key, _| {
        let (name, number) = parse_annotations(key)?;
        Ok(vec![known_version(&name, number)?])
    })
    .copied(CopyRule::WithVersion(annotations_key))
    .access(Action::Read, Action::Annotate)
);

kind!(
    RecordKind::new(
        "user",
        "users/NAME/@HEX-USER-N",
        USERS,
        |key| parse_user(key).map(|(child, ..)| Some(child.name)),
        |key, found| read::<UserRecord>(key, found).map(drop),
    )
    .links(user_links)
    .copied(CopyRule::Rebuilt)
    .needs(|key, found| {
        let (child, _) = parse_user(key)?;
        let user: UserRecord = read(key, found)?;
        Ok(vec![(Action::Write, Some(user.name)), (Action::Read, Some(child.name))])
    })
);

kind!(
    RecordKind::new(
        "garbage",
        "gc/@HEX",
        GARBAGE,
        |key| {
            let digest = garbage_in(key)?;
            same(key, garbage_key(&digest)? == *key, "its key is no digest").map(|()| None)
        },
        |key, found| read::<GarbageRecord>(key, found).map(drop),
    )
    // A writer takes its blobs back.
    .access(Action::Write, Action::Maintain)
    .removed_by(Action::Write)
);

/// The latest version of a name is one that the name counts, ready and not removed.
pub(super) fn name_fault(name: &NameRecord, _: &RecordKey) -> Option<&'static str> {
    let latest = name.latest.as_ref()?;
    let is_sound = latest.version.next() <= name.next && latest.is_current();
    (!is_sound).then_some("its `latest` is not below `next`, not ready, or removed")
}

pub(super) fn version_fault(version: &VersionRecord, key: &RecordKey) -> Option<&'static str> {
    let is_own = numbered(key, VERSIONS).is_ok_and(|(_, number)| number == version.version);
    (!is_own).then_some("its `version` is not the number in its key")
}

pub(super) fn digest_fault(record: &DigestRecord, key: &RecordKey) -> Option<&'static str> {
    let is_own = parse_digest(key).is_ok_and(|(.., number)| number == record.version);
    (!is_own).then_some("its `version` is not the number in its key")
}

pub(super) fn user_fault(user: &UserRecord, key: &RecordKey) -> Option<&'static str> {
    let own = parse_user(key).and_then(|(child, _)| user_key(&child, &user.name, user.version));
    let is_own = own.is_ok_and(|own| own == *key);
    (!is_own).then_some("its `name` and `version` are not the ones in its key")
}

/// Refuses a key that is not in its canonical form.
fn same(key: &RecordKey, is_same: bool, reason: &str) -> Result<()> {
    if is_same { Ok(()) } else { Err(misnamed(key, reason)) }
}

/// Parses the number at the end of a key, which [`version_key`] and its like pad with zeros.
fn number(text: &str) -> Option<VersionNumber> {
    let number = text.parse().ok().and_then(VersionNumber::new)?;
    (format!("{:010}", number.get()) == text).then_some(number)
}

fn numbered(key: &RecordKey, prefix: &str) -> Result<(Identifier, VersionNumber)> {
    let (name, part) = parts_of(key, prefix)?;
    let number = number(part).ok_or_else(|| misnamed(key, "its key ends in no version number"))?;
    Ok((name, number))
}

fn version_owner(key: &RecordKey) -> Result<Option<Identifier>> {
    numbered(key, VERSIONS).map(|(name, _)| Some(name))
}

fn parse_annotations(key: &RecordKey) -> Result<(Identifier, VersionNumber)> {
    numbered(key, ANNOTATIONS)
}

/// Parses `PREFIX/NAME/@HEX-…-N`.
fn digest_and<'a>(
    key: &'a RecordKey,
    prefix: &str,
) -> Result<(Identifier, Digest, &'a str, VersionNumber)> {
    let (name, part) = parts_of(key, prefix)?;
    let parse = || {
        let (hex, rest) = part.split_once('-')?;
        let digest = Digest::from_hex(hex).ok().filter(|digest| digest.to_hex() == hex)?;
        let (middle, last) = rest.rsplit_once('-').unwrap_or(("", rest));
        Some((digest, middle, number(last)?))
    };
    let (digest, middle, number) =
        parse().ok_or_else(|| misnamed(key, "its key has no digest and version number"))?;
    Ok((name, digest, middle, number))
}

fn parse_digest(key: &RecordKey) -> Result<(Identifier, Digest, VersionNumber)> {
    let (name, digest, middle, number) = digest_and(key, DIGESTS)?;
    same(key, middle.is_empty(), "its key has no digest and version number")?;
    Ok((name, digest, number))
}

fn parse_user(key: &RecordKey) -> Result<(ChildEntry, VersionNumber)> {
    let (name, manifest, user, number) = digest_and(key, USERS)?;
    let is_hex = user.len() == 32 && user.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    same(key, is_hex, "its key does not name a user by 32 hex digits")?;
    Ok((ChildEntry { name, manifest }, number))
}

fn parse_move(key: &RecordKey) -> Result<(Identifier, TagName, u64)> {
    let (name, rest) = parts_of(key, MOVES)?;
    let parse = || {
        let (tag, last) = rest.split_once("/@")?;
        Some((TagName::new(tag).ok()?, number(last)?.get()))
    };
    let (tag, number) = parse().ok_or_else(|| misnamed(key, "its key is no move of a tag"))?;
    Ok((name, tag, number))
}

/// The latest version of a name exists, is current and can be found by its digest.
fn name_links(key: &RecordKey, found: &Record) -> Result<Vec<RecordLink>> {
    let name = name_in(key)?;
    let Some(latest) = read::<NameRecord>(key, found)?.latest else { return Ok(Vec::new()) };
    let target = digest_key(&name, &latest.manifest, latest.version)?;
    let fault = format!("its latest version has no record {target}");
    let own = version_key(&name, latest.version)?;
    Ok(vec![
        live_version(&name, latest.version, Some(latest.manifest))?,
        RecordLink::new(own, move |key, found| {
            let version: VersionRecord = read(key, found?).ok()?;
            // Another version, or a removed one, is a fault of its own.
            let is_it = version.removed.is_none() && version.manifest == latest.manifest;
            (is_it && version != latest).then(|| format!("its `latest` is not the record {key}"))
        }),
        RecordLink::present(target, fault).atomic_only(),
    ])
}

/// A name counts its versions; a current version can be found by its digest, and is not newer than the latest.
fn version_links(key: &RecordKey, found: &Record) -> Result<Vec<RecordLink>> {
    let (name, version) = read_version(key, found)?;
    let (number, is_current) = (version.version, version.is_current());
    let mut links = vec![
        RecordLink::new(name_key(&name)?, move |key, found| {
            let Some(found) = found else { return Some(format!("there is no record {key}")) };
            let head: NameRecord = read(key, found).ok()?;
            if head.next <= number {
                return Some(format!("the record {key} does not count it"));
            }
            let latest = head.latest.map(|latest| latest.version);
            (is_current && latest < Some(number))
                .then(|| format!("the record {key} has an older version as the latest"))
        })
        .atomic_only(),
    ];
    if is_current {
        let target = digest_key(&name, &version.manifest, number)?;
        let fault = format!("there is no record {target}");
        links.push(RecordLink::present(target, fault).atomic_only());
    }
    Ok(links)
}

/// A version stays what it is: its state and its removal may change, and nothing else.
fn version_replaces(key: &RecordKey, old: &Record, new: Option<&Record>) -> Option<String> {
    // One that cannot be read may be repaired.
    let (_, old) = read_version(key, old).ok()?;
    let Some(new) = new else { return Some("the record of a version is never removed".into()) };
    let (_, new) = read_version(key, new).ok()?;
    let is_same = old.manifest == new.manifest
        && old.type_tag == new.type_tag
        && old.size == new.size
        && old.created == new.created
        && old.origin == new.origin
        && old.toolchain == new.toolchain
        && old.job == new.job
        && old.hooks == new.hooks;
    (!is_same).then(|| "a version never changes; apply another one".into())
}

/// The history of a tag stays what it is.
fn move_replaces(key: &RecordKey, old: &Record, new: Option<&Record>) -> Option<String> {
    let old: MoveRecord = read(key, old).ok()?;
    match new.map(|new| read::<MoveRecord>(key, new)) {
        None => Some("the history of a tag is never removed".into()),
        Some(Ok(new)) if new != old => Some("the history of a tag never changes".into()),
        Some(_) => None,
    }
}

fn digest_links(key: &RecordKey, _: &Record) -> Result<Vec<RecordLink>> {
    let (name, digest, number) = parse_digest(key)?;
    Ok(vec![live_version(&name, number, Some(digest))?])
}

/// A name keeps its latest version, also if the version's own record is lost.
fn name_roots(key: &RecordKey, found: &Record) -> Result<Vec<BlobRoot>> {
    let name = name_in(key)?;
    let latest = read::<NameRecord>(key, found)?.latest;
    Ok(latest.iter().map(|latest| root(&name, latest, None)).collect())
}

fn version_roots(key: &RecordKey, found: &Record) -> Result<Vec<BlobRoot>> {
    let (name, version) = read_version(key, found)?;
    Ok(vec![root(&name, &version, version.removed)])
}

/// A removed version without its manifest cannot be restored, so it keeps nothing.
fn root(name: &Identifier, version: &VersionRecord, removed: Option<Timestamp>) -> BlobRoot {
    BlobRoot {
        manifest: version.manifest,
        what: format!("the manifest of {name}@{}", version.version.get()),
        removed,
        is_optional: version.removed.is_some(),
    }
}

/// A digest record keeps the blobs of a version whose own record was lost. Verification reports keys without a digest.
fn digest_roots(key: &RecordKey, _: &Record) -> Result<Vec<BlobRoot>> {
    let parsed = parts_of(key, DIGESTS).ok();
    let digest = parsed.and_then(|(_, part)| Digest::from_hex(part.split('-').next()?).ok());
    let root = |manifest| BlobRoot {
        manifest,
        what: format!("the manifest of the record {key}"),
        removed: None,
        is_optional: true,
    };
    Ok(digest.map(root).into_iter().collect())
}

/// The version of a tag exists; so does the record of its last move but one.
fn tag_links(key: &RecordKey, found: &Record) -> Result<Vec<RecordLink>> {
    let (name, tag) = tag_in(key)?;
    let record: TagRecord = read(key, found)?;
    let mut links = vec![live_version(&name, record.version, None)?];
    if record.moves > 1 {
        let target = move_key(&name, &tag, record.moves - 1)?;
        let fault = format!("there is no record {target} of its previous move");
        links.push(RecordLink::present(target, fault));
    }
    let last = record.last_move();
    links.push(RecordLink::new(move_key(&name, &tag, record.moves)?, move |key, found| {
        let found: MoveRecord = read(key, found?).ok()?;
        (found != last).then(|| format!("the record {key} of its last move differs"))
    }));
    Ok(links)
}

/// The version of a move exists, and the tag counts the move.
fn move_links(key: &RecordKey, found: &Record) -> Result<Vec<RecordLink>> {
    let (name, tag, number) = parse_move(key)?;
    let version = read::<MoveRecord>(key, found)?.version;
    let mut links = vec![RecordLink::new(tag_key(&name, &tag)?, move |key, found| {
        let tag: TagRecord = read(key, found?).ok()?;
        (tag.moves < number).then(|| format!("the record {key} does not count it"))
    })];
    if let Some(version) = version {
        links.push(known_version(&name, version)?);
    }
    Ok(links)
}

/// A user exists, removed or not, with the manifest that refers to the child.
fn user_links(key: &RecordKey, found: &Record) -> Result<Vec<RecordLink>> {
    let user: UserRecord = read(key, found)?;
    let what = format!("{}@{}", user.name, user.version.get());
    let manifest = user.manifest;
    let target = version_key(&user.name, user.version)?;
    let link = RecordLink::new(target, move |key, found| match found {
        None => Some(format!("it is of {what}, which is not there")),
        Some(found) => {
            let version: VersionRecord = read(key, found).ok()?;
            (version.manifest != manifest)
                .then(|| format!("it is of {what}, whose digest is {}", version.manifest.short()))
        }
    });
    Ok(vec![link.atomic_only()])
}

/// Requires a version that is not removed, with `manifest` if that is known.
fn live_version(
    name: &Identifier,
    number: VersionNumber,
    manifest: Option<Digest>,
) -> Result<RecordLink> {
    let what = format!("{name}@{}", number.get());
    Ok(RecordLink::new(version_key(name, number)?, move |key, found| {
        let Some(found) = found else {
            return Some(format!("it leads to {what}, which is not there"));
        };
        let version: VersionRecord = read(key, found).ok()?;
        if version.removed.is_some() {
            return Some(format!("it leads to {what}, which was removed"));
        }
        let is_same = manifest.is_none_or(|manifest| manifest == version.manifest);
        (!is_same)
            .then(|| format!("it leads to {what}, whose digest is {}", version.manifest.short()))
    }))
}

/// Requires a version, removed or not.
pub fn known_version(name: &Identifier, number: VersionNumber) -> Result<RecordLink> {
    let fault = format!("it is of {name}@{}, which is not there", number.get());
    Ok(RecordLink::present(version_key(name, number)?, fault))
}
