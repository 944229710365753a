//! Waiting for an answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{ServeError, ServeResult};
use crate::job::Job;
use crate::request::Answer;

/// A request that was submitted with a function for its answer.
pub struct Ticket(Arc<Job>);

impl Ticket {
    pub(crate) fn new(job: Arc<Job>) -> Self {
        Self(job)
    }

    /// Cancels the request: its function is dropped, and if it has not begun to run, it never does.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ticket")
    }
}

/// A request whose answer is awaited, in an async program, or [waited for](Pending::wait), in any other.
///
/// Dropping it cancels the request.
#[derive(Debug)]
pub struct Pending {
    slot: Arc<Slot>,
    ticket: Ticket,
}

#[derive(Debug, Default)]
struct Slot {
    state: Mutex<State>,
    answered: Condvar,
}

#[derive(Debug, Default)]
struct State {
    answer: Option<ServeResult<Answer>>,
    waker: Option<Waker>,
}

/// Answers a request; if it is dropped instead, the program is stopping.
struct Sender(Arc<Slot>);

impl Sender {
    fn send(&self, answer: ServeResult<Answer>) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.answer.get_or_insert(answer);
        let waker = state.waker.take();
        drop(state);
        self.0.answered.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.send(Err(ServeError::Stopping));
    }
}

impl Pending {
    pub(crate) fn new(
        submit: impl FnOnce(Box<dyn FnOnce(ServeResult<Answer>) + Send>) -> Ticket,
    ) -> Self {
        let slot = Arc::new(Slot::default());
        let sender = Sender(Arc::clone(&slot));
        let ticket = submit(Box::new(move |answer| sender.send(answer)));
        Self { slot, ticket }
    }

    /// Blocks until the answer.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn wait(self) -> ServeResult<Answer> {
        let mut state = self.slot.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(answer) = state.answer.take() {
                return answer;
            }
            state = self.slot.answered.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Future for Pending {
    type Output = ServeResult<Answer>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.slot.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.ticket.cancel();
    }
}
