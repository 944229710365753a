//! Creates the jobs of listeners in the commit of the change that they listen to.

use std::collections::BTreeSet;
use std::sync::Arc;

use larder_core::extend::{Contribution, Participant, Records as _, Transition, TypeEntry};
use larder_core::record::VersionRecord;
use larder_core::store::{TagName, VersionNumber};
use larder_core::{ComponentType as _, Identifier, Item, Larder, Reference, Result, Selector};
use larder_jobs::{Event, LarderJobs as _};

use super::listener::{CHANGE, OUTPUTS, Work};
use super::{Listener, Outputs, listening};
use crate::watch::{self, Watch};
use larder_collections::Snapshot;

larder_core::link!(Item::participant(Arc::new(ListenersParticipant)));

#[derive(Debug)]
struct ListenersParticipant;

impl Participant for ListenersParticipant {
    fn contribute(
        &self,
        larder: &Larder,
        transition: Transition,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<Contribution> {
        let tag = version.type_tag.as_str();
        let (collection, upstream) = match tag {
            _ if transition != Transition::Ready => return Ok(Contribution::default()),
            Snapshot::TAG => (name.clone(), None),
            Outputs::TAG => match split(name) {
                Some((collection, upstream)) => (collection.parse()?, Some(upstream)),
                None => return Ok(Contribution::default()),
            },
            _ => return follow_newest(larder, name, version),
        };
        let jobs = larder.jobs();
        let event = Event::custom(CHANGE)?;
        let mut all = Contribution::default();
        for listener in listening(larder, &collection)? {
            if listener.type_tag.as_str() == Watch::TAG {
                if upstream.is_none() {
                    all.merge(watch::contribute(larder, &listener, version.version)?);
                }
                continue;
            }
            if let Some(upstream) = &upstream {
                let loaded: Listener = larder.load(listener.reference())?;
                if !loaded.key.iter().any(|field| field.strip_prefix(OUTPUTS) == Some(upstream)) {
                    continue;
                }
            }
            let Some(record) = larder.version(&listener.identifier, listener.version)? else {
                continue;
            };
            all.merge(jobs.contribute_once(&event, &listener.identifier, &record)?);
        }
        Ok(all)
    }

    /// Listeners that follow the tag run with its new version.
    fn contribute_to_move(
        &self,
        larder: &Larder,
        name: &Identifier,
        tag: &TagName,
        from: VersionNumber,
    ) -> Result<Contribution> {
        followers(larder, name, from, |selector| matches!(selector, Selector::Tag(it) if it == tag))
    }
}

/// Returns the jobs of listeners that follow the newest version of a model.
fn follow_newest(
    larder: &Larder,
    name: &Identifier,
    version: &VersionRecord,
) -> Result<Contribution> {
    let entry = larder.registry().find(version.type_tag.as_str());
    if !entry.is_some_and(TypeEntry::is_model) {
        return Ok(Contribution::default());
    }
    match larder.head(name)?.and_then(|head| head.latest) {
        Some(latest) => {
            followers(larder, name, latest.version, |it| matches!(it, Selector::Latest))
        }
        None => Ok(Contribution::default()),
    }
}

/// Returns the jobs of listeners that use a version of a model by a reference that follows.
fn followers(
    larder: &Larder,
    name: &Identifier,
    version: VersionNumber,
    is_meant: impl Fn(&Selector) -> bool,
) -> Result<Contribution> {
    let mut all = Contribution::default();
    let event = Event::custom(CHANGE)?;
    let mut seen = BTreeSet::new();
    for user in larder.used_by(Reference::new(name.clone(), Selector::Version(version)))? {
        if user.type_tag.as_str() != Listener::TAG || !seen.insert(user.identifier.clone()) {
            continue;
        }
        let Some(latest) = larder.head(&user.identifier)?.and_then(|head| head.latest) else {
            continue;
        };
        let listener: Listener = larder
            .load(Reference::new(user.identifier.clone(), Selector::Version(latest.version)))?;
        if let Work::Model { reference, follow: true, .. } = &listener.work
            && reference.identifier() == name
            && is_meant(reference.selector())
        {
            all.merge(larder.jobs().contribute_once(&event, &user.identifier, &latest)?);
        }
    }
    Ok(all)
}

/// Splits the name of the outputs of a model into the collection and the listener.
fn split(name: &Identifier) -> Option<(&str, &str)> {
    let (folder, listener) = name.as_str().rsplit_once('/')?;
    Some((folder.strip_suffix(".outputs")?, listener))
}
