//! The entry of the table of record kinds for deployments.

use larder_core::Result;
use larder_core::record::{known_version, name_key, read};
use larder_core::store::{Action, BlobRoot, Record, RecordKey, RecordKind, RecordLink, kind};

use super::record::{DEPLOYMENTS, DeploymentRecord, name_in};

// A copy does not serve: what a larder serves is decided there.
kind!(
    RecordKind::new(
        "deployment",
        "deployments/NAME",
        DEPLOYMENTS,
        |key| name_in(key).map(Some),
        |key, found| read::<DeploymentRecord>(key, found).map(drop),
    )
    .links(links)
    .roots(roots)
    .access(Action::Read, Action::Deploy)
);

/// The name to be served has versions; the version that serves is there, removed or not.
fn links(key: &RecordKey, found: &Record) -> Result<Vec<RecordLink>> {
    let record: DeploymentRecord = read(key, found)?;
    let name = record.reference.identifier();
    let fault = format!("it serves {name}, of which there is no version");
    let mut links = vec![RecordLink::present(name_key(name)?, fault).atomic_only()];
    if let Some(serving) = &record.serving {
        links.push(known_version(&serving.name, serving.version)?);
    }
    Ok(links)
}

/// The serving manifest is kept, also if its version is removed: a restarted server loads it.
fn roots(key: &RecordKey, found: &Record) -> Result<Vec<BlobRoot>> {
    let record: DeploymentRecord = read(key, found)?;
    let root = |serving: super::ServingRecord| BlobRoot {
        manifest: serving.manifest,
        what: format!("the manifest of {}@{}", serving.name, serving.version.get()),
        removed: None,
        // Its blobs may have been collected before it was deployed.
        is_optional: true,
    };
    Ok(record.serving.map(root).into_iter().collect())
}
