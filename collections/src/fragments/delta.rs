//! Changes between two versions.

use std::collections::HashSet;

use larder_core::{Error, Result};

use super::version::FragmentVersion;
use crate::engine::{Delta, EngineVersion};

/// Returns the changes from one version to a newer one: reads the fragments that they do not share.
pub(super) fn delta(from: &FragmentVersion, to: &FragmentVersion) -> Result<Delta> {
    let (old, new) = (from.snapshot(), to.snapshot());
    if from.info().identifier != to.info().identifier || old.writes > new.writes {
        return Err(Error::Refused {
            action: format!(
                "read the changes from {} to {}",
                from.info().reference(),
                to.info().reference()
            ),
            reason: "the first must be an older version of the same collection".into(),
        });
    }
    let mut delta = Delta::default();
    // The rows of fragments that changed: what was there, and what is there now.
    let mut now: HashSet<u64> = HashSet::new();
    for (at, fragment) in new.fragments.iter().enumerate() {
        if old.fragments.iter().any(|other| fragment.is_same(other)) {
            continue;
        }
        let rows = to.load(at)?;
        for row in (0..rows.len()).filter(|&row| rows.is_live(row)) {
            let id = rows.ids.get(row);
            if rows.writes.get(row) > old.writes {
                match id >= old.next_id {
                    true => delta.inserted.push(id),
                    false => delta.updated.push(id),
                }
            }
            if id < old.next_id {
                now.insert(id);
            }
        }
    }
    for (at, fragment) in old.fragments.iter().enumerate() {
        if new.fragments.iter().any(|other| fragment.is_same(other)) {
            continue;
        }
        let rows = from.load(at)?;
        delta.deleted.extend(rows.live_ids().filter(|id| !now.contains(id)));
    }
    for ids in [&mut delta.inserted, &mut delta.updated, &mut delta.deleted] {
        ids.sort_unstable();
    }
    Ok(delta)
}
