//! An S3 server on loopback: moto.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::python::with_packages;

const PROGRAM: &str = include_str!("../fixtures/s3/server.py");

/// The password in [`Server::url`]. No output may contain it.
pub const SECRET: &str = "secret-that-nobody-may-see";

/// A server. Dropping it stops the process; its content is in memory only.
#[derive(Debug)]
pub struct Server {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    port: String,
}

#[allow(clippy::unwrap_used, clippy::expect_used)]
impl Server {
    /// Starts a server.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn start(target: &Path, args: &[&str]) -> Self {
        let python = with_packages(target, "moto", &["moto[server]==5.2.*"]);
        let mut command = Command::new(python);
        command.arg("-c").arg(PROGRAM).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the S3 server starts");
        let commands = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut server = Self { process, commands, answers, port: String::new() };
        server.port = server.answer();
        server
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the S3 server ended");
        line.trim().to_owned()
    }

    /// Sends one of the commands that `server.py` lists, and waits for the answer.
    ///
    /// # Panics
    /// If the server has ended.
    pub fn tell(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").unwrap();
        self.answer()
    }

    /// The URL of a larder below `prefix`.
    pub fn url(&self, prefix: &str) -> String {
        let port = &self.port;
        format!(
            "s3://larder/{prefix}?endpoint=http://127.0.0.1:{port}&region=us-east-1\
             &access_key_id=larder&secret_access_key={SECRET}"
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
