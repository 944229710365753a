//! Dry runs: encoding a component as an apply does, and writing nothing.

use super::{ApplyOptions, Larder};
use crate::component::Component;
use crate::digest::Digest;
use crate::error::Result;
use crate::manifest::{ChildEntry, Manifest};
use crate::name::Identifier;
use crate::participant::PlannedJob;

/// What an apply would write.
#[derive(Debug)]
pub struct DryRun {
    /// The manifest of the version.
    pub manifest: Manifest,
    /// Its digest.
    pub digest: Digest,
    /// The bytes of the manifest and of every artifact.
    pub size: u64,
    /// Every blob of the version and of what would be applied with it, and its size. A blob may be listed twice.
    pub blobs: Vec<(Digest, u64)>,
    /// The components that would be applied with it, and the jobs that each would create.
    pub children: Vec<(ChildEntry, Vec<PlannedJob>)>,
    /// The jobs that it would create itself.
    pub jobs: Vec<PlannedJob>,
}

impl Larder {
    /// Encodes a component and writes nothing.
    pub(crate) fn run_dry(
        &self,
        name: &Identifier,
        component: &dyn Component,
        options: &ApplyOptions,
    ) -> Result<DryRun> {
        let larder = self.with_options(&options.clone().dry_run(true));
        let copy = match component.as_hooks() {
            Some(_) => Some(self.prepared(name, component)?),
            None => None,
        };
        let component = copy.as_deref().unwrap_or(component);
        let (tag, version) = (component.type_tag(), component.type_version());
        let encoded = larder.pack(name, tag, version, component)?;
        let all = encoded.nested.iter().map(|nested| &nested.packed).chain([&encoded]);
        let blobs = all.flat_map(|encoded| {
            let artifacts = encoded.artifacts.iter().map(|entry| (entry.digest, entry.size));
            artifacts.chain([(encoded.digest, encoded.manifest.len() as u64)])
        });
        Ok(DryRun {
            manifest: Manifest::from_json(&encoded.manifest, name.as_str())?,
            digest: encoded.digest,
            size: encoded.size,
            blobs: blobs.collect(),
            children: encoded
                .nested
                .iter()
                .map(|nested| (nested.entry(), nested.jobs.clone()))
                .collect(),
            jobs: larder.planned_jobs(name, component),
        })
    }
}
