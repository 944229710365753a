//! MLflow's client with a server of Larder, against the same client with `mlflow server` on SQLite and a local folder.
//!
//! ```text
//! MLFLOW=/path/to/venv/bin cargo run --release -p larder-benches --features mlflow --bin mlflow
//! ```
//!
//! The virtual environment has `mlflow` and `skops`. Both servers keep their files in one temporary folder. Each time is from the call
//! of the client to its return; a save is `log_model` with a registered name, a load is `load_model` of a registered version.
//! "If Larder took no time" subtracts the time in which the client waited for answers.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use larder::Registry;
use larder::server::{Server, ServerOptions};
use larder_benches::{Outcome, compare, head};

const PROGRAM: &str = include_str!("mlflow.py");
/// Maximum time until `mlflow server` answers.
const START: Duration = Duration::from_secs(120);

/// A process that is ended when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// MLflow's client in a process of its own.
struct Client {
    _process: Process,
    commands: ChildStdin,
    times: BufReader<ChildStdout>,
}

impl Client {
    fn start(bin: &Path, url: &str, folder: &Path) -> Outcome<Self> {
        let log = File::create(folder.join("client.log"))?;
        let mut process = Command::new(bin.join("python"))
            .args(["-c", PROGRAM])
            .env("MLFLOW_TRACKING_URI", url)
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .env("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
            .env("TMPDIR", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let commands = process.stdin.take().ok_or("the client has no stdin")?;
        let times = BufReader::new(process.stdout.take().ok_or("the client has no stdout")?);
        Ok(Self { _process: Process(process), commands, times })
    }

    fn ask(&mut self, command: &str) -> Outcome<Duration> {
        writeln!(self.commands, "{command}")?;
        let mut line = String::new();
        self.times.read_line(&mut line)?;
        let nanoseconds = line.trim().parse();
        Ok(Duration::from_nanos(nanoseconds.map_err(|_| "the client failed: its log says why")?))
    }
}

/// Starts `mlflow server`, and returns its URL.
fn peer(bin: &Path, folder: &Path) -> Outcome<(Process, String)> {
    // Free until the server takes it.
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let log = File::create(folder.join("server.log"))?;
    let process = Command::new(bin.join("mlflow"))
        .args(["server", "--host", "127.0.0.1", "--workers", "1"])
        .args(["--port", &address.port().to_string()])
        .args(["--backend-store-uri", &format!("sqlite:///{}", folder.join("mlflow.db").display())])
        .arg("--artifacts-destination")
        .arg(folder.join("artifacts"))
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default()))
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    let process = Process(process);
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        if started.elapsed() > START {
            return Err("`mlflow server` does not start".into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok((process, format!("http://{address}")))
}

fn main() -> Outcome {
    let bin: PathBuf = std::env::var("MLFLOW")
        .map_err(|_| "set MLFLOW to the `bin` of a virtual environment")?
        .into();
    let folder = tempfile::tempdir()?;
    let place = |name: &str| -> Outcome<PathBuf> {
        let place = folder.path().join(name);
        std::fs::create_dir(&place)?;
        Ok(place)
    };
    let (ours, theirs) = (place("larder")?, place("mlflow")?);
    let larder =
        Registry::linked()?.open(&*format!("sqlite:{}", ours.join("larder.db").display()))?;
    let options = ServerOptions::new()
        .listen(SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .authenticate(false);
    let server = Server::start(larder, &options)?;
    let (_peer, url) = peer(&bin, &theirs)?;
    let mut ours = Client::start(&bin, &server.url(), &ours)?;
    let mut theirs = Client::start(&bin, &url, &theirs)?;

    head();
    for (kind, goal, rounds) in [("small", 1.0 / 3.0, 15), ("large", 1.0, 3)] {
        for verb in ["save", "load"] {
            let command = format!("{verb} {kind}");
            let what = format!("MLflow's client: {verb} a {kind} model");
            compare(&what, goal, rounds, |_| ours.ask(&command), |_| theirs.ask(&command))?;
            let alone = format!("{command} alone");
            let what = format!("the same, if Larder took no time: {verb}");
            compare(&what, f64::INFINITY, rounds, |_| ours.ask(&alone), |_| theirs.ask(&command))?;
        }
    }
    Ok(())
}
