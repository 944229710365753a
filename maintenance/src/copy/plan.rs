//! Which number a version gets where it goes.

use std::collections::{BTreeMap, BTreeSet};

use super::CopiedTag;
use super::select::{Selected, misplaced};
use crate::Maintenance;
use larder_core::extend::refuse_locked_name;
use larder_core::record::{self, DigestRecord, NameRecord, TagRecord, VersionRecord};
use larder_core::store::{Digest, StoreExt, TagName, VersionNumber};
use larder_core::{Error, Identifier, Result};

/// How many records or blobs are asked for at once.
pub(super) const PAGE: usize = 500;
/// How far above the target's next number a version may keep its own. A larder that was made to harm could
/// use up all numbers with one version.
pub(super) const MOST_AHEAD: u64 = 1_000_000;

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
    pub(super) source: &'a Maintenance,
    pub(super) target: &'a Maintenance,
    pub(super) how: How,
}

/// Where all goes.
pub(super) struct CopyPlan {
    /// The places of the versions, by name.
    pub(super) places: Vec<Vec<Placed>>,
    pub(super) tags: Vec<PlacedTag>,
}

impl Placing<'_> {
    /// The places of all that is selected. Refuses what may not be, before anything is written.
    pub(super) fn plan(&self, selected: &[Selected]) -> Result<CopyPlan> {
        let (mut places, mut tags) = (Vec::with_capacity(selected.len()), Vec::new());
        for selected in selected {
            let found = self.place(selected, false)?;
            tags.extend(self.place_tags(selected, &found)?);
            places.push(found);
        }
        self.refuse_moves(&tags)?;
        Ok(CopyPlan { places, tags })
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
            refuse_locked_name(name, head, || format!("copy {name}"))?;
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
                        action: format!("copy the tag {}:{tag}", selected.name),
                        reason: format!(
                            "it is protected in the target, and would move from {} to {version}",
                            there.version
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
            action: "copy tags".into(),
            reason: format!(
                "these would move in the target: {}; allow overwriting, or untag them there first",
                moves.join(", ")
            ),
        })
    }
}

fn is_another(name: &Identifier, number: VersionNumber) -> Error {
    Error::Refused {
        action: format!("mirror {name}@{}", number.get()),
        reason: "the target has another version under that number; mirror to a new larder, or copy"
            .into(),
    }
}

/// Whether a version that is still there is being removed, or was by a writer that died: the name goes first.
pub(super) fn is_leaving(head: Option<&NameRecord>, number: VersionNumber) -> bool {
    head.is_some_and(|head| {
        let latest = head.latest.as_ref().map(|latest| latest.version);
        number < head.next && latest < Some(number)
    })
}
