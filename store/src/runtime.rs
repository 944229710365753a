//! The private async runtime of stores and queues whose clients are asynchronous.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver};
use std::task::Poll;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;

use crate::error::{Error, Result};
use crate::panics::catch_panic;

/// Number of threads. They wait for the network rather than compute.
const THREADS: usize = 2;

/// Runs `future` to its end and returns its result.
///
/// The calling thread waits on a channel, so it may belong to another runtime, where blocking on a future would
/// panic.
///
/// # Errors
/// The errors of the future; [`Error::Store`] if it panicked or no thread could be started.
pub fn wait<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    start(future)?.wait()
}

/// Starts `future` and returns a handle to wait for it.
///
/// # Errors
/// [`Error::Store`] if no thread could be started.
pub fn start<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<Task<T>> {
    let (done, result) = mpsc::sync_channel(1);
    let task = handle()?.spawn(async move {
        // Fails only if the waiting thread died.
        let _ = done.send(caught(future).await);
    });
    Ok(Task { task: task.abort_handle(), result })
}

/// Runs `future`; its panic becomes an error.
async fn caught<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let polled = catch_panic("its task", || future.as_mut().poll(context));
        polled.unwrap_or_else(|panic| {
            Poll::Ready(Err(Error::store("finish a network request", panic)))
        })
    })
    .await
}

/// A running future. Dropping it aborts the future.
#[derive(Debug)]
pub struct Task<T> {
    task: AbortHandle,
    result: Receiver<Result<T>>,
}

impl<T> Task<T> {
    /// Waits for the result.
    ///
    /// # Errors
    /// The errors of the future; [`Error::Store`] if it panicked.
    pub fn wait(self) -> Result<T> {
        self.result.recv().unwrap_or_else(|_| {
            Err(Error::store("finish a network request", "its task was stopped"))
        })
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs up to `at_once` of `requests` ahead of their use, and returns their results in order.
///
/// Nothing is started before the first result is asked for. The iterator ends when `requests` ends.
pub fn prefetch<T, F>(
    requests: impl Iterator<Item = F>,
    at_once: usize,
) -> impl Iterator<Item = Result<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut requests = requests.fuse();
    let mut running = VecDeque::new();
    std::iter::from_fn(move || {
        let room = at_once.max(1).saturating_sub(running.len());
        running.extend(requests.by_ref().take(room).map(start));
        running.pop_front().map(|task: Result<Task<T>>| task?.wait())
    })
}

/// Runs `future` in the background. Nothing waits for it.
pub fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    if let Ok(handle) = handle() {
        handle.spawn(future);
    }
}

/// Returns the one runtime of the process. It is never dropped, because dropping a runtime inside an async program
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
        .map_err(|error| Error::store("start the threads for network requests", error))?;
    if let Err(second) = RUNTIME.set(made) {
        second.shutdown_background();
    }
    RUNTIME
        .get()
        .map(Runtime::handle)
        .ok_or_else(|| Error::store("start the threads for network requests", "they have ended"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_task_runs_beside_its_caller_and_ends_when_it_is_dropped() {
        let tasks: Vec<_> =
            (0..100).map(|number| start(async move { Ok(number) }).unwrap()).collect();
        assert!(tasks.into_iter().map(|task| task.wait().unwrap()).eq(0..100));

        let (alive, ended) = mpsc::sync_channel::<()>(1);
        let waiting = start(async move {
            let _alive = alive;
            std::future::pending::<Result<()>>().await
        });
        assert!(ended.recv_timeout(Duration::from_millis(50)).is_err(), "it waits");
        drop(waiting);
        let end = ended.recv_timeout(Duration::from_secs(10));
        assert_eq!(
            end,
            Err(mpsc::RecvTimeoutError::Disconnected),
            "it is dropped with its captures"
        );
    }

    #[test]
    fn a_panic_of_a_task_is_an_error_with_its_message() {
        let ended: Result<()> = wait(async { panic!("out of {}", "cheese") });
        let error = ended.unwrap_err();
        let Error::Store { source, .. } = error else { panic!("{error:?}") };
        assert_eq!(source.to_string(), "its task panicked: out of cheese");
    }

    #[test]
    fn results_are_prefetched_in_order_and_only_a_few_ahead() {
        let mut started = 0;
        let requests = (0..50).map(|number| {
            started += 1;
            async move { Ok(number) }
        });
        let mut results = prefetch(requests, 4);
        assert_eq!(results.next().unwrap().unwrap(), 0);
        assert!(results.by_ref().take(9).map(Result::unwrap).eq(1..10));
        drop(results);
        assert_eq!(started, 13);
    }
}
