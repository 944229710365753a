//! What is copied, and which number it gets where it goes.

use std::collections::{BTreeMap, BTreeSet};

use super::CopiedTag;
use crate::digest::Digest;
use crate::error::{Error, Fault, Result};
use crate::larder::Larder;
use crate::larder::locks::refuse_locked_name;
use crate::name::{Identifier, TagName, VersionNumber};
use crate::record::{self, DigestRecord, NameRecord, TagRecord, UserRecord, VersionRecord};
use crate::reference::Reference;
use crate::store::{RecordKey, StoreExt};

/// How many records or blobs are asked for at once.
pub(super) const PAGE: usize = 500;
/// How far above the target's next number a version may keep its own. A larder that was made to harm could
/// use up all numbers with one version.
const MOST_AHEAD: u64 = 1_000_000;

/// What is to be copied of one name.
pub(super) struct Selected {
    pub(super) name: Identifier,
    pub(super) versions: BTreeMap<VersionNumber, VersionRecord>,
    /// The number that the next version would get in the source, if all of them are copied.
    next: Option<VersionNumber>,
    pub(super) tags: Vec<(TagName, TagRecord)>,
}

/// The versions that references mean, by name; everything if there are none.
pub(super) fn select(
    source: &Larder,
    references: &[Reference],
    all_versions: bool,
) -> Result<Vec<Selected>> {
    let mut names: BTreeMap<Identifier, BTreeSet<VersionNumber>> = BTreeMap::new();
    for reference in references {
        let version = source.find(reference)?.version;
        names.entry(reference.identifier().clone()).or_default().insert(version);
    }
    if references.is_empty() {
        for found in source.store.records(record::NAMES) {
            names.insert(record::name_in(&found?.0)?, BTreeSet::new());
        }
    }
    let all = all_versions || references.is_empty();
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
    let children = match references.is_empty() {
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
fn known_children(source: &Larder) -> Result<Children> {
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
fn add_children(source: &Larder, versions: &mut Versions) -> Result<Children> {
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
    source: &Larder,
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
fn one_version(source: &Larder, name: &Identifier, number: VersionNumber) -> Result<VersionRecord> {
    let key = record::version_key(name, number)?;
    match source.version(name, number)? {
        Some(version) if version.version == number && version.is_current() => Ok(version),
        Some(version) if version.version == number && version.removed.is_none() => {
            Err(Error::Refused {
                what: format!("a copy of {name}@{}", number.get()),
                reason: format!(
                    "its status is `{}`: only versions that are ready are copied",
                    version.status
                ),
            })
        }
        Some(_) => Err(misplaced(&key)),
        None => Err(Error::corrupt(format!("the record {key}"), Fault::Missing)),
    }
}

fn misplaced(key: &RecordKey) -> Error {
    let reason = "it is not the record of that version".into();
    Error::corrupt(format!("the record {key}"), Fault::Unreadable(reason))
}

/// The tags of a name that name one of `versions`.
fn tags_of(
    source: &Larder,
    name: &Identifier,
    versions: &BTreeMap<VersionNumber, VersionRecord>,
) -> Result<Vec<(TagName, TagRecord)>> {
    let mut tags = Vec::new();
    for tag in source.tags(name)? {
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

/// Where a version goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    /// Its number in the target.
    pub(super) number: VersionNumber,
    /// Whether the target has no such version yet.
    pub(super) lacking: bool,
    /// Whether anything leads to it there: a writer that died may have left it without.
    pub(super) known: bool,
}

/// Where a tag goes.
pub(super) struct PlacedTag {
    pub(super) report: CopiedTag,
    /// What the source says of it.
    pub(super) source: TagRecord,
}

/// What becomes of what the target has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It stays.
    Add,
    /// Tags move.
    Overwrite,
    /// All becomes as it is in the source, numbers included.
    Mirror,
}

/// Finds places in `target` for what `source` has.
#[derive(Clone, Copy)]
pub(super) struct Placing<'a> {
    pub(super) source: &'a Larder,
    pub(super) target: &'a Larder,
    pub(super) how: How,
}

/// Where all goes.
pub(super) struct Plan {
    /// The places of the versions, by name.
    pub(super) places: Vec<Vec<Placed>>,
    pub(super) tags: Vec<PlacedTag>,
}

impl Placing<'_> {
    /// The places of all that is selected. Refuses what may not be, before anything is written.
    pub(super) fn plan(&self, selected: &[Selected]) -> Result<Plan> {
        let (mut places, mut tags) = (Vec::with_capacity(selected.len()), Vec::new());
        for selected in selected {
            let found = self.place(selected, false)?;
            tags.extend(self.place_tags(selected, &found)?);
            places.push(found);
        }
        self.refuse_moves(&tags)?;
        Ok(Plan { places, tags })
    }

    /// The places of all selected versions, in their order. `again` if the last places met another writer.
    ///
    /// Each version of the target stands for one of the source: one with the same digest and number, else with
    /// the same digest. What is left keeps its number where it is free, and from the first that cannot on
    /// they get the next ones, so that they stay in their order.
    pub(super) fn place(&self, selected: &Selected, again: bool) -> Result<Vec<Placed>> {
        let Selected { name, versions, .. } = selected;
        let head = self.target.head(name)?;
        let mut next = head.as_ref().map_or(VersionNumber::FIRST, |head| head.next);
        let same_number = self.same_number(selected)?;
        let known_to = next;
        let mut twins = self.twins(selected)?;
        for numbers in twins.values_mut() {
            numbers.retain(|number| !is_leaving(head.as_ref(), *number));
        }

        let mut exact = BTreeMap::new();
        for (number, version) in versions {
            let Some(Some(there)) = same_number.get(number) else { continue };
            let found = twins.get_mut(&version.manifest).is_some_and(|set| set.remove(number));
            let alike = there.is_current() && there.manifest == version.manifest;
            if alike && !is_leaving(head.as_ref(), *number) {
                exact.insert(*number, found && *number < known_to);
            } else if self.how == How::Mirror {
                // What was removed there is restored first; it is still so if nothing is to be written.
                match there.manifest == version.manifest {
                    true => exact.insert(*number, true),
                    false => return Err(is_another(name, *number)),
                };
            }
        }
        let mut in_order = true;
        let mut places: Vec<Placed> = Vec::with_capacity(versions.len());
        for (&own, version) in versions {
            let mut twin = || match self.how {
                How::Mirror => None, // under its own number or not at all
                _ => twins.get_mut(&version.manifest).and_then(BTreeSet::pop_last),
            };
            let place = if let Some(&known) = exact.get(&own) {
                Placed { number: own, lacking: false, known }
            } else if let Some(number) = twin() {
                Placed { number, lacking: false, known: number < known_to }
            } else {
                let free = matches!(same_number.get(&own), Some(None))
                    && own.get() <= next.get().saturating_add(MOST_AHEAD);
                if self.how == How::Mirror && !free {
                    return Err(is_another(name, own));
                }
                let number = match (in_order || self.how == How::Mirror) && free {
                    true => own,
                    false => self.free_number(name, next, again)?,
                };
                Placed { number, lacking: true, known: false }
            };
            in_order &= place.number == own;
            next = next.max(place.number.next());
            places.push(place);
        }
        if let Some(head) = &head
            && places.iter().any(|place| place.lacking)
        {
            refuse_locked_name(name, head, || format!("the copy of {name}"))?;
        }
        Ok(places)
    }

    /// What stands in the target under the numbers of the source.
    pub(super) fn same_number(
        &self,
        selected: &Selected,
    ) -> Result<BTreeMap<VersionNumber, Option<VersionRecord>>> {
        let numbers: Vec<_> = selected.versions.keys().copied().collect();
        let mut there = BTreeMap::new();
        for numbers in numbers.chunks(PAGE) {
            let key = |number: &VersionNumber| record::version_key(&selected.name, *number);
            let keys = numbers.iter().map(key).collect::<Result<Vec<_>>>()?;
            let found = self.target.store.get_records(&keys)?;
            for ((number, key), found) in numbers.iter().zip(&keys).zip(found) {
                let found = found.map(|found| record::read(key, &found)).transpose()?;
                there.insert(*number, found);
            }
        }
        Ok(there)
    }

    /// The target's versions by digest.
    fn twins(&self, selected: &Selected) -> Result<BTreeMap<Digest, BTreeSet<VersionNumber>>> {
        let prefix = match selected.versions.len() {
            // One version is looked up, for many all are listed.
            1 => selected.versions.values().map(|version| version.manifest.to_hex()).collect(),
            _ => String::new(),
        };
        let prefix = record::digests_of(&selected.name, &prefix);
        let stem = record::digests_of(&selected.name, "").len();
        let mut twins: BTreeMap<Digest, BTreeSet<VersionNumber>> = BTreeMap::new();
        for found in self.target.store.records(&prefix) {
            let (key, found) = found?;
            let number = record::read::<DigestRecord>(&key, &found)?.version;
            let hex = key.as_str()[stem..].split('-').next().unwrap_or_default();
            let digest = Digest::from_hex(hex).map_err(|_| misplaced(&key))?;
            twins.entry(digest).or_default().insert(number);
        }
        Ok(twins)
    }

    /// The first number from `next` that no version has. A writer that died, or is at work, may have taken
    /// one that the name does not know of.
    fn free_number(
        &self,
        name: &Identifier,
        next: VersionNumber,
        again: bool,
    ) -> Result<VersionNumber> {
        let mut number = next;
        while again && self.target.version(name, number)?.is_some() {
            number = number.next();
        }
        Ok(number)
    }

    /// The places of the tags that name what is copied.
    pub(super) fn place_tags(
        &self,
        selected: &Selected,
        places: &[Placed],
    ) -> Result<Vec<PlacedTag>> {
        let numbers: BTreeMap<_, _> =
            selected.versions.keys().zip(places.iter().map(|place| place.number)).collect();
        let place = |(tag, source): &(TagName, TagRecord)| {
            let key = record::tag_key(&selected.name, tag)?;
            let version = numbers.get(&source.version).copied().unwrap_or(source.version);
            let mut report = CopiedTag {
                name: selected.name.clone(),
                tag: tag.clone(),
                version,
                moved_from: None,
                present: false,
            };
            if let Some(found) = self.target.store.get_record(&key)? {
                let there: TagRecord = record::read(&key, &found)?;
                let is_there = there.version == version;
                let is_like = there.protected == source.protected;
                report.present = is_there && (is_like || self.how != How::Mirror);
                if !is_there && there.protected && self.how != How::Mirror {
                    return Err(Error::Refused {
                        what: "the copy".into(),
                        reason: format!(
                            "{}:{tag} is protected there, and would move from {} to {version}",
                            selected.name, there.version
                        ),
                    });
                }
                report.moved_from = (!is_there).then_some(there.version);
            }
            Ok(PlacedTag { report, source: source.clone() })
        };
        selected.tags.iter().map(place).collect()
    }

    /// Refuses to move tags of the target, unless that was asked for.
    pub(super) fn refuse_moves(&self, tags: &[PlacedTag]) -> Result<()> {
        let told = |PlacedTag { report, .. }: &PlacedTag| {
            let CopiedTag { name, tag, version, moved_from, .. } = report;
            moved_from.map(|from| format!("{name}:{tag} from {from} to {version}"))
        };
        let moves: Vec<_> = tags.iter().filter_map(told).collect();
        if self.how != How::Add || moves.is_empty() {
            return Ok(());
        }
        Err(Error::Refused {
            what: "the copy".into(),
            reason: format!(
                "it would move tags: {}; let it overwrite them, or untag there first",
                moves.join(", ")
            ),
        })
    }
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

fn is_another(name: &Identifier, number: VersionNumber) -> Error {
    Error::Refused {
        what: "the mirroring".into(),
        reason: format!(
            "{name}@{} is another version there, and numbers are never given twice; mirror to a new larder, or \
             copy",
            number.get()
        ),
    }
}

/// Whether a version that is still there is being removed, or was by a writer that died: the name goes first.
pub(super) fn is_leaving(head: Option<&NameRecord>, number: VersionNumber) -> bool {
    head.is_some_and(|head| {
        let latest = head.latest.as_ref().map(|latest| latest.version);
        number < head.next && latest < Some(number)
    })
}
