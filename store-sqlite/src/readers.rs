//! The connections for reading: one for each reading thread, up to a bound.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

/// Maximum number of connections. Each has up to three open files.
const MOST: usize = 8;

/// Connections that are used by one thread at a time. A thread waits if all are in use.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Connection>,
    busy: usize,
}

impl Readers {
    /// Runs `read` with an idle connection, or with the one that `connect` opens.
    pub(crate) fn with<T>(
        &self,
        connect: impl FnOnce() -> rusqlite::Result<Connection>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let all_busy = |state: &mut State| state.busy >= MOST;
        let state = self.returned.wait_while(self.state(), all_busy);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.busy += 1;
        let mut lent = Lent { readers: self, connection: state.idle.pop() };
        drop(state);
        let connection = match lent.connection.take() {
            Some(connection) => connection,
            None => connect()?,
        };
        read(lent.connection.insert(connection))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use; returned when dropped, also by a panic.
struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.readers.state();
        state.busy -= 1;
        state.idle.extend(self.connection.take());
        self.readers.returned.notify_one();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn many_threads_share_a_few_connections() {
        let (readers, opened, panics) = (Readers::default(), AtomicUsize::new(0), 3);
        let connect = || {
            opened.fetch_add(1, Ordering::SeqCst);
            Connection::open_in_memory()
        };
        let read = |fails: bool| {
            let answer = readers.with(connect, |connection| {
                assert!(!fails, "a reader that panics returns its connection");
                thread::sleep(Duration::from_millis(1));
                connection.query_row("SELECT 7", [], |row| row.get::<_, u64>(0))
            });
            assert_eq!(answer.unwrap(), 7);
        };
        let read = &read;
        thread::scope(|scope| {
            let threads: Vec<_> =
                (0..64).map(|at| scope.spawn(move || read(at < panics))).collect();
            let failed = threads.into_iter().filter_map(|thread| thread.join().err());
            assert_eq!(failed.count(), panics);
        });
        assert!(opened.into_inner() <= MOST);
        assert_eq!(readers.state().busy, 0);
    }
}
