//! Checks the changes of a commit, as if the client lied.
//!
//! Each record is of a known kind, under its canonical key, well formed, and allowed to the principal. What exists keeps its
//! identity. The records that it requires are there after the commit, and so are the blobs of a new version. A record that
//! a commit only depends on needs to be readable, no more.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use larder_access::Resource;
use larder_core::store::{
    Action, Change, Digest, Expected, Record, RecordKey, RecordKind, RecordLink, Revision,
};

use super::{manifests, permission};
use crate::context::Context;
use crate::failure::Failure;

/// A commit that may be made.
pub(super) struct Checked {
    /// The changes, each with a precondition.
    pub(super) changes: Vec<Change>,
    /// The indices of changes that had none.
    pub(super) tightened: HashSet<usize>,
    /// The first change whose precondition fails already.
    pub(super) conflict: Option<usize>,
    /// The permissions that the changes used, for the audit log.
    pub(super) uses: Vec<(Action, Resource)>,
}

/// A change of a record, and the record before it.
struct RecordChange<'a> {
    at: usize,
    key: &'a RecordKey,
    kind: &'static RecordKind,
    /// The new record; `None` to remove it.
    new: Option<Record>,
    old: Option<Record>,
    expected: &'a Expected,
}

impl RecordChange<'_> {
    fn is_met(&self) -> bool {
        self.expected.is_met_by(self.old.as_ref().map(|old| &old.revision))
    }

    /// The commit depends on the record and leaves it as it is.
    fn is_dependency(&self) -> bool {
        match (&self.new, &self.old) {
            (Some(new), Some(old)) => new.value == old.value,
            (None, None) => true,
            _ => false,
        }
    }
}

/// Checks changes.
pub(super) fn check(context: &Context, changes: &[Change]) -> Result<Checked, Failure> {
    let store = context.app.larder.store();
    let blobs = check_blobs(context, changes)?;
    let records = records_of(context, changes)?;
    let mut uses = Vec::new();
    for change in &records {
        uses.extend(authorize(context, change)?);
    }
    let conflict = records.iter().find(|change| !change.is_met()).map(|change| change.at);
    if conflict.is_some() {
        return Ok(Checked { changes: Vec::new(), tightened: HashSet::new(), conflict, uses });
    }
    for change in records.iter().filter(|change| !change.is_dependency()) {
        check_record(change)?;
    }
    check_links(context, &records)?;
    let written: Vec<_> = records
        .iter()
        .filter(|change| !change.is_dependency())
        .filter_map(|change| {
            Some((change.kind, change.key, change.new.as_ref()?, change.old.as_ref()))
        })
        .collect();
    let keys: HashSet<&RecordKey> = written.iter().map(|(_, key, ..)| *key).collect();
    manifests::check(context, store, &written, &keys, &blobs)?;

    let mut tight = changes.to_vec();
    let mut tightened = HashSet::new();
    for change in &records {
        if *change.expected != Expected::Anything {
            continue;
        }
        let now = change.old.as_ref().map(|old| Expected::Revision(old.revision.clone()));
        if let Change::PutRecord { expected, .. } | Change::RemoveRecord { expected, .. } =
            &mut tight[change.at]
        {
            *expected = now.unwrap_or(Expected::Absent);
            tightened.insert(change.at);
        }
    }
    Ok(Checked { changes: tight, tightened, conflict: None, uses })
}

/// Compares blobs with their digests.
fn check_blobs(context: &Context, changes: &[Change]) -> Result<HashMap<Digest, Bytes>, Failure> {
    let mut blobs = HashMap::new();
    for change in changes {
        let Change::PutBlob { digest, bytes } = change else { continue };
        if Digest::of(bytes) != *digest {
            return Err(Failure::wrong_digest());
        }
        blobs.insert(*digest, bytes.clone());
    }
    if !blobs.is_empty() {
        context.authorize(Action::Write, &Resource::Any)?;
    }
    Ok(blobs)
}

