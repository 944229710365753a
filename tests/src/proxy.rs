//! A TCP proxy that fails on demand.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread;

/// Forwards connections to a server on loopback.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    faults: Arc<Faults>,
}

/// The failures still to come.
#[derive(Debug, Default)]
struct Faults {
    /// Number of responses to `COMMIT` to drop.
    lost: AtomicU64,
    /// Number of `COMMIT`s to drop.
    undone: AtomicU64,
    /// Bytes that clients may still send before a connection is cut; negative for no limit.
    bytes: AtomicI64,
    /// Bytes that the server may still answer before a connection is cut; negative for no limit.
    answered: AtomicI64,
    /// The text of a request that commits.
    commit: &'static [u8],
}

#[allow(clippy::unwrap_used)]
impl Proxy {
    /// Starts a proxy to the database server on `port`.
    ///
    /// # Panics
    /// If no port is free.
    pub fn to(port: u16) -> Self {
        Self::watching(port, b"COMMIT\0")
    }

    /// Starts a proxy to the server on `port`, where a request that commits contains `commit`.
    ///
    /// # Panics
    /// If no port is free.
    pub fn watching(port: u16, commit: &'static [u8]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = listener.local_addr().unwrap().port();
        let (bytes, answered) = (AtomicI64::new(-1), AtomicI64::new(-1));
        let faults = Arc::new(Faults { bytes, answered, commit, ..Faults::default() });
        let shared = faults.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                // While the server is down, the proxy closes connections as well.
                if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                    pass_on(client, server, &shared);
                }
            }
        });
        Self { port: own, faults }
    }

    /// The port for clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Drops the responses to the next `count` `COMMIT`s and cuts their connections. Returns how many earlier ones were
    /// still to be dropped.
    pub fn lose_answers(&self, count: u64) -> u64 {
        self.faults.lost.swap(count, Ordering::SeqCst)
    }

    /// Cuts the connection instead of forwarding a `COMMIT`, for the next `count` of them. Returns how many earlier ones
    /// were still to be cut.
    pub fn lose_commits(&self, count: u64) -> u64 {
        self.faults.undone.swap(count, Ordering::SeqCst)
    }

    /// Cuts one connection after clients have sent this many bytes.
    pub fn cut_after(&self, bytes: u32) {
        self.faults.bytes.store(bytes.into(), Ordering::SeqCst);
    }

    /// Drops and cuts nothing more.
    pub fn heal(&self) {
        self.lose_answers(0);
        self.lose_commits(0);
        self.faults.bytes.store(-1, Ordering::SeqCst);
        self.faults.answered.store(-1, Ordering::SeqCst);
    }

    /// Cuts one connection after the server has answered this many bytes.
    pub fn cut_answers_after(&self, bytes: u32) {
        self.faults.answered.store(bytes.into(), Ordering::SeqCst);
    }
}

/// Returns how many of `read` bytes are passed on before the connection is cut, if it is.
fn left(limit: &AtomicI64, read: usize) -> Option<usize> {
    let before = limit.fetch_sub(read as i64, Ordering::SeqCst);
    if before < 0 {
        limit.store(-1, Ordering::SeqCst);
        return None;
    }
    usize::try_from(before).ok().filter(|before| *before < read)
}

fn take_one(count: &AtomicU64) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

/// Forwards both ways on two threads until one side closes.
#[allow(clippy::unwrap_used)]
fn pass_on(client: TcpStream, server: TcpStream, faults: &Arc<Faults>) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let deaf = Arc::new(AtomicU64::new(0));
    let (of_answers, faults, is_deaf) = (faults.clone(), faults.clone(), deaf.clone());
    thread::spawn(move || {
        let (mut from, mut to) = (from_client, to_server);
        let mut buffer = [0; 16 * 1024];
        while let Ok(read) = from.read(&mut buffer)
            && read > 0
        {
            let said = &buffer[..read];
            let commits = said.windows(faults.commit.len()).any(|part| part == faults.commit);
            if commits && take_one(&faults.undone) {
                break;
            }
            if commits && take_one(&faults.lost) {
                is_deaf.store(1, Ordering::SeqCst);
            }
            if let Some(last) = left(&faults.bytes, read) {
                let _ = to.write_all(&said[..last]);
                break;
            }
            if to.write_all(said).is_err() {
                break;
            }
        }
        cut(&from, &to);
    });
    thread::spawn(move || {
        let (mut from, mut to) = (server, client);
        let mut buffer = [0; 16 * 1024];
        while let Ok(read) = from.read(&mut buffer)
            && read > 0
        {
            if deaf.load(Ordering::SeqCst) > 0 {
                break;
            }
            let last = left(&of_answers.answered, read);
            if to.write_all(&buffer[..last.unwrap_or(read)]).is_err() || last.is_some() {
                break;
            }
        }
        cut(&from, &to);
    });
}

fn cut(one: &TcpStream, other: &TcpStream) {
    for stream in [one, other] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
