//! Making blobs durable while others are still encoded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::store::{BlobWriter, catch_panic};

/// Maximum number of blobs made durable at once; disks sync files in parallel.
const MOST_AT_ONCE: usize = 16;

/// Blobs being made durable, each on its own thread, until [`finish`](Self::finish) returns.
#[derive(Default)]
pub struct BlobWrites {
    threads: VecDeque<JoinHandle<Result<()>>>,
}

impl BlobWrites {
    /// Finishes a blob; an error may belong to an earlier blob.
    pub fn keep(&mut self, writer: Box<dyn BlobWriter>, digest: Digest) -> Result<()> {
        let writer = Arc::new(Mutex::new(Some(writer)));
        self.work(move || {
            let taken = writer.lock().unwrap_or_else(PoisonError::into_inner).take();
            taken.map_or(Ok(()), |writer| writer.finish(&digest))
        })
    }

    fn work(&mut self, work: impl FnOnce() -> Result<()> + Clone + Send + 'static) -> Result<()> {
        if self.threads.len() >= MOST_AT_ONCE
            && let Some(oldest) = self.threads.pop_front()
        {
            join(oldest)?;
        }
        let caught = work.clone();
        let caught = || {
            let failed = |panic| Err(Error::store("keep a blob", panic));
            catch_panic("the store", caught).unwrap_or_else(failed)
        };
        match thread::Builder::new().spawn(caught) {
            Ok(thread) => self.threads.push_back(thread),
            // No thread could be spawned.
            Err(_) => return work(),
        }
        Ok(())
    }

    /// Waits for all blobs; returns the first error.
    pub fn finish(&mut self) -> Result<()> {
        let ended: Vec<_> = self.threads.drain(..).map(join).collect();
        ended.into_iter().collect()
    }
}

impl Drop for BlobWrites {
    /// Waits, so that no writer outlives a failed encoding.
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

fn join(thread: JoinHandle<Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|_| Err(Error::store("keep a blob", "its writer panicked")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{self, Write};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    /// A blob that finishes slowly, counts itself, and fails if `fails`.
    struct Slow {
        ended: Arc<AtomicUsize>,
        fails: bool,
    }

    impl Write for Slow {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl BlobWriter for Slow {
        fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
            self.write_all(&bytes)
        }

        fn finish(self: Box<Self>, digest: &Digest) -> Result<()> {
            thread::sleep(Duration::from_millis(20));
            self.ended.fetch_add(1, Ordering::SeqCst);
            if self.fails {
                Err(Error::store(format!("keep {digest}"), "the disk is full"))
            } else {
                Ok(())
            }
        }
    }

    fn keep(writes: &mut BlobWrites, ended: &Arc<AtomicUsize>, fails: bool) -> Result<()> {
        let writer = Slow { ended: Arc::clone(ended), fails };
        writes.keep(Box::new(writer), Digest::of(b"blob"))
    }

    #[test]
    fn when_it_has_finished_every_blob_is_there() {
        let (mut writes, ended) = (BlobWrites::default(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..3 * MOST_AT_ONCE {
            keep(&mut writes, &ended, false).unwrap();
            assert!(writes.threads.len() <= MOST_AT_ONCE);
        }
        writes.finish().unwrap();
        assert_eq!(ended.load(Ordering::SeqCst), 3 * MOST_AT_ONCE);
    }

    #[test]
    fn a_blob_that_fails_is_an_error_and_no_thread_is_left_behind() {
        let (mut writes, ended) = (BlobWrites::default(), Arc::new(AtomicUsize::new(0)));
        for number in 0..5 {
            keep(&mut writes, &ended, number == 1).unwrap();
        }
        let error = writes.finish().unwrap_err();
        assert!(matches!(error, Error::Store { .. }), "{error}");
        assert_eq!(ended.load(Ordering::SeqCst), 5);

        keep(&mut writes, &ended, false).unwrap();
        drop(writes);
        assert_eq!(ended.load(Ordering::SeqCst), 6, "dropping waits");
    }
}
