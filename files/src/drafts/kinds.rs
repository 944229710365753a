//! The entries of the table of record kinds for drafts and names.

use larder_core::record::{misnamed, read};
use larder_core::store::{Action, BlobRoot, CopyRule, Record, RecordKey, RecordKind, kind};
use larder_core::{Identifier, Result};

use super::record::{ABOUT, About, DRAFTS, Draft, DraftId, about_key};

// A draft is no version: a copy has none. Clients of the store protocol are kept away: a draft belongs to who wrote it.
kind!(
    RecordKind::new(
        "draft",
        "drafts/@ID",
        DRAFTS,
        |key| id_in(key).map(|_| None),
        |key, found| read::<Draft>(key, found).map(drop),
    )
    .roots(roots)
    .access(Action::Maintain, Action::Maintain)
);

kind!(
    RecordKind::new(
        "about",
        "about/NAME",
        ABOUT,
        |key| name_in(key).map(Some),
        |key, found| read::<About>(key, found).map(drop),
    )
    .copied(CopyRule::WithVersion(|name, _| about_key(name)))
    .access(Action::Read, Action::Annotate)
);

/// The files of a draft are kept until it is removed.
fn roots(key: &RecordKey, found: &Record) -> Result<Vec<BlobRoot>> {
    let root = |manifest| BlobRoot {
        manifest,
        what: format!("the manifest of the record {key}"),
        removed: None,
        is_optional: false,
    };
    Ok(read::<Draft>(key, found)?.files.map(root).into_iter().collect())
}

pub(super) fn id_in(key: &RecordKey) -> Result<DraftId> {
    let id = key.as_str().strip_prefix(DRAFTS).unwrap_or_default();
    DraftId::new(id).map_err(|_| misnamed(key, "its key is no id"))
}

pub(super) fn name_in(key: &RecordKey) -> Result<Identifier> {
    let name = key.as_str().strip_prefix(ABOUT).unwrap_or_default();
    Identifier::new(name).map_err(|_| misnamed(key, "its key is no identifier"))
}
