//! Planning a copy: the number of each version in the target, and the tags.

use std::collections::{BTreeMap, BTreeSet};

use super::CopiedTag;
use super::contents::PAGE;
use super::select::{Selected, misplaced};
use crate::Maintenance;
use larder_core::extend::{Records, refuse_locked_name};
use larder_core::record::{self, DigestRecord, NameRecord, TagRecord, VersionRecord};
use larder_core::store::{Digest, Remedy, StoreExt, TagName, VersionNumber};
use larder_core::{Error, Identifier, Result};

/// Maximum distance of a kept number from the target's next one: a hostile larder must not use up all numbers with one
/// version.
pub(super) const MOST_AHEAD: u64 = 1_000_000;

/// The plan for a version.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedVersion {
    /// Its number in the target.
    pub(super) number: VersionNumber,
    /// True if the target lacks the version.
    pub(super) missing: bool,
    /// True if the target's name and digest records lead to it; an interrupted writer may not have written them.
    pub(super) listed: bool,
}

/// The plan for a tag.
pub(super) struct PlannedTag {
    pub(super) report: CopiedTag,
    /// Its record in the source.
    pub(super) source: TagRecord,
}

/// The policy for existing tags and numbers of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetPolicy {
    /// They stay.
    Keep,
    /// Tags move.
    Overwrite,
    /// Everything becomes as in the source, numbers included.
    Mirror,
}

/// Plans a copy from `source` to `target`.
#[derive(Clone, Copy)]
pub(super) struct CopyPlanner<'a> {
    pub(super) source: &'a Maintenance,
    pub(super) target: &'a Maintenance,
    pub(super) policy: TargetPolicy,
}

/// The plan of a copy.
pub(super) struct CopyPlan {
    /// The versions of each name.
    pub(super) planned: Vec<Vec<PlannedVersion>>,
    pub(super) tags: Vec<PlannedTag>,
}

