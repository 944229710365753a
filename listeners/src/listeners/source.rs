//! The rows that a listener reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use arrow_array::{ArrayRef, BooleanArray};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;
use larder_core::extend::Records as _;
use larder_core::store::VersionNumber;
use larder_core::{Error, Larder, Reference, Result, Selector};

use super::chunk::Chunk;
use super::listener::{Kind, Listener, OUTPUTS, Work};
use super::outputs::{ModelVersion, OutputStatus, Outputs, View};
use super::predict::column_of;
use larder_collections::extend::FragmentCache;
use larder_collections::extend::arrow_error;
use larder_collections::{Engine, EngineVersion, Scan};

/// The newest version of a collection, and of the outputs that a listener reads.
pub(crate) struct Source {
    engine: Arc<dyn Engine>,
    version: Arc<dyn EngineVersion>,
    upstream: BTreeMap<String, Upstream>,
    cache: FragmentCache,
}

struct Upstream {
    number: u64,
    what: String,
    outputs: Outputs,
}

/// What changed since outputs were written.
#[derive(Default)]
pub(crate) struct Changes {
    /// Rows whose input may have changed, ascending.
    pub(crate) changed: Vec<u64>,
    /// Rows that are gone, ascending.
    pub(crate) deleted: Vec<u64>,
    /// It is not known: any row may have changed.
    pub(crate) is_unknown: bool,
}

impl Source {
    /// Opens the collection of a listener; none if it was removed.
    pub(crate) fn open(larder: &Larder, listener: &Listener) -> Result<Option<Self>> {
        let engine = super::engine_of(larder, &listener.collection)?;
        Self::open_with(larder, &engine, &FragmentCache::default(), listener)
    }

    /// Opens the collection with an engine and a cache that were used before.
    pub(crate) fn open_with(
        larder: &Larder,
        engine: &Arc<dyn Engine>,
        cache: &FragmentCache,
        listener: &Listener,
    ) -> Result<Option<Self>> {
        let Some(version) = engine.head()? else { return Ok(None) };
        let mut upstream = BTreeMap::new();
        for name in listener.upstream() {
            let full = Kind::Listener.outputs(&listener.collection, name)?;
            let found = match larder.find(&full.clone().into()) {
                Ok(found) => found,
                Err(Error::NotFound { .. }) => continue,
                Err(error) => return Err(error),
            };
            let number = found.version;
            let outputs = larder.load(Reference::new(full.clone(), Selector::Version(number)))?;
            let what = format!("{full}@{}", number.get());
            upstream.insert(name.to_owned(), Upstream { number: number.get(), what, outputs });
        }
        Ok(Some(Self { engine: Arc::clone(engine), version, upstream, cache: cache.clone() }))
    }

    /// Returns the number of the version.
    pub(crate) fn version(&self) -> u64 {
        self.version.info().version.get()
    }

    pub(crate) fn collection(&self) -> &Arc<dyn EngineVersion> {
        &self.version
    }

    pub(crate) fn cache(&self) -> &FragmentCache {
        &self.cache
    }

    /// Returns the number of rows.
    pub(crate) fn rows(&self) -> u64 {
        self.version.rows()
    }

    /// Returns the versions of outputs that are read.
    pub(crate) fn seen_outputs(&self) -> BTreeMap<String, u64> {
        self.upstream.iter().map(|(name, upstream)| (name.clone(), upstream.number)).collect()
    }

    /// Returns the model whose outputs an index reads.
    pub(crate) fn upstream_model(&self, listener: &Listener) -> Option<ModelVersion> {
        self.upstream.get(listener.upstream().next()?)?.outputs.model.clone()
    }

    /// Returns the fields of a listener's key, with their types.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for an unknown field.
    pub(crate) fn fields(
        &self,
        larder: &Larder,
        listener: &Listener,
    ) -> Result<Vec<(String, DataType)>> {
        let schema = self.version.schema();
        let mut fields = Vec::new();
        for name in self.names(listener) {
            let kind = match name.strip_prefix(OUTPUTS) {
                Some(upstream) => self.output_type(larder, listener, upstream)?,
                None => schema.field(&name)?.kind.arrow().clone(),
            };
            fields.push((name, kind));
        }
        Ok(fields)
    }

