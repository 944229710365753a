//! The time limit of the heads of a connection's requests.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

type Kept = Arc<Mutex<Option<Pin<Box<tokio::time::Sleep>>>>>;

/// The timer of one connection. It keeps its sleep from request to request: to move the end of one is cheap, but to begin and to drop
/// one takes the lock of all timers each time.
#[derive(Default)]
pub(crate) struct HeadTimer(Kept);

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sleep = match kept.filter(|sleep| !sleep.is_elapsed()) {
            Some(mut sleep) => {
                sleep.as_mut().reset(deadline.into());
                sleep
            }
            None => Box::pin(tokio::time::sleep_until(deadline.into())),
        };
        Box::pin(Limit { sleep: Some(sleep), kept: Arc::clone(&self.0) })
    }
}

/// The sleep, which goes back to its timer.
struct Limit {
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
    kept: Kept,
}

impl Future for Limit {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(context),
            None => Poll::Ready(()),
        }
    }
}

impl Sleep for Limit {}

impl Drop for Limit {
    fn drop(&mut self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = self.sleep.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleep_is_used_again_and_ends_at_its_new_time() {
        let timer = HeadTimer::default();
        let short = Duration::from_millis(20);
        let mut first = timer.sleep(short);
        let polled = std::future::poll_fn(|context| Poll::Ready(first.as_mut().poll(context)));
        assert!(polled.await.is_pending());
        drop(first);
        let started = Instant::now();
        timer.sleep(4 * short).await;
        assert!(started.elapsed() >= 4 * short, "the first end does not count");
        let started = Instant::now();
        timer.sleep(short).await;
        assert!(started.elapsed() >= short, "one that has ended is not used again");
    }
}
