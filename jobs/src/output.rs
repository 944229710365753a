//! Progress and log lines of a running job, buffered until the worker writes them.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_core::store::{Change, Expected, Timestamp};
use larder_core::{Result, record};

use crate::claim::Claim;
use crate::record::{LogRecord, ProgressRecord, log_key};
use crate::{MAX_LINE, MAX_LINES, truncate};

/// State shared by the thread of a job and its worker.
#[derive(Default)]
pub(crate) struct AttemptState {
    /// The job should stop.
    pub(crate) cancelled: AtomicBool,
    buffer: Mutex<OutputBuffer>,
}

/// Output that is not written yet.
#[derive(Default)]
struct OutputBuffer {
    progress: Option<ProgressRecord>,
    lines: Vec<(Timestamp, String)>,
    /// The number of lines logged by this attempt.
    count: usize,
    /// The number of log records written by this attempt.
    parts: u32,
}

/// Output to write next.
pub(crate) struct OutputBatch {
    pub(crate) progress: Option<ProgressRecord>,
    pub(crate) changes: Vec<Change>,
    lines: usize,
}

impl AttemptState {
    fn buffer(&self) -> MutexGuard<'_, OutputBuffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_progress(&self, progress: ProgressRecord) {
        self.buffer().progress = Some(progress);
    }

    /// Logs a line, unless the attempt has reached the limit.
    pub(crate) fn log(&self, now: Timestamp, line: &str) {
        let mut buffer = self.buffer();
        buffer.count += 1;
        if buffer.count <= MAX_LINES {
            buffer.lines.push((now, truncate(line, MAX_LINE)));
        }
    }

    /// Returns the unwritten output. It stays buffered until [`mark_written`](Self::mark_written).
    pub(crate) fn next_batch(&self, claim: &Claim) -> Result<OutputBatch> {
        let buffer = self.buffer();
        let (progress, lines) = (buffer.progress.clone(), buffer.lines.len());
        let mut changes = Vec::new();
        if lines > 0 {
            let key = log_key(&claim.id, claim.job.attempt, buffer.parts)?;
            // Idempotent: a write whose response was lost is repeated, with more lines.
            let log = LogRecord::new(buffer.lines.clone());
            changes.push(record::put(key, &log, Expected::Anything)?);
        }
        Ok(OutputBatch { progress, changes, lines })
    }

    /// Drops a written batch from the buffer.
    pub(crate) fn mark_written(&self, batch: &OutputBatch) {
        let mut buffer = self.buffer();
        buffer.parts += u32::from(batch.lines > 0);
        let written = batch.lines.min(buffer.lines.len());
        buffer.lines.drain(..written);
        // The job may have reported more meanwhile.
        if buffer.progress == batch.progress {
            buffer.progress = None;
        }
    }

    pub(crate) fn has_unwritten(&self) -> bool {
        let buffer = self.buffer();
        buffer.progress.is_some() || !buffer.lines.is_empty()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::record::JobRecord;
    use larder_core::store::Digest;

    #[test]
    fn a_failed_write_is_repeated_once_with_later_lines() {
        let now = Timestamp::new(std::time::SystemTime::UNIX_EPOCH);
        let tag = "acme/it".parse().unwrap();
        let job = JobRecord::new(tag, Digest::of(b""), "t".into(), "apply".into(), now);
        let id = "it@1/019aa1b2c3d4-9f8e7d6c5b4a-0001".parse().unwrap();
        let claim = Claim { id, job, holder: "h".into(), lease: std::time::Duration::ZERO };
        let state = AttemptState::default();
        let log = |text: &str| state.log(now, text);
        let change = |batch: &OutputBatch| match &batch.changes[..] {
            [Change::PutRecord { key, value, .. }] => {
                let log: LogRecord = serde_json::from_slice(value).unwrap();
                let lines: Vec<_> = log.lines.into_iter().map(|(_, text)| text).collect();
                (key.as_str().rsplit('-').next().unwrap().to_owned(), lines.join(" "))
            }
            changes => panic!("{changes:?}"),
        };
        assert!(state.next_batch(&claim).unwrap().changes.is_empty());
        log("a");
        drop(state.next_batch(&claim).unwrap()); // the store failed
        log("b");
        let batch = state.next_batch(&claim).unwrap();
        assert_eq!(change(&batch), ("000000".into(), "a b".into()));
        log("c"); // during the write
        state.mark_written(&batch);
        let batch = state.next_batch(&claim).unwrap();
        assert_eq!(change(&batch), ("000001".into(), "c".into()));
        state.mark_written(&batch);
        assert!(!state.has_unwritten());
    }
}
