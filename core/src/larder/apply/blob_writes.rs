//! Making blobs durable while others are still encoded.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::store::threads::on_thread;
use crate::store::{BlobWriter, catch_panic};

/// Maximum number of blobs made durable at once; disks sync files in parallel.
const MOST_AT_ONCE: usize = 16;

/// Blobs being made durable, each on its own thread, until [`finish`](Self::finish) returns.
#[derive(Default)]
pub struct BlobWrites {
    begun: VecDeque<Receiver<Result<()>>>,
}

impl BlobWrites {
    /// Finishes a blob; an error may belong to an earlier blob.
    pub fn keep(&mut self, writer: Box<dyn BlobWriter>, digest: Digest) -> Result<()> {
        if self.begun.len() >= MOST_AT_ONCE
            && let Some(oldest) = self.begun.pop_front()
        {
            ended(oldest)?;
        }
        let (sender, result) = mpsc::sync_channel(1);
        on_thread(move || {
            let kept = catch_panic("the store", || writer.finish(&digest));
            let failed = |panic| Err(Error::store("keep a blob", panic));
            // The receiver is there: `Drop` waits for the result.
            let _ = sender.send(kept.unwrap_or_else(failed));
        });
        self.begun.push_back(result);
        Ok(())
    }

    /// Waits for all blobs; returns the first error.
    pub fn finish(&mut self) -> Result<()> {
        let ended: Vec<_> = self.begun.drain(..).map(ended).collect();
        ended.into_iter().collect()
    }
}

impl Drop for BlobWrites {
    /// Waits, so that no writer outlives a failed encoding.
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

fn ended(blob: Receiver<Result<()>>) -> Result<()> {
    blob.recv().unwrap_or_else(|_| Err(Error::store("keep a blob", "its writer panicked")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
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
            assert!(writes.begun.len() <= MOST_AT_ONCE);
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
