//! Dry runs: an apply that encodes and writes nothing.

use super::ApplyOptions;
use crate::component::Component;
use crate::digest::Digest;
use crate::error::Result;
use crate::larder::Larder;
use crate::manifest::{ChildEntry, Manifest};
use crate::name::Identifier;
use crate::participant::PlannedJob;

/// Result of a dry run.
#[derive(Debug)]
pub struct DryRun {
    /// The manifest of the version.
    pub manifest: Manifest,
    /// Its digest.
    pub digest: Digest,
    /// The bytes of the manifest and of every artifact.
    pub size: u64,
    /// The blobs of the version and of its new children, and their sizes. A blob may be listed twice.
    pub blobs: Vec<(Digest, u64)>,
    /// The children that would be applied with it, and the jobs that each would create.
    pub children: Vec<(ChildEntry, Vec<PlannedJob>)>,
    /// The jobs that the component would create.
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
        let copy = self.prepare(name, component)?;
        let component = copy.as_deref().unwrap_or(component);
        let encoded = larder.encode(name, component)?;
        let all = encoded.children_encoded.iter().map(|child| &child.encoded).chain([&encoded]);
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
                .children_encoded
                .iter()
                .map(|child| (child.entry(), child.jobs.clone()))
                .collect(),
            jobs: larder.planned_jobs(name, component),
        })
    }
}