impl CopyPlanner<'_> {
    /// Plans everything that is selected. Refuses what must not be copied, before anything is written.
    pub(super) fn plan(&self, selected: &[Selected]) -> Result<CopyPlan> {
        let (mut planned, mut tags) = (Vec::with_capacity(selected.len()), Vec::new());
        for selected in selected {
            let found = self.plan_versions(selected, false)?;
            tags.extend(self.plan_tags(selected, &found)?);
            planned.push(found);
        }
        self.refuse_moves(&tags)?;
        Ok(CopyPlan { planned, tags })
    }

    /// Plans all selected versions of a name, in their order; `again` after a conflict with another writer.
    ///
    /// Each version of the source is matched with one of the target with the same digest and number, or else with the same
    /// digest. Others keep their numbers up to the first that is taken; from there on they get the next numbers, which keeps
    /// their order.
    pub(super) fn plan_versions(
        &self,
        selected: &Selected,
        again: bool,
    ) -> Result<Vec<PlannedVersion>> {
        let Selected { name, versions, .. } = selected;
        let head = self.target.head(name)?;
        let mut next = head.as_ref().map_or(VersionNumber::FIRST, |head| head.next);
        let same_number = self.same_number(selected)?;
        let next_there = next;
        let mut twins = self.twins(selected)?;
        for numbers in twins.values_mut() {
            numbers.retain(|number| !is_being_removed(head.as_ref(), *number));
        }

        let mut exact = BTreeMap::new();
        for (number, version) in versions {
            let Some(Some(there)) = same_number.get(number) else { continue };
            let found = twins.get_mut(&version.manifest).is_some_and(|set| set.remove(number));
            let alike = there.is_current() && there.manifest == version.manifest;
            if alike && !is_being_removed(head.as_ref(), *number) {
                exact.insert(*number, found && *number < next_there);
            } else if self.policy == TargetPolicy::Mirror {
                // A mirror restores what was removed in the target, before this unless it is a dry run.
                match there.manifest == version.manifest {
                    true => exact.insert(*number, true),
                    false => return Err(number_taken(name, *number)),
                };
            }
        }
        let mut in_order = true;
        let mut planned: Vec<PlannedVersion> = Vec::with_capacity(versions.len());
        for (&own, version) in versions {
            let mut twin = || match self.policy {
                TargetPolicy::Mirror => None, // only with its own number
                _ => twins.get_mut(&version.manifest).and_then(BTreeSet::pop_last),
            };
            let place = if let Some(&listed) = exact.get(&own) {
                PlannedVersion { number: own, missing: false, listed }
            } else if let Some(number) = twin() {
                PlannedVersion { number, missing: false, listed: number < next_there }
            } else {
                let free = matches!(same_number.get(&own), Some(None))
                    && own.get() <= next.get().saturating_add(MOST_AHEAD);
                if self.policy == TargetPolicy::Mirror && !free {
                    return Err(number_taken(name, own));
                }
                let number = match (in_order || self.policy == TargetPolicy::Mirror) && free {
                    true => own,
                    false if again => self.target.larder.free_number(name, next)?,
                    false => next,
                };
                PlannedVersion { number, missing: true, listed: false }
            };
            in_order &= place.number == own;
            next = next.max(place.number.next());
            planned.push(place);
        }
        if let Some(head) = &head
            && planned.iter().any(|place| place.missing)
        {
            refuse_locked_name(name, head, || format!("copy {name}"))?;
        }
        Ok(planned)
    }

    /// Returns the versions of the target with the numbers of the source.
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

    /// Returns the versions of the target by digest.
    fn twins(&self, selected: &Selected) -> Result<BTreeMap<Digest, BTreeSet<VersionNumber>>> {
        let prefix = match selected.versions.len() {
            // One version is looked up; for several, all are listed.
            1 => selected.versions.values().map(|version| version.manifest.to_hex()).collect(),
            _ => String::new(),
        };
        let prefix = record::digests_of(&selected.name, &prefix);
        let stem = record::digests_of(&selected.name, "").len();
        let mut twins: BTreeMap<Digest, BTreeSet<VersionNumber>> = BTreeMap::new();
        for found in self.target.store.known_records(&prefix) {
            let (key, found) = found?;
            let number = record::read::<DigestRecord>(&key, &found)?.version;
            let hex = key.as_str()[stem..].split('-').next().unwrap_or_default();
            let digest = Digest::from_hex(hex).map_err(|_| misplaced(&key))?;
            twins.entry(digest).or_default().insert(number);
        }
        Ok(twins)
    }

    /// Plans the tags of the selected versions.
    pub(super) fn plan_tags(
        &self,
        selected: &Selected,
        planned: &[PlannedVersion],
    ) -> Result<Vec<PlannedTag>> {
        let numbers: BTreeMap<_, _> =
            selected.versions.keys().zip(planned.iter().map(|place| place.number)).collect();
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
                report.present = is_there && (is_like || self.policy != TargetPolicy::Mirror);
                if !is_there && there.protected && self.policy != TargetPolicy::Mirror {
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
            Ok(PlannedTag { report, source: source.clone() })
        };
        selected.tags.iter().map(place).collect()
    }

    /// Refuses to move tags of the target unless the policy allows it.
    pub(super) fn refuse_moves(&self, tags: &[PlannedTag]) -> Result<()> {
        let describe = |PlannedTag { report, .. }: &PlannedTag| {
            let CopiedTag { name, tag, version, moved_from, .. } = report;
            moved_from.map(|from| format!("{name}:{tag} from {from} to {version}"))
        };
        let moves: Vec<_> = tags.iter().filter_map(describe).collect();
        if self.policy != TargetPolicy::Keep || moves.is_empty() {
            return Ok(());
        }
        Err(Error::Blocked {
            action: "copy tags".into(),
            reason: format!(
                "these would move in the target: {}; allow overwriting, or untag them there first",
                moves.join(", ")
            ),
            remedy: Remedy::Overwrite,
        })
    }
}

fn number_taken(name: &Identifier, number: VersionNumber) -> Error {
    Error::Refused {
        action: format!("mirror {name}@{}", number.get()),
        reason: "the target has another version under that number; mirror to a new larder, or copy"
            .into(),
    }
}

/// Returns true if a removal of the version has started: a removal changes the name first.
pub(super) fn is_being_removed(head: Option<&NameRecord>, number: VersionNumber) -> bool {
    head.is_some_and(|head| {
        let latest = head.latest.as_ref().map(|latest| latest.version);
        number < head.next && latest < Some(number)
    })
}