    /// Returns the type of the outputs of a listener: that of its column, or else what its model declares.
    fn output_type(
        &self,
        larder: &Larder,
        listener: &Listener,
        upstream: &str,
    ) -> Result<DataType> {
        if let Some(column) = self.upstream.get(upstream).and_then(|it| it.outputs.column.as_ref())
        {
            return Ok(column.arrow().clone());
        }
        let name = Kind::Listener.component(&listener.collection, upstream)?;
        let other: Listener = larder.load(name)?;
        let Work::Model { version, .. } = &other.work else {
            return Err(Error::internal(format!("{upstream} is no model")));
        };
        let signature = larder.load_model(version.reference()?)?.signature();
        let column = column_of(&signature.output).map(|column| column.arrow().clone());
        column.ok_or_else(|| Error::Refused {
            action: format!("read the outputs of `{upstream}`"),
            reason: "it has none yet, and its model does not say of what type they are; wait for its job".into(),
        })
    }

    /// Returns the names of the key's fields.
    fn names(&self, listener: &Listener) -> Vec<String> {
        if !listener.is_whole_row() {
            return listener.key.clone();
        }
        let fields = self.version.schema().fields().iter().map(|field| field.name.clone());
        fields.filter(|name| listener.fills.as_ref() != Some(name)).collect()
    }

    /// Returns what changed since `outputs` were written.
    pub(crate) fn changes(
        &self,
        larder: &Larder,
        listener: &Listener,
        outputs: &Outputs,
    ) -> Result<Changes> {
        let mut changed = BTreeSet::new();
        let mut changes = Changes::default();
        if outputs.seen != self.version() {
            match VersionNumber::new(outputs.seen).map(|seen| self.engine.at(seen)) {
                Some(Ok(seen)) => {
                    let delta = self.version.delta(&*seen)?;
                    changed.extend(delta.inserted);
                    changed.extend(delta.updated);
                    changes.deleted = delta.deleted;
                }
                None | Some(Err(Error::NotFound { .. } | Error::Removed { .. })) => {
                    changes.is_unknown = true;
                    changes.deleted = self.gone(outputs)?;
                }
                Some(Err(error)) => return Err(error),
            }
        }
        for (name, upstream) in &self.upstream {
            let Some(seen) = outputs.seen_outputs.get(name).copied() else {
                // None of it was read: the back-fill comes to all rows.
                changes.is_unknown = true;
                continue;
            };
            if seen == upstream.number {
                continue;
            }
            let full = Kind::Listener.outputs(&listener.collection, name)?;
            let before = VersionNumber::new(seen)
                .map(|seen| larder.load::<Outputs>(Reference::new(full, Selector::Version(seen))));
            match before {
                Some(Ok(before)) => self.changed_outputs(&before, upstream, &mut changed)?,
                None | Some(Err(Error::NotFound { .. } | Error::Removed { .. })) => {
                    changes.is_unknown = true;
                }
                Some(Err(error)) => return Err(error),
            }
        }
        changes.changed = changed.into_iter().collect();
        Ok(changes)
    }

    /// Adds the rows of fragments that are not in `before`.
    fn changed_outputs(
        &self,
        before: &Outputs,
        upstream: &Upstream,
        changed: &mut BTreeSet<u64>,
    ) -> Result<()> {
        let view = View::new(&upstream.outputs, upstream.what.clone(), &self.cache);
        // With another model, all outputs that are not its own become stale.
        let is_other = before.digest() != upstream.outputs.digest();
        for (at, fragment) in upstream.outputs.fragments.iter().enumerate() {
            if is_other || !before.fragments.iter().any(|it| it.is_same(fragment)) {
                changed.extend(view.fragment(at)?.rows());
            }
        }
        Ok(())
    }

    /// Returns the rows that have an output and are no longer there, ascending.
    fn gone(&self, outputs: &Outputs) -> Result<Vec<u64>> {
        let view = View::new(outputs, format!("outputs of {}", outputs.collection), &self.cache);
        let mut rows = BTreeSet::new();
        for at in 0..view.len() {
            rows.extend(view.fragment(at)?.rows());
        }
        let rows: Vec<u64> = rows.into_iter().collect();
        let there = self.version.take(&rows, Some(&[]))?.ids;
        let there = there.values();
        Ok(rows.into_iter().filter(|row| there.binary_search(row).is_err()).collect())
    }

