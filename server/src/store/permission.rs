//! Which permissions a record needs, by the table of record kinds.

use larder_access::Resource;
use larder_core::store::{Action, Record, RecordKey, RecordKind, TagName};

use crate::context::Context;
use crate::failure::Failure;

/// Kinds that a server alone writes, or that say where it keeps the larder. Clients do not see the last.
const WRITTEN_BY_SERVERS: [&str; 3] = ["audit", "audit-head", HIDDEN];
/// The kind of records that join two stores: behind a server they are one.
const HIDDEN: &str = "joined";

/// Returns whether records of a kind are invisible to clients.
pub(super) fn is_hidden(kind: &RecordKind) -> bool {
    kind.name() == HIDDEN
}

/// Returns the kind of a key, if the key is in its canonical form.
pub(super) fn kind_of(key: &RecordKey) -> Result<&'static RecordKind, Failure> {
    let kind = RecordKind::of(key).and_then(|kind| kind.owner(key).map(|_| kind));
    kind.map_err(|_| {
        Failure::bad_request(format!("cannot use the key {key}: the server knows no such record"))
    })
}

/// Checks that the principal may read a record.
pub(super) fn may_read(
    context: &Context,
    kind: &RecordKind,
    key: &RecordKey,
) -> Result<(), Failure> {
    let action = kind.access_rule().read;
    context.authorize(action, &owner(kind, key, action)?)
}

/// Checks that the principal may write a record over another. Returns what for.
pub(super) fn may_write(
    context: &Context,
    kind: &RecordKind,
    key: &RecordKey,
    new: &Record,
    old: Option<&Record>,
) -> Result<Vec<(Action, Resource)>, Failure> {
    refuse_own(kind, key)?;
    let mut needed = needs(kind, key, new, kind.access_rule().write)?;
    // The record may belong to another name than its new content. One that cannot be read is repaired.
    let before = old.map(|old| needs(kind, key, old, kind.access_rule().write));
    let before = before.and_then(Result::ok).unwrap_or_default();
    needed.extend(
        before.into_iter().filter(|(_, it)| matches!(it, Resource::Name(_) | Resource::Tag(..))),
    );
    authorized(context, needed)
}

/// Checks that the principal may remove a record. Returns what for.
pub(super) fn may_remove(
    context: &Context,
    kind: &RecordKind,
    key: &RecordKey,
    old: &Record,
) -> Result<Vec<(Action, Resource)>, Failure> {
    refuse_own(kind, key)?;
    let action = kind.access_rule().remove;
    let mut needed = match needs(kind, key, old, action) {
        Ok(needed) => needed,
        Err(_) => vec![(Action::Maintain, Resource::Larder)],
    };
    needed.retain(|(action, _)| *action != Action::Read);
    if action != kind.access_rule().write {
        needed = vec![(action, owner(kind, key, action)?)];
    }
    authorized(context, needed)
}

fn authorized(
    context: &Context,
    mut needed: Vec<(Action, Resource)>,
) -> Result<Vec<(Action, Resource)>, Failure> {
    needed.dedup();
    for (action, resource) in &needed {
        context.authorize(*action, resource)?;
    }
    Ok(needed)
}

fn needs(
    kind: &RecordKind,
    key: &RecordKey,
    record: &Record,
    action: Action,
) -> Result<Vec<(Action, Resource)>, Failure> {
    match kind.needs_of(key, record) {
        Some(needs) => {
            let needs = needs.map_err(|error| Failure::invalid_record(key, &error))?;
            let need = |(action, name)| match name {
                Some(name) => (action, Resource::Name(name)),
                None => (action, larder(action)),
            };
            Ok(needs.into_iter().map(need).collect())
        }
        None => Ok(vec![(action, owner(kind, key, action)?)]),
    }
}

/// Returns what an action on a record is done to.
pub(super) fn owner(
    kind: &RecordKind,
    key: &RecordKey,
    action: Action,
) -> Result<Resource, Failure> {
    let name = kind.owner(key).map_err(|error| Failure::invalid_record(key, &error))?;
    Ok(match (name, tag_in(kind, key)) {
        (Some(name), Some(tag)) => Resource::Tag(name, tag),
        (Some(name), None) => Resource::Name(name),
        (None, _) => larder(action),
    })
}

/// Returns the tag that a record is of, if it is of one.
fn tag_in(kind: &RecordKind, key: &RecordKey) -> Option<TagName> {
    if !["tag", "move"].contains(&kind.name()) {
        return None;
    }
    let (_, tag) = key.as_str().split_once("/@")?;
    TagName::new(tag.split('/').next().unwrap_or(tag)).ok()
}

/// Returns what an action on a record that belongs to no name is done to.
fn larder(action: Action) -> Resource {
    match action {
        Action::Read | Action::Predict | Action::Write | Action::Run => Resource::Any,
        _ => Resource::Larder,
    }
}

fn refuse_own(kind: &RecordKind, key: &RecordKey) -> Result<(), Failure> {
    match WRITTEN_BY_SERVERS.contains(&kind.name()) {
        true => Err(Failure::forbidden(format!("cannot write {key}: only a server writes it"))),
        false => Ok(()),
    }
}
