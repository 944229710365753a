//! The private runtime on which all work with databases is done.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::mpsc;

use larder_core::{Error, Result};
use tokio::runtime::{Builder, Handle, Runtime};

/// How many threads it has: queries wait for the server, not for the processor.
const THREADS: usize = 2;

/// Runs `future` to its end and gives what it gives.
///
/// The caller's thread waits on a channel, so it may belong to another runtime: to block on a future there
/// would panic.
pub(crate) fn wait<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let (done, result) = mpsc::sync_channel(1);
    handle()?.spawn(async move {
        // Nobody listens any more only if the caller's thread died.
        let _ = done.send(future.await);
    });
    result.recv().unwrap_or_else(|_| {
        Err(Error::store("finish the work with a database", "its task panicked; see the log"))
    })
}

/// One runtime for all stores of the process. It is never dropped: to drop one inside of an async program
/// would panic.
fn handle() -> Result<&'static Handle> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle());
    }
    let made = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("larder-postgres")
        .enable_all()
        .build()
        .map_err(|error| Error::store("start the threads for work with databases", error))?;
    if let Err(second) = RUNTIME.set(made) {
        second.shutdown_background();
    }
    RUNTIME
        .get()
        .map(Runtime::handle)
        .ok_or_else(|| Error::store("start the threads for work with databases", "they are gone"))
}
