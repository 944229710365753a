//! Planning: what an apply would do.

use std::collections::HashSet;

use larder_core::extend::{DryRun, PlannedJob, Records, refuse_locked_name};
use larder_core::store::Digest;
use larder_core::{ApplyOptions, Component, Identifier, Larder, Result, VersionInfo};
use serde::Serialize;

use super::{Diff, FieldDiff, Side, add};

/// The effect of an apply that was not made.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// True if it would write a new version, or run `on_create` again for an existing version that is not ready.
    pub created: bool,
    /// The bytes of blobs that the store lacks and would be given.
    pub stored: u64,
    /// The version as it would be, compared with the newest one. Its number is the next, if no other writer is
    /// faster; the newest version's if nothing would be written.
    #[serde(flatten)]
    pub diff: Diff,
    /// The jobs that would be made: jobs of children first, of each component dependencies first.
    pub jobs: Vec<PlannedJob>,
    /// Notes for people, such as how to keep the order of a list whose items are the same in another order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

pub(crate) fn plan(
    larder: &Larder,
    name: &Identifier,
    component: &dyn Component,
    options: &ApplyOptions,
) -> Result<Plan> {
    let run = larder.dry_run(name, component, options)?;
    let head = larder.head(name)?.unwrap_or_default();
    let mut new = Side {
        identifier: name.clone(),
        version: head.next,
        digest: run.digest,
        type_tag: run.manifest.type_tag().clone(),
        type_version: run.manifest.type_version(),
        size: run.size,
    };
    let newest = match &head.latest {
        Some(latest) => {
            let (_, manifest) = larder.manifest_of(name, latest)?;
            Some((Side::new(&VersionInfo::new(name, latest), &manifest), manifest))
        }
        None => None,
    };
    let unchanged = newest.as_ref().filter(|(side, _)| side.digest == new.digest);
    match unchanged {
        Some((side, _)) => new = side.clone(),
        None => {
            refuse_locked_name(name, &head, || format!("commit a new version of {name}"))?;
            if let Some(unready) = larder.unready(name, &head, &run.digest)? {
                new.version = unready.version;
            }
        }
    }
    let created = unchanged.is_none();
    let old = newest.as_ref().map(|(side, manifest)| (side.clone(), manifest));
    let diff = Diff::between(old, (new, &run.manifest))?;
    let mut jobs = Vec::new();
    if created {
        for (child, planned) in &run.children {
            if larder.find_child(child)?.is_none() {
                jobs.extend_from_slice(planned);
            }
        }
        jobs.extend_from_slice(&run.jobs);
    }
    let notes = diff.fields.iter().filter(|field| field.reordered).map(note).collect();
    Ok(Plan { created, stored: lacking(larder, &run)?, diff, jobs, notes })
}

fn note(field: &FieldDiff) -> String {
    let path = match &*field.path {
        "" => "the value",
        path => path,
    };
    format!(
        "`{path}` has the same items in another order; if it is a `HashSet`, use a `BTreeSet`, or write it with \
         `#[serde(serialize_with = \"larder::serializers::sorted\")]`"
    )
}

/// The bytes of the blobs that the store lacks.
fn lacking(larder: &Larder, run: &DryRun) -> Result<u64> {
    let mut seen = HashSet::new();
    let blobs: Vec<_> = run.blobs.iter().filter(|(digest, _)| seen.insert(*digest)).collect();
    let digests: Vec<Digest> = blobs.iter().map(|(digest, _)| *digest).collect();
    let mut lacking = 0;
    for ((_, size), found) in blobs.iter().zip(larder.store().stat_blobs(&digests)?) {
        if found.is_none() {
            add(&mut lacking, *size);
        }
    }
    Ok(lacking)
}
