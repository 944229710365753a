//! Writes the audit log: a thread that appends what waits as one record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use larder_access::{Access, AuditEntry, LarderAccess};
use larder_core::{Error, Larder, Result};
use tokio::sync::{mpsc, oneshot};

/// The maximum number of entries that wait. Denials beyond it are counted; changes wait for room.
const MOST_WAITING: usize = 1_024;
/// The maximum number of entries of a record.
const MOST_AT_ONCE: usize = 256;

#[derive(Debug)]
struct Waiting {
    /// `None` to be told when all before it is written.
    entry: Option<AuditEntry>,
    /// Told once the entry is durable.
    done: Option<oneshot::Sender<Result<(), String>>>,
}

/// The audit log of a server.
#[derive(Debug)]
pub(crate) struct AuditLog {
    sender: mpsc::Sender<Waiting>,
    lost: AtomicU64,
}

impl AuditLog {
    /// Starts the thread. It ends once the log is dropped and everything is written.
    pub(crate) fn start(larder: &Larder) -> Result<Self> {
        let access = larder.access();
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        thread::Builder::new()
            .name("larder-audit".into())
            .spawn(move || write(&access, receiver))
            .map_err(|error| Error::store("start the thread of the audit log", error))?;
        Ok(Self { sender, lost: AtomicU64::new(0) })
    }

    /// Appends a denial, without waiting for it. Where too many wait, it is only counted, so that a flood of denied requests
    /// does not stop the server.
    pub(crate) fn denied(&self, mut entry: AuditEntry) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            entry.because = format!("{}; {lost} denials before it were not logged", entry.because);
        }
        if self.sender.try_send(Waiting { entry: Some(entry), done: None }).is_err() {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }

    /// Appends a change, and waits until it is durable.
    pub(crate) async fn changed(&self, entry: AuditEntry) -> Result<()> {
        let (done, written) = oneshot::channel();
        let ended = || Error::store("write the audit log", "its thread has ended");
        let waiting = Waiting { entry: Some(entry), done: Some(done) };
        self.sender.send(waiting).await.map_err(|_| ended())?;
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(Error::store("write the audit log", reason)),
            Err(_) => Err(ended()),
        }
    }

    /// Waits until all entries so far are written. Blocks.
    pub(crate) fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.sender.blocking_send(Waiting { entry: None, done: Some(done) }).is_ok() {
            // The thread says in the log what it could not write.
            let _ = written.blocking_recv();
        }
    }
}

fn write(access: &Access, mut receiver: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::new();
    while receiver.blocking_recv_many(&mut waiting, MOST_AT_ONCE) > 0 {
        let entries: Vec<AuditEntry> = waiting.iter().filter_map(|it| it.entry.clone()).collect();
        let written = access.append_audit(&entries).map_err(|error| error.to_string());
        if let Err(reason) = &written {
            tracing::error!(entries = entries.len(), reason, "cannot write the audit log");
        }
        for done in waiting.drain(..).filter_map(|it| it.done) {
            // Nobody may wait any more.
            let _ = done.send(written.clone());
        }
    }
}
