//! A run of a listener's job over the rows of a collection.

mod write;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arrow_array::ArrayRef;
use larder_core::extend::ArtifactAhead;
use larder_core::store::Digest;
use larder_core::{ApplyOptions, Error, Identifier, Model, Result, VersionInfo};
use larder_jobs::JobContext;

use super::chunk::Chunk;
use super::fill::{FillReport, Request};
use super::inputs::{ChunkInputs, Rows};
use super::listener::{Listener, Work};
use super::outputs::{FragmentAhead, NewRows, OutputStatus, Outputs, RowState, View};
use super::predict::{InputForm, Inputs, Predicted, column_of, predict};
use super::source::Source;
use super::vectors::vectors_of;
use write::MOST_ROWS;

/// Rows that are read and predicted at once.
const CHUNK: usize = if cfg!(test) { 64 } else { 8_192 };
/// Chunks that are read while one is computed.
const MOST_AHEAD: usize = 2;
/// Minimum number of rows whose computation is measured.
const LEAST_MEASURED: usize = CHUNK / 32;
/// Maximum time of a row for outputs that are computed again rather than compared by fingerprints.
const CHEAP: Duration = Duration::from_micros(if cfg!(test) { 1_000_000 } else { 5 });

/// A run over the rows of a collection.
pub(super) struct Filler<'a> {
    job: &'a JobContext,
    listener: &'a Listener,
    source: &'a Source,
    model: Option<Arc<dyn Model>>,
    /// The digest of the model whose outputs these are.
    digest: Option<Digest>,
    name: Identifier,
    outputs: Outputs,
    /// The digest of the version that `outputs` was read from.
    base: Digest,
    pending: NewRows,
    /// The number of rows that are likely to be pending at once.
    room: usize,
    /// A fragment that a thread encodes and writes while the next outputs are computed.
    encoding: Option<JoinHandle<Result<FragmentAhead>>>,
    /// The files of fragments that are written for the next commit; none for those that the commit writes.
    ahead: Vec<Option<ArtifactAhead>>,
    /// The last outputs took little time.
    is_cheap: bool,
    is_changed: bool,
    written: Instant,
    report: &'a mut FillReport,
}

impl<'a> Filler<'a> {
    pub(super) fn new(
        job: &'a JobContext,
        listener: &'a Listener,
        source: &'a Source,
        model: Option<Arc<dyn Model>>,
        stored: Option<(VersionInfo, Outputs)>,
        report: &'a mut FillReport,
    ) -> Result<Self> {
        let name = listener.outputs()?;
        let (base, mut outputs) = match stored {
            Some((version, outputs)) => (version.digest, outputs),
            None => {
                let new = Outputs::new(listener, source.version());
                let options = ApplyOptions::new().first();
                let applied = job.larder().apply_with(name.clone(), &new, &options)?;
                (applied.version().digest, new)
            }
        };
        let mut is_changed = false;
        if outputs.definition != listener.definition() {
            outputs = Outputs::new(listener, source.version());
            is_changed = true;
        }
        let current = match &listener.work {
            Work::Model { version, .. } => Some(version.clone()),
            Work::Index { .. } => source.upstream_model(listener),
        };
        let column = model.as_ref().and_then(|model| column_of(&model.signature().output));
        is_changed |= outputs.follow(current, column);
        let digest = outputs.digest();
        let (pending, written) = (NewRows::default(), Instant::now());
        Ok(Self {
            job,
            listener,
            source,
            model,
            digest,
            name,
            outputs,
            base,
            pending,
            room: 0,
            encoding: None,
            ahead: Vec::new(),
            is_cheap: false,
            is_changed,
            written,
            report,
        })
    }

