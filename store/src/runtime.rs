//! The private runtime of what is reached over a network: for stores and queues whose clients are asynchronous.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;

use crate::error::{Error, Result};

/// How many threads it has: they wait for the network, not for the processor.
const THREADS: usize = 2;

/// Runs `future` to its end and gives what it gives.
///
/// The caller's thread waits on a channel, so it may belong to another runtime: to block on a future there
/// would panic.
pub fn wait<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    begin(future)?.wait()
}

/// Lets `future` run beside the caller, who waits for it later.
///
/// # Errors
/// [`Error::Store`] if there are no threads for it.
pub fn begin<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<Begun<T>> {
    let (done, result) = mpsc::sync_channel(1);
    let task = handle()?.spawn(async move {
        // Nobody listens any more only if the caller's thread died.
        let _ = done.send(future.await);
    });
    Ok(Begun { task: task.abort_handle(), result })
}

/// What [`begin`] has begun. Dropped, it is abandoned.
#[derive(Debug)]
pub struct Begun<T> {
    task: AbortHandle,
    result: Receiver<Result<T>>,
}

impl<T> Begun<T> {
    /// Waits for its end and gives what it gives.
    ///
    /// # Errors
    /// Its own; [`Error::Store`] if it panicked.
    pub fn wait(self) -> Result<T> {
        self.result.recv().unwrap_or_else(|_| {
            Err(Error::store("finish a request over the network", "its task panicked; see the log"))
        })
    }
}

impl<T> Drop for Begun<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs `future` beside everything else; nobody waits for it.
pub fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    if let Ok(handle) = handle() {
        handle.spawn(future);
    }
}

/// One runtime for the whole process. It is never dropped: to drop one inside of an async program
/// would panic.
fn handle() -> Result<&'static Handle> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle());
    }
    let made = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("larder-network")
        .enable_all()
        .build()
        .map_err(|error| Error::store("start the threads for requests over the network", error))?;
    if let Err(second) = RUNTIME.set(made) {
        second.shutdown_background();
    }
    RUNTIME.get().map(Runtime::handle).ok_or_else(|| {
        Error::store("start the threads for requests over the network", "they are gone")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_begun_runs_beside_its_caller_and_ends_when_it_is_dropped() {
        let begun: Vec<_> =
            (0..100).map(|number| begin(async move { Ok(number) }).unwrap()).collect();
        assert!(begun.into_iter().map(|begun| begun.wait().unwrap()).eq(0..100));

        let (alive, ended) = mpsc::sync_channel::<()>(1);
        let waiting = begin(async move {
            let _alive = alive;
            std::future::pending::<Result<()>>().await
        });
        assert!(ended.recv_timeout(Duration::from_millis(50)).is_err(), "it waits");
        drop(waiting);
        let end = ended.recv_timeout(Duration::from_secs(10));
        assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected), "it is gone with all it had");
    }
}
