//! A real NATS server on loopback.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const ADVICE: &str = "Debian's `nats-server` is needed: `scripts/prepare` installs it";
/// The password of [`Server::url`], if it asks for one. It must not be seen anywhere.
pub const SECRET: &str = "secret-that-nobody-may-see";
/// How long a server may take to start, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with JetStream, which ends when it is dropped, and its files with it.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    port: u16,
    asks: bool,
    process: Option<Child>,
}

#[allow(clippy::unwrap_used, clippy::expect_used)]
impl Server {
    /// Starts one that lets everybody in.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Self {
        Self::start_that(false)
    }

    /// Starts one that asks for a user and a password.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_that_asks() -> Self {
        Self::start_that(true)
    }

    fn start_that(asks: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("larder-nats-").tempdir().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = Self { folder, port, asks, process: None };
        server.start_again();
        server
    }

    /// Starts it where it was stopped.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        // It ends with the thread that starts it.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT", "--", "nats-server", "--jetstream"]);
        command.args(["--addr", "127.0.0.1", "--port", &self.port.to_string()]);
        command.arg("--store_dir").arg(self.folder.path().join("data"));
        if self.asks {
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

    /// Whether it says who it is, which it does to everybody.
    fn answers(&self) -> bool {
        let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else { return false };
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut said = String::new();
        let read = BufReader::new(stream).read_line(&mut said);
        read.is_ok() && said.starts_with("INFO") && said.contains("\"jetstream\":true")
    }

    /// Stops it as an administrator does.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
            let _ = process.wait();
        }
    }

    /// Kills it: it has no time to write down how far it is.
    pub fn crash(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Takes away all that it kept. It must be stopped.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn wipe(&self) {
        assert!(self.process.is_none());
        fs::remove_dir_all(self.folder.path().join("data")).unwrap();
    }

    /// The URL of a queue, by its stream, and `&` and more options.
    pub fn url(&self, stream: &str) -> String {
        let user = if self.asks { format!("ann:{SECRET}@") } else { String::new() };
        format!("nats://{user}127.0.0.1:{}?stream={stream}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.crash();
    }
}