    fn view<T>(&self, read: impl FnOnce(&View<'_>) -> T) -> T {
        let view = View::new(&self.outputs, self.name.to_string(), self.source.cache());
        read(&view)
    }

    /// Handles what changed in the collection since the outputs were last written.
    pub(super) fn handle_changes(&mut self, request: Request) -> Result<()> {
        let changes = self.source.changes(self.job.larder(), self.listener, &self.outputs)?;
        if changes.is_unknown {
            self.outputs.fill_from = Some(0);
            for fragment in &mut self.outputs.fragments {
                fragment.seen = fragment.seen.map(|_| 0);
            }
        }
        self.drop_rows(&changes.deleted)?;
        self.compute_rows(&changes.changed, Rows::ChangedAfter(self.outputs.seen), false)?;
        if request.retry {
            let failed = self.failed_rows()?;
            self.flush(false)?;
            self.compute_rows(&failed, Rows::Unchanged, true)?;
        }
        let version = self.source.version();
        let seen_outputs = self.source.seen_outputs();
        if self.outputs.seen != version || self.outputs.seen_outputs != seen_outputs {
            self.outputs.seen = version;
            self.outputs.seen_outputs = seen_outputs;
            self.is_changed = true;
        }
        // The back-fill reads what was written here.
        self.flush(true)
    }

    /// Returns the rows that failed with the current model.
    fn failed_rows(&self) -> Result<Vec<u64>> {
        self.view(|view| {
            let mut failed = Vec::new();
            for at in 0..view.len() {
                let replaced = view.replaced(at)?;
                let fragment = view.fragment(at)?;
                for (position, (row, code)) in
                    fragment.rows().iter().zip(fragment.codes()).enumerate()
                {
                    let is_failed = OutputStatus::of_code(*code) == Some(OutputStatus::Failed);
                    if is_failed && replaced.binary_search(&(position as u32)).is_err() {
                        failed.push(*row);
                    }
                }
            }
            failed.sort_unstable();
            Ok(failed)
        })
    }

    /// Drops the outputs of deleted rows.
    fn drop_rows(&mut self, rows: &[u64]) -> Result<()> {
        let states: Vec<Option<RowState>> =
            self.view(|view| rows.iter().map(|row| view.state(*row)).collect::<Result<_>>())?;
        let mut gone = Vec::new();
        for (row, state) in rows.iter().zip(states) {
            let Some(state) = state.filter(|state| state.status.is_some()) else { continue };
            self.outputs.count(state.status.filter(|_| state.is_current), None);
            gone.push(*row);
        }
        if !gone.is_empty() {
            self.prepare_pending();
            self.report.dropped += gone.len() as u64;
            self.pending.push_without(&gone, None);
        }
        Ok(())
    }

    /// Computes the outputs of rows, ascending by id.
    fn compute_rows(&mut self, rows: &[u64], known: Rows, force: bool) -> Result<()> {
        for (at, rows) in rows.chunks(CHUNK).enumerate() {
            if self.job.is_cancelled() {
                return Err(cancelled(self.job));
            }
            if at > 0 {
                self.flush(false)?;
            }
            let chunk = self.source.take(self.listener, rows)?;
            self.compute(&chunk, known, force)?;
        }
        Ok(())
    }

    /// Computes outputs of the rows that had none when the back-fill began.
    pub(super) fn fill(&mut self) -> Result<()> {
        let Some(first) = self.outputs.fill_from else { return Ok(()) };
        let total = self.source.rows().max(1);
        self.room = usize::try_from(total).unwrap_or(usize::MAX).min(MOST_ROWS + CHUNK);
        let (source, listener) = (self.source, self.listener);
        let fill_from = thread::scope(|scope| {
            let (sender, chunks) = sync_channel(MOST_AHEAD);
            let read = move || source.send_chunks(listener, first, CHUNK, &sender);
            let reader = thread::Builder::new().spawn_scoped(scope, read);
            reader.map_err(|error| Error::store("start a thread that reads rows", error))?;
            self.fill_chunks(chunks, total)
        });
        self.outputs.fill_from = fill_from?;
        self.is_changed |= self.outputs.fill_from != Some(first);
        let is_done = self.outputs.fill_from.is_none();
        if is_done {
            // Each row has an output of this model now, so those of others are of no use.
            self.flush(true)?;
            let before = self.outputs.fragments.len();
            self.outputs.fragments.retain(|fragment| fragment.model == self.digest);
            self.is_changed |= self.outputs.fragments.len() != before;
            // Each has been computed from the version that is read.
            for fragment in self.outputs.fragments.iter_mut().filter(|it| it.seen == Some(0)) {
                fragment.seen = Some(self.source.version());
                self.is_changed = true;
            }
        }
        self.report.left = if is_done { 0 } else { total.saturating_sub(self.covered()) };
        Ok(())
    }

    /// Computes outputs of chunks; returns the id of the first row that was not reached.
    fn fill_chunks(
        &mut self,
        chunks: impl IntoIterator<Item = Result<Chunk>>,
        total: u64,
    ) -> Result<Option<u64>> {
        let started = Instant::now();
        let mut done = 0_u64;
        for chunk in chunks {
            let chunk = chunk?;
            let mut at = 0;
            while at < chunk.rows.len() {
                let room = match self.listener.limit {
                    Some(limit) => limit.saturating_sub(self.outputs.ok + self.outputs.failed),
                    None => u64::MAX,
                };
                if room == 0 || self.job.is_cancelled() {
                    return Ok(chunk.rows.get(at).copied());
                }
                let part = chunk.slice(at, usize::try_from(room).unwrap_or(usize::MAX));
                self.compute(&part, Rows::Unchanged, false)?;
                at += part.rows.len();
                done += part.rows.len() as u64;
            }
            self.outputs.fill_from = chunk.rows.last().map(|row| row + 1);
            self.is_changed = true;
            let covered = self.covered();
            let rate = done as f64 / started.elapsed().as_secs_f64().max(1e-3);
            let message = format!("{covered} of {total} rows, {rate:.0} rows/s");
            self.job.progress(covered as f64 / total as f64, message);
            self.write_ahead()?;
            self.flush(false)?;
        }
        Ok(None)
    }

    /// Returns the number of rows that were reached.
    fn covered(&self) -> u64 {
        self.outputs.ok + self.outputs.failed + self.outputs.empty
    }

    /// Computes the outputs of a chunk, apart from those that are up to date.
    fn compute(&mut self, chunk: &Chunk, known: Rows, force: bool) -> Result<()> {
        let rows = &chunk.rows;
        let inputs = ChunkInputs::new(self.source, self.listener, chunk, known);
        let is_empty = chunk.empty(self.listener.takes_null());
        let (mut due, mut empty) = (Vec::new(), Vec::new());
        let ends = rows.first().copied().zip(rows.last().copied());
        let is_reached = ends.is_some_and(|(first, last)| self.view(|it| it.reaches(first, last)));
        if !is_reached && !is_empty.contains(&true) {
            let predicted = self.outputs_of(&chunk.columns, rows.len())?;
            self.outputs.ok += rows.len() as u64;
            self.outputs.failed += predicted.failures.len() as u64;
            self.outputs.ok -= predicted.failures.len() as u64;
            return self.add(rows, None, &inputs, predicted);
        }
        let states: Vec<Option<RowState>> =
            self.view(|view| rows.iter().map(|row| view.state(*row)).collect::<Result<_>>())?;
        for (at, state) in states.iter().enumerate() {
            let known = state.filter(|state| state.is_current);
            let status = known.and_then(|state| state.status);
            if is_empty[at] {
                if status == Some(OutputStatus::Empty) {
                    self.report.unchanged += 1;
                } else {
                    self.outputs.count(status, Some(OutputStatus::Empty));
                    empty.push(rows[at]);
                }
                continue;
            }
            let is_done = match status {
                Some(OutputStatus::Ok) => true,
                Some(OutputStatus::Failed) => !force,
                _ => false,
            };
            match known {
                Some(state) if is_done && inputs.is_same(at, &state)? => self.report.unchanged += 1,
                _ => due.push(at),
            }
        }
        if !due.is_empty() {
            let columns = chunk.chosen(&due)?;
            let predicted = self.outputs_of(&columns, due.len())?;
            let mut is_failed = vec![false; due.len()];
            for (at, _) in &predicted.failures {
                if let Some(failed) = is_failed.get_mut(*at) {
                    *failed = true;
                }
            }
            for (at, is_failed) in due.iter().zip(is_failed) {
                let old = states[*at].filter(|it| it.is_current).and_then(|it| it.status);
                let new = if is_failed { OutputStatus::Failed } else { OutputStatus::Ok };
                self.outputs.count(old, Some(new));
            }
            let rows: Vec<u64> = due.iter().map(|at| rows[*at]).collect();
            self.add(&rows, Some(&due), &inputs, predicted)?;
        }
        if !empty.is_empty() {
            self.prepare_pending();
            self.pending.push_without(&empty, Some(OutputStatus::Empty));
        }
        Ok(())
    }

    /// Computes the outputs of columns.
    fn outputs_of(&mut self, columns: &[(String, ArrayRef)], rows: usize) -> Result<Predicted> {
        let begun = Instant::now();
        let predicted = self.predicted(columns, rows)?;
        if rows >= LEAST_MEASURED {
            self.is_cheap = begun.elapsed() < CHEAP * rows as u32;
        }
        Ok(predicted)
    }

    fn predicted(&mut self, columns: &[(String, ArrayRef)], rows: usize) -> Result<Predicted> {
        match (&self.listener.work, &self.model) {
            (Work::Model { form, .. }, Some(model)) => {
                let inputs = match (form, columns) {
                    (InputForm::Value, [(_, column)]) => Inputs::Values(column),
                    _ => Inputs::Objects(columns, rows),
                };
                predict(&**model, inputs, &mut self.outputs.column)
            }
            _ => {
                let column = columns.first().map(|(_, column)| column);
                let column = column.ok_or_else(|| Error::internal("an index without a field"))?;
                vectors_of(column, &mut self.outputs.column)
            }
        }
    }
}

fn cancelled(job: &JobContext) -> Error {
    Error::Refused { action: format!("go on with {}", job.id()), reason: "it was cancelled".into() }
}
