//! Commits a write whose rows are encoded, and tries again when another writer was first.

use std::sync::Arc;
use std::time::Instant;

use larder_core::extend::Records;
use larder_core::store::Backoff;
use larder_core::{Error, Reference, Result};

use super::engine::{FragmentEngine, PATIENCE};
use super::merge;
use super::prepare::Prepared;
use super::version::FragmentVersion;
use super::write::Uploads;
use crate::engine::{EngineVersion, PendingWrite, Write};
use crate::fragment::Fragment;
use crate::key::KeyColumn;
use crate::schema::Schema;
use crate::snapshot::Snapshot;

/// A write whose rows are encoded, and whose files are written.
pub(super) struct BegunWrite<'a> {
    engine: &'a FragmentEngine,
    base: Option<FragmentVersion>,
    /// The collection before the write, with its schema.
    start: Snapshot,
    /// The schema of the write, if it changes.
    schema: Option<Schema>,
    strict: bool,
    prepared: Prepared,
}

impl<'a> BegunWrite<'a> {
    /// Encodes the rows of a write on `base`, whose snapshot `start` is; without a base, it creates the collection.
    pub(super) fn new(
        engine: &'a FragmentEngine,
        base: Option<&FragmentVersion>,
        start: Snapshot,
        mut write: Write<'_>,
    ) -> Result<Self> {
        let (schema, strict) = (write.schema.take(), write.strict);
        let start = evolved(&start, schema.as_ref())?.unwrap_or(start);
        let prepared = engine.prepare(base, &start, write)?;
        Ok(Self { engine, base: base.cloned(), start, schema, strict, prepared })
    }

    /// Refuses rows that conflict with `head`, a newer version than `checked`. The result has the schema `schema`.
    fn check(
        &self,
        head: &FragmentVersion,
        checked: Option<&FragmentVersion>,
        schema: &Schema,
    ) -> Result<()> {
        if let Some(base) = &self.base {
            self.engine.refuse_edited(base, head, &self.prepared)?;
        }
        let Some(at) = head.snapshot().key_at() else { return Ok(()) };
        for new in &self.prepared.inserts {
            if !head.snapshot().fragments.iter().any(|it| it.may_share_keys(&new.fragment)) {
                continue;
            }
            let rows = self.engine.loader(Some(head))(&new.fragment)?;
            let columns = crate::schema::adapt(&rows.batch, schema, &[at])?;
            let keys = KeyColumn::of(&columns[0])?;
            self.engine.refuse_known(head, &keys, new.fragment.first_id, checked)?;
        }
        Ok(())
    }
}

impl PendingWrite for BegunWrite<'_> {
    fn commit(mut self: Box<Self>) -> Result<Arc<dyn EngineVersion>> {
        let engine = self.engine;
        let is_empty = self.prepared.inserts.is_empty()
            && self.prepared.updated.is_empty()
            && self.prepared.deleted.is_empty();
        let (begun, mut backoff) = (Instant::now(), Backoff::default());
        // The version whose keys are known not to be those of the new rows.
        let mut checked = self.base.clone();
        let mut is_first = self.base.is_none();
        // The version that this handle saw last: the commit tells if there is a newer one.
        let mut known = if is_empty || is_first { None } else { engine.known() };
        let conflict = || Error::Conflict { what: engine.name.to_string() };
        loop {
            let head = match known.take() {
                Some(known) => Some(known),
                None if is_first => None,
                None => engine.latest()?,
            };
            if !is_first && head.is_none() {
                return Err(Records::not_found(
                    &engine.larder,
                    &Reference::from(engine.name.clone()),
                ));
            }
            let is_newer = |seen: &FragmentVersion| {
                head.as_ref().is_some_and(|head| head.info().digest != seen.info().digest)
            };
            if self.strict && self.base.as_ref().is_some_and(is_newer) {
                return Err(conflict());
            }
            self.prepared.ahead.finish()?;
            let mut snapshot = match &head {
                Some(head) => {
                    let evolved = evolved(head.snapshot(), self.schema.as_ref())?;
                    if is_empty && evolved.is_none() {
                        return Ok(Arc::new(head.clone()));
                    }
                    evolved.unwrap_or_else(|| head.snapshot().clone())
                }
                None => self.start.clone(),
            };
            if let Some(head) = &head
                && checked.as_ref().is_none_or(is_newer)
            {
                self.check(head, checked.as_ref(), &snapshot.schema)?;
                checked = Some(head.clone());
            }
            let fragments = engine.applied(&mut snapshot, head.as_ref(), &self.prepared)?;
            let key_at = snapshot.key_at();
            let mut uploads = Uploads::new(&engine.larder, &engine.name);
            let loader = engine.loader(head.as_ref());
            let fragments =
                merge::tidy(fragments, &snapshot.schema, key_at, &loader, &mut uploads)?;
            snapshot.fragments = fragments.iter().map(|it| it.fragment.clone()).collect();
            snapshot.rows = snapshot.fragments.iter().map(Fragment::live).sum();
            uploads.finish()?;
            if let Some(version) = engine.apply(snapshot, head.as_ref(), &fragments)? {
                return Ok(Arc::new(version));
            }
            if is_first {
                // Another writer created it: with the same fields, these rows follow its rows.
                let other = engine.latest()?;
                let fits = other.as_ref().is_some_and(|other| {
                    other.snapshot().schema == self.start.schema
                        && other.snapshot().key == self.start.key
                });
                if !fits || is_empty {
                    return Err(conflict());
                }
                is_first = false;
            }
            if begun.elapsed() > PATIENCE {
                return Err(conflict());
            }
            backoff.pause();
        }
    }
}

/// Returns a snapshot with the fields of a newer schema; `None` if nothing changes.
fn evolved(snapshot: &Snapshot, newer: Option<&Schema>) -> Result<Option<Snapshot>> {
    let Some(newer) = newer else { return Ok(None) };
    let schema = snapshot.schema.merged(newer, snapshot.rows > 0)?;
    Ok((schema != snapshot.schema).then(|| Snapshot { schema, ..snapshot.clone() }))
}
