//! Selecting what is copied: the versions of references and their children.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::MOST_AHEAD;
use crate::Maintenance;
use larder_core::record::{self, NameRecord, TagRecord, UserRecord, VersionRecord};
use larder_core::store::{Corruption, RecordKey, StoreExt, TagName, VersionNumber};
use larder_core::{Error, Identifier, Result, Selection};

/// The selected versions and tags of a name.
pub(super) struct Selected {
    pub(super) name: Identifier,
    pub(super) versions: BTreeMap<VersionNumber, VersionRecord>,
    /// The next number in the source, if all versions are copied.
    next: Option<VersionNumber>,
    pub(super) tags: Vec<(TagName, TagRecord)>,
}

/// Returns the selected versions by name.
pub(super) fn select(
    source: &Maintenance,
    selection: &Selection,
    all_versions: bool,
) -> Result<Vec<Selected>> {
    let mut names: BTreeMap<Identifier, BTreeSet<VersionNumber>> = BTreeMap::new();
    for reference in selection.references() {
        let version = source.find(reference)?.version;
        names.entry(reference.identifier().clone()).or_default().insert(version);
    }
    if selection.is_all() {
        for found in source.store.known_records(record::NAMES) {
            names.insert(record::name_in(&found?.0)?, BTreeSet::new());
        }
    }
    let all = all_versions || selection.is_all();
    let mut versions = BTreeMap::new();
    for (name, numbers) in names {
        let found = if all {
            every_version(source, &name)?
        } else {
            let of = |number| Ok((number, one_version(source, &name, number)?));
            numbers.into_iter().map(of).collect::<Result<_>>()?
        };
        versions.insert(name, found);
    }
    let children = match selection.is_all() {
        true => known_children(source)?,
        false => add_children(source, &mut versions)?,
    };
    let order = children_first(&versions, &children);
    let mut selected = Vec::new();
    for name in order {
        let Some(versions) = versions.remove(&name).filter(|versions| !versions.is_empty()) else {
            continue;
        };
        let next = if all { source.head(&name)?.map(|head| head.next) } else { None };
        let tags = tags_of(source, &name, &versions)?;
        selected.push(Selected { name, versions, next, tags });
    }
    Ok(selected)
}

type Versions = BTreeMap<Identifier, BTreeMap<VersionNumber, VersionRecord>>;

/// The names that versions of a name refer to.
type Children = BTreeMap<Identifier, BTreeSet<Identifier>>;

/// Returns which names refer to which, from the records of users, without reading manifests.
fn known_children(source: &Maintenance) -> Result<Children> {
    let mut children = Children::new();
    for found in source.store.known_records(record::USERS) {
        let (key, found) = found?;
        let (child, _) = record::parts_of(&key, record::USERS)?;
        let user: UserRecord = record::read(&key, &found)?;
        children.entry(user.name).or_default().insert(child);
    }
    Ok(children)
}

/// Adds the children of versions at any depth, and returns which names refer to which.
fn add_children(source: &Maintenance, versions: &mut Versions) -> Result<Children> {
    let mut children = Children::new();
    let of = |(name, found): (&Identifier, &BTreeMap<VersionNumber, VersionRecord>)| {
        found.values().map(|version| (name.clone(), version.clone())).collect::<Vec<_>>()
    };
    let mut open: Vec<_> = versions.iter().flat_map(of).collect();
    let mut read = BTreeSet::new();
    while let Some((name, version)) = open.pop() {
        if !read.insert((name.clone(), version.manifest)) {
            continue;
        }
        let (what, manifest) = source.open_record(&name, &version)?;
        for child in manifest.children() {
            children.entry(name.clone()).or_default().insert(child.name.clone());
            let found = source.child_version(child, &what)?;
            let number = found.version;
            let known = versions.entry(child.name.clone()).or_default();
            if known.values().all(|known| known.manifest != child.manifest) {
                known.insert(number, one_version(source, &child.name, number)?);
            }
            open.push((child.name.clone(), found));
        }
    }
    Ok(children)
}

/// Returns the names with children first. In a cycle of names, one comes before its children: if interrupted there, the next
/// copy completes it.
fn children_first(versions: &Versions, children: &Children) -> Vec<Identifier> {
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    for name in versions.keys() {
        // A name, and whether its children are in the order.
        let mut stack = vec![(name, false)];
        while let Some((name, is_after)) = stack.pop() {
            if is_after {
                order.push(name.clone());
            } else if seen.insert(name) {
                stack.push((name, true));
                stack.extend(children.get(name).into_iter().flatten().map(|child| (child, false)));
            }
        }
    }
    order
}

fn every_version(
    source: &Maintenance,
    name: &Identifier,
) -> Result<BTreeMap<VersionNumber, VersionRecord>> {
    let mut versions = BTreeMap::new();
    for found in source.store.known_records(&record::versions_of(name)) {
        let (key, found) = found?;
        let version: VersionRecord = record::read(&key, &found)?;
        if version.is_current() {
            versions.insert(version.version, version);
        }
    }
    Ok(versions)
}

/// Reads the version's own record: the name has only a copy of the newest one's.
fn one_version(
    source: &Maintenance,
    name: &Identifier,
    number: VersionNumber,
) -> Result<VersionRecord> {
    let key = record::version_key(name, number)?;
    match source.version(name, number)? {
        Some(version) if version.is_current() => Ok(version),
        Some(version) if version.removed.is_none() => Err(Error::Refused {
            action: format!("copy {name}@{}", number.get()),
            reason: format!("its status is `{}`; only ready versions are copied", version.status),
        }),
        Some(_) => Err(misplaced(&key)),
        None => Err(Error::corrupt(format!("the record {key}"), Corruption::Missing)),
    }
}

pub(super) fn misplaced(key: &RecordKey) -> Error {
    let reason = "it is not the record of that version".into();
    Error::corrupt(format!("the record {key}"), Corruption::Unreadable(reason))
}

/// Returns the tags that name one of `versions`.
fn tags_of(
    source: &Maintenance,
    name: &Identifier,
    versions: &BTreeMap<VersionNumber, VersionRecord>,
) -> Result<Vec<(TagName, TagRecord)>> {
    let mut tags = Vec::new();
    for tag in source.larder.tags().of(name)? {
        let key = record::tag_key(name, &tag.tag)?;
        // It may have been removed since.
        let Some(found) = source.store.get_record(&key)? else { continue };
        let found: TagRecord = record::read(&key, &found)?;
        if versions.contains_key(&found.version) {
            tags.push((tag.tag, found));
        }
    }
    Ok(tags)
}

impl Selected {
    /// Returns the name's record after `written`; `last` for the last commit.
    pub(super) fn update(
        &self,
        mut head: NameRecord,
        written: &[VersionRecord],
        last: bool,
    ) -> NameRecord {
        for version in written {
            head.next = head.next.max(version.version.next());
            let newer = head.latest.as_ref().is_none_or(|it| it.version < version.version);
            if newer {
                head.latest = Some(version.clone());
            }
        }
        // If all versions are copied, numbers of removed ones are not reused. Only the last commit counts them: until then a
        // version below `next` and above `latest` would seem to be being removed.
        let most = head.next.get().saturating_add(MOST_AHEAD);
        if let Some(next) = self.next.filter(|next| last && next.get() <= most) {
            head.next = head.next.max(next);
        }
        head
    }
}
