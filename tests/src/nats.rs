//! A real NATS server on loopback.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const ADVICE: &str = "`nats-server` is missing: run `scripts/prepare`";
/// The password in [`Server::url`] of a server with authentication. No output may contain it.
pub const SECRET: &str = "secret-that-nobody-may-see";
/// Maximum time to start, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with JetStream. Dropping it stops the process and deletes its files.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    port: u16,
    with_password: bool,
    process: Option<Child>,
}

#[allow(clippy::unwrap_used, clippy::expect_used)]
impl Server {
    /// Starts a server without authentication.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn start() -> Self {
        Self::start_server(false)
    }

    /// Starts a server that requires a user and a password.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn start_with_password() -> Self {
        Self::start_server(true)
    }

    fn start_server(with_password: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("larder-nats-").tempdir().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = Self { folder, port, with_password, process: None };
        server.start_again();
        server
    }

    /// Starts the server again, on the same port and files.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn start_again(&mut self) {
        // The server gets a signal when the thread that started it ends.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT", "--", "nats-server", "--jetstream"]);
        command.args(["--addr", "127.0.0.1", "--port", &self.port.to_string()]);
        command.arg("--store_dir").arg(self.folder.path().join("data"));
        if self.with_password {
            command.args(["--user", "ann", "--pass", SECRET]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().expect(ADVICE));
        let begun = Instant::now();
        while !self.answers() {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the NATS server ended: {ended:?}; {ADVICE}");
            assert!(begun.elapsed() < PATIENCE, "the NATS server does not start");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns true if the server sends its greeting, which needs no authentication.
    fn answers(&self) -> bool {
        let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else { return false };
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut said = String::new();
        let read = BufReader::new(stream).read_line(&mut said);
        read.is_ok() && said.starts_with("INFO") && said.contains("\"jetstream\":true")
    }

    /// Shuts the server down in order.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
            let _ = process.wait();
        }
    }

    /// Kills the server, so that it cannot save its state.
    pub fn crash(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Deletes the data of a stopped server.
    ///
    /// # Panics
    /// If the server runs, or its files cannot be deleted.
    pub fn wipe(&self) {
        assert!(self.process.is_none());
        fs::remove_dir_all(self.folder.path().join("data")).unwrap();
    }

    /// The URL of a queue on this stream. Append `&` and further options.
    pub fn url(&self, stream: &str) -> String {
        let user = if self.with_password { format!("ann:{SECRET}@") } else { String::new() };
        format!("nats://{user}127.0.0.1:{}?stream={stream}", self.port)
    }

    /// The port the server listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.crash();
    }
}
