//! The order of a manifest's lists.
//!
//! Maps are sorted after their entries were encoded, so the order in which artifacts and children were encoded may
//! differ from run to run; the order of their uses in the encoded fields does not.

use std::collections::HashSet;

use crate::guard::uses;
use crate::manifest::{ArtifactEntry, ChildEntry};

/// A use of an artifact or a child, by its place in the order of encoding.
#[derive(Clone, Copy)]
pub(super) enum Use {
    Artifact(usize),
    Child(usize),
}

impl Use {
    /// Adds the use to the encoding that runs on this thread.
    pub(super) fn add(self) {
        uses::add(match self {
            Self::Artifact(place) => place << 1,
            Self::Child(place) => place << 1 | 1,
        });
    }

    fn from_number(number: usize) -> Self {
        match number & 1 {
            0 => Self::Artifact(number >> 1),
            _ => Self::Child(number >> 1),
        }
    }

    /// Returns the places of the artifacts in order of first use.
    pub(super) fn artifacts(uses: &[usize]) -> Vec<usize> {
        let mut seen = HashSet::new();
        let artifacts = uses.iter().filter_map(|&number| match Self::from_number(number) {
            Self::Artifact(place) => Some(place),
            Self::Child(_) => None,
        });
        artifacts.filter(|place| seen.insert(*place)).collect()
    }
}

/// The lists of a manifest, in the making.
pub(super) struct Listed<'a> {
    encoded: &'a [ArtifactEntry],
    places: Vec<Option<usize>>,
    entries: Vec<ArtifactEntry>,
}

impl<'a> Listed<'a> {
    /// Returns both lists in order of first use; an artifact comes after the artifacts it holds.
    pub(super) fn in_order(
        uses: &[usize],
        encoded: &'a [ArtifactEntry],
        encoded_children: &[ChildEntry],
    ) -> (Vec<ArtifactEntry>, Vec<ChildEntry>) {
        let (places, entries) = (vec![None; encoded.len()], Vec::with_capacity(encoded.len()));
        let mut listed = Listed { encoded, places, entries };
        let (mut children, mut seen) = (Vec::new(), HashSet::new());
        // Encoded but unused entries stay listed.
        let unused = (0..encoded.len()).map(Use::Artifact);
        let unused = unused.chain((0..encoded_children.len()).map(Use::Child));
        for used in uses.iter().map(|&number| Use::from_number(number)).chain(unused) {
            match used {
                Use::Artifact(place) => {
                    listed.list(place);
                }
                Use::Child(place) if seen.insert(place) => {
                    children.extend(encoded_children.get(place).cloned());
                }
                Use::Child(_) => {}
            }
        }
        (listed.entries, children)
    }

    /// Lists an artifact after those that it holds. Returns its new place.
    fn list(&mut self, place: usize) -> Option<usize> {
        if let Some(known) = *self.places.get(place)? {
            return Some(known);
        }
        let entry = self.encoded.get(place)?;
        // Nesting is bounded where artifacts are encoded.
        let holds = entry.holds.iter().filter_map(|&held| self.list(held)).collect();
        self.entries.push(ArtifactEntry { holds, ..entry.clone() });
        let new = self.entries.len() - 1;
        self.places[place] = Some(new);
        Some(new)
    }
}
