//! Writing the outputs of a run.

use std::thread;
use std::time::{Duration, Instant};

use larder_core::{ApplyOptions, Error, Result};

use super::super::inputs::ChunkInputs;
use super::super::outputs::{NewRows, append, written};
use super::super::predict::Predicted;
use super::Filler;

/// Bytes of new outputs that are kept before they are written.
const MOST_BYTES: usize = 32 << 20;
/// Number of new outputs whose file is written before the commit.
pub(super) const MOST_ROWS: usize = if cfg!(test) { 50 } else { 1 << 17 };
/// Time after which new outputs are committed.
const INTERVAL: Duration = Duration::from_millis(if cfg!(test) { 2 } else { 3_000 });

impl Filler<'_> {
    /// Adds outputs of rows, which are those at positions of a chunk, or all of it.
    pub(super) fn add(
        &mut self,
        rows: &[u64],
        positions: Option<&[usize]>,
        inputs: &ChunkInputs<'_>,
        Predicted { values, failures }: Predicted,
    ) -> Result<()> {
        self.report.computed += rows.len() as u64;
        self.report.failed += failures.len() as u64;
        self.prepare_pending();
        let inputs = match (self.pending.keeps_inputs(), positions) {
            (false, _) => Vec::new(),
            (true, None) => inputs.fingerprints()?.to_vec(),
            (true, Some(positions)) => {
                let all = inputs.fingerprints()?;
                positions.iter().map(|at| all[*at]).collect()
            }
        };
        self.pending.push(rows, &inputs, values, failures);
        Ok(())
    }

    /// Decides whether the fingerprints of inputs are written. They are not where they would take longer than another
    /// computation of the outputs would, in case the version of the collection is removed that has the inputs.
    pub(super) fn prepare_pending(&mut self) {
        let keeps_inputs = !self.is_cheap || self.listener.upstream().next().is_some();
        if self.pending.is_empty() {
            self.pending = NewRows::new(keeps_inputs, self.room);
        } else if !keeps_inputs {
            self.pending.drop_inputs();
        }
    }

    /// Writes what is pending if it is much, or if `now`, and commits it.
    pub(in super::super) fn flush(&mut self, now: bool) -> Result<()> {
        let is_due = self.pending.bytes() >= MOST_BYTES || self.written.elapsed() >= INTERVAL;
        let is_idle = !self.is_changed
            && self.pending.is_empty()
            && self.ahead.is_empty()
            && self.encoding.is_none();
        if !(now || is_due) || is_idle {
            return Ok(());
        }
        self.land()?;
        let is_written = self.append()? || !self.ahead.is_empty();
        for file in self.ahead.drain(..).flatten() {
            file.finish()?;
        }
        let options = ApplyOptions::new().onto(self.base).read_back(false);
        let larder = self.job.larder();
        let applied = larder.apply_with(self.name.clone(), &self.outputs, &options)?;
        self.base = applied.version().digest;
        if is_written {
            // The bytes of what was written are dropped: fragments are read when they are needed.
            self.outputs = larder.load(applied.version().reference())?;
        }
        self.is_changed = false;
        self.written = Instant::now();
        super::super::prune(larder, applied.version());
        Ok(())
    }

    /// Begins to write a file of what is pending if it is much, while the next outputs are computed. The next
    /// [`flush`](Self::flush) commits it.
    pub(super) fn write_ahead(&mut self) -> Result<()> {
        if self.pending.len() < MOST_ROWS {
            return Ok(());
        }
        // One at a time, because each takes the memory of its rows, more than once.
        self.land()?;
        let pending = std::mem::take(&mut self.pending);
        let (larder, name) = (self.job.larder().clone(), self.name.clone());
        let (column, model) = (self.outputs.column.clone(), self.digest);
        let seen = self.source.version();
        let write = move || written((&larder, &name), pending, column.as_ref(), model, seen);
        let thread = thread::Builder::new().spawn(write);
        let failed = |error| Error::store("start a thread that writes outputs", error);
        self.encoding = Some(thread.map_err(failed)?);
        Ok(())
    }

    /// Adds the fragment that a thread encodes, once its file is written.
    fn land(&mut self) -> Result<()> {
        let Some(thread) = self.encoding.take() else { return Ok(()) };
        let panicked = |_| Err(Error::internal("a thread panicked while it wrote outputs"));
        let (fragment, file) = thread.join().unwrap_or_else(panicked)?;
        self.outputs.fragments.push(fragment);
        self.ahead.push(file);
        Ok(())
    }

    /// Adds what is pending to the fragments. Returns false if nothing is.
    fn append(&mut self) -> Result<bool> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(false);
        }
        let (version, cache) = (self.source.version(), self.source.cache());
        // What is not committed yet is not read either.
        let merges = self.ahead.is_empty();
        append(&mut self.outputs, pending, self.digest, version, cache, merges)?;
        Ok(true)
    }
}
