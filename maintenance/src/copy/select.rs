//! What is copied: the versions that references mean, and those that they refer to.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::MOST_AHEAD;
use crate::Maintenance;
use larder_core::record::{self, NameRecord, TagRecord, UserRecord, VersionRecord};
use larder_core::store::{Corruption, RecordKey, StoreExt, TagName, VersionNumber};
use larder_core::{Error, Identifier, Result, Selection};

/// What is to be copied of one name.
pub(super) struct Selected {
    pub(super) name: Identifier,
    pub(super) versions: BTreeMap<VersionNumber, VersionRecord>,
    /// The number that the next version would get in the source, if all of them are copied.
    next: Option<VersionNumber>,
    pub(super) tags: Vec<(TagName, TagRecord)>,
}

/// The chosen versions, by name.
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
        for found in source.store.records(record::NAMES) {
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

/// Which names refer to which, as their users are written down: for who copies all of them, without reading a manifest.
fn known_children(source: &Maintenance) -> Result<Children> {
    let mut children = Children::new();
    for found in source.store.records(record::USERS) {
        let (key, found) = found?;
        let (child, _) = record::parts_of(&key, record::USERS)?;
        let user: UserRecord = record::read(&key, &found)?;
        children.entry(user.name).or_default().insert(child);
    }
    Ok(children)
}

/// Adds what versions refer to, and says which names refer to which.
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

/// The names in such an order that children come first. Of names whose versions refer to each other in turn, one comes before
/// its children: an interrupted copy of those is completed by the next.
fn children_first(versions: &Versions, children: &Children) -> Vec<Identifier> {
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    for name in versions.keys() {
        // A name, and whether its children are in the order already.
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
    for found in source.store.records(&record::versions_of(name)) {
        let (key, found) = found?;
        let version: VersionRecord = record::read(&key, &found)?;
        if record::version_key(name, version.version)? != key {
            return Err(misplaced(&key));
        }
        if version.is_current() {
            versions.insert(version.version, version);
        }
    }
    Ok(versions)
}

/// The version's own record: what the name says of its newest version is only a copy of it.
fn one_version(
    source: &Maintenance,
    name: &Identifier,
    number: VersionNumber,
) -> Result<VersionRecord> {
    let key = record::version_key(name, number)?;
    match source.version(name, number)? {
        Some(version) if version.version == number && version.is_current() => Ok(version),
        Some(version) if version.version == number && version.removed.is_none() => {
            Err(Error::Refused {
                action: format!("copy {name}@{}", number.get()),
                reason: format!(
                    "its status is `{}`; only ready versions are copied",
                    version.status
                ),
            })
        }
        Some(_) => Err(misplaced(&key)),
        None => Err(Error::corrupt(format!("the record {key}"), Corruption::Missing)),
    }
}

pub(super) fn misplaced(key: &RecordKey) -> Error {
    let reason = "it is not the record of that version".into();
    Error::corrupt(format!("the record {key}"), Corruption::Unreadable(reason))
}

/// The tags of a name that name one of `versions`.
fn tags_of(
    source: &Maintenance,
    name: &Identifier,
    versions: &BTreeMap<VersionNumber, VersionRecord>,
) -> Result<Vec<(TagName, TagRecord)>> {
    let mut tags = Vec::new();
    for tag in source.larder.tags().of(name)? {
        let key = record::tag_key(name, &tag.tag)?;
        // A tag that was removed since does not come along.
        let Some(found) = source.store.get_record(&key)? else { continue };
        let found: TagRecord = record::read(&key, &found)?;
        if versions.contains_key(&found.version) {
            tags.push((tag.tag, found));
        }
    }
    Ok(tags)
}

impl Selected {
    /// The name's record once `written` are there; `last` if that is all.
    pub(super) fn onto(
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
        // Numbers of versions that were removed are not given again where all of a name comes. Only the last
        // commit says so: a version that is there, below the next number and above the newest, is on its way
        // out.
        let most = head.next.get().saturating_add(MOST_AHEAD);
        if let Some(next) = self.next.filter(|next| last && next.get() <= most) {
            head.next = head.next.max(next);
        }
        head
    }
}