/// Reads the records that a commit changes.
fn records_of<'a>(
    context: &Context,
    changes: &'a [Change],
) -> Result<Vec<RecordChange<'a>>, Failure> {
    let mut records = Vec::new();
    let mut seen = HashSet::new();
    for (at, change) in changes.iter().enumerate() {
        let (key, value, expected) = match change {
            Change::PutBlob { .. } => continue,
            Change::PutRecord { key, value, expected } => (key, Some(value), expected),
            Change::RemoveRecord { key, expected } => (key, None, expected),
        };
        if !seen.insert(key) {
            let message = format!("cannot commit: the record {key} is changed twice");
            return Err(Failure::bad_request(message));
        }
        let new = value.map(|value| Record { revision: Revision::new(""), value: value.clone() });
        let kind = permission::kind_of(key)?;
        records.push(RecordChange { at, key, kind, new, old: None, expected });
    }
    let keys: Vec<RecordKey> = records.iter().map(|change| change.key.clone()).collect();
    let found = context.app.larder.store().get_records(&keys)?;
    for (change, found) in records.iter_mut().zip(found) {
        change.old = found;
    }
    Ok(records)
}

/// Checks that the principal may make a change. Returns what is logged of it.
fn authorize(
    context: &Context,
    change: &RecordChange<'_>,
) -> Result<Vec<(Action, Resource)>, Failure> {
    let RecordChange { key, kind, new, old, .. } = change;
    if change.is_dependency() {
        permission::may_read(context, kind, key)?;
        return Ok(Vec::new());
    }
    let mut uses = match (new, old) {
        (Some(new), _) => permission::may_write(context, kind, key, new, old.as_ref())?,
        (None, Some(old)) => permission::may_remove(context, kind, key, old)?,
        (None, None) => Vec::new(),
    };
    uses.retain(|(action, resource)| match action {
        Action::Read => false,
        // A running job is written every few seconds.
        Action::Run => old.is_none() && *resource != Resource::Any,
        _ => *resource != Resource::Any,
    });
    Ok(uses)
}

/// Checks a record by itself, and against the one that it replaces.
fn check_record(change: &RecordChange<'_>) -> Result<(), Failure> {
    let RecordChange { key, kind, new, old, .. } = change;
    if let Some(new) = new {
        kind.check(key, new).map_err(|error| Failure::invalid_record(key, &error))?;
    }
    let Some(old) = old else { return Ok(()) };
    match kind.replace_fault(key, old, new.as_ref()) {
        None => Ok(()),
        Some(fault) => Err(Failure::broken_rule(key, &fault)),
    }
}

/// Checks that what the written records require is there after the commit.
fn check_links(context: &Context, records: &[RecordChange<'_>]) -> Result<(), Failure> {
    let store = context.app.larder.store();
    let is_atomic = store.capabilities().atomic_commit;
    let mut links: Vec<(&RecordKey, RecordLink)> = Vec::new();
    for change in records.iter().filter(|change| !change.is_dependency()) {
        let Some(new) = &change.new else { continue };
        let own = change.kind.links_of(change.key, new);
        let own = own.map_err(|error| Failure::invalid_record(change.key, &error))?;
        let holds = own.into_iter().filter(|link| is_atomic || !link.is_atomic_only());
        links.extend(holds.map(|link| (change.key, link)));
    }
    let mut after: HashMap<RecordKey, Option<Record>> =
        records.iter().map(|change| (change.key.clone(), change.new.clone())).collect();
    let targets: HashSet<&RecordKey> = links.iter().map(|(_, link)| link.target()).collect();
    let unread: Vec<RecordKey> =
        targets.into_iter().filter(|key| !after.contains_key(*key)).cloned().collect();
    if !unread.is_empty() {
        let found = store.get_records(&unread)?;
        after.extend(unread.into_iter().zip(found));
    }
    for (key, link) in links {
        let target = after.get(link.target()).and_then(Option::as_ref);
        if let Some(fault) = link.fault(target) {
            return Err(Failure::broken_rule(key, &fault));
        }
    }
    Ok(())
}
