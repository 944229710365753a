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
}

#[allow(clippy::unwrap_used)]
impl Proxy {
    /// Starts a proxy to the server on `port`.
    ///
    /// # Panics
    /// If no port is free.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = listener.local_addr().unwrap().port();
        let faults = Arc::new(Faults { bytes: AtomicI64::new(-1), ..Faults::default() });
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
    let (faults, is_deaf) = (faults.clone(), deaf.clone());
    thread::spawn(move || {
        let (mut from, mut to) = (from_client, to_server);
        let mut buffer = [0; 16 * 1024];
        while let Ok(read) = from.read(&mut buffer)
            && read > 0
        {
            let said = &buffer[..read];
            let commits = said.windows(7).any(|part| part == b"COMMIT\0");
            if commits && take_one(&faults.undone) {
                break;
            }
            if commits && take_one(&faults.lost) {
                is_deaf.store(1, Ordering::SeqCst);
            }
            let before = faults.bytes.fetch_sub(read as i64, Ordering::SeqCst);
            if before < 0 {
                faults.bytes.store(-1, Ordering::SeqCst);
            } else if before < read as i64 {
                let _ = to.write_all(&said[..before as usize]);
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
            if deaf.load(Ordering::SeqCst) > 0 || to.write_all(&buffer[..read]).is_err() {
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
