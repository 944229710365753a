//! A real Postgres server on loopback.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const ADVICE: &str = "Postgres is missing: run `scripts/prepare`";
/// The owner of the database.
const USER: &str = "larder";
/// The password in [`Server::url`]. No output may contain it.
pub const SECRET: &str = "secret-that-nobody-may-see";
/// Maximum time to start, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with an empty database. Dropping it stops the process and deletes its files.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    /// Run as the user `postgres`, because Postgres refuses to run as root.
    other_user: bool,
    port: u16,
    options: Vec<String>,
    process: Option<Child>,
}

#[allow(clippy::unwrap_used, clippy::expect_used)]
impl Server {
    /// Starts a server.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with settings such as `max_connections=10`.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn start_with(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("larder-postgres-").tempdir().unwrap();
        let other_user = fs::metadata(folder.path()).unwrap().uid() == 0;
        let password = folder.path().join("password");
        fs::write(&password, SECRET).unwrap();
        if other_user {
            let id = |kind: &str| {
                let output = Command::new("id").args([kind, "postgres"]).output().unwrap();
                String::from_utf8_lossy(&output.stdout).trim().parse().expect(ADVICE)
            };
            for path in [folder.path(), &password] {
                chown(path, Some(id("-u")), Some(id("-g"))).unwrap();
            }
        }
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut options: Vec<_> = [
            "listen_addresses=127.0.0.1",
            &format!("port={port}"),
            "unix_socket_directories=",
            "log_min_messages=fatal",
        ]
        .map(str::to_owned)
        .into();
        options.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let mut server = Self { folder, other_user, port, options, process: None };
        let mut initdb = server.command("initdb");
        initdb.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
        initdb.arg(format!("--username={USER}")).arg("--pwfile").arg(password);
        done(initdb.arg("--pgdata").arg(server.data()));
        server.start_again();
        done(server.psql("postgres").args(["-c", "CREATE DATABASE larder"]));
        server
    }

    /// Starts a server with TLS. Its self-signed certificate for 127.0.0.1 is `server.crt` in [`folder`](Self::folder).
    ///
    /// # Panics
    /// If the server does not start.
    pub fn start_with_tls() -> Self {
        let mut server = Self::start();
        server.stop();
        let config = server.folder().join("server.cnf");
        let extensions = "basicConstraints=critical,CA:FALSE\nsubjectAltName=IP:127.0.0.1\n";
        let content =
            format!("[req]\ndistinguished_name=dn\nx509_extensions=v3\n[dn]\n[v3]\n{extensions}");
        fs::write(&config, content).unwrap();
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        openssl.args(["-nodes", "-days", "2", "-subj", "/CN=larder", "-config", "server.cnf"]);
        openssl.args(["-keyout", "server.key", "-out", "server.crt"]);
        done(openssl.current_dir(server.folder()));
        let owner = fs::metadata(server.folder()).unwrap();
        for name in ["server.key", "server.crt"] {
            let path = server.folder().join(name);
            chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
            let file = path.display();
            let setting = if name.ends_with("key") { "ssl_key_file" } else { "ssl_cert_file" };
            server.options.push(format!("{setting}={file}"));
        }
        server.options.push("ssl=on".to_owned());
        server.start_again();
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder of the server's files, readable by its user.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program of Postgres. It gets a signal when the thread that started it ends.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if self.other_user {
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        }
        command.arg("--").arg(programs().join(program)).current_dir(self.folder.path());
        command
    }

    fn psql(&self, database: &str) -> Command {
        let mut psql = Command::new(programs().join("psql"));
        psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", USER]);
        psql.args(["-p", &self.port.to_string(), "-d", database]).env("PGPASSWORD", SECRET);
        psql
    }

    /// Starts the server again, on the same port and files.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn start_again(&mut self) {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data());
        for option in &self.options {
            command.args(["-c", option]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().expect(ADVICE));
        let begun = Instant::now();
        while !self.answers() {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the Postgres server ended: {ended:?}; {ADVICE}");
            assert!(begun.elapsed() < PATIENCE, "the Postgres server does not start");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let ask = || self.psql("postgres").args(["-c", "SELECT 1"]).output().expect(ADVICE);
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() && ask().status.success()
    }

    /// Shuts the server down in order and ends its sessions.
    pub fn stop(&mut self) {
        self.signal("-INT");
    }

    /// Ends the server without a checkpoint, so that it has to recover when it starts.
    pub fn crash(&mut self) {
        self.signal("-QUIT");
    }

    fn signal(&mut self, signal: &str) {
        if let Some(mut process) = self.process.take() {
            let _ = Command::new("kill").args([signal, &process.id().to_string()]).status();
            let _ = process.wait();
        }
    }

    /// Runs a statement and returns its rows, columns separated by `|`.
    ///
    /// # Panics
    /// If the statement fails.
    pub fn sql(&self, statement: &str) -> String {
        let output = done(self.psql("larder").args(["-c", statement]));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Waits until a statement returns `answer`.
    ///
    /// # Panics
    /// If it does not within a minute.
    pub fn until(&self, statement: &str, answer: &str) {
        let begun = Instant::now();
        let mut found = self.sql(statement);
        while found != answer {
            assert!(begun.elapsed() < PATIENCE, "{statement}: {found}, not {answer}");
            thread::sleep(Duration::from_millis(20));
            found = self.sql(statement);
        }
    }

    /// The port the server listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the larder in a schema.
    pub fn url(&self, schema: &str) -> String {
        self.url_by(self.port, schema)
    }

    /// The URL of the larder in a schema, through another port.
    pub fn url_by(&self, port: u16, schema: &str) -> String {
        format!("postgres://{USER}:{SECRET}@127.0.0.1:{port}/larder?schema={schema}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.crash();
    }
}

#[allow(clippy::expect_used)]
fn done(command: &mut Command) -> Output {
    let output = command.output().expect(ADVICE);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}\n{ADVICE}");
    output
}

/// The folder of Postgres's programs: the newest of Debian's, or the one `pg_config` prints.
#[allow(clippy::expect_used)]
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(|path| number(path));
    newest.map(|path| path.join("bin")).unwrap_or_else(|| {
        let output = Command::new("pg_config").arg("--bindir").output().expect(ADVICE);
        String::from_utf8_lossy(&output.stdout).trim().into()
    })
}
