//! A component with hooks and triggers that notifies an HTTP service.
//!
//! ```sh
//! cargo run --example notifier
//! cargo run --example notifier -- larder.db
//! ```
//!
//! The program starts the service and prints the messages it receives:
//!
//! - `post_init` validates the template in `d`;
//! - `setup` connects to the service once, before the first job;
//! - `on_create` registers the component, `cleanup` unregisters it;
//! - the trigger `start` sends a message when a version is applied;
//! - `go` runs after `start` if the field `d` is set.
#![allow(clippy::print_stdout)]

use larder::versions::RemoveOptions;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use larder::jobs::{JobContext, JobStatus};
use larder::prelude::*;
use larder::{BoxError, HookContext, HookResult, Hooks, triggers};

/// Sends `d` `a` times, with `{b}` and the keys of `c` replaced.
#[derive(Clone, Serialize, Deserialize, Component)]
#[component(tag = "example/notifier", hooks)]
struct Notifier {
    a: u32,
    b: String,
    c: BTreeMap<String, String>,
    /// A template with `{b}` and the keys of `c`.
    d: Option<String>,
    /// Address of the service.
    service: String,
    /// The connection, opened by `setup`; not stored.
    #[serde(skip)]
    client: OnceLock<Arc<Client>>,
}

impl Hooks for Notifier {
    /// Runs on `apply`, before anything is written, and on `load`.
    fn post_init(&mut self) -> HookResult {
        let Some(d) = &self.d else { return Ok(()) };
        let mut names = self.c.keys().map(String::as_str).chain(["b"]);
        match names.find(|name| !d.contains(&format!("{{{name}}}"))) {
            None => Ok(()),
            Some(name) => Err(format!("`d` does not contain `{{{name}}}`").into()),
        }
    }

    /// Runs once, before the first job of a loaded component.
    fn setup(&self, _: &HookContext) -> HookResult {
        let client = Client::connect(&self.service)?;
        client.send("connected")?;
        self.client.set(Arc::new(client)).map_err(|_| "already connected".into())
    }

    /// Runs after a version is committed, without `setup`.
    fn on_create(&self, context: &HookContext) -> HookResult {
        let client = Client::connect(&self.service)?;
        Ok(client.send(&format!("registered {}", context.version.reference()))?)
    }

    /// Runs before a version is removed.
    fn cleanup(&self, context: &HookContext) -> HookResult {
        let client = Client::connect(&self.service)?;
        Ok(client.send(&format!("unregistered {}", context.version.reference()))?)
    }
}

#[triggers]
impl Notifier {
    /// Runs as a job after a version is applied.
    #[trigger(apply, retries = 3, timeout = "10s")]
    fn start(&self, job: &JobContext) -> Result<(), BoxError> {
        self.send(&format!("{} starts", job.reference()))
    }

    /// Runs after `start` if `d` is set.
    #[trigger(apply, depends_on = "start", requires = "d")]
    fn go(&self, job: &JobContext) -> Result<(), BoxError> {
        let mut sentence = self.d.clone().unwrap_or_default().replace("{b}", &self.b);
        for (name, value) in &self.c {
            sentence = sentence.replace(&format!("{{{name}}}"), value);
        }
        for round in 0..self.a {
            job.progress(f64::from(round) / f64::from(self.a), "sending");
            self.send(&sentence)?;
        }
        Ok(())
    }
}

impl Notifier {
    fn send(&self, message: &str) -> Result<(), BoxError> {
        Ok(self.client.get().ok_or("not connected")?.send(message)?)
    }
}

/// A connection to the service.
struct Client(Mutex<BufReader<TcpStream>>);

impl Client {
    fn connect(service: &str) -> io::Result<Self> {
        Ok(Self(Mutex::new(BufReader::new(TcpStream::connect(service)?))))
    }

    fn send(&self, message: &str) -> io::Result<()> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let length = message.len();
        write!(
            stream.get_mut(),
            "POST /notify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{message}"
        )?;
        let mut answer = String::new();
        while stream.read_line(&mut answer)? > 2 {}
        match answer.starts_with("HTTP/1.1 204 ") {
            true => Ok(()),
            false => Err(io::Error::other(format!("the service responded {answer:?}"))),
        }
    }
}

/// Starts the service; returns its address and a channel of its messages.
fn service() -> io::Result<(String, Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let (sender, messages) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                while let Ok(Some(message)) = receive(&mut stream) {
                    let _ = sender.send(message);
                    let _ = stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                }
            });
        }
    });
    Ok((address, messages))
}

/// Reads one message; `None` if the connection is closed.
fn receive(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut message = String::new();
    stream.take(length).read_to_string(&mut message)?;
    Ok(Some(message))
}

fn main() -> Result<(), Box<dyn Error>> {
    let store = std::env::args().nth(1).unwrap_or_else(|| "memory:".to_owned());
    let larder = larder::open(store.as_str())?;
    let (service, messages) = service()?;
    let notifier = |d: Option<&str>| Notifier {
        a: 2,
        b: "the cellar".into(),
        c: BTreeMap::from([("time".into(), "noon".into())]),
        d: d.map(Into::into),
        service: service.clone(),
        client: OnceLock::new(),
    };

    // `post_init` rejects a template without `{time}`.
    match larder.apply("bell", &notifier(Some("come to {b}"))) {
        Ok(_) => return Err("an invalid template was applied".into()),
        Err(error) => println!("rejected: {}", error.source().ok_or("the error has no source")?),
    }

    for d in [None, Some("come to {b} at {time}")] {
        let applied = larder.apply("bell", &notifier(d))?;
        let jobs = larder.jobs().wait(&applied)?;
        for job in &jobs {
            println!("{} of v{} {}", job.trigger, job.version.get(), job.status);
        }
        let went = jobs.iter().any(|job| job.trigger == "go" && job.status == JobStatus::Succeeded);
        assert_eq!(went, d.is_some(), "`go` runs only with `d`");
    }
    larder.remove_all("bell", &RemoveOptions::new())?;
    for message in messages.try_iter() {
        println!("received: {message}");
    }
    Ok(())
}
