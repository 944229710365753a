//! The state of listeners and indexes: coverage, backlog and lag.

use std::time::Duration;

use larder_core::extend::Records as _;
use larder_core::store::{JobStatus, VersionNumber};
use larder_core::{Identifier, Result};
use larder_jobs::{JobsQuery, LarderJobs as _};
use serde::Serialize;

use super::Listeners;
use super::columns::{Reader, model_of};
use super::listener::{Kind, Listener, Work};
use super::outputs::{OutputStatus, View};
use super::vectors::width_of;
use crate::nearest::Measure;

/// The state of a listener or an index.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ListenerStatus {
    /// The last part of its name.
    pub name: String,
    /// The fields that it reads.
    pub key: Vec<String>,
    /// The reference that it follows, or the version that it is pinned to; none for an index.
    pub model: Option<String>,
    /// The version whose outputs are up to date.
    pub version: Option<String>,
    /// The field that its outputs stand in for.
    pub fills: Option<String>,
    /// The measure of an index.
    pub measure: Option<Measure>,
    /// The length of the vectors of an index.
    pub width: Option<usize>,
    /// The type of the outputs.
    pub output: Option<String>,
    /// Its jobs do nothing.
    pub paused: bool,
    /// The number of rows of the collection.
    pub rows: u64,
    /// Rows with an up-to-date output.
    pub ok: u64,
    /// Rows for which the model failed.
    pub failed: u64,
    /// Rows without an input.
    pub empty: u64,
    /// Rows whose output is of another model, or of a former value.
    pub stale: u64,
    /// Rows that were not reached yet.
    pub missing: u64,
    /// Share of the rows with an input that have an up-to-date output, from 0 to 1.
    pub coverage: f64,
    /// Rows to be computed.
    pub backlog: u64,
    /// Versions of the collection that were not handled yet.
    pub behind: u64,
    /// Seconds since the first of these versions.
    pub lag: Option<f64>,
    /// The number of its jobs that have not finished.
    pub jobs: u64,
    /// Why its last job failed.
    pub error: Option<String>,
}

impl Listeners {
    /// Returns the state of all listeners, by name.
    ///
    /// # Errors
    /// [`Error::Corrupt`](larder_core::Error::Corrupt); [`Error::Store`](larder_core::Error::Store).
    pub fn status(&self) -> Result<Vec<ListenerStatus>> {
        self.statuses(Kind::Listener)
    }