    /// Returns the columns of the collection that a chunk needs.
    fn stored(&self, listener: &Listener) -> Vec<String> {
        let mut names = self.names(listener);
        names.retain(|name| !name.starts_with(OUTPUTS));
        if let Some(target) = &listener.fills
            && !names.contains(target)
        {
            names.push(target.clone());
        }
        names
    }

    /// Reads rows by id; those that are gone are left out.
    pub(crate) fn take(&self, listener: &Listener, rows: &[u64]) -> Result<Chunk> {
        let batch = self.version.take(rows, Some(&self.stored(listener)))?;
        self.chunk(listener, batch.ids.values(), &batch.rows)
    }

    /// Reads rows as they were in an older version; none if it is gone, or had other fields.
    pub(crate) fn take_at(
        &self,
        version: u64,
        listener: &Listener,
        rows: &[u64],
    ) -> Result<Option<Chunk>> {
        let Some(number) = VersionNumber::new(version) else { return Ok(None) };
        let read = || {
            let batch = self.engine.at(number)?.take(rows, Some(&self.stored(listener)))?;
            self.chunk(listener, batch.ids.values(), &batch.rows)
        };
        match read() {
            Ok(chunk) => Ok(Some(chunk)),
            Err(Error::NotFound { .. } | Error::Removed { .. } | Error::InvalidName { .. }) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the rows from an id on, in chunks.
    pub(crate) fn scan<'a>(
        &'a self,
        listener: &'a Listener,
        from: u64,
        size: usize,
    ) -> Result<impl Iterator<Item = Result<Chunk>> + 'a> {
        let scan = Scan::new().columns(self.stored(listener)).ids(from..u64::MAX).batch_rows(size);
        let batches = self.version.scan(&scan)?;
        Ok(batches.map(|batch| {
            let batch = batch?;
            self.chunk(listener, batch.ids.values(), &batch.rows)
        }))
    }

    /// Sends the rows from an id on, in chunks, while somebody receives them.
    pub(super) fn send_chunks(
        &self,
        listener: &Listener,
        from: u64,
        size: usize,
        to: &SyncSender<Result<Chunk>>,
    ) {
        match self.scan(listener, from, size) {
            Ok(mut chunks) => while chunks.next().is_some_and(|chunk| to.send(chunk).is_ok()) {},
            Err(error) => drop(to.send(Err(error))),
        }
    }

    fn chunk(
        &self,
        listener: &Listener,
        rows: &ScalarBuffer<u64>,
        batch: &arrow_array::RecordBatch,
    ) -> Result<Chunk> {
        let mut columns = Vec::new();
        for name in self.names(listener) {
            let column = match name.strip_prefix(OUTPUTS) {
                Some(upstream) => self.outputs_of(upstream, rows)?,
                None => {
                    let column = batch.column_by_name(&name).cloned();
                    column.ok_or_else(|| {
                        Error::internal(format!("the column `{name}` was not read"))
                    })?
                }
            };
            columns.push((name, column));
        }
        let target = listener.fills.as_ref().and_then(|target| batch.column_by_name(target));
        let is_filled = target.map(|target| arrow_arith::boolean::is_not_null(target)).transpose();
        let is_filled =
            is_filled.map_err(|error| arrow_error("find values that are missing", error))?;
        Ok(Chunk { rows: rows.clone(), columns, is_filled })
    }

    /// Returns the up-to-date outputs of a listener; null where there is none.
    fn outputs_of(&self, name: &str, rows: &[u64]) -> Result<ArrayRef> {
        let Some(upstream) = self.upstream.get(name) else {
            return Ok(arrow_array::new_null_array(&DataType::Null, rows.len()));
        };
        let view = View::new(&upstream.outputs, upstream.what.clone(), &self.cache);
        let (found, values) = view.find(rows)?;
        let is_stale = |found: &Option<super::outputs::Found>| {
            let state = found.as_ref().map(|found| found.state);
            Some(!state.is_some_and(|it| it.is_current && it.status == Some(OutputStatus::Ok)))
        };
        let is_stale: BooleanArray = found.iter().map(is_stale).collect();
        arrow_select::nullif::nullif(&values, &is_stale)
            .map_err(|error| arrow_error("leave out stale outputs", error))
    }
}
