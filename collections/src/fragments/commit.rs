//! Commits a write whose rows are encoded, and tries again when another writer was first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use larder_core::extend::Records;
use larder_core::store::Backoff;
use larder_core::{Error, Reference, Result};

use super::engine::{FragmentEngine, PATIENCE};
use super::prepare::Prepared;
use super::version::FragmentVersion;
use super::write::Uploads;
use crate::engine::{Batches, EngineVersion, PendingWrite, Write};
use crate::key::KeyColumn;
use crate::schema::Schema;
use crate::snapshot::Snapshot;

/// Writes whose rows are encoded, and whose files are written: one, and inserts that follow it.
pub(super) struct BegunWrite<'a> {
    engine: &'a FragmentEngine,
    base: Option<FragmentVersion>,
    /// The collection before the writes, with the schema of the first one.
    start: Snapshot,
    /// The schema of the first write, if it changes.
    schema: Option<Schema>,
    /// True if the first write refuses a newer version than the base.
    strict: bool,
    writes: VecDeque<Prepared>,
    /// False once writes cannot be committed together.
    are_together: bool,
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
        let writes = VecDeque::from([engine.prepare(base, &start, write)?]);
        let (base, are_together) = (base.cloned(), true);
        Ok(Self { engine, base, start, schema, strict, writes, are_together })
    }

    /// Refuses rows that conflict with `head`, a newer version than `checked`. The result has the schema `schema`.
    fn check(
        &self,
        write: &Prepared,
        head: &FragmentVersion,
        checked: Option<&FragmentVersion>,
        schema: &Schema,
    ) -> Result<()> {
        if let Some(base) = &self.base {
            self.engine.refuse_edited(base, head, write)?;
        }
        let Some(at) = head.snapshot().key_at() else { return Ok(()) };
        for new in &write.inserts {
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

    /// Returns true if `head` is another version than `seen`.
    fn is_newer(head: Option<&FragmentVersion>, seen: &FragmentVersion) -> bool {
        head.is_some_and(|head| head.info().digest != seen.info().digest)
    }

    /// Commits the first writes in one commit of the store, and returns their versions; `None` if that is not possible.
    fn commit_together(&mut self) -> Result<Option<Vec<FragmentVersion>>> {
        let engine = self.engine;
        let Some(head) = engine.known() else { return Ok(None) };
        let is_alone = self.writes.len() < 2 || !self.are_together || engine.writes_alone();
        if is_alone || self.schema.is_some() || self.strict {
            return Ok(None);
        }
        let schema = &head.snapshot().schema;
        let base = self.base.as_ref();
        let is_newer = base.is_none_or(|base| Self::is_newer(Some(&head), base));
        let has_key = head.snapshot().key.is_some();
        let mut together: Vec<&Prepared> = Vec::new();
        for write in &self.writes {
            // One that is refused, or may be, is committed by itself, after those before it.
            let may_meet = has_key && together.iter().any(|other| other.may_share_keys(write));
            let is_alone = write.is_empty() || may_meet;
            if is_alone || is_newer && self.check(write, &head, base, schema).is_err() {
                break;
            }
            together.push(write);
        }
        let count = together.len();
        if count < 2 {
            return Ok(None);
        }
        for write in self.writes.iter_mut().take(count) {
            write.ahead.finish()?;
        }
        let mut snapshot = head.snapshot().clone();
        let mut uploads = Uploads::new(&engine.larder, &engine.name);
        let mut new = Vec::with_capacity(count);
        for write in self.writes.iter().take(count) {
            let fragments = engine.merged(&mut snapshot, Some(&head), write, &mut uploads)?;
            new.push((snapshot.clone(), fragments));
        }
        uploads.finish()?;
        let versions = engine.apply_in_a_row(new, &head)?;
        match &versions {
            Some(_) => drop(self.writes.drain(..count)),
            None => self.are_together = false,
        }
        Ok(versions)
    }

    /// Commits a write, and tries again when another writer was first.
    fn commit_one(&mut self, mut write: Prepared) -> Result<FragmentVersion> {
        let engine = self.engine;
        let is_empty = write.is_empty();
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
            let is_newer = |seen: &FragmentVersion| Self::is_newer(head.as_ref(), seen);
            if self.strict && self.base.as_ref().is_some_and(is_newer) {
                return Err(conflict());
            }
            write.ahead.finish()?;
            let mut snapshot = match &head {
                Some(head) => {
                    let evolved = evolved(head.snapshot(), self.schema.as_ref())?;
                    if is_empty && evolved.is_none() {
                        return Ok(head.clone());
                    }
                    evolved.unwrap_or_else(|| head.snapshot().clone())
                }
                None => self.start.clone(),
            };
            if let Some(head) = &head
                && checked.as_ref().is_none_or(is_newer)
            {
                self.check(&write, head, checked.as_ref(), &snapshot.schema)?;
                checked = Some(head.clone());
            }
            let mut uploads = Uploads::new(&engine.larder, &engine.name);
            let fragments = engine.merged(&mut snapshot, head.as_ref(), &write, &mut uploads)?;
            uploads.finish()?;
            if let Some(version) = engine.apply(snapshot, head.as_ref(), &fragments)? {
                return Ok(version);
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

impl PendingWrite for BegunWrite<'_> {
    fn add(&mut self, inserts: Batches<'_>) -> Result<()> {
        let write = Write { inserts: Some(inserts), ..Write::default() };
        let prepared = self.engine.prepare(self.base.as_ref(), &self.start, write)?;
        self.writes.push_back(prepared);
        Ok(())
    }

    fn commit_all(mut self: Box<Self>, done: &mut Vec<Arc<dyn EngineVersion>>) -> Result<()> {
        loop {
            if let Some(versions) = self.commit_together()? {
                done.extend(versions.into_iter().map(|version| Arc::new(version) as _));
            }
            let Some(write) = self.writes.pop_front() else { return Ok(()) };
            done.push(Arc::new(self.commit_one(write)?));
            // They were those of the first write.
            (self.schema, self.strict) = (None, false);
        }
    }
}

/// Returns a snapshot with the fields of a newer schema; `None` if nothing changes.
fn evolved(snapshot: &Snapshot, newer: Option<&Schema>) -> Result<Option<Snapshot>> {
    let Some(newer) = newer else { return Ok(None) };
    let schema = snapshot.schema.merged(newer, snapshot.rows > 0)?;
    Ok((schema != snapshot.schema).then(|| Snapshot { schema, ..snapshot.clone() }))
}