    /// Returns the state of all indexes, by name.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub fn index_status(&self) -> Result<Vec<ListenerStatus>> {
        self.statuses(Kind::Index)
    }

    fn statuses(&self, kind: Kind) -> Result<Vec<ListenerStatus>> {
        let mut all = Vec::new();
        for (version, listener) in self.of_kind(kind)? {
            all.extend(self.status_of(&version.identifier, listener)?);
        }
        Ok(all)
    }

    fn status_of(&self, full: &Identifier, listener: Listener) -> Result<Option<ListenerStatus>> {
        let Some(reader) = Reader::open(self, listener)? else { return Ok(None) };
        let counts = Counts::of(&reader)?;
        let Reader { listener, outputs, source, .. } = &reader;
        let rows = source.rows();
        let reached = counts.ok + counts.failed + counts.empty + counts.stale;
        let missing = rows.saturating_sub(reached);
        let due = rows.saturating_sub(counts.empty);
        let head = source.version();
        let seen = outputs.as_ref().map_or(0, |outputs| outputs.seen);
        let (jobs, error) = self.jobs_of(full)?;
        let model = match &listener.work {
            Work::Model { reference, follow: true, .. } => Some(reference.to_string()),
            _ => model_of(listener).map(ToString::to_string),
        };
        let measure = match &listener.work {
            Work::Index { measure, .. } => Some(*measure),
            Work::Model { .. } => None,
        };
        let column = outputs.as_ref().and_then(|outputs| outputs.column.clone());
        Ok(Some(ListenerStatus {
            name: listener.name.clone(),
            key: listener.key.clone(),
            model,
            version: outputs.as_ref().and_then(|it| it.model.as_ref()).map(ToString::to_string),
            fills: listener.fills.clone(),
            measure,
            width: measure.and_then(|_| width_of(&column)),
            output: column.map(|column| column.to_string()),
            paused: listener.paused,
            rows,
            ok: counts.ok,
            failed: counts.failed,
            empty: counts.empty,
            stale: counts.stale,
            missing,
            coverage: if due == 0 { 1.0 } else { counts.ok as f64 / due as f64 },
            backlog: counts.stale + missing,
            behind: head.saturating_sub(seen),
            lag: self.lag(seen, head)?,
            jobs,
            error,
        }))
    }

    /// Returns the seconds since the first version after `seen`.
    fn lag(&self, seen: u64, head: u64) -> Result<Option<f64>> {
        let Some(next) = VersionNumber::new(seen + 1).filter(|_| seen < head) else {
            return Ok(None);
        };
        let Some(version) = self.larder.version(&self.collection, next)? else { return Ok(None) };
        let now = self.larder.now().as_system_time();
        let since = now.duration_since(version.created.as_system_time());
        Ok(since.ok().as_ref().map(Duration::as_secs_f64))
    }

    /// Returns the number of unfinished jobs, and the error of the last one.
    fn jobs_of(&self, name: &Identifier) -> Result<(u64, Option<String>)> {
        let (mut unfinished, mut last) = (0, None);
        for job in self.larder.jobs().list(&JobsQuery::new().name(name.clone())) {
            let job = job?;
            if !job.status.is_over() {
                unfinished += 1;
            }
            let error = match job.status {
                JobStatus::Failed | JobStatus::Pending => job.error,
                _ => Vec::new(),
            };
            if last.as_ref().is_none_or(|(created, _)| *created <= job.created) {
                last = Some((job.created, error));
            }
        }
        let error = last.map(|(_, error)| error).filter(|error| !error.is_empty());
        Ok((unfinished, error.map(|error| error.join(": "))))
    }
}

/// Rows by status; what changed since the outputs were written is stale.
#[derive(Default)]
struct Counts {
    ok: u64,
    failed: u64,
    empty: u64,
    stale: u64,
}

impl Counts {
    fn of(reader: &Reader) -> Result<Self> {
        let Some(outputs) = &reader.outputs else { return Ok(Self::default()) };
        let what = reader.listener.outputs()?.to_string();
        let view = View::new(outputs, what, reader.source.cache());
        let mut counts =
            Self { ok: outputs.ok, failed: outputs.failed, empty: outputs.empty, stale: 0 };
        // Outputs of former models that are not replaced yet.
        for (at, fragment) in outputs.fragments.iter().enumerate() {
            if fragment.model != outputs.digest() {
                let replaced = view.replaced(at)?;
                let codes = view.fragment(at)?.codes().iter().enumerate();
                let is_stale = |(position, code): &(usize, &u8)| {
                    matches!(
                        OutputStatus::of_code(**code),
                        Some(OutputStatus::Ok | OutputStatus::Failed)
                    ) && replaced.binary_search(&(*position as u32)).is_err()
                };
                counts.stale += codes.filter(is_stale).count() as u64;
            }
        }
        let changes = &reader.changes;
        let gone = changes.deleted.iter().map(|row| (row, false));
        for (row, is_there) in changes.changed.iter().map(|row| (row, true)).chain(gone) {
            let Some(state) = view.state(*row)? else { continue };
            let count = match state.status.filter(|_| state.is_current) {
                Some(OutputStatus::Ok) => &mut counts.ok,
                Some(OutputStatus::Failed) => &mut counts.failed,
                Some(OutputStatus::Empty) => &mut counts.empty,
                _ => continue,
            };
            *count = count.saturating_sub(1);
            counts.stale += u64::from(is_there);
        }
        if reader.other_model {
            counts.stale += counts.ok + counts.failed;
            (counts.ok, counts.failed) = (0, 0);
        }
        Ok(counts)
    }
}
