//! Threads that wait for a disk. They stay for a moment, because to start one takes longer than much of what they do.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Maximum number of concurrent syncs, and of files that are open for them.
pub const AT_ONCE: usize = 16;
/// Time after which a thread without work ends.
const STAY: Duration = Duration::from_millis(500);

type Work = Box<dyn FnOnce() + Send>;

/// The threads without work, and where it is sent to.
static IDLE: Mutex<Vec<(ThreadId, Sender<Work>)>> = Mutex::new(Vec::new());

fn idle() -> MutexGuard<'static, Vec<(ThreadId, Sender<Work>)>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` on another thread, or on this one if none can be started.
pub fn on_thread(work: impl FnOnce() + Send + 'static) {
    let found = idle().pop();
    let thread = found.map(|(_, thread)| thread).or_else(start);
    let work: Work = Box::new(work);
    match thread {
        None => work(),
        Some(thread) => {
            if let Err(mpsc::SendError(work)) = thread.send(work) {
                work();
            }
        }
    }
}

fn start() -> Option<Sender<Work>> {
    let (sender, receiver) = mpsc::channel();
    let own = sender.clone();
    thread::Builder::new().spawn(move || stay(&own, &receiver)).ok()?;
    Some(sender)
}

/// Does what is sent until nothing comes for a while.
fn stay(own: &Sender<Work>, sent: &Receiver<Work>) {
    let this = thread::current().id();
    let mut next = sent.recv().ok();
    while let Some(work) = next {
        work();
        idle().push((this, own.clone()));
        next = sent.recv_timeout(STAY).ok().or_else(|| {
            let mut idle = idle();
            let at = idle.iter().position(|(thread, _)| *thread == this);
            match at {
                Some(at) => {
                    idle.swap_remove(at);
                    None
                }
                // Somebody took it from there, and is about to send.
                None => {
                    drop(idle);
                    sent.recv().ok()
                }
            }
        });
    }
}

/// Runs `work` on several items concurrently. A disk serves many syncs together about as fast as one.
///
/// Results that hold open files stay open until the last item is done: pass at most [`AT_ONCE`] then.
///
/// # Errors
/// The first error, once all have ended.
pub fn at_once<T: Send + 'static, R: Send + 'static>(
    items: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> io::Result<R> + Send + Sync + 'static,
) -> io::Result<Vec<R>> {
    let work = Arc::new(work);
    let mut items = items.into_iter();
    let mut results = Vec::new();
    loop {
        let mut chunk: Vec<T> = items.by_ref().take(AT_ONCE).collect();
        let Some(last) = chunk.pop() else { break };
        let begin = |item| {
            let (sender, result) = mpsc::sync_channel(1);
            let work = Arc::clone(&work);
            // The caller may have panicked; then nothing receives the result.
            on_thread(move || drop(sender.send(work(item))));
            result
        };
        let begun: Vec<_> = chunk.into_iter().map(begin).collect();
        let last = work(last);
        let panicked = |_| Err(io::Error::other("a thread panicked while it wrote"));
        results.extend(begun.into_iter().map(|it| it.recv().unwrap_or_else(panicked)));
        results.push(last);
    }
    results.into_iter().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn items_are_worked_on_together_and_their_results_are_in_order() {
        // None of them ends before all have begun.
        let barrier = Barrier::new(AT_ONCE);
        let results = at_once(0..AT_ONCE, move |item| {
            barrier.wait();
            Ok(item * 2)
        });
        assert_eq!(results.unwrap(), (0..AT_ONCE).map(|item| item * 2).collect::<Vec<_>>());
        let many = at_once(0..10 * AT_ONCE + 3, Ok).unwrap();
        assert_eq!(many, (0..10 * AT_ONCE + 3).collect::<Vec<_>>());
        assert!(at_once(0..0, Ok).unwrap().is_empty());
    }

    #[test]
    fn the_first_error_is_returned_when_all_have_ended() {
        let ended = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&ended);
        let error = at_once(0..30, move |item| {
            thread::sleep(Duration::from_millis(5));
            counted.fetch_add(1, Ordering::SeqCst);
            if item % 7 == 3 { Err(io::Error::other(format!("item {item}"))) } else { Ok(()) }
        });
        assert_eq!(error.unwrap_err().to_string(), "item 3");
        assert_eq!(ended.load(Ordering::SeqCst), 30);
    }

    #[test]
    fn a_panic_is_an_error_and_other_work_goes_on() {
        let result = at_once(0..4, |item| {
            assert_ne!(item, 1, "on purpose");
            Ok(item)
        });
        assert!(result.unwrap_err().to_string().contains("panicked"));
        assert_eq!(at_once(0..40, Ok).unwrap().len(), 40);
    }

    #[test]
    fn work_that_comes_when_a_thread_is_about_to_end_is_done() {
        for pause in [0, 1, 499, 500, 501, 520] {
            thread::sleep(Duration::from_millis(pause));
            assert_eq!(at_once(0..8, Ok).unwrap().len(), 8, "after {pause} ms");
        }
        thread::sleep(2 * STAY);
        let (sender, receiver) = mpsc::channel();
        on_thread(move || sender.send(thread::current().id()).unwrap());
        assert_ne!(receiver.recv().unwrap(), thread::current().id());
    }
}
